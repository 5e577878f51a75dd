//! `send`: posts a complete, signed request to a running service, as Twilio or Fone Dynamics would.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::http::uri::{Authority, InvalidUri};
use hyper::{Request, Response, StatusCode, Uri};

use super::http_client::{Peer, exchange};
use super::request_fields::{RequestFields, warn_of_fields, webhook_parser};
use super::secret_sources::{KeySources, SecretSources, TOKEN_VARIABLE, read_file};
use super::{Outcome, output};
use crate::table::twiml;
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Webhook, sample};
use crate::twilio::signature::public_url::PublicUrl;
use crate::twilio::signature::{Algorithm, Content, body_sha256, sign};

/// How long Twilio waits, <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>.
const DEADLINE: Duration = Duration::from_secs(15);

/// The header that names the route or the intercept.
const ROUTE: &str = "twiml-route";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Send a text message instead of a call
    #[arg(short, long)]
    message: bool,
    /// Ask this webhook: out-of-session, webhook, intercept, callback, events or voice-webhooks
    #[arg(
        long,
        value_name = "WEBHOOK",
        value_parser = webhook_parser(Webhook::ALL),
        hide_possible_values = true
    )]
    // The default is the webhook in the path of the URL.
    webhook: Option<Webhook>,
    /// Connect to the service at this URL
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: ServiceUrl,
    /// Sign for this scheme, host and path prefix: the service's --public-url
    #[arg(long, value_name = "URL")]
    public_url: Option<PublicUrl>,
    #[command(flatten)]
    secrets: SecretSources,
    #[command(flatten)]
    keys: KeySources,
    #[command(flatten)]
    fields: RequestFields,
}

/// A URL of the service, with or without a path.
#[derive(Debug, Clone)]
struct ServiceUrl {
    uri: Uri,
    has_path: bool,
}

impl FromStr for ServiceUrl {
    type Err = InvalidUri;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri = text.parse()?;
        let (_, rest) = text.split_once("://").unwrap_or_default();
        Ok(Self {
            uri,
            has_path: rest.contains('/'),
        })
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let webhook = webhook(arguments)?;
    let (address, request) = request(arguments, webhook)?;
    let late = ", which is as long as Twilio waits";
    let answer = exchange(&Peer::Tcp(address), request, DEADLINE, late)?;
    print(&answer);
    // A refusal also has status 403, but it does not name a route.
    let is_blocked = webhook == Webhook::Intercept
        && answer.status() == StatusCode::FORBIDDEN
        && answer.headers().contains_key(ROUTE);
    if is_blocked {
        output::print("blocked");
    }
    let is_success = answer.status().is_success();
    if is_success && webhook.wants_document() && !answer.headers().contains_key(ROUTE) {
        output::complain(
            "this answer names no route, so it is not from twiml-responder: check --url",
        );
        return Ok(Outcome::No);
    }
    Ok(Outcome::from(is_blocked || is_success))
}

/// The webhook given with `--webhook`, else the one in the path of the URL.
fn webhook(arguments: &Arguments) -> Result<Webhook> {
    let url = &arguments.url.uri;
    let query = Form::parse(url.query().unwrap_or_default().as_bytes());
    let has_step = query.first("step").is_some_and(|step| !step.is_empty());
    let mut segments = url.path().trim_end_matches('/').rsplit('/');
    let last = segments.next().and_then(Webhook::from_name);
    // The key comes after the name.
    let keyed = segments.next().and_then(Webhook::from_name);
    let by_path = last.or(keyed.filter(|webhook| *webhook == Webhook::VoiceWebhooks));
    match (arguments.webhook, by_path) {
        (Some(given), Some(by_path))
            if given != by_path && !(has_step && given == Webhook::Plain) =>
        {
            bail!(
                "--webhook {} contradicts the path of {url}: leave one of them out",
                given.as_str()
            )
        }
        (Some(given), _) => Ok(given),
        // A request with a step is a follow-up of Twilio's in a call, and says nothing about a session.
        (None, _) if has_step => Ok(Webhook::Plain),
        (None, by_path) => Ok(by_path.unwrap_or(Webhook::OutOfSession)),
    }
}

/// The request, and the address to connect to.
fn request(arguments: &Arguments, webhook: Webhook) -> Result<(String, Request<Full<Bytes>>)> {
    let url = &arguments.url.uri;
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        bail!(
            "{url} is not an http:// URL: `send` connects to the service itself, not to the proxy in front of it"
        );
    };
    let given = arguments.fields.form()?;
    warn_of_fields(&given, None);
    let channel = sample::channel(&given, webhook, arguments.message);
    let form = sample::complete(&with_own_sid(&given, channel, webhook), channel, webhook);
    let (media_type, body) = if webhook == Webhook::Events {
        ("application/json", sample::event(&form))
    } else {
        let pairs: Vec<_> = form.pairs().collect();
        let body = serde_urlencoded::to_string(pairs).context("cannot encode the form")?;
        let form = "application/x-www-form-urlencoded; charset=UTF-8";
        (form, body.into_bytes())
    };
    let path_and_query = path_and_query(arguments, webhook, &body)?;
    let mut request = Request::post(&path_and_query)
        .header(HOST, host(arguments, authority))
        .header(ACCEPT, "*/*")
        .header(CONTENT_TYPE, media_type);
    if webhook != Webhook::VoiceWebhooks {
        request = request
            .header(USER_AGENT, "TwilioProxy/1.1")
            .header("I-Twilio-Idempotency-Token", idempotency_token());
        let content = match webhook {
            Webhook::Events => Content::Bytes(&body),
            _ => Content::Form(&form),
        };
        let signed_url = match &arguments.public_url {
            Some(public_url) => {
                let (path, _) = path_and_query
                    .split_once('?')
                    .unwrap_or((&path_and_query, ""));
                public_url.refuse_path(path)?;
                public_url.join(&path_and_query)
            }
            None => format!("http://{authority}{path_and_query}"),
        };
        let account_sid = form.first("AccountSid").unwrap_or_default();
        if let Some(secret) = arguments.secrets.read(&read_file)?.token_for(account_sid) {
            let signature = sign(secret, Algorithm::HmacSha1, &signed_url, content);
            request = request.header("X-Twilio-Signature", signature);
        } else {
            output::complain(&format!(
                "sent without a signature: set {TOKEN_VARIABLE} or --auth-token-file to sign"
            ));
        }
    }
    let port = authority.port_u16().unwrap_or(80);
    let request = request.body(Full::new(Bytes::from(body)));
    let request = request.context("cannot build the request")?;
    Ok((format!("{}:{port}", authority.host()), request))
}

/// The `Host` that Twilio would send: a proxy may choose by it.
fn host(arguments: &Arguments, authority: &Authority) -> String {
    let public_url = arguments.public_url.as_ref();
    let public =
        public_url.and_then(|url| url.as_str().parse::<Uri>().ok()?.into_parts().authority);
    let host = public.as_ref().unwrap_or(authority).as_str();
    host.rsplit('@').next().unwrap_or(host).to_owned()
}

/// The path and query of the URL, completed for the webhook.
fn path_and_query(arguments: &Arguments, webhook: Webhook, body: &[u8]) -> Result<String> {
    let name = webhook.as_str();
    let ServiceUrl { uri: url, has_path } = &arguments.url;
    let mut path = url.path().to_owned();
    // Proxy's out-of-session webhook may be at `/` itself.
    let may_be_root = webhook == Webhook::OutOfSession && *has_path;
    if path == "/" && !may_be_root {
        path += name;
    }
    if webhook == Webhook::VoiceWebhooks && path.trim_end_matches('/').ends_with(name) {
        let Some(key) = arguments.keys.first(&read_file)? else {
            bail!("there is no key: name its file with --voice-webhooks-key-file");
        };
        path = format!("{}/{key}", path.trim_end_matches('/'));
    }
    let hash = (webhook == Webhook::Events).then(|| format!("bodySHA256={}", body_sha256(body)));
    let query: Vec<&str> = url.query().into_iter().chain(hash.as_deref()).collect();
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    Ok(path)
}

/// The fields with a SID that no other request has had. The service recognises a returning call, or an event that it
/// already has, by the SID.
fn with_own_sid(given: &Form, channel: Channel, webhook: Webhook) -> Form {
    let (prefix, digits, names): (&str, usize, &[&str]) = match (webhook, channel) {
        (Webhook::OutOfSession | Webhook::Plain, Channel::Voice) => ("CA", 32, &["CallSid"]),
        (Webhook::OutOfSession | Webhook::Plain, Channel::Message) => {
            ("SM", 32, &["MessageSid", "SmsSid", "SmsMessageSid"])
        }
        (Webhook::Intercept | Webhook::Callback, _) => ("KI", 32, &["interactionSid"]),
        (Webhook::Events, _) => ("EZ", 32, &["id"]),
        (Webhook::VoiceWebhooks, _) => ("C", 31, &["Call.Sid"]),
    };
    let sid = format!("{prefix}{:0digits$x}", nanoseconds());
    let missing = names.iter().filter(|name| given.first(name).is_none());
    let own = missing.map(|name| (*name, sid.as_str()));
    given.pairs().chain(own).collect()
}

/// A token that no other request has had, in the form of a UUID.
fn idempotency_token() -> String {
    let time = nanoseconds();
    let (high, low) = (time >> 48, time & 0xffff_ffff_ffff);
    format!("{high:08x}-0000-4000-8000-{low:012x}")
}

/// The time since 1970.
fn nanoseconds() -> u128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_nanos()
}

fn print(answer: &Response<Bytes>) {
    output::print(&answer.status().to_string());
    let headers = answer.headers();
    if let Some(Ok(route)) = headers.get(ROUTE).map(|route| route.to_str()) {
        output::print(&format!("route {route}"));
    }
    let kind = headers.get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/xml")) {
        output::print(&format!("\n{}", twiml::pretty(answer.body())));
    } else if !answer.body().is_empty() {
        output::print(String::from_utf8_lossy(answer.body()).trim_end());
    }
}
