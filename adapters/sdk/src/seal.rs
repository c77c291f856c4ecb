//! Sealing: a document becomes one that anyone can verify without asking who issued it.

use crate::problem::Problem;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

/// Why a document was not sealed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NotSealed {
    /// It will not be sealed as it is, or with this key, however often one asks.
    #[error("{}", .0.message)]
    Refused(Box<Problem>),
    /// Something that is needed, such as a time-stamp service, did not do its part this time.
    #[error("{}", .0.message)]
    Unavailable(Box<Problem>),
}

/// Seals documents of one format with one key.
#[async_trait]
pub trait Seal: Send + Sync {
    /// Seals a document as of a time. Nothing outside changes: sealing the same document again is harmless and gives
    /// another seal over the same content.
    ///
    /// # Errors
    /// If it is not sealed; whether asking again makes sense is in the error.
    async fn seal(&self, document: &[u8], now: Timestamp) -> Result<Vec<u8>, NotSealed>;
}

/// Makes the images by which a credential is shown to people, to be sealed with it.
pub trait Show: Send + Sync {
    /// The value of `displayParameter.individualDisplay` of a credential, made of what it says and of nothing else.
    ///
    /// # Errors
    /// Why there is none, without personal data.
    fn show(&self, credential: &Value) -> Result<Value, String>;
}
