//! What must hold of any bytes: a function a fuzz target, which panics where it does not.
//!
//! `fuzz/run.sh` runs them with libFuzzer; `cargo test` in this folder runs them over the seeds, which are the inputs that are
//! worth keeping.

use std::io;
use std::sync::LazyLock;

use jiff::Timestamp;
use roxmltree::{Document, Node};
use twiml_responder::journal::line::{self, Beyond, Line, Recorded, Told};
use twiml_responder::language::{Compiled, Files, NoFiles, compile};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Answer, Asked, AnswerKind, answer as core_answer};
use twiml_responder::table::diagnostic::{Diagnostic, File, Severity};
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::twilio::channel::Channel;
use twiml_responder::twilio::facts::Facts;
use twiml_responder::twilio::request::event::Event;
use twiml_responder::twilio::request::{Form, Request, Webhook};
use twiml_responder::twilio::signature::diagnosis::{Hints, diagnose};
use twiml_responder::twilio::signature::public_url::PublicUrl;
use twiml_responder::twilio::signature::secrets::Secrets;
use twiml_responder::twilio::signature::{
    Algorithm, Content, Failure, Secret, Signed, Signer, sign, verify,
};
use twiml_responder::twilio::vocabulary::{self, ElementSpec};

const URL: &str = "https://example.com/out-of-session";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The largest document that Twilio takes, in bytes.
const MOST_BYTES: usize = 64_000;

/// A form is, pair by pair, what `serde_urlencoded` makes of it, and what it signs is those pairs in order.
pub fn form(bytes: &[u8]) {
    let expected: Vec<(String, String)> =
        serde_urlencoded::from_bytes(bytes).expect("any bytes are a form");
    let form = Form::parse(bytes);
    assert!(
        form.pairs()
            .eq(expected.iter().map(|(name, value)| (&**name, &**value)))
    );
    for (name, _) in &expected {
        let first = expected.iter().find(|(other, _)| other == name);
        assert_eq!(form.first(name), first.map(|(_, value)| &**value));
    }
    // Signed in whatever order, and with whatever repeated.
    let secret = Secret::new(TOKEN);
    let signed = |form: &Form| sign(&secret, Algorithm::HmacSha1, URL, Content::Form(form));
    let twice: Form = expected
        .iter()
        .rev()
        .chain(&expected)
        .map(|(name, value)| (name, value))
        .collect();
    assert_eq!(signed(&form), signed(&twice));
}

/// The files beside a table: all of them are the same one.
struct OneFile<'b>(&'b [u8]);

impl Files for OneFile<'_> {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Ok(self.0.to_vec())
    }
}

/// A table compiles, or every diagnostic has its place in a file; a table that compiles answers a call and a text.
/// What is behind the first NUL is its directory file.
pub fn table(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (table, beside) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let Ok(text) = str::from_utf8(table) else {
        return;
    };
    match compile(&File::new("responses.toml", text), &OneFile(beside)) {
        Ok(Compiled {
            table,
            warnings,
            failed_tests,
            ..
        }) => {
            warnings
                .iter()
                .chain(&failed_tests)
                .for_each(check_diagnostic);
            // What `[extra]` adds to TwiML is not in the vocabulary.
            if text.contains("extra") {
                return;
            }
            for form in [
                "CallSid=CA1&Called=%2B15005550006",
                "MessageSid=SM1&To=%2B15005550006&Body=hi",
            ] {
                check_answer(
                    &table,
                    Webhook::OutOfSession,
                    &Form::parse(form.as_bytes()),
                    &Form::default(),
                );
            }
        }
        Err(diagnostics) => {
            assert!(
                diagnostics
                    .iter()
                    .any(|diagnostic| diagnostic.severity == Severity::Error)
            );
            diagnostics.iter().for_each(check_diagnostic);
        }
    }
}

fn check_diagnostic(diagnostic: &Diagnostic) {
    let (text, span) = (&diagnostic.file.text, &diagnostic.span);
    assert!(
        span.start <= span.end && span.end <= text.len(),
        "{diagnostic:?}"
    );
    assert!(
        text.is_char_boundary(span.start) && text.is_char_boundary(span.end),
        "{diagnostic:?}"
    );
    let (line, column) = diagnostic.file.position(span.start);
    assert!(line >= 1 && column >= 1);
    assert!(
        !diagnostic.message.is_empty() && !diagnostic.help.is_empty(),
        "{diagnostic:?}"
    );
    let json: serde_json::Value = serde_json::from_str(&diagnostic.to_json()).expect("JSON");
    assert_eq!(json["line"], line);
}

/// The tables that forms are held against.
static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let sellers = include_bytes!("../../tests/tables/marketplace/sellers.csv");
    [
        include_str!("../../responses.toml"),
        include_str!("../../tests/tables/marketplace/responses.toml"),
        include_str!("rich.toml"),
    ]
    .into_iter()
    .map(
        |text| match compile(&File::new("responses.toml", text), &OneFile(sellers)) {
            Ok(compiled) => compiled.table,
            Err(diagnostics) => panic!("{diagnostics:?}"),
        },
    )
    .collect()
});

/// Any form against any of the tables gets a document that another parser reads and that TwiML has, or a session's JSON. The first
/// byte chooses the table and the webhook, the query is behind the first line feed.
pub fn answer(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let body = Form::parse(parts.next().unwrap_or_default());
    let query = Form::parse(parts.next().unwrap_or_default());
    let webhook = [Webhook::OutOfSession, Webhook::Plain][usize::from(*choice) % 2];
    let table = &TABLES[usize::from(*choice) / 2 % TABLES.len()];
    check_answer(table, webhook, &body, &query);
}

fn check_answer(table: &Table, webhook: Webhook, body: &Form, query: &Form) {
    let request = Request::new(webhook, body, query);
    let guard = LoopGuard::new();
    let asked = Asked {
        request: &request,
        url: URL,
        token: "",
        now: Timestamp::UNIX_EPOCH,
    };
    let answer: Answer<'_> = core_answer(table, &guard, &asked);
    // The first verdict that matches is the one that decides.
    let matched = table
        .verdicts(&request, Timestamp::UNIX_EPOCH)
        .position(|(_, miss)| miss.is_none());
    let decided = table.decide(&request, Timestamp::UNIX_EPOCH).position;
    assert_eq!(matched, decided);
    let text = str::from_utf8(&answer.body).expect("an answer is UTF-8");
    assert!(text.len() <= MOST_BYTES, "{} bytes", text.len());
    match answer.kind {
        AnswerKind::Session => {
            let session: serde_json::Value = serde_json::from_str(text).expect("a session is JSON");
            assert!(session.is_object());
        }
        AnswerKind::Document => {
            let document = Document::parse(text).expect("a document is XML");
            let root = document.root_element();
            assert_eq!(root.tag_name().name(), "Response");
            check_elements(
                root,
                request.channel(),
                vocabulary::response(request.channel()),
            );
        }
    }
}

fn check_elements(parent: Node<'_, '_>, channel: Channel, spec: &ElementSpec) {
    for child in parent.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        let found = vocabulary::child_of(channel, spec, name);
        let spec = found.unwrap_or_else(|| panic!("<{name}> below <{}>", spec.tag));
        for attribute in child.attributes() {
            let known = spec.attribute(attribute.name());
            assert!(known.is_some(), "{name} {}", attribute.name());
        }
        check_elements(child, channel, spec);
    }
}

/// What is signed for a URL holds for it, and for no other token, form or signature. The first line is a public URL, the second
/// path and query, the rest a form.
pub fn url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(3, '\n');
    let (public, asked, form) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let form = Form::parse(form.as_bytes());
    let secrets = Secrets::parse(TOKEN).expect("a token");
    let secret = Secret::new(TOKEN);
    let content = Content::Form(&form);
    // Whatever the texts are, the search for a reason ends.
    let candidates = [public, asked];
    let about = |signature| Signed {
        signer: Signer::Twilio,
        signature: Some(signature),
        settings: None,
        account_sid: "",
        content,
    };
    let hints = Hints {
        received: public,
        hosts: vec![asked],
        port: Some(asked),
        prefix: Some(public),
    };
    // A signature of the right length, which is searched for.
    let searched = about("AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let _ = diagnose(&secrets, &candidates, &searched, &hints);
    let Ok(public) = public.parse::<PublicUrl>() else {
        return;
    };
    assert_eq!(public.to_string().parse(), Ok(public.clone()));
    let url = public.join(&format!("/{asked}"));
    let signature = sign(&secret, Algorithm::HmacSha1, &url, content);
    assert_eq!(
        verify(&secrets, &[&url], &about(&signature)),
        Ok(0),
        "{url}"
    );
    assert_eq!(
        verify(&secrets, &["https://x.invalid/", &url], &about(&signature)),
        Ok(1),
        "{url}"
    );
    let others = Secrets::parse("fedcba9876543210fedcba9876543210").expect("a token");
    assert_eq!(
        verify(&others, &[&url], &about(&signature)),
        Err(Failure::Mismatch)
    );
    let pairs = form
        .pairs()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let more: Form = pairs
        .chain([("one more".to_owned(), String::new())])
        .collect();
    let altered = Signed {
        content: Content::Form(&more),
        ..about(&signature)
    };
    if form.first("one more").is_none() {
        assert_eq!(verify(&secrets, &[&url], &altered), Err(Failure::Mismatch));
    }
    let mut bytes = signature.clone().into_bytes();
    bytes[3] = if bytes[3] == b'A' { b'B' } else { b'A' };
    let signature = String::from_utf8(bytes).expect("base64");
    assert_eq!(
        verify(&secrets, &[&url], &about(&signature)),
        Err(Failure::Mismatch)
    );
}

/// A document that is imported compiles beside a default, and its notes stand in it.
pub fn import(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let lines = text.split('\n').count();
    match twiml_responder::language::import::import("document", text) {
        Ok(imported) => {
            assert!(
                imported
                    .notes
                    .iter()
                    .all(|note| (1..=lines).contains(&note.line) && note.column >= 1)
            );
            let table = format!(
                "{}\n[default]\nvoice = [ {{ Say = \"default\" }} ]\n",
                imported.toml
            );
            match compile(&File::new("imported.toml", table.as_str()), &NoFiles) {
                Ok(compiled) => {
                    for form in [
                        "CallSid=CA1&Called=%2B15005550006",
                        "MessageSid=SM1&To=%2B15005550006",
                    ] {
                        check_answer(
                            &compiled.table,
                            Webhook::OutOfSession,
                            &Form::parse(form.as_bytes()),
                            &Form::default(),
                        );
                    }
                }
                Err(diagnostics) => panic!("{table}\n{diagnostics:?}"),
            }
        }
        Err(error) => assert!(
            (1..=lines).contains(&error.line) && error.column >= 1,
            "{error:?}"
        ),
    }
}

/// A batch of events is read alike when it is written again, and each event makes a line that reads back.
pub fn events(bytes: &[u8]) {
    let Ok(events) = Event::read_all(bytes) else {
        return;
    };
    let again: Vec<serde_json::Value> = events
        .iter()
        .map(|event| serde_json::json!({ "id": event.id, "type": event.kind, "time": event.time, "data": event.data }))
        .collect();
    let again = serde_json::to_vec(&again).expect("JSON");
    assert_eq!(Event::read_all(&again).as_ref(), Ok(&events));
    for event in &events {
        assert!(!event.id.is_empty() && !event.kind.is_empty() && event.size() > 0);
        check_line(&line::event(
            event,
            Timestamp::UNIX_EPOCH,
            &Beyond::default(),
        ));
    }
}

fn check_line(line: &Line<'_>) {
    let mut written = Vec::new();
    line.write(&mut written);
    assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(Line::parse(&written).as_ref(), Ok(line));
}

/// A line of a journal is none, or it is read alike when it is written again; and every form makes such a line, in which no
/// number stands that is not ours.
pub fn journal(bytes: &[u8]) {
    if let Ok(line) = Line::parse(bytes) {
        check_line(&line);
        let _ = Line::with_moment(bytes);
        if let Some(recorded) = Recorded::of(&line) {
            for (name, _) in [
                ("Called", ()),
                ("Caller", ()),
                ("Body", ()),
                ("interactionData.body", ()),
            ] {
                let _ = recorded.value(name);
            }
        }
    }
    let told = Told {
        time: Timestamp::UNIX_EPOCH,
        webhook: Webhook::ALL[bytes.len() % Webhook::ALL.len()],
        body: Form::parse(bytes),
        query: Form::default(),
        route: Some("route".into()),
        status: 200,
        microseconds: 1,
        guard: None,
        failed: None,
    };
    check_line(&line::request(&told, &Beyond::default()));
}
