//! The rows of the ledger.

mod access;
mod credentials;
mod debts;
mod findings;
mod ids;
mod links;
mod loads;
mod records;
mod retention;

pub use access::*;
pub use credentials::*;
pub use debts::*;
pub use findings::*;
pub use ids::*;
pub use links::*;
pub use loads::*;
pub use records::*;
pub use retention::*;

/// A closed set of states that the store and JSON know by name.
macro_rules! named {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All of them, in the order in which they are shown.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The name used in the store, in JSON and on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.name() == name)
            }
        }
    };
}
use named;
