//! `[[route]]`, `[reply.NAME]` and `[default]`, and the rules between them.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::conditions::Asker;
use super::place::{Owner, Place};
use super::{Compiler, shape};
use crate::table::diagnostic::Code;
use crate::table::guard::LOOP_GUARD;
use crate::table::problems::{Value, entries, section};
use crate::table::reply::{Element, Reply};
use crate::table::twiml;
use crate::table::when::{Alternative, When};
use crate::table::{DEFAULT, DefaultReplies, DefaultReply, Route};
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;

/// A `[reply.NAME]`.
#[derive(Debug, Default)]
pub(super) struct NamedReply {
    voice: Option<Reply>,
    message: Option<Reply>,
    /// Whether it dials the other party's real number, which only a route with `private = true` may.
    is_private: bool,
    /// The directories whose columns it uses: a route that names it must choose their rows.
    directories: Vec<String>,
    pub is_used: bool,
}

impl Compiler<'_> {
    pub(super) fn lower_replies(&mut self, section: &Value<'_>) {
        let Some(tables) = self.problems.table(section, "a table of replies") else {
            return;
        };
        for (key, value) in entries(tables) {
            let name = key.get_ref().as_ref();
            let Some(table) = self.problems.table(value, "a reply") else {
                let reply = NamedReply {
                    is_used: true,
                    ..NamedReply::default()
                };
                self.replies.insert(name.to_owned(), reply);
                continue;
            };
            self.problems
                .unknown_keys(table, &format!("[reply.{name}]"), &shape::REPLY.keys());
            self.private_reply = None;
            self.reply_directories.clear();
            let reply = NamedReply {
                voice: self.reply_of(table, Channel::Voice, Owner::Reply),
                message: self.reply_of(table, Channel::Message, Owner::Reply),
                is_private: self.private_reply.is_some(),
                directories: self.reply_directories.keys().cloned().collect(),
                is_used: false,
            };
            if reply.voice.is_none() && reply.message.is_none() {
                let message = format!("[reply.{name}] says nothing");
                let help = "write voice = [ … ], message = [ … ] or both";
                self.problems
                    .error(Code::SilentRoute, key.span(), message, help);
            }
            self.replies.insert(name.to_owned(), reply);
        }
    }

    /// The reply of a table on a channel; `None` when it has no key for it.
    fn reply_of(&mut self, table: &DeTable<'_>, channel: Channel, owner: Owner) -> Option<Reply> {
        let value = table.get(channel.as_str())?;
        let elements = self
            .verbs(value, Place { channel, owner })
            .unwrap_or_default();
        Some(self.finish(elements, value.span()))
    }

    fn finish(&mut self, elements: Vec<Element>, span: Range<usize>) -> Reply {
        let mut reply = twiml::compile(elements).unwrap_or_else(|error| {
            let help = "part it over several routes, or play a recording";
            self.problems
                .error(Code::TooLong, span, error.to_string(), help)
                .twilio(11750);
            Reply::Template([].into())
        });
        if let Reply::Ready { document, .. } = &mut reply {
            // Many routes may say the same.
            if let Some(same) = self.documents.get(document) {
                *document = same.clone();
            } else {
                self.documents.insert(document.clone());
            }
        }
        reply
    }

    pub(super) fn lower_routes(&mut self, section: &Value<'_>) {
        let help = "write [[route]], with two brackets, above each route";
        let Some(routes) = self.problems.array(section, "an array of routes", help) else {
            return;
        };
        for value in routes {
            let Some(table) = self.problems.table(value, "a route") else {
                continue;
            };
            self.problems
                .unknown_keys(table, "a route", &shape::ROUTE.keys());
            let name = self.decider_name(table, value, "route", &[DEFAULT, LOOP_GUARD]);
            let step = self.step(table);
            self.in_step = step.is_some();
            self.step = Some(step.clone().unwrap_or_default());
            let asker = if self.in_step {
                Asker::Step
            } else {
                Asker::Route
            };
            let when = table.get("when");
            let alternatives = when
                .map(|when| self.alternatives(when, asker))
                .unwrap_or_default();
            self.reply_directories.clear();
            let (voice, message) = self.route_replies(table, value);
            self.check_bound(&alternatives);
            let answers_machines = table
                .get("answer_machines")
                .and_then(|value| self.problems.boolean(value, "true or false"));
            let during = self.named_schedules(table.get("during"));
            let outside = self.named_schedules(table.get("outside"));
            self.route_places
                .push(table.get("name").map_or(value.span(), Value::span));
            self.routes.push(Route {
                name: name.into(),
                step: step.map(String::into_boxed_str),
                when: When {
                    alternatives,
                    during,
                    outside,
                },
                voice,
                message,
                answers_machines: answers_machines.unwrap_or(false),
            });
            self.in_step = false;
            self.step = None;
        }
    }

    /// The name of a route or an intercept; after an error about it some text, so that the rest of it is read all the
    /// same.
    pub(super) fn decider_name(
        &mut self,
        table: &DeTable<'_>,
        whole: &Value<'_>,
        section: &'static str,
        taken: &[&str],
    ) -> String {
        let article = if section == "route" { "a" } else { "an" };
        let Some(value) = table.get("name") else {
            let help = "write name = \"…\": it stands in logs, tests and the answer's header";
            let message = format!("{article} {section} has no `name`");
            self.problems
                .error(Code::MissingKey, whole.span(), message, help);
            return String::new();
        };
        let Some(name) = self.problems.text(value, "a name") else {
            return String::new();
        };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_word) {
            let help = "a name is 1 to 64 of A-Z a-z 0-9 . _ -";
            let message = format!("\"{name}\" cannot be {article} {section}'s name");
            self.problems
                .error(Code::BadName, value.span(), message, help);
        } else if taken.contains(&name) {
            let message = format!("\"{name}\" is taken: the service itself answers under it");
            self.problems
                .error(Code::BadName, value.span(), message, "choose another name");
        } else if let Some((first, place)) = self.name_taken(name) {
            let (line, _) = self.source.position(place);
            let message = format!("there is {first} \"{name}\" already, in line {line}");
            self.problems.error(
                Code::DuplicateName,
                value.span(),
                message,
                "choose another name",
            );
        }
        let names = if section == "route" {
            &mut self.route_names
        } else {
            &mut self.intercept_names
        };
        names.entry(name.to_owned()).or_insert(value.span().start);
        name.to_owned()
    }

    /// What has a name already, and where.
    fn name_taken(&self, name: &str) -> Option<(&'static str, usize)> {
        let route = self.route_names.get(name).map(|place| ("a route", *place));
        let intercept = || self.intercept_names.get(name);
        route.or_else(|| Some(("an intercept", *intercept()?)))
    }

    fn step(&mut self, table: &DeTable<'_>) -> Option<String> {
        let value = table.get("step")?;
        let step = self.problems.text(value, "the name of a step")?;
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if step.is_empty() || step.len() > 64 || !step.bytes().all(is_word) {
            let help =
                "a step is 1 to 64 of A-Z a-z 0-9 . _ -; leave it out for requests without a step";
            let message = format!("\"{step}\" cannot be a step");
            self.problems
                .error(Code::BadName, value.span(), message, help);
            return Some(step.to_owned());
        }
        self.step_routes.push((step.to_owned(), value.span()));
        Some(step.to_owned())
    }

    fn route_replies(
        &mut self,
        table: &DeTable<'_>,
        route: &Value<'_>,
    ) -> (Option<Reply>, Option<Reply>) {
        let private = table
            .get("private")
            .and_then(|value| self.problems.boolean(value, "true or false"));
        let private = private.unwrap_or(false);
        let owner = Owner::Route { private };
        let keys = ["voice", "message", "reply", "create_session"];
        // A reply under a misspelt or misplaced key is reported there.
        let is_misspelt = table.keys().any(|key| !shape::ROUTE.has(key.get_ref()));
        let when = table.get("when").and_then(|when| when.get_ref().as_table());
        let is_misplaced = when.is_some_and(|when| keys.iter().any(|key| when.contains_key(*key)));
        if !is_misspelt && !is_misplaced && keys.iter().all(|key| !table.contains_key(*key)) {
            let help =
                "write voice = [ … ], message = [ … ], reply = \"NAME\" or create_session = { … }";
            let span = table.get("name").map_or(route.span(), Value::span);
            self.problems
                .error(Code::SilentRoute, span, "this route says nothing", help);
        }
        let (mut voice, mut message) = if let Some(value) = table.get("reply") {
            self.named_reply(table, value, private)
        } else {
            let voice = self.reply_of(table, Channel::Voice, owner);
            (voice, self.reply_of(table, Channel::Message, owner))
        };
        if let Some(value) = table.get("create_session")
            && let Some((session, channels)) = self.new_session(value, private)
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
        (voice, message)
    }

    /// The reply that `reply = "NAME"` stands for.
    fn named_reply(
        &mut self,
        table: &DeTable<'_>,
        value: &Value<'_>,
        private: bool,
    ) -> (Option<Reply>, Option<Reply>) {
        for channel in Channel::ALL {
            if let Some(own) = table.get(channel.as_str()) {
                let message = format!("`{channel}` beside `reply`: the reply has its own");
                let help = format!("take `reply` or `{channel}` out");
                self.problems
                    .error(Code::UnknownKey, own.span(), message, help);
            }
        }
        let Some(name) = self.problems.text(value, "the name of a reply") else {
            return (None, None);
        };
        let Some(reply) = self.replies.get_mut(name) else {
            let help = match nearest(name, self.replies.keys().map(String::as_str)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add a section {}", section("reply", name)),
            };
            let message = format!("there is no reply \"{name}\"");
            self.problems
                .error(Code::UnknownReply, value.span(), message, help);
            return (None, None);
        };
        reply.is_used = true;
        for directory in &reply.directories {
            self.reply_directories
                .entry(directory.clone())
                .or_insert_with(|| value.span());
        }
        let replies = (reply.voice.clone(), reply.message.clone());
        if reply.is_private && !private {
            let message = format!("[reply.{name}] dials the other party's real number");
            let help = "add private = true to the route if it is to be dialled";
            self.problems
                .error(Code::PrivateNumber, value.span(), message, help);
        }
        replies
    }

    /// A reply that uses a directory's columns needs exactly one row of it in every table of `when`.
    fn check_bound(&mut self, alternatives: &[Alternative]) {
        for (directory, span) in std::mem::take(&mut self.reply_directories) {
            let chosen = |alternative: &Alternative| {
                alternative
                    .bindings
                    .iter()
                    .filter(|binding| binding.directory.name() == directory)
                    .count()
            };
            if alternatives.is_empty()
                || alternatives
                    .iter()
                    .any(|alternative| chosen(alternative) != 1)
            {
                self.unbound(&directory, &span);
            }
        }
    }

    pub(super) fn lower_default(&mut self, value: Option<&Value<'_>>) -> Option<DefaultReplies> {
        let Some(value) = value else {
            let help = "add [default] with voice = [ { Say = \"…\" } ]: what everybody else hears";
            let end = self.source.text.len();
            let is_misspelt = self
                .misspelt_sections
                .iter()
                .any(|name| nearest(name, ["default"]).is_some());
            if !is_misspelt {
                self.problems.error(
                    Code::MissingDefault,
                    end..end,
                    "the file has no [default]",
                    help,
                );
            }
            return None;
        };
        let table = self
            .problems
            .table(value, "a table with `voice` and `message`")?;
        self.problems
            .unknown_keys(table, "[default]", &shape::LAST.keys());
        let help = "write voice = [ { Say = \"…\" } ], so that nobody hears silence";
        let says_nothing = "[default] says nothing to a caller";
        match table
            .get("voice")
            .map(|voice| (voice.get_ref(), voice.span()))
        {
            None => {
                self.problems
                    .error(Code::SilentDefault, value.span(), says_nothing, help);
            }
            Some((DeValue::Array(verbs), span)) if is_silent(verbs) => {
                self.problems
                    .warn(Code::SilentDefault, span, says_nothing, help);
            }
            Some(_) => {}
        }
        let voice = self.default_reply(table, Channel::Voice);
        let message = self.default_reply(table, Channel::Message);
        Some(DefaultReplies { voice, message })
    }

    fn default_reply(&mut self, table: &DeTable<'_>, channel: Channel) -> DefaultReply {
        let Some(value) = table.get(channel.as_str()) else {
            return DefaultReply::silent();
        };
        let elements = self
            .verbs(
                value,
                Place {
                    channel,
                    owner: Owner::Default,
                },
            )
            .unwrap_or_default();
        // What depends on the request at all, such as a Dial's caller id, is not for the worst case.
        let literal = elements
            .iter()
            .filter(|element| element.is_literal())
            .cloned()
            .collect();
        let plain = match self.finish(literal, value.span()) {
            Reply::Ready { document, .. } => document,
            Reply::Template(_) | Reply::Session(_) => DefaultReply::silent().plain,
        };
        DefaultReply {
            reply: self.finish(elements, value.span()),
            plain,
        }
    }
}

/// Whether a caller hears nothing of these verbs: there is none, or they only wait and hang up.
fn is_silent(verbs: &[Value<'_>]) -> bool {
    verbs.iter().all(|verb| {
        let table = verb.get_ref().as_table();
        table.is_some_and(|verb| verb.contains_key("Pause") || verb.contains_key("Hangup"))
    })
}
