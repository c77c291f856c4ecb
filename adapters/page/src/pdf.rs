//! Sheets as a PDF that can be read aloud: tagged, with its language, as PDF/UA-1 asks.

use crate::NotDrawn;
use crate::content::Content;
use crate::font;
use crate::layout::{Element, HEIGHT, Role, Sheet, WIDTH};
use krilla::color::luma;
use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, SpanTag, Tag, TagGroup, TagTree};
use krilla::text::{Font, TextDirection};
use krilla::{Document, SerializeSettings};
use std::num::NonZeroU16;

/// Writes sheets.
pub(crate) fn write(content: &Content, sheets: &[Sheet]) -> Result<Vec<u8>, NotDrawn> {
    let failed = |what: String| NotDrawn(what);
    let configuration = ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1).finish();
    let configuration = configuration.map_err(|e| failed(format!("{e:?}")))?;
    let mut document = Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    let fonts = Fonts { regular: load(false)?, bold: load(true)? };
    let language = content.language.code();
    let mut tree = TagTree::new().with_lang(Some(language.to_owned()));
    let mut outline = Outline::new();
    for (nth, sheet) in sheets.iter().enumerate() {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| failed("a sheet has no size".into()))?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        rules(&mut surface, &sheet.rules);
        for element in &sheet.elements {
            if element.role == Role::Footer {
                surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
                draw(&mut surface, element, &fonts);
                surface.end_tagged();
                continue;
            }
            let identifier = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
            draw(&mut surface, element, &fonts);
            surface.end_tagged();
            let title = || element.lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ");
            let mut group = match element.role {
                Role::Title => TagGroup::new(Tag::Hn(NonZeroU16::MIN, Some(title()))),
                Role::Heading => TagGroup::new(Tag::Hn(NonZeroU16::MIN.saturating_add(1), Some(title()))),
                Role::Paragraph | Role::Footer => TagGroup::new(Tag::P),
            };
            group.push(identifier);
            tree.push(group);
            if let (Role::Title | Role::Heading, Some(line)) = (element.role, element.lines.first()) {
                let place = XyzDestination::new(nth, Point::from_xy(line.x, line.y - line.size));
                outline.push_child(OutlineNode::new(title(), place));
            }
        }
        surface.finish();
        page.finish();
    }
    document.set_tag_tree(tree);
    document.set_outline(outline);
    let title = [&content.title, &content.id].into_iter().find(|text| !text.is_empty());
    let title = title.cloned().unwrap_or_else(|| "–".to_owned());
    let metadata = Metadata::new().title(title).language(language.to_owned()).document_id(content.id.clone());
    document.set_metadata(metadata.creator("Silta".to_owned()));
    document.finish().map_err(|e| failed(format!("{e:?}")))
}

struct Fonts {
    regular: Font,
    bold: Font,
}

fn load(bold: bool) -> Result<Font, NotDrawn> {
    Font::new(font::of(bold).bytes.into(), 0).ok_or_else(|| NotDrawn("the font does not load".into()))
}

fn rules(surface: &mut Surface<'_>, rules: &[f32]) {
    for y in rules {
        let mut path = PathBuilder::new();
        if let Some(rect) = Rect::from_xywh(56.0, *y, WIDTH - 112.0, 0.8) {
            path.push_rect(rect);
        }
        if let Some(path) = path.finish() {
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
            surface.set_fill(Some(shade(0x88)));
            surface.draw_path(&path);
            surface.end_tagged();
        }
    }
}

fn shade(shade: u8) -> Fill {
    Fill { paint: luma::Color::new(shade).into(), ..Fill::default() }
}

fn draw(surface: &mut Surface<'_>, element: &Element, fonts: &Fonts) {
    for line in element.lines.iter().filter(|line| !line.text.is_empty()) {
        let font = if line.bold { &fonts.bold } else { &fonts.regular };
        surface.set_fill(Some(shade(line.shade)));
        let start = Point::from_xy(line.x, line.y);
        surface.draw_text(start, font.clone(), line.size, &line.text, false, TextDirection::Auto);
    }
}
