//! The values of VIRTA elements and attributes: how each is read, what of it VIRTA cannot hold, how it is written.

use jiff::civil;
use rust_decimal::Decimal;
use silta_adapter::SmolStr;
use silta_adapter::identity;
use silta_adapter::record::{Amount, Coded, Date, EndDate, Learner};
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

/// Why VIRTA cannot hold a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A code of a list VIRTA does not use here, or no code at all. An optional one may be left out.
    Foreign,
    /// Anything else: the stable code and the reason.
    Unfit(&'static str, &'static str),
}

/// A value with a lexical form.
pub(crate) trait Value: Sized {
    /// What the same type needs to know in different places.
    type Spec: Copy;
    /// True if 1.05 documents wrap it in `<Koodi>`.
    const WRAPPED: bool = false;

    /// Reads it; `None` if the text is none.
    fn parse(text: &str, spec: Self::Spec) -> Option<Self>;
    /// What of it VIRTA cannot hold.
    fn flaw(&self, spec: Self::Spec) -> Option<Flaw>;
    /// Appends its lexical form, without escapes.
    fn text(&self, out: &mut String);
    /// Feeds what is compared of it to a hasher.
    fn fingerprint(&self, hasher: &mut impl Hasher);
    /// True for empty text, which in an optional attribute says nothing.
    fn is_blank(&self) -> bool {
        false
    }
    /// True for a value that is compared as if it were absent.
    fn is_absent(&self) -> bool {
        false
    }
}

/// A text field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chars {
    /// Characters it may have.
    pub(crate) max: usize,
    /// True for a code: white space around it does not belong to it.
    pub(crate) code: bool,
    /// True if it may be empty.
    pub(crate) empty: bool,
}

impl Chars {
    /// A key (`AvainTyyppi`).
    pub(crate) const KEY: Self = Self::text(100);
    /// A module code.
    pub(crate) const MODULE: Self = Self::text(200);
    /// An amount of money.
    pub(crate) const MONEY: Self = Self::text(5);
    /// A code that is not kept as [`Coded`].
    pub(crate) const CODE: Self = Self { max: 200, code: true, empty: false };
    /// A grade on an institution's own scale.
    pub(crate) const OWN_GRADE: Self = Self { max: 20, code: true, empty: true };

    /// Text kept exactly.
    pub(crate) const fn text(max: usize) -> Self {
        Self { max, code: false, empty: true }
    }

    fn flaw(self, text: &str) -> Option<Flaw> {
        // Bytes bound characters, so most texts need no counting.
        if text.len() > self.max && text.chars().count() > self.max {
            return Some(Flaw::Unfit("too_long", "the text is longer than VIRTA's field"));
        }
        if text.chars().any(is_illegal) {
            return Some(Flaw::Unfit("illegal_character", "the text holds a character that XML cannot"));
        }
        if !self.empty && text.is_empty() {
            return Some(Flaw::Unfit("bad_value", "the code is empty"));
        }
        let spaced = self.code && text.trim().len() != text.len();
        spaced.then_some(Flaw::Unfit("bad_value", "the code has white space around it"))
    }
}

/// True for what XML 1.0 has no character for.
pub(crate) fn is_illegal(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

macro_rules! textual {
    ($($type:ty),*) => {$(
        impl Value for $type {
            type Spec = Chars;

            fn parse(text: &str, spec: Chars) -> Option<Self> {
                let text = if spec.code { text.trim() } else { text };
                (spec.empty || !text.is_empty()).then(|| text.into())
            }
            fn flaw(&self, spec: Chars) -> Option<Flaw> {
                spec.flaw(self)
            }
            fn text(&self, out: &mut String) {
                out.push_str(self);
            }
            fn fingerprint(&self, hasher: &mut impl Hasher) {
                self.trim().hash(hasher);
            }
            fn is_blank(&self) -> bool {
                self.is_empty()
            }
        }
    )*};
}
textual!(SmolStr, String);

impl Value for Coded {
    type Spec = &'static str;
    const WRAPPED: bool = true;

    fn parse(text: &str, scheme: &'static str) -> Option<Self> {
        let value = text.trim();
        (!value.is_empty()).then(|| Self::new(scheme, value))
    }
    fn flaw(&self, scheme: &'static str) -> Option<Flaw> {
        if self.scheme != scheme {
            return Some(Flaw::Foreign);
        }
        Chars::CODE.flaw(&self.value).map(|_| Flaw::Foreign)
    }
    fn text(&self, out: &mut String) {
        out.push_str(&self.value);
    }
    fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.scheme.hash(hasher);
        self.value.hash(hasher);
    }
}

/// VIRTA holds no earlier day.
const FIRST_DAY: civil::Date = civil::date(1900, 1, 1);

impl Value for Date {
    type Spec = ();

    fn parse(text: &str, (): ()) -> Option<Self> {
        text.parse().ok()
    }
    fn flaw(&self, (): ()) -> Option<Flaw> {
        // A day with a time zone is only known to be later if the day is.
        let early = if self.offset.is_some() { self.day <= FIRST_DAY } else { self.day < FIRST_DAY };
        early.then_some(Flaw::Unfit("bad_date", "VIRTA holds no day before 1900"))
    }
    fn text(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{self}");
    }
    fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.day.hash(hasher);
    }
}

/// "Until further notice", as registers write it.
const NEVER: civil::Date = civil::date(2112, 12, 21);

impl Value for EndDate {
    type Spec = ();

    fn parse(text: &str, (): ()) -> Option<Self> {
        Date::parse(text, ()).map(Self)
    }
    fn flaw(&self, (): ()) -> Option<Flaw> {
        self.0.flaw(())
    }
    fn text(&self, out: &mut String) {
        self.0.text(out);
    }
    fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.0.fingerprint(hasher);
    }
    fn is_absent(&self) -> bool {
        self.0.day == NEVER
    }
}

/// A decimal field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// Any.
    Any,
    /// From 0 to 1.
    Share,
}

impl Value for Amount {
    type Spec = Number;

    fn parse(text: &str, _: Number) -> Option<Self> {
        text.parse().ok()
    }
    fn flaw(&self, spec: Number) -> Option<Flaw> {
        let number = self.0.normalize();
        if number.scale() > 6 || number.mantissa().unsigned_abs() >= 10u128.pow(24) {
            return Some(Flaw::Unfit("bad_number", "VIRTA holds at most 24 digits, six of them after the point"));
        }
        let outside = spec == Number::Share && !(Decimal::ZERO..=Decimal::ONE).contains(&number);
        outside.then_some(Flaw::Unfit("bad_number", "a share is between 0 and 1"))
    }
    fn text(&self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
    fn fingerprint(&self, hasher: &mut impl Hasher) {
        let number = self.0.normalize();
        (number.mantissa(), number.scale()).hash(hasher);
    }
}

impl Value for bool {
    type Spec = ();

    fn parse(text: &str, (): ()) -> Option<Self> {
        match text.trim() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        }
    }
    fn flaw(&self, (): ()) -> Option<Flaw> {
        None
    }
    fn text(&self, out: &mut String) {
        out.push(if *self { '1' } else { '0' });
    }
    fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.hash(hasher);
    }
}

impl Value for i16 {
    type Spec = ();

    fn parse(text: &str, (): ()) -> Option<Self> {
        text.trim().parse().ok()
    }
    fn flaw(&self, (): ()) -> Option<Flaw> {
        None
    }
    fn text(&self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
    fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.hash(hasher);
    }
}

/// A personal identity code as VIRTA takes it: the day of birth with its century, and unless only that is known, a
/// personal number up to 899 with its check character. Reads any text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Hetu(pub(crate) SmolStr);

impl Value for Hetu {
    type Spec = ();

    fn parse(text: &str, (): ()) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }
    fn flaw(&self, (): ()) -> Option<Flaw> {
        let fits = is_hetu(&self.0);
        (!fits).then_some(Flaw::Unfit("bad_hetu", "VIRTA does not take this form of personal identity code"))
    }
    fn text(&self, out: &mut String) {
        out.push_str(&self.0);
    }
    fn fingerprint(&self, hasher: &mut impl Hasher) {
        identity::normal(Learner::HETU, &self.0).hash(hasher);
    }
}

/// The schema's pattern: identity codes of artificial people, which the record's own rules know, do not fit it.
fn is_hetu(code: &str) -> bool {
    identity::Hetu::parse(code).is_some_and(|hetu| hetu.individual().is_none_or(|number| (2..=899).contains(&number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hetu_takes_what_the_schema_takes() {
        for (code, expected) in [
            ("010190-020A", true),
            ("111101A", true),
            ("010190-9001", false),
            ("010190-001A", false),
            ("320190-020A", false),
            ("011390-020A", false),
            ("010190-020G", false),
            ("010190*020A", false),
            ("ä10190-020A", false),
            ("", false),
        ] {
            assert_eq!(is_hetu(code), expected, "{code}");
        }
    }

    #[test]
    fn numbers_fit_by_value_not_by_form() {
        let flaw = |text: &str, spec| text.parse::<Amount>().expect("decimal").flaw(spec);
        assert_eq!(flaw("5.00000000", Number::Any), None);
        assert!(flaw("0.0000001", Number::Any).is_some());
        assert!(flaw("1000000000000000000000000", Number::Any).is_some());
        assert!(flaw("1.1", Number::Share).is_some());
        assert_eq!(flaw("1.0", Number::Share), None);
    }
}
