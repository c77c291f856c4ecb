//! A record being fitted: losses and refusals noted on the way.

use super::losses::{FOREIGN_CODE, LANGUAGE, TRANSLATED};
use crate::names::urn;
use serde_json::json;
use silta_adapter::SmolStr;
use silta_adapter::fidelity::{Change, Loss};
use silta_adapter::json::Json;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Coded, Date, RecordKey, Texts};

/// Languages Sisu holds text in.
const LANGUAGES: [&str; 3] = ["fi", "sv", "en"];

/// A record being fitted.
pub(super) struct Fit<'a> {
    key: &'a RecordKey,
    mappings: &'a Mappings,
    pub(super) members: Vec<(String, Json)>,
    pub(super) losses: Vec<Loss>,
    pub(super) refusals: Vec<Problem>,
}

impl<'a> Fit<'a> {
    pub(super) fn new(key: &'a RecordKey, mappings: &'a Mappings) -> Self {
        Self { key, mappings, members: Vec::new(), losses: Vec::new(), refusals: Vec::new() }
    }

    pub(super) fn lose(&mut self, path: impl Into<String>, change: Change, rule: &'static str) {
        self.losses.push(Loss { key: self.key.clone(), path: path.into(), change, rule: SmolStr::new_static(rule) });
    }

    pub(super) fn refuse(&mut self, path: &str, code: &'static str, message: &str) {
        self.refusals.push(Problem::error(code, message).about(self.key).at(path));
    }

    pub(super) fn put(&mut self, name: &str, value: Json) {
        self.members.push((name.to_owned(), value));
    }

    pub(super) fn put_text(&mut self, name: &str, value: Option<&SmolStr>) {
        if let Some(value) = value {
            self.put(name, Json::text(value.as_str()));
        }
    }

    pub(super) fn put_date(&mut self, name: &str, date: Option<Date>) {
        if let Some(date) = date {
            self.put(name, Json::text(Date::new(date.day).to_string()));
        }
    }

    /// What a code means in one of Sisu's lists: itself if it is of that list, else what a crosswalk says.
    pub(super) fn translated(&mut self, code: &Coded, to: &'static str, path: &str) -> Option<Coded> {
        if code.scheme == to {
            return (!code.value.is_empty()).then(|| code.clone());
        }
        let meaning = self.mappings.crosswalks.meaning(&code.scheme, &code.value, to).filter(|v| !v.is_empty())?;
        self.lose(path, Change::Became(json!({ "scheme": to, "value": meaning })), TRANSLATED);
        Some(Coded::new(to, meaning))
    }

    /// The value in a list of values beside a code (a grade on its scale).
    pub(super) fn translated_value(&mut self, value: &SmolStr, from: &str, to: &str, path: &str) -> Option<SmolStr> {
        let meaning = self.mappings.crosswalks.meaning(from, value, to)?;
        if meaning != *value {
            self.lose(path, Change::Became(meaning.as_str().into()), TRANSLATED);
        }
        Some(meaning)
    }

    /// A code as a URN of any list of Sisu's, else of the list `to`.
    pub(super) fn urn(&mut self, code: &Coded, to: &'static str, path: &str) -> Option<String> {
        urn(code).or_else(|| self.translated(code, to, path).as_ref().and_then(urn))
    }

    /// Leaves out an optional code.
    pub(super) fn foreign(&mut self, path: impl Into<String>) {
        self.lose(path, Change::Dropped, FOREIGN_CODE);
    }

    /// Text in Sisu's languages, one each; `None` if nothing is left.
    pub(super) fn languages(&mut self, texts: &Texts, path: &str) -> Option<Json> {
        let mut members: Vec<(String, Json)> = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            let known = text.lang.as_deref().and_then(|lang| LANGUAGES.into_iter().find(|known| *known == lang));
            match known.filter(|lang| members.iter().all(|(there, _)| there != lang)) {
                Some(lang) => members.push((lang.to_owned(), Json::text(text.value.clone()))),
                None => self.lose(format!("{path}/{at}"), Change::Dropped, LANGUAGE),
            }
        }
        (!members.is_empty()).then_some(Json::Object(members))
    }
}
