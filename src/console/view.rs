//! How values look on a page. What is `HtmlSafe` here writes its own markup and nothing that came from outside
//! unescaped.

use crate::ledger::{DebtState, FindingStatus, LoadStatus, Micros, Outcome};
use askama::Template;
use askama::filters::HtmlSafe;
use jiff::tz::TimeZone;
use silta_adapter::delivery::Verdict;
use silta_adapter::problem::Severity;
use silta_adapter::record::State;
use std::fmt;
use std::sync::LazyLock;

/// Europe/Helsinki by its rule, so that no time-zone database is needed.
static HELSINKI: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::posix("EET-2EEST,M3.5.0/3,M10.5.0/4").unwrap_or(TimeZone::UTC));

/// A point in time, or none: `<time>` with the instant for machines and Helsinki time for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When(Option<Micros>);

/// A point in time, or none.
pub fn when(at: impl Into<Option<Micros>>) -> When {
    When(at.into())
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.0 else { return NONE.fmt(f) };
        let instant = jiff::Timestamp::from_microsecond(at).unwrap_or_default();
        let local = instant.to_zoned(HELSINKI.clone());
        write!(
            f,
            "<time datetime=\"{}\">{}</time>",
            instant.strftime("%Y-%m-%dT%H:%M:%SZ"),
            local.strftime("%Y-%m-%d %H:%M:%S")
        )
    }
}
impl HtmlSafe for When {}

/// Nothing, said so that a screen reader says it too.
const NONE: &str = "<span class=\"none\"><span aria-hidden=\"true\">–</span><span class=\"hidden\">none</span></span>";

/// Text that may not be there.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(source = "{% if let Some(text) = text %}{{ text }}{% else %}{{ Nothing }}{% endif %}", ext = "html")]
pub struct Maybe {
    text: Option<String>,
}
impl HtmlSafe for Maybe {}

/// Text that may not be there; empty text is none.
pub fn maybe(text: Option<impl Into<String>>) -> Maybe {
    Maybe { text: text.map(Into::into).filter(|t| !t.is_empty()) }
}

struct Nothing;
impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NONE.fmt(f)
    }
}
impl HtmlSafe for Nothing {}

/// How long something took or has lasted, in its two largest units.
pub fn span(length: Micros) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let length = length.max(0);
    if length < 1_000_000 {
        return format!("{} ms", length / 1000);
    }
    let seconds = length / 1_000_000;
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[first];
    let rest = UNITS.get(first + 1).map(|(smaller, name)| (seconds % unit / smaller, name)).filter(|(n, _)| *n > 0);
    match rest {
        Some((n, smaller)) => format!("{} {name} {n} {smaller}", seconds / unit),
        None => format!("{} {name}", seconds / unit),
    }
}

/// A whole number with its thousands set apart by narrow spaces.
pub fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * 3 + 1);
    if n < 0 {
        out.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A number of things, the word in the plural where it has to be.
pub fn count(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A share in per cent with one decimal, rounded down so that 100 % means all; `None` of nothing.
pub fn share(part: i64, of: i64) -> Option<String> {
    (of > 0).then(|| {
        let thousandths = part.saturating_mul(1000) / of;
        format!("{}.{} %", thousandths / 10, thousandths % 10)
    })
}

/// A field's name in words: `completed_on` → `Completed on`.
pub fn words(name: &str) -> String {
    let text = name.replace('_', " ");
    if matches!(name, "ects" | "eqf" | "nqf" | "id" | "url" | "iri") {
        return text.to_uppercase();
    }
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a state means for an operator; drawn as a colour beside the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// To be looked at.
    Warn,
    /// Somebody has to act.
    Bad,
    /// Of no concern.
    Quiet,
}

/// A state: a word and its tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Badge(pub Tone, pub &'static str);

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tone = match self.0 {
            Tone::Good => "good",
            Tone::Busy => "busy",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
            Tone::Quiet => "quiet",
        };
        write!(f, "<span class=\"badge {tone}\">{}</span>", self.1.replace('_', " "))
    }
}
impl HtmlSafe for Badge {}

impl From<DebtState> for Badge {
    fn from(state: DebtState) -> Self {
        let tone = match state {
            DebtState::Confirmed => Tone::Good,
            DebtState::Sent | DebtState::Unverifiable | DebtState::Sending | DebtState::Owed => Tone::Busy,
            DebtState::Uncertain | DebtState::Waiting => Tone::Warn,
            DebtState::Refused => Tone::Bad,
            DebtState::Unplanned | DebtState::Settled | DebtState::Barred => Tone::Quiet,
        };
        Self(tone, state.name())
    }
}

impl From<LoadStatus> for Badge {
    fn from(status: LoadStatus) -> Self {
        let tone = match status {
            LoadStatus::Delivered => Tone::Good,
            LoadStatus::Sending | LoadStatus::Released => Tone::Busy,
            LoadStatus::Held | LoadStatus::Failed => Tone::Warn,
            LoadStatus::Refused => Tone::Bad,
            LoadStatus::Rejected => Tone::Quiet,
        };
        Self(tone, status.name())
    }
}

impl From<FindingStatus> for Badge {
    fn from(status: FindingStatus) -> Self {
        let tone = match status {
            FindingStatus::Open | FindingStatus::Held => Tone::Warn,
            FindingStatus::Repairing => Tone::Busy,
            FindingStatus::Persistent => Tone::Bad,
            FindingStatus::Accepted | FindingStatus::Suppressed => Tone::Quiet,
            FindingStatus::Closed => Tone::Good,
        };
        Self(tone, status.name())
    }
}

impl From<State> for Badge {
    fn from(state: State) -> Self {
        Self(if state.is_tombstone() { Tone::Quiet } else { Tone::Good }, state.name())
    }
}

impl From<Outcome> for Badge {
    fn from(outcome: Outcome) -> Self {
        let tone = match outcome {
            Outcome::New | Outcome::Updated => Tone::Good,
            Outcome::Unchanged => Tone::Quiet,
            Outcome::Stale | Outcome::Reverted => Tone::Warn,
            Outcome::Contested | Outcome::Refused => Tone::Bad,
        };
        Self(tone, outcome.name())
    }
}

impl From<Verdict> for Badge {
    fn from(verdict: Verdict) -> Self {
        let tone = match verdict {
            Verdict::Accepted | Verdict::AcceptedPending => Tone::Good,
            Verdict::RetryAfter | Verdict::Transient | Verdict::Uncertain => Tone::Warn,
            Verdict::Refused | Verdict::Auth | Verdict::Misconfigured => Tone::Bad,
            Verdict::Barred => Tone::Quiet,
        };
        Self(tone, verdict.name())
    }
}

impl From<Severity> for Badge {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self(Tone::Warn, "warning"),
            Severity::Error => Self(Tone::Bad, "error"),
        }
    }
}

/// A form of one button that changes something.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = r#"<form method="post" action="{{ action }}"><input type="hidden" name="csrf" value="{{ csrf }}">{% if back %}<input type="hidden" name="back" value="overview">{% endif %}<button{% if strong %} class="strong"{% endif %}>{{ label }}{% if !of.is_empty() %} <span class="hidden">{{ of }}</span>{% endif %}</button></form>"#,
    ext = "html"
)]
pub struct Button {
    /// Where it is posted to.
    pub action: String,
    /// What it does.
    pub label: &'static str,
    /// To what, for those who hear the page.
    pub of: String,
    /// The session's token.
    pub csrf: String,
    /// True for the one that is usually meant.
    pub strong: bool,
    /// True if it leads back to the overview.
    pub back: bool,
}
impl HtmlSafe for Button {}

impl Button {
    /// A button.
    pub fn new(action: String, label: &'static str, csrf: &str) -> Self {
        Self { action, label, of: String::new(), csrf: csrf.to_owned(), strong: false, back: false }
    }

    /// The one that is usually meant.
    pub fn strong(mut self) -> Self {
        self.strong = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_helsinki_time_in_winter_and_summer() {
        let shown = |text: &str| when(text.parse::<jiff::Timestamp>().expect("a time").as_microsecond()).to_string();
        assert_eq!(shown("2026-11-21T20:02:39Z"), "<time datetime=\"2026-11-21T20:02:39Z\">2026-11-21 22:02:39</time>");
        assert_eq!(shown("2026-06-21T21:30:00Z"), "<time datetime=\"2026-06-21T21:30:00Z\">2026-06-22 00:30:00</time>");
        assert!(when(None).to_string().contains(">none<"));
    }

    #[test]
    fn lengths_numbers_and_shares_are_readable() {
        let second = 1_000_000;
        for (length, text) in [
            (-5, "0 ms"),
            (45_000, "45 ms"),
            (59 * second, "59 s"),
            (60 * second, "1 min"),
            (3 * 3600 * second + 12 * 60 * second, "3 h 12 min"),
            (49 * 3600 * second, "2 d 1 h"),
        ] {
            assert_eq!(span(length), text);
        }
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(number(999), "999");
        assert_eq!(number(-1000), "−1\u{202f}000");
        assert_eq!(share(999, 1000).as_deref(), Some("99.9 %"));
        assert_eq!(share(99_999, 100_000).as_deref(), Some("99.9 %"), "not all");
        assert_eq!(share(0, 0), None);
        assert_eq!(words("completed_on"), "Completed on");
        assert_eq!(words("ects"), "ECTS");
    }

    #[test]
    fn text_from_outside_is_escaped() {
        assert!(!maybe(Some("<script>")).to_string().contains("<script>"));
        let button = Button { of: "\"><script>".into(), ..Button::new("/x?a=\"".into(), "Go", "t") };
        let html = button.to_string();
        assert!(!html.contains("<script>") && !html.contains("a=\"\""), "{html}");
    }
}
