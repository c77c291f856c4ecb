//! A report as rows of comma-separated values, and what each defect means.

use csv::{ReaderBuilder, StringRecord};
use serde::Deserialize;
use silta_adapter::SmolStr;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::RecordKind;
use silta_adapter::report::Remark;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Remarks taken of one report; further rows count as unread.
const REMARKS: usize = 100_000;

/// Columns that name a record, the narrowest first.
const SUBJECTS: [(&str, RecordKind); 3] = [
    ("opintosuoritusavain", RecordKind::Attainment),
    ("opiskeluoikeusavain", RecordKind::StudyRight),
    ("opiskelijaavain", RecordKind::Learner),
];

/// How bad a defect is, and who can fix it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meaning {
    severity: Severity,
    fixer: Fixer,
}

/// What defects mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    default: Meaning,
    defect: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    code: SmolStr,
    severity: Severity,
    fixer: Fixer,
}

static MEANINGS: LazyLock<(Meaning, HashMap<SmolStr, Meaning>)> = LazyLock::new(|| {
    let unknown = Meaning { severity: Severity::Warning, fixer: Fixer::Sender };
    let Ok(table) = table() else { return (unknown, HashMap::new()) };
    let row = |r: Row| (r.code, Meaning { severity: r.severity, fixer: r.fixer });
    (table.default, table.defect.into_iter().map(row).collect())
});

fn table() -> Result<Table, toml::de::Error> {
    toml::from_str(include_str!("../../../../mappings/defects-virta.toml"))
}

/// What a report says, and how many of its rows could not be read. None if it has no heading with the code of a defect.
/// Columns are found by their names, in any order and among others.
pub(super) fn read(bytes: &[u8]) -> Option<(Vec<Remark>, u64)> {
    let text = text(bytes);
    let heading = text.lines().next()?;
    let delimiter = [b';', b'\t', b','].into_iter().find(|d| heading.as_bytes().contains(d)).unwrap_or(b',');
    let mut rows = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let columns: HashMap<String, usize> =
        rows.headers().ok()?.iter().enumerate().map(|(at, name)| (plain(name), at)).collect();
    columns.get("virhekoodi")?;
    let (mut remarks, mut unread) = (Vec::new(), 0);
    for row in rows.records() {
        match row.ok().and_then(|row| remark(&columns, &row)) {
            Some(remark) if remarks.len() < REMARKS => remarks.push(remark),
            _ => unread += 1,
        }
    }
    Some((remarks, unread))
}

/// UTF-8 if it is, else Windows-1252, which anything is.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// A column's name as it is compared: letters and digits, in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn remark(columns: &HashMap<String, usize>, row: &StringRecord) -> Option<Remark> {
    let cell =
        |name: &str| columns.get(name).and_then(|at| row.get(*at)).map(str::trim).filter(|cell| !cell.is_empty());
    let code = SmolStr::from(cell("virhekoodi")?);
    let (default, known) = &*MEANINGS;
    let meaning = known.get(&code).unwrap_or(default);
    let about = SUBJECTS.iter().find_map(|(column, kind)| Some((*kind, SmolStr::from(cell(column)?))));
    // The store's words are told only where they hold no value: a value may be an identity code.
    let words = cell("virhe").filter(|words| words.len() <= 400 && !words.contains(|c: char| c.is_ascii_digit()));
    let message = match words {
        Some(words) => format!("the store reports a defect: {words}"),
        None => "the store reports a defect of this code".to_owned(),
    };
    Some(Remark { about, problem: Problem { code, ..Problem::new("", meaning.severity, meaning.fixer, message) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code, record, severity and message of each remark.
    fn told(report: &[u8]) -> Vec<String> {
        let (remarks, _) = read(report).expect("a report");
        let line = |Remark { about, problem }: Remark| {
            let (kind, key) = about.expect("a record");
            format!("{} {kind} {key} {:?}: {}", problem.code, problem.severity, problem.message)
        };
        remarks.into_iter().map(line).collect()
    }

    #[test]
    fn the_table_is_one() {
        assert!(!table().expect("a table").defect.is_empty());
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_and_encoding() {
        let text = "arvo;Opiskelija Avain;virhe;uutta;opintosuoritusAvain;VIRHEKOODI\n\
                    010190-900X;S1;Nimi ei löydy;x;A1;E77\n;S2;arvo 5 puuttuu;;;dangling_part\n";
        let expected = [
            "E77 attainment A1 Warning: the store reports a defect: Nimi ei löydy",
            "dangling_part learner S2 Error: the store reports a defect of this code",
        ];
        assert_eq!(told(text.as_bytes()), expected);
        assert_eq!(told(format!("\u{feff}{text}").as_bytes()), expected);
        assert_eq!(told(&encoding_rs::WINDOWS_1252.encode(text).0), expected);
    }

    #[test]
    fn what_is_no_report_is_not_read_and_a_bad_row_is_counted() {
        for other in ["", "a,b\n1,2\n", "<Virta/>"] {
            assert!(read(other.as_bytes()).is_none(), "{other}");
        }
        let (remarks, unread) =
            read(b"db,virhekoodi,opiskelijaAvain\n1,,S1\n1\n1,\"E\n1\",S1,more\n").expect("a report");
        assert_eq!((remarks.len(), unread), (1, 2));
    }
}
