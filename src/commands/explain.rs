//! `explain`: which route answers a request, or which intercept decides it, and why, and what the answer is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;

use super::load_table::{TableOption, load_table};
use super::output::counted;
use super::request_fields::{RequestFields, moment, warn_of_fields, webhook_parser};
use super::{Format, Outcome, output};
use crate::language::Compiled;
use crate::table::answer::{Answer, AnswerKind, Asked, answer};
use crate::table::guard::{Limits, LoopGuard};
use crate::table::intercept::{Intercept, PASS};
use crate::table::reason::reason;
use crate::table::reply::Sends;
use crate::table::{Miss, Table, twiml};
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Request, Webhook, sample};
use crate::twilio::spelling::nearest;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    table: TableOption,
    /// Explain a text message instead of a call
    #[arg(short, long)]
    message: bool,
    /// Explain the request that comes back with this step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Explain a request to this webhook: out-of-session, webhook or intercept
    #[arg(
        long,
        value_parser = webhook_parser([Webhook::OutOfSession, Webhook::Plain, Webhook::Intercept]),
        hide_possible_values = true,
        default_value = "out-of-session"
    )]
    webhook: Webhook,
    /// Answer at this time: 2026-12-24T12:00Z, or with a zone in brackets
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
    /// Exit with 1 unless this route answers; for an intercept: block or pass
    #[arg(long, value_name = "ROUTE")]
    expect: Option<String>,
    /// Explain the request of this test in the table; exit with 1 if the test fails
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["message", "step", "at", "expect", "form", "fields"]
    )]
    test: Option<String>,
    /// Also list routes of other steps and channels
    #[arg(long)]
    all: bool,
    /// Print as human or json
    #[arg(long, value_enum, hide_possible_values = true, default_value = "human")]
    format: Format,
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

/// A route or an intercept that was tried, in JSON.
#[derive(Serialize)]
struct Considered<'t> {
    #[serde(flatten)]
    name: BTreeMap<&'static str, &'t str>,
    matched: bool,
    reason: Option<&'t str>,
}

/// A route or an intercept that was tried.
struct Tried<'t> {
    name: &'t str,
    /// Why it does not match; `None` when it does.
    reason: Option<String>,
    /// Whether it is a route of another step or channel.
    is_elsewhere: bool,
}

/// A request to explain, and how.
struct Asking<'a> {
    arguments: &'a Arguments,
    table: &'a Table,
    request: Request<'a>,
    now: Timestamp,
    /// What should decide; verdicts are listed until it has had its own.
    expected: Option<&'a str>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let given = arguments.fields.form()?;
    let compiled = load_table(&arguments.table.table, arguments.table.limit)?;
    if let Some(name) = &arguments.test {
        return explain_test(arguments, &compiled, name);
    }
    warn_of_fields(&given, Some(&compiled.own_parameters));
    let webhook = arguments.webhook;
    let channel = sample::channel(&given, webhook, arguments.message);
    let body = sample::filled(&given, channel, webhook);
    let step = arguments.step.iter();
    let query: Form = step.map(|step| ("step", step.as_str())).collect();
    let expected = arguments.expect.as_deref();
    let asking = Asking {
        arguments,
        table: &compiled.table,
        request: Request::new(webhook, &body, &query),
        now: arguments.at.unwrap_or_else(Timestamp::now),
        expected: None,
    };
    let decision = asking.explain();
    Ok(Outcome::from(
        expected.is_none_or(|expected| expected == decision),
    ))
}

/// Explains the requests of a test, up to the first one that does not get what the test expects.
fn explain_test(arguments: &Arguments, compiled: &Compiled, name: &str) -> Result<Outcome> {
    let tests = compiled.tests();
    let test = tests.iter().find(|test| test.name == name);
    let test = test.with_context(|| {
        let near = nearest(name, tests.iter().map(|test| &*test.name));
        let near = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
        let table = arguments.table.table.display();
        format!("{table} has no test {name:?}{near}")
    })?;
    for (step, ran) in test.requests.iter().enumerate() {
        if step > 0 && arguments.format == Format::Human {
            output::print(&format!("\nstep {step}\n"));
        }
        let asking = Asking {
            arguments,
            table: &compiled.table,
            request: Request::new(ran.sent.webhook, &ran.sent.body, &ran.sent.query),
            now: test.now,
            expected: Some(&ran.expect),
        };
        asking.explain();
    }
    if let Some(last) = test.requests.last()
        && arguments.format == Format::Human
    {
        let expected = &last.expect;
        output::print(&if test.has_passed {
            format!("\nthe test passes: it expects {expected}")
        } else if last.decided_by == *expected {
            "\nthe test fails; `check` says why".to_owned()
        } else {
            format!("\nthe test fails: it expects {expected}")
        });
    }
    Ok(Outcome::from(test.has_passed))
}

impl Asking<'_> {
    /// Prints what decides and why, and returns its name: that of a route, or the outcome of an intercept.
    fn explain(&self) -> &str {
        if self.request.webhook() == Webhook::Intercept {
            self.explain_intercept()
        } else {
            self.explain_route()
        }
    }

    /// Prints which route answers, and returns its name.
    fn explain_route(&self) -> &str {
        let (request, now) = (&self.request, self.now);
        let verdicts = self.table.verdicts(request, now);
        let tried = self.tried(verdicts.map(|(route, miss)| Tried {
            name: &route.name,
            is_elsewhere: matches!(miss, Some(Miss::Step(_) | Miss::Silent(_))),
            reason: miss.map(|miss| reason(&miss, &route.when, request, now)),
        }));
        let asked = Asked {
            request,
            url: &format!("https://self.invalid/{}", request.webhook().as_str()),
            token: "",
            now,
        };
        let answer = answer(self.table, &LoopGuard::new(), &asked);
        match self.arguments.format {
            Format::Json => output::print(&output::json(&Explanation::Route {
                channel: request.channel().as_str(),
                route: answer.route,
                document: String::from_utf8_lossy(&answer.body),
                considered: considered("route", &tried),
            })),
            Format::Human => {
                let width = self.print_tried(&tried, "default");
                print_answer(request, &answer, width, &self.table.limits);
            }
        }
        answer.route
    }

    /// Prints whether an interaction is blocked and by which intercept, and returns `block` or `pass`.
    fn explain_intercept(&self) -> &'static str {
        let (request, now) = (&self.request, self.now);
        let verdicts = self.table.intercept_verdicts(request, now);
        let tried = self.tried(verdicts.map(|(intercept, mismatch)| Tried {
            name: &intercept.name,
            is_elsewhere: false,
            reason: mismatch.map(|miss| reason(&Miss::When(miss), &intercept.when, request, now)),
        }));
        let decides = self.table.intercept(request, now);
        let name = decides.map(|intercept| intercept.name.as_str());
        let outcome = decides.map_or(PASS, Intercept::outcome);
        let channel = request.channel().as_str();
        match self.arguments.format {
            Format::Json => output::print(&output::json(&Explanation::Intercept {
                channel,
                intercept: name,
                outcome,
                considered: considered("intercept", &tried),
            })),
            Format::Human => {
                self.print_tried(&tried, "no intercept matches, so it passes");
                let by = name.map_or("no intercept".to_owned(), |name| {
                    format!("intercept {name}")
                });
                output::print(&format!("\n{outcome}: {by}, {channel}"));
            }
        }
        outcome
    }

    /// Verdicts in file order up to the first match, but at least up to the expected route.
    fn tried<'t>(&self, verdicts: impl Iterator<Item = Tried<'t>>) -> Vec<Tried<'t>> {
        let routes = self.table.routes();
        let mut expected = self.expected.filter(|expected| {
            let mut names = routes.iter().map(|route| &*route.name);
            names.any(|name| name == *expected)
        });
        let mut is_found = false;
        let mut tried = Vec::new();
        for verdict in verdicts {
            if is_found && expected.is_none() {
                break;
            }
            is_found |= verdict.reason.is_none();
            expected = expected.filter(|expected| *expected != verdict.name);
            tried.push(verdict);
        }
        tried
    }

    /// Prints a line for each route or intercept that was tried, and what happens if none matches; returns the width of
    /// the names. Routes of other steps and channels share one line, unless `--all` or an expected route needs them
    /// all.
    fn print_tried(&self, tried: &[Tried<'_>], else_matches: &str) -> usize {
        let elsewhere = tried.iter().filter(|one| one.is_elsewhere).count();
        let folds = elsewhere > 1 && !self.arguments.all && self.expected.is_none();
        let shown = tried.iter().filter(|one| !folds || !one.is_elsewhere);
        let width = shown.clone().map(|one| one.name.len()).max();
        let width = width.unwrap_or_default();
        if folds {
            let routes = counted(elsewhere as u64, "route");
            let line = format!("{NO}   {routes} of other steps or channels; --all shows them");
            output::print_coloured(&line);
        }
        for Tried { name, reason, .. } in shown {
            output::print_coloured(&match reason {
                Some(reason) => format!("{NO}   {name:width$}  {}", output::shown(reason)),
                None => format!("{YES}  {name}"),
            });
        }
        if tried.iter().all(|one| one.reason.is_some()) {
            output::print_coloured(&format!("{YES}  {else_matches}"));
        }
        width
    }
}

fn considered<'t>(kind: &'static str, tried: &'t [Tried<'_>]) -> Vec<Considered<'t>> {
    let considered = tried.iter().map(|one| Considered {
        name: BTreeMap::from([(kind, one.name)]),
        matched: one.reason.is_none(),
        reason: one.reason.as_deref(),
    });
    considered.collect()
}

/// The two verdicts, green and faint on a terminal.
const YES: &str = "\u{1b}[32myes\u{1b}[0m";
const NO: &str = "\u{1b}[2mno\u{1b}[0m";

/// Prints notes about an answer, indented by `width`, and then which route answers and with what.
fn print_answer(request: &Request<'_>, answer: &Answer<'_>, width: usize, limits: &Limits) {
    let note = |note: String| output::print(&format!("     {:width$}  {note}", ""));
    if let Some((_, error)) = &answer.failure {
        note(format!(
            "its reply cannot be written, so the default answers: {error}"
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
        let texts = counted(answer.cut_texts as u64, "text");
        note(format!("{texts} cut at Twilio's limit"));
    }
    let (route, channel) = (answer.route, request.channel());
    output::print(&format!("\nroute {route}, {channel}\n"));
    output::print(&match answer.kind {
        AnswerKind::Document => twiml::pretty(&answer.body),
        AnswerKind::Session => String::from_utf8_lossy(&answer.body).into_owned(),
    });
}
