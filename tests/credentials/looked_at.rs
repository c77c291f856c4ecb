//! Pages about credentials, in a real browser.

use crate::console;
use crate::world::{DAY, TENANT, World, attainment, learner, link};
use contract_tests::browser::assert_accessible;
use serde_json::json;
use silta::ledger::Role;

#[tokio::test]
async fn everybody_can_use_the_pages_about_credentials_on_a_phone() {
    let world = World::new().await;
    world.push(&[learner(), attainment("4")]).await;
    world.deliver("learner").await;
    let (path, _) = link(&world, json!({"days": 30})).await;
    let (_, _, css) = world.open("/share.css", "en").await;
    let dress =
        |page: String| page.replace("<link rel=\"stylesheet\" href=\"/share.css\">", &format!("<style>{css}</style>"));
    let mut pages = Vec::new();
    let console = console::browser(&world, Role::Registrar, Some(TENANT)).await;
    for path in ["/credentials", "/completeness", "/problems"] {
        let css = format!("<style>{}</style></head>", silta::console::layout::CSS);
        pages.push((path.to_owned(), console.get(path).await.body.replace("</head>", &css)));
    }
    for language in ["fi", "sv", "en"] {
        for (name, path) in [("credential", path.as_str()), ("nowhere", "/c/0")] {
            let page = world.open(&format!("{path}?lang={language}"), language).await.2;
            pages.push((format!("{name} in {language}"), dress(page)));
        }
    }
    let withdraw = format!("/v1/tenants/{TENANT}/records/{}/withdraw", world.item().await);
    assert_eq!(world.call("POST", &withdraw, json!({"state": "misregistered"})).await.0, 200);
    world.clock.advance(DAY / 8);
    world.deliver("learner").await;
    pages.push(("withdrawn".into(), dress(world.open(&path, "fi").await.2)));
    assert!(pages.iter().all(|(_, page)| page.contains("<style>")), "each has its stylesheet");
    assert_accessible(&pages);
}
