//! `[defaults.X]`, and the caller id that a Dial has when nobody gives it one.

use std::borrow::Cow;
use std::ops::Range;

use super::Compiler;
use super::place::{Owner, Place};
use crate::table::diagnostic::Code;
use crate::table::problems::{Value, entries};
use crate::table::reply::template::{self, Field, Piece, Text};
use crate::table::reply::{Attribute, Element, Node};
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::{self, ElementSpec};

impl Compiler<'_> {
    /// The attributes of a `[defaults.X]`, kept for every such element.
    pub(super) fn lower_defaults(&mut self, section: &Value<'_>) {
        let Some(tables) = self.problems.table(section, "a table of elements") else {
            return;
        };
        for (key, value) in entries(tables) {
            let name = key.get_ref().as_ref();
            let specs: Vec<(Channel, &'static ElementSpec)> = Channel::ALL
                .into_iter()
                .flat_map(|channel| {
                    vocabulary::elements_named(channel, name).map(move |spec| (channel, spec))
                })
                .collect();
            let Some((first_channel, first)) = specs.first().copied() else {
                let names = Channel::ALL.into_iter().flat_map(vocabulary::element_names);
                let help = match nearest(name, names) {
                    Some(near) => format!("write [defaults.{near}]"),
                    None => "name an element, such as [defaults.Say]".to_owned(),
                };
                let message = format!("TwiML has no element `{name}`");
                self.problems
                    .error(Code::UnknownElement, key.span(), message, help);
                continue;
            };
            let Some(table) = self.problems.table(value, "a table of attributes") else {
                continue;
            };
            for (attribute, value) in entries(table) {
                let found = specs
                    .iter()
                    .find(|(_, spec)| self.takes(spec, attribute.get_ref()));
                let (channel, spec) = found.copied().unwrap_or((first_channel, first));
                let place = Place {
                    channel,
                    owner: Owner::Defaults,
                };
                let lowered =
                    self.attribute(spec, attribute.get_ref(), attribute.span(), value, place);
                self.defaults.entry(first.tag).or_default().extend(lowered);
            }
        }
    }

    /// Whether an element has an attribute: TwiML's own, or one of `[extra]`.
    pub(super) fn takes(&self, spec: &ElementSpec, name: &str) -> bool {
        let is_extra = || {
            self.extra
                .get(spec.tag)
                .is_some_and(|names| names.iter().any(|extra| extra == name))
        };
        spec.attribute(name).is_some() || is_extra()
    }

    /// Gives an element the attributes of `[defaults.X]` that it does not set itself, and a Dial its caller id.
    pub(super) fn add_defaults(
        &mut self,
        element: &mut Element,
        span: &Range<usize>,
        place: Place,
    ) {
        let sets =
            |element: &Element, name: &str| element.attributes.iter().any(|set| set.name == name);
        // A voice speaks its own languages: whoever sets one of the two does not want the other from elsewhere.
        let sets_voice =
            element.spec.is_spoken() && (sets(element, "voice") || sets(element, "language"));
        let defaults = self
            .defaults
            .get(element.spec.tag)
            .cloned()
            .unwrap_or_default();
        for default in defaults {
            let is_pair = sets_voice && matches!(&*default.name, "voice" | "language");
            if self.takes(element.spec, &default.name) && !sets(element, &default.name) && !is_pair
            {
                if place.owner == Owner::Default && &*default.name == "action" {
                    let message = format!(
                        "[defaults.{}] brings an `action` into [default]",
                        element.spec.tag
                    );
                    let help = "set it where it is wanted instead: [default] must be the end";
                    self.problems
                        .error(Code::FragileDefault, span.clone(), message, help);
                }
                if place.owner == Owner::Default && default.value.fields().next().is_some() {
                    let message = format!(
                        "[defaults.{}] brings a template into [default]",
                        element.spec.tag
                    );
                    let help = format!("set `{}` here to a text without a template", default.name);
                    self.problems
                        .error(Code::FragileDefault, span.clone(), message, help);
                }
                for value in default.value.fields().flat_map(Field::values) {
                    if let template::Value::Column { directory, .. } = value {
                        self.reply_directories
                            .entry(directory.name().to_owned())
                            .or_insert_with(|| span.clone());
                    }
                }
                element.attributes.push(default);
            }
        }
        if reaches_a_person(element)
            && !sets(element, "callerId")
            && let Some((name, spec)) = element.spec.attribute("callerId")
        {
            element.attributes.push(Attribute {
                name: Cow::Borrowed(name),
                spec,
                value: Text::new(vec![Piece::OwnNumber]),
            });
        }
    }
}

/// Whether a Dial reaches a person, who would see the caller's real number without a caller id.
fn reaches_a_person(dial: &Element) -> bool {
    dial.content.iter().any(|node| match node {
        Node::Text(_) => true,
        Node::Element(noun) => noun.spec.dials,
    })
}
