//! The route that is being written: elements by the vocabulary, each part with the place it came from.

use std::collections::BTreeSet;

use crate::twilio::channel::Channel;

/// Tells the parts of a draft apart, so that what the compiler refuses can be taken out.
pub(super) type Id = usize;

/// A `[[route]]`.
#[derive(Debug)]
pub(super) struct Draft {
    pub name: String,
    pub channel: Channel,
    /// What stands above the route.
    pub comments: Vec<String>,
    pub verbs: Vec<Node>,
}

/// One line of an array of elements, or a piece of a text with elements in it.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Element(Element),
    Comment(String),
}

/// An element that TwiML has where it stands.
#[derive(Debug)]
pub(super) struct Element {
    pub id: Id,
    pub tag: &'static str,
    /// The byte of the document where it begins.
    pub at: usize,
    pub attributes: Vec<Attribute>,
    pub content: Vec<Node>,
}

/// An attribute that its element has.
#[derive(Debug)]
pub(super) struct Attribute {
    pub id: Id,
    pub name: &'static str,
    /// The byte of the document where its name begins.
    pub at: usize,
    pub value: Value,
}

/// An attribute's value as TOML writes it.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

impl Draft {
    /// Takes parts out, with all that is in them.
    pub(super) fn remove(&mut self, ids: &BTreeSet<Id>) {
        remove(&mut self.verbs, ids);
    }
}

fn remove(nodes: &mut Vec<Node>, ids: &BTreeSet<Id>) {
    nodes.retain_mut(|node| match node {
        Node::Element(element) if ids.contains(&element.id) => false,
        Node::Element(element) => {
            element
                .attributes
                .retain(|attribute| !ids.contains(&attribute.id));
            remove(&mut element.content, ids);
            true
        }
        Node::Text(_) | Node::Comment(_) => true,
    });
}

impl Element {
    /// Its child elements, in order.
    pub(super) fn children(&self) -> impl Iterator<Item = &Element> {
        self.content.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) | Node::Comment(_) => None,
        })
    }
}
