//! One request that another table would answer otherwise, as it is printed.

use std::borrow::Cow;

use serde::Serialize;

use crate::commands::format::{json, shown};
use crate::journal::judge::Choice;
use crate::journal::line::Recorded;
use crate::twilio::facts::{Facts, Known};
use crate::twilio::request::Webhook;

/// What `--format json` prints of it.
#[derive(Debug, Serialize)]
pub(super) struct Difference<'a> {
    time: &'a str,
    webhook: &'static str,
    channel: &'static str,
    sid: Option<&'a str>,
    /// The other's number as it was recorded, mostly masked.
    caller: Option<Cow<'a, str>>,
    withheld: Option<bool>,
    /// Our own number.
    number: Option<&'a str>,
    old: &'a str,
    new: &'a str,
    /// Whether an interaction was blocked, and would be; `None` for other requests.
    old_blocks: Option<bool>,
    new_blocks: Option<bool>,
    #[serde(skip)]
    choices: (Choice<'a>, Choice<'a>),
}

impl<'a> Difference<'a> {
    pub(super) fn of(request: &Recorded<'a>, was: Choice<'a>, now: Choice<'a>) -> Self {
        let line = request.line();
        let is_intercept = request.webhook() == Webhook::Intercept;
        let caller = if is_intercept {
            "inboundParticipantIdentifier"
        } else {
            "Caller"
        };
        let caller = match request.value(caller) {
            Known::Whole(number) if number.is_empty() => None,
            Known::Whole(number) => Some(number),
            Known::Ends(ends) => ends.mask.map(Cow::Borrowed),
            Known::Present | Known::Nothing => None,
        };
        Self {
            time: &line.time,
            webhook: request.webhook().as_str(),
            channel: request.channel().as_str(),
            sid: line.sid.as_deref(),
            caller,
            withheld: line.withheld,
            number: line.number.as_deref(),
            old: was.name,
            new: now.name,
            old_blocks: is_intercept.then_some(was.blocks),
            new_blocks: is_intercept.then_some(now.blocks),
            choices: (was, now),
        }
    }

    /// A line for people.
    pub(super) fn text(&self) -> String {
        let or_dash = |text: Option<&str>| shown(text.unwrap_or("-"));
        let caller = match self.withheld {
            Some(true) => "withheld".to_owned(),
            _ => or_dash(self.caller.as_deref()),
        };
        let (was, now) = &self.choices;
        format!(
            "{}  {:34}  {caller:12}  {:12}  {} → {}",
            shown(self.time),
            or_dash(self.sid),
            or_dash(self.number),
            shown(&was.to_string()),
            shown(&now.to_string()),
        )
    }

    /// A line for programs.
    pub(super) fn json(&self) -> String {
        json(&serde_json::to_string(self).expect("it is texts and words"))
    }
}
