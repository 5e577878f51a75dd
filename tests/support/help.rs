//! What the program says about itself: its commands and their options.

use super::{program, run};

/// The output of a command that succeeds and prints nothing to standard error.
pub fn printed(arguments: &[&str]) -> String {
    let ran = run(program().args(arguments));
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(0), ""),
        "{arguments:?}"
    );
    ran.stdout
}

/// The commands listed by `--help`.
pub fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let commands: Vec<String> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .map(str::to_owned)
        .collect();
    assert!(commands.contains(&"serve".to_owned()), "{help}");
    commands
}

/// The options of a command, without dashes and without the options that all commands have.
pub fn options(command: &str) -> Vec<String> {
    printed(&[command, "--help"])
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'))
        .filter_map(|line| line.split_once("--"))
        .map(|(_, after)| {
            after
                .chars()
                .take_while(|letter| letter.is_ascii_lowercase() || *letter == '-')
                .collect()
        })
        .filter(|option: &String| !["help", "color"].contains(&option.as_str()))
        .collect()
}
