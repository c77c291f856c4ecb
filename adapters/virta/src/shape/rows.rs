//! The elements of VIRTA, each with its parts in schema order.

use super::value::{Chars, Hetu, Number, Value};
use super::{At, Need, Node, Visit, aside, blank, one, opt};
use crate::extensions::{CONTENT, VirtaAttainment, VirtaEnrolment, VirtaStudyRight};
use crate::names::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use silta_adapter::SmolStr;
use silta_adapter::record::{
    Attainment, Body, Coded, Credits, Date, Enrolment, EnrolmentFee, Fee, FieldShare, Grade, GradeScale, Identifier,
    Learner, MobilityPeriod, OrganisationRole, Part, Period, RecordKind, RightState, ScaleGrade, StudyPhase,
    StudyRight, TermsUsed, Text, Texts, Transfer,
};

/// A record as its element holds it: keys, body, and the parts that the body keeps elsewhere.
#[derive(Debug, Clone, Serialize)]
#[serde(bound = "")]
pub(crate) struct Row<B: RowKind> {
    /// Its key; enrolments have none.
    pub(crate) id: Option<SmolStr>,
    /// The learner's key; absent in a learner's own element.
    pub(crate) learner: Option<SmolStr>,
    pub(crate) body: Box<B>,
    /// The parts under the extension namespace `virta`, or a learner's identifiers.
    pub(crate) own: B::Own,
}

/// A body that VIRTA has an element for.
pub(crate) trait RowKind: Default + Clone + Serialize {
    /// Parts that the body keeps elsewhere.
    type Own: Default + Clone + PartialEq + Serialize + DeserializeOwned;
    const KIND: RecordKind;

    /// Walks the parts of its element.
    fn parts<V: Visit>(row: &mut Row<Self>, visit: &mut V) -> Result<(), V::Stop>;
    /// The institution that awarded it, as sent.
    fn awarding_body(&self) -> Option<&Coded>;
    /// Its id if it has none of its own.
    fn natural_id(_row: &Row<Self>) -> Option<SmolStr> {
        None
    }
    /// The parts that the body keeps elsewhere.
    fn own(&self) -> Self::Own;
    /// Puts parts that are kept elsewhere into the body.
    fn absorb(&mut self, own: Self::Own);
    /// The body as a record has it.
    fn boxed(self: Box<Self>) -> Body;
}

impl<B: RowKind> Node for Row<B> {
    type Spec = ();

    fn blank() -> Self {
        Self { id: None, learner: None, body: Box::default(), own: B::Own::default() }
    }
    fn walk<V: Visit>(&mut self, (): (), v: &mut V) -> Result<(), V::Stop> {
        if B::KIND != RecordKind::Enrolment {
            v.attr(one("avain", "/id"), Chars::KEY, &mut self.id)?;
        }
        if B::KIND != RecordKind::Learner {
            v.attr(one("opiskelijaAvain", "/learner"), Chars::KEY, &mut self.learner)?;
        }
        B::parts(self, v)
    }
}

/// The identifiers that VIRTA has elements for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, serde::Deserialize)]
pub(crate) struct LearnerIds {
    #[serde(skip)]
    pub(crate) hetu: Option<Hetu>,
    pub(crate) number: Option<SmolStr>,
}

impl RowKind for Learner {
    type Own = LearnerIds;
    const KIND: RecordKind = RecordKind::Learner;

    fn parts<V: Visit>(row: &mut Row<Self>, v: &mut V) -> Result<(), V::Stop> {
        let Row { body: r, own, .. } = row;
        v.leaf(opt("Henkilotunnus", "identifiers"), (), &mut own.hetu)?;
        v.leaf(opt("Sukunimi", "family_name"), Chars::text(200), &mut r.family_name)?;
        v.leaf(opt("Etunimet", "given_names"), Chars::text(200), &mut r.given_names)?;
        v.leaf(opt("Sukupuoli", "gender"), GENDER, &mut r.gender)?;
        v.leaf(opt("Kansalaisuus", "citizenships"), COUNTRY, &mut r.citizenships)?;
        v.leaf(opt("Aidinkieli", "first_language"), LANGUAGE, &mut r.first_language)?;
        v.leaf(opt("Asuinkunta", "municipality"), MUNICIPALITY, &mut r.municipality)?;
        v.leaf(opt("KirjoihintuloPvm", "registered_on"), (), &mut r.registered_on)?;
        v.leaf(opt("KansallinenOppijanumero", "identifiers"), Chars::CODE, &mut own.number)
    }
    fn awarding_body(&self) -> Option<&Coded> {
        None
    }
    fn own(&self) -> LearnerIds {
        let first = |scheme| self.identifiers.iter().find(|i| i.scheme == scheme && !i.value.is_empty());
        LearnerIds {
            hetu: first(Self::HETU).map(|identifier| Hetu(identifier.value.clone())),
            number: first(Self::LEARNER_NUMBER).map(|identifier| identifier.value.clone()),
        }
    }
    fn absorb(&mut self, own: LearnerIds) {
        let mut add = |scheme: &'static str, value: Option<SmolStr>| {
            self.identifiers.extend(value.map(|value| Identifier { scheme: SmolStr::new_static(scheme), value }));
        };
        add(Self::HETU, own.hetu.map(|hetu| hetu.0));
        add(Self::LEARNER_NUMBER, own.number.filter(|number| !number.is_empty()));
    }
    fn boxed(self: Box<Self>) -> Body {
        Body::Learner(self)
    }
}

/// The parts every body but a learner keeps under `virta`.
macro_rules! row_kind {
    ($body:ident, $own:ty) => {
        row_kind!($body, $own, |_body| {});
    };
    ($body:ident, $own:ty, |$r:ident| $tidy:expr) => {
        fn awarding_body(&self) -> Option<&Coded> {
            self.awarding_body.as_ref()
        }
        fn own(&self) -> $own {
            self.extensions.get(CONTENT).unwrap_or_default()
        }
        fn absorb(&mut self, own: $own) {
            if own != <$own>::default() {
                self.extensions.set(CONTENT, &own);
            }
        }
        fn boxed(self: Box<Self>) -> Body {
            #[allow(unused_mut)]
            let mut $r = self;
            $tidy;
            Body::$body($r)
        }
    };
}

impl RowKind for StudyRight {
    type Own = VirtaStudyRight;
    const KIND: RecordKind = RecordKind::StudyRight;

    fn parts<V: Visit>(row: &mut Row<Self>, v: &mut V) -> Result<(), V::Stop> {
        let Row { body: r, own, .. } = row;
        v.leaf(one("AlkuPvm", "start"), (), &mut r.start)?;
        v.leaf(opt("LoppuPvm", "end"), (), &mut r.end)?;
        v.node(one("Tila", "states"), (), &mut r.states)?;
        v.leaf(one("Tyyppi", "right_type"), RIGHT_TYPE, &mut r.right_type)?;
        v.leaf(one("Myontaja", "awarding_body"), ORGANISATION, &mut r.awarding_body)?;
        v.node(opt("Organisaatio", "organisations"), (), &mut r.organisations)?;
        v.node(opt("Jakso", "phases"), (), &mut r.phases)?;
        v.node(opt("Ensisijaisuus", "primary_periods"), (), &mut r.primary_periods)?;
        v.node(opt("Koulutusala", "field_of_study"), (), &mut r.field_of_study)?;
        v.leaf(opt("Erikoistumiskoulutus", "specialisation"), SPECIALISATION, &mut r.specialisation)?;
        v.node(opt("Liittyvyys", "related"), "liittyvaOpiskeluoikeusAvain", &mut r.related)?;
        v.node(opt("SiirtoOpiskelija", "transfer"), (), &mut r.transfer)?;
        v.node(opt("Laajuus", "credits"), (), &mut r.credits)?;
        v.node(opt("LukuvuosiMaksu", "fees"), (), &mut r.fees)?;
        v.leaf(opt("Jotpaasianumero", "extensions/virta/jotpaasianumero"), Chars::CODE, &mut own.jotpaasianumero)
    }
    row_kind!(StudyRight, VirtaStudyRight);
}

impl RowKind for Enrolment {
    type Own = VirtaEnrolment;
    const KIND: RecordKind = RecordKind::Enrolment;

    fn parts<V: Visit>(row: &mut Row<Self>, v: &mut V) -> Result<(), V::Stop> {
        let Row { body: r, own, .. } = row;
        v.attr(opt("opiskeluoikeusAvain", "study_right"), Chars::KEY, &mut r.study_right)?;
        v.leaf(one("Myontaja", "awarding_body"), ORGANISATION, &mut r.awarding_body)?;
        v.leaf(one("Tila", "state"), ENROLMENT_STATE, &mut r.state)?;
        v.leaf(one("IlmoittautumisPvm", "registered_on"), (), &mut r.registered_on)?;
        v.leaf(one("AlkuPvm", "start"), (), &mut r.start)?;
        v.leaf(opt("LoppuPvm", "end"), (), &mut r.end)?;
        let jasen = opt("YlioppilaskuntaJasen", "extensions/virta/ylioppilaskunta_jasen");
        v.leaf(jasen, (), &mut own.ylioppilaskunta_jasen)?;
        v.leaf(opt("YTHSMaksu", "extensions/virta/yths_maksu"), (), &mut own.yths_maksu)?;
        v.node(opt("LukuvuosiMaksu", "fee"), (), &mut r.fee)
    }
    fn natural_id(row: &Row<Self>) -> Option<SmolStr> {
        Some(enrolment_id(row.learner.as_deref()?, row.body.study_right.as_deref(), row.body.start))
    }
    row_kind!(Enrolment, VirtaEnrolment);
}

/// The id of an enrolment, which has no key of its own: learner, study right and first day, joined by `|`. A `|` or
/// `\` inside a key is preceded by `\`, so that no two tuples make the same id; a part that is absent is empty.
pub fn enrolment_id(learner: &str, study_right: Option<&str>, start: Option<Date>) -> SmolStr {
    let mut id = String::with_capacity(learner.len() + study_right.map_or(0, str::len) + 12);
    for (at, part) in [learner, study_right.unwrap_or("")].into_iter().enumerate() {
        if at > 0 {
            id.push('|');
        }
        for c in part.chars() {
            if matches!(c, '|' | '\\') {
                id.push('\\');
            }
            id.push(c);
        }
    }
    id.push('|');
    if let Some(start) = start {
        Date::new(start.day).text(&mut id);
    }
    id.into()
}

impl RowKind for Attainment {
    type Own = VirtaAttainment;
    const KIND: RecordKind = RecordKind::Attainment;

    fn parts<V: Visit>(row: &mut Row<Self>, v: &mut V) -> Result<(), V::Stop> {
        let Row { body: r, own, .. } = row;
        v.attr(blank("koulutusmoduulitunniste", "code"), Chars::MODULE, &mut r.code)?;
        v.attr(opt("valtakunnallinenKoulutusmoduulitunniste", "national_code"), Chars::MODULE, &mut r.national_code)?;
        v.attr(opt("opiskeluoikeusAvain", "study_right"), Chars::KEY, &mut r.study_right)?;
        v.leaf(one("SuoritusPvm", "completed_on"), (), &mut r.completed_on)?;
        v.node(one("Laajuus", "credits"), (), &mut r.credits)?;
        v.node(one("Arvosana", "grade"), (), &mut r.grade)?;
        v.leaf(one("Myontaja", "awarding_body"), ORGANISATION, &mut r.awarding_body)?;
        v.node(opt("Organisaatio", "organisations"), (), &mut r.organisations)?;
        v.leaf(one("Laji", "category"), CATEGORY, &mut r.category)?;
        v.node(opt("Nimi", "title"), (200, Need::Opt), &mut r.title)?;
        v.leaf(opt("Kieli", "language"), LANGUAGE, &mut r.language)?;
        v.leaf(opt("Koulutuskoodi", "education"), EDUCATION, &mut r.education)?;
        v.node(opt("Koulutusala", "fields_of_study"), (), &mut r.fields_of_study)?;
        v.node(opt("Sisaltyvyys", "parts"), (), &mut r.parts)?;
        v.leaf(opt("HyvaksilukuPvm", "recognised_on"), (), &mut r.recognised_on)?;
        let research = r.research.get_or_insert_default();
        v.node(opt("TKILaajuus", "research/thesis"), (), &mut research.thesis)?;
        v.node(opt("TKILaajuusHarjoittelu", "research/practice"), (), &mut research.practice)?;
        v.node(opt("TKILaajuusMuu", "research/other"), (), &mut research.other)?;
        let practice = opt("OpetusharjoitteluTyyppi", "extensions/virta/opetusharjoittelu_tyyppi");
        v.leaf(practice, Chars::CODE, &mut own.opetusharjoittelu_tyyppi)?;
        v.leaf(opt("Opinnaytetyo", "thesis"), (), &mut r.thesis)?;
        v.leaf(opt("Hankkeistettu", "extensions/virta/hankkeistettu"), (), &mut own.hankkeistettu)?;
        v.leaf(opt("Patevyys", "competences"), COMPETENCE, &mut r.competences)?;
        v.leaf(opt("Luokittelu", "classifications"), ATTAINMENT_CLASS, &mut r.classifications)?;
        v.node(opt("JulkinenLisatieto", "additional_info"), (4000, Need::Opt), &mut r.additional_info)
    }
    row_kind!(Attainment, VirtaAttainment, |body| {
        // Walking the parts makes a place for research credits that may have stayed empty.
        body.research = body.research.take().filter(|research| *research != Default::default());
    });
}

impl RowKind for MobilityPeriod {
    type Own = Nothing;
    const KIND: RecordKind = RecordKind::MobilityPeriod;

    fn parts<V: Visit>(row: &mut Row<Self>, v: &mut V) -> Result<(), V::Stop> {
        let r = &mut row.body;
        v.attr(opt("opiskeluoikeusAvain", "study_right"), Chars::KEY, &mut r.study_right)?;
        v.attr(opt("koulutusmoduulitunniste", "code"), Chars::MODULE, &mut r.code)?;
        v.attr(opt("valtakunnallinenKoulutusmoduulitunniste", "national_code"), Chars::MODULE, &mut r.national_code)?;
        v.leaf(one("Myontaja", "awarding_body"), ORGANISATION, &mut r.awarding_body)?;
        v.leaf(one("AlkuPvm", "start"), (), &mut r.start)?;
        v.leaf(one("LoppuPvm", "end"), (), &mut r.end)?;
        v.leaf(one("Suunta", "direction"), DIRECTION, &mut r.direction)?;
        v.leaf(one("Maa", "country"), COUNTRY, &mut r.country)?;
        v.leaf(opt("Tyyppi", "mobility_type"), MOBILITY_TYPE, &mut r.mobility_type)?;
        v.leaf(opt("Liikkuvuusohjelma", "programme"), MOBILITY_PROGRAMME, &mut r.programme)?;
        v.leaf(opt("OpiskeluoikeusTyyppi", "right_type"), RIGHT_TYPE, &mut r.right_type)?;
        v.leaf(opt("Luokittelu", "classifications"), MOBILITY_CLASS, &mut r.classifications)
    }
    row_kind!(MobilityPeriod, Nothing);
}

/// Nothing is kept elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, serde::Deserialize)]
pub(crate) struct Nothing {}

/// Implements [`Node`] for an element without attributes of its own meaning, from its blank form and its parts.
macro_rules! node {
    ($type:ty, $blank:expr, |$r:ident, $v:ident| $parts:expr) => {
        node!($type: (), $blank, |$r, _spec, $v| $parts);
    };
    ($type:ty: $spec:ty, $blank:expr, |$r:ident, $s:ident, $v:ident| $parts:expr) => {
        node!($type: $spec, $blank, |_r| false, |$r, $s, $v| $parts);
    };
    ($type:ty: $spec:ty, $blank:expr, |$f:ident| $foreign:expr, |$r:ident, $s:ident, $v:ident| $parts:expr) => {
        impl Node for $type {
            type Spec = $spec;

            fn blank() -> Self {
                $blank
            }
            fn is_foreign(&self) -> bool {
                let $f = self;
                $foreign
            }
            fn walk<V: Visit>(&mut self, $s: $spec, $v: &mut V) -> Result<(), V::Stop> {
                let $r = self;
                $parts
            }
        }
    };
}

fn no_code() -> Coded {
    Coded::new("", SmolStr::default())
}

fn period<V: Visit>(r: &mut Period, v: &mut V) -> Result<(), V::Stop> {
    v.leaf(one("AlkuPvm", "start"), (), &mut r.start)?;
    v.leaf(opt("LoppuPvm", "end"), (), &mut r.end)
}

node!(Period, Period { start: None, end: None }, |r, v| period(r, v));

node!(RightState, RightState { period: Period::blank(), state: no_code() }, |r, v| {
    period(&mut r.period, v)?;
    v.leaf(one("Koodi", "state"), RIGHT_STATE, &mut r.state)
});

node!(
    OrganisationRole: (),
    OrganisationRole { role: no_code(), organisation: no_code(), share: None },
    |r| r.role.flaw(ROLE).is_some() || r.organisation.flaw(ORGANISATION).is_some(),
    |r, _spec, v| {
        v.leaf(one("Rooli", "role"), ROLE, &mut r.role)?;
        v.leaf(one("Koodi", "organisation"), ORGANISATION, &mut r.organisation)?;
        v.leaf(opt("Osuus", "share"), Number::Share, &mut r.share)
    }
);

node!(StudyPhase, StudyPhase::default(), |r, v| {
    v.attr(blank("koulutusmoduulitunniste", "code"), Chars::MODULE, &mut r.code)?;
    v.attr(opt("valtakunnallinenKoulutusmoduulitunniste", "national_code"), Chars::MODULE, &mut r.national_code)?;
    v.leaf(one("AlkuPvm", "start"), (), &mut r.start)?;
    v.leaf(opt("LoppuPvm", "end"), (), &mut r.end)?;
    v.leaf(opt("Koulutuskoodi", "education"), EDUCATION, &mut r.education)?;
    v.leaf(one("Koulutuskunta", "municipality"), MUNICIPALITY, &mut r.municipality)?;
    v.leaf(opt("Koulutuskieli", "language"), LANGUAGE, &mut r.language)?;
    v.leaf(opt("Rahoituslahde", "funding"), FUNDING, &mut r.funding)?;
    v.leaf(opt("Patevyys", "competences"), COMPETENCE, &mut r.competences)?;
    v.leaf(opt("Luokittelu", "classifications"), RIGHT_CLASS, &mut r.classifications)?;
    v.node(opt("Nimi", "title"), (200, Need::One), &mut r.title)
});

node!(Transfer, Transfer::default(), |r, v| {
    v.attr(opt("lahdeOpiskeluoikeusAvain", "from"), Chars::KEY, &mut r.from)?;
    v.leaf(one("SiirtoPvm", "on"), (), &mut r.on)?;
    v.node(one("Lukukausikertyma", "terms_used"), (), &mut r.terms_used)
});

node!(TermsUsed, TermsUsed { state: no_code(), count: 0 }, |r, v| {
    v.leaf(one("IlmoittautuminenTila", "state"), ENROLMENT_STATE, &mut r.state)?;
    v.leaf(one("Maara", "count"), (), &mut r.count)
});

node!(Credits, Credits::default(), |r, v| {
    v.leaf(one("Opintopiste", "ects"), Number::Any, &mut r.ects)?;
    v.leaf(opt("Opintoviikko", "credit_weeks"), Number::Any, &mut r.credit_weeks)
});

node!(Fee, Fee { period: Period::blank(), amount: SmolStr::default() }, |r, v| {
    period(&mut r.period, v)?;
    v.leaf(one("Summa", "amount"), Chars::MONEY, &mut r.amount)
});

node!(EnrolmentFee, EnrolmentFee::default(), |r, v| {
    v.attr(opt("opiskeluoikeusAvain", "study_right"), Chars::KEY, &mut r.study_right)?;
    v.leaf(one("Maksettu", "paid"), FEE_STATE, &mut r.paid)?;
    v.leaf(opt("Summa", "amount"), Chars::MONEY, &mut r.amount)?;
    v.leaf(opt("Apuraha", "scholarship"), Chars::MONEY, &mut r.scholarship)
});

node!(FieldShare: (), FieldShare { field: no_code(), share: None }, |r| r.field.is_foreign(), |r, _spec, v| {
    v.node(one("Koodi", "field"), (), &mut r.field)?;
    v.leaf(opt("Osuus", "share"), Number::Share, &mut r.share)
});

node!(Part, Part { id: SmolStr::default(), ects: None }, |r, v| {
    v.attr(one("sisaltyvaOpintosuoritusAvain", "id"), Chars::KEY, &mut r.id)?;
    v.leaf(opt("Opintopiste", "ects"), Number::Any, &mut r.ects)
});

// A key alone, in the attribute that the spec names.
node!(SmolStr: &'static str, SmolStr::default(), |r, attribute, v| {
    v.attr(one(attribute, ""), Chars::KEY, r)
});

// Text with its language; the spec is the number of characters, and whether the language may be left out.
node!(Text: (usize, Need), Text { lang: None, value: String::new() }, |r, spec, v| {
    let lang = At { need: spec.1, ..opt("kieli", "lang") };
    v.attr(lang, Chars::CODE, &mut r.lang)?;
    v.content("value", Chars::text(spec.0), &mut r.value)
});

// A field of study with the version of its classification.
node!(Coded: (), no_code(), |r| is_no_field_of_study(r), |r, _spec, v| {
    let mut version = r.scheme.strip_prefix(FIELD_OF_STUDY).map(SmolStr::new);
    v.attr(one("versio", "scheme"), Chars::CODE, &mut version)?;
    if let Some(version) = version
        && r.scheme.strip_prefix(FIELD_OF_STUDY) != Some(version.as_str())
    {
        let known = FIELDS_OF_STUDY.into_iter().find(|scheme| scheme[FIELD_OF_STUDY.len()..] == version);
        r.scheme = known.map_or_else(|| format!("{FIELD_OF_STUDY}{version}").into(), Into::into);
    }
    v.content("value", Chars::CODE, &mut r.value)
});

fn is_no_field_of_study(code: &Coded) -> bool {
    !FIELDS_OF_STUDY.contains(&code.scheme.as_ref()) || code.value.flaw(Chars::CODE).is_some()
}

node!(Grade, Grade { scale: scale_of(no_code()), value: SmolStr::default() }, |r, v| {
    for name in SCALES {
        let on_it = r.scale.code.scheme == NATIONAL_SCALE && r.scale.code.value == name;
        let mut value = on_it.then(|| r.value.clone());
        v.leaf(opt(name, "value"), Chars::CODE, &mut value)?;
        if let (Some(value), false) = (value, on_it) {
            let first = r.scale.code.scheme.is_empty();
            if !first {
                v.repeated(opt(name, "value"));
            } else {
                (r.scale.code, r.value) = (Coded::new(NATIONAL_SCALE, SmolStr::new_static(name)), value);
            }
        }
    }
    let own = r.scale.code.scheme == OWN_SCALE;
    let mut grade = own.then(|| OwnGrade(std::mem::replace(r, Self::blank())));
    v.node(opt("Muu", ""), (), &mut grade)?;
    if let Some(OwnGrade(grade)) = grade {
        *r = grade;
    }
    let national = r.scale.code.scheme == NATIONAL_SCALE && SCALES.contains(&r.scale.code.value.as_str());
    let known = national || r.scale.code.scheme == OWN_SCALE;
    v.require(known, one("Arvosana", "scale/code"), "there is no grade on a scale that VIRTA has");
    Ok(())
});

fn scale_of(code: Coded) -> GradeScale {
    GradeScale { code, title: Texts::default(), grades: Default::default() }
}

/// A grade on an institution's own scale.
#[derive(Serialize)]
pub(crate) struct OwnGrade(Grade);

node!(OwnGrade, OwnGrade(Grade { scale: scale_of(Coded::new(OWN_SCALE, "")), value: SmolStr::default() }), |r, v| {
    v.node(one("Asteikko", "scale"), (), &mut r.0.scale)?;
    v.leaf(one("Koodi", "value"), Chars::OWN_GRADE, &mut r.0.value)
});

impl super::Slot for GradeScale {
    type Item = Self;
    const BARE: bool = true;

    fn put(&mut self, item: Self) {
        *self = item;
    }
    fn is_empty(&self) -> bool {
        false
    }
    fn each(&mut self, mut each: impl FnMut(&mut Self)) {
        each(self);
    }
    fn retain(&mut self, mut keep: impl FnMut(usize, &mut Self) -> bool) {
        keep(0, self);
    }
}

node!(GradeScale, scale_of(Coded::new(OWN_SCALE, "")), |r, v| {
    v.attr(one("avain", "code/value"), Chars::KEY, &mut r.code.value)?;
    let mut name = r.title.first_mut().map(|title| std::mem::take(&mut title.value));
    v.leaf(aside("Nimi", "title/0/value"), Chars::text(200), &mut name)?;
    match (name, r.title.first_mut()) {
        (Some(value), Some(title)) => title.value = value,
        (Some(value), None) => r.title.push(Text { lang: None, value }),
        (None, _) => {}
    }
    v.node(aside("AsteikkoArvosana", "grades"), (), &mut r.grades)
});

node!(
    ScaleGrade,
    ScaleGrade { key: SmolStr::default(), code: SmolStr::default(), name: None, numeric: None },
    |r, v| {
        v.attr(one("avain", "key"), Chars::KEY, &mut r.key)?;
        v.leaf(one("Koodi", "code"), Chars::text(20), &mut r.code)?;
        v.leaf(opt("Nimi", "name"), Chars::text(200), &mut r.name)?;
        v.leaf(opt("LaskennallinenArvo", "numeric"), Number::Any, &mut r.numeric)
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enrolment_ids_are_unambiguous() {
        let day = "2025-08-01+03:00".parse().ok();
        assert_eq!(enrolment_id("L1", Some("SR-3"), day), "L1|SR-3|2025-08-01");
        assert_eq!(enrolment_id("L1", None, None), "L1||");
        assert_ne!(enrolment_id("a|b", None, None), enrolment_id("a", Some("b"), None));
        assert_ne!(enrolment_id("a\\", Some("b"), None), enrolment_id("a", Some("\\b"), None));
    }
}
