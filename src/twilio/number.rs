//! Phone numbers: whether they are valid, whether they are withheld, and how much of one may be shown.

use std::fmt;
use std::str::FromStr;

use super::characters::named;
use crate::twilio::channel::Channel;

/// A phone number in E.164 form: `+` and 1 to 15 digits, the first not 0.
///
/// Source: ITU-T E.164, <https://www.itu.int/rec/T-REC-E.164>. Does not check that the number is assigned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct E164(String);

impl E164 {
    /// The number as text, `+` included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is an [`E164`] number.
pub(crate) fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Why a text is not an [`E164`] number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum E164Error {
    /// The text is empty.
    Empty,
    /// The text does not begin with `+`.
    NoPlus,
    /// The first digit is 0, which no country code has.
    LeadingZero,
    /// This character is not a digit.
    NotADigit(char),
    /// There are this many digits: zero, or more than 15.
    Length(usize),
}

impl fmt::Display for E164Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a number is empty"),
            Self::NoPlus => f.write_str("a number must begin with `+` and the country code"),
            Self::LeadingZero => f.write_str("no country code begins with 0"),
            Self::NotADigit(character) => write!(f, "{} is not a digit", named(*character)),
            Self::Length(digits) => write!(f, "a number has 1 to 15 digits, this one has {digits}"),
        }
    }
}

impl std::error::Error for E164Error {}

impl FromStr for E164 {
    type Err = E164Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(E164Error::Empty);
        }
        let digits = text.strip_prefix('+').ok_or(E164Error::NoPlus)?;
        if let Some(other) = digits.chars().find(|character| !character.is_ascii_digit()) {
            return Err(E164Error::NotADigit(other));
        }
        match digits.len() {
            1..=15 if digits.starts_with('0') => Err(E164Error::LeadingZero),
            1..=15 => Ok(Self(text.to_owned())),
            length => Err(E164Error::Length(length)),
        }
    }
}

/// Words that replace a number that the caller withholds.
const WITHHELD_WORDS: [&str; 7] = [
    "anonymous",
    "blocked",
    "private",
    "restricted",
    "unavailable",
    "unknown",
    "withheld",
];

/// [`WITHHELD_WORDS`] typed on a keypad: they look like foreign numbers. Twilio sent these until 2023; other platforms
/// and SIP trunks still do.
///
/// Source: Twilio's changelog of 2022-11-16 and 2023-05-17.
const WITHHELD_DIGITS: [&str; 7] = [
    "266696687",
    "2562533",
    "7748283",
    "7378742833",
    "86282452253",
    "8656696",
    "94844353",
];

/// Whether a caller's number is withheld: it is empty, is a word such as ANONYMOUS typed on a keypad (`+266696687`), or
/// is an anonymous address. On a call a description without a digit or a scheme counts too, such as `No Caller ID`; on
/// a text that is the sender's name.
///
/// Source: <https://www.twilio.com/docs/voice/twiml#request-parameters>: "a string that contains `anonymous`, `unknown`,
/// or other descriptions".
pub(crate) fn is_withheld(number: &str, channel: Channel) -> bool {
    let number = number.trim();
    let is_description =
        channel == Channel::Voice && !number.contains(|c: char| c.is_numeric() || c == ':');
    number.is_empty() || is_description || is_on_keypad(number) || is_anonymous_address(number)
}

/// Whether a text is one of the words, or one as it is typed on a keypad, that replace a withheld number: it
/// identifies no one.
pub(crate) fn spells_withheld(text: &str) -> bool {
    let text = text.trim();
    is_withheld_word(text) || is_on_keypad(text)
}

fn is_withheld_word(text: &str) -> bool {
    let mut words = WITHHELD_WORDS.iter();
    words.any(|word| word.eq_ignore_ascii_case(text))
}

fn is_on_keypad(text: &str) -> bool {
    WITHHELD_DIGITS.contains(&text.strip_prefix('+').unwrap_or(text))
}

/// Whether an address, `sip:` or without a scheme, has such a word as its user, or the host of RFC 3323.
///
/// Source: RFC 3323, section 4.1.1.3, <https://www.rfc-editor.org/rfc/rfc3323#section-4.1.1.3>.
fn is_anonymous_address(address: &str) -> bool {
    let sip = ["sip:", "sips:"].iter().find_map(|scheme| {
        let start = address.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme)
            .then(|| &address[scheme.len()..])
    });
    let rest = sip.unwrap_or(address);
    let (user, host) = rest.split_once('@').unwrap_or(("", rest));
    let user = user.split([':', ';']).next().unwrap_or_default();
    let host = host.split([':', ';', '?']).next().unwrap_or_default();
    spells_withheld(user) || sip.is_some() && host.eq_ignore_ascii_case("anonymous.invalid")
}

/// Whether a withheld number may begin and end so; `false` only when [`is_withheld`] certainly does not hold for any such text.
#[must_use]
pub(crate) fn may_be_withheld(start: &str, end: &str) -> bool {
    let start = start.trim_start();
    let agree = |one: &str, other: &str| {
        one.bytes()
            .zip(other.bytes())
            .all(|(one, other)| one.eq_ignore_ascii_case(&other))
    };
    let begins_like = |word: &&str| agree(start, word);
    let digits = start.strip_prefix('+').unwrap_or(start);
    let has_digit_or_scheme = [start, end]
        .iter()
        .any(|part| part.contains(|c: char| c.is_numeric() || c == ':'));
    !has_digit_or_scheme
        || ["sip:", "sips:"].iter().any(begins_like)
        || WITHHELD_WORDS.iter().any(begins_like)
        || WITHHELD_DIGITS.iter().any(|word| agree(digits, word))
}

/// The fewest characters that a mask hides, which is also the number of bullets in it.
const HIDDEN: usize = DOTS.len() / '•'.len_utf8();
const DOTS: &str = "•••••";

/// A number or address as it may appear in a log: at most its first four characters and its last two,
/// at least five hidden. The bullets are always five, so that they do not tell the length either.
#[must_use]
pub fn masked(address: &str) -> String {
    if address.is_empty() {
        return String::new();
    }
    let length = address.chars().count();
    let (first, last) = shown_by_mask(length);
    let start = address.chars().take(first);
    let end = address.chars().skip(length - last);
    start.chain(DOTS.chars()).chain(end).collect()
}

/// How many characters [`masked`] shows of the start and of the end of a text with this many characters.
#[must_use]
pub(crate) fn shown_by_mask(characters: usize) -> (usize, usize) {
    let may_show = characters.saturating_sub(HIDDEN);
    let last = may_show.min(2);
    ((may_show - last).min(4), last)
}

/// A text in which every number of five digits or more is [`masked`], however its digits are separated.
#[must_use]
pub fn with_numbers_masked(text: &str) -> String {
    with_other_numbers_masked(text, "")
}

/// [`with_numbers_masked`], except that our own number stays.
#[must_use]
pub fn with_other_numbers_masked(text: &str, own: &str) -> String {
    const SHORTEST: usize = 5;
    let parts = |character: char| " \u{a0}-‐‑–.()/_".contains(character);
    let characters: Vec<char> = text.chars().collect();
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        // A number ends at the first character that is neither a digit nor a separator between two digits.
        let is_plus = characters[at] == '+';
        let (mut end, mut digits) = (at, 0);
        let mut next = at + usize::from(is_plus);
        while let Some(character) = characters.get(next) {
            if character.is_numeric() {
                (end, digits) = (next + 1, digits + 1);
            } else if digits == 0 && !is_plus || !parts(*character) || next >= end.max(at + 1) + 2 {
                break;
            }
            next += 1;
        }
        let number: String = characters[at..end].iter().collect();
        if digits >= SHORTEST && number != own {
            result.push_str(&masked(&number));
        } else {
            end = end.max(at + 1);
            result.extend(&characters[at..end]);
        }
        at = end;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_text_are_masked() {
        for (text, shown) in [
            ("", ""),
            ("no number", "no number"),
            ("1 to 15 digits, 64 names", "1 to 15 digits, 64 names"),
            ("\"+15005550006\" twice", "\"+150•••••06\" twice"),
            ("\"+1500555000x\"", "\"+150•••••00x\""),
            ("+1 (415) 555-0100.", "+1 (•••••00."),
            (
                "415.555.0100 and 415/555/0199",
                "415.•••••00 and 415/•••••99",
            ),
            ("sip:4155550100@example.com", "sip:415•••••00@example.com"),
            ("+14155550100, +14155550199", "+141•••••00, +141•••••99"),
            ("[\"12345\", \"1234\"]", "[\"•••••\", \"1234\"]"),
            ("＋１４１５５５５０１００", "＋１４１５•••••００"),
            ("+", "+"),
            ("+ 4155550100", "+ 41•••••00"),
            ("+  4155550100", "+  4•••••00"),
            ("rooms 415   12 34", "rooms 415   12 34"),
        ] {
            assert_eq!(with_numbers_masked(text), shown, "{text}");
        }
    }

    #[test]
    fn our_own_number_is_not_masked() {
        let masked = |text| with_other_numbers_masked(text, "+15005550006");
        assert_eq!(
            masked("+15005550006 dials +14155550123, not +15005550007"),
            "+15005550006 dials +141•••••23, not +150•••••07"
        );
        assert_eq!(with_other_numbers_masked("+14155550123", ""), "+141•••••23");
        // Part of a number is not our own number.
        for own in ["1", "55501", "+1", "4155550123"] {
            let masked = with_other_numbers_masked("+14155550123", own);
            assert_eq!(masked, "+141•••••23", "{own}");
        }
    }

    #[test]
    fn e164_accepts_one_to_fifteen_digits() {
        for text in ["+1", "+14155550100", "+123456789012345"] {
            assert_eq!(text.parse::<E164>().expect(text).to_string(), text);
            assert!(is_e164(text));
        }
    }

    #[test]
    fn e164_says_what_is_wrong() {
        for (text, message) in [
            ("", "a number is empty"),
            (
                "14155550100",
                "a number must begin with `+` and the country code",
            ),
            ("+", "a number has 1 to 15 digits, this one has 0"),
            (
                "+1234567890123456",
                "a number has 1 to 15 digits, this one has 16",
            ),
            ("+0155550100", "no country code begins with 0"),
            ("+1415555010x", "the letter `x` is not a digit"),
            ("+1 415", "a space is not a digit"),
            ("+1٣", "the character `٣` is not a digit"),
        ] {
            assert_eq!(text.parse::<E164>().expect_err(text).to_string(), message);
            assert!(!is_e164(text));
        }
    }

    /// What replaces a withheld caller's number, on calls and texts alike.
    const WITHHELD: [&str; 16] = [
        "",
        " \t",
        "+266696687",
        "266696687",
        "+7378742833",
        "+2562533",
        "+8656696",
        "+86282452253",
        "+7748283",
        "+94844353",
        "sip:anonymous@anonymous.invalid",
        "sip:Anonymous@sip.example.com",
        "SIPS:unknown@10.0.0.1:5061",
        "sip:+266696687@example.com",
        "sip:x@anonymous.invalid;transport=tls",
        "anonymous@10.0.0.1:5060",
    ];

    /// What replaces it on calls only, because on a text it would be a sender's name.
    const DESCRIPTIONS: [&str; 9] = [
        "anonymous",
        "Anonymous ",
        "UNKNOWN",
        "No Caller ID",
        "Private Caller",
        "Out of Area",
        "UNKNOWN CALLER",
        "TWILIO",
        "nicht verfügbar",
    ];

    #[test]
    fn withheld_callers_are_known_in_every_spelling() {
        for channel in Channel::ALL {
            for number in WITHHELD {
                assert!(is_withheld(number, channel), "{number:?}");
            }
            for number in DESCRIPTIONS {
                let is_call = channel == Channel::Voice;
                assert_eq!(is_withheld(number, channel), is_call, "{number:?}");
            }
        }
        assert!(is_withheld("anonymous@anonymous.invalid", Channel::Voice));
        assert!(is_withheld("anonymous@anonymous.invalid", Channel::Message));
    }

    #[test]
    fn ordinary_callers_are_not_withheld() {
        for number in [
            "+14155550100",
            "+8566",
            "+26669668",
            "+2666966870",
            "12345",
            "client:anonymous",
            "sip:desk@example.com",
            "sip:anonymous.example.com",
            "whatsapp:+266696687",
            "whatsapp:anonymous",
            "CALLER 9",
            "+86 28",
            "+１４１５５５５０１００",
        ] {
            for channel in Channel::ALL {
                assert!(!is_withheld(number, channel), "{number:?}");
            }
        }
    }

    #[test]
    fn only_the_words_themselves_name_nobody() {
        for text in ["Anonymous", "restricted", "+266696687", "2562533"] {
            assert!(spells_withheld(text), "{text}");
        }
        for text in ["John Smith", "", "sip:anonymous@anonymous.invalid"] {
            assert!(!spells_withheld(text), "{text}");
        }
    }

    #[test]
    fn the_ends_of_a_withheld_number_never_deny_it() {
        for number in WITHHELD.iter().chain(&DESCRIPTIONS) {
            let places: Vec<usize> = number.char_indices().map(|(at, _)| at).collect();
            for (place, from) in places.iter().enumerate() {
                for to in &places[place..] {
                    let (start, end) = (&number[..*from], &number[*to..]);
                    assert!(may_be_withheld(start, end), "{start:?} {end:?}");
                }
            }
        }
        for (start, end) in [
            ("+1", "00"),
            ("+2664", ""),
            ("client:", ""),
            ("whatsapp:+266", "87"),
            ("1", ""),
            ("TW", "9"),
        ] {
            assert!(!may_be_withheld(start, end), "{start:?} {end:?}");
        }
    }

    #[test]
    fn a_mask_hides_at_least_five_characters() {
        for (number, mask) in [
            ("+14155550100", "+141•••••00"),
            ("+442071838750", "+442•••••50"),
            ("+4930123", "+•••••23"),
            ("12345", "•••••"),
            ("123456", "•••••6"),
            ("1", "•••••"),
            ("", ""),
            ("client:alice", "clie•••••ce"),
        ] {
            assert_eq!(masked(number), mask);
        }
    }
}
