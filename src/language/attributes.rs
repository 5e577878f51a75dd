//! Attributes of elements, and values that cannot stand in them.

use std::borrow::Cow;
use std::ops::Range;

use toml::de::DeValue;

use super::columns::Rule;
use super::place::Place;
use super::place::Use;
use super::{Compiler, rules};
use crate::table::diagnostic::Code;
use crate::table::problems::{Value, choice, listed};
use crate::table::reply::Attribute;
use crate::table::reply::template::{Piece, Text};
use crate::twilio::spelling::nearest;
use crate::twilio::twiml_url::UrlError;
use crate::twilio::vocabulary::{AttributeSpec, ElementSpec, ValueError, ValueType};

impl Compiler<'_> {
    /// One attribute; `None` after an error about it.
    pub(super) fn attribute(
        &mut self,
        spec: &'static ElementSpec,
        name: &str,
        span: Range<usize>,
        value: &Value<'_>,
        place: Place,
    ) -> Option<Attribute> {
        let is_extra = self
            .extra
            .get(spec.tag)
            .is_some_and(|names| names.iter().any(|extra| extra == name));
        let known = match spec.attribute(name) {
            // What leads somewhere is checked all the same.
            Some((_, attribute)) if is_extra && attribute.destination().is_none() => {
                Some((Cow::Owned(name.to_owned()), AttributeSpec::any()))
            }
            Some((name, attribute)) => Some((Cow::Borrowed(name), attribute)),
            None if is_extra => Some((Cow::Owned(name.to_owned()), AttributeSpec::any())),
            None => None,
        };
        let Some((name, attribute)) = known else {
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
        if let Some(status) = attribute.status {
            let what = format!("`{name}` of `{}`", spec.tag);
            rules::advise_against(&mut self.problems, &what, status, span);
        }
        let value = self.attribute_value(spec, &name, attribute, value, place)?;
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
        name: &str,
        spec: &'static AttributeSpec,
        value: &Value<'_>,
        place: Place,
    ) -> Option<Text> {
        let text = match value.get_ref() {
            DeValue::String(text) => {
                let used = Use {
                    element: element.tag,
                    attribute: Some(name),
                    destination: spec.destination(),
                    dials: false,
                    is_socket: spec.kind == ValueType::Websocket,
                    place,
                };
                self.template(text, value.span(), &used)?
            }
            DeValue::Integer(number) if spec.takes_integers() => {
                let number = i64::from_str_radix(number.as_str(), number.radix())
                    .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string());
                Text::new(vec![Piece::Literal(number)])
            }
            DeValue::Boolean(boolean) if spec.takes_booleans() => {
                Text::new(vec![Piece::Literal(boolean.to_string())])
            }
            found => {
                let wanted = spec.wanted();
                let help = match found {
                    DeValue::Integer(number) if wanted.ends_with("in quotes") => {
                        format!("write {name} = \"{}\"", number.as_str())
                    }
                    _ => format!("`{name}` takes {wanted}"),
                };
                self.problems.wrong_type(value, wanted, help);
                return None;
            }
        };
        let place_of_text = format!("`{name}` of `{}`", element.tag);
        self.check_cells_later(&text, Rule::Attribute(spec), place_of_text, value.span());
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
        let (code, help) = match error {
            ValueError::NotAmong { .. } => {
                let known = &spec.values;
                let help = match nearest(literal, known.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None if known.len() <= 15 => format!("it is one of {}", choice(known)),
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
            ValueError::Url(error) => (Code::BadUrl, url_help(error).to_owned()),
            ValueError::BadCharacter { .. } => {
                (Code::BadValue, "take that character out".to_owned())
            }
            ValueError::TooLong { .. } => (Code::BadValue, "shorten it".to_owned()),
            ValueError::Unusual { usual } => (
                Code::BadValue,
                format!("write at most {usual}, or ask Twilio for more"),
            ),
            ValueError::Outdated { instead } => (Code::BadValue, format!("write {instead}")),
            _ => (
                Code::BadValue,
                format!("write such a value, or leave `{name}` out"),
            ),
        };
        if error.is_suspicion() {
            let message = match error {
                ValueError::NotAmong { .. } => format!(
                    "`{name}` of `{}` is not known to be \"{literal}\"",
                    element.tag
                ),
                _ => format!(
                    "`{name}` of `{}` should not be \"{literal}\": {error}",
                    element.tag
                ),
            };
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
}

/// What to do about a URL that Twilio could not use.
pub(super) fn url_help(error: &UrlError) -> &'static str {
    match error {
        UrlError::Scheme { wanted: "wss://" } => {
            "write the whole URL of a socket: wss://example.com/stream"
        }
        UrlError::Empty | UrlError::Scheme { .. } => {
            "write an absolute URL, or one that begins with ? or /"
        }
        UrlError::NoHost => "write the host after the two slashes: https://example.com/path",
        UrlError::BadCharacter(_) => "write it percent-encoded, %20 for a blank",
        UrlError::Underscore => "give the host a name without an underscore",
        UrlError::Port => "write a port that exists, or none",
    }
}
