//! Text of any encoding as UTF-8, while it is read.

use encoding_rs::{CoderResult, Decoder, Encoding};
use std::io::{self, BufRead, Read};

/// The encoding a byte-order mark names, and the length of the mark.
pub(super) fn by_mark(head: &[u8]) -> Option<(&'static Encoding, usize)> {
    Encoding::for_bom(head)
}

/// An input in another encoding, read as UTF-8. What is not of the encoding reads as U+FFFD.
pub(super) struct Transcoded<'a> {
    input: &'a mut dyn BufRead,
    decoder: Decoder,
    out: Box<[u8]>,
    from: usize,
    to: usize,
    ended: bool,
}

impl<'a> Transcoded<'a> {
    pub(super) fn new(input: &'a mut dyn BufRead, encoding: &'static Encoding) -> Self {
        let out = vec![0; 1 << 13].into_boxed_slice();
        Self { input, decoder: encoding.new_decoder(), out, from: 0, to: 0, ended: false }
    }
}

impl Read for Transcoded<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Transcoded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.from == self.to && !self.ended {
            let chunk = self.input.fill_buf()?;
            let last = chunk.is_empty();
            let (result, read, written, _) = self.decoder.decode_to_utf8(chunk, &mut self.out, last);
            self.input.consume(read);
            (self.from, self.to) = (0, written);
            self.ended = last && result == CoderResult::InputEmpty;
        }
        Ok(&self.out[self.from..self.to])
    }

    fn consume(&mut self, count: usize) {
        self.from += count;
    }
}
