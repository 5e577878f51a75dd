//! Where to listen, and who may connect there: the values of `--listen` and `--socket-mode`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The beginning of a unix socket's address.
const UNIX: &str = "unix:";

/// Where to listen: `--listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `127.0.0.1:8080` or `[::1]:8080`; port 0 takes any free port.
    Tcp(SocketAddr),
    /// `unix:/run/x.sock`
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix(UNIX) {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(_) => Err("the path of a unix socket begins with `/`"),
            None => text.parse().map(Self::Tcp).map_err(|_| {
                "write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080, or unix:/path"
            }),
        }
    }
}

/// Who may connect to a unix socket: `--socket-mode`, in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketMode(pub(super) u32);

impl Default for SocketMode {
    /// The user and the group of the service.
    fn default() -> Self {
        Self(0o660)
    }
}

impl fmt::Display for SocketMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl FromStr for SocketMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text
            .strip_prefix("0o")
            .or_else(|| text.strip_prefix('0'))
            .unwrap_or(text);
        let is_octal = digits.len() == 3 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        match u32::from_str_radix(digits, 8) {
            Ok(mode) if is_octal => Ok(Self(mode)),
            _ => Err(
                "write three octal digits, as in 660: read and write for the user and the group",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_it_is_written() {
        for text in [
            "127.0.0.1:8080",
            "[::1]:0",
            "0.0.0.0:80",
            "unix:/run/x.sock",
        ] {
            let address: ListenAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn an_address_says_what_is_wrong() {
        const NEITHER: &str =
            "write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080, or unix:/path";
        for text in [
            "",
            "8080",
            ":8080",
            "localhost:8080",
            "127.0.0.1",
            "::1:8080x",
            "/run/x",
            "127.0.0.1:70000",
        ] {
            let error = text.parse::<ListenAddress>().expect_err(text);
            assert_eq!(error, NEITHER, "{text}");
        }
        for text in ["unix:", "unix:run/x.sock", "unix:@abstract"] {
            let error = text.parse::<ListenAddress>().expect_err(text);
            assert_eq!(error, "the path of a unix socket begins with `/`", "{text}");
        }
    }

    #[test]
    fn a_mode_is_octal() {
        for (text, mode) in [
            ("660", 0o660),
            ("0660", 0o660),
            ("0o600", 0o600),
            ("777", 0o777),
        ] {
            assert_eq!(text.parse(), Ok(SocketMode(mode)), "{text}");
        }
        for text in [
            "", "66", "0", "6600", "02660", "668", "-60", "rw-", "0x1b0", "+660",
        ] {
            assert!(text.parse::<SocketMode>().is_err(), "{text}");
        }
        assert_eq!(SocketMode::default().to_string(), "0660");
    }
}
