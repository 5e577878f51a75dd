//! A stream with deadlines: for a head that does not arrive, for silence, and for a client that does not read.
//!
//! hyper's own `header_read_timeout` starts at the previous answer, so it cannot tell an idle connection from a slow
//! head. The deadlines of bodies are set where bodies are read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::warn;

use crate::service::connection::{Activity, Connection};
use crate::service::other_protocol;

pub(super) struct DeadlineIo<'c, S> {
    stream: S,
    connection: &'c Connection,
    /// For the arriving head or an idle connection; after our side is closed, for the client to close its side.
    read_clock: Clock,
    /// For the client to take some of what is written; has no deadline while it does.
    write_clock: Clock,
    /// Whether our side is closed.
    is_closed: bool,
}

impl<'c, S> DeadlineIo<'c, S> {
    pub(super) fn new(stream: S, connection: &'c Connection) -> Self {
        Self {
            stream,
            connection,
            read_clock: Clock::default(),
            write_clock: Clock::default(),
            is_closed: false,
        }
    }

    fn is_idle(&self) -> bool {
        self.connection.activity().idle_since().is_some()
    }

    /// Ready when a read that has received nothing has waited too long.
    fn read_waits(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limits = &self.connection.limits;
        match self.connection.activity() {
            Activity::Body(_) | Activity::Answer => return Poll::Pending,
            Activity::Head(_) => {}
            // Only clients that have sent a signed request get the longer idle time: every refusal closes.
            Activity::Fresh(since) => self.read_clock.deadline = Some(since + limits.head),
            Activity::Idle(since) => self.read_clock.deadline = Some(since + limits.idle),
        }
        ready!(self.read_clock.poll_passed(limits.head, cx));
        if self.is_idle() {
            // Not an error: it reads as if the client had closed the connection.
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
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
            let is_first = matches!(self.connection.activity(), Activity::Fresh(_));
            if let Some(what) = other_protocol::named(&buf.filled()[before..]).filter(|_| is_first)
            {
                warn!(peer = %self.connection.peer, "{what}");
            }
            self.connection.head_begins();
            self.read_clock.deadline = None;
        }
        read
    }
}

/// Not vectored, so that hyper copies an answer behind its head: answers are short, and two pieces cost the system
/// more.
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for DeadlineIo<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if written.is_ready() {
            this.write_clock.deadline = None;
            return written;
        }
        // The client has taken nothing since the deadline was set.
        let limit = this.connection.limits.answer;
        ready!(this.write_clock.poll_passed(limit, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes our side. If a request was not read to its end, what the client still sends is discarded until it closes
    /// too, for at most `HttpLimits::linger`: if we closed at once, the system would reset the connection, and the
    /// client could lose the answer.
    ///
    /// Source: RFC 9112, section 9.6, <https://www.rfc-editor.org/rfc/rfc9112#section-9.6>.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let linger = this.connection.limits.linger;
        if !this.is_closed {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if this.is_idle() {
                return Poll::Ready(Ok(()));
            }
            this.is_closed = true;
            this.read_clock.deadline = Some(Instant::now() + linger);
        }
        let mut thrown_away = [0; 4096];
        // However much the client sends, tokio's sockets are pending now and then, so other tasks get their turn.
        while this.read_clock.deadline > Some(Instant::now()) {
            let mut buf = ReadBuf::new(&mut thrown_away);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => break,
                Poll::Pending => return this.read_clock.poll_passed(linger, cx).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A deadline, with a timer that is created only when something waits.
#[derive(Default)]
struct Clock {
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    /// Ready when the deadline has passed. Sets the deadline if none is set, and wakes the task when it passes.
    fn poll_passed(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + limit);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}
