//! What the pages say.
//!
//! With `SILTA_CONSOLE_PAGES=<directory>` each page that is looked at here is also written there, its stylesheet
//! inside, to be opened in a browser.

use crate::browser::Browser;
use crate::world::{HOME, World};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use silta::ledger::{DebtState, FindingStatus, LoadStatus};
use silta_adapter::record::RecordKind;
use tower::ServiceExt;

/// The main part of a page with its form tokens blanked.
async fn look(browser: &Browser, name: &str, path: &str) -> String {
    let seen = browser.get(path).await;
    assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.body);
    if let Some(dir) = std::env::var_os("SILTA_CONSOLE_PAGES") {
        let css = format!("<style>{}</style></head>", silta::console::layout::CSS);
        let html = seen.body.replace("</head>", &css);
        std::fs::write(std::path::Path::new(&dir).join(format!("{name}.html")), html).expect("written");
    }
    accessible(path, &seen.body);
    let main = seen.body.split("<main").nth(1).expect("a main part").split("</main>").next().expect("its end");
    let mut parts = main.split("name=\"csrf\" value=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "name=\"csrf\" value=\"…\"" + part.split_once('"').expect("an end").1)
}

/// What every page owes those who do not see or point at it; and that it takes nothing from elsewhere.
fn accessible(path: &str, html: &str) {
    assert!(html.contains("<html lang=\"en\">"), "{path}");
    assert!(html.contains("<a class=\"skip\" href=\"#main\">") && html.contains("id=\"main\""), "{path}");
    assert_eq!(html.matches("<h1").count(), 1, "{path}: one heading of the first level");
    assert_eq!(html.matches("<table").count(), html.matches("<caption").count(), "{path}: every table has a caption");
    assert!(!html.contains("<th>"), "{path}: every heading cell has a scope");
    for label in html.split("<label").skip(1) {
        let id = label.split("for=\"").nth(1).expect("a label for something").split('"').next().expect("an id");
        assert!(html.contains(&format!("id=\"{id}\"")), "{path}: {id}");
    }
    for bad in ["<script", " style=", " onclick", "http://", "https://"] {
        assert!(!html.contains(bad), "{path}: {bad}");
    }
}

#[tokio::test]
async fn the_overview_shows_what_waits_and_how_connections_do() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    insta::assert_snapshot!(look(&browser, "overview", "/").await);
}

#[tokio::test]
async fn a_connection_shows_its_debts_and_its_past() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    insta::assert_snapshot!(look(&browser, "connection", "/connections/store-home").await);
    let debts = look(&browser, "debts", "/connections/store-home/debts/refused").await;
    assert!(debts.contains("the store wants a title") && debts.contains("sender"));
    assert_eq!(browser.get("/connections/store-home/debts/lost").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_held_load_shows_what_it_would_remove_and_is_released() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    let load = world.newest_load("store-home").await;
    let path = format!("/loads/{load}");
    insta::assert_snapshot!(look(&browser, "load", &path).await);

    let released = browser.press(&path, &format!("{path}/release"), &[]).await;
    assert_eq!(released.location.as_deref(), Some(path.as_str()));
    let status = world.gateway.ledger.load(load).await.expect("read").expect("a load").status;
    assert_eq!(status, LoadStatus::Released);
    let page = browser.get(&path).await.body;
    assert!(page.contains("The load is released") && !page.contains("/release\""));
    world.send("store-home").await;
    assert!(!world.shelf.lock().expect("the shelf").iter().any(|r| r.head.key.id == "A4"), "it was removed");
}

#[tokio::test]
async fn a_record_shows_its_journey_content_and_losses_and_reading_it_is_noted() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    let found = browser.press("/records", "/records", &[("tenant", HOME), ("key", "A2")]).await;
    let path = found.location.expect("a redirect to the record");
    let id = world.id(HOME, RecordKind::Attainment, "A2");
    assert_eq!(path, format!("/records/{id}"), "addresses hold opaque ids only");
    insta::assert_snapshot!(look(&browser, "record", &path).await);
    let audited = world.gateway.ledger.audited(None, 1).await.expect("audit");
    assert_eq!((audited[0].action.as_str(), audited[0].subject.to_string()), ("read_record", id.to_string()));

    let learner = look(&browser, "learner", &format!("/records/{}", world.id(HOME, RecordKind::Learner, "L1"))).await;
    assert!(learner.contains("Family name") && learner.contains("Esimerkki"));
    let refused = browser.get(&format!("/records/{}", world.id(HOME, RecordKind::Attainment, "A9"))).await.body;
    assert!(refused.contains("Not sent to store-home") && refused.contains("Problem found by partner-home"));
    let none = browser.press("/records", "/records", &[("tenant", HOME), ("key", "nothing")]).await;
    assert!(none.body.contains("Nothing has this key") && !none.body.contains("value=\"nothing\""));
}

#[tokio::test]
async fn content_cannot_break_out_of_its_page() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    let page = browser.get(&format!("/records/{}", world.id(HOME, RecordKind::Attainment, "A3"))).await.body;
    assert!(!page.contains("<script") && page.contains("&#60;script&#62;alert("));
}

#[tokio::test]
async fn refusals_say_who_can_fix_them_and_are_retried() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    insta::assert_snapshot!(look(&browser, "refusals", "/refusals").await);
    let pressed = browser.press("/connections/store-home", "/connections/store-home/retry", &[]).await;
    assert_eq!(pressed.location.as_deref(), Some("/connections/store-home"));
    assert!(browser.get("/connections/store-home").await.body.contains("1 refused item will be sent again"));
    let dirty = world.gateway.ledger.dirty("store-home", 10).await.expect("dirty");
    assert_eq!(dirty.iter().map(|d| d.state).collect::<Vec<_>>(), [DebtState::Refused]);
}

#[tokio::test]
async fn a_finding_shows_both_sides_and_is_ruled_on() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    insta::assert_snapshot!("findings", look(&browser, "findings", "/findings").await);
    let finding = world.gateway.ledger.findings(Some("store-home"), false, 0, 9).await.expect("findings")[0].id;
    let path = format!("/findings/{finding}");
    insta::assert_snapshot!("finding", look(&browser, "finding", &path).await);
    for (act, status) in [
        ("accept", FindingStatus::Accepted),
        ("reopen", FindingStatus::Open),
        ("suppress", FindingStatus::Suppressed),
        ("reopen", FindingStatus::Open),
        ("repair", FindingStatus::Repairing),
        ("cancel", FindingStatus::Held),
        ("repair", FindingStatus::Repairing),
    ] {
        browser.press(&path, &format!("{path}/{act}"), &[]).await;
        let now = world.gateway.ledger.finding(finding).await.expect("read").expect("a finding").status;
        assert_eq!(now, status, "{act}");
    }
}

#[tokio::test]
async fn a_sender_sees_what_to_put_right() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    let page = look(&browser, "problems", &format!("/problems?tenant={HOME}")).await;
    assert!(page.contains("the store wants a title") && page.contains("no_title"));
}

#[tokio::test]
async fn a_reconciliation_is_started_beside_the_request() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    let before = world.gateway.ledger.reconciliations(Some("store-home"), 9).await.expect("read").len();
    browser.press("/connections/store-home", "/connections/store-home/reconcile", &[]).await;
    // One thread: what was started runs when this task yields, and ends because the store answers at once.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let all = world.gateway.ledger.reconciliations(Some("store-home"), 9).await.expect("read");
    assert_eq!(all.len(), before + 1);
    assert!(all[0].ended.is_some());
    browser.press("/connections/store-home", "/connections/store-home/reconcile", &[]).await;
    assert!(browser.get("/connections/store-home").await.body.contains("reconciliation was started"), "once more");
    let none = browser.get("/connections/partner-home").await.body;
    assert!(!none.contains("/reconcile\""), "what cannot be read is not reconciled");
}

#[tokio::test]
async fn trouble_is_told_in_the_same_layout() {
    let world = World::new().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    for path in ["/nothing/here", "/records/not-an-id", "/loads/x", "/loads/77", "/connections/none", "/findings/9"] {
        let seen = browser.get(path).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{path}");
        assert!(seen.body.contains("<h1>Not found</h1>") && seen.body.contains("boss"), "{path}");
    }
    let stranger = Browser::new(&world.gateway).get("/nothing").await;
    assert!(stranger.body.contains("<h1>Not found</h1>") && !stranger.body.contains("Log out"));
}

#[tokio::test]
async fn the_console_stands_beside_the_interface_for_programs() {
    let world = World::new().await;
    let both = silta::http::router(world.gateway.clone()).merge(silta::console::router(world.gateway.clone()));
    let ask = async |path: &str, accept: &str| {
        let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).expect("a request");
        let answer = both.clone().oneshot(request).await.expect("an answer");
        (answer.status(), answer.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned())
    };
    assert_eq!(ask("/healthz", "*/*").await.0, StatusCode::OK);
    assert_eq!(
        ask("/v1/nothing", "application/json").await,
        (StatusCode::NOT_FOUND, "application/problem+json".into())
    );
    assert_eq!(ask("/nothing", "text/html").await, (StatusCode::NOT_FOUND, "text/html; charset=utf-8".into()));
}

#[tokio::test]
async fn the_stylesheet_may_be_kept_for_ever_because_its_address_follows_its_content() {
    let world = World::new().await;
    let browser = Browser::new(&world.gateway);
    let page = browser.get("/login").await.body;
    accessible("/login", &page);
    let href = page.split("rel=\"stylesheet\" href=\"").nth(1).expect("a link").split('"').next().expect("an address");
    let css = browser.get(href).await;
    assert!(css.cache.contains("immutable") && css.body.contains("prefers-color-scheme"));
    assert!(!css.body.contains("url("), "nothing from elsewhere");
}
