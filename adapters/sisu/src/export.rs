//! The export feeds: state by ordinal, page by page.

use crate::client::{Answer, Client, NoAnswer, verdicts};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{BadSettings, NotRead, Page, Pull};
use silta_adapter::delivery::VerdictTable;
use silta_adapter::json::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A feed.
pub(crate) struct Feed {
    pub(crate) name: &'static str,
    path: &'static [&'static str],
    /// The member of our documents that holds its entities.
    member: &'static str,
}

/// The feeds, in the order in which records are best known: whose they are first.
pub(crate) const FEEDS: &[Feed] = &[
    Feed { name: "persons", path: &["ori", "api", "persons", "v1", "export"], member: "persons" },
    Feed { name: "study-rights", path: &["ori", "api", "study-rights", "v1", "export"], member: "studyRights" },
    Feed {
        name: "term-registrations",
        path: &["ori", "api", "term-registrations", "v1", "export"],
        member: "termRegistrations",
    },
    Feed {
        name: "mobility-periods",
        path: &["ori", "api", "mobility-periods", "v1", "export"],
        member: "mobilityPeriods",
    },
    Feed { name: ATTAINMENTS, path: &["ori", "api", "attainments", "v1", "export"], member: "attainments" },
];

/// The feed of attainments.
pub(crate) const ATTAINMENTS: &str = "attainments";

/// What entities refer to by id, where it is read, and the member of our documents that holds it.
const REFERENCES: [(&str, &[&str], &str); 3] = [
    ("courseUnitId", &["kori", "api", "course-units"], "courseUnits"),
    ("moduleId", &["kori", "api", "modules"], "modules"),
    ("organisationId", &["kori", "api", "organisations"], "organisations"),
];

/// Most referenced entities kept in memory.
const REMEMBERED: usize = 50_000;

/// Reads the export feeds.
pub(crate) struct Export {
    client: Arc<Client>,
    feeds: Vec<&'static Feed>,
    page_size: u32,
    names: bool,
    verdicts: VerdictTable,
    /// Entities referred to, by path and id, as read in this run; `None` for one that is not there.
    remembered: Mutex<BTreeMap<(&'static str, String), Option<String>>>,
}

/// A page as it came.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(borrow)]
    entities: Vec<&'a RawValue>,
    #[serde(rename = "hasMore")]
    has_more: bool,
    #[serde(rename = "greatestOrdinal")]
    greatest: Option<u64>,
}

/// A page of a feed, looked at.
pub(crate) struct Read {
    /// The page as it came.
    pub(crate) text: String,
    /// Its number of entities.
    pub(crate) count: usize,
    /// Where the next page begins.
    pub(crate) next: u64,
    pub(crate) more: bool,
    /// When it was given, by the clock over there.
    at: Option<jiff::Timestamp>,
}

impl Export {
    pub(crate) fn open(
        client: Arc<Client>,
        feeds: &[String],
        page_size: u32,
        names: bool,
    ) -> Result<Self, BadSettings> {
        let known = |name: &String| {
            FEEDS
                .iter()
                .find(|feed| feed.name == name)
                .ok_or_else(|| BadSettings("feeds names one there is not".into()))
        };
        let named = feeds.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let feeds = FEEDS.iter().filter(|feed| named.iter().any(|n| n.name == feed.name)).collect();
        Ok(Self { client, feeds, page_size, names, verdicts: verdicts()?, remembered: Mutex::default() })
    }

    fn not_read(&self, cause: &str, wait: Option<Duration>) -> NotRead {
        NotRead(self.verdicts.judge(&format!("read:{cause}"), wait))
    }

    async fn ask(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer, NotRead> {
        self.client.get(path, query).await.map_err(|NoAnswer(cause)| self.not_read(cause, None))
    }

    /// One page of a feed. An empty or short page that says there is more is none: taking it for the end, or for
    /// everything up to its ordinal, would lose what it does not show.
    pub(crate) async fn page(&self, name: &str, since: u64) -> Result<Read, NotRead> {
        let feed = FEEDS.iter().find(|feed| feed.name == name).ok_or_else(|| self.not_read("request", None))?;
        let query = [("since", since.to_string()), ("limit", self.page_size.to_string())];
        let answer = self.ask(feed.path, &query).await?;
        if !answer.status.is_success() {
            return Err(self.not_read(&answer.cause(), answer.wait));
        }
        let unreadable = || self.not_read("answer", None);
        let text = String::from_utf8(answer.body).map_err(|_| unreadable())?;
        let shape: Shape<'_> = serde_json::from_str(&text).map_err(|_| unreadable())?;
        let (count, more) = (shape.entities.len(), shape.has_more);
        let next = shape.greatest.unwrap_or(since).max(since);
        match () {
            () if more && count == 0 => return Err(self.not_read("page:empty", None)),
            () if more && count < self.page_size as usize => return Err(self.not_read("page:short", None)),
            () if more && next == since => return Err(self.not_read("page:stuck", None)),
            () if count > 0 && shape.greatest.is_none() => return Err(unreadable()),
            () => {}
        }
        Ok(Read { text, count, next, more, at: answer.at })
    }

    /// What a page refers to, as further members of its document.
    async fn references(&self, page: &str, document: &mut String) -> Result<(), NotRead> {
        let Ok(json) = Json::parse(page) else { return Ok(()) };
        for (member, path, list) in REFERENCES {
            let mut ids = BTreeSet::new();
            collect(&json, member, &mut ids);
            let mut entities: Vec<String> = Vec::new();
            for id in ids {
                entities.extend(self.referenced(list, path, &id).await?);
            }
            // The list is there even if nothing was found: then what is missing is told.
            let _ = write!(document, ",\"{list}\":[{}]", entities.join(","));
        }
        Ok(())
    }

    async fn referenced(&self, list: &'static str, path: &[&str], id: &str) -> Result<Option<String>, NotRead> {
        let key = (list, id.to_owned());
        if let Some(known) = self.remembered().get(&key) {
            return Ok(known.clone());
        }
        let path: Vec<&str> = path.iter().copied().chain([id]).collect();
        let answer = self.ask(&path, &[]).await?;
        let entity = match answer.status.as_u16() {
            404 | 410 => None,
            200 => {
                let text = String::from_utf8(answer.body).map_err(|_| self.not_read("answer", None))?;
                serde_json::from_str::<&RawValue>(&text).map_err(|_| self.not_read("answer", None))?;
                Some(text)
            }
            _ => return Err(self.not_read(&answer.cause(), answer.wait)),
        };
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, entity.clone());
        Ok(entity)
    }

    fn remembered(&self) -> MutexGuard<'_, BTreeMap<(&'static str, String), Option<String>>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids that members of this name hold, at any depth.
fn collect(json: &Json, member: &str, ids: &mut BTreeSet<String>) {
    match json {
        Json::Object(members) => members.iter().for_each(|(name, value)| match value {
            Json::Text(id) if name == member && !id.is_empty() => drop(ids.insert(id.clone())),
            value => collect(value, member, ids),
        }),
        Json::List(items) => items.iter().for_each(|item| collect(item, member, ids)),
        _ => {}
    }
}

#[async_trait]
impl Pull for Export {
    fn feeds(&self) -> Vec<SmolStr> {
        self.feeds.iter().map(|feed| SmolStr::new_static(feed.name)).collect()
    }

    async fn pull(&self, feed: &str, cursor: Option<&str>) -> Result<Page, NotRead> {
        let since = match cursor {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| self.not_read("request", None))?,
        };
        let read = self.page(feed, since).await?;
        let member = FEEDS.iter().find(|known| known.name == feed).map_or(feed, |feed| feed.member);
        let mut document = String::with_capacity(read.text.len() + 256);
        let _ = write!(document, "{{\"{member}\":{}", read.text);
        if let Some(at) = read.at {
            // As snapshots say their times: without a zone. Universal time is some hours behind Finland's.
            let _ = write!(document, ",\"asOf\":\"{}\"", at.strftime("%Y-%m-%dT%H:%M:%S.%3f"));
        }
        if self.names && feed == ATTAINMENTS && read.count > 0 {
            self.references(&read.text, &mut document).await?;
        }
        document.push('}');
        if !read.more {
            // The next run reads anew what may have changed.
            self.remembered().clear();
        }
        let document = (read.count > 0).then(|| document.into_bytes());
        Ok(Page { document, cursor: SmolStr::from(read.next.to_string()), more: read.more })
    }
}
