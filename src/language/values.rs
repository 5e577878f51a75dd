//! The values of conditions and keys: words, countries and numbers as Twilio sends them.

use std::ops::Range;

use crate::table::diagnostic::{Check, Severity};
use crate::table::problems::Problems;
use crate::table::remedy::one_of;
use crate::twilio::number::E164;
use crate::twilio::parameters::{self, Parameter, ParameterKind};

pub(super) static BAD_NUMBER: Check = Check::new(
    "bad-number",
    "A number that Twilio never sends or cannot dial: blanks or dashes in it, a letter, no `+`, more than 15 digits. Write
it in E.164, `+` and the country code first. In a condition or a directory a missing `+` is only a warning.",
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
    "A value that the parameter is not known to have: a session status, a direction, a country. Twilio may send new words,
so an unknown word is a warning; a country that is not two capital letters can never match and is an error.",
    r#"when = { CallerCountry = "Germany" }     # "DE""#,
);

/// The help for a number that cannot be read.
pub(super) const NUMBER_HELP: &str = "write the number as +15005550006, without spaces or dashes";

/// Reports a value that the parameter never has. One of the operator's own may have any word.
pub(super) fn check_value(
    problems: &mut Problems,
    parameter: &str,
    is_own: bool,
    text: &str,
    span: Range<usize>,
) {
    if parameters::is_number(parameter) {
        if let Some((severity, message, help)) = number_fault(text) {
            problems.add(severity, &BAD_NUMBER, span, message, help);
        }
        return;
    }
    if text.is_empty() || text.contains('*') {
        return;
    }
    let known = parameters::get(parameter);
    if !known.values.is_empty() && !known.open && !is_own {
        return check_word(problems, parameter, text, span, known);
    }
    let is_code = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
    if known.kind == ParameterKind::Country && !is_code(text) {
        let upper = text.to_ascii_uppercase();
        let message = format!("`{parameter}` is two capital letters, never \"{text}\"");
        if is_code(&upper) {
            problems.error(&WRONG_CASE, span, message, format!("write \"{upper}\""));
        } else {
            let help = "write the ISO 3166 code, such as \"US\"";
            problems.error(&UNKNOWN_VALUE, span, message, help);
        }
    }
}

fn check_word(
    problems: &mut Problems,
    parameter: &str,
    text: &str,
    span: Range<usize>,
    known: &Parameter,
) {
    let words = &*known.values;
    if words.contains(&text) {
        return;
    }
    if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(text))
        && !known.lenient
    {
        let message = format!(
            "Twilio sends `{parameter}` as \"{word}\"; in another letter case it never matches"
        );
        problems.error(&WRONG_CASE, span, message, format!("write \"{word}\""));
        return;
    }
    let message = format!("`{parameter}` is not known to be \"{text}\"");
    problems.warn(&UNKNOWN_VALUE, span, message, one_of(text, words));
}

/// What is wrong with a number in a form that Twilio never sends, and what to do about it. Addresses of other kinds pass.
pub(super) fn number_fault(text: &str) -> Option<(Severity, String, String)> {
    let error =
        |message: &str, help: &str| Some((Severity::Error, message.to_owned(), help.to_owned()));
    if text.trim() != text {
        let message = "no number of Twilio's begins or ends with a blank";
        return error(message, "take the blanks at its ends out");
    }
    let prefix = text.strip_suffix('*');
    if let Some(digits) = text.strip_prefix('+') {
        let number = match prefix {
            Some("+") => return None,
            // What stands before the `*` must be able to begin a number.
            Some(prefix) => prefix,
            None if digits.contains('*') => return None,
            None => text,
        };
        let fault = number.parse::<E164>().err()?;
        return error(&fault.to_string(), NUMBER_HELP);
    }
    let text = prefix.unwrap_or(text);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits(text) {
        // A short code has five or six digits; some networks have shorter and longer ones.
        if text.len() <= 8 {
            return None;
        }
        let help = match text.strip_prefix('1') {
            Some(rest) if rest.len() == 10 => format!("did you mean \"+{text}\"?"),
            _ => "numbers come with `+` and their country code: write it so".to_owned(),
        };
        return Some((Severity::Warning, "this number has no `+`".to_owned(), help));
    }
    if is_digits(&text.replace([' ', '(', ')', '-', '.', '/'], "")) {
        return error("no number of Twilio's has blanks or dashes", NUMBER_HELP);
    }
    None
}
