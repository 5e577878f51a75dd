//! The program `twiml-responder`: see the library for what it does, and `twiml-responder --help` for how to use it.

use std::process::ExitCode;

fn main() -> ExitCode {
    twiml_responder::commands::run()
}
