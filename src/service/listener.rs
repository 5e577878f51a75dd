//! Listening sockets: TCP ports and unix sockets, how they are bound, and the connections that they accept.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::{Domain, SockAddr, SockRef, Socket as RawSocket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::service::listen_address::{ListenAddress, SocketMode};

/// How many connections may wait to be accepted; the system's `net.core.somaxconn` may allow fewer.
const BACKLOG: i32 = 4096;

/// Decrypts the connections of a listener. Only a program with the feature `tls` has an implementation.
pub trait Decrypt: fmt::Debug + Send + Sync {
    /// Performs the handshake on a connection.
    fn handshake(&self, stream: TcpStream) -> Handshake;
}

/// Completes with the decrypted stream.
pub type Handshake = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>> + Send>>;

/// A stream in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// An open socket that accepts connections. Dropping it closes the socket and removes the file of a unix socket that we
/// created. Must be created and used within a tokio runtime.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// Held for its `Drop`; `None` for TCP and for inherited sockets.
    _file: Option<SocketFile>,
    /// Whether another process holds the socket too, and keeps using it after us.
    pub(super) is_inherited: bool,
    /// For TLS on a TCP socket; `None`: plain HTTP, as on every unix socket.
    tls: Option<Arc<dyn Decrypt>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens on an address, on a unix socket with the default mode; see [`Listener::bind_all`].
    ///
    /// # Errors
    ///
    /// Those of [`Listener::bind_all`].
    pub async fn bind(address: &ListenAddress) -> io::Result<Self> {
        bind(address, SocketMode::default(), false).await
    }

    /// Listens on every address. The file of a unix socket that a dead process left behind is replaced. A unix socket
    /// gets its mode before anyone can connect.
    ///
    /// `[::]` takes IPv4 too, whatever the system's default, unless `0.0.0.0` is requested with the same port.
    ///
    /// # Errors
    ///
    /// The first address that cannot be used: the port or socket is taken, the process lacks permission, the machine
    /// has no such address or folder, the path leads to a file that is not a socket, or the system reports another
    /// error.
    pub async fn bind_all(addresses: &[ListenAddress], mode: SocketMode) -> io::Result<Vec<Self>> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            let only_v6 = matches!(address, ListenAddress::Tcp(v6) if {
                let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, v6.port()));
                v6.ip() == Ipv6Addr::UNSPECIFIED && addresses.contains(&ListenAddress::Tcp(v4))
            });
            listeners.push(bind(address, mode, only_v6).await?);
        }
        Ok(listeners)
    }

    /// A listening socket handed over by the process that started us; the file of a unix socket stays.
    ///
    /// # Errors
    ///
    /// The system refuses to make it non-blocking.
    pub fn inherited(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            socket: Socket::new(socket.into())?,
            _file: None,
            is_inherited: true,
            tls: None,
        })
    }

    /// Makes a TCP listener speak TLS. Unix sockets stay plain: traffic there does not leave this machine.
    #[must_use]
    pub fn with_tls(mut self, tls: Arc<dyn Decrypt>) -> Self {
        if matches!(self.socket, Socket::Tcp(_)) {
            self.tls = Some(tls);
        }
        self
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Where it listens, with the port that was chosen if 0 was requested.
    ///
    /// # Errors
    ///
    /// The system does not report it, or a unix socket has no path.
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

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.socket {
            Socket::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, address)| self.accepted(stream, address)),
            Socket::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Accepted::unix(stream)),
        }
    }

    /// A connection that is already waiting. Does not ask the runtime, which may not know of it yet.
    pub(super) fn accept_now(&self) -> io::Result<Accepted> {
        let accept = |listener: SockRef<'_>| {
            let (socket, _) = listener.accept()?;
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(OwnedFd::from(socket))
        };
        match &self.socket {
            Socket::Tcp(listener) => {
                let stream = TcpStream::from_std(accept(listener.into())?.into())?;
                let address = stream.peer_addr()?;
                Ok(self.accepted(stream, address))
            }
            Socket::Unix(listener) => {
                UnixStream::from_std(accept(listener.into())?.into()).map(Accepted::unix)
            }
        }
    }

    fn accepted(&self, stream: TcpStream, address: SocketAddr) -> Accepted {
        // Answers are written whole, so waiting for more would only delay them. Fails only when the connection is gone.
        let _ = stream.set_nodelay(true);
        let address = address.ip().to_canonical();
        let (peer, stream) = match &self.tls {
            Some(tls) => (Peer::Tls(address), Stream::Tls(tls.handshake(stream))),
            None => (Peer::Tcp(address), Stream::Tcp(stream)),
        };
        Accepted { peer, stream }
    }
}

impl Socket {
    /// Wraps a listening socket.
    fn new(socket: RawSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let is_unix = socket.local_addr()?.is_unix();
        let socket = OwnedFd::from(socket);
        if is_unix {
            UnixListener::from_std(socket.into()).map(Self::Unix)
        } else {
            TcpListener::from_std(socket.into()).map(Self::Tcp)
        }
    }
}

/// A connection that has just been accepted.
pub(super) struct Accepted {
    pub peer: Peer,
    pub stream: Stream,
}

pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Handshake),
    Unix(UnixStream),
}

impl Accepted {
    fn unix(stream: UnixStream) -> Self {
        Self {
            peer: Peer::Unix,
            stream: Stream::Unix(stream),
        }
    }
}

/// Who is at the other end. An IPv4 peer has an IPv4 address even on an IPv6 socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Tcp(IpAddr),
    Tls(IpAddr),
    Unix,
}

impl Peer {
    /// Whether it is a process on this machine.
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

/// Listens on an address. An IPv6 address takes IPv4 as well unless it is `only_v6`.
async fn bind(address: &ListenAddress, mode: SocketMode, only_v6: bool) -> io::Result<Listener> {
    let bound = match address {
        ListenAddress::Tcp(address) => bind_tcp(*address, only_v6).map(|socket| (socket, None)),
        ListenAddress::Unix(path) => bind_unix(path, mode).await,
    };
    let (socket, file) = bound.map_err(|error| {
        let reason = reason(address, &error);
        io::Error::other(format!("cannot listen on {address}: {reason}"))
    })?;
    Ok(Listener {
        socket,
        _file: file,
        is_inherited: false,
        tls: None,
    })
}

/// Why it is not possible to listen on an address.
fn reason(address: &ListenAddress, error: &io::Error) -> String {
    use ListenAddress::{Tcp, Unix};
    let reason = match (address, error.kind()) {
        (Tcp(_), io::ErrorKind::AddrInUse) => "another program has this port",
        (Tcp(_), io::ErrorKind::PermissionDenied) => {
            "no permission; ports below 1024 need the capability CAP_NET_BIND_SERVICE"
        }
        (Tcp(_), io::ErrorKind::AddrNotAvailable) => "this machine has no such address",
        (Unix(_), io::ErrorKind::AddrInUse) => "another program answers there",
        (Unix(_), io::ErrorKind::PermissionDenied) => {
            "no permission to make a socket in this folder"
        }
        (Unix(_), io::ErrorKind::NotFound) => "there is no such folder",
        _ => return error.to_string(),
    };
    reason.to_owned()
}

fn bind_tcp(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // After a restart the port can be taken again at once, although old connections linger on it.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Socket::new(socket)
}

async fn bind_unix(path: &Path, mode: SocketMode) -> io::Result<(Socket, Option<SocketFile>)> {
    let address = SockAddr::unix(path)
        .map_err(|_| io::Error::other("the path is too long, the system takes 107 bytes"))?;
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path).await?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    // From here on, the file is removed if anything fails.
    let file = SocketFile {
        path: path.to_owned(),
        device_and_inode: device_and_inode(path)?,
    };
    // The mode comes first: no client can connect before the socket listens.
    fs::set_permissions(path, fs::Permissions::from_mode(mode.0))?;
    socket.listen(BACKLOG)?;
    Ok((Socket::new(socket)?, Some(file)))
}

/// Removes a socket's file when no process answers there.
async fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        let reason = "a file of this name exists and is not a socket";
        return Err(io::Error::other(reason));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Another process has it, even if it is too busy to answer.
        Ok(_) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// The file of a unix socket, removed when dropped unless another has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if device_and_inode(&self.path).is_ok_and(|found| found == self.device_and_inode) {
            // If the file stays, the next process to listen there finds it stale.
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
