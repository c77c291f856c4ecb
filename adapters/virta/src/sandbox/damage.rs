//! Silent damage to what the store holds.

use super::index::{Index, LISTS, Row};
use crate::names::NAMESPACE;
use rand::Rng;
use rand::seq::index::sample;
use silta_adapter::record::RecordKind;
use std::collections::{HashMap, HashSet};

/// How much of what to damage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) alter_rows: usize,
    pub(super) lose_rows: usize,
    pub(super) lose_learners: usize,
}

/// A document like the one indexed, but damaged. What is picked depends on what is there, not on where it stands.
pub(super) fn damaged(index: &Index, damage: Damage, rng: &mut impl Rng) -> String {
    let mut learners: Vec<usize> = (0..index.learners.len()).collect();
    learners.sort_by_key(|at| (&index.learners[*at].key, index.head(&index.learners[*at])));
    let lost_learners: HashSet<usize> =
        pick(rng, learners.len(), damage.lose_learners).map(|at| learners[at]).collect();
    let staying = learners.iter().filter(|at| !lost_learners.contains(at)).map(|at| &index.learners[*at]);
    let mut rows: Vec<&Row> = staying.flat_map(|learner| &learner.rows).collect();
    rows.sort_by_key(|row| &index.text[row.text.clone()]);
    let lost: HashSet<usize> = pick(rng, rows.len(), damage.lose_rows).map(|at| rows[at].text.start).collect();
    let is_alterable = |row: &&&Row| LISTS[row.list].1 == RecordKind::Attainment && !lost.contains(&row.text.start);
    let alterable: Vec<&&Row> = rows.iter().filter(is_alterable).collect();
    let altered: HashMap<usize, String> = pick(rng, alterable.len(), damage.alter_rows)
        .map(|at| alterable[at])
        .collect::<Vec<_>>()
        .into_iter()
        .map(|row| (row.text.start, alter(&index.text[row.text.clone()], rng)))
        .collect();
    let mut out = format!("<Virta xmlns=\"{NAMESPACE}\">");
    for (_, learner) in index.learners.iter().enumerate().filter(|(at, _)| !lost_learners.contains(at)) {
        index.write(&mut out, learner, index.head(learner), |row| match lost.contains(&row.text.start) {
            true => None,
            false => Some(altered.get(&row.text.start).map_or(&index.text[row.text.clone()], String::as_str)),
        });
    }
    out.push_str("</Virta>");
    out
}

fn pick(rng: &mut impl Rng, of: usize, count: usize) -> std::vec::IntoIter<usize> {
    let mut picked = sample(rng, of, count.min(of)).into_vec();
    picked.sort_unstable();
    picked.into_iter()
}

/// What a text becomes.
type Change = fn(&str) -> String;

/// What can be changed in an attainment, and into what.
const CHANGES: [(&str, Change); 3] = [
    ("Opintopiste", |credits| if credits.trim() == "1" { "2".into() } else { "1".into() }),
    ("Viisiportainen", |grade| if grade.trim() == "1" { "2".into() } else { "1".into() }),
    ("Nimi", |name| format!("{name} (muutettu)")),
];

/// An attainment with one thing changed.
fn alter(row: &str, rng: &mut impl Rng) -> String {
    let present: Vec<_> = CHANGES.iter().filter_map(|(tag, change)| Some((content(row, tag)?, change))).collect();
    if present.is_empty() {
        return row.to_owned();
    }
    let (at, change) = &present[rng.random_range(0..present.len())];
    format!("{}{}{}", &row[..at.start], change(&row[at.clone()]), &row[at.end..])
}

/// Where the text of the first element of a name stands.
fn content(row: &str, tag: &str) -> Option<std::ops::Range<usize>> {
    let tag = format!("<{tag}");
    let open = row.match_indices(&tag).map(|(at, found)| at + found.len());
    let start = open.filter(|at| row[*at..].starts_with(['>', ' '])).find_map(|at| {
        let end = at + row[at..].find('>')?;
        (!row[..end].ends_with('/')).then_some(end + 1)
    })?;
    Some(start..start + row[start..].find('<')?)
}
