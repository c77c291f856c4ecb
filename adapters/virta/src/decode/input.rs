//! Bytes in, UTF-8 out: finds the encoding of a document and bounds what one token of it may take.

use super::xml::Halt;
use quick_xml::Reader;
use quick_xml::encoding::{DecodingReader, detect_encoding};
use quick_xml::events::{BytesDecl, Event};
use silta_adapter::problem::Problem;
use std::cell::Cell;
use std::io::{self, BufRead, Chain, Cursor, Read};
use std::ops::Range;

/// How much of a document is looked at for its declaration.
const HEAD: usize = 512;

/// The start of the input that was looked at already, and the rest.
type Whole<'i> = Chain<Cursor<Vec<u8>>, &'i mut dyn BufRead>;

/// How much is read at once.
const CHUNK: usize = 1 << 16;

/// A document in UTF-8, with lines counted and characters checked a chunk at a time.
pub(super) struct Input<'i> {
    source: Source<'i>,
    chunk: Box<[u8]>,
    /// What of the chunk is left.
    rest: Range<usize>,
    /// Bytes of earlier chunks.
    before: u64,
    /// Up to where in the chunk lines are counted, and how many there are up to there.
    counted: Cell<(usize, u64)>,
    /// What stood in the chunks read so far.
    seen: Seen,
    /// Where the current token began, and how long it may be.
    token: u64,
    token_limit: u64,
}

/// Bytes that call for checks of every token, seen or not. Most documents hold none of them, and to look for them in a
/// whole chunk costs next to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen(u8);

impl Seen {
    const ILLEGAL: u8 = 1;
    const CARRIAGE_RETURN: u8 = 2;
    const BRACKET: u8 = 4;

    // One byte of flags, so that the loop takes many bytes at once.
    fn note(&mut self, chunk: &[u8]) {
        self.0 = chunk.iter().fold(self.0, |seen, byte| {
            seen | (u8::from(is_control(*byte) | (*byte == 0xEF)) * Self::ILLEGAL)
                | (u8::from(*byte == b'\r') * Self::CARRIAGE_RETURN)
                | (u8::from(*byte == b']') * Self::BRACKET)
        });
    }

    /// There may be a character that XML does not allow: a control character, U+FFFE or U+FFFF.
    pub(super) fn illegal(self) -> bool {
        self.0 & Self::ILLEGAL != 0
    }

    /// There was a carriage return: line ends have to be normalised.
    pub(super) fn carriage_return(self) -> bool {
        self.0 & Self::CARRIAGE_RETURN != 0
    }

    /// There was a `]`: text may hold the end of a CDATA section, which it must not.
    pub(super) fn bracket(self) -> bool {
        self.0 & Self::BRACKET != 0
    }
}

enum Source<'i> {
    Utf8(Whole<'i>),
    Recoded(Box<DecodingReader<Whole<'i>>>),
}

impl<'i> Input<'i> {
    pub(super) fn open(input: &'i mut dyn BufRead, token_limit: usize) -> Result<Self, Halt> {
        let mut head = Vec::with_capacity(HEAD);
        (&mut *input).take(HEAD as u64).read_to_end(&mut head)?;
        let wide = detect_encoding(&head).is_some_and(|detected| detected.encoding().name() != "UTF-8");
        let declaration = if wide { None } else { declaration(&head) };
        let whole = Cursor::new(head).chain(input);
        let source = match declaration.map(|declaration| (declaration.encoding().is_some(), declaration.encoder())) {
            Some((true, None)) => {
                return Err(Problem::error("unknown_encoding", "the declared encoding is unknown").into());
            }
            Some((_, Some(encoding))) if !encoding.is_ascii_compatible() => {
                return Err(Problem::error("wrong_encoding", "the declared encoding is not the one used").into());
            }
            Some((_, Some(encoding))) if encoding.name() != "UTF-8" => {
                let mut reader = DecodingReader::new(whole);
                reader.set_encoding(encoding);
                Source::Recoded(Box::new(reader))
            }
            _ if wide => Source::Recoded(Box::new(DecodingReader::new(whole))),
            _ => Source::Utf8(whole),
        };
        Ok(Self {
            source,
            chunk: vec![0; CHUNK].into(),
            rest: 0..0,
            before: 0,
            counted: Cell::new((0, 1)),
            seen: Seen::default(),
            token: 0,
            token_limit: token_limit as u64,
        })
    }

    /// Bytes consumed.
    fn offset(&self) -> u64 {
        self.before + self.rest.start as u64
    }

    /// A token begins here.
    pub(super) fn mark_token(&mut self) {
        self.token = self.offset();
    }

    /// True if the current token is longer than it may be.
    pub(super) fn is_too_long(&self) -> bool {
        self.offset() - self.token > self.token_limit
    }

    /// The line of what comes next.
    pub(super) fn line(&self) -> u64 {
        let (from, lines) = self.counted.get();
        let lines = lines + count_lines(&self.chunk[from..self.rest.start]);
        self.counted.set((self.rest.start, lines));
        lines
    }

    /// What tokens have to be checked for.
    #[inline]
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    fn refill(&mut self) -> io::Result<()> {
        if self.is_too_long() {
            return Err(io::Error::other("a token is too long"));
        }
        let lines = self.line();
        self.before += self.rest.start as u64;
        self.counted.set((0, lines));
        self.rest = 0..0;
        let length = match &mut self.source {
            Source::Utf8(source) => source.read(&mut self.chunk)?,
            Source::Recoded(source) => source.read(&mut self.chunk)?,
        };
        self.rest = 0..length;
        self.seen.note(&self.chunk[..length]);
        Ok(())
    }
}

/// Line ends in some bytes.
pub(super) fn count_lines(bytes: &[u8]) -> u64 {
    bytes.chunks(255).map(|few| u64::from(few.iter().fold(0u8, |n, b| n + u8::from(*b == b'\n')))).sum()
}

/// True if there is a character that XML does not allow, in UTF-8.
pub(super) fn has_illegal(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| is_control(*b)) || bytes.windows(3).any(|w| matches!(w, [0xEF, 0xBF, 0xBE | 0xBF]))
}

fn is_control(b: u8) -> bool {
    (b < 0x20) & (b != b'\t') & (b != b'\n') & (b != b'\r')
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
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            self.refill()?;
        }
        Ok(&self.chunk[self.rest.clone()])
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        self.rest.start += amount;
    }
}
