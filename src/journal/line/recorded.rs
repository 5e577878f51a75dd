//! A request as its line remembers it: of some values only a part is known, or nothing.

use std::borrow::Cow;

use super::Line;
use crate::twilio::channel::Channel;
use crate::twilio::facts::{Facts, Known};
use crate::twilio::request::{self, Webhook};

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
        request::alias(name)
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
            // A field of the body is no step, but here it cannot be told from the query's.
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
