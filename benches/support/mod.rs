//! Input for the benchmarks: Twilio's complete form, and tables of any size.

// Each benchmark is a crate of its own and uses only part of this.
#![allow(dead_code, unreachable_pub)]

use std::fmt::Write;
use std::sync::Arc;

use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::Table;
use twiml_responder::table::diagnostic::File;
use twiml_responder::twilio::channel::Channel;
use twiml_responder::twilio::request::{Form, Webhook, sample};

/// The auth token that requests are signed with.
pub const TOKEN: &str = "12345678901234567890123456789012";

/// The URL that Twilio requests.
pub const URL: &str = "https://example.com/out-of-session";

/// The called number, which is that of the last route of [`table`].
pub const CALLED: &str = "+19995550006";

/// Proxy's callback of a call with every field that Twilio sends, urlencoded.
pub fn body() -> Vec<u8> {
    let given = [
        ("CallToken", "%7B%22parentCallInfoToken%22%3A%22eyJhbGciOiJFUzI1NiJ9.eyJjYWxsU2lkIjoiQ0EwMDAwMDAwMDAwMDA%22%7D"),
        ("Called", CALLED),
    ]
    .into_iter()
    .collect();
    let form = sample::complete(&given, Channel::Voice, Webhook::OutOfSession);
    let pairs: Vec<(&str, &str)> = form.pairs().collect();
    serde_urlencoded::to_string(pairs)
        .expect("pairs can be written")
        .into_bytes()
}

/// The same as a form.
pub fn form() -> Form {
    Form::parse(&body())
}

/// The reply of the routes in these tables: without templates, as most replies are.
const REPLY: &str = r#"voice = [ { Say = "This ride has ended. Please open the app to reach your driver.", voice = "Polly.Joanna-Neural", language = "en-US" }, { Hangup = "" } ]"#;

const DEFAULT: &str = r#"
[default]
voice = [ { Say = "This number is not in use right now. Goodbye." } ]
message = [ { Message = "This number is not in use right now." } ]
"#;

/// A number for each index, the last of which is [`CALLED`].
fn number(index: usize, count: usize) -> String {
    if index + 1 == count {
        CALLED.to_owned()
    } else {
        format!("+1415{index:07}")
    }
}

/// A table with this many routes, each pinned to its own number.
pub fn table(routes: usize) -> String {
    let mut text = String::new();
    for index in 0..routes {
        let number = number(index, routes);
        write!(
            text,
            "[[route]]\nname = \"route-{index}\"\nwhen = {{ Called = \"{number}\", Direction = \"inbound\" }}\n{REPLY}\n\n"
        )
        .expect("a string takes text");
    }
    text + DEFAULT
}

/// A table with one route whose reply has a template in its text and in an attribute.
pub fn template() -> String {
    let reply = r#"voice = [ { Say = "Connecting you from {{ CallerCity | default(\"your area\") }} & around." }, { Dial = "+14155550123", timeout = 20 } ]"#;
    format!(
        "[[route]]\nname = \"template\"\nwhen = {{ Called = \"{CALLED}\" }}\n{reply}\n{DEFAULT}"
    )
}

/// A table with one route over a directory of numbers in the file `numbers.csv`.
pub fn directory_table() -> String {
    format!(
        "[directory.numbers]\nfile = \"numbers.csv\"\n\n[[route]]\nname = \"listed\"\n\
         when = {{ Called = {{ in = \"numbers\" }}, Direction = \"inbound\" }}\n{REPLY}\n{DEFAULT}"
    )
}

/// The file `numbers.csv` with this many rows.
pub fn directory(rows: usize) -> String {
    let mut text = "number,name\n".to_owned();
    for index in 0..rows {
        writeln!(text, "{},Seller {index}", number(index, rows)).expect("a string takes text");
    }
    text
}

/// A compiled table.
///
/// # Panics
///
/// When the table has an error, which is a fault of the benchmark.
pub fn compiled(text: String) -> Table {
    let file: Arc<File> = File::new("responses.toml", text);
    match compile(&file, &NoFiles) {
        Ok(compiled) => compiled.table,
        Err(diagnostics) => panic!("{diagnostics:#?}"),
    }
}
