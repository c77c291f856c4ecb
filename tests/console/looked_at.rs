//! The console in a real browser.

use crate::browser::Browser;
use crate::world::{HOME, World};
use contract_tests::browser::assert_accessible;
use silta_adapter::record::RecordKind;

#[tokio::test]
async fn everybody_can_use_the_console_on_a_phone() {
    let world = World::after_a_week().await;
    let browser = Browser::with(&world.gateway, &world.admin).await;
    let load = world.newest_load("store-home").await;
    let finding = world.gateway.ledger.findings(Some("store-home"), false, 0, 1).await.expect("findings")[0].id;
    let paths = [
        "/".to_owned(),
        "/connections/store-home".into(),
        "/connections/store-home/debts/refused".into(),
        format!("/loads/{load}"),
        "/records".into(),
        format!("/records/{}", world.id(HOME, RecordKind::Attainment, "A2")),
        format!("/records/{}", world.id(HOME, RecordKind::Learner, "L1")),
        "/refusals".into(),
        "/findings".into(),
        format!("/findings/{finding}"),
        format!("/problems?tenant={HOME}"),
        format!("/credentials?tenant={HOME}"),
        format!("/completeness?tenant={HOME}&all=true"),
        "/nothing".into(),
    ];
    let css = format!("<style>{}</style></head>", silta::console::layout::CSS);
    let mut pages = Vec::new();
    for path in paths {
        pages.push((path.clone(), browser.get(&path).await.body.replace("</head>", &css)));
    }
    pages.push(("/login".into(), Browser::new(&world.gateway).get("/login").await.body.replace("</head>", &css)));
    assert_accessible(&pages);
}
