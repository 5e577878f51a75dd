//! A reply: TwiML elements as the table holds them, before a request gives them their values.
//!
//! If an [`Element`] exists, TwiML has it: only `config` builds one, through the [`vocabulary`].

pub mod session;
pub mod template;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use self::session::NewSession;
use self::template::Text;
use crate::twilio::vocabulary::{AttributeSpec, ElementSpec, ValueError};

/// The document that says nothing: a call ends, a text gets no answer.
pub const EMPTY_DOCUMENT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// The most bytes of a document; Twilio refuses longer ones with error 11750.
///
/// Source: <https://www.twilio.com/docs/api/errors/11750>, "64 kB".
pub const DOCUMENT_MAX_BYTES: usize = 64_000;

/// What a route answers on one channel. A copy shares what is in it: many routes may have one named reply.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A document without anything of the request in it, written when the table was compiled.
    Ready {
        /// The document.
        document: Bytes,
        /// Whether it sends a text message.
        sends: bool,
    },
    /// Elements that are written for each request.
    Template(Arc<[Element]>),
    /// Not TwiML: the JSON with which Proxy opens a session.
    Session(Arc<NewSession>),
}

/// One TwiML element: a verb, a noun or an SSML tag.
#[derive(Debug, Clone)]
pub struct Element {
    /// What TwiML knows of it.
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

    /// Whether nothing in it depends on the request.
    #[must_use]
    pub fn is_literal(&self) -> bool {
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
    /// Text, perhaps with templates in it.
    Text(Text),
    /// A nested element.
    Element(Element),
}

/// Why a reply cannot be written for this request. Holds no value of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderError {
    /// A value is none that may stand where a template puts it.
    Value {
        /// The element.
        element: &'static str,
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
                attribute: Some(attribute),
                error,
            } => {
                write!(
                    f,
                    "the value for {attribute} of {element} cannot stand there: {error}"
                )
            }
            Self::Value {
                element,
                attribute: None,
                error,
            } => {
                write!(f, "the text for {element} cannot stand there: {error}")
            }
            Self::TooLarge => write!(f, "the document is larger than {DOCUMENT_MAX_BYTES} bytes"),
        }
    }
}

impl std::error::Error for RenderError {}
