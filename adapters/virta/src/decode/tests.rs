use super::*;
use proptest::prelude::*;

/// One learner with a row of each kind, every element of the shape among them.
const RICH: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Virta xmlns="urn:mace:funet.fi:virta/2015/09/01">
<Opiskelija avain="STU-1"><Henkilotunnus>111101A</Henkilotunnus><Sukunimi>Testaaja</Sukunimi><Etunimet> Tuula T. </Etunimet><Sukupuoli>2</Sukupuoli><Kansalaisuus>246</Kansalaisuus><Kansalaisuus>752</Kansalaisuus><Aidinkieli>fi</Aidinkieli><Asuinkunta>091</Asuinkunta><KirjoihintuloPvm>2020-08-01</KirjoihintuloPvm><KansallinenOppijanumero>1.2.246.562.24.90000000001</KansallinenOppijanumero>
<Opiskeluoikeudet>
<Opiskeluoikeus avain="SR-3" opiskelijaAvain="STU-1"><AlkuPvm>2020-08-01</AlkuPvm><LoppuPvm>2112-12-21</LoppuPvm><Tila><AlkuPvm>2020-08-01</AlkuPvm><Koodi>1</Koodi></Tila><Tyyppi>2</Tyyppi><Myontaja>10122</Myontaja><Organisaatio><Rooli>5</Rooli><Koodi>02470</Koodi><Osuus>0.5</Osuus></Organisaatio><Jakso koulutusmoduulitunniste=""><AlkuPvm>2020-08-01</AlkuPvm><Koulutuskoodi>672102</Koulutuskoodi><Koulutuskunta>091</Koulutuskunta><Koulutuskieli>fi</Koulutuskieli><Rahoituslahde>1</Rahoituslahde><Patevyys>br</Patevyys><Luokittelu>5</Luokittelu><Nimi kieli="fi">Ohjelma</Nimi></Jakso><Ensisijaisuus><AlkuPvm>2020-08-01</AlkuPvm></Ensisijaisuus><Koulutusala versio="ohjausala">7</Koulutusala><Erikoistumiskoulutus>1</Erikoistumiskoulutus><Liittyvyys liittyvaOpiskeluoikeusAvain="SR-2"></Liittyvyys><SiirtoOpiskelija lahdeOpiskeluoikeusAvain="X-1"><SiirtoPvm>2021-01-01</SiirtoPvm><Lukukausikertyma><IlmoittautuminenTila>1</IlmoittautuminenTila><Maara>2</Maara></Lukukausikertyma></SiirtoOpiskelija><Laajuus><Opintopiste>180</Opintopiste></Laajuus><LukuvuosiMaksu><AlkuPvm>2020-08-01</AlkuPvm><Summa>12000</Summa></LukuvuosiMaksu><Jotpaasianumero>J-1</Jotpaasianumero></Opiskeluoikeus>
</Opiskeluoikeudet>
<LukukausiIlmoittautumiset>
<LukukausiIlmoittautuminen opiskelijaAvain="STU-1" opiskeluoikeusAvain="SR-3"><Myontaja>10122</Myontaja><Tila>1</Tila><IlmoittautumisPvm>2020-08-01</IlmoittautumisPvm><AlkuPvm>2020-08-01</AlkuPvm><LoppuPvm>2020-12-31</LoppuPvm><YlioppilaskuntaJasen>1</YlioppilaskuntaJasen><YTHSMaksu>0</YTHSMaksu><LukuvuosiMaksu opiskeluoikeusAvain="SR-3"><Maksettu>1</Maksettu><Summa>100</Summa><Apuraha></Apuraha></LukuvuosiMaksu></LukukausiIlmoittautuminen>
</LukukausiIlmoittautumiset>
<Opintosuoritukset>
<Opintosuoritus avain="ATT-7" opiskelijaAvain="STU-1" koulutusmoduulitunniste="CS.210" opiskeluoikeusAvain="SR-3"><SuoritusPvm>2025-05-14</SuoritusPvm><Laajuus><Opintopiste>5.000000</Opintopiste><Opintoviikko>3</Opintoviikko></Laajuus><Arvosana><Muu><Asteikko avain="A&quot;1&#9;"><Nimi>Asteikko</Nimi><AsteikkoArvosana avain="9"><Koodi>HYV</Koodi><Nimi>Hyvä</Nimi><LaskennallinenArvo>4</LaskennallinenArvo></AsteikkoArvosana></Asteikko><Koodi>9</Koodi></Muu></Arvosana><Myontaja>10122</Myontaja><Organisaatio><Rooli>3</Rooli><Koodi>UK</Koodi></Organisaatio><Laji>2</Laji><Nimi kieli="fi">R&amp;D &lt;1&gt;&#13;</Nimi><Nimi>No language</Nimi><Kieli>en</Kieli><Koulutuskoodi>672102</Koulutuskoodi><Koulutusala><Koodi versio="opmala">4</Koodi><Osuus>1</Osuus></Koulutusala><Sisaltyvyys sisaltyvaOpintosuoritusAvain="ATT-8"><Opintopiste>2.5</Opintopiste></Sisaltyvyys><HyvaksilukuPvm>2025-06-01+03:00</HyvaksilukuPvm><TKILaajuus><Opintopiste>1</Opintopiste></TKILaajuus><OpetusharjoitteluTyyppi>1</OpetusharjoitteluTyyppi><Opinnaytetyo>1</Opinnaytetyo><Hankkeistettu>0</Hankkeistettu><Patevyys>br</Patevyys><Luokittelu>3</Luokittelu><JulkinenLisatieto kieli="fi">Lisä</JulkinenLisatieto></Opintosuoritus>
<Opintosuoritus avain="ATT-8" opiskelijaAvain="STU-1" koulutusmoduulitunniste=""><SuoritusPvm>2025-05-01</SuoritusPvm><Laajuus><Opintopiste>2.5</Opintopiste></Laajuus><Arvosana><Viisiportainen>4</Viisiportainen></Arvosana><Myontaja>10122</Myontaja><Laji>3</Laji></Opintosuoritus>
</Opintosuoritukset>
<Liikkuvuusjaksot>
<Liikkuvuusjakso avain="M-1" opiskelijaAvain="STU-1"><Myontaja>10122</Myontaja><AlkuPvm>2024-01-01</AlkuPvm><LoppuPvm>2024-05-31</LoppuPvm><Suunta>1</Suunta><Maa>752</Maa><Tyyppi>1</Tyyppi><Liikkuvuusohjelma>1</Liikkuvuusohjelma><OpiskeluoikeusTyyppi>2</OpiskeluoikeusTyyppi><Luokittelu>b</Luokittelu></Liikkuvuusjakso>
</Liikkuvuusjaksot></Opiskelija>
</Virta>
"#;

struct Found {
    records: Vec<(Record, u64)>,
    problems: Vec<Problem>,
    reading: Reading,
}

fn with(bytes: &[u8], limits: Limits) -> Result<Found, Unreadable> {
    let ctx = DecodeContext { tenant: "t".into(), source: "s".into(), limits };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let reading = decode(&mut &*bytes, &ctx, &mut |decoded| {
        match decoded {
            Decoded::Record(record, line) => records.push((*record, line)),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    });
    assert_eq!(probe(&mut &*bytes, &limits).is_ok(), reading.is_ok(), "probe and decode agree");
    Ok(Found { records, problems, reading: reading? })
}

fn read(document: &str) -> Found {
    with(document.as_bytes(), Limits::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// The code of the problem that makes a document unreadable, and its line.
fn refused(bytes: &[u8]) -> (String, Option<u64>) {
    match with(bytes, Limits::default()) {
        Err(Unreadable::Malformed(problem)) => (problem.code.to_string(), problem.line),
        other => panic!("read: {:?}", other.map(|found| found.records)),
    }
}

fn codes(found: &Found) -> Vec<&str> {
    found.problems.iter().map(|p| p.code.as_str()).collect()
}

fn row(id: &str, inside: &str) -> String {
    format!(
        "<Opintosuoritus avain='{id}' opiskelijaAvain='L' koulutusmoduulitunniste=''><SuoritusPvm>2025-01-01</SuoritusPvm>\
         <Laajuus><Opintopiste>5</Opintopiste></Laajuus><Arvosana><Hyvaksytty>HYV</Hyvaksytty></Arvosana>\
         <Myontaja>10122</Myontaja><Laji>2</Laji>{inside}</Opintosuoritus>\n"
    )
}

fn rows(inside: &[(&str, &str)]) -> String {
    let rows: String = inside.iter().map(|(id, inside)| row(id, inside)).collect();
    format!("<Opintosuoritukset>\n{rows}</Opintosuoritukset>")
}

#[test]
fn a_rich_document_both_ways() {
    let found = read(RICH);
    assert_eq!((codes(&found), found.reading.unread.len()), (vec![], 0));
    let records: Vec<Record> = found.records.iter().map(|(record, _)| record.clone()).collect();
    insta::assert_json_snapshot!(records);
    let mut out = Vec::new();
    let mut writer = crate::encode::Writer::new(&mut out, found.reading.form.as_deref()).expect("a form");
    for record in &records {
        use silta_adapter::adapter::DocumentWriter as _;
        assert_eq!(writer.write(std::slice::from_ref(record)).expect("it fits"), []);
    }
    silta_adapter::adapter::DocumentWriter::finish(Box::new(writer)).expect("written");
    assert_eq!(String::from_utf8(out).expect("text"), RICH);
}

#[test]
fn lines_are_those_of_start_tags() {
    let lines: Vec<u64> = read(RICH).records.iter().map(|(_, line)| *line).collect();
    assert_eq!(lines, [3, 5, 8, 11, 12, 15]);
}

#[test]
fn the_same_key_saying_something_else_names_both() {
    let found = read(&rows(&[("A", ""), ("A", "<Kieli>fi</Kieli>")]));
    assert_eq!((found.records.len(), codes(&found)), (2, vec!["duplicate_key"]));
    assert_eq!((found.problems[0].line, found.problems[0].related_line), (Some(3), Some(2)));
    let same = "<Nimi kieli='fi'> x </Nimi><Nimi kieli='sv'>y</Nimi>";
    let otherwise = "<Nimi kieli='sv'>y</Nimi><Nimi kieli='fi'>x</Nimi>";
    assert_eq!(codes(&read(&rows(&[("A", same), ("A", otherwise)]))), [""; 0], "order and form make no difference");
}

#[test]
fn parts_dangle_and_go_in_circles() {
    let part = |id: &str| format!("<Sisaltyvyys sisaltyvaOpintosuoritusAvain='{id}'/>");
    let found = read(&rows(&[("A", &part("B")), ("B", &part("A")), ("C", &part("C")), ("D", &part("E"))]));
    let told: Vec<_> = found.problems.iter().map(|p| (p.code.as_str(), p.line)).collect();
    assert_eq!(told, [("dangling_part", Some(5)), ("part_cycle", Some(3)), ("part_cycle", Some(4))]);
}

#[test]
fn deviations_are_named_and_the_rest_is_kept() {
    let found =
        read(&rows(&[("A", "<Foo x='1'/><Kieli y='2'>fi</Kieli><HyvaksilukuPvm>soon</HyvaksilukuPvm><Laji>1</Laji>")]));
    assert_eq!(codes(&found), ["unknown_element", "unknown_element", "bad_value", "repeated_element"]);
    assert_eq!(found.reading.unread, ["Opintosuoritus/Foo", "Opintosuoritus/Kieli/@y"]);
    assert!(found.problems.iter().all(|p| p.key.as_ref().is_some_and(|key| key.id == "A") && p.line == Some(2)));
    let lacking = read(
        "<Opiskeluoikeus avain='S' opiskelijaAvain='L'><Tila><AlkuPvm>2020-01-01</AlkuPvm></Tila></Opiskeluoikeus>",
    );
    assert_eq!(codes(&lacking), ["missing_element"; 4]);
    assert_eq!(lacking.reading.form.as_deref(), Some("Opiskeluoikeudet"));
}

#[test]
fn old_documents_nest_their_codes() {
    let document = row("A", "").replace("<Myontaja>10122<", "<Myontaja><Koodi>10122</Koodi><");
    let old = document.replacen("<Opintosuoritus ", "<Opintosuoritus xmlns='urn:mace:funet.fi:virta/2013/01/29' ", 1);
    assert_eq!(read(&old).records[0].0.head.key.institution, "10122");
}

#[test]
fn blocks_of_one_learner_are_told_apart() {
    let block = |inside: &str| format!("<Opiskelija avain='L'>{inside}</Opiskelija>");
    let list = format!("<Opintosuoritukset>{}</Opintosuoritukset>", row("A", ""));
    let found = read(&format!("<Virta>{}{}</Virta>", block(""), block(&list)));
    let place = |at: usize| {
        let body = found.records[at].0.body.as_ref().expect("a body");
        body.extensions().get::<Place>(DOCUMENT).and_then(|place| place.block)
    };
    assert_eq!([place(0), place(1), place(2)], [None, Some(2), Some(2)]);
}

#[test]
fn what_is_not_well_formed_is_refused_with_its_line() {
    let cases: [(&[u8], &str, Option<u64>); 26] = [
        (b"<Virta>\n<a></b></Virta>", "malformed", Some(2)),
        (b"<Virta>\n", "truncated", None),
        (b"<Virta/><Virta/>", "malformed", Some(1)),
        (b"<Virta/>x", "malformed", Some(1)),
        (b"<!DOCTYPE Virta><Virta/>", "dtd_refused", Some(1)),
        (b"<Virta>&x;</Virta>", "malformed", Some(1)),
        (b"<Virta>&#1;</Virta>", "malformed", Some(1)),
        (b"<Virta>\n\x01</Virta>", "malformed", Some(1)),
        (b"<Virta>\n&#0;</Virta>", "malformed", Some(2)),
        (b"<Virta a='&#x1;'/>", "malformed", Some(1)),
        (b"<Virta>\n<a>\xEF\xBF\xBF</a></Virta>", "malformed", Some(2)),
        (b"<Virta a='\xEF\xBF\xBE'/>", "malformed", Some(1)),
        (b"<Virta><!-- \x02 --></Virta>", "malformed", Some(1)),
        (b"<Virta>\n<a>x ]]> y</a></Virta>", "malformed", Some(2)),
        (b"<Virta>\n<p:a/></Virta>", "malformed", Some(2)),
        (b"<Virta><a xmlns:p='x'/>\n<p:a/></Virta>", "malformed", Some(2)),
        (b"<Virta><a p:b='1'/></Virta>", "malformed", Some(1)),
        (b"<Virta xmlns:p=''><p:a/></Virta>", "malformed", Some(1)),
        (b"<Virta>\n<:a/></Virta>", "malformed", Some(2)),
        (b"<Virta>\n<a b='1' b='2'/></Virta>", "malformed", Some(2)),
        (b"<Virta>\xff</Virta>", "bad_encoding", None),
        (b"<Virta a='1' a='2'/>", "malformed", Some(1)),
        (b"<?xml version='1.0' encoding='klingon'?><Virta/>", "unknown_encoding", None),
        (b"<elmo/>", "unknown_root", Some(1)),
        (b"<Virta xmlns='urn:other'/>", "unknown_namespace", Some(1)),
        (b"", "malformed", Some(1)),
    ];
    for (bytes, code, line) in cases {
        let (found, at) = refused(bytes);
        assert_eq!(found, code, "{}", String::from_utf8_lossy(bytes));
        assert!(line.is_none() || at == line, "{}: line {at:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn what_only_looks_malformed_is_read() {
    for document in [
        "<Virta xml:lang='fi' xmlns:p='urn:x' p:a='1'><p:b><p:c/></p:b></Virta>",
        "<Virta><a><![CDATA[x ]] > y]]>]]&gt; > &#xFFFD; \u{FFFD}\u{FF21}</a></Virta>",
        "\u{FEFF}<Virta a='x:y'/>",
    ] {
        read(document);
    }
}

#[test]
fn bounds_are_kept() {
    let limits = Limits { depth: 3, ..Limits::default() };
    assert!(with(b"<Virta><a><b><c/></b></a></Virta>", limits).is_err());
    assert!(with(b"<Virta><a><b/></a></Virta>", limits).is_ok());
    let limits = Limits { record_bytes: 600, ..Limits::default() };
    let many = "<Patevyys>br</Patevyys>".repeat(30);
    let found = with(rows(&[("A", &many), ("B", "")]).as_bytes(), limits).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((found.records.len(), codes(&found)), (1, vec!["record_too_large"]));
    let limits = Limits { problems: 2, ..Limits::default() };
    let found = with(b"<Virta><a/><b/><c/><d/></Virta>", limits).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(codes(&found), ["unknown_element", "unknown_element", "too_many_problems"]);
}

#[test]
fn other_encodings_are_read() {
    let text = rows(&[("A", "<Nimi>\u{e4}\u{e4}ni</Nimi>")]);
    let latin: Vec<u8> =
        "<?xml version='1.0' encoding='ISO-8859-1'?>".chars().chain(text.chars()).map(|c| c as u8).collect();
    let wide: Vec<u8> = [0xfeffu16].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [latin, wide] {
        let found = with(&bytes, Limits::default()).unwrap_or_else(|e| panic!("{e}"));
        let Some(Body::Attainment(attainment)) = &found.records[0].0.body else { panic!("an attainment") };
        assert_eq!(attainment.title[0].value, "\u{e4}\u{e4}ni");
    }
}

#[test]
fn faults_are_typed_and_say_nothing_personal() {
    let fault = b"<s:Envelope xmlns:s='e'><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>010190-9011</faultstring>\
        <detail><v:ValidationError xmlns:v='v'>Value '010190-9011'</v:ValidationError></detail></s:Fault></s:Body></s:Envelope>";
    let Err(Unreadable::Malformed(problem)) = with(fault, Limits::default()) else { panic!("a fault") };
    assert_eq!(SoapFault::of(&problem), Some(SoapFault { code: "Client", validation: true }));
    assert!(!problem.to_string().contains("9011"), "{problem}");
}

/// Whatever comes, probing and decoding agree on it and neither panics.
fn survives(bytes: &[u8]) {
    let _ = with(bytes, Limits { bytes: 1 << 20, depth: 32, record_bytes: 1 << 16, problems: 100 });
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes);
    }

    #[test]
    fn changed_documents_do_not_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        let mut bytes = RICH.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        survives(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        survives(&bytes);
    }
}
