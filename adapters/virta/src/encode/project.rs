//! Finds what VIRTA cannot hold of a record: what is left out, with its loss, and why the record is refused.

use super::losses::{EMPTY_KEY, FOREIGN_CODE, NO_CODE};
use crate::shape::{At, Flaw, Need, Node, Slot, SpecOf, Value, Visit};
use silta_adapter::SmolStr;
use silta_adapter::canonical;
use silta_adapter::fidelity::{Change, Loss};
use silta_adapter::problem::Problem;
use silta_adapter::record::RecordKey;
use std::convert::Infallible;
use std::fmt::Write as _;

/// A record being fitted into VIRTA's shape. Walking a node with it leaves out of the node what is lost.
pub(super) struct Project<'r> {
    key: &'r RecordKey,
    /// JSON pointer of the node being walked.
    path: String,
    pub(super) losses: Vec<Loss>,
    pub(super) refusals: Vec<Problem>,
}

impl<'r> Project<'r> {
    pub(super) fn new(key: &'r RecordKey) -> Self {
        Self { key, path: "/body".to_owned(), losses: Vec::new(), refusals: Vec::new() }
    }

    /// Notes a loss.
    pub(super) fn lose(&mut self, path: String, change: Change, rule: &'static str) {
        self.losses.push(Loss { key: self.key.clone(), path, change, rule: SmolStr::new_static(rule) });
    }

    /// Notes why the record is refused.
    pub(super) fn refuse(&mut self, path: String, code: &'static str, message: impl Into<String>) {
        self.refusals.push(Problem::error(code, message).about(self.key).at(path));
    }

    fn pointer(&self, field: &str, index: Option<usize>) -> String {
        let mut path = if field.starts_with('/') { field.to_owned() } else { self.path.clone() };
        self.extend(&mut path, if field.starts_with('/') { "" } else { field }, index);
        path
    }

    fn extend(&self, path: &mut String, field: &str, index: Option<usize>) {
        if !field.is_empty() {
            path.push('/');
            path.push_str(field);
        }
        if let Some(index) = index {
            // Writing to a string cannot fail.
            let _ = write!(path, "/{index}");
        }
    }

    /// Judges a value with a flaw; false if it is left out.
    fn keep<S: Slot>(&mut self, at: At, index: usize, flaw: Flaw) -> bool {
        let index = S::LIST.then_some(index);
        match flaw {
            Flaw::Foreign if may_go::<S>(at) => {
                self.lose(self.pointer(at.field, index), Change::Dropped, FOREIGN_CODE);
                false
            }
            Flaw::Foreign => {
                let message = format!("{} must be a code of the list VIRTA uses there", at.name);
                self.refuse(self.pointer(at.field, index), "foreign_code", message);
                true
            }
            Flaw::Unfit(code, why) => {
                self.refuse(self.pointer(at.field, index), code, format!("{}: {why}", at.name));
                true
            }
        }
    }

    fn missing(&mut self, at: At) {
        let message = format!("VIRTA requires {}", at.name);
        self.refuse(self.pointer(at.field, None), "missing_field", message);
    }
}

/// True if an item of a part may be left out.
fn may_go<S: Slot>(at: At) -> bool {
    !S::BARE && (S::LIST || at.need == Need::Opt)
}

impl Visit for Project<'_> {
    type Stop = Infallible;

    fn attr<S: Slot>(&mut self, at: At, spec: SpecOf<S>, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Value,
    {
        if !S::BARE && at.need == Need::Opt {
            slot.retain(|_, item| {
                if item.is_blank() {
                    self.lose(self.pointer(at.field, None), Change::Dropped, EMPTY_KEY);
                }
                !item.is_blank()
            });
        }
        if at.need == Need::Blank && slot.is_empty() {
            self.lose(self.pointer(at.field, None), Change::Added("".into()), NO_CODE);
            if let Some(empty) = S::Item::parse("", spec) {
                slot.put(empty);
            }
        }
        self.leaf(at, spec, slot)
    }

    fn leaf<S: Slot>(&mut self, at: At, spec: SpecOf<S>, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Value,
    {
        slot.retain(|index, item| item.flaw(spec).is_none_or(|flaw| self.keep::<S>(at, index, flaw)));
        if at.need == Need::One && slot.is_empty() {
            self.missing(at);
        }
        Ok(())
    }

    fn content<T: Value>(&mut self, field: &'static str, spec: T::Spec, slot: &mut T) -> Result<(), Infallible> {
        if let Some(Flaw::Unfit(code, why)) = slot.flaw(spec) {
            self.refuse(self.pointer(field, None), code, why);
        }
        Ok(())
    }

    fn node<S: Slot>(&mut self, at: At, spec: <S::Item as Node>::Spec, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Node,
    {
        slot.retain(|index, item| {
            let foreign = may_go::<S>(at) && item.is_foreign();
            if foreign {
                return self.keep::<S>(at, index, Flaw::Foreign);
            }
            // An optional part that says nothing is compared as absent, and is.
            if may_go::<S>(at) && !S::LIST && canonical::is_absent(item) {
                return false;
            }
            let length = self.path.len();
            let mut path = std::mem::take(&mut self.path);
            self.extend(&mut path, at.field, S::LIST.then_some(index));
            self.path = path;
            let Ok(()) = item.walk(spec, self);
            self.path.truncate(length);
            true
        });
        if at.need == Need::One && slot.is_empty() {
            self.missing(at);
        }
        Ok(())
    }

    fn require(&mut self, holds: bool, at: At, otherwise: &'static str) {
        if !holds {
            self.refuse(self.pointer(at.field, None), "foreign_code", otherwise);
        }
    }
}
