//! The shape of VIRTA documents, said once: which element holds which field, in which order, how often.
//!
//! A [`Node`] describes an element by walking its parts in schema order. Whatever has to be done with documents is a
//! [`Visit`] of that description: reading (`decode::read`), fingerprints (`decode::fingerprint`), finding what VIRTA
//! cannot hold (`encode::project`) and writing (`encode::write`).

mod rows;
mod value;

pub use rows::enrolment_id;
pub(crate) use rows::{Row, RowKind};
pub(crate) use value::{Flaw, Value, is_illegal};

use silta_adapter::SmolStr;
use silta_adapter::record::{Coded, Set};

/// How often a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It must stand (in a list: at least once).
    One,
    /// It may stand.
    Opt,
    /// An attribute that must stand but may be empty; written empty where the record has none.
    Blank,
}

/// A part of an element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    /// Its element or attribute.
    pub(crate) name: &'static str,
    /// [`name_key`] of its name.
    pub(crate) key: u64,
    /// The field that holds it, as a JSON pointer from the field of its parent, without the first slash.
    pub(crate) field: &'static str,
    pub(crate) need: Need,
    /// False if it is not part of what a record says (names and grade lists of scales).
    pub(crate) compared: bool,
}

// Inlined always: parts are made where shapes are walked, and have to come out as constants there.
#[inline(always)]
const fn at(name: &'static str, field: &'static str, need: Need, compared: bool) -> At {
    At { name, key: name_key(name.as_bytes()), field, need, compared }
}

#[inline(always)]
pub(crate) const fn one(name: &'static str, field: &'static str) -> At {
    at(name, field, Need::One, true)
}

#[inline(always)]
pub(crate) const fn opt(name: &'static str, field: &'static str) -> At {
    at(name, field, Need::Opt, true)
}

#[inline(always)]
pub(crate) const fn blank(name: &'static str, field: &'static str) -> At {
    at(name, field, Need::Blank, true)
}

/// A part that may stand and is not compared.
#[inline(always)]
pub(crate) const fn aside(name: &'static str, field: &'static str) -> At {
    at(name, field, Need::Opt, false)
}

/// The length of a name and its first seven bytes: tells most names apart in one comparison.
#[inline(always)]
pub(crate) const fn name_key(name: &[u8]) -> u64 {
    let mut key = name.len() as u64 & 0xff;
    let mut index = 0;
    while index < name.len() && index < 7 {
        key |= (name[index] as u64) << (8 * (index + 1));
        index += 1;
    }
    key
}

/// An element with parts of its own.
pub(crate) trait Node: Sized + serde::Serialize {
    /// What the same type needs to know in different places.
    type Spec: Copy;

    /// Before anything is read into it.
    fn blank() -> Self;

    /// True if a code it cannot do without is of a list VIRTA does not use here.
    fn is_foreign(&self) -> bool {
        false
    }

    /// Walks its parts: attributes, then children in schema order.
    fn walk<V: Visit>(&mut self, spec: Self::Spec, visit: &mut V) -> Result<(), V::Stop>;
}

/// Something done with the parts of an element.
pub(crate) trait Visit {
    type Stop;

    /// An attribute.
    fn attr<S: Slot>(&mut self, at: At, spec: SpecOf<S>, slot: &mut S) -> Result<(), Self::Stop>
    where
        S::Item: Value;

    /// A child element with text alone.
    fn leaf<S: Slot>(&mut self, at: At, spec: SpecOf<S>, slot: &mut S) -> Result<(), Self::Stop>
    where
        S::Item: Value;

    /// The element's own text.
    fn content<T: Value>(&mut self, field: &'static str, spec: T::Spec, slot: &mut T) -> Result<(), Self::Stop>;

    /// A child element with parts.
    fn node<S: Slot>(&mut self, at: At, spec: <S::Item as Node>::Spec, slot: &mut S) -> Result<(), Self::Stop>
    where
        S::Item: Node;

    /// Something that must be so, beyond what each part says: the element, what to say if it is not.
    fn require(&mut self, holds: bool, at: At, otherwise: &'static str);

    /// A part stands a second time, in another form; the first counts.
    fn repeated(&mut self, _at: At) {}
}

/// The spec of a slot's values.
pub(crate) type SpecOf<S> = <<S as Slot>::Item as Value>::Spec;

/// Where values of a part are kept: an option, a list, or the bare value of a part its element cannot do without.
pub(crate) trait Slot {
    type Item;
    const LIST: bool = false;
    const BARE: bool = false;

    fn put(&mut self, item: Self::Item);
    fn is_empty(&self) -> bool;
    /// Calls back with every item.
    fn each(&mut self, each: impl FnMut(&mut Self::Item));
    /// Drops every item for which `keep(index, item)` is false; a bare item always stays.
    fn retain(&mut self, keep: impl FnMut(usize, &mut Self::Item) -> bool);
}

impl<T> Slot for Option<T> {
    type Item = T;

    fn put(&mut self, item: T) {
        *self = Some(item);
    }
    fn is_empty(&self) -> bool {
        self.is_none()
    }
    fn each(&mut self, each: impl FnMut(&mut T)) {
        self.iter_mut().for_each(each);
    }
    fn retain(&mut self, mut keep: impl FnMut(usize, &mut T) -> bool) {
        if self.as_mut().is_some_and(|item| !keep(0, item)) {
            *self = None;
        }
    }
}

impl<T> Slot for Set<T> {
    type Item = T;
    const LIST: bool = true;

    fn put(&mut self, item: T) {
        self.0.push(item);
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    fn each(&mut self, each: impl FnMut(&mut T)) {
        self.0.iter_mut().for_each(each);
    }
    fn retain(&mut self, mut keep: impl FnMut(usize, &mut T) -> bool) {
        let mut index = 0;
        self.0.retain_mut(|item| {
            index += 1;
            keep(index - 1, item)
        });
    }
}

macro_rules! bare {
    ($($type:ty),*) => {$(
        impl Slot for $type {
            type Item = Self;
            const BARE: bool = true;

            fn put(&mut self, item: Self) {
                *self = item;
            }
            fn is_empty(&self) -> bool {
                false
            }
            fn each(&mut self, mut each: impl FnMut(&mut Self)) {
                each(self);
            }
            fn retain(&mut self, mut keep: impl FnMut(usize, &mut Self) -> bool) {
                keep(0, self);
            }
        }
    )*};
}
bare!(SmolStr, Coded, i16);
