//! The manual page and the shell completions contain every command and every option of the program.

mod support;

use std::process::{Command, Stdio};

use support::help::{commands, options, printed};
use support::{program, run};

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

#[test]
fn the_manual_page_has_every_command_and_option() {
    let page = printed(&["man"]).replace("\\-", "-");
    for section in [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "COMMANDS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "SIGNALS",
        "FILES",
        "EXAMPLES",
        "SEE ALSO",
    ] {
        let headings = page
            .lines()
            .filter(|line| {
                *line == format!(".SH {section}") || *line == format!(".SH \"{section}\"")
            })
            .count();
        assert_eq!(headings, 1, "{section}");
    }
    for command in commands() {
        let (_, part) = page
            .split_once(&format!("\n.SS {command}\n"))
            .unwrap_or_else(|| panic!("the page has no part about {command}"));
        let part = part.split("\n.S").next().unwrap_or_default();
        for option in options(&command) {
            assert!(
                part.contains(&format!("\\fB--{option}\\fR")),
                "--{option} of {command}:\n{part}"
            );
        }
    }
}

#[test]
fn the_page_of_commands_has_the_help_of_each() {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
    let page = std::fs::read_to_string(PAGE).expect("docs/commands.md is there");
    let introduction = page.split("\n## ").next().unwrap_or_default().trim_end();
    let sections = commands().into_iter().map(|command| {
        let help = printed(&[&command, "--help"]);
        format!("\n## {command}\n\n```text\n{}\n```\n", help.trim_end())
    });
    let written = format!("{introduction}\n{}", sections.collect::<String>());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, written).expect("the folder can be written");
    } else {
        let advice = "UPDATE=1 cargo test --test manual writes docs/commands.md";
        assert!(page == written, "{advice}");
    }
}

#[test]
fn every_shell_completes_every_command_and_option() {
    let commands = commands();
    for shell in SHELLS {
        let script = printed(&["completions", shell]);
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
            for option in options(command) {
                // fish writes long options as `-l NAME`.
                let is_there = script.contains(&format!("--{option}"))
                    || script.contains(&format!("-l {option} "));
                assert!(is_there, "{shell}: --{option} of {command}");
            }
        }
    }
}

#[test]
fn bash_completes() {
    let script = printed(&["completions", "bash"]);
    let words = "COMP_WORDS=(twiml-responder serve --allow); COMP_CWORD=2\n\
        function=$(complete -p twiml-responder); function=${function#*-F }\n\
        ${function%% *} twiml-responder --allow serve\necho \"${COMPREPLY[@]}\"\n";
    let output = Command::new("bash")
        .args(["--norc", "-c", &format!("{script}\n{words}")])
        .stdin(Stdio::null())
        .output()
        .expect("bash is there");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "--allow-unsigned\n"
    );
}

#[test]
fn a_shell_that_is_unknown_is_refused_with_those_that_are_not() {
    let ran = run(program().args(["completions", "tcsh"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    for shell in SHELLS {
        assert!(ran.stderr.contains(shell), "{}", ran.stderr);
    }
}
