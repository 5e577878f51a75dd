//! The journal of the real program: what its lines hold, what they never hold, and what happens when they cannot be
//! kept.

#[path = "../support/mod.rs"]
mod support;

mod files;
mod lines;
mod read;
mod trouble;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use support::{Folder, Service};

const TABLE: &str = r#"
parameters = ["campaign"]

[[route]]
name = "hello"
when = { Called = "+15005550001" }
voice = [ { Say = "Hello." } ]
message = [ { Message = "Hello." } ]

[[route]]
name = "breaks"
when = { Called = "+15005550003" }
voice = [ { Dial = "{{ Caller }}", callerId = "+15005550003" } ]

[[route]]
name = "lost"
step = "lost"
voice = [ { Say = "Lost." } ]

[default]
voice = [ { Say = "No such number." } ]
message = [ { Message = "No such number." } ]

[[intercept]]
name = "no-numbers"
when = { "interactionData.body" = { regex = '\d{7}' } }
block = true
"#;

/// A service with a journal, and the folder of both.
struct Kept {
    folder: Folder,
    service: Service,
    admin: String,
}

impl Kept {
    /// Starts the service in a new folder.
    fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_in(Folder::new(name), arguments)
    }

    fn start_in(folder: Folder, arguments: &[&str]) -> Self {
        let journal = folder.path().join("journal");
        Self::start_with(folder, &journal, arguments)
    }

    /// Starts the service with its journal in another place.
    fn start_with(folder: Folder, journal: &Path, arguments: &[&str]) -> Self {
        let mut command = support::program();
        command
            .args(Self::arguments(&folder, journal))
            .args(arguments);
        Self::of(folder, Service::start_by(&mut command))
    }

    fn arguments(folder: &Folder, journal: &Path) -> Vec<String> {
        let table = folder.write("responses.toml", TABLE);
        let text = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        let mut arguments: Vec<String> = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--allow-unsigned",
            "--table",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(text(table));
        arguments.push("--journal".to_owned());
        arguments.push(text(journal.to_owned()));
        arguments
    }

    fn of(folder: Folder, service: Service) -> Self {
        let line = service.wait_for("health and metrics", 1);
        let at = line.find("127.0.0.1:").expect("its address");
        let admin = line[at..]
            .chars()
            .take_while(|&c| c.is_ascii_digit() || ".:".contains(c))
            .collect();
        Self {
            folder,
            service,
            admin,
        }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Posts a form, and returns the answer, head and body.
    fn post(&self, target: &str, form: &str) -> String {
        ask(
            &self.service.address,
            &format!(
                "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                form.len()
            ),
        )
    }

    /// The value of a metric.
    fn figure(&self, name: &str) -> u64 {
        let text = ask(
            &self.admin,
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        let line = text.lines().find_map(|line| {
            let figure = line.strip_prefix("twiml_responder_")?.strip_prefix(name)?;
            figure.trim().parse().ok()
        });
        line.unwrap_or_else(|| panic!("{name}:\n{text}"))
    }

    /// Ends the service, which writes all waiting lines, and returns its folder and its log.
    fn end(self) -> (Folder, String) {
        let (code, log) = self.service.stop("-TERM");
        assert_eq!(code, Some(0), "{log}");
        (self.folder, log)
    }

    /// Ends the service, and returns the lines of its journal.
    fn lines(self) -> Vec<Value> {
        let (folder, _) = self.end();
        lines(&folder)
    }
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let timeout = stream.set_read_timeout(Some(Duration::from_secs(20)));
    timeout.expect("a deadline");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The files of a journal, oldest first.
fn files(journal: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(journal).expect("a journal");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// The whole text of a journal.
fn text(folder: &Folder) -> String {
    let files = files(&folder.path().join("journal"));
    let read = |path| std::fs::read_to_string(path).expect("UTF-8");
    files.into_iter().map(read).collect()
}

/// The lines of a journal. Each must be complete JSON.
#[track_caller]
fn lines(folder: &Folder) -> Vec<Value> {
    let text = text(folder);
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let parse = |line| match serde_json::from_str(line) {
        Ok(line) => line,
        Err(error) => panic!("{error}: {line}"),
    };
    text.lines().map(parse).collect()
}

/// A call with its own SID to the route `hello`.
fn call(number: usize) -> String {
    format!(
        "CallSid=CA{number:032}&Called=%2B15005550001&To=%2B15005550001&Caller=%2B14155550100\
         &From=%2B14155550100&Direction=inbound&CallStatus=ringing&CallerCountry=US&CallerCity=Gotham"
    )
}
