//! The rules of the shapes on the graph of a credential: the same verdict as the official SHACL.

use super::Edition;
use super::graph::{Graph, Node, Object, Place, Property};
use super::lexical::{self, Form};
use super::tables::{Name, Profiles, Rule, TABLES};
use silta_adapter::problem::{Fixer, Severity};
use silta_adapter::validate::{Finding, Origin};
use smol_str::format_smolstr;

/// How deep shapes refer to shapes.
const DEPTH: usize = 8;
/// What sealing adds, and nobody else can.
const ADDED_BY_SEALING: [&str; 4] = ["issued", "issuer", "eIDASIdentifier", "individualDisplay"];

/// What the shapes of a profile find in a graph.
pub(super) fn check(graph: &Graph<'_>, edition: Edition, profiles: Profiles) -> Vec<Finding> {
    let mut checker = Checker { graph, edition, profiles, findings: Vec::new(), depth: 0 };
    for (number, node) in graph.nodes.iter().enumerate() {
        for class in &node.types {
            let focus = Focus { number, class: TABLES.label(*class), place: node.place };
            TABLES.rules(*class, edition, profiles).for_each(|rule| checker.rule(&focus, rule));
        }
    }
    checker.findings
}

struct Checker<'a, 'g> {
    graph: &'a Graph<'g>,
    edition: Edition,
    profiles: Profiles,
    findings: Vec<Finding>,
    depth: usize,
}

/// A node being looked at, as one of its classes.
struct Focus<'a> {
    number: usize,
    class: &'a str,
    place: Place,
}

impl Checker<'_, '_> {
    fn find(&mut self, focus: &Focus<'_>, property: Option<&str>, broken: &str, path: String, message: String) {
        if self.findings.len() >= super::MOST_FINDINGS {
            return;
        }
        let rule = match property {
            Some(property) => format_smolstr!("{}.{property}.{broken}", focus.class),
            None => format_smolstr!("{}.{broken}", focus.class),
        };
        let sealed = broken == "min" && property.is_some_and(|property| ADDED_BY_SEALING.contains(&property));
        let fixer = if sealed { Fixer::Operator } else { Fixer::Sender };
        self.findings.push(Finding { rule, origin: Origin::Schema, severity: Severity::Error, fixer, path, message });
    }

    fn rule(&mut self, focus: &Focus<'_>, rule: &Rule) {
        let Some(path) = rule.path else {
            let value = Object::Node(focus.number);
            return self.value(focus, rule, None, &value, focus.place);
        };
        let label = TABLES.label(path);
        let graph = self.graph;
        let values: Vec<&Property<'_>> = graph.values(focus.number, path).collect();
        let here = || graph.path(focus.place) + "/" + label;
        if values.len() < rule.min {
            let message = match (rule.min, ADDED_BY_SEALING.contains(&label)) {
                (1, true) => format!("the {} has no {label}, which sealing adds", focus.class),
                (1, false) => format!("the {} has no {label}", focus.class),
                (min, _) => format!("the {} has {} {label} and needs {min}", focus.class, values.len()),
            };
            self.find(focus, Some(label), "min", here(), message);
        }
        if let Some(max) = rule.max.filter(|max| values.len() > *max) {
            let message = format!("the {} has {} {label}; {max} is allowed", focus.class, values.len());
            self.find(focus, Some(label), "max", here(), message);
        }
        if let Some(id) = rule.value.filter(|id| !values.iter().any(|v| graph.is_id(&v.value, id))) {
            self.find(focus, Some(label), "value", here(), format!("the {label} has to be {id}"));
        }
        if rule.unique {
            self.unique(focus, label, &values);
        }
        for property in values {
            self.value(focus, rule, Some(label), &property.value, property.place);
        }
    }

    /// No two texts in one language.
    fn unique(&mut self, focus: &Focus<'_>, label: &str, values: &[&Property<'_>]) {
        let mut languages: Vec<&str> = values
            .iter()
            .filter_map(|property| match &property.value {
                Object::Literal { language, .. } => language.as_deref(),
                Object::Node(_) => None,
            })
            .collect();
        languages.sort_unstable();
        if let Some(twice) = languages.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("the {} has two {label} in the language {}", focus.class, twice[0]);
            self.find(focus, Some(label), "unique", self.graph.path(focus.place) + "/" + label, message);
        }
    }

    /// One value against a rule.
    fn value(&mut self, focus: &Focus<'_>, rule: &Rule, label: Option<&str>, value: &Object<'_>, place: Place) {
        let graph = self.graph;
        let what = label.unwrap_or(focus.class);
        let mut broken: Option<(&str, String)> = None;
        if let Some(class) = rule.class.filter(|class| !graph.is(value, *class)) {
            broken = Some(("class", format!("the {what} has to be a node of type {}", TABLES.label(class))));
        }
        if let Some(datatype) = rule.datatype.filter(|datatype| !is_of(value, *datatype)) {
            broken = Some(("datatype", format!("the {what} has to be {}", described(datatype))));
        }
        match (rule.iri, value) {
            (Some(true), Object::Node(node)) if graph.nodes[*node].id.is_some() => {}
            (Some(false), Object::Literal { .. }) | (None, _) => {}
            (Some(true), _) => broken = Some(("kind", format!("the {what} has to be a node with an id"))),
            (Some(false), _) => broken = Some(("kind", format!("the {what} has to be a text"))),
        }
        if let (Some(most), Object::Literal { text, .. }) = (rule.most, value)
            && text.parse::<i64>().is_ok_and(|number| number > most)
        {
            broken = Some(("most", format!("the {what} is at most {most}")));
        }
        if !rule.any.is_empty() && !rule.any.iter().any(|option| self.is_option(value, option, place)) {
            let options: Vec<&str> = rule.any.iter().map(|o| o.rsplit(':').next().unwrap_or(o)).collect();
            broken = Some(("any", format!("the {what} has to be one of {}", options.join(", "))));
        }
        if let Some((broken, message)) = broken {
            self.find(focus, label, broken, graph.path(place), message);
        }
        if let Some(shape) = rule.node {
            let rule = format_smolstr!("{}.{what}.node", focus.class);
            let findings = self.against(value, shape, place);
            self.findings.extend(findings.into_iter().map(|finding| Finding { rule: rule.clone(), ..finding }));
        }
    }

    /// What a shape finds in a value.
    fn against(&self, value: &Object<'_>, shape: &str, place: Place) -> Vec<Finding> {
        let mut inner = Checker { findings: Vec::new(), depth: self.depth + 1, ..*self };
        if inner.depth > DEPTH {
            return Vec::new();
        }
        let class = shape.trim_end_matches("NodeShape").trim_end_matches("Restriction");
        match value {
            Object::Node(number) => {
                let focus = Focus { number: *number, class, place };
                TABLES.shape(shape, self.edition, self.profiles).for_each(|rule| inner.rule(&focus, rule));
            }
            Object::Literal { .. } => {
                let focus = Focus { number: 0, class, place };
                let demands = |rule: &Rule| rule.path.is_none() || rule.min > 0 || rule.value.is_some();
                if TABLES.shape(shape, self.edition, self.profiles).any(demands) {
                    let message = format!("a {class} has to be a node");
                    inner.find(&focus, None, "kind", self.graph.path(place), message);
                }
            }
        }
        inner.findings
    }

    fn is_option(&self, value: &Object<'_>, option: &str, place: Place) -> bool {
        if !option.contains(':') {
            return self.against(value, option, place).is_empty();
        }
        TABLES.name(option).is_some_and(|class| self.graph.is(value, class))
    }
}

impl Graph<'_> {
    fn is_id(&self, value: &Object<'_>, id: &str) -> bool {
        matches!(value, Object::Node(node) if self.nodes[*node].id == Some(id))
    }
}

/// True for a literal of a datatype, as far as the official validator looks.
fn is_of(value: &Object<'_>, expected: Name) -> bool {
    match value {
        Object::Literal { language: Some(_), .. } => TABLES.iri(expected).ends_with("#langString"),
        Object::Literal { text, datatype: Some(datatype), language: None } => {
            *datatype == expected && lexical::form(text, TABLES.iri(expected)) != Form::Wrong
        }
        _ => false,
    }
}

fn described(datatype: Name) -> String {
    match TABLES.label(datatype) {
        "langString" => "text with its language".into(),
        "dateTime" => "an instant (2026-11-21T00:00:00Z)".into(),
        "duration" => "a duration (PT60H)".into(),
        "anyURI" => "a web address".into(),
        "HTML" => "text in HTML".into(),
        other => format!("a literal of type {other}"),
    }
}

/// Literals that the official validator bears and XML Schema does not, in any node.
pub(super) fn borne(graph: &Graph<'_>) -> Vec<Finding> {
    let literals = graph.nodes.iter().flat_map(|Node { properties, .. }| properties);
    let found = literals.filter_map(|property| match &property.value {
        Object::Literal { text, datatype: Some(datatype), language: None } => {
            let borne = lexical::form(text, TABLES.iri(*datatype)) == Form::Borne;
            borne.then(|| {
                let message = format!("strict readers want {}", described(*datatype));
                super::reading("lexical_form", Severity::Error, graph.path(property.place), message)
            })
        }
        _ => None,
    });
    found.take(super::MOST_FINDINGS).collect()
}
