//! The conformance kit on formats that mapping files describe.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use silta_adapter::conformance::{
    Hostile, Outcome, Vocabulary, assert_bounded, assert_law, assert_robust, check_reading,
};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Record, RecordKind};
use silta_tabular::Tabular;

const WIDE: &str = include_str!("fixtures/wide.mapping.toml");

/// The wide mapping for an input.
fn wide(input: &str) -> Tabular {
    let lists = match input.contains("csv") || input.contains("xlsx") {
        true => {
            "classifications = { column = \"Luokittelu\", scheme = \"virta:luokittelu\", split = \"|\" }\n\
                 parts.id = { column = \"Osat\", split = \"|\" }\nparts.ects = { column = \"Osien laajuudet\", split = \"|\" }"
        }
        false => {
            "classifications = { column = \"Luokittelu\", scheme = \"virta:luokittelu\" }\n\
                  parts.id = \"Osat\"\nparts.ects = \"OsienLaajuudet\""
        }
    };
    let text = format!("[input]\n{input}\n{}", WIDE.replace("LISTS", lists));
    let text = if input.contains("students") || input.contains("Students") { nested(&text) } else { text };
    let mappings = Mappings::builtin().expect("reads");
    Tabular::load("wide", "wide.mapping.toml", &text, &mappings).expect("a mapping")
}

/// What is about the learner stands in the element around the row.
fn nested(text: &str) -> String {
    [
        "Laitos",
        "Opiskelija",
        "Turvakielto",
        "Henkilötunnus",
        "Sukunimi",
        "Etunimet",
        "Syntymäaika",
        "Sukupuoli",
        "Sähköposti",
        "Huomautus",
    ]
    .iter()
    .fold(text.to_owned(), |text, name| text.replace(&format!("\"{name}\""), &format!("\"../{name}\"")))
}

fn vocabulary() -> Vocabulary {
    Vocabulary {
        tombstones: 0.1,
        kinds: vec![RecordKind::Learner, RecordKind::Attainment, RecordKind::Activity],
        ..Vocabulary::default()
    }
    .codes("/attainment/language", "virta:kieli", &["fi", "sv", "en"])
    .codes("/attainment/awarding_body", "virta:organisaatio", &["10122"])
    .codes("/attainment/classifications/*", "virta:luokittelu", &["1", "2", "3"])
    .codes("/attainment/grade/scale/code", "virta:arvosana", &["Viisiportainen"])
    .codes("/learner/gender", "virta:sukupuoli", &["1", "2"])
    .sometimes("/attainment/grade", 0.8)
    .sometimes("/learner/family_name", 0.9)
    .adjust(|record: &mut Record| {
        if record.head.key.kind == RecordKind::Attainment {
            let id = record.head.key.id.clone();
            record.head.key.id = format!("A/{}", id.trim()).into();
        }
        record.head.key.institution = "10122".into();
        record.head.learner = record.head.learner.trim().into();
        record.head.key.id = match record.head.key.kind {
            RecordKind::Learner => record.head.learner.clone(),
            _ => record.head.key.id.trim().into(),
        };
    })
}

fn law(input: &str) -> Outcome {
    let mappings = Mappings::builtin().expect("reads");
    let outcome = assert_law(&wide(input), &mappings, &vocabulary(), 8, 0.25);
    assert!(outcome.items > 20 && outcome.losses > 100, "{input}: {outcome:?}");
    outcome
}

#[test]
fn the_law_holds_for_every_format() {
    for input in [
        "format = \"csv\"",
        "format = \"csv\"\nencoding = \"windows-1252\"\ndelimiter = \",\"\nheader = 4",
        "format = \"ndjson\"",
        "format = \"json\"\nrows = \"data/students[]/done[]\"",
        "format = \"xml\"\nrows = \"Data/Student[]\"",
        "format = \"xml\"\nrows = \"Students/Student[]/Done[]\"",
        "format = \"xlsx\"\nsheet = \"Suoritukset\"",
    ] {
        println!("{input}: {:?}", law(input));
    }
}

const CSV: &str = "Raportti 5/2025;;;;\n;;;;\nOpiskelija;Suoritus;Koodi;Opintopisteet;Nimi;Laitos;Turvakielto;Henkilötunnus;Sukunimi;Etunimet;Syntymäaika;Sukupuoli;Sähköposti;Huomautus;Namn;Suorituspäivä;Asteikko;Arvosana;Kieli;Myöntäjä;Opinnäyte;Luokittelu;Osat;Osien laajuudet;Muu\n1;7;X-1;2,5;\"Nimi; \"\"ja\"\"\n muu\";10122;ei;;Esimerkki;Eeva;1.2.1990;nainen;;'=x;;14.5.2025;Viisiportainen;5;fi;10122;x;1|2;8|9;1,5|;z\n";
const JSON: &str = r#"{"v":1,"data":{"students":[{"Opiskelija":"1","Laitos":"10122","Sukunimi":"Esimerkki","done":[{"Suoritus":7,"Opintopisteet":2.50,"Nimi":"\u00e4","Luokittelu":["1","2"]},{"Suoritus":"8","Koodi":"X"}]}]}}"#;
const LINES: &str = "{\"Opiskelija\":\"1\",\"Laitos\":\"10122\",\"Suoritus\":\"7\",\"Opintopisteet\":2.5}\n\n{\"Opiskelija\":\"2\",\"Laitos\":\"10122\",\"Suoritus\":\"8\",\"Koodi\":\"X\"}\n";
const XML: &str = "<?xml version=\"1.0\"?><s:Students xmlns:s=\"urn:x\"><Student><Opiskelija>1</Opiskelija><Laitos>10122</Laitos><Sukunimi>&#x41;&amp;</Sukunimi><Done><Suoritus>7</Suoritus><Koodi>X</Koodi></Done><Done><Suoritus>8</Suoritus><Opintopisteet><![CDATA[2,5]]></Opintopisteet></Done></Student></s:Students>";

fn corpus() -> [(Tabular, &'static [u8], usize); 4] {
    [
        (wide("format = \"csv\""), CSV.as_bytes(), 1),
        (wide("format = \"json\"\nrows = \"data/students[]/done[]\""), JSON.as_bytes(), 2),
        (wide("format = \"ndjson\""), LINES.as_bytes(), 2),
        (wide("format = \"xml\"\nrows = \"Students/Student[]/Done[]\""), XML.as_bytes(), 2),
    ]
}

#[test]
fn what_was_read_is_written_back() {
    let mappings = Mappings::builtin().expect("reads");
    for (adapter, document, items) in corpus() {
        let outcome = check_reading(&adapter, &mappings, document).expect("L5 holds");
        assert_eq!(outcome, Outcome { items, refused: 0, losses: 0 });
    }
}

#[test]
fn bad_bytes_do_no_harm() {
    let small = "[[record]]\nkind = \"attainment\"\nid = \"id\"\nlearner = \"l\"\nbody.title.fi = \"t\"\nbody.credits.ects = \"op\"";
    for (input, document) in [
        ("format = \"csv\"", "\u{FEFF}Raportti;;\nid;l;t;op\n1;2;\"a;\n\"\"b\";2,5\n"),
        ("format = \"json\"", r#"[{"id":"1","l":"2","t":"\u00e4","op":2.5}]"#),
        ("format = \"ndjson\"", "{\"id\":\"1\",\"l\":\"2\",\"t\":[null]}\n{\"id\":3,\"l\":\"2\",\"op\":1}\n"),
        ("format = \"xml\"\nrows = \"A/B[]\"", "<A><B id=\"1\"><id>1</id><l>&#x32;</l><t><![CDATA[x]]></t></B></A>"),
    ] {
        let text = format!("[input]\n{input}\n{small}");
        let mappings = Mappings::builtin().expect("reads");
        let adapter = Tabular::load("small", "small.mapping.toml", &text, &mappings).expect("a mapping");
        assert_robust(&adapter, &[document.as_bytes()]);
    }
}

#[test]
fn bounds_are_kept() {
    let row = |bytes| "x".repeat(bytes);
    assert!(row(1) == "x");
    let deep: fn(usize) -> Vec<u8> = |depth| {
        format!("{{\"data\":{{\"students\":[{{\"done\":{}{}}}]}}}}", "[".repeat(depth), "]".repeat(depth)).into()
    };
    let [_, json, lines, xml] = corpus();
    assert_bounded(
        &json.0,
        &Hostile {
            document: json.1,
            deep,
            long: |bytes| {
                format!("{{\"data\":{{\"students\":[{{\"done\":[{{\"Koodi\":\"{}\"}}]}}]}}}}", "x".repeat(bytes)).into()
            },
        },
    );
    assert_bounded(
        &lines.0,
        &Hostile {
            document: lines.1,
            deep: |depth| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into(),
            long: |bytes| format!("{{\"Koodi\":\"{}\"}}", "x".repeat(bytes)).into(),
        },
    );
    assert_bounded(
        &xml.0,
        &Hostile {
            document: xml.1,
            deep: |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth)).into(),
            long: |bytes| {
                format!("<Students><Student><Done><Koodi>{}</Koodi></Done></Student></Students>", "x".repeat(bytes))
                    .into()
            },
        },
    );
}

#[test]
fn document_types_and_entities_are_refused() {
    let xml = wide("format = \"xml\"\nrows = \"Students/Student[]\"");
    for document in [
        "<!DOCTYPE x [<!ENTITY a \"b\">]><Students><Student><Koodi>&a;</Koodi></Student></Students>",
        "<Students><Student><Koodi>&a;</Koodi></Student></Students>",
    ] {
        let decoder = silta_adapter::adapter::Adapter::decoder(&xml).expect("reads");
        let refused = decoder.probe(&mut document.as_bytes(), &silta_adapter::adapter::Limits::default());
        assert!(refused.is_err(), "{document}");
    }
}
