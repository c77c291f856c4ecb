//! Time, sealed bytes and pseudonyms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Microseconds since the Unix epoch.
pub type Micros = i64;

/// Bytes sealed by the vault; only the vault can open them.
pub type Sealed = Vec<u8>;

macro_rules! pseudonym {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let mut bytes = [0; 16];
                if text.len() != 32 || !text.is_ascii() {
                    return Err(NotAnId);
                }
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(|_| NotAnId)?;
                }
                Ok(Self(bytes))
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
            }
        }
    };
}

/// The text is not an id (32 hexadecimal digits).
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not an id (32 hexadecimal digits)")]
pub struct NotAnId;

pseudonym! {
    /// A record or item: keyed pseudonym of the record key (an item is named by its root record).
    RecordId
}
pseudonym! {
    /// A learner: keyed pseudonym of the learner key.
    LearnerId
}
pseudonym! {
    /// Keyed pseudonym of `(tenant, source key)`, to find records by the key a person knows.
    Lookup
}
pseudonym! {
    /// A person: keyed pseudonym of what tells her from all others.
    PersonId
}
