//! The languages of a page, and the words the gateway itself says in each.

use jiff::civil::Date;

/// A language that pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Finnish.
    Finnish,
    /// Swedish.
    Swedish,
    /// English.
    English,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Finnish, Self::Swedish, Self::English];

    /// Its code (ISO 639-1).
    pub fn code(self) -> &'static str {
        match self {
            Self::Finnish => "fi",
            Self::Swedish => "sv",
            Self::English => "en",
        }
    }

    /// The language of a code (ISO 639-1).
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// Its code in the EU authority table of languages (ISO 639-3).
    pub(crate) fn authority(self) -> &'static str {
        match self {
            Self::Finnish => "FIN",
            Self::Swedish => "SWE",
            Self::English => "ENG",
        }
    }

    /// What the gateway says in it.
    pub fn words(self) -> &'static Words {
        match self {
            Self::Finnish => &FINNISH,
            Self::Swedish => &SWEDISH,
            Self::English => &ENGLISH,
        }
    }

    /// A day as people write it.
    pub fn date(self, day: Date) -> String {
        let (y, m, d) = (day.year(), day.month(), day.day());
        match self {
            Self::Finnish | Self::Swedish => format!("{d}.{m}.{y}"),
            Self::English => {
                let month = usize::try_from(m - 1).ok().and_then(|at| MONTHS.get(at)).unwrap_or(&"");
                format!("{d} {month} {y}")
            }
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What a page says besides what its credential says.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is the word itself")]
pub struct Words {
    pub learner: &'static str,
    pub date_of_birth: &'static str,
    pub awarded_by: &'static str,
    pub awarded_on: &'static str,
    pub completed_on: &'static str,
    pub valid_until: &'static str,
    pub credits: &'static str,
    pub ects: &'static str,
    pub workload: &'static str,
    pub hours: &'static str,
    pub grade: &'static str,
    pub eqf_level: &'static str,
    pub nqf_level: &'static str,
    pub field: &'static str,
    pub kind: &'static str,
    pub setting: &'static str,
    pub mode: &'static str,
    pub language: &'static str,
    pub assessment: &'static str,
    pub supervision: &'static str,
    pub entry_requirements: &'static str,
    pub quality_assurance: &'static str,
    pub further: &'static str,
    pub outcomes: &'static str,
    pub parts: &'static str,
    pub time: &'static str,
    pub issued_on: &'static str,
    pub sealed_by: &'static str,
    pub proof: &'static str,
    pub page: &'static str,
}

const FINNISH: Words = Words {
    learner: "Opiskelija",
    date_of_birth: "Syntymäaika",
    awarded_by: "Myöntäjä",
    awarded_on: "Myönnetty",
    completed_on: "Suoritettu",
    valid_until: "Voimassa asti",
    credits: "Laajuus",
    ects: "opintopistettä (ECTS)",
    workload: "Työmäärä",
    hours: "tuntia",
    grade: "Arvosana",
    eqf_level: "EQF-taso",
    nqf_level: "Kansallinen taso",
    field: "Ala",
    kind: "Laji",
    setting: "Oppimisympäristö",
    mode: "Toteutus",
    language: "Kieli",
    assessment: "Arviointi",
    supervision: "Valvonta",
    entry_requirements: "Edellytykset",
    quality_assurance: "Laadunvarmistus",
    further: "Lisätietoja",
    outcomes: "Osaaminen",
    parts: "Osat",
    time: "Ajankohta",
    issued_on: "Annettu",
    sealed_by: "Sinetöijä",
    proof: "Sivu näyttää, mitä todistuksessa lukee. Todiste on sinetöity tiedosto, jonka kuka tahansa voi tarkistaa.",
    page: "Sivu",
};

const SWEDISH: Words = Words {
    learner: "Studerande",
    date_of_birth: "Födelsedatum",
    awarded_by: "Beviljat av",
    awarded_on: "Beviljat",
    completed_on: "Avlagt",
    valid_until: "Giltigt till",
    credits: "Omfattning",
    ects: "studiepoäng (ECTS)",
    workload: "Arbetsmängd",
    hours: "timmar",
    grade: "Vitsord",
    eqf_level: "EQF-nivå",
    nqf_level: "Nationell nivå",
    field: "Område",
    kind: "Typ",
    setting: "Lärmiljö",
    mode: "Genomförande",
    language: "Språk",
    assessment: "Bedömning",
    supervision: "Övervakning",
    entry_requirements: "Förkunskapskrav",
    quality_assurance: "Kvalitetssäkring",
    further: "Tilläggsuppgifter",
    outcomes: "Lärandemål",
    parts: "Delar",
    time: "Tid",
    issued_on: "Utfärdat",
    sealed_by: "Förseglat av",
    proof: "Sidan visar vad intyget säger. Beviset är den förseglade filen, som vem som helst kan kontrollera.",
    page: "Sida",
};

const ENGLISH: Words = Words {
    learner: "Learner",
    date_of_birth: "Date of birth",
    awarded_by: "Awarded by",
    awarded_on: "Awarded on",
    completed_on: "Completed on",
    valid_until: "Valid until",
    credits: "Credits",
    ects: "ECTS credits",
    workload: "Workload",
    hours: "hours",
    grade: "Grade",
    eqf_level: "EQF level",
    nqf_level: "National level",
    field: "Field",
    kind: "Type",
    setting: "Learning setting",
    mode: "Mode",
    language: "Language",
    assessment: "Assessment",
    supervision: "Supervision",
    entry_requirements: "Entry requirements",
    quality_assurance: "Quality assurance",
    further: "Further information",
    outcomes: "Learning outcomes",
    parts: "Parts",
    time: "Time",
    issued_on: "Issued on",
    sealed_by: "Sealed by",
    proof: "This page shows what the credential says. The proof is the sealed file, which anyone can verify.",
    page: "Page",
};
