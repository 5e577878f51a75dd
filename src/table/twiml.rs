//! From reply to document: the only place that writes XML.
//!
//! Whatever a request contains, the document is well formed, follows TwiML's rules and stays within Twilio's limits.

use std::borrow::Cow;

use bytes::Bytes;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

use crate::table::reply::template::{Encoding, Piece, Scope, Text};
use crate::table::reply::{
    Attribute, DOCUMENT_MAX_BYTES, Element, Node, RenderError, Reply, Sends,
};
use crate::twilio::request::{Form, Request, Webhook};
use crate::twilio::vocabulary::{Destination, ElementSpec, RESPONSE, ValueError};

/// A document for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// The XML, from the declaration to the end of `Response`.
    pub bytes: Bytes,
    /// What it sends.
    pub sends: Sends,
    /// How many texts were cut at one of Twilio's limits.
    pub cut_texts: usize,
}

/// The reply of these elements. Its document is written at once when nothing in it depends on the request; an error
/// when that document is too large.
pub(crate) fn compile(elements: Vec<Element>) -> Result<Reply, RenderError> {
    let document = for_nothing(|scope| write(&elements, scope));
    if elements.iter().all(Element::is_literal) {
        let Document { bytes, sends, .. } = document?;
        return Ok(Reply::Ready {
            // A copy of exactly the document's length, because there may be many documents and they stay in memory.
            document: Bytes::copy_from_slice(&bytes),
            // It contains nothing that a person wrote.
            sends: if sends == Sends::Nothing {
                sends
            } else {
                Sends::Reply
            },
        });
    }
    match document {
        // Already too large before a request fills it in. Other errors come only from the request being empty.
        Err(RenderError::TooLarge) => Err(RenderError::TooLarge),
        _ => Ok(Reply::Template(elements.into())),
    }
}

/// Whether an element's text exceeds Twilio's limit even before a request fills it in.
pub(crate) fn is_too_long(element: &Element) -> bool {
    let mut element = element.clone();
    // The destination does not matter here.
    element
        .attributes
        .retain(|one| one.value.literal().is_some());
    for_nothing(|scope| {
        let mut filling = Filling::new(scope);
        filling.element(&element).is_ok() && filling.cut_texts > 0
    })
}

/// The result for an empty request.
fn for_nothing<T>(write: impl FnOnce(&Scope<'_>) -> T) -> T {
    let nothing = Form::default();
    write(&Scope {
        request: &Request::new(Webhook::OutOfSession, &nothing, &nothing),
        url: "",
        rows: &[],
    })
}

/// The document of these elements for one request; an error when a value of the request does not fit where the reply
/// puts it, or the document is too large.
pub(crate) fn write(elements: &[Element], scope: &Scope<'_>) -> Result<Document, RenderError> {
    let mut filling = Filling::new(scope);
    let mut verbs = Vec::with_capacity(elements.len());
    let mut sends = Sends::Nothing;
    let sender = scope.request.value("Caller");
    for element in elements {
        if let Some(verb) = filling.element(element)? {
            if element.spec.sends {
                let is_to = |(name, _): &&(&str, _)| *name == "to";
                let to = verb.attributes.iter().find(is_to);
                let relays = to.is_some_and(|(_, to)| *to != sender);
                sends = sends.max(if relays { Sends::Relay } else { Sends::Reply });
            }
            verbs.push(Filled::Element(verb));
        }
    }
    let response = FilledElement {
        tag: RESPONSE,
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
        cut_texts: filling.cut_texts,
    })
}

/// An element filled in for a request.
struct FilledElement<'t> {
    tag: &'t str,
    attributes: Vec<(&'t str, Cow<'t, str>)>,
    content: Vec<Filled<'t>>,
}

enum Filled<'t> {
    Text(Cow<'t, str>),
    Element(FilledElement<'t>),
}

impl FilledElement<'_> {
    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.tag);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, &**value));
        }
        if self.content.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        for node in &self.content {
            match node {
                Filled::Text(text) => writer.write_event(Event::Text(BytesText::new(text)))?,
                Filled::Element(element) => element.write(writer)?,
            }
        }
        writer.write_event(Event::End(BytesEnd::new(self.tag)))
    }
}

/// Fills in elements and cuts the texts of each Say and Message at their limit.
struct Filling<'s> {
    scope: &'s Scope<'s>,
    /// How much more text fits into the current Say or Message.
    room: Option<Room>,
    /// How many elements had a text cut.
    cut_texts: usize,
}

impl<'s> Filling<'s> {
    fn new(scope: &'s Scope<'s>) -> Self {
        Self {
            scope,
            room: None,
            cut_texts: 0,
        }
    }

    /// Fills in an element; `None` to leave it out, because a part that it needs is empty.
    fn element<'t>(
        &mut self,
        element: &'t Element,
    ) -> Result<Option<FilledElement<'t>>, RenderError> {
        let spec = element.spec;
        let mut attributes = Vec::with_capacity(element.attributes.len());
        let mut is_addressed = true;
        for attribute in &element.attributes {
            match self.attribute(element, attribute)? {
                Some(value) => attributes.push((&*attribute.name, value)),
                // A Message without its `to` would go back to the sender.
                None => is_addressed &= attribute.spec.destination() != Some(Destination::Address),
            }
        }
        let is_outermost = spec.cut && self.room.is_none();
        if is_outermost {
            let voice = attributes.iter().find(|(name, _)| *name == "voice");
            let voice = voice.map(|(_, value)| &**value);
            self.room = Some(Room {
                characters: spec.text_max(voice).unwrap_or(usize::MAX),
                encoded: spec.spoken_max.map_or(usize::MAX, |max| max.encoded),
                cut: false,
            });
        }
        let mut content = Vec::with_capacity(element.content.len());
        for node in &element.content {
            match node {
                Node::Text(text) => content.extend(self.text(element, text)?.map(Filled::Text)),
                Node::Element(child) => content.extend(self.element(child)?.map(Filled::Element)),
            }
        }
        if is_outermost {
            let room = self.room.take();
            self.cut_texts += usize::from(room.is_some_and(|room| room.cut));
        }
        // A Gather still takes digits when its prompt is empty; every other element exists for its content.
        let came_out_empty = content.is_empty() && !element.content.is_empty() && !spec.stays_empty;
        Ok((is_addressed && !came_out_empty).then_some(FilledElement {
            tag: &element.tag,
            attributes,
            content,
        }))
    }

    fn attribute<'t>(
        &self,
        element: &Element,
        attribute: &'t Attribute,
    ) -> Result<Option<Cow<'t, str>>, RenderError> {
        if let Some(literal) = attribute.value.literal() {
            return Ok(Some(xml_text(Cow::Borrowed(literal))));
        }
        let destination = attribute.spec.destination();
        let encoding = encoding(destination);
        let value = xml_text(attribute.value.fill(self.scope, encoding));
        let is_lost = destination == Some(Destination::Address) && attribute.value.has_parameter();
        if value.is_empty() && !is_lost {
            // Without a caller ID Twilio would show the caller's real number.
            let own_number = Text::new(vec![Piece::OwnNumber]);
            let own_number = own_number.fill(self.scope, encoding).into_owned();
            let stays = attribute.name == "callerId" && !own_number.is_empty();
            return Ok(stays.then_some(Cow::Owned(own_number)));
        }
        match attribute.spec.check(&value) {
            Err(error) if !error.is_suspicion() => Err(RenderError::Value {
                element: element.tag.clone(),
                attribute: Some(attribute.name.clone()),
                error,
            }),
            _ => Ok(Some(value)),
        }
    }

    fn text<'t>(
        &mut self,
        element: &Element,
        text: &'t Text,
    ) -> Result<Option<Cow<'t, str>>, RenderError> {
        let spec = element.spec;
        let mut value = xml_text(text.fill(self.scope, encoding(spec.destination)));
        if text.literal().is_none() {
            // An empty cell means no one; but a request that does not say where to go must not silently lead nowhere.
            let is_lost = spec.destination.is_some() && text.has_parameter();
            if value.trim().is_empty() && !is_lost {
                return Ok(None);
            }
            check_text(spec, &value).map_err(|error| RenderError::Value {
                element: element.tag.clone(),
                attribute: None,
                error,
            })?;
        }
        // The URL of a Media must not be cut at a limit.
        if let Some(room) = &mut self.room
            && spec.destination.is_none()
            && room.cuts(&mut value)
            && value.trim().is_empty()
        {
            return Ok(None);
        }
        Ok(Some(value))
    }
}

fn check_text(spec: &ElementSpec, value: &str) -> Result<(), ValueError> {
    if let Some(destination) = spec.destination {
        destination.check(value)?;
    }
    match spec.text_max(None) {
        Some(max) if !spec.cut && value.chars().count() > max => Err(ValueError::TooLong { max }),
        _ => Ok(()),
    }
}

fn encoding(destination: Option<Destination>) -> Encoding {
    match destination {
        Some(Destination::Url) => Encoding::Percent,
        Some(Destination::Sip) => Encoding::PercentInQuery,
        _ => Encoding::Plain,
    }
}

/// How much more text fits into an element.
struct Room {
    characters: usize,
    encoded: usize,
    cut: bool,
}

impl Room {
    /// Cuts a text to the room that is left, and returns whether it had to.
    fn cuts(&mut self, text: &mut Cow<'_, str>) -> bool {
        for (at, character) in text.char_indices() {
            let encoded = encoded_length(character);
            if self.characters == 0 || self.encoded < encoded {
                self.cut = true;
                self.characters = 0;
                text.to_mut().truncate(at);
                return true;
            }
            self.characters -= 1;
            self.encoded -= encoded;
        }
        false
    }
}

/// The length in bytes of a character once it is percent-encoded; a blank becomes `+`.
fn encoded_length(character: char) -> usize {
    if character.is_ascii_alphanumeric() || " -._~*".contains(character) {
        1
    } else {
        3 * character.len_utf8()
    }
}

/// Drops the characters that XML 1.0 cannot represent, escaped or not.
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

/// A document with its entities resolved, for searching or quoting its texts.
pub(crate) fn unescaped(document: &str) -> String {
    quick_xml::escape::unescape(document).map_or_else(|_| document.to_owned(), Cow::into_owned)
}

/// A document with each element on its own line, for people; unchanged when it cannot be read.
pub(crate) fn pretty(document: &[u8]) -> String {
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
