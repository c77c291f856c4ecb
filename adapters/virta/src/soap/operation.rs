//! The eight operations of the reading service.

use silta_adapter::SmolStr;
use silta_adapter::record::Learner;

/// One operation.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name; with `Request` and `Response` it makes the elements of both messages.
    pub name: &'static str,
    /// The element that an answer holds.
    pub answer: &'static str,
    /// True if it takes a list of up to [`LIST_LENGTH`] identifiers of one kind; the others take one.
    pub list: bool,
    /// True if it asks one institution and must name it; for the others that is a filter.
    pub needs_organisation: bool,
}

/// How many identifiers a list may have.
pub const LIST_LENGTH: usize = 200;

/// Everything about one learner.
pub const EVERYTHING: Operation = operation("OpiskelijanKaikkiTiedot", "Virta");
/// Everything about up to 200 learners.
pub const EVERYTHING_OF_MANY: Operation =
    Operation { list: true, ..operation("OpiskelijanKaikkiTiedotLista", "Virta") };

/// All of them.
pub const OPERATIONS: [Operation; 8] = [
    EVERYTHING,
    EVERYTHING_OF_MANY,
    operation("Opintosuoritukset", "Opintosuoritukset"),
    operation("Tutkinnot", "Opintosuoritukset"),
    operation("Opiskeluoikeudet", "Opiskeluoikeudet"),
    operation("LukukausiIlmoittautumiset", "LukukausiIlmoittautumiset"),
    operation("Liikkuvuusjaksot", "Liikkuvuusjaksot"),
    Operation { needs_organisation: true, ..operation("OpiskelijanTiedot", "Opiskelijat") },
];

const fn operation(name: &'static str, answer: &'static str) -> Operation {
    Operation { name, answer, list: false, needs_organisation: false }
}

/// The two kinds of identifier that can be asked by. One request holds one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierKind {
    /// The personal identity code (*henkilötunnus*).
    Hetu,
    /// The national learner number (*oppijanumero*).
    LearnerNumber,
}

impl IdentifierKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hetu, Self::LearnerNumber];

    /// The scheme of such identifiers in a record.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Hetu => Learner::HETU,
            Self::LearnerNumber => Learner::LEARNER_NUMBER,
        }
    }

    /// The element that holds one in a request.
    pub fn element(self, list: bool) -> &'static str {
        match (self, list) {
            (Self::Hetu, false) => "henkilotunnus",
            (Self::Hetu, true) => "henkilotunnusLista",
            (Self::LearnerNumber, false) => "kansallinenOppijanumero",
            (Self::LearnerNumber, true) => "kansallinenOppijanumeroLista",
        }
    }

    /// True if a value says who it is: some registers hold identity codes of which only the birth date is known.
    pub fn identifies(self, value: &str) -> bool {
        match self {
            Self::Hetu => value.len() > "010190A".len(),
            Self::LearnerNumber => !value.trim().is_empty(),
        }
    }
}

/// Who is asked about.
#[derive(Clone, Copy)]
pub struct Criteria<'a> {
    /// What the identifiers are.
    pub kind: IdentifierKind,
    /// The identifiers.
    pub identifiers: &'a [SmolStr],
}

impl Criteria<'_> {
    /// True if the operation can be asked about so many.
    pub fn suits(&self, operation: &Operation) -> bool {
        let longest = if operation.list { LIST_LENGTH } else { 1 };
        (1..=longest).contains(&self.identifiers.len())
    }
}
