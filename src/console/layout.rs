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

const NAV: [(&str, &str, &[Right]); 5] = [
    ("/", "Overview", &[Right::Operate]),
    ("/refusals", "Refusals", &[Right::Operate]),
    ("/findings", "Findings", &[Right::Operate]),
    ("/records", "Records", &[Right::Read]),
    ("/problems", "Senders’ problems", &[Right::Operate, Right::Push]),
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
