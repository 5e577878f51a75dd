//! A URL, split into pieces that Twilio may or may not have signed. Nothing is decoded or re-encoded.

/// The pieces of a URL, each with its own punctuation, so that joining them restores the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SignedUrl<'a> {
    /// With `://`, in its original letter case.
    pub(super) scheme: &'a str,
    /// With `@`; empty when absent.
    pub(super) user_info: &'a str,
    /// With the brackets of an IPv6 address.
    pub(super) host: &'a str,
    /// With `:`; empty when absent.
    pub(super) port: &'a str,
    /// With `/`; empty when absent.
    pub(super) path: &'a str,
    /// With `?`; empty when absent.
    pub(super) query: &'a str,
}

impl<'a> SignedUrl<'a> {
    /// `None` when the first colon is not followed by `//`. A fragment is left out.
    pub(super) fn parse(url: &'a str) -> Option<Self> {
        let (url, _fragment) = cut_before(url, b"#");
        let (name, _) = cut_before(url, b":");
        let (scheme, rest) = url
            .split_at_checked(name.len() + "://".len())
            .filter(|(scheme, _)| scheme.ends_with("://"))?;
        let (authority, rest) = cut_before(rest, b"/?");
        let (path, query) = cut_before(rest, b"?");
        // The password may contain a colon.
        let (user_info, address) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let (host, port) = split_port(address);
        Some(Self {
            scheme,
            user_info,
            host,
            port,
            path,
            query,
        })
    }

    pub(super) fn pieces(self) -> [&'a str; 6] {
        [
            self.scheme,
            self.user_info,
            self.host,
            self.port,
            self.path,
            self.query,
        ]
    }

    /// The URLs that Twilio may have signed when it requested this one, the likeliest first.
    ///
    /// Twilio drops user info, and for some products the port; its libraries also try the explicit default port. It may
    /// sign a bare host without the slash that HTTP adds.
    pub(super) fn readings(self) -> impl Iterator<Item = Self> {
        let port = if self.port.is_empty() {
            self.default_port()
        } else {
            self.port
        };
        let path = match self.path {
            "" => "/",
            "/" => "",
            path => path,
        };
        both("", self.user_info).flat_map(move |user_info| {
            both(self.path, path).flat_map(move |path| {
                both("", port).map(move |port| Self {
                    user_info,
                    port,
                    path,
                    ..self
                })
            })
        })
    }

    /// The default port of the scheme, with `:`.
    pub(super) fn default_port(self) -> &'static str {
        if self.scheme.eq_ignore_ascii_case("https://") {
            ":443"
        } else {
            ":80"
        }
    }

    /// The first value of this name in the query, still encoded.
    pub(super) fn query_value(self, name: &str) -> Option<&'a str> {
        self.query
            .strip_prefix('?')?
            .split('&')
            .filter_map(|field| field.split_once('='))
            .find_map(|(field, value)| (field == name).then_some(value))
    }

    /// The URL in the form allowed in a log: without user info, and with only the names of the query.
    ///
    /// Anything that does not look like a name is left out too, because a sender may have put a number there. At most
    /// 300 characters, without control characters.
    pub(super) fn shown(self) -> String {
        const MOST_CHARACTERS: usize = 300;
        let mut shown = [self.scheme, self.host, self.port, self.path].concat();
        if let Some(query) = self.query.strip_prefix('?') {
            let mut separator = '?';
            // Each field has at least one character.
            for field in query.split('&').take(MOST_CHARACTERS) {
                shown.push(separator);
                separator = '&';
                match field.split_once('=') {
                    Some((name, _)) if is_plain_name(name) => {
                        shown.push_str(name);
                        shown.push_str("=…");
                    }
                    None if field.is_empty() || is_plain_name(field) => shown.push_str(field),
                    Some(_) | None => shown.push('…'),
                }
            }
        }
        let cut = shown.char_indices().nth(MOST_CHARACTERS);
        if let Some((end, _)) = cut {
            shown.truncate(end);
            shown.push('…');
        }
        shown.replace(char::is_control, "\u{fffd}")
    }
}

/// Splits a text before the first of these ASCII characters.
fn cut_before<'a>(text: &'a str, ends: &[u8]) -> (&'a str, &'a str) {
    let end = text.bytes().position(|byte| ends.contains(&byte));
    text.split_at(end.unwrap_or(text.len()))
}

/// Host and port, the port with its `:`. The colons inside an IPv6 address do not count.
pub(super) fn split_port(address: &str) -> (&str, &str) {
    let bracket = address.rfind(']').unwrap_or(0);
    let colon = address[bracket..].find(':').map(|at| bracket + at);
    address.split_at(colon.unwrap_or(address.len()))
}

/// One value, or two when they differ.
fn both<'a>(first: &'a str, second: &'a str) -> impl Iterator<Item = &'a str> {
    std::iter::once(first).chain((first != second).then_some(second))
}

fn is_plain_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_falls_into_its_pieces() {
        for (url, pieces) in [
            ("https://h", ["https://", "", "h", "", "", ""]),
            (
                "HTTPS://u:p@H.example:8443/a/b?c=d:e@f",
                ["HTTPS://", "u:p@", "H.example", ":8443", "/a/b", "?c=d:e@f"],
            ),
            (
                "http://u@v@[::1]:80?x://y",
                ["http://", "u@v@", "[::1]", ":80", "", "?x://y"],
            ),
            ("https://[::1]/", ["https://", "", "[::1]", "", "/", ""]),
            ("https://h:/#a?b", ["https://", "", "h", ":", "/", ""]),
            ("https://h?a#b", ["https://", "", "h", "", "", "?a"]),
            ("https://", ["https://", "", "", "", "", ""]),
        ] {
            assert_eq!(SignedUrl::parse(url).expect(url).pieces(), pieces, "{url}");
        }
        for url in ["", "h/x", "https:/h", "https#://h", "h:1://x", "https:é//"] {
            assert_eq!(SignedUrl::parse(url), None, "{url}");
        }
    }

    #[test]
    fn the_likeliest_reading_is_the_first() {
        let readings = |url: &str| -> Vec<String> {
            SignedUrl::parse(url)
                .expect("a URL")
                .readings()
                .map(|reading| reading.pieces().concat())
                .collect()
        };
        assert_eq!(readings("https://h/x"), ["https://h/x", "https://h:443/x"]);
        assert_eq!(
            readings("http://h:8080/"),
            ["http://h/", "http://h:8080/", "http://h", "http://h:8080"]
        );
        assert_eq!(
            readings("http://u@h/x"),
            [
                "http://h/x",
                "http://h:80/x",
                "http://u@h/x",
                "http://u@h:80/x"
            ]
        );
    }

    #[test]
    fn a_shown_url_has_no_values() {
        for (url, shown) in [
            ("https://u:p@h:1/x", "https://h:1/x"),
            (
                "https://h/x?To=%2B14155550100&flag&x.y[0]=&",
                "https://h/x?To=…&flag&x.y[0]=…&",
            ),
            ("https://h/x?+14155550100&14155550100=1", "https://h/x?…&…"),
            ("https://h/a\nb", "https://h/a\u{fffd}b"),
        ] {
            assert_eq!(SignedUrl::parse(url).expect(url).shown(), shown);
        }
        let long = format!("https://h/x?{}", "name=value&".repeat(10_000));
        let shown = SignedUrl::parse(&long).expect("a URL").shown();
        assert_eq!(shown.chars().count(), 301);
        let fields = "&".repeat(300 - "https://h/x?".len());
        for (more, cut) in [("", ""), ("&", "…")] {
            let url = format!("https://h/x?{fields}{more}");
            let shown = SignedUrl::parse(&url).expect("a URL").shown();
            assert_eq!(shown, format!("https://h/x?{fields}{cut}"));
        }
    }
}
