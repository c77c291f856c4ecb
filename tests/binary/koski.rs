//! National competence badges on their way to a simulated Koski, between processes that die.

use crate::process::{Process, assert_private, until};
use crate::site::{Gateway, Site, TENANT, ask};
use serde_json::{Value, json};

/// How many learners have a badge each.
const MANY: usize = 30;
const SCHOOL: &str = "1.2.246.562.10.31915273374";

/// A site that sends to a Koski: with the codes that an operator agrees with its keeper.
fn site(koski: &str) -> Site {
    let site = Site::new();
    std::fs::create_dir(site.path("mappings")).expect("made");
    site.file(
        "mappings/koski-source-systems.toml",
        "scheme = 'koski:lahdejarjestelma'\n[[code]]\nvalue = 'peppi'\nlabel.fi = 'Peppi'\nalias = ['source=sis']\n",
    );
    site.file(
        "mappings/koski-organisations.toml",
        &format!(
            "scheme = 'fi:organisaatio-oid'\n[[code]]\nvalue = '{SCHOOL}'\nlabel.fi = 'Esimerkkiopisto'\n\
             alias = ['fi:oppilaitosnumero={TENANT}']\n"
        ),
    );
    let (mappings, password) = (site.path("mappings"), site.file("koski.password", "secret\n"));
    site.configure(&format!(
        "[mappings]\ndirectory = '{mappings}'\n[[connection]]\nname = 'koski'\ntenant = '{TENANT}'\n\
         adapter = 'koski'\nconcurrency = 2\nrate_per_sec = 10\n[connection.settings]\nurl = '{koski}'\n\
         user = 'silta'\npassword_file = '{password}'\ncaller_id = '1.2.246.562.10.90000000001.silta'\n\
         timeout_secs = 2\n"
    ));
    site
}

/// A learner with a badge, as lines.
fn learner(n: usize) -> String {
    let individual = 900 + n;
    let check = char::from(b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(10_190_000 + individual) % 31]);
    let learner = json!({ "kind": "learner", "id": format!("L{n}"), "learner": format!("L{n}"), "body": {
        "identifiers": [{ "scheme": "fi:hetu", "value": format!("010190-{individual}{check}") }],
        "given_names": "Pulu", "family_name": "Kanarialintu" } });
    let signatory =
        json!({ "nimi": "Olli Opettaja", "titteli": { "fi": "opettaja" }, "organisaatio": { "oid": SCHOOL } });
    let own = json!({ "opiskeluoikeus": { "suoritukset": [{ "vahvistus": { "myöntäjäHenkilöt": [signatory] } }] } });
    let badge = json!({ "kind": "attainment", "id": format!("A{n}"), "learner": format!("L{n}"), "body": {
        "category": { "scheme": "koski:suorituksentyyppi", "value": "vstosaamismerkki" }, "national_code": "1001",
        "completed_on": "2026-05-12", "awarding_body": { "scheme": "fi:oppilaitosnumero", "value": TENANT },
        "extensions": { "koski": own } } });
    format!("{learner}\n{badge}\n")
}

struct Koski {
    process: Process,
    address: String,
    url: String,
}

impl Koski {
    fn start(dir: &str) -> Self {
        let mut process = Process::start(&["sandbox", "koski", "--listen", "127.0.0.1:0", "--dir", dir]);
        let url = process.out.wait_for("http://").trim().to_owned();
        let address = url.trim_end_matches("/koski").to_owned();
        Self { process, address, url }
    }

    fn standing(&self) -> usize {
        let health = ask(&format!("{}/health", self.address), "", None);
        usize::try_from(health["standing"].as_u64().expect("a number")).expect("a number")
    }

    fn faults(&self, faults: Value) {
        ask(&format!("{}/faults", self.address), "", Some(faults));
    }
}

fn paid(figures: &Value) -> i64 {
    ["sent", "confirmed"].iter().filter_map(|state| figures["debts"][state].as_i64()).sum()
}

#[test]
fn badges_arrive_once_each_through_killed_gateways_an_outage_and_lost_answers() {
    let dir = tempfile::tempdir().expect("a directory");
    let koski = Koski::start(&dir.path().display().to_string());
    let site = site(&koski.url);
    let token = site.token("admin", "admin");
    let gateway = site.serve(&token);
    let many: String = (0..MANY).map(learner).collect();
    gateway.push(&site.file("many.ndjson", &many), &[]).expect(0);
    until("some have arrived", || (koski.standing() >= 5).then_some(()));
    drop(gateway);

    koski.faults(json!({ "unavailable": true }));
    let before = koski.standing();
    let gateway = site.serve(&token);
    gateway.wait("sends fail", |figures| figures["attempts"].as_i64() > figures["accepted"].as_i64());
    assert_eq!(koski.standing(), before);
    koski.faults(json!({ "unavailable": false, "lose_answers": 3 }));
    gateway.wait("all have arrived", |figures| paid(figures) == MANY as i64);
    assert_eq!(koski.standing(), MANY);
    assert_eq!(versions(&dir), vec![1; MANY], "nothing is doubled");

    let compared = gateway.silta(&["reconcile", "koski", "--json"]).expect(0).out;
    let summary: Value = serde_json::from_str(&compared).expect("JSON");
    assert_eq!((&summary["findings"], &summary["agreed"]), (&json!({}), &summary["items"]), "{summary}");
    takes_back(&gateway, &site);
    until("it is invalidated", || (koski.standing() == MANY - 1).then_some(()));
    assert_private(&gateway.stop());
    drop(koski.process);
}

fn takes_back(gateway: &Gateway, site: &Site) {
    let gone = json!({ "kind": "attainment", "id": "A7", "learner": "L7", "state": "invalidated" });
    gateway.push(&site.file("gone.ndjson", &format!("{gone}\n")), &[]).expect(0);
}

/// How many versions each study right has, as the simulated Koski keeps them.
fn versions(dir: &tempfile::TempDir) -> Vec<usize> {
    let kept = std::fs::read(dir.path().join("koski.json")).expect("a file");
    let kept: Value = serde_json::from_slice(&kept).expect("JSON");
    let rights = kept["rights"].as_array().expect("study rights").iter();
    rights.map(|right| right["versions"].as_array().expect("versions").len()).collect()
}
