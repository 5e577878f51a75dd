//! The core, in parts and as a whole: the cost of one request apart from the network.
//!
//! `cargo bench --bench core`. The name of a part says what is measured; `serde_urlencoded`, which an ordinary program
//! would use, is there to compare with the form.

#![allow(missing_docs)]

mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use twiml_responder::table::answer::{Asked, answer};
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::twilio::request::{Form, Request, Webhook};
use twiml_responder::twilio::signature::secrets::Secrets;
use twiml_responder::twilio::signature::{
    Algorithm, Content, Secret, Signed, Signer, sign, verify,
};

use crate::support::{TOKEN, URL, body, compiled, form, table, template};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn secrets() -> Secrets {
    Secrets::parse(TOKEN).expect("a token")
}

fn signature(form: &Form) -> String {
    sign(
        &Secret::new(TOKEN),
        Algorithm::HmacSha1,
        URL,
        Content::Form(form),
    )
}

fn signed<'a>(signature: &'a str, form: &'a Form) -> Signed<'a> {
    Signed {
        signer: Signer::Twilio,
        signature: Some(signature),
        settings: None,
        account_sid: form.first("AccountSid").unwrap_or_default(),
        content: Content::Form(form),
    }
}

fn parts(criterion: &mut Criterion) {
    let body = body();
    criterion.bench_function("form/ours", |bencher| {
        bencher.iter(|| Form::parse(black_box(&body)));
    });
    criterion.bench_function("form/serde_urlencoded", |bencher| {
        bencher.iter(|| {
            serde_urlencoded::from_bytes::<Vec<(String, String)>>(black_box(&body))
                .expect("every text is a form")
        });
    });
    let (form, secrets) = (form(), secrets());
    let signature = signature(&form);
    criterion.bench_function("signature", |bencher| {
        bencher.iter(|| verify(&secrets, &[black_box(URL)], &signed(&signature, &form)));
    });
}

fn decision(criterion: &mut Criterion) {
    let (form, query) = (form(), Form::default());
    for routes in [10, 1_000, 100_000] {
        let table = compiled(table(routes));
        criterion.bench_with_input(
            BenchmarkId::new("decision", routes),
            &table,
            |bencher, table| {
                bencher.iter(|| {
                    let request = Request::new(Webhook::OutOfSession, black_box(&form), &query);
                    table.decide(&request, NOW).name().len()
                });
            },
        );
    }
}

/// Everything: form, signature, decision, guard and document.
fn whole(criterion: &mut Criterion) {
    let (body, secrets, guard) = (body(), secrets(), LoopGuard::new());
    let signature = signature(&form());
    for (name, text) in [("static", table(1_000)), ("template", template())] {
        let table = compiled(text);
        criterion.bench_with_input(BenchmarkId::new("core", name), &table, |bencher, table| {
            bencher.iter(|| {
                let (form, query) = (Form::parse(black_box(&body)), Form::default());
                let matched = verify(&secrets, &[URL], &signed(&signature, &form));
                assert_eq!(matched, Ok(0));
                let asked = Asked {
                    request: &Request::new(Webhook::OutOfSession, &form, &query),
                    url: URL,
                    token: "token",
                    now: NOW,
                };
                answer(table, &guard, &asked).body
            });
        });
    }
}

fn document(criterion: &mut Criterion) {
    let (form, query, guard) = (form(), Form::default(), LoopGuard::new());
    for (name, text) in [("static", table(1)), ("template", template())] {
        let table = compiled(text);
        criterion.bench_with_input(
            BenchmarkId::new("answer", name),
            &table,
            |bencher, table| {
                bencher.iter(|| {
                    let asked = Asked {
                        request: &Request::new(Webhook::OutOfSession, black_box(&form), &query),
                        url: URL,
                        token: "token",
                        now: NOW,
                    };
                    answer(table, &guard, &asked).body
                });
            },
        );
    }
}

/// A table with all its checks, by size; `cargo bench --bench growth` goes further, and also measures memory.
fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for routes in [10, 1_000, 10_000] {
        let text = table(routes);
        group.bench_with_input(
            BenchmarkId::from_parameter(routes),
            &text,
            |bencher, text| {
                bencher.iter(|| compiled(black_box(text).clone()));
            },
        );
    }
}

criterion_group!(benches, parts, decision, document, whole, compile);
criterion_main!(benches);
