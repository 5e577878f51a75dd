//! Arguments in, exit code out. Nothing else in the crate writes to standard output or standard error.
//!
//! Exit codes: 0 yes, 1 no, 2 could not do it. Results go to standard output, everything else to standard error.

mod call;
mod check;
mod explain;
mod file_uri;
mod http_client;
mod import;
mod init;
mod load_table;
mod lsp;
mod man;
mod output;
mod ready;
mod recorded_lines;
mod replay;
mod report;
mod request_fields;
mod secret_sources;
mod send;
mod serve;
mod verify;

use std::collections::BTreeSet;
use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{
    Arg, ArgMatches, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};
use clap_complete::Shell;

use crate::language::schema::schema;
use crate::twilio::spelling::nearest;

/// The name of the program, of its package and of its service.
const PROGRAM: &str = "twiml-responder";

/// What `--version` says after the name: the version, the commit where the build knew it, and the target.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILT_FROM"), ")");

/// How the environment variables of options begin.
const VARIABLE_PREFIX: &str = "TWIML_RESPONDER_";

/// The exit code of a command that could not do what it was asked to.
const COULD_NOT: u8 = 2;

/// What a command found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Exit code 0.
    Yes,
    /// Exit code 1.
    No,
}

impl Outcome {
    fn from(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}

/// Whether results are printed for people or for programs. A comment on a variant would lengthen `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

/// Answers Twilio's calls and texts from a routing table in TOML.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version = VERSION, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 yes, 1 no, 2 the command could not be carried out.\n\
    Every option has an environment variable: --public-url is TWIML_RESPONDER_PUBLIC_URL."
)]
struct Arguments {
    /// Color the output: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        hide_possible_values = true,
        default_value = "auto"
    )]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<serve::Arguments>),
    /// Show everything that is wrong with a table
    Check(check::Arguments),
    /// Show which route answers a request, why, and with what
    Explain(explain::Arguments),
    /// Write a first table, for a number of your own
    Init(init::Arguments),
    /// Call or text the table from the terminal
    Call(call::Arguments),
    /// Turn existing TwiML into a route
    Import(import::Arguments),
    /// Run a language server, for editors
    Lsp(lsp::Arguments),
    /// Ask a running service whether it is ready
    Ready(ready::Arguments),
    /// Show which recorded requests another table answers differently
    Replay(replay::Arguments),
    /// Count requests by number, route, hour and weekday
    Report(report::Arguments),
    /// Print the JSON Schema of a table, for editors
    Schema,
    /// Post a signed request to a running service, as Twilio would
    Send(send::Arguments),
    /// Check a signature, and explain why it does not match
    Verify(verify::Arguments),
    /// Print the completion script of a shell
    Completions {
        /// Print the script for this shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// The definition of all commands and options.
fn command() -> clap::Command {
    Arguments::command()
        .mut_args(with_variable)
        .mut_subcommands(|command| command.mut_args(with_variable))
}

/// Every option has an environment variable that is named after it, so neither the help nor the manual page lists them.
fn with_variable(arg: Arg) -> Arg {
    let arg = arg.hide_env(true);
    match variable(&arg) {
        // An empty one counts as unset: environment files and container tools leave such variables.
        Some(name) if env::var_os(&name).is_none_or(|value| !value.is_empty()) => arg.env(name),
        _ => arg,
    }
}

/// The name of an option's environment variable; `None` for a plain argument.
fn variable(arg: &Arg) -> Option<String> {
    let long = arg.get_long()?;
    let name = long.to_uppercase().replace('-', "_");
    Some(format!("{VARIABLE_PREFIX}{name}"))
}

/// A sentence about each environment variable that looks like an option's and is none.
fn unknown_variables() -> Vec<String> {
    let program = Arguments::command();
    let commands = program.get_subcommands().chain([&program]);
    let options = commands.flat_map(clap::Command::get_arguments);
    let known: BTreeSet<String> = options.filter_map(variable).collect();
    let given = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown = given.filter(|name| !known.contains(name) && !is_of_kubernetes(name));
    let mut sentences: Vec<String> = unknown
        .filter_map(|name| {
            // What all have in common makes none of them alike.
            let others = known.iter().map(|known| &known[VARIABLE_PREFIX.len()..]);
            let help = match nearest(name.strip_prefix(VARIABLE_PREFIX)?, others) {
                Some(near) => format!("did you mean {VARIABLE_PREFIX}{near}?"),
                None => "--help lists the options".to_owned(),
            };
            Some(format!("no option has the variable {name}; {help}"))
        })
        .collect();
    sentences.sort_unstable();
    sentences
}

/// Whether Kubernetes may have set a variable, for a Service whose name begins like ours.
///
/// Source: <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>.
fn is_of_kubernetes(name: &str) -> bool {
    let parts = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"];
    name.ends_with("_PORT") || parts.iter().any(|part| name.contains(part))
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn run() -> ExitCode {
    let mut command = command();
    let matches = command.get_matches_mut();
    if let Some((_, given)) = matches.subcommand()
        && names_the_table_twice(given)
    {
        let message = "the table is given twice: use either --table FILE or FILE";
        command.error(ErrorKind::ArgumentConflict, message).exit();
    }
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    output::color(arguments.color);
    for sentence in unknown_variables() {
        output::complain(&format!("warning: {sentence}"));
    }
    let result = match arguments.command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Call(arguments) => call::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Lsp(arguments) => lsp::run(arguments),
        Command::Ready(arguments) => ready::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Schema => print_schema(),
        Command::Send(arguments) => send::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Completions { shell } => print_completions(shell),
        Command::Man => man::run(),
    };
    match result {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Err(error) => {
            output::complain(&output::shown(&format!("error: {error:#}")));
            ExitCode::from(COULD_NOT)
        }
    }
}

/// Whether the command line has both `--table` and the table as a plain argument. clap takes the variable of an option for
/// given as well, so it cannot refuse this itself.
fn names_the_table_twice(given: &ArgMatches) -> bool {
    ["table", "file"].iter().all(|id| {
        given.try_contains_id(id).is_ok_and(|is_there| is_there)
            && given.value_source(id) == Some(ValueSource::CommandLine)
    })
}

fn print_schema() -> Result<Outcome> {
    let text =
        serde_json::to_string_pretty(&schema()).context("cannot write the schema as JSON")?;
    output::print(&text);
    Ok(Outcome::Yes)
}

fn print_completions(shell: Shell) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), PROGRAM, &mut script);
    let script = String::from_utf8(script).context("cannot write the completions as UTF-8")?;
    // For a program with a dash in its name, clap_complete 4.6.11 gives the states of bash's function two different names,
    // so that nothing is completed after a command.
    let script = script.replace("twiml__subcmd__responder", "twiml__responder");
    output::print(script.trim_end());
    Ok(Outcome::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent_and_all_options_have_an_environment_variable() {
        let command = command();
        command.clone().debug_assert();
        let variable = |command: &str, option: &str| {
            let mut arguments = self::command();
            let command = arguments.find_subcommand_mut(command).expect("a command");
            let mut arguments = command.get_arguments();
            let argument = arguments.find(|argument| argument.get_long() == Some(option));
            argument
                .and_then(Arg::get_env)
                .map(|name| name.to_string_lossy().into_owned())
        };
        for (command, option, wanted) in [
            ("serve", "public-url", "TWIML_RESPONDER_PUBLIC_URL"),
            ("send", "auth-token-file", "TWIML_RESPONDER_AUTH_TOKEN_FILE"),
            ("report", "html", "TWIML_RESPONDER_HTML"),
        ] {
            assert_eq!(variable(command, option).as_deref(), Some(wanted));
        }
        for command in command.get_subcommands() {
            for argument in command.get_arguments() {
                let has_variable = argument.get_env().is_some();
                assert!(
                    has_variable || argument.get_long().is_none(),
                    "{:?}",
                    argument.get_long()
                );
            }
        }
    }

    #[test]
    fn the_help_of_an_option_is_a_sentence_that_stands_alone() {
        for command in command().get_subcommands() {
            let mut sentences = BTreeSet::new();
            for argument in command.get_arguments() {
                let name = argument.get_id();
                let help = argument.get_help().map(ToString::to_string);
                let help = help.unwrap_or_default();
                // What to do: a verb, and what with.
                let first = help.split(' ').next().unwrap_or_default();
                let is_verb = first.starts_with(|first: char| first.is_ascii_uppercase())
                    && !["A", "An", "The", "How", "Where", "Which", "File", "Folder"]
                        .contains(&first);
                assert!(is_verb && help.split(' ').count() >= 3, "{name}: {help}");
                assert!(!help.ends_with('.'), "{name}: {help}");
                assert!(sentences.insert(help.clone()), "{name}: {help}");
            }
        }
    }
}
