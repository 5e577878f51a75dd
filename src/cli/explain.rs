//! `explain`: which route answers a request, why, and with what.

use std::borrow::Cow;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;

use super::{Format, Outcome, fields, output, table_file};
use crate::answer::{Answer, answer};
use crate::reply::template::Scope;
use crate::request::{Form, Request, Webhook, sample};
use crate::table::{DEFAULT, Miss, Route, Table};
use crate::twiml;

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
    /// Exit with 1 when another route than this one answers
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
    };
    let body = sample::filled(&given, sample::channel(&given, arguments.message));
    let query: Form = arguments
        .step
        .iter()
        .map(|step| ("step", step.as_str()))
        .collect();
    let request = Request::new(webhook, &body, &query);
    let url = format!("https://self.invalid/{}", webhook.as_str());
    let answer = answer(
        &table,
        &Scope {
            request: &request,
            url: &url,
        },
    );
    let considered = consider(&table, &request);
    match arguments.format {
        Format::Json => print_json(&request, &answer, &considered)?,
        Format::Human => print_human(&request, &answer, &considered),
    }
    Ok(Outcome::from(
        arguments
            .expect
            .as_deref()
            .is_none_or(|expected| expected == answer.route),
    ))
}

/// Every route up to the one that matches.
fn consider<'t>(table: &'t Table, request: &Request<'_>) -> Vec<Considered<'t>> {
    let mut considered = Vec::new();
    for (route, miss) in table.verdicts(request) {
        let reason = miss.map(|miss| reason(route, &miss, request));
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

fn reason(route: &Route, miss: &Miss<'_>, request: &Request<'_>) -> String {
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
        Miss::Condition(_) => {
            let failing: Vec<String> = route
                .failing(request)
                .map(|condition| {
                    let name = &condition.parameter;
                    let value = request.value(name);
                    let alias = request
                        .alias_used(name)
                        .map(|alias| format!(" (read from {alias})"));
                    let is = if value.is_empty() {
                        "absent".to_owned()
                    } else {
                        format!("{value:?}")
                    };
                    format!(
                        "{name} is {is}{}, wanted: {}",
                        alias.unwrap_or_default(),
                        condition.test
                    )
                })
                .collect();
            failing.join("; and ")
        }
    }
}

fn print_json(
    request: &Request<'_>,
    answer: &Answer<'_>,
    considered: &[Considered<'_>],
) -> Result<()> {
    let explanation = Explanation {
        channel: request.channel().as_str(),
        route: answer.route,
        document: String::from_utf8_lossy(&answer.document),
        considered,
    };
    output::print(&serde_json::to_string(&explanation).context("cannot write JSON")?);
    Ok(())
}

fn print_human(request: &Request<'_>, answer: &Answer<'_>, considered: &[Considered<'_>]) {
    let width = considered
        .iter()
        .map(|considered| considered.route.len())
        .max()
        .unwrap_or_default();
    for Considered { route, reason, .. } in considered {
        match reason {
            Some(reason) => output::print(&format!("no   {route:width$}  {reason}")),
            None => output::print(&format!("yes  {route}")),
        }
    }
    if answer.route == DEFAULT {
        match &answer.failure {
            Some((route, error)) => {
                output::print(&format!("     {route:width$}  cannot be written: {error}"));
            }
            None => output::print("yes  default"),
        }
    }
    if answer.cut_texts > 0 {
        let texts = output::counted(answer.cut_texts, "text");
        output::print(&format!("     {texts} cut at Twilio's limit"));
    }
    output::print(&format!(
        "\nroute {}, {}\n",
        answer.route,
        request.channel()
    ));
    output::print(&twiml::pretty(&answer.document));
}
