//! What a caller or sender would get, without a real call: the verdict of each route, and the conversation that
//! follows.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::table::answer::Answer;
use crate::table::dialogue::{
    Conversation, End, Input, Line, Person, Question, Sent, notes, script,
};
use crate::table::reason::reason;
use crate::table::{Miss, Table};
use crate::twilio::request::{Form, Request};

/// What a request would get, and what would follow.
#[derive(Debug)]
pub struct Preview<'t> {
    /// The routes in file order up to the one that answers.
    pub verdicts: Vec<RouteVerdict<'t>>,
    /// What is heard, read and done, in order.
    pub entries: Vec<Entry>,
    /// How it ends.
    pub end: End,
}

/// A route that was tried.
#[derive(Debug)]
pub struct RouteVerdict<'t> {
    /// Its name.
    pub route: &'t str,
    /// Why it does not answer; `None` when it does.
    pub reason: Option<String>,
    /// Whether it answers only other steps or the other channel.
    pub is_elsewhere: bool,
}

/// A part of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A request is answered.
    Answered {
        /// The name of the route, `default` or `loop-guard`.
        route: String,
        /// Anything special about the answer.
        notes: Vec<String>,
    },
    /// Something to hear or to read.
    Line(Line),
    /// What the caller or sender does; empty for waiting until the time is up.
    Did(String),
    /// The script asks for something that is not possible here.
    Misfit(String),
}

/// What this request would get at this moment, and what follows when the caller or sender acts out a script: keys,
/// words and outcomes separated by blanks, such as `1 w busy`. At the end of the script the caller hangs up.
#[must_use]
pub fn preview<'t>(table: &'t Table, first: &Sent, acts: &str, now: Timestamp) -> Preview<'t> {
    let request = Request::new(first.webhook, &first.body, &first.query);
    let mut is_found = false;
    let verdicts = table.verdicts(&request, now).map_while(|(route, miss)| {
        let verdict = (!is_found).then(|| RouteVerdict {
            route: &route.name,
            is_elsewhere: matches!(miss, Some(Miss::Step(_) | Miss::Silent(_))),
            reason: miss
                .as_ref()
                .map(|miss| reason(miss, &route.when, &request, now)),
        });
        is_found |= miss.is_none();
        verdict
    });
    let verdicts = verdicts.collect();
    let mut actor = Actor {
        acts: script(acts),
        entries: Vec::new(),
    };
    let end = Conversation::new(table, first.clone(), now).with(&mut actor);
    if let (End::Over, Some(left)) = (&end, actor.acts.front()) {
        actor.entries.push(Entry::Misfit(left.clone()));
    }
    Preview {
        verdicts,
        entries: actor.entries,
        end,
    }
}

/// A caller or sender who acts out a script.
struct Actor {
    acts: VecDeque<String>,
    entries: Vec<Entry>,
}

impl Person for Actor {
    fn is_answered(&mut self, _: &Sent, answer: &Answer<'_>) {
        self.entries.push(Entry::Answered {
            route: answer.route.to_owned(),
            notes: notes(answer),
        });
    }

    fn notices(&mut self, line: Line) {
        self.entries.push(Entry::Line(line));
    }

    fn acts(&mut self, question: &Question) -> Option<Input> {
        let act = self.acts.pop_front()?;
        match question.input(&act) {
            Ok(input) => {
                let did = if act == "w" { String::new() } else { act };
                self.entries.push(Entry::Did(did));
                Some(input)
            }
            Err(reason) => {
                self.entries.push(Entry::Misfit(format!("{act}: {reason}")));
                None
            }
        }
    }

    fn texts(&mut self) -> Option<Form> {
        let text = self.acts.pop_front()?;
        self.entries.push(Entry::Did(text.clone()));
        Some([("Body", text)].into_iter().collect())
    }
}
