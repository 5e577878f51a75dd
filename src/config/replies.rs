//! `voice` and `message`: from TOML to elements that TwiML has.

use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};

use super::Compiler;
use super::problems::{Key, Value, entries, listed};
use super::texts::Use;
use crate::diagnostic::{Code, nearest};
use crate::reply::template::{Piece, Text};
use crate::reply::vocabulary::{self, AttributeSpec, ElementSpec, ValueError};
use crate::reply::{Attribute, Element, Node};
use crate::types::Channel;

/// Where elements stand, and so what they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The channel they answer.
    pub channel: Channel,
    /// Whose they are.
    pub owner: Owner,
}

/// Whose elements are lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A route's own.
    Route {
        /// Whether it may dial the other party's real number.
        private: bool,
    },
    /// A `[reply.NAME]`'s, which routes of both kinds may name.
    Reply,
    /// `[default]`'s.
    Default,
    /// `[defaults.X]`'s attributes.
    Defaults,
}

impl Compiler<'_> {
    /// The verbs of a `voice` or `message`; `None` when there is no such array.
    pub(super) fn verbs(&mut self, value: &Value<'_>, place: Place) -> Option<Vec<Element>> {
        let example = match place.channel {
            Channel::Voice => "write an array of elements: [ { Say = \"…\" } ]",
            Channel::Message => "write an array of elements: [ { Message = \"…\" } ]",
        };
        let array = self
            .problems
            .array(value, "an array of elements", example)?;
        let response = vocabulary::response(place.channel);
        let mut verbs: Vec<(Element, Range<usize>)> = Vec::with_capacity(array.len());
        for item in array {
            let Some(table) = self
                .problems
                .table(item, "an element, such as { Say = \"…\" },")
            else {
                continue;
            };
            verbs.extend(self.element(table, item.span(), response, place));
        }
        self.check_flow(&verbs, place);
        Some(verbs.into_iter().map(|(element, _)| element).collect())
    }

    /// One element with the place of its name; `None` after an error about it.
    fn element(
        &mut self,
        table: &DeTable<'_>,
        span: Range<usize>,
        parent: &'static ElementSpec,
        place: Place,
    ) -> Option<(Element, Range<usize>)> {
        let entries = entries(table);
        let mut names = entries.iter().filter(|(key, _)| is_element(key.get_ref()));
        let Some((key, content)) = names.next() else {
            self.unknown_element(&entries, span, parent, place);
            return None;
        };
        if let Some((second, _)) = names.next() {
            let message = format!(
                "`{}` and `{}` in one table",
                key.get_ref(),
                second.get_ref()
            );
            let help = "give each element a table of its own: [ { … }, { … } ]";
            self.problems
                .error(Code::TwoElements, second.span(), message, help);
            return None;
        }
        let name = key.get_ref().as_ref();
        let Some(spec) = vocabulary::child_of(place.channel, parent, name) else {
            self.misplaced_element(name, key.span(), parent, place);
            return None;
        };
        let mut element = Element {
            spec,
            attributes: Vec::new(),
            content: Vec::new(),
        };
        for (attribute, value) in entries
            .iter()
            .filter(|(other, _)| other.span() != key.span())
        {
            element.attributes.extend(self.attribute(
                spec,
                attribute.get_ref(),
                attribute.span(),
                value,
                place,
            ));
        }
        if place.owner == Owner::Default {
            self.check_default_verb(spec, &entries, &key.span());
        }
        let before = self.problems.count();
        element.content = self.content(spec, content, place);
        self.add_defaults(&mut element, &key.span(), place);
        if self.problems.count() == before {
            self.check_element(&element, &key.span(), content);
        }
        Some((element, key.span()))
    }

    fn unknown_element(
        &mut self,
        entries: &[(&Key<'_>, &Value<'_>)],
        span: Range<usize>,
        parent: &'static ElementSpec,
        place: Place,
    ) {
        let children: Vec<&str> = parent.child_names().collect();
        let Some((key, _)) = entries.first() else {
            let help = format!("{} takes {}", named(parent), listed(&children));
            self.problems.error(
                Code::UnknownElement,
                span,
                "an empty table is no element",
                help,
            );
            return;
        };
        // The misspelt one is the key that is like an element's name, else the first: the rest are its attributes.
        let key = entries
            .iter()
            .map(|(key, _)| key)
            .find(|key| nearest(key.get_ref(), children.iter().copied()).is_some())
            .unwrap_or(key);
        let name = key.get_ref().as_ref();
        let everywhere = vocabulary::element_names(place.channel);
        let help =
            match nearest(name, children.iter().copied()).or_else(|| nearest(name, everywhere)) {
                Some(near) if near.eq_ignore_ascii_case(name) => {
                    format!("write `{near}`: the letter case counts")
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{} takes {}", named(parent), listed(&children)),
            };
        let message = format!("TwiML has no element `{name}`");
        self.problems
            .error(Code::UnknownElement, key.span(), message, help)
            .twilio(12200);
    }

    fn misplaced_element(
        &mut self,
        name: &str,
        span: Range<usize>,
        parent: &'static ElementSpec,
        place: Place,
    ) {
        let parents = vocabulary::parents(place.channel, name);
        if parents.is_empty() {
            let (message, help) = match place.channel {
                Channel::Voice => (
                    format!("`{name}` answers texts, not calls"),
                    "write it below `message`",
                ),
                Channel::Message => (
                    format!("`{name}` answers calls, not texts"),
                    "write it below `voice`",
                ),
            };
            let number = if place.channel == Channel::Message {
                14110
            } else {
                12200
            };
            self.problems
                .error(Code::WrongChannel, span, message, help)
                .twilio(number);
            return;
        }
        let number = match parent.tag {
            "Dial" => 13215,
            "Gather" => 13320,
            "Start" => 14300,
            _ => 12200,
        };
        let message = format!("`{name}` cannot stand in {}", named(parent));
        let parents: Vec<&str> = parents
            .into_iter()
            .map(|tag| {
                if tag == "Response" {
                    "the reply itself"
                } else {
                    tag
                }
            })
            .collect();
        let help = format!("it stands in {}", listed(&parents).replace('`', ""));
        self.problems
            .error(Code::WrongPlace, span, message, help)
            .twilio(number);
    }

    pub(super) fn attribute(
        &mut self,
        spec: &'static ElementSpec,
        name: &str,
        span: Range<usize>,
        value: &Value<'_>,
        place: Place,
    ) -> Option<Attribute> {
        let Some((name, attribute)) = spec.attribute(name) else {
            let names: Vec<&str> = spec.attribute_names().collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(near) if near.eq_ignore_ascii_case(name) => {
                    format!("write `{near}`: the letter case counts")
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{} has {}", spec.tag, listed(&names)),
            };
            let message = format!("`{}` has no attribute `{name}`", spec.tag);
            self.problems
                .error(Code::UnknownAttribute, span, message, help)
                .twilio(12200);
            return None;
        };
        let value = self.attribute_value(spec, name, attribute, value, place)?;
        Some(Attribute {
            name,
            spec: attribute,
            value,
        })
    }

    /// The value of an attribute, checked as far as it does not depend on the request.
    fn attribute_value(
        &mut self,
        element: &'static ElementSpec,
        name: &'static str,
        spec: &'static AttributeSpec,
        value: &Value<'_>,
        place: Place,
    ) -> Option<Text> {
        let text = match value.get_ref() {
            DeValue::String(text) => {
                let used = Use {
                    element,
                    attribute: Some(name),
                    destination: spec.destination(),
                    place,
                };
                self.template(text, value.span(), &used)?
            }
            DeValue::Integer(number) if spec.takes_integers() => {
                let number = i64::from_str_radix(number.as_str(), number.radix())
                    .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string());
                Text::new(vec![Piece::Literal(number)])
            }
            DeValue::Integer(number) => {
                let help = format!("write it in quotes: \"{}\"", number.as_str());
                self.problems.wrong_type(value, "a text", help);
                return None;
            }
            DeValue::Boolean(boolean) if spec.takes_booleans() => {
                Text::new(vec![Piece::Literal(boolean.to_string())])
            }
            _ => {
                let wanted = if spec.takes_booleans() {
                    "true or false"
                } else {
                    "a text"
                };
                self.problems
                    .wrong_type(value, wanted, format!("write {name} = \"…\""));
                return None;
            }
        };
        let error = text
            .literal()
            .map_or(Ok(()), |literal| spec.check(literal))
            .err();
        if let Some(error) = error {
            self.bad_value(element, name, spec, &text, &error, value.span());
        }
        Some(text)
    }

    fn bad_value(
        &mut self,
        element: &ElementSpec,
        name: &str,
        spec: &AttributeSpec,
        text: &Text,
        error: &ValueError,
        span: Range<usize>,
    ) {
        let literal = text.literal().unwrap_or_default();
        let message = format!(
            "`{name}` of `{}` cannot be \"{literal}\": {error}",
            element.tag
        );
        let open = matches!(error, ValueError::NotAmong { open: true });
        let (code, help) = match error {
            ValueError::NotAmong { .. } => {
                let known = spec.known_values();
                let help = match nearest(literal, known.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None if known.len() <= 15 => format!("it is one of {}", listed(known)),
                    None => format!(
                        "TwiML knows {} values, such as \"{}\"",
                        known.len(),
                        known[0]
                    ),
                };
                (Code::BadValue, help)
            }
            ValueError::Number(_) => (
                Code::BadNumber,
                "write the number as +15005550006".to_owned(),
            ),
            ValueError::Url(_) => (
                Code::BadUrl,
                "write an absolute URL, or one that begins with ? or /".to_owned(),
            ),
            _ => (
                Code::BadValue,
                format!("leave `{name}` out, or give it such a value"),
            ),
        };
        if open {
            let message = format!(
                "`{name}` of `{}` is not known to be \"{literal}\"",
                element.tag
            );
            self.problems
                .warn(Code::UnusualValue, span, message, help)
                .twilio(spec.error_number());
        } else {
            let number = spec
                .error_number()
                .or((code == Code::BadUrl).then_some(11100));
            self.problems
                .error(code, span, message, help)
                .twilio(number);
        }
    }

    /// The text and the children of an element.
    fn content(
        &mut self,
        spec: &'static ElementSpec,
        value: &Value<'_>,
        place: Place,
    ) -> Vec<Node> {
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() => Vec::new(),
            DeValue::String(_) if !spec.text => {
                let children: Vec<&str> = spec.child_names().collect();
                let help = match children.as_slice() {
                    [] => format!("write {{ {} = \"\" }}", spec.tag),
                    children => {
                        format!("write {{ {} = [ … ] }} with {}", spec.tag, listed(children))
                    }
                };
                let message = format!("`{}` holds no text", spec.tag);
                self.problems
                    .error(Code::UnexpectedText, value.span(), message, help)
                    .twilio(12200);
                Vec::new()
            }
            DeValue::String(text) => self
                .text_content(spec, text, value, place)
                .into_iter()
                .collect(),
            DeValue::Array(array) => self.children(spec, array, place),
            _ => {
                let help = match value.get_ref() {
                    DeValue::Integer(number) => {
                        format!("write it in quotes: \"{}\"", number.as_str())
                    }
                    _ => format!("write {{ {} = \"…\" }}", spec.tag),
                };
                self.problems.wrong_type(value, "a text or an array", help);
                Vec::new()
            }
        }
    }

    fn children(
        &mut self,
        spec: &'static ElementSpec,
        array: &DeArray<'_>,
        place: Place,
    ) -> Vec<Node> {
        let mut nodes = Vec::with_capacity(array.len());
        for item in array {
            match item.get_ref() {
                DeValue::String(text) if mixes_text(spec) => {
                    nodes.extend(self.text_content(spec, text, item, place));
                }
                DeValue::String(_) => {
                    let help = match spec.tag {
                        "Message" => "write { Body = \"…\" }".to_owned(),
                        tag if spec.text => {
                            format!("write {{ {tag} = \"…\" }} without brackets, or children only")
                        }
                        tag => format!("`{tag}` holds elements only"),
                    };
                    let message = format!("`{}` does not mix text with elements", spec.tag);
                    self.problems
                        .error(Code::UnexpectedText, item.span(), message, help)
                        .twilio(12200);
                }
                _ => {
                    let Some(table) = self.problems.table(item, "an element") else {
                        continue;
                    };
                    let child = self.element(table, item.span(), spec, place);
                    nodes.extend(child.map(|(element, _)| Node::Element(element)));
                }
            }
        }
        nodes
    }

    fn text_content(
        &mut self,
        spec: &'static ElementSpec,
        text: &str,
        value: &Value<'_>,
        place: Place,
    ) -> Option<Node> {
        let used = Use {
            element: spec,
            attribute: None,
            destination: spec.destination,
            place,
        };
        let text = self.template(text, value.span(), &used)?;
        let problem = text
            .literal()
            .and_then(|literal| spec.destination?.check(literal).err());
        if let Some(error) = problem {
            let (code, help) = match &error {
                ValueError::Url(_) => (
                    Code::BadUrl,
                    "write an absolute URL, or one that begins with ? or /",
                ),
                ValueError::Number(_) => (
                    Code::BadNumber,
                    "write the number as +15005550006, without spaces or dashes",
                ),
                ValueError::NotSip => (Code::BadValue, "write it as sip:user@example.com"),
                _ => (Code::BadValue, "write a name"),
            };
            let number = spec.error_number().or(match code {
                Code::BadNumber => Some(13223),
                Code::BadUrl => Some(11100),
                _ => None,
            });
            let message = format!("the text of `{}` is wrong: {error}", spec.tag);
            self.problems
                .error(code, value.span(), message, help)
                .twilio(number);
        }
        Some(Node::Text(text))
    }
}

/// Whether TwiML has an element of that name, on either channel. No attribute shares its name with an element.
fn is_element(name: &str) -> bool {
    Channel::ALL.into_iter().any(|channel| {
        name != "Response" && vocabulary::elements_named(channel, name).next().is_some()
    })
}

/// How an element is called in a sentence.
fn named(spec: &ElementSpec) -> String {
    if spec.tag == "Response" {
        "a reply".to_owned()
    } else {
        format!("`{}`", spec.tag)
    }
}

/// Whether text and elements may stand side by side: in Say and in the tags that Say holds.
fn mixes_text(spec: &ElementSpec) -> bool {
    spec.text
        && spec
            .child_names()
            .any(|child| child == "break" || child == "emphasis")
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
