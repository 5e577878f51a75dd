//! `{ regex = '\d{7}' }`: a regular expression matches somewhere in the value.

use std::fmt;

use regex::{Error, Regex, RegexBuilder};
use serde_json::json;

use super::{Keyed, Kind, Reading, Seen, is_one};
use crate::table::condition::BAD_REGEX;
use crate::table::problems::{Key, Value};
use crate::twilio::facts::Known;

pub(super) static KEYED: Keyed = Keyed {
    key: "regex",
    suits: is_one,
    read,
    schema: || {
        json!({
            "description": "A regular expression, in the syntax of Rust's regex, that matches somewhere in the value.",
            "type": "string",
        })
    },
    check_cell: None,
    manual: "`regex = '…'` holds if the regular expression matches anywhere in the value. To match the whole value, write `^` and \
             `$`. The syntax is that of Rust's regex, which has no look-around or back-references and takes linear time. In \
             single quotes, TOML leaves backslashes alone.",
};

/// The limit that is tried first for the memory of an expression; each further one is twice as high.
const LEAST_BYTES: usize = 4 << 10;

/// The most bytes of memory for one expression.
const MOST_BYTES: usize = 1 << 20;

/// The most bytes for all of a table.
const MOST_BYTES_OF_ALL: usize = 64 << 20;

/// How to keep both.
const SMALLER: &str = r"write (?-u:\w) for \w, which then means the letters and digits of ASCII alone, and so for \d, \s and \b; or repeat less";

/// The regular expression matches somewhere in the value.
#[derive(Debug)]
struct Matches(Regex);

fn read(reading: &mut Reading<'_>, _: &Key<'_>, value: &Value<'_>) -> Option<Box<dyn Kind>> {
    let text = reading.problems.text(value, "a regular expression")?;
    let taken = &mut reading.problems.regex_bytes;
    // How much one takes is known only from a limit that it keeps.
    let mut limits = std::iter::successors(Some(LEAST_BYTES), |limit| Some(limit * 2));
    let mut limits = limits.by_ref().take_while(|limit| *limit <= MOST_BYTES);
    let built = limits.find_map(|limit| {
        let built = RegexBuilder::new(text)
            .case_insensitive(reading.comparison.folds())
            .size_limit(limit)
            .build();
        match built {
            Err(Error::CompiledTooBig(_)) => None,
            built => {
                *taken += limit;
                Some(built)
            }
        }
    });
    let (message, help) = match built {
        Some(Ok(regex)) if *taken <= MOST_BYTES_OF_ALL => return Some(Box::new(Matches(regex))),
        Some(Ok(_)) => (
            "all regular expressions of the table together take more than 64 MB of memory"
                .to_owned(),
            SMALLER,
        ),
        None => (
            "this regular expression takes more than 1 MB of memory".to_owned(),
            SMALLER,
        ),
        Some(Err(error)) => {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.trim_start_matches("error: ").trim_end_matches('.');
            (
                format!("this regular expression cannot be read: {reason}"),
                "the syntax is that of Rust's regex: no look-around, no back-references",
            )
        }
    };
    reading
        .problems
        .refuse(&BAD_REGEX, value.span(), message, help)
}

impl Kind for Matches {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        match seen.value() {
            Known::Whole(value) => Some(self.0.is_match(value)),
            _ => None,
        }
    }
}

impl fmt::Display for Matches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "regex {:?}", self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;
    use crate::table::diagnostic::File;
    use crate::table::problems::Problems;
    use crate::twilio::parameters::Comparison;

    #[test]
    fn all_expressions_of_a_table_have_a_bound_together() {
        let file = File::new("responses.toml", "regex = '^a'");
        let table = DeTable::parse(&file.text).expect("TOML");
        let (key, value) = table.get_ref().iter().next().expect("a key");
        let mut problems = Problems::new(&file);
        problems.regex_bytes = MOST_BYTES_OF_ALL - LEAST_BYTES;
        let mut is_taken = || {
            let mut reading = Reading {
                subject: "Body",
                comparison: Comparison::Exact,
                problems: &mut problems,
                directory: &mut |_, _, _| None,
            };
            read(&mut reading, key, value).is_some()
        };
        assert_eq!([is_taken(), is_taken()], [true, false]);
        let found = problems.into_sorted();
        let message =
            "all regular expressions of the table together take more than 64 MB of memory";
        assert_eq!(found[0].message, message);
    }
}
