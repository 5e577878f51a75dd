//! The elements of TwiML: a definition for each, and one for each place where several are allowed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{offered, reference};
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary::{
    self, AttributeSpec, Destination, ElementSpec, RESPONSE, ValueType, elements,
};

/// Matches any text with a template in it, because its value is not known yet.
pub(super) const TEMPLATE: &str = r"\{\{";

const E164: &str = r"\+[1-9][0-9]{0,14}";

/// A URL: absolute, to be completed by us, or a directory's column.
const URL: &str = r"^([?/]|[Hh][Tt][Tt][Pp][Ss]?://|\{\{)";

const SOCKET: &str = r"^([Ww][Ss][Ss]://|\{\{)";

/// Adds the definitions for both channels, their replies and `[defaults.X]`.
pub(super) fn define(definitions: &mut Map<String, Value>) {
    for channel in Channel::ALL {
        for (key, spec) in elements(channel) {
            if !spec.children.is_empty() {
                let any = one_of_several(channel, spec);
                definitions.insert(format!("{channel}.{key}.children"), any);
            }
            if spec.tag != RESPONSE {
                definitions.insert(format!("{channel}.{key}"), element(channel, key, spec));
            }
        }
        let verbs = reference(&format!("{channel}.{RESPONSE}.children"));
        let reply = json!({ "type": "array", "items": verbs });
        definitions.insert(channel.to_string(), reply);
    }
    definitions.insert("defaults".to_owned(), defaults());
}

/// A pattern that matches the names of all elements.
pub(super) fn element_names() -> String {
    let channels = Channel::ALL.into_iter();
    let mut names: Vec<&str> = channels.flat_map(vocabulary::element_names).collect();
    names.sort_unstable();
    names.dedup();
    format!("^({})$", any_of(names, escaped))
}

/// One element: its content under its own name, and its attributes.
fn element(channel: Channel, key: &str, spec: &ElementSpec) -> Value {
    let attributes = spec.attributes.iter();
    let mut properties: Map<String, Value> = attributes
        .map(|(name, spec)| ((*name).to_owned(), attribute(name, spec)))
        .collect();
    properties.insert(spec.tag.to_owned(), content(channel, key, spec));
    json!({
        "description": spec.help,
        "type": "object",
        "properties": properties,
        "required": [spec.tag],
        "additionalProperties": false,
    })
}

/// The value under an element's name: its text, its children, or nothing.
fn content(channel: Channel, key: &str, spec: &ElementSpec) -> Value {
    let mut schema = json!({ "type": ["string", "array"] });
    if spec.children.is_empty() {
        schema["maxItems"] = 0.into();
    } else {
        schema["items"] = reference(&format!("{channel}.{key}.children"));
    }
    if !spec.text {
        schema["maxLength"] = 0.into();
    }
    let never_empty = spec.needs_content && spec.empty_with.is_none();
    if never_empty {
        schema["minLength"] = 1.into();
        schema["minItems"] = 1.into();
    }
    if let Some(pattern) = spec.destination.and_then(destination) {
        // `""` means an element without content, where TwiML allows that.
        let empty = if never_empty { "" } else { "^$|" };
        schema["pattern"] = format!("{empty}{pattern}").into();
    }
    schema
}

/// One of an element's children. Its name selects the definition that it must fit, so a message is about that
/// definition and not about every possible child.
fn one_of_several(channel: Channel, parent: &ElementSpec) -> Value {
    let (mut names, mut fits, mut definitions) = (Vec::new(), Vec::new(), Vec::new());
    for key in &parent.children {
        let tag = elements(channel)[key].tag;
        let definition = reference(&format!("{channel}.{key}"));
        names.push(json!({ "required": [tag] }));
        fits.push(json!({ "if": { "type": "object", "required": [tag] }, "then": definition }));
        definitions.push(definition);
    }
    fits.push(json!({ "if": { "type": "object" }, "then": { "oneOf": names } }));
    let mut types = vec!["object"];
    if parent.mixed {
        types.push("string");
    }
    json!({ "type": types, "allOf": fits, "anyOf": offered(definitions) })
}

/// `[defaults.X]`: the attributes of each element, as in its own definition.
fn defaults() -> Value {
    let mut sections: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for channel in Channel::ALL {
        for (key, spec) in elements(channel) {
            let section = sections.entry(spec.tag).or_default();
            for name in spec.attribute_names() {
                let path = format!("{channel}.{key}/properties/{name}");
                let attribute = section.entry(name.to_owned());
                attribute.or_insert_with(|| reference(&path));
            }
        }
    }
    sections.remove(RESPONSE);
    let section = |(tag, properties): (&str, _)| {
        let section = json!({
            "description": format!("Attributes for every {tag} that does not set them."),
            "type": "object",
            "properties": Value::Object(properties),
            "additionalProperties": false,
        });
        (tag.to_owned(), section)
    };
    let sections: Map<String, Value> = sections.into_iter().map(section).collect();
    json!({ "type": "object", "properties": sections, "additionalProperties": false })
}

fn attribute(name: &str, spec: &AttributeSpec) -> Value {
    let mut schema = match spec.kind {
        ValueType::Boolean => json!({ "pattern": whole("true|false") }),
        ValueType::Integer => integer(spec),
        ValueType::Enum => one_of_values(spec),
        ValueType::Url if spec.empty => json!({ "pattern": format!("^$|{URL}") }),
        ValueType::Url => json!({ "pattern": URL }),
        ValueType::Websocket => json!({ "pattern": SOCKET }),
        ValueType::String => string(spec),
    };
    let mut types = vec!["string"];
    if spec.takes_integers() {
        types.push("integer");
    }
    if spec.takes_booleans() {
        types.push("boolean");
    }
    schema["type"] = json!(types);
    if let Some(help) = vocabulary::attribute_help(name) {
        schema["description"] = help.into();
    }
    schema
}

fn integer(spec: &AttributeSpec) -> Value {
    let number = "[+-]?[0-9]+";
    let all = [number].into_iter().chain(spec.also.keys().copied());
    let one = any_of(all, str::to_owned);
    let mut schema = json!({ "pattern": if spec.list { several(&one) } else { whole(&one) } });
    if let Some(min) = spec.min {
        schema["minimum"] = min.into();
    }
    if let Some(max) = spec.max {
        schema["maximum"] = max.into();
    }
    schema
}

fn one_of_values(spec: &AttributeSpec) -> Value {
    let known = spec.values.iter().chain(spec.also.keys());
    let known: Vec<&str> = known.copied().collect();
    let mut offers: Vec<Value> = known.iter().map(|value| json!(value)).collect();
    if spec.takes_booleans() {
        offers.extend([true.into(), false.into()]);
    }
    let offers = json!({ "enum": offers });
    if spec.open {
        return json!({ "anyOf": offered([offers]) });
    }
    if spec.list {
        // The words are there for editors; one text can contain several of them.
        let pattern = several(&any_of(known, escaped));
        return json!({ "pattern": pattern, "anyOf": offered([offers]) });
    }
    json!({ "anyOf": [offers, reference("template")] })
}

fn string(spec: &AttributeSpec) -> Value {
    let pattern = match (spec.destination(), &spec.pattern) {
        (Some(leads), _) => destination(leads),
        (None, Some(pattern)) => Some(format!("{pattern}|{TEMPLATE}")),
        (None, None) if spec.charset.is_none() && spec.max_length.is_none() => None,
        (None, None) => {
            let charset = spec.charset.map(escaped);
            let one = charset.map(|charset| format!("[{charset}]"));
            let one = one.as_deref().unwrap_or(r"[\s\S]");
            let times = spec.max_length.map(|max| format!("{{0,{max}}}"));
            let times = times.as_deref().unwrap_or("*");
            Some(whole(&format!("{one}{times}")))
        }
    };
    pattern.map_or(json!({}), |pattern| json!({ "pattern": pattern }))
}

/// A pattern for a destination; `None` where any name will do.
fn destination(destination: Destination) -> Option<String> {
    let name = "[A-Za-z0-9+_. @:-]";
    let pattern = match destination {
        Destination::Url => return Some(URL.to_owned()),
        Destination::Number => E164.to_owned(),
        Destination::Sip => r"sips?:\S+".to_owned(),
        Destination::Sender => format!("{E164}|[0-9]{{5,6}}|{name}*[A-Za-z]{name}*"),
        Destination::Caller => "[A-Za-z0-9+_.@:-]+".to_owned(),
        Destination::ClientCaller => format!("{E164}|client:.+"),
        Destination::SipCaller => "[A-Za-z0-9+_.-]+".to_owned(),
        Destination::Address => format!("(whatsapp:)?{E164}|(messenger|rcs|client):.+"),
        Destination::Name | Destination::Room => return None,
    };
    Some(whole(&pattern))
}

/// Anchors a pattern to the whole text, unless the text contains a template.
fn whole(pattern: &str) -> String {
    format!("^({pattern})$|{TEMPLATE}")
}

/// The same for one or more such parts separated by whitespace.
fn several(part: &str) -> String {
    whole(&format!(r"\s*({part})(\s+({part}))*\s*"))
}

/// A pattern that matches any of these texts.
fn any_of<'t>(texts: impl IntoIterator<Item = &'t str>, pattern: fn(&str) -> String) -> String {
    texts.into_iter().map(pattern).collect::<Vec<_>>().join("|")
}

/// Escapes a text for use in a pattern, inside or outside brackets.
fn escaped(text: &str) -> String {
    let escape = |character| r"\^$.|?*+()[]{}".contains(character).then_some('\\');
    let escaped = |character| escape(character).into_iter().chain([character]);
    text.chars().flat_map(escaped).collect()
}
