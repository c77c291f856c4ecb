//! Reading records: line by line or element by element, the good ones kept, the bad ones told.

use crate::SiltaRecord;
use crate::complaint::complaint;
use crate::units::{Form, Unit, Units};
use serde::de::IgnoredAny;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::problem::Problem;
use silta_adapter::record::Record;
use smol_str::SmolStr;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::BufRead;

/// The form of a JSON array; lines need no name.
pub(crate) const ARRAY: &str = "array";

impl Decode for SiltaRecord {
    /// A bad line is a problem and no reason not to read the others, so lines are only held to their bounds.
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        let mut units = Units::new(input, *limits)?;
        let form = units.form();
        while let Some(unit) = units.next()? {
            if form != Form::Lines {
                well_formed(&unit)?;
            }
        }
        Ok(())
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        let mut units = Units::new(input, ctx.limits)?;
        let form = units.form();
        let mut reader = Reader { ctx, sink, seen: HashMap::new(), buffer: Vec::new(), untold: 0, told: 0 };
        while let Some(unit) = units.next()? {
            match reader.record(&unit) {
                Ok(record) => reader.put(Decoded::Record(Box::new(record), unit.line))?,
                Err(problem) => {
                    if form != Form::Lines {
                        well_formed(&unit)?;
                    }
                    reader.tell(*problem)?;
                }
            }
        }
        reader.finish()?;
        Ok(Reading { form: (form == Form::Array).then(|| SmolStr::new_static(ARRAY)), unread: Vec::new() })
    }
}

/// An element that is not JSON makes the whole document malformed: where it ends is anybody's guess.
fn well_formed(unit: &Unit<'_>) -> Result<(), Unreadable> {
    let malformed = |column: usize, line: u64| {
        Problem::error("malformed", format!("not well-formed JSON (column {column})")).on_line(line).into()
    };
    let text = std::str::from_utf8(unit.bytes).map_err(|_| malformed(1, unit.line))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|e| malformed(e.column(), unit.line + (e.line() as u64).saturating_sub(1)))
}

struct Reader<'a, 's> {
    ctx: &'a DecodeContext,
    sink: &'a mut Sink<'s>,
    /// Where each key was first said, and a hash of what was said: 40 bytes per record.
    seen: HashMap<[u8; 16], (u64, [u8; 8])>,
    buffer: Vec<u8>,
    told: usize,
    untold: usize,
}

impl Reader<'_, '_> {
    fn record(&mut self, unit: &Unit<'_>) -> Result<Record, Box<Problem>> {
        let text = std::str::from_utf8(unit.bytes).map_err(|e| {
            let message = format!("not valid UTF-8 (column {})", e.valid_up_to() + 1);
            Box::new(Problem::error("bad_encoding", message).on_line(unit.line))
        })?;
        let mut record: Record = serde_json::from_str(text).map_err(|e| Box::new(complaint(text, unit.line, &e)))?;
        let key = &mut record.head.key;
        if key.source.is_empty() {
            key.source.clone_from(&self.ctx.source);
        }
        if key.tenant.is_empty() {
            key.tenant.clone_from(&self.ctx.tenant);
        } else if !self.ctx.tenant.is_empty() && key.tenant != self.ctx.tenant {
            let message = "the record names another tenant than the one it was sent for";
            let problem = Problem::error("foreign_tenant", message).at("/tenant").about(key);
            return Err(Box::new(problem.on_line(unit.line)));
        }
        match self.said_otherwise_on(&record, unit.line) {
            Some(line) => {
                let problem = Problem::error("duplicate_key", "the same key with other content; the first is taken");
                Err(Box::new(problem.about(&record.head.key).on_line(unit.line).and_line(line)))
            }
            None => Ok(record),
        }
    }

    /// The line on which the same key was first said with other content. Content is compared as it would be written,
    /// which white space, escapes and the order of members do not alter.
    fn said_otherwise_on(&mut self, record: &Record, line: u64) -> Option<u64> {
        let key = &record.head.key;
        let mut hasher = blake3::Hasher::new();
        for part in [&key.tenant, &key.source, &key.institution, &key.id] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.update(key.kind.name().as_bytes());
        self.buffer.clear();
        // Writing a record into memory cannot fail.
        let _ = serde_json::to_writer(&mut self.buffer, record);
        let content = first(blake3::hash(&self.buffer));
        match self.seen.entry(first(hasher.finalize())) {
            Entry::Vacant(entry) => {
                entry.insert((line, content));
                None
            }
            Entry::Occupied(entry) => {
                let (line, before) = *entry.get();
                (before != content).then_some(line)
            }
        }
    }

    fn tell(&mut self, problem: Problem) -> Result<(), Unreadable> {
        if self.told == self.ctx.limits.problems {
            self.untold += 1;
            return Ok(());
        }
        self.told += 1;
        self.put(Decoded::Problem(problem))
    }

    fn put(&mut self, found: Decoded) -> Result<(), Unreadable> {
        (self.sink)(found).map_err(|_| Unreadable::Stopped)
    }

    fn finish(mut self) -> Result<(), Unreadable> {
        match self.untold {
            0 => Ok(()),
            more => {
                let message = format!("{more} more records were not taken");
                self.put(Decoded::Problem(Problem::error("more_problems", message)))
            }
        }
    }
}

fn first<const N: usize>(hash: blake3::Hash) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&hash.as_bytes()[..N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::record::{Body, State};

    type Found = (Vec<(Record, u64)>, Vec<Problem>);

    fn read(tenant: &str, limits: Limits, input: &[u8]) -> Result<Found, Unreadable> {
        let ctx = DecodeContext { tenant: tenant.into(), source: "register".into(), limits };
        let (mut records, mut problems) = (Vec::new(), Vec::new());
        let mut sink = |found| {
            match found {
                Decoded::Record(record, line) => records.push((*record, line)),
                Decoded::Problem(problem) => problems.push(problem),
            }
            Ok(())
        };
        SiltaRecord.decode(&mut &input[..], &ctx, &mut sink)?;
        Ok((records, problems))
    }

    fn line(id: &str, rest: &str) -> String {
        format!(r#"{{"kind":"activity","id":"{id}","learner":"L1"{rest}}}"#)
    }

    fn lines(records: &[(Record, u64)]) -> Vec<(&str, u64)> {
        records.iter().map(|(r, line)| (r.head.key.id.as_str(), *line)).collect()
    }

    #[test]
    fn good_lines_are_kept_and_bad_ones_named() {
        let mut input = Vec::from(BOM);
        input.extend(line("A", r#","body":{}"#).bytes());
        input.extend(b"\r\n\n{\"kind\":\"activity\",\n");
        input.extend(b"\"\xFF\"\n[1\nfree text\n");
        input.extend(line("B", r#","body":{"title":5}"#).bytes());
        input.extend(b"\n");
        input.extend(line("C", r#","state":"deleted""#).bytes());
        let (records, problems) = read("t", Limits::default(), &input).expect("lines");
        assert_eq!(lines(&records), [("A", 1), ("C", 8)]);
        assert_eq!(records[1].0.head.state, State::Deleted);
        let told: Vec<_> = problems.iter().map(|p| (p.code.as_str(), p.line)).collect();
        assert_eq!(
            told,
            [
                ("bad_json", Some(3)),
                ("bad_encoding", Some(4)),
                ("bad_record", Some(5)),
                ("bad_json", Some(6)),
                ("bad_record", Some(7))
            ]
        );
        assert_eq!(problems[4].path.as_deref(), Some("/body/title"));
    }

    const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

    #[test]
    fn tenant_and_source_are_filled_and_a_foreign_tenant_is_not_taken() {
        let input = [
            line("A", r#","body":{}"#),
            line("B", r#","body":{},"tenant":"t","source":"other""#),
            line("C", r#","body":{},"tenant":"else""#),
        ]
        .join("\n");
        let (records, problems) = read("t", Limits::default(), input.as_bytes()).expect("lines");
        let keys: Vec<_> =
            records.iter().map(|(r, _)| (r.head.key.tenant.as_str(), r.head.key.source.as_str())).collect();
        assert_eq!(keys, [("t", "register"), ("t", "other")]);
        assert_eq!((problems[0].code.as_str(), problems[0].line), ("foreign_tenant", Some(3)));
        let (offline, problems) = read("", Limits::default(), input.as_bytes()).expect("lines");
        assert_eq!((offline[2].0.head.key.tenant.as_str(), problems.len()), ("else", 0));
    }

    #[test]
    fn a_key_said_twice_is_named_with_both_lines_unless_it_says_the_same() {
        let input = [
            line("A", r#","body":{"start":"2025-01-01"}"#),
            line("A", r#", "body" : {"start":"2025-01-01"}"#),
            line("A", r#","body":{"start":"2025-01-02"}"#),
            line("A", r#","institution":"1","body":{}"#),
        ]
        .join("\n");
        let (records, problems) = read("t", Limits::default(), input.as_bytes()).expect("lines");
        assert_eq!(lines(&records), [("A", 1), ("A", 2), ("A", 4)]);
        assert_eq!(problems.len(), 1);
        let problem = &problems[0];
        assert_eq!((problem.code.as_str(), problem.line, problem.related_line), ("duplicate_key", Some(3), Some(1)));
        assert!(problem.key.is_some());
    }

    #[test]
    fn an_array_and_pretty_printed_objects_are_read() {
        let (a, b) = (line("A", r#","body":{"title":[{"value":"] } \" ,"}]}"#), line("B", r#","body":{}"#));
        let pretty = |text: &str| {
            let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
            serde_json::to_string_pretty(&value).expect("JSON")
        };
        let (pa, pb) = (pretty(&a), pretty(&b));
        for input in
            [format!("[{a},{b}]"), format!("\n [\n{pa} ,\n5,\n{pb}]\n"), format!("{pa}\n{pb}"), format!("{pa}{b}")]
        {
            let (records, problems) = read("t", Limits::default(), input.as_bytes()).expect("a document");
            let ids: Vec<_> = records.iter().map(|(r, _)| r.head.key.id.as_str()).collect();
            assert_eq!(ids, ["A", "B"], "{input}");
            assert_eq!(problems.len(), usize::from(input.contains('5')), "{input}");
            let Some(Body::Activity(activity)) = &records[0].0.body else { panic!("an activity") };
            assert_eq!(activity.title[0].value, "] } \" ,");
        }
        for empty in ["", "\n\n", "[]", " [ ] "] {
            assert!(read("t", Limits::default(), empty.as_bytes()).expect("empty").0.is_empty());
        }
    }

    #[test]
    fn a_broken_document_is_malformed() {
        let a = line("A", r#","body":{}"#);
        for input in [
            format!("[{a}"),
            format!("[{a},]"),
            format!("[,{a}]"),
            format!("[{a} {a}]"),
            format!("[{a}] x"),
            format!("[{a}, tru]"),
            "{\n\"kind\": \"activity\"".to_owned(),
            "{\n}]".to_owned(),
            "[[[".to_owned(),
        ] {
            let result = read("t", Limits::default(), input.as_bytes());
            assert!(matches!(result, Err(Unreadable::Malformed(_))), "{input}: {result:?}");
        }
    }

    #[test]
    fn problems_beyond_the_limit_are_counted() {
        let limits = Limits { problems: 2, ..Limits::default() };
        let (_, problems) = read("t", limits, b"x\nx\nx\nx\nx").expect("lines");
        assert_eq!(problems.len(), 3);
        assert_eq!(problems[2].message, "3 more records were not taken");
    }
}
