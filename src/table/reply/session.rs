//! The answer that is no TwiML: JSON with which Proxy opens a session between the caller and somebody else.
//!
//! Source: Proxy's out-of-session guide, <https://www.twilio.com/docs/proxy/out-of-session-callback-response-guide>.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use crate::table::reply::RenderError;
use crate::table::reply::template::{Encoding, Scope, Text};
use crate::twilio::number::E164;
use crate::twilio::vocabulary::ValueError;

/// The most characters of a session's unique name.
pub const UNIQUE_NAME_MAX_CHARACTERS: usize = 191;

/// What a session lets people do.
pub const MODES: [&str; 3] = ["message-only", "voice-only", "voice-and-message"];

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The real number of the second party.
    pub participant_identifier: Text,
    /// The masked number for the second party; Proxy chooses one when there is none.
    pub participant_proxy_identifier: Option<Text>,
    /// A name that no session has had before.
    pub unique_name: Option<Text>,
    /// One of [`MODES`]; Proxy guesses when there is none.
    pub mode: Option<&'static str>,
    /// Seconds after the last interaction; 0 is for ever.
    pub ttl: Option<u32>,
    /// The moment when it ends, in ISO 8601; goes before `ttl`.
    pub date_expiry: Option<String>,
}

/// The members as Proxy reads them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    participant_identifier: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_proxy_identifier: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_expiry: Option<&'a str>,
}

impl NewSession {
    /// The JSON for one request.
    ///
    /// # Errors
    ///
    /// A value of the request is no number where one must be, or the unique name is too long.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Bytes, RenderError> {
        let fill = |text: &'_ Text| text.fill(scope, Encoding::Plain).into_owned();
        let number = |attribute, text: &Text| {
            let number = fill(text);
            number
                .parse::<E164>()
                .map(|_| Cow::Owned(number))
                .map_err(|error| RenderError::Value {
                    element: "create_session",
                    attribute: Some(Cow::Borrowed(attribute)),
                    error: ValueError::Number(error),
                })
        };
        let proxy = self.participant_proxy_identifier.as_ref();
        let unique_name = self
            .unique_name
            .as_ref()
            .map(fill)
            .filter(|name| !name.is_empty());
        if unique_name
            .as_ref()
            .is_some_and(|name| name.chars().count() > UNIQUE_NAME_MAX_CHARACTERS)
        {
            let error = ValueError::TooLong {
                max: UNIQUE_NAME_MAX_CHARACTERS,
            };
            return Err(RenderError::Value {
                element: "create_session",
                attribute: Some(Cow::Borrowed("uniqueName")),
                error,
            });
        }
        let answer = Answer {
            participant_identifier: number("participantIdentifier", &self.participant_identifier)?,
            participant_proxy_identifier: proxy
                .map(|text| number("participantProxyIdentifier", text))
                .transpose()?,
            unique_name: unique_name.map(Cow::Owned),
            mode: self.mode,
            ttl: self.ttl,
            date_expiry: self.date_expiry.as_deref(),
        };
        Ok(Bytes::from(
            serde_json::to_vec(&answer).expect("texts and numbers can be written as JSON"),
        ))
    }
}
