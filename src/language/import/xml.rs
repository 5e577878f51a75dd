//! XML to a tree with places, as plain as TwiML needs it.
//!
//! Knows no TwiML. Namespaces are not resolved, processing instructions and the document type are passed over.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};

/// The deepest nesting that is read. A TOML reader must follow it, and that of this program ends at 80 brackets.
const MAX_DEPTH: usize = 32;

/// What stands between two tags, or one element with all that is in it.
#[derive(Debug)]
pub(super) enum Node {
    /// Text, its entities and CDATA sections resolved.
    Text(Text),
    /// A nested element.
    Element(Element),
    /// A comment, without its brackets.
    Comment(String),
}

/// Text with the byte at which it begins, leading blanks left aside.
#[derive(Debug)]
pub(super) struct Text {
    pub text: String,
    pub at: usize,
}

/// An element.
#[derive(Debug)]
pub(super) struct Element {
    pub name: String,
    /// The byte of its `<`.
    pub at: usize,
    pub attributes: Vec<Attribute>,
    pub content: Vec<Node>,
}

/// An attribute, its entities resolved.
#[derive(Debug)]
pub(super) struct Attribute {
    pub name: String,
    pub value: String,
    /// The byte at which its name begins.
    pub at: usize,
}

/// A whole document.
#[derive(Debug)]
pub(super) struct Document {
    /// The comments above and below the root, in order.
    pub comments: Vec<String>,
    pub root: Element,
}

/// Why a text is no XML, and at which byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct XmlError {
    pub at: usize,
    pub message: String,
}

/// Reads a document.
///
/// # Errors
///
/// It is not well formed, has no root or two, has text outside of it, refers to an entity that XML does not define,
/// holds a character that XML cannot carry, or is nested deeper than [`MAX_DEPTH`].
pub(super) fn parse(text: &str) -> Result<Document, XmlError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut tree = Builder::default();
    loop {
        let at = offset(reader.buffer_position());
        let event = reader
            .read_event()
            .map_err(|error| not_xml(offset(reader.error_position()), &error))?;
        match event {
            Event::Start(start) => {
                let element = element(&start, at)?;
                tree.open(element)?;
            }
            Event::Empty(start) => {
                let element = element(&start, at)?;
                tree.open(element)?;
                tree.close(at)?;
            }
            // The reader has compared the names already.
            Event::End(_) => tree.close(at)?,
            Event::Text(piece) => tree.text(&piece.xml10_content(), at)?,
            Event::CData(piece) => tree.text(&piece.xml10_content(), at)?,
            Event::GeneralRef(reference) => tree.text(&resolve(&reference, at)?, at)?,
            Event::Comment(comment) => tree.comment(comment.xml10_content().into_owned()),
            Event::Decl(_) if !tree.is_before_root() => {
                return Err(error(at, "the XML declaration stands at the top only"));
            }
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => return tree.finish(text.len()),
        }
    }
}

/// What has been read so far.
#[derive(Default)]
struct Builder {
    comments: Vec<String>,
    /// The elements that are open, the root first.
    open: Vec<Element>,
    root: Option<Element>,
}

impl Builder {
    fn is_before_root(&self) -> bool {
        self.root.is_none() && self.open.is_empty()
    }

    fn open(&mut self, element: Element) -> Result<(), XmlError> {
        if self.root.is_some() {
            let message = format!("<{}> stands behind the end of the document", element.name);
            return Err(error(element.at, message));
        }
        if self.open.len() == MAX_DEPTH {
            let message = format!("elements are nested deeper than {MAX_DEPTH}");
            return Err(error(element.at, message));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self, at: usize) -> Result<(), XmlError> {
        let closed = self
            .open
            .pop()
            .ok_or_else(|| error(at, "an end tag without its start"))?;
        match self.open.last_mut() {
            Some(parent) => parent.content.push(Node::Element(closed)),
            None => self.root = Some(closed),
        }
        Ok(())
    }

    /// Adds a piece of text to the text before it, because an entity or a CDATA section does not part a text.
    fn text(&mut self, piece: &str, at: usize) -> Result<(), XmlError> {
        let blanks = piece.len() - piece.trim_start().len();
        if let Some(bad) = piece.find(|character| !is_xml(character)) {
            return Err(error(at + bad, "a character that XML cannot carry"));
        }
        let Some(parent) = self.open.last_mut() else {
            if blanks == piece.len() {
                return Ok(());
            }
            let message = if self.root.is_none() {
                "this is not XML: it begins with text"
            } else {
                "text behind the end of the document"
            };
            return Err(error(at + blanks, message));
        };
        let at = at + blanks;
        match parent.content.last_mut() {
            Some(Node::Text(before)) => {
                if before.text.trim().is_empty() {
                    before.at = at;
                }
                before.text.push_str(piece);
            }
            _ => parent.content.push(Node::Text(Text {
                text: piece.to_owned(),
                at,
            })),
        }
        Ok(())
    }

    fn comment(&mut self, comment: String) {
        match self.open.last_mut() {
            Some(parent) => parent.content.push(Node::Comment(comment)),
            None => self.comments.push(comment),
        }
    }

    fn finish(mut self, end: usize) -> Result<Document, XmlError> {
        if let Some(open) = self.open.pop() {
            let message = format!("<{}> is never closed", open.name);
            return Err(error(open.at, message));
        }
        let root = self
            .root
            .ok_or_else(|| error(end, "there is no element in it"))?;
        Ok(Document {
            comments: self.comments,
            root,
        })
    }
}

fn element(start: &BytesStart<'_>, at: usize) -> Result<Element, XmlError> {
    let name = start.name().0.to_owned();
    if !name.starts_with(|first: char| first.is_alphabetic() || "_:".contains(first)) {
        return Err(error(at, format!("\"{name}\" cannot be a tag's name")));
    }
    // What stands between the name and the end of the tag, and where it begins in the file.
    let raw = start.attributes_raw();
    let begin = at + 1 + name.len();
    let mut attributes = Vec::new();
    let mut read = 0;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|cause| bad_attribute(at, &cause))?;
        let key = attribute.key.0;
        // Only blanks lie between two attributes, so the next occurrence of the name is the name itself.
        let found = read + raw[read..].find(key).unwrap_or_default();
        let quote = raw[found..].find(['"', '\'']).unwrap_or_default();
        read = (found + quote + attribute.value.len() + 2).min(raw.len());
        let at = begin + found;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|cause| not_xml(at, &cause))?;
        if !value.chars().all(is_xml) {
            return Err(error(at, "a character that XML cannot carry"));
        }
        attributes.push(Attribute {
            name: key.to_owned(),
            value: value.into_owned(),
            at,
        });
    }
    Ok(Element {
        name,
        at,
        attributes,
        content: Vec::new(),
    })
}

/// The text that `&name;` or `&#65;` stands for.
fn resolve<'r>(reference: &'r BytesRef<'_>, at: usize) -> Result<Cow<'r, str>, XmlError> {
    if let Some(character) = reference
        .resolve_char_ref()
        .map_err(|cause| not_xml(at, &cause))?
    {
        return Ok(character.to_string().into());
    }
    resolve_predefined_entity(reference)
        .map(Cow::Borrowed)
        .ok_or_else(|| {
            let message = format!("XML has no entity &{}; of its own", &**reference);
            error(at, message)
        })
}

fn bad_attribute(at: usize, cause: &AttrError) -> XmlError {
    let (within, what) = match cause {
        AttrError::ExpectedEq(within) => (*within, "an attribute has no value"),
        AttrError::ExpectedValue(within) => (*within, "an attribute's value is missing"),
        AttrError::UnquotedValue(within) => (*within, "an attribute's value has no quotes"),
        AttrError::ExpectedQuote(within, _) => (*within, "an attribute's value is not closed"),
        AttrError::Duplicated(within, _) => (*within, "an attribute stands twice in one tag"),
    };
    // Their places count from behind the `<`.
    error(at + 1 + within, what)
}

fn not_xml(at: usize, cause: &Error) -> XmlError {
    error(at, format!("this is not XML: {cause}"))
}

fn error(at: usize, message: impl Into<String>) -> XmlError {
    XmlError {
        at,
        message: message.into(),
    }
}

/// A place in a text that is in memory, whose length a `usize` counts.
fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// Whether XML 1.0 can carry a character.
///
/// Source: production 2, <https://www.w3.org/TR/xml/#NT-Char>.
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element in one line, with the places of all that it holds.
    fn drawn(element: &Element) -> String {
        use std::fmt::Write;
        let mut text = format!("{}@{}", element.name, element.at);
        for attribute in &element.attributes {
            let (name, value, at) = (&attribute.name, &attribute.value, attribute.at);
            let _ = write!(text, " {name}@{at}={value:?}");
        }
        for node in &element.content {
            let _ = match node {
                Node::Text(piece) => write!(text, " {:?}@{}", piece.text, piece.at),
                Node::Element(element) => write!(text, " [{}]", drawn(element)),
                Node::Comment(comment) => write!(text, " #{comment:?}"),
            };
        }
        text
    }

    #[test]
    fn elements_attributes_and_texts_have_their_places() {
        for (text, tree) in [
            ("<a/>", "a@0"),
            ("<?xml version=\"1.0\"?>\n<a />", "a@22"),
            (
                "<a x = '1'  xx=\"x='2'\"/>",
                "a@0 x@3=\"1\" xx@12=\"x='2'\"",
            ),
            ("<a x='xb' b=''/>", "a@0 x@3=\"xb\" b@10=\"\""),
            (
                "<a x=\"&amp;&#233; \n&quot;\">t</a>",
                "a@0 x@3=\"&é  \\\"\" \"t\"@27",
            ),
            (
                "<a> \n one &lt;<![CDATA[<two> &amp;]]>&#x21;<!-- c --><b>x</b> </a>",
                "a@0 \" \\n one <<two> &amp;!\"@6 #\" c \" [b@53 \"x\"@56] \" \"@62",
            ),
            (
                "<!DOCTYPE a><?pi x?><a>1\r\n2\r3</a>",
                "a@20 \"1\\n2\\n3\"@23",
            ),
        ] {
            let document = parse(text).expect(text);
            assert_eq!(drawn(&document.root), tree, "{text}");
        }
    }

    #[test]
    fn comments_outside_of_the_root_are_kept() {
        let document = parse("<!--a--><r><!--b--></r><!--c-->").expect("a document");
        assert_eq!(document.comments, ["a", "c"]);
        assert_eq!(drawn(&document.root), "r@8 #\"b\"");
    }

    #[test]
    fn what_is_not_xml_has_a_place() {
        let deep = "<a>".repeat(40);
        for (text, at, message) in [
            ("", 0, "there is no element in it"),
            ("  ", 2, "there is no element in it"),
            (
                "<a",
                0,
                "this is not XML: syntax error: tag not closed: `>` not found before end of input",
            ),
            ("hello", 0, "this is not XML: it begins with text"),
            (" hello <a/>", 1, "this is not XML: it begins with text"),
            ("<a>", 0, "<a> is never closed"),
            (
                "<a><b></a>",
                6,
                "this is not XML: ill-formed document: expected `</b>`, but `</a>` was found",
            ),
            ("<a/><b/>", 4, "<b> stands behind the end of the document"),
            ("<a/>x", 4, "text behind the end of the document"),
            ("<a>&nbsp;</a>", 3, "XML has no entity &nbsp; of its own"),
            (
                "<a>&#0;</a>",
                3,
                "this is not XML: invalid character reference: 0x0 character is not permitted in XML",
            ),
            ("<a>&#7;</a>", 3, "a character that XML cannot carry"),
            ("<a>\u{8}</a>", 3, "a character that XML cannot carry"),
            ("<a x='&#7;'/>", 3, "a character that XML cannot carry"),
            ("<a x/>", 4, "an attribute has no value"),
            ("<a x=1/>", 5, "an attribute's value has no quotes"),
            (
                "<a x='1' x='2'/>",
                9,
                "an attribute stands twice in one tag",
            ),
            (
                "<a x='&b;'/>",
                3,
                "this is not XML: at 1..2: unrecognized entity `b`",
            ),
            ("<1/>", 0, "\"1\" cannot be a tag's name"),
            (
                "<a><?xml version=\"1.0\"?></a>",
                3,
                "the XML declaration stands at the top only",
            ),
            (deep.as_str(), 96, "elements are nested deeper than 32"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
        }
    }
}
