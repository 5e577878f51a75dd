//! Making a socket that listens, and saying why it cannot be made.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use socket2::{Domain, SockAddr, Socket as RawSocket, Type};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::{ListenAddress, Listener, Socket};

/// How many connections may wait to be accepted; the system's `net.core.somaxconn` may allow fewer.
const BACKLOG: i32 = 4096;

/// Who may connect to a unix socket: `--socket-mode`, in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketMode(u32);

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

/// A text is no [`SocketMode`].
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
    PathTooLong,
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
            (BindErrorReason::PathTooLong, _) => {
                f.write_str("the path is too long, the system takes 107 bytes")
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

/// Listens on an address. An address of IPv6 takes IPv4 as well unless it is `only_v6`.
pub(super) async fn bind(
    address: &ListenAddress,
    mode: SocketMode,
    only_v6: bool,
) -> Result<Listener, BindError> {
    let bound = match address {
        ListenAddress::Tcp(address) => bind_tcp(*address, only_v6)
            .map(|listener| (Socket::Tcp(listener), None))
            .map_err(reason),
        ListenAddress::Unix(path) => bind_unix(path, mode)
            .await
            .map(|(listener, file)| (Socket::Unix(listener), Some(file))),
    };
    bound
        .map(|(socket, file)| Listener {
            socket,
            _file: file,
            is_inherited: false,
            certificates: None,
        })
        .map_err(|reason| BindError {
            address: address.clone(),
            reason,
        })
}

fn reason(error: io::Error) -> BindErrorReason {
    if error.kind() == io::ErrorKind::AddrInUse {
        BindErrorReason::InUse
    } else {
        BindErrorReason::System(error)
    }
}

fn bind_tcp(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // A port can be taken again at once after a restart, although connections of before linger on it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(OwnedFd::from(socket).into())
}

async fn bind_unix(
    path: &Path,
    mode: SocketMode,
) -> Result<(UnixListener, SocketFile), BindErrorReason> {
    let address = SockAddr::unix(path).map_err(|_| BindErrorReason::PathTooLong)?;
    let socket =
        RawSocket::new(Domain::UNIX, Type::STREAM, None).map_err(BindErrorReason::System)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path).await?;
            socket.bind(&address).map_err(reason)?;
        }
        bound => bound.map_err(reason)?,
    }
    // From here on the file is removed when anything fails.
    let file = SocketFile::at(path).map_err(BindErrorReason::System)?;
    let listening = || {
        // Nobody can connect before it listens, so nobody comes in before it has its mode.
        fs::set_permissions(path, fs::Permissions::from_mode(mode.0))?;
        socket.set_nonblocking(true)?;
        socket.listen(BACKLOG)?;
        UnixListener::from_std(OwnedFd::from(socket).into())
    };
    let listener = listening().map_err(BindErrorReason::System)?;
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
pub(super) struct SocketFile {
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
