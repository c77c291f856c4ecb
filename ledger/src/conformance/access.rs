//! Tokens, audit, facts.

use super::*;

pub(super) fn token(name: &str, hash: u8) -> Token {
    Token {
        name: name.into(),
        hash: [hash; 32],
        role: Role::Registrar,
        tenant: Some(TENANT.into()),
        kinds: vec![RecordKind::Attainment, RecordKind::Learner],
        created: 1,
        expires: Some(9),
        revoked: None,
    }
}

pub async fn tokens_are_found_until_revoked(ledger: &dyn Ledger) {
    ledger.ready().await.expect("ready");
    ledger.add_token(&token("peppi", 2)).await.expect("stored");
    let admin = Token { role: Role::Admin, tenant: None, kinds: vec![], expires: None, ..token("boss", 1) };
    ledger.add_token(&admin).await.expect("stored");
    let found = ledger.token(&[2; 32]).await.expect("read").expect("a token");
    assert_eq!((found.name.as_str(), found.role, found.tenant.as_deref()), ("peppi", Role::Registrar, Some(TENANT)));
    assert_eq!((found.kinds, found.created, found.expires), (token("", 0).kinds, 1, Some(9)));
    let found = ledger.token(&[1; 32]).await.expect("read").expect("a token");
    assert_eq!((found.role, found.tenant, found.kinds.len(), found.expires), (Role::Admin, None, 0, None));
    assert!(ledger.token(&[3; 32]).await.expect("read").is_none());

    assert!(ledger.revoke_token("peppi", 5).await.expect("asked"));
    assert!(!ledger.revoke_token("peppi", 6).await.expect("asked"), "it was revoked already");
    assert!(!ledger.revoke_token("nobody", 6).await.expect("asked"));
    assert!(ledger.token(&[2; 32]).await.expect("read").is_none());
    let all = ledger.tokens().await.expect("tokens");
    let told: Vec<_> = all.iter().map(|t| (t.name.as_str(), t.revoked)).collect();
    assert_eq!(told, [("boss", None), ("peppi", Some(5))], "by name");
    ledger.add_token(&token("peppi", 4)).await.expect("stored");
    assert_eq!(ledger.tokens().await.expect("tokens").len(), 2, "a name has one token");
    assert!(ledger.token(&[4; 32]).await.expect("read").is_some());
}

pub async fn audit_is_read_backwards(ledger: &dyn Ledger) {
    let entry = |at, subject: &str| AuditEntry {
        id: 0,
        at,
        actor: "peppi".into(),
        action: "read_record".into(),
        tenant: TENANT.into(),
        subject: subject.into(),
        detail: "as virta".into(),
    };
    ledger.audit(&[entry(1, "a"), entry(1, "b")]).await.expect("written");
    ledger.audit(&[entry(2, "c")]).await.expect("written");
    let newest = ledger.audited(None, 2).await.expect("audit");
    assert_eq!(newest.iter().map(|e| e.subject.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    assert!(newest[0].id > newest[1].id);
    assert_eq!((newest[0].at, newest[0].actor.as_str(), newest[0].action.as_str()), (2, "peppi", "read_record"));
    assert_eq!((newest[0].tenant.as_str(), newest[0].detail.as_str()), (TENANT, "as virta"));
    let older = ledger.audited(Some(newest[1].id), 9).await.expect("audit");
    assert_eq!(older.iter().map(|e| e.subject.as_str()).collect::<Vec<_>>(), ["a"]);
}

pub async fn facts_are_replaced(ledger: &dyn Ledger) {
    assert_eq!(ledger.fact("cursor").await.expect("read"), None);
    ledger.set_fact("cursor", "1").await.expect("stored");
    ledger.set_fact("other", "x").await.expect("stored");
    ledger.set_fact("cursor", "2").await.expect("stored");
    assert_eq!(ledger.fact("cursor").await.expect("read").as_deref(), Some("2"));
}

pub async fn a_duty_has_one_holder(ledger: &dyn Ledger) {
    let hold = async |holder: &str, now, until| ledger.hold("reap", holder, now, until).await.expect("asked");
    assert!(hold("one", 1, 10).await);
    assert!(!hold("two", 5, 15).await && !hold("two", 10, 15).await, "it is another's");
    assert!(hold("one", 6, 20).await, "its holder may keep it");
    assert!(!hold("two", 15, 25).await, "it was kept");
    assert!(hold("two", 21, 30).await, "its time was over");
    assert!(!hold("one", 22, 30).await);
    ledger.release("reap", "one").await.expect("not its to give back");
    assert!(!hold("one", 23, 30).await);
    ledger.release("reap", "two").await.expect("given back");
    assert!(hold("one", 23, 30).await);
    assert!(ledger.hold("other", "two", 23, 30).await.expect("asked"), "duties are independent");
}
