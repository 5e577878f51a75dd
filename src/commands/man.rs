//! `man`: the manual page. Commands and options come from their definition, everything else from `man.roff`.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Arg;
use clap::builder::PossibleValue;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Outcome, PROGRAM, command, output};

/// The sections after the commands.
const SECTIONS: &str = include_str!("man.roff");

pub(super) fn run() -> Result<Outcome> {
    let page = page().context("cannot generate the manual page")?;
    let page = String::from_utf8(page).context("cannot write the manual page as UTF-8")?;
    output::print(page.trim_end());
    Ok(Outcome::Yes)
}

fn page() -> io::Result<Vec<u8>> {
    let mut program = command()
        .disable_help_subcommand(true)
        .subcommand_value_name("COMMAND")
        .mut_subcommands(|of| of.disable_help_flag(true).mut_args(with_values_in_help));
    program.build();
    let mut page = Vec::new();
    // Without a date, so that the same source always gives the same page.
    writeln!(
        page,
        r#".TH {} 1 "" "{PROGRAM} {}" "User Commands""#,
        PROGRAM.to_uppercase(),
        env!("CARGO_PKG_VERSION")
    )?;
    let head = Man::new(program.clone());
    head.render_name_section(&mut page)?;
    head.render_synopsis_section(&mut page)?;
    head.render_description_section(&mut page)?;
    head.render_options_section(&mut page)?;
    page.extend(b".SH COMMANDS\n");
    for command in program.get_subcommands() {
        write_command(command, &mut page)?;
    }
    page.extend(SECTIONS.as_bytes());
    Ok(page)
}

/// Moves an option's possible values into its help, instead of a list below it, and removes its heading, which would
/// become a section of the page. Values that `--help` hides are already in the help.
fn with_values_in_help(arg: Arg) -> Arg {
    let arg = arg.help_heading(None);
    let values = arg.get_possible_values();
    let takes_values = arg.get_action().takes_values();
    if !takes_values || values.is_empty() || arg.is_hide_possible_values_set() {
        return arg;
    }
    let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
    let help = arg.get_help().cloned().unwrap_or_default();
    arg.help(format!("{help}: {}", names.join(", ")))
        .hide_possible_values(true)
}

/// Writes what a command does, its usage and its options.
fn write_command(command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_name();
    let mut roff = Roff::default();
    roff.control("SS", [name]);
    if let Some(about) = command.get_about() {
        roff.text([roman(format!("{about}."))]);
        roff.control("PP", []);
    }
    roff.text([bold(PROGRAM), roman(" "), bold(name)]);
    let usage = command.clone().render_usage().to_string();
    let rest = usage.split_once(name).map_or("", |(_, rest)| rest);
    roff.text([roman(rest.trim())]);
    roff.to_writer(page)?;

    let mut options = Vec::new();
    Man::new(command.clone()).render_options_section(&mut options)?;
    // The options belong to their command, so they need no heading of their own.
    let options = String::from_utf8_lossy(&options).replace(".SH OPTIONS\n", "");
    page.write_all(options.as_bytes())
}
