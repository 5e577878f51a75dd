//! `create_session`: the JSON with which Proxy opens a session.
//!
//! Source: Proxy's out-of-session guide, <https://www.twilio.com/docs/proxy/out-of-session-callback-response-guide>.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::names::Names;
use super::shape;
use super::texts::template;
use super::uses::{CellCheck, Owner, Place, Read, Rule, Slot, Uses};
use super::values::BAD_NUMBER;
use crate::table::diagnostic::Check;
use crate::table::problems::{Problems, Value, choice, integer};
use crate::table::reply::session::{MODES, NewSession, UNIQUE_NAME_MAX_CHARACTERS};
use crate::table::reply::template::{Field, Text};
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
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

/// The field for the real number of the second party, which Proxy calls: without it there is no session.
const PARTICIPANT: &str = "participantIdentifier";

/// The session of a route's `create_session`, and the channels that it answers.
pub(super) fn new_session(
    names: &Names,
    problems: &mut Problems,
    value: &Value<'_>,
    owner: Owner,
) -> Read<Option<(NewSession, &'static [Channel])>> {
    let mut uses = Uses::default();
    let Some(table) = problems.table(value, "a table of a session's fields") else {
        return uses.with(None);
    };
    problems.unknown_keys(table, "`create_session`", &shape::SESSION.keys());
    let help =
        "write participantIdentifier = \"+15005550006\": the real number of the second party";
    let section = "`create_session`";
    let found = problems.required(table, PARTICIPANT, section, value.span(), help);
    let Some(participant) = found else {
        return uses.with(None);
    };
    let mut text = |problems: &mut Problems, value, field, destination| {
        session_text(names, problems, value, field, destination, owner).unpack(&mut uses)
    };
    let number = Some(Destination::Number);
    let Some(participant_identifier) = text(problems, participant, PARTICIPANT, number) else {
        return uses.with(None);
    };
    let field = "participantProxyIdentifier";
    let participant_proxy_identifier = table
        .get(field)
        .and_then(|value| text(problems, value, field, Some(Destination::Sender)));
    let unique_name = table.get("uniqueName").and_then(|value| {
        let name = text(problems, value, "uniqueName", None)?;
        check_unique_name(problems, &name, value.span());
        Some(name)
    });
    let mode = table.get("mode").and_then(|value| mode(problems, value));
    let session = NewSession {
        participant_identifier,
        participant_proxy_identifier,
        unique_name,
        mode,
        ttl: table.get("ttl").and_then(|value| ttl(problems, value)),
        date_expiry: date_expiry(problems, table),
    };
    let channels: &[Channel] = match mode {
        Some("voice-only") => &[Channel::Voice],
        Some("message-only") => &[Channel::Message],
        _ => &Channel::ALL,
    };
    uses.with(Some((session, channels)))
}

fn session_text(
    names: &Names,
    problems: &mut Problems,
    value: &Value<'_>,
    field: &'static str,
    destination: Option<Destination>,
    owner: Owner,
) -> Read<Option<Text>> {
    let mut uses = Uses::default();
    let Some(raw) = problems.text(value, "a text") else {
        return uses.with(None);
    };
    let slot = Slot {
        element: "create_session",
        attribute: Some(field),
        destination,
        dials: field == PARTICIPANT,
        is_socket: false,
        place: Place {
            channel: Channel::Voice,
            owner,
        },
    };
    let read = template(names, problems, raw, &value.span(), &slot);
    let Some(text) = read.unpack(&mut uses) else {
        return uses.with(None);
    };
    if destination.is_some() {
        if let Some((directory, column)) = text.plain_column() {
            uses.cells.push(CellCheck {
                directory: directory.name().to_owned(),
                column,
                rule: Rule::Destination(Destination::Number),
                is_required: field == PARTICIPANT,
                place: format!("`{field}` of `create_session`"),
                span: value.span(),
            });
        }
        if let Some(literal) = text.literal()
            && let Err(error) = Destination::Number.check(literal)
        {
            let help = "write the number as +15005550006, without spaces or dashes";
            problems.error(&BAD_NUMBER, value.span(), error.to_string(), help);
        }
    }
    uses.with(Some(text))
}

fn check_unique_name(problems: &mut Problems, name: &Text, span: Range<usize>) {
    let is_of_this_request = name
        .fields()
        .flat_map(Field::parameters)
        .any(|name| matches!(name, "CallSid" | "MessageSid" | "SmsSid" | "SmsMessageSid"));
    let is_too_long = name
        .literal()
        .is_some_and(|literal| literal.chars().count() > UNIQUE_NAME_MAX_CHARACTERS);
    if is_too_long {
        let message = format!("a unique name has at most {UNIQUE_NAME_MAX_CHARACTERS} characters");
        problems.error(&BAD_SESSION, span, message, "shorten it");
    } else if !is_of_this_request {
        let message =
            "the second session of this name is refused, also when the first has been closed";
        let help = "put the SID in: uniqueName = \"callback-{{ CallSid | default(MessageSid) }}\"";
        problems.warn(&USED_NAME, span, message, help).twilio(80603);
    }
}

fn mode(problems: &mut Problems, value: &Value<'_>) -> Option<&'static str> {
    let text = problems.text(value, "a mode")?;
    let mode = MODES.into_iter().find(|mode| *mode == text);
    if mode.is_none() {
        let help = match nearest(text, MODES) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("it is one of {}", choice(&MODES)),
        };
        let message = format!("a session has no mode \"{text}\"");
        problems.error(&BAD_SESSION, value.span(), message, help);
    }
    mode
}

fn ttl(problems: &mut Problems, value: &Value<'_>) -> Option<u32> {
    let DeValue::Integer(number) = value.get_ref() else {
        problems.wrong_type(value, "a number of seconds", "write ttl = 3600");
        return None;
    };
    let ttl = integer(number);
    if ttl.is_none() {
        let help = "write a number of seconds; 0 is for ever";
        let message = format!("{} is no number of seconds", number.as_str());
        problems.error(&BAD_SESSION, value.span(), message, help);
    }
    ttl
}

fn date_expiry(problems: &mut Problems, table: &DeTable<'_>) -> Option<String> {
    let value = table.get("dateExpiry")?;
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        _ => {
            problems.wrong_type(
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
        problems.error(&BAD_SESSION, value.span(), message, help);
    }
    Some(text)
}
