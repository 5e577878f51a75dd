//! A request as its line remembers it: read by parameter name like a [`crate::twilio::request::Request`], but of some values
//! only a part is known, or nothing.

use std::borrow::Cow;

use super::Line;
use crate::twilio::channel::Channel;
use crate::twilio::request::{self, Webhook};

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<'a> {
    /// The value; empty when it was absent.
    Whole(Cow<'a, str>),
    /// Its mask: it was not empty.
    Masked(&'a str),
    /// It was not empty.
    Present,
    /// Nothing, not even whether it was there.
    Nothing,
}

/// A line, read as the request that it was.
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
        let channel = line.channel.as_deref()?;
        Some(Self {
            line,
            webhook: Webhook::from_name(&line.webhook)?,
            channel: Channel::from_name(channel)?,
        })
    }

    /// Which webhook was asked.
    #[must_use]
    pub fn webhook(&self) -> Webhook {
        self.webhook
    }

    /// Whether it was a call or a text.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The line.
    #[must_use]
    pub fn line(&self) -> &'a Line<'a> {
        self.line
    }

    /// The query's step; `None` when it is not known.
    #[must_use]
    pub fn step(&self) -> Option<&'a str> {
        match (&self.line.step, self.sent("step")) {
            (Some(step), _) => Some(step),
            // A field of the body is no step, but here it cannot be told from the query's.
            (None, Known::Whole(sent)) if sent.is_empty() => Some(""),
            (None, _) => None,
        }
    }

    /// What is known of the value that was sent under this very name.
    fn sent(&self, name: &str) -> Known<'a> {
        if let Some(value) = self.line.parameters.get(name) {
            Known::Whole(Cow::Borrowed(value))
        } else if let Some(mask) = self.line.masked.get(name) {
            Known::Masked(mask)
        } else if self.line.left_out.has(name) {
            Known::Present
        } else if self.line.unnamed > 0 {
            Known::Nothing
        } else {
            Known::Whole(Cow::Borrowed(""))
        }
    }

    /// What is known of a value as conditions read it; the same rules as [`crate::twilio::request::Request::value`].
    #[must_use]
    pub fn value(&self, name: &str) -> Known<'a> {
        if request::is_caller_geography(name) {
            // Where nobody is named nobody is somewhere, either: an absent number is a withheld one.
            if self.line.withheld != Some(false) {
                return Known::Whole(Cow::Borrowed(""));
            }
        }
        match self.sent(name) {
            Known::Whole(value) if value.is_empty() => {}
            known => return known,
        }
        if let Some(other) = request::alias(name) {
            return self.sent(other);
        }
        if name == "Direction" {
            return Known::Whole(Cow::Borrowed("inbound"));
        }
        let Some((parameter, path)) = name.split_once('.') else {
            return Known::Whole(Cow::Borrowed(""));
        };
        match self.sent(parameter) {
            Known::Whole(json) => Known::Whole(Cow::Owned(request::inside_json(&json, path))),
            _ => Known::Nothing,
        }
    }

    /// The name under which the line has what there is of a value: its own, or that of its alias.
    #[must_use]
    pub fn kept_as<'n>(&self, name: &'n str) -> &'n str {
        let is_here = |name| !matches!(self.sent(name), Known::Whole(value) if value.is_empty());
        request::alias(name)
            .filter(|other| !is_here(name) && is_here(other))
            .unwrap_or(name)
    }
}
