//! What is around every page.

use super::App;
use super::session::Seat;
use crate::access::Right;
use std::sync::LazyLock;

/// The stylesheet.
pub const CSS: &str = include_str!("console.css");

/// Address of the stylesheet: changes with its content, so that it may be kept for ever.
pub static CSS_HREF: LazyLock<String> =
    LazyLock::new(|| format!("/console.css?v={}", &blake3::hash(CSS.as_bytes()).to_hex()[..12]));

/// What is around a page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Title of the page, without personal data: it stays in the browser's history.
    pub title: String,
    /// Address of the stylesheet.
    pub css: &'static str,
    /// Who is logged in.
    pub who: Option<Who>,
    /// Where one can go.
    pub nav: Vec<Link>,
    /// What the last form did.
    pub said: Option<String>,
}

/// Who is logged in.
#[derive(Debug, Clone)]
pub struct Who {
    /// Name of the token.
    pub name: String,
    /// Its role and tenant.
    pub role: String,
    /// What forms carry.
    pub csrf: String,
}

/// A link of the navigation.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where it leads.
    pub href: &'static str,
    /// What is there.
    pub text: &'static str,
    /// True if the page is there.
    pub here: bool,
}

const NAV: [(&str, &str, &[Right]); 7] = [
    ("/", "Overview", &[Right::Operate]),
    ("/refusals", "Refusals", &[Right::Operate]),
    ("/findings", "Findings", &[Right::Operate]),
    ("/records", "Records", &[Right::Read]),
    ("/problems", "Senders’ problems", &[Right::Operate, Right::Push]),
    ("/credentials", "Credentials", &[Right::Operate, Right::Push]),
    ("/completeness", "Micro-credentials", &[Right::Operate, Right::Push]),
];

impl Frame {
    /// Around a page of somebody who is logged in. `here` is the address of its navigation link.
    pub fn new(app: &App, seat: &Seat, here: &str, title: impl Into<String>) -> Self {
        let tenant = seat.actor.tenant().map_or_else(|| "all tenants".to_owned(), |t| format!("tenant {t}"));
        Self {
            title: title.into(),
            css: &CSS_HREF,
            who: Some(Who {
                name: seat.actor.name().to_string(),
                role: format!("{}, {tenant}", seat.actor.role().name()),
                csrf: seat.csrf.clone(),
            }),
            nav: NAV
                .iter()
                .filter(|(_, _, rights)| rights.iter().any(|right| seat.can(*right)))
                .map(|&(href, text, _)| Link { href, text, here: href == here })
                .collect(),
            said: app.sessions.said(&seat.key),
        }
    }

    /// Around a page for anybody.
    pub fn outside(title: impl Into<String>) -> Self {
        Self { title: title.into(), css: &CSS_HREF, who: None, nav: Vec::new(), said: None }
    }
}

#[cfg(test)]
mod tests {
    use super::CSS;
    use std::collections::HashMap;

    /// The colours of a scheme: `--name: #rrggbb` (or `#rgb`) in the first block after a marker.
    fn colours(css: &str) -> HashMap<&str, [f64; 3]> {
        let block = css.split(":root {").nth(1).expect("a block").split('}').next().expect("its end");
        let colour = |text: &str| {
            let digits = text.trim().strip_prefix('#')?;
            let wide: String =
                if digits.len() == 3 { digits.chars().flat_map(|c| [c, c]).collect() } else { digits.to_owned() };
            Some([0, 2, 4].map(|at| f64::from(u8::from_str_radix(&wide[at..at + 2], 16).expect("a colour")) / 255.0))
        };
        block.split(';').filter_map(|d| d.split_once(':')).filter_map(|(n, v)| Some((n.trim(), colour(v)?))).collect()
    }

    /// Contrast as WCAG 2 defines it.
    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let linear = |c: f64| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        let light = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let (a, b) = (light(a), light(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_stands_out_in_both_schemes() {
        for (sheet, css) in [("console", CSS), ("share", crate::share::page::CSS)] {
            let (light, dark) = css.split_once("@media (prefers-color-scheme: dark)").expect("two schemes");
            for (scheme, css) in [("light", light), ("dark", dark)] {
                stands_out(&format!("{sheet}, {scheme}"), &colours(css));
            }
        }
    }

    fn stands_out(scheme: &str, colours: &HashMap<&str, [f64; 3]>) {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for tone in ["good", "busy", "warn", "bad", "quiet"] {
            pairs.push((format!("--{tone}"), format!("--{tone}-back")));
            pairs.push(("--ink".into(), format!("--{tone}-back")));
        }
        for back in ["--paper", "--sheet", "--head"] {
            pairs.extend(["--ink", "--soft", "--link"].map(|front| (front.into(), back.into())));
        }
        pairs.push(("--on-strong".into(), "--strong".into()));
        // The pages for everybody do not have all of them.
        pairs.retain(|(front, back)| colours.contains_key(&**front) && colours.contains_key(&**back));
        assert!(pairs.len() >= 10, "{scheme}: {pairs:?}");
        for (front, back) in pairs {
            let ratio = contrast(colours[front.as_str()], colours[back.as_str()]);
            assert!(ratio >= 4.5, "{scheme}: {front} on {back} is {ratio:.2}");
        }
        for back in ["--paper", "--sheet"] {
            assert!(contrast(colours["--focus"], colours[back]) >= 3.0, "{scheme}: the focus ring on {back}");
        }
    }
}
