//! The table as a whole: what its parts use of each other.
//!
//! Every URL that leads to a step must find a route there, every step should be led to, and none in a circle. Every cell
//! of a column must fit where a reply puts it. What is never used is probably misspelt where it should be.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};
use toml::de::DeTable;

use super::attributes::UNUSUAL_VALUE;
use super::names::{ABSENT_PARAMETER, CellCheck, Fixed, Names, StepReference, Uses, VoiceCells};
use super::pairs::check_rows;
use super::rules::{VOICE_LANGUAGE, voice_mismatch};
use super::values::check_keys;
use super::{documents, shape};
use crate::table::diagnostic::{Check, Severity};
use crate::table::directory::{Directory, Row};
use crate::table::problems::{Problems, entries};
use crate::table::remedy::{Remedy, choice, did_you_mean};
use crate::twilio::channel::Channel;
use crate::twilio::parameters;
use crate::twilio::twiml_value::{ValueError, number_meant};

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
it empty: the attribute or element is left out, and so is a whole `Message` whose `to` is empty.",
    "number,phone
+15005550006,415 555 0101",
);

pub(super) static PRIVATE_COLUMN: Check = Check::new(
    "private-column",
    r#"A column that is dialled elsewhere is spoken or sent here, so a caller would learn somebody's real number. Take it
out, or declare that everybody may know it: `public = ["phone"]` in the directory."#,
    r#"voice = [ { Dial = "{{ sellers.phone }}" }, { Say = "Call {{ sellers.phone }}." } ]"#,
);

pub(super) fn check(names: &Names, problems: &mut Problems, file: &DeTable<'_>, uses: &Uses) {
    check_steps(problems, uses);
    check_columns(names, problems, uses);
    check_voices(names, problems, uses);
    documents::check(problems, uses);
    check_keys(names, problems, uses);
    check_rows(names, problems, uses);
    if !file.contains_key("default") {
        let help = "add [default] with voice = [ { Say = \"…\" } ]: what everybody else hears";
        let end = problems.file().text.len();
        let message = "the file has no [default]";
        problems.error(&MISSING_DEFAULT, end..end, message, help);
    }
    if file.keys().all(|key| shape::FILE.has(key.get_ref())) {
        // A section that could not be read may use what no other does.
        check_unused(names, problems, file, uses);
    }
}

/// Checks the steps that URLs lead to against those that routes answer.
fn check_steps(problems: &mut Problems, uses: &Uses) {
    let answered = uses.answered.iter().map(|(step, _)| step.as_str());
    let steps: BTreeSet<&str> = answered.collect();
    for reference in &uses.steps {
        let step = reference.step.as_str();
        if !reference.is_ours || step.is_empty() || steps.contains(step) {
            continue;
        }
        let otherwise = format!("add a route with step = \"{step}\"");
        let remedy = did_you_mean('"', step, steps.iter().copied(), otherwise);
        let message = format!("no route has step = \"{step}\"");
        let place = problems.within(&reference.span, &format!("step={step}"));
        problems.error(&UNKNOWN_STEP, place.last(step.len()), message, remedy);
    }
    let led_to = uses.steps.iter().map(|reference| reference.step.as_str());
    // A step that is led to, and later one that has been reported.
    let mut known: BTreeSet<&str> = led_to.collect();
    for (step, span) in &uses.answered {
        if !uses.leads_anywhere && known.insert(step) {
            let message = format!("no reply leads to the step \"{step}\"");
            let help = format!("write action = \"?step={step}\" where it begins");
            problems.warn(&UNREACHED_STEP, span, message, help);
        }
    }
    check_redirects(problems, &uses.steps);
    check_follow_ups(problems, uses);
}

/// Reports conditions in a step on parameters that no element which leads to the step brings along.
fn check_follow_ups(problems: &mut Problems, uses: &Uses) {
    if uses.leads_anywhere {
        return;
    }
    for follow_up in &uses.follow_ups {
        let Some(coming) = request_kinds(&uses.steps, &follow_up.step) else {
            continue;
        };
        if follow_up.kinds.iter().any(|kind| coming.contains(kind)) {
            continue;
        }
        let leading = uses.steps.iter();
        let leading = leading.filter(|reference| reference.step == follow_up.step);
        let elements: BTreeSet<&str> = leading.map(|reference| &*reference.element).collect();
        let elements: Vec<&str> = elements.into_iter().collect();
        let (parameter, step) = (&follow_up.parameter, &follow_up.step);
        let message = format!(
            "`{parameter}` does not come with a request of the step \"{step}\", to which only {} leads",
            choice(&elements)
        );
        let help = "test it in the step of the element that brings it";
        problems.warn(&ABSENT_PARAMETER, &follow_up.span, message, help);
    }
}

/// The kinds of requests that come to a step; `None` when they are not all known, or there are none.
fn request_kinds<'u>(references: &'u [StepReference], step: &'u str) -> Option<BTreeSet<&'u str>> {
    let mut kinds = BTreeSet::new();
    let mut seen = BTreeSet::from([step]);
    let mut open = vec![step];
    while let Some(step) = open.pop() {
        for reference in references.iter().filter(|reference| reference.step == step) {
            if reference.kinds.is_empty() {
                return None;
            }
            kinds.extend(&reference.kinds);
            // What has come with the request before may come again while a queue waits or a document goes on.
            if matches!(&*reference.element, "Redirect" | "Gather") {
                let from = reference.from.as_deref()?;
                if seen.insert(from) {
                    open.push(from);
                }
            }
        }
    }
    (!kinds.is_empty()).then_some(kinds)
}

/// The steps that only a `waitUrl` leads to: Twilio asks them for as long as somebody waits.
pub(super) fn waiting_steps(uses: &Uses) -> BTreeSet<Box<str>> {
    let waits = |reference: &&StepReference| {
        let mut kinds = reference.kinds.iter();
        !reference.kinds.is_empty() && kinds.all(|kind| parameters::is_for_waiting(kind))
    };
    let (waiting, others): (Vec<_>, Vec<_>) = uses.steps.iter().partition(waits);
    // A request without a step may be of any call.
    let only = waiting.into_iter().filter(|reference| {
        let mut elsewhere = others.iter().map(|other| &other.step);
        let is_known = !uses.leads_anywhere && !reference.step.is_empty();
        is_known && !elsewhere.any(|step| *step == reference.step)
    });
    only.map(|reference| reference.step.as_str().into())
        .collect()
}

/// Redirects from step to step that come back to where they began: the call goes round until Twilio ends it.
fn check_redirects(problems: &mut Problems, references: &[StepReference]) {
    // Who waits hears the same document over and over: that is how it is meant.
    let is_of_waiting = |step: &str| {
        let mut references = references.iter();
        references.any(|reference| {
            let mut kinds = reference.kinds.iter();
            reference.step == step && kinds.any(|kind| parameters::is_for_waiting(kind))
        })
    };
    let redirects = references
        .iter()
        .filter(|reference| reference.is_ours && reference.is_followed_at_once)
        .filter_map(|reference| Some((reference.from.as_deref()?, reference)))
        .filter(|(from, _)| !is_of_waiting(from));
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, reference) in redirects.clone() {
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
            let warning = problems.warn(&REDIRECT_LOOP, &reference.span, message, help);
            // Only texts have a limit.
            warning.error_number = (reference.channel == Channel::Message).then_some(14106);
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
                "`{name}.{title}` is dialled, so it is somebody's number, and here it is spoken or sent"
            );
            let help =
                format!("take it out, or write public = [\"{title}\"] in [directory.{name}]");
            problems.error(&PRIVATE_COLUMN, span, message, help);
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
        .filter_map(|(row, cell)| Some((row, cell, check.rule.check(cell).err()?)));
    for (row, cell, error) in bad {
        let place = file.place(row, check.column);
        if problems.has_reported(&BAD_CELL, &place.0, &place.1) {
            continue;
        }
        let trimmed = cell.trim();
        let meant = match error {
            ValueError::Number(_) => number_meant(cell).map(|(number, _)| number.to_string()),
            _ => check
                .rule
                .check(trimmed)
                .is_ok()
                .then(|| trimmed.to_owned()),
        };
        let remedy = match meant {
            Some(meant) => Remedy::word(format!("write \"{meant}\"; {help}"), meant),
            None => (&*help).into(),
        };
        let (severity, check, must) = if error.is_suspicion() {
            (Severity::Warning, &UNUSUAL_VALUE, "may not")
        } else {
            (Severity::Error, &BAD_CELL, "cannot")
        };
        let message = if trimmed == cell {
            format!("this cell {must} stand there: {error}")
        } else {
            "this cell begins or ends with a space".to_owned()
        };
        problems.add(severity, check, place, message, remedy);
    }
}

/// Checks that in every row a voice speaks the language that stands beside it.
fn check_voices(names: &Names, problems: &mut Problems, uses: &Uses) {
    // Each pair of columns once, and each pair of values, however many routes and rows have it.
    let mut seen = HashSet::new();
    let mut mismatches: HashMap<(&str, &str), Option<(String, String)>> = HashMap::new();
    for VoiceCells {
        voice,
        language,
        span,
    } in &uses.voices
    {
        if !seen.insert((voice, language)) {
            continue;
        }
        let ((Fixed::Column(name, column), Fixed::Literal(_)) | (_, Fixed::Column(name, column))) =
            (voice, language)
        else {
            continue;
        };
        let Some(Some(file)) = names.directories.get(name) else {
            continue;
        };
        let directory = &file.directory;
        let (line, _) = problems.file().position(span.start);
        let wrong = directory.cells(*column).filter_map(|(row, _)| {
            let pair = (
                in_row(voice, directory, row)?,
                in_row(language, directory, row)?,
            );
            // An empty cell leaves its attribute out.
            if pair.0.is_empty() || pair.1.is_empty() {
                return None;
            }
            let mismatch = mismatches.entry(pair);
            let mismatch = mismatch.or_insert_with(|| voice_mismatch(pair.0, pair.1));
            Some((row, mismatch.clone()?))
        });
        for (row, (message, help)) in wrong {
            let (file, place) = file.place(row, column + 1);
            if !problems.has_reported(&VOICE_LANGUAGE, &file, &place) {
                let help = format!("{help}; line {line} of the table uses both");
                problems.warn(&VOICE_LANGUAGE, (file, place), message, help);
            }
        }
    }
}

fn check_unused(names: &Names, problems: &mut Problems, file: &DeTable<'_>, uses: &Uses) {
    let directories = uses.directories.keys().cloned().collect();
    let sections = [
        ("directory", &directories),
        ("schedule", &uses.schedules),
        ("reply", &uses.replies),
    ];
    for (section, used) in sections {
        let table = file.get(section);
        let table = table.and_then(|table| table.get_ref().as_table());
        for (key, _) in table.map(entries).unwrap_or_default() {
            let name = key.get_ref().as_ref();
            if used.contains(name) {
                continue;
            }
            let (message, help) = match section {
                "directory" => (
                    format!("directory \"{name}\" is never used"),
                    format!(
                        "write when = {{ {} }}, or remove the section",
                        names.example_condition(name)
                    ),
                ),
                "schedule" => (
                    format!("schedule \"{name}\" is never used"),
                    format!("write during = \"{name}\" in a route, or remove the section"),
                ),
                // What is wrong with one that could not be read has been reported.
                _ if !matches!(names.replies.get(name), Some(Some(_))) => continue,
                _ => (
                    format!("reply \"{name}\" is never used"),
                    format!("write reply = \"{name}\" in a route, or remove the section"),
                ),
            };
            problems.warn(&UNUSED, key.span(), message, help);
        }
    }
}

/// What a voice or a language is in a row; `None` when another directory has it.
fn in_row<'c>(fixed: &'c Fixed, directory: &'c Directory, row: Row) -> Option<&'c str> {
    match fixed {
        Fixed::Literal(literal) => Some(literal),
        Fixed::Column(other, column) => {
            (other == directory.name()).then(|| directory.cell(row, *column))
        }
    }
}
