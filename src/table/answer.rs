//! The whole core in one call: decide, guard, write the document, and fall back to the default where that fails.

use bytes::Bytes;
use jiff::Timestamp;

use crate::table::directory::BoundRow;
use crate::table::guard::{self, GuardReason, LoopGuard};
use crate::table::reply::template::Scope;
use crate::table::reply::{EMPTY_DOCUMENT, RenderError, Reply, Sends};
use crate::table::twiml;
use crate::table::{DEFAULT, Decision, Table};
use crate::twilio::channel::Channel;
use crate::twilio::request::Request;

/// A request, with where and when it was made.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// The requested URL as the outside world sees it, without its query.
    pub url: &'a str,
    /// Twilio's `I-Twilio-Idempotency-Token`, the same for a request and its retries; empty when absent.
    pub token: &'a str,
    /// The moment of the request.
    pub now: Timestamp,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'t> {
    /// The name of the route that answers, `default` or `loop-guard`.
    pub route: &'t str,
    /// The position in the table of the route that answers; `None` when no route does.
    pub position: Option<usize>,
    /// The body.
    pub body: Bytes,
    /// The kind of body.
    pub kind: AnswerKind,
    /// What the document sends.
    pub sends: Sends,
    /// How many texts were cut at one of Twilio's limits.
    pub cut_texts: usize,
    /// The route that matched and why its reply could not be written, when `default` answers for that reason.
    pub failure: Option<(&'t str, RenderError)>,
    /// Why the guard answers, when it does.
    pub guarded: Option<GuardReason>,
}

/// What kind of body an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// TwiML.
    Document,
    /// The JSON that opens a session.
    Session,
}

/// Answers a request. There is always an answer, because the table has a default.
#[must_use]
pub fn answer<'t>(table: &'t Table, guard: &LoopGuard, asked: &Asked<'_>) -> Answer<'t> {
    let request = asked.request;
    let waits = !table.waiting_steps.is_empty() && table.waiting_steps.contains(request.step());
    if !waits && let Some(verdict) = guard.same_call(&table.limits, request, asked.token) {
        return guarded(verdict, default_answer(table, asked));
    }
    let decision = table.decide(request, asked.now);
    let answers_machines = decision.route.is_some_and(|route| route.answers_machines);
    if let Some(verdict) = guard::machine(request).filter(|_| !answers_machines) {
        return guarded(verdict, silence());
    }
    let answer = write(table, &decision, asked);
    if request.channel() == Channel::Message
        && let Some(verdict) =
            guard.sends(&table.limits, answer.sends, request, asked.token, asked.now)
    {
        return guarded(verdict, silence());
    }
    answer
}

/// The answer of a decision, or that of `[default]` when the decision's reply cannot be written.
fn write<'t>(table: &'t Table, decision: &Decision<'t>, asked: &Asked<'_>) -> Answer<'t> {
    match render(decision.reply, asked, &decision.rows) {
        Ok(rendered) => Answer {
            route: decision.name(),
            position: decision.position,
            ..rendered
        },
        Err(error) => Answer {
            failure: Some((decision.name(), error)),
            ..default_answer(table, asked)
        },
    }
}

/// Renders a reply under the name of `[default]`.
fn render<'t>(
    reply: &Reply,
    asked: &Asked<'_>,
    rows: &[BoundRow<'_>],
) -> Result<Answer<'t>, RenderError> {
    let scope = Scope {
        request: asked.request,
        url: asked.url,
        rows,
    };
    Ok(match reply {
        Reply::Ready { document, sends } => Answer {
            body: document.clone(),
            sends: *sends,
            ..silence()
        },
        Reply::Template(elements) => {
            let document = twiml::write(elements, &scope)?;
            Answer {
                body: document.bytes,
                sends: document.sends,
                cut_texts: document.cut_texts,
                ..silence()
            }
        }
        Reply::Session(session) => Answer {
            body: session.render(&scope)?,
            kind: AnswerKind::Session,
            ..silence()
        },
    })
}

fn guarded(verdict: GuardReason, answer: Answer<'_>) -> Answer<'_> {
    Answer {
        route: guard::LOOP_GUARD,
        guarded: Some(verdict),
        ..answer
    }
}

/// The empty document, which says and sends nothing.
fn silence<'t>() -> Answer<'t> {
    Answer {
        route: DEFAULT,
        position: None,
        body: Bytes::from_static(EMPTY_DOCUMENT.as_bytes()),
        kind: AnswerKind::Document,
        sends: Sends::Nothing,
        cut_texts: 0,
        failure: None,
        guarded: None,
    }
}

/// What `[default]` answers on the request's channel, whatever the routes say.
pub(crate) fn default_answer<'t>(table: &'t Table, asked: &Asked<'_>) -> Answer<'t> {
    let default = table.default_reply(asked.request.channel());
    // It has no templates, so writing it cannot fail.
    render(&default.reply, asked, &[]).unwrap_or_else(|_| silence())
}

/// The answer to a request that makes the core panic. It was written beforehand, so nothing is left to go wrong.
#[must_use]
pub fn last_resort<'t>(table: &Table, channel: Channel) -> Answer<'t> {
    Answer {
        body: table.default_reply(channel).plain.clone(),
        ..silence()
    }
}
