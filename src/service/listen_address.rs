//! Where to listen, and who may connect there: the values of `--listen` and `--socket-mode`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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

impl ListenAddress {
    /// For `[::]`, `0.0.0.0` with the same port.
    pub(super) fn twin_of_v4(&self) -> Option<Self> {
        match self {
            Self::Tcp(address) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some(
                Self::Tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))),
            ),
            _ => None,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// Why a text is not a [`ListenAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenAddressError {
    /// Neither an IP address with a port nor `unix:`.
    Neither,
    /// The path of a unix socket does not begin with `/`.
    RelativePath,
}

impl fmt::Display for ListenAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Neither => {
                "write an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080, or unix:/path"
            }
            Self::RelativePath => "the path of a unix socket begins with `/`",
        })
    }
}

impl std::error::Error for ListenAddressError {}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(path) = text.strip_prefix(UNIX) else {
            return text
                .parse()
                .map(Self::Tcp)
                .map_err(|_| ListenAddressError::Neither);
        };
        if path.starts_with('/') {
            Ok(Self::Unix(PathBuf::from(path)))
        } else {
            Err(ListenAddressError::RelativePath)
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

/// A text is not a [`SocketMode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketModeError;

impl fmt::Display for SocketModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "write three octal digits, as in 660: read and write for the user and the group",
        )
    }
}

impl std::error::Error for SocketModeError {}

impl FromStr for SocketMode {
    type Err = SocketModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text
            .strip_prefix("0o")
            .or_else(|| text.strip_prefix('0'))
            .unwrap_or(text);
        let is_octal = digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        if digits.len() != 3 || !is_octal {
            return Err(SocketModeError);
        }
        u32::from_str_radix(digits, 8)
            .map(Self)
            .map_err(|_| SocketModeError)
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
            assert_eq!(error.to_string(), NEITHER, "{text}");
        }
        for text in ["unix:", "unix:run/x.sock", "unix:@abstract"] {
            let error = text.parse::<ListenAddress>().expect_err(text);
            assert_eq!(
                error.to_string(),
                "the path of a unix socket begins with `/`",
                "{text}"
            );
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
            assert_eq!(text.parse::<SocketMode>(), Err(SocketModeError), "{text}");
        }
        assert_eq!(SocketMode::default().to_string(), "0660");
    }
}
