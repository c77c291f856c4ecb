//! The official schema, in a copy that the operator names, and documents checked against it before they are sent.
//!
//! The schema's files belong to their keeper and change about monthly, so none comes with this program.

use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};
use silta_adapter::SmolStr;
use silta_adapter::adapter::BadSettings;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::validate::Conform;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use uppsala::XsdValidator;

/// The file that a directory of the schema is read from; it includes the others.
const MAIN: &str = "Virta.xsd";

/// Most files a schema may be made of.
const FILES: usize = 100;

/// Faults of one document that are told.
const TOLD: usize = 20;

/// A schema that was read.
pub(crate) struct Xsd {
    validator: XsdValidator,
    /// Names of elements, attributes and types: what may be repeated of an error's words.
    names: BTreeSet<String>,
    version: SmolStr,
}

impl Xsd {
    /// Reads a schema from its main file, or from the directory it is in.
    ///
    /// # Errors
    /// If a file is missing, is no schema, or does not say what a document of this format may hold.
    pub(crate) fn read(path: &Path) -> Result<Self, BadSettings> {
        let main = if path.is_dir() { path.join(MAIN) } else { path.to_owned() };
        let files = files(&main)?;
        let text = files.get(&main).map(String::as_str).unwrap_or_default();
        let no_schema = |e: uppsala::XmlError| bad(&main, &format!("is no schema: {e}"));
        let document = uppsala::parse(text).map_err(no_schema)?;
        let validator = XsdValidator::from_schema_with_base_path(&document, Some(&main)).map_err(no_schema)?;
        let mut hash = blake3::Hasher::new();
        files.values().for_each(|text| _ = hash.update(text.as_bytes()));
        let names = files.values().flat_map(|text| attributes(text, "name")).collect();
        let schema = Self { validator, names, version: hash.finalize().to_hex()[..16].into() };
        // Whatever is wrong with an empty document, it must be known.
        let empty = format!("<{} xmlns=\"{}\"/>", crate::names::ALL_DATA, crate::names::NAMESPACE);
        match schema.faults(&empty).iter().any(|fault| fault.contains("declaration") || fault.contains("not found")) {
            true => Err(bad(&main, "does not say what a Virta document holds")),
            false => Ok(schema),
        }
    }

    /// What is wrong with a document, in words without values of it.
    fn faults(&self, document: &str) -> Vec<String> {
        let document = match uppsala::parse(document) {
            Ok(document) => document,
            Err(_) => return vec!["it is not well-formed".into()],
        };
        let mut faults: Vec<String> = Vec::new();
        for error in self.validator.validate(&document) {
            let fault = self.without_values(&error.message);
            if faults.len() < TOLD && !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }

    /// The words of an error. What stands in quotes may be a value, and a value may be personal: only names that the
    /// schema itself gives are kept.
    fn without_values(&self, message: &str) -> String {
        let mut out = String::with_capacity(message.len());
        for (at, part) in message.split('\'').enumerate() {
            match at % 2 {
                0 => out.push_str(part),
                _ if self.names.contains(part) => out.extend(["'", part, "'"]),
                _ => out.push('…'),
            }
        }
        // An odd number of quotes: a value held one itself.
        if message.matches('\'').count() % 2 == 1 {
            out.truncate(message.find('\'').unwrap_or_default());
        }
        out.trim().to_owned()
    }
}

impl Conform for Xsd {
    fn version(&self) -> &str {
        &self.version
    }

    fn conform(&self, document: &[u8]) -> Vec<Problem> {
        let faults = match std::str::from_utf8(document) {
            Ok(text) => self.faults(text),
            Err(_) => vec!["it is not UTF-8".into()],
        };
        let problem = |fault: String| {
            let message = format!("the official schema does not take it: {fault}");
            Problem::new("against_schema", Severity::Error, Fixer::Sender, message)
        };
        faults.into_iter().map(problem).collect()
    }
}

fn bad(file: &Path, reason: &str) -> BadSettings {
    BadSettings(format!("schema: {} {reason}", file.display()))
}

/// The texts of a schema's files: the main one, and what they include. A file that is not there would go unnoticed
/// otherwise, and with it all that it forbids.
fn files(main: &Path) -> Result<BTreeMap<PathBuf, String>, BadSettings> {
    let (mut files, mut open) = (BTreeMap::new(), vec![main.to_owned()]);
    while let Some(path) = open.pop() {
        if files.contains_key(&path) {
            continue;
        }
        let bytes = fs::read(&path).map_err(|e| bad(&path, &format!("cannot be read: {}", e.kind())))?;
        let text = String::from_utf8(bytes).map_err(|_| bad(&path, "is not UTF-8"))?;
        let text = text.trim_start_matches('\u{feff}').to_owned();
        let beside = path.parent().unwrap_or(Path::new(""));
        open.extend(attributes(&text, "schemaLocation").map(|location| beside.join(location)));
        files.insert(path, text);
        if files.len() > FILES {
            return Err(bad(main, "includes too many files"));
        }
    }
    Ok(files)
}

/// The values of all attributes of a name, in the elements of a document.
fn attributes<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let mut reader = Reader::from_str(text);
    std::iter::from_fn(move || match reader.read_event() {
        Ok(Event::Eof) | Err(_) => None,
        Ok(Event::Start(element) | Event::Empty(element)) => {
            let attribute = element.attributes().flatten().find(|attribute| attribute.key.as_ref() == name);
            Some(attribute.and_then(|it| Some(it.normalized_value(XmlVersion::Explicit1_0).ok()?.into_owned())))
        }
        Ok(_) => Some(None),
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const DECLARED: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
        xmlns:v="urn:mace:funet.fi:virta/2015/09/01" targetNamespace="urn:mace:funet.fi:virta/2015/09/01"
        elementFormDefault="qualified"><xs:include schemaLocation="types.xsd"/>
        <xs:element name="Virta"><xs:complexType><xs:sequence><xs:element name="Opiskelija" maxOccurs="unbounded">
        <xs:complexType><xs:sequence><xs:element name="Henkilotunnus" type="v:Tunnus"/></xs:sequence>
        <xs:attribute name="avain" use="required"/></xs:complexType></xs:element></xs:sequence></xs:complexType>
        </xs:element></xs:schema>"#;
    const TYPES: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
        targetNamespace="urn:mace:funet.fi:virta/2015/09/01"><xs:simpleType name="Tunnus">
        <xs:restriction base="xs:string"><xs:pattern value="[0-9]{6}-[0-9]{3}[0-9A-Z]"/></xs:restriction>
        </xs:simpleType></xs:schema>"#;

    fn directory(files: &[(&str, &str)]) -> TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("written");
        }
        dir
    }

    fn refusal(path: &Path) -> String {
        Xsd::read(path).map(|_| ()).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_wrong_is_told_without_values() {
        let dir = directory(&[("Virta.xsd", DECLARED), ("types.xsd", TYPES)]);
        let schema = Xsd::read(dir.path()).expect("a schema");
        assert_eq!(Xsd::read(&dir.path().join("Virta.xsd")).expect("the same").version(), schema.version());
        let told = |learner: &str| {
            let document = format!("<Virta xmlns=\"urn:mace:funet.fi:virta/2015/09/01\">{learner}</Virta>");
            schema.conform(document.as_bytes()).into_iter().map(|p| p.message).collect::<Vec<_>>()
        };
        let learner = "<Opiskelija avain=\"S1\"><Henkilotunnus>010190-999W</Henkilotunnus></Opiskelija>";
        assert_eq!(told(learner), [""; 0]);
        let wrong = told(&learner.replace("010190-999W", "010190'999W").replace("avain", "Kanarialintu"));
        assert!(!wrong.is_empty() && wrong.iter().all(|m| !m.contains("999W") && !m.contains("Kanaria")), "{wrong:?}");
        assert!(wrong.iter().any(|m| m.contains("'avain'")), "{wrong:?}");
        assert_eq!(told("<").len(), 1);
        assert_eq!(schema.conform(b"\xff").len(), 1);
    }

    #[test]
    fn a_schema_that_lacks_a_part_is_refused() {
        let alone = directory(&[("Virta.xsd", DECLARED)]);
        assert!(refusal(alone.path()).contains("types.xsd cannot be read"));
        assert!(refusal(&alone.path().join("gone.xsd")).contains("gone.xsd cannot be read"));
        let other = directory(&[("Virta.xsd", TYPES)]);
        assert!(refusal(other.path()).contains("does not say what a Virta document holds"));
        let none = directory(&[("Virta.xsd", "no schema")]);
        assert!(refusal(none.path()).contains("is no schema"));
    }

    #[test]
    fn another_content_is_another_version() {
        let one = directory(&[("Virta.xsd", DECLARED), ("types.xsd", TYPES)]);
        let other = directory(&[("Virta.xsd", DECLARED), ("types.xsd", &TYPES.replace("{6}", "{5}"))]);
        let version = |dir: &TempDir| Xsd::read(dir.path()).expect("a schema").version().to_owned();
        assert_ne!(version(&one), version(&other));
    }
}
