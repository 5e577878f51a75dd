//! A line of the journal: what is kept of a request.
//!
//! The same format serves writing and reading. A line holds only our own numbers in full, and nothing that people say,
//! unless the operator asks for it by name. [`crate::service::journal_writer`] handles files and threads.

mod allowed;
mod written;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

pub(crate) use self::allowed::is_own as may_be_own;
pub use self::written::{event, request};

use crate::twilio::channel::Channel;
use crate::twilio::facts::{Facts, Known};
use crate::twilio::parameters;
use crate::twilio::request::{Form, Webhook};

/// One line, its fields in the order in which they are written. Every line has all fields: `None` is written as null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<'a> {
    /// The moment of the answer, in UTC as RFC 3339 with milliseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The webhook, as [`Webhook::as_str`] spells it.
    #[serde(borrow)]
    pub webhook: Cow<'a, str>,
    /// `voice` or `message`; `None` for an event.
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    /// The route or intercept that answered, `default`, `loop-guard` or `pass`; `None` when nothing decides.
    #[serde(borrow)]
    pub route: Option<Cow<'a, str>>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The time from the request's head to its answer.
    pub microseconds: u64,
    /// Why the loop guard answered, as [`crate::table::guard::GuardReason::word`] spells it; `None` when it did not.
    #[serde(borrow)]
    pub guard: Option<Cow<'a, str>>,
    /// The route whose reply could not be written: `default` answered instead. `default` when the answer panicked.
    #[serde(borrow)]
    pub failed: Option<Cow<'a, str>>,
    /// Whether a machine sent the text: only routes with `answer_machines` answer those.
    pub machine: bool,
    /// The SID of the call, text or interaction, or the id of the event.
    #[serde(borrow)]
    pub sid: Option<Cow<'a, str>>,
    /// Our own number; `None` when it is not certain which number is ours.
    #[serde(borrow)]
    pub number: Option<Cow<'a, str>>,
    /// Whether the caller's or sender's number is withheld. A call or text without the number counts as withheld;
    /// `None` for any other request without it.
    pub withheld: Option<bool>,
    /// The `step` in the query.
    #[serde(borrow)]
    pub step: Option<Cow<'a, str>>,
    /// The type of the event.
    #[serde(borrow)]
    pub event: Option<Cow<'a, str>>,
    /// Parameters with their full values. A parameter that is nowhere in the line was absent or empty.
    #[serde(borrow)]
    pub parameters: LineValues<'a>,
    /// Other people's numbers and addresses, masked by [`crate::twilio::number::masked`].
    #[serde(borrow)]
    pub masked: LineValues<'a>,
    /// The names of the other parameters that had a value.
    #[serde(borrow)]
    pub left_out: LineNames<'a>,
    /// How many parameters with a value had a name that is not written: too long, unprintable, or with a number in it.
    pub unnamed: usize,
}

/// Names with their values, in the order in which they came. Written as a JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineValues<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Names, in the order in which they came. Written as a JSON array.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineNames<'a>(#[serde(borrow)] Vec<LineText<'a>>);

/// A string in a line, borrowed unless it has escapes. Serde does this for fields, but not inside collections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct LineText<'a>(#[serde(borrow)] Cow<'a, str>);

impl LineValues<'_> {
    /// The value for a name; `None` when the name is not there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }
}

impl LineNames<'_> {
    /// Whether the name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|LineText(found)| found == name)
    }
}

impl Serialize for LineValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LineValues<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = LineValues<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some((LineText(name), LineText(value))) = map.next_entry()? {
                    values.push((name, value));
                }
                Ok(LineValues(values))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// An answered request, on its way to the journal.
#[derive(Debug, Clone)]
pub struct Told {
    /// The moment of the decision.
    pub time: Timestamp,
    /// The webhook that Twilio requested.
    pub webhook: Webhook,
    /// The fields of the body.
    pub body: Form,
    /// The fields of the query.
    pub query: Form,
    /// As in [`Line::route`].
    pub route: Option<Box<str>>,
    /// As in [`Line::status`].
    pub status: u16,
    /// As in [`Line::microseconds`].
    pub microseconds: u64,
    /// As in [`Line::guard`].
    pub guard: Option<&'static str>,
    /// As in [`Line::failed`].
    pub failed: Option<Box<str>>,
}

impl Told {
    /// Its approximate memory use, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.body.size() + self.query.size()
    }
}

/// What the operator wants lines to hold in addition to what the rules allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Parameters whose values are always kept. A dotted name reaches into JSON.
    pub values: HashSet<String>,
    /// Whether all numbers are kept in full.
    pub numbers: bool,
}

impl<'a> Line<'a> {
    /// Appends the line, with a line feed.
    pub fn write(&self, to: &mut Vec<u8>) {
        serde_json::to_writer(&mut *to, self).expect("a line is texts, numbers and words");
        to.push(b'\n');
    }

    /// Reads a line. Ignores a final line feed and unknown fields.
    ///
    /// # Errors
    ///
    /// The text is not a JSON object with the fields of a line.
    pub fn parse(text: &'a [u8]) -> Result<Self, NoLine> {
        serde_json::from_slice(text).map_err(|_| NoLine)
    }

    /// Reads a line and its moment.
    ///
    /// # Errors
    ///
    /// Those of [`Line::parse`], or an invalid time.
    pub fn with_moment(text: &'a [u8]) -> Result<(Self, Timestamp), NoLine> {
        let line = Self::parse(text)?;
        let moment = line.time.parse().map_err(|_| NoLine)?;
        Ok((line, moment))
    }

    /// Whether an interaction was blocked, if this is the line of an intercept.
    ///
    /// Source: <https://www.twilio.com/docs/proxy/api/webhooks#interceptcallbackurl>.
    pub(crate) fn is_blocked(&self) -> bool {
        self.status == 403
    }
}

/// A line as the request that it records. Some values are only partly known, or not at all.
#[derive(Debug)]
pub struct Recorded<'a> {
    line: &'a Line<'a>,
    webhook: Webhook,
    channel: Channel,
}

impl<'a> Recorded<'a> {
    /// The request in a line; `None` when the line does not record a request, or is not one that this version writes.
    #[must_use]
    pub fn of(line: &'a Line<'a>) -> Option<Self> {
        Some(Self {
            line,
            webhook: Webhook::from_name(&line.webhook)?,
            channel: Channel::from_name(line.channel.as_deref()?)?,
        })
    }

    pub(crate) fn line(&self) -> &'a Line<'a> {
        self.line
    }

    /// The name under which the line has anything of a value: this name or its alias.
    pub(crate) fn kept_as<'n>(&self, name: &'n str) -> &'n str {
        let is_here = |name| !matches!(self.sent(name), Known::Whole(value) if value.is_empty());
        parameters::get(name)
            .alias
            .filter(|other| !is_here(name) && is_here(other))
            .unwrap_or(name)
    }
}

impl<'a> Facts<'a> for Recorded<'a> {
    fn webhook(&self) -> Webhook {
        self.webhook
    }

    fn channel(&self) -> Channel {
        self.channel
    }

    fn step(&self) -> Option<&'a str> {
        match (&self.line.step, self.sent("step")) {
            (Some(step), _) => Some(step),
            // A field of the body is not a step, but here it looks the same as the query's.
            (None, Known::Whole(sent)) if sent.is_empty() => Some(""),
            (None, _) => None,
        }
    }

    fn sent(&self, name: &str) -> Known<'a> {
        if let Some(value) = self.line.parameters.get(name) {
            Known::Whole(Cow::Borrowed(value))
        } else if let Some(mask) = self.line.masked.get(name) {
            Known::of_mask(mask)
        } else if self.line.left_out.has(name) {
            Known::Present
        } else if self.line.unnamed > 0 {
            Known::Nothing
        } else {
            Known::Whole(Cow::Borrowed(""))
        }
    }

    fn caller_withheld(&self) -> Option<bool> {
        // An absent number counts as withheld.
        self.line.withheld
    }
}

/// A text that is not a line of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoLine;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_are_read_as_they_were_written() {
        let line = Line {
            parameters: LineValues(vec![("b".into(), "1\n".into()), ("a".into(), "".into())]),
            left_out: LineNames(vec![LineText("c".into()), LineText("\"".into())]),
            ..Line::default()
        };
        let mut text = Vec::new();
        line.write(&mut text);
        let shown = str::from_utf8(&text).expect("JSON is UTF-8");
        assert!(
            shown.contains(r#""parameters":{"b":"1\n","a":""}"#),
            "{shown}"
        );
        assert!(shown.contains(r#""left_out":["c","\""]"#), "{shown}");
        let read = Line::parse(&text).expect("a line");
        assert_eq!(read, line);
        assert!(matches!(&read.left_out.0[0], LineText(Cow::Borrowed("c"))));
        for (part, other) in [
            ("parameters", "[]"),
            ("parameters", r#"{"a":1}"#),
            ("left_out", "{}"),
            ("left_out", "[1]"),
        ] {
            let mut object: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            object[part] = serde_json::from_str(other).expect(other);
            assert_eq!(
                Line::parse(object.to_string().as_bytes()),
                Err(NoLine),
                "{part} {other}"
            );
        }
    }
}
