//! Bytes in, UTF-8 out: finds the encoding of a document and bounds what one token of it may take.

use super::xml::Halt;
use quick_xml::Reader;
use quick_xml::encoding::{DecodingReader, detect_encoding};
use quick_xml::events::{BytesDecl, Event};
use silta_adapter::problem::Problem;
use std::io::{self, BufRead, Chain, Cursor, Read};

/// How much of a document is looked at for its declaration.
const HEAD: usize = 512;

/// The start of the input that was looked at already, and the rest.
type Whole<'i> = Chain<Cursor<Vec<u8>>, &'i mut dyn BufRead>;

/// A document in UTF-8.
pub(super) struct Input<'i> {
    text: Text<'i>,
    /// Bytes the current token may still take before the input is cut off.
    allowance: u64,
}

enum Text<'i> {
    Utf8(Whole<'i>),
    Recoded(Box<DecodingReader<Whole<'i>>>),
}

impl<'i> Input<'i> {
    pub(super) fn open(input: &'i mut dyn BufRead) -> Result<Self, Halt> {
        let mut head = Vec::with_capacity(HEAD);
        (&mut *input).take(HEAD as u64).read_to_end(&mut head)?;
        let wide = detect_encoding(&head).is_some_and(|detected| detected.encoding().name() != "UTF-8");
        let declaration = if wide { None } else { declaration(&head) };
        let whole = Cursor::new(head).chain(input);
        let text = match declaration.map(|declaration| (declaration.encoding().is_some(), declaration.encoder())) {
            Some((true, None)) => {
                return Err(Problem::error("unknown_encoding", "the declared encoding is unknown").into());
            }
            Some((_, Some(encoding))) if !encoding.is_ascii_compatible() => {
                return Err(Problem::error("wrong_encoding", "the declared encoding is not the one used").into());
            }
            Some((_, Some(encoding))) if encoding.name() != "UTF-8" => {
                let mut reader = DecodingReader::new(whole);
                reader.set_encoding(encoding);
                Text::Recoded(Box::new(reader))
            }
            _ if wide => Text::Recoded(Box::new(DecodingReader::new(whole))),
            _ => Text::Utf8(whole),
        };
        Ok(Self { text, allowance: u64::MAX })
    }

    /// Lets the next token take so many bytes.
    pub(super) fn allow(&mut self, bytes: u64) {
        self.allowance = bytes;
    }

    /// True if a token took more than it was allowed.
    pub(super) fn is_spent(&self) -> bool {
        self.allowance == 0
    }
}

/// The declaration of a document, if it has one that is readable as ASCII.
fn declaration(head: &[u8]) -> Option<BytesDecl<'static>> {
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let text = std::str::from_utf8(&head[..end + 2]).ok()?;
    match Reader::from_str(text.trim_start_matches('\u{feff}')).read_event() {
        Ok(Event::Decl(declaration)) => Some(declaration.into_owned()),
        _ => None,
    }
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(into.len());
        into[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.allowance == 0 {
            return Err(io::Error::other("a token is too large"));
        }
        match &mut self.text {
            Text::Utf8(text) => text.fill_buf(),
            Text::Recoded(text) => text.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.allowance = self.allowance.saturating_sub(amount as u64);
        match &mut self.text {
            Text::Utf8(text) => text.consume(amount),
            Text::Recoded(text) => text.consume(amount),
        }
    }
}
