//! `explain`: which route answers a request, or which intercept decides it, why, and with what.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;
use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

use super::load_table::{DirectoryLimit, load_table};
use super::request_fields::{RequestFields, moment, webhook_parser};
use super::{Format, Outcome, output};
use crate::table::answer::{Answer, AnswerKind, Asked, answer};
use crate::table::condition::{Condition, Subject};
use crate::table::guard::{Limits, LoopGuard};
use crate::table::intercept::{Intercept, PASS};
use crate::table::reply::Sends;
use crate::table::schedule::Schedule;
use crate::table::twiml;
use crate::table::when::{Mismatch, When};
use crate::table::{Miss, Table};
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Request, Webhook, sample};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The table
    #[arg(long, value_name = "FILE", default_value = "responses.toml")]
    config: PathBuf,
    /// Explain a text message instead of a call
    #[arg(long)]
    message: bool,
    /// Explain the request that comes back with this step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// out-of-session, webhook or intercept
    #[arg(
        long,
        value_parser = webhook_parser([Webhook::OutOfSession, Webhook::Plain, Webhook::Intercept]),
        hide_possible_values = true,
        default_value = "out-of-session"
    )]
    webhook: Webhook,
    /// Time of the request: 2026-12-24T12:00Z, or with a zone in brackets
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
    /// Exit with 1 unless this route answers; for an intercept: block or pass
    #[arg(long, value_name = "ROUTE")]
    expect: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    #[command(flatten)]
    limit: DirectoryLimit,
    #[command(flatten)]
    fields: RequestFields,
}

/// What `--format json` prints.
#[derive(Serialize)]
#[serde(untagged)]
enum Explanation<'t> {
    Route {
        channel: &'static str,
        route: &'t str,
        document: Cow<'t, str>,
        considered: Vec<Considered<'t>>,
    },
    Intercept {
        channel: &'static str,
        /// The intercept that decides; `None` if none matches, so that the interaction passes.
        intercept: Option<&'t str>,
        outcome: &'static str,
        considered: Vec<Considered<'t>>,
    },
}

/// A route or an intercept that was tried.
#[derive(Serialize)]
struct Considered<'t> {
    #[serde(flatten)]
    name: BTreeMap<&'static str, &'t str>,
    matched: bool,
    reason: Option<&'t str>,
}

/// The name of a route or an intercept, and why it does not match; `None` if it does.
type Tried<'t> = (&'t str, Option<String>);

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let given = arguments.fields.form()?;
    let table = load_table(&arguments.config, arguments.limit)?.table;
    let webhook = arguments.webhook;
    let channel = sample::channel(&given, webhook, arguments.message);
    let body = sample::filled(&given, channel, webhook);
    let step = arguments.step.iter();
    let query: Form = step.map(|step| ("step", step.as_str())).collect();
    let request = Request::new(webhook, &body, &query);
    let now = arguments.at.unwrap_or_else(Timestamp::now);
    let decision = if webhook == Webhook::Intercept {
        explain_intercept(arguments.format, &table, &request, now)
    } else {
        explain_route(arguments.format, &table, &request, now)
    };
    let expected = arguments.expect.as_deref();
    Ok(Outcome::from(
        expected.is_none_or(|expected| expected == decision),
    ))
}

/// Prints which route answers, and returns its name.
fn explain_route<'t>(
    format: Format,
    table: &'t Table,
    request: &Request<'_>,
    now: Timestamp,
) -> &'t str {
    let verdicts = table.verdicts(request, now).map(|(route, miss)| {
        let reason = miss.map(|miss| reason(&miss, &route.when, request, now));
        (&*route.name, reason)
    });
    let tried = up_to_match(verdicts);
    let asked = Asked {
        request,
        url: &format!("https://self.invalid/{}", request.webhook().as_str()),
        token: "",
        now,
    };
    let answer = answer(table, &LoopGuard::new(), &asked);
    match format {
        Format::Json => output::print(&output::json(&Explanation::Route {
            channel: request.channel().as_str(),
            route: answer.route,
            document: String::from_utf8_lossy(&answer.body),
            considered: considered("route", &tried),
        })),
        Format::Human => print_route(request, &answer, &tried, &table.limits),
    }
    answer.route
}

/// Prints whether an interaction is blocked and by which intercept, and returns `block` or `pass`.
fn explain_intercept(
    format: Format,
    table: &Table,
    request: &Request<'_>,
    now: Timestamp,
) -> &'static str {
    let verdicts = table.intercept_verdicts(request, now);
    let tried = up_to_match(verdicts.map(|(intercept, mismatch)| {
        let miss = mismatch.map(Miss::When);
        let reason = miss.map(|miss| reason(&miss, &intercept.when, request, now));
        (&*intercept.name, reason)
    }));
    let decides = table.intercept(request, now);
    let name = decides.map(|intercept| intercept.name.as_str());
    let outcome = decides.map_or(PASS, Intercept::outcome);
    let channel = request.channel().as_str();
    match format {
        Format::Json => output::print(&output::json(&Explanation::Intercept {
            channel,
            intercept: name,
            outcome,
            considered: considered("intercept", &tried),
        })),
        Format::Human => {
            print_tried(&tried, "no intercept matches, so it passes");
            let by = name.map_or("no intercept".to_owned(), |name| {
                format!("intercept {name}")
            });
            output::print(&format!("\n{outcome}: {by}, {channel}"));
        }
    }
    outcome
}

/// Verdicts in file order up to the first match.
fn up_to_match<'t>(verdicts: impl Iterator<Item = Tried<'t>>) -> Vec<Tried<'t>> {
    let mut is_found = false;
    verdicts
        .take_while(|(_, reason)| !mem::replace(&mut is_found, reason.is_none()))
        .collect()
}

fn considered<'t>(kind: &'static str, tried: &'t [Tried<'_>]) -> Vec<Considered<'t>> {
    let considered = tried.iter().map(|(name, reason)| Considered {
        name: BTreeMap::from([(kind, *name)]),
        matched: reason.is_none(),
        reason: reason.as_deref(),
    });
    considered.collect()
}

/// Why a route or an intercept does not match, with every condition of it that fails.
fn reason(miss: &Miss<'_>, when: &When, request: &Request<'_>, now: Timestamp) -> String {
    let at = request.step();
    match miss {
        Miss::Step(None) => {
            format!("the request is at step {at:?}, this route answers requests without a step")
        }
        Miss::Step(Some(step)) if at.is_empty() => format!("it answers step {step:?} only"),
        Miss::Step(Some(step)) => format!("it answers step {step:?}, the request is at {at:?}"),
        Miss::Silent(channel) => format!("it has no `{channel}`"),
        Miss::ProxyOnly => "it opens a session, which only Proxy's own webhook can do".to_owned(),
        Miss::When(Mismatch::Condition(_)) => {
            let failing = when.failing(request, now);
            let failing = failing.map(|condition| failure(condition, request));
            failing.collect::<Vec<_>>().join("; and ")
        }
        Miss::When(Mismatch::Closed(schedules)) => {
            let closed = schedules.iter().map(|of| clock("closed", of, now));
            closed.collect::<Vec<_>>().join(", ")
        }
        Miss::When(Mismatch::Open(schedule)) => clock("open", schedule, now),
    }
}

/// A condition that fails, with the value that it found.
fn failure(condition: &Condition, request: &Request<'_>) -> String {
    let Condition { subject, demand } = condition;
    let value = subject.value(request);
    let is = if value.is_empty() {
        "absent".to_owned()
    } else {
        format!("{value:?}")
    };
    let alias = match subject {
        Subject::Parameter(name) => request.alias_used(name),
        Subject::Column { .. } => None,
    };
    let alias = alias.map_or(String::new(), |alias| format!(" (read from {alias})"));
    format!("{subject} is {is}{alias}, expected {demand}")
}

/// Whether a schedule is open or closed, with the date and time in its zone.
fn clock(state: &str, schedule: &Schedule, now: Timestamp) -> String {
    let local = schedule.zone.to_datetime(now);
    let local = local.strftime("%a %Y-%m-%d %H:%M");
    format!("{:?} is {state} at {local}", schedule.name)
}

/// The two verdicts, green and faint on a terminal.
const YES: &str = "\u{1b}[32myes\u{1b}[0m";
const NO: &str = "\u{1b}[2mno\u{1b}[0m";

/// Prints a line for each route or intercept that was tried, and what happens if none matches; returns the width of the
/// names.
fn print_tried(tried: &[Tried<'_>], else_matches: &str) -> usize {
    let widths = tried.iter().map(|(name, _)| name.len());
    let width = widths.max().unwrap_or_default();
    for (name, reason) in tried {
        output::print_coloured(&match reason {
            Some(reason) => format!("{NO}   {name:width$}  {reason}"),
            None => format!("{YES}  {name}"),
        });
    }
    if tried.last().is_none_or(|(_, reason)| reason.is_some()) {
        output::print_coloured(&format!("{YES}  {else_matches}"));
    }
    width
}

fn print_route(request: &Request<'_>, answer: &Answer<'_>, tried: &[Tried<'_>], limits: &Limits) {
    let width = print_tried(tried, "default");
    let note = |note: String| output::print(&format!("     {:width$}  {note}", ""));
    if let Some((_, error)) = &answer.failure {
        note(format!(
            "its reply cannot be written, so default answers: {error}"
        ));
    }
    if let Some(verdict) = answer.guarded {
        note(format!("the guard answers instead: {verdict}"));
    } else if request.channel() == Channel::Message {
        let (most, what) = match answer.sends {
            Sends::Nothing => (0, ""),
            Sends::Reply => (limits.replies, "such answers"),
            Sends::Relay => (limits.relays, "relayed texts of these two numbers"),
        };
        if most > 0 {
            let seconds = limits.per_seconds;
            note(format!("the guard allows {most} {what} in {seconds} s"));
        }
    }
    if request.value("Caller").is_empty() {
        note("no Caller is given, so the caller counts as withheld".to_owned());
    }
    if answer.cut_texts > 0 {
        let texts = output::counted(answer.cut_texts as u64, "text");
        note(format!("{texts} cut at Twilio's limit"));
    }
    let (route, channel) = (answer.route, request.channel());
    output::print(&format!("\nroute {route}, {channel}\n"));
    output::print(&match answer.kind {
        AnswerKind::Document => twiml::pretty(&answer.body),
        AnswerKind::Session => String::from_utf8_lossy(&answer.body).into_owned(),
    });
}
