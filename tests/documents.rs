//! README.md and docs are true: every table compiles, every session prints what it shows, every link has a target.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::terminal::{session, typed_in};
use support::{Folder, Service, program, run, top};

/// A code block of a page.
struct Block {
    /// The page and the line where it begins, for messages.
    place: String,
    text: String,
}

/// The pages whose examples are run. docs/diagnostics.md shows mistakes.
fn pages() -> Vec<String> {
    let files = std::fs::read_dir(top().join("docs")).expect("the folder is there");
    let names = files.map(|file| file.expect("an entry").file_name());
    let pages = names.map(|name| format!("docs/{}", name.to_str().expect("a name in UTF-8")));
    let mut pages: Vec<String> = pages.filter(|page| page != "docs/diagnostics.md").collect();
    pages.push("README.md".to_owned());
    pages.sort_unstable();
    pages
}

/// The code blocks of a page in one language. Blocks in lists are indented.
fn blocks(page: &str, language: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(top().join(page)).expect("the page is there");
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim_start() == format!("```{language}") {
            let lines = lines.by_ref().map(|(_, line)| line);
            let block = lines.take_while(|line| line.trim_start() != "```");
            let block: Vec<&str> = block.map(|line| line.get(indent..).unwrap_or("")).collect();
            blocks.push(Block {
                place: format!("{page} line {}", number + 1),
                text: block.join("\n") + "\n",
            });
        }
    }
    blocks
}

fn blocks_of_all(language: &str) -> Vec<Block> {
    let pages = pages();
    let blocks: Vec<Block> = pages
        .iter()
        .flat_map(|page| blocks(page, language))
        .collect();
    assert!(!blocks.is_empty(), "there are blocks of {language}");
    blocks
}

#[test]
fn every_table_compiles_without_a_warning() {
    let folder = Folder::new("document-tables");
    for Block { place, text } in blocks_of_all("toml") {
        let has_default = text.contains("[default]");
        let rest = if has_default {
            ""
        } else {
            "\n[default]\nvoice = [ { Say = \"x\" } ]\n"
        };
        let path = folder.write("table.toml", &format!("{text}{rest}"));
        let ran = run(program().args(["check", "--deny-warnings"]).arg(path));
        assert_eq!(ran.code, Some(0), "{place}:\n{}", ran.stdout);
    }
}

#[test]
fn the_first_table_gives_the_answer_below_it() {
    let folder = Folder::new("document-first-table");
    let table = folder.write("table.toml", &blocks("README.md", "toml")[0].text);
    let request = ["Called=+15005550006", "Caller=+14155550100"];
    let ran = run(program()
        .args(["explain", "--table"])
        .arg(table)
        .args(request));
    let answer = &blocks("README.md", "xml")[0].text;
    assert!(ran.stdout.ends_with(answer), "{}", ran.stdout);
}

#[test]
fn every_session_prints_what_it_says() {
    let service = Service::start(&["--allow-unsigned"], &[]);
    for Block { place, text } in blocks_of_all("console") {
        let (command, wanted) = text.split_once('\n').expect("a command and what it prints");
        let words: Vec<&str> = command.split(' ').collect();
        let printed = match words.as_slice() {
            // The text after each `> ` is typed at a terminal.
            ["$", "twiml-responder", "call", arguments @ ..] => {
                let command = &mut program();
                command.arg("call").args(arguments);
                let (code, seen) = session(command, &typed_in(wanted));
                assert_eq!(code, Some(0), "{place}");
                seen
            }
            ["$", "twiml-responder", arguments @ ..] => {
                let ran = run(program().args(arguments));
                assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{place}");
                ran.stdout
            }
            ["$", "curl", url, arguments @ ..] => {
                // The test's service does not listen on the port in the page.
                post(&service, url, arguments).replace(&service.address, "127.0.0.1:8080") + "\n"
            }
            _ => panic!("{place}: this test does not know {command}"),
        };
        assert_eq!(printed, wanted, "{place}");
    }
}

/// The anchor of a heading, as GitHub and GitLab make it.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
    let name: String = heading.to_lowercase().chars().filter(kept).collect();
    name.replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let mut pages = pages();
    pages.extend(["docs/diagnostics.md", "SECURITY.md", "ARCHITECTURE.md"].map(str::to_owned));
    for page in &pages {
        let path = top().join(page);
        let text = std::fs::read_to_string(&path).expect("the page is there");
        for target in text.split("](").skip(1) {
            let target = target.split(')').next().expect("what is before a bracket");
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let other = match file {
                "" => path.clone(),
                file => path.parent().expect("a folder").join(file),
            };
            assert!(other.exists(), "{page}: {target}");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(other).expect("a page");
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#').trim()));
                assert!(anchors.any(|name| name == heading), "{page}: {target}");
            }
        }
    }
}

/// Does what curl does with `--data-urlencode` fields, and returns the body of the answer.
fn post(service: &Service, url: &str, arguments: &[&str]) -> String {
    let path = url
        .strip_prefix("http://127.0.0.1:8080")
        .expect("pages ask the default address");
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
    let Block { place, text } = blocks("README.md", "text").remove(0);
    let sample =
        std::fs::read_to_string(top().join("responses.toml")).expect("the sample table is there");
    let right = sample
        .lines()
        .find(|line| line.contains("{ Dial = \"+14155550123\""))
        .expect("the sample dials");
    let table = sample.replace(right, "  { Dial = \"+14155550123\", timeOut = 20 },");
    let folder = Folder::new("document-mistake");
    folder.write("responses.toml", &table);
    let ran = run(program().arg("check").current_dir(folder.path()));
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.starts_with(&text), "{place}:\n{}", ran.stdout);
}

#[test]
fn the_two_commands_are_named() {
    let commands: Vec<String> = blocks("README.md", "sh")
        .into_iter()
        .map(|block| block.text)
        .collect();
    assert!(commands.contains(&"cargo run --release -- serve --allow-unsigned\n".to_owned()));
    assert!(commands.contains(&"cargo test --locked\n".to_owned()));
}
