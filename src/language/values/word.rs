//! Words, codes and SIDs: values that a parameter other than a number or free text never has.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::{Fault, Standing, UNKNOWN_VALUE, Value, WRONG_CASE, quoted};
use crate::table::diagnostic::Severity;
use crate::table::remedy::{NewText, Remedy, one_of};
use crate::twilio::characters::named;
use crate::twilio::parameters::{self, Parameter, ParameterKind};
use crate::twilio::places;

/// The `Digits` that Twilio sends when a Record ended because the caller hung up.
const HANGUP: &str = "hangup";

impl Value<'_> {
    /// What is wrong with the value, by the kind of its parameter.
    pub(super) fn word_fault(&self, known: &Parameter) -> Option<Fault> {
        match known.kind {
            ParameterKind::Enumerated => self.enumerated_fault(known),
            ParameterKind::Country => self.country_fault(),
            ParameterKind::State => self.state_fault(),
            ParameterKind::Sid => self.sid_fault(known),
            ParameterKind::Boolean => self.boolean_fault(),
            ParameterKind::Integer => self.integer_fault(),
            ParameterKind::Keys => self.keys_fault(),
            ParameterKind::DateTime => self.date_fault(),
            ParameterKind::Url => self.url_fault(),
            ParameterKind::Number
            | ParameterKind::Address
            | ParameterKind::Version
            | ParameterKind::Json
            | ParameterKind::Text => None,
        }
    }

    fn enumerated_fault(&self, known: &Parameter) -> Option<Fault> {
        let words = &*known.values;
        if words.is_empty() || words.iter().any(|word| self.is(word)) {
            return None;
        }
        if let Some(word) = words.iter().find(|word| self.is_in_other_case(word)) {
            let mut fault = self.wrong_case(word);
            if !known.open && !known.lenient {
                fault.severity = Severity::Error;
            }
            return Some(fault);
        }
        if let Some(other) = parameters::in_other_case(self.parameter)
            && parameters::get(other).values.contains(&self.text)
        {
            let (parameter, text) = (self.parameter, self.text);
            let message = format!("`{parameter}` is never \"{text}\", but `{other}` is");
            let help = format!("did you mean `{other}`? It is a different parameter");
            return Some(Fault::warning(&WRONG_CASE, message, help));
        }
        if known.open {
            return None;
        }
        let Self {
            parameter, text, ..
        } = self;
        let message = if self.pattern().is_some() {
            format!("no value of `{parameter}` matches \"{text}\"")
        } else {
            format!("`{parameter}` is not known to be \"{text}\"")
        };
        let Remedy { help, text: meant } = one_of(text, words);
        let fault = Fault::warning(&UNKNOWN_VALUE, message, help);
        Some(match meant {
            Some(NewText::Word(word)) => fault.meant(word),
            _ => fault,
        })
    }

    fn country_fault(&self) -> Option<Fault> {
        let Self {
            parameter, text, ..
        } = self;
        if self.pattern().is_some() || places::is_country(text) {
            return None;
        }
        let meant = places::country(text);
        let help = match meant {
            Some(code) => format!("write \"{code}\""),
            None => "write the ISO 3166 code, such as \"US\"".to_owned(),
        };
        let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        let message = format!("`{parameter}` is two capital letters, never \"{text}\"");
        let mut fault = if is_code {
            let message = format!("no country has the ISO 3166 code \"{text}\"");
            Fault::warning(&UNKNOWN_VALUE, message, help)
        } else if meant.is_some_and(|code| self.is_in_other_case(code)) {
            Fault::error(&WRONG_CASE, message, help)
        } else {
            Fault::error(&UNKNOWN_VALUE, message, help)
        };
        fault.meant = meant.map(str::to_owned);
        Some(fault)
    }

    fn state_fault(&self) -> Option<Fault> {
        let Self {
            parameter, text, ..
        } = self;
        let code = places::state(text)?;
        if *text == code {
            return None;
        }
        if self.is_in_other_case(code) {
            return Some(self.wrong_case(code));
        }
        let message = format!(
            "`{parameter}` is two capital letters in the United States and Canada, never \"{text}\""
        );
        let fault = Fault::warning(&UNKNOWN_VALUE, message, format!("write \"{code}\""));
        Some(fault.meant(code))
    }

    fn sid_fault(&self, known: &Parameter) -> Option<Fault> {
        let Self {
            parameter, text, ..
        } = self;
        let (start, is_whole) = (self.start(), self.pattern().is_none());
        // SignalWire sends UUIDs.
        if start.is_empty() || is_uuid(start, is_whole) {
            return None;
        }
        let length = start.len().min(2);
        let letters = start.get(..length).unwrap_or_default();
        let prefixes = &known.prefixes;
        let begins = |prefix: &&&str| {
            let prefix = prefix.get(..length).unwrap_or_default();
            prefix.eq_ignore_ascii_case(letters)
        };
        let Some(prefix) = prefixes.iter().find(begins) else {
            let expected = prefixes.join("` or `");
            let message =
                format!("`{parameter}` begins with `{expected}`, never with \"{letters}\"");
            let help = "compare it with a SID of the right kind";
            return Some(Fault::warning(&UNKNOWN_VALUE, message, help));
        };
        let rest = start.get(length..).unwrap_or_default();
        let other = rest.chars().find(|one| !one.is_ascii_hexdigit());
        let count = rest.chars().count();
        let message = if let Some(other) = other {
            format!(
                "a SID has only the digits 0 to 9 and a to f after its letters, never {}",
                named(other)
            )
        } else if (is_whole && count != 32) || count > 32 {
            format!("a SID has 2 letters and 32 hexadecimal digits, not {count}")
        } else {
            let meant = format!("{}{}", &prefix[..length], rest.to_ascii_lowercase());
            if meant == start {
                return None;
            }
            let meant = format!("{meant}{}", &text[start.len()..]);
            return Some(self.wrong_case(&meant));
        };
        let help = "copy the complete SID, such as \
                    {}00000000000000000000000000000001";
        let help = help.replace("{}", prefix);
        Some(Fault::warning(&UNKNOWN_VALUE, message, help))
    }

    fn boolean_fault(&self) -> Option<Fault> {
        let words = ["true", "false"];
        if words.iter().any(|word| self.is(word)) {
            return None;
        }
        if let Some(word) = words.iter().find(|word| self.is_in_other_case(word)) {
            return Some(self.wrong_case(word));
        }
        let Self {
            parameter, text, ..
        } = self;
        let message = format!("`{parameter}` is \"true\" or \"false\", never \"{text}\"");
        Some(Fault::warning(
            &UNKNOWN_VALUE,
            message,
            "write \"true\" or \"false\"",
        ))
    }

    fn integer_fault(&self) -> Option<Fault> {
        let Self {
            parameter, text, ..
        } = self;
        let is_digit = |byte: u8| byte.is_ascii_digit();
        if self.parts().all(|part| part.bytes().all(is_digit)) {
            return None;
        }
        let message = format!("`{parameter}` is a whole number, never \"{text}\"");
        let help = "write only digits; for several numbers, write an array or a regular expression: { regex = '^[1-5]$' }";
        Some(Fault::warning(&UNKNOWN_VALUE, message, help))
    }

    fn keys_fault(&self) -> Option<Fault> {
        let Self {
            parameter,
            text,
            standing,
        } = self;
        if *text == "*" && *standing == Standing::Condition {
            let message = "`*` stands for any keys, or no keys, not for the star key";
            let help =
                "for the star key, write { regex = '^\\*$' }; for any key, { present = true }";
            return Some(Fault::warning(&UNKNOWN_VALUE, message, help));
        }
        let is_key = |one: char| one.is_ascii_digit() || "*#ABCD".contains(one);
        if self.is(HANGUP) || self.parts().all(|part| part.chars().all(is_key)) {
            return None;
        }
        let message = format!("`{parameter}` is the keys that were pressed, never \"{text}\"");
        let help = "a key is 0 to 9, `*` or `#`";
        let mut fault = Fault::warning(&UNKNOWN_VALUE, message, help);
        let array = match text
            .split_once('-')
            .map(|ends| (one_digit(ends.0), one_digit(ends.1)))
        {
            Some((Some(first), Some(last))) if first < last => {
                (first..=last).map(|key| key.to_string()).collect()
            }
            _ => alternatives(text),
        };
        if *standing == Standing::Condition && !array.is_empty() {
            let items: Vec<String> = array.iter().map(|key| quoted(key)).collect();
            let array = format!("[{}]", items.join(", "));
            fault.help = format!("write {array}");
            fault.condition = Some(array);
        }
        Some(fault)
    }

    fn date_fault(&self) -> Option<Fault> {
        let Self {
            parameter, text, ..
        } = self;
        let is_moment = text.parse::<Timestamp>().is_ok() || rfc2822::parse(text).is_ok();
        if is_moment || self.pattern().is_some() {
            return None;
        }
        let message = format!(
            "`{parameter}` is a date and time such as 2026-12-31T23:00:00Z, never \"{text}\""
        );
        let help = "compare it with { before = \"…\" } or { after = \"…\" }";
        Some(Fault::warning(&UNKNOWN_VALUE, message, help))
    }

    fn url_fault(&self) -> Option<Fault> {
        let Self { parameter, .. } = self;
        let start = self.start();
        let agrees = |scheme: &&str| scheme.starts_with(start) || start.starts_with(scheme);
        if ["https://", "http://"].iter().any(agrees) {
            return None;
        }
        let message = format!("`{parameter}` is a URL, which begins with https://");
        let help = "write the complete URL, or a `*` before the part that you know";
        Some(Fault::warning(&UNKNOWN_VALUE, message, help))
    }

    /// Whether the value equals this word when case is ignored.
    fn is_in_other_case(&self, word: &str) -> bool {
        word.eq_ignore_ascii_case(self.text)
    }

    /// The warning about a word whose case differs from Twilio's.
    fn wrong_case(&self, word: &str) -> Fault {
        let Self {
            parameter, text, ..
        } = self;
        let message = format!("Twilio sends `{parameter}` as \"{word}\", never as \"{text}\"");
        Fault::warning(&WRONG_CASE, message, format!("write \"{word}\"")).meant(word)
    }
}

/// Parses a single digit.
fn one_digit(text: &str) -> Option<u8> {
    let text = text.trim();
    (text.len() == 1).then(|| text.parse().ok()).flatten()
}

/// The keys in a text such as `1,2`, `1|2` or `1 or 2`; none when it is not such a list.
fn alternatives(text: &str) -> Vec<String> {
    let keys: Vec<String> = text
        .replace(" or ", ",")
        .split([',', '|', '/', ';'])
        .map(|key| key.trim().to_owned())
        .collect();
    let is_key = |key: &String| {
        !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'#')
    };
    let is_list = keys.len() > 1 && keys.iter().all(is_key);
    if is_list { keys } else { Vec::new() }
}

/// Whether a text is a UUID, or the beginning of one when `is_whole` is false.
fn is_uuid(text: &str, is_whole: bool) -> bool {
    const FORM: &[u8] = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'-' => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    let is_long_enough = text.len() == FORM.len() || !is_whole && text.len() < FORM.len();
    is_long_enough && text.bytes().zip(FORM).all(fits)
}
