//! Phone numbers and other addresses that Twilio never sends.

use super::{BAD_NUMBER, Fault, NUMBER_HELP, Standing, WRONG_CASE};
use crate::table::diagnostic::Severity;
use crate::twilio::characters::{first_odd, named, plain};
use crate::twilio::number::{E164, E164Error, is_e164};
use crate::twilio::spelling::nearest;

/// How Twilio writes the beginning of an address that is not a phone number.
const SCHEMES: [&str; 6] = ["sip", "sips", "client", "whatsapp", "rcs", "messenger"];

/// What people and other programs write before a phone number.
const NUMBER_SCHEMES: [&str; 6] = ["tel", "callto", "phone", "mobile", "sms", "fax"];

/// What spreadsheets write into a cell that they cannot work out.
const SPREADSHEET_ERRORS: [&str; 7] = [
    "#NAME?", "#VALUE!", "#REF!", "#N/A", "#NUM!", "#DIV/0!", "#NULL!",
];

/// The longest short code; some networks have longer ones than the usual five or six digits.
const SHORT_CODE: usize = 8;

/// What is wrong with a number in a form that Twilio never sends. Addresses of other kinds pass, and so does what a network
/// may send instead of a number.
pub(super) fn fault(text: &str, standing: Standing) -> Option<Fault> {
    if text.is_empty() || is_e164(text) {
        return None;
    }
    let (start, is_whole) = match standing {
        Standing::Request => (text, true),
        _ => match text.split_once('*') {
            Some((start, _)) => (start, false),
            None => (text, true),
        },
    };
    let mut fault = unseen_fault(text)
        .or_else(|| plus_fault(start, is_whole))
        .or_else(|| spreadsheet_fault(text))
        .or_else(|| quote_fault(text))
        .or_else(|| scheme_fault(text, standing))
        .or_else(|| digits_fault(start, is_whole))
        .or_else(|| letter_fault(start, is_whole))?;
    // Anything is possible before a `*` that is not at the end.
    let is_mendable = is_whole || text.strip_suffix('*') == Some(start);
    if is_mendable && let Some(meant) = meant(text, standing) {
        fault.help = format!("write \"{meant}\"");
        fault = fault.meant(meant);
    }
    Some(fault)
}

/// Whitespace at the ends, and lookalike characters.
fn unseen_fault(text: &str) -> Option<Fault> {
    let is_spaced = text.trim() != text;
    let mut fault = match first_odd(text) {
        Some(odd) => not_in_numbers(odd),
        None if is_spaced => {
            let message = "phone numbers never begin or end with a space";
            Fault::warning(
                &BAD_NUMBER,
                message,
                "remove the spaces at the beginning and end",
            )
        }
        None => return None,
    };
    if is_spaced || text.starts_with('+') {
        fault.severity = Severity::Error;
    }
    Some(fault)
}

fn not_in_numbers(character: char) -> Fault {
    let message = format!("phone numbers never contain {}", named(character));
    Fault::warning(&BAD_NUMBER, message, NUMBER_HELP)
}

/// A malformed number that begins with `+`.
fn plus_fault(start: &str, is_whole: bool) -> Option<Fault> {
    let digits = start.strip_prefix('+')?;
    if digits.is_empty() && !is_whole {
        return None;
    }
    let error = start.parse::<E164>().err()?;
    let message = match error {
        E164Error::NotADigit(character) if is_separator(character) => {
            format!("phone numbers never contain {}", named(character))
        }
        E164Error::NotADigit(_) => format!("\"{start}\" is not a phone number: {error}"),
        _ => error.to_string(),
    };
    let help = match lookalikes_replaced(start) {
        Some(number) => format!("did you mean \"{number}\"?"),
        None => NUMBER_HELP.to_owned(),
    };
    Some(Fault::error(&BAD_NUMBER, message, help))
}

/// A number that a spreadsheet has mangled.
fn spreadsheet_fault(text: &str) -> Option<Fault> {
    let is_number = |text: &str| {
        let digits = text.replacen(['.', ','], "", 1);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_scientific = text.split_once(['E', 'e']).is_some_and(|(number, power)| {
        let power = power.trim_start_matches(['+', '-']);
        is_number(number) && is_digits(power)
    });
    let is_float = text.strip_suffix(".0").is_some_and(is_digits);
    let is_error = SPREADSHEET_ERRORS.contains(&text) || text.starts_with("###");
    (is_scientific || is_float || is_error).then(|| {
        let message = format!("\"{text}\" is a phone number that a spreadsheet has mangled");
        let help = "write the number again, with its `+`, in a column that is formatted as text";
        Fault::warning(&BAD_NUMBER, message, help)
    })
}

/// A leading apostrophe, quote or equals sign that was copied along with the number.
fn quote_fault(text: &str) -> Option<Fault> {
    let first = text.chars().next()?;
    let what = match first {
        '\'' | '"' | '`' => named(first),
        '=' => "an equals sign".to_owned(),
        _ => return None,
    };
    let message = format!("phone numbers never begin with {what}");
    Some(Fault::warning(&BAD_NUMBER, message, NUMBER_HELP))
}

/// An address with a scheme that Twilio does not use, or writes in another case.
fn scheme_fault(text: &str, standing: Standing) -> Option<Fault> {
    let (scheme, rest) = text.split_once(':')?;
    let lower = scheme.to_ascii_lowercase();
    if SCHEMES.contains(&&*lower) {
        if scheme != lower {
            let message = format!("Twilio sends \"{lower}:\", never \"{scheme}:\"");
            let help = format!("write \"{lower}:{rest}\"");
            return Some(
                Fault::warning(&WRONG_CASE, message, help).meant(format!("{lower}:{rest}")),
            );
        }
        if lower == "whatsapp" {
            let mut fault = fault(rest, standing)?;
            fault.severity = Severity::Warning;
            fault.meant = None;
            return Some(fault);
        }
        return None;
    }
    let is_number = rest.starts_with('+') || is_digits(rest);
    let is_misspelt = nearest(&lower, SCHEMES).is_some();
    if !is_number || !(is_misspelt || NUMBER_SCHEMES.contains(&&*lower)) {
        return None;
    }
    let message = format!("phone numbers never begin with \"{scheme}:\"");
    let help = match nearest(&lower, SCHEMES) {
        Some(near) => format!("did you mean \"{near}:{rest}\"?"),
        None => NUMBER_HELP.to_owned(),
    };
    Some(Fault::warning(&BAD_NUMBER, message, help))
}

/// Digits without `+`, perhaps separated by spaces and dashes.
fn digits_fault(start: &str, is_whole: bool) -> Option<Fault> {
    let digits: String = start.chars().filter(|one| !is_separator(*one)).collect();
    if !is_digits(&digits) {
        return None;
    }
    if let Some(separator) = start.chars().find(|one| is_separator(*one)) {
        return Some(Fault {
            severity: Severity::Error,
            ..not_in_numbers(separator)
        });
    }
    let is_area = |area: &str| area.len() == 3 && area.starts_with(|first| first >= '2');
    let number = if is_whole {
        if digits.len() <= SHORT_CODE {
            return None;
        }
        "this number has no `+`".to_owned()
    } else {
        format!("phone numbers begin with `+` and the country code, never with {digits}")
    };
    let help = if let Some(rest) = digits.strip_prefix("00") {
        format!("write `+` instead of the 00 before {rest}")
    } else if let Some(rest) = digits.strip_prefix('0') {
        format!("write `+` and the country code instead of the 0 before {rest}")
    } else if !is_whole && is_area(&digits) {
        format!("for the area code {digits}, write \"+1{digits}*\"")
    } else if !is_whole && digits.strip_prefix('1').is_some_and(is_area) {
        format!("did you mean \"+{digits}*\"?")
    } else if is_whole && digits.len() == 10 {
        format!(
            "write `+` and the country code before it: \"+1{digits}\" in the United States and Canada"
        )
    } else {
        "write `+` and the country code before it".to_owned()
    };
    Some(Fault::warning(&BAD_NUMBER, number, help))
}

/// A number without `+` with letters instead of digits.
fn letter_fault(start: &str, is_whole: bool) -> Option<Fault> {
    let digits = start.bytes().filter(u8::is_ascii_digit).count();
    let others = start.chars().filter(|one| !one.is_ascii_digit());
    let letters: Vec<char> = others.collect();
    let is_lookalike = lookalikes_replaced(start).is_some();
    // A sender's name has at most eleven letters and digits, few of them digits.
    let is_number = if is_lookalike {
        digits >= 5
    } else {
        digits >= 8
    };
    let are_letters = letters.iter().all(char::is_ascii_alphabetic);
    if !is_whole || letters.is_empty() || !are_letters || !is_number {
        return None;
    }
    let message = format!("phone numbers never contain {}", named(letters[0]));
    let help = match lookalikes_replaced(start) {
        Some(number) => {
            let number = meant(&number, Standing::Request).unwrap_or(number);
            format!("did you mean \"{number}\"?")
        }
        None => NUMBER_HELP.to_owned(),
    };
    Some(Fault::warning(&BAD_NUMBER, message, help))
}

/// The number with its letters replaced by the digits that they look like; `None` when that does not make a number.
fn lookalikes_replaced(text: &str) -> Option<String> {
    let digit = |letter: char| match letter {
        'O' | 'o' => '0',
        'I' | 'l' => '1',
        other => other,
    };
    let number: String = text.chars().map(digit).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    (number != text && is_digits(digits)).then_some(number)
}

/// The number that was meant, if that takes no guess: without whitespace, dashes, quotes and invisible characters, and
/// with a `+` when the country code is there.
fn meant(text: &str, standing: Standing) -> Option<String> {
    let text = plain(text);
    let quotes = ['\'', '"', '`', '='];
    let text = text
        .trim()
        .trim_start_matches(quotes)
        .trim_end_matches(quotes);
    let (scheme, number) = match text.split_once(':') {
        Some(("whatsapp", number)) => ("whatsapp:", number),
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel") => ("", number),
        Some(_) => return None,
        None => ("", text),
    };
    let (number, star) = match number.strip_suffix('*') {
        Some(number) if standing != Standing::Request => (number, "*"),
        _ => (number, ""),
    };
    // The 0 in `+44 (0)20` is only for calls within the country.
    let number = number.replace("(0)", "");
    let digits: String = number.chars().filter(|one| !is_separator(*one)).collect();
    let digits = match digits.strip_prefix('+') {
        Some(digits) => digits,
        // A prefix does not show whether it includes the country code.
        None if !star.is_empty() => return None,
        None => match digits.strip_prefix("00") {
            Some(rest) if rest.len() > SHORT_CODE => rest,
            _ if is_north_american(&digits) => &digits,
            // WhatsApp shows numbers with their country code but without `+`.
            _ if !scheme.is_empty() && digits.len() > SHORT_CODE => &digits,
            _ => return None,
        },
    };
    let number = format!("+{digits}");
    let is_short = digits.len() <= SHORT_CODE && star.is_empty();
    let is_good = is_e164(&number) && !is_short;
    is_good.then(|| format!("{scheme}{number}{star}"))
}

/// Whether digits are a North American number with its country code: `1`, area code, seven digits.
fn is_north_american(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    bytes.len() == 11 && bytes[0] == b'1' && bytes[1] >= b'2' && bytes[4] >= b'2'
}

fn is_separator(character: char) -> bool {
    " ()-./".contains(character) || plain(&character.to_string()) == "-"
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
