//! One suite for every store: what the traits promise, as tests over `&dyn Ledger`.
//!
//! A store's crate calls [`ledger_suite!`](crate::ledger_suite) with a name and an async function that makes an empty
//! ledger (and a guard that lives as long as the test); it gets one test per case, so that a failure names the broken
//! promise.
#![expect(missing_docs, reason = "the name of a case is the promise it checks")]
#![expect(clippy::expect_used, clippy::panic, reason = "test support: a broken promise ends the test")]

mod access;
mod claims;
mod credentials;
mod debts;
mod erasure;
mod faults;
mod findings;
mod links;
mod loads;
mod model;
mod problems;
mod property;
mod records;
mod retention;
mod taken;
mod together;

pub use {
    access::*, claims::*, credentials::*, debts::*, erasure::*, faults::*, findings::*, links::*, loads::*, model::*,
    problems::*, property::*, records::*, retention::*, taken::*, together::*,
};

use super::*;
use silta_adapter::canonical::{Digest, FORM};
use silta_adapter::delivery::Verdict;
use silta_adapter::problem::Fixer;
use silta_adapter::record::State;
use smol_str::SmolStr;

/// Expands to a module with one test per case. `$make` is an async function without arguments that returns
/// `(Box<dyn Ledger>, guard)`. The number of random histories may follow: fewer where each statement is a way there and
/// back.
#[macro_export]
macro_rules! ledger_suite {
    ($name:ident, $make:path) => {
        $crate::ledger_suite! { $name, $make, 64 }
    };
    ($name:ident, $make:path, $histories:literal) => {
        $crate::ledger_suite! { @cases $name, $make, $histories:
            // records
            a_batch_is_judged_record_by_record
            a_record_twice_in_a_batch_is_judged_against_its_first_occurrence
            revisions_outrank_the_order_of_arrival
            an_unchanged_arrival_raises_the_revision
            a_revision_never_falls
            a_record_is_about_whom_its_version_says
            tombstones_are_revived_only_on_purpose
            withdrawn_consent_is_final
            a_bare_tombstone_keeps_the_content_it_had
            an_unknown_key_may_be_withdrawn
            a_key_belongs_to_one_source
            the_feed_tells_changes_in_order
            the_feed_is_paged_by_tenant_and_kind
            what_is_known_is_taken_back_once
            a_journey_keeps_every_arrival
            records_are_found_by_learner_and_key
            current_ids_and_learners_are_paged
            records_are_counted_by_kind_and_state
            // problems
            problems_open_stay_and_close
            problems_of_other_origins_stay
            problems_are_paged
            problems_of_one_code_are_counted
            // debts
            a_new_version_marks_its_items_dirty
            taking_back_marks_every_connection_dirty
            a_record_marks_all_items_composed_with_it
            learners_a_record_was_about_in_passing_are_marked_too
            only_versions_mark
            what_was_planned_may_stand
            a_mark_set_during_planning_survives
            a_mark_is_planned_once
            a_generation_is_a_new_debt
            what_is_settled_unsent_is_no_debt
            a_refusal_keeps_what_is_confirmed
            a_replan_reaches_every_record
            dirty_items_come_oldest_mark_first
            raised_debts_are_new_generations
            raising_a_refused_plan_asks_for_a_new_plan
            what_is_barred_is_never_raised
            what_was_raised_is_called_off_while_it_is_untried
            a_debt_called_off_is_what_it_was
            what_may_be_there_is_not_settled_by_calling_off
            what_is_rejected_later_is_refused
            the_first_word_about_a_rejected_item_counts
            what_was_sent_after_a_report_is_not_rejected_by_it
            observation_proves_only_what_was_sent
            observation_settles_the_uncertain
            observation_of_absence
            holdings_are_walked_by_learner_and_rank
            debts_are_listed_by_state
            a_connection_remembers_its_state
            attempts_are_kept
            figures_count_what_is_there
            // claims
            a_lane_has_one_holder
            debts_are_claimed_by_rank_then_age
            withdrawals_come_last_in_reverse
            an_absent_debt_carries_what_was_last_there
            a_claim_tells_what_changed_since_it_was_planned
            lanes_are_independent
            connections_are_independent
            the_lane_due_longest_is_next
            lanes_are_claimed_together
            lanes_are_settled_together
            a_lost_lease_changes_nothing
            debts_not_named_go_back
            a_settlement_pays_only_its_generation
            a_debt_being_sent_is_left_alone
            a_settled_lane_waits_for_its_next_time
            retries_keep_the_generation
            what_leaves_the_lane_is_not_claimed
            leases_are_renewed_and_reaped
            a_lost_answer_is_remembered_until_it_is_cleared
            what_may_have_arrived_is_tried_again_in_its_generation
            a_load_finds_that_an_owed_debt_has_to_wait
            // loads
            a_load_has_a_manifest
            a_delivered_load_moves_what_it_carried
            a_load_does_not_pay_what_was_raised_meanwhile
            nothing_is_planned_under_a_load
            a_lane_is_claimed_for_a_load
            last_good_content_stands_in
            a_load_that_did_not_arrive_moves_nothing
            a_closed_load_stays_closed
            loads_are_listed
            shrinkage_counts_items_not_numbers
            // findings
            a_finding_lives_until_it_is_gone
            a_finding_that_survives_a_repair_is_persistent
            an_accepted_difference_is_recognised
            a_suppressed_finding_stays_quiet
            findings_of_items_not_looked_at_stay
            a_settling_item_keeps_its_findings
            findings_are_paged_by_connection
            findings_hang_under_the_one_that_implies_them
            a_held_finding_waits
            reconciliations_are_kept
            // links
            links_are_made_and_undone
            links_stay_within_a_tenant_and_go_with_the_learner
            // access
            tokens_are_found_until_revoked
            audit_is_read_backwards
            facts_are_replaced
            a_duty_has_one_holder
            // retention
            what_is_over_is_forgotten_and_nothing_else
            what_a_destination_may_need_is_never_forgotten
            // credentials
            a_credential_is_issued_once_for_each_generation
            a_document_is_kept_once
            places_are_given_in_turn_for_each_connection
            withdrawn_credentials_are_listed_by_place
            a_link_is_found_until_it_is_revoked
            erasure_takes_the_documents_of_credentials
            // erasure
            erasure_leaves_pseudonyms_only
            erasure_spares_what_stands_and_other_learners
            erasure_takes_all_of_a_record_whomever_it_was_about
        }
    };
    (@cases $name:ident, $make:path, $histories:literal: $($case:ident)*) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $case() {
                    let (ledger, _guard) = $make().await;
                    $crate::conformance::$case(&*ledger).await;
                }
            )*

            #[test]
            fn random_histories_keep_the_invariants() {
                $crate::conformance::random_histories_keep_the_invariants($histories, async || $make().await);
            }

            #[test]
            fn random_operations_do_what_the_reference_does() {
                $crate::conformance::random_operations_do_what_the_reference_does($histories, async || $make().await);
            }
        }
    };
}

/// The tenant, connection and source of the cases.
const TENANT: &str = "kaarna";
const STORE: &str = "store";
const SOURCE: &str = "sis";

fn digest(n: u8) -> Digest {
    Digest { form: FORM, hash: [n; 32] }
}

fn id(n: u8) -> RecordId {
    RecordId([n; 16])
}

fn learner(n: u8) -> LearnerId {
    LearnerId([n; 16])
}

/// A record of learner 1 with a content of one byte.
fn record(n: u8, kind: RecordKind, content: u8) -> Incoming {
    Incoming {
        id: id(n),
        learner: learner(1),
        lookup: Lookup([n; 16]),
        source: SOURCE.into(),
        kind,
        institution: "10122".into(),
        state: State::Current,
        revision: None,
        digest: digest(content),
        content: Some(vec![content]),
    }
}

fn attainment(n: u8, content: u8) -> Incoming {
    record(n, RecordKind::Attainment, content)
}

fn of_learner(n: u8, record: Incoming) -> Incoming {
    Incoming { learner: learner(n), ..record }
}

/// A withdrawal without content.
fn gone(n: u8, state: State) -> Incoming {
    Incoming { state, content: None, digest: digest(0), ..attainment(n, 0) }
}

fn target(connection: &str, lane: LaneBy) -> DebtTarget {
    DebtTarget { connection: connection.into(), lane, composed: false }
}

fn batch(at: Micros, records: &[Incoming]) -> Batch {
    Batch {
        tenant: TENANT.into(),
        at,
        reinstate: false,
        records: records.to_vec(),
        targets: vec![target(STORE, LaneBy::Learner)],
    }
}

async fn keep(ledger: &dyn Ledger, at: Micros, records: &[Incoming]) -> Vec<(Outcome, i64)> {
    kept(ledger, &batch(at, records)).await
}

async fn kept(ledger: &dyn Ledger, batch: &Batch) -> Vec<(Outcome, i64)> {
    ledger.keep(batch).await.expect("kept").iter().map(|k| (k.outcome, k.version)).collect()
}

async fn take_back(ledger: &dyn Ledger, at: Micros, ids: &[RecordId]) -> u64 {
    let batch = TakeBack { tenant: TENANT.into(), at, state: State::Deleted, ids: ids.to_vec(), targets: Vec::new() };
    ledger.take_back(&batch).await.expect("taken back")
}

async fn stored(ledger: &dyn Ledger, n: u8) -> StoredRecord {
    ledger.record(id(n)).await.expect("read").expect("a known record")
}

async fn dirty(ledger: &dyn Ledger) -> Vec<DirtyItem> {
    ledger.dirty(STORE, 100).await.expect("dirty items")
}

/// Owes what a record says: its content while it stands, its absence after.
fn owe(item: &DirtyItem) -> Decision {
    let wanted = if item.record.state.is_tombstone() { Wanted::Absent } else { Wanted::Present };
    Decision::Owe { wanted, digest: item.record.digest, content: None, losses: None }
}

fn refuse() -> Decision {
    Decision::Refuse { fixer: Fixer::Sender, reason: "no completion date".into() }
}

async fn plan(ledger: &dyn Ledger, at: Micros, item: &DirtyItem, decision: Decision) {
    plan_for(ledger, STORE, at, item, decision).await;
}

async fn plan_for(ledger: &dyn Ledger, connection: &str, at: Micros, item: &DirtyItem, decision: Decision) {
    let plan = Plan { debt: item.debt, mark: item.mark, decision };
    ledger.plan(connection, at, &[plan]).await.expect("planned");
}

/// Plans every dirty item as its record says.
async fn plan_all(ledger: &dyn Ledger, at: Micros) {
    for item in dirty(ledger).await {
        plan(ledger, at, &item, owe(&item)).await;
    }
}

/// Keeps records and plans them.
async fn owed(ledger: &dyn Ledger, at: Micros, records: &[Incoming]) {
    keep(ledger, at, records).await;
    plan_all(ledger, at).await;
}

/// Keeps, plans, claims and settles records.
async fn settled(ledger: &dyn Ledger, at: Micros, records: &[Incoming], state: DebtState) {
    owed(ledger, at, records).await;
    while let Some(claim) = ledger.claim(STORE, at, at + 100, 100).await.expect("asked") {
        settle_all(ledger, &claim, at, state).await;
    }
}

async fn debt(ledger: &dyn Ledger, n: u8) -> Debt {
    debt_at(ledger, STORE, n).await
}

async fn debt_at(ledger: &dyn Ledger, connection: &str, n: u8) -> Debt {
    let debts = ledger.debts_of(id(n)).await.expect("debts");
    debts.into_iter().find(|d| d.connection == connection).expect("a debt of the connection")
}

async fn holding(ledger: &dyn Ledger, n: u8) -> Holding {
    let holdings = ledger.holdings(STORE, None, 100).await.expect("holdings");
    holdings.into_iter().find(|h| h.item == id(n)).expect("a holding of the item")
}

async fn claim(ledger: &dyn Ledger, now: Micros) -> Claim {
    ledger.claim(STORE, now, now + 100, 100).await.expect("asked").expect("a due lane")
}

async fn nothing_due(ledger: &dyn Ledger, now: Micros) {
    let claim = ledger.claim(STORE, now, now + 100, 100).await.expect("asked");
    assert!(claim.is_none(), "nothing is due at {now}, but: {claim:?}");
}

fn items(claim: &Claim) -> Vec<RecordId> {
    claim.debts.iter().map(|d| d.item).collect()
}

fn settlement(debt: &ClaimedDebt, state: DebtState) -> Settlement {
    Settlement { debt: debt.id, generation: debt.generation, state, fixer: None, reason: String::new() }
}

/// What became of a claim; the lane may be claimed again at once.
fn outcome(claim: &Claim, at: Micros, debts: Vec<Settlement>) -> Settled {
    Settled { lane: claim.lane, token: claim.token, at, next: at, debts }
}

async fn settle_all(ledger: &dyn Ledger, claim: &Claim, at: Micros, state: DebtState) {
    let debts = claim.debts.iter().map(|d| settlement(d, state)).collect();
    ledger.settle(&outcome(claim, at, debts)).await.expect("settled");
}

async fn raise(ledger: &dyn Ledger, at: Micros, debts: &[i64]) -> u64 {
    ledger.raise(at, "asked for", &Raise::Debts(debts.to_vec())).await.expect("raised")
}
