//! The table as a whole: what its parts use of each other.
//!
//! Every URL that leads to a step must find a route there, every step should be led to, and none in a circle. Every cell
//! of a column must fit where a reply puts it. What is never used is probably misspelt where it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::attributes::UNUSUAL_VALUE;
use super::names::Names;
use super::shape;
use super::uses::{CellCheck, StepReference, Uses};
use crate::table::diagnostic::Check;
use crate::table::problems::{Problems, Value, entries};
use crate::twilio::spelling::nearest;

pub(super) static MISSING_DEFAULT: Check = Check::absence(
    "missing-default",
    "The file has no `[default]`. There must always be an answer: Proxy has no second URL to ask. Write what callers hear
when no route answers.",
    r#"[default]
voice = [ { Say = "This number is not in use right now. Goodbye." } ]"#,
);

pub(super) static UNKNOWN_STEP: Check = Check::absence(
    "unknown-step",
    "A URL leads to a step that no route answers, so a call that gets there hears the default. Correct its name, or write a
route with that `step`.",
    r#"voice = [ { Gather = "", action = "?step=lost" } ]     # no route has step = "lost""#,
);

pub(super) static UNREACHED_STEP: Check = Check::absence(
    "unreached-step",
    "A route answers a step to which no reply leads. Its name may be misspelt in either place. If the URL is elsewhere,
such as in the settings of a number in Twilio's console, ignore this warning.",
    r#"step = "lsot"     # action = "?step=lost""#,
);

pub(super) static REDIRECT_LOOP: Check = Check::new(
    "redirect-loop",
    "Redirects that lead back to where they began. Twilio follows them at once, over and over, and the caller hears
nothing, or the same thing again and again. End one of them, or ask for a key before going round again.",
    r#"step = "a"
voice = [ { Redirect = "?step=a" } ]"#,
);

pub(super) static UNUSED: Check = Check::absence(
    "unused",
    "A directory, a schedule or a named reply that nothing refers to. Often the place that should refer to it names
something else. Use it, or take it out.",
    r#"[directory.rides]     # no condition has { in = "rides" }"#,
);

pub(super) static BAD_CELL: Check = Check::new(
    "bad-cell",
    "A cell of a directory cannot stand where a reply puts it: a malformed number, a URL without `https://`, a recording
track that TwiML does not know. Every row is checked, so that no caller meets the mistake first. Correct the cell, or leave
it empty: the attribute or element is left out.",
    "number,phone
+15005550006,415 555 0101",
);

pub(super) static PRIVATE_COLUMN: Check = Check::new(
    "private-column",
    r#"A column that is dialled elsewhere is spoken or sent here, so a caller would learn somebody's real number. Take it
out, or declare that everybody may know it: `public = ["phone"]` in the directory."#,
    r#"voice = [ { Dial = "{{ sellers.phone }}" }, { Say = "Call {{ sellers.phone }}." } ]"#,
);

/// The most cells of one column that are reported for one place: more of them are one mistake.
const MOST_BAD_CELLS: usize = 20;

/// Checks the whole; `steps` are those that routes answer, with their places.
pub(super) fn check(
    names: &Names,
    problems: &mut Problems,
    file: &DeTable<'_>,
    steps: &[(String, Range<usize>)],
    uses: &Uses,
) {
    check_steps(problems, steps, uses);
    check_columns(names, problems, uses);
    check_sections(names, problems, file, uses);
}

/// Checks the steps that URLs lead to against those that routes answer.
fn check_steps(problems: &mut Problems, answered: &[(String, Range<usize>)], uses: &Uses) {
    let steps: BTreeSet<&str> = answered.iter().map(|(step, _)| step.as_str()).collect();
    for reference in &uses.steps {
        let step = reference.step.as_str();
        if !reference.is_ours || step.is_empty() || steps.contains(step) {
            continue;
        }
        let help = match nearest(step, steps.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("add a route with step = \"{step}\""),
        };
        let message = format!("no route has step = \"{step}\"");
        problems.error(&UNKNOWN_STEP, reference.span.clone(), message, help);
    }
    let led_to: BTreeSet<&str> = uses
        .steps
        .iter()
        .map(|reference| reference.step.as_str())
        .collect();
    let mut reported: BTreeSet<&str> = BTreeSet::new();
    for (step, span) in answered {
        let is_led_to = led_to.contains(step.as_str()) || uses.leads_anywhere;
        if !is_led_to && reported.insert(step) {
            let message = format!("no reply leads to the step \"{step}\"");
            let help = format!("write action = \"?step={step}\" where it begins");
            problems.warn(&UNREACHED_STEP, span.clone(), message, help);
        }
    }
    check_redirects(problems, &uses.steps);
}

/// Redirects from step to step that come back to where they began: the call goes round until Twilio ends it.
fn check_redirects(problems: &mut Problems, references: &[StepReference]) {
    let redirects: Vec<(&str, &StepReference)> = references
        .iter()
        .filter(|reference| reference.is_ours && reference.is_redirect)
        .filter_map(|reference| Some((reference.from.as_deref()?, reference)))
        .collect();
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, reference) in &redirects {
        next.entry(from).or_default().insert(&reference.step);
    }
    let leads_back = |from: &str, to: &str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![to];
        while let Some(step) = open.pop() {
            if step == from {
                return true;
            }
            if seen.insert(step) {
                open.extend(next.get(step).into_iter().flatten());
            }
        }
        false
    };
    for (from, reference) in redirects {
        if leads_back(from, &reference.step) {
            let there = if reference.step.is_empty() {
                "requests without a step"
            } else {
                &reference.step
            };
            let message =
                format!("this Redirect leads to {there}, and from there Redirects lead back here");
            let help =
                "end one of them with what is said last, or ask for a key before going round again";
            problems
                .warn(&REDIRECT_LOOP, reference.span.clone(), message, help)
                .twilio(14106);
        }
    }
}

/// Checks every row's cell of the columns that are dialled, fetched or attributes, and that what is dialled is not told.
fn check_columns(names: &Names, problems: &mut Problems, uses: &Uses) {
    for check in &uses.cells {
        check_cells(names, problems, check);
    }
    for (name, column, span) in &uses.told {
        let Some(Some(file)) = names.directories.get(name) else {
            continue;
        };
        let title = &file.directory.columns()[*column];
        let is_dialled = uses.dialled.contains(&(name.clone(), *column));
        if is_dialled && !file.public.contains(title) {
            let message = format!(
                "`{name}.{title}` is dialled, so it is somebody's number, and here it is told"
            );
            let help =
                format!("take it out, or write public = [\"{title}\"] in [directory.{name}]");
            problems.error(&PRIVATE_COLUMN, span.clone(), message, help);
        }
    }
}

fn check_cells(names: &Names, problems: &mut Problems, check: &CellCheck) {
    let Some(Some(file)) = names.directories.get(&check.directory) else {
        return;
    };
    let title = &file.directory.columns()[check.column];
    let (line, _) = problems.file().position(check.span.start);
    let help = format!(
        "{} in line {line} of the table takes it from `{}.{title}`",
        check.place, check.directory
    );
    let bad = file
        .directory
        .cells(check.column)
        // An empty cell leaves its attribute or element out.
        .filter(|(_, cell)| check.is_required || !cell.is_empty())
        .filter_map(|(row, cell)| Some((row, check.rule.check(cell).err()?)));
    for (row, error) in bad.take(MOST_BAD_CELLS) {
        let (file, span) = file.place(row, check.column + 1);
        if error.is_suspicion() {
            let message = format!("this cell may not stand there: {error}");
            problems.warn_in(&file, &UNUSUAL_VALUE, span, message, help.clone());
        } else {
            let message = format!("this cell cannot stand there: {error}");
            problems.error_in(&file, &BAD_CELL, span, message, help.clone());
        }
    }
}

/// Reports a missing `[default]`, and the directories, schedules and replies that nothing uses.
fn check_sections(names: &Names, problems: &mut Problems, file: &DeTable<'_>, uses: &Uses) {
    let misspelt: Vec<&str> = file
        .keys()
        .map(|key| key.get_ref().as_ref())
        .filter(|key| !shape::FILE.has(key))
        .collect();
    let is_like_default = |key: &&str| nearest(key, ["default"]).is_some();
    if !file.contains_key("default") && !misspelt.iter().any(is_like_default) {
        let help = "add [default] with voice = [ { Say = \"…\" } ]: what everybody else hears";
        let end = problems.file().text.len();
        let message = "the file has no [default]";
        problems.error(&MISSING_DEFAULT, end..end, message, help);
    }
    if misspelt.is_empty() {
        // A section that could not be read may use what no other does.
        check_unused(names, problems, file, uses);
    }
}

fn check_unused(names: &Names, problems: &mut Problems, file: &DeTable<'_>, uses: &Uses) {
    for (name, span) in headers(file, "directory") {
        if !uses.directories.contains(name) {
            let message = format!("no condition looks into \"{name}\"");
            let help = format!(
                "write when = {{ Called = {{ in = \"{name}\" }} }}, or take the section out"
            );
            problems.warn(&UNUSED, span, message, help);
        }
    }
    for (name, span) in headers(file, "schedule") {
        if !uses.schedules.contains(name) {
            let message = format!("no route is open by \"{name}\"");
            let help = format!("write during = \"{name}\" in a route, or take the section out");
            problems.warn(&UNUSED, span, message, help);
        }
    }
    for (name, span) in headers(file, "reply") {
        let is_readable = names.replies.get(name).is_some_and(Option::is_some);
        if is_readable && !uses.replies.contains(name) {
            let message = format!("no route has reply = \"{name}\"");
            let help = "take the section out, or use it";
            problems.warn(&UNUSED, span, message, help);
        }
    }
}

/// The names below a section such as `[reply.NAME]`, with their places.
fn headers<'t>(file: &'t DeTable<'_>, section: &str) -> Vec<(&'t str, Range<usize>)> {
    let Some(DeValue::Table(table)) = file.get(section).map(Value::get_ref) else {
        return Vec::new();
    };
    entries(table)
        .into_iter()
        .map(|(key, _)| (key.get_ref().as_ref(), key.span()))
        .collect()
}
