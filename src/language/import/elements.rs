//! From XML to elements that TwiML has. What it does not have is left out and noted.
//!
//! Asks the vocabulary what may stand where; whether a value is right is the compiler's business.

use super::draft::{Attribute, Element, Id, Node, Value};
use super::fields::Fields;
use super::notes::Notes;
use super::texts;
use super::xml;
use crate::twilio::spelling::nearest;
use crate::twilio::types::{Channel, E164};
use crate::twilio::vocabulary::{self, AttributeSpec, Destination, ElementSpec};

/// Turns the elements of one document into those of a draft.
pub(super) struct Importer<'n> {
    channel: Channel,
    notes: &'n mut Notes,
    next_id: Id,
}

impl<'n> Importer<'n> {
    pub(super) fn new(channel: Channel, notes: &'n mut Notes) -> Self {
        Self {
            channel,
            notes,
            next_id: 0,
        }
    }

    /// The verbs of a `Response`.
    pub(super) fn verbs(&mut self, root: &xml::Element) -> Vec<Node> {
        for attribute in root.attributes.iter().filter(|found| !is_namespace(found)) {
            let message = format!(
                "left out `{}`: <Response> has no attributes",
                attribute.name
            );
            self.notes.leave_out(attribute.at, message);
        }
        self.content(root, vocabulary::response(self.channel))
    }

    fn id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    /// One element, below the comments that stand in its text; nothing after a note that it is left out.
    fn element(&mut self, found: &xml::Element, parent: &'static ElementSpec) -> Vec<Node> {
        let Some(spec) = vocabulary::child_of(self.channel, parent, &found.name) else {
            let reason = self.stranger(&found.name, parent);
            if texts::is_prose(parent) {
                let message = format!("left out the tag <{}>, not its text: {reason}", found.name);
                self.notes.leave_out(found.at, message);
                return self.content(found, parent);
            }
            let message = format!("left out <{}>: {reason}", found.name);
            self.notes.leave_out(found.at, message);
            return Vec::new();
        };
        let id = self.id();
        let attributes = found
            .attributes
            .iter()
            .filter(|attribute| !is_namespace(attribute))
            .filter_map(|attribute| self.attribute(attribute, spec))
            .collect();
        let content = self.content(found, spec);
        let has_elements = content.iter().any(|node| matches!(node, Node::Element(_)));
        // A comment has a line of its own only between elements.
        let (comments, content) = if has_elements && !texts::is_prose(spec) {
            (Vec::new(), content)
        } else {
            content
                .into_iter()
                .partition(|node| matches!(node, Node::Comment(_)))
        };
        let element = Element {
            id,
            tag: spec.tag,
            at: found.at,
            attributes,
            content,
        };
        comments
            .into_iter()
            .chain([Node::Element(element)])
            .collect()
    }

    /// Why an element cannot stand where it stands.
    fn stranger(&self, name: &str, parent: &'static ElementSpec) -> String {
        let [here, elsewhere] = match self.channel {
            Channel::Voice => ["calls", "texts"],
            Channel::Message => ["texts", "calls"],
        };
        let parents = vocabulary::parents(self.channel, name);
        if !parents.is_empty() {
            let parents: Vec<String> = parents.iter().map(|tag| format!("<{tag}>")).collect();
            return format!(
                "it cannot stand in <{}>, only in {}",
                parent.tag,
                parents.join(", ")
            );
        }
        let is_element = |channel| vocabulary::elements_named(channel, name).next().is_some();
        if name != "Response" && Channel::ALL.into_iter().any(is_element) {
            return format!("it answers {elsewhere}, and this document answers {here}");
        }
        match nearest(name, parent.child_names()) {
            Some(near) => format!("TwiML has no such element, perhaps <{near}> is meant"),
            None => "TwiML has no such element".to_owned(),
        }
    }

    fn attribute(
        &mut self,
        found: &xml::Attribute,
        spec: &'static ElementSpec,
    ) -> Option<Attribute> {
        let Some((name, attribute)) = spec.attribute(&found.name) else {
            let perhaps = nearest(&found.name, spec.attribute_names())
                .map(|near| format!(", perhaps `{near}` is meant"))
                .unwrap_or_default();
            let message = format!(
                "left out `{}`: <{}> has no such attribute{perhaps}",
                found.name, spec.tag
            );
            self.notes.leave_out(found.at, message);
            return None;
        };
        let text = Fields::default().convert(&found.value, found.at, self.notes);
        let value = self.value(attribute, text, found.at);
        Some(Attribute {
            id: self.id(),
            name,
            at: found.at,
            value,
        })
    }

    fn value(&mut self, spec: &AttributeSpec, text: String, at: usize) -> Value {
        let text = if spec.check(&text).is_err() {
            text.trim().to_owned()
        } else {
            text
        };
        // Any text will do where this one will: then a number there is a text that happens to have digits.
        let is_free = spec.check("any text").is_ok();
        if !is_free
            && spec.takes_integers()
            && let Ok(number) = text.parse::<i64>()
            && number.to_string() == text
        {
            return Value::Integer(number);
        }
        if !is_free
            && spec.takes_booleans()
            && let Ok(boolean) = text.parse::<bool>()
        {
            return Value::Boolean(boolean);
        }
        Value::Text(self.destination(spec.destination(), text, at))
    }

    /// The content of an element, comments included.
    fn content(&mut self, found: &xml::Element, spec: &'static ElementSpec) -> Vec<Node> {
        let mut fields = Fields::default();
        let mut nodes = Vec::new();
        for node in &found.content {
            match node {
                xml::Node::Comment(comment) => nodes.push(Node::Comment(comment.clone())),
                xml::Node::Element(_) if fields.is_hidden() => {}
                xml::Node::Element(child) => nodes.extend(self.element(child, spec)),
                xml::Node::Text(text) => {
                    let converted = fields.convert(&text.text, text.at, self.notes);
                    if spec.text {
                        nodes.push(Node::Text(converted));
                    } else if !converted.trim().is_empty() {
                        let message = format!(
                            "left out the text {:?}: <{}> holds no text",
                            texts::shortened(&converted),
                            spec.tag
                        );
                        self.notes.leave_out(text.at, message);
                    }
                }
            }
        }
        if texts::is_prose(spec) {
            return texts::prose(nodes, spec.tag);
        }
        if spec.text {
            return self.plain(nodes, found, spec);
        }
        nodes
    }

    /// The content of an element that holds a text or elements: together they do not stand in our table.
    fn plain(
        &mut self,
        nodes: Vec<Node>,
        found: &xml::Element,
        spec: &'static ElementSpec,
    ) -> Vec<Node> {
        let (pieces, mut others): (Vec<Node>, Vec<Node>) = nodes
            .into_iter()
            .partition(|node| matches!(node, Node::Text(_)));
        let text = texts::joined(&pieces);
        if text.is_empty() {
            return others;
        }
        let at = found
            .content
            .iter()
            .find_map(|node| match node {
                xml::Node::Text(text) if !text.text.trim().is_empty() => Some(text.at),
                _ => None,
            })
            .unwrap_or(found.at);
        if !others.iter().any(|node| matches!(node, Node::Element(_))) {
            others.push(Node::Text(self.destination(spec.destination, text, at)));
            return others;
        }
        let child = spec
            .main_child
            .and_then(|child| vocabulary::child_of(self.channel, spec, child));
        let Some(child) = child else {
            let short = texts::shortened(&text);
            let message = format!(
                "left out the text {short:?}: <{}> holds a text or elements",
                spec.tag
            );
            self.notes.leave_out(at, message);
            return others;
        };
        let message = format!("the text of <{}> is now its <{}>", spec.tag, child.tag);
        self.notes.say(at, message);
        let element = Element {
            id: self.id(),
            tag: child.tag,
            at,
            attributes: Vec::new(),
            content: vec![Node::Text(self.destination(child.destination, text, at))],
        };
        others.insert(0, Node::Element(element));
        others
    }

    /// A value that leads somewhere, with a note when it leads there from another place than before.
    fn destination(&mut self, destination: Option<Destination>, text: String, at: usize) -> String {
        match destination {
            Some(Destination::Url) if text.starts_with(['?', '/']) => {
                let message = format!(
                    "{text:?} is now completed with the address of this service: write the whole URL if it is elsewhere"
                );
                self.notes.say(at, message);
                text
            }
            Some(Destination::Number | Destination::Sender | Destination::Address) => {
                let Some(number) = with_country_code(&text) else {
                    return text;
                };
                self.notes.say(at, format!("{text:?} is now {number}"));
                number
            }
            _ => text,
        }
    }
}

/// The E.164 form of a number that is written with blanks, brackets or dashes, or of a North American number without
/// its country code; `None` for everything else, E.164 included.
///
/// Source: Twilio takes unformatted US numbers, <https://www.twilio.com/docs/voice/twiml/number>.
fn with_country_code(text: &str) -> Option<String> {
    if text.parse::<E164>().is_ok() {
        return None;
    }
    let digits: String = text
        .chars()
        .filter(|character| !" ()-.".contains(*character))
        .collect();
    let number = match digits.as_bytes() {
        [b'+', ..] => digits,
        [b'1', b'2'..=b'9', ..] if digits.len() == 11 => format!("+{digits}"),
        [b'2'..=b'9', ..] if digits.len() == 10 => format!("+1{digits}"),
        _ => return None,
    };
    number.parse::<E164>().ok().map(|number| number.to_string())
}

/// Whether an attribute says what XML the document is, not what TwiML it has.
fn is_namespace(attribute: &xml::Attribute) -> bool {
    ["xmlns", "xsi:"]
        .iter()
        .any(|prefix| attribute.name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_their_country_code_as_twilio_reads_them() {
        for (text, number) in [
            ("+14155550100", None),
            ("415-555-0100", Some("+14155550100")),
            ("(415) 555.0100", Some("+14155550100")),
            ("1 415 555 0100", Some("+14155550100")),
            ("+44 20 7183 8750", Some("+442071838750")),
            ("020 7183 8750", None),
            ("12345", None),
            ("{{ From }}", None),
            ("client:joe", None),
            ("", None),
        ] {
            assert_eq!(with_country_code(text).as_deref(), number, "{text}");
        }
    }
}
