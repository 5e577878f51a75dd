//! `[[route]]`, `[reply.NAME]` and `[default]`, and the rules between them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::problems::{Value, entries};
use super::replies::{Owner, Place};
use super::{Compiler, ROUTE_KEYS};
use crate::diagnostic::{Code, nearest};
use crate::reply::{Element, Reply};
use crate::table::{DEFAULT, DefaultReplies, Route};
use crate::twiml;
use crate::types::Channel;

/// The name under which the guard against loops answers.
const LOOP_GUARD: &str = "loop-guard";

/// A `[reply.NAME]`.
#[derive(Debug)]
pub(super) struct NamedReply {
    voice: Option<Reply>,
    message: Option<Reply>,
    /// Whether it dials the other party's real number, which only a route with `private = true` may.
    is_private: bool,
    is_used: bool,
    span: Range<usize>,
}

impl Compiler<'_> {
    pub(super) fn lower_replies(&mut self, section: &Value<'_>) {
        let Some(tables) = self.problems.table(section, "a table of replies") else {
            return;
        };
        for (key, value) in entries(tables) {
            let name = key.get_ref().as_ref();
            let Some(table) = self.problems.table(value, "a reply") else {
                continue;
            };
            self.problems
                .unknown_keys(table, &format!("[reply.{name}]"), &["message", "voice"]);
            self.private_reply = None;
            let reply = NamedReply {
                voice: self.reply_of(table, Channel::Voice, Owner::Reply),
                message: self.reply_of(table, Channel::Message, Owner::Reply),
                is_private: self.private_reply.is_some(),
                is_used: false,
                span: key.span(),
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
        twiml::compile(elements).unwrap_or_else(|error| {
            let help = "part it over several routes, or play a recording";
            self.problems
                .error(Code::TooLong, span, error.to_string(), help)
                .twilio(11750);
            Reply::Template(Vec::new())
        })
    }

    pub(super) fn lower_routes(&mut self, section: &Value<'_>) {
        let help = "write [[route]], with two brackets, above each route";
        let Some(routes) = self.problems.array(section, "an array of routes", help) else {
            return;
        };
        let mut names: BTreeMap<String, Range<usize>> = BTreeMap::new();
        for value in routes {
            let Some(table) = self.problems.table(value, "a route") else {
                continue;
            };
            self.problems.unknown_keys(table, "a route", &ROUTE_KEYS);
            let name = self.route_name(table, value, &mut names);
            let step = self.step(table);
            let when = table.get("when");
            let alternatives = when
                .map(|when| self.alternatives(when, step.is_some()))
                .unwrap_or_default();
            let (voice, message) = self.route_replies(table, value);
            self.routes.push(Route {
                name,
                step,
                alternatives,
                voice,
                message,
            });
        }
    }

    /// The route's name; after an error about it some text, so that the rest of the route is read all the same.
    fn route_name(
        &mut self,
        table: &DeTable<'_>,
        route: &Value<'_>,
        names: &mut BTreeMap<String, Range<usize>>,
    ) -> String {
        let Some(value) = table.get("name") else {
            let help = "write name = \"…\": it stands in logs, tests and the answer's header";
            self.problems.error(
                Code::MissingKey,
                route.span(),
                "a route has no `name`",
                help,
            );
            return String::new();
        };
        let Some(name) = self.problems.text(value, "a name") else {
            return String::new();
        };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_word) {
            let help = "a name is 1 to 64 of A-Z a-z 0-9 . _ -";
            let message = format!("\"{name}\" cannot be a route's name");
            self.problems
                .error(Code::BadName, value.span(), message, help);
        } else if [DEFAULT, LOOP_GUARD].contains(&name) {
            let message = format!("\"{name}\" is taken: the service itself answers under it");
            self.problems
                .error(Code::BadName, value.span(), message, "choose another name");
        } else if let Some(first) = names.get(name) {
            let (line, _) = self.source.position(first.start);
            let message = format!("there is a route \"{name}\" already, in line {line}");
            self.problems.error(
                Code::DuplicateName,
                value.span(),
                message,
                "choose another name",
            );
        }
        names.entry(name.to_owned()).or_insert_with(|| value.span());
        name.to_owned()
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
        let owner = Owner::Route {
            private: private.unwrap_or(false),
        };
        let own = Channel::ALL.map(|channel| {
            table
                .get(channel.as_str())
                .map(|value| (channel, value.span()))
        });
        let Some(value) = table.get("reply") else {
            if own.iter().all(Option::is_none) {
                let help = "write voice = [ … ], message = [ … ], or reply = \"NAME\"";
                let span = table.get("name").map_or(route.span(), Value::span);
                self.problems
                    .error(Code::SilentRoute, span, "this route says nothing", help);
            }
            let voice = self.reply_of(table, Channel::Voice, owner);
            return (voice, self.reply_of(table, Channel::Message, owner));
        };
        for (channel, span) in own.into_iter().flatten() {
            let message = format!("`{channel}` beside `reply`: the reply has its own");
            let help = format!("take `reply` or `{channel}` out");
            self.problems.error(Code::UnknownKey, span, message, help);
        }
        let Some(name) = self.problems.text(value, "the name of a reply") else {
            return (None, None);
        };
        let Some(reply) = self.replies.get_mut(name) else {
            let help = match nearest(name, self.replies.keys().map(String::as_str)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add a section [reply.{name}]"),
            };
            let message = format!("there is no reply \"{name}\"");
            self.problems
                .error(Code::UnknownReply, value.span(), message, help);
            return (None, None);
        };
        reply.is_used = true;
        let replies = (reply.voice.clone(), reply.message.clone());
        if reply.is_private && private != Some(true) {
            let message = format!("[reply.{name}] dials the other party's real number");
            let help = "add private = true to the route if it is to be dialled";
            self.problems
                .error(Code::PrivateNumber, value.span(), message, help);
        }
        replies
    }

    pub(super) fn lower_default(&mut self, value: Option<&Value<'_>>) -> Option<DefaultReplies> {
        let Some(value) = value else {
            let help = "add [default] with voice = [ { Say = \"…\" } ]: what everybody else hears";
            let end = self.source.text.len();
            self.problems.error(
                Code::MissingDefault,
                end..end,
                "the file has no [default]",
                help,
            );
            return None;
        };
        let table = self
            .problems
            .table(value, "a table with `voice` and `message`")?;
        self.problems
            .unknown_keys(table, "[default]", &["message", "voice"]);
        let help = "write voice = [ { Say = \"…\" } ], so that nobody hears silence";
        match table
            .get("voice")
            .map(|voice| (voice.get_ref(), voice.span()))
        {
            None => {
                self.problems.error(
                    Code::SilentDefault,
                    value.span(),
                    "[default] says nothing to a caller",
                    help,
                );
            }
            Some((DeValue::Array(verbs), span)) if verbs.is_empty() => {
                self.problems.warn(
                    Code::SilentDefault,
                    span,
                    "[default] says nothing to a caller",
                    help,
                );
            }
            Some(_) => {}
        }
        let voice = self.reply_of(table, Channel::Voice, Owner::Default);
        let message = self.reply_of(table, Channel::Message, Owner::Default);
        let nothing = || twiml::compile(Vec::new()).expect("an empty document is small");
        Some(DefaultReplies {
            voice: voice.unwrap_or_else(nothing),
            message: message.unwrap_or_else(nothing),
        })
    }

    /// Every URL of ours that leads to a step must find a route there, and every step should be led to.
    pub(super) fn check_steps(&mut self) {
        let steps: BTreeSet<&str> = self
            .step_routes
            .iter()
            .map(|(step, _)| step.as_str())
            .collect();
        let led_to: BTreeSet<&str> = self
            .steps
            .iter()
            .map(|reference| reference.step.as_str())
            .collect();
        for reference in self.steps.iter().filter(|reference| reference.is_ours) {
            if steps.contains(reference.step.as_str()) {
                continue;
            }
            let help = match nearest(&reference.step, steps.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add a route with step = \"{}\"", reference.step),
            };
            let message = format!("no route has step = \"{}\"", reference.step);
            self.problems
                .error(Code::UnknownStep, reference.span.clone(), message, help);
        }
        for (step, span) in &self.step_routes {
            if !led_to.contains(step.as_str()) {
                let message = format!("no reply leads to the step \"{step}\"");
                let help = format!("write action = \"?step={step}\" where it begins");
                self.problems
                    .warn(Code::UnreachedStep, span.clone(), message, help);
            }
        }
    }

    /// What nothing refers to is probably misspelt where it should be referred to.
    pub(super) fn check_unused(&mut self, file: &DeTable<'_>) {
        for (name, reply) in &self.replies {
            if !reply.is_used {
                let message = format!("no route has reply = \"{name}\"");
                self.problems.warn(
                    Code::Unused,
                    reply.span.clone(),
                    message,
                    "take the section out, or use it",
                );
            }
        }
        let Some(DeValue::Table(directories)) = file.get("directory").map(Value::get_ref) else {
            return;
        };
        for (key, _) in entries(directories) {
            let name = key.get_ref().as_ref();
            if !self.used_directories.contains(name) {
                let message = format!("no condition looks into \"{name}\"");
                let help = format!(
                    "write when = {{ Called = {{ in = \"{name}\" }} }}, or take the section out"
                );
                self.problems.warn(Code::Unused, key.span(), message, help);
            }
        }
    }
}
