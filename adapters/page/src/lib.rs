//! A credential as a page to look at, made of what the credential says: as an image, which European Digital Credentials
//! carry, and as a PDF of the same page, which people print.
//!
//! | module | what it does |
//! |---|---|
//! | [`words`] | the languages, and what the gateway says itself in each |
//! | [`content`] | what a credential says, in one language, as blocks |
//! | [`layout`] | blocks on sheets of A4 |
//! | `font` | the font, and how wide text is |
//! | `image` | a sheet as PNG |
//! | `pdf` | sheets as an accessible PDF |
//! | `display` | the images where a credential has its place for them |
//!
//! A page is drawn from the credential and from nothing else, so that it cannot say more than was sealed, and the same
//! credential is always the same page, byte for byte.

pub mod content;
mod display;
mod font;
mod image;
pub mod layout;
mod pdf;
pub mod words;

pub use content::{Block, Content};
pub use display::Pages;
pub use words::Language;

use serde_json::Value;

/// A page was not drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the page cannot be drawn: {0}")]
pub struct NotDrawn(String);

/// A credential's pages in a language, each a PNG image.
///
/// # Errors
/// If one cannot be drawn.
pub fn images(credential: &Value, language: Language) -> Result<Vec<Vec<u8>>, NotDrawn> {
    let sheets = layout::sheets(&Content::of(credential, language));
    sheets.iter().map(image::png).collect()
}

/// A credential's pages in a language as one PDF.
///
/// # Errors
/// If it cannot be written.
pub fn pdf(credential: &Value, language: Language) -> Result<Vec<u8>, NotDrawn> {
    let content = Content::of(credential, language);
    pdf::write(&content, &layout::sheets(&content))
}
