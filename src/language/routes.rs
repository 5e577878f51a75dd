//! `[[route]]`, `[[intercept]]`, `[reply.NAME]` and `[default]`.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use toml::de::{DeTable, DeValue};

use super::conditions::when;
use super::dialling::check_dialled;
use super::elements::verbs;
use super::names::{NamedReply, Names, Owner, Reader, Uses, unbound};
use super::pairs::check_route;
use super::rules::TOO_LONG;
use super::schedules::named_schedules;
use super::sessions::new_session;
use super::shape;
use super::texts::PRIVATE_NUMBER;
use crate::table::diagnostic::Check;
use crate::table::guard::LOOP_GUARD;
use crate::table::intercept::{BLOCK, Intercept, PASS};
use crate::table::problems::{BAD_NAME, DUPLICATE_NAME, Problems, UNKNOWN_KEY, Value};
use crate::table::reply::{Element, Reply, Sends};
use crate::table::when::{Alternative, When};
use crate::table::{DEFAULT, DefaultReplies, DefaultReply, Route, twiml};
use crate::twilio::channel::Channel;

pub(super) static UNKNOWN_REPLY: Check = Check::absence(
    "unknown-reply",
    "A named reply that the table does not have. Correct its name, or write a section for it.",
    r#"reply = "sory"     # [reply.sorry]"#,
);

pub(super) static SILENT_ROUTE: Check = Check::absence(
    "silent-route",
    "A route or a named reply that has no answer on any channel. Write `voice`, `message`, `reply` or `create_session`.
`voice = []` is an answer too: deliberate silence.",
    r#"[[route]]
name = "rides"
when = { Called = "+15005550006" }"#,
);

pub(super) static SILENT_DEFAULT: Check = Check::absence(
    "silent-default",
    "`[default]` says nothing to a caller. A missing `voice` is an error, and a `voice` without words is a warning. Callers
who hear only silence think that the line is broken. Say something.",
    "[default]
voice = []",
);

/// The routes in file order, each with the place of its name.
pub(super) fn routes(
    names: &Names,
    problems: &mut Problems,
    uses: &mut Uses,
    section: Option<&Value<'_>>,
) -> Vec<(Route, Range<usize>)> {
    let mut routes = Vec::new();
    let help = "write [[route]], with two brackets, above each route";
    let mut documents = HashSet::new();
    for (table, value) in problems.tables(section, ("an array of routes", help), "a route") {
        let mut route = route(names, problems, uses, table, value);
        share_document(&mut documents, &mut route.voice);
        share_document(&mut documents, &mut route.message);
        routes.push((route, place_of_name(table, value)));
    }
    routes
}

/// Makes routes with equal documents share one copy in memory.
fn share_document(documents: &mut HashSet<Bytes>, reply: &mut Option<Reply>) {
    if let Some(Reply::Ready { document, .. }) = reply {
        if let Some(same) = documents.get(document) {
            *document = same.clone();
        } else {
            documents.insert(document.clone());
        }
    }
}

fn route(
    names: &Names,
    problems: &mut Problems,
    uses: &mut Uses,
    table: &DeTable<'_>,
    whole: &Value<'_>,
) -> Route {
    let taken = [DEFAULT, LOOP_GUARD];
    let name = decider_name(names, problems, table, whole, "a route", &taken);
    let step = step(problems, uses, table);
    let owner = Owner::Route {
        private: problems.flag(table, "private"),
        in_step: step.is_some(),
    };
    let answers_machines = problems.flag(table, "answer_machines");
    let count = problems.count();
    let mut reader = Reader::new(names, problems, owner);
    let [voice, message] = route_replies(&mut reader, table, whole);
    // A reply that could not be read may be for the other channel.
    if reader.problems.errors_since(count) == 0 {
        reader.only_channel = match (&voice, &message) {
            (Some(_), None) => Some(Channel::Voice),
            (None, Some(_)) => Some(Channel::Message),
            _ => None,
        };
    }
    reader.leaves_machines = !answers_machines && message.as_ref().is_some_and(sends);
    let when = when_of(&mut reader, table);
    check_bound(names, reader.problems, &when.alternatives, &reader.uses);
    check_dialled(names, reader.problems, &when.alternatives, &reader.uses);
    check_route(names, reader.problems, &when.alternatives, &mut reader.uses);
    for reference in &mut reader.uses.steps {
        reference.from = Some(step.unwrap_or_default().to_owned());
    }
    for verb in &mut reader.uses.verbs {
        step.unwrap_or_default().clone_into(&mut verb.step);
    }
    for follow_up in &mut reader.uses.follow_ups {
        step.unwrap_or_default().clone_into(&mut follow_up.step);
    }
    uses.add(reader.uses);
    Route {
        name: name.unwrap_or_default().into(),
        step: step.map(Box::from),
        when,
        voice,
        message,
        answers_machines,
    }
}

/// Whether a reply to a text may send a text.
fn sends(reply: &Reply) -> bool {
    match reply {
        Reply::Ready { sends, .. } => *sends != Sends::Nothing,
        Reply::Template(_) => true,
        Reply::Session(_) => false,
    }
}

/// `when`, `during` and `outside` of a route or an intercept.
fn when_of(reader: &mut Reader<'_>, table: &DeTable<'_>) -> When {
    let alternatives = table.get("when").map(|value| when(reader, value));
    When {
        alternatives: alternatives.unwrap_or_default(),
        during: named_schedules(reader, table.get("during")),
        outside: named_schedules(reader, table.get("outside")),
    }
}

/// Whether a text can be the name of a route, an intercept or a step.
fn is_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_word)
}

/// The place of a route's or intercept's name; its whole section when it has no name.
fn place_of_name(table: &DeTable<'_>, whole: &Value<'_>) -> Range<usize> {
    table.get("name").map_or(whole.span(), Value::span)
}

/// The name of a route or an intercept (`what`). Returned even after an error about it, so that the rest is read.
fn decider_name<'t>(
    names: &Names,
    problems: &mut Problems,
    table: &'t DeTable<'_>,
    whole: &Value<'_>,
    what: &str,
    taken: &[&str],
) -> Option<&'t str> {
    let help = "write name = \"…\": it appears in logs, tests and the answer's header";
    let value = problems.required(table, "name", what, whole.span(), help)?;
    let name = problems.text(value, "a name")?;
    if !is_name(name) {
        let help = "use 1 to 64 of the characters A-Z a-z 0-9 . _ -";
        let message = format!("\"{name}\" cannot be {what}'s name");
        problems.error(&BAD_NAME, value.span(), message, help);
    } else if taken.contains(&name) {
        let message = format!("\"{name}\" is reserved: the service itself answers under it");
        problems.error(&BAD_NAME, value.span(), message, "choose another name");
    } else {
        // An intercept with the name of a route is reported, never the route, whatever their order in the file.
        let is_other = |place: &usize| *place != value.span().start;
        let first = |places: &HashMap<String, usize>| places.get(name).copied().filter(is_other);
        let route = first(&names.routes).map(|place| ("a route", place));
        let intercept = first(&names.intercepts).map(|place| ("an intercept", place));
        let same_kind = intercept.filter(|(kind, _)| *kind == what);
        if let Some((kind, place)) = route.or(same_kind) {
            let (line, _) = problems.file().position(place);
            let message = format!("there is already {kind} \"{name}\", in line {line}");
            let help = "choose another name";
            problems.error(&DUPLICATE_NAME, value.span(), message, help);
        }
    }
    Some(name)
}

fn step<'t>(problems: &mut Problems, uses: &mut Uses, table: &'t DeTable<'_>) -> Option<&'t str> {
    let value = table.get("step")?;
    let step = problems.text(value, "the name of a step")?;
    if is_name(step) {
        uses.answered.push((step.to_owned(), value.span()));
    } else {
        let help = "use 1 to 64 of the characters A-Z a-z 0-9 . _ -; leave `step` out for requests without a step";
        let message = format!("\"{step}\" cannot be a step");
        problems.error(&BAD_NAME, value.span(), message, help);
    }
    Some(step)
}

/// A route's reply on each channel.
fn route_replies(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    route: &Value<'_>,
) -> [Option<Reply>; 2] {
    let keys = ["voice", "message", "reply", "create_session"];
    let is_there = keys.iter().any(|key| table.contains_key(*key));
    if !is_there && !is_elsewhere(table, &shape::ROUTE, &keys) {
        let help =
            "write voice = [ … ], message = [ … ], reply = \"NAME\" or create_session = { … }";
        let span = place_of_name(table, route);
        let problems = &mut *reader.problems;
        problems.error(&SILENT_ROUTE, span, "this route says nothing", help);
    }
    let mut replies = match table.get("reply") {
        Some(value) => reply_named(reader, table, value).unwrap_or_default(),
        None => Channel::ALL.map(|channel| reply_on(reader, table, channel)),
    };
    let session = table.get("create_session");
    if let Some((session, channels)) = session.and_then(|value| new_session(reader, value)) {
        let session = Arc::new(session);
        for (channel, reply) in Channel::ALL.iter().zip(&mut replies) {
            if channels.contains(channel) {
                reply.get_or_insert_with(|| Reply::Session(Arc::clone(&session)));
            }
        }
    }
    replies
}

/// Whether a section may have one of these keys under a misspelt name or in its `when`, where it is reported.
fn is_elsewhere(table: &DeTable<'_>, section: &shape::Section, keys: &[&str]) -> bool {
    let mut all = table.keys().map(|key| key.get_ref().as_ref());
    let when = table.get("when").and_then(|when| when.get_ref().as_table());
    all.any(|key: &str| !section.has(key))
        || when.is_some_and(|when| keys.iter().any(|key| when.contains_key(*key)))
}

/// The reply named by `reply = "NAME"`.
fn reply_named(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    value: &Value<'_>,
) -> Option<[Option<Reply>; 2]> {
    let problems = &mut *reader.problems;
    for channel in Channel::ALL {
        if let Some(own) = table.get(channel.as_str()) {
            let message = format!("`{channel}` and `reply` exclude each other");
            let help = format!("remove `reply` or `{channel}`");
            problems.error(&UNKNOWN_KEY, own.span(), message, help);
        }
    }
    let name = problems.name(value, "the name of a reply")?;
    let replies = &reader.names.replies;
    let Some(reply) = replies.get(name) else {
        problems.unknown_section(&UNKNOWN_REPLY, "reply", name, replies.keys(), value.span());
        return None;
    };
    reader.uses.replies.insert(name.to_owned());
    // If the reply could not be read, that has already been reported.
    let reply = reply.as_ref()?;
    for directory in &reply.directories {
        reader.uses.rows.insert(directory.clone(), value.span());
    }
    reader.uses.dialled.extend(reply.dialled.iter().cloned());
    reader.uses.shown.extend(reply.shown.iter().cloned());
    let telephones = reply.telephones.iter().cloned();
    reader.uses.telephones.extend(telephones);
    let may_dial = matches!(reader.owner, Owner::Route { private: true, .. });
    if reply.needs_private && !may_dial {
        let message = format!("[reply.{name}] dials the other party's real number");
        let help = "to allow that, add private = true to the route";
        problems.error(&PRIVATE_NUMBER, value.span(), message, help);
    }
    Some([reply.voice.clone(), reply.message.clone()])
}

/// Reports a reply that uses a directory's columns unless every table of `when` chooses exactly one row of it.
fn check_bound(names: &Names, problems: &mut Problems, alternatives: &[Alternative], uses: &Uses) {
    for (directory, span) in &uses.rows {
        let has_one = |alternative: &Alternative| {
            let bindings = alternative.bindings.iter();
            let chosen = bindings.filter(|binding| binding.directory.name() == directory);
            chosen.count() == 1
        };
        if alternatives.is_empty() || !alternatives.iter().all(has_one) {
            unbound(names, problems, directory, span);
        }
    }
}

/// The intercepts in file order, each with the place of its name.
pub(super) fn intercepts(
    names: &Names,
    problems: &mut Problems,
    uses: &mut Uses,
    section: Option<&Value<'_>>,
) -> Vec<(Intercept, Range<usize>)> {
    let help = "write [[intercept]], with two brackets, above each intercept";
    let tables = problems.tables(section, ("an array of intercepts", help), "an intercept");
    let read = |(table, value)| {
        let intercept = intercept(names, problems, uses, table, value);
        (intercept, place_of_name(table, value))
    };
    tables.into_iter().map(read).collect()
}

fn intercept(
    names: &Names,
    problems: &mut Problems,
    uses: &mut Uses,
    table: &DeTable<'_>,
    whole: &Value<'_>,
) -> Intercept {
    let what = "an intercept";
    let taken = [DEFAULT, LOOP_GUARD, BLOCK, PASS];
    let name = decider_name(names, problems, table, whole, what, &taken);
    let mut reader = Reader::new(names, problems, Owner::Intercept);
    let when = when_of(&mut reader, table);
    uses.add(reader.uses);
    if !is_elsewhere(table, &shape::INTERCEPT, &["block"]) {
        let help = "write block = true, or block = false to let it through";
        let place = place_of_name(table, whole);
        problems.required(table, "block", what, place, help);
    }
    Intercept {
        name: name.unwrap_or_default().to_owned(),
        when,
        blocks: problems.flag(table, "block"),
    }
}

/// The replies by name; `None` for a reply that could not be read at all.
pub(super) fn named_replies(
    names: &Names,
    problems: &mut Problems,
    uses: &mut Uses,
    section: Option<&Value<'_>>,
) -> BTreeMap<String, Option<NamedReply>> {
    let mut replies = BTreeMap::new();
    for (key, value) in problems.entries(section, "a table of replies") {
        let name = key.get_ref().as_ref();
        let mut reader = Reader::new(names, problems, Owner::Reply);
        let reply = named_reply(&mut reader, name, key.span(), value);
        uses.add(reader.uses);
        replies.insert(name.to_owned(), reply);
    }
    replies
}

fn named_reply(
    reader: &mut Reader<'_>,
    name: &str,
    place: Range<usize>,
    value: &Value<'_>,
) -> Option<NamedReply> {
    let table = reader.problems.table(value, "a reply")?;
    let [voice, message] = Channel::ALL.map(|channel| reply_on(reader, table, channel));
    if voice.is_none() && message.is_none() {
        let message = format!("[reply.{name}] says nothing");
        let help = "write voice = [ … ], message = [ … ] or both";
        reader.problems.error(&SILENT_ROUTE, place, message, help);
    }
    Some(NamedReply {
        voice,
        message,
        needs_private: reader.uses.needs_private,
        directories: reader.uses.rows.keys().cloned().collect(),
        dialled: reader.uses.dialled.clone(),
        shown: reader.uses.shown.clone(),
        telephones: reader.uses.telephones.clone(),
    })
}

/// The reply in a table for one channel; `None` when the table has no key for the channel.
fn reply_on(reader: &mut Reader<'_>, table: &DeTable<'_>, channel: Channel) -> Option<Reply> {
    let value = table.get(channel.as_str())?;
    let elements = verbs(reader, value, channel);
    Some(finished(reader.problems, elements, value.span()))
}

fn finished(problems: &mut Problems, elements: Vec<Element>, span: Range<usize>) -> Reply {
    twiml::compile(elements).unwrap_or_else(|error| {
        let help = "split it over several routes, or play a recording";
        problems.twilio_error(11750, &TOO_LONG, span, error.to_string(), help);
        Reply::Template([].into())
    })
}

/// What `[default]` answers; `None` when it is not a table.
pub(super) fn default_replies(
    names: &Names,
    problems: &mut Problems,
    section: Option<&Value<'_>>,
) -> Option<DefaultReplies> {
    let value = section?;
    let table = problems.table(value, "a table with `voice` and `message`")?;
    let help = "write voice = [ { Say = \"…\" } ], so that no caller hears silence";
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
    // What it uses is not recorded: [default] may have no templates and nothing that leads back to the service.
    let mut reader = Reader::new(names, problems, Owner::Default);
    Some(DefaultReplies {
        voice: default_reply(&mut reader, table, Channel::Voice),
        message: default_reply(&mut reader, table, Channel::Message),
    })
}

fn default_reply(reader: &mut Reader<'_>, table: &DeTable<'_>, channel: Channel) -> DefaultReply {
    let Some(value) = table.get(channel.as_str()) else {
        return DefaultReply::silent();
    };
    let elements = verbs(reader, value, channel);
    // The worst case leaves out everything that depends on the request, such as a Dial's caller id.
    let literal = elements.iter().filter(|element| element.is_literal());
    let literal = literal.cloned().collect();
    let plain = match finished(reader.problems, literal, value.span()) {
        Reply::Ready { document, .. } => document,
        Reply::Template(_) | Reply::Session(_) => DefaultReply::silent().plain,
    };
    let reply = finished(reader.problems, elements, value.span());
    DefaultReply { reply, plain }
}

/// Whether a caller hears nothing: there are no verbs, or they only pause and hang up.
fn is_silent(verbs: &[Value<'_>]) -> bool {
    verbs.iter().all(|verb| {
        let table = verb.get_ref().as_table();
        table.is_some_and(|verb| verb.contains_key("Pause") || verb.contains_key("Hangup"))
    })
}
