//! Keys that stand in a path, for senders who do not sign: `/voice-webhooks/KEY`.
//!
//! Takes text and returns values; the caller reads the file. No message repeats what a line holds.

use std::fmt;

use crate::twilio::signature::secrets::{LinesError, read_lines};
use crate::twilio::signature::{Algorithm, Secret};

/// The fewest characters of a key: 128 bits, if they are random hexadecimal digits.
const SHORTEST: usize = 32;

/// The most characters of a key.
const LONGEST: usize = 256;

/// The keys that open a path; with none, it stays closed.
///
/// The texts themselves are not kept, and nothing prints them.
#[derive(Clone, Default)]
pub struct PathKeys {
    /// Each key, and what it signs itself with.
    keys: Vec<(Secret, Vec<u8>)>,
}

impl PathKeys {
    /// Reads a file with a key a line.
    ///
    /// Empty lines, lines that begin with `#`, blanks around a line, CRLF and a byte order mark do not count.
    ///
    /// # Errors
    ///
    /// The first line that cannot be a key, or that there is none at all.
    pub fn parse(text: &str) -> Result<Self, LinesError<KeyError>> {
        let keys = read_keys(text)?.into_iter().map(|text| {
            let key = Secret::new(text);
            let signature = key.sign(Algorithm::HmacSha256, &[text], &[]);
            (key, signature)
        });
        Ok(Self {
            keys: keys.collect(),
        })
    }

    /// Adds the keys of another file.
    pub fn extend(&mut self, others: Self) {
        self.keys.extend(others.keys);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a text is one of the keys. The time that takes tells nothing about them but how many there are.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        // Signatures are compared, not texts, and each of them to its end.
        self.keys.iter().fold(false, |found, (key, signature)| {
            key.has_signed(Algorithm::HmacSha256, &[text], &[], signature) | found
        })
    }
}

impl fmt::Debug for PathKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The first key of a file, for a sender to use.
///
/// # Errors
///
/// A line that is not a key, or that there is none at all.
pub fn first(text: &str) -> Result<&str, LinesError<KeyError>> {
    read_keys(text).map(|keys| keys[0])
}

fn read_keys(text: &str) -> Result<Vec<&str>, LinesError<KeyError>> {
    read_lines(text, "key; write one on a line", |line| {
        let stands_for_itself = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !line.bytes().all(stands_for_itself) {
            Err(KeyError::Character)
        } else if line.len() < SHORTEST {
            Err(KeyError::Short)
        } else if line.len() > LONGEST {
            Err(KeyError::Long)
        } else {
            Ok(line)
        }
    })
}

/// Why a text is not a key. No variant holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// It has a character that a path would have to escape.
    Character,
    /// It has fewer than 32 characters.
    Short,
    /// It has more than 256 characters.
    Long,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character => {
                f.write_str("a key has only A-Z a-z 0-9 - . _ ~, so that it can stand in a path")
            }
            Self::Short => write!(
                f,
                "a key has at least {SHORTEST} characters, such as `openssl rand -hex 16` prints"
            ),
            Self::Long => write!(f, "a key has at most {LONGEST} characters"),
        }
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210-._~fedcba987654";

    #[test]
    fn a_file_holds_a_key_a_line() {
        let text = format!("\u{feff}# ours\r\n\r\n  {ONE} \r\n{OTHER}");
        let keys = PathKeys::parse(&text).expect("two keys");
        for key in [ONE, OTHER] {
            assert!(keys.has(key), "{key}");
        }
        for text in [
            "",
            "# ours",
            &ONE[1..],
            &format!("{ONE}0"),
            &format!("{ONE} "),
            &ONE.to_uppercase(),
        ] {
            assert!(!keys.has(text), "{text}");
        }
        assert!(!PathKeys::default().has(""));
        assert_eq!(first(&text), Ok(ONE));
        assert_eq!(
            first("# ours\n"),
            Err(LinesError::None("key; write one on a line"))
        );
        assert_eq!(format!("{keys:?}"), "<redacted>");
    }

    #[test]
    fn files_are_put_together() {
        let mut keys = PathKeys::default();
        assert!(keys.is_empty());
        for key in [ONE, OTHER] {
            keys.extend(PathKeys::parse(key).expect("a key"));
        }
        assert!(keys.has(ONE) && keys.has(OTHER) && !keys.is_empty());
        // In two files, it is still a key.
        keys.extend(PathKeys::parse(ONE).expect("a key"));
        assert!(keys.has(ONE));
    }

    #[test]
    fn a_key_has_from_32_to_256_characters() {
        for (length, error) in [
            (31, Some(KeyError::Short)),
            (32, None),
            (256, None),
            (257, Some(KeyError::Long)),
        ] {
            let read = read_keys(&"a".repeat(length)).map(|_| ());
            let expected = error.map_or(Ok(()), |error| Err(LinesError::Line { line: 1, error }));
            assert_eq!(read, expected, "{length}");
        }
    }

    #[test]
    fn a_file_says_what_is_wrong_and_where_without_the_key() {
        for (line, message) in [
            (
                &ONE[1..],
                "line 2: a key has at least 32 characters, such as `openssl rand -hex 16` prints",
            ),
            (&"a".repeat(257), "line 2: a key has at most 256 characters"),
            (
                &format!("{ONE}/"),
                "line 2: a key has only A-Z a-z 0-9 - . _ ~, so that it can stand in a path",
            ),
            (
                &format!("{ONE} {OTHER}"),
                "line 2: a key has only A-Z a-z 0-9 - . _ ~, so that it can stand in a path",
            ),
        ] {
            let error = PathKeys::parse(&format!("# ours\n{line}")).expect_err(line);
            assert_eq!(error.to_string(), message);
        }
        for text in ["", "\n# nothing\n"] {
            let error = PathKeys::parse(text).expect_err(text);
            assert_eq!(error.to_string(), "holds no key; write one on a line");
        }
    }
}
