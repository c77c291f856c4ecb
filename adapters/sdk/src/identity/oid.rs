//! OIDs under the Finnish national education branch `1.2.246.562`: a node and eleven digits, the last of which is a
//! check digit. Node 24 (people) weighs its digits 7-3-1 from the right; every other node uses Luhn's formula.

use super::Validity;

const BRANCH: &str = "1.2.246.562.";

/// The nodes that have a meaning here.
pub mod node {
    /// Organisations.
    pub const ORGANISATION: u16 = 10;
    /// Study rights at the national store Koski.
    pub const STUDY_RIGHT: u16 = 15;
    /// People.
    pub const PERSON: u16 = 24;
    /// People that only exist in test environments.
    pub const TEST_PERSONS: [u16; 3] = [98, 198, 298];
}

/// An OID of the national education branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NationalOid {
    /// What kind of thing it names.
    pub node: u16,
    /// True if its check digit is right.
    pub checks: bool,
}

impl NationalOid {
    /// Reads an OID of the right form; whether its check digit is right, it says.
    pub fn parse(text: &str) -> Option<Self> {
        let (node, number) = text.strip_prefix(BRANCH)?.split_once('.')?;
        let plain = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if number.len() != 11 || !plain(number) || !plain(node) {
            return None;
        }
        let node = node.parse().ok()?;
        let (digits, check) = number.split_at(10);
        Some(Self { node, checks: check.parse() == Ok(check_digit(node, digits)) })
    }

    /// What an OID of a node is worth.
    pub fn validity(text: &str, expected: u16) -> Validity {
        match Self::parse(text) {
            Some(oid) if oid.node == expected => oid.worth(),
            _ => Validity::Malformed,
        }
    }

    fn worth(self) -> Validity {
        match self.checks {
            false => Validity::WrongCheckDigit,
            true if node::TEST_PERSONS.contains(&self.node) => Validity::Synthetic,
            true => Validity::Valid,
        }
    }
}

/// The validity of an OID of a person, of test environments included.
pub(super) fn person(text: &str) -> Validity {
    match NationalOid::parse(text) {
        Some(oid) if oid.node == node::PERSON || node::TEST_PERSONS.contains(&oid.node) => oid.worth(),
        _ => Validity::Malformed,
    }
}

fn check_digit(node: u16, digits: &str) -> u32 {
    let from_the_right = digits.bytes().rev().map(|b| u32::from(b - b'0')).enumerate();
    let sum: u32 = match node {
        node::PERSON => from_the_right.map(|(at, digit)| digit * [7, 3, 1][at % 3]).sum(),
        _ => from_the_right.map(|(at, digit)| if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }).sum(),
    };
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_node_has_its_formula() {
        for (oid, validity) in [
            ("1.2.246.562.24.62601815904", Validity::Valid),
            ("1.2.246.562.24.62601815905", Validity::WrongCheckDigit),
            ("1.2.246.562.24.14974650750", Validity::Valid),
            ("1.2.246.562.98.39170342362", Validity::Synthetic),
            ("1.2.246.562.198.99834788780", Validity::Synthetic),
            ("1.2.246.562.10.22845298417", Validity::Malformed),
            ("1.2.246.562.24.6260181590", Validity::Malformed),
            ("1.2.246.562.24.626018159044", Validity::Malformed),
            ("1.2.246.562.24.06260181590", Validity::Malformed),
            ("1.2.246.563.24.62601815904", Validity::Malformed),
            ("1.2.246.562.24.6260181590a", Validity::Malformed),
            ("1.2.246.562.024.62601815904", Validity::Malformed),
            ("1.2.246.562.99999999.62601815904", Validity::Malformed),
            ("", Validity::Malformed),
        ] {
            assert_eq!(person(oid), validity, "{oid}");
        }
        assert_eq!(NationalOid::validity("1.2.246.562.15.57187463310", node::STUDY_RIGHT), Validity::Valid);
        assert_eq!(NationalOid::validity("1.2.246.562.10.22845298411", node::ORGANISATION), Validity::WrongCheckDigit);
    }

    proptest! {
        #[test]
        fn one_check_digit_is_right_and_a_mistyped_digit_is_noticed(
            node in prop::sample::select(vec![10u16, 15, 24, 98, 198, 298]), digits in "[1-9][0-9]{9}",
            at in 0usize..10, other in 0u8..10,
        ) {
            let oid = |digits: &str, check: u32| format!("{BRANCH}{node}.{digits}{check}");
            let checks = |text: &str| NationalOid::parse(text).is_some_and(|oid| oid.checks);
            let right: Vec<u32> = (0..10).filter(|check| checks(&oid(&digits, *check))).collect();
            prop_assert_eq!(right.len(), 1);
            let mut mistyped = digits.clone();
            mistyped.replace_range(at..=at, &other.to_string());
            prop_assume!(mistyped != digits);
            prop_assert!(!checks(&oid(&mistyped, right[0])));
        }
    }
}
