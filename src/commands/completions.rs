//! `completions`: the completion script of a shell, generated from the definition of the commands.

use anyhow::{Context, Result};
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
    let script = String::from_utf8(script).context("cannot write the completions as UTF-8")?;
    // For a program with a dash in its name, clap_complete 4.6.11 gives the states of bash's function two different names,
    // so that nothing is completed after a command.
    let script = script.replace("twiml__subcmd__responder", "twiml__responder");
    output::print(script.trim_end());
    Ok(Outcome::Yes)
}
