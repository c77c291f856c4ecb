//! XML documents as trees, to compare them as data without the adapters' own reading.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// Its local name.
    pub name: String,
    /// Its attributes, sorted; no namespace declarations, no `xsi` ones.
    pub attributes: Vec<(String, String)>,
    /// Its text and that of its references, as it stands.
    pub text: String,
    /// Its children.
    pub children: Vec<Element>,
}

impl Element {
    /// The root of a document.
    ///
    /// # Errors
    /// If it is not well formed.
    pub fn read(document: &str) -> Result<Self, quick_xml::Error> {
        let mut reader = Reader::from_str(document.trim_start_matches('\u{feff}'));
        reader.config_mut().expand_empty_elements = true;
        let mut open = vec![Self { name: String::new(), attributes: vec![], text: String::new(), children: vec![] }];
        loop {
            match reader.read_event()? {
                Event::Start(tag) => open.push(Self::opened(&tag)?),
                Event::End(_) => {
                    if let (Some(child), Some(parent)) = (open.pop(), open.last_mut()) {
                        parent.children.push(child);
                    }
                }
                Event::Text(text) => add(&mut open, &text.xml10_content()),
                Event::CData(text) => add(&mut open, &text.xml10_content()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                    Some(c) => add(&mut open, c.encode_utf8(&mut [0; 4])),
                    None => add(&mut open, resolve_predefined_entity(&reference).unwrap_or("?")),
                },
                Event::Eof => break,
                _ => {}
            }
        }
        let root = open.pop().and_then(|mut document| document.children.pop());
        root.ok_or_else(|| quick_xml::Error::from(std::io::Error::other("no root")))
    }

    fn opened(tag: &BytesStart<'_>) -> Result<Self, quick_xml::Error> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute?;
            let name = attribute.key.as_ref();
            if !name.starts_with("xmlns") && !name.starts_with("xsi:") {
                let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0)?;
                attributes.push((name.to_owned(), value.into_owned()));
            }
        }
        attributes.sort();
        let name = tag.local_name().as_ref().to_owned();
        Ok(Self { name, attributes, text: String::new(), children: vec![] })
    }

    /// This element or the first below it with one of these names.
    #[must_use]
    pub fn find(&self, names: &[&str]) -> Option<&Self> {
        if names.contains(&self.name.as_str()) {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(names))
    }

    /// How many elements of a name there are.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        usize::from(self.name == name) + self.children.iter().map(|child| child.count(name)).sum::<usize>()
    }

    /// The document again, in a namespace.
    #[must_use]
    pub fn write(&self, namespace: &str) -> String {
        let mut out = String::new();
        self.write_to(&mut out, Some(namespace));
        out
    }

    fn write_to(&self, out: &mut String, namespace: Option<&str>) {
        use quick_xml::escape::escape;
        out.push('<');
        out.push_str(&self.name);
        let declared = namespace.map(|namespace| ("xmlns", namespace));
        for (name, value) in declared.into_iter().chain(self.attributes.iter().map(|(n, v)| (n.as_str(), v.as_str()))) {
            out.push_str(&format!(" {name}=\"{}\"", escape(value)));
        }
        out.push('>');
        out.push_str(&escape(self.text.as_str()));
        self.children.iter().for_each(|child| child.write_to(out, None));
        out.push_str(&format!("</{}>", self.name));
    }

    /// The element as data: children sorted, white space collapsed, numbers and booleans (by their elements' names) in
    /// one form, and `optional` attributes and elements left out where they are empty.
    #[must_use]
    pub fn as_data(mut self, numbers: &[&str], booleans: &[&str], optional: &[&str]) -> Self {
        let empty = |name: &str, value: &str| value.is_empty() && optional.contains(&name);
        self.attributes.retain(|(name, value)| !empty(name, value));
        self.children = self.children.into_iter().map(|c| c.as_data(numbers, booleans, optional)).collect();
        self.children.retain(|child| !empty(&child.name, &child.text) || !child.children.is_empty());
        self.children.sort();
        self.text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if booleans.contains(&self.name.as_str()) {
            self.text = self.text.replace("true", "1").replace("false", "0");
        }
        if numbers.contains(&self.name.as_str()) {
            let plain = self.text.trim_start_matches('+').trim_start_matches('0');
            let plain = if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.') } else { plain };
            self.text = plain.to_owned();
        }
        self
    }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}
