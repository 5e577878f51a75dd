//! `when`: from TOML to conditions.

use std::ops::Range;

use regex::RegexBuilder;
use toml::de::{DeTable, DeValue};

use super::parameters::{self, NameProblem};
use super::problems::{Key, Value, entries, listed};
use super::{Compiler, ROUTE_KEYS};
use crate::diagnostic::{Code, nearest};
use crate::table::pattern::Pattern;
use crate::table::{Condition, Test, folded};
use crate::types::E164;

/// The keys of a condition that is a table.
const CONDITION_KEYS: [&str; 5] = ["in", "not", "present", "regex", "withheld"];

impl Compiler<'_> {
    /// The tables of a `when`, any of which must hold; none means always.
    pub(super) fn alternatives(&mut self, when: &Value<'_>, in_step: bool) -> Vec<Vec<Condition>> {
        let tables: Vec<&DeTable<'_>> = match when.get_ref() {
            DeValue::Table(table) => vec![table],
            DeValue::Array(array) if array.is_empty() => {
                let help = "leave `when` out to answer always";
                self.problems.error(
                    Code::BadCondition,
                    when.span(),
                    "`when` names no table",
                    help,
                );
                return Vec::new();
            }
            DeValue::Array(array) => array
                .iter()
                .filter_map(|value| self.problems.table(value, "a table of conditions"))
                .collect(),
            _ => {
                self.problems.wrong_type(
                    when,
                    "a table of conditions",
                    "write when = { Called = \"+15005550006\" }",
                );
                return Vec::new();
            }
        };
        tables
            .into_iter()
            .map(|table| self.conditions(table, in_step))
            .collect()
    }

    fn conditions(&mut self, table: &DeTable<'_>, in_step: bool) -> Vec<Condition> {
        entries(table)
            .into_iter()
            .filter_map(|(key, value)| self.condition(key, value, in_step))
            .collect()
    }

    fn condition(&mut self, key: &Key<'_>, value: &Value<'_>, in_step: bool) -> Option<Condition> {
        let parameter = key.get_ref().as_ref();
        if ROUTE_KEYS.contains(&parameter) {
            let message = format!("`{parameter}` belongs to the route, not to its `when`");
            let help = "move it above the line [route.when], or write when = { … } on one line";
            self.problems
                .error(Code::MisplacedKey, key.span(), message, help);
            return None;
        }
        self.check_parameter(parameter, &key.span());
        if in_step && parameters::is_of_session(parameter) {
            let message =
                format!("`{parameter}` is absent from every request that comes back with a step");
            let help =
                "test it in the route that leads here, and give each outcome a step of its own";
            self.problems
                .warn(Code::SessionInStep, key.span(), message, help);
        }
        let test = self.test(parameter, value)?;
        Some(Condition {
            parameter: parameter.to_owned(),
            test,
        })
    }

    /// Reports a parameter that no webhook sends, or that is spelt in another letter case.
    pub(super) fn check_parameter(&mut self, name: &str, span: &Range<usize>) {
        if self.own_parameters.contains(name) {
            return;
        }
        match parameters::check_name(name) {
            None => {}
            Some(NameProblem::Case(known)) => {
                let message = format!(
                    "Twilio spells `{name}` as `{known}`; in another letter case it never matches"
                );
                self.problems.error(
                    Code::WrongCase,
                    span.clone(),
                    message,
                    format!("write `{known}`"),
                );
            }
            Some(NameProblem::Unknown(near)) => {
                let own = self.own_parameters.iter().map(String::as_str);
                let help = match near.or_else(|| nearest(name, own)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "if it is a query field of your own, add it: parameters = [\"{name}\"]"
                    ),
                };
                let message = format!("no webhook of Twilio's sends `{name}`");
                self.problems
                    .warn(Code::UnknownParameter, span.clone(), message, help);
            }
        }
    }

    fn test(&mut self, parameter: &str, value: &Value<'_>) -> Option<Test> {
        match value.get_ref() {
            DeValue::String(text) => Some(self.text_test(parameter, text, value.span())),
            DeValue::Array(array) if array.is_empty() => {
                let help = "name at least one value, or leave the condition out";
                self.problems.error(
                    Code::BadCondition,
                    value.span(),
                    "no value is in an empty array",
                    help,
                );
                None
            }
            DeValue::Array(array) => {
                let tests: Vec<Test> = array
                    .iter()
                    .filter_map(|value| self.test(parameter, value))
                    .collect();
                Some(Test::AnyOf(tests))
            }
            DeValue::Table(table) => self.table_test(parameter, table, value.span()),
            DeValue::Integer(number) => {
                let help = format!("parameters are texts: write \"{}\"", number.as_str());
                self.problems
                    .wrong_type(value, "a text, an array or a table", help);
                None
            }
            _ => {
                let help = format!(
                    "write {parameter} = \"…\", an array of texts, or a table such as {{ not = \"…\" }}"
                );
                self.problems
                    .wrong_type(value, "a text, an array or a table", help);
                None
            }
        }
    }

    fn text_test(&mut self, parameter: &str, text: &str, span: Range<usize>) -> Test {
        self.check_value(parameter, text, span);
        let text = if Condition::folds(parameter) {
            folded(text)
        } else {
            text.to_owned()
        };
        match Pattern::parse(&text) {
            Some(pattern) => Test::Like(pattern),
            None => Test::Exactly(text),
        }
    }

    fn table_test(
        &mut self,
        parameter: &str,
        table: &DeTable<'_>,
        span: Range<usize>,
    ) -> Option<Test> {
        let mut tests = Vec::new();
        for (key, value) in entries(table) {
            let test = match key.get_ref().as_ref() {
                "in" => self.directory_test(value),
                "not" => self
                    .test(parameter, value)
                    .map(|test| Test::Not(Box::new(test))),
                "present" => self
                    .problems
                    .boolean(value, "true or false")
                    .map(Test::Present),
                "regex" => self.regex_test(parameter, value),
                "withheld" => self.withheld_test(parameter, key, value),
                unknown => {
                    self.unknown_condition(parameter, unknown, key.span());
                    None
                }
            };
            tests.extend(test);
        }
        match tests.len() {
            0 if table.is_empty() => {
                let help = format!("write one of {}", listed(&CONDITION_KEYS));
                self.problems.error(
                    Code::BadCondition,
                    span,
                    "an empty table tests nothing",
                    help,
                );
                None
            }
            1 => tests.pop(),
            _ => Some(Test::AllOf(tests)),
        }
    }

    fn unknown_condition(&mut self, parameter: &str, key: &str, span: Range<usize>) {
        if parameters::JSON.contains(&parameter) {
            let message = format!("`{key}` inside `{parameter}` is named without quotes");
            let help = format!("write the dotted name in quotes: \"{parameter}.{key}\" = …");
            self.problems.error(Code::BadCondition, span, message, help);
            return;
        }
        let help = match nearest(key, CONDITION_KEYS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a condition has {}", listed(&CONDITION_KEYS)),
        };
        self.problems.error(
            Code::UnknownKey,
            span,
            format!("a condition has no key `{key}`"),
            help,
        );
    }

    fn directory_test(&mut self, value: &Value<'_>) -> Option<Test> {
        let name = self.problems.text(value, "the name of a directory")?;
        if let Some(directory) = self.directories.get(name) {
            self.used_directories.insert(name.to_owned());
            return directory.clone().map(Test::In);
        }
        let help = match nearest(name, self.directories.keys().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("add a section [directory.{name}]"),
        };
        let message = format!("there is no directory \"{name}\"");
        self.problems
            .error(Code::UnknownDirectory, value.span(), message, help);
        None
    }

    fn regex_test(&mut self, parameter: &str, value: &Value<'_>) -> Option<Test> {
        let text = self.problems.text(value, "a regular expression")?;
        match RegexBuilder::new(text)
            .case_insensitive(Condition::folds(parameter))
            .build()
        {
            Ok(regex) => Some(Test::Regex(regex)),
            Err(error) => {
                let error = error.to_string();
                let reason = error
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                let help = "the syntax is that of Rust's regex: no look-around, no back-references";
                let message = format!("this regular expression cannot be read: {reason}");
                self.problems
                    .error(Code::BadRegex, value.span(), message, help);
                None
            }
        }
    }

    fn withheld_test(&mut self, parameter: &str, key: &Key<'_>, value: &Value<'_>) -> Option<Test> {
        if !parameters::is_number(parameter) {
            let message = format!("`{parameter}` is no number that could be withheld");
            let help = "write Caller = { withheld = true }";
            self.problems
                .error(Code::BadCondition, key.span(), message, help);
            return None;
        }
        self.problems
            .boolean(value, "true or false")
            .map(Test::Withheld)
    }

    /// Reports a value that the parameter never has.
    fn check_value(&mut self, parameter: &str, text: &str, span: Range<usize>) {
        if text.is_empty() {
            return;
        }
        if parameters::is_number(parameter) {
            return self.check_number(text, span);
        }
        if text.contains('*') {
            return;
        }
        if let Some(words) = parameters::words(parameter) {
            return self.check_word(parameter, text, span, words);
        }
        let looks_like_country =
            text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if parameters::is_country(parameter) && !looks_like_country {
            let upper = text.to_ascii_uppercase();
            let (code, help) =
                if upper.len() == 2 && upper.bytes().all(|byte| byte.is_ascii_uppercase()) {
                    (Code::WrongCase, format!("write \"{upper}\""))
                } else {
                    (
                        Code::UnknownValue,
                        "write the ISO 3166 code, such as \"US\"".to_owned(),
                    )
                };
            let message = format!("`{parameter}` is two capital letters, never \"{text}\"");
            self.problems.error(code, span, message, help);
        }
    }

    fn check_word(&mut self, parameter: &str, text: &str, span: Range<usize>, words: &[&str]) {
        if words.contains(&text) {
            return;
        }
        if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
            let message = format!(
                "Twilio sends `{parameter}` as \"{word}\"; in another letter case it never matches"
            );
            self.problems
                .error(Code::WrongCase, span, message, format!("write \"{word}\""));
            return;
        }
        let help = match nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("it is one of {}", listed(words)),
        };
        let message = format!("`{parameter}` is not known to be \"{text}\"");
        self.problems.warn(Code::UnknownValue, span, message, help);
    }

    /// Reports a number that is written in a form that Twilio never sends. Addresses of other kinds pass.
    pub(super) fn check_number(&mut self, text: &str, span: Range<usize>) {
        let whole = text.strip_suffix('*');
        if let Some(digits) = text.strip_prefix('+') {
            let result = match whole {
                // A prefix: what stands before its `*` must be able to begin a number.
                Some("+") => Ok(()),
                Some(prefix) => prefix.parse::<E164>().map(drop),
                None if digits.contains('*') => Ok(()),
                None => text.parse::<E164>().map(drop),
            };
            if let Err(error) = result {
                let help = "write the number as +15005550006, without spaces or dashes";
                self.problems
                    .error(Code::BadNumber, span, error.to_string(), help);
            }
            return;
        }
        let text = whole.unwrap_or(text);
        let is_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_digits(text) {
            // A short code has five or six digits; some networks have shorter and longer ones.
            if text.len() > 8 {
                let help = format!(
                    "did you mean \"+{text}\"? Numbers come with `+` and their country code"
                );
                self.problems
                    .warn(Code::BadNumber, span, "this number has no `+`", help);
            }
            return;
        }
        let bare: String = text
            .chars()
            .filter(|character| !" ()-./".contains(*character))
            .collect();
        if is_digits(&bare) {
            let help = "write the number as +15005550006, without spaces or dashes";
            self.problems.error(
                Code::BadNumber,
                span,
                "no number of Twilio's has blanks or dashes",
                help,
            );
        }
    }
}
