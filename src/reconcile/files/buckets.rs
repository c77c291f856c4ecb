//! Hashes of records in a private file, in buckets by key: what is sought together is read together.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// So many that one bucket of millions of entries is small.
pub(super) const BUCKETS: usize = 1024;

/// Entries that go to the file together.
const BLOCK: usize = 64;

/// A hash of 128 bits: no two different texts have the same.
pub(super) type Hash = [u8; 16];

/// A record: whose it is and what it says, as hashes, and where its canonical form is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: Hash,
    pub(super) content: Hash,
    pub(super) place: Place,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Entry {
    const BYTES: usize = 44;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&self.content);
        out.extend_from_slice(&self.place.offset.to_le_bytes());
        out.extend_from_slice(&self.place.length.to_le_bytes());
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let key = *bytes.split_off(..16)?.first_chunk()?;
        let content = *bytes.split_off(..16)?.first_chunk()?;
        let offset = u64::from_le_bytes(*bytes.split_off(..8)?.first_chunk()?);
        let length = u32::from_le_bytes(*bytes.first_chunk()?);
        Some(Self { key, content, place: Place { offset, length } })
    }
}

/// Entries, in buckets.
pub(super) struct Buckets {
    file: File,
    end: u64,
    buckets: Vec<Bucket>,
}

#[derive(Default, Clone)]
struct Bucket {
    /// Where its full blocks are.
    blocks: Vec<u64>,
    /// The block being filled.
    open: Vec<u8>,
}

impl Buckets {
    /// Empty buckets over an unlinked file.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, end: 0, buckets: vec![Bucket::default(); BUCKETS] })
    }

    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let bucket = &mut self.buckets[bucket_of(&entry.key)];
        entry.write(&mut bucket.open);
        if bucket.open.len() == BLOCK * Entry::BYTES {
            self.file.write_all_at(&bucket.open, self.end)?;
            bucket.blocks.push(self.end);
            self.end += bucket.open.len() as u64;
            bucket.open.clear();
        }
        Ok(())
    }

    /// A bucket's entries, by key, content and place.
    pub(super) fn sorted(&self, at: usize) -> io::Result<Vec<Entry>> {
        let Bucket { blocks, open } = &self.buckets[at];
        let mut entries = Vec::with_capacity(blocks.len() * BLOCK + open.len() / Entry::BYTES);
        let mut block = vec![0; BLOCK * Entry::BYTES];
        for offset in blocks {
            self.file.read_exact_at(&mut block, *offset)?;
            entries.extend(block.chunks_exact(Entry::BYTES).filter_map(Entry::read));
        }
        entries.extend(open.chunks_exact(Entry::BYTES).filter_map(Entry::read));
        entries.sort_unstable();
        Ok(entries)
    }

    /// True if there is an entry of this key.
    pub(super) fn holds(&self, key: &Hash) -> io::Result<bool> {
        Ok(self.sorted(bucket_of(key))?.binary_search_by(|entry| entry.key.cmp(key)).is_ok())
    }
}

fn bucket_of(key: &Hash) -> usize {
    usize::from(u16::from_le_bytes([key[0], key[1]])) % BUCKETS
}

/// The entries of one key after another: those of the left and those of the right.
pub(super) fn joined<'a>(
    mut left: &'a [Entry],
    mut right: &'a [Entry],
    mut each: impl FnMut(&'a [Entry], &'a [Entry]) -> io::Result<()>,
) -> io::Result<()> {
    while let Some(next) = left.first().into_iter().chain(right.first()).map(|entry| entry.key).min() {
        each(take(&mut left, &next), take(&mut right, &next))?;
    }
    Ok(())
}

/// Takes the entries of a key off the front.
fn take<'a>(entries: &mut &'a [Entry], key: &Hash) -> &'a [Entry] {
    let (taken, rest) = entries.split_at(entries.partition_point(|entry| entry.key <= *key));
    *entries = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u16, content: u8) -> Entry {
        let mut hash = [0; 16];
        hash[..2].copy_from_slice(&key.to_le_bytes());
        hash[15] = (key % 7) as u8;
        Entry { key: hash, content: [content; 16], place: Place { offset: u64::from(key) << 33, length: 7 } }
    }

    #[test]
    fn everything_comes_back_sorted_however_many_blocks_it_takes() {
        let mut buckets = Buckets::new().expect("a file");
        let entries: Vec<Entry> = (0..200).rev().map(|n| entry(3, n)).chain([entry(4, 1)]).collect();
        entries.iter().for_each(|e| buckets.add(e).expect("added"));
        let mut expected: Vec<Entry> = entries[..200].to_vec();
        expected.sort_unstable();
        assert_eq!(buckets.sorted(3).expect("read"), expected);
        assert_eq!(buckets.sorted(4).expect("read"), [entry(4, 1)]);
        assert!(buckets.holds(&entry(4, 9).key).expect("read") && !buckets.holds(&entry(5, 1).key).expect("read"));
    }

    #[test]
    fn a_join_gives_every_key_once_with_both_sides() {
        let keys = |keys: &[u16]| {
            let mut entries: Vec<Entry> = keys.iter().map(|k| entry(*k, 0)).collect();
            entries.sort_unstable();
            entries
        };
        let (left, right) = (keys(&[1, 1, 2, 4]), keys(&[2, 3, 4, 4]));
        let mut joins = Vec::new();
        joined(&left, &right, |l, r| {
            joins.push((l.len(), r.len()));
            Ok(())
        })
        .expect("joined");
        joins.sort_unstable();
        assert_eq!(joins, [(0, 1), (1, 1), (1, 2), (2, 0)]);
    }
}
