//! What a text must look like to be dialled, sent to or fetched, and why a value cannot stand where it stands.

use std::fmt;

use serde::Deserialize;

use crate::twilio::types::{E164, E164Error};
use crate::twilio::url::{UrlError, check_web_url};

/// Where a value leads, and so what it must look like and what it may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// A URL that Twilio fetches or posts to.
    Url,
    /// A phone number that is dialled: E.164.
    Number,
    /// A `sip:` or `sips:` URI.
    Sip,
    /// The name of a client, a conference, a queue, or a SID.
    Name,
    /// Who a call is from: `callerId`.
    Caller,
    /// Who a text is from: `from`.
    Sender,
    /// Whom a text goes to: an E.164 number or an address with a scheme.
    Address,
}

impl Destination {
    /// Checks that a finished value looks like what this destination needs.
    ///
    /// # Errors
    ///
    /// It does not: a number that is no E.164, a bad URL, no SIP URI, a sender that no network would take.
    pub fn check(self, value: &str) -> Result<(), ValueError> {
        match self {
            Self::Url => check_web_url(value).map_err(ValueError::Url),
            Self::Number => value.parse::<E164>().map(drop).map_err(ValueError::Number),
            Self::Sip => {
                let host = value
                    .strip_prefix("sip:")
                    .or_else(|| value.strip_prefix("sips:"));
                match host {
                    Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(()),
                    _ => Err(ValueError::NotSip),
                }
            }
            Self::Name if value.trim().is_empty() => Err(ValueError::Empty),
            Self::Name => Ok(()),
            Self::Caller => check_caller(value),
            Self::Sender => check_sender(value),
            Self::Address => check_address(value),
        }
    }
}

/// A caller is an E.164 number, or a SIP user or client, which have a letter and no blanks.
fn check_caller(value: &str) -> Result<(), ValueError> {
    let is_user = value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-_.@:".contains(&byte));
    if is_user {
        Ok(())
    } else {
        Destination::Number.check(value)
    }
}

/// A sender is an E.164 number, an address with a scheme (`client:`, `whatsapp:`), or a name that has a letter in it.
fn check_sender(value: &str) -> Result<(), ValueError> {
    let is_name = value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-_. @:".contains(&byte));
    let is_short_code =
        (5..=6).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_name || is_short_code {
        Ok(())
    } else {
        Destination::Number.check(value)
    }
}

fn check_address(value: &str) -> Result<(), ValueError> {
    match value.split_once(':') {
        Some(("whatsapp", number)) => Destination::Number.check(number),
        Some(("messenger" | "rcs" | "client", name)) if !name.is_empty() => Ok(()),
        _ => Destination::Number.check(value),
    }
}

/// Why a value cannot stand where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// Nothing is there.
    Empty,
    /// Neither `true` nor `false`.
    NotBoolean,
    /// No whole number.
    NotInteger,
    /// A whole number outside what TwiML takes.
    OutOfRange {
        /// The least it may be.
        min: Option<i64>,
        /// The most it may be.
        max: Option<i64>,
    },
    /// Not one of the values that are known.
    NotAmong {
        /// Whether there may be others than those that are known.
        open: bool,
    },
    /// A value that still works.
    Outdated {
        /// What to write instead.
        instead: &'static str,
    },
    /// A number that works only with a setting of the account.
    Unusual {
        /// The greatest that always works.
        usual: i64,
    },
    /// A text of another form than the one that is described here.
    Form(&'static str),
    /// More characters than TwiML takes.
    TooLong {
        /// The most it may have.
        max: usize,
    },
    /// A character that may not stand there.
    BadCharacter {
        /// The first such character.
        found: char,
        /// Those that may stand there.
        allowed: &'static str,
    },
    /// No `sip:` or `sips:` URI.
    NotSip,
    /// No E.164 number.
    Number(E164Error),
    /// No URL that Twilio could use.
    Url(UrlError),
}

impl ValueError {
    /// Whether the value is only suspicious: Twilio may know it better, and a document may have it.
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
            Self::OutOfRange {
                min: Some(min),
                max: Some(max),
            } => write!(f, "it must be from {min} to {max}"),
            Self::OutOfRange {
                min: Some(min),
                max: None,
            } => write!(f, "it must be {min} or more"),
            Self::OutOfRange { max: Some(max), .. } => write!(f, "it must be {max} or less"),
            Self::OutOfRange { .. } => f.write_str("it is out of range"),
            Self::NotAmong { .. } => f.write_str("it is not one of the values that TwiML knows"),
            Self::Outdated { instead } => write!(f, "Twilio wants {instead} instead"),
            Self::Unusual { usual } => write!(
                f,
                "more than {usual} works only if the account's settings allow it"
            ),
            Self::Form(form) => write!(f, "it must be {form}"),
            Self::TooLong { max } => write!(f, "it has more than {max} characters"),
            Self::BadCharacter { found, allowed } => {
                write!(f, "{found:?} cannot stand in it, only {allowed}")
            }
            Self::NotSip => f.write_str("it is no SIP URI"),
            Self::Number(error) => error.fmt(f),
            Self::Url(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ValueError {}
