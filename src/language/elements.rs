//! `voice` and `message`: from TOML to elements that TwiML has.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::attributes::{add_defaults, attribute, check_of, twiml_name_help, url_help};
use super::names::{Owner, Reader, Rule};
use super::pairs::note_shown;
use super::rules::{check_default_verb, check_element, check_flow};
use super::settings::UNKNOWN_ELEMENT;
use super::texts::{Slot, template};
use super::values::NUMBER_HELP;
use crate::table::diagnostic::Check;
use crate::table::problems::{Key, Problems, Value, entries, listed};
use crate::table::reply::{Element, Node};
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::{self, ElementSpec, RESPONSE, ValueError};

pub(super) static TWO_ELEMENTS: Check = Check::new(
    "two-elements",
    "Two elements in one table. It is unclear which is the element and which its attribute. Give each a table of its own.",
    r#"voice = [ { Say = "Hello.", Play = "https://example.com/a.mp3" } ]"#,
);

pub(super) static WRONG_CHANNEL: Check = Check::new(
    "wrong-channel",
    "A verb of the other channel: `voice` answers calls, `message` answers texts. Move it below the other key.",
    r#"message = [ { Say = "Hello." } ]     # { Message = "Hello." }"#,
);

pub(super) static WRONG_PLACE: Check = Check::new(
    "wrong-place",
    "An element where TwiML does not allow it: a verb inside a `Dial`, a noun at the top, an SSML tag outside a `Say`. The
help line says where it may stand.",
    r#"voice = [ { Dial = [ { Say = "Hello." } ] } ]"#,
);

pub(super) static UNEXPECTED_TEXT: Check = Check::new(
    "unexpected-text",
    r#"Text in an element that takes no text, or next to elements where TwiML does not mix the two. Write the children as an
array, or `""` for an element without content."#,
    r#"voice = [ { Hangup = "now" } ]     # { Hangup = "" }"#,
);

/// The verbs of a `voice` or `message`; none when it is no array.
pub(super) fn verbs(reader: &mut Reader<'_>, value: &Value<'_>, channel: Channel) -> Vec<Element> {
    reader.channel = channel;
    let example = match channel {
        Channel::Voice => "write an array of elements: [ { Say = \"…\" } ]",
        Channel::Message => "write an array of elements: [ { Message = \"…\" } ]",
    };
    let problems = &mut *reader.problems;
    let array = problems.array(value, "an array of elements", example);
    let response = vocabulary::response(channel);
    let mut verbs: Vec<(Element, Range<usize>)> = Vec::new();
    for item in array.unwrap_or_default() {
        let wanted = "an element, such as { Say = \"…\" },";
        if let Some(table) = reader.problems.table(item, wanted) {
            verbs.extend(element(reader, table, item.span(), response));
        }
    }
    check_flow(reader.problems, &verbs);
    verbs.into_iter().map(|(element, _)| element).collect()
}

/// One element with the place of its name; `None` after an error about it.
fn element(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    span: Range<usize>,
    parent: &'static ElementSpec,
) -> Option<(Element, Range<usize>)> {
    let entries = entries(table);
    let mut elements = entries.iter().filter(|(key, _)| is_element(key.get_ref()));
    let Some((key, content)) = elements.next() else {
        unknown_element(reader, &entries, span, parent);
        return None;
    };
    let spec = vocabulary::child_of(reader.channel, parent, key.get_ref());
    if let Some((second, _)) = elements.next() {
        two_elements(reader.problems, key, second, spec);
        return None;
    }
    let Some(spec) = spec else {
        misplaced_element(reader, key.get_ref(), key.span(), parent);
        return None;
    };
    let before = reader.problems.count();
    let mut element = Element {
        spec,
        attributes: Vec::new(),
        content: Vec::new(),
    };
    for (other, value) in &entries {
        if other.span() != key.span() {
            let attribute = attribute(reader, spec, other, value);
            element.attributes.extend(attribute);
        }
    }
    if reader.owner == Owner::Default {
        check_default_verb(reader.problems, spec, &entries, &key.span());
    }
    element.content = nodes(reader, spec, content);
    add_defaults(reader, &mut element, &key.span());
    note_shown(&mut reader.uses, &element, &key.span());
    // A text that could not be read leaves nothing behind; why has been reported, perhaps elsewhere.
    let is_there = !matches!(content.get_ref(), DeValue::String(text) if text.is_empty());
    let is_lost = is_there && element.content.is_empty() && !content.get_ref().is_array();
    if reader.problems.errors_since(before) == 0 && !is_lost {
        check_element(reader.problems, &element, &key.span(), content, parent);
    }
    Some((element, key.span()))
}

fn two_elements(
    problems: &mut Problems,
    first: &Key<'_>,
    second: &Key<'_>,
    spec: Option<&ElementSpec>,
) {
    let (first, name) = (first.get_ref(), second.get_ref());
    let message = format!("`{first}` and `{name}` in one table");
    let attributes = spec.into_iter().flat_map(ElementSpec::attribute_names);
    let meant = attributes.filter(|attribute| attribute.starts_with(&**name));
    let help = match meant.min() {
        Some(attribute) => format!("did you mean the attribute `{attribute}`?"),
        None => "give each element a table of its own: [ { … }, { … } ]".to_owned(),
    };
    problems.error(&TWO_ELEMENTS, second.span(), message, help);
}

fn unknown_element(
    reader: &mut Reader<'_>,
    entries: &[(&Key<'_>, &Value<'_>)],
    span: Range<usize>,
    parent: &'static ElementSpec,
) {
    let children: Vec<&str> = parent.child_names().collect();
    let near = |name| nearest(name, children.iter().copied());
    let otherwise = format!("{} takes {}", named(parent), listed(&children));
    // The misspelt one is the key that is like an element's name, else the first: the rest are its attributes.
    let mut keys = entries.iter().map(|(key, _)| *key);
    let misspelt = keys.find(|key| near(key.get_ref()).is_some());
    let Some(key) = misspelt.or(entries.first().map(|(key, _)| *key)) else {
        let message = "an empty table is no element";
        let problems = &mut *reader.problems;
        problems.error(&UNKNOWN_ELEMENT, span, message, otherwise);
        return;
    };
    let name = key.get_ref().as_ref();
    if gone_element(reader, name, &key.span()) {
        return;
    }
    let known = match near(name) {
        Some(near) => vec![near],
        None => vocabulary::element_names(reader.channel),
    };
    let help = twiml_name_help(name, known, otherwise);
    let message = format!("TwiML has no element `{name}`");
    let problems = &mut *reader.problems;
    problems.twilio_error(12200, &UNKNOWN_ELEMENT, key.span(), message, help);
}

/// Reports an element that does not work any more; `false` when it is not one.
fn gone_element(reader: &mut Reader<'_>, name: &str, span: &Range<usize>) -> bool {
    let Some(status) = vocabulary::gone(reader.channel, name) else {
        return false;
    };
    let message = format!("TwiML has no element `{name}` here: {}", status.why);
    let help = match status.instead {
        Some(instead) => format!("write `{instead}`"),
        None => "take it out".to_owned(),
    };
    let number = (reader.channel == Channel::Voice).then_some(12200);
    let problems = &mut *reader.problems;
    problems.twilio_error(number, &UNKNOWN_ELEMENT, span, message, help);
    true
}

fn misplaced_element(
    reader: &mut Reader<'_>,
    name: &str,
    span: Range<usize>,
    parent: &'static ElementSpec,
) {
    if gone_element(reader, name, &span) {
        return;
    }
    let problems = &mut *reader.problems;
    let mut parents = vocabulary::parents(reader.channel, name);
    if parents.is_empty() {
        let (answers, other, number) = match reader.channel {
            Channel::Voice => ("texts, not calls", Channel::Message, 12200),
            Channel::Message => ("calls, not texts", Channel::Voice, 14110),
        };
        let message = format!("`{name}` answers {answers}");
        let help = format!("write it below `{other}`");
        problems.twilio_error(number, &WRONG_CHANNEL, span, message, help);
        return;
    }
    let number = parent.nesting_error.unwrap_or(12200);
    let message = format!("`{name}` cannot stand in {}", named(parent));
    for parent in parents.iter_mut().filter(|tag| **tag == RESPONSE) {
        *parent = "the reply itself";
    }
    let help = format!("it stands in {}", listed(&parents).replace('`', ""));
    problems.twilio_error(number, &WRONG_PLACE, span, message, help);
}

/// The text and the children of an element.
fn nodes(reader: &mut Reader<'_>, spec: &'static ElementSpec, value: &Value<'_>) -> Vec<Node> {
    match value.get_ref() {
        DeValue::String(text) if text.is_empty() => Vec::new(),
        DeValue::String(_) if !spec.text => {
            let children: Vec<&str> = spec.child_names().collect();
            let help = if children.is_empty() {
                format!("write {{ {} = \"\" }}", spec.tag)
            } else {
                let children = listed(&children);
                format!("write {{ {} = [ … ] }} with {children}", spec.tag)
            };
            let message = format!("`{}` holds no text", spec.tag);
            let problems = &mut *reader.problems;
            problems.twilio_error(12200, &UNEXPECTED_TEXT, value.span(), message, help);
            Vec::new()
        }
        DeValue::String(text) => {
            let node = text_content(reader, spec, text, value);
            node.into_iter().collect()
        }
        DeValue::Array(array) => array
            .iter()
            .filter_map(|item| child(reader, spec, item))
            .collect(),
        _ => {
            let otherwise = format!("write {{ {} = \"…\" }}", spec.tag);
            let problems = &mut *reader.problems;
            let nodes = problems.no_text(value, "a text or an array", otherwise);
            nodes.unwrap_or_default()
        }
    }
}

/// One item of the array that an element holds.
fn child(reader: &mut Reader<'_>, spec: &'static ElementSpec, item: &Value<'_>) -> Option<Node> {
    match item.get_ref() {
        DeValue::String(text) if spec.mixed => text_content(reader, spec, text, item),
        DeValue::String(_) => {
            let tag = spec.tag;
            let help = match spec.main_child {
                Some(child) => format!("write {{ {child} = \"…\" }}"),
                None if spec.text => {
                    format!("write {{ {tag} = \"…\" }} without brackets, or children only")
                }
                None => format!("`{tag}` holds elements only"),
            };
            let message = format!("`{tag}` does not mix text with elements");
            let problems = &mut *reader.problems;
            problems.twilio_error(12200, &UNEXPECTED_TEXT, item.span(), message, help);
            None
        }
        _ => {
            let table = reader.problems.table(item, "an element")?;
            let (element, _) = element(reader, table, item.span(), spec)?;
            Some(Node::Element(element))
        }
    }
}

fn text_content(
    reader: &mut Reader<'_>,
    spec: &'static ElementSpec,
    text: &str,
    value: &Value<'_>,
) -> Option<Node> {
    let slot = Slot {
        element: spec.tag,
        attribute: None,
        destination: spec.destination,
        rule: spec.destination.map(Rule::Destination),
        dials: spec.dials,
        relays: spec.relays,
        span: value.span(),
    };
    let text = template(reader, text, &slot)?;
    if let (Some(destination), Some(literal)) = (spec.destination, text.literal())
        && let Err(error) = destination.check(literal)
    {
        bad_text(reader.problems, spec, &error, value.span());
    }
    Some(Node::Text(text))
}

fn bad_text(problems: &mut Problems, spec: &ElementSpec, error: &ValueError, span: Range<usize>) {
    let (help, number) = match error {
        ValueError::Url(error) => (url_help(error), Some(11100)),
        ValueError::Number(_) => (NUMBER_HELP, Some(13223)),
        ValueError::NotSip => ("write it as sip:user@example.com", None),
        _ => ("write a name", None),
    };
    let number = spec.errors.first().copied().or(number);
    let message = format!("the text of `{}` is wrong: {error}", spec.tag);
    problems.twilio_error(number, check_of(error), span, message, help);
}

/// Whether TwiML has an element of that name, on either channel. No attribute shares its name with an element.
fn is_element(name: &str) -> bool {
    Channel::ALL
        .into_iter()
        .any(|channel| vocabulary::elements_named(channel, name).next().is_some())
}

/// An element's name for a sentence.
fn named(spec: &ElementSpec) -> String {
    if spec.tag == RESPONSE {
        "a reply".to_owned()
    } else {
        format!("`{}`", spec.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_attribute_shares_its_name_with_an_element() {
        for channel in Channel::ALL {
            for name in vocabulary::element_names(channel) {
                for spec in vocabulary::elements_named(channel, name) {
                    for attribute in spec.attribute_names() {
                        assert!(!is_element(attribute), "{attribute} of {name}");
                    }
                }
            }
        }
    }
}
