//! Inventories that must not be believed, rules about differences, bounds of repair, dry runs.

use super::*;
use crate::config::Ruling;
use crate::http::testing::{CANARY_CODE, OURS, Twist, World, attainment, learner};
use crate::ledger::{DebtState, Identification, Role};
use crate::reconcile::person::Gathering;
use serde_json::json;
use silta_adapter::adapter::Holding;
use silta_adapter::record::{Body, Identifier, LearnerKey, Record};

/// How many attainments the store holds, so that what is lost is more than a few.
const MANY: usize = 60;

/// A world whose store holds a learner with many attainments, all proved to be there.
async fn established(more: &str) -> World {
    let world = World::connected(more);
    let token = world.token(Role::Admin, Some(OURS), &[]).await;
    let mut lines = learner("p1").to_string() + "\n";
    for n in 0..MANY {
        let mut record = attainment(&format!("a{n}"), "5");
        record["body"]["title"] = json!([{"lang": "fi", "value": format!("Opinto {n}")}]);
        lines += &(record.to_string() + "\n");
    }
    world.push(&token, &format!("{OURS}/records"), &lines).await.expect(200);
    world.released("store").await;
    world.later(10);
    let summary = reconciled(&world).await;
    assert_eq!((summary.items, summary.agreed), (MANY as i64 + 1, MANY as i64 + 1), "{summary:?}");
    world
}

fn store(world: &World) -> &Connection {
    world.gateway.connection("store").expect("configured")
}

async fn reconciled(world: &World) -> Summary {
    run(&world.gateway, store(world)).await.expect("reconciled").expect("it can be read")
}

async fn open(world: &World) -> usize {
    world.gateway.ledger.findings(Some("store"), false, 0, 1000).await.expect("findings").len()
}

fn twist(world: &World, twist: impl FnMut(usize, &mut Vec<Holding>) + Send + 'static) {
    let twist: Twist = Box::new(twist);
    *world.answers.lock().expect("a lock") = twist;
}

fn lose(world: &World, lost: impl Fn(&Record) -> bool) {
    world.held.lock().expect("a lock").retain(|record| !lost(record));
}

#[tokio::test]
async fn nothing_is_concluded_from_an_inventory_that_cannot_be_believed() {
    type Twisted = fn(usize, &mut Vec<Holding>);
    let twists: [(&str, Twisted); 6] = [
        ("is cut off", |_, answers| answers.clear()),
        ("more than can be believed", |_, answers| answers[0].records.truncate(20)),
        ("repeats itself", |_, answers| {
            let again = Holding { records: Vec::new(), ..answers[0].clone() };
            answers.push(again);
        }),
        ("changes while it is read", |asked, answers| answers[0].records.truncate(MANY - asked % 2)),
        ("holds 630 records where 61 should be", |_, answers| {
            let records = answers[0].records.clone();
            for copy in 0..10 {
                answers[0].records.extend(records.iter().take(57).map(|record| {
                    let mut record = record.clone();
                    record.head.key.id = format!("{}-{copy}", record.head.key.id).into();
                    record
                }));
            }
            answers[0].records.truncate(630);
        }),
        ("answers about somebody else", |_, answers| {
            for record in &mut answers[0].records {
                record.head.learner = "p2".into();
                if let Some(Body::Learner(body)) = &mut record.body {
                    body.identifiers =
                        vec![Identifier { scheme: "fi:hetu".into(), value: "020202-999X".into() }].into();
                }
            }
        }),
    ];
    for (told, twisted) in twists {
        let world = established("repair = 'auto'").await;
        twist(&world, twisted);
        let summary = reconciled(&world).await;
        let reason = summary.failure.clone().unwrap_or_default();
        assert!(reason.contains(told), "{told}: {summary:?}");
        assert_eq!((summary.repairs, open(&world).await), (0, 0), "{told}");
        let figures = world.gateway.ledger.figures("store", 0).await.expect("figures");
        assert_eq!(figures.in_state(DebtState::Confirmed), MANY as i64 + 1, "the last good state stands: {told}");
        twist(&world, |_, _| {});
        assert_eq!(reconciled(&world).await.failure, None, "and the next run is a good one: {told}");
    }
}

#[tokio::test]
async fn an_inventory_is_believed_as_far_as_the_operator_says() {
    let world = established("repair = 'auto'\nplausible_share = 0.0\nmax_repair_share = 1.0").await;
    lose(&world, |record| record.head.key.id != "p1");
    let summary = reconciled(&world).await;
    assert_eq!((summary.failure, summary.repairs), (None, MANY as i64));
}

#[tokio::test]
async fn where_much_differs_a_person_looks_first() {
    let world = established("repair = 'auto'").await;
    lose(&world, |record| record.head.key.id.starts_with('a') && record.head.key.id.ends_with(['1', '2', '3', '4']));
    let summary = reconciled(&world).await;
    assert!(summary.waits.is_some() && summary.repairs == 0, "{summary:?}");
    assert_eq!(open(&world).await as i64, summary.findings["missing"]);
}

#[tokio::test]
async fn rules_say_what_is_repaired_what_waits_and_what_is_no_error() {
    let rules = "repair = 'auto'\n\
        [[connection.difference]]\nfinding = ['differs']\nfield = ['/body/credits']\nthen = 'ignore'\n\
        [[connection.difference]]\nfinding = ['differs']\nthen = 'hold'\nbecause = 'people look at names'\n";
    let world = established(rules).await;
    for record in world.held.lock().expect("a lock").iter_mut() {
        let Some(Body::Attainment(body)) = &mut record.body else { continue };
        match record.head.key.id.as_str() {
            "a1" => body.credits = None,
            "a2" => body.title.0[0].value = "Muu".into(),
            _ => {}
        }
    }
    lose(&world, |record| record.head.key.id == "a3");
    let dry = dry_run(&world.gateway, store(&world)).await.expect("reconciled").expect("it can be read");
    let mut foreseen: Vec<_> = dry.findings.iter().map(|f| (f.kind, f.evidence.ruling)).collect();
    foreseen.sort_by_key(|(kind, _)| *kind);
    let expected = [(FindingKind::Missing, Some(Ruling::Repair)), (FindingKind::Differs, Some(Ruling::Hold))];
    assert_eq!(foreseen, expected);
    assert!(dry.findings.iter().any(|f| f.evidence.proposal.ends_with("(people look at names)")));
    assert_eq!(open(&world).await, 0, "a dry run stores nothing");
    let figures = world.gateway.ledger.figures("store", 0).await.expect("figures");
    assert_eq!(figures.in_state(DebtState::Confirmed), MANY as i64 + 1);

    let summary = reconciled(&world).await;
    assert_eq!((summary.legitimate, summary.repairs, summary.findings.len()), (1, 1, 2), "{summary:?}");
    let findings = world.gateway.ledger.findings(Some("store"), false, 0, 10).await.expect("findings");
    let mut held: Vec<_> = findings.iter().map(|f| (f.kind, f.status)).collect();
    held.sort_by_key(|(kind, _)| *kind);
    assert_eq!(held, [(FindingKind::Missing, FindingStatus::Repairing), (FindingKind::Differs, FindingStatus::Open)]);
}

#[tokio::test]
async fn learners_who_are_one_person_are_asked_about_and_compared_as_one() {
    const NUMBER: &str = "1.2.246.562.98.90000000019";
    let world = established("repair = 'hold'").await;
    let token = world.token(Role::Admin, Some(OURS), &[]).await;
    let mut second = learner("p2");
    second["body"]["identifiers"] = json!([{"scheme": "fi:oppijanumero", "value": NUMBER}]);
    let mut theirs = attainment("b1", "2");
    theirs["learner"] = "p2".into();
    world.push(&token, &format!("{OURS}/records"), &format!("{second}\n{theirs}\n")).await.expect(200);
    world.deliver("store").await;
    world.later(10);
    assert!(reconciled(&world).await.findings.is_empty());

    // The store put one of her credits under her other number.
    for record in world.held.lock().expect("a lock").iter_mut().filter(|record| record.head.key.id == "a1") {
        record.head.learner = "p2".into();
    }
    let missing = |summary: &Summary| (summary.findings.len(), summary.findings.get("missing").copied());
    assert_eq!(missing(&reconciled(&world).await), (1, Some(1)), "nobody says yet that they are one");
    let gateway = &world.gateway;
    let id = |id: &str| {
        let key = LearnerKey { tenant: OURS.into(), source: "default".into(), id: id.into() };
        gateway.vault.learner_id(&key)
    };
    let linked = async |person: Option<&str>| {
        let person = person.map(|mark| gateway.vault.person_id(OURS, mark));
        let of = |learner: &str| Identification { learner: id(learner), person, why: "register".into() };
        assert_eq!(gateway.ledger.link(OURS, gateway.now(), &[of("p1"), of("p2")]).await.expect("linked"), 2);
    };
    linked(Some("her")).await;
    let mut walk = Walk::new(gateway, store(&world));
    let walked = walk.next(10).await.expect("learners");
    let persons = Gathering::default().persons(gateway, store(&world), walked).await.expect("gathered");
    let [person] = &persons[..] else { panic!("{} persons", persons.len()) };
    assert_eq!((person.learners(), person.holdings().count()), (2, MANY + 3));
    for query in &person.queries {
        let values: Vec<&str> = query.identifiers.iter().map(|identifier| identifier.value.as_str()).collect();
        assert!(values.contains(&NUMBER) && values.contains(&CANARY_CODE), "{} by all that is known", query.learner);
    }
    let summary = reconciled(&world).await;
    assert_eq!((summary.learners, summary.complete, summary.items), (2, 2, MANY as i64 + 3));
    assert_eq!((summary.agreed, open(&world).await), (MANY as i64 + 3, 0), "{summary:?}");

    world.later(1);
    linked(None).await;
    assert_eq!(missing(&reconciled(&world).await), (1, Some(1)), "links are undone");
}

async fn statuses(world: &World) -> Vec<FindingStatus> {
    let findings = world.gateway.ledger.findings(Some("store"), false, 0, 100).await.expect("findings");
    findings.iter().map(|f| f.status).collect()
}

async fn owed(world: &World) -> i64 {
    world.gateway.ledger.figures("store", 0).await.expect("figures").in_state(DebtState::Owed)
}

#[tokio::test]
async fn unsent_repairs_are_called_off_and_raised_again_by_a_person_alone() {
    let world = established("repair = 'auto'").await;
    lose(&world, |record| ["a1", "a2"].contains(&record.head.key.id.as_str()));
    assert_eq!(reconciled(&world).await.repairs, 2);
    assert_eq!((owed(&world).await, statuses(&world).await), (2, vec![FindingStatus::Repairing; 2]));
    let done = repair::call_off_all(&world.gateway, store(&world)).await.expect("called off");
    assert_eq!(done, repair::CalledOff { called_off: 2, too_late: 0 });
    assert_eq!((owed(&world).await, statuses(&world).await), (0, vec![FindingStatus::Held; 2]));
    world.deliver("store").await;
    assert_eq!(world.held.lock().expect("a lock").len(), MANY - 1, "nothing was sent");
    let summary = reconciled(&world).await;
    assert_eq!((summary.findings["missing"], summary.repairs), (2, 0), "no run raises it again: {summary:?}");

    let findings = world.gateway.ledger.findings(Some("store"), false, 0, 9).await.expect("findings");
    assert!(repair::repair(&world.gateway, store(&world), &findings[0]).await.expect("asked"));
    world.deliver("store").await;
    let sent = world.gateway.ledger.finding(findings[0].id).await.expect("read").expect("a finding");
    assert!(!repair::call_off(&world.gateway, store(&world), &sent).await.expect("asked"), "it was sent");
    world.later(10);
    let summary = reconciled(&world).await;
    assert!(summary.findings.is_empty(), "a load repairs both: {summary:?}");
}

#[tokio::test]
async fn a_load_made_only_to_remove_a_stranger_is_called_off_with_the_last_that_needs_it() {
    let world = established("repair = 'auto'").await;
    let mut strangers = world.held.lock().expect("a lock").clone();
    strangers.retain(|record| ["a1", "a2"].contains(&record.head.key.id.as_str()));
    for stranger in &mut strangers {
        stranger.head.key.id = format!("theirs-{}", stranger.head.key.id).into();
        if let Some(Body::Attainment(body)) = &mut stranger.body {
            body.title.0[0].value = stranger.head.key.id.to_string();
        }
    }
    world.held.lock().expect("a lock").extend(strangers);
    let summary = reconciled(&world).await;
    assert_eq!((summary.findings["unexpected"], summary.repairs), (2, 2), "{summary:?}");
    assert_eq!(owed(&world).await, 1, "one load removes both");
    let findings = world.gateway.ledger.findings(Some("store"), false, 0, 9).await.expect("findings");
    for (finding, left) in findings.iter().zip([1, 0]) {
        assert!(repair::call_off(&world.gateway, store(&world), finding).await.expect("asked"));
        assert_eq!(owed(&world).await, left);
    }
    assert_eq!(statuses(&world).await, [FindingStatus::Held; 2]);
    let figures = world.gateway.ledger.figures("store", 0).await.expect("figures");
    assert_eq!(figures.in_state(DebtState::Confirmed), MANY as i64 + 1);
}
