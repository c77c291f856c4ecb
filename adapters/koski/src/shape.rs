//! What records and Koski's JSON say alike: the tree that a record's own fields make, and the fields read off a tree.
//! Everything else of a document is kept beside them, under [`NAMESPACE`] what was sent and under [`DOCUMENT`] what the
//! store says of its own accord.

use crate::own;
use serde_json::{Map, Value, json};
use silta_adapter::record::{
    Attainment, Coded, Date, EndDate, Extensions, Grade, GradeScale, Identifier, Learner, StudyRight, Text, Texts,
};
use silta_adapter::tree;

/// The namespace of Koski's own JSON in the extensions of a record.
pub(crate) const NAMESPACE: &str = "koski";
/// The same for what Koski adds: ids, versions, times, names of codes. Not compared.
pub(crate) const DOCUMENT: &str = "koski.document";

/// The scheme of types of attainment (code set `suorituksentyyppi`).
pub(crate) const TYPE: &str = "koski:suorituksentyyppi";
/// The type of a national competence badge.
pub(crate) const BADGE: &str = "vstosaamismerkki";
/// The scheme of grading scales; the scale's code is the code set of its grades.
pub(crate) const SCALE: &str = "koski:arviointiasteikko";
/// The scale of badges.
pub(crate) const BADGE_SCALE: &str = "arviointiasteikkovst";
/// The scheme of organisations' OIDs.
pub(crate) const ORGANISATION: &str = "fi:organisaatio-oid";
/// The scheme of types of study right.
const RIGHT_TYPE: &str = "koski:opiskeluoikeudentyyppi";
/// The state in which a study right has ended with what was to be achieved.
const ACHIEVED: &str = "hyvaksytystisuoritettu";
/// Languages of Koski's texts.
pub(crate) const LANGUAGES: [&str; 3] = ["fi", "sv", "en"];

/// What the store says of its own accord about a study right.
const RIGHT_OWN: [&str; 8] = [
    "oid",
    "versionumero",
    "aikaleima",
    "lähdejärjestelmänId",
    "koulutustoimija",
    "alkamispäivä",
    "päättymispäivä",
    "arvioituPäättymispäivä",
];
/// What the store says of its own accord about a person; it has that from the population register.
const PERSON_OWN: [&str; 4] = ["syntymäaika", "äidinkieli", "kansalaisuus", "turvakielto"];

/// A code as Koski writes it.
fn code(set: &str, value: &str) -> Value {
    json!({ "koodiarvo": value, "koodistoUri": set })
}

fn text_at<'a>(tree: &'a Value, pointer: &str) -> Option<&'a str> {
    tree.pointer(pointer).and_then(Value::as_str)
}

/// A date in exactly the form it is written in; another form stays beside the fields.
fn date_at(tree: &Value, pointer: &str) -> Option<Date> {
    let text = text_at(tree, pointer)?;
    text.parse::<Date>().ok().filter(|date| date.to_string() == text)
}

fn some(tree: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    value.map(|value| tree.insert(name.to_owned(), value.into()));
}

/// Keeps beside the fields what a tree has beyond their template.
fn keep(extensions: &mut Extensions, name: &str, tree: Value, template: &Value, own: &[&str]) {
    let (content, store) = own::part(tree, own);
    for (namespace, all) in [(NAMESPACE, content), (DOCUMENT, store)] {
        if let Some(rest) = all.and_then(|all| tree::subtract(all, template)) {
            extensions.set(namespace, &json!({ name: rest }));
        }
    }
}

/// The template with what was kept beside the fields laid over it.
fn whole(template: Value, extensions: &Extensions, name: &str) -> Value {
    [NAMESPACE, DOCUMENT].into_iter().fold(template, |tree, namespace| {
        let kept = extensions.0.get(namespace).and_then(|kept| kept.get(name)).cloned();
        tree::merge(tree, kept.unwrap_or_default())
    })
}

/// A body that has a tree at Koski.
pub(crate) trait Shape: Default {
    /// What the fields say.
    fn template(&self) -> Value;
    /// The fields, as far as a tree says them in the form that [`Shape::template`] writes.
    fn fields(tree: &Value) -> Self;
    /// The name under which the rest is kept, and what of the rest is the store's.
    const REST: (&'static str, &'static [&'static str]);
    /// Where the rest is kept.
    fn rest(&mut self) -> &mut Extensions;

    /// Reads a tree, nothing of which is lost.
    fn read(tree: Value) -> Self {
        let mut body = Self::fields(&tree);
        let template = body.template();
        keep(body.rest(), Self::REST.0, tree, &template, Self::REST.1);
        body
    }

    /// The whole tree.
    fn tree(&mut self) -> Value {
        let template = self.template();
        whole(template, self.rest(), Self::REST.0)
    }
}

impl Shape for Learner {
    const REST: (&'static str, &'static [&'static str]) = ("henkilö", &PERSON_OWN);

    fn template(&self) -> Value {
        let mut person = Map::new();
        some(&mut person, "hetu", self.identifier(Self::HETU).map(|value| value.as_str()));
        some(&mut person, "oid", self.identifier(Self::PERSON_OID).map(|value| value.as_str()));
        some(&mut person, "etunimet", self.given_names.as_deref());
        some(&mut person, "sukunimi", self.family_name.as_deref());
        // The name she goes by is one of the given ones; the first, unless the record says otherwise.
        let called = self.given_names.as_deref().and_then(|names| names.split_whitespace().next());
        some(&mut person, "kutsumanimi", called);
        Value::Object(person)
    }

    fn fields(tree: &Value) -> Self {
        let identifier = |pointer: &str, scheme: &str| {
            text_at(tree, pointer).map(|value| Identifier { scheme: scheme.into(), value: value.into() })
        };
        Self {
            identifiers: [identifier("/hetu", Self::HETU), identifier("/oid", Self::PERSON_OID)]
                .into_iter()
                .flatten()
                .collect(),
            given_names: text_at(tree, "/etunimet").map(str::to_owned),
            family_name: text_at(tree, "/sukunimi").map(str::to_owned),
            ..Self::default()
        }
    }

    fn rest(&mut self) -> &mut Extensions {
        &mut self.extensions
    }
}

/// A badge: a study right with one attainment, which is the badge.
impl Shape for Attainment {
    const REST: (&'static str, &'static [&'static str]) = ("opiskeluoikeus", &RIGHT_OWN);

    fn template(&self) -> Value {
        let organisation = self.awarding_body.as_ref().map(|body| json!({ "oid": body.value }));
        let mut module = Map::new();
        if let Some(value) = &self.national_code {
            let mut tag = code("osaamismerkit", value);
            if !self.title.is_empty() {
                tag["nimi"] = names(&self.title);
            }
            module.insert("tunniste".into(), tag);
        }
        let mut assessment = Map::new();
        some(&mut assessment, "arvosana", self.grade.as_ref().map(|g| code(&g.scale.code.value, &g.value)));
        some(&mut assessment, "päivä", self.assessed_on.map(|day| day.to_string()));
        let mut confirmation = Map::new();
        some(&mut confirmation, "päivä", self.issued_on.map(|day| day.to_string()));
        some(&mut confirmation, "myöntäjäOrganisaatio", organisation.clone());

        let mut badge = Map::new();
        some(&mut badge, "tyyppi", self.category.as_ref().map(|category| code("suorituksentyyppi", &category.value)));
        some(&mut badge, "koulutusmoduuli", (!module.is_empty()).then_some(module));
        some(&mut badge, "toimipiste", organisation.clone());
        some(&mut badge, "arviointi", (!assessment.is_empty()).then(|| json!([assessment])));
        some(&mut badge, "vahvistus", (!confirmation.is_empty()).then_some(confirmation));

        let mut right = Map::new();
        some(&mut right, "oppilaitos", organisation);
        right.insert("tyyppi".into(), code("opiskeluoikeudentyyppi", "vapaansivistystyonkoulutus"));
        let ended = self.completed_on.map(|day| {
            json!({ "opiskeluoikeusjaksot": [
                { "alku": day.to_string(), "tila": code("koskiopiskeluoikeudentila", ACHIEVED) }] })
        });
        some(&mut right, "tila", ended);
        right.insert("suoritukset".into(), json!([badge]));
        Value::Object(right)
    }

    fn fields(tree: &Value) -> Self {
        let at = |pointer: &str| text_at(tree, pointer);
        let period = "/tila/opiskeluoikeusjaksot/0";
        let ended = at(&format!("{period}/tila/koodiarvo")) == Some(ACHIEVED);
        let grade = at("/suoritukset/0/arviointi/0/arvosana/koodiarvo").map(|value| {
            let scale = at("/suoritukset/0/arviointi/0/arvosana/koodistoUri").unwrap_or(BADGE_SCALE);
            passed_as(scale, value)
        });
        Self {
            category: at("/suoritukset/0/tyyppi/koodiarvo").map(|value| Coded::new(TYPE, value)),
            national_code: at("/suoritukset/0/koulutusmoduuli/tunniste/koodiarvo").map(Into::into),
            title: tree.pointer("/suoritukset/0/koulutusmoduuli/tunniste/nimi").map(texts).unwrap_or_default(),
            completed_on: date_at(tree, &format!("{period}/alku")).filter(|_| ended),
            assessed_on: date_at(tree, "/suoritukset/0/arviointi/0/päivä"),
            issued_on: date_at(tree, "/suoritukset/0/vahvistus/päivä"),
            grade,
            awarding_body: at("/oppilaitos/oid").map(|oid| Coded::new(ORGANISATION, oid)),
            ..Self::default()
        }
    }

    fn rest(&mut self) -> &mut Extensions {
        &mut self.extensions
    }
}

/// Any other study right, as a whole.
impl Shape for StudyRight {
    const REST: (&'static str, &'static [&'static str]) = ("opiskeluoikeus", &RIGHT_OWN);

    fn template(&self) -> Value {
        let mut right = Map::new();
        some(&mut right, "tyyppi", self.right_type.as_ref().map(|kind| code("opiskeluoikeudentyyppi", &kind.value)));
        some(&mut right, "oppilaitos", self.awarding_body.as_ref().map(|body| json!({ "oid": body.value })));
        some(&mut right, "alkamispäivä", self.start.map(|day| day.to_string()));
        some(&mut right, "päättymispäivä", self.end.map(|day| day.0.to_string()));
        Value::Object(right)
    }

    fn fields(tree: &Value) -> Self {
        Self {
            right_type: text_at(tree, "/tyyppi/koodiarvo").map(|value| Coded::new(RIGHT_TYPE, value)),
            awarding_body: text_at(tree, "/oppilaitos/oid").map(|oid| Coded::new(ORGANISATION, oid)),
            start: date_at(tree, "/alkamispäivä"),
            end: date_at(tree, "/päättymispäivä").map(EndDate),
            ..Self::default()
        }
    }

    fn rest(&mut self) -> &mut Extensions {
        &mut self.extensions
    }
}

/// A grade of a scale that is a code set.
pub(crate) fn passed_as(scale: &str, value: &str) -> Grade {
    let code = Coded::new(SCALE, scale);
    Grade { scale: GradeScale { code, title: Texts::default(), grades: Default::default() }, value: value.into() }
}

/// Texts in languages as Koski writes them.
fn names(texts: &Texts) -> Value {
    let named =
        texts.iter().filter_map(|text| Some((text.lang.as_ref()?.to_string(), Value::from(text.value.clone()))));
    Value::Object(named.collect())
}

fn texts(names: &Value) -> Texts {
    let named = |lang: &&str| names.get(*lang).and_then(Value::as_str).map(|value| Text::new(lang, value));
    LANGUAGES.iter().filter_map(named).collect()
}
