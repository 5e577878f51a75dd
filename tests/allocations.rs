//! How often a request allocates memory, counted by an allocator: only a few times, whatever the number of its fields.

use jiff::Timestamp;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::answer::{Asked, answer};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::twilio::channel::Channel;
use twiml_responder::twilio::request::{Form, Request, Webhook, sample};
use twiml_responder::twilio::signature::secrets::Secrets;
use twiml_responder::twilio::signature::{
    Algorithm, Content, Secret, Signed, Signer, sign, verify,
};

const URL: &str = "https://example.com/out-of-session";

/// For form, signature, decision, guard and a reply without templates.
const MOST: u64 = 3;

#[test]
fn a_static_reply_takes_three_allocations() {
    let text = "[[route]]\nname = \"one\"\nwhen = { Called = \"+15005550006\", sessionStatus = \"closed\" }\n\
                voice = [ { Say = \"Goodbye.\" } ]\n\
                [default]\nvoice = [ { Say = \"Goodbye.\" } ]\nmessage = []\n";
    let table = match compile(&File::new("responses.toml", text), &NoFiles) {
        Ok(compiled) => compiled.table,
        Err(diagnostics) => panic!("{diagnostics:#?}"),
    };
    let complete = sample::complete(&Form::default(), Channel::Voice, Webhook::OutOfSession);
    let pairs: Vec<(&str, &str)> = complete.pairs().collect();
    assert!(pairs.len() > 50, "the complete form");
    let body = serde_urlencoded::to_string(&pairs).expect("pairs can be written");
    let secrets = Secrets::parse("token").expect("a token");
    let content = Content::Form(&complete);
    let signature = sign(&Secret::new("token"), Algorithm::HmacSha1, URL, content);
    let guard = LoopGuard::new();
    let mut route = "";
    let mut request = || {
        let (form, query) = (Form::parse(body.as_bytes()), Form::parse(b""));
        let signed = Signed {
            signer: Signer::Twilio,
            signature: Some(&signature),
            settings: None,
            account_sid: form.first("AccountSid").unwrap_or_default(),
            content: Content::Form(&form),
        };
        assert_eq!(verify(&secrets, &[URL], &signed), Ok(0));
        let asked = Asked {
            request: &Request::new(Webhook::OutOfSession, &form, &query),
            url: URL,
            token: "token",
            now: Timestamp::UNIX_EPOCH,
        };
        route = answer(&table, &guard, &asked).route;
    };
    // The guard allocates its memory with the first request it sees.
    request();
    let counted = allocation_counter::measure(request);
    assert_eq!(route, "one");
    assert!(
        counted.count_total <= MOST,
        "{} allocations, {} bytes",
        counted.count_total,
        counted.bytes_total
    );
}
