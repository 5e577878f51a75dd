//! The request that Twilio, or Fone Dynamics, would make.

use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Uri};

use super::Arguments;
use crate::commands::output;
use crate::commands::secrets::{TOKEN_VARIABLE, read_first_key};
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Webhook, sample};
use crate::twilio::signature::{Algorithm, Content, Secret, body_sha256, sign};

/// Where the service listens by default; the path is the webhook's.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// A whole request to this webhook.
pub(super) fn request(arguments: &Arguments, webhook: Webhook) -> Result<Request<Full<Bytes>>> {
    let url = match &arguments.url {
        Some(url) => url,
        None => &Uri::from_static(DEFAULT_URL),
    };
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        bail!(
            "{url} is no http:// URL: `send` speaks to the service itself, not to the proxy before it"
        );
    };
    let given = arguments.fields.form()?;
    let channel = sample::channel(&given, webhook, arguments.message);
    let form = sample::complete(&with_own_sid(&given, channel, webhook), channel, webhook);
    let (media_type, body) = if webhook == Webhook::Events {
        ("application/json", sample::event(&form))
    } else {
        let body = serde_urlencoded::to_string(form.pairs().collect::<Vec<_>>())
            .context("cannot write the form")?;
        (
            "application/x-www-form-urlencoded; charset=UTF-8",
            body.into_bytes(),
        )
    };
    let path_and_query = path_and_query(arguments, url, webhook, &body)?;
    let mut request = Request::post(&path_and_query)
        .header(HOST, authority.as_str())
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
            Some(public_url) => public_url.join(&path_and_query),
            None => format!("http://{authority}{path_and_query}"),
        };
        let sign = |secret: &Secret| sign(secret, Algorithm::HmacSha1, &signed_url, content);
        let account_sid = form.first("AccountSid").unwrap_or_default();
        if let Some(signature) = arguments.secrets.read()?.token_for(account_sid).map(sign) {
            request = request.header("X-Twilio-Signature", signature);
        } else {
            output::complain(&format!(
                "sent without a signature: set {TOKEN_VARIABLE} or --auth-token-file to sign"
            ));
        }
    }
    request
        .body(Full::new(Bytes::from(body)))
        .context("cannot make the request")
}

/// The webhook that is meant: the one that was named, else the one whose path the URL has.
pub(super) fn webhook(arguments: &Arguments) -> Webhook {
    if let Some(webhook) = arguments.webhook {
        return webhook;
    }
    let Some(url) = &arguments.url else {
        return Webhook::OutOfSession;
    };
    let query = Form::parse(url.query().unwrap_or_default().as_bytes());
    // What comes back with a step is Twilio's follow-up of a call, which tells nothing of a session.
    if query.first("step").is_some_and(|step| !step.is_empty()) {
        return Webhook::Plain;
    }
    let mut segments = url.path().trim_end_matches('/').rsplit('/');
    let last = segments.next().and_then(Webhook::from_name);
    // The key comes behind the name.
    let keyed = segments.next().and_then(Webhook::from_name);
    last.or(keyed.filter(|webhook| *webhook == Webhook::VoiceWebhooks))
        .unwrap_or(Webhook::OutOfSession)
}

/// The path and query of the URL, with what the webhook needs in them.
fn path_and_query(
    arguments: &Arguments,
    url: &Uri,
    webhook: Webhook,
    body: &[u8],
) -> Result<String> {
    let name = webhook.as_str();
    let is_whole = url.path() != "/"
        // Proxy's first webhook may be at `/` itself.
        || (webhook == Webhook::OutOfSession && arguments.url.is_some());
    let mut path = if is_whole {
        url.path().to_owned()
    } else {
        format!("/{name}")
    };
    if webhook == Webhook::VoiceWebhooks && path.trim_end_matches('/').ends_with(name) {
        let Some(key) = read_first_key(&arguments.voice_webhooks_key_file)? else {
            bail!("there is no key: name its file with --voice-webhooks-key-file");
        };
        path = format!("{}/{key}", path.trim_end_matches('/'));
    }
    let hash = (webhook == Webhook::Events).then(|| format!("bodySHA256={}", body_sha256(body)));
    let query: Vec<&str> = url.query().into_iter().chain(hash.as_deref()).collect();
    Ok(if query.is_empty() {
        path
    } else {
        format!("{path}?{}", query.join("&"))
    })
}

/// The fields with a SID that no other request has had: the service takes the same one for a call that has come back,
/// and for an event that is known.
fn with_own_sid(given: &Form, channel: Channel, webhook: Webhook) -> Form {
    let (prefix, names): (&str, &[&str]) = match (webhook, channel) {
        (Webhook::OutOfSession | Webhook::Plain, Channel::Voice) => ("CA", &["CallSid"]),
        (Webhook::OutOfSession | Webhook::Plain, Channel::Message) => {
            ("SM", &["MessageSid", "SmsSid", "SmsMessageSid"])
        }
        (Webhook::Intercept | Webhook::Callback, _) => ("KI", &["interactionSid"]),
        (Webhook::Events, _) => ("EZ", &["id"]),
        (Webhook::VoiceWebhooks, _) => ("C", &["Call.Sid"]),
    };
    // Those of Fone Dynamics are shorter.
    let length = if prefix.len() == 1 { 32 } else { 34 };
    let digits = length - prefix.len();
    let sid = format!("{prefix}{:0digits$x}", nanoseconds());
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
