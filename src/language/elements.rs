//! Reads `voice` and `message` into elements of TwiML.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::attributes::{add_defaults, attribute, check_of, twiml_name_remedy, url_help};
use super::documents::note_verbs;
use super::element_remedies::{dialled_noun, table_remedy, text_remedy};
use super::extra::ElementKind;
use super::names::{Fixed, Owner, Reader, Rule};
use super::pairs::note_shown;
use super::rules::{check_default_verb, check_element, check_flow};
use super::settings::UNKNOWN_ELEMENT;
use super::texts::{Slot, template};
use super::values::NUMBER_HELP;
use crate::table::diagnostic::{Check, Diagnostic};
use crate::table::problems::{Key, Problems, Value, entries};
use crate::table::remedy::{Remedy, listed, quoted};
use crate::table::reply::{Attribute, Element, Node};
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
use crate::twilio::twiml_value::number_meant;
use crate::twilio::vocabulary::{self, Destination, ElementSpec, RESPONSE, ValueError};

pub(super) static TWO_ELEMENTS: Check = Check::new(
    "two-elements",
    "Two elements in one table. It is unclear which is the element and which is its attribute. Give each its own table.",
    r#"voice = [ { Say = "Hello.", Play = "https://example.com/a.mp3" } ]"#,
);

pub(super) static WRONG_CHANNEL: Check = Check::new(
    "wrong-channel",
    "A verb of the other channel: `voice` answers calls, `message` answers texts. Move it to the other key.",
    r#"message = [ { Say = "Hello." } ]     # { Message = "Hello." }"#,
);

pub(super) static WRONG_PLACE: Check = Check::new(
    "wrong-place",
    "An element where TwiML does not allow it: a verb inside a `Dial`, a noun at the top, an SSML tag outside a `Say`. The
help line says where it belongs.",
    r#"voice = [ { Dial = [ { Say = "Hello." } ] } ]"#,
);

pub(super) static UNEXPECTED_TEXT: Check = Check::new(
    "unexpected-text",
    r#"Text in an element that does not take text, or next to child elements where TwiML does not allow both. Write the
children as an array, or `""` for an element without content."#,
    r#"voice = [ { Hangup = "now" } ]     # { Hangup = "" }"#,
);

/// An element with the places of its parts in the file.
pub(super) struct Written<'v> {
    pub element: Element,
    /// Where its name stands.
    pub name: Range<usize>,
    /// Where the value of each of its attributes stands: of those that come from `[defaults.X]`, there; of those that
    /// the operator did not write, `name`.
    pub values: Vec<Range<usize>>,
    pub content: &'v Value<'v>,
}

impl Written<'_> {
    /// An attribute and the place of its value.
    pub(super) fn attribute(&self, name: &str) -> Option<(&Attribute, &Range<usize>)> {
        let mut attributes = self.element.attributes.iter().zip(&self.values);
        attributes.find(|(attribute, _)| attribute.name == name)
    }
}

/// The verbs of a `voice` or `message`; none when it is not an array.
pub(super) fn verbs(reader: &mut Reader<'_>, value: &Value<'_>, channel: Channel) -> Vec<Element> {
    reader.channel = channel;
    let example = match channel {
        Channel::Voice => "Say",
        Channel::Message => "Message",
    };
    let help = format!("write an array of elements: [ {{ {example} = \"…\" }} ]");
    let problems = &mut *reader.problems;
    let array = match value.get_ref() {
        DeValue::String(text) if !text.is_empty() => {
            let text = problems.source(value.span());
            let new = format!("[ {{ {example} = {text} }} ]");
            problems.wrong_type(value, "an array of elements", Remedy::source(help, new))
        }
        _ => problems.array(value, "an array of elements", &help, DeValue::is_table),
    };
    let response = ElementKind::twiml(vocabulary::response(channel));
    let mut verbs: Vec<Written<'_>> = Vec::new();
    let mut has_waited = false;
    for item in array.unwrap_or_default() {
        let known = reader.uses.steps.len();
        if let Some(table) = verb_table(reader, item, response, example) {
            verbs.extend(element(reader, table, item.span(), response));
        }
        for step in &mut reader.uses.steps[known..] {
            step.is_followed_at_once &= !has_waited;
        }
        has_waited |= verbs.last().is_some_and(|verb| verb.element.spec.waits);
    }
    check_flow(reader.problems, &verbs);
    note_verbs(reader, &verbs);
    verbs.into_iter().map(|verb| verb.element).collect()
}

/// The table of a verb. The remedy reads a string instead as an element's name, or as the text of the example element.
fn verb_table<'v, 'i>(
    reader: &mut Reader<'_>,
    item: &'v Value<'i>,
    response: ElementKind<'_>,
    example: &str,
) -> Option<&'v DeTable<'i>> {
    let problems = &mut *reader.problems;
    let DeValue::String(text) = item.get_ref() else {
        return problems.table(item, "an element such as { Say = \"…\" }");
    };
    let verb = vocabulary::child_of(reader.channel, response.spec, text);
    let new = match verb.filter(|spec| !spec.needs_content) {
        Some(spec) => format!("{{ {} = \"\" }}", spec.tag),
        None => format!("{{ {example} = {} }}", problems.source(item.span())),
    };
    problems.wrong_type(item, "an element", Remedy::write("", new))
}

/// Reads one element with its places; `None` after an error about the element itself.
fn element<'v>(
    reader: &mut Reader<'_>,
    table: &'v DeTable<'v>,
    span: Range<usize>,
    parent: ElementKind<'_>,
) -> Option<Written<'v>> {
    let names = reader.names;
    let entries = entries(table);
    let is_element = |name: &str| is_twiml(name) || names.extra.has_element(name);
    let mut elements = entries.iter().filter(|(key, _)| is_element(key.get_ref()));
    let Some((key, content)) = elements.next() else {
        unknown_element(reader, &entries, span, parent);
        return None;
    };
    let kind = names.extra.child_of(reader.channel, parent, key.get_ref());
    if let Some((second, _)) = elements.next() {
        let between = content.span().end..second.span().start;
        let is_inline = reader.problems.source(span).starts_with('{');
        let are_apart = entries.len() == 2
            && is_inline
            && names
                .extra
                .child_of(reader.channel, parent, second.get_ref())
                .is_some()
            && kind
                .is_some_and(|kind| !names.extra.child_names(kind).contains(&&**second.get_ref()));
        let error = two_elements(reader.problems, key, second, kind.map(|kind| kind.spec));
        // If one is allowed in the other, that may be meant.
        if are_apart && error.help == APART {
            error.fix(between, " }, { ");
        }
        return None;
    }
    let Some(kind) = kind else {
        misplaced_element(reader, key, &span, parent);
        return None;
    };
    let before = reader.problems.count();
    let mut written = Written {
        element: Element {
            tag: kind.name(),
            spec: kind.spec,
            attributes: Vec::new(),
            content: Vec::new(),
        },
        name: key.span(),
        values: Vec::new(),
        content,
    };
    for (other, value) in &entries {
        if other.span() != key.span()
            && let Some(attribute) = attribute(reader, kind, table, other, value)
        {
            written.element.attributes.push(attribute);
            written.values.push(value.span());
        }
    }
    if reader.owner == Owner::Default {
        check_default_verb(reader.problems, kind.spec, &entries, &key.span());
    }
    written.element.content = nodes(reader, kind, (table, &span), content);
    add_defaults(reader, kind, &mut written);
    note_shown(&mut reader.uses, &written.element, &written.name);
    // A text that could not be read leaves the element empty. That has been reported already, perhaps elsewhere.
    let is_there = !matches!(content.get_ref(), DeValue::String(text) if text.is_empty());
    let is_lost = is_there && written.element.content.is_empty() && !content.get_ref().is_array();
    if reader.problems.errors_since(before) == 0 && !is_lost {
        check_element(reader, &written, parent);
    }
    Some(written)
}

/// The help for two elements in one table.
const APART: &str = "give each element its own table: { … }, { … }";

fn two_elements<'p>(
    problems: &'p mut Problems,
    first: &Key<'_>,
    second: &Key<'_>,
    spec: Option<&ElementSpec>,
) -> &'p mut Diagnostic {
    let (first, name) = (first.get_ref(), second.get_ref());
    let message = format!("`{first}` and `{name}` are in the same table");
    let attributes = spec.into_iter().flat_map(ElementSpec::attribute_names);
    let meant = attributes.filter(|attribute| attribute.starts_with(&**name));
    let help = match meant.min() {
        Some(attribute) => format!("did you mean the attribute `{attribute}`?"),
        None => APART.to_owned(),
    };
    problems.error(&TWO_ELEMENTS, second.span(), message, help)
}

fn unknown_element(
    reader: &mut Reader<'_>,
    entries: &[(&Key<'_>, &Value<'_>)],
    span: Range<usize>,
    parent: ElementKind<'_>,
) {
    let children = reader.names.extra.child_names(parent);
    let near = |name| nearest(name, children.iter().copied());
    let otherwise = format!("{} takes {}", named(parent), listed(&children));
    // The misspelt element is the key that is close to an element's name, or else the first key. The others are its
    // attributes.
    let mut keys = entries.iter().map(|(key, _)| *key);
    let misspelt = keys.find(|key| near(key.get_ref()).is_some());
    let Some(key) = misspelt.or(entries.first().map(|(key, _)| *key)) else {
        let message = "an empty table is not an element";
        let problems = &mut *reader.problems;
        problems.error(&UNKNOWN_ELEMENT, span, message, otherwise);
        return;
    };
    let name = key.get_ref().as_ref();
    if gone_element(reader, name, &key.span()) {
        return;
    }
    let remedy = twiml_name_remedy(name, &children, otherwise);
    let message = format!("TwiML has no element `{name}`");
    let problems = &mut *reader.problems;
    problems.twilio_error(12200, &UNKNOWN_ELEMENT, key.span(), message, remedy);
}

/// Reports an element that no longer works; `false` for any other element.
fn gone_element(reader: &mut Reader<'_>, name: &str, span: &Range<usize>) -> bool {
    let Some(status) = vocabulary::gone(reader.channel, name) else {
        return false;
    };
    let message = format!("TwiML has no element `{name}` here: {}", status.why);
    let help = match status.instead {
        Some(instead) => format!("write `{instead}`"),
        None => "remove it".to_owned(),
    };
    let number = (reader.channel == Channel::Voice).then_some(12200);
    let problems = &mut *reader.problems;
    problems.twilio_error(number, &UNKNOWN_ELEMENT, span, message, help);
    true
}

fn misplaced_element(
    reader: &mut Reader<'_>,
    key: &Key<'_>,
    whole: &Range<usize>,
    parent: ElementKind<'_>,
) {
    let (name, span) = (key.get_ref().as_ref(), key.span());
    if gone_element(reader, name, &span) {
        return;
    }
    let mut parents = reader.names.extra.parents(reader.channel, name);
    if parents.is_empty() && reader.names.extra.has_element(name) {
        // Its lack of parents has already been reported.
        return;
    }
    let within = match *parents {
        [only] => vocabulary::child_of(reader.channel, parent.spec, only),
        _ => None,
    };
    let problems = &mut *reader.problems;
    if parents.is_empty() {
        let (answers, other, number) = match reader.channel {
            Channel::Voice => ("texts, not calls", Channel::Message, 12200),
            Channel::Message => ("calls, not texts", Channel::Voice, 14110),
        };
        let message = format!("`{name}` answers {answers}");
        let help = format!("write it in `{other}`");
        problems.twilio_error(number, &WRONG_CHANNEL, span, message, help);
        return;
    }
    let number = parent.spec.nesting_error.unwrap_or(12200);
    let message = format!("`{name}` is not allowed in {}", named(parent));
    for parent in parents.iter_mut().filter(|tag| **tag == RESPONSE) {
        *parent = "the reply itself";
    }
    let help = format!("it belongs in {}", listed(&parents).replace('`', ""));
    let element = problems.source(whole.clone());
    // A lone noun is meant to be dialled, and a lone body to be sent.
    let within = within.filter(|within| within.dials || within.main_child == Some(name));
    let new = within.filter(|_| element.starts_with('{'));
    let new = new.map(|within| format!("{{ {} = [ {element} ] }}", within.tag));
    let error = problems.twilio_error(number, &WRONG_PLACE, span, message, help);
    if let Some(new) = new {
        error.fix(whole, new);
    }
}

/// Reads the text and the children of an element.
///
/// `whole` is the table of the element and its place.
fn nodes(
    reader: &mut Reader<'_>,
    kind: ElementKind<'_>,
    whole: (&DeTable<'_>, &Range<usize>),
    value: &Value<'_>,
) -> Vec<Node> {
    match value.get_ref() {
        DeValue::String(text) if text.is_empty() => Vec::new(),
        DeValue::String(text) if !kind.takes_text() => {
            let remedy = text_remedy(reader, kind, whole, text, value);
            let message = format!("`{}` does not take text", kind.tag);
            let problems = &mut *reader.problems;
            problems.twilio_error(12200, &UNEXPECTED_TEXT, value.span(), message, remedy);
            Vec::new()
        }
        DeValue::String(text) => {
            let node = text_content(reader, kind, text, value);
            node.into_iter().collect()
        }
        DeValue::Array(array) => array
            .iter()
            .filter_map(|item| child(reader, kind, item, (array.len() == 1).then(|| value.span())))
            .collect(),
        _ => {
            let remedy = table_remedy(reader, kind, whole, value);
            let problems = &mut *reader.problems;
            let nodes = problems.wrong_type(value, "a string or an array", remedy);
            nodes.unwrap_or_default()
        }
    }
}

/// Reads one item of an element's array. `alone` is the place of the array if this is its only item.
fn child(
    reader: &mut Reader<'_>,
    kind: ElementKind<'_>,
    item: &Value<'_>,
    alone: Option<Range<usize>>,
) -> Option<Node> {
    match item.get_ref() {
        DeValue::String(text) if kind.mixes() => text_content(reader, kind, text, item),
        DeValue::String(text) => {
            let (tag, spec) = (kind.tag, kind.spec);
            let source = reader.problems.source(item.span()).to_owned();
            let noun = dialled_noun(reader.channel, spec, text);
            let says = spec.child_names().find(|child| *child == "Say");
            let remedy = if let Some((noun, text)) = noun {
                Remedy::write("", format!("{{ {noun} = {} }}", quoted(text)))
            } else if let Some(child) = spec.main_child.or(says) {
                Remedy::write("", format!("{{ {child} = {source} }}"))
            } else if kind.takes_text() {
                format!("write {{ {tag} = \"…\" }} without brackets, or children only").into()
            } else {
                format!("`{tag}` can contain only elements").into()
            };
            let is_without = remedy.text.is_none() && kind.takes_text();
            let message = format!("`{tag}` does not mix text with elements");
            let problems = &mut *reader.problems;
            let error =
                problems.twilio_error(12200, &UNEXPECTED_TEXT, item.span(), message, remedy);
            if let Some(array) = alone.filter(|_| is_without) {
                error.fix(array, source);
            }
            None
        }
        _ => {
            let table = reader.problems.table(item, "an element")?;
            let child = element(reader, table, item.span(), kind)?;
            Some(Node::Element(child.element))
        }
    }
}

fn text_content(
    reader: &mut Reader<'_>,
    kind: ElementKind<'_>,
    text: &str,
    value: &Value<'_>,
) -> Option<Node> {
    let spec = kind.spec;
    let slot = Slot {
        element: kind.tag,
        attribute: None,
        destination: spec.destination,
        rule: spec.destination.map(Rule::Destination),
        dials: spec.dials,
        takes_ssml: kind.mixes(),
        relays: spec.relays,
        span: value.span(),
    };
    let text = template(reader, text, &slot)?;
    if spec.caller == Some(Destination::Number)
        && let Some(dialled) = Fixed::of(&text)
    {
        reader.uses.telephones.push((dialled, value.span()));
    }
    if let (Some(destination), Some(literal)) = (spec.destination, text.literal())
        && let Err(error) = destination.check(literal)
    {
        bad_text(reader, spec, literal, &error, value.span());
    }
    Some(Node::Text(text))
}

/// Reports an element's text that is not a valid destination.
fn bad_text(
    reader: &mut Reader<'_>,
    spec: &ElementSpec,
    literal: &str,
    error: &ValueError,
    span: Range<usize>,
) {
    let mut number = spec.errors.first().copied();
    let meant = |meant: String| Remedy::word(format!("write \"{meant}\""), meant);
    let remedy = match (error, dialled_noun(reader.channel, spec, literal)) {
        (_, Some((noun, text))) => {
            Remedy::write(spec.tag, format!("[ {{ {noun} = {} }} ]", quoted(text)))
        }
        (ValueError::Url(error), _) => {
            number = number.or(Some(11100));
            url_help(error, literal).into()
        }
        (ValueError::Number(_), _) => match number_meant(literal) {
            Some((of, is_american)) => {
                // Twilio accepts US numbers without the country code: requiring it is our own rule.
                number = number.filter(|_| !is_american);
                meant(of.to_string())
            }
            None => NUMBER_HELP.into(),
        },
        (ValueError::NotSip, _) if literal.contains('@') && !literal.contains([':', ' ']) => {
            meant(format!("sip:{literal}"))
        }
        (ValueError::NotSip, _) => "write it as sip:user@example.com".into(),
        _ => "write a name".into(),
    };
    let message = format!("`{}` cannot lead to \"{literal}\": {error}", spec.tag);
    let problems = &mut *reader.problems;
    problems.twilio_error(number, check_of(error), span, message, remedy);
}

/// Whether TwiML has an element of this name on either channel. No attribute has the same name as an element.
fn is_twiml(name: &str) -> bool {
    Channel::ALL
        .into_iter()
        .any(|channel| vocabulary::elements_named(channel, name).next().is_some())
}

/// An element's name, for use in a message.
fn named(kind: ElementKind<'_>) -> String {
    if kind.tag == RESPONSE {
        "a reply".to_owned()
    } else {
        format!("`{}`", kind.tag)
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
                        assert!(!is_twiml(attribute), "{attribute} of {name}");
                    }
                }
            }
        }
    }
}
