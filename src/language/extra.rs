//! `[extra]`: additions to TwiML that our vocabulary lacks, and the elements that a reply may have with them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use super::attributes::twiml_name_remedy;
use super::settings::UNKNOWN_ELEMENT;
use crate::table::problems::{BAD_NAME, Key, Problems, Value};
use crate::table::remedy::did_you_mean;
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary::{self, ElementSpec, RESPONSE};

/// The elements and attributes in `[extra]`. They are not checked against our vocabulary.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// The attributes that take any value, by element.
    attributes: BTreeMap<String, BTreeSet<String>>,
    elements: BTreeMap<String, ExtraElement>,
}

/// An element that only `[extra]` has.
#[derive(Debug, Default)]
pub(super) struct ExtraElement {
    parents: Vec<String>,
    children: Vec<String>,
    takes_text: bool,
}

/// An element that a reply may have, from TwiML or from `[extra]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ElementKind<'n> {
    /// Its name.
    pub tag: &'n str,
    /// Its entry in the vocabulary; an empty entry for an element that only `[extra]` has.
    pub spec: &'static ElementSpec,
    extra: Option<&'n ExtraElement>,
}

impl Extra {
    /// Whether `[extra]` lets an attribute of an element take any value.
    pub(super) fn has_attribute(&self, tag: &str, attribute: &str) -> bool {
        let names = self.attributes.get(tag);
        names.is_some_and(|names| names.contains(attribute))
    }

    /// Whether only `[extra]` has an element.
    pub(super) fn has_element(&self, tag: &str) -> bool {
        self.elements.contains_key(tag)
    }

    /// The element of this name that is allowed in a parent; `None` when none is.
    pub(super) fn child_of<'n>(
        &'n self,
        channel: Channel,
        parent: ElementKind<'n>,
        name: &str,
    ) -> Option<ElementKind<'n>> {
        if let Some(spec) = vocabulary::child_of(channel, parent.spec, name) {
            return Some(ElementKind::twiml(spec));
        }
        let is_child = |names: &[String]| names.iter().any(|child| child == name);
        let is_named_by_parent = parent.extra.is_some_and(|extra| is_child(&extra.children));
        if let Some((tag, extra)) = self.elements.get_key_value(name) {
            let names_parent = extra.parents.iter().any(|tag| tag == parent.tag);
            let may_stand = names_parent || is_named_by_parent;
            return may_stand.then(|| ElementKind::extra(tag, extra));
        }
        let spec = vocabulary::elements_named(channel, name).next();
        spec.filter(|_| is_named_by_parent).map(ElementKind::twiml)
    }

    /// The names of the elements that are allowed in a parent.
    pub(super) fn child_names<'n>(&'n self, parent: ElementKind<'n>) -> Vec<&'n str> {
        let mut names: Vec<&str> = parent.spec.child_names().collect();
        if let Some(extra) = parent.extra {
            names.extend(extra.children.iter().map(String::as_str));
        }
        let naming = self.elements.iter();
        let naming = naming.filter(|(_, extra)| extra.parents.iter().any(|tag| tag == parent.tag));
        names.extend(naming.map(|(tag, _)| tag.as_str()));
        names.dedup();
        names
    }

    /// The names of the elements that can contain one of this name.
    pub(super) fn parents<'n>(&'n self, channel: Channel, name: &str) -> Vec<&'n str> {
        let mut parents = vocabulary::parents(channel, name);
        if let Some(extra) = self.elements.get(name) {
            parents.extend(extra.parents.iter().map(String::as_str));
        }
        let naming = self.elements.iter();
        let naming = naming.filter(|(_, extra)| extra.children.iter().any(|child| child == name));
        parents.extend(naming.map(|(tag, _)| tag.as_str()));
        parents
    }

    /// The elements of this name: several if TwiML uses the name more than once.
    pub(super) fn kinds<'n>(
        &'n self,
        channel: Channel,
        name: &str,
    ) -> impl Iterator<Item = ElementKind<'n>> {
        let extra = self.elements.get_key_value(name);
        let extra = extra.map(|(tag, extra)| ElementKind::extra(tag, extra));
        let twiml = vocabulary::elements_named(channel, name);
        twiml.map(ElementKind::twiml).chain(extra)
    }

    /// The names of the attributes that `[extra]` adds to an element.
    pub(super) fn attribute_names(&self, tag: &str) -> impl Iterator<Item = &str> {
        let names = self.attributes.get(tag).into_iter().flatten();
        names.map(String::as_str)
    }
}

impl<'n> ElementKind<'n> {
    /// An element of TwiML.
    pub(super) fn twiml(spec: &'static ElementSpec) -> Self {
        Self {
            tag: spec.tag,
            spec,
            extra: None,
        }
    }

    fn extra(tag: &'n str, extra: &'n ExtraElement) -> Self {
        Self {
            tag,
            spec: ElementSpec::any(),
            extra: Some(extra),
        }
    }

    /// Its name, owned if it comes from `[extra]`.
    pub(super) fn name(&self) -> Cow<'static, str> {
        match self.extra {
            Some(_) => Cow::Owned(self.tag.to_owned()),
            None => Cow::Borrowed(self.spec.tag),
        }
    }

    /// Whether it may hold text.
    pub(super) fn takes_text(&self) -> bool {
        self.extra.map_or(self.spec.text, |extra| extra.takes_text)
    }

    /// Whether it can contain both text and children.
    pub(super) fn mixes(&self) -> bool {
        self.extra.map_or(self.spec.mixed, |extra| extra.takes_text)
    }
}

/// Reads `[extra]`.
pub(super) fn extra(problems: &mut Problems, section: Option<&Value<'_>>) -> Extra {
    let mut extra = Extra::default();
    let known = Channel::ALL.into_iter();
    let known: Vec<&str> = known.flat_map(vocabulary::element_names).collect();
    let entries = problems.entries(section, "a table of elements");
    let is_table = |value: &Value<'_>| value.get_ref().is_table();
    let new = entries.iter().filter(|(_, value)| is_table(value));
    let new: BTreeSet<&str> = new.map(|(key, _)| key.get_ref().as_ref()).collect();
    let is_there = |name: &str| entries.iter().any(|(key, _)| key.get_ref() == name);
    for (key, value) in &entries {
        let tag = key.get_ref().as_ref();
        let is_known = known.contains(&tag);
        let names = match value.get_ref() {
            DeValue::Table(_) if is_known => {
                let message =
                    format!("TwiML already has `{tag}`, so only its attributes can be new");
                let help = format!("write {tag} = [\"newAttribute\"] in [extra]");
                problems.error(&BAD_NAME, key.span(), message, help);
                continue;
            }
            DeValue::Table(_) if !is_name(tag) => {
                bad_name(problems, key, "an element");
                continue;
            }
            DeValue::Table(table) => {
                let (element, attributes) = element(problems, key, table, (&known, &new));
                extra.elements.insert(tag.to_owned(), element);
                attributes
            }
            _ if !is_known => {
                let otherwise = format!("if it is new, write [extra.{tag}] with its `parents`");
                let remedy = twiml_name_remedy(tag, &known, otherwise);
                let message = format!("TwiML has no element `{tag}`");
                problems
                    .error(&UNKNOWN_ELEMENT, key.span(), message, remedy)
                    .unless_taken(|name| is_there(name));
                continue;
            }
            _ => names(problems, value, "attributes", tag),
        };
        extra
            .attributes
            .insert(tag.to_owned(), names.into_iter().collect());
    }
    extra
}

/// Reads one `[extra.NAME]`, and the names of its attributes.
fn element(
    problems: &mut Problems,
    key: &Key<'_>,
    table: &DeTable<'_>,
    (known, new): (&[&str], &BTreeSet<&str>),
) -> (ExtraElement, Vec<String>) {
    let section = format!("[extra.{}]", key.get_ref());
    let mut array = |name: &str| {
        let value = table.get(name);
        value.map_or_else(Vec::new, |value| names(problems, value, name, name))
    };
    let [parents, children, attributes] = ["parents", "children", "attributes"].map(&mut array);
    for name in parents.iter().chain(&children) {
        let is_known = known.contains(&name.as_str()) || new.contains(name.as_str());
        if !is_known && name != RESPONSE {
            let all = known.iter().chain(new).copied().chain([RESPONSE]);
            let otherwise = format!("describe it as well: [extra.{name}]");
            let remedy = did_you_mean('`', name, all, otherwise);
            let message = format!("{section} names `{name}`, which TwiML does not have");
            problems.error(&UNKNOWN_ELEMENT, key.span(), message, remedy.help);
        }
    }
    let help = "write parents = [\"Start\"], or [\"Response\"] for a verb";
    problems.required(table, "parents", &section, key.span(), help);
    let element = ExtraElement {
        parents,
        children,
        takes_text: problems.flag(table, "text"),
    };
    (element, attributes)
}

/// Reads an array of element or attribute names.
fn names(problems: &mut Problems, value: &Value<'_>, what: &str, key: &str) -> Vec<String> {
    let help = format!("write {key} = [\"…\"]");
    let expected = format!("an array of {what}");
    let items = problems.array(value, &expected, &help, DeValue::is_str);
    let items = items.unwrap_or_default();
    let mut names = Vec::new();
    for item in items {
        let Some(name) = problems.name(item, "a name") else {
            continue;
        };
        if is_name(name) {
            names.push(name.to_owned());
        } else {
            let message = format!("\"{name}\" cannot be a name in TwiML");
            problems.error(&BAD_NAME, item.span(), message, NAME_HELP);
        }
    }
    names
}

fn bad_name(problems: &mut Problems, key: &Key<'_>, what: &str) {
    let message = format!("\"{}\" cannot be the name of {what}", key.get_ref());
    problems.error(&BAD_NAME, key.span(), message, NAME_HELP);
}

const NAME_HELP: &str =
    "a name begins with a letter and has only letters, digits, `-`, `_` and `:`";

/// Whether a text can be the name of an element or an attribute.
fn is_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(is_word)
}
