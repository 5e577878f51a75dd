//! A stream with deadlines: for a head that does not arrive, for silence, and for a client that does not read.
//!
//! hyper's own `header_read_timeout` starts at the previous answer, so it cannot tell an idle connection from a slow head.
//! Bodies have their deadline where they are read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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

    /// Whether no request is on its way.
    fn is_idle(&self) -> bool {
        matches!(
            self.connection.activity(),
            Activity::Fresh(_) | Activity::Idle(_)
        )
    }

    /// Ready when a read that has nothing yet has waited too long.
    fn read_waits(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (deadline, is_idle) = match self.connection.activity() {
            Activity::Request => return Poll::Pending,
            Activity::Head => {
                let limit = self.connection.limits.head;
                let deadline = self
                    .head_deadline
                    .get_or_insert_with(|| Instant::now() + limit);
                (*deadline, false)
            }
            // Only a client that has sent a signed request gets the longer idle time, since every refusal closes.
            Activity::Fresh(since) => (since + self.connection.limits.head, true),
            Activity::Idle(since) => (since + self.connection.limits.idle, true),
        };
        ready!(self.read_clock.poll_passed(deadline, cx));
        // Ending an idle connection is not an error: it reads as if the client had closed it.
        Poll::Ready(if is_idle {
            Ok(())
        } else {
            Err(io::ErrorKind::TimedOut.into())
        })
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
        let limit = this.connection.limits.answer;
        let deadline = this
            .write_deadline
            .get_or_insert_with(|| Instant::now() + limit);
        ready!(this.write_clock.poll_passed(*deadline, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes our side. When a request was not read to its end, what the client still sends is thrown away until it
    /// closes too, for at most [`HttpLimits::linger`](crate::service::limits::HttpLimits): if we closed at once, the
    /// system would reset the connection, and the client could lose the answer.
    ///
    /// Source: RFC 9112, section 9.6, <https://www.rfc-editor.org/rfc/rfc9112#section-9.6>.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        const MOST_AT_ONCE: usize = 32;
        if self.linger_deadline.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if self.is_idle() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = self.connection.limits.linger;
        let deadline = *self
            .linger_deadline
            .get_or_insert_with(|| Instant::now() + linger);
        let mut thrown_away = [0; 4096];
        for _ in 0..MOST_AT_ONCE {
            let mut buf = ReadBuf::new(&mut thrown_away);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buf);
            match read {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return self.read_clock.poll_passed(deadline, cx).map(Ok),
            }
        }
        if Instant::now() >= deadline {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A timer that is made only when something waits, and is moved only when it fires: deadlines mostly move further away.
#[derive(Default)]
struct Clock(Option<Pin<Box<Sleep>>>);

impl Clock {
    /// Ready when the deadline has passed; else the task is woken then or earlier.
    fn poll_passed(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
