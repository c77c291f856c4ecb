//! The European Student Identifier and the eduPerson principal name.

use super::Validity;
use std::borrow::Cow;

/// The namespace of SCHAC personal unique codes, and the one it had before.
const SCHAC: &str = "urn:schac:personaluniquecode:";
const OLD_SCHAC: &str = "urn:mace:terena.org:schac:personaluniquecode:";

/// Longest identifier of either kind.
const LONGEST: usize = 255;

/// A European Student Identifier: a SCHAC personal unique code, `int:esi:` and a country or an institution's domain
/// before the code itself; or one of the older shapes that circulate, a country and a national code of any form.
pub(super) fn esi(value: &str) -> Validity {
    if value.len() > LONGEST || value.bytes().any(|b| !b.is_ascii_graphic()) {
        return Validity::Malformed;
    }
    let normal = normal_esi(value);
    let Some(code) = normal.strip_prefix(SCHAC) else { return Validity::Malformed };
    let well_formed = match code.strip_prefix("int:esi:").and_then(|code| code.split_once(':')) {
        Some((issuer, code)) => (is_country(issuer) || is_domain(issuer)) && !code.is_empty(),
        None => code.split_once(':').is_some_and(|(issuer, code)| {
            is_country(issuer) && code.rsplit(':').next().is_some_and(|last| !last.is_empty())
        }),
    };
    if well_formed { Validity::Valid } else { Validity::Malformed }
}

/// In one case, and in the namespace of today.
pub(super) fn normal_esi(value: &str) -> Cow<'_, str> {
    let lower: Cow<'_, str> = match value.bytes().any(|b| b.is_ascii_uppercase()) {
        true => value.to_ascii_lowercase().into(),
        false => value.into(),
    };
    match lower.strip_prefix(OLD_SCHAC) {
        Some(code) => format!("{SCHAC}{code}").into(),
        None => lower,
    }
}

/// An eduPerson principal name: `user@scope`.
pub(super) fn eppn(value: &str) -> Validity {
    let fits = value.len() <= LONGEST && !value.chars().any(|c| c.is_whitespace() || c.is_control());
    match value.split_once('@') {
        Some((user, scope)) if fits && !user.is_empty() && is_domain(scope) => Validity::Valid,
        _ => Validity::Malformed,
    }
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_identifiers_of_today_and_before() {
        for (value, validity) in [
            ("urn:schac:personalUniqueCode:int:esi:fi:1.2.246.562.24.62601815904", Validity::Valid),
            ("urn:schac:personalUniqueCode:int:esi:uni.example:12345", Validity::Valid),
            ("urn:schac:PersonalUniqueCode:hr:ESI:uni.example:12345", Validity::Valid),
            ("urn:mace:terena.org:schac:personalUniqueCode:fi:uni.example:x12345", Validity::Valid),
            ("urn:schac:personalUniqueCode:int:esi:fi:", Validity::Malformed),
            ("urn:schac:personalUniqueCode:int:esi:finland:1", Validity::Malformed),
            ("urn:schac:personalUniqueCode:int:esi:fi", Validity::Malformed),
            ("urn:schac:personalUniqueCode:int:esi:fi:1 2", Validity::Malformed),
            ("urn:schac:personalUniqueCode:", Validity::Malformed),
            ("12345", Validity::Malformed),
            ("", Validity::Malformed),
        ] {
            assert_eq!(esi(value), validity, "{value}");
        }
        assert_eq!(esi(&format!("{SCHAC}int:esi:fi:{}", "1".repeat(255))), Validity::Malformed);
    }

    #[test]
    fn principal_names_have_a_user_and_a_scope() {
        for (value, validity) in [
            ("anna@uni.example", Validity::Valid),
            ("anna.\u{e4}@uni.example", Validity::Valid),
            ("anna", Validity::Malformed),
            ("@uni.example", Validity::Malformed),
            ("anna@uni", Validity::Malformed),
            ("anna@uni.example@uni.example", Validity::Malformed),
            ("an na@uni.example", Validity::Malformed),
            ("anna@-uni.example", Validity::Malformed),
        ] {
            assert_eq!(eppn(value), validity, "{value}");
        }
    }
}
