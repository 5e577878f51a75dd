//! The values of conditions and keys: words, countries and numbers as Twilio sends them.

use std::ops::Range;
use std::sync::Arc;

use crate::table::diagnostic::{Check, File};
use crate::table::problems::{Problems, choice};
use crate::twilio::number::E164;
use crate::twilio::parameters;
use crate::twilio::spelling::nearest;

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

/// Reports a value that the parameter never has. One of the operator's own may have any word.
pub(super) fn check_value(
    problems: &mut Problems,
    parameter: &str,
    is_own: bool,
    text: &str,
    span: Range<usize>,
) {
    if text.is_empty() {
        return;
    }
    if parameters::is_number(parameter) {
        return check_number(problems, text, span);
    }
    if text.contains('*') {
        return;
    }
    if let Some(words) = parameters::words(parameter)
        && !parameters::is_open(parameter)
        && !is_own
    {
        return check_word(problems, parameter, text, span, words);
    }
    let looks_like_country = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if parameters::is_country(parameter) && !looks_like_country {
        let upper = text.to_ascii_uppercase();
        let (check, help) =
            if upper.len() == 2 && upper.bytes().all(|byte| byte.is_ascii_uppercase()) {
                (&WRONG_CASE, format!("write \"{upper}\""))
            } else {
                (
                    &UNKNOWN_VALUE,
                    "write the ISO 3166 code, such as \"US\"".to_owned(),
                )
            };
        let message = format!("`{parameter}` is two capital letters, never \"{text}\"");
        problems.error(check, span, message, help);
    }
}

fn check_word(
    problems: &mut Problems,
    parameter: &str,
    text: &str,
    span: Range<usize>,
    words: &[&str],
) {
    if words.contains(&text) {
        return;
    }
    if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(text))
        && !parameters::is_lenient(parameter)
    {
        let message = format!(
            "Twilio sends `{parameter}` as \"{word}\"; in another letter case it never matches"
        );
        problems.error(&WRONG_CASE, span, message, format!("write \"{word}\""));
        return;
    }
    let help = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("it is one of {}", choice(words)),
    };
    let message = format!("`{parameter}` is not known to be \"{text}\"");
    problems.warn(&UNKNOWN_VALUE, span, message, help);
}

/// Reports a number that is written in a form that Twilio never sends. Addresses of other kinds pass.
fn check_number(problems: &mut Problems, text: &str, span: Range<usize>) {
    let file = Arc::clone(problems.file());
    check_number_in(problems, &file, text, || span.clone());
}

/// [`check_number`] for a number that may stand in another file.
pub(super) fn check_number_in(
    problems: &mut Problems,
    file: &Arc<File>,
    text: &str,
    place: impl Fn() -> Range<usize>,
) {
    if text.trim() != text {
        let help = "take the blanks at its ends out";
        let message = "no number of Twilio's begins or ends with a blank";
        problems.error_in(file, &BAD_NUMBER, place(), message, help);
        return;
    }
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
            problems.error_in(file, &BAD_NUMBER, place(), error.to_string(), help);
        }
        return;
    }
    let text = whole.unwrap_or(text);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits(text) {
        // A short code has five or six digits; some networks have shorter and longer ones.
        if text.len() > 8 {
            let help = match text.strip_prefix('1') {
                Some(rest) if rest.len() == 10 => format!("did you mean \"+{text}\"?"),
                _ => "numbers come with `+` and their country code: write it so".to_owned(),
            };
            problems.warn_in(file, &BAD_NUMBER, place(), "this number has no `+`", help);
        }
        return;
    }
    let bare: String = text
        .chars()
        .filter(|character| !" ()-./".contains(*character))
        .collect();
    if is_digits(&bare) {
        let help = "write the number as +15005550006, without spaces or dashes";
        problems.error_in(
            file,
            &BAD_NUMBER,
            place(),
            "no number of Twilio's has blanks or dashes",
            help,
        );
    }
}
