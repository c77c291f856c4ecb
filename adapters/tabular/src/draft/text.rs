//! The draft as text.

use super::recognise::{self, Content, is_date};
use super::{Column, Draft, Sample};
use silta_adapter::adapter::Unreadable;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Problem;
use std::fmt::Write as _;

/// The schemes of national codes that the draft uses, as the VIRTA adapter names them.
const GRADES: &str = "virta:arvosana";
const LANGUAGES: &str = "virta:kieli";
const ORGANISATIONS: &str = "virta:organisaatio";

/// A line of a block: what is filled, how, an invented cell and what becomes of it.
struct Line {
    path: String,
    how: String,
    column: String,
    cell: String,
    value: String,
}

pub(super) fn write(
    sample: &Sample,
    columns: &[Column],
    institution: Option<&str>,
    mappings: &Mappings,
) -> Result<Draft, Unreadable> {
    let of = |role: &str| columns.iter().find(|c| c.role.as_ref().is_some_and(|r| r.is(role)));
    let mut remarks = Vec::new();
    // Keys stand in messages and addresses: an identity code must not be one.
    let Some(learner) = of("learner").or_else(|| of("learner/identifiers.fi:oppijanumero")) else {
        let message = "no column names the learner: a learner's number or a national learner number is needed, and a \
                       personal identity code must not be a key";
        return Err(Problem::error("no_learner", message).into());
    };
    let learner_cell = invented(learner);
    let lines = |kind: &str| columns.iter().flat_map(|column| field(column, kind, mappings)).collect::<Vec<Line>>();
    let (about, done) = (lines("learner"), lines("attainment"));
    let mut out = head(sample);
    let constants = institution_lines(institution);
    if !about.is_empty() {
        let _ = writeln!(out, "[[record]]\nkind = \"learner\"\nid = {}", quoted(&learner.name));
        out.push_str(&constants.0);
        block(&mut out, &about);
        out.push('\n');
    }
    let (id, id_columns) = match of("attainment") {
        Some(column) => (quoted(&column.name), vec![column]),
        None => {
            remarks.push(
                "no column names the attainment: its key is made of the learner and what else tells it apart. \
                 If one of these is corrected later, the correction arrives as another attainment"
                    .to_owned(),
            );
            let parts: Vec<&Column> =
                [of("attainment/code").or_else(|| of("attainment/title.fi")), of("attainment/completed_on")]
                    .into_iter()
                    .flatten()
                    .collect();
            let all: Vec<&Column> = std::iter::once(learner).chain(parts).collect();
            let text = all.iter().map(|column| format!("{{{}}}", column.name)).collect::<Vec<_>>().join("/");
            let forms = all.iter().find(|column| column.role.as_ref().is_some_and(is_date)).map(|column| forms(column));
            let forms = forms.map_or(String::new(), |forms| format!(", dates = [{forms}]"));
            (format!("{{ text = {}{forms} }}", quoted(&text)), all)
        }
    };
    if !done.is_empty() {
        let _ = writeln!(out, "[[record]]\nkind = \"attainment\"\nid = {id}\nlearner = {}", quoted(&learner.name));
        out.push_str(&constants.0);
        block(&mut out, &done);
        out.push_str(&constants.1);
        out.push('\n');
    }
    if about.is_empty() && done.is_empty() {
        return Err(Problem::error("no_columns", "no column but the learner's was recognised").into());
    }
    let left_out: Vec<&Column> = columns.iter().filter(|column| column.role.is_none()).collect();
    comments(&mut out, &left_out);
    let mut cells: Vec<(String, String)> = vec![(learner.name.clone(), learner_cell.clone())];
    cells.extend(id_columns.iter().map(|column| (column.name.clone(), invented(column))));
    cells.extend(about.iter().chain(&done).map(|line| (line.column.clone(), line.cell.clone())));
    let part = |column: &&Column| match column.role.as_ref().is_some_and(is_date) {
        true => "2025-05-14".to_owned(),
        false => invented(column),
    };
    let id_value = id_columns.iter().map(part).collect::<Vec<_>>().join("/");
    tests(&mut out, &cells, (&learner_cell, &about), (&id_value, &done));
    if institution.is_none() {
        remarks.push("the institution's code is not given: see the lines with INSTITUTION".to_owned());
    }
    let left_out: Vec<String> = left_out.iter().map(|column| column.name.clone()).collect();
    Ok(Draft { text: out, read: columns.len() - left_out.len(), left_out, remarks })
}

fn head(sample: &Sample) -> String {
    let mut out = String::from(
        "# Drafted by `silta mapping new`. Look through it, then try it: `silta mapping test` runs the tests at its end,\n\
         # `silta check --from THIS-FILE YOUR-FILE` says what of a real file can be taken.\n\n",
    );
    let _ = writeln!(out, "[input]\nformat = \"{}\"", sample.format.name());
    if let Some(rows) = &sample.rows {
        let _ = writeln!(out, "rows = {}", quoted(rows));
    }
    out.push('\n');
    out
}

/// The lines about the institution: of the head, and of the awarding body.
fn institution_lines(code: Option<&str>) -> (String, String) {
    let (before, code) = match code {
        Some(code) => ("", code),
        None => ("# ", "INSTITUTION"),
    };
    (
        format!("{before}institution = {{ value = {} }}\n", quoted(code)),
        format!("{before}awarding_body = {{ value = {}, scheme = \"{ORGANISATIONS}\" }}\n", quoted(code)),
    )
}

fn block(out: &mut String, lines: &[Line]) {
    out.push_str("[record.body]\n");
    for line in lines {
        let _ = writeln!(out, "{} = {}", line.path, line.how);
    }
}

/// How a column fills fields of a kind.
fn field(column: &Column, kind: &str, mappings: &Mappings) -> Vec<Line> {
    let Some(path) = column.role.as_ref().and_then(|role| role.path(kind)) else { return Vec::new() };
    let name = quoted(&column.name);
    let line = |path: &str, how: String, cell: &str, value: &str| Line {
        path: path.to_owned(),
        how,
        column: column.name.clone(),
        cell: cell.to_owned(),
        value: value.to_owned(),
    };
    let cell = invented(column);
    match path {
        "grade" => {
            let words = grade_words(column, mappings);
            let scale: Vec<String> =
                words.iter().map(|(word, scale, _)| format!("{} = \"{scale}\"", quoted(word))).collect();
            let value: Vec<String> =
                words.iter().map(|(word, _, grade)| format!("{} = \"{grade}\"", quoted(word))).collect();
            let Some((word, scale_value, grade)) = words.first() else { return Vec::new() };
            vec![
                line(
                    "grade.scale.code",
                    format!("{{ column = {name}, scheme = \"{GRADES}\", codes = {{ {} }} }}", scale.join(", ")),
                    word,
                    scale_value,
                ),
                line("grade.value", format!("{{ column = {name}, codes = {{ {} }} }}", value.join(", ")), word, grade),
            ]
        }
        "language" => {
            let codes = recognise::language_words(mappings);
            let codes =
                codes.iter().map(|(word, code)| format!("{} = \"{code}\"", key(word))).collect::<Vec<_>>().join(", ");
            vec![line(
                path,
                format!("{{ column = {name}, scheme = \"{LANGUAGES}\", codes = {{ {codes} }} }}"),
                "suomi",
                "fi",
            )]
        }
        _ if column.role.as_ref().is_some_and(is_date) => {
            vec![line(path, format!("{{ column = {name}, dates = [{}] }}", forms(column)), &cell, "2025-05-14")]
        }
        "credits.ects" => vec![line(path, name, &cell, "2.5")],
        _ => {
            let path = path.split('.').map(key).collect::<Vec<_>>().join(".");
            vec![line(&path, name, &cell, &cell)]
        }
    }
}

/// The forms of a column's dates.
fn forms(column: &Column) -> String {
    let forms = match &column.content {
        Content::Dates(forms) if !forms.is_empty() => forms.clone(),
        _ => vec!["d.m.yyyy", "yyyy-mm-dd"],
    };
    forms.iter().map(|form| quoted(form)).collect::<Vec<_>>().join(", ")
}

/// The words of a column of grades, or all that are known.
fn grade_words(column: &Column, mappings: &Mappings) -> Vec<(String, String, String)> {
    let seen = match &column.content {
        Content::Grades(words) => words.clone(),
        _ => ["0", "1", "2", "3", "4", "5", "HYV", "HYL"].map(str::to_owned).to_vec(),
    };
    let mut all = seen.clone();
    // A sample need not show every grade of a scale it uses.
    let numbers = seen.iter().any(|word| word.parse::<u8>().is_ok());
    all.extend(("0 1 2 3 4 5").split(' ').filter(|_| numbers).map(str::to_owned));
    all.extend(["HYV", "HYL"].map(str::to_owned));
    let mut words: Vec<(String, String, String)> = Vec::new();
    for word in all {
        let Some((scale, grade)) = recognise::grade(&word, mappings) else { continue };
        if !words.iter().any(|(w, ..)| w.to_lowercase() == word.to_lowercase()) {
            words.push((word, scale.to_owned(), grade.to_owned()));
        }
    }
    words
}

/// An invented cell for a column.
fn invented(column: &Column) -> String {
    let Some(role) = &column.role else { return "x".to_owned() };
    if is_date(role) {
        return match &column.content {
            Content::Dates(forms) => match forms.first() {
                Some(&"yyyy-mm-dd") | None => "2025-05-14",
                Some(&"d/m/yyyy") => "14/5/2025",
                Some(&"m/d/yyyy") => "5/14/2025",
                Some(&"d-m-yyyy") => "14-5-2025",
                Some(&"yyyymmdd") => "20250514",
                Some(&"yyyy/mm/dd") => "2025/05/14",
                Some(_) => "14.5.2025",
            },
            _ => "14.5.2025",
        }
        .to_owned();
    }
    let known = [
        ("learner", "S1001"),
        ("learner/identifiers.fi:hetu", "010190-900P"),
        ("learner/identifiers.fi:oppijanumero", "1.2.246.562.24.90000000001"),
        ("learner/family_name", "Esimerkki"),
        ("learner/given_names", "Eeva"),
        ("learner/full_name", "Eeva Esimerkki"),
        ("learner/email", "eeva@esimerkki.example"),
        ("attainment", "A1"),
        ("attainment/code", "TEST-101"),
        ("attainment/credits.ects", "2,5"),
    ];
    known.iter().find(|(name, _)| role.is(name)).map_or("Esimerkki", |(_, cell)| cell).to_owned()
}

fn comments(out: &mut String, columns: &[&Column]) {
    if columns.is_empty() {
        return;
    }
    out.push_str("# Not read, because neither the name nor what stands there says what it is. To read a column, write its field in\n");
    out.push_str("# front and move the line into [record.body] above; `silta schema record` lists the fields.\n");
    for column in columns {
        let field = match &column.content {
            Content::Dates(_) => "assessed_on",
            Content::Numbers => "extensions.own.number",
            _ => "extensions.own.text",
        };
        let _ = writeln!(out, "# {field} = {}    # {}", quoted(&column.name), column.content.shown());
    }
    out.push('\n');
}

fn tests(out: &mut String, cells: &[(String, String)], about: (&str, &[Line]), done: (&str, &[Line])) {
    let row = |cells: &[(String, String)]| {
        let mut seen: Vec<String> = Vec::new();
        for (name, cell) in cells {
            let start = format!("{} = ", quoted(name));
            if !seen.iter().any(|entry| entry.starts_with(&start)) {
                seen.push(format!("{start}{}", quoted(cell)));
            }
        }
        seen.join(", ")
    };
    let _ = writeln!(out, "[[test]]\nname = \"a row as it should be\"\nrow = {{ {} }}", row(cells));
    for (kind, id, lines) in [("learner", about.0, about.1), ("attainment", done.0, done.1)] {
        if lines.is_empty() {
            continue;
        }
        let _ =
            writeln!(out, "[[test.records]]\nkind = \"{kind}\"\nid = {}\nlearner = {}", quoted(id), quoted(about.0));
        for line in lines {
            let _ = writeln!(out, "{} = {}", line.path, quoted(&line.value));
        }
    }
    if let Some(line) = done.1.iter().find(|line| line.path == "completed_on") {
        let mut wrong = vec![(line.column.clone(), "14.13.2025".to_owned())];
        // The column may be part of the key, which is then another.
        wrong.extend(cells.iter().cloned());
        let _ = writeln!(
            out,
            "\n[[test]]\nname = \"a day that is none is refused\"\nrow = {{ {} }}\nproblems = [{{ code = \"bad_date\", column = {} }}]",
            row(&wrong),
            quoted(&line.column)
        );
        if !about.1.is_empty() {
            let _ = writeln!(out, "records = [{{ kind = \"learner\", id = {} }}]", quoted(about.0));
        }
    }
}

/// Text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key of TOML, quoted if it must be.
fn key(text: &str) -> String {
    let bare = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if bare { text.to_owned() } else { quoted(text) }
}
