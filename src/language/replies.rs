//! `voice` and `message`: from TOML to elements that TwiML has.

use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};

use super::attributes::url_help;
use super::columns::Rule;
use super::place::{Owner, Place, Use};
use super::{Compiler, rules};
use crate::table::diagnostic::Code;
use crate::table::problems::{Key, Value, entries, listed};
use crate::table::reply::{Element, Node};
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::{self, ElementSpec, RESPONSE, ValueError};

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
        rules::check_flow(&mut self.problems, &verbs);
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
            let spec = vocabulary::child_of(place.channel, parent, key.get_ref());
            let attributes = spec.into_iter().flat_map(ElementSpec::attribute_names);
            let help = match attributes
                .filter(|name| name.starts_with(&**second.get_ref()))
                .min()
            {
                Some(attribute) => format!("did you mean the attribute `{attribute}`?"),
                None => "give each element a table of its own: [ { … }, { … } ]".to_owned(),
            };
            self.problems
                .error(Code::TwoElements, second.span(), message, help);
            return None;
        }
        let name = key.get_ref().as_ref();
        let Some(spec) = vocabulary::child_of(place.channel, parent, name) else {
            self.misplaced_element(name, key.span(), parent, place);
            return None;
        };
        let before = self.problems.count();
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
            rules::check_default_verb(&mut self.problems, spec, &entries, &key.span());
        }
        element.content = self.content(spec, content, place);
        self.add_defaults(&mut element, &key.span(), place);
        // A text that could not be read leaves nothing behind; why has been said, perhaps elsewhere.
        let is_there = !matches!(content.get_ref(), DeValue::String(text) if text.is_empty());
        let is_lost = is_there && element.content.is_empty() && !content.get_ref().is_array();
        let is_fine = self.problems.errors_since(before) == 0 && !is_lost;
        if is_fine {
            rules::check_element(&mut self.problems, &element, &key.span(), content, parent);
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
        if self.gone_element(name, &key.span(), place) {
            return;
        }
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

    /// Reports an element that does not work any more; `false` when it is not one.
    fn gone_element(&mut self, name: &str, span: &Range<usize>, place: Place) -> bool {
        let Some(status) = vocabulary::gone(place.channel, name) else {
            return false;
        };
        let message = format!("TwiML has no element `{name}` here: {}", status.why);
        let help = match status.instead {
            Some(instead) => format!("write `{instead}`"),
            None => "take it out".to_owned(),
        };
        self.problems
            .error(Code::UnknownElement, span.clone(), message, help)
            .twilio((place.channel == Channel::Voice).then_some(12200));
        true
    }

    fn misplaced_element(
        &mut self,
        name: &str,
        span: Range<usize>,
        parent: &'static ElementSpec,
        place: Place,
    ) {
        if self.gone_element(name, &span, place) {
            return;
        }
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
        self.problems
            .error(Code::WrongPlace, span, message, help)
            .twilio(number);
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
                DeValue::String(text) if spec.mixed => {
                    nodes.extend(self.text_content(spec, text, item, place));
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
            element: spec.tag,
            attribute: None,
            destination: spec.destination,
            dials: spec.dials,
            is_socket: false,
            place,
        };
        let text = self.template(text, value.span(), &used)?;
        if let Some(destination) = spec.destination {
            let place = format!("`{}`", spec.tag);
            self.check_cells_later(&text, Rule::Destination(destination), place, value.span());
        }
        let problem = text
            .literal()
            .and_then(|literal| spec.destination?.check(literal).err());
        if let Some(error) = problem {
            let (code, help) = match &error {
                ValueError::Url(error) => (Code::BadUrl, url_help(error)),
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
    Channel::ALL
        .into_iter()
        .any(|channel| vocabulary::elements_named(channel, name).next().is_some())
}

/// How an element is called in a sentence.
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
