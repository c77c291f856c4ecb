//! Look-ups: the words of a column and the codes they mean.

use crate::row::folded;
use silta_adapter::SmolStr;
use silta_adapter::mapping::{Code, CodeList};
use std::collections::HashMap;

/// Words and the codes they mean, both ways.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    /// The code list, where the look-up names one.
    pub(crate) scheme: Option<SmolStr>,
    by_word: HashMap<String, SmolStr>,
    words: HashMap<SmolStr, String>,
    /// The words in their order, for complaints.
    listed: Vec<String>,
}

impl Codes {
    /// A look-up the mapping file lists itself. A word that comes back when writing is the first that means the code.
    pub(crate) fn listed(entries: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut codes = Self::default();
        for (word, value) in entries {
            let value = SmolStr::from(value);
            if codes.by_word.insert(folded(&word), value.clone()).is_some_and(|there| there != value) {
                return Err(format!("the word {word} is there twice with different codes"));
            }
            codes.words.entry(value).or_insert_with(|| word.clone());
            codes.listed.push(word);
        }
        Ok(codes)
    }

    /// A look-up in a code list. A word is a value, notation or label of the list, or the code of another list that
    /// means the same; one that means several is none. With a scheme the codes are those of that other list.
    pub(crate) fn of_list(list: &CodeList, scheme: Option<&str>) -> Result<Self, String> {
        let mut codes = Self { scheme: Some(scheme.unwrap_or(&list.scheme).into()), ..Self::default() };
        let mut ambiguous = Vec::new();
        for code in list.iter() {
            let Some(value) = value_in(code, scheme) else { continue };
            for word in words(code) {
                match codes.by_word.insert(folded(&word), value.clone()) {
                    Some(there) if there != value => ambiguous.push(folded(&word)),
                    _ => {}
                }
            }
        }
        ambiguous.iter().for_each(|word| drop(codes.by_word.remove(word)));
        for code in list.iter() {
            let Some(value) = value_in(code, scheme) else { continue };
            let own = std::iter::once(value.to_string()).chain(words(code));
            if let Some(word) = own.into_iter().find(|word| codes.by_word.get(&folded(word)) == Some(&value)) {
                codes.words.entry(value).or_insert(word);
            }
        }
        match (codes.by_word.is_empty(), scheme) {
            (false, _) => Ok(codes),
            (true, Some(scheme)) => Err(format!("the code list knows no codes of the scheme {scheme}")),
            (true, None) => Err("the code list is empty".to_owned()),
        }
    }

    /// The code a word means.
    pub(crate) fn meaning(&self, word: &str) -> Option<&SmolStr> {
        self.by_word.get(&folded(word))
    }

    /// A word for a code.
    pub(crate) fn word(&self, value: &str) -> Option<&str> {
        self.words.get(value).map(String::as_str)
    }

    /// How many codes it tells apart.
    pub(crate) fn count(&self) -> usize {
        self.words.len()
    }

    /// What a complaint says is known.
    pub(crate) fn known(&self) -> String {
        match self.listed.len() {
            0 => "no word of the code list".to_owned(),
            1..=12 => format!("not one of {}", self.listed.join(", ")),
            n => format!("not one of the {n} words the mapping lists"),
        }
    }
}

/// The value of a code, or of the code of another scheme that means the same.
fn value_in(code: &Code, scheme: Option<&str>) -> Option<SmolStr> {
    let Some(scheme) = scheme else { return Some(code.value.clone()) };
    code.alias.iter().find_map(|alias| Some(alias.strip_prefix(scheme)?.strip_prefix('=')?.into()))
}

/// The words for a code, those people write first.
fn words(code: &Code) -> impl Iterator<Item = String> {
    let last = code.value.rsplit(['/', '#']).next().unwrap_or_default().to_owned();
    let labels = code.label.values().cloned();
    let aliases = code.alias.iter().filter_map(|alias| Some(alias.rsplit_once('=')?.1.to_owned()));
    let own = code.notation.iter().map(|n| n.to_string()).chain([last, code.value.to_string()]);
    labels.chain(own).chain(aliases).filter(|word| !word.trim().is_empty()).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::mapping::Mappings;

    #[test]
    fn a_list_is_known_by_its_labels_and_by_the_codes_of_others() {
        let mappings = Mappings::builtin().expect("reads");
        let codes = Codes::of_list(mappings.list("language"), Some("virta:kieli")).expect("a look-up");
        for word in ["fi", "Finnish", "FIN", "finnish"] {
            assert_eq!(codes.meaning(word).map(SmolStr::as_str), Some("fi"), "{word}");
        }
        assert_eq!(codes.scheme.as_deref(), Some("virta:kieli"));
        assert_eq!(codes.word("sv"), Some("sv"));
        assert_eq!(codes.meaning("klingon"), None);
        assert!(Codes::of_list(mappings.list("language"), Some("none")).is_err());
    }

    #[test]
    fn a_listed_word_means_one_code() {
        let entries =
            |second: &str| [("Hyväksytty", "HYV"), ("hyväksytty ", second)].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert!(Codes::listed(entries("HYV")).is_ok());
        assert!(Codes::listed(entries("HYL")).is_err());
    }
}
