//! A projection as a credential: EDC v3 compacted JSON-LD, written straight into bytes.

mod claim;
mod kept;

use crate::json::Json;
use crate::project::Projection;
use crate::rest::{self, Section};
use crate::terms::{self, UNDETERMINED};
use silta_adapter::adapter::EncodeContext;
use silta_adapter::mapping::{CodeList, Institution};
use silta_adapter::record::{Body, Coded, Date, Head, Learner, RecordKey, Text, Texts};
use smol_str::SmolStr;
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
        organisations: Vec::new(),
        images: Vec::new(),
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
    counts: Vec<(SmolStr, u32)>,
    /// Organisations written before: every other mention repeats them, id and all, but for their images.
    organisations: Vec<(AwardingBody<'a>, Vec<u8>)>,
    /// Images written before, each with the place it was written at. They are stored once.
    images: Vec<Image<'a>>,
}

/// All that tells awarding bodies apart.
#[derive(PartialEq)]
struct AwardingBody<'a> {
    scheme: &'a str,
    value: &'a str,
    country: Option<&'a str>,
    rest: Section<'a>,
}

/// An image that was written.
struct Image<'a> {
    content: &'a str,
    /// A mention of it by its id.
    mention: String,
    place: Range<usize>,
}

impl<'a, 'c> Writer<'a, 'c> {
    fn list(&self, name: &str) -> &'c CodeList {
        self.ctx.mappings.list(name)
    }

    /// Starts a node of its own id and type; its number.
    fn node(&mut self, kind: &str, node_type: &str) -> u32 {
        let number = self.number(kind);
        self.json.open(b'{').key("id").plain(format_args!("urn:epass:{kind}:{number}"));
        self.json.key("type").string(node_type);
        number
    }

    /// The next number of a kind of node.
    fn number(&mut self, kind: &str) -> u32 {
        match self.counts.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.counts.push((kind.into(), 1));
                1
            }
        }
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

    /// A label is not compared, so what a language map cannot hold of it is left out.
    fn unique_texts(&mut self, name: &str, label: &Texts) {
        let mut texts = Texts::default();
        for text in label {
            let lang = text.lang.clone().filter(|lang| terms::is_language(lang));
            let same = |t: &Text| {
                t.lang.as_deref().unwrap_or_default().eq_ignore_ascii_case(lang.as_deref().unwrap_or_default())
            };
            if !texts.iter().any(same) {
                texts.0.push(Text { lang, value: text.value.clone() });
            }
        }
        self.texts(name, &texts);
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

    /// A value of somebody's own list, with the label it came with.
    fn own_concept(&mut self, code: &Coded) {
        self.json.open(b'{').key("id").string(&code.value).key("type").string("Concept");
        self.json.key("inScheme").open(b'{').key("id").string(&code.scheme);
        self.json.key("type").string("ConceptScheme").close(b'}');
        self.unique_texts("prefLabel", &code.label);
        self.json.close(b'}');
    }

    fn coded(&mut self, code: &Coded, list: &CodeList) {
        if code.scheme == list.scheme.as_str() {
            self.concept(&code.value, &code.scheme, list);
        } else {
            self.own_concept(code);
        }
    }

    fn code(&mut self, name: &str, code: Option<&Coded>, list: &str) {
        if let Some(code) = code {
            self.json.key(name);
            self.coded(code, self.list(list));
        }
    }

    fn codes<'s>(&mut self, name: &str, codes: impl IntoIterator<Item = &'s Coded>, list: &str) {
        let list = self.list(list);
        self.array(name, codes, |w, code| w.coded(code, list));
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
        let (title, awarding_body, country) = match body {
            Body::Attainment(a) => {
                self.date("validUntil", a.expires_on.map(|end| end.0));
                (&a.title, &a.awarding_body, a.country.as_ref())
            }
            Body::Activity(a) => (&a.title, &a.awarding_body, None),
            _ => return,
        };
        self.display(title);
        self.json.key("issuer");
        let rest = Section::of(body.extensions(), rest::AWARDING_BODY);
        self.organisation(awarding_body.as_ref(), country, rest);
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
            self.elements(Section::of(&learner.extensions, rest::PERSON).values("identifier"));
        }
        self.json.close(b']');
        if let Some((_, learner)) = learner {
            self.particulars(learner, national);
            self.rest(Section::of(&learner.extensions, rest::PERSON), &["identifier", "contactPoint"]);
        }
        let root = &self.projection.root;
        self.json.key("hasClaim");
        self.claim(root);
        self.end();
    }

    fn particulars(&mut self, learner: &'a Learner, national: Option<usize>) {
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
        let contacts = Section::of(&learner.extensions, rest::PERSON);
        self.joined("contactPoint", learner.email.is_some(), contacts, |w| {
            w.node("contactPoint", "ContactPoint");
            if let Some(email) = &learner.email {
                w.json.key("emailAddress").open(b'{').key("id").plain(format_args!("mailto:{email}"));
                w.json.key("type").string("Mailbox").close(b'}');
            }
            w.end();
        });
    }

    /// An awarding body: a known institution by the facts about it, another by what the record says of it.
    fn organisation(&mut self, code: Option<&'a Coded>, country: Option<&'a Coded>, rest: Section<'a>) {
        // The projection refused what cannot be written.
        let Some(code) = code else { return };
        let country = country.map(|country| country.value.as_str());
        let body = AwardingBody { scheme: &code.scheme, value: &code.value, country, rest };
        if let Some((_, written)) = self.organisations.iter().find(|(known, _)| *known == body) {
            self.json.raw(written);
            return;
        }
        let start = self.json.position();
        match terms::institution(code, self.ctx.mappings) {
            Some(institution) => self.institution(institution, rest),
            None => self.other_body(code, country, rest),
        }
        let written = self.without_images(start);
        self.organisations.push((body, written));
    }

    fn other_body(&mut self, code: &Coded, country: Option<&str>, rest: Section<'a>) {
        self.node("org", "Organisation");
        self.unique_texts("legalName", &code.label);
        self.joined("identifier", code.scheme != terms::LEGAL_NAME, rest, |w| {
            w.node("identifier", "Identifier");
            w.json.key("notation").string(&code.value).key("schemeName").string(&code.scheme);
            w.end();
        });
        if !rest.has("location") {
            self.location(country);
        }
        self.rest(rest, &["identifier"]);
        self.end();
    }

    fn institution(&mut self, institution: &Institution, rest: Section<'a>) {
        self.node("org", "Organisation");
        self.json.key("legalName").open(b'{');
        for (lang, name) in &institution.name {
            self.json.key(lang).string(name);
        }
        self.json.close(b'}');
        self.joined("identifier", true, rest, |w| {
            w.node("identifier", "Identifier");
            w.json.key("notation").string(&institution.code).key("schemeName").string(terms::ORGANISATION);
            w.end();
        });
        let country = self.list("country").meaning("iso-3166-1-alpha-2", &institution.country);
        if !rest.has("location") {
            self.location(country.map(|country| country.value.as_str()));
        }
        self.rest(rest, &["identifier"]);
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
