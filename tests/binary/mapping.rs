//! A registrar's spreadsheet: drafted, tested, checked, converted, pushed.

use crate::process::{CANARIES, fed, run};
use crate::site::{Site, TENANT};

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
