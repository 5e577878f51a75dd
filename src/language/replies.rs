//! `[reply.NAME]` and `[default]`, and from elements to a reply.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::elements::verbs;
use super::names::{NamedReply, Names};
use super::rules::TOO_LONG;
use super::shape;
use super::uses::{Owner, Place, Read, Uses};
use crate::table::diagnostic::Check;
use crate::table::problems::{Problems, Value, entries};
use crate::table::reply::{Element, Reply};
use crate::table::{DefaultReplies, DefaultReply, twiml};
use crate::twilio::channel::Channel;

pub(super) static SILENT_DEFAULT: Check = Check::absence(
    "silent-default",
    "`[default]` says nothing to a caller: a missing `voice` is an error, one without words a warning. Someone whose call
ends in silence thinks that the line is broken. Say something.",
    "[default]
voice = []",
);

pub(super) static SILENT_ROUTE: Check = Check::absence(
    "silent-route",
    "A route or a named reply that says nothing on any channel. Write `voice`, `message`, `reply` or `create_session`;
`voice = []` is an answer too: deliberate silence.",
    r#"[[route]]
name = "rides"
when = { Called = "+15005550006" }"#,
);

/// The replies by name; `None` for one that could not be read at all.
pub(super) fn named_replies(
    names: &Names,
    problems: &mut Problems,
    section: &Value<'_>,
) -> Read<BTreeMap<String, Option<NamedReply>>> {
    let mut uses = Uses::default();
    let mut replies = BTreeMap::new();
    let Some(tables) = problems.table(section, "a table of replies") else {
        return uses.with(replies);
    };
    for (key, value) in entries(tables) {
        let name = key.get_ref().as_ref();
        let reply = problems.table(value, "a reply").map(|table| {
            problems.unknown_keys(table, &format!("[reply.{name}]"), &shape::REPLY.keys());
            let mut own = Uses::default();
            let mut on = |channel| {
                let read = reply_on(names, problems, table, channel, Owner::Reply);
                read.unpack(&mut own)
            };
            let (voice, message) = (on(Channel::Voice), on(Channel::Message));
            if voice.is_none() && message.is_none() {
                let message = format!("[reply.{name}] says nothing");
                let help = "write voice = [ … ], message = [ … ] or both";
                problems.error(&SILENT_ROUTE, key.span(), message, help);
            }
            let reply = NamedReply {
                voice,
                message,
                needs_private: own.needs_private,
                directories: own.rows.keys().cloned().collect(),
            };
            uses.add(own);
            reply
        });
        replies.insert(name.to_owned(), reply);
    }
    uses.with(replies)
}

/// The reply of a table on a channel; `None` when it has no key for it.
pub(super) fn reply_on(
    names: &Names,
    problems: &mut Problems,
    table: &DeTable<'_>,
    channel: Channel,
    owner: Owner,
) -> Read<Option<Reply>> {
    let mut uses = Uses::default();
    let Some(value) = table.get(channel.as_str()) else {
        return uses.with(None);
    };
    let place = Place { channel, owner };
    let elements = verbs(names, problems, value, place).unpack(&mut uses);
    uses.with(Some(finished(problems, elements, value.span())))
}

fn finished(problems: &mut Problems, elements: Vec<Element>, span: Range<usize>) -> Reply {
    twiml::compile(elements).unwrap_or_else(|error| {
        let help = "part it over several routes, or play a recording";
        problems
            .error(&TOO_LONG, span, error.to_string(), help)
            .twilio(11750);
        Reply::Template([].into())
    })
}

/// What `[default]` answers; `None` when it is no table.
pub(super) fn default_replies(
    names: &Names,
    problems: &mut Problems,
    value: &Value<'_>,
) -> Option<DefaultReplies> {
    let table = problems.table(value, "a table with `voice` and `message`")?;
    problems.unknown_keys(table, "[default]", &shape::LAST.keys());
    let help = "write voice = [ { Say = \"…\" } ], so that nobody hears silence";
    let says_nothing = "[default] says nothing to a caller";
    match table.get("voice").map(|voice| (voice, voice.get_ref())) {
        None => {
            problems.error(&SILENT_DEFAULT, value.span(), says_nothing, help);
        }
        Some((voice, DeValue::Array(verbs))) if is_silent(verbs) => {
            problems.warn(&SILENT_DEFAULT, voice.span(), says_nothing, help);
        }
        Some(_) => {}
    }
    Some(DefaultReplies {
        voice: default_reply(names, problems, table, Channel::Voice),
        message: default_reply(names, problems, table, Channel::Message),
    })
}

fn default_reply(
    names: &Names,
    problems: &mut Problems,
    table: &DeTable<'_>,
    channel: Channel,
) -> DefaultReply {
    let Some(value) = table.get(channel.as_str()) else {
        return DefaultReply::silent();
    };
    let place = Place {
        channel,
        owner: Owner::Default,
    };
    // What it uses counts for nothing: it may neither fill anything in nor lead on.
    let elements = verbs(names, problems, value, place).value;
    // What depends on the request at all, such as a Dial's caller id, is not for the worst case.
    let literal = elements
        .iter()
        .filter(|element| element.is_literal())
        .cloned()
        .collect();
    let plain = match finished(problems, literal, value.span()) {
        Reply::Ready { document, .. } => document,
        Reply::Template(_) | Reply::Session(_) => DefaultReply::silent().plain,
    };
    let reply = finished(problems, elements, value.span());
    DefaultReply { reply, plain }
}

/// Whether a caller hears nothing of these verbs: there are none, or they only wait and hang up.
fn is_silent(verbs: &[Value<'_>]) -> bool {
    verbs.iter().all(|verb| {
        let table = verb.get_ref().as_table();
        table.is_some_and(|verb| verb.contains_key("Pause") || verb.contains_key("Hangup"))
    })
}
