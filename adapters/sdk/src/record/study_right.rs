//! A right to study.

use super::value::{Coded, Credits, Date, EndDate, Extensions, OrganisationRole, Period, Set, Texts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A right to study granted by an institution. VIRTA `Opiskeluoikeus`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StudyRight {
    /// First day. VIRTA requires it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Date>,
    /// Last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<EndDate>,
    /// Type of right (VIRTA *OpiskeluoikeusTyyppi*; never changes during its life).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right_type: Option<Coded>,
    /// History of its state; not necessarily sorted.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub states: Set<RightState>,
    /// Who granted it. VIRTA `Myontaja`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awarding_body: Option<Coded>,
    /// Other organisations and their roles.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub organisations: Set<OrganisationRole>,
    /// Programme phases. VIRTA `Jakso`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub phases: Set<StudyPhase>,
    /// Periods in which it is the learner's primary right. VIRTA `Ensisijaisuus`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub primary_periods: Set<Period>,
    /// Field of study; the scheme names the classification version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_of_study: Option<Coded>,
    /// Specialisation programme code. VIRTA `Erikoistumiskoulutus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub specialisation: Option<Coded>,
    /// Source keys of related study rights. VIRTA `Liittyvyys`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub related: Set<SmolStr>,
    /// Where it was transferred from. VIRTA `SiirtoOpiskelija`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// Extent of the studies it covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<Credits>,
    /// Tuition fees due, by period. VIRTA `LukuvuosiMaksu`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub fees: Set<Fee>,
    /// National parts.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// A state of a study right over a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RightState {
    /// When it held.
    #[serde(flatten)]
    pub period: Period,
    /// The state (VIRTA *OpiskeluoikeusTila*: 1 active, 2 option, 3 graduated, 4 passive, 5 resigned …).
    pub state: Coded,
}

/// A phase of a study right in which programme, place and language stay the same. VIRTA `Jakso`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StudyPhase {
    /// The institution's programme code. VIRTA requires the attribute, which may be empty.
    pub code: SmolStr,
    /// A national programme code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub national_code: Option<SmolStr>,
    /// First day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Date>,
    /// Last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<EndDate>,
    /// National classification of education, six digits. VIRTA `Koulutuskoodi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub education: Option<Coded>,
    /// Municipality where teaching takes place. VIRTA `Koulutuskunta`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub municipality: Option<Coded>,
    /// Language of education. VIRTA `Koulutuskieli`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Coded>,
    /// Source of funding. VIRTA `Rahoituslahde`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub funding: Option<Coded>,
    /// Professional qualifications it leads to. VIRTA `Patevyys`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub competences: Set<Coded>,
    /// Classifications. VIRTA `Luokittelu`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub classifications: Set<Coded>,
    /// Name of the programme.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub title: Texts,
}

/// Where a study right was transferred from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Transfer {
    /// Key of the study right at the sending institution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SmolStr>,
    /// Day of the transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<Date>,
    /// Terms already used at the sending institution, by kind of registration.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub terms_used: Set<TermsUsed>,
}

/// A number of terms used under one kind of registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TermsUsed {
    /// Kind of registration (VIRTA *LukukausiIlmoittautuminenTila*).
    pub state: Coded,
    /// Number of terms.
    pub count: i16,
}

/// A tuition fee over a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fee {
    /// When it is due.
    #[serde(flatten)]
    pub period: Period,
    /// Amount in euros, as sent: VIRTA holds text of at most five characters, not a number.
    pub amount: SmolStr,
}
