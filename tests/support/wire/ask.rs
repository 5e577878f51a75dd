//! A request in its form on the wire.

use twiml_responder::twilio::request::Form;
use twiml_responder::twilio::signature::{Algorithm, Content, Secret, sign};

use crate::wire::{CALL, TOKEN};

/// A request to send.
#[derive(Clone)]
pub struct Ask {
    pub method: &'static str,
    pub target: String,
    pub version: &'static str,
    pub host: Option<&'static str>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Ask {
    pub fn post(target: &str, body: &str) -> Self {
        Self {
            method: "POST",
            target: target.to_owned(),
            version: "HTTP/1.1",
            host: Some("example.com"),
            headers: vec![(
                "Content-Type",
                "application/x-www-form-urlencoded".to_owned(),
            )],
            body: body.as_bytes().to_vec(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self {
            method: "GET",
            headers: Vec::new(),
            ..Self::post(target, "")
        }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self
    }

    pub fn host(self, host: &'static str) -> Self {
        Self {
            host: Some(host),
            ..self
        }
    }

    /// Signs it as Twilio does for this URL.
    pub fn signed(self, url: &str) -> Self {
        let signature = self.signature(TOKEN, url);
        self.with("X-Twilio-Signature", &signature)
    }

    /// The signature with this secret over this URL.
    pub fn signature(&self, secret: &str, url: &str) -> String {
        let form = Form::parse(&self.body);
        let content = match self.method {
            "GET" => Content::Query,
            _ => Content::Form(&form),
        };
        sign(&Secret::new(secret), Algorithm::HmacSha1, url, content)
    }

    /// Signs it for `http://example.com` and its target.
    pub fn signed_as_asked(self) -> Self {
        let url = format!("http://example.com{}", self.target);
        self.signed(&url)
    }

    /// The headers as given, without a length: the caller writes the body.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.target, self.version);
        if let Some(host) = self.host {
            head.extend(["Host: ", host, "\r\n"]);
        }
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        (head + "\r\n").into_bytes()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut request = self.clone();
        if request.method == "POST"
            && !request
                .headers
                .iter()
                .any(|(name, _)| *name == "Content-Length")
        {
            request = request.with("Content-Length", &self.body.len().to_string());
        }
        [request.head(), self.body.clone()].concat()
    }
}

pub fn hello() -> Ask {
    Ask::post("/out-of-session", CALL).signed_as_asked()
}
