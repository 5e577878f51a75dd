//! What TwiML has: elements, where they may stand, their attributes and the values these may take.
//!
//! The facts are data, in `vocabulary.json`; each attribute there names its source (`D-dial` is Twilio's page of
//! the verb Dial, `L-py` the official Python helper library 9.13.0). This file reads them and checks values.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::twilio::types::{Channel, E164, E164Error};
use crate::twilio::url::{UrlError, check_web_url, check_websocket_url};

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    serde_json::from_str(include_str!("vocabulary.json"))
        .expect("a test reads the whole vocabulary")
});

/// All of TwiML for Voice and for Messaging.
#[derive(Debug, Deserialize)]
struct Vocabulary {
    #[serde(borrow)]
    voice: BTreeMap<&'static str, ElementSpec>,
    messaging: BTreeMap<&'static str, ElementSpec>,
    values: BTreeMap<&'static str, Vec<&'static str>>,
}

/// What TwiML knows of one element.
#[derive(Debug, Deserialize)]
pub struct ElementSpec {
    /// The name in the document.
    pub tag: &'static str,
    #[serde(borrow)]
    children: Vec<&'static str>,
    /// Whether the element may hold text.
    pub text: bool,
    /// Whether the element means nothing without text.
    #[serde(default)]
    pub text_required: bool,
    /// The most characters its text may have.
    pub text_max: Option<usize>,
    /// What its text leads to: something dialled or fetched.
    pub destination: Option<Destination>,
    /// Twilio's error numbers for a bad text.
    #[serde(default)]
    errors: Vec<u32>,
    attributes: BTreeMap<&'static str, AttributeSpec>,
}

/// What TwiML allows as the value of one attribute.
#[derive(Debug, Deserialize)]
pub struct AttributeSpec {
    #[serde(rename = "type")]
    kind: Kind,
    values: Option<Values>,
    /// Whether the list of values is known to be incomplete, so that another value is only suspicious.
    #[serde(default)]
    pub open: bool,
    #[serde(default)]
    list: bool,
    min: Option<i64>,
    max: Option<i64>,
    max_length: Option<usize>,
    #[serde(borrow)]
    charset: Option<&'static str>,
    destination: Option<Destination>,
    /// Whether the empty text means something: silence for a `waitUrl`.
    #[serde(default)]
    empty: bool,
    /// Twilio's error numbers for a bad value.
    #[serde(default)]
    errors: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Boolean,
    Enum,
    Integer,
    String,
    Url,
    Websocket,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    Of(&'static str),
    #[serde(borrow)]
    List(Vec<&'static str>),
}

/// Where a value leads, and so what it must look like and what it may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// A URL that Twilio fetches or posts to.
    Url,
    /// A phone number that is dialled: E.164.
    Number,
    /// A `sip:` or `sips:` URI.
    Sip,
    /// The name of a client, a conference, a queue, or a SID.
    Name,
    /// Who a call is from: `callerId`.
    Caller,
    /// Who a text is from: `from`.
    Sender,
    /// Whom a text goes to: an E.164 number or an address with a scheme.
    Address,
}

/// The element of this name that may stand below `parent` (`Response` for a verb) in a document of this channel.
#[must_use]
pub fn child_of(
    channel: Channel,
    parent: &ElementSpec,
    name: &str,
) -> Option<&'static ElementSpec> {
    let key = parent.children.iter().find(|key| tag_of(key) == name)?;
    elements(channel).get(key)
}

/// The root of every document: its children are the verbs of the channel.
#[must_use]
pub fn response(channel: Channel) -> &'static ElementSpec {
    elements(channel)
        .get("Response")
        .expect("a test asks for the root of both channels")
}

/// Every element of that name on the channel: more than one where TwiML uses a name twice (`Sip`).
pub fn elements_named(channel: Channel, name: &str) -> impl Iterator<Item = &'static ElementSpec> {
    let from_name = (Bound::Included(name), Bound::Unbounded);
    elements(channel)
        .range::<str, _>(from_name)
        .take_while(move |(key, _)| key.starts_with(name))
        .map(|(_, spec)| spec)
        .filter(move |spec| spec.tag == name)
}

/// The names of all elements of the channel but the root, sorted.
#[must_use]
pub fn element_names(channel: Channel) -> Vec<&'static str> {
    let mut names: Vec<_> = elements(channel)
        .values()
        .map(|spec| spec.tag)
        .filter(|tag| *tag != "Response")
        .collect();
    names.dedup();
    names
}

/// The names of the elements below which an element of this name may stand.
#[must_use]
pub fn parents(channel: Channel, name: &str) -> Vec<&'static str> {
    elements(channel)
        .values()
        .filter(|spec| spec.child_names().any(|child| child == name))
        .map(|spec| spec.tag)
        .collect()
}

fn elements(channel: Channel) -> &'static BTreeMap<&'static str, ElementSpec> {
    match channel {
        Channel::Voice => &VOCABULARY.voice,
        Channel::Message => &VOCABULARY.messaging,
    }
}

/// The key of an element is its tag, or `tag@parent` where a tag means two things.
fn tag_of(key: &'static str) -> &'static str {
    key.split('@').next().unwrap_or(key)
}

impl ElementSpec {
    /// The names of the elements that may stand in it.
    pub fn child_names(&self) -> impl Iterator<Item = &'static str> {
        self.children.iter().map(|key| tag_of(key))
    }

    /// The attribute of this name, with TwiML's own copy of the name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<(&'static str, &AttributeSpec)> {
        self.attributes
            .get_key_value(name)
            .map(|(name, spec)| (*name, spec))
    }

    /// The names of all its attributes, sorted.
    pub fn attribute_names(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.keys().copied()
    }

    /// Twilio's error number for a bad text of this element.
    #[must_use]
    pub fn error_number(&self) -> Option<u32> {
        self.errors.first().copied()
    }
}

impl AttributeSpec {
    /// An attribute that Twilio has added since, of which nothing is known: it takes any text.
    #[must_use]
    pub fn any() -> &'static Self {
        static ANY: AttributeSpec = AttributeSpec {
            kind: Kind::String,
            values: None,
            open: false,
            list: false,
            min: None,
            max: None,
            max_length: None,
            charset: None,
            destination: None,
            empty: false,
            errors: Vec::new(),
        };
        &ANY
    }

    /// Twilio's error number for a bad value of this attribute.
    #[must_use]
    pub fn error_number(&self) -> Option<u32> {
        self.errors.first().copied()
    }

    /// Where a value of this attribute leads; `None` when it leads nowhere.
    #[must_use]
    pub fn destination(&self) -> Option<Destination> {
        match self.kind {
            Kind::Url | Kind::Websocket => Some(Destination::Url),
            _ => self.destination,
        }
    }

    /// What a value must be, for a sentence.
    #[must_use]
    pub fn wanted(&self) -> &'static str {
        match self.kind {
            Kind::Boolean => "true or false",
            Kind::Integer => "a whole number",
            Kind::Enum if self.known_values().contains(&"true") => {
                "true, false or a text in quotes"
            }
            Kind::Enum | Kind::String => "a text in quotes",
            Kind::Url | Kind::Websocket => "a URL in quotes",
        }
    }

    /// Whether a TOML integer may stand here. A digit string may not be one: it would lose its leading zeros.
    #[must_use]
    pub fn takes_integers(&self) -> bool {
        match self.kind {
            Kind::Integer => true,
            Kind::String => self.charset.is_none() && self.destination.is_none(),
            _ => false,
        }
    }

    /// Whether a text is wanted here, rather than a number or a boolean.
    #[must_use]
    pub fn takes_texts(&self) -> bool {
        !matches!(self.kind, Kind::Boolean | Kind::Integer)
    }

    /// Whether a TOML boolean may stand here.
    #[must_use]
    pub fn takes_booleans(&self) -> bool {
        match self.kind {
            Kind::Boolean => true,
            Kind::Enum => self.known_values().contains(&"true"),
            Kind::String => self.charset.is_none() && self.destination.is_none(),
            _ => false,
        }
    }

    /// The values that are known; empty when any text of the right form will do.
    #[must_use]
    pub fn known_values(&self) -> &[&'static str] {
        match &self.values {
            Some(Values::List(values)) => values,
            Some(Values::Of(reference)) => reference
                .strip_prefix("@enums.")
                .and_then(|name| VOCABULARY.values.get(name))
                .map_or(&[], Vec::as_slice),
            None => &[],
        }
    }

    /// Checks a finished value, templates resolved.
    ///
    /// # Errors
    ///
    /// The value is not of the attribute's type, outside its range, not among its values, too long, has a character
    /// that may not stand in it, or does not look like what it leads to.
    pub fn check(&self, value: &str) -> Result<(), ValueError> {
        if self.empty && value.is_empty() {
            return Ok(());
        }
        if self.list {
            if value.split_ascii_whitespace().next().is_none() {
                return Err(ValueError::Empty);
            }
            value
                .split_ascii_whitespace()
                .try_for_each(|part| self.check_one(part))
        } else {
            self.check_one(value)
        }
    }

    fn check_one(&self, value: &str) -> Result<(), ValueError> {
        match self.kind {
            Kind::Boolean if value == "true" || value == "false" => Ok(()),
            Kind::Boolean => Err(ValueError::NotBoolean),
            Kind::Integer => self.check_integer(value),
            Kind::Enum => {
                let values = self.known_values();
                if values.contains(&value) {
                    Ok(())
                } else {
                    Err(ValueError::NotAmong { open: self.open })
                }
            }
            Kind::Url => check_web_url(value).map_err(ValueError::Url),
            Kind::Websocket => check_websocket_url(value).map_err(ValueError::Url),
            Kind::String => self.check_string(value),
        }
    }

    fn check_integer(&self, value: &str) -> Result<(), ValueError> {
        let number: i64 = value.parse().map_err(|_| ValueError::NotInteger)?;
        let within =
            self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max);
        if within {
            Ok(())
        } else {
            Err(ValueError::OutOfRange {
                min: self.min,
                max: self.max,
            })
        }
    }

    fn check_string(&self, value: &str) -> Result<(), ValueError> {
        if let Some(charset) = self.charset
            && let Some(found) = value
                .chars()
                .find(|character| !charset.contains(*character))
        {
            return Err(ValueError::BadCharacter {
                found,
                allowed: charset,
            });
        }
        match self.max_length {
            Some(max) if value.chars().count() > max => Err(ValueError::TooLong { max }),
            _ => self
                .destination
                .map_or(Ok(()), |destination| destination.check(value)),
        }
    }
}

impl Destination {
    /// Checks that a finished value looks like what this destination needs.
    ///
    /// # Errors
    ///
    /// It does not: a number that is no E.164, a bad URL, no SIP URI, a sender that no network would take.
    pub fn check(self, value: &str) -> Result<(), ValueError> {
        match self {
            Self::Url => check_web_url(value).map_err(ValueError::Url),
            Self::Number => value.parse::<E164>().map(drop).map_err(ValueError::Number),
            Self::Sip => {
                let host = value
                    .strip_prefix("sip:")
                    .or_else(|| value.strip_prefix("sips:"));
                match host {
                    Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(()),
                    _ => Err(ValueError::NotSip),
                }
            }
            Self::Name if value.trim().is_empty() => Err(ValueError::Empty),
            Self::Name => Ok(()),
            Self::Caller => check_caller(value),
            Self::Sender => check_sender(value),
            Self::Address => check_address(value),
        }
    }
}

/// A caller is an E.164 number, or a SIP user or client, which have a letter and no blanks.
fn check_caller(value: &str) -> Result<(), ValueError> {
    let is_user = value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-_.@:".contains(&byte));
    if is_user {
        Ok(())
    } else {
        Destination::Number.check(value)
    }
}

/// A sender is an E.164 number, an address with a scheme (`client:`, `whatsapp:`), or a name that has a letter in it.
fn check_sender(value: &str) -> Result<(), ValueError> {
    let is_name = value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-_. @:".contains(&byte));
    let is_short_code =
        (5..=6).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_name || is_short_code {
        Ok(())
    } else {
        Destination::Number.check(value)
    }
}

fn check_address(value: &str) -> Result<(), ValueError> {
    match value.split_once(':') {
        Some(("whatsapp", number)) => Destination::Number.check(number),
        Some(("messenger" | "rcs" | "client", name)) if !name.is_empty() => Ok(()),
        _ => Destination::Number.check(value),
    }
}

/// Why a value cannot stand where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// Nothing is there.
    Empty,
    /// Neither `true` nor `false`.
    NotBoolean,
    /// No whole number.
    NotInteger,
    /// A whole number outside what TwiML takes.
    OutOfRange {
        /// The least it may be.
        min: Option<i64>,
        /// The most it may be.
        max: Option<i64>,
    },
    /// Not one of the values that are known.
    NotAmong {
        /// Whether there may be others than those that are known.
        open: bool,
    },
    /// More characters than TwiML takes.
    TooLong {
        /// The most it may have.
        max: usize,
    },
    /// A character that may not stand there.
    BadCharacter {
        /// The first such character.
        found: char,
        /// Those that may stand there.
        allowed: &'static str,
    },
    /// No `sip:` or `sips:` URI.
    NotSip,
    /// No E.164 number.
    Number(E164Error),
    /// No URL that Twilio could use.
    Url(UrlError),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NotBoolean => f.write_str("it must be true or false"),
            Self::NotInteger => f.write_str("it must be a whole number"),
            Self::OutOfRange {
                min: Some(min),
                max: Some(max),
            } => write!(f, "it must be from {min} to {max}"),
            Self::OutOfRange {
                min: Some(min),
                max: None,
            } => write!(f, "it must be {min} or more"),
            Self::OutOfRange { max: Some(max), .. } => write!(f, "it must be {max} or less"),
            Self::OutOfRange { .. } => f.write_str("it is out of range"),
            Self::NotAmong { .. } => f.write_str("it is not one of the values that TwiML knows"),
            Self::TooLong { max } => write!(f, "it has more than {max} characters"),
            Self::BadCharacter { found, allowed } => {
                write!(f, "{found:?} cannot stand in it, only {allowed}")
            }
            Self::NotSip => f.write_str("it is no SIP URI"),
            Self::Number(error) => error.fmt(f),
            Self::Url(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ValueError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(channel: Channel, element: &str, name: &str) -> &'static AttributeSpec {
        elements_named(channel, element)
            .find_map(|spec| spec.attribute(name))
            .expect("it is in the vocabulary")
            .1
    }

    #[test]
    fn every_child_is_an_element_and_every_list_of_values_exists() {
        for channel in Channel::ALL {
            for (key, spec) in elements(channel) {
                assert_eq!(tag_of(key), spec.tag);
                for child in spec.child_names() {
                    assert!(child_of(channel, spec, child).is_some(), "{key} > {child}");
                }
                for (name, attribute) in &spec.attributes {
                    if attribute.kind == Kind::Enum {
                        assert!(!attribute.known_values().is_empty(), "{key} {name}");
                    }
                }
            }
        }
        assert_eq!(response(Channel::Voice).child_names().count(), 20);
        assert_eq!(
            response(Channel::Message).child_names().collect::<Vec<_>>(),
            ["Message", "Redirect"]
        );
    }

    #[test]
    fn the_two_sips_are_told_apart_by_their_parent() {
        let dial = child_of(Channel::Voice, response(Channel::Voice), "Dial").expect("a verb");
        let refer = child_of(Channel::Voice, response(Channel::Voice), "Refer").expect("a verb");
        let dialled = child_of(Channel::Voice, dial, "Sip").expect("a noun");
        let referred = child_of(Channel::Voice, refer, "Sip").expect("a noun");
        assert!(dialled.attribute("username").is_some());
        assert!(referred.attribute("username").is_none());
        assert_eq!(parents(Channel::Voice, "Sip"), ["Dial", "Refer"]);
    }

    #[test]
    fn values_are_checked_by_type_range_list_and_characters() {
        let voice = |element, name, value| {
            attribute(Channel::Voice, element, name)
                .check(value)
                .map_err(|error| error.to_string())
        };
        assert_eq!(voice("Dial", "timeout", "5"), Ok(()));
        assert_eq!(
            voice("Dial", "timeout", "4"),
            Err("it must be from 5 to 600".into())
        );
        assert_eq!(
            voice("Dial", "timeout", "x"),
            Err("it must be a whole number".into())
        );
        assert_eq!(
            voice("Pause", "length", "0"),
            Err("it must be 1 or more".into())
        );
        assert_eq!(voice("Dial", "record", "true"), Ok(()));
        assert_eq!(voice("Gather", "input", "dtmf speech"), Ok(()));
        assert_eq!(voice("Gather", "input", " "), Err("it is empty".into()));
        assert_eq!(
            voice("Gather", "input", "dtmf voice"),
            Err("it is not one of the values that TwiML knows".into())
        );
        assert_eq!(voice("Gather", "finishOnKey", ""), Ok(()));
        assert_eq!(
            voice("Gather", "finishOnKey", "12"),
            Err("it has more than 1 characters".into())
        );
        assert_eq!(voice("Gather", "finishOnKey", "1"), Ok(()));
        assert_eq!(voice("Number", "sendDigits", "ww1#"), Ok(()));
        assert_eq!(
            voice("Number", "sendDigits", "1 2"),
            Err("' ' cannot stand in it, only 0123456789ABCDwW#*".into())
        );
        assert_eq!(
            voice("Dial", "hangupOnStar", "yes"),
            Err("it must be true or false".into())
        );
        assert_eq!(voice("Dial", "callerId", "+14155550100"), Ok(()));
        assert_eq!(voice("Dial", "callerId", "client:desk"), Ok(()));
        assert_eq!(
            voice("Dial", "callerId", "4155550100"),
            Err("a number begins with `+` and its country code".into())
        );
        assert_eq!(voice("Stream", "url", "wss://example.com/s"), Ok(()));
        assert_eq!(
            voice("Stream", "url", "https://example.com/s"),
            Err("it must begin with wss://".into())
        );
        let message = |name, value| attribute(Channel::Message, "Message", name).check(value);
        assert_eq!(message("to", "whatsapp:+14155550100"), Ok(()));
        assert_eq!(message("from", "ACME"), Ok(()));
        assert_eq!(message("from", "12345"), Ok(()));
        assert!(message("to", "ACME").is_err());
        for (name, value, fits) in [
            ("from", "123456", true),
            ("from", "1234", false),
            ("from", "1234567", false),
            ("from", "+14155550100", true),
            ("from", "whatsapp:+14155550100", true),
            ("from", "A*B", false),
            ("to", "messenger:1234", true),
            ("to", "rcs:agent", true),
            ("to", "client:desk", true),
            ("to", "client:", false),
            ("to", "whatsapp:desk", false),
            ("to", "other:desk", false),
        ] {
            assert_eq!(message(name, value).is_ok(), fits, "{name} {value}");
        }
    }

    #[test]
    fn numbers_and_booleans_stand_where_no_digit_is_lost() {
        for (element, name, integers, booleans) in [
            ("Dial", "timeout", true, false),
            ("Dial", "hangupOnStar", false, true),
            ("Dial", "record", false, true),
            ("Dial", "callerId", false, false),
            ("Dial", "action", false, false),
            ("Gather", "hints", true, true),
            ("Gather", "finishOnKey", false, false),
            ("Gather", "input", false, false),
        ] {
            let spec = attribute(Channel::Voice, element, name);
            assert_eq!(spec.takes_integers(), integers, "{element} {name}");
            assert_eq!(spec.takes_booleans(), booleans, "{element} {name}");
        }
    }

    #[test]
    fn open_lists_only_raise_a_suspicion() {
        assert_eq!(
            attribute(Channel::Voice, "Say", "voice").check("Polly.Nobody"),
            Err(ValueError::NotAmong { open: true })
        );
        assert_eq!(
            attribute(Channel::Voice, "Say", "language").check("xx-XX"),
            Err(ValueError::NotAmong { open: false })
        );
    }
}
