//! Code lists and crosswalks read from `mappings/*.toml`: data, never Rust enums.

use crate::record::{Amount, Date, ScaleGrade, Text, Texts};
use serde::Deserialize;
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashMap};

/// Everything mappings know. The built-in set comes with the program; an operator's directory can replace files.
#[derive(Debug, Clone, Default)]
pub struct Mappings {
    /// Institutions, their predecessors and mergers.
    pub institutions: Institutions,
    /// Institutions' own grading scales.
    pub grades: GradeDictionary,
    /// Which codes of one list mean which of another.
    pub crosswalks: Crosswalks,
    lists: HashMap<String, CodeList>,
}

/// A mapping file is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("mapping file {file}: {reason}")]
pub struct BadMapping {
    /// Which file.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

macro_rules! builtin {
    ($file:literal) => {
        ($file, include_str!(concat!("../../../mappings/", $file)))
    };
}
/// The mapping files that come with the program.
const BUILTIN: &[(&str, &str)] = &[
    builtin!("accreditation.toml"),
    builtin!("assessment.toml"),
    builtin!("columns.toml"),
    builtin!("country.toml"),
    builtin!("credential.toml"),
    builtin!("crosswalks.toml"),
    builtin!("education-credit.toml"),
    builtin!("elm-atu.toml"),
    builtin!("elm-content-encoding.toml"),
    builtin!("elm-context.toml"),
    builtin!("elm-currency.toml"),
    builtin!("elm-entitlement.toml"),
    builtin!("elm-entitlement-status.toml"),
    builtin!("elm-file-type.toml"),
    builtin!("elm-learning-schedule.toml"),
    builtin!("elm-schema.toml"),
    builtin!("elm-skill-type.toml"),
    builtin!("elm-target-group.toml"),
    builtin!("eqf.toml"),
    builtin!("grade-words.toml"),
    builtin!("grades.toml"),
    builtin!("institutions.toml"),
    builtin!("isced-f.toml"),
    builtin!("koski-badges.toml"),
    builtin!("koski-grades.toml"),
    builtin!("koski-organisations.toml"),
    builtin!("koski-source-systems.toml"),
    builtin!("language-words.toml"),
    builtin!("language.toml"),
    builtin!("learning-activity.toml"),
    builtin!("learning-opportunity.toml"),
    builtin!("learning-setting.toml"),
    builtin!("mastery.toml"),
    builtin!("mode.toml"),
    builtin!("nqf.toml"),
    builtin!("skill-reuse-level.toml"),
    builtin!("supervision-verification.toml"),
];

impl Mappings {
    /// The mappings that come with the program.
    ///
    /// # Errors
    /// If one of the files is not what its name asks for; a test keeps that from happening.
    pub fn builtin() -> Result<Self, BadMapping> {
        let mut mappings = Self::default();
        for (file, text) in BUILTIN {
            mappings.read(file, text)?;
        }
        Ok(mappings)
    }

    /// Adds or replaces what a file holds. `institutions.toml`, `grades.toml` and `crosswalks.toml` are known by name;
    /// any other file is a code list of that name.
    ///
    /// # Errors
    /// If the text is not TOML of the shape its file name asks for.
    pub fn read(&mut self, file: &str, text: &str) -> Result<(), BadMapping> {
        let bad = |reason: String| BadMapping { file: file.to_owned(), reason };
        match file {
            "institutions.toml" => {
                let file: InstitutionsFile = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
                self.institutions = Institutions::index(file).map_err(bad)?;
            }
            "grades.toml" => {
                let file: GradesFile = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
                self.grades = GradeDictionary::index(file);
            }
            "crosswalks.toml" => {
                let file: CrosswalksFile = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
                self.crosswalks = Crosswalks::index(file).map_err(bad)?;
            }
            _ => {
                let list: CodeListFile = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
                let name = file.trim_end_matches(".toml").to_owned();
                self.lists.insert(name, CodeList::index(list).map_err(bad)?);
            }
        }
        Ok(())
    }

    /// A code list by its file name without ending; an empty list if there is none.
    pub fn list(&self, name: &str) -> &CodeList {
        static EMPTY: std::sync::LazyLock<CodeList> = std::sync::LazyLock::new(CodeList::default);
        self.lists.get(name).unwrap_or(&EMPTY)
    }

    /// The code list of a scheme, if there is one.
    pub fn list_of(&self, scheme: &str) -> Option<&CodeList> {
        self.lists.values().find(|list| list.scheme == scheme)
    }
}

/// One institution.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Institution {
    /// Its code (Finland: *oppilaitosnumero*, five digits).
    pub code: SmolStr,
    /// Names by language (ISO 639-1).
    pub name: BTreeMap<SmolStr, String>,
    /// Country, ISO 3166-1 alpha-2.
    pub country: SmolStr,
    /// Web domain.
    #[serde(default)]
    pub domain: Option<SmolStr>,
    /// The institution its records went to when it ceased.
    #[serde(default)]
    pub successor: Option<SmolStr>,
    /// First day, where known.
    #[serde(default)]
    pub from: Option<Date>,
    /// Last day, for one that ceased.
    #[serde(default)]
    pub until: Option<Date>,
}

impl Institution {
    /// Names as text in languages.
    pub fn names(&self) -> Texts {
        self.name.iter().map(|(lang, value)| Text { lang: Some(lang.clone()), value: value.clone() }).collect()
    }
}

/// Institutions by code, with mergers as aliases applied when comparing.
#[derive(Debug, Clone, Default)]
pub struct Institutions {
    by_code: HashMap<SmolStr, Institution>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstitutionsFile {
    institution: Vec<Institution>,
}

impl Institutions {
    fn index(file: InstitutionsFile) -> Result<Self, String> {
        let mut by_code = HashMap::new();
        for institution in file.institution {
            if let Some(twice) = by_code.insert(institution.code.clone(), institution) {
                return Err(format!("the code {} is there twice", twice.code));
            }
        }
        for institution in by_code.values() {
            if let Some(successor) = institution.successor.as_ref().filter(|s| !by_code.contains_key(*s)) {
                return Err(format!("{} is succeeded by {successor}, which is not listed", institution.code));
            }
        }
        Ok(Self { by_code })
    }

    /// The institution with this code.
    pub fn get(&self, code: &str) -> Option<&Institution> {
        self.by_code.get(code)
    }

    /// The code of the institution of today that is known by this web domain.
    pub fn of_domain(&self, domain: &str) -> Option<&str> {
        let known = |i: &&Institution| i.successor.is_none() && i.domain.as_deref() == Some(domain);
        self.by_code.values().filter(known).map(|i| i.code.as_str()).min()
    }

    /// The code under which an institution's records live today: the last successor; the code itself if unknown.
    pub fn current<'a>(&'a self, code: &'a str) -> &'a str {
        let mut at = code;
        // A chain longer than the list would be a circle of successors.
        for _ in 0..self.by_code.len() {
            match self.by_code.get(at).and_then(|i| i.successor.as_deref()) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }
}

/// Grades of institutions' own scales, for documents that name a grade without defining it.
#[derive(Debug, Clone, Default)]
pub struct GradeDictionary {
    grades: HashMap<(SmolStr, SmolStr), Vec<ScaleGrade>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GradesFile {
    #[serde(default)]
    scale: Vec<ScaleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleEntry {
    institution: SmolStr,
    key: SmolStr,
    grade: Vec<GradeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GradeEntry {
    key: SmolStr,
    code: SmolStr,
    name: Option<String>,
    numeric: Option<Amount>,
}

impl GradeDictionary {
    fn index(file: GradesFile) -> Self {
        let grade = |g: GradeEntry| ScaleGrade { key: g.key, code: g.code, name: g.name, numeric: g.numeric };
        let grades = file
            .scale
            .into_iter()
            .map(|s| ((s.institution, s.key), s.grade.into_iter().map(grade).collect()))
            .collect();
        Self { grades }
    }

    /// The grade that a value names on an institution's own scale, by key, else by code.
    pub fn grade(&self, institution: &str, scale: &str, value: &str) -> Option<&ScaleGrade> {
        let grades = self.grades.get(&(institution.into(), scale.into()))?;
        grades.iter().find(|g| g.key == value).or_else(|| grades.iter().find(|g| g.code == value))
    }
}

/// Which codes of one list mean which of another, where the lists themselves do not say (see `alias` of a [`Code`]).
#[derive(Debug, Clone, Default)]
pub struct Crosswalks {
    /// By the lists it leads from and to; without values the codes are the same.
    ways: HashMap<(SmolStr, SmolStr), Option<BTreeMap<SmolStr, SmolStr>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CrosswalksFile {
    crosswalk: Vec<CrosswalkEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CrosswalkEntry {
    from: SmolStr,
    to: SmolStr,
    values: Option<BTreeMap<SmolStr, SmolStr>>,
}

impl Crosswalks {
    fn index(file: CrosswalksFile) -> Result<Self, String> {
        let mut ways = HashMap::new();
        for CrosswalkEntry { from, to, values } in file.crosswalk {
            if ways.insert((from.clone(), to.clone()), values).is_some() {
                return Err(format!("the way from {from} to {to} is there twice"));
            }
        }
        Ok(Self { ways })
    }

    /// The value in the list `to` that a value of the list `from` means. Values of a grading scale are a list of their
    /// own, named `<scheme of the scale>/<scale>`.
    pub fn meaning(&self, from: &str, value: &str, to: &str) -> Option<SmolStr> {
        match self.ways.get(&(from.into(), to.into()))? {
            None => Some(value.into()),
            Some(values) => values.get(value).cloned(),
        }
    }
}

/// One entry of a code list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The value in the list (a code or an IRI).
    pub value: SmolStr,
    /// Labels by language (ISO 639-1).
    #[serde(default)]
    pub label: BTreeMap<SmolStr, String>,
    /// Codes of other lists that mean this one, as `scheme=value`.
    #[serde(default)]
    pub alias: Vec<SmolStr>,
    /// A short notation, where the list has one.
    #[serde(default)]
    pub notation: Option<SmolStr>,
}

/// A code list: values of one scheme, with labels and with the codes of other schemes that mean the same.
#[derive(Debug, Clone, Default)]
pub struct CodeList {
    /// The scheme the values belong to.
    pub scheme: SmolStr,
    codes: Vec<Code>,
    by_value: HashMap<SmolStr, usize>,
    by_alias: HashMap<SmolStr, usize>,
    base: SmolStr,
    members: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeListFile {
    scheme: SmolStr,
    #[serde(default)]
    code: Vec<Code>,
    /// What every member starts with.
    #[serde(default)]
    base: SmolStr,
    /// Further values that are in the list and need no label: what follows `base`, separated by white space.
    #[serde(default)]
    members: String,
}

impl CodeList {
    fn index(file: CodeListFile) -> Result<Self, String> {
        let members = file.members.split_whitespace().fold(String::from(" "), |all, member| all + member + " ");
        let mut list = Self { scheme: file.scheme, base: file.base, members, ..Self::default() };
        for (at, code) in file.code.iter().enumerate() {
            if list.by_value.insert(code.value.clone(), at).is_some() {
                return Err(format!("the value {} is there twice", code.value));
            }
            for alias in &code.alias {
                if list.by_alias.insert(alias.clone(), at).is_some() {
                    return Err(format!("the alias {alias} is there twice"));
                }
            }
        }
        list.codes = file.code;
        Ok(list)
    }

    /// The entry with this value.
    pub fn get(&self, value: &str) -> Option<&Code> {
        self.by_value.get(value).map(|at| &self.codes[*at])
    }

    /// True if the value is in the list, be it without an entry.
    pub fn contains(&self, value: &str) -> bool {
        let member = |rest: &str| !rest.contains(' ') && self.members.contains(&[" ", rest, " "].concat());
        self.by_value.contains_key(value) || value.strip_prefix(self.base.as_str()).is_some_and(member)
    }

    /// The entry that a code of another scheme means.
    pub fn meaning(&self, scheme: &str, value: &str) -> Option<&Code> {
        if scheme == self.scheme {
            return self.get(value);
        }
        self.by_alias.get(format!("{scheme}={value}").as_str()).map(|at| &self.codes[*at])
    }

    /// All entries, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Code> {
        self.codes.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_program_is_readable_and_knows_mergers() {
        let mappings = Mappings::builtin().expect("every file reads");
        assert_eq!(mappings.institutions.current("02470"), "10126");
        assert_eq!(mappings.institutions.get("10103").expect("listed").name["sv"], "Konstuniversitetet");
        let finnish = mappings.list("language").meaning("virta:kieli", "fi").expect("mapped");
        assert!(finnish.value.ends_with("/FIN"), "{}", finnish.value);
        assert_eq!(mappings.list("language").meaning("virta:kieli", "20"), None);
        assert!(mappings.list("country").meaning("virta:maa", "246").is_some_and(|c| c.value.ends_with("/FIN")));
    }

    #[test]
    fn a_merger_is_followed_to_the_institution_of_today() {
        let mut mappings = Mappings::default();
        mappings
            .read(
                "institutions.toml",
                r#"
                [[institution]]
                code = "1"
                name.fi = "Vanha"
                country = "FI"
                successor = "2"
                [[institution]]
                code = "2"
                name.fi = "Uusi"
                country = "FI"
                "#,
            )
            .expect("reads");
        assert_eq!(mappings.institutions.current("1"), "2");
        assert_eq!(mappings.institutions.current("2"), "2");
        assert_eq!(mappings.institutions.current("unknown"), "unknown");
    }

    #[test]
    fn a_crosswalk_leads_one_way_and_says_nothing_it_does_not_know() {
        let mappings = Mappings::builtin().expect("every file reads");
        let way = |from, value, to| mappings.crosswalks.meaning(from, value, to);
        assert_eq!(way("urn:code:language", "fi", "virta:kieli").as_deref(), Some("fi"));
        assert_eq!(way("sisu:grade-scale", "sis-hyv-hyl", "virta:arvosana").as_deref(), Some("Hyvaksytty"));
        assert_eq!(way("sisu:grade-scale/sis-0-5", "0", "virta:arvosana/Viisiportainen"), None, "no failing grades");
        assert_eq!(way("virta:kieli", "fi", "urn:code:nothing"), None);
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        let mut mappings = Mappings::default();
        let twice = "scheme = \"s\"\n[[code]]\nvalue = \"a\"\n[[code]]\nvalue = \"a\"\n";
        let error = mappings.read("x.toml", twice).expect_err("a value there twice");
        assert_eq!(error.to_string(), "mapping file x.toml: the value a is there twice");
    }
}
