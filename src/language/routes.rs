//! `[[route]]` and `[[intercept]]`.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use toml::de::DeTable;

use super::conditions::{Asker, when};
use super::destinations::PRIVATE_NUMBER;
use super::names::{Names, unbound};
use super::replies::{SILENT_ROUTE, reply_on};
use super::schedules::named_schedules;
use super::sessions::new_session;
use super::shape;
use super::uses::{Owner, Read, Uses};
use crate::table::diagnostic::Check;
use crate::table::guard::LOOP_GUARD;
use crate::table::intercept::{BLOCK, Intercept, PASS};
use crate::table::problems::{
    BAD_NAME, DUPLICATE_NAME, Problems, UNKNOWN_KEY, Value, section_help,
};
use crate::table::reply::Reply;
use crate::table::when::{Alternative, When};
use crate::table::{DEFAULT, Route};
use crate::twilio::channel::Channel;

pub(super) static UNKNOWN_REPLY: Check = Check::absence(
    "unknown-reply",
    "A named reply that the table does not have. Correct its name, or write a section for it.",
    r#"reply = "sory"     # [reply.sorry]"#,
);

/// The replies to a call and to a text.
type Replies = (Option<Reply>, Option<Reply>);

/// The routes of a table as they were read.
#[derive(Debug, Default)]
pub(super) struct ReadRoutes {
    pub routes: Vec<Route>,
    /// Where the name of each stands.
    pub places: Vec<Range<usize>>,
    /// The steps that they answer, with their places.
    pub steps: Vec<(String, Range<usize>)>,
}

/// The routes in file order.
pub(super) fn routes(
    names: &Names,
    problems: &mut Problems,
    section: &Value<'_>,
) -> Read<ReadRoutes> {
    let mut uses = Uses::default();
    let mut all = ReadRoutes::default();
    let help = "write [[route]], with two brackets, above each route";
    let array = problems.array(section, "an array of routes", help);
    let mut documents = HashSet::new();
    for value in array.unwrap_or_default() {
        let Some(table) = problems.table(value, "a route") else {
            continue;
        };
        let read = route(names, problems, table, value);
        let mut route = read.unpack(&mut uses);
        share_document(&mut documents, &mut route.voice);
        share_document(&mut documents, &mut route.message);
        if let (Some(step), Some(value)) = (&route.step, table.get("step"))
            && is_name(step)
        {
            all.steps.push((step.to_string(), value.span()));
        }
        all.places.push(place_of_name(table, value));
        all.routes.push(route);
    }
    uses.with(all)
}

/// Makes the documents of routes that say the same one and the same in memory.
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
    table: &DeTable<'_>,
    whole: &Value<'_>,
) -> Read<Route> {
    let mut uses = Uses::default();
    problems.unknown_keys(table, "a route", &shape::ROUTE.keys());
    let taken = [DEFAULT, LOOP_GUARD];
    let name = decider_name(names, problems, table, whole, "route", &taken);
    let step = step(problems, table);
    let asker = match step {
        Some(_) => Asker::Step,
        None => Asker::Route,
    };
    let when = when_of(names, problems, table, asker).unpack(&mut uses);
    let says = route_replies(names, problems, table, whole, step.is_some());
    let (voice, message) = says.unpack(&mut uses);
    check_bound(problems, &when.alternatives, &uses);
    for reference in &mut uses.steps {
        reference.from = Some(step.unwrap_or_default().to_owned());
    }
    let answers_machines = table
        .get("answer_machines")
        .and_then(|value| problems.boolean(value, "true or false"));
    let route = Route {
        name: name.into(),
        step: step.map(Box::from),
        when,
        voice,
        message,
        answers_machines: answers_machines.unwrap_or(false),
    };
    uses.with(route)
}

/// `when`, `during` and `outside` of a route or an intercept.
fn when_of(
    names: &Names,
    problems: &mut Problems,
    table: &DeTable<'_>,
    asker: Asker,
) -> Read<When> {
    let mut uses = Uses::default();
    let alternatives = table
        .get("when")
        .map(|value| when(names, problems, value, asker).unpack(&mut uses))
        .unwrap_or_default();
    let mut schedules = |key| named_schedules(names, problems, table.get(key)).unpack(&mut uses);
    let when = When {
        alternatives,
        during: schedules("during"),
        outside: schedules("outside"),
    };
    uses.with(when)
}

/// Whether a text can be the name of a route, an intercept or a step.
fn is_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_word)
}

/// Where the name of a route or intercept stands; the whole of one without a name.
fn place_of_name(table: &DeTable<'_>, whole: &Value<'_>) -> Range<usize> {
    table.get("name").map_or(whole.span(), Value::span)
}

/// The name of a route or an intercept; after an error about it some text, so that the rest of it is read all the same.
fn decider_name(
    names: &Names,
    problems: &mut Problems,
    table: &DeTable<'_>,
    whole: &Value<'_>,
    section: &'static str,
    taken: &[&str],
) -> String {
    let article = if section == "route" { "a" } else { "an" };
    let what = format!("{article} {section}");
    let help = "write name = \"…\": it stands in logs, tests and the answer's header";
    let Some(value) = problems.required(table, "name", &what, whole.span(), help) else {
        return String::new();
    };
    let Some(name) = problems.text(value, "a name") else {
        return String::new();
    };
    if !is_name(name) {
        let help = "a name is 1 to 64 of A-Z a-z 0-9 . _ -";
        let message = format!("\"{name}\" cannot be {what}'s name");
        problems.error(&BAD_NAME, value.span(), message, help);
    } else if taken.contains(&name) {
        let message = format!("\"{name}\" is taken: the service itself answers under it");
        problems.error(&BAD_NAME, value.span(), message, "choose another name");
    } else {
        // Routes come before intercepts, wherever they stand.
        let is_other = |place: &&usize| **place != value.span().start;
        let route = names.routes.get(name).filter(is_other);
        let intercept = names.intercepts.get(name).filter(is_other);
        let first = match (route, intercept) {
            (Some(place), _) => Some(("a route", *place)),
            (None, Some(place)) if section == "intercept" => Some(("an intercept", *place)),
            (None, _) => None,
        };
        if let Some((first, place)) = first {
            let (line, _) = problems.file().position(place);
            let message = format!("there is {first} \"{name}\" already, in line {line}");
            let help = "choose another name";
            problems.error(&DUPLICATE_NAME, value.span(), message, help);
        }
    }
    name.to_owned()
}

/// The step that a route answers.
fn step<'t>(problems: &mut Problems, table: &'t DeTable<'_>) -> Option<&'t str> {
    let value = table.get("step")?;
    let step = problems.text(value, "the name of a step")?;
    if !is_name(step) {
        let help =
            "a step is 1 to 64 of A-Z a-z 0-9 . _ -; leave it out for requests without a step";
        let message = format!("\"{step}\" cannot be a step");
        problems.error(&BAD_NAME, value.span(), message, help);
    }
    Some(step)
}

fn route_replies(
    names: &Names,
    problems: &mut Problems,
    table: &DeTable<'_>,
    route: &Value<'_>,
    in_step: bool,
) -> Read<Replies> {
    let mut uses = Uses::default();
    let private = table
        .get("private")
        .and_then(|value| problems.boolean(value, "true or false"))
        .unwrap_or(false);
    let owner = Owner::Route { private, in_step };
    let keys = ["voice", "message", "reply", "create_session"];
    let is_there = keys.iter().any(|key| table.contains_key(*key));
    if !is_there && !is_elsewhere(table, &shape::ROUTE, &keys) {
        let help =
            "write voice = [ … ], message = [ … ], reply = \"NAME\" or create_session = { … }";
        let span = place_of_name(table, route);
        problems.error(&SILENT_ROUTE, span, "this route says nothing", help);
    }
    let (mut voice, mut message) = if let Some(value) = table.get("reply") {
        named_reply(names, problems, table, value, private).unpack(&mut uses)
    } else {
        let mut on = |channel| reply_on(names, problems, table, channel, owner).unpack(&mut uses);
        (on(Channel::Voice), on(Channel::Message))
    };
    if let Some(value) = table.get("create_session")
        && let Some((session, channels)) =
            new_session(names, problems, value, owner).unpack(&mut uses)
    {
        let session = Arc::new(session);
        for channel in channels {
            let own = match channel {
                Channel::Voice => &mut voice,
                Channel::Message => &mut message,
            };
            own.get_or_insert_with(|| Reply::Session(Arc::clone(&session)));
        }
    }
    uses.with((voice, message))
}

/// Whether one of these keys may stand in a section under a misspelt name or in its `when`, where it is reported.
fn is_elsewhere(table: &DeTable<'_>, section: &shape::Section, keys: &[&str]) -> bool {
    let mut all = table.keys().map(|key| key.get_ref().as_ref());
    let when = table.get("when").and_then(|when| when.get_ref().as_table());
    all.any(|key: &str| !section.has(key))
        || when.is_some_and(|when| keys.iter().any(|key| when.contains_key(*key)))
}

/// The reply that `reply = "NAME"` stands for.
fn named_reply(
    names: &Names,
    problems: &mut Problems,
    table: &DeTable<'_>,
    value: &Value<'_>,
    private: bool,
) -> Read<Replies> {
    let mut uses = Uses::default();
    for channel in Channel::ALL {
        if let Some(own) = table.get(channel.as_str()) {
            let message = format!("`{channel}` beside `reply`: the reply has its own");
            let help = format!("take `reply` or `{channel}` out");
            problems.error(&UNKNOWN_KEY, own.span(), message, help);
        }
    }
    let Some(name) = problems.text(value, "the name of a reply") else {
        return uses.with((None, None));
    };
    let Some(reply) = names.replies.get(name) else {
        let help = section_help("reply", name, names.replies.keys());
        let message = format!("there is no reply \"{name}\"");
        problems.error(&UNKNOWN_REPLY, value.span(), message, help);
        return uses.with((None, None));
    };
    uses.replies.insert(name.to_owned());
    let Some(reply) = reply else {
        // What is wrong with it has been reported.
        return uses.with((None, None));
    };
    for directory in &reply.directories {
        uses.rows.insert(directory.clone(), value.span());
    }
    if reply.needs_private && !private {
        let message = format!("[reply.{name}] dials the other party's real number");
        let help = "add private = true to the route if it is to be dialled";
        problems.error(&PRIVATE_NUMBER, value.span(), message, help);
    }
    uses.with((reply.voice.clone(), reply.message.clone()))
}

/// A reply that uses a directory's columns needs exactly one row of it in every table of `when`.
fn check_bound(problems: &mut Problems, alternatives: &[Alternative], uses: &Uses) {
    for (directory, span) in &uses.rows {
        let has_one = |alternative: &Alternative| {
            let bindings = alternative.bindings.iter();
            let chosen = bindings.filter(|binding| binding.directory.name() == directory);
            chosen.count() == 1
        };
        if alternatives.is_empty() || !alternatives.iter().all(has_one) {
            unbound(problems, directory, span);
        }
    }
}

/// The intercepts in file order, each with the place of its name.
pub(super) fn intercepts(
    names: &Names,
    problems: &mut Problems,
    section: &Value<'_>,
) -> Read<Vec<(Intercept, Range<usize>)>> {
    let mut uses = Uses::default();
    let help = "write [[intercept]], with two brackets, above each intercept";
    let array = problems.array(section, "an array of intercepts", help);
    let mut intercepts = Vec::new();
    for value in array.unwrap_or_default() {
        if let Some(table) = problems.table(value, "an intercept") {
            let intercept = intercept(names, problems, table, value).unpack(&mut uses);
            intercepts.push((intercept, place_of_name(table, value)));
        }
    }
    uses.with(intercepts)
}

fn intercept(
    names: &Names,
    problems: &mut Problems,
    table: &DeTable<'_>,
    whole: &Value<'_>,
) -> Read<Intercept> {
    let mut uses = Uses::default();
    problems.unknown_keys(table, "an intercept", &shape::INTERCEPT.keys());
    let taken = [DEFAULT, LOOP_GUARD, BLOCK, PASS];
    let name = decider_name(names, problems, table, whole, "intercept", &taken);
    let when = when_of(names, problems, table, Asker::Intercept).unpack(&mut uses);
    if !table.contains_key("block") && !is_elsewhere(table, &shape::INTERCEPT, &["block"]) {
        let help = "write block = true, or block = false to let it go on";
        problems.required(
            table,
            "block",
            "an intercept",
            place_of_name(table, whole),
            help,
        );
    }
    let blocks = table
        .get("block")
        .and_then(|block| problems.boolean(block, "true or false"));
    uses.with(Intercept {
        name,
        when,
        blocks: blocks.unwrap_or(false),
    })
}
