//! JSON and XML as trees, and the rows in them.
//!
//! `students[]/completions[]` names rows: each element of the list `completions` of each element of `students`. The
//! outermost list is streamed, what is inside one of its elements is held. A column is the path of a leaf below its row
//! (`name/fi`, `@id`, `parts[0]/code`); `../` goes up to what the row stands in.

use super::{Each, MOST_PATHS, Source};
use crate::row::{Cell, Columns, Row};
use silta_adapter::SmolStr;
use silta_adapter::adapter::Unreadable;
use std::collections::BTreeSet;
use std::rc::Rc;

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Leaf(Cell),
    List(Vec<Node>),
    Map(Vec<(SmolStr, Node)>),
}

impl Node {
    fn child(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Map(members) => members.iter().find(|(n, _)| n == name).map(|(_, node)| node),
            _ => None,
        }
    }
}

/// Where rows are: the names that lead to each list.
pub(super) type Lists = [Vec<SmolStr>];

/// Gives the rows of units and remembers their columns.
pub(super) struct Unfolding<'a, 'e> {
    each: &'a mut Each<'e>,
    paths: BTreeSet<SmolStr>,
}

impl<'a, 'e> Unfolding<'a, 'e> {
    pub(super) fn new(each: &'a mut Each<'e>) -> Self {
        Self { each, paths: BTreeSet::new() }
    }

    /// Gives the rows of one element of the outermost list.
    pub(super) fn unit(&mut self, number: u64, unit: &Node, inner: &Lists) -> Result<(), Unreadable> {
        self.below(number, unit, inner, &[])
    }

    fn below(&mut self, number: u64, node: &Node, inner: &Lists, above: &[(SmolStr, Cell)]) -> Result<(), Unreadable> {
        let Some((list, inner)) = inner.split_first() else {
            let mut leaves = above.to_vec();
            flatten(node, "", &mut leaves);
            return self.row(number, leaves);
        };
        let mut around = above.to_vec();
        flatten(&without(node, list), "", &mut around);
        around.iter_mut().for_each(|(name, _)| *name = format!("../{name}").into());
        let found = list.iter().try_fold(node, |at, name| at.child(name));
        match found {
            Some(Node::List(items)) => items.iter().try_for_each(|item| self.below(number, item, inner, &around)),
            // XML does not tell a list of one from a single element, nor an empty row from an empty text.
            Some(item @ (Node::Map(_) | Node::Leaf(Cell::Empty))) => self.below(number, item, inner, &around),
            _ => Ok(()),
        }
    }

    fn row(&mut self, number: u64, leaves: Vec<(SmolStr, Cell)>) -> Result<(), Unreadable> {
        let (names, cells): (Vec<SmolStr>, Vec<Cell>) = leaves.into_iter().unzip();
        for name in &names {
            if self.paths.len() < MOST_PATHS && !self.paths.contains(name) {
                self.paths.insert(name.clone());
            }
        }
        (self.each)(Row { number, columns: Rc::new(Columns::of_tree(names)), cells })
    }

    pub(super) fn finish(self) -> Source {
        Source { format: None, columns: Columns::of_tree(self.paths.into_iter().collect()) }
    }
}

/// A node without what stands at a path, which is read as rows of its own.
fn without(node: &Node, path: &[SmolStr]) -> Node {
    match (node, path) {
        (Node::Map(members), [name, rest @ ..]) => Node::Map(
            members
                .iter()
                .filter(|(n, _)| n != name || !rest.is_empty())
                .map(|(n, child)| (n.clone(), if n == name { without(child, rest) } else { child.clone() }))
                .collect(),
        ),
        _ => node.clone(),
    }
}

fn flatten(node: &Node, path: &str, out: &mut Vec<(SmolStr, Cell)>) {
    match node {
        Node::Leaf(cell) => out.push((if path.is_empty() { "#text" } else { path }.into(), cell.clone())),
        Node::Map(members) => {
            for (name, child) in members {
                let path = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
                flatten(child, &path, out);
            }
        }
        Node::List(items) => {
            let leaf = |item: &Node| match item {
                Node::Leaf(cell) => Some(cell.text().into_owned()),
                _ => None,
            };
            match items.iter().map(leaf).collect::<Option<Vec<String>>>() {
                Some(texts) => out.push((path.into(), Cell::Many(texts))),
                None => items.iter().enumerate().for_each(|(at, item)| flatten(item, &format!("{path}[{at}]"), out)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_know_what_they_stand_in() {
        let leaf = |text: &str| Node::Leaf(Cell::Text(text.into()));
        let map = |members: &[(&str, Node)]| Node::Map(members.iter().map(|(n, v)| ((*n).into(), v.clone())).collect());
        let done = |code: &str| map(&[("code", leaf(code)), ("tags", Node::List(vec![leaf("a"), leaf("b")]))]);
        let unit = map(&[("number", leaf("1")), ("done", map(&[("list", Node::List(vec![done("X"), done("Y")]))]))]);
        let mut rows = Vec::new();
        let mut each = |row: Row| {
            rows.push(["code", "tags", "../number"].map(|name| row.cell(name).text().into_owned()));
            Ok(())
        };
        let mut unfolding = Unfolding::new(&mut each);
        unfolding.unit(1, &unit, &[vec!["done".into(), "list".into()]]).expect("unfolds");
        assert_eq!(unfolding.finish().columns.names(), ["../number", "code", "tags"]);
        assert_eq!(rows, [["X", "a, b", "1"], ["Y", "a, b", "1"]]);
    }
}
