//! A credential's way, end to end in one process: pushed, composed, sealed, deposited in a simulated wallet, corrected,
//! withdrawn; and shown to whoever has a link.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

#[path = "../console/browser.rs"]
#[expect(dead_code, reason = "the console's own tests look at more")]
mod browser;
#[path = "../common/gateway.rs"]
mod common;
mod console;
mod looked_at;
#[path = "../common/seals.rs"]
mod seals;
mod world;

use seals::payload;
use serde_json::{Value, json};
use silta::ledger::DebtState;
use silta_elm::sandbox::Faults;
use silta_seal::Verdict;
use world::{DAY, TENANT, World, attainment, learner, link};

#[tokio::test]
async fn a_credential_is_deposited_corrected_and_withdrawn() {
    deposited_corrected_and_withdrawn(1).await;
    deposited_corrected_and_withdrawn(2).await;
}

/// By a version of the wallet's interface.
async fn deposited_corrected_and_withdrawn(version: u8) {
    let world = World::with("", version).await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("wallet").await;
    assert_eq!(world.state("wallet").await, DebtState::Unverifiable);
    let held = world.wallet.held();
    let (uuid, (user, document)) = held.iter().next().expect("a credential");
    assert_eq!((held.len(), user.as_str()), (1, "taru-1"));
    let credential = payload(document);
    assert_eq!(credential["id"], format!("urn:credential:{uuid}"));
    assert_eq!(credential["credentialSubject"]["fullName"]["und"], "Testi Taru Esimerkki");
    let pages = credential["displayParameter"]["individualDisplay"].as_array().expect("pages");
    assert_eq!(pages.len(), 3, "one for each language of its title");
    let report = world.verify(document, &[world.status_list().await]);
    assert_eq!(report.verdict(), Verdict::Trusted, "{report:#?}");

    world.clock.advance(DAY / 4);
    world.push(&[learner(), attainment("5")]).await;
    world.deliver("wallet").await;
    let after = world.wallet.held();
    let (next, (_, corrected)) = after.iter().next().expect("a credential");
    assert!(after.len() == 1 && next != uuid, "the old one was taken back");
    assert!(payload(corrected)["credentialSubject"]["hasClaim"].to_string().contains("\"5\""));
    let lists = [world.status_list().await];
    assert_eq!(world.verify(document, &lists).verdict(), Verdict::Invalid, "anybody can see that it was revoked");
    assert_eq!(world.verify(corrected, &lists).verdict(), Verdict::Trusted);

    let withdraw = format!("/v1/tenants/{TENANT}/records/{}/withdraw", world.item().await);
    assert_eq!(world.call("POST", &withdraw, json!({"state": "misregistered"})).await.0, 200);
    world.deliver("wallet").await;
    assert!(world.wallet.held().is_empty());
    assert_eq!(world.verify(corrected, &[world.status_list().await]).verdict(), Verdict::Invalid);
    assert!(world.issued("wallet").await.iter().all(|issued| issued.withdrawn.is_some()));
}

#[tokio::test]
async fn a_lost_answer_is_found_by_the_same_bytes() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    *world.wallet.faults() = Faults { lose: 1, ..Faults::default() };
    world.deliver("wallet").await;
    assert_eq!(world.state("wallet").await, DebtState::Owed, "nobody knows whether it arrived");
    let before = world.wallet.held();
    assert_eq!(before.len(), 1, "it did");
    world.clock.advance(DAY / 4);
    world.deliver("wallet").await;
    assert_eq!(world.state("wallet").await, DebtState::Unverifiable);
    assert_eq!(world.wallet.held(), before, "the very same credential");
    assert_eq!(world.issued("wallet").await.len(), 1);
}

#[tokio::test]
async fn what_a_wallet_refuses_waits_for_who_can_fix_it() {
    let world = World::new().await;
    for (fault, state) in [(429, DebtState::Owed), (503, DebtState::Owed), (400, DebtState::Refused)] {
        world.push(&[learner(), attainment("3")]).await;
        *world.wallet.faults() = Faults { fail: vec![fault], ..Faults::default() };
        world.deliver("wallet").await;
        assert_eq!(world.state("wallet").await, state, "{fault}");
        world.clock.advance(DAY / 8);
    }
    assert!(world.wallet.held().is_empty());
    // Taking the old one back fails after the new one was deposited: the debt is not paid before both are done.
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("wallet").await;
    assert_eq!(world.wallet.held().len(), 1);
    world.push(&[learner(), attainment("5")]).await;
    *world.wallet.faults() = Faults { fail: vec![0, 503], ..Faults::default() };
    world.deliver("wallet").await;
    assert_eq!((world.wallet.held().len(), world.state("wallet").await), (2, DebtState::Owed));
    world.clock.advance(DAY / 8);
    world.deliver("wallet").await;
    assert_eq!((world.wallet.held().len(), world.state("wallet").await), (1, DebtState::Unverifiable));
}

#[tokio::test]
async fn a_directory_gets_files_and_learners_get_links() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("drop").await;
    world.deliver("learner").await;
    let drop = world.dir.path().join("drop");
    let files = || std::fs::read_dir(&drop).expect("a directory").map(|e| e.expect("an entry").path());
    let file = files().next().expect("a file");
    let report = world.verify(&std::fs::read(&file).expect("reads"), &[]);
    assert_eq!(report.verdict(), Verdict::Trusted, "{report:#?}");
    assert_eq!(world.state("learner").await, DebtState::Unverifiable);
    let kept = world.issued("learner").await.remove(0);
    assert!(kept.document.is_some() && kept.withdrawn.is_none());
}

#[tokio::test]
async fn whoever_has_a_link_sees_the_credential_and_whether_it_holds() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("learner").await;
    let (path, _) = link(&world, json!({"days": 30})).await;
    assert_eq!(path.len(), "/c/".len() + 64, "256 random bits and nothing else: {path}");
    for language in ["fi", "sv", "en"] {
        let (status, headers, page) = world.open(&format!("{path}?lang={language}"), "de").await;
        assert_eq!(status, 200);
        assert!(&headers["x-robots-tag"] == "noindex" && &headers["referrer-policy"] == "no-referrer");
        assert!(!page.contains("schema.org"), "the learner did not make it public");
        insta::assert_snapshot!(
            format!("page_{language}"),
            page.replace(&path, "/c/[SECRET]").replace(&path[3..], "[SECRET]")
        );
    }
    assert_eq!(world.open(&path, "sv-FI,sv;q=0.9").await.2, world.open(&format!("{path}?lang=sv"), "").await.2);
    let (status, headers, document) = world.open(&format!("{path}/credential.jsonld"), "").await;
    assert!(status == 200 && &headers["content-type"] == "application/jose+json");
    assert_eq!(world.verify(document.as_bytes(), &[]).verdict(), Verdict::Trusted);
    assert!(world.open(&format!("{path}/page.pdf?lang=fi"), "").await.2.starts_with("%PDF"));
    assert!(world.open(&format!("{path}/qr.svg"), "").await.2.contains("<svg"));
    assert_eq!(world.open("/share.css", "").await.0, 200);

    let (public, _) = link(&world, json!({"days": 30, "public": true})).await;
    let (_, headers, page) = world.open(&public, "en").await;
    assert!(page.contains("https://schema.org") && &headers["x-robots-tag"] == "all");
    let metadata = page.split("ld+json\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("metadata");
    assert!(
        !metadata.contains("Taru") && !metadata.contains("1999"),
        "about the credential, not its holder: {metadata}"
    );
}

#[tokio::test]
async fn a_link_ends_is_revoked_and_shows_nothing_of_what_was_withdrawn() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("learner").await;
    let (short, _) = link(&world, json!({"days": 1})).await;
    let (revoked, address) = link(&world, json!({"days": 90})).await;
    let (long, _) = link(&world, json!({"days": 90})).await;
    world.clock.advance(2 * DAY);
    let nowhere = world.open(&format!("/c/{}", "0".repeat(64)), "fi").await;
    assert_eq!(nowhere.0, 404);
    insta::assert_snapshot!("nowhere_fi", nowhere.2);
    assert_eq!(world.open(&short, "fi").await.2, nowhere.2, "nothing tells a link that ended from one that never was");
    assert_eq!(world.call("DELETE", &address, Value::Null).await.0, 204);
    assert_eq!(world.call("DELETE", &address, Value::Null).await.0, 404);
    for path in [
        revoked.clone(),
        format!("{revoked}/credential.jsonld"),
        format!("{revoked}/page.pdf"),
        format!("{revoked}/qr.svg"),
    ] {
        assert_eq!(world.open(&path, "fi").await.0, 404, "{path}");
    }
    let withdraw = format!("/v1/tenants/{TENANT}/records/{}/withdraw", world.item().await);
    assert_eq!(world.call("POST", &withdraw, json!({"state": "misregistered"})).await.0, 200);
    world.deliver("learner").await;
    let (status, _, page) = world.open(&long, "en").await;
    assert_eq!(status, 200);
    assert!(page.contains("was withdrawn") && !page.contains("Taru") && !page.contains("welfare"), "{page}");
    assert_eq!(world.open(&format!("{long}/credential.jsonld"), "en").await.0, 404);
    let order = json!({"days": 1});
    let issued = world.issued("learner").await.remove(0);
    let address = format!("/v1/records/{}/credentials/{}/links", world.item().await, issued.id);
    assert_eq!(world.call("POST", &address, order).await.0, 409, "there is nothing to show any more");
    let (_, list) = world.call("GET", &format!("/v1/records/{}/credentials", world.item().await), Value::Null).await;
    assert_eq!(list["credentials"][0]["links"].as_array().map(Vec::len), Some(3));
    assert!(list["credentials"][0]["withdrawn"].is_number() && !list.to_string().contains(&long[3..]));
}
