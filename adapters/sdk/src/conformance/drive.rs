//! Drivers: the law on many generated learners, and decoders on bad bytes. They panic when something is wrong.
#![expect(clippy::panic, reason = "test support: a broken law ends the test with what broke it")]

use super::generate::any_learner;
use super::law::{Found, Outcome, check_law, decode};
use super::vocabulary::Vocabulary;
use crate::adapter::{Adapter, Decode, DecodeContext, Decoded, Limits, Stop, Unreadable};
use crate::canonical::record_form;
use crate::mapping::Mappings;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::cell::RefCell;
use std::io::BufReader;

/// Holds an adapter to the law on `cases` generated learners, always the same ones, and returns the totals.
///
/// # Panics
/// If the law is broken (with the smallest learner found that breaks it, as lines of the `record` format), or if more
/// than the share `refusals` of all items is refused.
pub fn assert_law(
    adapter: &dyn Adapter,
    mappings: &Mappings,
    vocabulary: &Vocabulary,
    cases: u32,
    refusals: f64,
) -> Outcome {
    match try_law(adapter, mappings, vocabulary, cases, refusals, 1000) {
        Ok(total) => total,
        Err(reason) => panic!("{} breaks the law: {reason}", adapter.descriptor().name),
    }
}

/// [`assert_law`] as a value, trying at most `shrinks` smaller learners when the law is broken.
pub(super) fn try_law(
    adapter: &dyn Adapter,
    mappings: &Mappings,
    vocabulary: &Vocabulary,
    cases: u32,
    refusals: f64,
    shrinks: u32,
) -> Result<Outcome, String> {
    let total = RefCell::new(Outcome::default());
    let result = runner(cases, shrinks).run(&any_learner(vocabulary), |records| {
        *total.borrow_mut() += check_law(adapter, mappings, &records).map_err(TestCaseError::fail)?;
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, records)) => {
            let lines: Vec<String> = records.iter().filter_map(|r| serde_json::to_string(r).ok()).collect();
            return Err(format!("{reason}\nthe learner:\n{}", lines.join("\n")));
        }
        Err(TestError::Abort(reason)) => return Err(format!("the test itself failed: {reason}")),
    }
    let total = total.into_inner();
    let share = total.refused as f64 / total.items.max(1) as f64;
    match total.items {
        0 => Err("no item was composed: does the vocabulary name kinds the adapter carries?".to_owned()),
        items if share > refusals => {
            Err(format!("{:.1} % of {items} items are refused: little is tested", share * 100.0))
        }
        _ => Ok(total),
    }
}

fn runner(cases: u32, shrinks: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: shrinks, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Most variants of each sort made from one document.
const VARIANTS: usize = 256;

/// Feeds a decoder bad bytes: arbitrary ones, and each document of the corpus cut short, with bytes changed, and
/// spliced. Whatever comes, it must end without a panic; probe and decode must agree on whether the input is readable;
/// how the input is cut into reads must not matter; and a reader that stops must be obeyed.
///
/// # Panics
/// If not.
pub fn assert_robust(adapter: &dyn Adapter, corpus: &[&[u8]]) {
    let Some(decoder) = adapter.decoder() else { panic!("the adapter does not decode") };
    for document in corpus {
        let found = survives(decoder, document);
        assert!(found.is_some_and(|f| !f.records.is_empty()), "a document of the corpus holds no records");
        obeys_a_stop(decoder, document);
        let step = (document.len() / VARIANTS).max(1);
        for at in (0..document.len()).step_by(step) {
            survives(decoder, &document[..at]);
            for wrong in [document[at] ^ 0x10, 0, 0xFF, b'<', b'"', b'}', b'\n'] {
                let mut variant = document.to_vec();
                variant[at] = wrong;
                survives(decoder, &variant);
            }
        }
    }
    let pieces = corpus.iter().map(|d| d.to_vec()).collect::<Vec<_>>();
    let spliced = (proptest::collection::vec((any::<prop::sample::Index>(), any::<[prop::sample::Index; 2]>()), 1..4))
        .prop_map(move |cuts| {
            let mut out = Vec::new();
            for (which, [a, b]) in cuts {
                let Some(piece) = pieces.get(which.index(pieces.len().max(1))) else { continue };
                let (a, b) = (a.index(piece.len() + 1), b.index(piece.len() + 1));
                out.extend_from_slice(&piece[a.min(b)..a.max(b)]);
            }
            out
        });
    let bytes =
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), ".{0,100}".prop_map(String::into_bytes), spliced];
    let result = runner(VARIANTS as u32, 1000).run(&bytes, |input| {
        survives(decoder, &input);
        Ok(())
    });
    assert!(result.is_ok(), "{result:?}");
}

fn context(limits: Limits) -> DecodeContext {
    DecodeContext { tenant: "tenant".into(), source: "register".into(), limits }
}

/// Probes and decodes; what was found, if it is readable.
fn survives(decoder: &dyn Decode, input: &[u8]) -> Option<Found> {
    let ctx = context(Limits { problems: 100, ..Limits::default() });
    let probe = decoder.probe(&mut &input[..], &ctx.limits);
    let whole = decode(decoder, input, &ctx);
    let pieces = decode(decoder, BufReader::with_capacity(7, input), &ctx);
    match (&probe, &whole) {
        (Ok(()), Ok(_)) | (Err(Unreadable::Malformed(_)), Err(Unreadable::Malformed(_))) => {}
        _ => panic!("probe says {probe:?}, decode says {whole:?} about {}", shown(input)),
    }
    let forms = |found: &Found| found.records.iter().map(record_form).collect::<Vec<_>>();
    let same = match (&whole, &pieces) {
        (Ok(whole), Ok(pieces)) => {
            forms(whole) == forms(pieces) && whole.problems == pieces.problems && whole.reading == pieces.reading
        }
        (whole, pieces) => whole.is_err() == pieces.is_err(),
    };
    assert!(same, "read in small pieces, this decodes otherwise: {}", shown(input));
    whole.ok()
}

fn obeys_a_stop(decoder: &dyn Decode, document: &[u8]) {
    let mut calls = 0;
    let mut sink = |_: Decoded| {
        calls += 1;
        Err(Stop)
    };
    let result = decoder.decode(&mut &document[..], &context(Limits::default()), &mut sink);
    assert!(matches!(result, Err(Unreadable::Stopped)) && calls == 1, "stopped once, went on: {result:?}");
}

fn shown(input: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(input).chars().take(2000).collect();
    format!("{text:?}")
}

/// Documents that break bounds, made by the adapter's tests since each format nests in its own way.
#[derive(Debug, Clone, Copy)]
pub struct Hostile<'a> {
    /// A readable document.
    pub document: &'a [u8],
    /// A document whose elements or values nest this deep.
    pub deep: fn(usize) -> Vec<u8>,
    /// A document with one record of at least so many bytes in one text.
    pub long: fn(usize) -> Vec<u8>,
}

/// Checks that a decoder keeps each of its bounds, in probe and in decode.
///
/// # Panics
/// If it reads what breaks a bound, or refuses what keeps it.
pub fn assert_bounded(adapter: &dyn Adapter, hostile: &Hostile<'_>) {
    let Some(decoder) = adapter.decoder() else { panic!("the adapter does not decode") };
    let readable = |what: &str, input: &[u8], limits: Limits, expected: bool| {
        let probe = decoder.probe(&mut &input[..], &limits);
        let decoded = decode(decoder, input, &context(limits)).map(|_| ());
        for (who, result) in [("probe", probe), ("decode", decoded)] {
            match (&result, expected) {
                (Ok(()), true) | (Err(Unreadable::Malformed(_)), false) => {}
                _ => panic!("{what}: {who} says {result:?}"),
            }
        }
    };
    let limits = Limits::default();
    let size = hostile.document.len() as u64;
    readable("as many bytes as allowed", hostile.document, Limits { bytes: size, ..limits }, true);
    readable("a byte more than allowed", hostile.document, Limits { bytes: size - 1, ..limits }, false);
    readable("deeper than allowed", &(hostile.deep)(limits.depth + 1), limits, false);
    readable("very deep", &(hostile.deep)(200_000), limits, false);
    readable("a record as long as allowed", &(hostile.long)(1000), Limits { record_bytes: 100_000, ..limits }, true);
    readable(
        "a record longer than allowed",
        &(hostile.long)(100_000),
        Limits { record_bytes: 99_999, ..limits },
        false,
    );
}
