//! Durations compared as durations.

use jiff::Span;
use jiff::fmt::temporal::SpanParser;

/// A text for all ISO 8601 durations that last the same: `PT60H` and `P2DT12H`, `P1Y` and `P12M`. How many days a month
/// has is nobody's to say. Text that is no duration stays what it is.
pub(super) fn normal(text: String) -> String {
    let Ok(span) = SpanParser::new().parse_span(text.trim()) else { return text };
    let months = i64::from(span.get_years()) * 12 + i64::from(span.get_months());
    match seconds(&span) {
        Some((seconds, nanoseconds)) => format!("P{months}MT{seconds}.{nanoseconds:09}S"),
        None => text,
    }
}

/// Whole seconds and the nanoseconds beyond them of everything below months.
fn seconds(span: &Span) -> Option<(i64, i64)> {
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let minutes = (days * 24 + i64::from(span.get_hours())).checked_mul(60)?.checked_add(span.get_minutes())?;
    let seconds = minutes.checked_mul(60)?.checked_add(span.get_seconds())?;
    let below = span.get_milliseconds().checked_mul(1_000)?.checked_add(span.get_microseconds())?;
    let below = below.checked_mul(1_000)?.checked_add(span.get_nanoseconds())?;
    Some((seconds.checked_add(below / 1_000_000_000)?, (below % 1_000_000_000).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_that_last_the_same_are_the_same() {
        let normal = |text: &str| normal(text.to_owned());
        for (one, other) in [("PT60H", "P2DT12H"), ("P1Y", "P12M"), ("P2W", "P14D"), ("PT90M", "PT1H30M")] {
            assert_eq!(normal(one), normal(other));
        }
        assert_eq!(normal("PT1.5S"), "P0MT1.500000000S");
        assert_ne!(normal("P60M"), normal("PT60M"), "months are not minutes");
        assert_eq!(normal("60 hours"), "60 hours");
    }
}
