//! The secrets that Twilio may have signed with, and the file that holds them.
//!
//! Takes text and returns values; the caller reads the file. No message repeats what a line holds.

use std::fmt;

use crate::twilio::signature::Secret;

/// Whose secret it is, which decides for which requests it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// An auth token that stands alone: tried for every account.
    AnyAccount,
    /// The auth token of this `AC…`: tried for requests of that account.
    Account(String),
    /// The secret of this `webhooks_sharedkey_…`: tried for requests that name it.
    SharedKey(String),
}

impl Owner {
    /// Whether a request is tried with this secret; `key` is the shared key that it names.
    pub(super) fn applies(&self, key: Option<&str>, account_sid: &str) -> bool {
        match self {
            Self::AnyAccount => key.is_none(),
            Self::Account(sid) => key.is_none() && sid == account_sid,
            Self::SharedKey(id) => key == Some(id),
        }
    }
}

/// All secrets of the service, in the order they were given.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    entries: Vec<(Owner, Secret)>,
}

impl Secrets {
    /// Reads a file with a secret a line: `TOKEN`, `AC… TOKEN` for a sub-account, or `webhooks_sharedkey_… SECRET`.
    ///
    /// Empty lines, lines that begin with `#`, blanks around a line, CRLF and a byte order mark do not count.
    ///
    /// # Errors
    ///
    /// The first line that cannot be a secret, or that there is none at all.
    pub fn parse(text: &str) -> Result<Self, LinesError<SecretError>> {
        let what = "secret; write the account's auth token on a line";
        let entries = read_lines(text, what, read_line)?;
        Ok(Self { entries })
    }

    /// Adds an auth token that stands alone, as in `TWILIO_AUTH_TOKEN`; blanks around it do not count.
    ///
    /// # Errors
    ///
    /// A text that cannot be an auth token. An empty one is an error too: anyone could sign with it.
    pub fn add_token(&mut self, token: &str) -> Result<(), SecretError> {
        let token = token.trim();
        if token.split_whitespace().nth(1).is_some() {
            return Err(SecretError::Words);
        }
        self.entries.push(read_line(token)?);
        Ok(())
    }

    /// Adds the secrets of another file.
    pub fn extend(&mut self, others: Self) {
        self.entries.extend(others.entries);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are, repeats included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The auth token with which to sign as Twilio would for this account: its own, else one for any account.
    #[must_use]
    pub fn token_for(&self, account_sid: &str) -> Option<&Secret> {
        let owned_by = |wanted: &Owner| {
            self.entries
                .iter()
                .find_map(|(owner, secret)| (owner == wanted).then_some(secret))
        };
        owned_by(&Owner::Account(account_sid.to_owned())).or_else(|| owned_by(&Owner::AnyAccount))
    }

    /// The secrets that are tried for a request; `key` is the shared key that it names.
    pub(super) fn applying(
        &self,
        key: Option<&str>,
        account_sid: &str,
    ) -> impl Iterator<Item = &Secret> {
        self.entries
            .iter()
            .filter(move |(owner, _)| owner.applies(key, account_sid))
            .map(|(_, secret)| secret)
    }

    /// All secrets with their owners.
    pub(super) fn entries(&self) -> &[(Owner, Secret)] {
        &self.entries
    }
}

/// How the ids of shared keys begin.
///
/// Source: Twilio, "Sign webhooks with shared keys", public beta of September 2026.
const SHARED_KEY: &str = "webhooks_sharedkey_";

fn read_line(line: &str) -> Result<(Owner, Secret), SecretError> {
    let mut words = line.split_whitespace();
    let first = words.next().ok_or(SecretError::Empty)?;
    let second = words.next();
    if second.is_some_and(|word| word.starts_with('#')) {
        return Err(SecretError::Comment);
    }
    if words.next().is_some() {
        return Err(SecretError::Words);
    }
    let Some(secret) = second else {
        return read_word(first);
    };
    if is_sid(first, "SK") {
        Err(SecretError::ApiKey)
    } else if is_sid(secret, "AC") || secret.starts_with(SHARED_KEY) {
        Err(SecretError::Order)
    } else if is_sid(first, "AC") {
        check_characters(secret)?;
        Ok((Owner::Account(first.to_owned()), Secret::new(secret)))
    } else if first.starts_with("AC") {
        Err(SecretError::AccountSid)
    } else if first.len() > SHARED_KEY.len() && first.starts_with(SHARED_KEY) {
        check_characters(secret)?;
        Ok((Owner::SharedKey(first.to_owned()), Secret::new(secret)))
    } else {
        Err(SecretError::Words)
    }
}

fn read_word(word: &str) -> Result<(Owner, Secret), SecretError> {
    if is_sid(word, "SK") {
        return Err(SecretError::ApiKey);
    }
    if is_sid(word, "AC") {
        return Err(SecretError::AccountSidAlone);
    }
    if word.starts_with(SHARED_KEY) {
        return Err(SecretError::SharedKeyAlone);
    }
    // Auth tokens are hexadecimal digits, so these come from a line of shell or of an environment file.
    if word.contains(['=', '"', '\'']) {
        return Err(SecretError::Assignment);
    }
    check_characters(word)?;
    Ok((Owner::AnyAccount, Secret::new(word)))
}

/// What is pasted from a web page may hold characters that nobody sees, and that fail every signature.
fn check_characters(secret: &str) -> Result<(), SecretError> {
    if secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(SecretError::Character)
    }
}

/// Whether this is a SID of this kind: two letters and 32 hexadecimal digits, lower case as Twilio sends them.
fn is_sid(word: &str, kind: &str) -> bool {
    word.strip_prefix(kind).is_some_and(|digits| {
        digits.len() == 32
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Why a text is not a secret. The text is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretError {
    /// Nothing was given.
    Empty,
    /// An API key, with its secret or without.
    ApiKey,
    /// The SID of an account where its auth token belongs.
    AccountSidAlone,
    /// The id of a shared key without its secret.
    SharedKeyAlone,
    /// Begins with `AC`, but is not the SID of an account.
    AccountSid,
    /// The SID or the key's id stands behind the secret.
    Order,
    /// A remark behind the secret.
    Comment,
    /// A name, `=` or quotes around the secret.
    Assignment,
    /// A control character, or one beyond ASCII.
    Character,
    /// More words than belong there.
    Words,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a secret is empty; write the account's auth token",
            Self::ApiKey => {
                "an API key (SK…) never signs webhooks; write the account's auth token"
            }
            Self::AccountSidAlone => {
                "an Account SID is no secret; write its auth token, or `AC… TOKEN` for a sub-account"
            }
            Self::SharedKeyAlone => {
                "the id of a shared key is no secret; write `webhooks_sharedkey_… SECRET`"
            }
            Self::AccountSid => {
                "not an Account SID; write `AC` and its 32 digits of 0-9 and a-f, a blank and its auth token"
            }
            Self::Order => {
                "the secret stands first; write `AC… TOKEN` or `webhooks_sharedkey_… SECRET`"
            }
            Self::Comment => "a comment behind a secret; write it as a line that begins with `#`",
            Self::Assignment => {
                "a name, `=` or quotes around a token; write the token alone, as the Twilio console shows it"
            }
            Self::Character => {
                "a character that no secret has, perhaps an invisible one; type or copy the secret again"
            }
            Self::Words => {
                "not the words of a secret; write `TOKEN`, `AC… TOKEN` or `webhooks_sharedkey_… SECRET`"
            }
        })
    }
}

impl std::error::Error for SecretError {}

/// The lines of a file, each read as one thing; at least one. Empty lines, lines that begin with `#`, blanks around a
/// line, CRLF and a byte order mark do not count. `what` says what is missing where there are none.
pub(super) fn read_lines<'t, T, E>(
    text: &'t str,
    what: &'static str,
    read: impl Fn(&'t str) -> Result<T, E>,
) -> Result<Vec<T>, LinesError<E>> {
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines().map(str::trim));
    let things: Vec<T> = lines
        .filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
        .map(|(line, text)| read(text).map_err(|error| LinesError::Line { line, error }))
        .collect::<Result<_, _>>()?;
    if things.is_empty() {
        return Err(LinesError::None(what));
    }
    Ok(things)
}

/// Why a file of secrets or keys cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinesError<E> {
    /// Every line is empty or a comment: what is missing, and what to write.
    None(&'static str),
    /// A line cannot be what it should be.
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        error: E,
    },
}

impl<E: fmt::Display> fmt::Display for LinesError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None(what) => write!(f, "holds no {what}"),
            Self::Line { line, error } => write!(f, "line {line}: {error}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for LinesError<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "AC00000000000000000000000000000001";
    const API_KEY: &str = "SK00000000000000000000000000000001";

    fn owners(text: &str) -> Vec<Owner> {
        Secrets::parse(text)
            .expect(text)
            .entries
            .into_iter()
            .map(|(owner, _)| owner)
            .collect()
    }

    #[test]
    fn a_file_holds_a_secret_a_line() {
        let text = format!(
            "\u{feff}# ours\r\n\r\n  0123456789abcdef0123456789abcdef \r\n{ACCOUNT}\tsub\r\n\
             webhooks_sharedkey_1  s3cret+/=\r\n   # the end"
        );
        assert_eq!(
            owners(&text),
            [
                Owner::AnyAccount,
                Owner::Account(ACCOUNT.to_owned()),
                Owner::SharedKey("webhooks_sharedkey_1".to_owned()),
            ]
        );
        assert_eq!(owners("12345"), [Owner::AnyAccount]);
    }

    #[test]
    fn a_file_says_what_is_wrong_and_where_without_the_secret() {
        let short = "AC0123 hunter2";
        for (line, message) in [
            (
                API_KEY,
                "an API key (SK…) never signs webhooks; write the account's auth token",
            ),
            (
                &format!("{API_KEY} hunter2"),
                "an API key (SK…) never signs webhooks; write the account's auth token",
            ),
            (
                ACCOUNT,
                "an Account SID is no secret; write its auth token, or `AC… TOKEN` for a sub-account",
            ),
            (
                "webhooks_sharedkey_1",
                "the id of a shared key is no secret; write `webhooks_sharedkey_… SECRET`",
            ),
            (
                short,
                "not an Account SID; write `AC` and its 32 digits of 0-9 and a-f, a blank and its auth token",
            ),
            (
                "ACABCDEFABCDEFABCDEFABCDEFABCDEFAB hunter2",
                "not an Account SID; write `AC` and its 32 digits of 0-9 and a-f, a blank and its auth token",
            ),
            (
                &format!("hunter2 {ACCOUNT}"),
                "the secret stands first; write `AC… TOKEN` or `webhooks_sharedkey_… SECRET`",
            ),
            (
                "hunter2 # ours",
                "a comment behind a secret; write it as a line that begins with `#`",
            ),
            (
                "TWILIO_AUTH_TOKEN=hunter2",
                "a name, `=` or quotes around a token; write the token alone, as the Twilio console shows it",
            ),
            (
                "\"hunter2\"",
                "a name, `=` or quotes around a token; write the token alone, as the Twilio console shows it",
            ),
            (
                "hunter2\u{200b}",
                "a character that no secret has, perhaps an invisible one; type or copy the secret again",
            ),
            (
                &format!("{ACCOUNT} hunter2\u{200b}"),
                "a character that no secret has, perhaps an invisible one; type or copy the secret again",
            ),
            (
                "main hunter2",
                "not the words of a secret; write `TOKEN`, `AC… TOKEN` or `webhooks_sharedkey_… SECRET`",
            ),
            (
                "webhooks_sharedkey_ hunter2",
                "not the words of a secret; write `TOKEN`, `AC… TOKEN` or `webhooks_sharedkey_… SECRET`",
            ),
            (
                &format!("{ACCOUNT} hunter2 hunter3"),
                "not the words of a secret; write `TOKEN`, `AC… TOKEN` or `webhooks_sharedkey_… SECRET`",
            ),
        ] {
            let error = Secrets::parse(&format!("# ours\ntoken\n{line}")).expect_err(line);
            assert_eq!(error.to_string(), format!("line 3: {message}"));
            assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
        }
    }

    #[test]
    fn an_empty_file_is_an_error() {
        for text in ["", "\u{feff}", "\n  \r\n# nothing here\n"] {
            assert_eq!(
                Secrets::parse(text).expect_err(text).to_string(),
                "holds no secret; write the account's auth token on a line"
            );
        }
    }

    #[test]
    fn a_token_alone_is_checked_as_a_line_is() {
        let mut secrets = Secrets::default();
        assert!(secrets.is_empty());
        assert_eq!(secrets.add_token(" 12345\n"), Ok(()));
        assert_eq!(secrets.len(), 1);
        for (token, error) in [
            ("", SecretError::Empty),
            (" \n", SecretError::Empty),
            (ACCOUNT, SecretError::AccountSidAlone),
            (API_KEY, SecretError::ApiKey),
            ("one two", SecretError::Words),
            (&format!("{ACCOUNT} token"), SecretError::Words),
        ] {
            assert_eq!(secrets.add_token(token), Err(error), "{token:?}");
        }
        assert_eq!(secrets.len(), 1);
        assert_eq!(
            SecretError::Empty.to_string(),
            "a secret is empty; write the account's auth token"
        );
    }

    #[test]
    fn files_are_put_together_in_order() {
        let mut secrets = Secrets::parse("one").expect("a token");
        secrets.extend(Secrets::parse(&format!("{ACCOUNT} two")).expect("a token"));
        assert_eq!(secrets.len(), 2);
        assert_eq!(secrets.entries()[1].0, Owner::Account(ACCOUNT.to_owned()));
    }

    #[test]
    fn an_accounts_own_token_signs_before_one_for_any() {
        use crate::twilio::signature::{Algorithm, Content, sign};

        let signature =
            |secret: &Secret| sign(secret, Algorithm::HmacSha1, "https://h/", Content::Query);
        let secrets = Secrets::parse(&format!("webhooks_sharedkey_1 key\nmain\n{ACCOUNT} sub"))
            .expect("three secrets");
        for (account_sid, token) in [(ACCOUNT, "sub"), ("", "main"), ("AC1", "main")] {
            let chosen = secrets.token_for(account_sid).expect("a token");
            assert_eq!(signature(chosen), signature(&Secret::new(token)));
        }
        let keys_only = Secrets::parse("webhooks_sharedkey_1 key").expect("a shared key");
        assert!(keys_only.token_for(ACCOUNT).is_none());
    }
}
