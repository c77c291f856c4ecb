//! The adapters of this program: the only place that names them.

use silta_adapter::adapter::Registry;
use silta_adapter::mapping::{BadMapping, Mappings};
use std::path::Path;
use std::sync::Arc;

/// All adapters.
pub fn adapters() -> Registry {
    Registry::new(vec![
        Arc::new(silta_record::SiltaRecord),
        Arc::new(silta_virta::Virta),
        Arc::new(silta_elm::Elm),
        Arc::new(silta_koski::Koski),
        Arc::new(silta_sisu::Sisu),
    ])
}

/// The built-in mappings, with the files of a directory in place of those of the same name.
///
/// # Errors
/// If a file cannot be read or is not a mapping.
pub fn mappings(directory: Option<&Path>) -> Result<Mappings, BadMapping> {
    let mut mappings = Mappings::builtin()?;
    let Some(directory) = directory else { return Ok(mappings) };
    let bad = |file: &Path, reason: std::io::Error| BadMapping {
        file: file.display().to_string(),
        reason: reason.to_string(),
    };
    let entries = std::fs::read_dir(directory).map_err(|e| bad(directory, e))?;
    let mut files: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "toml")) {
        let text = std::fs::read_to_string(file).map_err(|e| bad(file, e))?;
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        mappings.read(&name, &text)?;
    }
    Ok(mappings)
}
