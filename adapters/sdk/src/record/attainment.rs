//! Something achieved.

use super::value::{Amount, Coded, Credits, Date, Duration, EndDate, Extensions, OrganisationRole, Set, Texts};
use crate::canonical::hint;
use crate::mapping::GradeDictionary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A course unit, module, degree, micro-credential or badge that was achieved. VIRTA `Opintosuoritus`, ELM
/// `LearningAchievement`; the letters M1–M11 and O1–O5 name elements of Annex I of EU Recommendation 2022/C 243/02.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Attainment {
    /// Source key of the study right it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study_right: Option<SmolStr>,
    /// The institution's code of what was achieved; not reliable as an identifier of a course.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<SmolStr>,
    /// A national code of what was achieved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub national_code: Option<SmolStr>,
    /// What sort of row it is (VIRTA `Laji`: 1 degree, 2 other, 3 partial that is not counted, 4 internal).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Coded>,
    /// What was achieved, in the words of an international list (course, module, short learning programme …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub achievement_type: Option<Coded>,
    /// Title (M2).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub title: Texts,
    /// Description (O5).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub description: Texts,
    /// Day it was completed. At VIRTA the meaning varies by institution: exam, grading or registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_on: Option<Date>,
    /// Day it was assessed, where the source keeps that apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessed_on: Option<Date>,
    /// Day it was entered into the register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_on: Option<Date>,
    /// Day prior learning was recognised as this attainment. VIRTA `HyvaksilukuPvm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recognised_on: Option<Date>,
    /// Day it was awarded or issued (M5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_on: Option<Date>,
    /// First day of the learning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_on: Option<Date>,
    /// Last day of validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<EndDate>,
    /// Extent (M7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<Credits>,
    /// Notional workload as an ISO 8601 duration (M7).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hint::duration")]
    pub workload: Option<Duration>,
    /// Grade with its scale (O3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// Who awarded it (M4). VIRTA `Myontaja`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awarding_body: Option<Coded>,
    /// Country or region of the issuer (M3), where the awarding body's own facts do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Coded>,
    /// Other organisations and their roles (role 3: source of recognised credit).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub organisations: Set<OrganisationRole>,
    /// Language of instruction. VIRTA `Kieli` (ISO 639-1 and the national codes 20, 98, 99).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Coded>,
    /// National classification of education, six digits. VIRTA `Koulutuskoodi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub education: Option<Coded>,
    /// Fields of study with their shares; the scheme names the classification version.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub fields_of_study: Set<FieldShare>,
    /// Attainments that are part of this one (O4). VIRTA `Sisaltyvyys`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub parts: Set<Part>,
    /// Research, development and innovation credits contained. VIRTA `TKILaajuus*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub research: Option<ResearchCredits>,
    /// True for a thesis. VIRTA `Opinnaytetyo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thesis: Option<bool>,
    /// Professional qualifications it gives. VIRTA `Patevyys`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub competences: Set<Coded>,
    /// Classifications. VIRTA `Luokittelu` (1 open university, 2 incoming exchange, 3 and 12 between institutions …).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub classifications: Set<Coded>,
    /// Public additional information (O5). VIRTA `JulkinenLisatieto`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub additional_info: Texts,
    /// Where more can be read (O5), as web addresses.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub links: Set<String>,
    /// Learning outcomes (M6).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub learning_outcomes: Set<LearningOutcome>,
    /// Learning outcomes in one text, where they are not listed (M6).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub learning_outcome_summary: Texts,
    /// Level in the European Qualifications Framework, 1–8 (M8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eqf_level: Option<Coded>,
    /// Levels in national qualifications frameworks (M8).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub nqf_levels: Set<Coded>,
    /// Cycle in the qualifications framework of the European Higher Education Area (M8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycle: Option<Coded>,
    /// The finer level employers asked for: basic, applied, expert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mastery: Option<Coded>,
    /// How it was assessed (M9, O2).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub assessments: Set<Assessment>,
    /// Forms of participation: online, on site, blended (M10).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub modes: Set<Coded>,
    /// Formal or non-formal setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_setting: Option<Coded>,
    /// Quality assurance behind it (M11).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub quality_assurance: Set<Accreditation>,
    /// Prerequisites (O1).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub entry_requirements: Texts,
    /// Whether and into what it can be stacked (O4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stackability: Option<Stackability>,
    /// National parts.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// A grade as sent: the scale and the value on it. Grades of different scales are never compared without a mapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grade {
    /// The scale.
    pub scale: GradeScale,
    /// The value as sent: the grade's code on a national scale, its key on an institution's own scale.
    pub value: SmolStr,
}

/// A grading scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GradeScale {
    /// The scale's code: `virta:arvosana` for national scales (`Viisiportainen` …), `virta:muu` for an institution's
    /// own, where the value is the institution's key of it.
    pub code: Coded,
    /// Its name. Not compared.
    #[serde(default, skip_serializing_if = "Set::is_empty", serialize_with = "hint::ignored")]
    pub title: Texts,
    /// The grades of an institution's own scale, as far as the source listed them. Not compared.
    #[serde(default, skip_serializing_if = "Set::is_empty", serialize_with = "hint::ignored")]
    pub grades: Set<ScaleGrade>,
}

/// One grade of an institution's own scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScaleGrade {
    /// The institution's key of the grade.
    pub key: SmolStr,
    /// Its code (`HYV`, `5`).
    pub code: SmolStr,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number it counts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric: Option<Amount>,
}

impl Grade {
    /// The grade on an institution's own scale that the value names: among the grades sent with it by key, else by
    /// code, else in the institution's dictionary. Unresolved stays scale, key and code.
    pub fn resolve<'a>(&'a self, institution: &str, dictionary: &'a GradeDictionary) -> Option<&'a ScaleGrade> {
        let grades = &self.scale.grades;
        grades
            .iter()
            .find(|g| g.key == self.value)
            .or_else(|| grades.iter().find(|g| g.code == self.value))
            .or_else(|| dictionary.grade(institution, &self.scale.code.value, &self.value))
    }
}

/// A field of study and its share of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldShare {
    /// The field; the scheme names the classification version.
    pub field: Coded,
    /// Its share, 0–1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Amount>,
}

/// An attainment that is part of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Source key of the part.
    pub id: SmolStr,
    /// Credits of the part counted into the whole; may differ from the part's own extent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ects: Option<Amount>,
}

/// Research, development and innovation credits contained in an attainment (Finland: *TKI*).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ResearchCredits {
    /// In the thesis. VIRTA `TKILaajuus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thesis: Option<Credits>,
    /// In practical training. VIRTA `TKILaajuusHarjoittelu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub practice: Option<Credits>,
    /// In other studies. VIRTA `TKILaajuusMuu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Credits>,
}

/// A statement of what the learner knows or can do (M6).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LearningOutcome {
    /// The statement.
    pub title: Texts,
    /// Further description.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub description: Texts,
    /// Skills it stands for, usually ESCO concepts.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub skills: Set<Coded>,
    /// How far it can be reused (ESCO skill reuse level).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reusability: Option<Coded>,
}

/// How an attainment was assessed (M9, O2).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Assessment {
    /// Type of assessment (M9): written, oral, portfolio …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessment_type: Option<Coded>,
    /// Title.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub title: Texts,
    /// Form: online, on site …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Coded>,
    /// Supervision and identity verification during assessment (O2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supervision: Option<Coded>,
}

/// Quality assurance behind an attainment (M11).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Accreditation {
    /// Type of quality assurance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accreditation_type: Option<Coded>,
    /// Title.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub title: Texts,
    /// Who assures it.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub agent: Texts,
    /// The country of who assures it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_country: Option<Coded>,
    /// Where it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Whether and into what an attainment can be stacked (O4).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Stackability {
    /// True if it is a part of a larger qualification by design. ELM `isPartialQualification`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<bool>,
    /// What it can be integrated into.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub note: Texts,
}
