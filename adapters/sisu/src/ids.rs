//! Ids of attainments. The sender of an import chooses them, so they are what makes sending twice the same as once.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use silta_adapter::SmolStr;

/// What ids start with that stand for a key of another register.
const OURS: &str = "silta-";

/// True for an id as Sisu takes it: two to five letters, a hyphen, one to 58 letters, digits, `_` or `-`.
pub(crate) fn is_sisu(id: &str) -> bool {
    id.split_once('-').is_some_and(|(prefix, rest)| {
        (2..=5).contains(&prefix.len())
            && prefix.bytes().all(|b| b.is_ascii_alphabetic())
            && (1..=58).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
}

/// The id under which Sisu gets a record: its own where it is one, else one that says the key. `None` for a key that is
/// empty or longer than 43 bytes.
pub(crate) fn to_sisu(key: &str) -> Option<String> {
    if is_sisu(key) && !key.starts_with(OURS) {
        return Some(key.to_owned());
    }
    let id = format!("{OURS}{}", BASE64_URL_SAFE_NO_PAD.encode(key));
    is_sisu(&id).then_some(id)
}

/// The key that an id in Sisu stands for.
pub(crate) fn from_sisu(id: &str) -> SmolStr {
    let key = id.strip_prefix(OURS).and_then(|rest| BASE64_URL_SAFE_NO_PAD.decode(rest).ok());
    match key.and_then(|key| String::from_utf8(key).ok()) {
        Some(key) if to_sisu(&key).as_deref() == Some(id) => key.into(),
        _ => id.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_id_and_every_id_one_key() {
        for key in ["hy-opinto-900012", "2506665", "otm-1_PHASE1", "silta-x", "ä/~ö", "toolong-1", "a-1", "silta-"] {
            let id = to_sisu(key).expect(key);
            assert!(is_sisu(&id), "{id}");
            assert_eq!(from_sisu(&id), key);
        }
        assert_eq!(to_sisu("hy-opinto-900012").as_deref(), Some("hy-opinto-900012"));
        assert_eq!((to_sisu(""), to_sisu(&"x".repeat(44))), (None, None));
        for foreign in ["silta-!", "silta-aHktMQ", "silta-_w", "string"] {
            assert_eq!(from_sisu(foreign), foreign, "stands for no key of another register");
        }
    }
}
