//! The Finnish personal identity code (*henkilötunnus*): `DDMMYY`, a century sign, an individual number and a check
//! character (Population Information System Act; the letters besides `+`, `-` and `A` since 2023).

use super::Validity;
use jiff::civil;

/// The check characters, by remainder.
const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";

/// The parts of an identity code, or of the first part of one of which no more is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hetu {
    /// `DDMMYY` as a number.
    birth: u32,
    century: u16,
    /// Individual number and remainder that the check character stands for.
    person: Option<(u16, u32)>,
}

impl Hetu {
    /// Reads a code of the right form: day 1–31, month 1–12, a century sign in use, and unless only that is known, an
    /// individual number and a check character. Whether the day exists and the check is right, it does not ask.
    pub fn parse(text: &str) -> Option<Self> {
        let (birth, rest) = text.as_bytes().split_at_checked(7)?;
        let birth_digits = number(&birth[..6])?;
        let century = match birth[6] {
            b'+' => 1800,
            b'-' | b'U'..=b'Y' => 1900,
            b'A'..=b'F' => 2000,
            _ => return None,
        };
        let person = match rest {
            [] => None,
            [individual @ .., check] if individual.len() == 3 => {
                let remainder = CHECKS.iter().position(|c| c == check)?;
                Some((u16::try_from(number(individual)?).ok()?, u32::try_from(remainder).ok()?))
            }
            _ => return None,
        };
        let hetu = Self { birth: birth_digits, century, person };
        ((1..=31).contains(&hetu.day()) && (1..=12).contains(&hetu.month())).then_some(hetu)
    }

    fn day(&self) -> i8 {
        (self.birth / 10_000) as i8
    }

    fn month(&self) -> i8 {
        (self.birth / 100 % 100) as i8
    }

    /// The day of birth; `None` if there is no such day.
    pub fn date_of_birth(&self) -> Option<civil::Date> {
        let year = self.century + (self.birth % 100) as u16;
        civil::Date::new(i16::try_from(year).ok()?, self.month(), self.day()).ok()
    }

    /// The individual number, odd for men and even for women: 2–899 for people, 900–999 for artificial ones. `None`
    /// where only the day of birth is known.
    pub fn individual(&self) -> Option<u16> {
        self.person.map(|(individual, _)| individual)
    }

    /// True if the check character is the right one, or there is none.
    fn checks(&self) -> bool {
        self.person.is_none_or(|(individual, remainder)| (self.birth * 1000 + u32::from(individual)) % 31 == remainder)
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

pub(super) fn validity(text: &str) -> Validity {
    let Some(hetu) = Hetu::parse(text).filter(|hetu| hetu.date_of_birth().is_some()) else {
        return Validity::Malformed;
    };
    match hetu.individual() {
        None => Validity::Partial,
        Some(0 | 1) => Validity::Malformed,
        Some(_) if !hetu.checks() => Validity::WrongCheckDigit,
        Some(900..) => Validity::Synthetic,
        Some(_) => Validity::Valid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_of_each_century() {
        for (code, birth) in
            [("010203+9002", "1803-02-01"), ("010203W9046", "1903-02-01"), ("010203F912E", "2003-02-01")]
        {
            assert_eq!(validity(code), Validity::Synthetic, "{code}");
            let born = Hetu::parse(code).and_then(|hetu| hetu.date_of_birth());
            assert_eq!(born.map(|day| day.to_string()).as_deref(), Some(birth));
        }
    }

    #[test]
    fn what_is_no_code() {
        for code in [
            "",
            "010203",
            "320190-9013",
            "011390-9013",
            "310203-901E",
            "290203-9026",
            "010203G9035",
            "010203a9079",
            " 010203-9057",
            "010203-0012",
            "010203-901",
            "010203-90133",
            "0102\u{e4}3-9013",
            "010203-901\u{e4}",
        ] {
            assert_eq!(validity(code), Validity::Malformed, "{code}");
        }
        assert_eq!(validity("010203-"), Validity::Partial);
        assert_eq!(validity("290203-"), Validity::Malformed, "1903 was no leap year");
    }

    proptest! {
        #[test]
        fn any_one_digit_that_is_mistyped_is_noticed(
            day in 1u32..=28, month in 1u32..=12, year in 0u32..100, sign in "[-+A-FU-Y]", individual in 2u32..=999,
            at in 0usize..10, other in 0u32..10,
        ) {
            let digits = format!("{day:02}{month:02}{year:02}{individual:03}");
            let check = CHECKS[(digits.parse::<usize>().expect("digits")) % 31] as char;
            let code = format!("{}{sign}{}{check}", &digits[..6], &digits[6..]);
            let expected = if individual >= 900 { Validity::Synthetic } else { Validity::Valid };
            prop_assert_eq!(validity(&code), expected);
            let at = if at < 6 { at } else { at + 1 };
            prop_assume!(code.as_bytes().get(at).is_some_and(u8::is_ascii_digit));
            let mut mistyped = code.clone();
            mistyped.replace_range(at..=at, &other.to_string());
            prop_assume!(mistyped != code);
            prop_assert!(!validity(&mistyped).identifies(), "{} {}", code, mistyped);
        }

        #[test]
        fn any_text_is_judged(text in ".{0,14}") {
            prop_assert!(validity(&text) != Validity::Unruled);
        }
    }
}
