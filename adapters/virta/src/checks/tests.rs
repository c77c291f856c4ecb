use super::*;
use crate::Virta;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Limits};
use silta_adapter::mapping::Mappings;

fn records(rows: &str) -> Vec<Record> {
    let document =
        format!("<Virta xmlns=\"{}\"><Opiskelija avain=\"S1\">{rows}</Opiskelija></Virta>", crate::names::NAMESPACE);
    let ctx = DecodeContext { tenant: "02535".into(), source: "sis".into(), limits: Limits::default() };
    let mut records = Vec::new();
    let mut sink = |decoded| {
        if let Decoded::Record(record, _) = decoded {
            records.push(*record);
        }
        Ok(())
    };
    Virta.decode(&mut document.as_bytes(), &ctx, &mut sink).expect("reads");
    records
}

/// Codes and keys of what is found, in the order of the table.
fn found(rows: &str, whole: bool) -> Vec<String> {
    let records = records(rows);
    let mappings = Mappings::default();
    let ctx = CheckContext { mappings: &mappings, today: jiff::civil::date(2026, 11, 21), whole };
    let learner: Vec<&Record> = records.iter().collect();
    let told = |p: Problem| format!("{} {}", p.code, p.key.expect("a key").id);
    check(&learner, ctx).into_iter().map(told).collect()
}

fn right(key: &str, inside: &str) -> String {
    format!(
        "<Opiskeluoikeus avain=\"{key}\" opiskelijaAvain=\"S1\"><AlkuPvm>2020-08-01</AlkuPvm>{inside}\
         <Tyyppi>1</Tyyppi><Myontaja>02535</Myontaja></Opiskeluoikeus>"
    )
}

fn period(element: &str, start: &str, end: &str, code: &str) -> String {
    let end = if end.is_empty() { String::new() } else { format!("<LoppuPvm>{end}</LoppuPvm>") };
    let code = if code.is_empty() { String::new() } else { format!("<Koodi>{code}</Koodi>") };
    format!("<{element}><AlkuPvm>{start}</AlkuPvm>{end}{code}</{element}>")
}

const HETU: &str = "<Henkilotunnus>010190-900X</Henkilotunnus>";

#[test]
fn every_check_has_its_rule_and_every_rule_its_check() {
    let table = read().expect("a table");
    let rows: Vec<&str> = table.check.iter().map(|row| row.code.as_str()).collect();
    let rules: Vec<&str> = RULES.iter().map(|(code, _)| *code).collect();
    assert_eq!(rows, rules);
}

#[test]
fn attainments_and_degrees_lack_what_they_lack() {
    let row = |key: &str, attribute: &str, inside: &str, category: &str| {
        format!(
            "<Opintosuoritus avain=\"{key}\" opiskelijaAvain=\"S1\" koulutusmoduulitunniste=\"C\"{attribute}><SuoritusPvm>\
             2025-05-14</SuoritusPvm><Laajuus><Opintopiste>5</Opintopiste></Laajuus>{inside}<Laji>{category}</Laji>"
        )
    };
    let whole = row(
        "A1",
        " opiskeluoikeusAvain=\"R1\"",
        "<Arvosana><Viisiportainen>4</Viisiportainen></Arvosana><Myontaja>02535</Myontaja>",
        "2",
    ) + "<Nimi>Kurssi</Nimi><Koulutusala><Koodi versio=\"ohjausala\">7</Koodi></Koulutusala></Opintosuoritus>";
    let bare = row("A2", " opiskeluoikeusAvain=\"\"", "<Myontaja>02535</Myontaja>", "1") + "</Opintosuoritus>";
    let university = row("A3", "", "<Myontaja>10122</Myontaja>", "2") + "</Opintosuoritus>";
    let rows = format!("{HETU}<Opintosuoritukset>{whole}{bare}{university}</Opintosuoritukset>");
    assert_eq!(
        found(&rows, true),
        [
            "attainment_without_name A2",
            "attainment_without_name A3",
            "attainment_without_grade A2",
            "attainment_without_grade A3",
            "attainment_without_field A2",
            "attainment_without_field A3",
            "degree_without_parts A2",
            "degree_without_education A2",
            "attainment_without_study_right A2",
        ]
    );
}

#[test]
fn a_learner_alone_is_told_only_where_nothing_else_can_be() {
    assert_eq!(found("", true), ["learner_without_identity_code S1", "learner_without_rows S1"]);
    assert_eq!(found(HETU, false), [""; 0]);
}

#[test]
fn days_without_a_state_or_a_phase_are_gaps() {
    let rows = |rights: &str| format!("{HETU}<Opiskeluoikeudet>{rights}</Opiskeluoikeudet>");
    let primary = period("Ensisijaisuus", "2020-08-01", "", "");
    let tila = |start, end| period("Tila", start, end, "1");
    let whole = tila("2021-01-01", "") + &tila("2020-08-01", "2020-12-31");
    assert_eq!(found(&rows(&right("R1", &(whole.clone() + &primary))), true), [""; 0]);
    let hole = tila("2020-08-01", "2020-12-30") + &tila("2021-01-01", "");
    assert_eq!(found(&rows(&right("R1", &(hole + &primary))), true), ["states_with_gaps R1"]);
    let late = tila("2020-08-02", "");
    assert_eq!(found(&rows(&right("R1", &(late + &primary))), true), ["states_with_gaps R1"]);
    let phase = |start: &str, end: &str| {
        format!("<Jakso koulutusmoduulitunniste=\"P\"><AlkuPvm>{start}</AlkuPvm><LoppuPvm>{end}</LoppuPvm></Jakso>")
    };
    let phases = phase("2020-08-01", "2020-12-31") + &phase("2021-02-01", "2112-12-21");
    assert_eq!(found(&rows(&right("R1", &(whole + &phases + &primary))), true), ["phases_with_gaps R1"]);
}

#[test]
fn one_right_is_primary_at_a_time() {
    let rows = |rights: &str| format!("{HETU}<Opiskeluoikeudet>{rights}</Opiskeluoikeudet>");
    let state = period("Tila", "2020-08-01", "", "1");
    let primary = |start, end| state.clone() + &period("Ensisijaisuus", start, end, "");
    let after = right("R1", &primary("2020-08-01", "2021-07-31")) + &right("R2", &primary("2021-08-01", ""));
    assert_eq!(found(&rows(&after), true), [""; 0]);
    let both = right("R1", &primary("2020-08-01", "")) + &right("R2", &primary("2021-08-01", "2022-07-31"));
    assert_eq!(found(&rows(&both), true), ["primary_periods_overlap R1", "primary_periods_overlap R2"]);
    assert_eq!(found(&rows(&right("R1", &state)), true), ["no_primary_period R1"]);
    assert_eq!(found(&rows(&right("R1", &state)), false), [""; 0], "another row may be elsewhere");
}

#[test]
fn a_right_that_ended_says_so() {
    let rows = |state: &str| {
        let inside = "<LoppuPvm>2024-07-31</LoppuPvm>".to_owned()
            + &period("Tila", "2020-08-01", "", state)
            + &period("Ensisijaisuus", "2020-08-01", "", "");
        format!("{HETU}<Opiskeluoikeudet>{}</Opiskeluoikeudet>", right("R1", &inside))
    };
    assert_eq!(found(&rows("1"), true), ["late_update R1"]);
    assert_eq!(found(&rows("3"), true), [""; 0]);
}
