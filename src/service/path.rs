//! The path of Proxy's out-of-session webhook: `--path`.

use std::fmt;
use std::str::FromStr;

use crate::twilio::request::Webhook;

/// The path unless `--path` names another.
const OUT_OF_SESSION: &str = "/out-of-session";

/// The first segments of paths that are not for webhooks.
const HEALTH: [&str; 4] = ["livez", "readyz", "metrics", "health"];

/// The path as it arrives here, without any prefix that a reverse proxy strips.
///
/// Compared byte for byte, escapes included; one slash at the end does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfSessionPath(String);

impl Default for OutOfSessionPath {
    fn default() -> Self {
        Self(OUT_OF_SESSION.to_owned())
    }
}

impl OutOfSessionPath {
    /// Whether this is the path of a request, given without the slash at its end.
    pub(super) fn is(&self, path: &str) -> bool {
        path == self.0
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

/// A path without the slash at its end, if it has one.
pub(super) fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

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
