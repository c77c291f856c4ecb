//! The traits an adapter implements, and the descriptor it registers with.
//!
//! An adapter speaks one external format or protocol. It knows the record model and nothing of the gateway: no
//! database, no HTTP server of ours, no other adapter. What it can do it says by returning a capability:
//! [`Decode`], [`Encode`], and — once connected with settings — [`Deliver`], [`Inventory`] and [`Pull`].

use crate::check::Check;
use crate::delivery::Judgement;
use crate::fidelity::{Loss, LossRule};
use crate::mapping::Mappings;
use crate::problem::Problem;
use crate::record::{Identifier, Record, RecordKey, RecordKind};
use crate::report::Reports;
use crate::validate::{Conform, Validate};
use async_trait::async_trait;
use jiff::Timestamp;
use smol_str::SmolStr;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// One external format or protocol.
pub trait Adapter: Send + Sync {
    /// What it is and how its destinations behave.
    fn descriptor(&self) -> &Descriptor;

    /// Reads documents, if it can.
    fn decoder(&self) -> Option<&dyn Decode> {
        None
    }

    /// Writes documents, if it can.
    fn encoder(&self) -> Option<&dyn Encode> {
        None
    }

    /// Tells what is lacking in records for its format, if it can.
    fn checker(&self) -> Option<&dyn Check> {
        None
    }

    /// Checks documents against official profiles, if it can.
    fn validator(&self) -> Option<&dyn Validate> {
        None
    }

    /// Offers what its standard gives whoever receives documents, if it has such calls.
    fn receiver(&self) -> Option<&dyn Receive> {
        None
    }

    /// Opens a connection from its settings (`[connection.settings]`), whose shape the descriptor's schema gives.
    ///
    /// # Errors
    /// If the settings are not of that shape or name something that cannot be.
    fn connect(&self, settings: &serde_json::Value) -> Result<Connected, BadSettings> {
        let _ = settings;
        Err(BadSettings("this adapter has no destinations".into()))
    }

    /// What an operator should know about settings that can be used: what they leave out.
    fn advice(&self, settings: &serde_json::Value) -> Vec<String> {
        let _ = settings;
        Vec::new()
    }
}

/// What an adapter is and how its destinations behave.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// Its name, as used in configuration and `--from`/`--to`.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// Media types of its documents; the first is the one it writes.
    pub media_types: &'static [&'static str],
    /// JSON Schema of its connection settings; `None` if it has no destinations.
    pub settings: Option<fn() -> schemars::Schema>,
    /// What one item is made of.
    pub grouping: Grouping,
    /// What sending does at a destination.
    pub effect: Effect,
    /// How something is taken back there.
    pub withdraw: Withdraw,
    /// True if what a destination holds can be read.
    pub readback: bool,
    /// True if a destination recognises a repeated idempotency key.
    pub honours_key: bool,
    /// Kinds of record it carries.
    pub kinds: &'static [RecordKind],
    /// Its static loss table.
    pub losses: &'static [LossRule],
}

/// What one item is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Each record is an item of its own.
    Record,
    /// Items are composed from all records of one learner ([`Encode::items`]).
    Learner,
}

/// What sending does at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Replaces the item of the same identity, or adds it.
    Upsert,
    /// Adds an item each time.
    Create,
    /// Replaces everything of the tenant: absence means deletion.
    ReplaceAll,
}

/// How something is taken back at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdraw {
    /// By leaving it out of the next load.
    Absence,
    /// By deleting it.
    Delete,
    /// By revoking it.
    Revoke,
    /// By sending a changed version.
    Update,
    /// It cannot be.
    None,
}

/// The order in which a destination should receive kinds; reversed for withdrawals.
pub fn rank(kind: RecordKind) -> u8 {
    match kind {
        RecordKind::Learner => 0,
        RecordKind::StudyRight => 1,
        RecordKind::Enrolment | RecordKind::MobilityPeriod => 2,
        RecordKind::Attainment | RecordKind::Activity => 3,
    }
}

/// Bounds on one input. Every decoder keeps them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes in all.
    pub bytes: u64,
    /// Depth of nesting.
    pub depth: usize,
    /// Bytes of one record (one line, one element with its children).
    pub record_bytes: usize,
    /// Problems reported in full; the rest is counted.
    pub problems: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 4 << 30, depth: 64, record_bytes: 4 << 20, problems: 10_000 }
    }
}

/// For whom a document is read.
#[derive(Debug, Clone)]
pub struct DecodeContext {
    /// The tenant whose records these are; the document does not say.
    pub tenant: SmolStr,
    /// The register they come from, as the tenant names it.
    pub source: SmolStr,
    /// Bounds on the input.
    pub limits: Limits,
}

/// What a decoder found, in the order of the document.
#[derive(Debug)]
pub enum Decoded {
    /// A record, and the line it starts on (from 1).
    Record(Box<Record>, u64),
    /// Something to tell the sender. An error means that a record, or a part of one, was not taken.
    Problem(Problem),
}

/// What a decoder says at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The form of the document (its root), so that it can be written back in the same form.
    pub form: Option<SmolStr>,
    /// Paths of the document that were not read, each once, without positions.
    pub unread: Vec<String>,
}

/// A document cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not well formed, or breaks a bound; nothing of it can be trusted.
    #[error("{0}")]
    Malformed(Box<Problem>),
    /// The input itself failed.
    #[error("the input cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The reader of the records gave up.
    #[error("reading was stopped")]
    Stopped,
}

impl From<Problem> for Unreadable {
    fn from(problem: Problem) -> Self {
        Self::Malformed(Box::new(problem))
    }
}

/// Where a decoder puts what it finds. Returning an error stops it with [`Unreadable::Stopped`].
pub type Sink<'a> = dyn FnMut(Decoded) -> Result<(), Stop> + 'a;

/// Stop reading.
#[derive(Debug, Clone, Copy)]
pub struct Stop;

/// Reads documents of a format.
pub trait Decode: Send + Sync {
    /// Reads the whole input for well-formedness and bounds only, faster than decoding it.
    ///
    /// # Errors
    /// If decoding would end in an error.
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable>;

    /// Reads a document into records, streaming: memory does not grow with the document beyond an index of keys.
    ///
    /// # Errors
    /// If the document is not well formed, breaks a bound or is of another format. Problems with single records go
    /// to the sink instead and the rest is kept.
    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable>;

    /// The form of a document by its first bytes, for formats that have several.
    fn form(&self, head: &[u8]) -> Option<SmolStr> {
        let _ = head;
        None
    }
}

/// All that encoding may look at besides the item.
#[derive(Debug, Clone, Copy)]
pub struct EncodeContext<'a> {
    /// Code lists, institutions, grade dictionaries.
    pub mappings: &'a Mappings,
    /// The generation of the debt; with the item it makes the ids of what is sent, so that a retry repeats them.
    pub generation: u64,
    /// The instant to date a document with.
    pub instant: jiff::Timestamp,
}

/// A composed item: which of the given records it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPlan {
    /// The record whose key identifies the item.
    pub root: RecordKey,
    /// Indices of its records, the root first.
    pub members: Vec<usize>,
}

/// An item written as a document of its own.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The document.
    pub document: Vec<u8>,
    /// What it does not hold as the records say it.
    pub losses: Vec<Loss>,
}

/// An item that the format cannot hold, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.first().map_or_else(|| "refused".to_owned(), |p| p.message.clone()))]
pub struct Refusal(pub Vec<Problem>);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// Writing an item failed.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The format cannot hold it; nothing of it was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The output failed.
    #[error("the output cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Writes documents of a format. Pure: a function of the item and the context.
pub trait Encode: Send + Sync {
    /// Composes items from all records of one learner. The default makes each record an item; tombstones make none.
    fn items(&self, records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
        let plan = |(at, record): (usize, &Record)| ItemPlan { root: record.head.key.clone(), members: vec![at] };
        (records.iter().enumerate().filter(|(_, r)| !r.head.state.is_tombstone()).map(plan).collect(), Vec::new())
    }

    /// The form that holds records of these kinds, for formats that have several.
    fn form_for(&self, kinds: &[RecordKind]) -> Option<SmolStr> {
        let _ = kinds;
        None
    }

    /// Starts a document. `form` asks for one of the forms the decoder reports.
    ///
    /// # Errors
    /// If the output fails.
    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        form: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>>;

    /// Writes one item as a document of its own.
    ///
    /// # Errors
    /// If the format cannot hold the item.
    fn encode(&self, item: &[Record], ctx: EncodeContext<'_>) -> Result<Encoded, Refusal> {
        let mut document = Vec::new();
        let io_problem = |e: io::Error| Refusal::from(Problem::error("not_written", e.to_string()));
        let losses = {
            let mut writer = self.document(&mut document, None, ctx).map_err(io_problem)?;
            let losses = match writer.write(item) {
                Ok(losses) => losses,
                Err(NotWritten::Refused(refusal)) => return Err(refusal),
                Err(NotWritten::Io(e)) => return Err(io_problem(e)),
            };
            writer.finish().map_err(io_problem)?;
            losses
        };
        Ok(Encoded { document, losses })
    }
}

/// A document being written, item by item.
pub trait DocumentWriter {
    /// Adds an item. For formats that nest rows under a learner, items of one learner must come together, the
    /// learner's own record first and kinds in the order of [`RecordKind::ALL`].
    ///
    /// # Errors
    /// If the format cannot hold the item (nothing of it is written then), or the output fails.
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten>;

    /// Ends the document.
    ///
    /// # Errors
    /// If the output fails.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Settings of a connection are not usable.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadSettings(pub String);

/// An open connection.
#[derive(Clone, Default)]
pub struct Connected {
    /// Takes loads, if it is a destination.
    pub deliver: Option<Arc<dyn Deliver>>,
    /// Says what it holds, if it can be read.
    pub inventory: Option<Arc<dyn Inventory>>,
    /// Says later what was wrong with what it was sent, if it reports.
    pub reports: Option<Arc<dyn Reports>>,
    /// Says what is new, if it is a source to pull from.
    pub pull: Option<Arc<dyn Pull>>,
    /// What every item has to conform to before it is sent, if the operator named a schema.
    pub schema: Option<Arc<dyn Conform>>,
    /// Knows who people are, if it is a register of identities.
    pub people: Option<Arc<dyn People>>,
}

/// What one send carries.
#[derive(Debug)]
pub struct Load {
    /// Repeats on every retry of the same debt.
    pub idempotency_key: String,
    /// Whose records these are.
    pub tenant: SmolStr,
    /// The document.
    pub document: Document,
    /// True if the load takes its (single) item back instead of placing it.
    pub withdrawal: bool,
}

/// The document of a load.
#[derive(Debug)]
pub enum Document {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a private file that the gateway removes afterwards.
    File(PathBuf),
}

/// Sends loads to a destination.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// Sends a load and says what became of it. Never retries by itself, never takes longer than its own time limit.
    async fn deliver(&self, load: &Load) -> Judgement;
}

/// A learner to ask a store about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LearnerQuery {
    /// The register that our records of the learner come from.
    pub source: SmolStr,
    /// The learner's local id in it.
    pub learner: SmolStr,
    /// All identifiers we know, changeable and possibly several.
    pub identifiers: Vec<Identifier>,
}

/// What a store holds about one learner.
#[derive(Debug, Clone, Default)]
pub struct Holding {
    /// Index into the learners asked about.
    pub query: usize,
    /// What it holds.
    pub records: Vec<Record>,
    /// Where items are composed ([`Grouping::Learner`]): the indices of the records of each, the root first. A record
    /// that the store shows with several items may be in all of them.
    pub items: Vec<Vec<usize>>,
    /// What was odd about the answer.
    pub problems: Vec<Problem>,
    /// True only if the answer is known to be everything: all identifiers asked, no filter, well-formed answers.
    /// Without it nothing may be called missing.
    pub complete: bool,
}

/// A store or a feed could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.reason)]
pub struct NotRead(pub Judgement);

/// Says what a store holds.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// How many learners one call of [`Inventory::holdings`] may ask about.
    fn batch(&self) -> usize;

    /// Fields that the store holds but does not show: their absence from a holding proves nothing. Kinds, and JSON
    /// pointers into a record.
    fn withheld(&self) -> &'static [(RecordKind, &'static str)] {
        &[]
    }

    /// What the store holds about these learners; one holding for each.
    ///
    /// # Errors
    /// If the store could not be read; the judgement says whether asking again makes sense.
    async fn holdings(&self, ctx: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead>;
}

/// One page of a feed.
#[derive(Debug, Clone)]
pub struct Page {
    /// What is new, as a document that the adapter's decoder reads; `None` if nothing is.
    pub document: Option<Vec<u8>>,
    /// Where the next page begins. It is handed back once everything in this one is durably kept, and not before.
    pub cursor: SmolStr,
    /// True if there is more to read at once.
    pub more: bool,
}

/// Says what is new since a cursor.
///
/// A page that was read is read again if the gateway ends before it is kept, so reading changes nothing at the source.
#[async_trait]
pub trait Pull: Send + Sync {
    /// The feeds, in the order in which they are to be read. Each has a cursor of its own.
    fn feeds(&self) -> Vec<SmolStr>;

    /// The page of a feed after a cursor; the first one without.
    ///
    /// # Errors
    /// If the feed could not be read, or its answer cannot be all of the page; the judgement says whether asking again
    /// makes sense. The cursor stays where it is.
    async fn pull(&self, feed: &str, cursor: Option<&str>) -> Result<Page, NotRead>;
}

/// What is known of a learner, to ask a register of identities by. Names only let the register see that an identifier
/// is not somebody else's; nobody is found by them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonQuery {
    /// Identifiers, as records say them.
    pub identifiers: Vec<Identifier>,
    /// Given names.
    pub given_names: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
}

/// What a register of identities says about one identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// It is this person's, by the identifier that stands for her today.
    Person(Identifier),
    /// The register does not know it.
    Unknown,
    /// The register knows it, and says that the names are somebody else's: nothing may be concluded.
    Contradicted,
}

/// Knows which identifiers are one person's.
#[async_trait]
pub trait People: Send + Sync {
    /// How many learners one call of [`People::identify`] may ask about.
    fn batch(&self) -> usize;

    /// For each learner asked about, what the register says of each of the identifiers it can be asked by.
    ///
    /// # Errors
    /// If the register could not be asked; the judgement says whether asking again makes sense.
    async fn identify(&self, asked: &[PersonQuery]) -> Result<Vec<Vec<(Identifier, Identity)>>, NotRead>;

    /// The identifiers whose people the register changed since a time; who changed before may be among them. `None` if
    /// it does not tell, so that everybody has to be asked about.
    ///
    /// # Errors
    /// If the register could not be asked; the judgement says whether asking again makes sense.
    async fn changed(&self, _since: Timestamp) -> Result<Option<Vec<Identifier>>, NotRead> {
        Ok(None)
    }
}

/// A call of a standard's interface by which others bring documents.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The method: `GET`, `PUT`, `POST` or `PATCH`.
    pub method: &'a str,
    /// The segments of the address below that of the interface.
    pub path: &'a [&'a str],
    /// What it carries.
    pub body: &'a [u8],
}

/// What a call is about, to be looked up before it is received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The record of this kind, without an institution in its key, and id.
    Record(RecordKind, SmolStr),
    /// All records of a learner, by the local id.
    Learner(SmolStr),
    /// Nothing that is known already.
    New,
}

/// An answer of an interface, as its standard has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub media_type: &'static str,
    /// The body; may be empty.
    pub body: Vec<u8>,
}

/// What a call comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// It brings a document that the adapter's decoder reads; once that is kept, this is answered.
    Document(Vec<u8>, Reply),
    /// It brings nothing.
    Answer(Reply),
}

/// Offers what a standard gives whoever receives its documents: calls that bring documents, and those by which the
/// caller reads back what it brought. The gateway knows who may call, looks up and keeps; the adapter knows the standard.
pub trait Receive: Send + Sync {
    /// What a call is about; `None` if the standard has no such call.
    fn about(&self, call: &Call<'_>) -> Option<About>;

    /// Receives a call, given what is held of what it is about.
    fn receive(&self, call: &Call<'_>, held: &[Record], ctx: EncodeContext<'_>) -> Received;

    /// What is answered where a document was not taken.
    fn refused(&self, problems: &[Problem]) -> Reply;
}

/// The adapters of this program, by name.
#[derive(Clone, Default)]
pub struct Registry {
    adapters: Vec<Arc<dyn Adapter>>,
}

impl Registry {
    /// A registry of these adapters.
    pub fn new(adapters: Vec<Arc<dyn Adapter>>) -> Self {
        Self { adapters }
    }

    /// The adapter of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Adapter>> {
        self.adapters.iter().find(|a| a.descriptor().name == name)
    }

    /// The adapter that reads or writes a media type.
    pub fn by_media_type(&self, media_type: &str) -> Option<&Arc<dyn Adapter>> {
        self.adapters.iter().find(|a| a.descriptor().media_types.contains(&media_type))
    }

    /// All adapters.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Adapter>> {
        self.adapters.iter()
    }
}
