//! Several processes on one store at once.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

/// Expands to a module with one test per case. `$make` is an async function without arguments that returns
/// `([Arc<dyn Ledger>; 2], guard)`: two processes on one empty store.
#[macro_export]
macro_rules! together_suite {
    ($name:ident, $make:path) => {
        $crate::together_suite! { @cases $name, $make:
            a_follower_of_the_feed_misses_nothing
            a_key_is_claimed_by_one_of_two_sources_at_once
            processes_share_lanes_and_fence_each_other
            what_meets_gives_way_unseen
        }
    };
    (@cases $name:ident, $make:path: $($case:ident)*) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let (processes, _guard) = $make().await;
                    $crate::conformance::$case(processes).await;
                }
            )*
        }
    };
}

/// Two processes on one store.
pub type Processes = [Arc<dyn Ledger>; 2];

fn numbered(n: u32) -> RecordId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    RecordId(bytes)
}

/// A record of a learner of its own.
fn of_many(n: u32, content: u8) -> Incoming {
    let RecordId(bytes) = numbered(n);
    Incoming { id: numbered(n), learner: LearnerId(bytes), lookup: Lookup(bytes), ..attainment(1, content) }
}

async fn plan_many(ledger: &dyn Ledger) {
    let dirty = ledger.dirty(STORE, 10_000).await.expect("dirty");
    let plan = |item: &DirtyItem| Plan { debt: item.debt, mark: item.mark, decision: owe(item) };
    ledger.plan(STORE, 1, &dirty.iter().map(plan).collect::<Vec<_>>()).await.expect("planned");
}

async fn send_all(ledger: &dyn Ledger) {
    while let Some(claim) = ledger.claim(STORE, 1, 9, 3).await.expect("asked") {
        settle_all(ledger, &claim, 1, DebtState::Sent).await;
    }
}

/// Writers in both processes while a reader follows the feed: it misses nothing and sees nothing twice.
pub async fn a_follower_of_the_feed_misses_nothing(processes: Processes) {
    const WRITERS: u32 = 8;
    const BATCHES: u32 = 12;
    let done = Arc::new(AtomicBool::new(false));
    let follower = tokio::spawn({
        let (ledger, done) = (Arc::clone(&processes[0]), Arc::clone(&done));
        async move {
            let mut followed = Vec::new();
            loop {
                let last = done.load(Ordering::SeqCst);
                let after = followed.last().map_or(0, |(position, _)| *position);
                let page = ledger.feed(&[], &[], after, 7).await.expect("feed");
                if page.is_empty() && last {
                    return followed;
                }
                followed.extend(page.iter().map(|change| (change.position, change.record.id)));
                tokio::task::yield_now().await;
            }
        }
    });
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let ledger = Arc::clone(&processes[writer as usize % 2]);
        writers.spawn(async move {
            for n in 0..BATCHES {
                let first = (writer * BATCHES + n) * 3;
                let records: Vec<_> = (first..first + 3).map(|n| of_many(n, 1)).collect();
                let batch = Batch { tenant: format!("tenant{writer}").into(), ..batch(1, &records) };
                let kept = ledger.keep(&batch).await.expect("kept");
                assert!(kept.iter().all(|k| k.outcome == Outcome::New));
            }
        });
    }
    while let Some(wrote) = writers.join_next().await {
        wrote.expect("wrote");
    }
    done.store(true, Ordering::SeqCst);
    let followed = follower.await.expect("followed");
    let all = processes[1].feed(&[], &[], 0, 10_000).await.expect("feed");
    assert_eq!(all.len() as u32, WRITERS * BATCHES * 3);
    assert_eq!(followed, all.iter().map(|c| (c.position, c.record.id)).collect::<Vec<_>>());
    assert!(followed.windows(2).all(|pair| pair[0].0 < pair[1].0), "positions rise");
}

/// Two sources that send the same key at once: one has it, the other is contested.
pub async fn a_key_is_claimed_by_one_of_two_sources_at_once([one, two]: Processes) {
    for n in 0..20 {
        let theirs = Incoming { id: numbered(1_000 + n), source: "lms".into(), ..of_many(n, 2) };
        let (first, second) = (batch(1, &[of_many(n, 1)]), batch(1, &[theirs]));
        let (first, second) = tokio::join!(one.keep(&first), two.keep(&second));
        let mut outcomes = [first.expect("kept")[0].outcome, second.expect("kept")[0].outcome];
        outcomes.sort_by_key(|outcome| outcome.name());
        assert_eq!(outcomes, [Outcome::Contested, Outcome::New]);
    }
}

pub async fn processes_share_lanes_and_fence_each_other([one, two]: Processes) {
    let records: Vec<_> = (0..40).map(|n| of_many(n, 1)).collect();
    kept(&*one, &batch(1, &records)).await;
    plan_many(&*one).await;
    let mut workers = JoinSet::new();
    for ledger in [&one, &two, &one, &two] {
        let ledger = Arc::clone(ledger);
        workers.spawn(async move {
            let mut claimed = Vec::new();
            while let Some(claim) = ledger.claim(STORE, 1, 9, 9).await.expect("asked") {
                claimed.extend(items(&claim));
            }
            claimed
        });
    }
    let mut claimed = Vec::new();
    while let Some(worked) = workers.join_next().await {
        claimed.extend(worked.expect("worked"));
    }
    claimed.sort_unstable();
    assert_eq!(claimed, (0..40).map(numbered).collect::<Vec<_>>(), "each debt is claimed once");

    kept(&*one, &batch(1, &[of_many(40, 1)])).await;
    plan_many(&*one).await;
    let late = claim(&*one, 1).await;
    assert_eq!(two.reap(500).await.expect("reaped"), 41);
    let settled = late.debts.iter().map(|debt| settlement(debt, DebtState::Sent)).collect();
    assert!(matches!(one.settle(&outcome(&late, 501, settled)).await, Err(LedgerError::LeaseLost)));
    let left = two.debt(late.debts[0].id).await.expect("read").expect("a debt");
    assert_eq!(left.state, DebtState::Uncertain);
}

/// Everything at once on few records: whoever gives way is done again, and nobody sees it.
pub async fn what_meets_gives_way_unseen([one, two]: Processes) {
    let mut workers = JoinSet::new();
    for worker in 0..4_u8 {
        let ledger = Arc::clone(if worker % 2 == 0 { &one } else { &two });
        workers.spawn(async move {
            for round in 0..15_u8 {
                // Each in another order.
                let mut records: Vec<_> = (0..8).map(|n| of_many(n, worker * 16 + round)).collect();
                records.rotate_left(usize::from(worker) * 2);
                kept(&*ledger, &batch(1, &records)).await;
                let mut dirty = ledger.dirty(STORE, 8).await.expect("dirty");
                let turned = usize::from(worker) % dirty.len().max(1);
                dirty.rotate_left(turned);
                let plan = |item: &DirtyItem| Plan { debt: item.debt, mark: item.mark, decision: owe(item) };
                ledger.plan(STORE, 1, &dirty.iter().map(plan).collect::<Vec<_>>()).await.expect("planned");
                send_all(&*ledger).await;
            }
        });
    }
    while let Some(worked) = workers.join_next().await {
        worked.expect("no transaction failed");
    }
    plan_many(&*one).await;
    send_all(&*two).await;
    let debts = one.debts(STORE, None, 0, 99).await.expect("debts");
    assert_eq!(debts.len(), 8);
    for debt in debts {
        let stands = one.record(debt.item).await.expect("read").expect("known").digest;
        assert_eq!((debt.state, debt.sent_digest), (DebtState::Sent, Some(stands)), "what stands was sent last");
    }
}
