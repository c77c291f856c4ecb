//! The terms of the contexts and the rules of the shapes, read from two tables of facts.
//!
//! `terms.txt` has one line per term: name, IRI, what its values are, `credential` if the term is known only in a
//! credential itself. `shapes.txt` has, per profile and class, one line per rule: property and constraints. A line
//! ends in `@EDITION,…` if it does not hold in all editions. `contract-tests/elm_rules.py` prints both.

use super::Edition;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// A class or property, by its number in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name(u16);

/// Editions, one bit each.
#[derive(Debug, Clone, Copy)]
struct Editions(u8);

impl Editions {
    /// Those that a line ends with; all of them if it names none.
    fn take<'l>(words: &mut Vec<&'l str>) -> Self {
        let named: Option<&'l str> = words.last().and_then(|word| word.strip_prefix('@'));
        let Some(named) = named else { return Self(u8::MAX) };
        words.pop();
        Self(named.split(',').filter_map(Edition::from_label).fold(0, |bits, edition| bits | edition.bit()))
    }

    fn has(self, edition: Edition) -> bool {
        self.0 & edition.bit() != 0
    }
}

/// What a context makes of the values of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// A type.
    Type,
    /// Nodes, or their ids.
    Node,
    /// A language map.
    Language,
    /// Literals of a datatype.
    Literal(Name),
    /// Literals as they are.
    Plain,
    /// A graph of its own.
    Graph,
}

/// A term of a context.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) name: Name,
    pub(super) values: Values,
    /// Known only in a credential itself.
    pub(super) of_credential: bool,
    editions: Editions,
}

impl Term {
    pub(super) fn is_in(&self, edition: Edition) -> bool {
        self.editions.has(edition)
    }
}

/// What is demanded of a property's values, or of a node.
#[derive(Debug, Default)]
pub(super) struct Rule {
    /// The property; `None` for a rule about the node itself.
    pub(super) path: Option<Name>,
    pub(super) min: usize,
    pub(super) max: Option<usize>,
    pub(super) class: Option<Name>,
    pub(super) datatype: Option<Name>,
    /// `Some(true)` for nodes with an id, `Some(false)` for literals.
    pub(super) iri: Option<bool>,
    /// One of the values has this id.
    pub(super) value: Option<&'static str>,
    pub(super) most: Option<i64>,
    /// The values are as this shape has it.
    pub(super) node: Option<&'static str>,
    /// The values are of one of these classes, or as one of these shapes has it.
    pub(super) any: Vec<&'static str>,
    /// No two texts in one language.
    pub(super) unique: bool,
    profile: u8,
    editions: Option<Editions>,
}

impl Rule {
    fn holds(&self, edition: Edition, profiles: u8) -> bool {
        profiles & self.profile != 0 && self.editions.is_some_and(|editions| editions.has(edition))
    }
}

/// The profiles a credential is checked against: one and those it builds on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profiles(u8);

/// Both tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    names: HashMap<String, Name>,
    iris: Vec<String>,
    terms: HashMap<&'static str, Vec<Term>>,
    /// The term by which a property is known.
    labels: HashMap<Name, &'static str>,
    rules: HashMap<Name, Vec<Rule>>,
    shapes: HashMap<&'static str, Vec<Rule>>,
    /// Profile, its bit, and the bits of all it builds on.
    profiles: Vec<(&'static str, u8, u8)>,
    prefixes: HashMap<&'static str, &'static str>,
    /// Properties whose values some rule wants to be literals.
    literals: HashSet<Name>,
}

/// The tables that come with the program.
pub(super) static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = Tables::default();
    tables.read_terms(include_str!("terms.txt"));
    tables.read_shapes(include_str!("shapes.txt"));
    tables
});

impl Tables {
    /// The term of this spelling in an edition.
    pub(super) fn term(&self, spelling: &str, edition: Edition, in_credential: bool) -> Option<&Term> {
        let fits = |term: &&Term| term.is_in(edition) && (in_credential || !term.of_credential);
        self.terms.get(spelling)?.iter().find(fits)
    }

    /// True if some edition knows a term of this spelling.
    pub(super) fn knows(&self, spelling: &str, in_credential: bool) -> bool {
        self.terms.get(spelling).is_some_and(|terms| terms.iter().any(|t| in_credential || !t.of_credential))
    }

    /// A class or property by its IRI, absolute or with one of the prefixes.
    pub(super) fn name(&self, iri: &str) -> Option<Name> {
        if let Some(name) = self.names.get(iri) {
            return Some(*name);
        }
        let (prefix, rest) = iri.split_once(':')?;
        self.names.get(&[self.prefixes.get(prefix)?, rest].concat()).copied()
    }

    pub(super) fn iri(&self, name: Name) -> &str {
        &self.iris[usize::from(name.0)]
    }

    /// True if the shapes want literals as values of a property.
    pub(super) fn is_literal(&self, property: Name) -> bool {
        self.literals.contains(&property)
    }

    /// What readers call a property or class.
    pub(super) fn label(&self, name: Name) -> &str {
        let local = || self.iri(name).rsplit(['/', '#']).next().unwrap_or_default();
        self.labels.get(&name).copied().unwrap_or_else(local)
    }

    /// The rules for nodes of a class.
    pub(super) fn rules(&self, class: Name, edition: Edition, of: Profiles) -> impl Iterator<Item = &Rule> {
        self.rules.get(&class).into_iter().flatten().filter(move |rule| rule.holds(edition, of.0))
    }

    /// The rules of a shape without a class.
    pub(super) fn shape(&self, name: &str, edition: Edition, of: Profiles) -> impl Iterator<Item = &Rule> {
        self.shapes.get(name).into_iter().flatten().filter(move |rule| rule.holds(edition, of.0))
    }

    /// A profile with those it builds on.
    pub(super) fn profile(&self, name: &str) -> Option<Profiles> {
        self.profiles.iter().find(|(profile, ..)| *profile == name).map(|(_, _, all)| Profiles(*all))
    }

    fn intern(&mut self, compact: &str) -> Name {
        let iri = match compact.strip_prefix('<').and_then(|iri| iri.strip_suffix('>')) {
            Some(iri) => iri.to_owned(),
            None => {
                let (prefix, rest) = compact.split_once(':').unwrap_or_default();
                [self.prefixes.get(prefix).copied().unwrap_or_default(), rest].concat()
            }
        };
        let next = Name(self.iris.len() as u16);
        *self.names.entry(iri).or_insert_with_key(|iri| {
            self.iris.push(iri.clone());
            next
        })
    }

    /// True if the line gives a prefix.
    fn read_prefix(&mut self, line: &'static str) -> bool {
        let prefix = line.split_once(": ");
        if let Some((prefix, namespace)) = prefix {
            self.prefixes.insert(prefix, namespace);
        }
        prefix.is_some()
    }

    fn read_terms(&mut self, table: &'static str) {
        for line in table.lines() {
            if self.read_prefix(line) {
                continue;
            }
            let mut words: Vec<&str> = line.split(' ').collect();
            let editions = Editions::take(&mut words);
            let [term, iri, values, scope @ ..] = words.as_slice() else { continue };
            let name = self.intern(iri);
            let values = match *values {
                "type" => Values::Type,
                "node" => Values::Node,
                "language" => Values::Language,
                "plain" => Values::Plain,
                "graph" => Values::Graph,
                datatype => Values::Literal(self.intern(datatype)),
            };
            self.labels.entry(name).or_insert(term);
            let of_credential = scope == ["credential"];
            self.terms.entry(term).or_default().push(Term { name, values, of_credential, editions });
        }
    }

    fn read_shapes(&mut self, table: &'static str) {
        let (mut profile, mut shape) = (0, "");
        for line in table.lines().filter(|line| !line.is_empty()) {
            if self.read_prefix(line) {
                continue;
            }
            let mut words: Vec<&'static str> = line.split(' ').collect();
            match words.as_slice() {
                ["profile", name, base @ ..] => {
                    profile = 1 << self.profiles.len();
                    let base = base.first().and_then(|base| self.profile(base)).map_or(0, |base| base.0);
                    self.profiles.push((name, profile, base | profile));
                }
                ["shape", name] => shape = name,
                _ => {
                    let editions = Editions::take(&mut words);
                    let rule = self.rule(&words);
                    self.literals.extend(rule.path.filter(|_| rule.datatype.is_some()));
                    let rule = Rule { profile, editions: Some(editions), ..rule };
                    if shape.contains(':') {
                        let class = self.intern(shape);
                        self.rules.entry(class).or_default().push(rule);
                    } else {
                        self.shapes.entry(shape).or_default().push(rule);
                    }
                }
            }
        }
    }

    fn rule(&mut self, words: &[&'static str]) -> Rule {
        let mut rule = Rule::default();
        for (nth, word) in words.iter().enumerate() {
            match word.split_once('=') {
                None if nth == 0 => rule.path = (*word != ".").then(|| self.intern(word)),
                None => rule.unique = *word == "unique",
                Some(("min", count)) => rule.min = count.parse().unwrap_or_default(),
                Some(("max", count)) => rule.max = count.parse().ok(),
                Some(("most", number)) => rule.most = number.parse().ok(),
                Some(("class", class)) => rule.class = Some(self.intern(class)),
                Some(("datatype", datatype)) => rule.datatype = Some(self.intern(datatype)),
                Some(("kind", kind)) => rule.iri = Some(kind == "IRI"),
                Some(("value", iri)) => rule.value = Some(iri.trim_matches(['<', '>'])),
                Some(("node", shape)) => rule.node = Some(shape),
                Some(("any", options)) => rule.any = options.split('|').collect(),
                Some(_) => {}
            }
        }
        for option in rule.any.iter().filter(|option| option.contains(':')) {
            self.intern(option);
        }
        rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_tables_is_understood() {
        let words = ["min", "max", "most", "class", "datatype", "kind", "value", "node", "any"];
        for line in include_str!("shapes.txt").lines().filter(|l| !l.contains(": ") && !l.is_empty()) {
            for word in line.split(' ').skip(1).filter(|_| !line.starts_with("profile ") && !line.starts_with("shape "))
            {
                let known = word == "unique" || word.split_once('=').is_some_and(|(key, _)| words.contains(&key));
                let editions = word.strip_prefix('@');
                assert!(
                    known || editions.is_some_and(|e| e.split(',').all(|e| Edition::from_label(e).is_some())),
                    "{line}"
                );
            }
        }
        let demands = |edition| {
            let class = TABLES.name("elm:EuropeanDigitalCredential").expect("a class");
            let profiles = TABLES.profile("generic-full").expect("a profile");
            let issued = TABLES.name("cred:issued");
            TABLES.rules(class, edition, profiles).filter(|rule| rule.path == issued && rule.min == 1).count()
        };
        assert_eq!((demands(Edition::Published31), demands(Edition::Upload)), (1, 0));
        assert_eq!(TABLES.label(TABLES.name("elm:ISCEDFCode").expect("a property")), "thematicArea");
    }
}
