//! A registrar's spreadsheet: drafted, tested, checked, converted, pushed.

use crate::process::{CANARIES, Process, fed, measured, run};
use crate::site::{Site, TENANT};
use rust_xlsxwriter::{Format, Workbook};
use std::io::Write;

/// A sample with a title above its header, and a row that is wrong.
fn sample() -> String {
    let [code, family, given] = CANARIES;
    format!(
        "Suoritukset 5/2025;;;;;;;\n;;;;;;;\n\
         Opiskelijanumero;Hetu;Sukunimi;Etunimet;Koodi;Suorituspvm;Laajuus (op);Lisätieto\n\
         1;{code};{family};{given};X;14.5.2025;2,5;\n\
         2;;Toinen;Tiina;X;31.2.2025;5;muistettava\n\
         3;;Kolmas;Kaisa;X;1.3.2025;5 op;\n\
         4;;Neljäs;Nelli;X;1.4.2025;5;\n"
    )
}

#[test]
fn a_spreadsheet_is_drafted_checked_and_pushed() {
    let site = Site::new();
    let file = site.file("completions.csv", &sample());
    std::fs::create_dir(site.dir.path().join("mappings")).expect("a directory");
    let mapping = site.path("mappings/completions.mapping.toml");
    let drafted = run(&["mapping", "new", "--from", &file, "--out", &mapping, "--institution", TENANT]).expect(0).err;
    assert!(drafted.contains("left out, as a comment: Lisätieto") && !drafted.contains("FAIL"), "{drafted}");
    let text = std::fs::read_to_string(&mapping).expect("written");
    assert!(CANARIES.iter().all(|canary| !text.contains(canary)) && !text.contains("muistettava"), "{text}");
    run(&["mapping", "new", "--from", &file, "--out", &mapping]).expect(2);
    assert_eq!(run(&["mapping", "test", &mapping]).expect(0).err.matches("ok ").count(), 2);

    let checked = run(&["check", "--from", &mapping, &file]).expect(1);
    assert!(checked.out.contains("attainment: 2\n") && checked.out.contains("not read: Lisätieto"), "{checked:?}");
    for told in ["line 5 at Suorituspvm (column F)", "line 6 at Laajuus (op) (column G)"] {
        assert!(checked.err.contains(told), "{}", checked.err);
    }
    let records = run(&["convert", "--from", &mapping, "--to", "record", "--tenant", TENANT, &file]).expect(3).out;
    assert!(records.contains(r#""ects":"2.5""#), "{records}");
    let back = fed(&["convert", "--from", "record", "--to", &mapping], records.as_bytes()).expect(0).out;
    assert!(back.contains("14.5.2025") && back.contains(CANARIES[0]), "{back}");

    site.configure(&format!("[mappings]\ndirectory = '{}'", site.path("mappings")));
    let gateway = site.serve(&site.token("registrar", "registrar"));
    let pushed = gateway.push(&file, &["--from", "completions"]).expect(3);
    assert_eq!(pushed.out, "new: 6\n");
    assert!(pushed.err.contains("line 5 at Suorituspvm (column F)"), "{}", pushed.err);
    assert_eq!(gateway.push(&file, &["--from", "completions"]).expect(3).out, "unchanged: 6\n");
    let unknown = gateway.push(&file, &["--from", "complet"]).expect(1).err;
    assert!(unknown.contains("application/vnd.silta.completions"), "{unknown}");
}

#[test]
fn a_person_is_asked_on_a_terminal_what_a_sample_does_not_tell() {
    let site = Site::bare();
    let header = "Lisätieto;Vahvistus\n";
    let sample = sample().replace("Lisätieto\n", header).replace("muistettava\n", "muistettava;15.5.2025\n");
    site.file("sample.csv", &sample);
    let directory = site.dir.path().display().to_string();
    let args = ["mapping", "new", "--from", "sample.csv", "--out", "sample.mapping.toml"];
    let mut wizard = Process::on_terminal(&directory, &args);
    let mut typed = wizard.input();
    let mut answer = |text: &str| writeln!(typed, "{text}").expect("typed");
    wizard.out.wait_for("What is the column \"Lisätieto\"? It holds text.");
    wizard.out.wait_for("Number, or Enter to leave it out:");
    answer("99");
    wizard.out.wait_for("A number from 1 to 11, or Enter:");
    answer("");
    wizard.out.wait_for("What is the column \"Vahvistus\"? It holds dates.");
    wizard.out.wait_for("2  day of assessment");
    wizard.out.wait_for("Number, or Enter");
    answer("2");
    wizard.out.wait_for("Whose records are these?");
    answer(TENANT);
    wizard.out.wait_for("left out, as a comment: Lisätieto");
    wizard.out.wait_for("next: silta check --from sample.mapping.toml sample.csv");
    assert_eq!(wizard.end(), 0);
    let drafted = std::fs::read_to_string(site.path("sample.mapping.toml")).expect("written");
    assert!(drafted.contains("assessed_on = { column = \"Vahvistus\""), "{drafted}");
    assert!(drafted.contains(TENANT) && !drafted.contains("INSTITUTION"), "{drafted}");
    let (mapping, sample) = (site.path("sample.mapping.toml"), site.path("sample.csv"));
    let checked = run(&["check", "--from", &mapping, &sample]).expect(1);
    assert!(checked.out.contains("attainment: 2\n"), "{checked:?}");
}

/// What a person keeps for years: merged titles, days as text and now and then a wrong one, decimals with a comma.
fn workbook(path: &str, rows: u32) {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let title = "Avoin korkeakoulu: suoritukset kevät 2025";
    sheet.merge_range(0, 0, 0, 6, title, &Format::new()).expect("writes");
    sheet.merge_range(2, 0, 2, 2, "Opiskelija", &Format::new()).expect("writes");
    sheet.merge_range(2, 3, 2, 6, "Suoritus", &Format::new()).expect("writes");
    let names = ["Opiskelijanumero", "Sukunimi", "Etunimet", "Koodi", "Nimi", "Suorituspvm", "Laajuus (op)"];
    for (at, name) in (0..).zip(names) {
        sheet.write(3, at, name).expect("writes");
    }
    for n in 0..rows {
        let day = if n % 1000 == 7 { "31.2.2025".to_owned() } else { format!("{}.{}.2025", n % 28 + 1, n % 12 + 1) };
        let texts =
            [format!("Esimerkki{}", n / 2), "Eeva".into(), format!("T-{}", n % 2), "Äly".into(), day, "2,5".into()];
        sheet.write(n + 4, 0, 10_000 + n / 2).expect("writes");
        for (at, text) in (1..).zip(texts) {
            sheet.write(n + 4, at, text).expect("writes");
        }
    }
    book.save(path).expect("written");
}

/// What grows with the rows is what tells a repeated key (some hundred bytes for each row) and a sheet's own list of its
/// different texts; neither rows nor records are held.
#[test]
fn a_long_spreadsheet_goes_through_in_little_memory() {
    const ROWS: u32 = 20_000;
    const FEW: u32 = 2_000;
    const MOST_A_ROW: u64 = 320;
    let site = Site::bare();
    let (long, short, mapping) = (site.path("long.xlsx"), site.path("short.xlsx"), site.path("a.mapping.toml"));
    workbook(&long, ROWS);
    workbook(&short, FEW);
    run(&["mapping", "new", "--from", &short, "--out", &mapping, "--institution", TENANT]).expect(0);
    let convert = |file: &str| measured(&["convert", "--from", &mapping, "--to", "record", "--tenant", TENANT, file]);
    let ((base, few), (peak, lines)) = (convert(&short), convert(&long));
    let records = |rows: u32| (rows / 2 + rows - rows.div_ceil(1000)) as usize;
    assert_eq!((few, lines), (records(FEW), records(ROWS)), "a learner each two rows, an attainment each good one");
    let grown = peak.saturating_sub(base);
    println!("{base} bytes for {FEW} rows, {peak} for {ROWS}");
    assert!(grown < MOST_A_ROW * u64::from(ROWS - FEW), "{grown} bytes more for {} rows more", ROWS - FEW);
}

#[test]
fn a_mapping_that_is_wrong_is_told_with_its_line() {
    let site = Site::new();
    let wrong = "[input]\nformat = \"csv\"\n[[record]]\nkind = \"attainment\"\nid = \"A\"\nlearner = \"B\"\nbody.ects = \"C\"\n";
    let file = site.file("wrong.mapping.toml", wrong);
    let told = run(&["check", "--from", &file, &file]).expect(1).err;
    assert!(told.contains("line 7: the kind attainment has no field ects; did you mean credits.ects?"), "{told}");
    let failing = format!(
        "{}[[test]]\nname = \"halves\"\nrow = {{ A = \"1\", B = \"2\", C = \"2,5\" }}\nrecords = [{{ kind = \"attainment\", credits.ects = \"25\" }}]\n",
        wrong.replace("body.ects", "body.credits.ects")
    );
    let file = site.file("failing.mapping.toml", &failing);
    let told = run(&["mapping", "test", &file]).expect(1).err;
    assert!(told.contains("FAIL") && told.contains("credits.ects: 25 was expected, it is 2.5"), "{told}");
}
