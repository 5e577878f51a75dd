//! Which path is which webhook.

use std::fmt;
use std::str::FromStr;

use crate::request::Webhook;

/// The path of Proxy's webhook unless `--path` names another.
const OUT_OF_SESSION: &str = "/out-of-session";

/// The path of the plain Voice and Messaging webhook.
const WEBHOOK: &str = "/webhook";

/// First segments of paths that this service has, or will have, for something else.
const TAKEN: [&str; 9] = [
    "webhook",
    "intercept",
    "callback",
    "events",
    "voice-webhooks",
    "livez",
    "readyz",
    "metrics",
    "health",
];

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
        if TAKEN.contains(&first) {
            return Err(PathError::Taken);
        }
        Ok(Self(without_slash(text).to_owned()))
    }
}

/// The webhook at a path, when there is one.
pub(super) fn webhook_at(path: &str, out_of_session: &OutOfSessionPath) -> Option<Webhook> {
    let path = without_slash(path);
    if path == out_of_session.0 {
        Some(Webhook::OutOfSession)
    } else if path == WEBHOOK {
        Some(Webhook::Webhook)
    } else {
        None
    }
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_at_the_end_is_the_same_path() {
        let default = OutOfSessionPath::default();
        for (path, webhook) in [
            ("/out-of-session", Some(Webhook::OutOfSession)),
            ("/out-of-session/", Some(Webhook::OutOfSession)),
            ("/out-of-session//", None),
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
            let other: OutOfSessionPath = text.parse().expect(text);
            assert_eq!(other.to_string(), shown);
            assert_eq!(
                webhook_at(path, &other),
                Some(Webhook::OutOfSession),
                "{text}"
            );
            assert_eq!(webhook_at(OUT_OF_SESSION, &other), None, "{text}");
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
