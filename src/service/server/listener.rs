//! Where the service is reached: TCP ports and unix sockets, and who is at the other end.

mod bind;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

pub use self::bind::{BindError, SocketMode};
use self::bind::{SocketFile, bind};
use crate::service::server::tls::{Certificates, TlsAcceptor};

/// How the address of a unix socket begins.
const UNIX: &str = "unix:";

/// Where to listen: `--listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `127.0.0.1:8080` or `[::1]:8080`; port 0 is any free one.
    Tcp(SocketAddr),
    /// `unix:/run/x.sock`
    Unix(PathBuf),
}

impl ListenAddress {
    /// For every address of IPv6, every one of IPv4 with the same port.
    fn twin_of_v4(&self) -> Option<Self> {
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

/// An open socket that accepts connections. Closed when dropped; the file of a unix socket that we made goes with it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// Kept for its drop; none for a socket that was handed over.
    _file: Option<SocketFile>,
    /// Whether somebody else holds the socket, too, and goes on with it when we have ended.
    is_inherited: bool,
    /// What a TCP socket speaks TLS with; `None`: it is plain, as a unix socket always is.
    certificates: Option<Arc<Certificates>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens on an address, on a unix socket with the default mode; see [`Listener::bind_all`].
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of [`Listener::bind_all`].
    pub async fn bind(address: &ListenAddress) -> Result<Self, BindError> {
        bind(address, SocketMode::default(), false).await
    }

    /// Listens on every address. A unix socket's file that is left from a process which is gone is replaced; nobody
    /// can connect before it has its mode.
    ///
    /// `[::]` takes IPv4 as well, whatever the system's default is, unless `0.0.0.0` is asked for with the same port.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The first address that cannot be had: the port or the socket is in use, there is no permission, no such address
    /// or folder, a file that is no socket stands at the path, or whatever else the system says.
    pub async fn bind_all(
        addresses: &[ListenAddress],
        mode: SocketMode,
    ) -> Result<Vec<Self>, BindError> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            let only_v6 = address
                .twin_of_v4()
                .is_some_and(|twin| addresses.contains(&twin));
            listeners.push(bind(address, mode, only_v6).await?);
        }
        Ok(listeners)
    }

    /// A TCP socket that already listens, handed over by who started us.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system refuses to make it non-blocking.
    pub fn inherited_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(|listener| Self {
            socket: Socket::Tcp(listener),
            _file: None,
            is_inherited: true,
            certificates: None,
        })
    }

    /// A unix socket that already listens, handed over by who started us; its file stays.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system refuses to make it non-blocking.
    pub fn inherited_unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener).map(|listener| Self {
            socket: Socket::Unix(listener),
            _file: None,
            is_inherited: true,
            certificates: None,
        })
    }

    /// The same listener, which speaks TLS with these if it is one of TCP. Unix sockets stay plain: nobody listens in
    /// on this machine.
    #[must_use]
    pub fn with_tls(mut self, certificates: &Arc<Certificates>) -> Self {
        if matches!(self.socket, Socket::Tcp(_)) {
            self.certificates = Some(Arc::clone(certificates));
        }
        self
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// Where it listens: with the port that was chosen when 0 was asked for.
    ///
    /// # Errors
    ///
    /// The system does not say, or a unix socket has no path.
    pub fn address(&self) -> io::Result<ListenAddress> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().map(ListenAddress::Tcp),
            Socket::Unix(listener) => listener
                .local_addr()?
                .as_pathname()
                .map(|path| ListenAddress::Unix(path.to_owned()))
                .ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn is_inherited(&self) -> bool {
        self.is_inherited
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.socket {
            Socket::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, address)| self.accepted(stream, address)),
            Socket::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Accepted::Unix(stream)),
        }
    }

    /// A connection that waits already. The runtime is not asked: it may not know of it yet.
    pub(super) fn accept_now(&self) -> io::Result<Accepted> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (socket, _) = SockRef::from(listener).accept()?;
                socket.set_nonblocking(true)?;
                let stream = TcpStream::from_std(OwnedFd::from(socket).into())?;
                let address = stream.peer_addr()?;
                Ok(self.accepted(stream, address))
            }
            Socket::Unix(listener) => {
                let (socket, _) = SockRef::from(listener).accept()?;
                socket.set_nonblocking(true)?;
                UnixStream::from_std(OwnedFd::from(socket).into()).map(Accepted::Unix)
            }
        }
    }
}

impl Listener {
    fn accepted(&self, stream: TcpStream, address: SocketAddr) -> Accepted {
        // Answers are written whole; to wait for more would only hold them back. When it cannot be set the connection
        // is gone already.
        let _ = stream.set_nodelay(true);
        let address = address.ip().to_canonical();
        match &self.certificates {
            Some(certificates) => Accepted::Tls(stream, address, certificates.acceptor()),
            None => Accepted::Tcp(stream, address),
        }
    }
}

/// A connection that has just come.
pub(super) enum Accepted {
    /// With the address it came from; an IPv4 address is one, also on a socket of IPv6.
    Tcp(TcpStream, IpAddr),
    /// The same, before its handshake.
    Tls(TcpStream, IpAddr, TlsAcceptor),
    Unix(UnixStream),
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Tcp(IpAddr),
    Tls(IpAddr),
    Unix,
}

impl Peer {
    /// Whether it is a process of this machine.
    pub(super) fn is_local(self) -> bool {
        match self {
            Self::Tcp(address) | Self::Tls(address) => address.is_loopback(),
            Self::Unix => true,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) | Self::Tls(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
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
    fn only_this_machine_is_local() {
        for (address, is_local) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("10.0.0.1", false),
            ("::2", false),
        ] {
            let peer = Peer::Tcp(address.parse().expect(address));
            assert_eq!(peer.is_local(), is_local, "{address}");
        }
        assert!(Peer::Unix.is_local());
    }
}
