//! Lexical forms of literals, as XML Schema has them and as common readers bear them.

use crate::terms::is_duration;
use jiff::civil;

/// How well a text is a literal of a datatype.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As XML Schema has it.
    Right,
    /// Not as XML Schema has it, but borne by the official validator.
    Borne,
    /// Wrong.
    Wrong,
}

/// How well a text is a literal of the datatype of this IRI.
pub(super) fn form(text: &str, datatype: &str) -> Form {
    let right = |right| if right { Form::Right } else { Form::Wrong };
    let Some(kind) = datatype.strip_prefix("http://www.w3.org/2001/XMLSchema#") else { return Form::Right };
    match kind {
        "dateTime" => date_time(text),
        "duration" if is_duration(text) => Form::Right,
        "duration" if is_loose_duration(text) => Form::Borne,
        "duration" => Form::Wrong,
        "boolean" => right(matches!(text, "true" | "false" | "1" | "0")),
        "integer" => right(is_integer(text)),
        "positiveInteger" => {
            right(is_integer(text) && !text.starts_with('-') && text.bytes().any(|b| (b'1'..=b'9').contains(&b)))
        }
        "decimal" => match text.parse::<silta_adapter::record::Amount>() {
            Ok(_) => Form::Right,
            Err(_) if text.parse::<f64>().is_ok() => Form::Borne,
            Err(_) => Form::Wrong,
        },
        _ => Form::Right,
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// `YYYY-MM-DDThh:mm:ss` with fraction and zone. A day alone, or a time without seconds, is borne.
fn date_time(text: &str) -> Form {
    let Some((day, time)) = text.split_at_checked(10) else { return Form::Wrong };
    let plain =
        day.bytes().enumerate().all(|(nth, b)| if nth == 4 || nth == 7 { b == b'-' } else { b.is_ascii_digit() });
    if !plain || day.parse::<civil::Date>().is_err() {
        return Form::Wrong;
    }
    if time.is_empty() {
        return Form::Borne;
    }
    let Some(clock) = time.strip_prefix(['T', ' ']) else { return Form::Wrong };
    let zone_at = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone_at);
    let (whole, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, "0"));
    let units: Vec<Option<u8>> =
        whole.split(':').map(|unit| if unit.len() == 2 { unit.parse().ok() } else { None }).collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let in_range = units.iter().zip([23, 59, 59]).all(|(unit, most)| unit.is_some_and(|unit| unit <= most));
    if units.len() > 3 || !in_range || !digits(fraction) {
        return Form::Wrong;
    }
    let exact = units.len() == 3 && time.starts_with('T') && !clock.contains(',');
    match zone_form(zone) {
        Form::Right if exact => Form::Right,
        Form::Wrong => Form::Wrong,
        _ => Form::Borne,
    }
}

fn zone_form(zone: &str) -> Form {
    if zone.is_empty() || zone == "Z" {
        return Form::Right;
    }
    let digits = zone.get(1..).unwrap_or_default();
    match digits.split_once(':') {
        Some((hours, minutes)) if hours.len() == 2 && minutes.len() == 2 => {
            match (hours.parse::<u8>(), minutes.parse::<u8>()) {
                (Ok(hours), Ok(minutes)) if minutes < 60 && u16::from(hours) * 60 + u16::from(minutes) <= 840 => {
                    Form::Right
                }
                (Ok(hours), Ok(minutes)) if hours < 24 && minutes < 60 => Form::Borne,
                _ => Form::Wrong,
            }
        }
        None if (digits.len() == 2 || digits.len() == 4) && digits.bytes().all(|b| b.is_ascii_digit()) => Form::Borne,
        _ => Form::Wrong,
    }
}

/// ISO 8601 durations beyond those of XML Schema: weeks, fractions of any unit, nothing after `T`.
fn is_loose_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['+', '-']).unwrap_or(text).strip_prefix('P') else { return false };
    let units = |text: &str, units: &str| {
        let mut at = 0;
        text.split_inclusive(|c: char| c.is_ascii_alphabetic()).all(|part| {
            let (number, unit) = part.split_at(part.len().saturating_sub(1));
            let found = units[at..]
                .find(unit)
                .filter(|_| number.parse::<f64>().is_ok() && !number.contains(['e', 'E', '-', '+']));
            at += found.map_or(0, |found| found + 1);
            found.is_some()
        })
    };
    match rest.split_once('T') {
        None => !rest.is_empty() && (units(rest, "YMD") || units(rest, "W")),
        Some((days, time)) => units(days, "YMD") && units(time, "HMS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_judged_as_the_official_validator_does_and_told_where_it_is_lax() {
        let xsd = |text, kind| form(text, &["http://www.w3.org/2001/XMLSchema#", kind].concat());
        for (form, kind, texts) in [
            (
                Form::Right,
                "dateTime",
                &["1999-10-02T00:00:00Z", "1999-10-02T00:00:00", "1999-10-02T00:00:00.123+03:00"][..],
            ),
            (
                Form::Borne,
                "dateTime",
                &[
                    "1999-10-02",
                    "1999-10-02T00:00Z",
                    "1999-10-02 00:00:00",
                    "1999-10-02T00:00:00+0300",
                    "1999-10-02T00Z",
                ],
            ),
            (
                Form::Wrong,
                "dateTime",
                &[
                    "",
                    "1999",
                    "1999-13-02T00:00:00Z",
                    "1999-02-30T00:00:00Z",
                    "1999-10-02T25:00:00Z",
                    "yesterday",
                    "1999-10-02Z",
                    "02.10.1999 00:00",
                ],
            ),
            (Form::Right, "duration", &["PT60H", "P60M", "P1Y2M3DT4H5M6.5S"]),
            (Form::Borne, "duration", &["P2W", "PT1.5H", "PT", "P1DT"]),
            (Form::Wrong, "duration", &["60 hours", "P", "P1M2Y", "PT1H1H", "P1D2W", ""]),
            (Form::Right, "positiveInteger", &["1", "010"]),
            (Form::Wrong, "positiveInteger", &["0", "-1", "x", "1.0"]),
            (Form::Right, "integer", &["0", "-1", "+7"]),
            (Form::Right, "decimal", &["1.5", "1"]),
            (Form::Borne, "decimal", &["2.5E0"]),
            (Form::Wrong, "decimal", &["a"]),
            (Form::Wrong, "boolean", &["yes", "True"]),
            (Form::Right, "string", &["anything"]),
        ] {
            for text in texts {
                assert_eq!(xsd(text, kind), form, "{kind} {text}");
            }
        }
    }
}
