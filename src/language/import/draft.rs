//! The route being written, and its TOML: one element per line, nested arrays indented, long texts folded.
//!
//! Each part knows the byte of the document that it came from. No two parts share a byte.

use std::fmt::Write;
use std::ops::Range;

use crate::table::remedy::{escaped, quoted};
use crate::twilio::channel::Channel;

/// The most columns that a line should have.
const COLUMNS: usize = 100;

/// A `[[route]]` and the comments above it.
pub(super) struct Draft<'d> {
    pub name: String,
    pub channel: Channel,
    pub comments: Vec<&'d str>,
    pub verbs: Vec<DraftNode>,
}

/// One line in an array of elements, or a piece of text among elements.
pub(super) enum DraftNode {
    Text { at: usize, text: String },
    Element(DraftElement),
    Comment(String),
}

/// An element that TwiML allows at its place.
pub(super) struct DraftElement {
    pub at: usize,
    pub tag: &'static str,
    pub attributes: Vec<DraftAttribute>,
    pub content: Vec<DraftNode>,
}

pub(super) struct DraftAttribute {
    pub at: usize,
    /// Whether it names the recipient: without it, the element would go to somebody else.
    pub is_recipient: bool,
    pub name: String,
    pub value: String,
    /// Whether the value is written without quotes: a number, true or false.
    pub is_bare: bool,
}

/// Where a part of the draft is in the TOML, and where it was in the document.
pub(super) struct Place {
    /// Its bytes in the TOML.
    pub range: Range<usize>,
    /// Its byte in the document.
    pub at: usize,
    /// The element that must go too if this part goes, because it would reach somebody else: its byte and its tag.
    pub recipient_of: Option<(usize, &'static str)>,
    /// Its name in notes.
    pub what: String,
}

/// The elements among some nodes.
pub(super) fn elements(nodes: &[DraftNode]) -> impl Iterator<Item = &DraftElement> {
    nodes.iter().filter_map(|node| match node {
        DraftNode::Element(element) => Some(element),
        DraftNode::Text { .. } | DraftNode::Comment(_) => None,
    })
}

/// Removes the parts that came from refused bytes of the document, and everything inside them.
pub(super) fn remove(nodes: &mut Vec<DraftNode>, is_refused: &dyn Fn(usize) -> bool) {
    nodes.retain_mut(|node| {
        let DraftNode::Element(element) = node else {
            return true;
        };
        let attributes = &mut element.attributes;
        attributes.retain(|attribute| !is_refused(attribute.at));
        remove(&mut element.content, is_refused);
        !is_refused(element.at)
    });
}

impl Draft<'_> {
    /// The TOML of the route, and the places of its parts. Inner parts come before the part that contains them.
    pub(super) fn write(&self) -> (String, Vec<Place>) {
        let asks = asks(self.channel);
        let mut writer = DraftWriter::default();
        for comment in &self.comments {
            writer.text += &comment_lines(comment, 0);
        }
        let _ = write!(
            writer.text,
            "[[route]]\nname = {}\n\
             # Without a condition, it answers every {asks}. To change that: when = {{ Called = \"+15005550006\" }}\n\
             {} = ",
            quoted(&self.name),
            self.channel
        );
        if self.verbs.is_empty() {
            writer.text += "[]";
        } else {
            writer.lines(&self.verbs, 0);
        }
        writer.text += "\n";
        (writer.text, writer.places)
    }
}

/// The word for what a channel answers.
pub(super) fn asks(channel: Channel) -> &'static str {
    match channel {
        Channel::Voice => "call",
        Channel::Message => "text",
    }
}

/// What has been written so far. A part without an indentation is written on one line, any other on several.
#[derive(Default)]
struct DraftWriter {
    text: String,
    places: Vec<Place>,
}

impl DraftWriter {
    /// Writes an array with one line for each node.
    fn lines(&mut self, nodes: &[DraftNode], indent: usize) {
        self.text += "[\n";
        let inner = indent + 2;
        for node in nodes {
            if let DraftNode::Comment(comment) = node {
                self.text += &comment_lines(comment, inner);
            } else {
                self.text += &" ".repeat(inner);
                self.node(node, Some(inner));
                self.text += ",\n";
            }
        }
        self.text += &" ".repeat(indent);
        self.text += "]";
    }

    /// Writes an array on one line. Its nodes must not include a comment.
    fn one_line(&mut self, nodes: &[DraftNode]) {
        self.text += "[";
        for (position, node) in nodes.iter().enumerate() {
            self.text += if position == 0 { " " } else { ", " };
            self.node(node, None);
        }
        self.text += " ]";
    }

    fn node(&mut self, node: &DraftNode, indent: Option<usize>) {
        match node {
            DraftNode::Text { text, .. } => self.string(text, indent),
            DraftNode::Element(element) => self.element(element, indent),
            DraftNode::Comment(_) => {}
        }
    }

    fn string(&mut self, text: &str, indent: Option<usize>) {
        self.text += &match indent {
            None => quoted(text),
            Some(indent) => string(text, indent + 2),
        };
    }

    fn element(&mut self, element: &DraftElement, indent: Option<usize>) {
        let (start, tag) = (self.text.len(), element.tag);
        let _ = write!(self.text, "{{ {tag} = ");
        self.content(&element.content, indent);
        for attribute in &element.attributes {
            let (name, value) = (&attribute.name, &attribute.value);
            self.text += ", ";
            let start = self.text.len();
            let is_bare_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if name.bytes().all(is_bare_key) {
                self.text += name;
            } else {
                self.text += &quoted(name);
            }
            self.text += " = ";
            if attribute.is_bare {
                self.text += value;
            } else {
                self.string(value, indent);
            }
            let what = format!("`{name}` of <{tag}>");
            self.place(start, attribute.at, what);
            let place = self.places.last_mut().expect("one was pushed just now");
            place.recipient_of = attribute.is_recipient.then_some((element.at, tag));
        }
        self.text += " }";
        self.place(start, element.at, format!("<{tag}>"));
    }

    fn content(&mut self, content: &[DraftNode], indent: Option<usize>) {
        match (content, indent) {
            ([], _) => self.text += "\"\"",
            ([DraftNode::Text { text, .. }], _) => self.string(text, indent),
            (nodes, None) => self.one_line(nodes),
            (nodes, Some(indent)) => {
                // Words and the tags among them stay on one line if they fit.
                if nodes
                    .iter()
                    .any(|node| matches!(node, DraftNode::Text { .. }))
                {
                    let (length, count) = (self.text.len(), self.places.len());
                    self.one_line(nodes);
                    let line = self.text.rsplit('\n').next().unwrap_or_default();
                    if line.chars().count() <= COLUMNS {
                        return;
                    }
                    self.text.truncate(length);
                    self.places.truncate(count);
                }
                self.lines(nodes, indent);
            }
        }
    }

    fn place(&mut self, start: usize, at: usize, what: String) {
        let range = start..self.text.len();
        self.places.push(Place {
            range,
            at,
            recipient_of: None,
            what,
        });
    }
}

/// A text as TOML comments, indented by this many spaces.
pub(super) fn comment_lines(text: &str, indent: usize) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let margin = " ".repeat(indent);
    let comment = |line: &str| format!("{margin}# {}\n", line.replace(char::is_control, " "));
    lines.map(comment).collect()
}

/// A text as a TOML string. Lines after the first are indented by this many spaces.
///
/// Source: <https://toml.io/en/v1.0.0#string>.
fn string(text: &str, indent: usize) -> String {
    let is_long = text.chars().count() + indent > COLUMNS - 10 && text.contains(' ');
    if is_long || text.contains('\n') {
        folded(text, indent)
    } else {
        quoted(text)
    }
}

/// A text as a multi-line string. Each line ends in a backslash, which removes the line break and the indentation that
/// follow it.
fn folded(text: &str, indent: usize) -> String {
    let width = COLUMNS.saturating_sub(indent).max(20);
    // Three quotes in a row would close the string; a leading space would be read as indentation.
    let written = |line: &str| {
        let line = escaped(line).replace("\"\"\"", "\"\"\\\"");
        match line.strip_prefix(' ') {
            Some(rest) => format!("\\u0020{rest}"),
            None => line,
        }
    };
    let fits = |line: &str, word: &str| {
        let columns = written(line).chars().count() + word.trim_end_matches('\n').chars().count();
        word == "\n" || (columns <= width && !line.ends_with('\n'))
    };
    // A quote at the end would be read as part of the closing ones.
    let (body, end) = match text.strip_suffix('"') {
        Some(body) => (body, "\\\""),
        None => (text, ""),
    };
    let mut lines: Vec<String> = Vec::new();
    for word in body.split_inclusive([' ', '\n']) {
        match lines.last_mut() {
            Some(line) if fits(line, word) => *line += word,
            _ => lines.push(word.to_owned()),
        }
    }
    let margin = " ".repeat(indent);
    let line = |line: &String| format!("\\\n{margin}{}", written(line));
    let lines: String = lines.iter().map(line).collect();
    format!("\"\"\"{lines}{end}\"\"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(string: &str) -> String {
        let file = format!("x = {string}\n");
        let (table, errors) = toml::de::DeTable::parse_recoverable(&file);
        assert!(errors.is_empty(), "{file}{errors:?}");
        let value = table.get_ref().get("x").expect("x is there");
        value.get_ref().as_str().expect("a string").to_owned()
    }

    #[test]
    fn texts_are_written_as_a_person_would() {
        for (text, string) in [
            ("", "\"\""),
            ("it's", "\"it's\""),
            ("a \"b\" \\", "'a \"b\" \\'"),
            ("it's \"b\"", "\"it's \\\"b\\\"\""),
            ("a\tb\u{7f}\r", "\"a\\tb\\u007F\\r\""),
            ("\"One\"\nTwo", "\"\"\"\\\n    \"One\"\\n\\\n    Two\"\"\""),
            ("One\nTwo", "\"\"\"\\\n    One\\n\\\n    Two\"\"\""),
            (
                "One\n\n  \"Two\"",
                "\"\"\"\\\n    One\\n\\n\\\n    \\u0020 \"Two\\\"\"\"\"",
            ),
        ] {
            assert_eq!(super::string(text, 4), string, "{text}");
            assert_eq!(read_back(string), text);
        }
    }

    #[test]
    fn a_long_text_is_folded_between_its_words() {
        let text = "word ".repeat(30);
        let string = super::string(&text, 4);
        assert!(
            string
                .lines()
                .all(|line| line.chars().count() <= COLUMNS + 1),
            "{string}"
        );
        assert_eq!(string.lines().count(), 3);
        assert_eq!(read_back(&string), text);
        // A line may use the full width, both for a short text and for each line of a long one.
        let full = "a ".repeat(43);
        assert_eq!(super::string(&full, 4), format!("\"{full}\""));
        assert_eq!(super::string(&(full + "a"), 4).lines().count(), 2);
        let full = "three words ".repeat(8);
        assert_eq!(
            super::string(&full.repeat(2), 4),
            format!("\"\"\"\\\n    {full}\\\n    {full}\"\"\"")
        );
        let url = "x".repeat(300);
        assert_eq!(super::string(&url, 4), format!("\"{url}\""));
    }

    proptest::proptest! {
        #[test]
        fn a_string_reads_back(text in "([ \"'\\\\\n\t\r]|[a-z]|\\PC|\\p{Cc}|word word word word word ){0,60}", indent in 0..40usize) {
            proptest::prop_assert_eq!(read_back(&super::string(&text, indent)), text);
        }
    }
}
