//! Where the log of the real program goes: to the systemd journal, to a pipe that is not read, and to a closed pipe.

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Read, Write, pipe};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::{Folder, program};

/// A process that is ended even if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service, the reading end of its log, its first line and its address.
fn start(is_journal: bool) -> (Running, BufReader<PipeReader>, String, String) {
    let (reader, writer) = pipe().expect("a pipe");
    let mut command = program();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--allow-unsigned"])
        .env_remove("JOURNAL_STREAM");
    if is_journal {
        let same = writer.try_clone().expect("a descriptor");
        let file = File::from(OwnedFd::from(same))
            .metadata()
            .expect("its inode");
        command.env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()));
    }
    let child = command.stdout(Stdio::null()).stderr(writer).spawn();
    // The command still has the writing end; once it is dropped, the log ends with the service.
    drop(command);
    let running = Running(child.expect("the service can be started"));
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    while !line.contains("listening on ") {
        line.clear();
        assert_ne!(reader.read_line(&mut line).expect("the log is text"), 0);
    }
    let (_, address) = line.split_once("listening on ").expect(&line);
    let address = address.split(' ').next().unwrap_or_default().to_owned();
    (running, reader, line, address)
}

fn is_answered(address: &str) -> bool {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let timeout = stream.set_read_timeout(Some(Duration::from_secs(20)));
    timeout.expect("a timeout");
    let request = b"GET /webhook?CallSid=CA1&Called=%2B15005550009 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.starts_with("HTTP/1.1 200 ")
}

fn end(mut running: Running) -> Option<i32> {
    let id = running.0.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &id]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    running.0.wait().expect("it ends").code()
}

#[test]
fn the_journal_gets_priorities_and_no_time() {
    let (running, reader, line, _) = start(true);
    assert!(line.starts_with("<6>listening on 127.0.0.1:"), "{line}");
    assert_eq!(end(running), Some(0));
    let rest: Vec<String> = reader.lines().map_while(Result::ok).collect();
    let warning = "<4>signatures are not checked";
    assert!(
        rest.iter().any(|line| line.starts_with(warning)),
        "{rest:?}"
    );
    assert!(rest.iter().all(|line| line.starts_with('<')), "{rest:?}");
    assert!(rest.last().is_some_and(|line| line.starts_with("<6>ended")));
}

#[test]
fn elsewhere_lines_have_a_time_and_a_level() {
    let (running, reader, line, _) = start(false);
    assert!(line.contains("Z  INFO listening on "), "{line}");
    assert_eq!(end(running), Some(0));
    drop(reader);
}

#[test]
fn a_log_that_nobody_reads_keeps_nobody_from_an_answer() {
    let (running, reader, _, address) = start(false);
    // A pipe holds 64 KiB, and a line has at least 150 bytes.
    for turn in 0..600 {
        assert!(is_answered(&address), "{turn}");
    }
    assert_eq!(end(running), Some(0));
    drop(reader);
}

#[test]
fn a_log_that_is_closed_keeps_nobody_from_an_answer() {
    let (running, reader, _, address) = start(false);
    drop(reader);
    for turn in 0..3 {
        assert!(is_answered(&address), "{turn}");
    }
    assert_eq!(end(running), Some(0));
}

#[test]
fn the_journal_gets_no_line_of_a_table_and_no_number() {
    let folder = Folder::new("bad-in-journal");
    let bad = "[default]\nvoice = [ { Dial = \"415.555.0142\" } ]\n";
    let table = folder.write("responses.toml", bad);
    for command in ["serve", "check", "explain"] {
        let (mut reader, writer) = pipe().expect("a pipe");
        let same = writer.try_clone().expect("a descriptor");
        let file = File::from(OwnedFd::from(same))
            .metadata()
            .expect("its inode");
        let mut program = program();
        program
            .args([command, "--table"])
            .arg(&table)
            .env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()))
            .stdout(writer.try_clone().expect("a descriptor"))
            .stderr(writer);
        if command == "serve" {
            program.arg("--allow-unsigned");
        }
        let mut child = program.spawn().expect("the program can be started");
        drop(program);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        assert!(child.wait().expect("its end").code() > Some(0), "{text}");
        assert!(
            text.contains("responses.toml:2:20: error[bad-number]: "),
            "{text}"
        );
        assert!(!text.contains("0142") && !text.contains("voice"), "{text}");
    }
}
