//! The key a study right has at Koski (`lähdejärjestelmänId.id`), which is opaque there. It is made of the record's own
//! keys, so that it is chosen once and for ever, and says whose it is when it is read back.

use serde_json::Value;
use silta_adapter::SmolStr;
use silta_adapter::record::{RecordKey, RecordKind};

/// The keys of a badge and of its learner, but for tenant and source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceId {
    pub(crate) institution: SmolStr,
    pub(crate) id: SmolStr,
    /// The learner's local id.
    pub(crate) learner: SmolStr,
    /// Institution and id of the learner's own record.
    pub(crate) learner_record: (SmolStr, SmolStr),
}

impl SourceId {
    pub(crate) fn new(badge: &RecordKey, learner: &SmolStr, learner_record: &RecordKey) -> Self {
        Self {
            institution: badge.institution.clone(),
            id: badge.id.clone(),
            learner: learner.clone(),
            learner_record: (learner_record.institution.clone(), learner_record.id.clone()),
        }
    }

    /// `INSTITUTION/ID/LEARNER`, and where they differ from those, `/INSTITUTION/ID` of the learner's record.
    pub(crate) fn text(&self) -> String {
        let mut parts = vec![&self.institution, &self.id, &self.learner];
        if self.learner_record != (self.institution.clone(), self.learner.clone()) {
            parts.extend([&self.learner_record.0, &self.learner_record.1]);
        }
        parts.into_iter().map(|part| escaped(part)).collect::<Vec<_>>().join("/")
    }

    /// Reads what [`SourceId::text`] wrote; any other key is somebody else's.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<SmolStr> = text.split('/').map(unescaped).collect::<Option<_>>()?;
        let (institution, id, learner, learner_record) = match parts.as_slice() {
            [institution, id, learner] => (institution, id, learner, (institution.clone(), learner.clone())),
            [institution, id, learner, first, second] => (institution, id, learner, (first.clone(), second.clone())),
            _ => return None,
        };
        let source_id =
            Self { institution: institution.clone(), id: id.clone(), learner: learner.clone(), learner_record };
        (source_id.text() == text).then_some(source_id)
    }

    /// The key of the learner's record beside that of the badge.
    pub(crate) fn learner_key(&self, beside: &RecordKey) -> RecordKey {
        RecordKey {
            kind: RecordKind::Learner,
            institution: self.learner_record.0.clone(),
            id: self.learner_record.1.clone(),
            ..beside.clone()
        }
    }
}

/// True if a study right has a key that a gateway like this one made.
pub(crate) fn is_ours(right: &Value) -> bool {
    let id = right.pointer("/lähdejärjestelmänId/id").and_then(Value::as_str);
    id.and_then(SourceId::parse).is_some()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn escaped(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        match is_plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn unescaped(part: &str) -> Option<SmolStr> {
    let mut out = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        out.push(match byte {
            b'%' => hex(bytes.next()?)? * 16 + hex(bytes.next()?)?,
            byte if is_plain(byte) => byte,
            _ => return None,
        });
    }
    String::from_utf8(out).ok().map(SmolStr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_whose_it_is() {
        let key = |kind, institution: &str, id: &str| RecordKey {
            tenant: "t".into(),
            source: "s".into(),
            kind,
            institution: institution.into(),
            id: id.into(),
        };
        for (institution, id, learner, own, written) in [
            ("02469", "A1", "L1", ("02469", "L1"), "02469/A1/L1"),
            ("", "A1", "L1", ("02469", "L1"), "/A1/L1/02469/L1"),
            ("a/b", "ä 1%", "L:1", ("a/b", "L:1"), "a%2Fb/%C3%A4%201%25/L%3A1"),
        ] {
            let badge = key(RecordKind::Attainment, institution, id);
            let source_id = SourceId::new(&badge, &learner.into(), &key(RecordKind::Learner, own.0, own.1));
            assert_eq!(source_id.text(), written);
            assert_eq!(SourceId::parse(written), Some(source_id.clone()));
            assert_eq!(source_id.learner_key(&badge), key(RecordKind::Learner, own.0, own.1));
        }
        for foreign in ["gw-2026-000123", "a/b", "a/b/c/a/c", "a/b/c/d", "a/b/%4", "a/b/%zz", "a/b/c d", "a/b/%41"] {
            assert_eq!(SourceId::parse(foreign), None, "{foreign}");
        }
    }
}
