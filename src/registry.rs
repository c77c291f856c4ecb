//! The adapters of this program: the only place that names them.

use silta_adapter::adapter::{Adapter, Registry};
use silta_adapter::mapping::{BadMapping, Mappings};
use silta_tabular::Tabular;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All adapters that need no mapping file.
pub fn adapters() -> Registry {
    Registry::new(builtin())
}

fn builtin() -> Vec<Arc<dyn Adapter>> {
    vec![
        Arc::new(silta_record::SiltaRecord),
        Arc::new(silta_virta::Virta),
        Arc::new(silta_elm::Elm),
        Arc::new(silta_koski::Koski),
        Arc::new(silta_sisu::Sisu),
        Arc::new(silta_ooapi::OpenEducation::V6),
        Arc::new(silta_ooapi::OpenEducation::V5),
        Arc::new(silta_onr::Onr),
    ]
}

/// All adapters, and one for each mapping file of a directory: `peppi.mapping.toml` is the format `peppi`.
///
/// # Errors
/// If a mapping file cannot be read or used, or has the name of another adapter.
pub fn adapters_and_files(directory: Option<&Path>, mappings: &Mappings) -> Result<Registry, BadMapping> {
    let mut adapters = builtin();
    for file in files(directory)?.iter().filter(|file| is_mapping_file(file)) {
        let adapter = mapping_file(file, mappings)?;
        let name = adapter.descriptor().name;
        if adapters.iter().any(|known| known.descriptor().name == name) {
            let reason = format!("there is an adapter of the name {name} already");
            return Err(BadMapping { file: file.display().to_string(), reason });
        }
        adapters.push(adapter);
    }
    Ok(Registry::new(adapters))
}

/// The adapter that a mapping file describes, named after the file.
///
/// # Errors
/// If it cannot be read or used.
pub fn mapping_file(file: &Path, mappings: &Mappings) -> Result<Arc<dyn Adapter>, BadMapping> {
    Ok(Arc::new(tabular(file, mappings)?))
}

/// The mapping of a file.
///
/// # Errors
/// If it cannot be read or used.
pub(crate) fn tabular(file: &Path, mappings: &Mappings) -> Result<Tabular, BadMapping> {
    let shown = file.display().to_string();
    let bad = |reason: String| BadMapping { file: shown.clone(), reason };
    let text = std::fs::read_to_string(file).map_err(|e| bad(e.to_string()))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_suffix(silta_tabular::ENDING).or_else(|| name.strip_suffix(".toml")).unwrap_or(&name);
    if !is_name(name) {
        return Err(bad("the name of a mapping file is made of letters, digits, - and _".to_owned()));
    }
    Tabular::load(name, &shown, &text, mappings).map_err(|e| bad(format!("line {}: {}", e.line, e.reason)))
}

/// The media type under which documents of a mapping file are pushed, by the name of the format; `None` for what cannot
/// be the name of one.
pub fn media_type_of_file(name: &str) -> Option<String> {
    is_name(name).then(|| Tabular::media_type(name))
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.chars().all(plain)
}

fn is_mapping_file(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().ends_with(silta_tabular::ENDING))
}

/// The files of a directory, in the order of their names.
fn files(directory: Option<&Path>) -> Result<Vec<PathBuf>, BadMapping> {
    let Some(directory) = directory else { return Ok(Vec::new()) };
    let entries = std::fs::read_dir(directory)
        .map_err(|e| BadMapping { file: directory.display().to_string(), reason: e.to_string() })?;
    let mut files: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    Ok(files)
}

/// The built-in mappings, with the files of a directory in place of those of the same name.
///
/// # Errors
/// If a file cannot be read or is not a mapping.
pub fn mappings(directory: Option<&Path>) -> Result<Mappings, BadMapping> {
    let mut mappings = Mappings::builtin()?;
    let is_list = |file: &&PathBuf| file.extension().is_some_and(|e| e == "toml") && !is_mapping_file(file);
    for file in files(directory)?.iter().filter(is_list) {
        let text = std::fs::read_to_string(file)
            .map_err(|e| BadMapping { file: file.display().to_string(), reason: e.to_string() })?;
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        mappings.read(&name, &text)?;
    }
    Ok(mappings)
}
