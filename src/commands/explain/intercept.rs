//! `explain --webhook intercept`: whether an interaction is blocked, and which intercept decides.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;

use super::{Arguments, YES, mismatched, print_considered};
use crate::commands::{Format, Outcome, output};
use crate::table::Table;
use crate::table::intercept::{Intercept, PASS};
use crate::twilio::request::Request;

/// What `--format json` prints.
#[derive(Serialize)]
struct Explanation<'t> {
    channel: &'static str,
    /// The intercept that decides; `None` when none does, and the interaction goes on.
    intercept: Option<&'t str>,
    outcome: &'static str,
    considered: &'t [Considered<'t>],
}

/// One intercept that was looked at.
#[derive(Serialize)]
struct Considered<'t> {
    intercept: &'t str,
    matched: bool,
    /// Why it does not decide; `None` when it does.
    reason: Option<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    table: &Table,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Outcome> {
    let mut considered = Vec::new();
    for (intercept, mismatch) in table.intercept_verdicts(request, now) {
        let reason = mismatch.map(|mismatch| mismatched(&mismatch, &intercept.when, request, now));
        let matched = reason.is_none();
        considered.push(Considered {
            intercept: &intercept.name,
            matched,
            reason,
        });
        if matched {
            break;
        }
    }
    let decides = table.intercept(request, now);
    let explanation = Explanation {
        channel: request.channel().as_str(),
        intercept: decides.map(|intercept| intercept.name.as_str()),
        outcome: decides.map_or(PASS, Intercept::outcome),
        considered: &considered,
    };
    match arguments.format {
        Format::Json => {
            output::print(&serde_json::to_string(&explanation).context("cannot write JSON")?);
        }
        Format::Human => print_human(&explanation),
    }
    Ok(Outcome::from(
        arguments
            .expect
            .as_deref()
            .is_none_or(|expected| expected == explanation.outcome),
    ))
}

fn print_human(explanation: &Explanation<'_>) {
    print_considered(
        explanation
            .considered
            .iter()
            .map(|considered| (considered.intercept, considered.reason.as_deref())),
    );
    let by = if let Some(name) = explanation.intercept {
        format!("intercept {name}")
    } else {
        output::print_coloured(&format!("{YES}  no intercept fits, so it goes on"));
        "no intercept".to_owned()
    };
    let Explanation {
        outcome, channel, ..
    } = explanation;
    output::print(&format!("\n{outcome}: {by}, {channel}"));
}
