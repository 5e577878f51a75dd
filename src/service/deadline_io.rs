//! A stream with deadlines: for a head that does not arrive, for silence, and for a client that does not read.
//!
//! hyper's own `header_read_timeout` starts at the previous answer, so it cannot tell an idle connection from a slow head.
//! Bodies have their deadline where they are read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::service::connection::{Activity, Connection};

pub(super) struct DeadlineIo<'c, S> {
    stream: S,
    connection: &'c Connection,
    /// When the head that is arriving must be complete; `None` until it is waited for.
    head_deadline: Option<Instant>,
    read_clock: Clock,
    /// When the client must have taken something of what is written; `None` while it does.
    write_deadline: Option<Instant>,
    write_clock: Clock,
    /// When to stop waiting for the client's end of a connection that is closed.
    linger_deadline: Option<Instant>,
}

impl<'c, S> DeadlineIo<'c, S> {
    pub(super) fn new(stream: S, connection: &'c Connection) -> Self {
        Self {
            stream,
            connection,
            head_deadline: None,
            read_clock: Clock::default(),
            write_deadline: None,
            write_clock: Clock::default(),
            linger_deadline: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.connection.activity().idle_since().is_some()
    }

    /// Ready when a read that has nothing yet has waited too long.
    fn read_waits(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limits = &self.connection.limits;
        let deadline = match self.connection.activity() {
            Activity::Request => return Poll::Pending,
            Activity::Head => *deadline(&mut self.head_deadline, limits.head),
            // Only a client that has sent a signed request gets the longer idle time, since every refusal closes.
            Activity::Fresh(since) => since + limits.head,
            Activity::Idle(since) => since + limits.idle,
        };
        ready!(self.read_clock.poll_passed(deadline, cx));
        if self.is_idle() {
            // Not an error: it reads as if the client had closed the connection.
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The deadline, which is set now unless it is set already.
fn deadline(deadline: &mut Option<Instant>, limit: Duration) -> &Instant {
    deadline.get_or_insert_with(|| Instant::now() + limit)
}

impl<S: AsyncRead + Unpin> AsyncRead for DeadlineIo<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            return self.read_waits(cx);
        }
        if buf.filled().len() > before && self.is_idle() {
            self.connection.head_begins();
            self.head_deadline = None;
        }
        read
    }
}

/// Not vectored, so that hyper copies an answer behind its head: answers are short, and two pieces cost the system more.
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for DeadlineIo<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if written.is_ready() {
            this.write_deadline = None;
            return written;
        }
        // The client has taken nothing since the deadline was set.
        let deadline = *deadline(&mut this.write_deadline, this.connection.limits.answer);
        ready!(this.write_clock.poll_passed(deadline, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes our side. When a request was not read to its end, what the client still sends is thrown away until it
    /// closes too, for at most `HttpLimits::linger`: if we closed at once, the system would reset the connection, and the
    /// client could lose the answer.
    ///
    /// Source: RFC 9112, section 9.6, <https://www.rfc-editor.org/rfc/rfc9112#section-9.6>.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger_deadline.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if this.is_idle() {
                return Poll::Ready(Ok(()));
            }
        }
        let deadline = *deadline(&mut this.linger_deadline, this.connection.limits.linger);
        let mut thrown_away = [0; 4096];
        // However much the client sends, tokio's sockets become pending now and then, so that other tasks get their turn.
        while Instant::now() < deadline {
            let mut buf = ReadBuf::new(&mut thrown_away);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => break,
                Poll::Pending => return this.read_clock.poll_passed(deadline, cx).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A timer that is made only when something waits.
#[derive(Default)]
struct Clock(Option<Pin<Box<Sleep>>>);

impl Clock {
    /// Ready when the deadline has passed; else the task is woken then.
    fn poll_passed(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}
