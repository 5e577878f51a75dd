//! The peers: a bare hyper server that answers a constant, and the program that one would write in an afternoon.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use sha1::Sha1;
use tokio::net::TcpListener;

use crate::{Result, support};

/// The number of routes of the ordinary program, and of the service compared with it.
pub const ROUTES: usize = 1_000;

const XML: &str = "application/xml; charset=utf-8";
const SAID: &str = "This ride has ended. Please open the app to reach your driver.";
const DOCUMENT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say voice=\"Polly.Joanna-Neural\" \
    language=\"en-US\">This ride has ended. Please open the app to reach your driver.</Say><Hangup/></Response>";

fn block_on(future: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

/// Reads the body and always answers the same: the cost of hyper and the kernel.
pub fn constant(port: u16) -> Result<()> {
    block_on(async move {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let answer = service_fn(|request: hyper::Request<Incoming>| async {
                    let _ = request.into_body().collect().await;
                    let mut response =
                        hyper::Response::new(Full::new(Bytes::from_static(DOCUMENT.as_bytes())));
                    let headers = response.headers_mut();
                    headers.insert(CONTENT_TYPE, HeaderValue::from_static(XML));
                    headers.insert("twiml-route", HeaderValue::from_static("route-999"));
                    Ok::<_, Infallible>(response)
                });
                // The load closes its connections when it has finished.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    })
}

/// All the work of a request, with the usual crates and the usual care.
pub fn ordinary(port: u16) -> Result<()> {
    let last = ROUTES - 1;
    let routes: HashMap<String, String> = (0..ROUTES)
        .map(|index| {
            let number = if index == last {
                support::CALLED.to_owned()
            } else {
                format!("+1415{index:07}")
            };
            (number, format!("route-{index}"))
        })
        .collect();
    block_on(async move {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        let router = Router::new()
            .route("/out-of-session", post(answer))
            .with_state(Arc::new(routes));
        Ok(axum::serve(listener, router).await?)
    })
}

async fn answer(
    State(routes): State<Arc<HashMap<String, String>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(mut fields) = serde_urlencoded::from_bytes::<Vec<(String, String)>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let called = fields
        .iter()
        .find(|(name, _)| name == "Called")
        .map(|(_, value)| value.clone());
    fields.sort();
    let mut signed = support::URL.to_owned();
    for (name, value) in &fields {
        signed += name;
        signed += value;
    }
    let mut mac =
        Hmac::<Sha1>::new_from_slice(support::TOKEN.as_bytes()).expect("a key of any length");
    mac.update(signed.as_bytes());
    let signature = headers
        .get("x-twilio-signature")
        .and_then(|value| STANDARD.decode(value.as_bytes()).ok());
    if signature.is_none_or(|signature| mac.verify_slice(&signature).is_err()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(route) = called.and_then(|called| routes.get(&called)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match document() {
        Ok(document) => {
            let headers = [
                (header::CONTENT_TYPE, XML),
                (header::HeaderName::from_static("twiml-route"), route),
            ];
            (headers, document).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn document() -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new());
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("Response")
        .write_inner_content(|writer| {
            writer
                .create_element("Say")
                .with_attributes([("voice", "Polly.Joanna-Neural"), ("language", "en-US")])
                .write_text_content(BytesText::new(SAID))?;
            writer.create_element("Hangup").write_empty()?;
            Ok(())
        })?;
    Ok(writer.into_inner())
}
