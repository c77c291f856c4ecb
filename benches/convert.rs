//! How fast documents are converted, beside what only reading or writing their syntax takes.

#[path = "support/documents.rs"]
mod documents;
#[path = "support/measure.rs"]
mod measure;

use documents::{Layout, virta};
use measure::{Task, beside, size, timed};
use quick_xml::Reader;
use quick_xml::events::Event;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Encode, EncodeContext, Limits};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::Record;
use silta_elm::Elm;
use silta_record::SiltaRecord;
use silta_virta::Virta;
use std::hint::black_box;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let learners = size("SILTA_BENCH_LEARNERS", 500);
    let mappings = Mappings::builtin()?;
    let ctx = EncodeContext { mappings: &mappings, generation: 1, instant: jiff::Timestamp::UNIX_EPOCH };
    println!("{:<34}{:>8}{:>8}{:>11}{:>12}{:>8}{:>6}", "", "MB", "MB/s", "records/s", "yardstick", "ratio", "aim");

    let (indented, count) = virta(Layout::Indented, learners);
    let (compact, _) = virta(Layout::Compact, learners);
    for (name, document) in [("VIRTA to record, indented", &indented), ("VIRTA to record, compact", &compact)] {
        let task = timed(|| count_records(&Virta, document.as_bytes()));
        report(name, document.len(), count, "1/4", beside(task, events(document.as_bytes())));
    }

    let records = records(&Virta, indented.as_bytes())?;
    let items: Vec<&[Record]> = records.iter().map(std::slice::from_ref).collect();
    let virta = written(&Virta, &items, ctx)?;
    let task = timed(|| drop(black_box(written(&Virta, &items, ctx))));
    report("record to VIRTA", virta.len(), count, "1/4", beside(task, events(&virta)));

    let lines = written(&SiltaRecord, &items, ctx)?;
    let task = timed(|| count_records(&SiltaRecord, &lines));
    let plain = timed(|| {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let _ = black_box(serde_json::from_slice::<Record>(line));
        }
    });
    report("record lines to record", lines.len(), count, "", beside(task, plain));

    let elm = elm(&records, ctx)?;
    let parsed: Vec<serde_json::Value> =
        serde_json::Deserializer::from_slice(&elm).into_iter().collect::<Result<_, _>>()?;
    let task = timed(|| drop(black_box(self::elm(&records, ctx))));
    let plain = timed(|| {
        let mut out = Vec::new();
        for document in &parsed {
            let _ = serde_json::to_writer(&mut out, document);
        }
        black_box(out);
    });
    report("record to ELM", elm.len(), count, "1/2", beside(task, plain));
    Ok(())
}

fn report(name: &str, bytes: usize, records: usize, aim: &str, (seconds, yardstick): (f64, f64)) {
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{name:<34}{megabytes:>8.1}{:>8.1}{:>11.0}{:>7.0} MB/s{:>8.2}{aim:>6}",
        megabytes / seconds,
        records as f64 / seconds,
        megabytes / yardstick,
        yardstick / seconds,
    );
}

fn decode(format: &dyn Decode, document: &[u8], mut each: impl FnMut(Record)) -> Result<(), Failed> {
    let ctx = DecodeContext { tenant: "10122".into(), source: "sis".into(), limits: Limits::default() };
    let mut input = document;
    format.decode(&mut input, &ctx, &mut |found| {
        match found {
            Decoded::Record(record, _) => each(*record),
            Decoded::Problem(problem) => eprintln!("{problem}"),
        }
        Ok(())
    })?;
    Ok(())
}

fn count_records(format: &dyn Decode, document: &[u8]) {
    let mut count = 0;
    let _ = decode(format, document, |record| {
        black_box(record);
        count += 1;
    });
    black_box(count);
}

fn records(format: &dyn Decode, document: &[u8]) -> Result<Vec<Record>, Failed> {
    let mut records = Vec::new();
    decode(format, document, |record| records.push(record))?;
    Ok(records)
}

fn written(format: &dyn Encode, items: &[&[Record]], ctx: EncodeContext<'_>) -> Result<Vec<u8>, Failed> {
    let mut out = Vec::new();
    let mut writer = format.document(&mut out, None, ctx)?;
    for item in items {
        writer.write(item)?;
    }
    writer.finish()?;
    Ok(out)
}

/// Credentials of every learner.
fn elm(records: &[Record], ctx: EncodeContext<'_>) -> Result<Vec<u8>, Failed> {
    let mut out = Vec::new();
    let mut writer = Elm.document(&mut out, None, ctx)?;
    for learner in records.chunk_by(|a, b| a.head.learner == b.head.learner) {
        for plan in Elm.items(learner).0 {
            let item: Vec<Record> = plan.members.iter().map(|at| learner[*at].clone()).collect();
            writer.write(&item)?;
        }
    }
    writer.finish()?;
    Ok(out)
}

/// A pass over the events of an XML document.
fn events(document: &[u8]) -> Task<'_> {
    timed(move || {
        let (mut reader, mut buffer) = (Reader::from_reader(document), Vec::new());
        while !matches!(reader.read_event_into(&mut buffer), Ok(Event::Eof) | Err(_)) {
            buffer.clear();
        }
    })
}
