//! `create_session`: the JSON with which Proxy opens a session.
//!
//! Source: Proxy's out-of-session guide, <https://www.twilio.com/docs/proxy/out-of-session-callback-response-guide>.

use toml::de::{DeTable, DeValue};

use super::columns::Rule;
use super::place::Use;
use super::place::{Owner, Place};
use super::{Compiler, shape};
use crate::table::diagnostic::Code;
use crate::table::problems::{Value, choice, integer};
use crate::table::reply::session::{MODES, NewSession, UNIQUE_NAME_MAX_CHARACTERS};
use crate::table::reply::template::{self, Text};
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::Destination;

impl Compiler<'_> {
    /// The session of a route's `create_session`, and the channels that it answers.
    pub(super) fn new_session(
        &mut self,
        value: &Value<'_>,
        private: bool,
    ) -> Option<(NewSession, &'static [Channel])> {
        let table = self
            .problems
            .table(value, "a table of a session's fields")?;
        self.problems
            .unknown_keys(table, "`create_session`", &shape::SESSION.keys());
        let Some(participant) = table.get("participantIdentifier") else {
            let help = "write participantIdentifier = \"+15005550006\": the real number of the second party";
            let message = "`create_session` has no `participantIdentifier`";
            self.problems
                .error(Code::MissingKey, value.span(), message, help);
            return None;
        };
        let participant_identifier = self.session_text(
            participant,
            "participantIdentifier",
            Some(Destination::Number),
            private,
        )?;
        let participant_proxy_identifier =
            table.get("participantProxyIdentifier").and_then(|value| {
                self.session_text(
                    value,
                    "participantProxyIdentifier",
                    Some(Destination::Sender),
                    private,
                )
            });
        let unique_name = table
            .get("uniqueName")
            .and_then(|value| self.unique_name(value, private));
        let mode = table.get("mode").and_then(|value| self.mode(value));
        let session = NewSession {
            participant_identifier,
            participant_proxy_identifier,
            unique_name,
            mode,
            ttl: table.get("ttl").and_then(|value| self.ttl(value)),
            date_expiry: self.date_expiry(table),
        };
        let channels: &[Channel] = match mode {
            Some("voice-only") => &[Channel::Voice],
            Some("message-only") => &[Channel::Message],
            _ => &Channel::ALL,
        };
        Some((session, channels))
    }

    fn session_text(
        &mut self,
        value: &Value<'_>,
        field: &'static str,
        destination: Option<Destination>,
        private: bool,
    ) -> Option<Text> {
        let raw = self.problems.text(value, "a text")?;
        let place = Place {
            channel: Channel::Voice,
            owner: Owner::Route { private },
        };
        let dials = field == "participantIdentifier";
        let used = Use {
            element: "create_session",
            attribute: Some(field),
            destination,
            dials,
            is_socket: false,
            place,
        };
        let text = self.template(raw, value.span(), &used)?;
        if destination.is_some() {
            let place = format!("`{field}` of `create_session`");
            self.check_cells_later(
                &text,
                Rule::Destination(Destination::Number),
                place,
                value.span(),
            );
        }
        if let (Some(literal), Some(_)) = (text.literal(), destination)
            && let Err(error) = Destination::Number.check(literal)
        {
            let help = "write the number as +15005550006, without spaces or dashes";
            self.problems
                .error(Code::BadNumber, value.span(), error.to_string(), help);
        }
        Some(text)
    }

    fn unique_name(&mut self, value: &Value<'_>, private: bool) -> Option<Text> {
        let text = self.session_text(value, "uniqueName", None, private)?;
        let is_of_this_request = |text: &Text| {
            text.fields()
                .flat_map(template::Field::parameters)
                .any(|name| matches!(name, "CallSid" | "MessageSid" | "SmsSid" | "SmsMessageSid"))
        };
        if text
            .literal()
            .is_some_and(|literal| literal.chars().count() > UNIQUE_NAME_MAX_CHARACTERS)
        {
            let message =
                format!("a unique name has at most {UNIQUE_NAME_MAX_CHARACTERS} characters");
            self.problems
                .error(Code::BadSession, value.span(), message, "shorten it");
        } else if !is_of_this_request(&text) {
            let message =
                "the second session of this name is refused, also when the first has been closed";
            let help =
                "put the SID in: uniqueName = \"callback-{{ CallSid | default(MessageSid) }}\"";
            self.problems
                .warn(Code::UsedName, value.span(), message, help)
                .twilio(80603);
        }
        Some(text)
    }

    fn mode(&mut self, value: &Value<'_>) -> Option<&'static str> {
        let text = self.problems.text(value, "a mode")?;
        let mode = MODES.into_iter().find(|mode| *mode == text);
        if mode.is_none() {
            let help = match nearest(text, MODES) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("it is one of {}", choice(&MODES)),
            };
            let message = format!("a session has no mode \"{text}\"");
            self.problems
                .error(Code::BadSession, value.span(), message, help);
        }
        mode
    }

    fn ttl(&mut self, value: &Value<'_>) -> Option<u32> {
        let DeValue::Integer(number) = value.get_ref() else {
            self.problems
                .wrong_type(value, "a number of seconds", "write ttl = 3600");
            return None;
        };
        let ttl = integer(number);
        if ttl.is_none() {
            let help = "write a number of seconds; 0 is for ever";
            let message = format!("{} is no number of seconds", number.as_str());
            self.problems
                .error(Code::BadSession, value.span(), message, help);
        }
        ttl
    }

    fn date_expiry(&mut self, table: &DeTable<'_>) -> Option<String> {
        let value = table.get("dateExpiry")?;
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            _ => {
                self.problems.wrong_type(
                    value,
                    "a moment",
                    "write dateExpiry = \"2026-12-31T23:00:00Z\"",
                );
                return None;
            }
        };
        if text.parse::<jiff::Timestamp>().is_err() {
            let help = "write it in ISO 8601 with its offset: \"2026-12-31T23:00:00Z\"";
            let message = format!("\"{text}\" is no moment in time");
            self.problems
                .error(Code::BadSession, value.span(), message, help);
        }
        Some(text)
    }
}
