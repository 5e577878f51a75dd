//! What TwiML has: elements, where they are allowed, their attributes and the values of these.
//!
//! The facts are data, in `vocabulary.json`: one line per element and per attribute. They are taken over from
//! Twilio's documentation and from its helper libraries for Python (9.13.0) and Node (6.3.1), as of December 2026; what
//! our own rules say about an element, such as [`ElementSpec::leads_on`], is stored with them. This file reads them and
//! checks values. The readers of a table, the writer of documents and the JSON Schema all use these types.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Deserializer, de::Error};

use crate::twilio::channel::Channel;
use crate::twilio::twiml_value::check_url;

pub use crate::twilio::twiml_value::{Destination, UrlError, ValueError};

/// None of its texts may need an escape, because they are borrowed and not copied.
static SHIPPED: LazyLock<Vocabulary> = LazyLock::new(|| {
    serde_json::from_str(include_str!("vocabulary.json"))
        .expect("a test reads the whole vocabulary")
});

/// All of TwiML for Voice and for Messaging.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vocabulary {
    /// The elements of each channel.
    #[serde(borrow)]
    elements: BTreeMap<&'static str, Elements>,
    /// The meaning of an attribute in any element.
    help: BTreeMap<&'static str, &'static str>,
    /// The elements that people still write but that no longer work.
    gone: BTreeMap<&'static str, BTreeMap<&'static str, Status>>,
    voices: Voices,
}

/// The elements of a channel by key: the tag, or `tag@parent` where a tag has two meanings.
pub(crate) type Elements = BTreeMap<&'static str, ElementSpec>;

/// What is known about voices.
///
/// Polly's languages are those of Amazon's page of voices,
/// <https://docs.aws.amazon.com/polly/latest/dg/available-voices.html>.
#[derive(Debug, Deserialize)]
struct Voices {
    /// Twilio's own voices.
    #[serde(borrow)]
    basic: Vec<&'static str>,
    /// The suffixes of Polly's names that do not depend on the language.
    suffixes: Vec<&'static str>,
    /// The names of Polly's voices by language.
    polly: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Vocabulary {
    /// The vocabulary that the program ships with, unless a unit test has replaced it.
    fn current() -> &'static Self {
        #[cfg(test)]
        if let Some(other) = tests::OTHER.get() {
            return other;
        }
        &SHIPPED
    }
}

/// What TwiML specifies for one element, and what our own rules require of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct ElementSpec {
    /// The name in the document.
    pub tag: &'static str,
    /// What the element does, in a sentence.
    pub help: &'static str,
    /// The keys of the elements that are allowed in it.
    #[serde(borrow)]
    pub(crate) children: Vec<&'static str>,
    /// Whether the element may hold text.
    pub text: bool,
    /// Whether it can contain both text and children.
    pub mixed: bool,
    /// Whether the element means nothing when it is empty.
    pub needs_content: bool,
    /// The attribute with which it may be empty all the same.
    pub empty_with: Option<&'static str>,
    /// The child that can replace the element's own text.
    pub main_child: Option<&'static str>,
    text_max: Option<usize>,
    /// The limits that replace `text_max` for an element whose text is spoken.
    pub(crate) spoken_max: Option<SpokenMax>,
    /// Whether to cut a text that a request makes too long; otherwise the reply cannot be rendered.
    pub cut: bool,
    /// Whether the element stays in a document when its content is empty.
    pub stays_empty: bool,
    /// What its text leads to: something dialled or fetched.
    pub destination: Option<Destination>,
    /// Whether its text is what a Dial calls.
    pub dials: bool,
    /// The form that a Dial's `callerId` must have when this text is dialled.
    pub(crate) caller: Option<Destination>,
    /// Whether it answers a text with a text.
    pub(crate) sends: bool,
    /// Whether the next element comes only after the caller, or the dialled party, had time to do something.
    pub(crate) waits: bool,
    /// Whether its text may be a URL of a recording or a picture that the request brings.
    pub relays: bool,
    /// Whether it must be the only child of its parent.
    pub alone: bool,
    /// Twilio's error number when it is not the only child.
    pub alone_error: Option<u32>,
    /// How many of it its parent may contain.
    pub most: Option<usize>,
    /// Twilio's error number when there are more.
    pub most_error: Option<u32>,
    /// How many children it may have.
    pub most_children: Option<usize>,
    /// When the elements after it are not reached.
    pub ends: Option<Ending>,
    /// Whether the call comes back to the service after it, which `[default]` must not do.
    pub leads_on: bool,
    /// Whether Twilio asks the same URL again when it has no `action`.
    pub asks_again: bool,
    /// Twilio's error number for a child that is not allowed in it.
    pub nesting_error: Option<u32>,
    /// Set when Twilio advises against it.
    pub status: Option<Status>,
    /// The same, where it is directly in a reply.
    pub status_in_reply: Option<Status>,
    /// Twilio's error numbers for a bad text: the first for an empty one, the last for one that is too long.
    pub(crate) errors: Vec<u32>,
    /// Combinations that do not work although each part is valid.
    pub(crate) combinations: Vec<Combination>,
    pub(crate) attributes: BTreeMap<&'static str, AttributeSpec>,
}

/// Values of attributes, and children, that do not work together although each is valid.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Combination {
    /// The attributes that are set, each with a pattern that its value matches.
    #[serde(borrow)]
    when: BTreeMap<&'static str, Pattern>,
    /// The attributes that are not set, or whose value does not match the pattern.
    #[serde(default, borrow)]
    unless: BTreeMap<&'static str, Pattern>,
    /// The children of which one is present; empty when none need be.
    #[serde(default)]
    pub children: Vec<&'static str>,
    /// Why the combination does not work.
    pub why: &'static str,
    /// What to do about it.
    pub help: &'static str,
    /// Whether the document fails; otherwise it just does not do what was meant.
    #[serde(default)]
    pub is_error: bool,
    /// Twilio's error number for it.
    pub error: Option<u32>,
}

impl Combination {
    /// The attributes that must be set for it.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &'static str> {
        self.when.keys().copied()
    }

    /// Whether an element has this combination of attributes. `value` returns an attribute's value: `None` when it is
    /// not set, and `Some(None)` when it depends on the request.
    pub(crate) fn is_found<'v>(&self, value: impl Fn(&str) -> Option<Option<&'v str>>) -> bool {
        let has = |(name, pattern): (&&str, &Pattern)| {
            value(name).is_some_and(|value| pattern.0.is_match(value.unwrap_or_default()))
        };
        let may_have = |(name, pattern): (&&str, &Pattern)| {
            value(name).is_some_and(|value| value.is_none_or(|value| pattern.0.is_match(value)))
        };
        self.when.iter().all(has) && !self.unless.iter().any(may_have)
    }
}

/// A pattern to find in a text.
#[derive(Debug)]
pub struct Pattern(Regex);

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        Regex::new(text).map(Self).map_err(D::Error::custom)
    }
}

/// How many characters each kind of voice speaks in one element, and how many bytes when percent-encoded.
///
/// Source: <https://www.twilio.com/docs/api/errors/13521>; for its own voices the page on text-to-speech says 4,000,
/// not 4,096, <https://www.twilio.com/docs/voice/twiml/say/text-speech>.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpokenMax {
    basic: usize,
    google: usize,
    other: usize,
    pub(crate) encoded: usize,
}

/// When the elements after another element are unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// Always.
    Always,
    /// When it has an `action`.
    Action,
    /// When it has an `action`, but Twilio's pages are not clear about it.
    Perhaps,
    /// When its `actionOnEmptyResult` is true.
    ActionOnEmptyResult,
}

/// Why something should not be written.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Status {
    /// `deprecated`, `undocumented`, or empty for something removed.
    pub is: &'static str,
    /// The reason.
    pub why: &'static str,
    /// What to write instead, if anything.
    pub instead: Option<&'static str>,
}

/// What TwiML allows as the value of one attribute. The default takes any text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct AttributeSpec {
    /// The type of a value.
    #[serde(rename = "type")]
    pub kind: ValueType,
    /// The values that are known; empty when any text of the right form will do.
    #[serde(borrow)]
    pub values: Vec<&'static str>,
    /// Whether the list belongs to somebody else and grows, so that another value is only suspicious.
    pub open: bool,
    /// Whether a value in another letter case is the same.
    any_case: bool,
    /// Values that still work, each with what to write instead.
    pub also: BTreeMap<&'static str, &'static str>,
    /// Whether one text can have several values, separated by spaces.
    pub list: bool,
    /// The least number.
    pub min: Option<i64>,
    /// The greatest number.
    pub max: Option<i64>,
    /// The greatest number that needs no special setting of the account.
    warn_above: Option<i64>,
    /// The most characters.
    pub max_length: Option<usize>,
    /// The characters that are allowed in it.
    pub charset: Option<&'static str>,
    /// What a text must look like, or which values are known in addition to the list.
    pub pattern: Option<Pattern>,
    /// What must not be found in a text.
    not_pattern: Option<Pattern>,
    /// What the two patterns ask for, in words.
    form: &'static str,
    destination: Option<Destination>,
    /// Whether a URL is only notified: its answer has no effect.
    pub(crate) is_notice: bool,
    /// What the document behind a URL may hold, when not everything.
    pub(crate) document: Option<DocumentSpec>,
    /// Whether the empty text means something: silence for a `waitUrl`.
    pub empty: bool,
    /// Whether the element means nothing without it.
    pub required: bool,
    /// The attribute that can replace it.
    pub required_unless: Option<&'static str>,
    /// The parent below which the element can do without it.
    pub optional_in: Option<&'static str>,
    /// Set when Twilio advises against it.
    pub status: Option<Status>,
    /// Twilio's error numbers for a bad value.
    pub(crate) errors: Vec<u32>,
    /// Whether `[extra]` turns off every check of its values.
    #[serde(skip)]
    pub(crate) takes_anything: bool,
}

/// The verbs that Twilio accepts in a document other than the main one of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DocumentSpec {
    /// The verbs listed on its page; empty where the page lists none.
    #[serde(borrow)]
    pub verbs: Vec<&'static str>,
    /// The verbs that certainly fail.
    #[serde(borrow)]
    pub never: Vec<&'static str>,
    /// Whether every other verb fails; otherwise it is merely unlisted.
    pub is_error: bool,
    /// Twilio's error number for a verb that fails.
    pub error: Option<u32>,
}

/// The type of an attribute's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ValueType {
    Boolean,
    Enum,
    Integer,
    #[default]
    String,
    Url,
    Websocket,
}

/// The element of this name that is allowed in `parent` (`Response` for a verb) in a document of this channel.
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
        .get(RESPONSE)
        .expect("a test asks for the root of both channels")
}

/// The name of the root.
pub const RESPONSE: &str = "Response";

/// Every element with this name on the channel, except the root: several where TwiML uses a name twice (`Sip`).
pub(crate) fn elements_named(
    channel: Channel,
    name: &str,
) -> impl Iterator<Item = &'static ElementSpec> {
    let all = elements(channel).values();
    all.filter(move |spec| spec.tag == name && name != RESPONSE)
}

/// The names of all elements of the channel except the root, sorted.
pub(crate) fn element_names(channel: Channel) -> Vec<&'static str> {
    let mut names: Vec<_> = elements(channel)
        .values()
        .map(|spec| spec.tag)
        .filter(|tag| *tag != RESPONSE)
        .collect();
    names.dedup();
    names
}

/// The names of the elements that can contain an element of this name.
#[must_use]
pub fn parents(channel: Channel, name: &str) -> Vec<&'static str> {
    elements(channel)
        .values()
        .filter(|spec| spec.child_names().any(|child| child == name))
        .map(|spec| spec.tag)
        .collect()
}

/// All elements of the channel, by key.
pub(crate) fn elements(channel: Channel) -> &'static Elements {
    &Vocabulary::current().elements[channel.as_str()]
}

fn tag_of(key: &'static str) -> &'static str {
    key.split('@').next().unwrap_or(key)
}

/// What became of an element that people still write but that does not work on this channel.
pub(crate) fn gone(channel: Channel, name: &str) -> Option<Status> {
    Vocabulary::current().gone[channel.as_str()]
        .get(name)
        .copied()
}

/// Where Twilio's manual begins.
pub(crate) const DOCS: &str = "https://www.twilio.com/docs/";

/// Twilio's page about an element, or about the verb that it stands in; `None` for one that Twilio does not document.
pub(crate) fn page(channel: Channel, spec: &ElementSpec) -> Option<String> {
    let is_undocumented =
        |status: Option<Status>| status.is_some_and(|status| status.is == "undocumented");
    let is_verb = |tag: &&str| {
        let verb = child_of(channel, response(channel), tag);
        verb.is_some_and(|verb| !is_undocumented(verb.status_in_reply))
    };
    let parent = |tag: &&'static str| parents(channel, tag).first().copied();
    // A verb, what stands in it, what stands in that.
    let mut tags = std::iter::successors(Some(spec.tag), parent).take(4);
    let tag = tags
        .find(is_verb)
        .filter(|_| !is_undocumented(spec.status))?;
    let family = match channel {
        Channel::Voice => "voice",
        Channel::Message => "messaging",
    };
    Some(format!("{DOCS}{family}/twiml/{}", tag.to_lowercase()))
}

/// The meaning of an attribute in any element; `None` where the name says it all.
pub(crate) fn attribute_help(name: &str) -> Option<&'static str> {
    Vocabulary::current().help.get(name).copied()
}

/// The prefix of Google's voices. The language follows it.
const GOOGLE: &str = "Google.";

/// The languages of a voice; empty when unknown. A language without a region stands for all of its regions.
pub(crate) fn voice_languages(voice: &str) -> Vec<&str> {
    if let Some(name) = voice.strip_prefix(GOOGLE) {
        let end = name.match_indices('-').nth(1).map(|(at, _)| at);
        return end.map(|end| &name[..end]).into_iter().collect();
    }
    let Voices {
        suffixes, polly, ..
    } = &Vocabulary::current().voices;
    let Some(name) = voice.strip_prefix("Polly.") else {
        return Vec::new();
    };
    let mut suffixes = suffixes.iter();
    let plain = suffixes.find_map(|suffix| name.strip_suffix(suffix));
    let name = plain.unwrap_or(name);
    let speaks = polly.iter().filter(|(_, names)| names.contains(&name));
    speaks.map(|(language, _)| *language).collect()
}

impl ElementSpec {
    /// An element of `[extra]`, of which nothing is known.
    pub(crate) fn any() -> &'static Self {
        static ANY: LazyLock<ElementSpec> = LazyLock::new(ElementSpec::default);
        &ANY
    }

    /// The names of the elements that are allowed in it.
    pub fn child_names(&self) -> impl Iterator<Item = &'static str> {
        self.children.iter().map(|key| tag_of(key))
    }

    /// The attribute of this name, with the vocabulary's own copy of the name.
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

    /// The most characters that its text may have. Without a voice the account's setting decides which one speaks, so
    /// the lowest limit applies.
    pub(crate) fn text_max(&self, voice: Option<&str>) -> Option<usize> {
        let Some(spoken) = &self.spoken_max else {
            return self.text_max;
        };
        let basic = &Vocabulary::current().voices.basic;
        Some(match voice {
            Some(voice) if basic.contains(&voice) => spoken.basic,
            Some(voice) if voice.starts_with(GOOGLE) => spoken.google,
            _ => spoken.other,
        })
    }
}

impl AttributeSpec {
    /// An attribute of `[extra]`, which takes any text. A URL attribute that TwiML knows is still written as a URL.
    pub(crate) fn any(known: Option<&Self>) -> &'static Self {
        static ANY: LazyLock<[AttributeSpec; 2]> = LazyLock::new(|| {
            [None, Some(Destination::Url)].map(|destination| AttributeSpec {
                destination,
                takes_anything: true,
                ..AttributeSpec::default()
            })
        });
        let is_url = known.is_some_and(|known| known.destination() == Some(Destination::Url));
        &ANY[usize::from(is_url)]
    }

    /// Where a value of this attribute leads; `None` when it leads nowhere.
    #[must_use]
    pub fn destination(&self) -> Option<Destination> {
        match self.kind {
            ValueType::Url | ValueType::Websocket => Some(Destination::Url),
            _ => self.destination,
        }
    }

    /// What a value must be, for a sentence.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        match self.kind {
            ValueType::Boolean => "true or false",
            ValueType::Integer => "a whole number",
            ValueType::Enum if self.knows("true") => "true, false or a string",
            ValueType::Enum | ValueType::String => "a string",
            ValueType::Url | ValueType::Websocket => "a URL in quotes",
        }
    }

    /// Whether any text is allowed here. A digit string is not any text: as an integer it would lose its leading zeros.
    fn is_free(&self) -> bool {
        self.takes_anything
            || (self.kind == ValueType::String
                && self.charset.is_none()
                && self.destination.is_none())
    }

    /// Whether a TOML integer is allowed here.
    pub(crate) fn takes_integers(&self) -> bool {
        self.kind == ValueType::Integer || self.is_free()
    }

    /// Whether a TOML boolean is allowed here.
    pub(crate) fn takes_booleans(&self) -> bool {
        match self.kind {
            ValueType::Boolean => true,
            ValueType::Enum => self.knows("true"),
            _ => self.is_free(),
        }
    }

    /// Whether this is one of TwiML's values.
    fn knows(&self, value: &str) -> bool {
        let is_same =
            |known: &&str| *known == value || (self.any_case && known.eq_ignore_ascii_case(value));
        let pattern = self.pattern.as_ref();
        self.values.iter().any(is_same)
            || self.also.contains_key(value)
            || pattern.is_some_and(|known| known.0.is_match(value))
    }

    /// A value as TwiML spells it, when only its letter case or the commas between several values are wrong; otherwise
    /// `None`.
    pub(crate) fn respelt(&self, value: &str) -> Option<String> {
        let words: Vec<&str> = if self.list {
            let parts = value.split([',', ' ']);
            parts.filter(|part| !part.is_empty()).collect()
        } else {
            vec![value]
        };
        let known = match self.kind {
            ValueType::Boolean => &["true", "false"][..],
            _ => &self.values,
        };
        let respelt = |word: &&str| known.iter().find(|known| known.eq_ignore_ascii_case(word));
        let respelt: Option<Vec<&str>> = words.iter().map(|word| respelt(word).copied()).collect();
        let respelt = respelt?.join(" ");
        (!respelt.is_empty() && respelt != value).then_some(respelt)
    }

    /// A few values that may have been meant by an unknown one: for a language, the same language with other regions;
    /// else the values that contain it.
    pub(crate) fn likely(&self, value: &str) -> Vec<&'static str> {
        const MOST: usize = 20;
        let language = |value: &str| {
            value
                .split(['-', '_'])
                .next()
                .unwrap_or_default()
                .to_lowercase()
        };
        let (wanted, text) = (language(value), value.to_lowercase());
        let values = self.values.iter().copied();
        let mut likely: Vec<&str> = match wanted.len() {
            2..=3 => values
                .clone()
                .filter(|known| language(known) == wanted)
                .collect(),
            _ => Vec::new(),
        };
        if likely.is_empty() && text.len() > 2 {
            likely = values
                .filter(|known| known.to_lowercase().contains(&text))
                .collect();
        }
        if likely.len() > MOST {
            Vec::new()
        } else {
            likely
        }
    }

    /// A known value written in the wrong letter case, as TwiML writes it; otherwise `None`.
    pub(crate) fn in_known_case(&self, value: &str) -> Option<String> {
        let words = match self.kind {
            ValueType::Boolean => &["true", "false"][..],
            _ => &self.values,
        };
        let is_known = |part: &str| words.contains(&part);
        let in_case = |part| {
            let mut words = words.iter();
            words.find(|word| word.eq_ignore_ascii_case(part))
        };
        let parts: Vec<&str> = if self.list {
            value.split_ascii_whitespace().collect()
        } else {
            vec![value]
        };
        if parts.iter().all(|part| is_known(part)) {
            return None;
        }
        let known: Option<Vec<&str>> = parts
            .into_iter()
            .map(|part| in_case(part).copied())
            .collect();
        known.map(|parts| parts.join(" "))
    }

    /// Checks a finished value, with templates filled in.
    ///
    /// # Errors
    ///
    /// The value is not of the attribute's type, outside its range, not among its values, too long, has a character
    /// that is not allowed in it, or does not look like what it leads to.
    pub fn check(&self, value: &str) -> Result<(), ValueError> {
        if self.takes_anything || (self.empty && value.is_empty()) {
            return Ok(());
        }
        if !self.list {
            return self.check_one(value);
        }
        let mut parts = value.split_ascii_whitespace().peekable();
        parts.peek().ok_or(ValueError::Empty)?;
        parts.try_for_each(|part| self.check_one(part))
    }

    fn check_one(&self, value: &str) -> Result<(), ValueError> {
        if let Some(instead) = self.also.get(value) {
            return Err(ValueError::Outdated { instead });
        }
        match self.kind {
            ValueType::Boolean if value == "true" || value == "false" => Ok(()),
            ValueType::Boolean => Err(ValueError::NotBoolean),
            ValueType::Integer => self.check_integer(value),
            ValueType::Enum if self.knows(value) => Ok(()),
            ValueType::Enum => Err(ValueError::NotAmong { open: self.open }),
            ValueType::Url => Destination::Url.check(value),
            ValueType::Websocket => check_url(value, true).map_err(ValueError::Url),
            ValueType::String => self.check_string(value),
        }
    }

    fn check_integer(&self, value: &str) -> Result<(), ValueError> {
        let number: i64 = value.parse().map_err(|_| ValueError::NotInteger)?;
        if self.min.is_some_and(|min| number < min) || self.max.is_some_and(|max| number > max) {
            return Err(ValueError::OutOfRange {
                min: self.min,
                max: self.max,
            });
        }
        match self.warn_above {
            Some(usual) if number > usual => Err(ValueError::Unusual { usual }),
            _ => Ok(()),
        }
    }

    fn check_string(&self, value: &str) -> Result<(), ValueError> {
        if let Some(allowed) = self.charset
            && let Some(found) = value.chars().find(|found| !allowed.contains(*found))
        {
            return Err(ValueError::BadCharacter { found, allowed });
        }
        if let Some(max) = self.max_length
            && value.chars().count() > max
        {
            return Err(ValueError::TooLong { max });
        }
        let fits = |pattern: &Pattern| pattern.0.is_match(value);
        if !self.pattern.as_ref().is_none_or(fits) || self.not_pattern.as_ref().is_some_and(fits) {
            return Err(ValueError::Form(self.form));
        }
        self.destination
            .map_or(Ok(()), |destination| destination.check(value))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn attribute(channel: Channel, element: &str, name: &str) -> &'static AttributeSpec {
        elements_named(channel, element)
            .find_map(|spec| spec.attribute(name))
            .expect("it is in the vocabulary")
            .1
    }

    thread_local! {
        /// The vocabulary of this thread, where a test has replaced it.
        pub(super) static OTHER: std::cell::Cell<Option<&'static Vocabulary>> =
            const { std::cell::Cell::new(None) };
    }

    /// Runs `act` with another vocabulary.
    pub(crate) fn with<T>(text: String, act: impl FnOnce() -> T) -> T {
        let other: Vocabulary =
            serde_json::from_str(text.leak()).expect("the vocabulary can be read");
        OTHER.set(Some(Box::leak(Box::new(other))));
        let done = act();
        OTHER.set(None);
        done
    }

    #[test]
    fn a_value_in_another_letter_case_is_found_as_it_is_written() {
        for (element, name, value, known) in [
            ("Gather", "method", "get", Some("GET")),
            ("Gather", "method", "GET", None),
            ("Gather", "method", "PUT", None),
            ("Gather", "input", "DTMF  speech", Some("dtmf speech")),
            ("Gather", "input", "dtmf", None),
            ("Say", "language", "EN-gb", Some("en-GB")),
            ("Dial", "hangupOnStar", "True", Some("true")),
            ("Dial", "hangupOnStar", "yes", None),
            ("Dial", "action", "HTTPS://h/", None),
        ] {
            let attribute = attribute(Channel::Voice, element, name);
            assert_eq!(attribute.in_known_case(value).as_deref(), known, "{value}");
        }
    }

    #[test]
    fn every_child_is_an_element_and_every_list_of_values_exists() {
        for channel in Channel::ALL {
            for (key, spec) in elements(channel) {
                assert_eq!(tag_of(key), spec.tag);
                assert_eq!(
                    spec.help.is_empty(),
                    *key == RESPONSE,
                    "{key} has no sentence"
                );
                for child in spec.child_names() {
                    assert!(child_of(channel, spec, child).is_some(), "{key} > {child}");
                }
                for (name, attribute) in &spec.attributes {
                    if attribute.kind == ValueType::Enum {
                        assert!(!attribute.values.is_empty(), "{key} {name}");
                    }
                }
            }
        }
        assert_eq!(response(Channel::Voice).child_names().count(), 20);
        assert_eq!(
            response(Channel::Message).child_names().collect::<Vec<_>>(),
            ["Message", "Redirect", "Sms"]
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
            Err("it is not one of the values that TwiML allows".into())
        );
        assert_eq!(voice("Gather", "finishOnKey", ""), Ok(()));
        assert_eq!(
            voice("Gather", "finishOnKey", "12"),
            Err("it has more than one character".into())
        );
        assert_eq!(voice("Gather", "finishOnKey", "1"), Ok(()));
        assert_eq!(voice("Number", "sendDigits", "ww1#"), Ok(()));
        assert_eq!(
            voice("Number", "sendDigits", "1 2"),
            Err("it cannot contain ' ', only 0123456789ABCDwW#*".into())
        );
        assert_eq!(
            voice("Dial", "hangupOnStar", "yes"),
            Err("it must be true or false".into())
        );
        assert_eq!(voice("Dial", "callerId", "+14155550100"), Ok(()));
        assert_eq!(voice("Dial", "callerId", "client:desk"), Ok(()));
        assert_eq!(voice("Dial", "callerId", "1001"), Ok(()));
        assert_eq!(
            voice("Dial", "callerId", "the desk"),
            Err("it must be a number, or letters, digits and + - _ . @ : only".into())
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
            attribute(Channel::Voice, "Say", "voice").check("Polly.Unknown"),
            Err(ValueError::NotAmong { open: true })
        );
        assert_eq!(
            attribute(Channel::Voice, "Say", "language").check("xx-XX"),
            Err(ValueError::NotAmong { open: true })
        );
        assert_eq!(
            attribute(Channel::Voice, "Reject", "reason").check("bussy"),
            Err(ValueError::NotAmong { open: false })
        );
    }

    #[test]
    fn what_works_only_sometimes_is_suspicious() {
        for (element, name, value, says) in [
            (
                "Dial",
                "timeLimit",
                "86400",
                "more than 14400 works only if the account's settings allow it",
            ),
            (
                "ConversationRelay",
                "reportInputDuringAgentSpeech",
                "true",
                "Twilio expects any instead",
            ),
        ] {
            let error = attribute(Channel::Voice, element, name)
                .check(value)
                .expect_err(value);
            assert!(error.is_suspicion(), "{name}");
            assert_eq!(error.to_string(), says);
        }
        assert_eq!(
            attribute(Channel::Voice, "Gather", "speechTimeout")
                .check("soon")
                .map_err(|error| error.to_string()),
            Err("it must be auto or a number of seconds".into())
        );
        for (element, name, value) in [
            ("Gather", "speechModel", "deepgram_nova-3-phonecall"),
            ("Gather", "language", "EN-us"),
            ("Say", "voice", "ElevenLabs.UgBBYS2sOqTuMpoF3BR0"),
            ("Enqueue", "waitUrl", ""),
        ] {
            assert_eq!(
                attribute(Channel::Voice, element, name).check(value),
                Ok(()),
                "{value}"
            );
        }
        assert!(
            attribute(Channel::Voice, "Conference", "participantLabel")
                .check("a/b")
                .is_err()
        );
    }

    #[test]
    fn a_voice_speaks_the_languages_that_are_known_of_it() {
        for (voice, wanted) in [
            ("Google.en-US-Wavenet-A", vec!["en-US"]),
            ("Google.cmn-CN-Standard-B", vec!["cmn-CN"]),
            ("Polly.Joanna-Neural", vec!["en-US"]),
            ("Polly.Joanna", vec!["en-US"]),
            ("Polly.Kajal-Generative", vec!["en-IN", "hi-IN"]),
            ("Polly.Hala-Neural", vec!["ar-AE", "en"]),
            ("Polly.Unknown", vec![]),
            ("Google.x", vec![]),
            ("alice", vec![]),
        ] {
            assert_eq!(voice_languages(voice), wanted, "{voice}");
        }
    }
}
