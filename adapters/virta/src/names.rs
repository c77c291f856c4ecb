//! Names of VIRTA's code lists, as schemes of [`Coded`](silta_adapter::record::Coded), and of its documents.

use silta_adapter::record::RecordKind;

/// The namespace of current documents (1.06).
pub const NAMESPACE: &str = "urn:mace:funet.fi:virta/2015/09/01";
/// The namespace of 1.05 documents, whose awarding bodies are nested (`<Myontaja><Koodi>`).
pub const NAMESPACE_2013: &str = "urn:mace:funet.fi:virta/2013/01/29";

/// Institutions and other organisations.
pub const ORGANISATION: &str = "virta:organisaatio";
/// Roles of organisations.
pub const ROLE: &str = "virta:rooli";
/// Municipalities.
pub const MUNICIPALITY: &str = "virta:kunta";
/// Countries (ISO 3166-1 numeric).
pub const COUNTRY: &str = "virta:maa";
/// Languages (ISO 639-1 and the national codes 20, 98, 99).
pub const LANGUAGE: &str = "virta:kieli";
/// Genders.
pub const GENDER: &str = "virta:sukupuoli";
/// National classification of education.
pub const EDUCATION: &str = "virta:koulutuskoodi";
/// Professional qualifications.
pub const COMPETENCE: &str = "virta:patevyys";
/// Specialisation programmes.
pub const SPECIALISATION: &str = "virta:erikoistumiskoulutus";
/// Types of study right.
pub const RIGHT_TYPE: &str = "virta:opiskeluoikeustyyppi";
/// States of a study right.
pub const RIGHT_STATE: &str = "virta:tila";
/// Classifications of a phase of a study right.
pub const RIGHT_CLASS: &str = "virta:opiskeluoikeusluokittelu";
/// Sources of funding.
pub const FUNDING: &str = "virta:rahoituslahde";
/// Kinds of term registration.
pub const ENROLMENT_STATE: &str = "virta:lukukausiilmoittautuminentila";
/// Whether a tuition fee was paid.
pub const FEE_STATE: &str = "virta:lukuvuosimaksutila";
/// Sorts of attainment rows (degree, other, partial, internal).
pub const CATEGORY: &str = "virta:opintosuorituslaji";
/// Classifications of attainments.
pub const ATTAINMENT_CLASS: &str = "virta:opintosuoritusluokittelu";
/// Directions of mobility.
pub const DIRECTION: &str = "virta:liikkuvuussuunta";
/// Types of mobility.
pub const MOBILITY_TYPE: &str = "virta:liikkuvuustyyppi";
/// Mobility programmes.
pub const MOBILITY_PROGRAMME: &str = "virta:liikkuvuusohjelma";
/// Classifications of mobility periods.
pub const MOBILITY_CLASS: &str = "virta:liikkuvuusluokittelu";
/// National grading scales; values are [`SCALES`].
pub const NATIONAL_SCALE: &str = "virta:arvosana";
/// An institution's own grading scale; the value is the institution's key of it.
pub const OWN_SCALE: &str = "virta:muu";
/// The national grading scales, by the element that holds a grade of them.
pub const SCALES: [&str; 6] =
    ["Viisiportainen", "ToinenKotimainen", "Hyvaksytty", "Naytetyo", "Tutkielma", "EiKaytossa"];
/// Fields of study: one scheme per classification version, which follows this prefix.
pub const FIELD_OF_STUDY: &str = "virta:koulutusala/";
/// The known schemes of fields of study.
pub(crate) const FIELDS_OF_STUDY: [&str; 3] =
    ["virta:koulutusala/opmala", "virta:koulutusala/opm95opa", "virta:koulutusala/ohjausala"];

/// The list elements of VIRTA, in the order in which a learner's block holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    StudyRights,
    Enrolments,
    Attainments,
    MobilityPeriods,
}

impl List {
    pub(crate) const ALL: [Self; 4] = [Self::StudyRights, Self::Enrolments, Self::Attainments, Self::MobilityPeriods];

    /// Its element.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::StudyRights => "Opiskeluoikeudet",
            Self::Enrolments => "LukukausiIlmoittautumiset",
            Self::Attainments => "Opintosuoritukset",
            Self::MobilityPeriods => "Liikkuvuusjaksot",
        }
    }

    /// The element of its rows.
    pub(crate) fn row(self) -> &'static str {
        match self {
            Self::StudyRights => "Opiskeluoikeus",
            Self::Enrolments => "LukukausiIlmoittautuminen",
            Self::Attainments => "Opintosuoritus",
            Self::MobilityPeriods => "Liikkuvuusjakso",
        }
    }

    /// The list that holds records of a kind.
    pub(crate) fn of(kind: RecordKind) -> Option<Self> {
        match kind {
            RecordKind::StudyRight => Some(Self::StudyRights),
            RecordKind::Enrolment => Some(Self::Enrolments),
            RecordKind::Attainment => Some(Self::Attainments),
            RecordKind::MobilityPeriod => Some(Self::MobilityPeriods),
            RecordKind::Learner | RecordKind::Activity => None,
        }
    }
}

/// The root of a document of learners with all their rows.
pub(crate) const ALL_DATA: &str = "Virta";
/// The root of a list of learners alone.
pub(crate) const LEARNERS: &str = "Opiskelijat";
/// The element of a learner.
pub(crate) const LEARNER: &str = "Opiskelija";
