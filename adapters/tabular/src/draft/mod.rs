//! A mapping drafted from a sample.
//!
//! Columns are recognised by their names (`mappings/columns.toml`) and, where those say nothing, by what stands in them.
//! The draft holds names of columns and words of known lists, and nothing else of the sample: its tests are made of
//! invented values.

mod recognise;
mod sample;
mod text;

use recognise::{Content, Role};
use silta_adapter::adapter::Unreadable;
use silta_adapter::mapping::Mappings;
use std::io::BufRead;

use sample::Sample;

/// What the draft could not tell by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What a column means. The answer is a field, as in `attainment/credits.ects`; nothing leaves the column out.
    Column {
        /// The name of the column.
        name: String,
        /// What stands in it (`dates`, `numbers`).
        content: &'static str,
        /// Fields it may be: value and label.
        choices: Vec<(String, String)>,
    },
    /// The code of the institution whose records these are (Finland: *oppilaitosnumero*).
    Institution,
}

/// A drafted mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The mapping file.
    pub text: String,
    /// How many columns it reads.
    pub read: usize,
    /// Columns it leaves out, as comments.
    pub left_out: Vec<String>,
    /// What a person should look at.
    pub remarks: Vec<String>,
}

/// A column of a sample and what it was recognised as.
struct Column {
    name: String,
    content: Content,
    role: Option<Role>,
}

/// Drafts a mapping from a sample, asking what it cannot tell; an answer of `None` leaves it out.
///
/// # Errors
/// If the sample cannot be read, or holds neither rows nor a column that names the learner.
pub fn draft(
    input: &mut dyn BufRead,
    mappings: &Mappings,
    ask: &mut dyn FnMut(&Question) -> Option<String>,
) -> Result<Draft, Unreadable> {
    let sample = Sample::read(input, mappings)?;
    let mut columns: Vec<Column> = Vec::new();
    for (name, cells) in &sample.columns {
        let content = Content::of(cells, mappings);
        let taken = |role: &Role| columns.iter().any(|column| column.role.as_ref() == Some(role));
        let role = recognise::role(name, &content, mappings).filter(|role| !taken(role));
        columns.push(Column { name: name.clone(), content, role });
    }
    for at in 0..columns.len() {
        let Column { name, content, role: None } = &columns[at] else { continue };
        if content.is_empty() {
            continue;
        }
        let open = |role: &Role| !columns.iter().any(|column| column.role.as_ref() == Some(role));
        let choices = recognise::choices(mappings, content).into_iter().filter(|(role, _)| open(role));
        let choices: Vec<(String, String)> = choices.map(|(role, label)| (role.to_string(), label)).collect();
        let question = Question::Column { name: name.clone(), content: content.shown(), choices: choices.clone() };
        let answer = ask(&question).filter(|answer| choices.iter().any(|(choice, _)| choice == answer));
        columns[at].role = answer.map(|answer| Role::new(&answer));
    }
    let institution = ask(&Question::Institution).filter(|code| !code.trim().is_empty());
    text::write(&sample, &columns, institution.as_deref().map(str::trim), mappings)
}
