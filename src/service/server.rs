//! The HTTP server: a function of listeners and of a future that ends it.
//!
//! Decides nothing about calls and texts: a request goes to `respond`, and from there to [`crate::table::answer`].
//! Every wait has a deadline, every buffer a limit, and no request waits for another.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, error, info};

use crate::service::admin;
use crate::service::connection::{Connection, HttpLimits, OpenConnections};
use crate::service::deadline_io::DeadlineIo;
use crate::service::listener::{Accepted, Duplex, Handshake, Listener, Stream};
use crate::service::metrics::{Metrics, PlainCounter};
use crate::service::respond::respond;
use crate::service::responder::Responder;

/// The most bytes of a request line and headers, and roughly the most that hyper buffers of a body.
const HEAD_MAX_BYTES: usize = 64 * 1024;

/// How often to look for a connection that can be ended while a new one waits for a place.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long to stop accepting after the system has refused a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// How often to log that the system refuses connections.
const LOG_AGAIN: Duration = Duration::from_secs(10);

/// What listeners are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Twilio's requests.
    Webhooks,
    /// Health and metrics, on listeners and with limits of their own, so that nothing there affects a webhook.
    Admin,
}

/// Serves until `shutdown` completes, then drains: closes the listeners and idle connections, and lets every request
/// that has begun finish, for at most [`HttpLimits::drain`]. Connections that wait to be accepted still get their
/// answer; those of an inherited socket are left to the next process. Returns how many connections were cut off in the
/// end.
pub async fn run(
    purpose: Purpose,
    listeners: Vec<Listener>,
    responder: Arc<Responder>,
    limits: HttpLimits,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let metrics = match purpose {
        Purpose::Webhooks => Arc::clone(&responder.metrics),
        // These are counted too, but never shown.
        Purpose::Admin => Arc::default(),
    };
    let mut open = OpenConnections::shown_by(metrics.connections.clone());
    let mut http = http1::Builder::new();
    // The deadlines are those of DeadlineIo. A client that has sent its request may close its side of the connection
    // and still gets the answer.
    http.header_read_timeout(None)
        .half_close(true)
        .max_header_size(HEAD_MAX_BYTES)
        .max_buf_size(HEAD_MAX_BYTES);
    let server = Arc::new(Server {
        purpose,
        responder,
        limits,
        metrics,
        http,
        crowded: Arc::default(),
    });
    let places = limits.max_connections.max(1);
    let pulse = &server.responder.pulse;
    // Accepted, and waiting for a place.
    let mut next: Option<Accepted> = None;
    // Set while accepting is paused because the system has refused a connection.
    let mut pause_ends: Option<Instant> = None;
    let mut refusal_logged: Option<Instant> = None;
    let mut turn = 0;
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            // The end comes first, then whatever makes room for the next connection.
            biased;
            () = &mut shutdown => break,
            () = open.one_finished() => {}
            () = pulse.asks.notified(), if purpose == Purpose::Webhooks => pulse.answers.notify_waiters(),
            () = sleep_until(pause_ends.unwrap_or_else(Instant::now)), if pause_ends.is_some() => pause_ends = None,
            () = sleep(LOOK_AGAIN), if next.is_some() => {}
            accepted = accept(&listeners, &mut turn), if next.is_none() && pause_ends.is_none() => match accepted {
                Ok(accepted) => next = Some(accepted),
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    server.metrics.counter(PlainCounter::AcceptErrors).inc();
                    // The system is short of something, and asking again at once would only keep it busy.
                    pause_ends = Some(Instant::now() + PAUSE);
                    if refusal_logged.is_none_or(|logged| logged.elapsed() > LOG_AGAIN) {
                        error!(%error, "cannot accept connections, trying again");
                        refusal_logged = Some(Instant::now());
                    }
                }
            },
        }
        if open.len() < places {
            if let Some(accepted) = next.take() {
                server.crowded.store(false, Ordering::SeqCst);
                server.serve(accepted, &mut open);
            }
        } else if next.is_some() {
            server.crowded.store(true, Ordering::SeqCst);
            open.make_room();
        }
    }
    server.crowded.store(true, Ordering::SeqCst);
    if let Some(accepted) = next.filter(|_| open.len() < places) {
        server.serve(accepted, &mut open);
    }
    for listener in listeners.iter().filter(|it| !it.is_inherited) {
        for _ in open.len()..places {
            match listener.accept_now() {
                Ok(accepted) => server.serve(accepted, &mut open),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Perhaps this client has gone; others may be waiting.
                Err(_) => {}
            }
        }
    }
    drop(listeners);
    if purpose == Purpose::Webhooks {
        info!(connections = open.len(), "draining");
    }
    open.drain(limits.drain).await
}

/// The next connection on any of the listeners, which take turns at being asked first.
async fn accept(listeners: &[Listener], turn: &mut usize) -> io::Result<Accepted> {
    poll_fn(|cx| {
        for step in 0..listeners.len() {
            let index = (*turn + step) % listeners.len();
            if let Poll::Ready(accepted) = listeners[index].poll_accept(cx) {
                *turn = index + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether the client left before its connection was accepted.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}

/// What all connections share.
struct Server {
    purpose: Purpose,
    responder: Arc<Responder>,
    limits: HttpLimits,
    /// The responder's, unless these connections are not counted.
    metrics: Arc<Metrics>,
    http: http1::Builder,
    /// Whether a connection waits for a place, or the drain has begun: none may stay idle.
    crowded: Arc<AtomicBool>,
}

impl Server {
    /// Starts serving a connection, in its own task.
    fn serve(self: &Arc<Self>, accepted: Accepted, open: &mut OpenConnections) {
        let connection = Connection::new(accepted.peer, self.limits, &self.crowded);
        let connection = Arc::new(connection);
        let (server, its) = (Arc::clone(self), Arc::clone(&connection));
        self.metrics.counter(PlainCounter::ConnectionsOpened).inc();
        open.add(connection, async move {
            match accepted.stream {
                Stream::Tcp(stream) => server.serve_http(stream, &its).await,
                Stream::Unix(stream) => server.serve_http(stream, &its).await,
                Stream::Tls(handshake) => {
                    if let Some(stream) = decrypted(handshake, &its).await {
                        server.serve_http(stream, &its).await;
                    }
                }
            }
        });
    }

    /// Serves the requests of a connection, one after another, until it ends.
    async fn serve_http<S>(&self, stream: S, connection: &Connection)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let io = TokioIo::new(DeadlineIo::new(stream, connection));
        let service = service_fn(async |request| {
            connection.head_complete();
            Ok::<_, Infallible>(match self.purpose {
                Purpose::Webhooks => respond(&self.responder, connection, request).await,
                Purpose::Admin => admin::respond(&self.responder, connection, &request).await,
            })
        });
        let mut http = pin!(self.http.serve_connection(io, service));
        let ended = async {
            tokio::select! {
                // A request that has already arrived is answered before the connection is closed.
                biased;
                ended = &mut http => ended,
                () = connection.close.notified() => {
                    http.as_mut().graceful_shutdown();
                    http.await
                }
            }
        };
        let ended = tokio::select! {
            biased;
            ended = ended => ended,
            () = connection.given_up() => {
                self.metrics.counter(PlainCounter::ConnectionsBroken).inc();
                debug!(peer = %connection.peer, "given up for another, its request is too slow");
                return;
            }
        };
        if let Err(error) = ended {
            self.metrics.counter(PlainCounter::ConnectionsBroken).inc();
            debug!(peer = %connection.peer, %error, "connection broken off");
        }
    }
}

/// The decrypted stream; `None` when the handshake fails or takes too long, or the connection is to be closed.
async fn decrypted(handshake: Handshake, connection: &Connection) -> Option<Box<dyn Duplex>> {
    let accepted = tokio::select! {
        accepted = timeout(connection.limits.head, handshake) => accepted,
        () = connection.close.notified() => return None,
    };
    accepted
        .unwrap_or_else(|late| Err(late.into()))
        // This includes everything that does not speak TLS, such as plain HTTP.
        .inspect_err(|error| debug!(peer = %connection.peer, %error, "TLS handshake failed"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_gone_is_no_reason_to_pause() {
        assert!(is_gone(&io::ErrorKind::ConnectionAborted.into()));
        // EMFILE, "Too many open files".
        assert!(!is_gone(&io::Error::from_raw_os_error(24)));
    }
}
