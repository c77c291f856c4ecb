//! The mapping file as TOML, read with the line of everything in it.

use super::codes::Codes;
use super::convert::DatePattern;
use super::path::{Leaf, Paths, Target, nearest};
use super::{Block, Conversion, Expression, Field, Format, From, HeaderRow, Input, Mapping, Piece, read_columns};
use crate::row::Cell;
use encoding_rs::Encoding;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use silta_adapter::SmolStr;
use silta_adapter::mapping::Mappings;
use silta_adapter::record::RecordKind;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error as TomlError, ValueDeserializer};

/// A complaint and its line.
pub(super) type Complaint = (usize, String);
pub(super) type Entry<'t> = Spanned<DeValue<'t>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputFile {
    format: Format,
    delimiter: Option<String>,
    encoding: Option<String>,
    sheet: Option<String>,
    header: Option<HeaderFile>,
    rows: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderFile {
    Row(u64),
    Word(String),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FieldFile {
    column: Option<String>,
    text: Option<String>,
    value: Option<toml::Value>,
    expression: Option<String>,
    dates: Option<Vec<String>>,
    r#true: Option<Vec<String>>,
    r#false: Option<Vec<String>>,
    codes: Option<CodesFile>,
    scheme: Option<SmolStr>,
    split: Option<String>,
    default: Option<toml::Value>,
    when: Option<String>,
    required: bool,
    optional: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CodesFile {
    List(String),
    Words(BTreeMap<String, toml::Value>),
}

pub(super) fn read(text: &str, mappings: &Mappings) -> Result<Mapping, Complaint> {
    let reader = Reader { text, mappings, paths: Paths::new() };
    let document = DeTable::parse(text).map_err(|e| reader.toml(&e))?;
    let mut top = reader.members(document.get_ref(), &["summary", "input", "record", "test"], "the file")?;
    let input = match top.remove("input") {
        Some(input) => reader.input(input)?,
        None => return Err((1, "there is no [input], which says the format".to_owned())),
    };
    let mut blocks = Vec::new();
    for record in reader.list(top.remove("record"))? {
        blocks.push(reader.block(record, input.format)?);
    }
    if blocks.is_empty() {
        return Err((1, "there is no [[record]]".to_owned()));
    }
    let unlettered = blocks.iter().flat_map(Block::fields).flat_map(Field::columns).find(|name| !is_letters(name));
    if let (HeaderRow::None, Some(name)) = (input.header, unlettered) {
        return Err((1, format!("without a header columns go by their letters, A to ZZ; {name} is none")));
    }
    let tests = reader.list(top.remove("test"))?.into_iter().map(|test| reader.test(test)).collect::<Result<_, _>>()?;
    let summary = top.remove("summary").map(|entry| reader.typed::<String>(entry)).transpose()?;
    Ok(Mapping { summary, input, read: read_columns(&blocks), blocks, tests })
}

/// Reads a mapping file.
pub(super) struct Reader<'t> {
    text: &'t str,
    mappings: &'t Mappings,
    pub(super) paths: Paths,
}

impl<'t> Reader<'t> {
    fn line(&self, at: usize) -> usize {
        self.text.get(..at).map_or(1, |before| before.matches('\n').count() + 1)
    }

    pub(super) fn at<T>(&self, entry: &Spanned<T>) -> usize {
        self.line(entry.span().start)
    }

    fn toml(&self, e: &TomlError) -> Complaint {
        (e.span().map_or(1, |span| self.line(span.start)), e.message().to_owned())
    }

    pub(super) fn typed<T: DeserializeOwned>(&self, entry: &Entry<'t>) -> Result<T, Complaint> {
        let line = self.at(entry);
        T::deserialize(ValueDeserializer::from(entry.clone())).map_err(|e| match e.span() {
            Some(_) => self.toml(&e),
            None => (line, e.message().to_owned()),
        })
    }

    /// The members of a table by name, none but those known.
    fn members<'e>(
        &self,
        table: &'e DeTable<'t>,
        known: &[&str],
        what: &str,
    ) -> Result<BTreeMap<&'e str, &'e Entry<'t>>, Complaint> {
        let mut members = BTreeMap::new();
        for (name, value) in table {
            let text: &str = name.get_ref();
            if !known.contains(&text) {
                let near = nearest(text, known.iter().copied());
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                return Err((self.at(name), format!("{what} has no {text}{hint}")));
            }
            members.insert(text, value);
        }
        Ok(members)
    }

    fn list<'e>(&self, entry: Option<&'e Entry<'t>>) -> Result<Vec<&'e Entry<'t>>, Complaint> {
        match entry.map(|entry| (entry, entry.get_ref().as_array())) {
            None => Ok(Vec::new()),
            Some((_, Some(list))) => Ok(list.iter().collect()),
            Some((entry, None)) => Err((self.at(entry), "this is a list: write it with two brackets".to_owned())),
        }
    }

    fn input(&self, entry: &Entry<'t>) -> Result<Input, Complaint> {
        let line = self.at(entry);
        let bad = |reason: &str| (line, format!("[input]: {reason}"));
        let file: InputFile = self.typed(entry)?;
        let delimiter = match file.delimiter.as_deref() {
            None => None,
            Some("tab") => Some(b'\t'),
            Some(text) if text.len() == 1 => text.bytes().next(),
            Some(_) => return Err(bad("delimiter is one character, or tab")),
        };
        let label = file.encoding.as_deref();
        let encoding = label.map(|l| Encoding::for_label(l.as_bytes()).ok_or_else(|| bad("unknown encoding")));
        let header = match file.header {
            None => HeaderRow::Found,
            Some(HeaderFile::Row(row)) if row > 0 => HeaderRow::At(row),
            Some(HeaderFile::Word(word)) if word == "none" => HeaderRow::None,
            Some(_) => return Err(bad("header is the number of a row, or none")),
        };
        let rows = match (file.format, file.rows.as_deref()) {
            (Format::Json, None) => vec![Vec::new()],
            (Format::Xml, None) => {
                return Err(bad("XML needs rows, the path of the elements that are rows: Students/Student[]"));
            }
            (format, Some(_)) if format.is_table() => return Err(bad("rows is for JSON and XML")),
            (format, Some(path)) => lists(path, format).map_err(|reason| bad(&reason))?,
            (_, None) => Vec::new(),
        };
        Ok(Input { format: file.format, delimiter, encoding: encoding.transpose()?, sheet: file.sheet, header, rows })
    }

    fn block(&self, entry: &Entry<'t>, format: Format) -> Result<Block, Complaint> {
        const HEAD: [(&str, Leaf); 6] = [
            ("institution", Leaf::Text),
            ("id", Leaf::Text),
            ("learner", Leaf::Text),
            ("state", Leaf::Text),
            ("source_revision", Leaf::Integer),
            ("non_disclosure", Leaf::Truth),
        ];
        let line = self.at(entry);
        let table = entry.get_ref().as_table().ok_or_else(|| (line, "[[record]] is a table".to_owned()))?;
        let known: Vec<&str> = HEAD.iter().map(|(name, _)| *name).chain(["kind", "when", "body"]).collect();
        let mut members = self.members(table, &known, "[[record]]")?;
        let kind = members.remove("kind").ok_or_else(|| (line, "[[record]] has no kind".to_owned()))?;
        let name: String = self.typed(kind)?;
        let kind = RecordKind::from_name(&name).ok_or_else(|| {
            let all = RecordKind::ALL.map(RecordKind::name).join(", ");
            (self.at(kind), format!("there is no kind {name}; there are {all}"))
        })?;
        let when = members.remove("when").map(|entry| self.expression(entry)).transpose()?;
        let body = members.remove("body");
        if let (RecordKind::Learner, false, Some(id)) =
            (kind, members.contains_key("learner"), members.get("id").copied())
        {
            members.insert("learner", id);
        }
        let mut head = Vec::new();
        for (name, leaf) in HEAD {
            match members.remove(name) {
                Some(entry) => head.push(self.field(Paths::head(name, leaf), entry, format)?),
                None if name == "id" || name == "learner" => {
                    return Err((line, format!("[[record]] of kind {kind} has no {name}")));
                }
                None => {}
            }
        }
        let mut fields = Vec::new();
        match body.map(|body| (self.at(body), body.get_ref().as_table())) {
            Some((_, Some(table))) => self.body(kind, table, &mut Vec::new(), format, &mut fields)?,
            Some((line, None)) => return Err((line, "body is a table".to_owned())),
            None => return Err((line, "[[record]] has no body".to_owned())),
        }
        Ok(Block::new(kind, when, head, fields))
    }

    /// The fields of a table in the body. `credits.ects`, quoted or not, and a table `credits` with `ects` in it are
    /// the same.
    fn body(
        &self,
        kind: RecordKind,
        table: &DeTable<'t>,
        above: &mut Vec<SmolStr>,
        format: Format,
        out: &mut Vec<Field>,
    ) -> Result<(), Complaint> {
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(name, _)| name.span().start);
        for (name, entry) in members {
            let depth = above.len();
            above.extend(name.get_ref().split('.').map(|part| SmolStr::new(part.trim())));
            match entry.get_ref().as_table() {
                Some(below) if !(self.paths.is_leaf(kind, above) && fills(below)) => {
                    self.body(kind, below, above, format, out)?;
                }
                _ => {
                    let target = self.paths.body(kind, above).map_err(|reason| (self.at(name), reason))?;
                    out.push(self.field(target, entry, format)?);
                }
            }
            above.truncate(depth);
        }
        Ok(())
    }

    fn field(&self, target: Target, entry: &Entry<'t>, format: Format) -> Result<Field, Complaint> {
        let line = self.at(entry);
        let name = target.name.clone();
        let bad = |reason: String| (line, format!("{name}: {reason}"));
        let mut file = match entry.get_ref() {
            DeValue::String(column) => FieldFile { column: Some(column.to_string()), ..FieldFile::default() },
            DeValue::Table(_) => self.typed(entry)?,
            _ => return Err(bad("is the name of a column, or a table that says how to fill it".to_owned())),
        };
        let from = source(&mut file).map_err(bad)?;
        let conversion = self.conversion(&target, &from, &mut file, format).map_err(bad)?;
        let default = file.default.as_ref().map(scalar);
        let when = file.when.as_deref().map(Expression::new).transpose().map_err(bad)?;
        let field = Field { target, from, conversion, default, when, required: file.required, optional: file.optional };
        let constant = match &field.from {
            From::Value(value) => Some(value),
            _ => field.default.as_ref(),
        };
        if let Some(constant) = constant {
            let read = field.conversion.read(field.target.leaf, &Cell::typed(constant));
            read.map_err(|fault| (line, format!("{}: {constant} is {}", field.target.name, fault.message)))?;
        }
        Ok(field)
    }

    fn conversion(
        &self,
        target: &Target,
        from: &From,
        file: &mut FieldFile,
        format: Format,
    ) -> Result<Conversion, String> {
        let wrong = |option: &str, leaf: Leaf| format!("{option} is not for a field like this ({leaf:?})");
        let leaf = target.leaf;
        let forms = file.dates.take();
        if forms.is_some() && leaf != Leaf::Date && !matches!(from, From::Text(_)) {
            return Err(wrong("dates", leaf));
        }
        if (file.r#true.is_some() || file.r#false.is_some()) && leaf != Leaf::Truth {
            return Err(wrong("true and false", leaf));
        }
        if file.scheme.is_some() && leaf != Leaf::Code {
            return Err(wrong("scheme", leaf));
        }
        if file.split.is_some() && !target.is_list() {
            return Err("split is for lists".to_owned());
        }
        if file.split.as_ref().is_some_and(String::is_empty) || (file.split.is_some() && !format.is_table()) {
            return Err("split is the text between the elements of a cell, in tables".to_owned());
        }
        let usual =
            || if leaf == Leaf::Date { vec!["yyyy-mm-dd".to_owned(), "d.m.yyyy".to_owned()] } else { Vec::new() };
        let forms = forms.unwrap_or_else(usual);
        let dates = forms.iter().map(|form| DatePattern::new(form)).collect::<Result<Vec<_>, _>>()?;
        let codes = match file.codes.take() {
            None => None,
            Some(CodesFile::Words(words)) => {
                Some(Codes::listed(words.into_iter().map(|(word, value)| (word, scalar(&value))))?)
            }
            Some(CodesFile::List(name)) => {
                let list = self.mappings.list(&name);
                if list.iter().next().is_none() {
                    return Err(format!("there is no code list {name} among the mappings"));
                }
                Some(Codes::of_list(list, file.scheme.as_deref())?)
            }
        };
        let named = file.scheme.is_some() || codes.as_ref().is_some_and(|codes| codes.scheme.is_some());
        if leaf == Leaf::Code && !named {
            return Err("is a code: say of which list with scheme, or look it up with codes".to_owned());
        }
        Ok(Conversion {
            dates,
            yes: file.r#true.take().unwrap_or_else(|| vec!["true".to_owned()]),
            no: file.r#false.take().unwrap_or_else(|| vec!["false".to_owned()]),
            codes,
            scheme: file.scheme.take(),
            split: file.split.take(),
        })
    }

    fn expression(&self, entry: &Entry<'t>) -> Result<Expression, Complaint> {
        let source: String = self.typed(entry)?;
        Expression::new(&source).map_err(|reason| (self.at(entry), reason))
    }
}

/// Where a value comes from.
fn source(file: &mut FieldFile) -> Result<From, String> {
    match (file.column.take(), file.text.take(), file.value.take(), file.expression.take()) {
        (Some(column), None, None, None) => Ok(From::Column(column)),
        (None, Some(text), None, None) => Ok(From::Text(pieces(&text)?)),
        (None, None, Some(value), None) => Ok(From::Value(scalar(&value))),
        (None, None, None, Some(source)) => Ok(From::Expression(Expression::new(&source)?)),
        _ => Err("needs one of column, text, value and expression".to_owned()),
    }
}

/// True for a table that says how to fill a field.
fn fills(table: &DeTable<'_>) -> bool {
    ["column", "text", "value", "expression"].iter().any(|key| table.iter().any(|(name, _)| name.get_ref() == key))
}

fn is_letters(name: &str) -> bool {
    (1..=2).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Text with columns in braces.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (column, after) = after.split_once('}').ok_or("a brace is not closed")?;
        if !before.is_empty() {
            pieces.push(Piece::Literal(before.to_owned()));
        }
        pieces.push(Piece::Column(column.trim().to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    match pieces.iter().any(|piece| matches!(piece, Piece::Column(_))) {
        true => Ok(pieces),
        false => Err("text has no {column} in it; what is the same for all rows is a value".to_owned()),
    }
}

/// The path of rows: `students[]/completions[]` as the names up to each list.
fn lists(path: &str, format: Format) -> Result<Vec<Vec<SmolStr>>, String> {
    let hint = "rows is a path whose lists end in [], as in students[]/completions[]";
    let mut lists: Vec<Vec<SmolStr>> = Vec::new();
    let mut names = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let (name, list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        if name.contains(['[', ']']) {
            return Err(hint.to_owned());
        }
        if !name.is_empty() {
            names.push(SmolStr::new(name));
        }
        if list {
            lists.push(std::mem::take(&mut names));
        }
    }
    let complete = names.is_empty() && (!lists.is_empty() || format == Format::Ndjson);
    let named = format != Format::Xml || lists.iter().all(|names| !names.is_empty());
    if complete && named { Ok(lists) } else { Err(hint.to_owned()) }
}

/// What is the same for all rows, as text.
pub(super) fn scalar(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[input]
format = "csv"

[[record]]
kind = "attainment"
id = { text = "{Numero}-{Koodi}" }
learner = "Numero"
body.code = "Koodi"
body.credits.ects = "Op"
[record.body]
"title.fi" = "Nimi"
completed_on = { column = "Pvm", dates = ["d.m.yyyy"] }
language = { column = "Kieli", codes = "language", scheme = "virta:kieli" }
awarding_body = { value = "10122", scheme = "virta:organisaatio" }
"#;

    fn complaint(text: &str) -> Complaint {
        read(text, &Mappings::builtin().expect("reads")).expect_err("a complaint")
    }

    #[test]
    fn a_mapping_is_read() {
        let text = GOOD
            .replace("[record.body]\n\"title.fi\"", "body.title.fi")
            .replace("\ncompleted_on", "\nbody.completed_on");
        let text = text.replace("\nlanguage", "\nbody.language").replace("\nawarding_body", "\nbody.awarding_body");
        let mapping = read(&text, &Mappings::builtin().expect("reads")).expect("reads");
        let block = &mapping.blocks[0];
        assert_eq!(block.body.len(), 6);
        assert_eq!(block.telling, ["Kieli", "Koodi", "Nimi", "Op", "Pvm"]);
        assert_eq!(mapping.wanted(), ["Numero", "Koodi", "Op", "Nimi", "Pvm", "Kieli"]);
    }

    #[test]
    fn complaints_have_a_line_and_a_hint() {
        let with = |from: &str, to: &str| {
            GOOD.replace("body.code = \"Koodi\"\nbody.credits.ects = \"Op\"\n", "").replace(from, to)
        };
        for (text, line, hint) in [
            (with("\"title.fi\"", "\"tittle.fi\""), 10, "did you mean title.fi?"),
            (with("d.m.yyyy", "d.m.yy"), 11, "no form of dates"),
            (with("\"language\"", "\"langauge\""), 12, "no code list langauge"),
            (with("virta:kieli", "x"), 12, "knows no codes of the scheme x"),
            (with(", scheme = \"virta:organisaatio\"", ""), 13, "say of which list"),
            (with("kind = \"attainment\"", "kind = \"course\""), 6, "there is no kind course"),
            (with("learner =", "leaner ="), 8, "did you mean learner?"),
            (with("{Numero}-{Koodi}", "Numero"), 7, "no {column}"),
            (with("\"csv\"", "\"xml\""), 2, "XML needs rows"),
            (with("\"csv\"", "\"exel\""), 3, "unknown variant"),
            (with("[[record]]", "[record]"), 5, "two brackets"),
            (with("\"Nimi\"", "{ colunm = \"Nimi\" }"), 10, ""),
            (with("\"Nimi\"", "{ column = \"Nimi\", split = \";\" }"), 10, "split is for lists"),
            (with("\"Nimi\"", "\"Nimi"), 10, ""),
            (with("[input]", "[inputs]"), 2, "did you mean input?"),
        ] {
            let (at, reason) = complaint(&text);
            assert!(at == line && reason.contains(hint), "line {at}: {reason} (expected {line}: {hint})");
        }
    }

    #[test]
    fn rows_of_trees_are_paths_with_lists() {
        let path = |path| lists(path, Format::Json);
        assert_eq!(
            path("data/students[]/done[]"),
            Ok(vec![vec!["data".into(), "students".into()], vec!["done".into()]])
        );
        assert_eq!(path("[]"), Ok(vec![vec![]]));
        assert!(path("students").is_err() && path("").is_err() && path("a[0]").is_err());
        assert!(lists("[]", Format::Xml).is_err());
    }
}
