//! A line of the journal: what is kept of a request.
//!
//! One format for writing and for reading. Of numbers a line holds only our own whole, and of what people say it holds
//! nothing, unless the operator asks for it by name. Files and threads are the business of [`crate::service::journal_writer`].

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

/// One line, its fields in the order in which they are written. `None` is written as null, so that every line has the same fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<'a> {
    /// When it was answered, RFC 3339 in UTC with milliseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The word of the webhook, [`Webhook::as_str`].
    #[serde(borrow)]
    pub webhook: Cow<'a, str>,
    /// `voice` or `message`; `None` for an event.
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    /// The route or intercept that answered, `default`, `loop-guard` or `pass`; `None` when nothing decides.
    #[serde(borrow)]
    pub route: Option<Cow<'a, str>>,
    /// The status of the answer.
    pub status: u16,
    /// From the request's head to its answer.
    pub microseconds: u64,
    /// Why the loop guard answered, a word of [`crate::table::guard::GuardReason::word`]; `None` when it did not.
    #[serde(borrow)]
    pub guard: Option<Cow<'a, str>>,
    /// The route whose reply could not be written, so that `default` answered; `default` when the answer panicked.
    #[serde(borrow)]
    pub failed: Option<Cow<'a, str>>,
    /// Whether a machine sent the text: only routes with `answer_machines` answer those.
    pub machine: bool,
    /// The SID of the call, text or interaction, or the id of the event.
    #[serde(borrow)]
    pub sid: Option<Cow<'a, str>>,
    /// Our own number; `None` when none is known to be ours.
    #[serde(borrow)]
    pub number: Option<Cow<'a, str>>,
    /// Whether the caller's or sender's number is withheld; `None` when the request names neither.
    pub withheld: Option<bool>,
    /// The query's `step`.
    #[serde(borrow)]
    pub step: Option<Cow<'a, str>>,
    /// The type of the event.
    #[serde(borrow)]
    pub event: Option<Cow<'a, str>>,
    /// Parameters with their whole values. One that is nowhere in the line was absent or empty.
    #[serde(borrow)]
    pub parameters: LineValues<'a>,
    /// Numbers and addresses of other people, masked as [`crate::twilio::number::masked`] does.
    #[serde(borrow)]
    pub masked: LineValues<'a>,
    /// The names of the other parameters that had a value.
    #[serde(borrow)]
    pub left_out: LineNames<'a>,
    /// How many parameters had a value and a name that is not written: too long, unprintable, or with a number in it.
    pub unnamed: usize,
}

/// Names with their values, in the order they came; written as a JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineValues<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Names, in the order they came; written as a JSON array.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineNames<'a>(#[serde(borrow)] Vec<LineText<'a>>);

/// A string in a line, borrowed unless it has escapes: serde does that for a field, but not inside a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct LineText<'a>(#[serde(borrow)] Cow<'a, str>);

impl LineValues<'_> {
    /// The value of a name; `None` when it is not there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }
}

impl LineNames<'_> {
    /// Whether a name is among them.
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
    /// Which webhook was asked.
    pub webhook: Webhook,
    /// The fields of the body.
    pub body: Form,
    /// The fields of the query.
    pub query: Form,
    /// [`Line::route`]
    pub route: Option<Box<str>>,
    /// [`Line::status`]
    pub status: u16,
    /// [`Line::microseconds`]
    pub microseconds: u64,
    /// [`Line::guard`]
    pub guard: Option<&'static str>,
    /// [`Line::failed`]
    pub failed: Option<Box<str>>,
}

impl Told {
    /// About how much memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.body.size() + self.query.size()
    }
}

/// What the operator wants lines to hold beyond the rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Parameters whose values are kept, whatever they are. A dotted name reaches into JSON.
    pub values: HashSet<String>,
    /// Whether all numbers are kept whole.
    pub numbers: bool,
}

impl<'a> Line<'a> {
    /// Adds the line to some bytes, with its line feed.
    pub fn write(&self, to: &mut Vec<u8>) {
        serde_json::to_writer(&mut *to, self).expect("a line is texts, numbers and words");
        to.push(b'\n');
    }

    /// Reads a line; a line feed at its end does not matter, nor do fields that are unknown.
    ///
    /// # Errors
    ///
    /// Anything but a JSON object with the fields of a line.
    pub fn parse(text: &'a [u8]) -> Result<Self, NoLine> {
        serde_json::from_slice(text).map_err(|_| NoLine)
    }

    /// Reads a line and the moment of it.
    ///
    /// # Errors
    ///
    /// Those of [`Line::parse`], and a time that is not one.
    pub fn with_moment(text: &'a [u8]) -> Result<(Self, Timestamp), NoLine> {
        let line = Self::parse(text)?;
        let moment = line.time.parse().map_err(|_| NoLine)?;
        Ok((line, moment))
    }

    /// Whether an interaction was blocked, when the line is of an intercept.
    ///
    /// Source: <https://www.twilio.com/docs/proxy/api/webhooks#interceptcallbackurl>.
    pub(crate) fn is_blocked(&self) -> bool {
        self.status == 403
    }
}

/// A line, read as the request that it was: of some values only a part is known, or nothing.
#[derive(Debug)]
pub struct Recorded<'a> {
    line: &'a Line<'a>,
    webhook: Webhook,
    channel: Channel,
}

impl<'a> Recorded<'a> {
    /// The request of a line; `None` when the line is not of a request, or not one that this version writes.
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

    /// The name under which the line has what there is of a value: its own, or that of its alias.
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
        // An absent number is a withheld one.
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
