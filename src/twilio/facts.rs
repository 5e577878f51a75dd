//! What is known of a request, and the rules by which its values are read.
//!
//! A [`Request`](super::request::Request) knows all of its values; a line of the journal keeps some, masks others and
//! omits the rest. The same rules read both, so a condition means the same for both.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::channel::{Channel, Webhook};
use super::number::{masked, may_be_withheld, shown_by_mask};
use super::parameters;

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<'a> {
    /// All of it; empty when it is absent.
    Whole(Cow<'a, str>),
    /// How it begins and ends.
    Ends(Ends<'a>),
    /// That it is not empty.
    Present,
    /// Nothing, not even whether it is present.
    Nothing,
}

/// How a value begins and ends. The two do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends<'a> {
    /// Its first characters.
    pub start: &'a str,
    /// Its last characters.
    pub end: &'a str,
    /// The mask that shows these ends, as [`masked`] makes it; `None` when they do not come from a mask.
    pub mask: Option<&'a str>,
}

/// What is known of a request.
pub trait Facts<'a> {
    /// The webhook that received it.
    fn webhook(&self) -> Webhook;

    /// Whether it is a call or a text.
    fn channel(&self) -> Channel;

    /// The step in the query, empty without one; `None` when unknown.
    fn step(&self) -> Option<&'a str>;

    /// The value sent under exactly this name.
    fn sent(&self, name: &str) -> Known<'a>;

    /// Whether the caller withholds the number; `None` when unknown.
    fn caller_withheld(&self) -> Option<bool>;

    /// The value at a dotted path inside a parameter that holds JSON.
    fn inside(&self, parameter: &str, path: &str) -> Known<'a> {
        match self.sent(parameter) {
            Known::Whole(json) => Known::Whole(Cow::Owned(inside_json(&json, path))),
            _ => Known::Nothing,
        }
    }

    /// The value of a parameter as conditions and templates read it. The geography of a withheld caller reads as
    /// absent, an absent parameter as its alias, an absent `Direction` as `inbound`, and a dotted name that was not
    /// sent as the value inside a JSON parameter.
    fn value(&self, name: &str) -> Known<'a> {
        const ABSENT: Known<'static> = Known::Whole(Cow::Borrowed(""));
        // The geography reads as absent unless the caller is known to show the number.
        if is_caller_geography(name) && self.caller_withheld() != Some(false) {
            return ABSENT;
        }
        match self.sent(name) {
            Known::Whole(value) if value.is_empty() => {}
            known => return known,
        }
        if let Some(other) = parameters::get(name).alias {
            return self.sent(other);
        }
        if name == "Direction" {
            return Known::Whole(Cow::Borrowed("inbound"));
        }
        match name.split_once('.') {
            Some((parameter, path)) => self.inside(parameter, path),
            None => ABSENT,
        }
    }
}

impl<'a> Known<'a> {
    /// The whole value; `None` when a part of it is unknown.
    #[must_use]
    pub fn whole(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Whole(value) => Some(value),
            _ => None,
        }
    }

    /// Whether the value may be this one.
    #[must_use]
    pub fn may_be(&self, value: &str) -> bool {
        match self {
            Self::Whole(known) => known == value,
            Self::Ends(ends) => ends.fit(value),
            Self::Present => !value.is_empty(),
            Self::Nothing => true,
        }
    }

    /// What the mask of a number tells; [`Known::Present`] when the text is not a mask.
    #[must_use]
    pub fn of_mask(text: &'a str) -> Self {
        Ends::of_mask(text).map_or(Self::Present, Self::Ends)
    }
}

impl<'a> Ends<'a> {
    /// The ends of values that begin with `start` and end with `end`.
    #[must_use]
    pub fn new(start: &'a str, end: &'a str) -> Self {
        Self {
            start,
            end,
            mask: None,
        }
    }

    /// The ends that a mask shows; `None` when the text is not a mask.
    fn of_mask(text: &'a str) -> Option<Self> {
        const BULLETS: &str = "•••••";
        // A mask is as long as its number, but five characters at least and eleven at most.
        let shown = shown_by_mask(text.chars().count());
        let start_length = text.chars().take(shown.0).map(char::len_utf8).sum();
        let (start, rest) = text.split_at(start_length);
        let end = rest.strip_prefix(BULLETS)?;
        (end.chars().count() == shown.1).then_some(Self {
            start,
            end,
            mask: Some(text),
        })
    }

    /// Whether a value with these ends may be this one.
    #[must_use]
    pub fn fit(&self, value: &str) -> bool {
        let between = value
            .strip_prefix(self.start)
            .is_some_and(|rest| rest.ends_with(self.end));
        between && self.mask.is_none_or(|mask| masked(value) == mask)
    }

    /// Whether a value with these ends is never empty.
    #[must_use]
    pub fn are_present(&self) -> bool {
        self.mask.is_some() || !self.start.is_empty() || !self.end.is_empty()
    }

    /// Whether the value begins with this text; `None` when it may or may not.
    #[must_use]
    pub fn begin_with(&self, start: &str) -> Option<bool> {
        match self.start.starts_with(start) {
            true => Some(true),
            false if start.starts_with(self.start) => None,
            false => Some(false),
        }
    }

    /// Whether the value ends with this text; `None` when it may or may not.
    #[must_use]
    pub fn end_with(&self, end: &str) -> Option<bool> {
        match self.end.ends_with(end) {
            true => Some(true),
            false if end.ends_with(self.end) => None,
            false => Some(false),
        }
    }

    /// Whether the value may be a withheld caller's number.
    #[must_use]
    pub fn may_be_withheld(&self) -> bool {
        may_be_withheld(self.start, self.end)
    }
}

/// Whether a parameter is the caller's geography, which means nothing for a withheld caller: the keypad spellings of a
/// withheld number look like numbers of Lesotho, Uganda or China.
#[must_use]
pub(crate) fn is_caller_geography(name: &str) -> bool {
    name.strip_prefix("Caller")
        .or_else(|| name.strip_prefix("From"))
        .is_some_and(|rest| matches!(rest, "City" | "State" | "Zip" | "Country"))
}

/// The text at a dotted path inside the text of a JSON value; empty when the text is not JSON or has nothing there.
fn inside_json(json: &str, path: &str) -> String {
    text_inside(&serde_json::from_str(json).unwrap_or_default(), path)
}

/// The text at a dotted path inside a JSON value; empty when nothing is there.
pub(super) fn text_inside(value: &Json, path: &str) -> String {
    let pointer: String = path
        .split('.')
        .flat_map(|key| ["/".to_owned(), key.replace('~', "~0").replace('/', "~1")])
        .collect();
    match value.pointer(&pointer) {
        Some(Json::String(text)) => text.clone(),
        Some(value @ (Json::Number(_) | Json::Bool(_))) => value.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [&str; 14] = [
        "1",
        "12345",
        "123456",
        "1234567",
        "12345678",
        "+4930123",
        "+49301234",
        "+493012345",
        "+14155550100",
        "+442071838750",
        "client:alice",
        "sip:ann@example.com",
        "•••••••",
        "éééééééééééé",
    ];

    #[test]
    fn a_mask_is_of_those_numbers_that_have_it() {
        for number in NUMBERS {
            let text = masked(number);
            let mask = Ends::of_mask(&text).expect(number);
            for other in NUMBERS
                .into_iter()
                .chain(["", "+14155550200", "+1415555010000"])
            {
                assert_eq!(mask.fit(other), masked(other) == text, "{text} of {other}");
            }
        }
    }

    #[test]
    fn what_is_no_mask_tells_nothing() {
        for text in [
            "",
            "+14155550100",
            "•••",
            "12345•••••6",
            "+141•••••1234",
            "+141••••00",
        ] {
            assert!(Ends::of_mask(text).is_none(), "{text}");
        }
    }

    #[test]
    fn start_and_end_decide_as_far_as_they_are_shown() {
        let mask = Ends::of_mask("+141•••••00").expect("a mask");
        for (start, truth) in [
            ("", Some(true)),
            ("+1", Some(true)),
            ("+141", Some(true)),
            ("+1415", None),
            ("+1425", Some(false)),
            ("+44", Some(false)),
        ] {
            assert_eq!(mask.begin_with(start), truth, "{start}");
        }
        for (end, truth) in [
            ("", Some(true)),
            ("0", Some(true)),
            ("100", None),
            ("1", Some(false)),
        ] {
            assert_eq!(mask.end_with(end), truth, "{end}");
        }
        assert!(!mask.may_be_withheld());
        let sip = Ends::of_mask("sip:•••••id").expect("a mask");
        assert!(sip.may_be_withheld());
    }
}
