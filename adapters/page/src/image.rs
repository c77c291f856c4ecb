//! A sheet as a PNG image in sixteen shades of grey: small, since every credential carries it.

use crate::NotDrawn;
use crate::font::{self, FAMILY};
use crate::layout::{HEIGHT, Line, Sheet, WIDTH};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use std::fmt::Write;
use std::sync::{Arc, LazyLock};

/// Pixels for each point: 115 dots an inch, which reads well on a screen and when printed.
const SCALE: f32 = 1.6;

static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    for bold in [false, true] {
        fonts.load_font_source(fontdb::Source::Binary(Arc::new(font::of(bold).bytes)));
    }
    Arc::new(fonts)
});

/// Draws a sheet.
pub(crate) fn png(sheet: &Sheet) -> Result<Vec<u8>, NotDrawn> {
    let failed = |e: &dyn std::fmt::Display| NotDrawn(e.to_string());
    let options = Options { fontdb: FONTS.clone(), font_family: FAMILY.to_owned(), ..Options::default() };
    let tree = Tree::from_str(&svg(sheet), &options).map_err(|e| failed(&e))?;
    let pixels = |points: f32| (points * SCALE).ceil() as u32;
    let (width, height) = (pixels(WIDTH), pixels(HEIGHT));
    let mut pixmap = Pixmap::new(width, height).ok_or_else(|| failed(&"no room"))?;
    pixmap.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    // Everything on the sheet is grey: one channel tells all, and sixteen shades are enough for text.
    let shade = |at: usize| pixmap.pixels().get(at).map_or(15, |pixel| pixel.red() >> 4);
    let (wide, high) = (width as usize, height as usize);
    let row = |y: usize| (0..wide.div_ceil(2)).map(move |half| (y * wide + 2 * half, 2 * half + 1 < wide));
    let two = |(at, both): (usize, bool)| shade(at) << 4 | if both { shade(at + 1) } else { 0 };
    let shades: Vec<u8> = (0..high).flat_map(row).map(two).collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Four);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_filter(png::Filter::NoFilter);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&shades).and_then(|()| writer.finish()))
        .map_err(|e| failed(&e))?;
    Ok(out)
}

fn svg(sheet: &Sheet) -> String {
    let mut svg = format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">"#);
    // Writing to a string cannot fail.
    for y in &sheet.rules {
        let end = WIDTH - 56.0;
        let _ = write!(svg, r##"<path d="M56 {y}H{end}" stroke="#888888" stroke-width="0.8"/>"##);
    }
    for Line { x, y, size, bold, shade, text } in sheet.elements.iter().flat_map(|element| &element.lines) {
        let weight = if *bold { "bold" } else { "normal" };
        let fill = format!("#{shade:02x}{shade:02x}{shade:02x}");
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ = write!(
            svg,
            r#"<text x="{x}" y="{y}" font-family="{FAMILY}" font-size="{size}" font-weight="{weight}" fill="{fill}" xml:space="preserve">{text}</text>"#
        );
    }
    svg.push_str("</svg>");
    svg
}
