//! The elements of TwiML: a definition each, and one for each place where several may stand.
//!
//! Reads the vocabulary's data once more, because its types check values and do not describe them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{reference, words};
use crate::twilio::channel::Channel;

/// What holds for every text with a template in it: its value is not known yet.
const TEMPLATE: &str = r"\{\{";

/// An E.164 number.
const E164: &str = r"\+[1-9][0-9]{0,14}";

/// The vocabulary as it lies in its file.
#[derive(Deserialize)]
pub(super) struct Elements {
    voice: BTreeMap<String, Element>,
    messaging: BTreeMap<String, Element>,
    values: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Element {
    tag: String,
    children: Vec<String>,
    text: bool,
    #[serde(default)]
    text_required: bool,
    destination: Option<String>,
    attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    values: Values,
    #[serde(default)]
    open: bool,
    #[serde(default)]
    list: bool,
    min: Option<i64>,
    max: Option<i64>,
    max_length: Option<usize>,
    charset: Option<String>,
    destination: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    /// `@enums.NAME`
    Of(String),
    List(Vec<String>),
}

impl Default for Values {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Elements {
    pub(super) fn read() -> Self {
        serde_json::from_str(include_str!("../../twilio/vocabulary.json"))
            .expect("a test makes the whole schema")
    }

    fn of(&self, channel: Channel) -> &BTreeMap<String, Element> {
        match channel {
            Channel::Voice => &self.voice,
            Channel::Message => &self.messaging,
        }
    }

    /// Adds the definitions of both channels, of their replies, of `[defaults.X]` and of the lists of values.
    pub(super) fn define(&self, definitions: &mut Map<String, Value>) {
        for (name, values) in &self.values {
            definitions.insert(format!("values.{name}"), json!({ "enum": values }));
        }
        for channel in Channel::ALL {
            for (key, element) in self.of(channel) {
                if !element.children.is_empty() {
                    let any = one_of_several(channel, element, self.of(channel));
                    definitions.insert(format!("{channel}.{key}.children"), any);
                }
                if key != "Response" {
                    definitions.insert(
                        format!("{channel}.{key}"),
                        self.element(channel, key, element),
                    );
                }
            }
            let verbs = reference(&format!("{channel}.Response.children"));
            definitions.insert(
                channel.to_string(),
                json!({ "type": "array", "items": verbs }),
            );
        }
        definitions.insert("defaults".to_owned(), self.defaults());
        let names: Vec<&str> = self.tags();
        definitions.insert("element".to_owned(), json!({ "enum": names }));
    }

    /// The names of all elements of both channels, sorted.
    fn tags(&self) -> Vec<&str> {
        let all = Channel::ALL
            .into_iter()
            .flat_map(|channel| self.of(channel).values());
        let mut tags: Vec<&str> = all.map(|element| element.tag.as_str()).collect();
        tags.retain(|tag| *tag != "Response");
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// One element: its content under its own name, beside its attributes.
    fn element(&self, channel: Channel, key: &str, element: &Element) -> Value {
        let mut properties: Map<String, Value> = element
            .attributes
            .iter()
            .map(|(name, attribute)| (name.clone(), self.attribute(name, attribute)))
            .collect();
        properties.insert(element.tag.clone(), content(channel, key, element));
        json!({
            "description": words::element(&element.tag),
            "type": "object",
            "properties": properties,
            "required": [element.tag],
            "additionalProperties": false,
        })
    }

    fn attribute(&self, name: &str, attribute: &Attribute) -> Value {
        let mut schema = match attribute.kind.as_str() {
            "boolean" => json!({ "type": ["boolean", "string"], "pattern": whole("true|false") }),
            "integer" if attribute.list => {
                json!({ "type": ["integer", "string"], "pattern": whole("[0-9]+( +[0-9]+)*") })
            }
            "integer" => integer(attribute),
            "enum" => self.one_of_values(attribute),
            "url" => json!({ "type": "string", "pattern": url() }),
            "websocket" => json!({ "type": "string", "pattern": "^([Ww][Ss][Ss]://|\\{\\{)" }),
            _ => string(attribute),
        };
        if let Some(description) = words::attribute(name) {
            schema["description"] = description.into();
        }
        schema
    }

    fn one_of_values(&self, attribute: &Attribute) -> Value {
        let (values, shared) = match &attribute.values {
            Values::List(values) => (values, None),
            Values::Of(path) => {
                let name = path.trim_start_matches("@enums.");
                (
                    &self.values[name],
                    Some(reference(&format!("values.{name}"))),
                )
            }
        };
        if attribute.list {
            let any = values
                .iter()
                .map(|value| escaped(value))
                .collect::<Vec<_>>()
                .join("|");
            // The words are there for editors only; several of them may stand in one text.
            let pattern = whole(&format!("({any})( +({any}))*"));
            return json!({ "type": "string", "pattern": pattern, "anyOf": [{}, { "enum": values }] });
        }
        let mut known: Vec<Value> = values.iter().map(|value| json!(value)).collect();
        if values.iter().any(|value| value == "true") {
            known.extend([true.into(), false.into()]);
        }
        let known = shared.unwrap_or_else(|| json!({ "enum": known }));
        let other = if attribute.open {
            json!({ "type": "string", "minLength": 1 })
        } else {
            reference("template")
        };
        json!({ "anyOf": [known, other] })
    }

    /// `[defaults.X]`: the attributes of each element, as its own definition has them.
    fn defaults(&self) -> Value {
        let mut sections: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for channel in Channel::ALL {
            for (key, element) in self.of(channel) {
                let section = sections.entry(&element.tag).or_default();
                for name in element.attributes.keys() {
                    let path = format!("{channel}.{key}/properties/{name}");
                    section
                        .entry(name.as_str())
                        .or_insert_with(|| reference(&path));
                }
            }
        }
        let sections: Map<String, Value> = sections
            .into_iter()
            .filter(|(tag, _)| *tag != "Response")
            .map(|(tag, properties)| {
                let section = json!({
                    "description": format!("Attributes for every {tag} that does not set them itself."),
                    "type": "object",
                    "properties": properties,
                    "additionalProperties": false,
                });
                (tag.to_owned(), section)
            })
            .collect();
        json!({ "type": "object", "properties": sections, "additionalProperties": false })
    }
}

/// What stands under the name of an element: its text, its children, or nothing.
fn content(channel: Channel, key: &str, element: &Element) -> Value {
    let mut schema = json!({ "type": ["string", "array"] });
    if element.children.is_empty() {
        if element.text {
            schema["type"] = "string".into();
        } else {
            schema["maxItems"] = 0.into();
        }
    } else {
        schema["items"] = reference(&format!("{channel}.{key}.children"));
    }
    if !element.text {
        schema["maxLength"] = 0.into();
    } else if element.text_required {
        schema["minLength"] = 1.into();
    }
    if let Some(pattern) = element.destination.as_deref().and_then(destination) {
        // `""` is an element without content, where TwiML allows that.
        let empty = if element.text_required { "" } else { "^$|" };
        schema["pattern"] = format!("{empty}{pattern}").into();
    }
    schema
}

/// One of the children of an element. Its name tells which definition it must fit, so that a message is about that
/// one and not about all that it could have been.
fn one_of_several(channel: Channel, parent: &Element, all: &BTreeMap<String, Element>) -> Value {
    let child = |key: &String| {
        (
            all[key].tag.as_str(),
            reference(&format!("{channel}.{key}")),
        )
    };
    let children: Vec<(&str, Value)> = parent.children.iter().map(child).collect();
    let mixes_text = parent.text
        && children
            .iter()
            .any(|(tag, _)| *tag == "break" || *tag == "emphasis");
    let types = if mixes_text {
        json!(["string", "object"])
    } else {
        json!("object")
    };
    let names: Vec<Value> = children
        .iter()
        .map(|(tag, _)| json!({ "required": [tag] }))
        .collect();
    let mut fits: Vec<Value> = children
        .iter()
        .map(|(tag, definition)| json!({ "if": { "type": "object", "required": [tag] }, "then": definition }))
        .collect();
    fits.push(json!({ "if": { "type": "object" }, "then": { "oneOf": names } }));
    // Always true: editors that do not follow `if` find the elements and their attributes here.
    let mut offered = vec![json!({})];
    offered.extend(children.into_iter().map(|(_, definition)| definition));
    json!({ "type": types, "allOf": fits, "anyOf": offered })
}

fn integer(attribute: &Attribute) -> Value {
    let mut schema = json!({ "type": ["integer", "string"], "pattern": whole("-?[0-9]+") });
    if let Some(min) = attribute.min {
        schema["minimum"] = min.into();
    }
    if let Some(max) = attribute.max {
        schema["maximum"] = max.into();
    }
    schema
}

fn string(attribute: &Attribute) -> Value {
    if let Some(pattern) = attribute.destination.as_deref().and_then(destination) {
        return json!({ "type": "string", "pattern": pattern });
    }
    let one = match &attribute.charset {
        Some(charset) => format!("[{}]", escaped(charset)),
        None => r"[\s\S]".to_owned(),
    };
    let times = match attribute.max_length {
        Some(max) => format!("{{0,{max}}}"),
        None => "*".to_owned(),
    };
    let types = if attribute.charset.is_some() {
        json!("string")
    } else {
        json!(["string", "integer", "boolean"])
    };
    if attribute.charset.is_none() && attribute.max_length.is_none() {
        return json!({ "type": types });
    }
    json!({ "type": types, "pattern": whole(&format!("{one}{times}")) })
}

/// The form of what leads somewhere; `None` where any name will do.
fn destination(kind: &str) -> Option<String> {
    match kind {
        "url" => Some(url()),
        "number" => Some(whole(E164)),
        "sip" => Some(whole(r"sips?:\S+")),
        "sender" => {
            let name = "[A-Za-z0-9+_. @:-]";
            Some(whole(&format!(
                "{E164}|[0-9]{{5,6}}|{name}*[A-Za-z]{name}*"
            )))
        }
        "address" => Some(whole(&format!(
            "(whatsapp:)?{E164}|(messenger|rcs|client):.+"
        ))),
        _ => None,
    }
}

/// A URL: absolute, or one that is completed, or a column of a directory.
fn url() -> String {
    r"^([?/]|[Hh][Tt][Tt][Pp][Ss]?://|\{\{)".to_owned()
}

/// A pattern for the whole of a text, unless a template is in it.
fn whole(pattern: &str) -> String {
    format!("^({pattern})$|{TEMPLATE}")
}

/// A text in a pattern, inside of brackets or outside.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        if r"\^$.|?*+()[]{}".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
        escaped
    })
}
