//! The page of a credential, and what can be fetched from it.

use super::link::{self, NotShown, Shown};
use super::verdict::{self, Standing};
use super::words::Words;
use crate::gateway::Gateway;
use crate::http::Shared;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use serde_json::{Value, json};
use silta_page::{Block, Content, Language};
use silta_seal::Report;

/// The stylesheet.
pub const CSS: &str = include_str!("share.css");

/// The language that is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// `fi`, `sv` or `en`; as the browser prefers without.
    lang: Option<String>,
}

/// A credential for people.
#[derive(Template)]
#[template(path = "credential.html")]
struct Page<'a> {
    language: Language,
    words: &'static Words,
    /// Class, heading and note of what is said first.
    standing: (&'static str, &'static str, &'static str),
    /// What the credential says; nothing of one that was withdrawn.
    content: Option<Vec<Group<'a>>>,
    sealed_by: Option<String>,
    checks: Vec<(&'static str, &'static str, &'static str, String)>,
    /// Where the page itself is, without language.
    here: String,
    profile: String,
    /// schema.org metadata, where the learner wants it.
    metadata: Option<String>,
}

/// Blocks that are read together.
enum Group<'a> {
    /// Facts by name.
    Facts(Vec<(&'static str, &'a str)>),
    /// A list.
    Items(Vec<&'a str>),
    /// Parts: how deep each is, its title and facts.
    Parts(Vec<(usize, &'a str, &'a str)>),
    /// Any other.
    One(&'a Block),
}

impl<'a> Group<'a> {
    fn of(blocks: &'a [Block]) -> Vec<Self> {
        let mut groups = Vec::new();
        for block in blocks {
            match (block, groups.last_mut()) {
                (Block::Fact(name, value), Some(Self::Facts(facts))) => facts.push((*name, value.as_str())),
                (Block::Fact(name, value), _) => groups.push(Self::Facts(vec![(*name, value.as_str())])),
                (Block::Item(text), Some(Self::Items(items))) => items.push(text),
                (Block::Item(text), _) => groups.push(Self::Items(vec![text])),
                (Block::Part(depth, title, facts), Some(Self::Parts(parts))) => parts.push((*depth, title, facts)),
                (Block::Part(depth, title, facts), _) => groups.push(Self::Parts(vec![(*depth, title, facts)])),
                (block, _) => groups.push(Self::One(block)),
            }
        }
        groups
    }
}

/// A link that leads nowhere.
#[derive(Template)]
#[template(path = "nowhere.html")]
struct Nowhere {
    language: Language,
    words: &'static Words,
}

/// The page.
pub async fn show(
    State(gateway): State<Shared>,
    Path(secret): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let language = language(&asked, &headers);
    let shown = match link::open(&gateway, &secret).await {
        Ok(shown) => shown,
        Err(e) => return not_shown(&e, language),
    };
    let credential = payload(&shown.document);
    let (standing, report) = verdict::judge(&gateway, &shown);
    let content = Content::of(&credential, language);
    let here = link::address(&gateway, &secret);
    let public = shown.link.public && standing != Standing::Withdrawn;
    let page = Page {
        language,
        words: Words::of(language),
        standing: told(standing, Words::of(language)),
        content: (standing != Standing::Withdrawn).then(|| Group::of(&content.blocks)),
        sealed_by: report.signers.first().map(|signer| {
            let holder = signer.organisation.as_ref().unwrap_or(&signer.subject);
            signer.identifier.as_ref().map_or_else(|| holder.clone(), |id| format!("{holder} ({id})"))
        }),
        checks: checks(&report, Words::of(language)),
        profile: profile(&credential, &content, &here),
        metadata: public.then(|| metadata(&credential, &content, &here)),
        here: format!("/c/{secret}"),
    };
    let mut response = html(StatusCode::OK, &page);
    if public {
        response.headers_mut().insert(ROBOTS, HeaderValue::from_static("all"));
    }
    response
}

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// The sealed credential as it is.
pub async fn document(State(gateway): State<Shared>, Path(secret): Path<String>, headers: HeaderMap) -> Response {
    match standing(&gateway, &secret).await {
        Ok(shown) => {
            let kind = (header::CONTENT_TYPE, "application/jose+json");
            ([kind, (header::CONTENT_DISPOSITION, "attachment; filename=\"credential.jsonld\"")], shown.document)
                .into_response()
        }
        Err(e) => not_shown(&e, language(&Asked::default(), &headers)),
    }
}

/// The page that the credential carries as an image, as PDF.
pub async fn pdf(
    State(gateway): State<Shared>,
    Path(secret): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let language = language(&asked, &headers);
    let shown = match standing(&gateway, &secret).await {
        Ok(shown) => shown,
        Err(e) => return not_shown(&e, language),
    };
    let drawn = tokio::task::spawn_blocking(move || silta_page::pdf(&payload(&shown.document), language)).await;
    match drawn {
        Ok(Ok(pdf)) => {
            let kind = (header::CONTENT_TYPE, "application/pdf");
            ([kind, (header::CONTENT_DISPOSITION, "inline; filename=\"credential.pdf\"")], pdf).into_response()
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The address of the page as a QR code.
pub async fn qr(State(gateway): State<Shared>, Path(secret): Path<String>, headers: HeaderMap) -> Response {
    if let Err(e) = link::open(&gateway, &secret).await {
        return not_shown(&e, language(&Asked::default(), &headers));
    }
    match QrCode::new(link::address(&gateway, &secret)) {
        Ok(code) => {
            let drawn = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
            ([(header::CONTENT_TYPE, "image/svg+xml")], drawn).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The stylesheet of the pages.
pub async fn stylesheet() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")], CSS)
}

/// What a secret leads to, unless it was withdrawn.
async fn standing(gateway: &Gateway, secret: &str) -> Result<Shown, NotShown> {
    link::open(gateway, secret).await.and_then(|shown| match shown.issued.withdrawn {
        None => Ok(shown),
        Some(_) => Err(NotShown::Nowhere),
    })
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn not_shown(error: &NotShown, language: Language) -> Response {
    let status = match error {
        NotShown::Nowhere => StatusCode::NOT_FOUND,
        failed => {
            tracing::error!(error = %failed, "a credential cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    html(status, &Nowhere { language, words: Words::of(language) })
}

/// What was sealed. What cannot be read is empty, and its verdict says so.
fn payload(document: &[u8]) -> Value {
    let sealed: Value = serde_json::from_slice(document).unwrap_or_default();
    sealed["payload"].as_str().and_then(|payload| serde_json::from_str(payload).ok()).unwrap_or_default()
}

/// The language that is asked for, or else the first that the browser names and pages are in.
fn language(asked: &Asked, headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let accepted = accepted.split(',').filter_map(|entry| entry.trim().get(..2)).find_map(Language::of_code);
    asked.lang.as_deref().and_then(Language::of_code).or(accepted).unwrap_or(Language::English)
}

fn told(standing: Standing, words: &Words) -> (&'static str, &'static str, &'static str) {
    match standing {
        Standing::Valid => ("good", words.valid, words.valid_note),
        Standing::Sealed => ("warn", words.sealed, words.sealed_note),
        Standing::Withdrawn => ("bad", words.withdrawn, words.withdrawn_note),
        Standing::Invalid => ("bad", words.invalid, words.invalid_note),
    }
}

fn checks(report: &Report, words: &Words) -> Vec<(&'static str, &'static str, &'static str, String)> {
    let row = |check: &silta_seal::report::Check| {
        (words.step(check.step), check.status.name(), words.status(check.status), check.description.clone())
    };
    report.checks.iter().map(row).collect()
}

/// Who awarded it, as the page names them.
fn awarding_body(content: &Content) -> &str {
    let mut blocks = content.blocks.iter();
    blocks
        .find_map(|block| match block {
            Block::Overline(name) => Some(name.as_str()),
            _ => None,
        })
        .unwrap_or_default()
}

/// The address at which LinkedIn adds a certificate to the profile of whoever opens it. It is told nothing before.
fn profile(credential: &Value, content: &Content, here: &str) -> String {
    let issued = credential["issued"].as_str().unwrap_or_default();
    let (year, month) = (issued.get(..4).unwrap_or_default(), issued.get(5..7).unwrap_or_default());
    let mut url = String::from("https://www.linkedin.com/profile/add?startTask=CERTIFICATION_NAME");
    for (name, value) in [
        ("name", content.title.as_str()),
        ("organizationName", awarding_body(content)),
        ("issueYear", year),
        ("issueMonth", month.trim_start_matches('0')),
        ("certUrl", here),
        ("certId", content.id.as_str()),
    ] {
        url.push('&');
        url.push_str(name);
        url.push('=');
        url.extend(percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC));
    }
    url
}

/// What search engines may read: of the credential, not of its holder. Safe inside a script element.
fn metadata(credential: &Value, content: &Content, here: &str) -> String {
    let metadata = json!({
        "@context": "https://schema.org",
        "@type": "EducationalOccupationalCredential",
        "url": here,
        "name": content.title,
        "inLanguage": content.language.code(),
        "recognizedBy": { "@type": "EducationalOrganization", "name": awarding_body(content) },
        "validFrom": credential["validFrom"],
        "dateCreated": credential["issued"],
    });
    metadata.to_string().replace('<', "\\u003c")
}
