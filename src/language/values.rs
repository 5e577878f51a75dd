//! Values that one of Twilio's parameters never has, and what was probably meant.
//!
//! One function, [`judge`], knows from `parameters.json` what a parameter's values look like. It judges conditions,
//! items of arrays, keys of directories and requests in tests. A parameter that the operator added may have any value.

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
    "A number that Twilio never sends or cannot dial: it contains spaces, dashes, letters or invisible characters, has no `+`,
begins with `tel:` or an apostrophe, has more than 15 digits, or was mangled by a spreadsheet. Write it in E.164, with `+`
and the country code first. Prefixes begin with them, too. If a network might send such a number, this is a warning.",
    r#"when = { Called = "+1 500 555 0006" }     # "+15005550006""#,
);

pub(super) static WRONG_CASE: Check = Check::new(
    "wrong-case",
    "A parameter or a word that is not in Twilio's letter case. Matching is case-sensitive, so it would never match. Write it
as the help line says.",
    r#"when = { sessionStatus = "Closed" }     # "closed""#,
);

pub(super) static UNKNOWN_VALUE: Check = Check::new(
    "unknown-value",
    r"A value that the parameter is not known to have: a session status, a direction, a country, a SID, a key of a telephone.
Twilio may send new words, so most of these are warnings. A country that is not two capital letters can never match, so it
is an error. In a string, only `*` has a special meaning: write a regular expression as `{ regex = '…' }`, and the star key
of a telephone as `{ regex = '^\*$' }`.",
    r#"when = { CallerCountry = "Germany" }     # "DE""#,
);

/// The help for a malformed number.
pub(super) const NUMBER_HELP: &str = "write the number as +15005550006, without spaces or dashes";

/// Where a value is written, which decides what a `*` in it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In a condition: `*` matches any run of characters.
    Condition,
    /// As a directory's key: `*` at the end matches any run of characters.
    Key,
    /// In a request: `*` is the star key of a telephone.
    Request,
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Fault {
    check: &'static Check,
    severity: Severity,
    message: String,
    help: String,
    /// The value that was meant, when that is certain.
    meant: Option<String>,
    /// The condition that was meant, in TOML, when that is certain and a single value cannot express it.
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

    /// Adds the value that was meant.
    fn meant(mut self, value: impl Into<String>) -> Self {
        self.meant = Some(value.into());
        self
    }

    /// Reports the fault at a string in the table or a cell of another file.
    fn report(self, problems: &mut Problems, place: impl Into<Place>) {
        let remedy = match (self.condition, self.meant) {
            (Some(condition), _) => Remedy::source(self.help, condition),
            (None, Some(meant)) => Remedy::word(self.help, meant),
            (None, None) => self.help.into(),
        };
        problems.add(self.severity, self.check, place, self.message, remedy);
    }
}

/// What is wrong with a value that the parameter never has; `None` for a value that it may have.
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

/// A value and where it is written.
struct Value<'v> {
    parameter: &'v str,
    text: &'v str,
    standing: Standing,
}

impl Value<'_> {
    /// The value as a pattern; `None` when it is literal.
    fn pattern(&self) -> Option<Pattern> {
        let has_meaning = self.standing != Standing::Request;
        has_meaning.then(|| Pattern::parse(self.text)).flatten()
    }

    /// Whether the value equals or matches this word.
    fn is(&self, word: &str) -> bool {
        match self.pattern() {
            Some(pattern) => pattern.matches(word),
            None => self.text == word,
        }
    }

    /// The parts of it that a value must contain: what is between the `*` of a pattern.
    fn parts(&self) -> impl Iterator<Item = &str> {
        let is_pattern = self.standing != Standing::Request;
        self.text
            .split(move |character| is_pattern && character == '*')
    }

    /// The literal text at the beginning.
    fn start(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    /// The fault of whitespace around the value or lookalike characters in it, for a parameter that never has them.
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

/// Whether a string is clearly meant as a regular expression.
fn is_regex(text: &str, kind: ParameterKind) -> bool {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let has_class = has(&[
        r"\d", r"\w", r"\s", r"\b", "[0-9]", "[a-z", "[A-Z", "(?:", "(?i)",
    ]);
    let is_anchored = text.len() > 1 && (text.starts_with('^') || text.ends_with('$'));
    let has_operator = has(&["\\", ".*", ".+"]);
    match kind {
        // Texts that people write may contain any characters.
        ParameterKind::Text | ParameterKind::Json => {
            has_class || (text.starts_with('^') && (text.ends_with('$') || has_operator))
        }
        // Alternative keys have their own message.
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
            "a key is a complete value, or a prefix and `*`; write regular expressions in a condition"
                .to_owned()
        }
        Standing::Request => "write a value as Twilio sends it".to_owned(),
    };
    let mut fault = Fault::warning(&UNKNOWN_VALUE, message, help);
    fault.condition = meant.filter(|_| standing == Standing::Condition);
    fault
}

/// Reports a string in a condition on a parameter that never has such a value.
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

/// Reports a value in a test's request that Twilio never sends. The test still runs.
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

/// Reports keys that no lookup can find: none of the parameters looked up in the directory ever has such a value.
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
                // The column's name says that its cells are numbers, even in a directory that is never used.
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
        // A fast path: most of a million keys are E.164 numbers.
        if are_numbers && is_e164(cell) {
            continue;
        }
        // A fault for every parameter by which the directory is looked up; the first is reported.
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
    /// [`judge`], for a parameter that the operator may have added.
    fn judge(&self, parameter: &str, text: &str, standing: Standing) -> Option<Fault> {
        let is_own = self.own_parameters.contains(parameter);
        (!is_own)
            .then(|| judge(parameter, text, standing))
            .flatten()
    }
}

/// What is wrong with a value that Twilio never sends as this parameter, and what to write; `None` for a value that it
/// may send, and for any SID, because people who type a request shorten SIDs.
#[must_use]
pub fn never_sent(parameter: &str, value: &str) -> Option<String> {
    if parameters::get(parameter).kind == ParameterKind::Sid {
        return None;
    }
    let fault = judge(parameter, value, Standing::Request)?;
    Some(format!("{}; {}", fault.message, fault.help))
}
