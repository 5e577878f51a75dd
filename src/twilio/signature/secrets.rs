//! The secrets that Twilio may have signed with, the path keys of senders that do not sign, and the files of both.
//!
//! Takes text and returns values; the caller reads the file. No message repeats the content of a line.

use std::fmt;

use crate::twilio::signature::{Algorithm, Secret, Signer};

/// The owner of a secret, which decides for which requests it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretOwner {
    /// An auth token without an account: tried for every account.
    AnyAccount,
    /// The auth token of this `AC…`: tried for requests of that account.
    Account(String),
    /// The secret of this `webhooks_sharedkey_…`: tried for requests that name it.
    SharedKey(String),
    /// A signing key of `SignalWire`'s: tried for all of its requests, and for no others.
    SignalWire,
}

impl SecretOwner {
    /// Whether this secret is tried for a request; `key` is the shared key that the request names.
    pub(super) fn applies(&self, signer: Signer, key: Option<&str>, account_sid: &str) -> bool {
        let is_twilios = signer == Signer::Twilio;
        match self {
            Self::AnyAccount => is_twilios && key.is_none(),
            Self::Account(sid) => is_twilios && key.is_none() && sid == account_sid,
            Self::SharedKey(id) => is_twilios && key == Some(id),
            Self::SignalWire => signer == Signer::SignalWire,
        }
    }
}

/// All secrets of the service, in the order given.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    entries: Vec<(SecretOwner, Secret)>,
    /// How many auth tokens do not look like one.
    unusual: usize,
}

impl Secrets {
    /// Reads a file with one secret per line: `TOKEN`, `AC… TOKEN` for a sub-account, `webhooks_sharedkey_… SECRET`, or
    /// `signalwire KEY`.
    ///
    /// Ignores empty lines, lines that begin with `#`, blanks around a line, CRLF and a byte order mark.
    ///
    /// # Errors
    ///
    /// The first line that cannot be a secret, or a file without secrets.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let none = "contains no secret; write the account's auth token on a line";
        let mut secrets = Self::default();
        for line in read_lines(text, none, read_line)? {
            secrets.push(line);
        }
        Ok(secrets)
    }

    /// Adds an auth token without an account, as in `TWILIO_AUTH_TOKEN`; blanks around it are ignored.
    ///
    /// # Errors
    ///
    /// The text cannot be an auth token. An empty text is an error too: anyone could sign with it.
    pub fn add_token(&mut self, token: &str) -> Result<(), SecretError> {
        let token = token.trim();
        let separates = |c: char| c.is_whitespace() || [',', ';', ':'].contains(&c);
        let read = if token.contains(separates) {
            Err(
                "more than an auth token; write only the token, and put further secrets into an auth token file, one per line",
            )
        } else {
            read_line(token)
        };
        let in_line = |problem| SecretError {
            line: None,
            problem,
        };
        self.push(read.map_err(in_line)?);
        Ok(())
    }

    fn push(&mut self, (owner, text): (SecretOwner, &str)) {
        let is_auth_token = !matches!(owner, SecretOwner::SharedKey(_));
        self.unusual += usize::from(is_auth_token && !is_token(text));
        self.entries.push((owner, Secret::new(text)));
    }

    /// Adds the secrets of another file.
    pub fn extend(&mut self, others: Self) {
        self.entries.extend(others.entries);
        self.unusual += others.unusual;
    }

    /// How many secrets of each kind there are, in words: `2 auth tokens and 1 shared key`.
    #[must_use]
    pub fn described(&self) -> String {
        let count = |is_of: fn(&SecretOwner) -> bool| {
            let owners = self.entries.iter().map(|(owner, _)| owner);
            owners.filter(|owner| is_of(owner)).count()
        };
        let kinds = [
            (
                count(|owner| matches!(owner, SecretOwner::AnyAccount)),
                "auth token",
            ),
            (
                count(|owner| matches!(owner, SecretOwner::Account(_))),
                "subaccount's auth token",
            ),
            (
                count(|owner| matches!(owner, SecretOwner::SharedKey(_))),
                "shared key",
            ),
            (
                count(|owner| matches!(owner, SecretOwner::SignalWire)),
                "SignalWire key",
            ),
        ];
        let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
        let kinds = kinds.map(|(count, kind)| {
            let plural = if count == 1 { "" } else { "s" };
            format!("{count} {kind}{plural}")
        });
        kinds.collect::<Vec<_>>().join(" and ")
    }

    /// Whether there are no secrets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of secrets, including repeats.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many auth tokens are not 32 hexadecimal digits, as all of Twilio's are.
    #[must_use]
    pub fn unusual(&self) -> usize {
        self.unusual
    }

    /// The auth token with which Twilio would sign for this account: the account's own, else one for any account.
    pub(crate) fn token_for(&self, account_sid: &str) -> Option<&Secret> {
        let owned_by =
            |wanted: SecretOwner| self.entries.iter().find(|(owner, _)| *owner == wanted);
        let own = owned_by(SecretOwner::Account(account_sid.to_owned()));
        let (_, secret) = own.or_else(|| owned_by(SecretOwner::AnyAccount))?;
        Some(secret)
    }

    /// The secrets that are tried for a request; `key` is the shared key that the request names.
    pub(super) fn applying(
        &self,
        signer: Signer,
        key: Option<&str>,
        account_sid: &str,
    ) -> impl Iterator<Item = &Secret> {
        self.entries
            .iter()
            .filter(move |(owner, _)| owner.applies(signer, key, account_sid))
            .map(|(_, secret)| secret)
    }

    /// All secrets with their owners.
    pub(super) fn entries(&self) -> &[(SecretOwner, Secret)] {
        &self.entries
    }
}

/// The prefix of shared keys' ids.
///
/// Source: Twilio, "Sign webhooks with shared keys", public beta of September 2026.
const SHARED_KEY: &str = "webhooks_sharedkey_";

const ALONE: &str =
    "a name, `=` or quotes around a token; write only the token, as the Twilio console shows it";

/// The word before a `SignalWire` signing key, and how these keys begin.
const SIGNALWIRE: &str = "signalwire";
const SIGNING_KEY: &str = "PSK";

const WORDS: &str = "this is not a secret; write `TOKEN`, `AC… TOKEN`, `webhooks_sharedkey_… SECRET` or `signalwire KEY`";

/// The owner of the secret in a line, and the secret.
fn read_line(line: &str) -> Result<(SecretOwner, &str), &'static str> {
    let mut words = line.split_whitespace();
    let first = words
        .next()
        .ok_or("a secret is empty; write the account's auth token")?;
    let second = words.next();
    if second.is_some_and(|word| word.starts_with('#')) {
        return Err("a comment after a secret; write it on its own line, beginning with `#`");
    }
    if line
        .split([' ', '\t', ',', ';'])
        .filter(|word| is_token(word))
        .count()
        > 1
    {
        return Err("two auth tokens on one line; write each on its own line");
    }
    if words.next().is_some() {
        return Err(WORDS);
    }
    let sid_and_rest = first.split_once(':');
    if sid_and_rest.is_some_and(|(sid, _)| is_sid(sid, "AC")) {
        return Err("a `:` after an Account SID; write a space between SID and token");
    }
    if is_sid(first, "SK") {
        return Err("an API key (SK…) never signs webhooks; write the account's auth token");
    }
    let Some(secret) = second else {
        return read_word(first);
    };
    let owner = if first == SIGNALWIRE {
        SecretOwner::SignalWire
    } else if is_sid(secret, "AC") || secret.starts_with(SHARED_KEY) {
        return Err("the secret comes first; write `AC… TOKEN` or `webhooks_sharedkey_… SECRET`");
    } else if is_sid(first, "AC") {
        SecretOwner::Account(first.to_owned())
    } else if first.starts_with("AC") {
        return Err(
            "not an Account SID; write `AC` with its 32 digits of 0-9 and a-f, a space and its auth token",
        );
    } else if first.len() > SHARED_KEY.len() && first.starts_with(SHARED_KEY) {
        SecretOwner::SharedKey(first.to_owned())
    } else {
        return Err(WORDS);
    };
    Ok((owner, checked(secret)?))
}

fn read_word(word: &str) -> Result<(SecretOwner, &str), &'static str> {
    if is_sid(word, "AC") {
        return Err(
            "an Account SID is not a secret; write its auth token, or `AC… TOKEN` for a subaccount",
        );
    }
    if word.starts_with(SHARED_KEY) {
        return Err("the id of a shared key is not a secret; write `webhooks_sharedkey_… SECRET`");
    }
    if word == SIGNALWIRE || word.starts_with(SIGNING_KEY) {
        return Err("a SignalWire signing key needs a word before it; write `signalwire KEY`");
    }
    // Auth tokens are hexadecimal, so these come from a line of a shell script or an environment file.
    if word.contains(['=', ':', ',', ';']) {
        return Err(ALONE);
    }
    Ok((SecretOwner::AnyAccount, checked(word)?))
}

/// Text pasted from a web page may contain invisible characters, which make every signature fail.
fn checked(secret: &str) -> Result<&str, &'static str> {
    if secret.contains(['"', '\'', '“', '”', '‘', '’']) {
        Err(ALONE)
    } else if secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(secret)
    } else {
        Err(
            "a character that secrets never contain, perhaps an invisible one; type or copy the secret again",
        )
    }
}

/// Whether a word can only be an auth token.
fn is_token(word: &str) -> bool {
    word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
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

/// The keys that open a path, such as `/voice-webhooks/KEY`; without keys the path stays closed.
///
/// The texts themselves are not kept, and nothing prints them.
#[derive(Clone, Default)]
pub struct PathKeys {
    /// Each key, and its signature over itself.
    keys: Vec<(Secret, Vec<u8>)>,
}

impl PathKeys {
    /// Reads a file with one key per line, as [`Secrets::parse`] does.
    ///
    /// # Errors
    ///
    /// The first line that cannot be a key, or a file without keys.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let keys = read_keys(text)?.into_iter().map(|text| {
            let key = Secret::new(text);
            let signature = key.sign(Algorithm::HmacSha256, &[text], &[]);
            (key, signature)
        });
        Ok(Self {
            keys: keys.collect(),
        })
    }

    /// The first key of a file, for a sender to use.
    pub(crate) fn first(text: &str) -> Result<&str, SecretError> {
        read_keys(text).map(|keys| keys[0])
    }

    /// Adds the keys of another file.
    pub(crate) fn extend(&mut self, others: Self) {
        self.keys.extend(others.keys);
    }

    /// Whether there are no keys.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a text is one of the keys. The time taken reveals nothing about the keys but their number.
    pub(crate) fn has(&self, text: &str) -> bool {
        // Compares signatures rather than texts, and each one to its end.
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

/// The fewest characters of a key: 128 bits, if they are random hexadecimal digits.
pub(crate) const MIN_KEY: usize = 32;

fn read_keys(text: &str) -> Result<Vec<&str>, SecretError> {
    read_lines(text, "contains no key; write one per line", |line| {
        let stands_for_itself = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !line.bytes().all(stands_for_itself) {
            return Err("a key can contain only A-Z a-z 0-9 - . _ ~, because it is part of a path");
        }
        match line.len() {
            ..MIN_KEY => {
                Err("a key needs at least 32 characters, such as `openssl rand -hex 16` prints")
            }
            MIN_KEY..=256 => Ok(line),
            257.. => Err("a key can have at most 256 characters"),
        }
    })
}

/// Why a secret, or a file of secrets or keys, cannot be used. Does not repeat any of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretError {
    /// The faulty line, counted from 1; `None` for the text as a whole.
    line: Option<usize>,
    /// What is wrong, and what to write.
    problem: &'static str,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(self.problem)
    }
}

impl std::error::Error for SecretError {}

/// The lines of a file, each read with `read`; at least one. Ignores empty lines, lines that begin with `#`, blanks
/// around a line, CRLF and a byte order mark. `none` is the problem to report when there are no lines.
fn read_lines<'t, T>(
    text: &'t str,
    none: &'static str,
    read: impl Fn(&'t str) -> Result<T, &'static str>,
) -> Result<Vec<T>, SecretError> {
    let error = |line, problem| SecretError { line, problem };
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines().map(str::trim));
    let things: Vec<T> = lines
        .filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
        .map(|(line, text)| read(text).map_err(|problem| error(Some(line), problem)))
        .collect::<Result<_, _>>()?;
    if things.is_empty() {
        return Err(error(None, none));
    }
    Ok(things)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "AC00000000000000000000000000000001";
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    const API_KEY: &str = "SK00000000000000000000000000000001";

    fn owners(text: &str) -> Vec<SecretOwner> {
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
             webhooks_sharedkey_1  s3cret+/=\r\nsignalwire PSK0123\r\n   # the end"
        );
        assert_eq!(
            owners(&text),
            [
                SecretOwner::AnyAccount,
                SecretOwner::Account(ACCOUNT.to_owned()),
                SecretOwner::SharedKey("webhooks_sharedkey_1".to_owned()),
                SecretOwner::SignalWire,
            ]
        );
        assert_eq!(owners("12345"), [SecretOwner::AnyAccount]);
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
                "an Account SID is not a secret; write its auth token, or `AC… TOKEN` for a subaccount",
            ),
            (
                "webhooks_sharedkey_1",
                "the id of a shared key is not a secret; write `webhooks_sharedkey_… SECRET`",
            ),
            (
                "signalwire",
                "a SignalWire signing key needs a word before it; write `signalwire KEY`",
            ),
            (
                "PSKhunter2",
                "a SignalWire signing key needs a word before it; write `signalwire KEY`",
            ),
            (
                short,
                "not an Account SID; write `AC` with its 32 digits of 0-9 and a-f, a space and its auth token",
            ),
            (
                "ACABCDEFABCDEFABCDEFABCDEFABCDEFAB hunter2",
                "not an Account SID; write `AC` with its 32 digits of 0-9 and a-f, a space and its auth token",
            ),
            (
                &format!("hunter2 {ACCOUNT}"),
                "the secret comes first; write `AC… TOKEN` or `webhooks_sharedkey_… SECRET`",
            ),
            (
                "hunter2 # ours",
                "a comment after a secret; write it on its own line, beginning with `#`",
            ),
            (
                "TWILIO_AUTH_TOKEN=hunter2",
                "a name, `=` or quotes around a token; write only the token, as the Twilio console shows it",
            ),
            (
                "\"hunter2\"",
                "a name, `=` or quotes around a token; write only the token, as the Twilio console shows it",
            ),
            (
                "hunter2\u{200b}",
                "a character that secrets never contain, perhaps an invisible one; type or copy the secret again",
            ),
            (
                &format!("{ACCOUNT} hunter2\u{200b}"),
                "a character that secrets never contain, perhaps an invisible one; type or copy the secret again",
            ),
            (
                &format!("{ACCOUNT} \u{201c}hunter2\u{201d}"),
                "a name, `=` or quotes around a token; write only the token, as the Twilio console shows it",
            ),
            (
                &format!("{ACCOUNT}:hunter2"),
                "a `:` after an Account SID; write a space between SID and token",
            ),
            (
                "hunter2;hunter3",
                "a name, `=` or quotes around a token; write only the token, as the Twilio console shows it",
            ),
            (
                &format!("{TOKEN} {TOKEN}"),
                "two auth tokens on one line; write each on its own line",
            ),
            (
                &format!("{TOKEN},{TOKEN}"),
                "two auth tokens on one line; write each on its own line",
            ),
            (
                "main hunter2",
                "this is not a secret; write `TOKEN`, `AC… TOKEN`, `webhooks_sharedkey_… SECRET` or `signalwire KEY`",
            ),
            (
                "webhooks_sharedkey_ hunter2",
                "this is not a secret; write `TOKEN`, `AC… TOKEN`, `webhooks_sharedkey_… SECRET` or `signalwire KEY`",
            ),
            (
                &format!("{ACCOUNT} hunter2 hunter3"),
                "this is not a secret; write `TOKEN`, `AC… TOKEN`, `webhooks_sharedkey_… SECRET` or `signalwire KEY`",
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
                "contains no secret; write the account's auth token on a line"
            );
        }
    }

    #[test]
    fn a_token_alone_is_checked_as_a_line_is() {
        let mut secrets = Secrets::default();
        assert!(secrets.is_empty());
        assert_eq!(secrets.add_token(" 12345\n"), Ok(()));
        assert_eq!(secrets.len(), 1);
        let empty = "a secret is empty; write the account's auth token";
        let more = "more than an auth token; write only the token, and put further secrets into an auth token file, one per line";
        for (token, message) in [
            ("", empty),
            (" \n", empty),
            (
                ACCOUNT,
                "an Account SID is not a secret; write its auth token, or `AC… TOKEN` for a subaccount",
            ),
            (
                API_KEY,
                "an API key (SK…) never signs webhooks; write the account's auth token",
            ),
            ("one two", more),
            ("one,two", more),
            (&format!("{ACCOUNT} token"), more),
            (&format!("{ACCOUNT}:token"), more),
        ] {
            let error = secrets.add_token(token).expect_err(token);
            assert_eq!(error.to_string(), message, "{token:?}");
        }
        assert_eq!(secrets.len(), 1);
    }

    #[test]
    fn tokens_that_do_not_look_like_one_are_counted() {
        let text =
            format!("{TOKEN}\n{ACCOUNT} {TOKEN}\nwebhooks_sharedkey_1 s3cret\n12345\n{ACCOUNT} x");
        let mut secrets = Secrets::parse(&text).expect("five secrets");
        assert_eq!(secrets.unusual(), 2);
        secrets.extend(Secrets::parse("0123").expect("a token"));
        assert_eq!(secrets.add_token(&TOKEN[1..]), Ok(()));
        assert_eq!(secrets.unusual(), 4);
    }

    #[test]
    fn files_are_put_together_in_order() {
        let mut secrets = Secrets::parse("one").expect("a token");
        secrets.extend(Secrets::parse(&format!("{ACCOUNT} two")).expect("a token"));
        assert_eq!(secrets.len(), 2);
        assert_eq!(
            secrets.entries()[1].0,
            SecretOwner::Account(ACCOUNT.to_owned())
        );
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

#[cfg(test)]
mod path_key_tests {
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
        assert_eq!(PathKeys::first(&text), Ok(ONE));
        let error = PathKeys::first("# ours\n").expect_err("no key");
        assert_eq!(error.to_string(), "contains no key; write one per line");
        assert_eq!(format!("{keys:?}"), "<redacted>");
    }

    #[test]
    fn files_are_put_together() {
        let mut keys = PathKeys::default();
        for key in [ONE, OTHER] {
            keys.extend(PathKeys::parse(key).expect("a key"));
        }
        assert!(keys.has(ONE) && keys.has(OTHER));
        // A key in two files is still a key.
        keys.extend(PathKeys::parse(ONE).expect("a key"));
        assert!(keys.has(ONE));
    }

    #[test]
    fn a_key_has_from_32_to_256_characters() {
        for (length, fits) in [(31, false), (32, true), (256, true), (257, false)] {
            assert_eq!(
                PathKeys::parse(&"a".repeat(length)).is_ok(),
                fits,
                "{length}"
            );
        }
    }

    #[test]
    fn a_file_says_what_is_wrong_and_where_without_the_key() {
        for (line, message) in [
            (
                &ONE[1..],
                "line 2: a key needs at least 32 characters, such as `openssl rand -hex 16` prints",
            ),
            (
                &"a".repeat(257),
                "line 2: a key can have at most 256 characters",
            ),
            (
                &format!("{ONE}/"),
                "line 2: a key can contain only A-Z a-z 0-9 - . _ ~, because it is part of a path",
            ),
            (
                &format!("{ONE} {OTHER}"),
                "line 2: a key can contain only A-Z a-z 0-9 - . _ ~, because it is part of a path",
            ),
        ] {
            let error = PathKeys::parse(&format!("# ours\n{line}")).expect_err(line);
            assert_eq!(error.to_string(), message);
        }
        for text in ["", "\n# nothing\n"] {
            let error = PathKeys::parse(text).expect_err(text);
            assert_eq!(error.to_string(), "contains no key; write one per line");
        }
    }
}
