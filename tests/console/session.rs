//! Who gets in, what forms may do, and who sees what.

use crate::browser::Browser;
use crate::world::{AWAY, HOME, World, attainment, learner};
use axum::http::StatusCode;
use silta::ledger::Role;
use silta_adapter::record::RecordKind;

#[tokio::test]
async fn a_token_opens_a_session_and_logging_out_ends_it() {
    let world = World::new().await;
    let mut browser = Browser::new(&world.gateway);
    let outside = browser.get("/").await;
    assert_eq!((outside.status, outside.location.as_deref()), (StatusCode::SEE_OTHER, Some("/login")));
    let form = browser.get("/login").await;
    assert_eq!(form.status, StatusCode::OK);
    assert!(form.policy.starts_with("default-src 'none'") && form.policy.contains("frame-ancestors 'none'"));
    assert_eq!(form.cache, "no-store");

    let wrong = browser.log_in("silta_wrong").await;
    assert_eq!((wrong.status, wrong.cookie.is_some()), (StatusCode::UNAUTHORIZED, false));
    assert!(!wrong.body.contains("silta_wrong"), "what was typed is not shown");

    let entered = browser.log_in(&world.admin).await;
    assert_eq!((entered.status, entered.location.as_deref()), (StatusCode::SEE_OTHER, Some("/")));
    let cookie = entered.cookie.expect("a cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(&world.admin), "{cookie}");
    let page = browser.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("boss") && page.body.contains("store-away"));

    let left = browser.press("/", "/logout", &[]).await;
    assert!(left.cookie.expect("the cookie's end").contains("Max-Age=0"));
    assert_eq!(browser.get("/").await.location.as_deref(), Some("/login"));
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_with_time() {
    let world = World::new().await;
    let token = world.token("passing", Role::Operator, None).await;
    let browser = Browser::with(&world.gateway, &token).await;
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    world.gateway.ledger.revoke_token("passing", world.gateway.now()).await.expect("revoked");
    assert_eq!(browser.get("/").await.location.as_deref(), Some("/login"));

    let browser = Browser::with(&world.gateway, &world.admin).await;
    world.clock.advance(8 * 3_600_000_000 - 1);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    world.clock.advance(1);
    assert_eq!(browser.get("/").await.location.as_deref(), Some("/login"));
}

#[tokio::test]
async fn log_ins_are_paced() {
    let world = World::new().await;
    let mut browser = Browser::new(&world.gateway);
    let mut last = StatusCode::OK;
    for _ in 0..100 {
        last = browser.log_in("silta_wrong").await.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_form_without_the_sessions_token_changes_nothing() {
    let world = World::new().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    let mut other = browser.another();
    other.log_in(&world.admin).await;
    let theirs = other.get("/").await.body;
    let theirs = theirs.split("name=\"csrf\" value=\"").nth(1).expect("a form").split('"').next().expect("a value");
    let address = "/connections/store-home/pause";
    for fields in [vec![], vec![("csrf", "")], vec![("csrf", theirs)]] {
        assert_eq!(browser.post(address, &fields, &[]).await.status, StatusCode::FORBIDDEN, "{fields:?}");
    }
    let elsewhere = browser.post("/login", &[("token", &world.admin)], &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!((elsewhere.status, elsewhere.cookie), (StatusCode::FORBIDDEN, None));
    assert_eq!(Browser::new(&world.gateway).post(address, &[], &[]).await.location.as_deref(), Some("/login"));
    assert!(!world.gateway.ledger.connection("store-home").await.expect("state").paused);

    let paused = browser.press("/", address, &[("back", "overview")]).await;
    assert_eq!(paused.location.as_deref(), Some("/"));
    assert!(world.gateway.ledger.connection("store-home").await.expect("state").paused);
    assert!(browser.get("/").await.body.contains("store-home is paused."), "said once");
    assert!(!browser.get("/").await.body.contains("store-home is paused."));
    let audited = world.gateway.ledger.audited(None, 1).await.expect("audit");
    assert_eq!((audited[0].actor.as_str(), audited[0].subject.as_str()), ("boss", "store-home"));
}

#[tokio::test]
async fn what_belongs_to_another_tenant_does_not_exist() {
    let world = World::after_a_week().await;
    world.keep(AWAY, &[learner(AWAY), attainment(AWAY, "B1", Some("Chemistry"), "5")]).await;
    let token = world.token("away", Role::Operator, Some(AWAY)).await;
    let browser = Browser::with(&world.gateway, &token).await;
    let overview = browser.get("/").await.body;
    assert!(overview.contains("store-away") && !overview.contains("store-home"));
    let load = world.newest_load("store-home").await;
    let finding = world.gateway.ledger.findings(Some("store-home"), true, 0, 1).await.expect("findings")[0].id;
    let record = world.id(HOME, RecordKind::Attainment, "A1");
    for path in [
        "/connections/store-home".to_owned(),
        "/connections/store-home/debts/refused".to_owned(),
        "/refusals?connection=store-home".to_owned(),
        "/findings?connection=store-home".to_owned(),
        format!("/problems?tenant={HOME}"),
        format!("/loads/{load}"),
        format!("/findings/{finding}"),
        format!("/records/{record}"),
    ] {
        assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let csrf = overview.split("name=\"csrf\" value=\"").nth(1).expect("a form").split('"').next().expect("a value");
    for path in [
        "/connections/store-home/pause".to_owned(),
        format!("/loads/{load}/release"),
        format!("/findings/{finding}/accept"),
    ] {
        assert_eq!(browser.post(&path, &[("csrf", csrf)], &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let search = browser.press("/records", "/records", &[("tenant", HOME), ("key", "A1")]).await;
    assert_eq!(search.status, StatusCode::NOT_FOUND);
    let own = browser.press("/records", "/records", &[("tenant", AWAY), ("key", "B1")]).await;
    let own = own.location.expect("a redirect to the record");
    assert!(browser.get(&own).await.body.contains("Chemistry"));
}

#[tokio::test]
async fn roles_see_what_their_right_allows() {
    let world = World::after_a_week().await;
    let record = format!("/records/{}", world.id(HOME, RecordKind::Attainment, "A1"));
    let steer = ["/connections/store-home", "/refusals", "/findings", "/loads/1", "/findings/1"];
    for (role, problems) in [(Role::Reader, StatusCode::FORBIDDEN), (Role::Registrar, StatusCode::OK)] {
        let token = world.token(role.name(), role, Some(HOME)).await;
        let browser = Browser::with(&world.gateway, &token).await;
        assert_eq!(browser.get("/").await.location.as_deref(), Some("/records"), "{role:?}");
        for path in steer {
            assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{role:?} {path}");
        }
        assert_eq!(browser.get("/problems").await.status, problems, "{role:?}");
        let page = browser.get(&record).await;
        assert_eq!(page.status, StatusCode::OK, "{role:?}");
        assert!(!page.body.contains("href=\"/connections/"), "nothing to click that is forbidden");
        assert!(!browser.get("/records").await.body.contains("href=\"/refusals\""));
    }
}
