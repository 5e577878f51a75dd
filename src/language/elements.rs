//! `voice` and `message`: from TOML to elements that TwiML has.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::attributes::{BAD_VALUE, add_defaults, attribute, url_help};
use super::destinations::BAD_URL;
use super::names::Names;
use super::rules::{check_default_verb, check_element, check_flow};
use super::settings::UNKNOWN_ELEMENT;
use super::texts::template;
use super::uses::{Owner, Place, Read, Rule, Slot, Uses};
use super::values::BAD_NUMBER;
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
pub(super) fn verbs(
    names: &Names,
    problems: &mut Problems,
    value: &Value<'_>,
    place: Place,
) -> Read<Vec<Element>> {
    let mut uses = Uses::default();
    let example = match place.channel {
        Channel::Voice => "write an array of elements: [ { Say = \"…\" } ]",
        Channel::Message => "write an array of elements: [ { Message = \"…\" } ]",
    };
    let Some(array) = problems.array(value, "an array of elements", example) else {
        return uses.with(Vec::new());
    };
    let response = vocabulary::response(place.channel);
    let mut verbs: Vec<(Element, Range<usize>)> = Vec::with_capacity(array.len());
    for item in array {
        if let Some(table) = problems.table(item, "an element, such as { Say = \"…\" },") {
            let verb = element(names, problems, table, item.span(), response, place);
            verbs.extend(verb.unpack(&mut uses));
        }
    }
    check_flow(problems, &verbs);
    uses.with(verbs.into_iter().map(|(element, _)| element).collect())
}

/// One element with the place of its name; `None` after an error about it.
fn element(
    names: &Names,
    problems: &mut Problems,
    table: &DeTable<'_>,
    span: Range<usize>,
    parent: &'static ElementSpec,
    place: Place,
) -> Read<Option<(Element, Range<usize>)>> {
    let mut uses = Uses::default();
    let entries = entries(table);
    let mut elements = entries.iter().filter(|(key, _)| is_element(key.get_ref()));
    let Some((key, content)) = elements.next() else {
        unknown_element(problems, &entries, span, parent, place.channel);
        return uses.with(None);
    };
    if let Some((second, _)) = elements.next() {
        two_elements(problems, key, second, parent, place.channel);
        return uses.with(None);
    }
    let name = key.get_ref().as_ref();
    let Some(spec) = vocabulary::child_of(place.channel, parent, name) else {
        misplaced_element(problems, name, key.span(), parent, place.channel);
        return uses.with(None);
    };
    let before = problems.count();
    let mut element = Element {
        spec,
        attributes: Vec::new(),
        content: Vec::new(),
    };
    for (other, value) in &entries {
        if other.span() != key.span() {
            let read = attribute(names, problems, spec, other, value, place);
            element.attributes.extend(read.unpack(&mut uses));
        }
    }
    if place.owner == Owner::Default {
        check_default_verb(problems, spec, &entries, &key.span());
    }
    element.content = nodes(names, problems, spec, content, place).unpack(&mut uses);
    let added = add_defaults(names, problems, &mut element, &key.span(), place.owner);
    uses.add(added);
    // A text that could not be read leaves nothing behind; why has been reported, perhaps elsewhere.
    let is_there = !matches!(content.get_ref(), DeValue::String(text) if text.is_empty());
    let is_lost = is_there && element.content.is_empty() && !content.get_ref().is_array();
    if problems.errors_since(before) == 0 && !is_lost {
        check_element(problems, &element, &key.span(), content, parent);
    }
    uses.with(Some((element, key.span())))
}

fn two_elements(
    problems: &mut Problems,
    first: &Key<'_>,
    second: &Key<'_>,
    parent: &'static ElementSpec,
    channel: Channel,
) {
    let (first, name) = (first.get_ref(), second.get_ref());
    let message = format!("`{first}` and `{name}` in one table");
    let spec = vocabulary::child_of(channel, parent, first);
    let attributes = spec.into_iter().flat_map(ElementSpec::attribute_names);
    let help = match attributes
        .filter(|attribute| attribute.starts_with(&**name))
        .min()
    {
        Some(attribute) => format!("did you mean the attribute `{attribute}`?"),
        None => "give each element a table of its own: [ { … }, { … } ]".to_owned(),
    };
    problems.error(&TWO_ELEMENTS, second.span(), message, help);
}

fn unknown_element(
    problems: &mut Problems,
    entries: &[(&Key<'_>, &Value<'_>)],
    span: Range<usize>,
    parent: &'static ElementSpec,
    channel: Channel,
) {
    let children: Vec<&str> = parent.child_names().collect();
    let Some((key, _)) = entries.first() else {
        let help = format!("{} takes {}", named(parent), listed(&children));
        problems.error(&UNKNOWN_ELEMENT, span, "an empty table is no element", help);
        return;
    };
    // The misspelt one is the key that is like an element's name, else the first: the rest are its attributes.
    let key = entries
        .iter()
        .map(|(key, _)| key)
        .find(|key| nearest(key.get_ref(), children.iter().copied()).is_some())
        .unwrap_or(key);
    let name = key.get_ref().as_ref();
    if gone_element(problems, name, &key.span(), channel) {
        return;
    }
    let everywhere = vocabulary::element_names(channel);
    let help = match nearest(name, children.iter().copied()).or_else(|| nearest(name, everywhere)) {
        Some(near) if near.eq_ignore_ascii_case(name) => {
            format!("write `{near}`: the letter case counts")
        }
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{} takes {}", named(parent), listed(&children)),
    };
    let message = format!("TwiML has no element `{name}`");
    problems
        .error(&UNKNOWN_ELEMENT, key.span(), message, help)
        .twilio(12200);
}

/// Reports an element that does not work any more; `false` when it is not one.
fn gone_element(
    problems: &mut Problems,
    name: &str,
    span: &Range<usize>,
    channel: Channel,
) -> bool {
    let Some(status) = vocabulary::gone(channel, name) else {
        return false;
    };
    let message = format!("TwiML has no element `{name}` here: {}", status.why);
    let help = match status.instead {
        Some(instead) => format!("write `{instead}`"),
        None => "take it out".to_owned(),
    };
    problems
        .error(&UNKNOWN_ELEMENT, span.clone(), message, help)
        .twilio((channel == Channel::Voice).then_some(12200));
    true
}

fn misplaced_element(
    problems: &mut Problems,
    name: &str,
    span: Range<usize>,
    parent: &'static ElementSpec,
    channel: Channel,
) {
    if gone_element(problems, name, &span, channel) {
        return;
    }
    let parents = vocabulary::parents(channel, name);
    if parents.is_empty() {
        let (message, help) = match channel {
            Channel::Voice => (
                format!("`{name}` answers texts, not calls"),
                "write it below `message`",
            ),
            Channel::Message => (
                format!("`{name}` answers calls, not texts"),
                "write it below `voice`",
            ),
        };
        let number = if channel == Channel::Message {
            14110
        } else {
            12200
        };
        problems
            .error(&WRONG_CHANNEL, span, message, help)
            .twilio(number);
        return;
    }
    let number = parent.nesting_error.unwrap_or(12200);
    let message = format!("`{name}` cannot stand in {}", named(parent));
    let parents: Vec<&str> = parents
        .into_iter()
        .map(|tag| {
            if tag == RESPONSE {
                "the reply itself"
            } else {
                tag
            }
        })
        .collect();
    let help = format!("it stands in {}", listed(&parents).replace('`', ""));
    problems
        .error(&WRONG_PLACE, span, message, help)
        .twilio(number);
}

/// The text and the children of an element.
fn nodes(
    names: &Names,
    problems: &mut Problems,
    spec: &'static ElementSpec,
    value: &Value<'_>,
    place: Place,
) -> Read<Vec<Node>> {
    match value.get_ref() {
        DeValue::String(text) if text.is_empty() => {}
        DeValue::String(_) if !spec.text => {
            let children: Vec<&str> = spec.child_names().collect();
            let help = match children.as_slice() {
                [] => format!("write {{ {} = \"\" }}", spec.tag),
                children => {
                    format!("write {{ {} = [ … ] }} with {}", spec.tag, listed(children))
                }
            };
            let message = format!("`{}` holds no text", spec.tag);
            problems
                .error(&UNEXPECTED_TEXT, value.span(), message, help)
                .twilio(12200);
        }
        DeValue::String(text) => {
            let mut uses = Uses::default();
            let node = text_content(names, problems, spec, text, value, place).unpack(&mut uses);
            return uses.with(node.into_iter().collect());
        }
        DeValue::Array(array) => return children(names, problems, spec, array, place),
        found => {
            let help = match found {
                DeValue::Integer(number) => {
                    format!("write it in quotes: \"{}\"", number.as_str())
                }
                _ => format!("write {{ {} = \"…\" }}", spec.tag),
            };
            problems.wrong_type(value, "a text or an array", help);
        }
    }
    Uses::default().with(Vec::new())
}

fn children(
    names: &Names,
    problems: &mut Problems,
    spec: &'static ElementSpec,
    array: &[Value<'_>],
    place: Place,
) -> Read<Vec<Node>> {
    let mut uses = Uses::default();
    let mut nodes = Vec::with_capacity(array.len());
    for item in array {
        match item.get_ref() {
            DeValue::String(text) if spec.mixed => {
                let node = text_content(names, problems, spec, text, item, place);
                nodes.extend(node.unpack(&mut uses));
            }
            DeValue::String(_) => {
                let help = match spec.main_child {
                    Some(child) => format!("write {{ {child} = \"…\" }}"),
                    None if spec.text => format!(
                        "write {{ {} = \"…\" }} without brackets, or children only",
                        spec.tag
                    ),
                    None => format!("`{}` holds elements only", spec.tag),
                };
                let message = format!("`{}` does not mix text with elements", spec.tag);
                problems
                    .error(&UNEXPECTED_TEXT, item.span(), message, help)
                    .twilio(12200);
            }
            _ => {
                if let Some(table) = problems.table(item, "an element") {
                    let child = element(names, problems, table, item.span(), spec, place);
                    let child = child.unpack(&mut uses);
                    nodes.extend(child.map(|(element, _)| Node::Element(element)));
                }
            }
        }
    }
    uses.with(nodes)
}

fn text_content(
    names: &Names,
    problems: &mut Problems,
    spec: &'static ElementSpec,
    text: &str,
    value: &Value<'_>,
    place: Place,
) -> Read<Option<Node>> {
    let mut uses = Uses::default();
    let slot = Slot {
        element: spec.tag,
        attribute: None,
        destination: spec.destination,
        dials: spec.dials,
        is_socket: false,
        place,
    };
    let read = template(names, problems, text, &value.span(), &slot);
    let Some(text) = read.unpack(&mut uses) else {
        return uses.with(None);
    };
    if let Some(destination) = spec.destination {
        let place = format!("`{}`", spec.tag);
        uses.check_cells(&text, Rule::Destination(destination), value.span(), place);
        if let Some(literal) = text.literal()
            && let Err(error) = destination.check(literal)
        {
            bad_text(problems, spec, &error, value.span());
        }
    }
    uses.with(Some(Node::Text(text)))
}

fn bad_text(problems: &mut Problems, spec: &ElementSpec, error: &ValueError, span: Range<usize>) {
    let (check, help, number) = match error {
        ValueError::Url(error) => (&BAD_URL, url_help(error), Some(11100)),
        ValueError::Number(_) => {
            let help = "write the number as +15005550006, without spaces or dashes";
            (&BAD_NUMBER, help, Some(13223))
        }
        ValueError::NotSip => (&BAD_VALUE, "write it as sip:user@example.com", None),
        _ => (&BAD_VALUE, "write a name", None),
    };
    let message = format!("the text of `{}` is wrong: {error}", spec.tag);
    problems
        .error(check, span, message, help)
        .twilio(spec.error_number().or(number));
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
