//! What the console shows of credentials.

use crate::browser::Browser;
use crate::world::{DAY, TENANT, World, attainment, learner, link};
use axum::http::StatusCode;
use serde_json::{Value, json};
use silta::access::{NewToken, create};
use silta::ledger::Role;

/// Logged in with a token of this role, of this tenant or of all.
pub(crate) async fn browser(world: &World, role: Role, tenant: Option<&str>) -> Browser {
    let name = format!("{} of {}", role.name(), tenant.unwrap_or("all"));
    let new = NewToken { name: name.into(), role, tenant: tenant.map(Into::into), kinds: Vec::new(), expires: None };
    let gateway = &world.gateway;
    let token = create(&*gateway.ledger, &gateway.rng, gateway.now(), new).await.expect("a token");
    Browser::with(gateway, &token).await
}

/// The rows of a connection's table, each without its markup.
fn rows(page: &str, connection: &str) -> Vec<String> {
    let section = page.split(&format!("<h2 id=\"c-{connection}\">")).nth(1).expect("a section");
    let section = section.split("</section>").next().expect("its end");
    let words = |row: &str| {
        let text = row.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text.trim());
        text.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    };
    section.split("<tr>").skip(2).map(words).collect()
}

#[tokio::test]
async fn credentials_are_listed_with_their_links_and_a_link_is_revoked() {
    let world = World::new().await;
    let operator = browser(&world, Role::Operator, Some(TENANT)).await;
    let empty = operator.get("/credentials").await.body;
    assert!(empty.contains("Nothing was issued") && empty.contains("aria-current=\"page\">Credentials"), "{empty}");

    world.push(&[learner(), attainment("4")]).await;
    world.deliver("learner").await;
    world.clock.advance(DAY);
    world.push(&[learner(), attainment("5")]).await;
    world.deliver("learner").await;
    let (short, _) = link(&world, json!({"days": 1})).await;
    let (long, _) = link(&world, json!({"days": 90, "public": true})).await;
    world.clock.advance(2 * DAY);
    // The session of the first day is over.
    let operator = browser(&world, Role::Admin, None).await;
    let page = operator.get(&format!("/credentials?tenant={TENANT}")).await.body;
    let seen = rows(&page, "learner");
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].contains("issued") && seen[0].contains("unverifiable"), "the newest first: {seen:?}");
    assert!(seen[0].contains("ended") && seen[0].contains("public") && seen[0].contains("open Revoke"), "{seen:?}");
    assert!(seen[1].contains("withdrawn") && seen[1].ends_with("none"), "the corrected one: {seen:?}");
    assert!(rows(&page, "drop").is_empty(), "nothing was sent there yet");
    for secret in [&short[3..], &long[3..], "Taru", "welfare"] {
        assert!(!page.contains(secret), "{secret}");
    }

    let issued = world.issued("learner").await.pop().expect("a credential").id;
    let links = world.gateway.ledger.shares_of(issued).await.expect("links");
    let action = format!("/credentials/{issued}/links/{}/revoke", links[1].id);
    assert_eq!(world.open(&long, "en").await.0, StatusCode::OK);
    let pressed = operator.press("/credentials?tenant=02535", &action, &[]).await;
    assert_eq!(pressed.location.as_deref(), Some("/credentials?tenant=02535"));
    assert_eq!(world.open(&long, "en").await.0, StatusCode::NOT_FOUND);
    let page = operator.get("/credentials?tenant=02535").await.body;
    assert!(page.contains("it leads nowhere any more") && !page.contains(&action), "{page}");
    let audited = world.gateway.ledger.audited(None, 1).await.expect("audit");
    assert_eq!(audited[0].action.as_str(), "revoke_link");
}

#[tokio::test]
async fn credentials_of_another_tenant_do_not_exist() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("learner").await;
    link(&world, json!({"days": 30})).await;
    let issued = world.issued("learner").await.pop().expect("a credential").id;
    let link = world.gateway.ledger.shares_of(issued).await.expect("links")[0].id;
    let address = format!("/credentials/{issued}/links/{link}/revoke");

    let reader = browser(&world, Role::Reader, Some(TENANT)).await;
    assert_eq!(reader.get("/credentials").await.status, StatusCode::FORBIDDEN);
    let elsewhere = browser(&world, Role::Operator, Some("10065")).await;
    let page = elsewhere.get("/credentials").await;
    assert!(page.status == StatusCode::FORBIDDEN, "a tenant that is not configured has nothing to choose");
    let overview = elsewhere.get("/").await.body;
    let csrf =
        overview.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    assert_eq!(elsewhere.post(&address, &[("csrf", csrf)], &[]).await.status, StatusCode::NOT_FOUND);
    let registrar = browser(&world, Role::Registrar, Some(TENANT)).await;
    assert_eq!(registrar.post(&address, &[], &[]).await.status, StatusCode::FORBIDDEN, "without the form's token");
    assert_eq!(registrar.press("/credentials", &address, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(registrar.get("/credentials?tenant=10065").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_micro_credential_lacks_is_told_at_intake_counted_and_exported() {
    let world = World::new().await;
    let (status, answer) = world.push_answer(&[learner(), attainment("4")]).await;
    assert_eq!(status, 200);
    let told: Vec<&str> =
        answer["problems"].as_array().into_iter().flatten().filter_map(|p| p["message"].as_str()).collect();
    assert!(told.iter().any(|message| message.starts_with("M11 ")), "no quality assurance: {told:?}");
    assert!(
        answer["problems"]
            .as_array()
            .into_iter()
            .flatten()
            .all(|p| p["code"] == "micro_credential" && p["severity"] == "warning")
    );
    assert_eq!(answer["counts"]["new"], 2, "it is told, not refused");

    let registrar = browser(&world, Role::Registrar, Some(TENANT)).await;
    let problems = registrar.get("/problems").await.body;
    assert!(problems.contains("M11 ") && problems.contains("micro_credential"));
    let page = registrar.get("/completeness").await.body;
    assert!(page.contains("0 of 1 records are complete") && page.contains("/completeness.csv?tenant=02535"), "{page}");
    let csv = registrar.get(&format!("/completeness.csv?tenant={TENANT}&all=false")).await.body;
    let row = |id: &str| csv.lines().find(|line| line.contains(&format!(",{id},"))).map(str::to_owned);
    assert!(row("M2").expect("the title").ends_with(",1,0,0,1.000"), "{csv}");
    assert!(row("M11").expect("quality assurance").ends_with(",0,0,1,0.000"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 22);
}

#[tokio::test]
async fn a_tenant_asks_of_which_attainments_it_is_told() {
    let mut plain = attainment("4");
    plain["body"]["achievement_type"] = Value::Null;
    for (asked, told) in [("", false), ("micro_credentials = 'all'", true), ("micro_credentials = 'none'", false)] {
        let world = World::asking(asked).await;
        let (_, answer) = world.push_answer(&[learner(), plain.clone()]).await;
        assert_eq!(
            answer["problems"].as_array().is_some_and(|problems| !problems.is_empty()),
            told,
            "{asked}: {answer}"
        );
    }
    let world = World::asking("micro_credentials = 'none'").await;
    let (_, answer) = world.push_answer(&[learner(), attainment("4")]).await;
    assert_eq!(answer["problems"], json!([]), "not even of one that says it is a micro-credential");
}
