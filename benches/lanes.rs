//! How fast lanes are claimed and settled while a destination is down: every debt is owed, nothing gets through, and
//! each lane is due again before long.

#[expect(dead_code, reason = "there is no yardstick here")]
#[path = "support/measure.rs"]
mod measure;

use measure::{now, size};
use silta::ledger::{
    Batch, DebtState, DebtTarget, Debts, Decision, Incoming, LaneBy, LearnerId, Lookup, Plan, RecordId, Records,
    Settled, Settlement, Wanted,
};
use silta_adapter::canonical::{Digest, FORM};
use silta_adapter::record::{RecordKind, State};
use silta_ledger_sqlite::SqliteLedger;

type Failed = Box<dyn std::error::Error>;

const CONNECTION: &str = "store";
/// Debts kept and planned in one transaction.
const BATCH: u32 = 500;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let debts = size("SILTA_BENCH_DEBTS", 50_000);
    let claims = size("SILTA_BENCH_CLAIMS", 1_000);
    println!("{:<28}{:>8}{:>8}{:>10}{:>16}{:>12}", "", "debts", "claims", "claims/s", "claim p50 µs", "p99 µs");
    let one = run("one lane, a debt a claim", LaneBy::Tenant, 1, debts, claims).await?;
    let many = run("a lane for each debt", LaneBy::Learner, 1, debts, claims).await?;
    run("one lane, 50 debts a claim", LaneBy::Tenant, 50, debts, claims).await?;
    println!("many lanes beside one: {:.2}", many / one);
    Ok(())
}

/// Fills a ledger, then claims and settles; how many claims in a second.
async fn run(name: &str, lane: LaneBy, heads: u32, debts: usize, claims: usize) -> Result<f64, Failed> {
    let directory = tempfile::tempdir()?;
    let ledger = SqliteLedger::open(&directory.path().join("silta.db").to_string_lossy(), true).await?;
    ledger.migrate().await?;
    let debts = u32::try_from(debts)?;
    for first in (0..debts).step_by(BATCH as usize) {
        owe(&ledger, lane, first..debts.min(first + BATCH)).await?;
    }
    let mut latencies = Vec::with_capacity(claims);
    let start = now();
    for time in (2..).take(claims) {
        let asked = now();
        let Some(claim) = ledger.claim(CONNECTION, time, time + 1_000_000, heads).await? else { break };
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
        let failed = claim.debts.iter().map(|debt| Settlement {
            debt: debt.id,
            generation: debt.generation,
            state: DebtState::Owed,
            fixer: None,
            reason: "the destination does not answer".into(),
        });
        let next = time + 1;
        let settled = Settled { lane: claim.lane, token: claim.token, at: time, next, debts: failed.collect() };
        ledger.settle(&settled).await?;
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    let count = latencies.len();
    latencies.sort_by(f64::total_cmp);
    let percentile = |p: usize| latencies.get(count.saturating_sub(1) * p / 100).copied().unwrap_or(f64::NAN);
    println!("{name:<28}{debts:>8}{count:>8}{rate:>10.0}{:>16.0}{:>12.0}", percentile(50), percentile(99));
    ledger.close().await;
    Ok(rate)
}

/// Keeps records, each of a learner of its own, and plans what is owed for them.
async fn owe(ledger: &SqliteLedger, lane: LaneBy, numbers: std::ops::Range<u32>) -> Result<(), Failed> {
    let target = DebtTarget { connection: CONNECTION.into(), lane, composed: false };
    let records = numbers.map(record).collect();
    let batch = Batch { tenant: "10122".into(), at: 1, reinstate: false, records, targets: vec![target] };
    ledger.keep(&batch).await?;
    let plan = |item: silta::ledger::DirtyItem| Plan {
        debt: item.debt,
        mark: item.mark,
        decision: Decision::Owe { wanted: Wanted::Present, digest: item.record.digest, content: None, losses: None },
    };
    let plans: Vec<Plan> = ledger.dirty(CONNECTION, BATCH).await?.into_iter().map(plan).collect();
    ledger.plan(CONNECTION, 1, &plans).await?;
    Ok(())
}

fn record(number: u32) -> Incoming {
    // As keyed pseudonyms do, ids lie anywhere.
    let spread = (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let id = spread.to_be_bytes();
    Incoming {
        id: RecordId(id),
        learner: LearnerId(id),
        lookup: Lookup(id),
        source: "sis".into(),
        kind: RecordKind::Attainment,
        institution: "10122".into(),
        state: State::Current,
        revision: None,
        digest: Digest { form: FORM, hash: [7; 32] },
        content: Some(vec![7; 700]),
    }
}
