//! What a value must look like to be dialled, sent to or fetched, and why a value does not fit its place.

use std::fmt;

use serde::Deserialize;

use crate::twilio::number::{E164, E164Error};

/// Where a value leads, which decides the form it must have and the sources it may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// A URL that Twilio fetches or posts to.
    Url,
    /// A phone number that is dialled: E.164.
    Number,
    /// A `sip:` or `sips:` URI.
    Sip,
    /// The name of a client, or a SID.
    Name,
    /// The name of a conference or a queue: our own place, which costs nothing.
    Room,
    /// Who a call is from: `callerId`.
    Caller,
    /// The same, where a client is dialled.
    ClientCaller,
    /// The same, where a SIP address is dialled.
    SipCaller,
    /// Who a text is from: `from`.
    Sender,
    /// Who a text goes to: an E.164 number or an address with a scheme.
    Address,
}

impl Destination {
    /// Checks that a finished value has the form that this destination needs.
    ///
    /// # Errors
    ///
    /// The value is not the kind of number, URL, SIP URI, name or address needed here.
    pub fn check(self, value: &str) -> Result<(), ValueError> {
        let has_letter = value.bytes().any(|byte| byte.is_ascii_alphabetic());
        let is_all = |others: &[u8]| {
            let mut bytes = value.bytes();
            bytes.all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
        };
        let number = match self {
            Self::Url => return check_url(value, false).map_err(ValueError::Url),
            Self::Sip => {
                let rest = value
                    .strip_prefix("sip:")
                    .or_else(|| value.strip_prefix("sips:"));
                return match rest {
                    Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(()),
                    _ => Err(ValueError::NotSip),
                };
            }
            Self::Name | Self::Room if value.trim().is_empty() => return Err(ValueError::Empty),
            Self::Name | Self::Room => return Ok(()),
            Self::Caller if !value.is_empty() && is_all(b"+-_.@:") => return Ok(()),
            Self::Caller => {
                return Err(ValueError::Form(
                    "a number, or letters, digits and + - _ . @ : only",
                ));
            }
            Self::SipCaller if !value.is_empty() && is_all(b"+-_.") => return Ok(()),
            Self::SipCaller => return Err(ValueError::Form("letters, digits and + - _ . only")),
            Self::ClientCaller
                if value
                    .strip_prefix("client:")
                    .is_some_and(|name| !name.is_empty()) =>
            {
                return Ok(());
            }
            // A name, an address with a scheme, or a short code.
            Self::Sender if has_letter && is_all(b"+-_. @:") => return Ok(()),
            Self::Sender
                if (5..=6).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()) =>
            {
                return Ok(());
            }
            Self::Address => match value.split_once(':') {
                Some(("whatsapp", number)) => number,
                Some(("messenger" | "rcs" | "client", name)) if !name.is_empty() => return Ok(()),
                _ => value,
            },
            Self::Number | Self::ClientCaller | Self::Sender => value,
        };
        number.parse::<E164>().map(drop).map_err(ValueError::Number)
    }
}

/// The number meant by one without a country code, or with blanks and dashes, and whether Twilio itself reads it that
/// way, as it does with US numbers; `None` when in doubt.
///
/// Source: <https://www.twilio.com/docs/voice/twiml/number>.
pub(crate) fn number_meant(text: &str) -> Option<(E164, bool)> {
    let text = text.trim();
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+ ().-/".contains(&byte))
    {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if text.starts_with('+') {
        // A zero in brackets is only dialled inside the country.
        let meant = (!text.contains("(0")).then(|| format!("+{digits}"))?;
        return Some((meant.parse().ok()?, false));
    }
    let national = digits.strip_prefix('1').filter(|rest| rest.len() == 10);
    let national = national.unwrap_or(&digits);
    let is_american = national.len() == 10 && !national.starts_with(['0', '1']);
    is_american.then(|| Some((format!("+1{national}").parse().ok()?, true)))?
}

/// Why a value does not fit its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says what it means when it is displayed")]
pub enum ValueError {
    Empty,
    NotBoolean,
    NotInteger,
    OutOfRange {
        min: Option<i64>,
        max: Option<i64>,
    },
    /// Not one of the known values; when the list is open there may be others.
    NotAmong {
        open: bool,
    },
    /// A value that still works.
    Outdated {
        instead: &'static str,
    },
    /// A number that works only with a setting of the account.
    Unusual {
        usual: i64,
    },
    /// A text that does not have this form.
    Form(&'static str),
    TooLong {
        max: usize,
    },
    BadCharacter {
        found: char,
        allowed: &'static str,
    },
    NotSip,
    Number(E164Error),
    Url(UrlError),
}

impl ValueError {
    /// Whether the value is only suspicious: Twilio may accept it, and a document may contain it.
    #[must_use]
    pub fn is_suspicion(&self) -> bool {
        matches!(
            self,
            Self::NotAmong { open: true } | Self::Outdated { .. } | Self::Unusual { .. }
        )
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NotBoolean => f.write_str("it must be true or false"),
            Self::NotInteger => f.write_str("it must be a whole number"),
            Self::OutOfRange { min, max } => match (min, max) {
                (Some(min), Some(max)) => write!(f, "it must be from {min} to {max}"),
                (Some(min), None) => write!(f, "it must be {min} or more"),
                (None, Some(max)) => write!(f, "it must be {max} or less"),
                (None, None) => f.write_str("it is out of range"),
            },
            Self::NotAmong { .. } => f.write_str("it is not one of the values that TwiML allows"),
            Self::Outdated { instead } => write!(f, "Twilio expects {instead} instead"),
            Self::Unusual { usual } => {
                write!(
                    f,
                    "more than {usual} works only if the account's settings allow it"
                )
            }
            Self::Form(form) => write!(f, "it must be {form}"),
            Self::TooLong { max: 1 } => f.write_str("it has more than one character"),
            Self::TooLong { max } => write!(f, "it has more than {max} characters"),
            Self::BadCharacter { found, allowed } => {
                write!(f, "it cannot contain {found:?}, only {allowed}")
            }
            Self::NotSip => f.write_str("it is not a SIP address"),
            Self::Number(error) => error.fmt(f),
            Self::Url(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ValueError {}

/// Why Twilio could not fetch, post to or connect to a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says what it means when it is displayed")]
pub enum UrlError {
    Empty,
    Scheme { wanted: &'static str },
    NoHost,
    BadCharacter(char),
    Underscore,
    Port,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Scheme { wanted } => write!(f, "it must begin with {wanted}"),
            Self::NoHost => f.write_str("it has no host"),
            Self::BadCharacter(found) => write!(f, "a URL cannot contain {found:?}"),
            Self::Underscore => f.write_str("its host has an underscore, which Twilio refuses"),
            Self::Port => f.write_str("its port is not a number from 1 to 65535"),
        }
    }
}

/// The hosts of Twilio's API, which has the recordings and the pictures of calls and texts. Twilio's other hosts serve
/// customers' content, so no pattern is allowed.
///
/// Source: <https://www.twilio.com/docs/global-infrastructure/using-the-twilio-rest-api-in-a-non-us-region>.
const API_HOSTS: [&str; 4] = [
    "api.twilio.com",
    "api.ashburn.us1.twilio.com",
    "api.dublin.ie1.twilio.com",
    "api.sydney.au1.twilio.com",
];

/// Whether a URL is that of a recording or a picture at Twilio. Compared exactly: Twilio's URLs have neither user info
/// nor a port, and are in lower case.
pub(crate) fn is_at_twilio(url: &str) -> bool {
    let place = url.strip_prefix("https://");
    let place = place.and_then(|place| place.split_once('/'));
    place.is_some_and(|(host, path)| {
        API_HOSTS.contains(&host) && path.starts_with("2010-04-01/Accounts/AC")
    }) && check_url(url, false).is_ok()
}

/// Checks an absolute URL: `https` or `http`, `wss` for a socket.
pub(crate) fn check_url(url: &str, is_socket: bool) -> Result<(), UrlError> {
    let (schemes, wanted): (&[&str], _) = if is_socket {
        (&["wss"], "wss://")
    } else {
        (&["https", "http"], "https:// or http://")
    };
    if url.is_empty() {
        return Err(UrlError::Empty);
    }
    // Twilio accepts non-ASCII characters and encodes them itself; blanks, control characters and these are never
    // allowed.
    let is_bad =
        |found: char| found.is_whitespace() || found.is_control() || "<>\"{}|\\^`".contains(found);
    if let Some(found) = url.chars().find(|found| is_bad(*found)) {
        return Err(UrlError::BadCharacter(found));
    }
    let (_, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| {
            schemes
                .iter()
                .any(|known| known.eq_ignore_ascii_case(scheme))
        })
        .ok_or(UrlError::Scheme { wanted })?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host_and_port, None),
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    if host.contains('_') {
        return Err(UrlError::Underscore);
    }
    match port.map(str::parse::<u16>) {
        None => Ok(()),
        Some(Ok(port)) if port > 0 => Ok(()),
        Some(_) => Err(UrlError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_twilios_own_hosts_have_its_recordings_and_pictures() {
        const PATH: &str = "/2010-04-01/Accounts/AC0/Recordings/RE0";
        for host in API_HOSTS {
            assert!(is_at_twilio(&format!("https://{host}{PATH}")), "{host}");
        }
        for url in [
            String::new(),
            "https://".to_owned(),
            "https://api.twilio.com".to_owned(),
            "https://api.twilio.com/".to_owned(),
            "https://api.twilio.com/2010-04-01/Accounts/".to_owned(),
            "https://api.twilio.com//2010-04-01/Accounts/AC0".to_owned(),
            "https://api.twilio.com/x/../2010-04-01/Accounts/AC0".to_owned(),
            format!("http://api.twilio.com{PATH}"),
            format!("HTTPS://api.twilio.com{PATH}"),
            format!("//api.twilio.com{PATH}"),
            format!(" https://api.twilio.com{PATH}"),
            format!("https://api.twilio.com{PATH} x"),
            format!("https://api.twilio.com{PATH}\r\nHost: evil.example"),
            format!("https://API.Twilio.com{PATH}"),
            format!("https://api.twilio.com.{PATH}"),
            format!("https://api.twilio.com.evil.example{PATH}"),
            format!("https://evil.example/api.twilio.com{PATH}"),
            format!("https://evil.example?api.twilio.com{PATH}"),
            format!("https://evil.example#@api.twilio.com{PATH}"),
            format!("https://xapi.twilio.com{PATH}"),
            format!("https://evil.twilio.com{PATH}"),
            format!("https://evil.twil.io{PATH}"),
            format!("https://api.twilio.com@evil.example{PATH}"),
            format!("https://user@api.twilio.com{PATH}"),
            format!("https://user:pass@api.twilio.com{PATH}"),
            format!("https://api.twilio.com:443{PATH}"),
            format!("https://api.twilio.com:8443{PATH}"),
            format!("https://api.twilio.com:@evil.example{PATH}"),
            format!("https:\\\\api.twilio.com{PATH}"),
            format!("https://evil.example\\@api.twilio.com{PATH}"),
            format!("https://api.twilio.com\\.evil.example{PATH}"),
            format!("https://api.twilio.com\t.evil.example{PATH}"),
            format!("https://аpi.twilio.com{PATH}"),
            format!("https://api。twilio。com{PATH}"),
            format!("https://api%2etwilio.com{PATH}"),
            format!("https://[api.twilio.com]{PATH}"),
            format!("https:///api.twilio.com{PATH}"),
            format!("https:api.twilio.com{PATH}"),
            format!("javascript://api.twilio.com{PATH}"),
        ] {
            assert!(!is_at_twilio(&url), "{url:?}");
        }
    }

    #[test]
    fn web_urls_are_absolute_with_a_host() {
        for url in [
            "https://example.com",
            "http://example.com/a?b=c#rc=2&ct=1000",
            "HTTPS://user:pass@example.com:8443/x",
            "https://[2001:db8::1]:8443/x",
            "https://[2001:db8::1]/x",
            "https://example.com:65535",
            "https://münchen.example/ä",
        ] {
            assert_eq!(check_url(url, false), Ok(()), "{url}");
        }
        for (url, error) in [
            ("", "it is empty"),
            ("example.com/x", "it must begin with https:// or http://"),
            (
                "ftp://example.com",
                "it must begin with https:// or http://",
            ),
            ("https://", "it has no host"),
            ("https:///x", "it has no host"),
            ("https://example.com/a b", "a URL cannot contain ' '"),
            ("https://example.com/{id}", "a URL cannot contain '{'"),
            (
                "https://my_host.example",
                "its host has an underscore, which Twilio refuses",
            ),
            (
                "https://example.com:0/",
                "its port is not a number from 1 to 65535",
            ),
            (
                "https://example.com:99999/",
                "its port is not a number from 1 to 65535",
            ),
            (
                "https://example.com:x/",
                "its port is not a number from 1 to 65535",
            ),
        ] {
            assert_eq!(
                check_url(url, false).expect_err(url).to_string(),
                error,
                "{url}"
            );
        }
    }
}
