//! One institution's load as the store keeps it: the document as it came, and where everything stands in it.

use super::defect::Defect;
use crate::names::{List, NAMESPACE};
use crate::soap::IdentifierKind;
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use silta_adapter::SmolStr;
use silta_adapter::record::RecordKind;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The lists a learner's rows stand in, and the kind of their rows.
pub(super) const LISTS: [(List, RecordKind); 4] = [
    (List::StudyRights, RecordKind::StudyRight),
    (List::Enrolments, RecordKind::Enrolment),
    (List::Attainments, RecordKind::Attainment),
    (List::MobilityPeriods, RecordKind::MobilityPeriod),
];

/// Depth a load may have.
const DEPTH: usize = 64;

/// A load with an index over it.
pub(super) struct Index {
    pub(super) text: String,
    pub(super) learners: Vec<Learner>,
    by_identifier: HashMap<SmolStr, Vec<usize>>,
}

/// One `Opiskelija`.
pub(super) struct Learner {
    pub(super) key: SmolStr,
    /// Its personal data.
    pub(super) head: Range<usize>,
    pub(super) rows: Vec<Row>,
    identifiers: Vec<(IdentifierKind, SmolStr)>,
}

/// One row of a list.
pub(super) struct Row {
    /// Which of [`LISTS`].
    pub(super) list: usize,
    pub(super) key: SmolStr,
    pub(super) text: Range<usize>,
    /// `Myontaja`.
    pub(super) grantor: SmolStr,
    /// `Laji`.
    pub(super) category: SmolStr,
    parts: Vec<SmolStr>,
}

impl Learner {
    /// Its identifiers alone, as elements.
    pub(super) fn identifiers(&self) -> String {
        let element = |(kind, value): &(IdentifierKind, SmolStr)| {
            let name = identifier_element(*kind);
            format!("<{name}>{}</{name}>", escape(value.as_str()))
        };
        self.identifiers.iter().map(element).collect()
    }
}

impl Index {
    /// Reads a load. What the store's loader would refuse is listed; a load that cannot be read to its end is indexed
    /// up to there.
    pub(super) fn read(text: String) -> (Self, Vec<Defect>) {
        let mut scan = Scan { text: &text, ..Scan::new() };
        scan.run();
        let (learners, mut defects) = (scan.learners, scan.defects);
        defects.extend(contradictions(&text, &learners));
        let mut by_identifier: HashMap<SmolStr, Vec<usize>> = HashMap::new();
        for (at, learner) in learners.iter().enumerate() {
            for (_, value) in &learner.identifiers {
                by_identifier.entry(value.clone()).or_default().push(at);
            }
        }
        (Self { text, learners, by_identifier }, defects)
    }

    /// The learners with an identifier.
    pub(super) fn find<'a>(&'a self, kind: IdentifierKind, value: &'a str) -> impl Iterator<Item = &'a Learner> {
        let found = self.by_identifier.get(value).map_or(&[][..], Vec::as_slice).iter().map(|at| &self.learners[*at]);
        found.filter(move |l| l.identifiers.iter().any(|(k, v)| *k == kind && v == value))
    }

    /// All that was loaded about the person.
    pub(super) fn head(&self, learner: &Learner) -> &str {
        &self.text[learner.head.clone()]
    }

    /// Writes a learner with those of its rows for which `row` gives text.
    pub(super) fn write<'a>(
        &'a self,
        out: &mut String,
        learner: &Learner,
        head: &str,
        mut row: impl FnMut(&Row) -> Option<&'a str>,
    ) {
        out.extend(["<Opiskelija avain=\"", &escape(learner.key.as_str()), "\">", head]);
        for (list, element) in LISTS.iter().map(|(list, _)| list.name()).enumerate() {
            let mut open = false;
            for text in learner.rows.iter().filter(|r| r.list == list).filter_map(&mut row) {
                if !std::mem::replace(&mut open, true) {
                    out.extend(["<", element, ">"]);
                }
                out.push_str(text);
            }
            if open {
                out.extend(["</", element, ">"]);
            }
        }
        out.push_str("</Opiskelija>");
    }
}

/// What a load says against itself: a key with two contents, a part that is not there.
fn contradictions(text: &str, learners: &[Learner]) -> Vec<Defect> {
    let mut defects = Vec::new();
    let mut seen: HashMap<(RecordKind, &str), &str> = HashMap::new();
    let mut once = |kind, key, content| {
        let twice = seen.insert((kind, key), content).is_some_and(|first| first != content);
        twice.then(|| Defect::new("duplicate_key", "the same key with different content").about(kind, key))
    };
    for learner in learners {
        defects.extend(once(RecordKind::Learner, &learner.key, &text[learner.head.clone()]));
        for row in learner.rows.iter().filter(|row| !row.key.is_empty()) {
            defects.extend(once(LISTS[row.list].1, &row.key, &text[row.text.clone()]));
        }
    }
    let attainments = || learners.iter().flat_map(|l| &l.rows).filter(|r| LISTS[r.list].1 == RecordKind::Attainment);
    let keys: HashSet<&SmolStr> = attainments().map(|row| &row.key).collect();
    for row in attainments() {
        for part in row.parts.iter().filter(|part| !keys.contains(part)) {
            let defect = Defect::new("dangling_part", "a part that is not in the load").with(part);
            defects.push(defect.about(RecordKind::Attainment, &row.key));
        }
    }
    defects
}

/// Where the text of an element goes.
#[derive(Clone, Copy)]
enum Field {
    Identifier(IdentifierKind),
    Grantor,
    Category,
}

/// A pass over a load.
struct Scan<'t> {
    text: &'t str,
    learners: Vec<Learner>,
    defects: Vec<Defect>,
    depth: usize,
    /// True within the personal data of the last learner.
    in_head: bool,
    list: Option<usize>,
    field: Option<Field>,
}

impl<'t> Scan<'t> {
    fn new() -> Self {
        Self { text: "", learners: Vec::new(), defects: Vec::new(), depth: 0, in_head: false, list: None, field: None }
    }

    fn run(&mut self) {
        let mut reader = Reader::from_str(self.text);
        reader.config_mut().expand_empty_elements = true;
        loop {
            let from = reader.buffer_position() as usize;
            let event = match reader.read_event() {
                Ok(Event::DocType(_)) => return self.refuse(from, "a document type is not allowed"),
                Ok(event) => event,
                Err(_) => return self.refuse(from, "the document is not well formed"),
            };
            let to = reader.buffer_position() as usize;
            match event {
                Event::Start(e) => {
                    if self.depth == DEPTH {
                        return self.refuse(from, "the document is nested too deeply");
                    }
                    if let Err(reason) = self.start(&e, from, to) {
                        return self.refuse(from, reason);
                    }
                    self.depth += 1;
                }
                Event::End(_) => {
                    self.depth -= 1;
                    self.end(from, to);
                }
                Event::Text(text) => self.text(text.into_inner().trim()),
                Event::GeneralRef(r) if !predefined(&r) => return self.refuse(from, "an entity is not allowed"),
                Event::Eof if self.depth > 0 => return self.refuse(from, "the document ends early"),
                Event::Eof => return,
                _ => {}
            }
        }
    }

    /// Ends the pass with what is wrong at a place.
    fn refuse(&mut self, at: usize, reason: &'static str) {
        let line = 1 + self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count();
        self.defects.push(Defect::new("form", reason).with(&format!("line {line}")));
    }

    fn start(&mut self, e: &BytesStart<'_>, from: usize, to: usize) -> Result<(), &'static str> {
        let name = e.name();
        let name = name.as_ref();
        match (self.depth, self.list) {
            (0, _) => match (name, attribute(e, "xmlns")?.as_deref()) {
                ("Virta", Some(NAMESPACE)) => Ok(()),
                _ => Err("the root is not Virta in the default namespace of the current version"),
            },
            (1, _) if name != "Opiskelija" => Err("only Opiskelija may stand in Virta"),
            (1, _) => {
                let key = attribute(e, "avain")?.ok_or("an Opiskelija has no avain")?;
                self.learners.push(Learner { key, head: to..to, rows: Vec::new(), identifiers: Vec::new() });
                self.in_head = true;
                Ok(())
            }
            (2, _) => self.start_in_learner(name, from),
            (3, Some(list)) if name != LISTS[list].0.row() => Err("a row stands in a list of another kind"),
            (3, Some(list)) => self.start_row(e, list, from),
            (4, Some(_)) => {
                self.field = match name {
                    "Myontaja" => Some(Field::Grantor),
                    "Laji" => Some(Field::Category),
                    _ => None,
                };
                if let ("Sisaltyvyys", Some(part)) = (name, attribute(e, "sisaltyvaOpintosuoritusAvain")?) {
                    self.row(|row| row.parts.push(part));
                }
                Ok(())
            }
            _ => {
                self.field = None;
                Ok(())
            }
        }
    }

    fn start_in_learner(&mut self, name: &str, from: usize) -> Result<(), &'static str> {
        self.list = LISTS.iter().position(|(list, _)| list.name() == name);
        let Some(learner) = self.learners.last_mut() else { return Ok(()) };
        match (self.list, self.in_head) {
            (Some(_), true) => {
                learner.head.end = from;
                self.in_head = false;
            }
            (Some(_), false) => {}
            (None, true) => {
                let kind = IdentifierKind::ALL.into_iter().find(|kind| identifier_element(*kind) == name);
                self.field = kind.map(Field::Identifier);
            }
            (None, false) => return Err("personal data stands after the lists"),
        }
        Ok(())
    }

    fn start_row(&mut self, e: &BytesStart<'_>, list: usize, from: usize) -> Result<(), &'static str> {
        let Some(learner) = self.learners.last_mut() else { return Ok(()) };
        let key = attribute(e, "avain")?.unwrap_or_default();
        let kind = LISTS[list].1;
        if key.is_empty() && kind != RecordKind::Enrolment {
            return Err("a row has no avain");
        }
        if attribute(e, "opiskelijaAvain")?.as_ref() != Some(&learner.key) {
            let defect = Defect::new("foreign_row", "a row names another learner than the one it stands under");
            self.defects.push(defect.about(kind, &key));
        }
        let (grantor, category) = Default::default();
        learner.rows.push(Row { list, key, text: from..from, grantor, category, parts: Vec::new() });
        Ok(())
    }

    fn end(&mut self, from: usize, to: usize) {
        self.field = None;
        match self.depth {
            1 if std::mem::take(&mut self.in_head) => {
                if let Some(learner) = self.learners.last_mut() {
                    learner.head.end = from;
                }
            }
            2 => self.list = None,
            3 if self.list.is_some() => self.row(|row| row.text.end = to),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let Some(learner) = self.learners.last_mut() else { return };
        match (self.field, learner.rows.last_mut()) {
            (Some(Field::Identifier(kind)), _) if !text.is_empty() => learner.identifiers.push((kind, text.into())),
            (Some(Field::Grantor), Some(row)) => row.grantor = text.into(),
            (Some(Field::Category), Some(row)) => row.category = text.into(),
            _ => {}
        }
    }

    fn row(&mut self, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.learners.last_mut().and_then(|l| l.rows.last_mut()) {
            change(row);
        }
    }
}

fn identifier_element(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::Hetu => "Henkilotunnus",
        IdentifierKind::LearnerNumber => "KansallinenOppijanumero",
    }
}

fn attribute(e: &BytesStart<'_>, name: &str) -> Result<Option<SmolStr>, &'static str> {
    let bad = "an attribute is not well formed";
    let Some(attribute) = e.try_get_attribute(name).map_err(|_| bad)? else { return Ok(None) };
    attribute.normalized_value(XmlVersion::Implicit1_0).map(|v| Some(v.as_ref().into())).map_err(|_| bad)
}

fn predefined(reference: &quick_xml::events::BytesRef<'_>) -> bool {
    reference.is_char_ref() || matches!(reference.xml10_content().as_ref(), "amp" | "lt" | "gt" | "apos" | "quot")
}
