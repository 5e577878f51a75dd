//! `create_session`: the JSON with which Proxy opens a session.
//!
//! Source: Proxy's out-of-session guide, <https://www.twilio.com/docs/proxy/out-of-session-callback-response-guide>.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::names::{Reader, Rule};
use super::texts::{PARTICIPANT, Slot, template};
use super::values::{BAD_NUMBER, NUMBER_HELP};
use crate::table::diagnostic::Check;
use crate::table::problems::{Problems, Value, integer};
use crate::table::remedy::{Remedy, one_of};
use crate::table::reply::template::{Field, Text};
use crate::table::reply::{MODES, NewSession, UNIQUE_NAME_MAX_CHARACTERS};
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary::Destination;

pub(super) static BAD_SESSION: Check = Check::new(
    "bad-session",
    "A field of `create_session` that Proxy would refuse: an unknown mode, a `ttl` that is not a number of seconds, a
`dateExpiry` without its offset, a `uniqueName` over 191 characters.",
    r#"create_session = { participantIdentifier = "+15005550006", mode = "voice" }     # "voice-only""#,
);

pub(super) static USED_NAME: Check = Check::new(
    "used-name",
    "A `uniqueName` that the next call would use again. Proxy refuses it with error 80603, even after the first session is
closed. Put the SID of the call or the text into it.",
    r#"uniqueName = "callback-{{ CallSid | default(MessageSid) }}""#,
);

/// The session in a route's `create_session`, and the channels that it answers.
pub(super) fn new_session(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
) -> Option<(NewSession, &'static [Channel])> {
    let section = "`create_session`";
    let problems = &mut *reader.problems;
    let table = problems.table(value, "a table of a session's fields")?;
    let help =
        "write participantIdentifier = \"+15005550006\": the real number of the second party";
    problems.required(table, PARTICIPANT, section, value.span(), help)?;
    let number = Some(Destination::Number);
    let participant_identifier = session_text(reader, table, PARTICIPANT, number)?;
    let proxy = "participantProxyIdentifier";
    let participant_proxy_identifier =
        session_text(reader, table, proxy, Some(Destination::Sender));
    let unique_name = session_text(reader, table, "uniqueName", None);
    if let (Some(name), Some(value)) = (&unique_name, table.get("uniqueName")) {
        check_unique_name(reader.problems, name, value.span());
    }
    let mode = mode(reader.problems, table);
    let session = NewSession {
        participant_identifier,
        participant_proxy_identifier,
        unique_name,
        mode,
        ttl: ttl(reader.problems, table),
        date_expiry: date_expiry(reader.problems, table),
    };
    let channels: &[Channel] = match mode {
        Some("voice-only") => &[Channel::Voice],
        Some("message-only") => &[Channel::Message],
        _ => &Channel::ALL,
    };
    Some((session, channels))
}

/// A text in the session. If it has a destination, it must be a number.
fn session_text(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    field: &'static str,
    destination: Option<Destination>,
) -> Option<Text> {
    let value = table.get(field)?;
    let raw = reader.problems.text(value, "a string")?;
    let slot = Slot {
        element: "create_session",
        attribute: Some(field),
        destination,
        rule: destination.map(|_| Rule::Destination(Destination::Number)),
        dials: false,
        takes_ssml: false,
        relays: false,
        span: value.span(),
    };
    let text = template(reader, raw, &slot)?;
    if let (Some(rule), Some(literal)) = (slot.rule, text.literal())
        && let Err(error) = rule.check(literal)
    {
        let problems = &mut *reader.problems;
        problems.error(&BAD_NUMBER, slot.span, error.to_string(), NUMBER_HELP);
    }
    Some(text)
}

fn check_unique_name(problems: &mut Problems, name: &Text, span: Range<usize>) {
    let mut parameters = name.fields().flat_map(Field::parameters);
    let is_of_this_request = parameters
        .any(|name| matches!(name, "CallSid" | "MessageSid" | "SmsSid" | "SmsMessageSid"));
    let is_too_long = name
        .literal()
        .is_some_and(|literal| literal.chars().count() > UNIQUE_NAME_MAX_CHARACTERS);
    if is_too_long {
        let message = format!("a unique name has at most {UNIQUE_NAME_MAX_CHARACTERS} characters");
        problems.error(&BAD_SESSION, span, message, "shorten it");
    } else if !is_of_this_request {
        let message = "a second session with this name is refused, even after the first is closed";
        let help = "add the SID: uniqueName = \"callback-{{ CallSid | default(MessageSid) }}\"";
        let warning = problems.warn(&USED_NAME, span, message, help);
        warning.error_number = Some(80603);
    }
}

fn mode(problems: &mut Problems, table: &DeTable<'_>) -> Option<&'static str> {
    let value = table.get("mode")?;
    let text = problems.name(value, "a mode")?;
    let mode = MODES.into_iter().find(|mode| *mode == text);
    mode.or_else(|| {
        let message = format!("a session has no mode \"{text}\"");
        problems.refuse(&BAD_SESSION, value.span(), message, one_of(text, &MODES))
    })
}

fn ttl(problems: &mut Problems, table: &DeTable<'_>) -> Option<u32> {
    let value = table.get("ttl")?;
    let DeValue::Integer(number) = value.get_ref() else {
        let digits = value
            .get_ref()
            .as_str()
            .filter(|text| text.parse::<u32>().is_ok());
        let remedy = match digits {
            Some(digits) => Remedy::write("ttl", digits),
            None => "write ttl = 3600".into(),
        };
        return problems.wrong_type(value, "a number of seconds", remedy);
    };
    integer(number).or_else(|| {
        let help = "write a number of seconds; 0 means that the session never ends";
        let message = format!("{} is not a number of seconds", number.as_str());
        problems.refuse(&BAD_SESSION, value.span(), message, help)
    })
}

fn date_expiry(problems: &mut Problems, table: &DeTable<'_>) -> Option<String> {
    let value = table.get("dateExpiry")?;
    let help = "write dateExpiry = \"2026-12-31T23:00:00Z\"";
    let text = problems.moment(value, "a date and time", help)?;
    if text.parse::<jiff::Timestamp>().is_err() {
        let help = "write it in ISO 8601 with its offset: \"2026-12-31T23:00:00Z\"";
        let message = format!("\"{text}\" is not a date and time");
        problems.error(&BAD_SESSION, value.span(), message, help);
    }
    Some(text)
}
