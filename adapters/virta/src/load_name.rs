//! What the file of a load is called.

use std::fmt::Write as _;

/// The name of a load's file: `silta-<tenant>-<idempotency key>.xml`, so that a load sent again takes the place of its
/// twin. Different tenants and keys never share one: bytes other than letters, digits and dots (and hyphens, in the key)
/// are written as `_` and two hexadecimal digits.
pub(crate) fn file_name(tenant: &str, key: &str) -> String {
    let mut name = String::from("silta-");
    escape(&mut name, tenant, "");
    name.push('-');
    escape(&mut name, key, "-");
    name.push_str(".xml");
    name
}

fn escape(out: &mut String, text: &str, also: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'.' || also.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "_{byte:02x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_no_path_and_never_collide() {
        assert_eq!(file_name("../etc", "a/b"), "silta-.._2fetc-a_2fb.xml");
        assert_ne!(file_name("a-b", "c"), file_name("a", "b-c"));
        assert_ne!(file_name("a", "x_2f"), file_name("a", "x/"));
    }
}
