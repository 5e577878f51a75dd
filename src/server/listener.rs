//! Where the service is reached: TCP ports and unix sockets, and who is at the other end.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

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

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    address: ListenAddress,
    reason: BindErrorReason,
}

#[derive(Debug)]
enum BindErrorReason {
    InUse,
    NotASocket,
    System(io::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: ", self.address)?;
        match (&self.reason, &self.address) {
            (BindErrorReason::InUse, ListenAddress::Tcp(_)) => {
                f.write_str("another program has this port")
            }
            (BindErrorReason::InUse, ListenAddress::Unix(_)) => {
                f.write_str("another program answers there")
            }
            (BindErrorReason::NotASocket, _) => {
                f.write_str("there is a file of this name, and it is no socket")
            }
            (BindErrorReason::System(error), address) => match (error.kind(), address) {
                (io::ErrorKind::PermissionDenied, ListenAddress::Tcp(_)) => f.write_str(
                    "no permission; ports below 1024 need the capability CAP_NET_BIND_SERVICE",
                ),
                (io::ErrorKind::PermissionDenied, ListenAddress::Unix(_)) => {
                    f.write_str("no permission to make a socket in this folder")
                }
                (io::ErrorKind::AddrNotAvailable, _) => {
                    f.write_str("this machine has no such address")
                }
                (io::ErrorKind::NotFound, _) => f.write_str("there is no such folder"),
                _ => error.fmt(f),
            },
        }
    }
}

// The system's error is told above where it says more than we do; as a source it would be told twice.
impl std::error::Error for BindError {}

/// An open socket that accepts connections. Closed when dropped; a unix socket's file goes with it.
#[derive(Debug)]
pub struct Listener(Socket);

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "kept for its drop")] SocketFile,
    ),
}

impl Listener {
    /// Listens on an address. A unix socket's file that is left from a process which is gone is replaced.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The port or the socket is in use, there is no permission, no such address or folder, a file that is no socket
    /// stands at the path, or whatever else the system says.
    pub async fn bind(address: &ListenAddress) -> Result<Self, BindError> {
        let bound = match address {
            ListenAddress::Tcp(address) => TcpListener::bind(address)
                .await
                .map(Socket::Tcp)
                .map_err(reason),
            ListenAddress::Unix(path) => bind_unix(path)
                .await
                .map(|(listener, file)| Socket::Unix(listener, file)),
        };
        bound.map(Self).map_err(|reason| BindError {
            address: address.clone(),
            reason,
        })
    }

    /// Where it listens: with the port that was chosen when 0 was asked for.
    ///
    /// # Errors
    ///
    /// The system does not say, or a unix socket has no path.
    pub fn address(&self) -> io::Result<ListenAddress> {
        match &self.0 {
            Socket::Tcp(listener) => listener.local_addr().map(ListenAddress::Tcp),
            Socket::Unix(listener, _) => listener
                .local_addr()?
                .as_pathname()
                .map(|path| ListenAddress::Unix(path.to_owned()))
                .ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.0 {
            Socket::Tcp(listener) => listener.poll_accept(cx).map_ok(|(stream, address)| {
                // Answers are written whole; to wait for more would only hold them back. When it cannot be set the
                // connection is gone already.
                let _ = stream.set_nodelay(true);
                Accepted::Tcp(stream, address.ip().to_canonical())
            }),
            Socket::Unix(listener, _) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

/// A connection that has just come.
pub(super) enum Accepted {
    /// With the address it came from; an IPv4 address is one, also on a socket of IPv6.
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Tcp(IpAddr),
    Unix,
}

impl Peer {
    /// Whether it is a process of this machine.
    pub(super) fn is_local(self) -> bool {
        match self {
            Self::Tcp(address) => address.is_loopback(),
            Self::Unix => true,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

fn reason(error: io::Error) -> BindErrorReason {
    if error.kind() == io::ErrorKind::AddrInUse {
        BindErrorReason::InUse
    } else {
        BindErrorReason::System(error)
    }
}

async fn bind_unix(path: &Path) -> Result<(UnixListener, SocketFile), BindErrorReason> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path).await?;
            UnixListener::bind(path).map_err(reason)?
        }
        bound => bound.map_err(reason)?,
    };
    let file = SocketFile::at(path).map_err(BindErrorReason::System)?;
    Ok((listener, file))
}

/// Removes a socket's file when nobody answers there any more.
async fn remove_stale(path: &Path) -> Result<(), BindErrorReason> {
    let file = fs::symlink_metadata(path).map_err(BindErrorReason::System)?;
    if !file.file_type().is_socket() {
        return Err(BindErrorReason::NotASocket);
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(BindErrorReason::System)
        }
        // Somebody is there, be he too busy to answer.
        Ok(_) | Err(_) => Err(BindErrorReason::InUse),
    }
}

/// The file of a unix socket, removed when dropped unless another has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            device_and_inode: device_and_inode(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if device_and_inode(&self.path).is_ok_and(|found| found == self.device_and_inode) {
            // A file that stays is found stale by whoever listens there next.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
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
