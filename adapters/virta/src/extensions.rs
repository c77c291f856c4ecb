//! What only VIRTA has: typed objects of the extension namespaces `virta` and `virta.document`.

use serde::{Deserialize, Serialize};
use silta_adapter::SmolStr;

/// The namespace of national content.
pub const CONTENT: &str = "virta";
/// The namespace that says where in its document a record stood. Not content, never compared.
pub const DOCUMENT: &str = "virta.document";

/// National parts of an attainment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VirtaAttainment {
    /// Type of teaching practice, a code 1–7. `OpetusharjoitteluTyyppi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opetusharjoittelu_tyyppi: Option<SmolStr>,
    /// True if it was carried out in a project. `Hankkeistettu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hankkeistettu: Option<bool>,
}

/// National parts of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VirtaEnrolment {
    /// True for a member of the student union. `YlioppilaskuntaJasen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ylioppilaskunta_jasen: Option<bool>,
    /// True if the student health-care fee was paid. `YTHSMaksu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yths_maksu: Option<bool>,
}

/// National parts of a study right.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VirtaStudyRight {
    /// Case number of a grant for continuous learning. `Jotpaasianumero`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jotpaasianumero: Option<SmolStr>,
}

/// Where a record stood, as far as its own content does not say it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// The key of the learner's block it stood in, where that is not the record's own learner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<SmolStr>,
    /// Which of the blocks with that key, where it is not the first (2, 3, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u32>,
}
