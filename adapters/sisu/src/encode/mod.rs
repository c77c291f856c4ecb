//! Records into imports: an array of attainments, or a page as the export gives it.

mod attainment;
mod fit;
mod losses;

pub(crate) use losses::LOSSES;

use crate::decode::{IMPORT, PAGE};
use crate::ids::to_sisu;
use silta_adapter::adapter::{DocumentWriter, EncodeContext, NotWritten, Refusal};
use silta_adapter::fidelity::Loss;
use silta_adapter::json::Json;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Body, Record, RecordKind, State};
use std::io::{self, Write};

/// A document being written.
pub(crate) struct Writer<'a> {
    out: &'a mut dyn Write,
    ctx: EncodeContext<'a>,
    page: bool,
    started: bool,
    greatest: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, form: Option<&str>, ctx: EncodeContext<'a>) -> io::Result<Self> {
        let page = match form {
            None | Some(IMPORT) => false,
            Some(PAGE) => true,
            Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "Sisu has no documents of this form")),
        };
        Ok(Self { out, ctx, page, started: false, greatest: 0 })
    }

    fn start(&mut self) -> io::Result<()> {
        let first = !std::mem::replace(&mut self.started, true);
        self.out.write_all(match (first, self.page) {
            (true, true) => b"{\"entities\":[\n",
            (true, false) => b"[\n",
            (false, _) => b",\n",
        })
    }
}

impl DocumentWriter for Writer<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        let [record] = item else {
            return Err(Refusal::from(Problem::error("not_held", "Sisu takes attainments one by one")).into());
        };
        let (mut members, losses) = entity(record, &self.ctx)?;
        if let (true, Some(revision)) = (self.page, record.head.source_revision) {
            self.greatest = self.greatest.max(revision);
            let ordinal = Json::Number(revision.to_string().into());
            members.push(("metadata".to_owned(), Json::Object(vec![("modificationOrdinal".to_owned(), ordinal)])));
        }
        self.start()?;
        serde_json::to_writer(&mut self.out, &Json::Object(members)).map_err(io::Error::from)?;
        Ok(losses)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        if !self.started {
            self.out.write_all(if self.page { b"{\"entities\":[" } else { b"[" })?;
        }
        match self.page {
            true => writeln!(self.out, "\n],\"hasMore\":false,\"greatestOrdinal\":{}}}", self.greatest)?,
            false => self.out.write_all(b"\n]\n")?,
        }
        self.out.flush()
    }
}

type Entity = (Vec<(String, Json)>, Vec<Loss>);

fn entity(record: &Record, ctx: &EncodeContext<'_>) -> Result<Entity, Refusal> {
    let head = &record.head;
    let refuse = |code, message: &str| Err(Refusal::from(Problem::error(code, message).about(&head.key)));
    if head.key.kind != RecordKind::Attainment {
        return refuse("not_held", "only attainments can be imported into Sisu");
    }
    let Some(id) = to_sisu(&head.key.id) else {
        return refuse(
            "bad_id",
            "an id in Sisu must be able to hold the record's key, which may have at most 43 bytes",
        );
    };
    match (&record.body, head.state) {
        (Some(Body::Attainment(body)), State::Current | State::Misregistered) => {
            attainment::members(record, body, id, ctx).map_err(Refusal)
        }
        (_, State::Current) => refuse("not_held", "only attainments can be imported into Sisu"),
        // What was taken back for another reason than a mistake is deleted: all it takes is its id.
        _ => Ok((
            vec![
                ("id".to_owned(), Json::text(id)),
                ("personId".to_owned(), Json::text(head.learner.as_str())),
                ("documentState".to_owned(), Json::text("DELETED")),
            ],
            Vec::new(),
        )),
    }
}
