//! The service over real sockets: a table, services, and modules that talk to them, byte by byte.

// Each test file is a crate of its own and uses only part of this.
#![allow(dead_code, unreachable_pub)]

pub mod ask;
pub mod client;
pub mod folder;
pub mod log;
pub mod server;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::service::live::Verification;
use twiml_responder::service::responder::Responder;
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Answer, AnswerKind, Asked};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::table::reply::Sends;
use twiml_responder::twilio::signature::secrets::Secrets;

pub const TOKEN: &str = "2bd9e9638872de601313dc77410d3b23";

pub const TABLE: &str = r#"
[[route]]
name = "hello"
when = { Called = "+15005550001" }
voice = [ { Say = "Hello." } ]
message = [ { Message = "You wrote {{ Body }}" } ]

[[route]]
name = "more"
when = { Called = "+15005550002" }
voice = [ { Redirect = "?step=next" } ]

[[route]]
name = "next"
step = "next"
voice = [ { Say = "Next." } ]

[[route]]
name = "breaks"
when = { Called = "+15005550003" }
voice = [ { Dial = "{{ Caller }}", callerId = "+15005550003" } ]

[default]
voice = [ { Say = "No such number." } ]
message = [ { Message = "No such number." } ]
"#;

pub const HELLO: &str =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>Hello.</Say></Response>";
pub const DEFAULT: &str =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>No such number.</Say></Response>";
pub const CALL: &str = "CallSid=CA00000000000000000000000000000001&AccountSid=AC00000000000000000000000000000001\
     &Called=%2B15005550001&Caller=%2B14155550100";

/// The longest that a test waits for anything before it fails.
pub const LONG: Duration = Duration::from_secs(20);

pub fn table() -> Arc<Table> {
    let file = File::new("responses.toml", TABLE);
    match compile(&file, &NoFiles) {
        Ok(compiled) => Arc::new(compiled.table),
        Err(diagnostics) => panic!("{diagnostics:?}"),
    }
}

pub fn signed_service() -> Responder {
    let secrets = Secrets::parse(TOKEN).expect("a token");
    Responder::new(table(), Verification::Signed(secrets))
}

pub fn unsigned_service() -> Responder {
    Responder::new(table(), Verification::AllowUnsigned)
}

/// Waits for something, but not forever.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(LONG, future).await {
        Ok(output) => output,
        Err(elapsed) => panic!("{what} takes too long: {elapsed}"),
    }
}

/// More than any socket buffers.
pub const LONG_DOCUMENT: usize = 32 * 1024 * 1024;

/// A service that answers with [`LONG_DOCUMENT`] bytes.
pub fn long_winded_service() -> Responder {
    pub fn long_winded<'t>(_: &'t Table, _: &LoopGuard, _: &Asked<'_>) -> Answer<'t> {
        Answer {
            route: "default",
            position: None,
            body: Bytes::from(vec![b'a'; LONG_DOCUMENT]),
            kind: AnswerKind::Document,
            sends: Sends::Nothing,
            cut_texts: 0,
            failure: None,
            guarded: None,
        }
    }
    Responder {
        core: long_winded,
        ..signed_service()
    }
}
