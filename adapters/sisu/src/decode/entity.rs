//! One entity being read: what is taken out of it has a place in the record, the rest goes to the extension.

use crate::names::{CONTENT, DOCUMENT, coded};
use silta_adapter::SmolStr;
use silta_adapter::json::Json;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Amount, Coded, Date, Extensions, Set, State, Text, Texts};
use std::str::FromStr;

/// One entity being read.
pub(crate) struct Entity {
    members: Vec<(String, Json)>,
    /// Where it stands in the document.
    path: String,
    /// What is wrong with it.
    pub(crate) problems: Vec<Problem>,
}

/// Whether an entity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentState {
    Active,
    Draft,
    Deleted,
}

impl DocumentState {
    /// What it makes of a record. A draft is not in force, and is no deletion either.
    pub(crate) fn state(self) -> State {
        match self {
            Self::Active => State::Current,
            Self::Draft => State::Invalidated,
            Self::Deleted => State::Deleted,
        }
    }
}

impl Entity {
    pub(crate) fn new(json: Json, path: String) -> Option<Self> {
        match json {
            Json::Object(members) => Some(Self { members, path, problems: Vec::new() }),
            _ => None,
        }
    }

    /// An object inside this entity, if the member is one.
    pub(crate) fn object(&mut self, name: &str) -> Option<Self> {
        let at = self.members.iter().position(|(known, value)| known == name && matches!(value, Json::Object(_)))?;
        Self::new(self.members.remove(at).1, format!("{}/{name}", self.path))
    }

    /// The objects of a list inside this entity. A list with anything else in it is left where it is.
    pub(crate) fn objects(&mut self, name: &str) -> Vec<Self> {
        let only_objects = |value: &Json| match value {
            Json::List(items) => items.iter().all(|item| matches!(item, Json::Object(_))),
            _ => false,
        };
        let Some(at) = self.members.iter().position(|(known, value)| known == name && only_objects(value)) else {
            return Vec::new();
        };
        let Json::List(items) = self.members.remove(at).1 else { return Vec::new() };
        let path = format!("{}/{name}", self.path);
        items.into_iter().enumerate().filter_map(|(at, item)| Self::new(item, format!("{path}/{at}"))).collect()
    }

    /// A member as it is.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.remove(at).1).filter(|value| *value != Json::Null)
    }

    pub(crate) fn put_back(&mut self, name: &str, value: Json) {
        self.members.push((name.to_owned(), value));
    }

    /// Takes a member that `read` understands. One that is there and not understood stays, and is told.
    fn read<T>(&mut self, name: &str, what: &str, read: impl FnOnce(&Json) -> Option<T>) -> Option<T> {
        let value = self.take(name)?;
        let read = read(&value);
        if read.is_none() {
            let message = format!("{name} is not {what}; it is kept as it was sent");
            self.problems.push(Problem::warning("odd_value", message).at(format!("{}/{name}", self.path)));
            self.put_back(name, value);
        }
        read
    }

    /// Text; a number counts as its text.
    pub(crate) fn text(&mut self, name: &str) -> Option<SmolStr> {
        self.read(name, "text", |value| match value {
            Json::Text(text) => Some(text.into()),
            Json::Number(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub(crate) fn string(&mut self, name: &str) -> Option<String> {
        self.text(name).map(String::from)
    }

    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, "true or false", |value| match value {
            Json::Bool(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn amount(&mut self, name: &str) -> Option<Amount> {
        self.read(name, "an exact decimal of at most 28 digits", Json::to_amount)
    }

    pub(crate) fn code(&mut self, name: &str) -> Option<Coded> {
        self.text(name).map(|urn| coded(&urn))
    }

    pub(crate) fn codes(&mut self, name: &str) -> Set<Coded> {
        self.texts_of(name).iter().map(|urn| coded(urn)).collect()
    }

    pub(crate) fn texts_of(&mut self, name: &str) -> Vec<SmolStr> {
        let texts = self.read(name, "a list of texts", |value| match value {
            Json::List(items) => items.iter().map(|item| as_text(item).map(SmolStr::from)).collect::<Option<Vec<_>>>(),
            _ => None,
        });
        texts.unwrap_or_default()
    }

    /// A day. One that is none leaves the record without the date it is about, which no warning mends.
    pub(crate) fn date(&mut self, name: &str) -> Option<Date> {
        let value = self.take(name)?;
        let date = as_text(&value).and_then(|text| Date::from_str(text).ok());
        if date.is_none() {
            let problem = Problem::error("bad_date", format!("{name} is not a calendar date (YYYY-MM-DD)"));
            self.problems.push(problem.at(format!("{}/{name}", self.path)));
        }
        date
    }

    /// Text in languages, or in none where it is bare.
    pub(crate) fn texts(&mut self, name: &str) -> Texts {
        let texts = self.read(name, "text in languages", |value| match value {
            Json::Text(text) => Some(vec![Text { lang: None, value: text.clone() }]),
            Json::Object(languages) => languages
                .iter()
                .filter(|(_, value)| *value != Json::Null)
                .map(|(lang, value)| Some(Text::new(lang, as_text(value)?)))
                .collect(),
            _ => None,
        });
        texts.unwrap_or_default().into()
    }

    /// Whether the entity stands; another word than Sisu's is an error.
    pub(crate) fn document_state(&mut self) -> DocumentState {
        match self.text("documentState").as_deref() {
            None | Some("ACTIVE") => DocumentState::Active,
            Some("DRAFT") => DocumentState::Draft,
            Some("DELETED") => DocumentState::Deleted,
            Some(_) => {
                let problem = Problem::error("unknown_state", "documentState is none of ACTIVE, DRAFT, DELETED");
                self.problems.push(problem.at(format!("{}/documentState", self.path)));
                DocumentState::Active
            }
        }
    }

    /// The number the source raises with every change, and where else the entity stood, which is no content.
    pub(crate) fn revision(&mut self, place: &mut Extensions) -> Option<u64> {
        let mut rest = self.object("metadata")?;
        let ordinal = rest.read("modificationOrdinal", "a number", |value| as_text(value)?.parse().ok());
        self.problems.append(&mut rest.problems);
        rest.leave(DOCUMENT, place);
        ordinal
    }

    /// Keeps what was not taken.
    pub(crate) fn rest(self, extensions: &mut Extensions) -> Vec<Problem> {
        self.leave(CONTENT, extensions)
    }

    fn leave(self, namespace: &str, extensions: &mut Extensions) -> Vec<Problem> {
        extensions.set(namespace, &Json::Object(self.members).to_value());
        self.problems
    }

    /// Names of members that were not taken, for objects whose rest has no place.
    pub(crate) fn untaken(&self) -> impl Iterator<Item = &str> {
        self.members.iter().filter(|(_, value)| *value != Json::Null).map(|(name, _)| name.as_str())
    }
}

/// Text, or a number as its text.
pub(crate) fn as_text(value: &Json) -> Option<&str> {
    match value {
        Json::Text(text) => Some(text),
        Json::Number(text) => Some(text),
        _ => None,
    }
}

impl Entity {
    /// The members that were not taken.
    pub(crate) fn into_members(self) -> Vec<(String, Json)> {
        self.members.into_iter().filter(|(_, value)| *value != Json::Null).collect()
    }
}
