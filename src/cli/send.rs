//! `send`: posts a complete, signed request to a service, as Twilio would.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::secrets::TOKEN_VARIABLE;
use super::{Outcome, fields, output, secrets};
use crate::request::{Form, Webhook, sample};
use crate::signature::public_url::PublicUrl;
use crate::signature::{Algorithm, Content, sign};
use crate::twiml;
use crate::types::Channel;

/// Twilio gives up after this, <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>.
const DEADLINE: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Send a text, not a call
    #[arg(long, env = "TWIML_RESPONDER_MESSAGE")]
    message: bool,
    /// Where the service listens; its query may have a step
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080/out-of-session",
        env = "TWIML_RESPONDER_URL"
    )]
    url: Uri,
    /// The service's --public-url: sign for this scheme, host and path prefix
    #[arg(long, value_name = "URL", env = "TWIML_RESPONDER_PUBLIC_URL")]
    public_url: Option<PublicUrl>,
    #[command(flatten)]
    secrets: secrets::SecretSources,
    #[command(flatten)]
    fields: fields::Fields,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let request = request(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the client")?;
    let posting = async { tokio::time::timeout(DEADLINE, post(request)).await };
    let Ok(answer) = runtime.block_on(posting) else {
        bail!(
            "{} gave no answer within {} s, as long as Twilio waits",
            arguments.url,
            DEADLINE.as_secs()
        );
    };
    let answer = answer?;
    print(&answer);
    Ok(Outcome::from(answer.status().is_success()))
}

/// The request that Twilio would make.
fn request(arguments: &Arguments) -> Result<Request<Full<Bytes>>> {
    let url = &arguments.url;
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        bail!(
            "{url} is no http:// URL: `send` speaks to the service itself, not to the proxy before it"
        );
    };
    let path_and_query = url
        .path_and_query()
        .map_or("/", |path_and_query| path_and_query.as_str());
    let query = Form::read(url.query().unwrap_or_default().as_bytes());
    // What comes back with a step is Twilio's follow-up of a call, which tells nothing of a session.
    let is_follow_up = query.first("step").is_some_and(|step| !step.is_empty());
    let is_plain = url.path().trim_end_matches('/').ends_with("/webhook");
    let webhook = if is_plain || is_follow_up {
        Webhook::Webhook
    } else {
        Webhook::OutOfSession
    };
    let given = arguments.fields.form()?;
    let channel = sample::channel(&given, webhook, arguments.message);
    let form = sample::complete(&with_own_sid(&given, channel), channel, webhook);
    let body = serde_urlencoded::to_string(form.pairs().collect::<Vec<_>>())
        .context("cannot write the form")?;

    let mut request = Request::post(path_and_query)
        .header(HOST, authority.as_str())
        .header(USER_AGENT, "TwilioProxy/1.1")
        .header(ACCEPT, "*/*")
        .header(
            CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=UTF-8",
        )
        .header("I-Twilio-Idempotency-Token", idempotency_token());
    let account_sid = form.first("AccountSid").unwrap_or_default();
    let secrets = arguments.secrets.read()?;
    if let Some(secret) = secrets.token_for(account_sid) {
        let signed_url = match &arguments.public_url {
            Some(public_url) => public_url.join(path_and_query),
            None => format!("http://{authority}{path_and_query}"),
        };
        let signature = sign(
            secret,
            Algorithm::HmacSha1,
            &signed_url,
            Content::Form(&form),
        );
        request = request.header("X-Twilio-Signature", signature);
    } else {
        output::complain(&format!(
            "sent without a signature: set {TOKEN_VARIABLE} or --auth-token-file to sign"
        ));
    }
    request
        .body(Full::new(Bytes::from(body)))
        .context("cannot make the request")
}

/// The fields with a SID that no other request has had: the service takes the same one for a call that has come back.
fn with_own_sid(given: &Form, channel: Channel) -> Form {
    let (prefix, names): (&str, &[&str]) = match channel {
        Channel::Voice => ("CA", &["CallSid"]),
        Channel::Message => ("SM", &["MessageSid", "SmsSid", "SmsMessageSid"]),
    };
    let sid = format!("{prefix}{:032x}", nanoseconds());
    let own = names
        .iter()
        .filter(|name| given.first(name).is_none())
        .map(|name| (*name, sid.as_str()));
    given.pairs().chain(own).collect()
}

/// A token that no other request has had.
fn idempotency_token() -> String {
    let nanoseconds = nanoseconds();
    format!(
        "{:08x}-0000-4000-8000-{:012x}",
        (nanoseconds >> 48) & 0xffff_ffff,
        nanoseconds & 0xffff_ffff_ffff
    )
}

/// Since 1970.
fn nanoseconds() -> u128 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos()
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
        .get("Twiml-Route")
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
    } else {
        output::print(String::from_utf8_lossy(answer.body()).trim_end());
    }
}
