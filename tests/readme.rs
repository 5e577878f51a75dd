//! What README.md shows is what happens: every table in it compiles, every session in it prints what it says.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::{Folder, Service, program, run, top};

/// The code blocks of README.md in one language, with the line they begin in.
fn blocks(language: &str) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(top().join("README.md")).expect("README.md is there");
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line == format!("```{language}") {
            let block: Vec<&str> = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```")
                .collect();
            blocks.push((number + 1, block.join("\n") + "\n"));
        }
    }
    assert!(!blocks.is_empty(), "README.md has blocks of {language}");
    blocks
}

#[test]
fn every_table_compiles_without_a_warning() {
    let folder = Folder::new("readme-tables");
    for (line, block) in blocks("toml") {
        let has_default = block.contains("[default]");
        let rest = if has_default {
            ""
        } else {
            "\n[default]\nvoice = [ { Say = \"x\" } ]\n"
        };
        let path = folder.write("table.toml", &format!("{block}{rest}"));
        let ran = run(program().args(["check", "--deny-warnings"]).arg(path));
        assert_eq!(ran.code, Some(0), "README.md line {line}:\n{}", ran.stdout);
    }
}

#[test]
fn every_session_prints_what_it_says() {
    let service = Service::start(&["--allow-unsigned"], &[]);
    for (line, block) in blocks("console") {
        let (command, wanted) = block
            .split_once('\n')
            .expect("a command and what it prints");
        let words: Vec<&str> = command.split(' ').collect();
        let printed = match words.as_slice() {
            ["$", "twiml-responder", arguments @ ..] => {
                let ran = run(program().args(arguments));
                assert_eq!(
                    (ran.code, ran.stderr.as_str()),
                    (Some(0), ""),
                    "README.md line {line}"
                );
                ran.stdout
            }
            ["$", "curl", url, arguments @ ..] => {
                // The service of this test listens on another port than that of the reader.
                post(&service, url, arguments).replace(&service.address, "127.0.0.1:8080") + "\n"
            }
            _ => panic!("README.md line {line}: this test does not know {command}"),
        };
        assert_eq!(printed, wanted, "README.md line {line}");
    }
}

/// Does what curl does with `--data-urlencode` fields, and gives the body of the answer.
fn post(service: &Service, url: &str, arguments: &[&str]) -> String {
    let path = url
        .strip_prefix("http://127.0.0.1:8080")
        .expect("README.md asks the default address");
    let fields: Vec<(&str, &str)> = arguments
        .chunks(2)
        .map(|option| match option {
            ["--data-urlencode", field] => field.split_once('=').expect("a field is NAME=VALUE"),
            _ => panic!("this test does not know {option:?}"),
        })
        .collect();
    let body = serde_urlencoded::to_string(fields).expect("the fields can be written");
    let address = &service.address;
    let mut stream = TcpStream::connect(address).expect("the service listens");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    );
    stream
        .write_all(request.as_bytes())
        .expect("the service reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the service answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
        .split_once("\r\n\r\n")
        .expect("an answer has a body")
        .1
        .to_owned()
}

#[test]
fn the_mistake_is_drawn_as_it_says() {
    let (line, wanted) = blocks("text").remove(0);
    let sample =
        std::fs::read_to_string(top().join("responses.toml")).expect("the sample table is there");
    let right = sample
        .lines()
        .find(|line| line.contains("{ Dial = \"+14155550123\""))
        .expect("the sample dials");
    let table = sample.replace(right, "  { Dial = \"+14155550123\", timeOut = 20 },");
    let folder = Folder::new("readme-mistake");
    folder.write("responses.toml", &table);
    let ran = run(program().arg("check").current_dir(folder.path()));
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.starts_with(&wanted),
        "README.md line {line}:\n{}",
        ran.stdout
    );
}

#[test]
fn the_two_commands_are_named() {
    let commands: Vec<String> = blocks("sh").into_iter().map(|(_, block)| block).collect();
    assert!(commands.contains(&"cargo run --release -- serve --allow-unsigned\n".to_owned()));
    assert!(commands.contains(&"cargo test --locked\n".to_owned()));
}
