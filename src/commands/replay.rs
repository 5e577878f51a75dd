//! `replay`: shows what the requests of a journal would get from another table.

mod counts;

use std::borrow::Cow;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use self::counts::Counts;
use super::load_table::{TableArgument, load_table};
use super::output::{self, shown};
use super::recorded_lines::recorded_lines;
use super::{Format, Outcome};
use crate::journal::judge::{Choice, Verdict, judge};
use crate::journal::line::{Line, Recorded};
use crate::twilio::facts::{Facts, Known};
use crate::twilio::request::Webhook;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read the requests from the journal in this folder
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    #[command(flatten)]
    table: TableArgument,
    /// Print as human, or as json with one object per line
    #[arg(long, value_enum, hide_possible_values = true, default_value = "human")]
    format: Format,
}

/// How many bytes of differences to buffer before writing them.
const HELD_BYTES: usize = 32 * 1024;

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let table = load_table(arguments.table.path(), arguments.table.option.limit)?.table;
    let (progress, entries) = recorded_lines(&arguments.journal)?;
    let mut counts = Counts::default();
    let mut held = String::new();
    for entry in entries {
        let entry = entry?;
        let Ok((line, moment)) = Line::with_moment(&entry.text) else {
            counts.add_unreadable(&entry);
            continue;
        };
        let recorded = Recorded::of(&line);
        let recorded = recorded.as_ref();
        let judged = recorded.and_then(|of| Some((of, judge(&table, of, moment)?)));
        match judged {
            None => counts.without_decision += 1,
            Some((_, Verdict::Same)) => counts.same += 1,
            Some((_, Verdict::CannotTell(doubt))) => counts.add_doubt(&doubt),
            Some((recorded, Verdict::Different { was, now })) => {
                counts.add_different(was, now);
                let difference = ReplayDifference::of(recorded, was, now);
                held += &match arguments.format {
                    Format::Json => output::json(&difference),
                    Format::Human => difference.text(was, now),
                };
                held.push('\n');
            }
        }
        if held.len() >= HELD_BYTES {
            progress.suspend(|| output::print(held.trim_end_matches('\n')));
            held.clear();
        }
    }
    progress.finish_and_clear();
    if !held.is_empty() {
        output::print(held.trim_end_matches('\n'));
    }
    match arguments.format {
        Format::Json => output::print(&output::json(&counts)),
        Format::Human => output::print(&counts.text()),
    }
    Ok(Outcome::from(counts.different == 0))
}

/// One request that the other table would answer differently, as `--format json` prints it.
#[derive(Serialize)]
struct ReplayDifference<'a> {
    time: &'a str,
    webhook: &'static str,
    channel: &'static str,
    sid: Option<&'a str>,
    /// The other party's number as recorded, usually masked.
    caller: Option<Cow<'a, str>>,
    withheld: Option<bool>,
    /// Our own number.
    number: Option<&'a str>,
    old: &'a str,
    new: &'a str,
    /// Whether the interaction was blocked, and whether it would be now; `None` for other requests.
    old_blocks: Option<bool>,
    new_blocks: Option<bool>,
}

impl<'a> ReplayDifference<'a> {
    fn of(request: &Recorded<'a>, was: Choice<'a>, now: Choice<'a>) -> Self {
        let line = request.line();
        let is_intercept = request.webhook() == Webhook::Intercept;
        let caller = if is_intercept {
            "inboundParticipantIdentifier"
        } else {
            "Caller"
        };
        let caller = match request.value(caller) {
            Known::Whole(number) => Some(number).filter(|number| !number.is_empty()),
            Known::Ends(ends) => ends.mask.map(Cow::Borrowed),
            Known::Present | Known::Nothing => None,
        };
        Self {
            time: &line.time,
            webhook: request.webhook().as_str(),
            channel: request.channel().as_str(),
            sid: line.sid.as_deref(),
            caller,
            withheld: line.withheld,
            number: line.number.as_deref(),
            old: was.name,
            new: now.name,
            old_blocks: is_intercept.then_some(was.blocks),
            new_blocks: is_intercept.then_some(now.blocks),
        }
    }

    /// A line for display.
    fn text(&self, was: Choice<'_>, now: Choice<'_>) -> String {
        let or_dash = |text: Option<&str>| shown(text.unwrap_or("-"));
        let caller = match self.withheld {
            Some(true) => "withheld".to_owned(),
            _ => or_dash(self.caller.as_deref()),
        };
        format!(
            "{}  {:34}  {caller:12}  {:12}  {} → {}",
            shown(self.time),
            or_dash(self.sid),
            or_dash(self.number),
            shown(&was.to_string()),
            shown(&now.to_string()),
        )
    }
}
