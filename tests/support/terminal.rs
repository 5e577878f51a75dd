//! A person at a terminal: the program on a pseudo-terminal, and the input when it asks.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::LONG;

/// Ends the input, as Ctrl-D does.
pub const END: &str = "\u{4}";

/// Runs a command on a terminal without colours and types the next of these inputs whenever the output ends with `> `.
/// Returns the exit code and everything on the screen.
pub fn session(command: &mut Command, typed: &[&str]) -> (Option<i32>, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&ours).expect("it is ours");
    unlockpt(&ours).expect("it can be unlocked");
    let name = ptsname(&ours, Vec::new()).expect("it has a name");
    let theirs = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other end");
    let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
    let child = command
        .env("NO_COLOR", "1")
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn();
    let mut child = child.expect("the program can be started");
    // Only the program keeps its end open now, so that reading ours ends with it.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    drop(theirs);
    let mut keyboard = File::from(ours);
    let mut screen = keyboard.try_clone().expect("a descriptor");
    let (show, shown) = channel();
    thread::spawn(move || {
        let mut piece = [0; 4096];
        // On Linux a closed terminal gives an error.
        while let Ok(length @ 1..) = screen.read(&mut piece) {
            let _ = show.send(piece[..length].to_vec());
        }
    });
    let mut seen = Vec::new();
    let mut typed = typed.iter();
    loop {
        match shown.recv_timeout(LONG) {
            Ok(piece) => seen.extend(piece),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                panic!("it says no more: {}", String::from_utf8_lossy(&seen))
            }
        }
        if seen.ends_with(b"> ") {
            let next = typed.next().expect("it asks as often as is typed");
            let next = if *next == END {
                (*next).to_owned()
            } else {
                format!("{next}\n")
            };
            keyboard.write_all(next.as_bytes()).expect("it listens");
        }
    }
    assert_eq!(
        typed.next(),
        None,
        "it asks no more: {}",
        String::from_utf8_lossy(&seen)
    );
    let code = child.wait().expect("it ends").code();
    let seen = String::from_utf8(seen).expect("the program writes UTF-8");
    (code, seen.replace("\r\n", "\n"))
}

/// The input in a recording: the text after `> ` in lines that are not indented.
pub fn typed_in(recording: &str) -> Vec<&str> {
    let asked = recording.lines().filter(|line| !line.starts_with(' '));
    asked
        .filter_map(|line| Some(line.split_once("> ")?.1))
        .collect()
}
