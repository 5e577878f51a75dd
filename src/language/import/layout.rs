//! A draft as TOML: an element a line, nested arrays indented, every array with a comma at its end.

use std::ops::Range;

use super::draft::{Attribute, Draft, Element, Id, Node, Value};
use super::strings::{COLUMNS, quoted, string};
use crate::twilio::channel::Channel;

/// Where a part of the draft stands in the TOML, and where it stood in the document.
#[derive(Debug)]
pub(super) struct Place {
    /// Its bytes in the TOML.
    pub range: Range<usize>,
    pub id: Id,
    /// Its byte in the document.
    pub at: usize,
    /// How it is called in a note.
    pub what: String,
}

/// The TOML of a route, and the places of all that is in it.
pub(super) fn write(draft: &Draft) -> (String, Vec<Place>) {
    let mut writer = Writer::default();
    for comment in &draft.comments {
        writer.comment(comment, 0);
    }
    let asks = match draft.channel {
        Channel::Voice => "call",
        Channel::Message => "text",
    };
    writer.push("[[route]]\nname = ");
    writer.push(&quoted(&draft.name));
    writer.push(&format!(
        "\n# Without a condition it answers every {asks}: when = {{ Called = \"+15005550006\" }}\n{} = ",
        draft.channel
    ));
    if draft.verbs.is_empty() {
        writer.push("[]");
    } else {
        writer.lines(&draft.verbs, 0);
    }
    writer.push("\n");
    (writer.text, writer.places)
}

#[derive(Default)]
struct Writer {
    text: String,
    places: Vec<Place>,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn indent(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }

    /// The column that comes next.
    fn column(&self) -> usize {
        let start = self.text.rfind('\n').map_or(0, |at| at + 1);
        self.text[start..].chars().count()
    }

    /// An array with a line for each of its nodes.
    fn lines(&mut self, nodes: &[Node], indent: usize) {
        self.push("[\n");
        for node in nodes {
            match node {
                Node::Comment(comment) => self.comment(comment, indent + 2),
                Node::Text(text) => {
                    self.indent(indent + 2);
                    self.push(&string(text, indent + 4));
                    self.push(",\n");
                }
                Node::Element(element) => {
                    self.indent(indent + 2);
                    self.element(element, indent + 2, false);
                    self.push(",\n");
                }
            }
        }
        self.indent(indent);
        self.push("]");
    }

    fn comment(&mut self, comment: &str, indent: usize) {
        let printable = |character: char| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        };
        for line in comment
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let line: String = line.chars().map(printable).collect();
            self.indent(indent);
            self.push(&format!("# {line}\n"));
        }
    }

    fn element(&mut self, element: &Element, indent: usize, one_line: bool) {
        let start = self.text.len();
        self.push(&format!("{{ {} = ", element.tag));
        self.content(&element.content, indent, one_line);
        for attribute in &element.attributes {
            self.attribute(attribute, element.tag, indent, one_line);
        }
        self.push(" }");
        self.places.push(Place {
            range: start..self.text.len(),
            id: element.id,
            at: element.at,
            what: format!("<{}>", element.tag),
        });
    }

    fn content(&mut self, content: &[Node], indent: usize, one_line: bool) {
        match content {
            [] => self.push("\"\""),
            [Node::Text(text)] if one_line => self.push(&quoted(text)),
            [Node::Text(text)] => self.push(&string(text, indent + 2)),
            nodes if one_line => self.one_line(nodes, indent),
            nodes => {
                // Words with tags in them stay together on a line when they fit.
                let has_text = nodes.iter().any(|node| matches!(node, Node::Text(_)));
                let (length, count) = (self.text.len(), self.places.len());
                if has_text {
                    self.one_line(nodes, indent);
                    if self.column() <= COLUMNS {
                        return;
                    }
                    self.text.truncate(length);
                    self.places.truncate(count);
                }
                self.lines(nodes, indent);
            }
        }
    }

    fn one_line(&mut self, nodes: &[Node], indent: usize) {
        self.push("[");
        for (position, node) in nodes.iter().enumerate() {
            self.push(if position == 0 { " " } else { ", " });
            match node {
                Node::Text(text) => self.push(&quoted(text)),
                Node::Element(element) => self.element(element, indent, true),
                // Only arrays with a line for each node have comments.
                Node::Comment(_) => {}
            }
        }
        self.push(" ]");
    }

    fn attribute(&mut self, attribute: &Attribute, tag: &str, indent: usize, one_line: bool) {
        self.push(", ");
        let start = self.text.len();
        let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if attribute.name.bytes().all(is_bare) {
            self.push(attribute.name);
        } else {
            self.push(&quoted(attribute.name));
        }
        self.push(" = ");
        match &attribute.value {
            Value::Text(text) if one_line => self.push(&quoted(text)),
            Value::Text(text) => self.push(&string(text, indent + 2)),
            Value::Integer(number) => self.push(&number.to_string()),
            Value::Boolean(boolean) => self.push(&boolean.to_string()),
        }
        self.places.push(Place {
            range: start..self.text.len(),
            id: attribute.id,
            at: attribute.at,
            what: format!("`{}` of <{tag}>", attribute.name),
        });
    }
}
