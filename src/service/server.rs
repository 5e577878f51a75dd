//! The HTTP server: a function of listeners and of a future that ends it.
//!
//! Decides nothing about calls and texts: a request goes to [`respond`], and from there to [`crate::table::answer`].
//! Every wait has a deadline, every buffer a limit, and no request waits for another.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::service::accept::{Pause, accept, waiting};
use crate::service::admin;
use crate::service::connection::{Connection, OpenConnections};
use crate::service::deadline_io::DeadlineIo;
use crate::service::limits::HttpLimits;
use crate::service::listener::{Accepted, Duplex, Handshake, Listener, Stream};
use crate::service::metrics::Counted;
use crate::service::respond::respond;
use crate::service::responder::Responder;

/// The most bytes of a request line and headers, and roughly the most that hyper buffers of a body.
const HEAD_MAX_BYTES: usize = 64 * 1024;

/// How often to look for an idle connection while a new one waits for a place.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What listeners are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Twilio's requests. Only these connections are counted.
    Webhooks,
    /// Health and metrics, on listeners and with limits of their own, so that nothing there affects a webhook.
    Admin,
}

/// Serves until `shutdown` completes, then drains: closes the listeners and idle connections, and lets every request
/// that has begun end, for at most [`HttpLimits::drain`]. Connections that wait to be accepted still get their answer;
/// those of an inherited socket are left to the next process. Returns how many connections were cut off in the end.
///
/// Must be called within a tokio runtime with I/O and time.
pub async fn run(
    purpose: Purpose,
    listeners: Vec<Listener>,
    responder: Arc<Responder>,
    limits: HttpLimits,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let server = Arc::new(Server {
        purpose,
        responder,
        limits,
        http: http(),
        crowded: Arc::default(),
    });
    let places = limits.max_connections.max(1);
    let pulse = &server.responder.pulse;
    let mut open = OpenConnections::default();
    // Accepted, and waiting for a place.
    let mut next: Option<Accepted> = None;
    let mut pause = Pause::default();
    let mut turn = 0;
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            // The end comes first, then what makes room for the next connection.
            biased;
            () = &mut shutdown => break,
            () = open.one_finished() => {}
            () = pulse.asked(), if purpose == Purpose::Webhooks => pulse.answer(),
            () = pause.over() => {}
            () = sleep(LOOK_AGAIN), if next.is_some() => {}
            accepted = accept(&listeners, &mut turn), if next.is_none() && !pause.is_on() => match accepted {
                Ok(accepted) => {
                    pause.end();
                    next = Some(accepted);
                }
                Err(error) => {
                    pause.begin_unless_gone(&error);
                    if pause.is_on() && purpose == Purpose::Webhooks {
                        server.responder.metrics.counter(Counted::AcceptErrors).inc();
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
            open.close_longest_idle();
        }
    }
    server.crowded.store(true, Ordering::SeqCst);
    let places = places.saturating_sub(open.len());
    let waiting = waiting(&listeners, places);
    for accepted in next.into_iter().chain(waiting).take(places) {
        server.serve(accepted, &mut open);
    }
    drop(listeners);
    open.drain(limits.drain).await
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    // The deadlines are those of DeadlineIo. A client that has sent its request may close its side of the connection and
    // still gets the answer.
    http.header_read_timeout(None)
        .half_close(true)
        .max_header_size(HEAD_MAX_BYTES)
        .max_buf_size(HEAD_MAX_BYTES);
    http
}

/// What all connections share.
struct Server {
    purpose: Purpose,
    responder: Arc<Responder>,
    limits: HttpLimits,
    http: http1::Builder,
    /// Whether a connection waits for a place, or the drain has begun: none may stay idle.
    crowded: Arc<AtomicBool>,
}

impl Server {
    /// Starts to serve a connection, in a task of its own.
    fn serve(self: &Arc<Self>, accepted: Accepted, open: &mut OpenConnections) {
        let connection = Connection::new(accepted.peer, self.limits, &self.crowded);
        let connection = Arc::new(connection);
        let (server, its) = (Arc::clone(self), Arc::clone(&connection));
        let counted =
            (self.purpose == Purpose::Webhooks).then(|| self.responder.metrics.connection());
        open.add(connection, async move {
            let _counted = counted;
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

    /// Serves the requests of a connection, one after the other, to its end.
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
        let ended = tokio::select! {
            // A request that has already arrived is answered before the connection is closed.
            biased;
            ended = &mut http => ended,
            () = connection.closing() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        };
        if let Err(error) = ended {
            if self.purpose == Purpose::Webhooks {
                self.responder
                    .metrics
                    .counter(Counted::ConnectionsBroken)
                    .inc();
            }
            debug!(peer = %connection.peer, %error, "connection broken off");
        }
    }
}

/// The decrypted stream; `None` when the handshake fails or takes too long, or the connection is to be closed.
async fn decrypted(handshake: Handshake, connection: &Connection) -> Option<Box<dyn Duplex>> {
    let peer = connection.peer;
    let accepted = tokio::select! {
        accepted = timeout(connection.limits.head, handshake) => accepted,
        () = connection.closing() => return None,
    };
    match accepted {
        Ok(Ok(stream)) => Some(stream),
        // Among them everything that does not speak TLS, such as plain HTTP.
        Ok(Err(error)) => {
            debug!(%peer, %error, "TLS handshake failed");
            None
        }
        Err(_) => {
            debug!(%peer, "TLS handshake took too long");
            None
        }
    }
}
