//! A projection as a credential: EDC v3 compacted JSON-LD, written straight into bytes.

mod claim;

use crate::json::Json;
use crate::project::Projection;
use crate::terms::{self, UNDETERMINED};
use silta_adapter::adapter::EncodeContext;
use silta_adapter::mapping::{CodeList, Institution};
use silta_adapter::record::{Body, Coded, Date, Head, Learner, RecordKey, Text, Texts};
use smol_str::SmolStr;
use std::collections::HashMap;
use std::ops::Range;
use uuid::Uuid;

/// The namespace of credential ids (a version 5 UUID's).
const NAMESPACE: Uuid = Uuid::from_u128(0x51_17_a0_0e_1d_00_4c_0d_9a_3e_5c_1e_d3_27_11_a1);

/// One credential.
pub(crate) fn credential(projection: &Projection<'_>, ctx: &EncodeContext<'_>) -> Vec<u8> {
    let mut writer = Writer {
        json: Json::with_capacity(8 << 10),
        ctx,
        projection,
        counts: Vec::new(),
        organisations: HashMap::new(),
    };
    writer.credential();
    writer.json.into_bytes()
}

/// What identifies a credential: the same for every retry of one debt.
fn credential_id(key: &RecordKey, generation: u64) -> Uuid {
    let RecordKey { tenant, source, kind, institution, id } = key;
    let name = [tenant, source, kind.name(), institution, id].map(|part| format!("{}:{part}", part.len())).concat();
    Uuid::new_v5(&NAMESPACE, format!("{name}#{generation}").as_bytes())
}

struct Writer<'a, 'c> {
    json: Json,
    ctx: &'a EncodeContext<'c>,
    projection: &'a Projection<'a>,
    /// How many nodes of a kind there are already.
    counts: Vec<(&'static str, u32)>,
    /// Where an organisation was written first: every other mention repeats it byte for byte, id and all.
    organisations: HashMap<SmolStr, Range<usize>>,
}

impl<'a, 'c> Writer<'a, 'c> {
    fn list(&self, name: &str) -> &'c CodeList {
        self.ctx.mappings.list(name)
    }

    /// Starts a node of its own id and type.
    fn node(&mut self, kind: &'static str, node_type: &str) {
        let number = match self.counts.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.counts.push((kind, 1));
                1
            }
        };
        self.json.open(b'{').key("id").plain(format_args!("urn:epass:{kind}:{number}"));
        self.json.key("type").string(node_type);
    }

    fn end(&mut self) {
        self.json.close(b'}');
    }

    fn array<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return;
        }
        self.json.key(name).open(b'[');
        for item in items {
            self.json.element();
            write(self, item);
        }
        self.json.close(b']');
    }

    fn texts(&mut self, name: &str, texts: &Texts) {
        if texts.is_empty() {
            return;
        }
        self.json.key(name).open(b'{');
        for Text { lang, value } in texts {
            self.json.key(lang.as_deref().unwrap_or(UNDETERMINED)).string(value);
        }
        self.json.close(b'}');
    }

    /// Text of which nobody says the language.
    fn text(&mut self, name: &str, value: &str) {
        self.json.key(name).open(b'{').key(UNDETERMINED).string(value).close(b'}');
    }

    fn note(&mut self, name: &str, texts: &Texts) {
        if !texts.is_empty() {
            self.json.key(name);
            self.node("note", "Note");
            self.texts("noteLiteral", texts);
            self.end();
        }
    }

    fn date(&mut self, name: &str, date: Option<Date>) {
        if let Some(Date { day, .. }) = date {
            let (y, m, d) = (day.year(), day.month(), day.day());
            self.json.key(name).plain(format_args!("{y:04}-{m:02}-{d:02}T00:00:00Z"));
        }
    }

    /// A value of a controlled list. Labels come from the list alone, so that one id never has two contents.
    fn concept(&mut self, id: &str, scheme: &str, list: &CodeList) {
        self.json.open(b'{').key("id").string(id).key("type").string("Concept");
        self.json.key("inScheme").open(b'{').key("id").string(scheme);
        self.json.key("type").string("ConceptScheme").close(b'}');
        if let Some(entry) = list.get(id).filter(|entry| !entry.label.is_empty()) {
            self.json.key("prefLabel").open(b'{');
            for (lang, label) in &entry.label {
                self.json.key(lang).string(label);
            }
            self.json.close(b'}');
        }
        self.json.close(b'}');
    }

    fn code(&mut self, name: &str, code: Option<&Coded>, list: &str) {
        if let Some(code) = code {
            self.json.key(name);
            self.concept(&code.value, &code.scheme, self.list(list));
        }
    }

    fn codes<'s>(&mut self, name: &str, codes: impl IntoIterator<Item = &'s Coded>, list: &str) {
        let list = self.list(list);
        self.array(name, codes, |w, code| w.concept(&code.value, &code.scheme, list));
    }

    fn identifier(&mut self, scheme: &str, rest: &str, notation: &str) {
        self.json.element();
        self.node("identifier", "Identifier");
        self.json.key("notation").string(notation).key("schemeName");
        if rest.is_empty() {
            self.json.string(scheme)
        } else {
            self.json.string(&[scheme, rest].concat())
        };
        self.end();
    }

    fn record_key(&mut self, key: &RecordKey) {
        self.identifier(terms::RECORD, &format!("{}:{}", key.kind, key.institution), &key.id);
    }

    fn credential(&mut self) {
        let Some((head, body)) = &self.projection.records[self.projection.root.record] else { return };
        self.json.open(b'{').key("@context").open(b'[');
        terms::CONTEXTS.iter().for_each(|context| {
            self.json.element().string(context);
        });
        self.json.close(b']').key("id");
        self.json.plain(format_args!("urn:credential:{}", credential_id(&head.key, self.ctx.generation)));
        self.json.key("type").open(b'[');
        terms::TYPES.iter().for_each(|t| {
            self.json.element().string(t);
        });
        self.json.close(b']').key("credentialProfiles");
        let profiles = self.list("credential");
        self.concept(terms::GENERIC, &profiles.scheme, profiles);
        self.json.key("credentialSchema").open(b'{').key("id").string(terms::SCHEMA);
        self.json.key("type").string("ShaclValidator2017").close(b'}');
        for name in ["validFrom", "issuanceDate", "issued"] {
            let instant = self.ctx.instant.strftime("%Y-%m-%dT%H:%M:%SZ");
            self.json.key(name).plain(format_args!("{instant}"));
        }
        let (title, awarding_body) = match body {
            Body::Attainment(a) => {
                self.date("validUntil", a.expires_on.map(|end| end.0));
                (&a.title, &a.awarding_body)
            }
            Body::Activity(a) => (&a.title, &a.awarding_body),
            _ => return,
        };
        self.display(title);
        self.json.key("issuer");
        self.organisation(awarding_body.as_ref());
        self.json.key("credentialSubject");
        self.person(head);
        self.end();
    }

    fn display(&mut self, title: &Texts) {
        self.json.key("displayParameter");
        self.node("displayParameter", "DisplayParameter");
        self.texts("title", title);
        let list = self.list("language");
        let meaning = |text: &Text| list.meaning("iso-639-1", text.lang.as_deref()?);
        let mut languages: Vec<&str> = title.iter().filter_map(meaning).map(|code| code.value.as_str()).collect();
        if languages.is_empty() {
            languages.extend(list.meaning("iso-639-2", UNDETERMINED).map(|code| code.value.as_str()));
        }
        self.array("language", &languages, |w, language| w.concept(language, &list.scheme, list));
        if let Some(language) = languages.first() {
            self.json.key("primaryLanguage");
            self.concept(language, &list.scheme, list);
        }
        self.end();
    }

    fn person(&mut self, head: &Head) {
        self.node("person", "Person");
        let learner = self.projection.learner.and_then(|at| self.projection.records[at].as_ref());
        let learner = learner.and_then(|(head, body)| match body {
            Body::Learner(learner) => Some((*head, &**learner)),
            _ => None,
        });
        let national = learner.and_then(|(_, l)| l.identifiers.iter().position(|i| i.scheme == Learner::HETU));
        self.json.key("identifier").open(b'[');
        self.identifier(terms::LEARNER, "", &head.learner);
        if let Some((head, learner)) = learner {
            self.record_key(&head.key);
            for (_, i) in learner.identifiers.iter().enumerate().filter(|(nth, _)| Some(*nth) != national) {
                self.identifier(&i.scheme, "", &i.value);
            }
        }
        self.json.close(b']');
        if let Some((_, learner)) = learner {
            self.particulars(learner, national);
        }
        let root = &self.projection.root;
        self.json.key("hasClaim");
        self.claim(root);
        self.end();
    }

    fn particulars(&mut self, learner: &Learner, national: Option<usize>) {
        for (name, value) in [
            ("givenName", &learner.given_names),
            ("familyName", &learner.family_name),
            ("fullName", &learner.full_name),
        ] {
            if let Some(value) = value {
                self.text(name, value);
            }
        }
        self.date("dateOfBirth", learner.date_of_birth);
        let countries = self.list("country");
        let finland = countries.meaning("iso-3166-1-alpha-2", "FI");
        if let (Some(nth), Some(finland)) = (national, finland) {
            self.json.key("nationalID");
            self.node("legalIdentifier", "LegalIdentifier");
            self.json.key("notation").string(&learner.identifiers[nth].value);
            self.json.key("schemeName").string(Learner::HETU).key("spatial");
            self.concept(&finland.value, &countries.scheme, countries);
            self.end();
        }
        self.codes("citizenshipCountry", &learner.citizenships, "country");
        if let Some(email) = &learner.email {
            self.json.key("contactPoint");
            self.node("contactPoint", "ContactPoint");
            self.json.key("emailAddress").open(b'{').key("id").plain(format_args!("mailto:{email}"));
            self.json.key("type").string("Mailbox").close(b'}');
            self.end();
        }
    }

    fn organisation(&mut self, code: Option<&Coded>) {
        // The projection refused what is unknown.
        let Some(institution) = code.and_then(|c| self.ctx.mappings.institutions.get(&c.value)) else { return };
        if let Some(range) = self.organisations.get(&institution.code) {
            self.json.again(range.clone());
            return;
        }
        let start = self.json.position();
        self.institution(institution);
        self.organisations.insert(institution.code.clone(), start..self.json.position());
    }

    fn institution(&mut self, institution: &Institution) {
        self.node("org", "Organisation");
        self.json.key("legalName").open(b'{');
        for (lang, name) in &institution.name {
            self.json.key(lang).string(name);
        }
        self.json.close(b'}').key("identifier");
        self.node("identifier", "Identifier");
        self.json.key("notation").string(&institution.code).key("schemeName").string(terms::ORGANISATION);
        self.end();
        let country = self.list("country").meaning("iso-3166-1-alpha-2", &institution.country);
        self.location(country.map(|country| country.value.as_str()));
        self.end();
    }

    /// Where an organisation is: its country, a value of the list.
    fn location(&mut self, country: Option<&str>) {
        self.json.key("location");
        self.node("location", "Location");
        self.json.key("address");
        self.node("address", "Address");
        let countries = self.list("country");
        if let Some(country) = country {
            self.json.key("countryCode");
            self.concept(country, &countries.scheme, countries);
        }
        self.end();
        self.end();
    }
}
