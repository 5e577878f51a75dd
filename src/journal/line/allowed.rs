//! Decides which values a line holds: those that the list of parameters allows and that look like what their name
//! promises.
//!
//! A name alone proves nothing: a SIP header, or a page with Twilio's browser library, can send any value under any
//! name. So a value must also look like its kind, and a text in which a phone number could hide is never kept.

use jiff::civil::Date;

use crate::twilio::number::E164;
use crate::twilio::parameters::{Parameter, ParameterKind, Parameters, Privacy};

/// The most bytes of a name in a line. Twilio's longest name has 37.
pub(super) const NAME_MAX: usize = 64;

/// The most digits in a text that certainly has no phone number.
const DIGITS_MAX: usize = 4;

/// What a line may hold of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JournalRule {
    /// The value, if it [`fits`] this kind, or else only the name.
    Keep(ParameterKind),
    /// The masked value, or the whole value if it is one of our own numbers.
    Mask,
    /// Only the name.
    Omit,
}

/// What a line may hold of a parameter in a form or query.
pub(super) fn rule(list: &Parameters, name: &str) -> JournalRule {
    rule_of(list.of_request(name), name.ends_with("Sid"))
}

/// What a line may hold of a value in an event's data.
pub(super) fn rule_of_event(list: &Parameters, name: &str) -> JournalRule {
    rule_of(
        list.of_event(name),
        name.to_ascii_lowercase().ends_with("sid"),
    )
}

fn rule_of(parameter: Option<&Parameter>, is_named_sid: bool) -> JournalRule {
    match parameter.map(|parameter| (parameter.privacy, parameter.kind)) {
        Some((Privacy::Mask, _) | (Privacy::Keep, ParameterKind::Number)) => JournalRule::Mask,
        Some((Privacy::Keep, kind)) => JournalRule::Keep(kind),
        None if is_named_sid => JournalRule::Keep(ParameterKind::Sid),
        _ => JournalRule::Omit,
    }
}

/// Whether a value is what its kind promises, so that it may appear in a line. A number alone never does.
pub(super) fn fits(kind: ParameterKind, value: &str) -> bool {
    match kind {
        ParameterKind::Sid => is_sid(value),
        ParameterKind::Enumerated => is_word(value),
        ParameterKind::Boolean => matches!(value, "true" | "false"),
        ParameterKind::Country => {
            let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b' ';
            (2..=40).contains(&value.len()) && value.bytes().all(is_letter)
        }
        ParameterKind::Integer => is_digits(value, 7),
        // `2010-04-01`
        ParameterKind::Version => {
            value.len() == 10 && value.starts_with("20") && value.parse::<Date>().is_ok()
        }
        // Several keys may be a phone number or a secret.
        ParameterKind::Keys => matches!(value.as_bytes(), [b'0'..=b'9' | b'*' | b'#']),
        _ => false,
    }
}

/// Whether a text is a SID and nothing else. Twilio's have two capital letters and 32 hexadecimal digits, those of Fone
/// Dynamics a capital letter and 31 letters and digits.
pub(super) fn is_sid(text: &str) -> bool {
    let capitals = match text.len() {
        34 => 2,
        32 => 1,
        _ => return false,
    };
    let (prefix, rest) = text.as_bytes().split_at(capitals);
    prefix.iter().all(u8::is_ascii_uppercase) && rest.iter().all(u8::is_ascii_alphanumeric)
}

/// Whether a text looks like a word from a fixed set: short, and without anything that could be a number.
pub(super) fn is_word(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._- ".contains(&byte);
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(is_part) && !may_hide_a_number(text)
}

/// Whether a parameter's name may appear in a line: people who call by SIP choose names, too.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic())
        && !may_hide_a_number(name)
}

/// Whether a text has enough digits for a phone number, whatever is between them.
pub(super) fn may_hide_a_number(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() > DIGITS_MAX
}

/// Whether a text in the place of our own number looks like one. Anything else there may be somebody's address.
pub(crate) fn is_own(number: &str) -> bool {
    match number.split_once(':') {
        None => number.parse::<E164>().is_ok() || is_digits(number, 8),
        Some(("whatsapp", number)) => number.parse::<E164>().is_ok(),
        Some(("messenger", page)) => is_digits(page, 32),
        Some(("rcs", agent)) => is_word(agent) && !agent.contains(' '),
        Some(_) => false,
    }
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::parameters::PARAMETERS;
    use crate::twilio::parameters::tests::INVENTED;

    fn is_kept(rule: JournalRule, value: &str) -> bool {
        matches!(rule, JournalRule::Keep(kind) if fits(kind, value))
    }

    #[test]
    fn a_value_has_to_look_like_what_its_name_promises() {
        for (name, value) in [
            ("CallSid", "CA00000000000000000000000000000abc"),
            ("Call.Sid", "CA0000000000000000000000000000wxyz"),
            ("CallStatus", "in-progress"),
            ("Call.Disposition", "NO ANSWER"),
            ("StirVerstat", "TN-Validation-Passed-A"),
            ("CallerCountry", "US"),
            ("Call.From.Country", "New Zealand"),
            ("NumMedia", "0"),
            ("CallDuration", "3600"),
            ("ApiVersion", "2010-04-01"),
            ("Event", "Call.Initiate"),
            ("Call.Sid", "C00000000000000000000000000wxyz1"),
            ("Digits", "1"),
            ("Digits", "#"),
        ] {
            assert!(is_kept(rule(&PARAMETERS, name), value), "{name}={value}");
        }
        for (name, value) in [
            ("CallSid", "+14155550100"),
            ("CallSid", "CA1"),
            ("CallSid", "CA4155550100"),
            ("CallSid", "000000000000000000000000000000001"),
            ("Digits", "12"),
            ("Digits", "w"),
            ("FinishedOnKey", "1"),
            ("CallSid", "\u{e9}A000000000000000000000000000000"),
            ("CallStatus", "+1 415 555 0100"),
            ("CallStatus", "call 4155550100"),
            ("CallStatus", "so-4-1-5-5-5"),
            ("CallStatus", ""),
            ("CallerCountry", "+1"),
            ("CallerCountry", "U"),
            ("NumMedia", "14155550100"),
            ("NumMedia", "one"),
            ("ApiVersion", "4155550100"),
            ("ApiVersion", "4155-50-10"),
            ("Body", "ok"),
            ("SipHeader_X-CallSid", "CA00000000000000000000000000000abc"),
            ("SipHeader_X-CallStatus", "ringing"),
            ("sessionUniqueName", "ride"),
            ("From", "anonymous"),
        ] {
            assert!(!is_kept(rule(&PARAMETERS, name), value), "{name}={value}");
        }
    }

    #[test]
    fn a_name_cannot_carry_a_number() {
        for name in [
            "Called",
            "MediaUrl0",
            "SipHeader_X-Foo",
            "interactionData.body",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "SipHeader_X-14155550100",
            "SipHeader_X-1-4-1-5-5",
            "two words",
            "caf\u{e9}",
            &"x".repeat(65),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn our_own_number_has_the_shape_of_one() {
        for number in [
            "+15005550006",
            "12345",
            "whatsapp:+15005550006",
            "rcs:brand_agent",
            "messenger:1234567890",
        ] {
            assert!(is_own(number), "{number}");
        }
        for number in [
            "",
            "4155550100",
            "sip:+14155550123@example.com",
            "client:alice",
            "whatsapp:alice",
            "rcs:14155550100",
            "+1415555x",
        ] {
            assert!(!is_own(number), "{number}");
        }
    }

    #[test]
    fn what_is_inside_an_event_is_known_by_the_end_of_its_name() {
        let sid = "CA0123456789abcdef0123456789abcdef";
        for (name, value, fits) in [
            ("data.call_status", "completed", true),
            ("CallState", "in-progress", true),
            ("call_status", "a+b", false),
            ("call_status.other", "completed", false),
            ("to.country_code", "US", true),
            ("to.country_code", "U5", false),
            ("x.duration", "1234567", true),
            ("x.duration", "12345678", false),
            ("x.Post_Dial_Delay_ms", "12", true),
            ("x.duration", "completed", false),
            ("call_sid", sid, true),
            ("sid", sid, true),
            ("sid", "completed", false),
            ("other", sid, false),
            ("from", "completed", false),
        ] {
            assert_eq!(
                is_kept(rule_of_event(&PARAMETERS, name), value),
                fits,
                "{name} {value}"
            );
        }
    }

    #[test]
    fn a_version_is_a_date_and_a_word_has_few_digits() {
        for (text, is_one) in [
            ("2010-04-01", true),
            ("2010-04", false),
            ("2010-04-011", false),
            ("2010_04_01", false),
            ("a010-04-01", false),
        ] {
            assert_eq!(fits(ParameterKind::Version, text), is_one, "{text}");
        }
        assert!(is_word(&"1".repeat(DIGITS_MAX)) && is_name(&"1".repeat(DIGITS_MAX)));
        assert!(!is_word(&"1".repeat(DIGITS_MAX + 1)) && !is_name(&"1".repeat(DIGITS_MAX + 1)));
    }

    #[test]
    fn a_new_parameter_is_kept_as_the_list_says() {
        let list = Parameters::read(INVENTED);
        assert_eq!(
            rule(&list, "Invented"),
            JournalRule::Keep(ParameterKind::Enumerated)
        );
        assert_eq!(rule(&PARAMETERS, "Invented"), JournalRule::Omit);
    }
}
