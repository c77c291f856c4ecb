//! Recognised credit: the same learning, told by the institution that recognised it and by the one where it was
//! achieved. It is no duplicate, and counts once.

use silta_adapter::canonical;
use silta_adapter::mapping::Institutions;
use silta_adapter::record::{Attainment, Body, Record};
use smol_str::SmolStr;

/// VIRTA *Organisaatiorooli*: the organisation that recognised credit comes from.
const SOURCE_ROLE: &str = "3";

/// Links each recognised attainment to its origin: an attainment of the same person, all of whose records these are,
/// awarded by another institution — the one that is named as the source, where one is — on the same day, with the same
/// credits and under one of its names. Pairs of indices: who recognised, the origin. Where several could be meant
/// nothing is linked.
pub fn links(records: &[&Record], institutions: &Institutions) -> Vec<(usize, usize)> {
    let attainments: Vec<(usize, &Record, &Attainment)> = records
        .iter()
        .enumerate()
        .filter_map(|(at, record)| match &record.body {
            Some(Body::Attainment(body)) => Some((at, *record, &**body)),
            _ => None,
        })
        .collect();
    let recognised = attainments.iter().filter(|(_, _, body)| is_recognised(body));
    recognised
        .filter_map(|(home, record, body)| {
            let mut origins = attainments.iter().filter(|(_, other, origin)| {
                !is_recognised(origin) && is_origin((record, body), (other, origin), institutions)
            });
            match (origins.next(), origins.next()) {
                (Some((origin, ..)), None) => Some((*home, *origin)),
                _ => None,
            }
        })
        .collect()
}

fn sources(body: &Attainment) -> impl Iterator<Item = &SmolStr> {
    body.organisations.iter().filter(|o| o.role.value == SOURCE_ROLE).map(|o| &o.organisation.value)
}

fn is_recognised(body: &Attainment) -> bool {
    body.recognised_on.is_some() || sources(body).next().is_some()
}

/// The institution that awarded it, as it is called today: that of its key, else the awarding body, which may be known by
/// the domain of its home organisation.
fn awarded_by(record: &Record, body: &Attainment, institutions: &Institutions) -> String {
    let named = match (&*record.head.key.institution, &body.awarding_body) {
        ("", Some(body)) => institutions.of_domain(&body.value).unwrap_or(&body.value),
        (institution, _) => institution,
    };
    institutions.current(named).to_owned()
}

fn is_origin(
    (home, recognised): (&Record, &Attainment),
    (host, origin): (&Record, &Attainment),
    institutions: &Institutions,
) -> bool {
    let (home, host) = (awarded_by(home, recognised, institutions), awarded_by(host, origin, institutions));
    let mut named = sources(recognised).peekable();
    let from = named.peek().is_none() || named.any(|source| institutions.current(source) == host);
    let same = |one: &dyn Fn(&Attainment) -> serde_json::Value| one(recognised) == one(origin);
    let names = |body: &Attainment| body.title.iter().map(|t| t.value.trim().to_lowercase()).collect::<Vec<_>>();
    let theirs = names(origin);
    home != host
        && from
        && recognised.completed_on.is_some()
        && same(&|a| canonical::of(&a.completed_on))
        && same(&|a| canonical::of(&a.credits))
        && names(recognised).iter().any(|name| theirs.contains(name))
}
