//! The kit is held to its word: an honest adapter passes, and each sort of broken one is caught.

use super::*;
use crate::adapter::{
    Adapter, Decode, DecodeContext, Decoded, Descriptor, DocumentWriter, Effect, Encode, EncodeContext, Grouping,
    ItemPlan, Limits, NotWritten, Reading, Refusal, Sink, Unreadable, Withdraw,
};
use crate::fidelity::{Change, Loss, LossRule};
use crate::mapping::Mappings;
use crate::problem::Problem;
use crate::record::{Body, Record, RecordKind, Text};
use serde_json::Value;
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is wrong with a toy adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    DropsSilently,
    InventsSilently,
    LiesAboutALoss,
    DeclaresAnEmptyLoss,
    UndeclaredRule,
    RuleOfAnotherPath,
    NeverTheSame,
    ContentFromTheGeneration,
    GrowsEachTime,
    RefusesWithoutAReason,
    RefusesEverything,
    TellsNames,
    WritesTheRefused,
    ForgetsOnReading,
    PanicsOnQuotes,
    ProbesNothing,
    ReadsWhatItGets,
    GoesOnAfterAStop,
    BoundsNothing,
    RootIsNotFirst,
    MemberTwice,
}

/// Carries records as a JSON array and cannot hold credit weeks nor activities. Each record is an item, or all of a
/// learner's make one.
struct Toy(Fault, AtomicUsize, Grouping);

const RULES: &[LossRule] = &[
    LossRule {
        id: "weeks",
        kinds: &[RecordKind::Attainment],
        pattern: "/body/credits/credit_weeks",
        when: "given",
        reason: "the format has no such unit",
    },
    LossRule { id: "title", kinds: &[], pattern: "/body/title/**", when: "never", reason: "for wrong declarations" },
];

static TOY: Descriptor = Descriptor { grouping: Grouping::Record, ..BUNDLE };

const BUNDLE: Descriptor = Descriptor {
    name: "toy",
    summary: "An adapter for the tests of the kit.",
    media_types: &["application/json"],
    settings: None,
    grouping: Grouping::Learner,
    effect: Effect::Upsert,
    withdraw: Withdraw::None,
    readback: false,
    honours_key: false,
    kinds: &RecordKind::ALL,
    losses: RULES,
};

fn toy(fault: Fault) -> Toy {
    Toy(fault, AtomicUsize::new(0), Grouping::Record)
}

fn bundle(fault: Fault) -> Toy {
    Toy(fault, AtomicUsize::new(0), Grouping::Learner)
}

impl Adapter for Toy {
    fn descriptor(&self) -> &Descriptor {
        static BUNDLED: Descriptor = BUNDLE;
        match self.2 {
            Grouping::Record => &TOY,
            Grouping::Learner => &BUNDLED,
        }
    }
    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }
    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }
}

impl Toy {
    fn values(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<Vec<Value>, Unreadable> {
        let bad = |why: &'static str| Unreadable::from(Problem::error("malformed", why));
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes)?;
        assert!(self.0 != Fault::PanicsOnQuotes || !bytes.ends_with(b"\""), "as the fault says");
        if self.0 != Fault::BoundsNothing && (bytes.len() as u64 > limits.bytes || bytes.len() > limits.record_bytes) {
            return Err(bad("too long"));
        }
        let opened = bytes.iter().scan(0usize, |depth, b| {
            match b {
                b'[' | b'{' => *depth += 1,
                b']' | b'}' => *depth = depth.saturating_sub(1),
                _ => {}
            }
            Some(*depth)
        });
        if opened.max().is_some_and(|depth| depth > limits.depth) {
            return Err(bad("too deep"));
        }
        serde_json::from_slice(&bytes).map_err(|_| bad("not JSON"))
    }
}

impl Decode for Toy {
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        if self.0 == Fault::ProbesNothing { Ok(()) } else { self.values(input, limits).map(|_| ()) }
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        let values = match self.0 {
            Fault::ReadsWhatItGets => serde_json::from_slice(input.fill_buf()?).unwrap_or_default(),
            _ => self.values(input, &ctx.limits)?,
        };
        for value in values {
            let found = match serde_json::from_value::<Record>(value) {
                Ok(mut record) => {
                    if let (Fault::ForgetsOnReading, Some(Body::Attainment(a))) = (self.0, &mut record.body) {
                        a.thesis = None;
                    }
                    Decoded::Record(Box::new(record), 1)
                }
                Err(_) => Decoded::Problem(Problem::error("bad_record", "not a record")),
            };
            let stopped = sink(found).is_err();
            if stopped && self.0 != Fault::GoesOnAfterAStop {
                return Err(Unreadable::Stopped);
            }
        }
        Ok(Reading::default())
    }
}

impl Encode for Toy {
    fn items(&self, records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
        let held = |r: &Record| self.2 == Grouping::Record || r.head.key.kind != RecordKind::Activity;
        let mut held: Vec<usize> = (0..records.len()).filter(|at| held(&records[*at])).collect();
        let plan = |members: Vec<usize>| ItemPlan { root: records[members[0]].head.key.clone(), members };
        if self.2 == Grouping::Record {
            return (held.into_iter().map(|at| plan(vec![at])).collect(), Vec::new());
        }
        let mut plan = plan(held.clone());
        match self.0 {
            Fault::RootIsNotFirst => held.reverse(),
            Fault::MemberTwice => held.push(0),
            _ => {}
        }
        plan.members = held;
        (vec![plan], Vec::new())
    }

    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        _: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(Pen { toy: self, out, ctx, records: Vec::new() }))
    }
}

struct Pen<'a> {
    toy: &'a Toy,
    out: &'a mut dyn Write,
    ctx: EncodeContext<'a>,
    records: Vec<Record>,
}

impl Pen<'_> {
    /// Does to an attainment what the fault says.
    fn corrupt(&self, record: &mut Record, losses: &mut Vec<Loss>) {
        let key = record.head.key.clone();
        let Some(Body::Attainment(a)) = &mut record.body else { return };
        let mut lose = |path: &str, rule: &str, change| {
            losses.push(Loss { key: key.clone(), path: path.to_owned(), change, rule: rule.into() });
        };
        match self.toy.0 {
            Fault::DropsSilently => a.language = None,
            Fault::InventsSilently => a.thesis = Some(a.thesis.is_none()),
            Fault::LiesAboutALoss if !a.title.is_empty() => lose("/body/title/0", "title", Change::Dropped),
            Fault::DeclaresAnEmptyLoss if !a.title.is_empty() => {
                lose("/body/title/0/value", "title", Change::Became(a.title[0].value.clone().into()));
            }
            Fault::UndeclaredRule if a.thesis.take().is_some() => lose("/body/thesis", "thesis", Change::Dropped),
            Fault::RuleOfAnotherPath if a.thesis.take().is_some() => lose("/body/thesis", "title", Change::Dropped),
            Fault::NeverTheSame => {
                let label = format!("call {}", self.toy.1.fetch_add(1, Ordering::Relaxed));
                a.category.iter_mut().for_each(|c| c.label = vec![Text::new("en", &label)].into());
            }
            Fault::ContentFromTheGeneration if self.ctx.generation > 1 => a.code = Some("later".into()),
            Fault::GrowsEachTime if !a.title.is_empty() => {
                a.title[0].value.push('!');
                lose("/body/title/0/value", "title", Change::Became(a.title[0].value.clone().into()));
            }
            _ => {}
        }
    }
}

impl DocumentWriter for Pen<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        let mut losses = Vec::new();
        for record in item {
            let mut record = record.clone();
            let refused = record.head.key.kind == RecordKind::Activity || self.toy.0 == Fault::RefusesEverything;
            match (&record.body, self.toy.0) {
                (_, Fault::RefusesWithoutAReason) if refused => return Err(Refusal(Vec::new()).into()),
                (Some(Body::Learner(l)), Fault::TellsNames) => {
                    let name = l.identifiers.first().map(|i| i.value.to_string()).unwrap_or_default();
                    return Err(Refusal::from(Problem::error("no_place", name)).into());
                }
                _ if refused => {
                    if self.toy.0 == Fault::WritesTheRefused {
                        self.records.push(record);
                    }
                    return Err(Refusal::from(Problem::error("no_place", "the format holds no activities")).into());
                }
                _ => {}
            }
            if let Some(Body::Attainment(a)) = &mut record.body
                && a.credits.as_mut().and_then(|c| c.credit_weeks.take()).is_some()
            {
                let path = "/body/credits/credit_weeks".to_owned();
                losses.push(Loss { key: record.head.key.clone(), path, change: Change::Dropped, rule: "weeks".into() });
            }
            self.corrupt(&mut record, &mut losses);
            self.records.push(record);
        }
        Ok(losses)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(serde_json::to_writer(self.out, &self.records)?)
    }
}

fn law(toy: &Toy) -> Result<Outcome, String> {
    super::drive::try_law(toy, &Mappings::default(), &Vocabulary::default(), 32, 0.5, 0)
}

/// The text of a panic as an error.
fn outcome<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(String::new, |text| (*text).to_owned()),
    })
}

#[test]
fn an_honest_adapter_passes() {
    let outcome = law(&toy(Fault::None)).expect("honest");
    assert!(outcome.items > 100 && outcome.losses > 5 && outcome.refused > 5, "{outcome:?}");
}

#[test]
fn items_of_many_records_are_checked_whole() {
    let outcome = law(&bundle(Fault::None)).expect("honest");
    assert_eq!((outcome.items, outcome.refused), (32, 0));
    assert!(outcome.losses > 5, "{outcome:?}");
    for (fault, complaint) in [
        (Fault::DropsSilently, "L1: the document does not hold"),
        (Fault::GrowsEachTime, "L3: the projection encodes with a loss"),
        (Fault::RootIsNotFirst, "the first member is not the root"),
        (Fault::MemberTwice, "a member twice"),
    ] {
        let complained = law(&bundle(fault)).expect_err(&format!("{fault:?} passes"));
        assert!(complained.contains(complaint), "{fault:?}: {complained}");
    }
}

#[test]
fn a_broken_adapter_is_caught() {
    for (fault, complaint) in [
        (Fault::DropsSilently, "L1: the document does not hold"),
        (Fault::InventsSilently, "L1: the document does not hold"),
        (Fault::LiesAboutALoss, "L1: the document does not hold"),
        (Fault::ForgetsOnReading, "L1: the document does not hold"),
        (Fault::DeclaresAnEmptyLoss, "changes nothing"),
        (Fault::UndeclaredRule, "L2: the loss table has no rule thesis"),
        (Fault::RuleOfAnotherPath, "L2: the rule title does not cover"),
        (Fault::GrowsEachTime, "L3: the projection encodes with a loss"),
        (Fault::NeverTheSame, "L4: encoding twice"),
        (Fault::ContentFromTheGeneration, "L4: the generation or instant alters content"),
        (Fault::RefusesWithoutAReason, "refused without a reason"),
        (Fault::RefusesEverything, "are refused: little is tested"),
        (Fault::TellsNames, "repeats a personal value"),
        (Fault::WritesTheRefused, "together: activity"),
    ] {
        let complained = law(&toy(fault)).expect_err(&format!("{fault:?} passes"));
        assert!(complained.contains(complaint), "{fault:?}: {complained}");
    }
}

const DOCUMENT: &[u8] = br#"[{"kind":"attainment","id":"A1","learner":"L1","body":{"thesis":true,"code":"x"}},
    {"kind":"activity","id":"B1","learner":"L1","body":{}}]"#;

const HOSTILE: Hostile<'_> = Hostile {
    document: DOCUMENT,
    deep: |depth| [vec![b'['; depth], vec![b']'; depth]].concat(),
    long: |bytes| format!(r#"[{{"kind":"activity","id":"{}","learner":"L","body":{{}}}}]"#, "x".repeat(bytes)).into(),
};

#[test]
fn bad_bytes_and_bounds_are_tried() {
    outcome(|| assert_robust(&toy(Fault::None), &[DOCUMENT])).expect("robust");
    outcome(|| assert_bounded(&toy(Fault::None), &HOSTILE)).expect("bounded");
    for (fault, complaint) in [
        (Fault::PanicsOnQuotes, "as the fault says"),
        (Fault::ProbesNothing, "probe says Ok"),
        (Fault::ReadsWhatItGets, "read in small pieces"),
        (Fault::GoesOnAfterAStop, "went on"),
    ] {
        let complained = outcome(|| assert_robust(&toy(fault), &[DOCUMENT])).expect_err(&format!("{fault:?} passes"));
        assert!(complained.contains(complaint), "{fault:?}: {complained}");
    }
    let complained = outcome(|| assert_bounded(&toy(Fault::BoundsNothing), &HOSTILE)).expect_err("passes");
    assert!(complained.contains("a byte more than allowed"), "{complained}");
}

#[test]
fn what_reading_forgets_shows_when_it_is_written_back() {
    let mappings = Mappings::default();
    let outcome = check_reading(&toy(Fault::None), &mappings, DOCUMENT).expect("reads");
    assert_eq!(outcome, Outcome { items: 2, refused: 1, losses: 0 });
    let complained = check_reading(&toy(Fault::DropsSilently), &mappings, HELD_BY_LANGUAGE).expect_err("drops");
    assert!(complained.contains("L5") && complained.contains("language"), "{complained}");
}

const HELD_BY_LANGUAGE: &[u8] =
    br#"[{"kind":"attainment","id":"A1","learner":"L1","body":{"language":{"scheme":"s","value":"fi"}}}]"#;
