//! A spreadsheet a person made goes in with a drafted mapping.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends with what broke it")]

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use silta_adapter::adapter::{Adapter, DecodeContext, Decoded, Limits, Reading, Unreadable};
use silta_adapter::conformance::{Outcome, check_reading};
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::{Fixer, Problem};
use silta_adapter::record::{Body, Record, RecordKind};
use silta_tabular::{Draft, Question, Tabular, check, draft};

const ROWS: u32 = 20_000;

/// Titles above a merged header; days as days, as text and as nonsense; decimals with commas; an error of a formula.
fn messy(rows: u32) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet_with_constant_memory().expect("a sheet");
    let day = Format::new().set_num_format("d.m.yyyy");
    sheet.write(0, 0, "Avoin korkeakoulu: suoritukset kevät 2025").expect("writes");
    sheet.write(2, 0, "Opiskelija").expect("writes");
    sheet.write(2, 3, "Opintojakso").expect("writes");
    let names = [
        "Opiskelijanumero ",
        "Sukunimi",
        "Etunimet",
        "Koodi",
        "Opintojakson nimi",
        "Suorituspvm",
        "Laajuus (op)",
        "Arvosana",
        "Kieli",
        "Huom!",
    ];
    for (at, name) in names.iter().enumerate() {
        sheet.write(3, at as u16, *name).expect("writes");
    }
    for n in 0..rows {
        let row = n + 4;
        sheet.write(row, 0, 10_000 + n / 2).expect("writes");
        sheet.write(row, 1, format!("Esimerkki{}", n / 2)).expect("writes");
        sheet.write(row, 2, " Eeva ").expect("writes");
        sheet.write(row, 3, format!("TKJ-{}", n % 2)).expect("writes");
        sheet.write(row, 4, "Tietorakenteet ja äly").expect("writes");
        let day_cell = match n % 1000 {
            7 => Some("31.2.2025".to_owned()),
            8 => Some("keväällä".to_owned()),
            _ if n % 2 == 0 => Some(format!("{}.{}.2025", n % 28 + 1, n % 12 + 1)),
            _ => None,
        };
        match day_cell {
            Some(text) => sheet.write(row, 5, text).map(|_| ()).expect("writes"),
            None => {
                let date = ExcelDateTime::from_ymd(2025, 5, 14).expect("a day");
                sheet.write_datetime_with_format(row, 5, date, &day).map(|_| ()).expect("writes");
            }
        }
        match n % 1000 {
            9 => sheet.write(row, 6, "5 op").map(|_| ()).expect("writes"),
            _ if n % 2 == 0 => sheet.write(row, 6, "2,5").map(|_| ()).expect("writes"),
            _ => sheet.write(row, 6, 5).map(|_| ()).expect("writes"),
        }
        let grade = if n % 1000 == 11 { "kesken" } else { ["5", "HYV", "3"][n as usize % 3] };
        sheet.write(row, 7, grade).expect("writes");
        sheet.write(row, 8, "suomi").expect("writes");
    }
    book.save_to_buffer().expect("saves")
}

fn mappings() -> Mappings {
    Mappings::builtin().expect("reads")
}

fn drafted(sample: &[u8]) -> Draft {
    let mut ask = |question: &Question| (*question == Question::Institution).then(|| "10122".to_owned());
    draft(&mut &sample[..], &mappings(), &mut ask).expect("a draft")
}

fn load(text: &str) -> Tabular {
    match Tabular::load("sample", "sample.mapping.toml", text, &mappings()) {
        Ok(mapping) => mapping,
        Err(e) => panic!("{e}\n{text}"),
    }
}

fn read(mapping: &Tabular, mut document: &[u8]) -> Result<(Vec<Record>, Vec<Problem>, Reading), Unreadable> {
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let ctx = DecodeContext { tenant: "10122".into(), source: "excel".into(), limits: Limits::default() };
    let reading = mapping.decoder().expect("reads").decode(&mut document, &ctx, &mut |found| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    })?;
    Ok((records, problems, reading))
}

#[test]
fn a_messy_spreadsheet_goes_in_with_a_drafted_mapping() {
    let draft = drafted(&messy(300));
    assert_eq!(draft.left_out, ["Huom!"]);
    assert!(!draft.text.contains("Esimerkki1") && !draft.text.contains("Tietorakenteet"), "{}", draft.text);
    let mapping = load(&draft.text);
    for verdict in check(&mapping) {
        assert!(verdict.failures.is_empty(), "{verdict:?}\n{}", draft.text);
    }
    let (records, problems, reading) = read(&mapping, &messy(ROWS)).expect("reads");
    let count = |kind| records.iter().filter(|r| r.head.key.kind == kind).count() as u32;
    assert_eq!((count(RecordKind::Learner), count(RecordKind::Attainment)), (ROWS / 2, ROWS - 4 * ROWS / 1000));
    assert_eq!(problems.len() as u32, 4 * ROWS / 1000);
    let told: Vec<_> = problems
        .iter()
        .take(4)
        .map(|p| (p.line.expect("a row"), p.path.as_deref().expect("a column"), p.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (12, "Suorituspvm (column F)", "not a date of the form d.m.yyyy"),
            (13, "Suorituspvm (column F)", "not a date of the form d.m.yyyy"),
            (14, "Laajuus (op) (column G)", "not a number; digits with at most one comma or point are expected"),
            (16, "Arvosana (column H)", "not one of 0, 1, 2, 3, 4, 5, HYL, HYV"),
        ]
    );
    assert!(problems.iter().all(|p| p.fixer == Fixer::Sender && p.key.is_some()));
    assert_eq!(reading.unread, ["Huom!"]);
    let Some(Body::Attainment(first)) =
        records.iter().find_map(|r| r.body.as_ref().filter(|b| b.kind() == RecordKind::Attainment))
    else {
        panic!("an attainment")
    };
    assert_eq!(first.credits.as_ref().and_then(|c| c.ects).map(|e| e.to_string()).as_deref(), Some("2.5"));
    assert_eq!(first.language.as_ref().map(|l| l.value.as_str()), Some("fi"));
    assert_eq!(first.awarding_body.as_ref().map(|b| b.value.as_str()), Some("10122"));
}

#[test]
fn the_same_rows_saved_as_windows_text_are_the_same_records() {
    let mapping = load(&drafted(&messy(300)).text);
    let table = "Raportti;;;;;;;;\r\n\r\nOpiskelijanumero;Sukunimi;Etunimet;Koodi;Opintojakson nimi;Suorituspvm;Laajuus (op);Arvosana;Kieli\r\n1;Öhman;Eeva;X;\"Tieto; \"\"ja\"\"\nvalta\";14.5.2025;2,5;HYV;ruotsi\r\n2;;;X;;14.5.25;;;\r\n";
    let document: Vec<u8> = table.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin")).collect();
    let (records, problems, reading) = read(&mapping, &document).expect("reads");
    assert_eq!(reading.form.as_deref(), Some("csv"));
    let Some(Body::Learner(learner)) = &records[0].body else { panic!("a learner") };
    assert_eq!(learner.family_name.as_deref(), Some("Öhman"));
    let Some(Body::Attainment(attainment)) = &records[1].body else { panic!("an attainment") };
    assert_eq!(attainment.title[0].value, "Tieto; \"ja\"\nvalta");
    assert_eq!((records.len(), problems.len(), problems[0].line), (2, 1, Some(5)));
    let outcome = check_reading(&mapping, &mappings(), &document).expect("L5 holds");
    assert_eq!(outcome, Outcome { items: 1, refused: 0, losses: 0 });
}

#[test]
fn a_renamed_column_is_told_and_nothing_is_taken() {
    let mapping = load(&drafted(&messy(300)).text);
    let table = "Opiskelijanumero;Sukunimi;Etunimi;Koodi;Opintojakson nimi;Suorituspvm;Laajuus (op);Arvosana;Kieli\n1;A;B;X;Y;14.5.2025;5;5;suomi\n";
    let refused = read(&mapping, table.as_bytes()).expect_err("a column is missing").to_string();
    assert!(refused.contains("Etunimet (is it Etunimi?)"), "{refused}");
}

#[test]
fn drafts_are_made_of_every_format() {
    for (sample, format, read_columns) in [
        ("student_id,family name,course code,credits,date\n1,A,X,5,2025-05-14\n", "csv", 5),
        (r#"{"data":{"rows":[{"studentId":"1","course":{"code":"X"},"credits":5,"grade":"5"}]}}"#, "json", 4),
        (
            "{\"opiskelijanumero\":\"1\",\"arvosana\":\"HYV\"}\n{\"opiskelijanumero\":\"2\",\"arvosana\":\"HYL\"}\n",
            "ndjson",
            2,
        ),
        (
            "<R><S studentid='1'><Op>5</Op><Pvm>1.2.2025</Pvm></S><S studentid='2'><Op>5</Op><Pvm>1.3.2025</Pvm></S></R>",
            "xml",
            3,
        ),
    ] {
        let draft = drafted(sample.as_bytes());
        assert!(draft.text.contains(&format!("format = \"{format}\"")), "{}", draft.text);
        assert_eq!((draft.read, draft.left_out.len()), (read_columns, 0), "{}", draft.text);
        let mapping = load(&draft.text);
        for verdict in check(&mapping) {
            assert!(verdict.failures.is_empty(), "{verdict:?}\n{}", draft.text);
        }
        let (records, problems, _) = read(&mapping, sample.as_bytes()).expect("reads");
        assert!(!records.is_empty() && problems.is_empty(), "{problems:?}\n{}", draft.text);
    }
}

#[test]
fn archives_that_unpack_too_far_and_damaged_ones_are_refused() {
    let mapping = load(&drafted(&messy(300)).text);
    let book = messy(300);
    let limits = Limits { bytes: 20_000, ..Limits::default() };
    let decoder = mapping.decoder().expect("reads");
    assert!(book.len() > 10_000 && book.len() < 100_000, "{}", book.len());
    assert!(
        matches!(decoder.probe(&mut &book[..], &Limits { bytes: book.len() as u64 + 1, ..limits }), Err(Unreadable::Malformed(p)) if p.code == "too_long")
    );
    for document in [&book[..book.len() / 2], b"PK\x03\x04".as_slice()] {
        assert!(
            matches!(decoder.probe(&mut &document[..], &Limits::default()), Err(Unreadable::Malformed(p)) if p.code == "malformed")
        );
    }
}
