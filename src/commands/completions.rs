//! `completions`: what a shell needs to complete commands and options, made from their definition.

use anyhow::Result;
use clap_complete::Shell;

use super::{Outcome, PROGRAM, command, output};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), PROGRAM, &mut script);
    let script = String::from_utf8(script)?;
    // clap_complete 4.6.11 names the states of bash's function in two ways when a program's name has a dash, and
    // completes nothing after a command.
    let script = script.replace("twiml__subcmd__responder", "twiml__responder");
    output::print(script.trim_end());
    Ok(Outcome::Yes)
}
