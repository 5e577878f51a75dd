//! The values of Twilio's parameters: which one never has, wherever it stands, and what was probably meant.
//!
//! One function, [`judge`], knows what a parameter's values look like, from `parameters.json`. A condition, an item of an array,
//! the key of a directory and the request of a test all ask it. A parameter of the operator's own may have any value.

mod number;
mod word;

use std::ops::Range;

use regex::Regex;

use super::directory_file::{DirectoryFile, NUMBER};
use super::names::{Names, Uses};
use crate::table::condition::like::Pattern;
use crate::table::diagnostic::{Check, Severity};
use crate::table::problems::{Place, Problems};
use crate::table::remedy::{Remedy, quoted};
use crate::twilio::characters::{first_odd, named, plain};
use crate::twilio::number::is_e164;
use crate::twilio::parameters::{self, ParameterKind};

pub(super) static BAD_NUMBER: Check = Check::new(
    "bad-number",
    "A number that Twilio never sends or cannot dial: spaces, dashes, letters or characters that cannot be seen in it, no `+`, a
`tel:` or an apostrophe before it, more than 15 digits, or what a spreadsheet makes of a number. Write it in E.164: `+` and
the country code first. A prefix begins with them, too. What only looks wrong is a warning: a network may send it.",
    r#"when = { Called = "+1 500 555 0006" }     # "+15005550006""#,
);

pub(super) static WRONG_CASE: Check = Check::new(
    "wrong-case",
    "A parameter or a word that is not in Twilio's letter case. Matching is exact, so it would never match. Write it as the
help line says.",
    r#"when = { sessionStatus = "Closed" }     # "closed""#,
);

pub(super) static UNKNOWN_VALUE: Check = Check::new(
    "unknown-value",
    r"A value that the parameter is not known to have: a session status, a direction, a country, a SID, a key of the telephone.
Twilio may send new words, so most of these are warnings; a country that is not two capital letters can never match and is
an error. In a string only `*` has a meaning: a regular expression is written `{ regex = '…' }`, and the star key of a
telephone `{ regex = '^\*$' }`.",
    r#"when = { CallerCountry = "Germany" }     # "DE""#,
);

/// The help for a number that cannot be read.
pub(super) const NUMBER_HELP: &str = "write the number as +15005550006, without spaces or dashes";

/// Where a value stands, and so what a `*` in it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In a condition: any run of characters.
    Condition,
    /// As the key of a directory: at its end, any run of characters.
    Key,
    /// In a request: the star key of a telephone.
    Request,
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Fault {
    check: &'static Check,
    severity: Severity,
    message: String,
    help: String,
    /// The value that was meant, where there is no doubt.
    meant: Option<String>,
    /// The condition that was meant, in TOML, where there is no doubt and no single value says it.
    condition: Option<String>,
}

impl Fault {
    fn error(check: &'static Check, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            check,
            severity: Severity::Error,
            message: message.into(),
            help: help.into(),
            meant: None,
            condition: None,
        }
    }

    fn warning(check: &'static Check, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(check, message, help)
        }
    }

    /// The same with the value that was meant.
    fn meant(mut self, value: impl Into<String>) -> Self {
        self.meant = Some(value.into());
        self
    }

    /// Adds it about a string of the table or a cell of another file.
    fn report(self, problems: &mut Problems, place: impl Into<Place>) {
        let remedy = match (self.condition, self.meant) {
            (Some(condition), _) => Remedy::source(self.help, condition),
            (None, Some(meant)) => Remedy::word(self.help, meant),
            (None, None) => self.help.into(),
        };
        problems.add(self.severity, self.check, place, self.message, remedy);
    }
}

/// What is wrong with a value that the parameter never has; `None` for one that it may have.
pub(super) fn judge(parameter: &str, text: &str, standing: Standing) -> Option<Fault> {
    if text.is_empty() {
        return None;
    }
    let known = parameters::get(parameter);
    let kind = known.kind;
    let is_free = matches!(kind, ParameterKind::Text | ParameterKind::Json);
    if is_regex(text, kind) && !(is_free && standing == Standing::Request) {
        return Some(regex_fault(text, standing));
    }
    let value = Value {
        parameter,
        text,
        standing,
    };
    match kind {
        ParameterKind::Number => number::fault(text, standing),
        ParameterKind::Text
        | ParameterKind::Json
        | ParameterKind::Address
        | ParameterKind::Version => None,
        _ => value.odd_fault().or_else(|| value.word_fault(known)),
    }
}

/// A value and where it stands.
struct Value<'v> {
    parameter: &'v str,
    text: &'v str,
    standing: Standing,
}

impl Value<'_> {
    /// The value as a pattern; `None` when it stands for itself alone.
    fn pattern(&self) -> Option<Pattern> {
        let has_meaning = self.standing != Standing::Request;
        has_meaning.then(|| Pattern::parse(self.text)).flatten()
    }

    /// Whether it is this word, or matches it.
    fn is(&self, word: &str) -> bool {
        match self.pattern() {
            Some(pattern) => pattern.matches(word),
            None => self.text == word,
        }
    }

    /// The parts of it that must stand in a value: what is between the `*` of a pattern.
    fn parts(&self) -> impl Iterator<Item = &str> {
        let is_pattern = self.standing != Standing::Request;
        self.text
            .split(move |character| is_pattern && character == '*')
    }

    /// What its value begins with.
    fn start(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    /// Blanks around it and characters that are not what they look like: a value of this kind has none.
    fn odd_fault(&self) -> Option<Fault> {
        let Self {
            parameter, text, ..
        } = self;
        let meant = plain(text).trim().to_owned();
        if meant == *text {
            return None;
        }
        let message = match first_odd(text) {
            Some(odd) => format!("`{parameter}` never contains {}", named(odd)),
            None => format!("`{parameter}` never begins or ends with a space"),
        };
        let mut fault = Fault::warning(&UNKNOWN_VALUE, message, format!("write \"{meant}\""));
        if parameters::get(parameter).kind == ParameterKind::Country {
            fault.severity = Severity::Error;
        }
        if meant.is_empty() {
            "for a parameter that is absent write \"\"".clone_into(&mut fault.help);
        } else if judge(parameter, &meant, self.standing).is_none() {
            fault = fault.meant(meant);
        }
        Some(fault)
    }
}

/// Whether a text is plainly a regular expression that was written as a string.
fn is_regex(text: &str, kind: ParameterKind) -> bool {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let has_class = has(&[
        r"\d", r"\w", r"\s", r"\b", "[0-9]", "[a-z", "[A-Z", "(?:", "(?i)",
    ]);
    let is_anchored = text.len() > 1 && (text.starts_with('^') || text.ends_with('$'));
    let has_operator = has(&["\\", ".*", ".+"]);
    match kind {
        // What people write may have any characters.
        ParameterKind::Text | ParameterKind::Json => {
            has_class || (text.starts_with('^') && (text.ends_with('$') || has_operator))
        }
        // Alternatives of keys are told in words of their own.
        ParameterKind::Keys => has_class || is_anchored || has_operator,
        _ => has_class || is_anchored || has_operator || text.contains('|'),
    }
}

fn regex_fault(text: &str, standing: Standing) -> Fault {
    let message =
        "this looks like a regular expression, but a string is compared letter for letter";
    let alternatives: Vec<String> = text.split('|').map(quoted).collect();
    let meant = if !text.contains(['^', '$', '\\', '(', '[', '.']) {
        Some(format!("[{}]", alternatives.join(", ")))
    } else if Regex::new(text).is_ok() {
        Some(format!("{{ regex = {} }}", quoted(text)))
    } else {
        None
    };
    let help = match standing {
        Standing::Condition => {
            format!("write {}", meant.as_deref().unwrap_or("{ regex = '…' }"))
        }
        Standing::Key => {
            "a key is a whole value, or its beginning and `*`; write regular expressions in a condition"
                .to_owned()
        }
        Standing::Request => "write a value as Twilio sends it".to_owned(),
    };
    let mut fault = Fault::warning(&UNKNOWN_VALUE, message, help);
    fault.condition = meant.filter(|_| standing == Standing::Condition);
    fault
}

/// Reports the string of a condition when the parameter never has such a value.
pub(super) fn check_condition(
    names: &Names,
    problems: &mut Problems,
    parameter: &str,
    text: &str,
    span: Range<usize>,
) {
    if let Some(fault) = names.judge(parameter, text, Standing::Condition) {
        fault.report(problems, span);
    }
}

/// Reports a value in the request of a test when Twilio never sends it. The test runs all the same.
pub(super) fn check_request(
    names: &Names,
    problems: &mut Problems,
    parameter: &str,
    text: &str,
    span: Range<usize>,
) {
    if let Some(mut fault) = names.judge(parameter, text, Standing::Request) {
        fault.severity = Severity::Warning;
        fault.report(problems, span);
    }
}

/// Reports the keys of directories that no lookup could find, because none of the parameters by which a directory is
/// looked up ever has such a value.
pub(super) fn check_keys(names: &Names, problems: &mut Problems, uses: &Uses) {
    for (name, directory) in &names.directories {
        let Some(file) = directory else {
            continue;
        };
        let key = file.directory.key_columns();
        for (position, column) in key.iter().enumerate() {
            let parameters: Vec<&str> = match uses.directories.get(name) {
                Some(lookups) => {
                    let lookups = lookups.iter().filter(|names| names.len() == key.len());
                    lookups.map(|names| &*names[position]).collect()
                }
                // The column `number` says what its cells are even when nothing looks into the directory.
                None if file.directory.columns()[*column] == NUMBER => vec!["Called"],
                None => continue,
            };
            check_keys_of(names, problems, file, *column, &parameters);
        }
    }
}

fn check_keys_of(
    names: &Names,
    problems: &mut Problems,
    file: &DirectoryFile,
    column: usize,
    parameters: &[&str],
) {
    let are_numbers = parameters.iter().all(|parameter| {
        parameters::is_number(parameter) && !names.own_parameters.contains(*parameter)
    });
    for (row, cell) in file.directory.cells(column) {
        // Most of a million keys are numbers as Twilio sends them.
        if are_numbers && is_e164(cell) {
            continue;
        }
        // A fault for every parameter by which the directory is looked up; the first is told.
        let judged = parameters
            .iter()
            .map(|parameter| names.judge(parameter, cell, Standing::Key));
        let faults: Option<Vec<Fault>> = judged.collect();
        let Some(fault) = faults.and_then(|faults| faults.into_iter().next()) else {
            continue;
        };
        fault.report(problems, file.place(row, column));
    }
}

impl Names {
    /// [`judge`], for a parameter that may be the operator's own.
    fn judge(&self, parameter: &str, text: &str, standing: Standing) -> Option<Fault> {
        let is_own = self.own_parameters.contains(parameter);
        (!is_own)
            .then(|| judge(parameter, text, standing))
            .flatten()
    }
}

/// What is wrong with a value that Twilio never sends as this parameter, and what to write; `None` for one that it may send,
/// and for a SID: people who type a request write short ones.
#[must_use]
pub fn never_sent(parameter: &str, value: &str) -> Option<String> {
    if parameters::get(parameter).kind == ParameterKind::Sid {
        return None;
    }
    let fault = judge(parameter, value, Standing::Request)?;
    Some(format!("{}; {}", fault.message, fault.help))
}
