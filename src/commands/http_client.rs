//! Requests to a running service over HTTP, for `send` and `ready`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::request_fields::MOST_BYTES;

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peer {
    /// Host and port.
    Tcp(String),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// Sends a request, and returns the answer with its whole body.
///
/// # Errors
///
/// There is no connection, no answer, or no answer before the deadline. `late` says what a missed deadline means.
pub(super) fn exchange(
    peer: &Peer,
    request: Request<Full<Bytes>>,
    deadline: Duration,
    late: &str,
) -> Result<Response<Bytes>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the client")?;
    let address = match peer {
        Peer::Tcp(address) => address.clone(),
        Peer::Unix(path) => format!("unix:{}", path.display()),
    };
    let asking = async { tokio::time::timeout(deadline, ask(peer, &address, request)).await };
    let Ok(answer) = runtime.block_on(asking) else {
        bail!(
            "the service at {address} did not answer within {} s{late}",
            deadline.as_secs()
        );
    };
    answer
}

async fn ask(peer: &Peer, address: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    let refused = || format!("cannot connect to {address}; is the service running there?");
    match peer {
        Peer::Tcp(peer) => {
            let stream = TcpStream::connect(peer).await.with_context(refused)?;
            over(stream, address, request).await
        }
        Peer::Unix(path) => {
            let stream = UnixStream::connect(path).await.with_context(refused)?;
            over(stream, address, request).await
        }
    }
}

async fn over<S>(stream: S, address: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .with_context(|| format!("cannot speak HTTP with {address}"))?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.with_context(|| {
        format!("the service at {address} closed the connection without an answer")
    })?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, MOST_BYTES).collect().await;
    let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => anyhow!("the service at {address} answers with more than {MOST_BYTES} bytes"),
        Err(error) => anyhow!(error).context(format!(
            "the service at {address} did not finish its answer"
        )),
    })?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}
