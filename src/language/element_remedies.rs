//! Remedies for content that an element cannot have: what was meant, and how to write it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::extra::ElementKind;
use super::names::Reader;
use crate::table::problems::{Key, Value, entries};
use crate::table::remedy::{Remedy, listed};
use crate::twilio::channel::Channel;
use crate::twilio::twiml_value::number_meant;
use crate::twilio::vocabulary::{self, Destination, ElementSpec, ValueType};

/// The remedy for a text in an element that takes none: it is the value of an attribute, or belongs in a child.
pub(super) fn text_remedy(
    reader: &Reader<'_>,
    kind: ElementKind<'_>,
    whole: (&DeTable<'_>, &Range<usize>),
    text: &str,
    value: &Value<'_>,
) -> Remedy {
    let (tag, spec) = (kind.tag, kind.spec);
    let source = reader.problems.source(value.span());
    if let Some(name) = attribute_for(spec, whole.0, text) {
        return empty_with(reader, tag, whole, &[format!("{name} = {source}")]);
    }
    let children = reader.names.extra.child_names(kind);
    let child = match *children {
        [only] => Some(only),
        _ => children.iter().copied().find(|child| *child == "Say"),
    };
    let child = child.filter(|child| {
        let child = vocabulary::child_of(reader.channel, spec, child);
        child.is_some_and(|child| {
            child.text && child.destination.is_none_or(|to| to.check(text).is_ok())
        })
    });
    match child {
        Some(child) => Remedy::write(tag, format!("[ {{ {child} = {source} }} ]")),
        None if !spec.needs_content => Remedy::write(tag, "\"\""),
        None => format!("write {{ {tag} = [ … ] }} with {}", listed(&children)).into(),
    }
}

/// The only attribute for which a value without a name can be meant: it takes that word or number.
fn attribute_for(spec: &ElementSpec, table: &DeTable<'_>, value: &str) -> Option<&'static str> {
    let mut meant = spec.attributes.iter().filter(|(name, attribute)| {
        let takes = match attribute.kind {
            ValueType::Enum => attribute.values.contains(&value),
            ValueType::Integer => attribute.check(value).is_ok(),
            _ => false,
        };
        takes && !table.contains_key(**name)
    });
    let (first, second) = (meant.next(), meant.next());
    first.filter(|_| second.is_none()).map(|(name, _)| *name)
}

/// The remedy for the content of an element that is neither a string nor an array.
pub(super) fn table_remedy(
    reader: &Reader<'_>,
    kind: ElementKind<'_>,
    whole: (&DeTable<'_>, &Range<usize>),
    value: &Value<'_>,
) -> Remedy {
    let (tag, spec) = (kind.tag, kind.spec);
    let otherwise = if kind.takes_text() {
        format!("write {{ {tag} = \"…\" }}")
    } else if spec.needs_content {
        format!("write {{ {tag} = [ … ] }}")
    } else {
        format!("write {{ {tag} = \"\" }}")
    };
    let digits = reader.problems.digits(value);
    match (value.get_ref(), digits) {
        (DeValue::Table(content), _) => {
            let is_inline = reader.problems.source(value.span()).starts_with('{');
            match content_remedy(reader, kind, whole, content) {
                Some(remedy) if is_inline => remedy,
                Some(remedy) => remedy.help.into(),
                None => otherwise.into(),
            }
        }
        (DeValue::Boolean(true), _) if !spec.needs_content => Remedy::write(tag, "\"\""),
        (_, Some(digits)) if kind.takes_text() => {
            let meant = match spec.destination {
                Some(Destination::Number) => {
                    number_meant(&digits).map(|(meant, _)| meant.to_string())
                }
                Some(destination) => destination.check(&digits).is_ok().then_some(digits),
                None => Some(digits),
            };
            match meant {
                Some(meant) => Remedy::write(tag, format!("\"{meant}\"")),
                None => otherwise.into(),
            }
        }
        (_, Some(digits)) => match attribute_for(spec, whole.0, &digits) {
            Some(name) => empty_with(reader, tag, whole, &[format!("{name} = {digits}")]),
            None => otherwise.into(),
        },
        _ => otherwise.into(),
    }
}

/// The remedy for `Dial = { Number = "…", url = "…" }`, where the children belong in an array, and for
/// `Record = { maxLength = 60 }`, where there are only attributes.
fn content_remedy(
    reader: &Reader<'_>,
    kind: ElementKind<'_>,
    whole: (&DeTable<'_>, &Range<usize>),
    content: &DeTable<'_>,
) -> Option<Remedy> {
    let source = |(key, value): &(&Key<'_>, &Value<'_>)| {
        let span = key.span().start..value.span().end;
        reader.problems.source(span).to_owned()
    };
    let names = reader.names;
    let child = |key: &Key<'_>| names.extra.child_of(reader.channel, kind, key.get_ref());
    let takes = |kind: ElementKind<'_>, key: &Key<'_>| names.takes(kind, key.get_ref());
    let (children, others): (Vec<_>, Vec<_>) = entries(content)
        .into_iter()
        .partition(|(key, _)| child(key).is_some());
    let (of_child, own): (Vec<_>, Vec<_>) = others.into_iter().partition(|(key, _)| {
        let only = children.first().and_then(|(key, _)| child(key));
        only.is_some_and(|child| takes(child, key))
    });
    let are_free = own
        .iter()
        .all(|(key, _)| takes(kind, key) && !whole.0.contains_key(&**key.get_ref()));
    if !are_free || (children.len() > 1 && !of_child.is_empty()) {
        return None;
    }
    let own: Vec<String> = own.iter().map(source).collect();
    if children.is_empty() {
        let is_enough = !own.is_empty() && !kind.spec.needs_content;
        return is_enough.then(|| empty_with(reader, kind.tag, whole, &own));
    }
    let of_child = of_child
        .iter()
        .map(source)
        .map(|attribute| format!(", {attribute}"));
    let of_child: String = of_child.collect();
    let children = children.iter().map(source);
    let children: Vec<String> = children
        .map(|child| format!("{{ {child}{of_child} }}"))
        .collect();
    let array = format!("[ {} ]", children.join(", "));
    Some(with(reader, kind.tag, whole, &array, &own))
}

/// The remedy `TAG = "", NAME = VALUE`.
fn empty_with(
    reader: &Reader<'_>,
    tag: &str,
    whole: (&DeTable<'_>, &Range<usize>),
    attributes: &[String],
) -> Remedy {
    with(reader, tag, whole, "\"\"", attributes)
}

/// The remedy `TAG = CONTENT, NAME = VALUE`, inline or on separate lines like the element's own table.
fn with(
    reader: &Reader<'_>,
    tag: &str,
    (_, span): (&DeTable<'_>, &Range<usize>),
    content: &str,
    attributes: &[String],
) -> Remedy {
    let all = |separator: &str| {
        let attributes = attributes
            .iter()
            .map(|attribute| separator.to_owned() + attribute);
        content.to_owned() + &attributes.collect::<String>()
    };
    let is_inline = reader.problems.source(span.clone()).starts_with('{');
    let new = all(if is_inline { ", " } else { "\n" });
    Remedy::source(format!("write {{ {tag} = {} }}", all(", ")), new)
}

/// The noun that was meant by a text where a number is dialled, and the noun's text: `Sip` for `sip:a@b`.
pub(super) fn dialled_noun<'t>(
    channel: Channel,
    spec: &ElementSpec,
    text: &'t str,
) -> Option<(&'static str, &'t str)> {
    if !spec.dials || spec.main_child.is_some() {
        return None;
    }
    let (scheme, rest) = text.split_once(':').unwrap_or(("Number", text));
    let scheme = if scheme.eq_ignore_ascii_case("sips") {
        "Sip"
    } else {
        scheme
    };
    let noun = spec
        .child_names()
        .find(|noun| noun.eq_ignore_ascii_case(scheme))?;
    let destination = vocabulary::child_of(channel, spec, noun)?.destination?;
    let is_uri = destination == Destination::Sip;
    let text = if is_uri { text } else { rest.trim() };
    destination.check(text).is_ok().then_some((noun, text))
}
