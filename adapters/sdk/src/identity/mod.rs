//! What identifiers of learners look like, which of them can be right, and when two of them are the same.
//!
//! Rules differ from check to check: a national store refuses identity codes of artificial people that every test
//! register is full of, and invented test OIDs rarely have a right check digit. So the rules here say what is there
//! ([`Validity`]), and whoever asks decides what that means: [`Identifier::problem`] is a warning unless the caller is
//! strict. A value is never repeated in a text.

mod hetu;
mod oid;
mod urn;

pub use hetu::Hetu;
pub use oid::{NationalOid, node};

use crate::problem::{Problem, Severity};
use crate::record::{Identifier, Learner};
use std::borrow::Cow;

/// What an identifier is worth by its form alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Validity {
    /// Well-formed; its check digit, where the scheme has one, is right.
    Valid,
    /// As valid, but of a range that is issued to nobody: for tests only.
    Synthetic,
    /// Says something true, and not who: an identity code of which only the day of birth is known.
    Partial,
    /// Well-formed; the check digit is wrong.
    WrongCheckDigit,
    /// Not of the scheme's form.
    Malformed,
    /// There is no rule for the scheme.
    Unruled,
}

impl Validity {
    /// The validity of a value of a scheme ([`Identifier::scheme`]).
    pub fn of(scheme: &str, value: &str) -> Self {
        match scheme {
            Learner::HETU => hetu::validity(value),
            Learner::LEARNER_NUMBER | Learner::PERSON_OID => oid::person(value),
            Learner::ESI => urn::esi(value),
            Learner::EPPN => urn::eppn(value),
            _ => Self::Unruled,
        }
    }

    /// True if a register may know a person by it: nothing speaks against the value, and it is whole.
    pub fn identifies(self) -> bool {
        matches!(self, Self::Valid | Self::Synthetic | Self::Unruled)
    }
}

impl Identifier {
    /// What the identifier is worth by its form alone.
    pub fn validity(&self) -> Validity {
        Validity::of(&self.scheme, &self.value)
    }

    /// The form in which identifiers of a scheme are compared: without surrounding white space, and in one case where
    /// the scheme does not tell cases apart.
    pub fn normal(&self) -> Cow<'_, str> {
        normal(&self.scheme, &self.value)
    }

    /// True if both name the same person in the same scheme.
    pub fn same_as(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.normal() == other.normal()
    }

    /// What is to be told about the identifier, without its value. Outside of production wrong check digits are
    /// normal; only a `strict` reader refuses them.
    pub fn problem(&self, strict: bool) -> Option<Problem> {
        let severity = if strict { Severity::Error } else { Severity::Warning };
        let told = |code, severity, what: &str| {
            Some(Problem {
                severity,
                ..Problem::warning(code, format!("an identifier of the scheme {} {what}", self.scheme))
            })
        };
        match self.validity() {
            Validity::WrongCheckDigit => told("wrong_check_digit", severity, "has a wrong check digit"),
            Validity::Malformed => told("malformed_identifier", Severity::Warning, "is not of its scheme's form"),
            Validity::Valid | Validity::Synthetic | Validity::Partial | Validity::Unruled => None,
        }
    }
}

/// The form in which values of a scheme are compared.
pub fn normal<'a>(scheme: &str, value: &'a str) -> Cow<'a, str> {
    let value = value.trim();
    match scheme {
        Learner::HETU if value.bytes().any(|b| b.is_ascii_lowercase()) => value.to_ascii_uppercase().into(),
        Learner::ESI => urn::normal_esi(value),
        Learner::EPPN if value.bytes().any(|b| b.is_ascii_uppercase()) => value.to_ascii_lowercase().into(),
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(scheme: &str, value: &str) -> Identifier {
        Identifier { scheme: scheme.into(), value: value.into() }
    }

    #[test]
    fn what_is_the_same_person_depends_on_the_scheme() {
        for (scheme, left, right, same) in [
            ("esi", "urn:schac:personalUniqueCode:int:esi:fi:A1", "URN:SCHAC:PERSONALUNIQUECODE:INT:ESI:FI:a1 ", true),
            ("esi", "urn:mace:terena.org:schac:personalUniqueCode:fi:x:1", "urn:schac:personalUniqueCode:fi:x:1", true),
            ("esi", "urn:schac:personalUniqueCode:int:esi:fi:1", "urn:schac:personalUniqueCode:int:esi:se:1", false),
            ("eppn", "Anna@A.example", "anna@a.example", true),
            ("fi:hetu", " 010203a9079", "010203A9079", true),
            ("fi:hetu", "010203A9079", "010203B9079", false),
            ("fi:oppijanumero", "1.2.246.562.24.62601815904", "1.2.246.562.24.62601815904 ", true),
            ("uni:student", "a1", "A1", false),
        ] {
            assert_eq!(identifier(scheme, left).same_as(&identifier(scheme, right)), same, "{scheme} {left}");
        }
        assert!(!identifier("esi", "1").same_as(&identifier("eppn", "1")), "schemes are worlds of their own");
    }

    #[test]
    fn a_wrong_check_digit_is_refused_only_where_that_was_asked_for_and_no_value_is_repeated() {
        let wrong = identifier(Learner::HETU, "010203-9014");
        let told = |strict| wrong.problem(strict).map(|p| (p.severity, p.message.contains("9014"), p.code));
        assert_eq!(told(false), Some((Severity::Warning, false, "wrong_check_digit".into())));
        assert_eq!(told(true), Some((Severity::Error, false, "wrong_check_digit".into())));
        assert_eq!(identifier(Learner::HETU, "EI HETU").problem(true).map(|p| p.severity), Some(Severity::Warning));
        for (scheme, value) in [("fi:hetu", "010203-9013"), ("fi:hetu", "010203-"), ("uni:x", "?")] {
            assert_eq!(identifier(scheme, value).problem(true), None, "{scheme}");
        }
    }
}
