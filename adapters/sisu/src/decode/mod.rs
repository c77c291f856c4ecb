//! Exports and imports of Sisu into records.
//!
//! | form | document |
//! |---|---|
//! | `import` | an array of attainments |
//! | `page` | a page of the attainments' export: `{"entities":[…],"hasMore":…,"greatestOrdinal":…}` |
//! | `bundle` | an object with a page or an array for each resource: `persons`, `studyRights`, `termRegistrations`, `mobilityPeriods`, `attainments`; for names alone `courseUnits`, `modules`, `organisations`, `gradeScales`; and `asOf`, the instant whose state it shows |
//!
//! A Sisu registers what one institution awards: that institution is the tenant. It is the awarding body of every record
//! and the institution of its key.

mod attainment;
mod document;
mod entity;
mod joins;
mod others;
mod versions;

pub(crate) use attainment::references;
pub(crate) use document::{IMPORT, PAGE, form};

use crate::ids::from_sisu;
use document::{Document, List, Resource};
use entity::{DocumentState, Entity};
use joins::Joins;
use serde_json::value::RawValue;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::json::Json;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Body, Extensions, Head, Record, RecordKey, RecordKind, State};
use std::collections::BTreeSet;
use std::io::BufRead;
use versions::{Standing, standing};

/// Reads a document for well-formedness and bounds only.
pub(crate) fn probe(input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
    let text = document::text(input, limits)?;
    Document::parse(&text, limits).map(|_| ())
}

/// Reads a document into records.
pub(crate) fn decode(input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
    let text = document::text(input, &ctx.limits)?;
    let document = Document::parse(&text, &ctx.limits)?;
    let as_of = document.as_of.clone().unwrap_or_else(|| versions::latest_modification(&document.lists));
    let joins = Joins::read(&document, &as_of);
    let mut reader = Reader { ctx, sink, joins, document: &document, unread: BTreeSet::new(), told: 0, untold: 0 };
    reader.unread.extend(document.unread.iter().cloned());
    for (_, resource) in Resource::ALL {
        for list in document.lists.iter().filter(|list| list.resource == resource) {
            for standing in standing(list, &as_of) {
                reader.entity(list, &standing)?;
            }
        }
    }
    let unread = reader.finish()?;
    let form = (document.form != document::IMPORT).then_some(document.form);
    Ok(Reading { form: form.filter(|form| *form == PAGE).map(SmolStr::new_static), unread })
}

struct Reader<'a, 's> {
    ctx: &'a DecodeContext,
    sink: &'a mut Sink<'s>,
    joins: Joins,
    document: &'a Document<'a>,
    unread: BTreeSet<String>,
    told: usize,
    untold: usize,
}

/// What an entity becomes: the records it makes, each with what is wrong with it.
type Made = Vec<(Record, Vec<Problem>)>;

impl Reader<'_, '_> {
    fn entity(&mut self, list: &List<'_>, standing: &Standing<'_>) -> Result<(), Unreadable> {
        let Some(kind) = kind(list.resource) else { return Ok(()) };
        let line = self.document.line(standing.raw);
        let path = format!("{}/{}", list.path, standing.at);
        let made = match self.read(kind, standing.raw, path.clone()) {
            Ok(made) => made,
            Err(problem) => return self.tell(problem.at(path).on_line(line)),
        };
        for (record, mut problems) in made {
            if let Some(rival) = standing.rival {
                let message = "the same id stands here twice with different content, and nothing says which is newer";
                problems.push(Problem::error("duplicate_key", message).and_line(self.document.line(rival)));
            }
            let broken = problems.iter().any(|problem| problem.severity == Severity::Error);
            for problem in problems {
                self.tell(problem.about(&record.head.key).on_line(line))?;
            }
            if !broken {
                self.put(Decoded::Record(Box::new(record), line))?;
            }
        }
        Ok(())
    }

    fn read(&mut self, kind: RecordKind, raw: &RawValue, path: String) -> Result<Made, Box<Problem>> {
        let json = Json::parse(raw.get())
            .map_err(|_| Problem::error("bad_json", "not well-formed JSON, or a member is there twice"))?;
        let mut entity =
            Entity::new(json, path).ok_or_else(|| Problem::error("not_an_entity", "an entity must be an object"))?;
        let id = entity.text("id").ok_or_else(|| Problem::error("no_id", "an entity must have an id"))?;
        let stands = entity.document_state();
        let mut place = Extensions::default();
        let revision = entity.revision(&mut place);
        let learner = match kind {
            RecordKind::Learner => id.clone(),
            _ => entity.text("personId").or_else(|| entity.text("studentId")).unwrap_or_default(),
        };
        let head = |key: SmolStr, state: State| Head {
            key: RecordKey {
                tenant: self.ctx.tenant.clone(),
                source: self.ctx.source.clone(),
                kind,
                // A learner is the same person whoever registers her.
                institution: if kind == RecordKind::Learner { SmolStr::default() } else { self.ctx.tenant.clone() },
                id: key,
            },
            learner: learner.clone(),
            state,
            source_revision: revision,
            non_disclosure: self.joins.undisclosed.contains(&learner),
        };
        if learner.is_empty() && stands == DocumentState::Active {
            return Err(Problem::error("no_person", "an entity must say whose it is")
                .about(&head(id, State::Current).key)
                .into());
        }
        let tenant = &self.ctx.tenant;
        let misregistered = stands == DocumentState::Active && entity.flag("misregistration") == Some(true);
        let state = if misregistered { State::Misregistered } else { stands.state() };
        let mut unread = Vec::new();
        let (key, body) = match kind {
            RecordKind::Learner => {
                entity.flag("personalDataSafetyNonDisclosure");
                (id, Body::Learner(Box::new(others::learner(&mut entity))))
            }
            RecordKind::StudyRight => (id, Body::StudyRight(Box::new(others::study_right(&mut entity, tenant)))),
            RecordKind::MobilityPeriod => (id, Body::MobilityPeriod(Box::new(others::mobility(&mut entity, tenant)))),
            RecordKind::Enrolment => {
                let terms = others::enrolments(&mut entity, &learner, tenant);
                for name in entity.untaken().filter(|name| *name != "snapshotDateTime") {
                    unread.push(format!("/termRegistrations/{name}"));
                }
                let mut made: Made = Vec::new();
                for (key, mut enrolment, term) in terms {
                    let problems = term.rest(&mut enrolment.extensions);
                    enrolment.extensions.0.extend(place.0.clone());
                    made.push((record(head(key, state), stands, Body::Enrolment(Box::new(enrolment))), problems));
                }
                if let (Some((_, problems)), false) = (made.first_mut(), entity.problems.is_empty()) {
                    problems.append(&mut entity.problems);
                }
                self.unread.extend(unread);
                return Ok(made);
            }
            RecordKind::Attainment | RecordKind::Activity => {
                if stands == DocumentState::Active && !entity.untaken().any(|name| name == "type") {
                    return Err(Problem::error("no_type", "an attainment must say of which type it is").into());
                }
                let body = attainment::attainment(&mut entity, &self.joins, tenant, &mut unread);
                (from_sisu(&id), Body::Attainment(Box::new(body)))
            }
        };
        let mut record = record(head(key, state), stands, body);
        let mut extensions = place;
        let problems = entity.rest(&mut extensions);
        if let Some(body) = &mut record.body {
            *body.extensions_mut() = extensions;
        }
        self.unread.extend(unread);
        // What is wrong with the content of something that was taken back stops nobody.
        let problems = if record.body.is_some() { problems } else { Vec::new() };
        Ok(vec![(record, problems)])
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

    fn finish(mut self) -> Result<Vec<String>, Unreadable> {
        if self.untold > 0 {
            let message = format!("{} more problems were found", self.untold);
            self.put(Decoded::Problem(Problem::error("more_problems", message)))?;
        }
        Ok(self.unread.into_iter().collect())
    }
}

/// The kind of record that entities of a resource make.
fn kind(resource: Resource) -> Option<RecordKind> {
    match resource {
        Resource::Persons => Some(RecordKind::Learner),
        Resource::StudyRights => Some(RecordKind::StudyRight),
        Resource::TermRegistrations => Some(RecordKind::Enrolment),
        Resource::MobilityPeriods => Some(RecordKind::MobilityPeriod),
        Resource::Attainments => Some(RecordKind::Attainment),
        Resource::CourseUnits | Resource::Modules | Resource::Organisations | Resource::GradeScales => None,
    }
}

/// A record of an entity. What a draft says is not in force, and a deleted entity may have lost all it said: neither is
/// content.
fn record(head: Head, stands: DocumentState, body: Body) -> Record {
    Record { head, body: (stands == DocumentState::Active).then_some(body) }
}
