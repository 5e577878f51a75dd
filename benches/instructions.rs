//! The gate on the core's hot path: how many instructions each part takes, which a busy machine does not change.
//!
//! `cargo bench --bench instructions` counts with valgrind's callgrind and fails when a part takes more than its
//! ceiling in `benches/instructions.txt`. Each part is run a number of times and then twice as often; the difference
//! excludes the start of the program. Callgrind does not know the SHA extensions, so the signature is counted with
//! SHA-1 in plain code.

#![allow(missing_docs, clippy::print_stdout)]

mod support;

use std::hint::black_box;
use std::process::{Command, ExitCode};

use jiff::Timestamp;
use twiml_responder::table::answer::{Asked, answer};
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::twilio::request::{Form, Request, Webhook};
use twiml_responder::twilio::signature::secrets::Secrets;
use twiml_responder::twilio::signature::{
    Algorithm, Content, Secret, Signed, Signer, sign, verify,
};

use crate::support::{TOKEN, URL, body, compiled, form, table, template};

/// One line per part: its name and its ceiling.
const CEILINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");
const TIMES: usize = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, run, part, times] = arguments.as_slice()
        && run == "--run"
    {
        run_part(part, times.parse().expect("a count"));
        return ExitCode::SUCCESS;
    }
    println!("{:12}{:>14}{:>12}", "part", "instructions", "ceiling");
    let mut code = ExitCode::SUCCESS;
    let ceilings = std::fs::read_to_string(CEILINGS).expect("the file of the ceilings");
    for line in ceilings.lines().filter(|line| !line.starts_with('#')) {
        let (part, ceiling) = line.split_once(' ').expect("a part and its ceiling");
        let ceiling: usize = ceiling.trim().parse().expect("a count");
        let once = (counted(part, 2 * TIMES) - counted(part, TIMES)) / TIMES;
        let verdict = if once > ceiling {
            code = ExitCode::FAILURE;
            "  over its ceiling"
        } else {
            ""
        };
        println!("{part:12}{once:>14}{ceiling:>12}{verdict}");
    }
    code
}

/// The instructions of a process that runs a part this many times.
fn counted(part: &str, times: usize) -> usize {
    let own = std::env::current_exe().expect("the benchmark's own file");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(["--run", part, &times.to_string()])
        .output()
        .expect("valgrind can be started; install the package valgrind");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text.lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("callgrind has counted nothing: {text}"))
}

fn run_part(part: &str, times: usize) {
    let (body, form, query) = (body(), form(), Form::default());
    let secrets = Secrets::parse(TOKEN).expect("a token");
    let signature = sign(
        &Secret::new(TOKEN),
        Algorithm::HmacSha1,
        URL,
        Content::Form(&form),
    );
    let routes = table(if part == "static" { 1_000 } else { 1 });
    let table = compiled(if part == "template" {
        template()
    } else {
        routes
    });
    let guard = LoopGuard::new();
    for _ in 0..times {
        match part {
            "form" => {
                black_box(Form::parse(black_box(&body)));
            }
            "signature" => {
                let signed = Signed {
                    signer: Signer::Twilio,
                    signature: Some(&signature),
                    settings: None,
                    account_sid: form.first("AccountSid").unwrap_or_default(),
                    content: Content::Form(&form),
                };
                assert_eq!(verify(&secrets, &[black_box(URL)], &signed), Ok(0));
            }
            // Decision, guard and document.
            _ => {
                let asked = Asked {
                    request: &Request::new(Webhook::OutOfSession, black_box(&form), &query),
                    url: URL,
                    token: "token",
                    now: Timestamp::UNIX_EPOCH,
                };
                black_box(answer(&table, &guard, &asked));
            }
        }
    }
}
