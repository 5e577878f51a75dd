//! Which values a line holds: those with a name of these lists whose value has the shape that the name promises.
//!
//! A name alone proves nothing: a SIP header, or a page with Twilio's browser library, can send any value under any
//! name. So a value has to look like what it should be, too, and a text in which a phone number could hide is none.

use crate::twilio::number::{E164, is_withheld};

/// The longest name that a line has; Twilio's longest has 37 characters.
pub(super) const NAME_MAX: usize = 64;

/// The most digits of a text that is no number of anybody's.
const DIGITS_MAX: usize = 4;

/// What a parameter holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A SID.
    Sid,
    /// A word of a set that Twilio or Fone Dynamics has: a status, a type, a direction.
    Word,
    /// Two capital letters, or with Fone Dynamics the name of a country.
    Country,
    /// A count, or a time in seconds.
    Count,
    /// The version of Twilio's API, a date.
    Version,
    /// A number or address of somebody.
    Number,
    /// Anything else.
    Other,
}

const WORDS: &[&str] = &[
    "Action",
    "AnsweredBy",
    "ButtonType",
    "Call.Disposition",
    "Call.To.Type",
    "CallStatus",
    "CallbackSource",
    "ChannelPrefix",
    "DequeueResult",
    "DialBridged",
    "DialCallStatus",
    "Direction",
    "Event",
    "EventType",
    "Forwarded",
    "FrequentlyForwarded",
    "MessageStatus",
    "MessageType",
    "OptOutType",
    "Property.Type",
    "QueueResult",
    "RecordingSource",
    "RecordingStatus",
    "ReferralSourceType",
    "Session.Traffic.Type",
    "SmsStatus",
    "StatusCallbackEvent",
    "StirVerstat",
    "inboundResourceStatus",
    "inboundResourceType",
    "interactionType",
    "outboundResourceStatus",
    "outboundResourceType",
    "sessionMode",
    "sessionStatus",
    "step",
];

const COUNTRIES: &[&str] = &[
    "Call.From.Country",
    "CalledCountry",
    "CallerCountry",
    "FromCountry",
    "ToCountry",
];

const COUNTS: &[&str] = &[
    "Call.Duration",
    "CallDuration",
    "DialCallDuration",
    "Duration",
    "ErrorCode",
    "NumMedia",
    "NumSegments",
    "QueueTime",
    "RecordingChannels",
    "RecordingDuration",
    "ReferralNumMedia",
    "SequenceNumber",
    "ttl",
];

const NUMBERS: &[&str] = &[
    "Call.Endpoint",
    "Call.From",
    "Call.To",
    "Called",
    "Caller",
    "ForwardedFrom",
    "From",
    "OriginalRepliedMessageSender",
    "To",
    "WaId",
    "inboundParticipantIdentifier",
    "inboundParticipantProxyIdentifier",
    "outboundParticipantIdentifier",
    "outboundParticipantProxyIdentifier",
];

impl Holds {
    /// What a parameter of a form or query holds.
    pub(super) fn of(name: &str) -> Self {
        // Whoever calls by SIP chooses these names.
        if name.starts_with("SipHeader_") {
            return Self::Other;
        }
        if name.ends_with("Sid") {
            return Self::Sid;
        }
        let lists = [
            (NUMBERS, Self::Number),
            (WORDS, Self::Word),
            (COUNTRIES, Self::Country),
            (COUNTS, Self::Count),
            (&["ApiVersion"], Self::Version),
        ];
        lists
            .into_iter()
            .find(|(names, _)| names.contains(&name))
            .map_or(Self::Other, |(_, holds)| holds)
    }

    /// What a value inside an event's data holds, by the last part of its name.
    pub(super) fn of_event(name: &str) -> Self {
        let last = name.rsplit('.').next().unwrap_or_default();
        let last: String = last
            .chars()
            .filter(|&c| c != '_')
            .map(|c| c.to_ascii_lowercase())
            .collect();
        match last.as_str() {
            "status" | "callstatus" | "callstate" | "calltype" | "direction" | "state"
            | "processingstate" | "messagestatus" | "edge" | "region" | "smsstatus"
            | "answeredby" | "connectivity" | "type" => Self::Word,
            "countrycode" | "country" | "countrysubdivision" => Self::Country,
            "duration" | "connectduration" | "nummedia" | "numsegments" | "errorcode"
            | "lastsipresponsenum" | "postdialdelayms" | "count" => Self::Count,
            other if other.ends_with("sid") => Self::Sid,
            _ => Self::Other,
        }
    }

    /// Whether a value is what the name promises, so that it may stand in a line. A number never is by itself.
    pub(super) fn fits(self, value: &str) -> bool {
        match self {
            Self::Sid => is_sid(value),
            Self::Word => is_word(value),
            Self::Country => is_country(value),
            Self::Count => {
                (1..=7).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
            }
            Self::Version => is_version(value),
            Self::Number | Self::Other => false,
        }
    }
}

/// Whether a text is a SID and nothing else: two capital letters, then 32 letters and digits. Twilio's have
/// hexadecimal digits there, those of Fone Dynamics any.
pub(super) fn is_sid(text: &str) -> bool {
    text.len() == 34
        && text.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && text
            .bytes()
            .skip(2)
            .all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text is one of a set's words: a few letters, with nothing in it that could be a number.
pub(super) fn is_word(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._- ".contains(&byte))
        && !may_hide_a_number(text)
}

fn is_country(text: &str) -> bool {
    (2..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b' ')
}

/// `2010-04-01`
fn is_version(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
        && (text.starts_with("20"))
}

/// Whether a parameter's name may stand in a line. Whoever calls by SIP chooses names, too.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic())
        && !may_hide_a_number(name)
}

/// Whether there are as many digits in a text as a number has, however they are parted.
pub(super) fn may_hide_a_number(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() > DIGITS_MAX
}

/// Whether a number of our own has the shape of one; what else stands in its place may be anybody's.
pub(crate) fn is_own(number: &str) -> bool {
    let is_digits = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let Some(number) = number.strip_prefix("whatsapp:") {
        return number.parse::<E164>().is_ok();
    }
    if let Some(page) = number.strip_prefix("messenger:") {
        return is_digits(page, 32);
    }
    if let Some(agent) = number.strip_prefix("rcs:") {
        return is_word(agent) && !agent.contains(' ');
    }
    number.parse::<E164>().is_ok() || is_digits(number, 8)
}

/// Whether a value only says that a number is withheld, and so is nobody's.
pub(super) fn says_withheld(number: &str) -> bool {
    !number.contains(':') && is_withheld(number)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert!(Holds::of(name).fits(value), "{name}={value}");
        }
        for (name, value) in [
            ("CallSid", "+14155550100"),
            ("CallSid", "CA1"),
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
            assert!(!Holds::of(name).fits(value), "{name}={value}");
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
            assert_eq!(Holds::of_event(name).fits(value), fits, "{name} {value}");
        }
    }

    #[test]
    fn a_version_is_a_date_and_a_word_has_few_digits() {
        for (text, fits) in [
            ("2010-04-01", true),
            ("2010-04", false),
            ("2010-04-011", false),
            ("2010_04_01", false),
            ("a010-04-01", false),
        ] {
            assert_eq!(Holds::Version.fits(text), fits, "{text}");
        }
        assert!(is_word(&"1".repeat(DIGITS_MAX)) && is_name(&"1".repeat(DIGITS_MAX)));
        assert!(!is_word(&"1".repeat(DIGITS_MAX + 1)) && !is_name(&"1".repeat(DIGITS_MAX + 1)));
    }
}
