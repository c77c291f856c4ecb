//! What each check looks for.

use super::{Table, is_in};
use jiff::civil;
use silta_adapter::check::CheckContext;
use silta_adapter::record::{Attainment, Body, EndDate, Learner, Period, Record, RecordKind, StudyRight};

/// Finds the records that a check is about, among those of one learner.
type Rule = for<'r> fn(&[&'r Record], &Table, CheckContext<'_>) -> Vec<&'r Record>;

/// The checks, by code.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("attainment_without_name", |all, _, _| attainments(all, |a, _| a.title.is_empty())),
    ("attainment_without_grade", |all, _, _| attainments(all, |a, _| a.grade.is_none())),
    ("attainment_without_field", |all, _, _| attainments(all, |a, _| a.fields_of_study.is_empty())),
    ("degree_without_parts", |all, table, _| attainments(all, |a, _| is_degree(a, table) && a.parts.is_empty())),
    ("degree_without_education", |all, table, _| attainments(all, |a, _| is_degree(a, table) && a.education.is_none())),
    ("attainment_without_study_right", |all, table, _| {
        attainments(all, |a, record| {
            let institution = a.awarding_body.as_ref().map_or(&record.head.key.institution, |body| &body.value);
            table.applied_sciences.contains(institution) && a.study_right.as_ref().is_none_or(|key| key.is_empty())
        })
    }),
    ("learner_without_identity_code", |all, _, _| learners(all, |l| l.identifier(Learner::HETU).is_none())),
    ("learner_without_rows", |all, _, ctx| {
        let alone = ctx.whole && all.iter().all(|r| r.head.key.kind == RecordKind::Learner);
        learners(all, |_| alone)
    }),
    ("states_with_gaps", |all, _, _| {
        rights(all, |right| {
            let states = right.states.0.iter().map(|state| days(&state.period));
            // The first state begins with the right.
            let begins = right.start.map(|start| (start.day.yesterday().ok(), start.day.yesterday().ok()));
            has_gap(begins.into_iter().chain(states).collect())
        })
    }),
    ("phases_with_gaps", |all, _, _| {
        rights(all, |right| has_gap(right.phases.0.iter().map(|p| (p.start.map(|d| d.day), last(p.end))).collect()))
    }),
    ("primary_periods_overlap", |all, _, _| overlapping(all)),
    ("no_primary_period", |all, table, ctx| {
        let primary = |r: &StudyRight| !r.primary_periods.is_empty();
        if !ctx.whole || !rights(all, primary).is_empty() {
            return Vec::new();
        }
        rights(all, |right| is_in(&table.degree_rights, right.right_type.as_ref()) && goes_on(right, table))
    }),
    ("late_update", |all, table, ctx| {
        rights(all, |right| last(right.end).is_some_and(|end| end < ctx.today) && goes_on(right, table))
    }),
];

fn attainments<'r>(all: &[&'r Record], is: impl Fn(&Attainment, &Record) -> bool) -> Vec<&'r Record> {
    let found = |r: &&&Record| matches!(&r.body, Some(Body::Attainment(a)) if is(a, r));
    all.iter().filter(found).copied().collect()
}

fn learners<'r>(all: &[&'r Record], is: impl Fn(&Learner) -> bool) -> Vec<&'r Record> {
    all.iter().filter(|r| matches!(&r.body, Some(Body::Learner(l)) if is(l))).copied().collect()
}

fn rights<'r>(all: &[&'r Record], is: impl Fn(&StudyRight) -> bool) -> Vec<&'r Record> {
    all.iter().filter(|r| matches!(&r.body, Some(Body::StudyRight(s)) if is(s))).copied().collect()
}

fn is_degree(attainment: &Attainment, table: &Table) -> bool {
    is_in(&table.degrees, attainment.category.as_ref())
}

/// True if the latest state of a right says that it goes on.
fn goes_on(right: &StudyRight, table: &Table) -> bool {
    let latest = right.states.0.iter().max_by_key(|state| state.period.start.map(|d| d.day));
    latest.is_some_and(|state| is_in(&table.going_on, Some(&state.state)))
}

/// First and last day; none where it is open.
type Days = (Option<civil::Date>, Option<civil::Date>);

fn days(period: &Period) -> Days {
    (period.start.map(|d| d.day), last(period.end))
}

fn last(end: Option<EndDate>) -> Option<civil::Date> {
    end.map(|end| end.0.day)
}

/// True if there is a day between these periods that is in none of them.
fn has_gap(mut periods: Vec<Days>) -> bool {
    periods.sort_unstable_by_key(|(start, _)| *start);
    let mut periods = periods.into_iter();
    let Some((_, mut covered)) = periods.next() else { return false };
    for (start, end) in periods {
        let Some(until) = covered else { return false };
        if start.is_some_and(|start| until.tomorrow().is_ok_and(|next| start > next)) {
            return true;
        }
        covered = end.map(|end| end.max(until));
    }
    false
}

/// The rights that are primary on a day on which another one is, or twice.
fn overlapping<'r>(all: &[&'r Record]) -> Vec<&'r Record> {
    let mut periods: Vec<(Days, &'r Record)> = Vec::new();
    for record in all {
        if let Some(Body::StudyRight(right)) = &record.body {
            periods.extend(right.primary_periods.0.iter().map(|period| (days(period), *record)));
        }
    }
    periods.sort_by_key(|((start, _), _)| *start);
    let mut found: Vec<&'r Record> = Vec::new();
    let mut before: Option<(Option<civil::Date>, &'r Record)> = None;
    for ((start, end), record) in periods {
        if let Some((until, other)) = before
            && until.is_none_or(|until| start.is_none_or(|start| start <= until))
        {
            for record in [other, record] {
                if !found.iter().any(|known| std::ptr::eq(*known, record)) {
                    found.push(record);
                }
            }
        }
        before = match before {
            Some((None, other)) => Some((None, other)),
            Some((Some(until), other)) if end.is_some_and(|end| end < until) => Some((Some(until), other)),
            _ => Some((end, record)),
        };
    }
    found
}
