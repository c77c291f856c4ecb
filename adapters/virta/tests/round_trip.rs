//! Records to the simulated store and back, through the adapter alone: encoded, dropped, loaded, read.
#![expect(clippy::expect_used, clippy::panic, reason = "a test")]

use serde_json::json;
use silta_adapter::adapter::{
    Adapter, Connected, Decode, DecodeContext, Decoded, Document, Encode, EncodeContext, LearnerQuery, Limits, Load,
};
use silta_adapter::canonical;
use silta_adapter::delivery::Verdict;
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Body, Identifier, Learner, Record};
use silta_virta::Virta;
use silta_virta::sandbox::{PATH, Sandbox, SandboxOptions};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;

const HELD: &str = r#"<Virta xmlns="urn:mace:funet.fi:virta/2015/09/01">
  <Opiskelija avain="S1">
    <Henkilotunnus>010190A</Henkilotunnus><Sukunimi>Äijälä &amp; Co</Sukunimi>
    <KansallinenOppijanumero>1.2.246.562.24.90000000001</KansallinenOppijanumero>
    <Opiskeluoikeudet>
      <Opiskeluoikeus avain="R1" opiskelijaAvain="S1"><AlkuPvm>2020-08-01</AlkuPvm>
        <Tila><AlkuPvm>2020-08-01</AlkuPvm><Koodi>1</Koodi></Tila><Tyyppi>1</Tyyppi><Myontaja>10122</Myontaja>
      </Opiskeluoikeus>
    </Opiskeluoikeudet>
    <LukukausiIlmoittautumiset>
      <LukukausiIlmoittautuminen opiskelijaAvain="S1" opiskeluoikeusAvain="R1"><Myontaja>10122</Myontaja>
        <Tila>1</Tila><IlmoittautumisPvm>2020-08-02</IlmoittautumisPvm><AlkuPvm>2020-08-01</AlkuPvm>
        <LoppuPvm>2020-12-31</LoppuPvm>
      </LukukausiIlmoittautuminen>
    </LukukausiIlmoittautumiset>
    <Opintosuoritukset>
      <Opintosuoritus avain="A1" opiskelijaAvain="S1" koulutusmoduulitunniste="M1" opiskeluoikeusAvain="R1">
        <SuoritusPvm>2025-05-14</SuoritusPvm><Laajuus><Opintopiste>10</Opintopiste></Laajuus>
        <Arvosana><Viisiportainen>4</Viisiportainen></Arvosana><Myontaja>10122</Myontaja><Laji>2</Laji>
        <Nimi kieli="fi">Kokonaisuus</Nimi><Nimi kieli="en">Module</Nimi><Kieli>fi</Kieli>
        <Sisaltyvyys sisaltyvaOpintosuoritusAvain="A2"><Opintopiste>5</Opintopiste></Sisaltyvyys>
      </Opintosuoritus>
      <Opintosuoritus avain="A2" opiskelijaAvain="S1" koulutusmoduulitunniste="">
        <SuoritusPvm>2025-05-01</SuoritusPvm><Laajuus><Opintopiste>5.0</Opintopiste></Laajuus>
        <Arvosana><Hyvaksytty>HYV</Hyvaksytty></Arvosana><Myontaja>10122</Myontaja><Laji>2</Laji><Nimi>Osa</Nimi>
      </Opintosuoritus>
    </Opintosuoritukset>
    <Liikkuvuusjaksot>
      <Liikkuvuusjakso avain="L1" opiskelijaAvain="S1"><Myontaja>10122</Myontaja><AlkuPvm>2021-01-01</AlkuPvm>
        <LoppuPvm>2021-05-31</LoppuPvm><Suunta>1</Suunta><Maa>276</Maa></Liikkuvuusjakso>
    </Liikkuvuusjaksot>
  </Opiskelija>
</Virta>"#;

fn ctx() -> DecodeContext {
    DecodeContext { tenant: "10122".into(), source: "sis".into(), limits: Limits::default() }
}

fn records(document: &str) -> Vec<Record> {
    let mut records = Vec::new();
    let mut sink = |decoded| {
        match decoded {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => panic!("{problem}"),
        }
        Ok(())
    };
    Virta.decode(&mut document.as_bytes(), &ctx(), &mut sink).expect("reads");
    records
}

fn load(records: &[Record], key: &str) -> Load {
    let mappings = Mappings::default();
    let ctx = EncodeContext { mappings: &mappings, generation: 1, instant: jiff::Timestamp::UNIX_EPOCH };
    let mut document = Vec::new();
    let mut writer = Virta.document(&mut document, None, ctx).expect("starts");
    for record in records {
        assert_eq!(writer.write(std::slice::from_ref(record)).expect("writes"), []);
    }
    writer.finish().expect("ends");
    let document = Document::Bytes(document);
    Load { idempotency_key: key.into(), tenant: "10122".into(), document, withdrawal: false }
}

async fn store(dir: &Path) -> (Arc<Sandbox>, SocketAddr) {
    let options = SandboxOptions::new(dir);
    let sandbox = Arc::new(Sandbox::open(options).expect("opens"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(sandbox.clone().serve(listener, std::future::pending()));
    (sandbox, address)
}

async fn send(connected: &Connected, sandbox: &Sandbox, load: &Load) {
    let judgement = connected.deliver.as_ref().expect("a destination").deliver(load).await;
    assert_eq!(judgement.verdict, Verdict::AcceptedPending, "{}", judgement.reason);
    let loaded = sandbox.tick().expect("ticks");
    assert_eq!(loaded.iter().flat_map(|l| &l.defects).collect::<Vec<_>>(), Vec::<&_>::new());
    assert_eq!(loaded.len(), 1);
}

async fn held(connected: &Connected) -> Vec<Record> {
    let identifier = |scheme: &'static str, value: &str| Identifier { scheme: scheme.into(), value: value.into() };
    let identifiers = vec![identifier(Learner::LEARNER_NUMBER, "1.2.246.562.24.90000000001")];
    let query = LearnerQuery { learner: "S1".into(), identifiers, ..LearnerQuery::default() };
    let inventory = connected.inventory.as_ref().expect("an inventory");
    let mut holdings = inventory.holdings(&ctx(), &[query]).await.expect("answers");
    assert!(holdings[0].complete);
    assert_eq!(holdings[0].problems, []);
    holdings.remove(0).records
}

/// What the service shows of records: of a learner the identifiers only.
fn shown(records: &[Record]) -> Vec<Record> {
    let mut shown = records.to_vec();
    for record in &mut shown {
        if let Some(Body::Learner(body)) = &mut record.body {
            **body = Learner { identifiers: body.identifiers.clone(), ..Learner::default() };
        }
    }
    shown
}

fn forms(records: &[Record]) -> Vec<String> {
    let mut forms: Vec<_> = records.iter().map(|r| canonical::record_form(r).to_string()).collect();
    forms.sort();
    forms
}

#[tokio::test]
async fn what_was_sent_is_what_is_read_and_what_is_left_out_is_gone() {
    let dir: TempDir = tempfile::tempdir().expect("a directory");
    let (sandbox, address) = store(dir.path()).await;
    let settings = json!({"directory": dir.path().join("inbox"), "soap": {"url": format!("http://{address}{PATH}")}});
    let connected = Virta.connect(&settings).expect("connects");
    assert_eq!(held(&connected).await, []);
    let mut sent = records(HELD);
    assert_eq!(sent.len(), 6);
    send(&connected, &sandbox, &load(&sent, "1")).await;
    assert_eq!(forms(&held(&connected).await), forms(&shown(&sent)));
    sent.retain(|record| record.head.key.id != "L1");
    send(&connected, &sandbox, &load(&sent, "2")).await;
    assert_eq!(forms(&held(&connected).await), forms(&shown(&sent)));
}
