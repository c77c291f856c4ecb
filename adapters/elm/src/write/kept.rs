//! What was kept as it was: written again with ids of this credential, each image once.

use super::{Image, Writer};
use crate::rest::Section;
use serde_json::{Map, Value};

impl<'a> Writer<'a, '_> {
    /// The members of a section but those that are written with typed ones.
    pub(super) fn rest(&mut self, section: Section<'a>, but: &[&str]) {
        for (name, value) in section.members().filter(|(name, _)| !but.contains(&name.as_str())) {
            self.json.key(name);
            self.value(value);
        }
    }

    /// A member with one typed value, if there is one, and those that were kept.
    pub(super) fn joined(&mut self, name: &str, typed: bool, kept: Section<'a>, write: impl FnOnce(&mut Self)) {
        let kept = kept.values(name);
        if kept.is_empty() && !typed {
            return;
        }
        self.json.key(name);
        if !kept.is_empty() {
            self.json.open(b'[');
        }
        if typed {
            write(self);
        }
        if !kept.is_empty() {
            self.elements(kept);
            self.json.close(b']');
        }
    }

    /// Further elements of an array.
    pub(super) fn elements(&mut self, values: &'a [Value]) {
        for value in values {
            self.json.element();
            self.value(value);
        }
    }

    fn value(&mut self, value: &'a Value) {
        match value {
            Value::Object(members) => self.object(members),
            Value::Array(values) => {
                self.json.open(b'[');
                self.elements(values);
                self.json.close(b']');
            }
            Value::String(text) => drop(self.json.string(text)),
            other => drop(self.json.raw(other.to_string().as_bytes())),
        }
    }

    fn object(&mut self, members: &'a Map<String, Value>) {
        let node_type = members.get("type").and_then(Value::as_str);
        let content = members.get("content").and_then(Value::as_str).filter(|_| node_type == Some("MediaObject"));
        if let Some(image) = self.images.iter().find(|image| Some(image.content) == content) {
            self.json.raw(image.mention.clone().as_bytes());
            return;
        }
        let start = self.json.position();
        self.json.open(b'{');
        let id = node_type.filter(|_| !members.contains_key("id")).map(|node_type| self.new_id(node_type));
        if let Some(id) = &id {
            self.json.key("id").string(id);
        }
        for (name, value) in members {
            self.json.key(name);
            self.value(value);
        }
        self.json.close(b'}');
        if let (Some(content), Some(id)) = (content, id) {
            let mention = format!(r#"{{"id":"{id}","type":"MediaObject"}}"#);
            self.images.push(Image { content, mention, place: start..self.json.position() });
        }
    }

    /// An id for a node, by the name its type has in ids.
    fn new_id(&mut self, node_type: &str) -> String {
        let kind = match node_type {
            "Organisation" => "org".to_owned(),
            other => other.chars().take(1).flat_map(char::to_lowercase).chain(other.chars().skip(1)).collect(),
        };
        format!("urn:epass:{kind}:{}", self.number(&kind))
    }

    /// What was written from a position on, with mentions in place of the images in it.
    pub(super) fn without_images(&self, start: usize) -> Vec<u8> {
        let (written, mut at) = (self.json.since(start), 0);
        let mut short = Vec::with_capacity(written.len());
        for image in self.images.iter().filter(|image| image.place.start >= start) {
            let place = image.place.start - start..image.place.end - start;
            short.extend_from_slice(&written[at..place.start]);
            short.extend_from_slice(image.mention.as_bytes());
            at = place.end;
        }
        short.extend_from_slice(&written[at..]);
        short
    }
}
