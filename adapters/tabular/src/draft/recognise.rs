//! What a column means, by its name and by what stands in it.

use crate::mapping::DatePattern;
use crate::row::{Cell, folded};
use silta_adapter::SmolStr;
use silta_adapter::mapping::{Code, Mappings};
use std::fmt;

/// A field of a kind of record: `attainment/credits.ects`; the kind alone is its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role(SmolStr);

impl Role {
    pub(super) fn new(name: &str) -> Self {
        Self(name.into())
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.0 == name
    }

    /// The path in the body of a kind.
    pub(super) fn path(&self, kind: &str) -> Option<&str> {
        self.0.strip_prefix(kind)?.strip_prefix('/')
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Nothing,
    /// Finnish personal identity codes, check digit and all.
    IdentityCodes,
    LearnerNumbers,
    Emails,
    /// Dates, and the forms they have, the most frequent first; none for those a spreadsheet holds as such.
    Dates(Vec<&'static str>),
    /// Grades, as written; and how many cells are none.
    Grades(Vec<String>),
    Numbers,
    Text,
}

/// Forms of dates that are recognised. Where day and month could be either, the first wins.
const FORMS: [&str; 7] = ["d.m.yyyy", "yyyy-mm-dd", "d/m/yyyy", "m/d/yyyy", "d-m-yyyy", "yyyymmdd", "yyyy/mm/dd"];

/// The share of cells, in percent, that must be alike for a column to be called after them.
const MOST: usize = 80;

impl Content {
    pub(super) fn of(cells: &[Cell], mappings: &Mappings) -> Self {
        if cells.is_empty() {
            return Self::Nothing;
        }
        let mostly = |is: &dyn Fn(&str) -> bool| {
            cells.iter().filter(|cell| is(&cell.text())).count() * 100 >= cells.len() * MOST
        };
        let forms = date_forms(cells);
        let days = cells.iter().filter(|cell| is_day(cell, &forms)).count();
        match () {
            () if mostly(&|text| is_identity_code(text)) => Self::IdentityCodes,
            () if mostly(&|text| text.starts_with("1.2.246.562.24.")) => Self::LearnerNumbers,
            () if mostly(&|text| text.split('@').count() == 2 && !text.contains(' ')) => Self::Emails,
            () if days * 100 >= cells.len() * 50 => Self::Dates(forms),
            () if mostly(&|text| grade(text, mappings).is_some()) => {
                Self::Grades(words(cells, |t| grade(t, mappings).is_some()))
            }
            () if mostly(&|text| text.replace(',', ".").parse::<f64>().is_ok()) => Self::Numbers,
            () => Self::Text,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::Nothing
    }

    /// For people.
    pub(super) fn shown(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::IdentityCodes => "personal identity codes",
            Self::LearnerNumbers => "national learner numbers",
            Self::Emails => "e-mail addresses",
            Self::Dates(_) => "dates",
            Self::Grades(_) => "small numbers or grades",
            Self::Numbers => "numbers",
            Self::Text => "text",
        }
    }
}

/// Different words of a column that are known ones.
pub(super) fn words(cells: &[Cell], known: impl Fn(&str) -> bool) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for text in cells.iter().map(|cell| cell.text().into_owned()) {
        if known(&text) && !words.contains(&text) {
            words.push(text);
        }
    }
    words.sort();
    words
}

/// The scale and grade a word means.
pub(super) fn grade<'m>(word: &str, mappings: &'m Mappings) -> Option<(&'m str, &'m str)> {
    mappings.list("grade-words").meaning("word", &folded(word))?.value.split_once('/')
}

/// Words for languages, and the languages they mean.
pub(super) fn language_words(mappings: &Mappings) -> Vec<(String, String)> {
    let codes = mappings.list("language-words").iter();
    let words = |code: &Code| -> Vec<(String, String)> {
        let words = code.alias.iter().filter_map(|alias| alias.strip_prefix("word="));
        words.map(|word| (word.to_owned(), code.value.to_string())).collect()
    };
    codes.flat_map(words).collect()
}

/// The name of a column without what stands in brackets, and without the path to it.
fn plain(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name).trim_start_matches(['@', '.']);
    let mut out = String::new();
    let mut depth = 0;
    for c in name.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '_' if depth == 0 => out.push(' '),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    folded(out.trim_end_matches([':', '*', '.', ' ']))
}

pub(super) fn is_known(name: &str, mappings: &Mappings) -> bool {
    by_name(name, mappings).is_some()
}

fn by_name(name: &str, mappings: &Mappings) -> Option<Role> {
    let list = mappings.list("columns");
    let found = list.meaning("name", &folded(name)).or_else(|| list.meaning("name", &plain(name)));
    found.map(|code| Role(code.value.clone()))
}

/// What a column means, if its name or what stands in it tells. What stands in it can veto.
pub(super) fn role(name: &str, content: &Content, mappings: &Mappings) -> Option<Role> {
    let told = match content {
        Content::IdentityCodes => return Some(Role::new("learner/identifiers.fi:hetu")),
        Content::LearnerNumbers => return Some(Role::new("learner/identifiers.fi:oppijanumero")),
        Content::Emails => Some(Role::new("learner/email")),
        _ => None,
    };
    let role = by_name(name, mappings).or(told)?;
    let fits = match content {
        Content::Nothing => true,
        Content::Dates(_) => role.0.ends_with("_on") || role.is("learner/date_of_birth"),
        _ => !is_date(&role),
    };
    // Mixed text under a date's name is still that date: the rows that are none are told.
    (fits || (*content == Content::Text && is_date(&role))).then_some(role)
}

pub(super) fn is_date(role: &Role) -> bool {
    role.0.ends_with("_on") || role.is("learner/date_of_birth")
}

/// Fields a column may be, by what stands in it.
pub(super) fn choices(mappings: &Mappings, content: &Content) -> Vec<(Role, String)> {
    let may_be = |role: &Role| match content {
        Content::Dates(_) => is_date(role),
        Content::Numbers | Content::Grades(_) => {
            ["learner", "attainment", "attainment/credits.ects", "attainment/grade", "attainment/code"]
                .iter()
                .any(|name| role.is(name))
        }
        _ => !is_date(role) && !role.is("attainment/credits.ects"),
    };
    let codes = mappings.list("columns").iter();
    let named = codes.map(|code| (Role(code.value.clone()), code.label.get("en").cloned().unwrap_or_default()));
    named.filter(|(role, _)| may_be(role)).collect()
}

fn is_day(cell: &Cell, forms: &[&str]) -> bool {
    let day = |text: &str| text.split([' ', 'T']).next().unwrap_or_default().to_owned();
    matches!(cell, Cell::Day(_)) || forms.iter().any(|form| reads(form, &day(&cell.text())))
}

fn reads(form: &str, text: &str) -> bool {
    DatePattern::new(form).is_ok_and(|pattern| pattern.read(text).is_some())
}

/// The forms in which a column's dates are written, the most frequent first. A form counts for what those before it
/// cannot read.
fn date_forms(cells: &[Cell]) -> Vec<&'static str> {
    let mut left: Vec<String> = cells
        .iter()
        .filter(|cell| matches!(cell, Cell::Text(_) | Cell::Number(_)))
        .map(|cell| cell.text().split([' ', 'T']).next().unwrap_or_default().to_owned())
        .collect();
    let mut forms = Vec::new();
    while let Some((form, count)) = FORMS
        .into_iter()
        .rev()
        .filter(|form| !forms.contains(form))
        .map(|form| (form, left.iter().filter(|text| reads(form, text)).count()))
        .max_by_key(|(_, count)| *count)
    {
        // One stray cell does not make a form.
        if count == 0 || (!forms.is_empty() && count < 2) {
            break;
        }
        left.retain(|text| !reads(form, text));
        forms.push(form);
    }
    forms
}

/// True for a Finnish personal identity code: a day that is, a sign of its century, a check character that fits.
pub(super) fn is_identity_code(text: &str) -> bool {
    const CHECK: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let text = text.to_ascii_uppercase();
    let bytes = text.as_bytes();
    if bytes.len() != 11 || !text.is_ascii() {
        return false;
    }
    let century = match bytes[6] {
        b'+' => "18",
        b'-' | b'Y' | b'X' | b'W' | b'V' | b'U' => "19",
        b'A'..=b'F' => "20",
        _ => return false,
    };
    let day = format!("{}.{}.{century}{}", &text[..2], &text[2..4], &text[4..6]);
    let digits = format!("{}{}", &text[..6], &text[7..10]);
    reads("dd.mm.yyyy", &day) && digits.parse::<usize>().is_ok_and(|number| CHECK.get(number % 31) == Some(&bytes[10]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings() -> Mappings {
        Mappings::builtin().expect("reads")
    }

    #[test]
    fn columns_are_known_by_their_names_in_three_languages() {
        for (name, role) in [
            ("Opiskelijanumero", "learner"),
            ("HETU", "learner/identifiers.fi:hetu"),
            ("Laajuus (op)", "attainment/credits.ects"),
            ("Studiepoäng", "attainment/credits.ects"),
            ("Completion date", "attainment/completed_on"),
            ("Suorituspvm.", "attainment/completed_on"),
            ("student/@family_name", "learner/family_name"),
            ("Vitsord", "attainment/grade"),
        ] {
            assert_eq!(by_name(name, &mappings()), Some(Role::new(role)), "{name}");
        }
        assert_eq!(by_name("Lisätieto 3", &mappings()), None);
    }

    #[test]
    fn columns_are_known_by_what_stands_in_them() {
        let content =
            |texts: &[&str]| Content::of(&texts.iter().map(|t| Cell::typed(t)).collect::<Vec<_>>(), &mappings());
        assert_eq!(content(&["010190-900P", "290204A901D", "131052-308T"]), Content::IdentityCodes);
        assert_eq!(content(&["1.2.246.562.24.90000000001"]), Content::LearnerNumbers);
        assert_eq!(content(&["1.2.2025", "14.12.2024", "31.4.2025"]), Content::Dates(vec!["d.m.yyyy"]));
        assert_eq!(content(&["12/31/2024", "1/2/2025", "12/30/2024"]), Content::Dates(vec!["m/d/yyyy"]));
        assert_eq!(content(&["HYV", "hyl", "HYV"]), Content::Grades(vec!["HYV".into(), "hyl".into()]));
        assert_eq!(content(&["2,5", "10", "1.5"]), Content::Numbers);
        assert!(!is_identity_code("010190-900X") && !is_identity_code("310290-900P"));
    }
}
