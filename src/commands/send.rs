//! `send`: posts a complete, signed request to a service, as Twilio would.

mod request;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::request_fields::{RequestFields, webhook_parser};
use super::{Outcome, output, secrets};
use crate::table::twiml;
use crate::twilio::request::Webhook;
use crate::twilio::signature::public_url::PublicUrl;

/// Twilio gives up after this, <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>.
const DEADLINE: Duration = Duration::from_secs(15);

/// The header that names the route or the intercept.
const ROUTE: &str = "twiml-route";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Send a text, not a call
    #[arg(long)]
    message: bool,
    /// out-of-session, webhook, intercept, callback, events or voice-webhooks
    #[arg(long, value_name = "WEBHOOK", value_parser = webhook_parser(Webhook::ALL), hide_possible_values = true)]
    // Without it: the one whose path the URL has.
    webhook: Option<Webhook>,
    /// Where the service listens [default: port 8080 of this machine]
    #[arg(long, value_name = "URL")]
    url: Option<Uri>,
    /// The service's --public-url: sign for this scheme, host and path prefix
    #[arg(long, value_name = "URL")]
    public_url: Option<PublicUrl>,
    #[command(flatten)]
    secrets: secrets::SecretSources,
    /// A file with the key of /voice-webhooks/KEY
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    voice_webhooks_key_file: Vec<PathBuf>,
    #[command(flatten)]
    fields: RequestFields,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let webhook = request::webhook(arguments);
    let request = request::request(arguments, webhook)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the client")?;
    let posting = async { tokio::time::timeout(DEADLINE, post(request)).await };
    let Ok(answer) = runtime.block_on(posting) else {
        bail!(
            "the service gave no answer within {} s, as long as Twilio waits",
            DEADLINE.as_secs()
        );
    };
    let answer = answer?;
    print(&answer);
    // A refusal has no route: only an intercept that blocks has both.
    let is_blocked = webhook == Webhook::Intercept
        && answer.status() == StatusCode::FORBIDDEN
        && answer.headers().contains_key(ROUTE);
    if is_blocked {
        output::print("blocked");
    }
    Ok(Outcome::from(is_blocked || answer.status().is_success()))
}

async fn post(request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    let host = request.headers()[HOST]
        .to_str()
        .context("cannot read the host")?
        .to_owned();
    let address = if host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    {
        host.clone()
    } else {
        format!("{host}:80")
    };
    let stream = TcpStream::connect(&address)
        .await
        .with_context(|| format!("cannot connect to {address}; is the service running there?"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context("cannot speak HTTP")?;
    let connection = tokio::spawn(connection);
    let response = sender
        .send_request(request)
        .await
        .context("the service closed the connection without an answer")?;
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .context("the service did not finish its answer")?
        .to_bytes();
    drop(sender);
    connection.abort();
    Ok(Response::from_parts(parts, body))
}

fn print(answer: &Response<Bytes>) {
    output::print(&answer.status().to_string());
    if let Some(route) = answer
        .headers()
        .get(ROUTE)
        .and_then(|route| route.to_str().ok())
    {
        output::print(&format!("route {route}"));
    }
    let is_document = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/xml"));
    if is_document {
        output::print(&format!("\n{}", twiml::pretty(answer.body())));
    } else if !answer.body().is_empty() {
        output::print(String::from_utf8_lossy(answer.body()).trim_end());
    }
}
