//! A reply: TwiML elements as the table holds them, before a request fills them in.
//!
//! If an [`Element`] exists, TwiML has it: only `language` builds elements, through the vocabulary.

pub mod template;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use self::template::{Encoding, Scope, Text};
use crate::twilio::number::E164;
use crate::twilio::vocabulary::{AttributeSpec, ElementSpec, ValueError};

/// The document that says nothing: a call ends, a text gets no answer.
pub const EMPTY_DOCUMENT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// The most bytes of a document; Twilio refuses longer ones with error 11750.
///
/// Source: <https://www.twilio.com/docs/api/errors/11750>, "64 kB".
pub const DOCUMENT_MAX_BYTES: usize = 64_000;

/// What a route answers on one channel. Copies share their content, because many routes may use one named reply.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A document that does not depend on the request, written when the table was compiled.
    Ready {
        /// The document.
        document: Bytes,
        /// What it sends.
        sends: Sends,
    },
    /// Elements to be written for each request.
    Template(Arc<[Element]>),
    /// Not TwiML: the JSON with which Proxy opens a session.
    Session(Arc<NewSession>),
}

/// What a document sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sends {
    /// No text.
    #[default]
    Nothing,
    /// Texts to other people only: passes on what a person wrote.
    Relay,
    /// Texts, at least one of them to the sender.
    Reply,
}

/// One TwiML element: a verb, a noun or an SSML tag.
#[derive(Debug, Clone)]
pub struct Element {
    /// Its name in the document.
    pub tag: Cow<'static, str>,
    /// What TwiML specifies for it.
    pub spec: &'static ElementSpec,
    /// Its attributes in the order of the file, then the defaults.
    pub attributes: Vec<Attribute>,
    /// Its text and its children, in order; empty for an element without content.
    pub content: Vec<Node>,
}

impl Element {
    /// Whether it has an attribute of this name.
    pub(crate) fn sets(&self, name: &str) -> bool {
        self.attributes
            .iter()
            .any(|attribute| attribute.name == name)
    }

    /// Whether no part of it depends on the request.
    pub(crate) fn is_literal(&self) -> bool {
        self.attributes
            .iter()
            .all(|attribute| attribute.value.literal().is_some())
            && self.content.iter().all(|node| match node {
                Node::Text(text) => text.literal().is_some(),
                Node::Element(element) => element.is_literal(),
            })
    }
}

/// One attribute of an element.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Its name, as TwiML spells it.
    pub name: Cow<'static, str>,
    /// What TwiML allows as its value.
    pub spec: &'static AttributeSpec,
    /// Its value.
    pub value: Text,
}

/// One piece of an element's content.
#[derive(Debug, Clone)]
pub enum Node {
    /// Text, which may contain templates.
    Text(Text),
    /// A nested element.
    Element(Element),
}

/// A session to be opened between the caller and another party.
///
/// Source: Proxy's out-of-session guide, <https://www.twilio.com/docs/proxy/out-of-session-callback-response-guide>.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The real number of the second party.
    pub participant_identifier: Text,
    /// The masked number for the second party; Proxy chooses when absent.
    pub participant_proxy_identifier: Option<Text>,
    /// A name that no earlier session had.
    pub unique_name: Option<Text>,
    /// One of `MODES`; Proxy guesses when absent.
    pub mode: Option<&'static str>,
    /// In seconds after the last interaction; 0 means no end.
    pub ttl: Option<u32>,
    /// The moment when it ends, in ISO 8601; takes precedence over `ttl`.
    pub date_expiry: Option<String>,
}

/// What a session lets people do.
pub(crate) const MODES: [&str; 3] = ["message-only", "voice-only", "voice-and-message"];

/// The most characters of a session's unique name.
pub(crate) const UNIQUE_NAME_MAX_CHARACTERS: usize = 191;

/// A [`NewSession`] as Proxy reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionJson<'a> {
    participant_identifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_proxy_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_expiry: Option<&'a str>,
}

impl NewSession {
    /// The JSON for one request; an error when a value that must be a number is not, or the unique name is too long.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<Bytes, RenderError> {
        let fill = |text: &'_ Text| text.fill(scope, Encoding::Plain).into_owned();
        let wrong = |attribute, error| RenderError::Value {
            element: Cow::Borrowed("create_session"),
            attribute: Some(Cow::Borrowed(attribute)),
            error,
        };
        let number = |attribute, text: &Text| {
            let number = fill(text);
            match number.parse::<E164>() {
                Ok(_) => Ok(number),
                Err(error) => Err(wrong(attribute, ValueError::Number(error))),
            }
        };
        let unique_name = self.unique_name.as_ref().map(fill);
        let unique_name = unique_name.filter(|name| !name.is_empty());
        let length = unique_name.as_ref().map_or(0, |name| name.chars().count());
        if length > UNIQUE_NAME_MAX_CHARACTERS {
            let max = UNIQUE_NAME_MAX_CHARACTERS;
            return Err(wrong("uniqueName", ValueError::TooLong { max }));
        }
        let proxy = self.participant_proxy_identifier.as_ref();
        let json = serde_json::to_vec(&SessionJson {
            participant_identifier: number("participantIdentifier", &self.participant_identifier)?,
            participant_proxy_identifier: proxy
                .map(|text| number("participantProxyIdentifier", text))
                .transpose()?,
            unique_name,
            mode: self.mode,
            ttl: self.ttl,
            date_expiry: self.date_expiry.as_deref(),
        });
        Ok(json
            .expect("texts and numbers can be written as JSON")
            .into())
    }
}

/// Why a reply cannot be written for this request. Holds no value of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderError {
    /// A value does not fit the place where a template puts it.
    Value {
        /// The element.
        element: Cow<'static, str>,
        /// Its attribute; `None` for its text.
        attribute: Option<Cow<'static, str>>,
        /// What is wrong with the value.
        error: ValueError,
    },
    /// The document would have more than [`DOCUMENT_MAX_BYTES`].
    TooLarge,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value {
                element,
                attribute,
                error,
            } => {
                match attribute {
                    Some(attribute) => write!(f, "the value for {attribute} of {element}")?,
                    None => write!(f, "the text for {element}")?,
                }
                write!(f, " cannot be used there: {error}")
            }
            Self::TooLarge => write!(f, "the document is larger than {DOCUMENT_MAX_BYTES} bytes"),
        }
    }
}

impl std::error::Error for RenderError {}
