//! What the simulated Koski holds: people, their study rights in all versions, and what is left of erased ones.

use super::person::{Person, oid};
use super::rules;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use silta_adapter::identity::node;
use silta_adapter::tree;
use std::io;
use std::path::Path;

/// Everything held.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Store {
    people: Vec<Person>,
    rights: Vec<Right>,
    /// Errors of the sender, by the key of the study right, until a later transfer succeeds.
    errors: Vec<(String, Vec<String>)>,
    issued: u64,
}

/// A study right.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Right {
    oid: String,
    person: String,
    /// Key and code of the source system.
    source: (String, String),
    school: String,
    /// What was sent, version by version; empty once it is erased.
    versions: Vec<Version>,
    /// Why it was erased, if it was.
    erased: Option<Erased>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Version {
    at: Timestamp,
    content: Value,
}

/// Why a study right was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Erased {
    Invalidated,
    ConsentWithdrawn,
}

/// Keys of errors.
pub(super) type Errors = Vec<String>;

fn errors(keys: &[&str]) -> Errors {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

impl Store {
    pub(super) fn read(directory: &Path) -> io::Result<Self> {
        match std::fs::read(directory.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        }
    }

    /// Writes a file that appears whole or not at all.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)?;
        let draft = directory.join(".koski.json.tmp");
        std::fs::write(&draft, serde_json::to_vec(self)?)?;
        std::fs::rename(draft, directory.join(FILE))
    }

    /// How many study rights stand.
    pub(super) fn standing(&self) -> usize {
        self.rights.iter().filter(|right| right.erased.is_none()).count()
    }

    /// How many versions the study right of a source's key has; none once it is erased.
    pub(super) fn versions(&self, source_id: &str) -> usize {
        self.rights.iter().find(|r| r.source.0 == source_id && r.erased.is_none()).map_or(0, |r| r.versions.len())
    }

    /// Takes a learner with study rights, all or nothing of it.
    pub(super) fn put(&mut self, request: &Value, now: Timestamp, create_only: bool) -> Result<Value, Errors> {
        let rights = request["opiskeluoikeudet"].as_array().filter(|rights| !rights.is_empty());
        let (Some(rights), true) = (rights, request["henkilö"].is_object()) else {
            return Err(errors(&["badRequest.validation.jsonSchema"]));
        };
        let today = now.to_zoned(TimeZone::UTC).date();
        let mut wrong = rules::person(&request["henkilö"]);
        wrong.extend(rights.iter().flat_map(|right| rules::right(right, today)));
        let known = self.person(&Person::read(&request["henkilö"]));
        let result = match (wrong.is_empty(), known) {
            (false, _) => Err(errors(&wrong)),
            (true, Err(key)) => Err(errors(&[key])),
            (true, Ok(person)) => {
                let verdict: Result<Vec<_>, Errors> =
                    rights.iter().map(|right| self.place(&person, right, create_only)).collect();
                verdict.map(|places| self.store(person, rights, &places, now))
            }
        };
        for right in rights {
            let key = right.pointer("/lähdejärjestelmänId/id").and_then(Value::as_str).unwrap_or_default();
            self.errors.retain(|(failed, _)| failed != key);
            if let Err(keys) = &result {
                self.errors.push((key.to_owned(), keys.clone()));
            }
        }
        result
    }

    /// The person of a request: by OID, else by identity code; one not known yet has no OID.
    fn person(&self, asked: &Person) -> Result<Person, &'static str> {
        match (asked.oid.is_empty(), &asked.hetu) {
            (false, _) => {
                let known = self.people.iter().find(|person| person.oid == asked.oid);
                known.cloned().ok_or("notFound.oppijaaEiLöydyTaiEiOikeuksia")
            }
            (true, hetu) => Ok(self.people.iter().find(|p| p.hetu == *hetu).unwrap_or(asked).clone()),
        }
    }

    /// Where a study right belongs: the place of the one it replaces, if there is one.
    fn place(&self, person: &Person, right: &Value, create_only: bool) -> Result<Option<usize>, Errors> {
        let text = |pointer: &str| right.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let source = (text("/lähdejärjestelmänId/id"), text("/oppilaitos/oid"));
        let of_person = |r: &Right| !person.oid.is_empty() && r.person == person.oid;
        let by_source = |r: &&Right| of_person(r) && (r.source.0.as_str(), r.school.as_str()) == source;
        if self.rights.iter().filter(by_source).any(|r| r.erased == Some(Erased::ConsentWithdrawn)) {
            return Err(errors(&["forbidden.suostumusPeruttu"]));
        }
        let named = right["oid"].as_str();
        let place = self.rights.iter().position(|r| match named {
            Some(oid) => r.oid == oid && r.erased.is_none(),
            None => by_source(&r) && r.erased.is_none(),
        });
        let held = place.map(|at| &self.rights[at]);
        if named.is_some() && held.is_none() {
            return Err(errors(&["notFound.opiskeluoikeuttaEiLöydyTaiEiOikeuksia"]));
        }
        if held.is_some_and(|held| !of_person(held)) {
            return Err(errors(&["forbidden.oppijaOidinMuutos"]));
        }
        if create_only && held.is_some() {
            return Err(errors(&["conflict.exists"]));
        }
        let version = right["versionumero"].as_u64();
        if held.is_some_and(|held| version.is_some_and(|version| version != held.versions.len() as u64)) {
            return Err(errors(&["conflict.versionumero"]));
        }
        let twin = |(at, r): (usize, &Right)| {
            let content = r.versions.last().map(|version| &version.content);
            place != Some(at)
                && of_person(r)
                && r.erased.is_none()
                && content.is_some_and(|content| rules::sameness(content) == rules::sameness(right))
        };
        match self.rights.iter().enumerate().any(twin) {
            true => Err(errors(&["badRequest.validation.vapaasivistystyo.duplikaattiOsaamismerkki"])),
            false => Ok(place),
        }
    }

    fn store(&mut self, mut person: Person, rights: &[Value], places: &[Option<usize>], now: Timestamp) -> Value {
        if person.oid.is_empty() {
            person.oid = self.issue(node::PERSON);
            self.people.push(person.clone());
        }
        let mut answers = Vec::new();
        for (right, place) in rights.iter().zip(places) {
            let mut content = right.clone();
            for name in ["oid", "versionumero", "aikaleima"] {
                content.as_object_mut().map(|right| right.remove(name));
            }
            let text = |pointer: &str| right.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let version = Version { at: now, content };
            let at = match *place {
                Some(at) if self.rights[at].versions.last().is_some_and(|last| last.content == version.content) => at,
                Some(at) => {
                    self.rights[at].versions.push(version);
                    at
                }
                None => {
                    let oid = self.issue(node::STUDY_RIGHT);
                    self.rights.push(Right {
                        oid,
                        person: person.oid.clone(),
                        source: (
                            text("/lähdejärjestelmänId/id"),
                            text("/lähdejärjestelmänId/lähdejärjestelmä/koodiarvo"),
                        ),
                        school: text("/oppilaitos/oid"),
                        versions: vec![version],
                        erased: None,
                    });
                    self.rights.len() - 1
                }
            };
            let right = &self.rights[at];
            answers.push(json!({ "oid": right.oid, "versionumero": right.versions.len(),
                "lähdejärjestelmänId": right.versions.last().map(|last| &last.content["lähdejärjestelmänId"]) }));
        }
        json!({ "henkilö": { "oid": person.oid }, "opiskeluoikeudet": answers })
    }

    fn issue(&mut self, node: u16) -> String {
        self.issued += 1;
        oid(node, self.issued)
    }

    /// Somebody else changes the study right of a source's key.
    pub(super) fn edit(&mut self, source_id: &str, now: Timestamp) {
        let mut held = self.rights.iter_mut().filter(|right| right.source.0 == source_id && right.erased.is_none());
        if let Some(right) = held.next()
            && let Some(last) = right.versions.last()
        {
            let mut content = last.content.clone();
            content["lisätiedot"] = json!({ "muutos": right.versions.len() });
            right.versions.push(Version { at: now, content });
        }
    }

    /// A learner with what stands of hers; `since` leaves out what was not changed then or later.
    fn learner(&self, person: &Person, since: Option<Timestamp>) -> Value {
        let changed =
            |right: &&Right| right.versions.last().is_some_and(|last| since.is_none_or(|since| last.at >= since));
        let mine: Vec<&Right> = self.rights.iter().filter(|right| right.person == person.oid).collect();
        let shown = if since.is_none() || mine.iter().any(changed) { mine } else { Vec::new() };
        let rights: Vec<Value> = shown.into_iter().filter_map(|right| right.json(right.versions.len())).collect();
        json!({ "henkilö": person.json(), "opiskeluoikeudet": rights })
    }

    /// The learner of an OID with all that stands of hers.
    pub(super) fn by_person(&self, oid: &str) -> Result<Value, Errors> {
        let found = self.people.iter().find(|person| person.oid == oid).map(|person| self.learner(person, None));
        found
            .filter(|learner| learner["opiskeluoikeudet"].as_array().is_some_and(|rights| !rights.is_empty()))
            .ok_or_else(|| errors(&["notFound.oppijaaEiLöydyTaiEiOikeuksia"]))
    }

    /// All learners of whom something was changed in a time.
    pub(super) fn changed(&self, since: Option<Timestamp>) -> Value {
        let all = self.people.iter().map(|person| self.learner(person, since));
        all.filter(|learner| learner["opiskeluoikeudet"].as_array().is_some_and(|rights| !rights.is_empty())).collect()
    }

    /// The people of an identity code or OID.
    pub(super) fn search(&self, query: &str) -> Value {
        let found = self.people.iter().filter(|person| person.oid == query || person.hetu.as_deref() == Some(query));
        json!({ "henkilöt": found.map(Person::json).collect::<Vec<_>>() })
    }

    fn right(&self, oid: &str) -> Result<usize, Errors> {
        let place = self.rights.iter().position(|right| right.oid == oid && right.erased.is_none());
        place.ok_or_else(|| errors(&["notFound.opiskeluoikeuttaEiLöydyTaiEiOikeuksia"]))
    }

    /// A study right in a version, the last one without.
    pub(super) fn version(&self, oid: &str, number: Option<usize>) -> Result<Value, Errors> {
        let right = &self.rights[self.right(oid)?];
        let found = right.json(number.unwrap_or(right.versions.len()));
        found.ok_or_else(|| errors(&["notFound.versiotaEiLöydy"]))
    }

    /// When each version of a study right came about.
    pub(super) fn history(&self, oid: &str) -> Result<Value, Errors> {
        let versions = self.rights[self.right(oid)?].versions.iter().enumerate();
        let row =
            |(at, version): (usize, &Version)| json!({ "versionumero": at + 1, "aikaleima": version.at.to_string() });
        Ok(versions.map(row).collect())
    }

    /// Erases a study right and its history; its key stays known.
    pub(super) fn erase(&mut self, oid: &str, consent_withdrawn: bool) -> Result<(), Errors> {
        let at = self.right(oid)?;
        self.rights[at].versions.clear();
        self.rights[at].erased = Some(if consent_withdrawn { Erased::ConsentWithdrawn } else { Erased::Invalidated });
        Ok(())
    }

    /// The OID of the study right of a source's key.
    pub(super) fn oid(&self, source_id: &str) -> Option<String> {
        self.rights.iter().rev().find(|right| right.source.0 == source_id).map(|right| right.oid.clone())
    }

    pub(super) fn failed(&self) -> Value {
        let row = |(key, errors): &(String, Vec<String>)| json!({ "lähdejärjestelmänId": key, "virheet": errors });
        self.errors.iter().map(row).collect()
    }
}

/// The file of a store.
const FILE: &str = "koski.json";

impl Right {
    /// A version as it is shown: with OID, number, time, and the names of codes.
    fn json(&self, number: usize) -> Option<Value> {
        let version = self.versions.get(number.checked_sub(1)?)?;
        let mut shown = version.content.clone();
        let day = shown.pointer("/tila/opiskeluoikeusjaksot/0/alku").cloned().unwrap_or_default();
        let code = shown.pointer("/suoritukset/0/koulutusmoduuli/tunniste/koodiarvo").and_then(Value::as_str);
        let name = rules::badge_name(code.unwrap_or_default());
        if let Some(tag) = shown.pointer_mut("/suoritukset/0/koulutusmoduuli/tunniste") {
            tag["nimi"] = name.unwrap_or_default();
            tag["koodistoVersio"] = 1.into();
        }
        if let Some(assessment) = shown.pointer_mut("/suoritukset/0/arviointi/0") {
            assessment["hyväksytty"] = true.into();
        }
        let own = json!({ "oid": self.oid, "versionumero": number, "aikaleima": version.at.to_string(),
            "alkamispäivä": day, "päättymispäivä": day });
        Some(tree::merge(shown, own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_outlasts_the_process() {
        let directory = std::env::temp_dir().join(format!("silta-koski-{}", std::process::id()));
        let mut store = Store::read(&directory).expect("nothing yet");
        store.people.push(Person { oid: store.issued.to_string(), hetu: None, names: Default::default() });
        store.issue(node::PERSON);
        store.write(&directory).expect("writes");
        let again = Store::read(&directory).expect("reads");
        std::fs::remove_dir_all(&directory).expect("removed");
        assert_eq!((again.people, again.issued), (store.people, 1));
    }
}
