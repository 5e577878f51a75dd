//! Reply to document: the one place that writes XML.
//!
//! Whatever a request holds, what comes out is well formed, keeps TwiML's rules and stays within Twilio's limits.

use std::borrow::Cow;

use bytes::Bytes;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

use crate::table::reply::template::{Encoding, Piece, Scope, Text};
use crate::table::reply::{Attribute, DOCUMENT_MAX_BYTES, Element, Node, RenderError, Reply};
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Request, Webhook};
use crate::twilio::vocabulary::{self, Destination, ElementSpec, ValueError};

/// A document for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The XML, from the declaration to the end of `Response`.
    pub bytes: Bytes,
    /// Whether it sends a text message.
    pub sends: bool,
    /// How many texts were cut at a limit of Twilio's.
    pub cut_texts: usize,
}

/// The reply of these elements, its document written at once when nothing in it depends on the request.
///
/// # Errors
///
/// That document would break a rule: it is too large.
pub fn compile(elements: Vec<Element>) -> Result<Reply, RenderError> {
    let nothing = Form::default();
    let request = Request::new(Webhook::OutOfSession, &nothing, &nothing);
    let scope = Scope {
        request: &request,
        url: "",
        rows: &[],
    };
    let document = write(&elements, &scope);
    if elements.iter().all(Element::is_literal) {
        let Document { bytes, sends, .. } = document?;
        return Ok(Reply::Ready {
            // A copy as long as the document, for there may be many of them and they stay.
            document: Bytes::copy_from_slice(&bytes),
            sends,
        });
    }
    match document {
        // Too large already without what a request puts in; other failures are those of a request with nothing in it.
        Err(RenderError::TooLarge) => Err(RenderError::TooLarge),
        _ => Ok(Reply::Template(elements.into())),
    }
}

/// The document of these elements for one request.
///
/// # Errors
///
/// A value of the request cannot stand where the reply puts it, or the document is too large.
pub fn write(elements: &[Element], scope: &Scope<'_>) -> Result<Document, RenderError> {
    let mut cut_texts = 0;
    let mut verbs = Vec::with_capacity(elements.len());
    for element in elements {
        if let Some(mut verb) = fill(element, scope)? {
            cut_texts += verb.cut();
            verbs.push(verb);
        }
    }
    let sends = verbs.iter().any(FilledNode::sends);
    let response = Filled {
        spec: vocabulary::response(Channel::Voice),
        attributes: Vec::new(),
        content: verbs,
    };
    let mut writer = Writer::new(Vec::with_capacity(512));
    writer
        .write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))
        .and_then(|()| response.write(&mut writer))
        .expect("writing to memory does not fail");
    let bytes = writer.into_inner();
    if bytes.len() > DOCUMENT_MAX_BYTES {
        return Err(RenderError::TooLarge);
    }
    Ok(Document {
        bytes: Bytes::from(bytes),
        sends,
        cut_texts,
    })
}

/// An element with its places filled in.
struct Filled<'t> {
    spec: &'static ElementSpec,
    attributes: Vec<(&'t str, Cow<'t, str>)>,
    content: Vec<FilledNode<'t>>,
}

enum FilledNode<'t> {
    Text(Cow<'t, str>),
    Element(Filled<'t>),
}

/// Fills an element in; `None` when it is to be left out, because what it needs came out empty.
fn fill<'t>(
    element: &'t Element,
    scope: &Scope<'_>,
) -> Result<Option<FilledNode<'t>>, RenderError> {
    let spec = element.spec;
    let mut attributes = Vec::with_capacity(element.attributes.len());
    for attribute in &element.attributes {
        if let Some(value) = fill_attribute(spec, attribute, scope)? {
            attributes.push((&*attribute.name, value));
        }
    }
    let mut content = Vec::with_capacity(element.content.len());
    for node in &element.content {
        match node {
            Node::Text(text) => content.extend(fill_text(spec, text, scope)?.map(FilledNode::Text)),
            Node::Element(child) => content.extend(fill(child, scope)?),
        }
    }
    // A Gather still takes digits when its prompt came out empty; every other element is there for what it holds.
    let came_out_empty = content.is_empty() && !element.content.is_empty() && !spec.stays_empty;
    if came_out_empty {
        return Ok(None);
    }
    Ok(Some(FilledNode::Element(Filled {
        spec,
        attributes,
        content,
    })))
}

fn fill_attribute<'t>(
    spec: &ElementSpec,
    attribute: &'t Attribute,
    scope: &Scope<'_>,
) -> Result<Option<Cow<'t, str>>, RenderError> {
    if let Some(literal) = attribute.value.literal() {
        return Ok(Some(xml_text(Cow::Borrowed(literal))));
    }
    let encoding = encoding(attribute.spec.destination());
    let value = xml_text(attribute.value.fill(scope, encoding));
    if value.is_empty() {
        // Without a caller id Twilio would show the caller's real number.
        let own_number = Text::new(vec![Piece::OwnNumber])
            .fill(scope, encoding)
            .into_owned();
        let stays = attribute.name == "callerId" && !own_number.is_empty();
        return Ok(stays.then_some(Cow::Owned(own_number)));
    }
    match attribute.spec.check(&value) {
        Ok(()) => Ok(Some(value)),
        Err(error) if error.is_suspicion() => Ok(Some(value)),
        Err(error) => Err(RenderError::Value {
            element: spec.tag,
            attribute: Some(attribute.name.clone()),
            error,
        }),
    }
}

fn fill_text<'t>(
    spec: &ElementSpec,
    text: &'t Text,
    scope: &Scope<'_>,
) -> Result<Option<Cow<'t, str>>, RenderError> {
    if let Some(literal) = text.literal() {
        return Ok(Some(xml_text(Cow::Borrowed(literal))));
    }
    let value = xml_text(text.fill(scope, encoding(spec.destination)));
    if value.trim().is_empty() {
        return Ok(None);
    }
    let error = match spec
        .destination
        .map(|destination| destination.check(&value))
    {
        Some(Err(error)) => Some(error),
        _ => spec
            .text_max(None)
            .filter(|max| !spec.cut && value.chars().count() > *max)
            .map(|max| ValueError::TooLong { max }),
    };
    match error {
        Some(error) => Err(RenderError::Value {
            element: spec.tag,
            attribute: None,
            error,
        }),
        None => Ok(Some(value)),
    }
}

fn encoding(destination: Option<Destination>) -> Encoding {
    if destination == Some(Destination::Url) {
        Encoding::Percent
    } else {
        Encoding::Plain
    }
}

impl FilledNode<'_> {
    fn sends(&self) -> bool {
        matches!(self, Self::Element(element) if element.spec.tag == "Message")
    }

    /// Cuts the texts of each Say and Message at their limit; how many were cut.
    fn cut(&mut self) -> usize {
        let Self::Element(element) = self else {
            return 0;
        };
        if !element.spec.cut {
            return element.content.iter_mut().map(FilledNode::cut).sum();
        }
        let voice = element
            .attributes
            .iter()
            .find(|(name, _)| *name == "voice")
            .map(|(_, value)| &**value);
        let mut room = Room {
            characters: element.spec.text_max(voice).unwrap_or(usize::MAX),
            encoded: element
                .spec
                .spoken_max
                .map_or(usize::MAX, |max| max.encoded),
            cut: false,
        };
        element.cut(&mut room);
        usize::from(room.cut)
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        match self {
            Self::Text(text) => writer.write_event(Event::Text(BytesText::new(text))),
            Self::Element(element) => element.write(writer),
        }
    }
}

impl Filled<'_> {
    fn cut(&mut self, room: &mut Room) {
        // What a cut leaves nothing of goes: an empty Body or say-as is none that TwiML has.
        self.content.retain_mut(|node| match node {
            // The URL of a Media is no text that a limit could cut.
            FilledNode::Element(element) if element.spec.destination.is_some() => true,
            FilledNode::Element(element) => {
                let was_empty = element.content.is_empty();
                element.cut(room);
                was_empty || !element.content.is_empty()
            }
            FilledNode::Text(text) => {
                let length = text.len();
                room.take(text);
                text.len() == length || !text.trim().is_empty()
            }
        });
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.spec.tag);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, &**value));
        }
        if self.content.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        for node in &self.content {
            node.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(self.spec.tag)))
    }
}

/// How much more text an element takes.
struct Room {
    characters: usize,
    encoded: usize,
    cut: bool,
}

impl Room {
    /// Takes as much of a text as there is room for and cuts the rest off.
    fn take(&mut self, text: &mut Cow<'_, str>) {
        for (at, character) in text.char_indices() {
            let encoded = encoded_length(character);
            if self.characters == 0 || self.encoded < encoded {
                self.cut = true;
                self.characters = 0;
                text.to_mut().truncate(at);
                return;
            }
            self.characters -= 1;
            self.encoded -= encoded;
        }
    }
}

/// The bytes of a character once it is percent-encoded; a blank is a `+`.
fn encoded_length(character: char) -> usize {
    if character.is_ascii_alphanumeric() || " -._~*".contains(character) {
        1
    } else {
        3 * character.len_utf8()
    }
}

/// Drops the characters that XML 1.0 cannot carry, escaped or not.
///
/// Source: XML 1.0, production 2, <https://www.w3.org/TR/xml/#NT-Char>.
fn xml_text(text: Cow<'_, str>) -> Cow<'_, str> {
    let can_carry = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(can_carry) {
        text
    } else {
        Cow::Owned(text.chars().filter(|&c| can_carry(c)).collect())
    }
}

/// Whether an element's text is over Twilio's limit already before a request fills it in.
#[must_use]
pub fn is_too_long(element: &Element) -> bool {
    let nothing = Form::default();
    let request = Request::new(Webhook::OutOfSession, &nothing, &nothing);
    let filled = fill(
        element,
        &Scope {
            request: &request,
            url: "",
            rows: &[],
        },
    );
    filled
        .ok()
        .flatten()
        .is_some_and(|mut filled| filled.cut() > 0)
}

/// A document with its entities resolved, as somebody would write its texts.
#[must_use]
pub fn unescaped(document: &str) -> String {
    quick_xml::escape::unescape(document).map_or_else(|_| document.to_owned(), Cow::into_owned)
}

/// A document with each element on a line of its own, for people; as it is when it cannot be read.
#[must_use]
pub fn pretty(document: &[u8]) -> String {
    indented(document).unwrap_or_else(|| String::from_utf8_lossy(document).into_owned())
}

fn indented(document: &[u8]) -> Option<String> {
    let mut reader = Reader::from_reader(document);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Eof => return String::from_utf8(writer.into_inner()).ok(),
            event => writer.write_event(event).ok()?,
        }
        buffer.clear();
    }
}
