//! The address at which the outside world reaches this service: `--public-url`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::twilio::signature::signed_url::SignedUrl;

/// Scheme, host, port and path prefix under which Twilio reaches this service.
///
/// The prefix is what a reverse proxy strips from the path. Kept as it was written, but for user info, which Twilio
/// does not sign and no one should see, and for slashes at its end.
///
/// ```
/// use twiml_responder::twilio::signature::public_url::PublicUrl;
///
/// let url: PublicUrl = "https://example.com/twilio/".parse().unwrap();
/// assert_eq!(url.to_string(), "https://example.com/twilio");
/// assert_eq!(url.join("/out-of-session?step=lost"), "https://example.com/twilio/out-of-session?step=lost");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The URL as text, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses a URL that ends in the path of a webhook, because every request brings its own path.
    ///
    /// # Errors
    ///
    /// The URL ends in this path; the error says what to write.
    pub fn refuse_path(&self, path: &str) -> Result<(), PublicUrlError> {
        let before = self.0.strip_suffix(path).filter(|_| !path.is_empty());
        match before.and_then(|before| before.parse::<Self>().ok()) {
            None => Ok(()),
            Some(before) => Err(PublicUrlError(
                format!("{self} ends in the path of a webhook, but every request adds its own path: write --public-url {before}")
                    .into(),
            )),
        }
    }

    /// The full URL as Twilio requested it. The path and query are as received, from their `/` on.
    #[must_use]
    pub fn join(&self, path_and_query: &str) -> String {
        [&self.0, path_and_query].concat()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a [`PublicUrl`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrlError(Cow<'static, str>);

impl fmt::Display for PublicUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PublicUrlError {}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |problem| Err(PublicUrlError(Cow::Borrowed(problem)));
        if let Some(at) = text.find(|c: char| c.is_whitespace() || c.is_control()) {
            let problem = format!("a space or a control character at byte {at}");
            return Err(PublicUrlError(problem.into()));
        }
        let url = SignedUrl::parse(text);
        let Some(url) =
            url.filter(|url| matches!(&*url.scheme.to_ascii_lowercase(), "https://" | "http://"))
        else {
            return error("a public URL begins with https:// or http://");
        };
        if text.contains('#') {
            return error("a public URL cannot have a fragment, because requests never have one");
        }
        if !url.query.is_empty() {
            return error("a public URL cannot have a query, because each request has its own");
        }
        let bracketed = url.host.strip_prefix('[');
        let (host, fits): (&str, fn(char) -> bool) =
            match bracketed.and_then(|address| address.strip_suffix(']')) {
                Some(address) => (address, |c| c.is_ascii_hexdigit() || matches!(c, ':' | '.')),
                // All non-ASCII characters are allowed: a name that was not written in punycode is signed as written.
                None => (url.host, |c| {
                    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || !c.is_ascii()
                }),
            };
        if host.is_empty() {
            return error("a public URL needs a host: https://HOST");
        }
        if let Some(found) = host.chars().find(|&c| !fits(c)) {
            return Err(PublicUrlError(
                format!("a host cannot contain `{found}`").into(),
            ));
        }
        if let Some(port) = url.port.strip_prefix(':') {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number || !matches!(port.parse::<u16>(), Ok(1..)) {
                return error("a port is a number from 1 to 65535");
            }
        }
        let prefix = url.path.trim_end_matches('/');
        Ok(Self([url.scheme, url.host, url.port, prefix].concat()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_kept_as_it_was_written() {
        for (text, kept) in [
            ("https://example.com", "https://example.com"),
            ("https://example.com/", "https://example.com"),
            (
                "HTTP://Example.COM:8080/a/b/",
                "HTTP://Example.COM:8080/a/b",
            ),
            ("https://user:p@ss@example.com/x", "https://example.com/x"),
            ("https://[2001:db8::1]:8443//", "https://[2001:db8::1]:8443"),
            ("https://h_1/%7Ex;y@z:1", "https://h_1/%7Ex;y@z:1"),
            (
                "https://m\u{fc}nchen.example",
                "https://m\u{fc}nchen.example",
            ),
        ] {
            let url: PublicUrl = text.parse().expect(text);
            assert_eq!(url.to_string(), kept);
            assert_eq!(url.as_str().parse(), Ok(url));
        }
    }

    #[test]
    fn a_public_url_says_what_is_wrong() {
        for (text, message) in [
            ("", "a public URL begins with https:// or http://"),
            (
                "example.com",
                "a public URL begins with https:// or http://",
            ),
            (
                "wss://example.com",
                "a public URL begins with https:// or http://",
            ),
            (
                "ftp://example.com",
                "a public URL begins with https:// or http://",
            ),
            ("https://", "a public URL needs a host: https://HOST"),
            ("https:///x", "a public URL needs a host: https://HOST"),
            ("https://:443", "a public URL needs a host: https://HOST"),
            ("https://user@", "a public URL needs a host: https://HOST"),
            ("https://[]", "a public URL needs a host: https://HOST"),
            ("https://a,https://b", "a host cannot contain `,`"),
            ("https://a,b", "a host cannot contain `,`"),
            ("https://[::1", "a host cannot contain `[`"),
            ("https://[example]", "a host cannot contain `x`"),
            ("https://h:", "a port is a number from 1 to 65535"),
            ("https://h:0", "a port is a number from 1 to 65535"),
            ("https://h:+1", "a port is a number from 1 to 65535"),
            ("https://h:65536", "a port is a number from 1 to 65535"),
            ("https://2001:db8::1", "a port is a number from 1 to 65535"),
            (" https://h", "a space or a control character at byte 0"),
            ("https://h/a b", "a space or a control character at byte 11"),
            ("https://h\n", "a space or a control character at byte 9"),
            (
                "https://h/x?",
                "a public URL cannot have a query, because each request has its own",
            ),
            (
                "https://h?a=1",
                "a public URL cannot have a query, because each request has its own",
            ),
            (
                "https://h/#a",
                "a public URL cannot have a fragment, because requests never have one",
            ),
        ] {
            let error = text.parse::<PublicUrl>().expect_err(text);
            assert_eq!(error.to_string(), message, "{text}");
        }
    }

    #[test]
    fn the_path_of_a_webhook_is_not_its_end() {
        let refused = |url: &str, path: &str| {
            let url: PublicUrl = url.parse().expect("a public URL");
            url.refuse_path(path).err().map(|error| error.to_string())
        };
        assert_eq!(
            refused("https://h/a/webhook/", "/webhook").as_deref(),
            Some(
                "https://h/a/webhook ends in the path of a webhook, but every request adds its own path: \
                 write --public-url https://h/a"
            )
        );
        for (url, path) in [
            ("https://h", "/webhook"),
            ("https://h/a", ""),
            ("https://webhook", "/webhook"),
            ("https://h/webhook/a", "/webhook"),
            ("https://h/a-webhook", "/webhook"),
        ] {
            assert_eq!(refused(url, path), None, "{url}");
        }
    }

    #[test]
    fn a_request_is_joined_byte_for_byte() {
        let url: PublicUrl = "https://h:8443/twilio/".parse().expect("a public URL");
        assert_eq!(url.join("/x?a=%2b&&"), "https://h:8443/twilio/x?a=%2b&&");
        assert_eq!(url.join("/"), "https://h:8443/twilio/");
        assert_eq!(url.join(""), "https://h:8443/twilio");
    }
}
