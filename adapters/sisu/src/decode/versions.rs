//! Which of several versions of an entity counts.

use super::document::{List, Resource};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What decides between versions of an entity.
#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    metadata: Option<Metadata<'a>>,
    #[serde(borrow, rename = "snapshotDateTime")]
    snapshot: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(rename = "modificationOrdinal")]
    ordinal: Option<u64>,
    #[serde(borrow, rename = "lastModifiedOn")]
    modified: Option<Cow<'a, str>>,
}

impl Resource {
    /// True for data of which each entity has many rows, one for each day from which it holds.
    fn has_snapshots(self) -> bool {
        matches!(self, Self::StudyRights | Self::CourseUnits | Self::Modules | Self::Organisations)
    }
}

/// An entity as it counts.
pub(crate) struct Standing<'a> {
    /// Its place in the list.
    pub(crate) at: usize,
    pub(crate) raw: &'a RawValue,
    /// Another one of the same id, where nothing says which of them is newer.
    pub(crate) rival: Option<&'a RawValue>,
}

/// The entities of a list that count, in the order of the document. Of several with one id it is that with the greatest
/// ordinal; where entities have snapshots, first that of the latest snapshot not after `as_of`. Entities that say no id
/// all count.
pub(crate) fn standing<'a>(list: &List<'a>, as_of: &str) -> Vec<Standing<'a>> {
    let mut standing: Vec<(Standing<'a>, Option<String>, Option<u64>)> = Vec::with_capacity(list.entities.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, raw) in list.entities.iter().copied().enumerate() {
        let version: Option<Version<'_>> = serde_json::from_str(raw.get()).ok();
        let ordinal = version.as_ref().and_then(|v| v.metadata.as_ref()?.ordinal);
        let snapshot = version.as_ref().and_then(|v| v.snapshot.as_deref().map(str::to_owned));
        // Texts of one form, compared as far as both go: `2026-05-15T12:10:00.000` and `2026-05-15`.
        if list.resource.has_snapshots() && snapshot.as_deref().is_some_and(|from| from > as_of) {
            continue;
        }
        let this = (Standing { at, raw, rival: None }, snapshot, ordinal);
        match version.and_then(|v| v.id).map(|id| places.entry(id.into_owned())) {
            None => standing.push(this),
            Some(Entry::Vacant(place)) => {
                place.insert(standing.len());
                standing.push(this);
            }
            Some(Entry::Occupied(place)) => {
                let known = &mut standing[*place.get()];
                let unordered = known.2.is_none() && this.2.is_none() && known.1 == this.1;
                if unordered && known.0.raw.get() != raw.get() {
                    known.0.rival = Some(raw);
                } else if (&this.1, this.2) >= (&known.1, known.2) {
                    *known = this;
                }
            }
        }
    }
    let mut standing: Vec<_> = standing.into_iter().map(|(standing, ..)| standing).collect();
    standing.sort_by_key(|standing| standing.at);
    standing
}

/// The latest modification in the document: by then the export had this state.
pub(crate) fn latest_modification(lists: &[List<'_>]) -> String {
    let modified = |raw: &&RawValue| {
        let version: Version<'_> = serde_json::from_str(raw.get()).ok()?;
        version.metadata?.modified.map(Cow::into_owned)
    };
    lists.iter().flat_map(|list| list.entities.iter().filter_map(modified)).max().unwrap_or_default()
}
