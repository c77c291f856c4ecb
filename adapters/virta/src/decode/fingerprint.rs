//! A 64-bit hash of what an element says, whatever its order and lexical form: cheap enough to tell for every record of
//! a document whether a later one with the same key says something else.

use crate::shape::{At, Node, Slot, SpecOf, Value, Visit};
use foldhash::quality::FixedState;
use std::convert::Infallible;
use std::hash::{BuildHasher, Hasher};

/// Fast, and the same everywhere: fingerprints are compared within one document and never leave it.
const HASH: FixedState = FixedState::with_seed(0);

/// The fingerprint of a node.
pub(super) fn of<N: Node>(node: &mut N, spec: N::Spec) -> u64 {
    let mut fingerprint = Fingerprint(0);
    let Ok(()) = node.walk(spec, &mut fingerprint);
    fingerprint.0
}

/// Parts are summed, so their order does not matter, and each is hashed with its name.
struct Fingerprint(u64);

impl Fingerprint {
    fn value<T: Value>(&mut self, name: &str, value: &T) {
        if !value.is_absent() {
            let mut hasher = HASH.build_hasher();
            hasher.write(name.as_bytes());
            value.fingerprint(&mut hasher);
            self.0 = self.0.wrapping_add(hasher.finish());
        }
    }
}

impl Visit for Fingerprint {
    type Stop = Infallible;

    fn attr<S: Slot>(&mut self, at: At, spec: SpecOf<S>, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Value,
    {
        self.leaf(at, spec, slot)
    }

    fn leaf<S: Slot>(&mut self, at: At, _: SpecOf<S>, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Value,
    {
        if at.compared {
            slot.each(|item| self.value(at.name, item));
        }
        Ok(())
    }

    fn content<T: Value>(&mut self, _: &'static str, _: T::Spec, slot: &mut T) -> Result<(), Infallible> {
        self.value("", slot);
        Ok(())
    }

    fn node<S: Slot>(&mut self, at: At, spec: <S::Item as Node>::Spec, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Node,
    {
        if at.compared {
            slot.each(|item| {
                let mut hasher = HASH.build_hasher();
                hasher.write(at.name.as_bytes());
                hasher.write_u64(of(item, spec));
                self.0 = self.0.wrapping_add(hasher.finish());
            });
        }
        Ok(())
    }

    fn require(&mut self, _: bool, _: At, _: &'static str) {}
}
