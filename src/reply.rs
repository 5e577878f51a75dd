//! A reply: TwiML elements as the table holds them, before a request gives them their values.
//!
//! If an [`Element`] exists, TwiML has it: only `config` builds one, through the [`vocabulary`].

pub mod template;
pub mod url;
pub mod vocabulary;

use bytes::Bytes;

use self::template::Text;
use self::vocabulary::{AttributeSpec, ElementSpec};

/// What a route answers on one channel.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A document without anything of the request in it, written when the table was compiled.
    Ready(Bytes),
    /// Elements that are written for each request.
    Template(Vec<Element>),
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
    pub name: &'static str,
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
