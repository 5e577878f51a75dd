//! Which path is which webhook.

use std::fmt;
use std::str::FromStr;

use crate::service::server::Service;
use crate::twilio::request::Webhook;

/// The path of Proxy's webhook unless `--path` names another.
const OUT_OF_SESSION: &str = "/out-of-session";

/// First segments of paths that are not for webhooks.
const HEALTH: [&str; 4] = ["livez", "readyz", "metrics", "health"];

/// The path of Proxy's out-of-session webhook, as it arrives here: a prefix that a reverse proxy strips is not in it.
///
/// Compared byte for byte, escapes included; one slash at the end does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfSessionPath(String);

impl Default for OutOfSessionPath {
    fn default() -> Self {
        Self(OUT_OF_SESSION.to_owned())
    }
}

impl fmt::Display for OutOfSessionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

/// Why a text is not an [`OutOfSessionPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// It does not begin with `/`.
    NoSlash,
    /// It has this character, which has to be percent-encoded or belongs to a query.
    Character(char),
    /// The path is another webhook's, or that of health or metrics.
    Taken,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlash => f.write_str("a path begins with `/`"),
            Self::Character(found) => write!(f, "a path has no {found:?}"),
            Self::Taken => {
                f.write_str("this path has another use, choose one that begins otherwise")
            }
        }
    }
}

impl std::error::Error for PathError {}

impl FromStr for OutOfSessionPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let segments = text.strip_prefix('/').ok_or(PathError::NoSlash)?;
        let stands_for_itself = |c: char| c.is_ascii_graphic() && !"?#\"<>\\^`{|}".contains(c);
        if let Some(found) = text.chars().find(|&c| !stands_for_itself(c)) {
            return Err(PathError::Character(found));
        }
        let first = segments.split('/').next().unwrap_or_default();
        let is_taken =
            Webhook::from_name(first).is_some_and(|webhook| webhook != Webhook::OutOfSession);
        if is_taken || HEALTH.contains(&first) {
            return Err(PathError::Taken);
        }
        Ok(Self(without_slash(text).to_owned()))
    }
}

/// The webhook at a path, when there is one and it is switched on: by the table, a journal or a key.
pub(super) fn webhook_at(path: &str, service: &Service) -> Option<Webhook> {
    let path = without_slash(path);
    if path == service.out_of_session.0 {
        return Some(Webhook::OutOfSession);
    }
    let (first, rest) = match path.strip_prefix('/')?.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (&path[1..], None),
    };
    let webhook = Webhook::from_name(first)?;
    let is_there = match (webhook, rest) {
        (Webhook::Webhook, None) => true,
        (Webhook::Intercept, None) => !service.live.load().table.intercepts.is_empty(),
        (Webhook::VoiceWebhooks, Some(key)) => service.live.load().voice_webhooks.has(key),
        // Without a journal nobody would ever hear of what they tell.
        (Webhook::Callback | Webhook::Events, None) => service.journal.is_some(),
        _ => false,
    };
    is_there.then_some(webhook)
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::service::live::{Access, Verification};
    use crate::table::guard::Limits;
    use crate::table::intercept::Intercept;
    use crate::table::when::When;
    use crate::table::{DefaultReplies, DefaultReply, Table};
    use crate::twilio::signature::keys::Keys;

    fn table() -> Table {
        let default = DefaultReplies {
            voice: DefaultReply::silent(),
            message: DefaultReply::silent(),
        };
        Table::new(Vec::new(), Vec::new(), default, Limits::default())
    }

    fn service_of(table: Table, path: &str) -> Service {
        Service {
            out_of_session: path.parse().expect(path),
            ..Service::new(Arc::new(table), Verification::AllowUnsigned)
        }
    }

    fn service(path: &str) -> Service {
        service_of(table(), path)
    }

    #[test]
    fn one_slash_at_the_end_is_the_same_path() {
        let default = service(OUT_OF_SESSION);
        for (path, webhook) in [
            ("/out-of-session", Some(Webhook::OutOfSession)),
            ("/out-of-session/", Some(Webhook::OutOfSession)),
            ("/out-of-session//", None),
            ("/out-of-session/x", None),
            ("/Out-of-session", None),
            ("/out%2Dof-session", None),
            ("/webhook", Some(Webhook::Webhook)),
            ("/webhook/", Some(Webhook::Webhook)),
            ("/webhook/x", None),
            ("/", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(webhook_at(path, &default), webhook, "{path:?}");
        }
        for (text, shown, path) in [
            ("/", "/", "/"),
            ("/a/b/", "/a/b", "/a/b"),
            ("/%7Ex", "/%7Ex", "/%7Ex/"),
        ] {
            let other = service(text);
            assert_eq!(other.out_of_session.to_string(), shown);
            assert_eq!(
                webhook_at(path, &other),
                Some(Webhook::OutOfSession),
                "{text}"
            );
            assert_eq!(webhook_at(OUT_OF_SESSION, &other), None, "{text}");
        }
    }

    #[test]
    fn a_webhook_is_there_when_something_asks_for_it() {
        let paths = ["/intercept", "/callback", "/events", "/voice-webhooks"];
        for path in paths {
            let nothing = webhook_at(path, &service(OUT_OF_SESSION));
            assert_eq!(nothing, None, "{path}");
        }
        let mut intercepting = table();
        intercepting.intercepts.push(Intercept {
            name: "all".to_owned(),
            when: When::default(),
            blocks: true,
        });
        let intercepting = service_of(intercepting, OUT_OF_SESSION);
        for (path, webhook) in [
            ("/intercept", Some(Webhook::Intercept)),
            ("/intercept/", Some(Webhook::Intercept)),
            ("/intercept/x", None),
        ] {
            assert_eq!(webhook_at(path, &intercepting), webhook, "{path}");
        }
        let key = "0123456789abcdef0123456789abcdef";
        let keyed = Service {
            ..Service::new(
                Arc::new(table()),
                Access {
                    verification: Verification::AllowUnsigned,
                    voice_webhooks: Keys::parse(key).expect("a key"),
                },
            )
        };
        for (path, webhook) in [
            (
                format!("/voice-webhooks/{key}"),
                Some(Webhook::VoiceWebhooks),
            ),
            (
                format!("/voice-webhooks/{key}/"),
                Some(Webhook::VoiceWebhooks),
            ),
            (format!("/voice-webhooks/{key}//"), None),
            (format!("/voice-webhooks//{key}"), None),
            (format!("/{key}"), None),
            ("/voice-webhooks".to_owned(), None),
            ("/voice-webhooks/".to_owned(), None),
        ] {
            assert_eq!(webhook_at(&path, &keyed), webhook, "{path}");
        }
    }

    #[test]
    fn a_path_says_what_is_wrong() {
        for (text, message) in [
            ("", "a path begins with `/`"),
            ("out-of-session", "a path begins with `/`"),
            ("/a b", "a path has no ' '"),
            ("/a?b=1", "a path has no '?'"),
            ("/\u{e9}", "a path has no '\u{e9}'"),
            (
                "/webhook",
                "this path has another use, choose one that begins otherwise",
            ),
            (
                "/events/x",
                "this path has another use, choose one that begins otherwise",
            ),
        ] {
            let error = text.parse::<OutOfSessionPath>().expect_err(text);
            assert_eq!(error.to_string(), message, "{text}");
        }
    }
}
