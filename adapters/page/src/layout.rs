//! Blocks on sheets of A4.

use crate::content::{Block, Content};
use crate::font;

/// The width of a sheet in points.
pub const WIDTH: f32 = 595.0;
/// Its height in points.
pub const HEIGHT: f32 = 842.0;

const MARGIN: f32 = 56.0;
/// Where content ends and the footer begins.
const BOTTOM: f32 = HEIGHT - 76.0;
/// Where values begin beside their names.
const VALUES: f32 = MARGIN + 140.0;
/// How far a deeper part is moved in.
const INDENT: f32 = 14.0;
/// Text that is to be read first: 15 : 1 on white.
const INK: u8 = 0x20;
/// Text beside it: 7 : 1 on white, enough for WCAG 2.2 AAA.
const GREY: u8 = 0x55;

/// What an element is to somebody who has it read aloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The title of a page, or of a claim.
    Title,
    /// The heading of a section.
    Heading,
    /// A paragraph.
    Paragraph,
    /// What every sheet repeats.
    Footer,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Where it begins, from the left, in points.
    pub x: f32,
    /// Its baseline, from above, in points.
    pub y: f32,
    /// Its size in points.
    pub size: f32,
    /// Whether it is bold.
    pub bold: bool,
    /// Its shade, 0 for black.
    pub shade: u8,
    /// What it says; the font has a sign for each character.
    pub text: String,
}

/// Lines that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// What they are.
    pub role: Role,
    /// The lines, in the order of reading.
    pub lines: Vec<Line>,
}

/// One side of paper.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet {
    /// What is on it, in the order of reading.
    pub elements: Vec<Element>,
    /// Heights of horizontal rules, from above, in points.
    pub rules: Vec<f32>,
}

/// How a kind of text looks.
#[derive(Clone, Copy)]
struct Style {
    size: f32,
    bold: bool,
    shade: u8,
}

impl Style {
    const fn plain(size: f32, shade: u8) -> Self {
        Self { size, bold: false, shade }
    }

    const fn bold(size: f32, shade: u8) -> Self {
        Self { size, bold: true, shade }
    }

    fn leading(self) -> f32 {
        self.size * 1.4
    }
}

/// Lays a page out.
pub fn sheets(content: &Content) -> Vec<Sheet> {
    let mut layout = Layout { sheets: vec![Sheet::default()], y: MARGIN };
    content.blocks.iter().for_each(|block| layout.block(block));
    layout.footers(content)
}

struct Layout {
    sheets: Vec<Sheet>,
    /// The lowest point used of the last sheet.
    y: f32,
}

impl Layout {
    fn block(&mut self, block: &Block) {
        const BODY: Style = Style::plain(10.0, INK);
        match block {
            Block::Overline(text) => self.text(Role::Paragraph, text, Style::bold(11.0, GREY), MARGIN, 0.0),
            Block::Title(text) => {
                self.text(Role::Title, text, Style::bold(22.0, INK), MARGIN, 14.0);
                self.rule();
            }
            Block::Rule => {
                self.room(60.0);
                self.rule();
            }
            Block::Lead(text) => self.text(Role::Paragraph, text, Style::plain(11.0, INK), MARGIN, 6.0),
            Block::Heading(text) => {
                // A heading is not the last thing on a sheet.
                self.room(60.0);
                self.text(Role::Heading, text, Style::bold(13.0, INK), MARGIN, 16.0);
            }
            Block::Fact(name, value) => {
                let name =
                    (font::of(false).lines(name, 10.0, VALUES - MARGIN - 12.0), Style::plain(10.0, GREY), MARGIN);
                let value = (font::of(false).lines(value, 10.0, WIDTH - MARGIN - VALUES), BODY, VALUES);
                self.columns(&[name, value], 5.0);
            }
            Block::Item(text) => {
                let mark = (vec!["•".to_owned()], BODY, MARGIN);
                let lines = font::of(false).lines(text, 10.0, WIDTH - 2.0 * MARGIN - INDENT);
                self.columns(&[mark, (lines, BODY, MARGIN + INDENT)], 4.0);
            }
            Block::Part(depth, title, facts) => {
                let x = MARGIN + INDENT * f32::from(u8::try_from(*depth).unwrap_or(u8::MAX).min(8));
                let (title_style, facts_style) = (BODY, Style::plain(9.0, GREY));
                let width = WIDTH - MARGIN - x;
                let mut lines: Vec<(String, Style)> =
                    font::of(false).lines(title, 10.0, width).into_iter().map(|line| (line, title_style)).collect();
                if !facts.is_empty() {
                    let facts = font::of(false).lines(facts, 9.0, width);
                    lines.extend(facts.into_iter().map(|line| (line, facts_style)));
                }
                self.paragraph(Role::Paragraph, lines, x, 5.0);
            }
        }
    }

    fn text(&mut self, role: Role, text: &str, style: Style, x: f32, before: f32) {
        let lines = font::of(style.bold).lines(text, style.size, WIDTH - MARGIN - x);
        self.paragraph(role, lines.into_iter().map(|line| (line, style)).collect(), x, before);
    }

    /// Lines under each other. Where a sheet is full they go on on the next.
    fn paragraph(&mut self, role: Role, lines: Vec<(String, Style)>, x: f32, before: f32) {
        self.y += before;
        let mut element = Element { role, lines: Vec::new() };
        for (text, style) in lines {
            if self.y + style.leading() > BOTTOM {
                let done = std::mem::replace(&mut element, Element { role, lines: Vec::new() });
                self.place(done);
                self.next();
            }
            self.y += style.leading();
            element.lines.push(line(x, self.y, style, text));
        }
        self.place(element);
    }

    /// Columns beside each other, which stay on one sheet unless they would not fit on any.
    fn columns(&mut self, columns: &[(Vec<String>, Style, f32)], before: f32) {
        let height = |(lines, style, _): &(Vec<String>, Style, f32)| {
            f32::from(u16::try_from(lines.len()).unwrap_or(u16::MAX)) * style.leading()
        };
        let highest = columns.iter().map(height).fold(0.0, f32::max);
        if highest > BOTTOM - MARGIN {
            columns.iter().for_each(|(lines, style, x)| {
                self.paragraph(Role::Paragraph, lines.iter().map(|l| (l.clone(), *style)).collect(), *x, before);
            });
            return;
        }
        self.y += before;
        self.room(highest);
        let mut element = Element { role: Role::Paragraph, lines: Vec::new() };
        for (lines, style, x) in columns {
            let mut y = self.y;
            for text in lines {
                y += style.leading();
                element.lines.push(line(*x, y, *style, text.clone()));
            }
        }
        self.y += highest;
        self.place(element);
    }

    fn place(&mut self, element: Element) {
        if let Some(sheet) = self.sheets.last_mut().filter(|_| !element.lines.is_empty()) {
            sheet.elements.push(element);
        }
    }

    fn rule(&mut self) {
        self.y += 10.0;
        if let Some(sheet) = self.sheets.last_mut() {
            sheet.rules.push(self.y);
        }
        self.y += 4.0;
    }

    /// Goes on to the next sheet unless there is so much room left.
    fn room(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.next();
        }
    }

    fn next(&mut self) {
        self.sheets.push(Sheet::default());
        self.y = MARGIN;
    }

    fn footers(mut self, content: &Content) -> Vec<Sheet> {
        let words = content.language.words();
        let count = self.sheets.len();
        let style = Style::plain(8.0, GREY);
        for (nth, sheet) in self.sheets.iter_mut().enumerate() {
            sheet.rules.push(BOTTOM + 12.0);
            let mut lines = font::of(false).lines(words.proof, style.size, WIDTH - 2.0 * MARGIN);
            lines.push(font::of(false).shown(&format!("{} · {} {}/{count}", content.id, words.page, nth + 1)));
            let mut y = BOTTOM + 16.0;
            let lines = lines.into_iter().map(|text| {
                y += style.leading();
                line(MARGIN, y, style, text)
            });
            sheet.elements.push(Element { role: Role::Footer, lines: lines.collect() });
        }
        self.sheets
    }
}

fn line(x: f32, y: f32, style: Style, text: String) -> Line {
    Line { x, y, size: style.size, bold: style.bold, shade: style.shade, text }
}
