//! Sockets that systemd has opened before us and keeps open after us: nobody is refused while we are started anew.

use std::env;
use std::fmt;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process;

use listenfd::ListenFd;
use socket2::SockRef;

use crate::service::listener::Listener;

/// The name of a socket for health and metrics; all others are for webhooks.
const ADMIN: &str = "admin";

/// The sockets that were handed over, as the process has them at its start.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(String, Socket)>);

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The sockets that were handed over, each for its purpose.
#[derive(Debug, Default)]
pub struct Inherited {
    /// For webhooks.
    pub webhooks: Vec<Listener>,
    /// For health and metrics: those with the name `admin`.
    pub admin: Vec<Listener>,
}

/// A socket that was handed over and cannot be used: its name and why, as the end of a sentence.
#[derive(Debug)]
pub struct InheritError {
    name: String,
    reason: String,
}

impl fmt::Display for InheritError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, reason } = self;
        write!(f, "the socket \"{name}\" that was handed over {reason}")
    }
}

impl std::error::Error for InheritError {}

impl Sockets {
    /// Takes the sockets that are meant for this process; none when there are none.
    ///
    /// Must be called while the process has one thread, since it clears the variables that tell of the sockets.
    ///
    /// # Errors
    ///
    /// One of them is not a stream socket that listens.
    pub fn take() -> Result<Self, InheritError> {
        // Without LISTEN_PID, `ListenFd` would take whatever files LISTEN_FDS counts, also somebody else's.
        let is_ours = env::var("LISTEN_PID").is_ok_and(|pid| pid == process::id().to_string());
        if !is_ours {
            return Ok(Self::default());
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut handed_over = ListenFd::from_env();
        let sockets = (0..handed_over.len()).map(|index| {
            let name = names.next().filter(|name| !name.is_empty());
            let name = name.unwrap_or("unknown").to_owned();
            match socket(&mut handed_over, index) {
                Ok(socket) => Ok((name, socket)),
                Err(reason) => Err(InheritError { name, reason }),
            }
        });
        sockets.collect::<Result<_, _>>().map(Self)
    }

    /// Makes listeners of them.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system refuses to make one of them non-blocking.
    pub fn listen(self) -> Result<Inherited, InheritError> {
        let mut inherited = Inherited::default();
        for (name, socket) in self.0 {
            let listener = match socket {
                Socket::Tcp(socket) => Listener::inherited_tcp(socket),
                Socket::Unix(socket) => Listener::inherited_unix(socket),
            };
            match listener {
                Ok(listener) if name == ADMIN => inherited.admin.push(listener),
                Ok(listener) => inherited.webhooks.push(listener),
                Err(error) => {
                    let reason = format!("cannot be used: {error}");
                    return Err(InheritError { name, reason });
                }
            }
        }
        Ok(inherited)
    }
}

/// A socket that listens, or why it cannot be used.
fn socket(handed_over: &mut ListenFd, index: usize) -> Result<Socket, String> {
    let (socket, is_listening) = if let Ok(Some(tcp)) = handed_over.take_tcp_listener(index) {
        let is_listening = SockRef::from(&tcp).is_listener();
        (Socket::Tcp(tcp), is_listening)
    } else if let Ok(Some(unix)) = handed_over.take_unix_listener(index) {
        let is_listening = SockRef::from(&unix).is_listener();
        (Socket::Unix(unix), is_listening)
    } else {
        let reason = "is no stream socket: write ListenStream= for it, with an address or a path";
        return Err(reason.to_owned());
    };
    match is_listening {
        Ok(true) => Ok(socket),
        Ok(false) => Err(
            "does not listen: take Accept=yes out of its unit, one process serves all connections"
                .to_owned(),
        ),
        Err(error) => Err(format!("cannot be used: {error}")),
    }
}
