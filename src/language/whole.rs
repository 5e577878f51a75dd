//! Checks of the table as a whole: what its parts use of each other.
//!
//! Every step in a URL must have a route, every step should be reachable, and redirects must not go in circles. Every
//! cell of a column must fit where a reply puts it. A name that is never used is probably misspelt where it should be.

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
    "Redirects that lead back to where they began. Twilio follows them at once, again and again, and the caller hears
nothing, or the same words over and over. End one of them, or wait for a key before you repeat it.",
    r#"step = "a"
voice = [ { Redirect = "?step=a" } ]"#,
);

pub(super) static UNUSED: Check = Check::absence(
    "unused",
    "A directory, a schedule or a named reply that nothing refers to. Often the place that should refer to it names
something else. Use it, or remove it.",
    r#"[directory.rides]     # no condition has { in = "rides" }"#,
);

pub(super) static BAD_CELL: Check = Check::new(
    "bad-cell",
    "A directory cell that does not fit where a reply uses it: a malformed number, a URL without `https://`, a recording
track that TwiML does not know. Every row is checked, so that callers never meet the mistake first. Correct the cell, or
leave it empty: the attribute or element is then left out, and so is a whole `Message` whose `to` is empty.",
    "number,phone
+15005550006,415 555 0101",
);

pub(super) static PRIVATE_COLUMN: Check = Check::new(
    "private-column",
    r#"A column that is dialled elsewhere is spoken or sent here, so a caller would learn somebody's real number. Remove it,
or declare that anyone may know it: `public = ["phone"]` in the directory."#,
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
        let help = "add [default] with voice = [ { Say = \"…\" } ]: what callers hear when no route matches";
        let end = problems.file().text.len();
        let message = "the file has no [default]";
        problems.error(&MISSING_DEFAULT, end..end, message, help);
    }
    if file.keys().all(|key| shape::FILE.has(key.get_ref())) {
        // A section that could not be read may use names that no other section does.
        check_unused(names, problems, file, uses);
    }
}

/// Compares the steps that URLs lead to with the steps that routes answer.
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
    // Steps that a URL leads to, and later also steps that have been reported.
    let mut known: BTreeSet<&str> = led_to.collect();
    for (step, span) in &uses.answered {
        if !uses.leads_anywhere && known.insert(step) {
            let message = format!("no reply leads to the step \"{step}\"");
            let help = format!("write action = \"?step={step}\" where it should begin");
            problems.warn(&UNREACHED_STEP, span, message, help);
        }
    }
    check_redirects(problems, &uses.steps);
    check_follow_ups(problems, uses);
}

/// Reports conditions in a step on parameters that do not come from any element leading to the step.
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
            "requests of the step \"{step}\", to which only {} leads, never have `{parameter}`",
            choice(&elements)
        );
        let help = "test it in the step of the element that sends it";
        problems.warn(&ABSENT_PARAMETER, &follow_up.span, message, help);
    }
}

/// The kinds of requests that come to a step; `None` when some kind is unknown or none comes.
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
            // Parameters of the previous request may come again while a queue waits or a document continues.
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

/// The steps to which only a `waitUrl` leads. Twilio requests them again for as long as the caller waits.
pub(super) fn waiting_steps(uses: &Uses) -> BTreeSet<Box<str>> {
    let waits = |reference: &&StepReference| {
        let mut kinds = reference.kinds.iter();
        !reference.kinds.is_empty() && kinds.all(|kind| parameters::is_for_waiting(kind))
    };
    let (waiting, others): (Vec<_>, Vec<_>) = uses.steps.iter().partition(waits);
    // A request without a step may come from any call.
    let only = waiting.into_iter().filter(|reference| {
        let mut elsewhere = others.iter().map(|other| &other.step);
        let is_known = !uses.leads_anywhere && !reference.step.is_empty();
        is_known && !elsewhere.any(|step| *step == reference.step)
    });
    only.map(|reference| reference.step.as_str().into())
        .collect()
}

/// Reports Redirects from step to step that lead back to where they began: the call loops until Twilio ends it.
fn check_redirects(problems: &mut Problems, references: &[StepReference]) {
    // Waiting callers are meant to hear the same document repeatedly.
    let of_waiting = references.iter().filter(|reference| {
        let mut kinds = reference.kinds.iter();
        kinds.any(|kind| parameters::is_for_waiting(kind))
    });
    let of_waiting: HashSet<&str> = of_waiting.map(|reference| &*reference.step).collect();
    let redirects = references
        .iter()
        .filter(|reference| reference.is_ours && reference.is_followed_at_once)
        .filter_map(|reference| Some((reference.from.as_deref()?, reference)))
        .filter(|(from, _)| !of_waiting.contains(from));
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, reference) in redirects.clone() {
        next.entry(from).or_default().insert(&reference.step);
    }
    let circles = circles(&next);
    for (from, reference) in redirects {
        if circles.get(from) == circles.get(&*reference.step) {
            let there = if reference.step.is_empty() {
                "requests without a step"
            } else {
                &reference.step
            };
            let message =
                format!("this Redirect leads to {there}, and from there Redirects lead back here");
            let help = "end one of them after what it says, or wait for a key before you repeat it";
            let warning = problems.warn(&REDIRECT_LOOP, &reference.span, message, help);
            // Twilio limits redirects only for texts.
            warning.error_number = (reference.channel == Channel::Message).then_some(14106);
        }
    }
}

/// The circle of each step: two steps are in the same one when each leads to the other. It goes by the name of one of its steps.
///
/// Each step is looked at a few times, however many there are (Kosaraju's algorithm).
fn circles<'s>(next: &BTreeMap<&'s str, BTreeSet<&'s str>>) -> HashMap<&'s str, &'s str> {
    let mut before: HashMap<&str, Vec<&str>> = HashMap::new();
    // Every step after all to which it leads, but for those that lead back to it.
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    for start in next.keys() {
        let mut open = vec![(*start, false)];
        while let Some((step, is_done)) = open.pop() {
            if is_done {
                order.push(step);
            } else if seen.insert(step) {
                open.push((step, true));
                for to in next.get(step).into_iter().flatten() {
                    before.entry(to).or_default().push(step);
                    open.push((to, false));
                }
            }
        }
    }
    let mut circles = HashMap::new();
    for first in order.into_iter().rev() {
        let mut open = vec![first];
        while let Some(step) = open.pop() {
            if !circles.contains_key(step) {
                circles.insert(step, first);
                open.extend(before.get(step).into_iter().flatten());
            }
        }
    }
    circles
}

/// Checks every row's cell of the columns that are dialled, fetched or attributes, and that what is dialled is not revealed.
fn check_columns(names: &Names, problems: &mut Problems, uses: &Uses) {
    for check in &uses.cells {
        check_cells(names, problems, check);
    }
    for (name, column, span) in &uses.told {
        let Some(Some(file)) = names.directories.get(name) else {
            continue;
        };
        let title = &file.directory.columns()[*column];
        // Another directory may read the same column of the same file.
        let is_dialled = uses.dialled.iter().any(|(dialled, at)| {
            let other = names.directories.get(dialled).and_then(Option::as_ref);
            (dialled, at) == (name, column)
                || other.is_some_and(|other| {
                    other.has_source_of(file) && other.directory.columns()[*at] == *title
                })
        });
        if is_dialled && !file.public.contains(title) {
            let message = format!(
                "`{name}.{title}` is dialled, so it is somebody's real number, and here others would hear, read or see it"
            );
            let help = format!("remove it, or write public = [\"{title}\"] in [directory.{name}]");
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
        "{} in line {line} of the table uses it as `{}.{title}`",
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
            (Severity::Warning, &UNUSUAL_VALUE, "should not")
        } else {
            (Severity::Error, &BAD_CELL, "cannot")
        };
        let message = if trimmed == cell {
            format!("this cell {must} be used there: {error}")
        } else {
            "this cell begins or ends with a space".to_owned()
        };
        problems.add(severity, check, place, message, remedy);
    }
}

/// Checks that in every row the voice speaks the row's language.
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
                // If the reply could not be read, that has already been reported.
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

/// The value of a voice or a language in a row; `None` when it comes from another directory.
fn in_row<'c>(fixed: &'c Fixed, directory: &'c Directory, row: Row) -> Option<&'c str> {
    match fixed {
        Fixed::Literal(literal) => Some(literal),
        Fixed::Column(other, column) => {
            (other == directory.name()).then(|| directory.cell(row, *column))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_lead_to_each_other_are_in_one_circle_however_many_they_are() {
        const HALF: usize = 20_000;
        let names: Vec<String> = (0..2 * HALF).map(|step| step.to_string()).collect();
        // The first half is a circle that a chain leaves.
        let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for pair in names.windows(2) {
            next.entry(&pair[0]).or_default().insert(&pair[1]);
        }
        next.entry(&names[HALF - 1]).or_default().insert(&names[0]);
        let circles = circles(&next);
        let of = |step: usize| circles[&*names[step]];
        assert!((1..HALF).all(|step| of(step) == of(0)));
        let chain: BTreeSet<&str> = (HALF..2 * HALF).map(of).collect();
        assert_eq!(chain.len(), HALF);
        assert!(!chain.contains(of(0)));
    }
}
