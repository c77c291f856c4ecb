//! What is wrong with a request, by the keys of Koski's errors.

use crate::shape::{BADGE, BADGE_SCALE};
use jiff::civil;
use serde_json::Value;
use silta_adapter::identity::{NationalOid, Validity, node};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::Learner;
use std::sync::LazyLock;

static LISTS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().unwrap_or_default());

/// What is wrong with a person.
pub(super) fn person(person: &Value) -> Vec<&'static str> {
    let given = |name: &str| person[name].as_str().is_some_and(|text| !text.trim().is_empty());
    let named = ["etunimet", "kutsumanimi", "sukunimi"].iter().all(|name| given(name));
    match (person["hetu"].as_str(), given("oid")) {
        (Some(hetu), _) if !Validity::of(Learner::HETU, hetu).identifies() => {
            vec!["badRequest.validation.henkilötiedot.hetu"]
        }
        (Some(_), false) if !named => vec!["badRequest.validation.jsonSchema"],
        (None, false) => vec!["badRequest.validation.jsonSchema"],
        _ => Vec::new(),
    }
}

/// What is wrong with a study right.
pub(super) fn right(right: &Value, today: civil::Date) -> Vec<&'static str> {
    let text = |pointer: &str| right.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let is_badge = right["suoritukset"].as_array().is_some_and(|list| list.len() == 1)
        && text("/suoritukset/0/tyyppi/koodiarvo") == BADGE
        && text("/tyyppi/koodiarvo") == "vapaansivistystyonkoulutus";
    if !is_badge {
        return vec!["badRequest.validation.jsonSchema"];
    }
    let mut wrong = Vec::new();
    let mut check = |fine: bool, key: &'static str| {
        if !fine && !wrong.contains(&key) {
            wrong.push(key);
        }
    };
    check(!text("/lähdejärjestelmänId/id").is_empty(), "forbidden.lähdejärjestelmäIdPuuttuu");
    let organisations =
        ["/oppilaitos/oid", "/suoritukset/0/toimipiste/oid", "/suoritukset/0/vahvistus/myöntäjäOrganisaatio/oid"];
    for pointer in organisations {
        let known = NationalOid::parse(text(pointer)).is_some_and(|oid| oid.node == node::ORGANISATION);
        check(known, "badRequest.validation.organisaatio.tuntematon");
    }
    let listed = |list: &str, pointer: &str| LISTS.list(list).get(text(pointer)).is_some();
    let unknown = "badRequest.validation.koodisto.tuntematonKoodi";
    check(listed("koski-source-systems", "/lähdejärjestelmänId/lähdejärjestelmä/koodiarvo"), unknown);
    check(listed("koski-badges", "/suoritukset/0/koulutusmoduuli/tunniste/koodiarvo"), unknown);
    check(listed("koski-grades", "/suoritukset/0/arviointi/0/arvosana/koodiarvo"), unknown);
    check(text("/suoritukset/0/arviointi/0/arvosana/koodistoUri") == BADGE_SCALE, unknown);
    let signed = right.pointer("/suoritukset/0/vahvistus/myöntäjäHenkilöt").and_then(Value::as_array);
    check(signed.is_some_and(|people| !people.is_empty()), "badRequest.validation.jsonSchema");
    check(
        text("/tila/opiskeluoikeusjaksot/0/tila/koodiarvo") == "hyvaksytystisuoritettu",
        "badRequest.validation.vapaasivistystyo.päättymispäivä",
    );
    let ended = text("/tila/opiskeluoikeusjaksot/0/alku");
    let day = ended.parse::<civil::Date>();
    match day {
        Err(_) => check(false, "badRequest.format.date"),
        Ok(day) => {
            let same = ["/suoritukset/0/arviointi/0/päivä", "/suoritukset/0/vahvistus/päivä"].map(text) == [ended; 2];
            let since = day >= civil::date(2024, 1, 1);
            check(same && since, "badRequest.validation.vapaasivistystyo.osaamismerkkiPäivät");
        }
    }
    check(today >= civil::date(2024, 8, 1), "badRequest.validation.vapaasivistystyo.tallennuspäivä");
    wrong
}

/// By what a badge of a person is recognised as the same: its code, its school, its day.
pub(super) fn sameness(right: &Value) -> [Option<&Value>; 3] {
    ["/suoritukset/0/koulutusmoduuli/tunniste/koodiarvo", "/oppilaitos/oid", "/tila/opiskeluoikeusjaksot/0/alku"]
        .map(|pointer| right.pointer(pointer))
}

/// The name of a badge, as Koski shows it beside the code.
pub(super) fn badge_name(code: &str) -> Option<Value> {
    let code = LISTS.list("koski-badges").get(code)?;
    Some(code.label.iter().map(|(lang, name)| (lang.to_string(), Value::from(name.clone()))).collect())
}

/// The status that goes with an error.
pub(super) fn status(key: &str) -> u16 {
    match key.split('.').next().unwrap_or_default() {
        "badRequest" => 400,
        "unauthorized" => 401,
        "forbidden" => 403,
        "notFound" => 404,
        "conflict" => 409,
        "unsupportedMediaType" => 415,
        "unavailable" => 503,
        _ => 500,
    }
}
