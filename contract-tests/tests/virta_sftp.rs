//! Loads to a real OpenSSH server, over connections that break.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test says what it expects")]

mod sshd;

use serde_json::json;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{Connected, DecodeContext, Deliver, Document, LearnerQuery, Limits, Load, NotRead};
use silta_adapter::delivery::Verdict;
use silta_adapter::record::{Identifier, RecordKind};
use silta_virta::Virta;
use silta_virta::sandbox::{Sandbox, SandboxOptions};
use silta_virta::settings::connect;
use sshd::{Proxy, Sshd, cut_once};
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const LEARNER_NUMBER: &str = silta_adapter::record::Learner::LEARNER_NUMBER;

/// A destination on a server, with some settings changed.
fn destination(server: &Sshd, address: SocketAddr, changes: serde_json::Value) -> Arc<dyn Deliver> {
    let settings = json!({ "sftp": settings(server, address, changes) });
    connect(&settings, Arc::new(Virta)).expect("settings").deliver.expect("a destination")
}

fn settings(server: &Sshd, address: SocketAddr, changes: serde_json::Value) -> serde_json::Value {
    let mut settings = json!({
        "host": address.ip().to_string(),
        "port": address.port(),
        "user": user(),
        "key_file": server.path("user_key"),
        "host_key": server.host_key(),
        "directory": server.path("inbox"),
    });
    for (name, value) in changes.as_object().expect("an object") {
        settings[name] = value.clone();
    }
    settings
}

fn user() -> String {
    let id = std::process::Command::new("id").arg("-un").output().expect("id");
    String::from_utf8(id.stdout).expect("UTF-8").trim().to_owned()
}

/// A document of about so many bytes, in which every row is another one.
fn document(bytes: usize) -> String {
    let mut rows = String::new();
    let mut number = 0;
    while rows.len() < bytes {
        number += 1;
        rows += &format!(
            "<Opintosuoritus avain=\"A{number}\" opiskelijaAvain=\"S1\" koulutusmoduulitunniste=\"C\"><SuoritusPvm>\
             2025-05-14</SuoritusPvm><Laajuus><Opintopiste>5</Opintopiste></Laajuus><Arvosana><Viisiportainen>4\
             </Viisiportainen></Arvosana><Myontaja>10122</Myontaja><Laji>2</Laji></Opintosuoritus>\n"
        );
    }
    format!(
        "<Virta xmlns=\"urn:mace:funet.fi:virta/2015/09/01\"><Opiskelija avain=\"S1\"><KansallinenOppijanumero>\
         1.2.246.562.24.90000000001</KansallinenOppijanumero><Opintosuoritukset>{rows}</Opintosuoritukset>\
         </Opiskelija></Virta>\n"
    )
}

fn load(key: &str, document: &str) -> Load {
    let document = Document::Bytes(document.as_bytes().to_vec());
    Load { idempotency_key: key.into(), tenant: "10122".into(), document, withdrawal: false }
}

async fn send(to: &Arc<dyn Deliver>, load: &Load) -> (Verdict, String) {
    let judgement = to.deliver(load).await;
    (judgement.verdict, judgement.cause.to_string())
}

fn uploaded() -> (Verdict, String) {
    (Verdict::AcceptedPending, "sftp:uploaded".into())
}

fn sandbox(server: &Sshd) -> Arc<Sandbox> {
    let options = SandboxOptions { sftp_log: Some(server.path("sftp.log")), ..SandboxOptions::new(server.dir.path()) };
    Arc::new(Sandbox::open(options).expect("opens"))
}

#[tokio::test]
async fn a_load_arrives_whole_under_its_name_from_bytes_and_from_a_file() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let to = destination(&server, server.address, json!({}));
    let document = document(300_000);
    assert_eq!(send(&to, &load("a", &document)).await, uploaded());
    let own = tempfile::NamedTempFile::new().expect("a file");
    fs::write(own.path(), &document).expect("writes");
    let from_file = Load { document: Document::File(own.path().into()), ..load("b", "") };
    assert_eq!(send(&to, &from_file).await, uploaded());
    assert_eq!(send(&to, &load("a", &document)).await, uploaded(), "again the same");
    assert_eq!(server.inbox(), ["silta-10122-a.xml", "silta-10122-b.xml"]);
    for name in server.inbox() {
        assert_eq!(fs::read_to_string(server.path("inbox").join(name)).expect("a file"), document);
    }
    assert!(!server.log().contains("rename"), "{}", server.log());
}

#[tokio::test]
async fn only_the_pinned_server_is_spoken_to_and_only_with_the_right_key() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let other = fs::read_to_string(server.path("other_key.pub")).expect("a key");
    let to = destination(&server, server.address, json!({ "host_key": other }));
    assert_eq!(send(&to, &load("a", "<Virta/>")).await, (Verdict::Misconfigured, "sftp:host-key".into()));
    let said = fs::read_to_string(server.path("sshd.log")).unwrap_or_default();
    assert!(!said.contains("Accepted"), "nobody logged in: {said}");
    let to = destination(&server, server.address, json!({ "key_file": server.path("other_key") }));
    assert_eq!(send(&to, &load("a", "<Virta/>")).await, (Verdict::Auth, "sftp:auth".into()));
    assert_eq!(server.inbox(), [""; 0]);

    let locked = json!({ "key_file": server.path("locked_key"), "passphrase_file": server.path("passphrase") });
    assert_eq!(send(&destination(&server, server.address, locked), &load("a", "<Virta/>")).await, uploaded());
}

#[tokio::test]
async fn what_the_server_refuses_is_judged_and_leaves_nothing() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let to = destination(&server, server.address, json!({ "directory": server.path("gone") }));
    assert_eq!(send(&to, &load("a", "<Virta/>")).await, (Verdict::Misconfigured, "sftp:no-directory".into()));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let to = destination(&server, nobody, json!({}));
    assert_eq!(send(&to, &load("a", "<Virta/>")).await, (Verdict::Transient, "sftp:connect".into()));

    let read_only = Sshd::with("", "-R");
    let to = destination(&read_only, read_only.address, json!({}));
    assert_eq!(send(&to, &load("a", "<Virta/>")).await, (Verdict::Misconfigured, "sftp:denied".into()));

    let full = Sshd::with("trap '' XFSZ; ulimit -f 64;", "");
    let to = destination(&full, full.address, json!({}));
    assert_eq!(send(&to, &load("a", &document(1 << 20))).await, (Verdict::Transient, "sftp:failed".into()));
    assert_eq!(full.inbox(), [""; 0], "the part was removed");
    assert!(!full.log().lines().any(|line| line.starts_with("close ")), "and never closed as if it were whole");
}

#[tokio::test]
async fn a_lost_connection_is_resumed_behind_what_was_confirmed() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let document = document(8 << 20);
    let proxy = Proxy::start(server.address, cut_once(6_000_000));
    let to = destination(&server, proxy.address, json!({}));
    assert_eq!(send(&to, &load("a", &document)).await, uploaded());
    assert_eq!(fs::read_to_string(server.path("inbox/silta-10122-a.xml")).expect("a file"), document);
    let carried = proxy.carried.load(Ordering::SeqCst);
    assert!(carried < 5_000_000, "the second connection carried the rest, and what was on its way: {carried}");
}

#[tokio::test]
async fn wherever_the_connection_is_lost_the_whole_load_arrives() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let document = document(200_000);
    let whole = Proxy::start(server.address, |_| u64::MAX);
    assert_eq!(send(&destination(&server, whole.address, json!({})), &load("0", &document)).await, uploaded());
    let all = whole.carried.load(Ordering::SeqCst);
    // Up to the last packet but the goodbye: around the closing of the file too.
    for (number, cut) in
        [all / 3, all / 2, all - 400, all - 250, all - 200, all - 150, all - 100].into_iter().enumerate()
    {
        let proxy = Proxy::start(server.address, cut_once(cut));
        let key = format!("cut-{number}");
        let (verdict, cause) = send(&destination(&server, proxy.address, json!({})), &load(&key, &document)).await;
        assert_eq!(verdict, Verdict::AcceptedPending, "cut at {cut} of {all}: {cause}");
        let arrived = fs::read_to_string(server.path(&format!("inbox/silta-10122-{key}.xml"))).expect("a file");
        assert!(arrived == document, "cut at {cut} of {all}");
    }
}

#[tokio::test]
async fn a_part_that_was_taken_is_refused_and_the_whole_load_follows() {
    if !sshd::is_there() {
        return;
    }
    let server = Arc::new(Sshd::start());
    let sandbox = sandbox(&server);
    let document = document(1 << 20);
    let (seen, store) = (server.clone(), sandbox.clone());
    let proxy = Proxy::start(server.address, move |number| {
        if number == 1 {
            while !seen.log().contains("forced close") {
                std::thread::yield_now();
            }
            let taken = store.tick().expect("ticks");
            assert_eq!(taken.iter().map(|l| l.generation).collect::<Vec<_>>(), [None], "a part is no document");
        }
        cut_once(500_000)(number)
    });
    assert_eq!(send(&destination(&server, proxy.address, json!({})), &load("a", &document)).await, uploaded());
    let taken = sandbox.tick().expect("ticks");
    assert_eq!(
        taken.iter().map(|l| (l.file.as_str(), l.generation)).collect::<Vec<_>>(),
        [("silta-10122-a.xml", Some(1))]
    );
}

#[tokio::test]
async fn a_load_that_is_given_up_leaves_no_part_behind() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let sandbox = sandbox(&server);
    let broken = Arc::new(AtomicBool::new(true));
    let still = broken.clone();
    let proxy = Proxy::start(server.address, move |number| match (number, still.load(Ordering::SeqCst)) {
        (0, _) => 500_000,
        (_, true) => 0,
        (_, false) => u64::MAX,
    });
    let to = destination(&server, proxy.address, json!({ "load_secs": 3 }));
    let (verdict, cause) = send(&to, &load("a", &document(1 << 20))).await;
    assert_eq!((verdict, cause.as_str()), (Verdict::Transient, "sftp:lost"));
    assert_eq!(server.inbox(), ["silta-10122-a.xml"]);
    broken.store(false, Ordering::SeqCst);
    assert_eq!(send(&to, &load("b", &document(1000))).await, uploaded());
    assert_eq!(server.inbox(), ["silta-10122-b.xml"]);
    assert_eq!(sandbox.tick().expect("ticks").iter().map(|l| l.generation).collect::<Vec<_>>(), [Some(1)]);
}

#[tokio::test]
async fn a_sender_that_dies_in_the_middle_leaves_a_part_that_cannot_be_loaded() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let sandbox = sandbox(&server);
    let dying = destination(&server, server.address, json!({}));
    let sending = tokio::spawn(async move { dying.deliver(&load("a", &document(16 << 20))).await });
    while fs::metadata(server.path("inbox/silta-10122-a.xml")).map_or(0, |file| file.len()) == 0 {
        tokio::task::yield_now().await;
    }
    sending.abort();
    assert!(sending.await.is_err_and(|e| e.is_cancelled()), "it died before it was done");
    while !server.log().contains("forced close") {
        tokio::task::yield_now().await;
    }
    let next = destination(&server, server.address, json!({}));
    assert_eq!(send(&next, &load("b", &document(1000))).await, uploaded());
    assert_eq!(send(&next, &load("c", &document(2000))).await, uploaded());
    let taken = sandbox.tick().expect("ticks");
    let taken: Vec<_> = taken.iter().map(|l| (l.file.as_str(), l.generation)).collect();
    assert_eq!(taken, [("silta-10122-a.xml", None), ("silta-10122-b.xml", Some(1)), ("silta-10122-c.xml", Some(2))]);
}

#[tokio::test]
async fn what_was_sent_over_sftp_is_read_back_over_soap() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let sandbox = sandbox(&server);
    let to = destination(&server, server.address, json!({}));
    assert_eq!(send(&to, &load("a", &document(1000))).await, uploaded());
    assert_eq!(sandbox.tick().expect("ticks").len(), 1);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}{}", listener.local_addr().expect("an address"), silta_virta::sandbox::PATH);
    let serving = tokio::spawn(sandbox.serve(listener, std::future::pending()));
    let Connected { inventory, .. } = connect(&json!({ "soap": { "url": url } }), Arc::new(Virta)).expect("settings");
    let learner = LearnerQuery {
        learner: "S1".into(),
        identifiers: vec![Identifier { scheme: LEARNER_NUMBER.into(), value: "1.2.246.562.24.90000000001".into() }],
        ..LearnerQuery::default()
    };
    let ctx = DecodeContext { tenant: "10122".into(), source: SmolStr::default(), limits: Limits::default() };
    let holdings = inventory.expect("an inventory").holdings(&ctx, &[learner]).await.expect("reads");
    assert!(holdings[0].complete && holdings[0].records.len() > 2, "{:?}", holdings[0].problems);
    serving.abort();
}

#[tokio::test]
async fn the_newest_report_on_the_server_is_read_once() {
    if !sshd::is_there() {
        return;
    }
    let server = Sshd::start();
    let reports = server.path("reports");
    fs::create_dir(&reports).expect("a directory");
    let settings = json!({
        "sftp": settings(&server, server.address, json!({})),
        "reports": { "directory": &reports, "prefix": "Virta_" },
    });
    let reader = connect(&settings, Arc::new(Virta)).expect("settings").reports.expect("a reader");
    assert_eq!(reader.newest(None).await.expect("reads"), None);
    let filler = "OS1;S9;A9\n".repeat(10_000);
    fs::write(
        reports.join("Virta_1.csv"),
        format!("virhekoodi;opiskelijaAvain;opintosuoritusAvain\n{filler}OS12;S1;A1\n"),
    )
    .expect("writes");
    fs::write(reports.join("zeta.csv"), "virhekoodi\nX\n").expect("writes");
    let report = reader.newest(None).await.expect("reads").expect("a report");
    assert_eq!((report.remarks.len(), report.unread), (10_001, 0));
    assert_eq!(report.remarks[10_000].about, Some((RecordKind::Attainment, "A1".into())));
    assert_eq!(reader.newest(Some(report.cursor.as_str())).await.expect("reads"), None, "it is read once");
    fs::remove_dir_all(&reports).expect("removes");
    let NotRead(judgement) = reader.newest(None).await.expect_err("there is no directory");
    assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Misconfigured, "sftp:no-directory"));
}
