//! Keys that stand in a path, for senders who sign nothing: `/voice-webhooks/KEY`.
//!
//! Takes text and returns values; whoever calls reads the file. No message repeats what a line holds.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The fewest characters of a key: 128 bits, if they are hexadecimal digits by chance.
const SHORTEST: usize = 32;

/// The most characters of a key.
const LONGEST: usize = 256;

/// The keys that open a path; none opens nothing.
///
/// The texts themselves are not kept, and nothing prints them.
#[derive(Clone, Default)]
pub struct Keys {
    /// Each key's code, ready for a message, and its code of itself.
    codes: Vec<(Hmac<Sha256>, Vec<u8>)>,
}

impl Keys {
    /// Reads a file with a key a line.
    ///
    /// Empty lines, lines that begin with `#`, blanks around a line, CRLF and a byte order mark do not count.
    ///
    /// # Errors
    ///
    /// The first line that cannot be a key, or that there is none at all.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut codes = Vec::new();
        for line in lines(text) {
            let line = line?;
            let keyed = Hmac::<Sha256>::new_from_slice(line.as_bytes())
                .expect("an HMAC takes a key of any length");
            let of_itself = keyed.clone().chain_update(line).finalize();
            codes.push((keyed, of_itself.into_bytes().to_vec()));
        }
        if codes.is_empty() {
            return Err(KeysError::None);
        }
        Ok(Self { codes })
    }

    /// Adds the keys of another file.
    pub fn extend(&mut self, others: Self) {
        self.codes.extend(others.codes);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Whether a text is one of the keys. How long that takes tells nothing of them but how many there are.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        // Codes are compared, not texts, and each of them to its end.
        self.codes.iter().fold(false, |found, (keyed, of_itself)| {
            let code = keyed.clone().chain_update(text);
            code.verify_slice(of_itself).is_ok() | found
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

fn check(key: &str) -> Result<(), KeyError> {
    let stands_for_itself = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !key.bytes().all(stands_for_itself) {
        Err(KeyError::Character)
    } else if key.len() < SHORTEST {
        Err(KeyError::Short)
    } else if key.len() > LONGEST {
        Err(KeyError::Long)
    } else {
        Ok(())
    }
}

/// The first key of a file, for whoever asks with it.
///
/// # Errors
///
/// The first line is no key, or there is none.
pub fn first(text: &str) -> Result<&str, KeysError> {
    lines(text).next().unwrap_or(Err(KeysError::None))
}

/// The lines of a file that count, each a key or what is wrong with it.
fn lines(text: &str) -> impl Iterator<Item = Result<&str, KeysError>> {
    let numbered = text.trim_start_matches('\u{feff}').lines().enumerate();
    numbered.filter_map(|(number, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let checked = check(line).map_err(|error| KeysError::Line {
            line: number + 1,
            error,
        });
        Some(checked.map(|()| line))
    })
}

/// Why a text is no key. No variant holds the text.
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

/// Why a text holds no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysError {
    /// Nothing but empty lines and comments.
    None,
    /// A line that cannot be a key.
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        error: KeyError,
    },
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("holds no key; write one on a line"),
            Self::Line { line, error } => write!(f, "line {line}: {error}"),
        }
    }
}

impl std::error::Error for KeysError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210-._~fedcba987654";

    #[test]
    fn a_file_holds_a_key_a_line() {
        let text = format!("\u{feff}# ours\r\n\r\n  {ONE} \r\n{OTHER}");
        let keys = Keys::parse(&text).expect("two keys");
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
        assert!(!Keys::default().has(""));
        assert_eq!(first(&text), Ok(ONE));
        assert_eq!(first("# ours\n"), Err(KeysError::None));
        assert_eq!(format!("{keys:?}"), "<redacted>");
    }

    #[test]
    fn files_are_put_together() {
        let mut keys = Keys::default();
        assert!(keys.is_empty());
        for key in [ONE, OTHER] {
            keys.extend(Keys::parse(key).expect("a key"));
        }
        assert!(keys.has(ONE) && keys.has(OTHER) && !keys.is_empty());
        // In two files, it is still a key.
        keys.extend(Keys::parse(ONE).expect("a key"));
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
            assert_eq!(check(&"a".repeat(length)).err(), error, "{length}");
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
            let error = Keys::parse(&format!("# ours\n{line}")).expect_err(line);
            assert_eq!(error.to_string(), message);
        }
        for text in ["", "\n# nothing\n"] {
            let error = Keys::parse(text).expect_err(text);
            assert_eq!(error.to_string(), "holds no key; write one on a line");
        }
    }
}
