//! What the store holds, durably: one document per institution.

use super::arrivals::Arrivals;
use super::damage::{Damage, damaged};
use super::defect::{Defect, report};
use super::index::Index;
use super::lock;
use crate::Virta;
use rand::Rng;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Limits, Stop, Unreadable};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Bytes a load may have.
const LOAD_BYTES: u64 = 1 << 30;

/// What the decoder notes and the store takes all the same: its schema allows it.
const TAKEN: [&str; 2] = ["part_cycle", "empty_element"];

/// What became of one load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Name of its file.
    pub file: String,
    /// Who sent it.
    pub tenant: SmolStr,
    /// The how-manieth accepted load of that sender it is; `None` if it was refused.
    pub generation: Option<u64>,
    /// What is wrong with it.
    pub defects: Vec<Defect>,
}

/// All documents, and the directory they live in. One thread changes it; any number read what it held last.
pub(super) struct Store {
    directory: PathBuf,
    arrivals: Arrivals,
    held: Mutex<Documents>,
}

/// What is held, by institution.
pub(super) type Documents = BTreeMap<SmolStr, Arc<Held>>;

/// One institution's document.
pub(super) struct Held {
    pub(super) generation: u64,
    pub(super) index: Index,
}

impl Store {
    /// Opens the store in a directory, which is made if it is not there.
    pub(super) fn open(directory: PathBuf, arrivals: Arrivals) -> io::Result<Self> {
        for part in ["inbox", "loaded", "refused", "reports", "store"] {
            fs::create_dir_all(directory.join(part))?;
        }
        let mut tenants: BTreeMap<SmolStr, (u64, PathBuf)> = BTreeMap::new();
        for entry in fs::read_dir(directory.join("store"))? {
            let path = entry?.path();
            let Some((tenant, generation)) = path.file_name().and_then(|n| n.to_str()).and_then(held_name) else {
                continue;
            };
            // A crash while replacing leaves both generations: the later one counts.
            let older = match tenants.entry(tenant) {
                Entry::Vacant(kept) => {
                    kept.insert((generation, path));
                    continue;
                }
                Entry::Occupied(mut kept) if kept.get().0 < generation => kept.insert((generation, path)).1,
                Entry::Occupied(_) => path,
            };
            fs::remove_file(older)?;
        }
        let held = |(tenant, (generation, path)): (SmolStr, (u64, PathBuf))| {
            let index = Index::read(fs::read_to_string(path)?).0;
            Ok((tenant, Arc::new(Held { generation, index })))
        };
        let held = tenants.into_iter().map(held).collect::<io::Result<_>>()?;
        Ok(Self { directory, arrivals, held: Mutex::new(held) })
    }

    /// What is held now.
    pub(super) fn documents(&self) -> Documents {
        lock(&self.held).clone()
    }

    /// Loads what waits in the inbox, in order of arrival.
    pub(super) fn load(&self) -> io::Result<Vec<Loaded>> {
        let arrived = self.arrivals.take(&self.directory.join("inbox"))?;
        arrived.into_iter().map(|file| self.load_file(file)).collect()
    }

    fn load_file(&self, file: String) -> io::Result<Loaded> {
        let path = self.directory.join("inbox").join(&file);
        let tenant =
            SmolStr::from(file.split('-').nth(1).filter(|_| file.matches('-').count() > 1).unwrap_or_default());
        let (index, defects) = match self.read(&path, &tenant)? {
            Ok(text) => Index::read(text),
            Err(defect) => (Index::read(String::new()).0, vec![defect]),
        };
        let mut defects = defects;
        if defects.is_empty() && index.learners.is_empty() {
            defects.push(Defect::new("form", "the load is empty"));
        }
        if defects.is_empty() {
            defects = decode(&index.text, &tenant);
        }
        let generation = match defects.is_empty() {
            true => Some(self.keep(&tenant, index)?),
            false => None,
        };
        let report_name = format!("{}.csv", file.trim_end_matches(".xml"));
        write(&self.directory.join("reports"), &report_name, &report(&tenant, &defects))?;
        let to = if generation.is_some() { "loaded" } else { "refused" };
        fs::rename(path, self.directory.join(to).join(&file))?;
        Ok(Loaded { file, tenant, generation, defects })
    }

    /// The text of a load.
    fn read(&self, path: &Path, tenant: &str) -> io::Result<Result<String, Defect>> {
        if tenant.is_empty() {
            return Ok(Err(Defect::new("form", "the file name does not say who sends it")));
        }
        if fs::metadata(path)?.len() > LOAD_BYTES {
            return Ok(Err(Defect::new("form", "the load is too large")));
        }
        Ok(String::from_utf8(fs::read(path)?).map_err(|_| Defect::new("form", "the document is not UTF-8")))
    }

    /// Puts a load in the place of everything the institution sent before.
    fn keep(&self, tenant: &SmolStr, index: Index) -> io::Result<u64> {
        let before = lock(&self.held).get(tenant).map(|held| held.generation);
        let generation = before.unwrap_or_default() + 1;
        let store = self.directory.join("store");
        write(&store, &format!("{tenant}.{generation}.xml"), &index.text)?;
        if let Some(before) = before {
            fs::remove_file(store.join(format!("{tenant}.{before}.xml")))?;
        }
        lock(&self.held).insert(tenant.clone(), Arc::new(Held { generation, index }));
        Ok(generation)
    }

    /// Damages the document of the institution that holds most, silently.
    pub(super) fn damage(&self, damage: Damage, rng: &mut impl Rng) -> io::Result<()> {
        let documents = self.documents();
        let Some((tenant, held)) = documents.into_iter().max_by_key(|(_, held)| held.index.text.len()) else {
            return Ok(());
        };
        let generation = held.generation;
        let text = damaged(&held.index, damage, rng);
        write(&self.directory.join("store"), &format!("{tenant}.{}.xml", generation), &text)?;
        let index = Index::read(text).0;
        lock(&self.held).insert(tenant, Arc::new(Held { generation, index }));
        Ok(())
    }
}

/// What the decoder finds wrong.
fn decode(text: &str, tenant: &SmolStr) -> Vec<Defect> {
    let ctx = DecodeContext { tenant: tenant.clone(), source: "sandbox".into(), limits: Limits::default() };
    let mut defects = Vec::new();
    let mut sink = |decoded| {
        if let Decoded::Problem(problem) = decoded
            && !TAKEN.contains(&problem.code.as_str())
        {
            defects.push(problem.into());
        }
        Ok::<(), Stop>(())
    };
    match Virta.decode(&mut text.as_bytes(), &ctx, &mut sink) {
        Ok(_) => {}
        Err(Unreadable::Malformed(problem)) => defects.push((*problem).into()),
        Err(_) => defects.push(Defect::new("form", "the document cannot be read")),
    }
    defects
}

/// Tenant and generation of a kept document, from its name.
fn held_name(name: &str) -> Option<(SmolStr, u64)> {
    let (tenant, generation) = name.strip_suffix(".xml")?.rsplit_once('.')?;
    Some((tenant.into(), generation.parse().ok()?))
}

/// Writes a file that appears whole or not at all.
fn write(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".").suffix(".tmp").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(directory.join(name))?;
    File::open(directory)?.sync_all()
}
