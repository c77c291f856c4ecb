//! The sandbox as its users see it.

use super::*;
use crate::testing::{attainment, learner, virta};
use proptest::prelude::*;
use silta_adapter::faults::Faults as _;
use std::fs;
use std::path::Path;

fn open(dir: &Path, faults: Faults) -> Sandbox {
    Sandbox::open(SandboxOptions { faults, seed: 7, ..SandboxOptions::new(dir) }).expect("opens")
}

fn drop_load(dir: &Path, name: &str, load: &str) {
    fs::write(dir.join("inbox").join(name), load).expect("writes");
}

/// Loads one document for an institution and says what became of it.
fn load(sandbox: &Sandbox, dir: &Path, tenant: &str, key: &str, load: &str) -> Loaded {
    drop_load(dir, &format!("silta-{tenant}-{key}.xml"), load);
    sandbox.tick().expect("ticks").pop().expect("a load")
}

fn held(sandbox: &Sandbox, identifier: &str) -> String {
    let question = question::Question {
        operation: &crate::soap::OPERATIONS[0],
        password: String::new(),
        kind: crate::soap::IdentifierKind::LearnerNumber,
        identifiers: vec![identifier.into()],
        organisation: None,
    };
    answer::answer(&sandbox.store.documents(), &question, false)
}

#[test]
fn a_load_replaces_everything_of_its_sender_and_nothing_of_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = open(dir.path(), Faults::default());
    let first = virta(&[learner("S1", "1.1", &[attainment("A1", "S1", ""), attainment("A2", "S1", "")])]);
    let other = virta(&[learner("X1", "1.1", &[attainment("A1", "X1", "")])]);
    assert_eq!(load(&sandbox, dir.path(), "10122", "1", &first).generation, Some(1));
    assert_eq!(load(&sandbox, dir.path(), "02629", "1", &other).generation, Some(1));
    assert_eq!(held(&sandbox, "1.1").matches("<Opintosuoritus ").count(), 3);
    let second = virta(&[learner("S1", "1.1", &[attainment("A2", "S1", "")])]);
    let loaded = load(&sandbox, dir.path(), "10122", "2", &second);
    assert_eq!((loaded.tenant.as_str(), loaded.generation), ("10122", Some(2)));
    let now = held(&sandbox, "1.1");
    assert!(
        !now.contains("avain=\"A1\" opiskelijaAvain=\"S1\"") && now.contains("avain=\"A1\" opiskelijaAvain=\"X1\"")
    );
    assert!(dir.path().join("loaded/silta-10122-2.xml").exists());
    assert!(!dir.path().join("inbox/silta-10122-2.xml").exists());
}

#[test]
fn what_was_loaded_comes_back_byte_for_byte() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = open(dir.path(), Faults::default());
    let row = attainment("A&amp;1", "S&#34;1", "<Nimi kieli=\"fi\">Ä &lt; <![CDATA[<b>]]></Nimi><!-- c -->");
    let sent = virta(&[learner("S&#34;1", "1.1", std::slice::from_ref(&row))]);
    assert_eq!(load(&sandbox, dir.path(), "10122", "1", &sent).defects, []);
    assert!(held(&sandbox, "1.1").contains(&format!("<Opintosuoritukset>{row}</Opintosuoritukset></Opiskelija>")));
    assert!(held(&sandbox, "1.1").contains("<Opiskelija avain=\"S&quot;1\"><KansallinenOppijanumero>1.1<"));
}

#[test]
fn a_refused_load_leaves_the_store_as_it_was_and_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = open(dir.path(), Faults::default());
    let good = virta(&[learner("S1", "1.1", &[attainment("A1", "S1", "")])]);
    load(&sandbox, dir.path(), "10122", "0", &good);
    let before = held(&sandbox, "1.1");
    let part = "<Sisaltyvyys sisaltyvaOpintosuoritusAvain=\"GONE\"/>";
    let twice = [attainment("A1", "S1", ""), attainment("A1", "S1", "<Kieli>fi</Kieli>")];
    let prefixed = good.replace("<Virta xmlns=", "<v:Virta xmlns:v=").replace("</Virta", "</v:Virta");
    for (key, bad, code) in [
        ("1", virta(&[learner("S1", "1.1", &[attainment("A1", "S1", part)])]), "dangling_part"),
        ("2", virta(&[learner("S1", "1.1", &twice)]), "duplicate_key"),
        ("3", virta(&[learner("S1", "1.1", &[attainment("A1", "S2", "")])]), "foreign_row"),
        ("4", good[..good.len() - 4].to_owned(), "form"),
        ("5", good.replace("2015/09", "2013/01"), "form"),
        ("6", prefixed, "form"),
        ("7", format!("<!DOCTYPE Virta>{good}"), "form"),
        ("8", good.replace("2025-05-14", "&leak;"), "form"),
        ("9", virta(&[]), "form"),
        ("10", String::new(), "form"),
        ("11", good.replace("<Laji>", &"<a>".repeat(100)), "form"),
    ] {
        let loaded = load(&sandbox, dir.path(), "10122", key, &bad);
        assert_eq!(loaded.generation, None, "{key}");
        assert_eq!(loaded.defects.first().map(|d| d.code.as_str()), Some(code), "{key}: {:?}", loaded.defects);
        assert_eq!(held(&sandbox, "1.1"), before, "{key}");
    }
    assert!(dir.path().join("refused/silta-10122-1.xml").exists());
    let report = fs::read_to_string(dir.path().join("reports/silta-10122-1.csv")).expect("a report");
    let heading = "db,virhekoodi,virhe,arvo,opiskelijaAvain,opiskeluoikeusAvain,opintosuoritusAvain";
    assert_eq!(report, format!("{heading}\n10122,dangling_part,a part that is not in the load,GONE,,,A1\n"));
}

#[test]
fn a_file_that_does_not_say_who_sends_it_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = open(dir.path(), Faults::default());
    drop_load(dir.path(), "load.xml", &virta(&[learner("S1", "1.1", &[])]));
    drop_load(dir.path(), ".silta-half.tmp", "<Virta");
    let loaded = sandbox.tick().expect("ticks");
    assert_eq!(loaded.iter().map(|l| (l.file.as_str(), l.generation)).collect::<Vec<_>>(), [("load.xml", None)]);
}

#[test]
fn a_restart_keeps_what_is_held() {
    let dir = tempfile::tempdir().expect("a directory");
    let sent = virta(&[learner("S1", "1.1", &[attainment("A1", "S1", "")])]);
    let before = {
        let sandbox = open(dir.path(), Faults::default());
        load(&sandbox, dir.path(), "10122", "1", &sent);
        held(&sandbox, "1.1")
    };
    // What a crash between writing the new and removing the old document leaves.
    fs::write(dir.path().join("store/10122.0.xml"), virta(&[])).expect("writes");
    let sandbox = open(dir.path(), Faults::default());
    assert_eq!(held(&sandbox, "1.1"), before);
    assert!(!dir.path().join("store/10122.0.xml").exists());
    assert_eq!(load(&sandbox, dir.path(), "10122", "1", &sent).generation, Some(2));
}

#[test]
fn silent_damage_shows_in_answers_and_survives_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let rows: Vec<_> = (0..9).map(|n| attainment(&format!("A{n}"), "S1", "<Nimi>Kurssi</Nimi>")).collect();
    let sent = virta(&[learner("S1", "1.1", &rows), learner("S2", "1.2", &[])]);
    let sandbox = open(dir.path(), Faults { alter_rows: 2, lose_rows: 3, lose_learners: 0, ..Faults::default() });
    assert_eq!(sandbox.tick().expect("ticks"), [], "nothing to damage yet");
    load(&sandbox, dir.path(), "10122", "1", &sent);
    let damaged = held(&sandbox, "1.1");
    let intact = rows.iter().filter(|row| damaged.contains(row.as_str())).count();
    assert_eq!((damaged.matches("<Opintosuoritus ").count(), intact), (6, 4));
    assert_eq!(held(&open(dir.path(), Faults::default()), "1.1"), damaged);
    assert_eq!(sandbox.faults().alter_rows, 0, "damage is done once");
    sandbox.faults().set("lose_learners=2").expect("a fault");
    sandbox.tick().expect("ticks");
    assert!(!held(&sandbox, "1.1").contains("<Virta"));
}

#[test]
fn the_same_seed_does_the_same_damage_to_the_same_content_in_any_order() {
    let rows: Vec<_> = (0..20).map(|n| attainment(&format!("A{n}"), "S1", "<Nimi>Kurssi</Nimi>")).collect();
    let backwards: Vec<_> = rows.iter().rev().cloned().collect();
    let damaged = |rows: &[String], asked: usize| {
        let dir = tempfile::tempdir().expect("a directory");
        let sandbox = open(dir.path(), Faults { alter_rows: 3, lose_rows: 3, ..Faults::default() });
        (0..asked).for_each(|_| _ = sandbox.fate());
        load(&sandbox, dir.path(), "10122", "1", &virta(&[learner("S1", "1.1", rows)]));
        let held = held(&sandbox, "1.1");
        let mut rows: Vec<_> =
            held.split("<Opintosuoritus ").map(|row| row.split("</Opintosuoritus>").next()).collect();
        rows.sort_unstable();
        rows.into_iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(damaged(&rows, 0), damaged(&backwards, 5));
}

#[test]
fn delayed_loads_wait_for_as_many_ticks() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = open(dir.path(), Faults { delay_ticks: 2, ..Faults::default() });
    drop_load(dir.path(), "silta-10122-1.xml", &virta(&[learner("S1", "1.1", &[])]));
    let loads: Vec<_> = (0..4).map(|_| sandbox.tick().expect("ticks").len()).collect();
    assert_eq!(loads, [0, 0, 1, 0]);
}

#[tokio::test]
async fn it_listens_to_this_machine_only_and_ends_when_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let open_to_all = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    assert!(run(SandboxOptions::new(dir.path()), open_to_all, std::future::pending()).await.is_err());
    let own = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    run(SandboxOptions::new(dir.path()), own, std::future::ready(())).await.expect("ends");
}

#[tokio::test]
async fn a_running_sandbox_loads_what_is_dropped() {
    let dir = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let health = format!("http://{}/health", listener.local_addr().expect("an address"));
    let options = SandboxOptions { poll: Duration::from_millis(1), ..SandboxOptions::new(dir.path()) };
    let running = tokio::spawn(run(options, listener, std::future::pending()));
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let is_up = async || http.get(&health).send().await.expect("answers").text().await.expect("text");
    assert_eq!(is_up().await, r#"{"generations":{},"status":"up"}"#);
    let half = dir.path().join("inbox/.half.tmp");
    fs::write(&half, virta(&[learner("S1", "1.1", &[])])).expect("writes");
    fs::rename(half, dir.path().join("inbox/silta-10122-1.xml")).expect("renames");
    while is_up().await != r#"{"generations":{"10122":1},"status":"up"}"# {
        assert!(!running.is_finished());
    }
    running.abort();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_load_and_no_request_breaks_it(text in xml_like()) {
        let _ = question::read(&text);
        let (index, defects) = index::Index::read(text);
        if defects.is_empty() {
            let again = damage::damaged(&index, Damage::default(), &mut StdRng::seed_from_u64(0));
            let (again, defects) = index::Index::read(again);
            let size = |index: &index::Index| index.learners.iter().map(|l| l.rows.len()).collect::<Vec<_>>();
            prop_assert_eq!(defects, []);
            prop_assert_eq!(size(&again), size(&index));
        }
    }
}

/// Text out of the pieces that loads and requests are made of.
fn xml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(format!("<Virta xmlns=\"{}\">", crate::names::NAMESPACE)),
        Just(format!("<OpintosuorituksetRequest xmlns=\"{}\">", crate::soap::SERVICE_NAMESPACE)),
        proptest::sample::select(vec![
            "<e><b>",
            "</b></e>",
            "</Virta>",
            "<Opiskelija avain=\"S\">",
            "<Opiskelija avain='S'/>",
            "</Opiskelija>",
            "<Opintosuoritukset>",
            "</Opintosuoritukset>",
            "<Opintosuoritus avain='A' opiskelijaAvain='S'>",
            "</Opintosuoritus>",
            "<Myontaja>",
            "</Myontaja>",
            "<Hakuehdot>",
            "</Hakuehdot>",
            "<henkilotunnus>",
            "</henkilotunnus>",
            "010190A900X",
            "&amp;",
            "&#x0;",
            "&x;",
            "<![CDATA[",
            "]]>",
            "<!DOCTYPE x>",
            "<!--",
            "ä",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
