//! Cells into values of the record model, and back.

use super::codes::Codes;
use super::path::Leaf;
use crate::row::{Cell, folded};
use jiff::civil;
use serde_json::{Value, json};
use silta_adapter::SmolStr;
use silta_adapter::record::{Amount, Date};

/// Why a cell is no value of its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// True if the mapping is to blame and not the cell.
    pub(crate) ours: bool,
}

impl Fault {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), ours: false }
    }
}

/// How the text of a cell becomes a value.
#[derive(Debug, Default)]
pub(crate) struct Conversion {
    pub(crate) dates: Vec<DatePattern>,
    pub(crate) yes: Vec<String>,
    pub(crate) no: Vec<String>,
    pub(crate) codes: Option<Codes>,
    /// The scheme of a code without a look-up.
    pub(crate) scheme: Option<SmolStr>,
    /// What parts the elements of a list.
    pub(crate) split: Option<String>,
}

impl Conversion {
    /// The elements a cell holds: one, unless the field is a list.
    pub(crate) fn pieces(&self, cell: Cell, list: bool) -> Vec<Cell> {
        let texts = match (cell, &self.split) {
            (Cell::Many(items), _) if list => items,
            (Cell::Text(text), Some(split)) if list => text.split(split.as_str()).map(str::to_owned).collect(),
            (cell, _) => return if cell.is_empty() { Vec::new() } else { vec![cell] },
        };
        texts.iter().map(|text| Cell::typed(text)).collect()
    }

    /// The cell that holds these elements.
    pub(crate) fn joined(&self, mut pieces: Vec<Cell>, table: bool) -> Cell {
        let texts = |pieces: &[Cell]| pieces.iter().map(|piece| piece.text().into_owned()).collect::<Vec<_>>();
        match (pieces.len(), &self.split) {
            (0, _) => Cell::Empty,
            (1, _) => pieces.remove(0),
            (_, Some(split)) if table => Cell::typed(&texts(&pieces).join(split)),
            _ => Cell::Many(texts(&pieces)),
        }
    }

    /// The value of a cell that is not empty.
    pub(crate) fn read(&self, leaf: Leaf, cell: &Cell) -> Result<Value, Fault> {
        if let Cell::Fault(fault) = cell {
            return Err(Fault::new("bad_cell", format!("the cell holds the error {fault}")));
        }
        if let Cell::Many(_) = cell {
            return Err(Fault::new("bad_cell", "there are several values where one is expected"));
        }
        let text = cell.text();
        let looked_up = match &self.codes {
            None => None,
            Some(codes) => {
                let meaning = codes.meaning(&text).ok_or_else(|| Fault::new("unknown_code", codes.known()))?;
                Some(meaning.as_str())
            }
        };
        let text = looked_up.unwrap_or(&text);
        match leaf {
            Leaf::Text | Leaf::Any => Ok(json!(text)),
            Leaf::Amount => amount(text),
            Leaf::Date => match (cell, looked_up) {
                (Cell::Day(day), None) => Ok(json!(Date::new(*day))),
                _ => self.date(text),
            },
            Leaf::Truth => self.truth(cell, text),
            Leaf::Integer => {
                let number = text.parse::<i64>().map_err(|_| Fault::new("bad_number", "not a whole number"))?;
                Ok(json!(number))
            }
            Leaf::Code => {
                let listed = self.codes.as_ref().and_then(|codes| codes.scheme.as_ref());
                Ok(json!({ "scheme": self.scheme.as_ref().or(listed), "value": text }))
            }
        }
    }

    /// The text of a cell inside a longer text: a day is written the same whether the cell is one or looks like one, so
    /// that a key does not depend on how a file was saved.
    pub(crate) fn inside(&self, cell: &Cell) -> String {
        match self.date(&cell.text()) {
            Ok(Value::String(day)) if !self.dates.is_empty() => day,
            _ => cell.text().into_owned(),
        }
    }

    /// The cell that [`Self::inside`] made a text of.
    pub(crate) fn outside(&self, text: &str) -> Cell {
        match (self.dates.first(), text.parse::<Date>()) {
            (Some(form), Ok(date)) => Cell::typed(&form.write(date.day)),
            _ => Cell::typed(text),
        }
    }

    fn date(&self, text: &str) -> Result<Value, Fault> {
        let (day, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
        // A time of the day is left off; one with a zone might be another day here.
        let plain = time.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
        let found = self.dates.iter().find_map(|pattern| pattern.read(day)).filter(|_| plain);
        match found.or_else(|| text.parse::<Date>().ok().filter(|_| self.dates.iter().any(DatePattern::is_iso))) {
            Some(date) => Ok(json!(date)),
            None => {
                let forms: Vec<&str> = self.dates.iter().map(|pattern| pattern.text.as_str()).collect();
                Err(Fault::new("bad_date", format!("not a date of the form {}", forms.join(" or "))))
            }
        }
    }

    fn truth(&self, cell: &Cell, text: &str) -> Result<Value, Fault> {
        if let Cell::Truth(truth) = cell {
            return Ok(json!(truth));
        }
        let word = folded(text);
        let among = |words: &[String]| words.iter().any(|w| folded(w) == word);
        match (among(&self.yes), among(&self.no)) {
            (true, false) => Ok(json!(true)),
            (false, true) => Ok(json!(false)),
            _ => {
                let words = self.yes.iter().chain(&self.no).cloned().collect::<Vec<_>>().join(", ");
                Err(Fault::new("bad_truth", format!("not one of {words}")))
            }
        }
    }

    /// The cell that a value is read back from, if there is one.
    pub(crate) fn write(&self, leaf: Leaf, value: &Value) -> Option<Cell> {
        let text = match leaf {
            Leaf::Truth => {
                let words = if value.as_bool()? { &self.yes } else { &self.no };
                words.first().cloned()?
            }
            Leaf::Integer => value.as_i64()?.to_string(),
            Leaf::Code => {
                let listed = self.codes.as_ref().and_then(|codes| codes.scheme.as_ref());
                let scheme = self.scheme.as_ref().or(listed)?;
                (value.get("scheme")?.as_str()? == scheme).then_some(())?;
                value.get("value")?.as_str()?.to_owned()
            }
            Leaf::Date => {
                let date: Date = value.as_str()?.parse().ok()?;
                self.dates.first()?.write(date.day)
            }
            Leaf::Text | Leaf::Amount | Leaf::Any => value.as_str()?.to_owned(),
        };
        let text = match &self.codes {
            Some(codes) => codes.word(&text)?.to_owned(),
            None => text,
        };
        let number = leaf == Leaf::Amount && self.codes.is_none();
        Some(if number { Cell::Number(text) } else { Cell::typed(&text) })
    }
}

/// An exact decimal with a comma or a point; with both it could be either.
fn amount(text: &str) -> Result<Value, Fault> {
    let bad = || Fault::new("bad_number", "not a number; digits with at most one comma or point are expected");
    // A minus sign that word processors make of a hyphen.
    let text = text.replace('\u{2212}', "-");
    let pointed = match (text.matches(',').count(), text.contains('.')) {
        (0, _) => text,
        (1, false) => text.replace(',', "."),
        _ => return Err(bad()),
    };
    Ok(json!(pointed.parse::<Amount>().map_err(|_| bad())?))
}

/// A form in which dates are written: `d.m.yyyy`, `yyyy-mm-dd`, or `excel` for the number of days that spreadsheets
/// count from the end of 1899.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatePattern {
    pub(crate) text: String,
    parts: Vec<DatePart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DatePart {
    /// At least so many digits.
    Day(usize),
    Month(usize),
    Year,
    Literal(char),
    Serial,
}

impl DatePattern {
    /// Reads a form.
    ///
    /// # Errors
    /// If it does not name day, month and a year of four digits once each.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let bad = || format!("{text} is no form of dates; d, dd, m, mm and yyyy with signs between them, or excel");
        let mut parts = Vec::new();
        if text == "excel" {
            return Ok(Self { text: text.to_owned(), parts: vec![DatePart::Serial] });
        }
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = rest.chars().take_while(|c| *c == first).count();
            parts.push(match (first, run) {
                ('d', 1 | 2) => DatePart::Day(run),
                ('m', 1 | 2) => DatePart::Month(run),
                ('y', 4) => DatePart::Year,
                (c, 1) if !c.is_alphanumeric() => DatePart::Literal(c),
                _ => return Err(bad()),
            });
            rest = &rest[run * first.len_utf8()..];
        }
        let count = |is: fn(&DatePart) -> bool| parts.iter().filter(|p| is(p)).count();
        let once = count(|p| matches!(p, DatePart::Day(_))) == 1
            && count(|p| matches!(p, DatePart::Month(_))) == 1
            && count(|p| *p == DatePart::Year) == 1;
        if once { Ok(Self { text: text.to_owned(), parts }) } else { Err(bad()) }
    }

    fn is_iso(&self) -> bool {
        self.text == "yyyy-mm-dd"
    }

    pub(crate) fn read(&self, text: &str) -> Option<Date> {
        if self.parts == [DatePart::Serial] {
            return serial(text);
        }
        let (mut rest, mut day, mut month, mut year) = (text, 0i8, 0i8, 0i16);
        for (at, part) in self.parts.iter().enumerate() {
            let most = match part {
                DatePart::Literal(literal) => {
                    rest = rest.strip_prefix(*literal)?;
                    continue;
                }
                DatePart::Year => 4,
                _ => 2,
            };
            // Digits up to the next sign; where none parts them, as many as the form says.
            let tight = matches!(self.parts.get(at + 1), Some(DatePart::Day(_) | DatePart::Month(_) | DatePart::Year));
            let least = match part {
                DatePart::Day(n) | DatePart::Month(n) => *n,
                _ => 4,
            };
            let digits = rest.bytes().take(if tight { least } else { most }).take_while(u8::is_ascii_digit).count();
            if digits < least {
                return None;
            }
            let (number, after) = rest.split_at(digits);
            rest = after;
            match part {
                DatePart::Day(_) => day = number.parse().ok()?,
                DatePart::Month(_) => month = number.parse().ok()?,
                _ => year = number.parse().ok()?,
            }
        }
        let date = civil::Date::new(year, month, day).ok()?;
        rest.is_empty().then_some(Date::new(date))
    }

    fn write(&self, day: civil::Date) -> String {
        let mut text = String::new();
        for part in &self.parts {
            text.push_str(&match part {
                DatePart::Day(1) => day.day().to_string(),
                DatePart::Day(_) => format!("{:02}", day.day()),
                DatePart::Month(1) => day.month().to_string(),
                DatePart::Month(_) => format!("{:02}", day.month()),
                DatePart::Year => format!("{:04}", day.year()),
                DatePart::Literal(literal) => literal.to_string(),
                DatePart::Serial => ((day - EPOCH).get_days()).to_string(),
            });
        }
        text
    }
}

/// Day 0 of spreadsheets, as they count it from March 1900 on.
const EPOCH: civil::Date = civil::date(1899, 12, 30);

fn serial(text: &str) -> Option<Date> {
    let days: f64 = text.replace(',', ".").parse().ok()?;
    // 1 March 1900 to the end of 9999: earlier days are counted wrongly by spreadsheets themselves.
    let days = (61.0..2_958_466.0).contains(&days).then_some(days.trunc() as i64)?;
    EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok().map(Date::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversion(forms: &[&str]) -> Conversion {
        Conversion {
            dates: forms.iter().map(|form| DatePattern::new(form).expect("a form")).collect(),
            yes: vec!["kyllä".into(), "x".into()],
            no: vec!["ei".into()],
            ..Conversion::default()
        }
    }

    #[test]
    fn dates_are_read_in_the_forms_listed_and_no_other() {
        let finnish = conversion(&["d.m.yyyy", "yyyy-mm-dd"]);
        for (text, day) in [
            ("14.5.2025", "2025-05-14"),
            ("14.05.2025", "2025-05-14"),
            ("2025-05-14", "2025-05-14"),
            ("14.5.2025 0:00:00", "2025-05-14"),
            ("2025-05-14T09:30", "2025-05-14"),
        ] {
            assert_eq!(finnish.read(Leaf::Date, &Cell::typed(text)), Ok(json!(day)), "{text}");
        }
        for text in
            ["31.2.2025", "5/14/2025", "14.5.25", "45791", "2025-05-14T09:30Z", "14.5.2025x", "kesä", "14..2025"]
        {
            let fault = finnish.read(Leaf::Date, &Cell::typed(text)).expect_err(text);
            assert_eq!(fault.message, "not a date of the form d.m.yyyy or yyyy-mm-dd");
        }
        let serial = conversion(&["excel"]);
        assert_eq!(serial.read(Leaf::Date, &Cell::Number("45791".into())), Ok(json!("2025-05-14")));
        assert_eq!(serial.write(Leaf::Date, &json!("2025-05-14")), Some(Cell::typed("45791")));
        assert_eq!(conversion(&["ddmmyyyy"]).read(Leaf::Date, &Cell::typed("14052025")), Ok(json!("2025-05-14")));
        let day = civil::date(2025, 5, 14);
        assert_eq!(finnish.read(Leaf::Date, &Cell::Day(day)), Ok(json!("2025-05-14")));
        assert_eq!(finnish.write(Leaf::Date, &json!("2025-05-04")), Some(Cell::typed("4.5.2025")));
        for form in ["d.m.yy", "dd/mm", "yyyy-mm-dd hh", "d.m.yyyy d", ""] {
            assert!(DatePattern::new(form).is_err(), "{form}");
        }
    }

    #[test]
    fn decimals_have_a_comma_or_a_point() {
        for (text, value) in [("5", "5"), ("2,5", "2.5"), ("2.50", "2.50"), ("-0,5", "-0.5"), ("\u{2212}1", "-1")] {
            assert_eq!(amount(text), Ok(json!(value)), "{text}");
        }
        for text in ["1.000,5", "5 op", "1,2,3", "", "1e3", "viisi"] {
            assert!(amount(text).is_err(), "{text}");
        }
    }

    #[test]
    fn truth_is_in_the_words_listed() {
        let words = conversion(&[]);
        assert_eq!(words.read(Leaf::Truth, &Cell::typed("Kyllä")), Ok(json!(true)));
        assert_eq!(words.read(Leaf::Truth, &Cell::Truth(false)), Ok(json!(false)));
        assert_eq!(
            words.read(Leaf::Truth, &Cell::typed("ehkä")).expect_err("no word").message,
            "not one of kyllä, x, ei"
        );
        assert_eq!(words.write(Leaf::Truth, &json!(true)), Some(Cell::typed("kyllä")));
    }

    #[test]
    fn faults_of_a_spreadsheet_are_told() {
        let fault = conversion(&[]).read(Leaf::Text, &Cell::Fault("#N/A".into())).expect_err("a fault");
        assert_eq!(fault.message, "the cell holds the error #N/A");
    }
}
