//! How the service ends, whatever it is doing, and what it says when it cannot begin.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Folder, Service, program, run};

const TABLE: &str = "[directory.d]\nfile = \"d.csv\"\n\n\
    [[route]]\nname = \"route\"\nwhen = { Called = { in = \"d\" } }\nvoice = [ { Say = \"{{ d.word }}\" } ]\n\n\
    [default]\nvoice = [ { Say = \"default\" } ]\nmessage = []\n";

fn rows(word: &str, count: usize) -> String {
    let rows = (0..count).map(|row| format!("+1500{row:07},{word}\n"));
    std::iter::once("number,word\n".to_owned())
        .chain(rows)
        .collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What the caller of the first row hears.
fn says(address: &str, call: usize) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let timeout = stream.set_read_timeout(Some(Duration::from_secs(20)));
    timeout.expect("a timeout");
    let request = format!(
        "GET /webhook?CallSid=CA{call:032x}&Called=%2B15000000000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (_, said) = answer.split_once("<Say>").expect(&answer);
    said.split('<').next().unwrap_or_default().to_owned()
}

/// Whether a process has a handler of its own for SIGTERM.
#[cfg(target_os = "linux")]
fn handles_the_end(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & (1 << 14) != 0)
}

#[cfg(target_os = "linux")]
#[test]
fn an_end_during_the_start_is_one_like_any_other() {
    let folder = Folder::new("end-at-start");
    let table = folder.write("responses.toml", TABLE);
    folder.write("d.csv", &rows("one", 400_000));
    let state = folder.path().join("state");
    let mut child = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--allow-unsigned"])
        .args(["--table", &text(&table), "--state-dir", &text(&state)])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the service can be started");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !handles_the_end(child.id()) {
        assert!(Instant::now() < deadline, "it handles no signal");
    }
    let killed = Command::new("kill").arg(child.id().to_string()).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let code = child.wait().expect("its end").code();
    let mut log = String::new();
    let stderr = child.stderr.as_mut().expect("its log");
    stderr.read_to_string(&mut log).expect("text");
    assert_eq!((code, log.as_str()), (Some(0), ""));
    assert!(!state.exists());
}

#[test]
fn what_goes_live_just_before_the_end_is_kept() {
    let folder = Folder::new("end-at-reload");
    let table = folder.write("responses.toml", TABLE);
    let directory = folder.write("d.csv", &rows("0", 50_000));
    let state = folder.path().join("state");
    let arguments = ["--table", &text(&table), "--state-dir", &text(&state)];
    let mut call = 0;
    for round in 1..=3 {
        let service = Service::start(&[&arguments[..], &["--allow-unsigned"]].concat(), &[]);
        service.wait_for("listening on", 1);
        let word = round.to_string();
        folder.write("d.csv.new", &rows(&word, 50_000));
        fs::rename(folder.path().join("d.csv.new"), &directory).expect("a rename");
        let deadline = Instant::now() + Duration::from_secs(30);
        while says(&service.address, call) != word {
            assert!(Instant::now() < deadline, "{}", service.log());
            call += 1;
        }
        let (code, log) = service.stop("-TERM");
        assert_eq!(code, Some(0), "{log}");
        let copies = fs::read_dir(&state).expect("copies");
        let copies = copies.map(|copy| copy.expect("a copy").path());
        let kept: Vec<String> = copies
            .map(|copy| fs::read_to_string(copy.join("directories/d.csv")).expect("rows"))
            .collect();
        assert!(kept == [rows(&word, 50_000)], "round {round}: {log}");
    }
}

#[test]
fn an_end_waits_for_nobody_who_has_written_all() {
    let folder = Folder::new("end-of-journal");
    let journal = folder.path().join("journal");
    let arguments = [
        "--allow-unsigned",
        "--admin",
        "127.0.0.1:0",
        "--journal",
        &text(&journal),
    ];
    let (code, log) = Service::start(&arguments, &[]).stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(
        !log.contains("WARN  the disk") && !log.contains("may be lost"),
        "{log}"
    );
}

#[test]
fn a_number_of_threads_that_cannot_be_is_told() {
    for number in ["", "0", "-1", "many", "1025", "99999999999999999999"] {
        let ran = run(program()
            .args(["serve", "--allow-unsigned", "--listen", "192.0.2.1:1"])
            .env("TOKIO_WORKER_THREADS", number));
        let sentence = "error: TOKIO_WORKER_THREADS must be a whole number from 1 to 1024: \
                        correct it, or unset it for a thread for each processor\n";
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(2), sentence),
            "{number}"
        );
    }
}
