//! Records into VIRTA documents, always valid against the current schema (code lists aside, which are data).
//!
//! The form of a document is a `Virta` of learners' blocks or a list of one kind. Where none is asked for, the first
//! record decides: a learner makes a `Virta`, any other record the list of its kind, which then takes no other kind.

mod losses;
mod project;
mod translate;
mod write;

pub(crate) use losses::LOSSES;

use crate::extensions::{CONTENT, DOCUMENT, Place};
use crate::names::{ALL_DATA, LEARNER, LEARNERS, List, NAMESPACE};
use crate::shape::{Node as _, Row, RowKind};
use losses::{BARE_LEARNER, EXTRA_IDENTIFIER, NON_DISCLOSURE, OTHER_EXTENSION};
use project::Project;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{DocumentWriter, NotWritten, Refusal};
use silta_adapter::canonical;
use silta_adapter::fidelity::{Change, Loss};
use silta_adapter::mapping::Crosswalks;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Body, Extensions, Learner, Record, RecordKey, RecordKind};
use std::borrow::Cow;
use std::io::{self, Write};

/// A record fitted into VIRTA's shape and written.
struct Fitted {
    /// The element, of a learner without its end tag.
    element: Vec<u8>,
    losses: Vec<Loss>,
}

/// Fits a record into VIRTA's shape.
fn fit(record: &Record) -> Result<Fitted, Vec<Problem>> {
    let refuse = |code, message: &str| Err(vec![Problem::error(code, message).about(&record.head.key)]);
    if record.head.state.is_tombstone() {
        return refuse("tombstone", "VIRTA holds no withdrawn records; what is withdrawn is left out");
    }
    match &record.body {
        None | Some(Body::Activity(_)) => refuse("not_held", "VIRTA holds no activities without credits"),
        Some(Body::Learner(body)) => fit_row(record, &**body, |project, body| {
            losses::learner(body, |field| project.lose(format!("/body/{field}"), Change::Dropped, field));
            extra_identifiers(project, body);
        }),
        Some(Body::Attainment(body)) => fit_row(record, &**body, |project, body| {
            losses::attainment(body, |field| project.lose(format!("/body/{field}"), Change::Dropped, field));
        }),
        Some(Body::StudyRight(body)) => fit_row(record, &**body, |_, _| {}),
        Some(Body::Enrolment(body)) => fit_row(record, &**body, |_, _| {}),
        Some(Body::MobilityPeriod(body)) => fit_row(record, &**body, |_, _| {}),
    }
}

fn fit_row<B: RowKind>(
    record: &Record,
    body: &B,
    unheld: impl FnOnce(&mut Project<'_>, &B),
) -> Result<Fitted, Vec<Problem>> {
    let head = &record.head;
    let mut project = Project::new(&head.key);
    let own = body.own();
    let mut row =
        Row { id: Some(head.key.id.clone()), learner: Some(head.learner.clone()), body: Box::new(body.clone()), own };
    if let Some(extensions) = record.body.as_ref().map(Body::extensions) {
        other_extensions(&mut project, extensions, &row);
    }
    if head.non_disclosure {
        project.lose("/non_disclosure".to_owned(), Change::Dropped, NON_DISCLOSURE);
    }
    unheld(&mut project, body);
    check_key(&mut project, record, &row);
    let Ok(()) = row.walk((), &mut project);
    if !project.refusals.is_empty() {
        return Err(project.refusals);
    }
    let mut element = Vec::with_capacity(1024);
    match List::of(B::KIND) {
        Some(list) => write::element(&mut element, list.row(), &mut row, ()),
        None => write::open(&mut element, LEARNER, &mut row, ()),
    }
    Ok(Fitted { element, losses: project.losses })
}

/// VIRTA has no place for a key: it has to follow from what the element says.
fn check_key<B: RowKind>(project: &mut Project<'_>, record: &Record, row: &Row<B>) {
    let head = &record.head;
    let expected = row.body.awarding_body().map_or("", |code| code.value.as_str());
    if head.key.institution != expected && (B::KIND == RecordKind::Learner || row.body.awarding_body().is_some()) {
        let message = "the institution of the key must be the awarding body (of a learner: empty)";
        project.refuse("/institution".to_owned(), "unmappable_key", message);
    }
    if B::KIND == RecordKind::Learner && head.key.id != head.learner {
        project.refuse("/learner".to_owned(), "unmappable_key", "a learner's own record must have her key");
    }
    if B::natural_id(row).is_some_and(|id| id != head.key.id) {
        let message = "the id of an enrolment must be made of learner, study right and first day";
        project.refuse("/id".to_owned(), "unmappable_key", message);
    }
}

fn extra_identifiers(project: &mut Project<'_>, learner: &Learner) {
    let (mut hetu, mut number) = (false, false);
    for (index, identifier) in learner.identifiers.iter().enumerate() {
        let taken = match identifier.scheme.as_str() {
            Learner::HETU => &mut hetu,
            Learner::LEARNER_NUMBER => &mut number,
            _ => &mut true,
        };
        if *taken || identifier.value.is_empty() {
            project.lose(format!("/body/identifiers/{index}"), Change::Dropped, EXTRA_IDENTIFIER);
        } else {
            *taken = true;
        }
    }
}

fn other_extensions<B: RowKind>(project: &mut Project<'_>, extensions: &Extensions, row: &Row<B>) {
    for (namespace, value) in &extensions.0 {
        if namespace.ends_with(".document") {
            continue;
        }
        let content = canonical::of(value);
        if content.is_null() {
            continue;
        }
        let path = format!("/body/extensions/{}", namespace.replace('~', "~0").replace('/', "~1"));
        let ours = namespace == CONTENT && B::KIND != RecordKind::Learner;
        let held = if ours { canonical::of(&row.own) } else { serde_json::Value::Null };
        match serde_json::to_value(&row.own) {
            _ if held == content => {}
            Ok(own) if !held.is_null() => project.lose(path, Change::Became(own), OTHER_EXTENSION),
            _ => project.lose(path, Change::Dropped, OTHER_EXTENSION),
        }
    }
}

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AllData,
    Learners,
    List(List),
}

impl Form {
    fn root(self) -> &'static str {
        match self {
            Self::AllData => ALL_DATA,
            Self::Learners => LEARNERS,
            Self::List(list) => list.name(),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let lists = List::ALL.map(Self::List);
        [Self::AllData, Self::Learners].into_iter().chain(lists).find(|form| form.root() == name)
    }

    fn of(kind: RecordKind) -> Self {
        List::of(kind).map_or(Self::AllData, Self::List)
    }

    fn takes(self, kind: RecordKind) -> bool {
        match self {
            Self::AllData => true,
            Self::Learners => kind == RecordKind::Learner,
            Self::List(list) => List::of(kind) == Some(list),
        }
    }
}

/// The form that holds records of these kinds: the list of a single kind, a `Virta` for several.
pub(crate) fn form_for(kinds: &[RecordKind]) -> &'static str {
    match kinds {
        [RecordKind::Learner] => Form::Learners,
        [kind] => Form::of(*kind),
        _ => Form::AllData,
    }
    .root()
}

/// A document being written. A learner's block is held until it is over, so its rows may come in any order of kinds.
pub(crate) struct Writer<'a> {
    out: &'a mut dyn Write,
    form: Option<Form>,
    started: bool,
    block: Option<Block>,
    /// What codes of other systems mean.
    crosswalks: Option<&'a Crosswalks>,
}

/// Which of a document's blocks: the learner's key, and a number where several blocks have that key.
type Spot = (SmolStr, u32);

/// A learner's block.
struct Block {
    spot: Spot,
    /// The learner's element without its end tag.
    learner: Vec<u8>,
    /// The rows of each list, in the order of [`List::ALL`].
    rows: [Vec<u8>; 4],
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, form: Option<&str>) -> io::Result<Self> {
        let unknown = || io::Error::new(io::ErrorKind::InvalidInput, "VIRTA has no documents of this form");
        let form = form.map(|name| Form::named(name).ok_or_else(unknown)).transpose()?;
        Ok(Self { out, form, started: false, block: None, crosswalks: None })
    }

    /// The same writer, which says what codes of other systems mean in VIRTA's.
    pub(crate) fn translating(self, crosswalks: &'a Crosswalks) -> Self {
        Self { crosswalks: Some(crosswalks), ..self }
    }

    fn start(&mut self, form: Form) -> io::Result<()> {
        if !std::mem::replace(&mut self.started, true) {
            self.form = Some(form);
            write!(self.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{} xmlns=\"{NAMESPACE}\">\n", form.root())?;
        }
        Ok(())
    }

    /// The block every record of an item goes to; refuses what has none. Adds learners that rows come without.
    fn spots(&self, item: &[Record], losses: &mut Vec<Loss>) -> Result<Vec<Spot>, Refusal> {
        let mut open = self.block.as_ref().map(|block| block.spot.clone());
        let mut spots = Vec::with_capacity(item.len());
        for record in item {
            let key = &record.head.key;
            let place: Place =
                record.body.as_ref().and_then(|body| body.extensions().get(DOCUMENT)).unwrap_or_default();
            let joins = |avain: &SmolStr| *avain == record.head.learner || place.under.as_ref() == Some(avain);
            let spot = if key.kind == RecordKind::Learner {
                let spot = (record.head.learner.clone(), place.block.unwrap_or(1));
                if open.as_ref() == Some(&spot) {
                    let message = "a learner's own record must come before her rows, and once";
                    return Err(Problem::error("out_of_order", message).about(key).into());
                }
                spot
            } else if let Some(open) = open.filter(|(avain, _)| joins(avain)) {
                open
            } else {
                let spot = (record.head.learner.clone(), 1);
                losses.push(bare_learner(key, &spot.0)?);
                spot
            };
            spots.push(spot.clone());
            open = Some(spot);
        }
        Ok(spots)
    }

    fn put(&mut self, record: &Record, element: &[u8], spot: Spot) -> io::Result<()> {
        if self.block.as_ref().is_none_or(|block| block.spot != spot) {
            self.end_block()?;
            let mut learner = Vec::new();
            if record.head.key.kind != RecordKind::Learner {
                learner.extend_from_slice(b"<");
                learner.extend_from_slice(LEARNER.as_bytes());
                write::attribute(&mut learner, "avain", &spot.0);
                learner.push(b'>');
            }
            self.block = Some(Block { spot, learner, rows: Default::default() });
        }
        let Some(block) = &mut self.block else { return Ok(()) };
        match List::of(record.head.key.kind) {
            None => block.learner.extend_from_slice(element),
            Some(list) => {
                let rows = &mut block.rows[list as usize];
                rows.extend_from_slice(element);
                rows.push(b'\n');
            }
        }
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        let Some(Block { learner: mut bytes, rows, .. }) = self.block.take() else { return Ok(()) };
        for (list, rows) in List::ALL.into_iter().zip(rows) {
            if !rows.is_empty() {
                bytes.extend_from_slice(format!("\n<{}>\n", list.name()).as_bytes());
                bytes.extend_from_slice(&rows);
                write::end(&mut bytes, list.name());
            }
        }
        write::end(&mut bytes, LEARNER);
        bytes.push(b'\n');
        self.out.write_all(&bytes)
    }
}

/// The loss of a row whose learner is not there: a learner with the key alone is added.
fn bare_learner(row: &RecordKey, learner: &SmolStr) -> Result<Loss, Refusal> {
    let key =
        RecordKey { kind: RecordKind::Learner, institution: SmolStr::default(), id: learner.clone(), ..row.clone() };
    let added = Record::current(key.clone(), learner.clone(), Box::<Learner>::default().boxed());
    let value = serde_json::to_value(added).map_err(|e| Refusal::from(Problem::error("not_written", e.to_string())))?;
    Ok(Loss { key, path: String::new(), change: Change::Added(value), rule: SmolStr::new_static(BARE_LEARNER) })
}

impl DocumentWriter for Writer<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        let Some(first) = item.first() else { return Ok(Vec::new()) };
        let form = *self.form.get_or_insert_with(|| Form::of(first.head.key.kind));
        let (mut elements, mut losses, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for record in item {
            if !form.takes(record.head.key.kind) {
                let message = format!("a document of {} holds no such record", form.root());
                problems.push(Problem::error("other_kind", message).about(&record.head.key));
                continue;
            }
            let (record, translations) = match self.crosswalks {
                Some(crosswalks) => translate::translated(record, crosswalks),
                None => (Cow::Borrowed(record), Vec::new()),
            };
            match fit(&record) {
                Ok(fitted) => {
                    elements.push(fitted.element);
                    losses.extend(translations);
                    losses.extend(fitted.losses);
                }
                Err(refusals) => problems.extend(refusals),
            }
        }
        if !problems.is_empty() {
            return Err(Refusal(problems).into());
        }
        match form {
            Form::AllData => {
                let spots = self.spots(item, &mut losses)?;
                self.start(form)?;
                for ((record, element), spot) in item.iter().zip(&elements).zip(spots) {
                    self.put(record, element, spot)?;
                }
            }
            Form::Learners | Form::List(_) => {
                self.start(form)?;
                for element in &mut elements {
                    if form == Form::Learners {
                        write::end(element, LEARNER);
                    }
                    element.push(b'\n');
                    self.out.write_all(element)?;
                }
            }
        }
        Ok(losses)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let form = self.form.unwrap_or(Form::AllData);
        self.start(form)?;
        self.end_block()?;
        writeln!(self.out, "</{}>", form.root())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
