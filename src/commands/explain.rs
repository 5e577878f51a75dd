//! `explain`: which route answers a request, why, and with what.

mod intercept;

use std::borrow::Cow;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use jiff::Timestamp;
use serde::Serialize;

use super::{Format, Outcome, fields, output, table_file};
use crate::table::answer::{Answer, Asked, Kind, answer};
use crate::table::condition::{Condition, Subject};
use crate::table::guard::{Guard, Limits};
use crate::table::schedule::{Schedule, parse_moment};
use crate::table::twiml;
use crate::table::when::{Mismatch, When};
use crate::table::{Miss, Table};
use crate::twilio::request::{Form, Request, Webhook, sample};
use crate::twilio::types::Channel;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The table
    #[arg(
        long,
        value_name = "FILE",
        default_value = "responses.toml",
        env = "TWIML_RESPONDER_CONFIG"
    )]
    config: PathBuf,
    /// Explain a text, not a call
    #[arg(long, env = "TWIML_RESPONDER_MESSAGE")]
    message: bool,
    /// The request comes back with this step
    #[arg(long, value_name = "STEP", env = "TWIML_RESPONDER_STEP")]
    step: Option<String>,
    /// Which webhook is asked
    #[arg(
        long,
        value_enum,
        default_value = "out-of-session",
        env = "TWIML_RESPONDER_WEBHOOK"
    )]
    webhook: WebhookArgument,
    /// The moment: 2026-12-24T12:00Z, or with a zone in brackets
    #[arg(long, value_name = "TIME", value_parser = moment, env = "TWIML_RESPONDER_AT")]
    at: Option<Timestamp>,
    /// Exit with 1 when another route than this one answers; of an intercept: block or pass
    #[arg(long, value_name = "ROUTE", env = "TWIML_RESPONDER_EXPECT")]
    expect: Option<String>,
    /// How to print
    #[arg(
        long,
        value_enum,
        default_value = "human",
        env = "TWIML_RESPONDER_FORMAT"
    )]
    format: Format,
    #[command(flatten)]
    fields: fields::Fields,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WebhookArgument {
    OutOfSession,
    Webhook,
    Intercept,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    parse_moment(text).ok_or_else(|| {
        "write it with its zone or offset: 2026-12-24T12:00[America/New_York]".to_owned()
    })
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Explanation<'t> {
    channel: &'static str,
    route: &'t str,
    document: Cow<'t, str>,
    considered: &'t [Considered<'t>],
}

/// One route that was looked at.
#[derive(Serialize)]
struct Considered<'t> {
    route: &'t str,
    matched: bool,
    /// Why it does not answer; `None` when it does.
    reason: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let given = arguments.fields.form()?;
    let table = table_file::compile(&arguments.config)?.table;
    let webhook = match arguments.webhook {
        WebhookArgument::OutOfSession => Webhook::OutOfSession,
        WebhookArgument::Webhook => Webhook::Webhook,
        WebhookArgument::Intercept => Webhook::Intercept,
    };
    let body = sample::filled(
        &given,
        sample::channel(&given, webhook, arguments.message),
        webhook,
    );
    let query: Form = arguments
        .step
        .iter()
        .map(|step| ("step", step.as_str()))
        .collect();
    let request = Request::new(webhook, &body, &query);
    let now = arguments.at.unwrap_or_else(Timestamp::now);
    if webhook == Webhook::Intercept {
        return intercept::run(arguments, &table, &request, now);
    }
    let url = format!("https://self.invalid/{}", webhook.as_str());
    let answer = answer(
        &table,
        &Guard::new(),
        &Asked {
            request: &request,
            url: &url,
            token: "",
            now,
        },
    );
    let considered = consider(&table, &request, now);
    match arguments.format {
        Format::Json => print_json(&request, &answer, &considered)?,
        Format::Human => print_human(&request, &answer, &considered, &table.limits),
    }
    Ok(Outcome::from(
        arguments
            .expect
            .as_deref()
            .is_none_or(|expected| expected == answer.route),
    ))
}

/// Every route up to the one that matches.
fn consider<'t>(table: &'t Table, request: &Request<'_>, now: Timestamp) -> Vec<Considered<'t>> {
    let mut considered = Vec::new();
    for (route, miss) in table.verdicts(request, now) {
        let reason = miss.map(|miss| reason(&miss, &route.when, request, now));
        let matched = reason.is_none();
        considered.push(Considered {
            route: &route.name,
            matched,
            reason,
        });
        if matched {
            break;
        }
    }
    considered
}

/// Why a route is passed over.
fn reason(miss: &Miss<'_>, when: &When, request: &Request<'_>, now: Timestamp) -> String {
    match miss {
        Miss::Step(None) => format!(
            "the request is at step {:?}, this route answers no step",
            request.step()
        ),
        Miss::Step(Some(step)) if request.step().is_empty() => {
            format!("it answers step {step:?} only")
        }
        Miss::Step(Some(step)) => format!(
            "it answers step {step:?}, the request is at {:?}",
            request.step()
        ),
        Miss::Silent(channel) => format!("it has no `{channel}`"),
        Miss::ProxyOnly => "it opens a session, which only Proxy's own webhook can".to_owned(),
        Miss::When(mismatch) => mismatched(mismatch, when, request, now),
    }
}

/// Why the `when` of a route or an intercept does not fit; of conditions all those that fail are told.
fn mismatched(
    mismatch: &Mismatch<'_>,
    when: &When,
    request: &Request<'_>,
    now: Timestamp,
) -> String {
    match mismatch {
        Mismatch::Condition(_) => {
            let failing: Vec<String> = when
                .failing(request, now)
                .map(|condition| failure(condition, request))
                .collect();
            failing.join("; and ")
        }
        Mismatch::Closed(schedules) => {
            let closed: Vec<String> = schedules
                .iter()
                .map(|schedule| {
                    format!("{:?} is closed at {}", schedule.name, clock(schedule, now))
                })
                .collect();
            closed.join(", ")
        }
        Mismatch::Open(schedule) => {
            format!("{:?} is open at {}", schedule.name, clock(schedule, now))
        }
    }
}

/// A condition that does not hold, with the value that it found.
fn failure(condition: &Condition, request: &Request<'_>) -> String {
    let value = condition.subject.value(request);
    let alias = match &condition.subject {
        Subject::Parameter(name) => request
            .alias_used(name)
            .map(|alias| format!(" (read from {alias})")),
        Subject::Column { .. } => None,
    };
    let is = if value.is_empty() {
        "absent".to_owned()
    } else {
        format!("{value:?}")
    };
    format!(
        "{} is {is}{}, wanted: {}",
        condition.subject,
        alias.unwrap_or_default(),
        condition.demand
    )
}

/// What a schedule's wall clock shows.
fn clock(schedule: &Schedule, now: Timestamp) -> String {
    schedule
        .zone
        .to_datetime(now)
        .strftime("%a %Y-%m-%d %H:%M")
        .to_string()
}

fn print_json(
    request: &Request<'_>,
    answer: &Answer<'_>,
    considered: &[Considered<'_>],
) -> Result<()> {
    let explanation = Explanation {
        channel: request.channel().as_str(),
        route: answer.route,
        document: String::from_utf8_lossy(&answer.body),
        considered,
    };
    output::print(&serde_json::to_string(&explanation).context("cannot write JSON")?);
    Ok(())
}

/// The two verdicts, green and faint on a terminal.
const YES: &str = "\u{1b}[32myes\u{1b}[0m";
const NO: &str = "\u{1b}[2mno\u{1b}[0m";

/// Prints what was looked at, each with why it does not fit; returns the width of the names.
fn print_considered<'c>(
    considered: impl Iterator<Item = (&'c str, Option<&'c str>)> + Clone,
) -> usize {
    let width = considered
        .clone()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for (name, reason) in considered {
        match reason {
            Some(reason) => output::print_coloured(&format!("{NO}   {name:width$}  {reason}")),
            None => output::print_coloured(&format!("{YES}  {name}")),
        }
    }
    width
}

fn print_human(
    request: &Request<'_>,
    answer: &Answer<'_>,
    considered: &[Considered<'_>],
    limits: &Limits,
) {
    let width = print_considered(
        considered
            .iter()
            .map(|considered| (considered.route, considered.reason.as_deref())),
    );
    if considered.last().is_none_or(|last| !last.matched) {
        output::print_coloured(&format!("{YES}  default"));
    }
    let note = |note: String| output::print(&format!("     {:width$}  {note}", ""));
    if let Some((_, error)) = &answer.failure {
        note(format!(
            "its reply cannot be written, so default answers: {error}"
        ));
    }
    match answer.guarded {
        Some(verdict) => note(format!("the guard answers instead: {verdict}")),
        None if request.channel() == Channel::Message && answer.sends && limits.replies > 0 => {
            note(format!(
                "the guard lets {} such answers in {} s through",
                limits.replies, limits.per_seconds
            ));
        }
        None => {}
    }
    if request.value("Caller").is_empty() {
        note("no Caller is given, so the caller counts as withheld".to_owned());
    }
    if answer.cut_texts > 0 {
        note(format!(
            "{} cut at Twilio's limit",
            output::counted(answer.cut_texts, "text")
        ));
    }
    output::print(&format!(
        "\nroute {}, {}\n",
        answer.route,
        request.channel()
    ));
    output::print(&match answer.kind {
        Kind::Document => twiml::pretty(&answer.body),
        Kind::Session => String::from_utf8_lossy(&answer.body).into_owned(),
    });
}
