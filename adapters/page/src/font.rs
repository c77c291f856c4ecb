//! The font: DejaVu Sans, which holds all letters of Europe's languages, and how wide text is in it.

use std::sync::LazyLock;
use ttf_parser::Face;

/// The family's name.
pub(crate) const FAMILY: &str = "DejaVu Sans";

/// One of the two weights.
pub(crate) struct Font {
    /// The font file.
    pub(crate) bytes: &'static [u8],
    face: Option<Face<'static>>,
}

static REGULAR: LazyLock<Font> = LazyLock::new(|| Font::of(dejavu::sans::regular()));
static BOLD: LazyLock<Font> = LazyLock::new(|| Font::of(dejavu::sans::bold()));

/// The font of a weight.
pub(crate) fn of(bold: bool) -> &'static Font {
    if bold { &BOLD } else { &REGULAR }
}

impl Font {
    fn of(bytes: &'static [u8]) -> Self {
        Self { bytes, face: Face::parse(bytes, 0).ok() }
    }

    /// The text with a replacement character for whatever the font has no sign for.
    pub(crate) fn shown(&self, text: &str) -> String {
        let held = |c: char| self.face.as_ref().is_some_and(|face| face.glyph_index(c).is_some());
        let shown = |c: char| match c {
            c if c.is_whitespace() => ' ',
            c if c.is_control() || !held(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        };
        text.chars().map(shown).collect()
    }

    /// How wide text is at a size; never less than it will be, since kerning only narrows it.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        let Some(face) = &self.face else { return 0.0 };
        let advance = |c| f32::from(face.glyph_index(c).and_then(|glyph| face.glyph_hor_advance(glyph)).unwrap_or(0));
        text.chars().map(advance).sum::<f32>() * size / f32::from(face.units_per_em())
    }

    /// Text in lines no wider than this. A word that does not fit on a line is broken.
    pub(crate) fn lines(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let shown = self.shown(text);
        let mut lines = vec![String::new()];
        for word in shown.split(' ').filter(|word| !word.is_empty()) {
            let line = lines.last_mut().map(std::mem::take).unwrap_or_default();
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(&longer, size) <= width {
                lines.pop();
                lines.push(longer);
                continue;
            }
            lines.pop();
            if !line.is_empty() {
                lines.push(line);
            }
            lines.extend(self.broken(word, size, width));
        }
        lines
    }

    fn broken(&self, word: &str, size: f32, width: f32) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for c in word.chars() {
            if let Some(piece) = pieces.last_mut() {
                piece.push(c);
                if self.width(piece, size) > width && piece.chars().count() > 1 {
                    piece.pop();
                    pieces.push(c.into());
                }
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn both_weights_are_there_and_hold_europes_letters() {
        for bold in [false, true] {
            let letters = "åäö ÅÄÖ šžŋđŧ þæœß Łódź Ελληνικά Български ქართული … – · •";
            assert_eq!(of(bold).shown(letters), letters);
            assert_eq!(of(bold).shown("a\u{0}b\n漢"), "a\u{fffd}b \u{fffd}");
        }
    }

    #[test]
    fn lines_are_no_wider_than_allowed() {
        let font = of(false);
        let text = "Suunnittelee ja toteuttaa hyvinvointiteknologiapalveluliiketoimintaosaamiskokonaisuuksia yhdessä";
        for width in [40.0, 90.0, 300.0] {
            let lines = font.lines(text, 10.0, width);
            assert!(lines.iter().all(|line| font.width(line, 10.0) <= width), "{lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
        assert_eq!(font.lines("", 10.0, 40.0), [""]);
    }
}
