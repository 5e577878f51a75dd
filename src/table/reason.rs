//! Why a route or an intercept does not match a request, in words, for `explain` and for failing tests.

use jiff::Timestamp;

use super::Miss;
use super::condition::{Condition, Subject};
use super::schedule::Schedule;
use super::when::{Mismatch, When};
use crate::twilio::request::Request;

/// A miss in words, with every failing condition of `when`: the value found, and the value expected.
#[must_use]
pub fn reason(miss: &Miss<'_>, when: &When, request: &Request<'_>, now: Timestamp) -> String {
    let at = request.step();
    match miss {
        Miss::Step(None) => {
            format!("it answers requests without a step, and this one is at step {at:?}")
        }
        Miss::Step(Some(step)) if at.is_empty() => format!("it answers step {step:?} only"),
        Miss::Step(Some(step)) => format!("it answers step {step:?}, and the request is at {at:?}"),
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

/// A failing condition, with the value found.
fn failure(condition: &Condition, request: &Request<'_>) -> String {
    let Condition { subject, demand } = condition;
    let names = match subject {
        Subject::Parameters(names) => &names.0[..],
        Subject::Column { .. } => &[],
    };
    let mut aliases = names.iter().map(|name| request.alias_used(name));
    let values = subject.values(request).into_iter().map(|value| {
        let alias = aliases.next().flatten();
        let alias = alias.map_or(String::new(), |alias| format!(" (read from {alias})"));
        if value.is_empty() {
            format!("absent{alias}")
        } else {
            format!("{value:?}{alias}")
        }
    });
    let values: Vec<String> = values.collect();
    format!("{subject} is {}, expected {demand}", values.join(", "))
}

/// Whether a schedule is open or closed, with the date and time in its zone.
fn clock(state: &str, schedule: &Schedule, now: Timestamp) -> String {
    let local = schedule.zone.to_datetime(now);
    let local = local.strftime("%a %Y-%m-%d %H:%M");
    format!("{:?} is {state} at {local}", schedule.name)
}
