//! Trouble with the disk affects the journal, but never an answer.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Folder, Service, program};
use crate::{Kept, call, lines};

const CALLS: usize = 60;

/// Makes calls, each of which must be answered as usual, waits until each line is written or lost, and counts both.
#[track_caller]
fn calls(kept: &Kept) -> (u64, u64) {
    for number in 0..CALLS {
        let answer = kept.post("/webhook", &call(number));
        assert!(answer.contains("Hello."), "{answer}");
    }
    loop {
        let written = kept.figure("journal_lines_total");
        let lost = kept.figure("journal_lines_lost_total");
        if written + lost >= CALLS as u64 {
            return (written, lost);
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_is_full_costs_lines_and_no_answer() {
    let kept = Kept::start("journal-full-file", &["--journal-max-size", "4K"]);
    let (written, lost) = calls(&kept);
    let (folder, log) = kept.end();
    assert!(written > 0 && lost > 0, "{written} and {lost}");
    assert_eq!(written + lost, CALLS as u64);
    assert_eq!(lines(&folder).len() as u64, written);
    assert!(log.contains("has the 4096 bytes that it may have"), "{log}");
    // Once per episode: a single line may still fit where several did not.
    let told = log.matches("the journal cannot be written").count();
    assert!((1..=8).contains(&told), "{log}");
}

/// The system limits the service's files to a few kilobytes, so the last write is cut short, as on a full disk.
#[test]
fn a_disk_that_is_full_costs_lines_and_no_answer() {
    let folder = Folder::new("journal-full-disk");
    let mut command = program();
    let program = command.get_program().to_owned();
    command = {
        let mut shell = std::process::Command::new("bash");
        shell
            .current_dir(crate::support::top())
            .env("TWIML_RESPONDER_LOG", "human")
            .args(["-c", "ulimit -f 4; exec \"$0\" \"$@\""])
            .arg(program)
            .args(Kept::arguments(&folder, &folder.path().join("journal")));
        shell
    };
    let service = Service::start_by(&mut command);
    let kept = Kept::of(folder, service);
    let (written, lost) = calls(&kept);
    let (folder, log) = kept.end();
    assert!(written > 0 && lost > 0, "{written} and {lost}");
    assert_eq!(
        lines(&folder).len() as u64,
        written,
        "half a line stays nowhere"
    );
    assert!(log.contains("the journal cannot be written"), "{log}");
    assert!(log.contains("File too large"), "{log}");
}

#[test]
fn a_folder_that_cannot_be_written_costs_lines_until_it_can() {
    let folder = Folder::new("journal-no-folder");
    folder.write("journal", "a file where the folder should be");
    let kept = Kept::start_in(folder, &[]);
    assert_eq!(calls(&kept), (0, CALLS as u64));
    fs::remove_file(kept.journal()).expect("it makes room");
    kept.post("/webhook", &call(CALLS));
    let (folder, log) = kept.end();
    assert_eq!(lines(&folder).len(), 1);
    assert!(log.contains("the journal is written again"), "{log}");
}

#[test]
fn a_file_that_is_none_costs_lines_and_no_answer() {
    type Make = fn(&Path, &Path);
    let kinds: [(&str, Make, &str); 2] = [
        (
            "link",
            |path, other| symlink(other, path).expect("a link"),
            "it is a link",
        ),
        (
            "pipe",
            |path, _| {
                let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
                assert!(made.success());
            },
            "it is not a regular file",
        ),
    ];
    for (kind, make, reason) in kinds {
        let folder = Folder::new(&format!("journal-{kind}"));
        let other = folder.write("other", "somebody else's\n");
        let journal = folder.path().join("journal");
        fs::create_dir_all(&journal).expect("a folder");
        // Whatever day it is.
        let today = jiff::Timestamp::now();
        for day in [today, today + jiff::SignedDuration::from_hours(24)] {
            let name = format!("journal-{:.10}.jsonl", day.to_string());
            make(&journal.join(name), &other);
        }
        let kept = Kept::start_in(folder, &[]);
        assert_eq!(calls(&kept), (0, CALLS as u64));
        let (_folder, log) = kept.end();
        assert!(log.contains(reason), "{log}");
        let text = fs::read_to_string(other).expect("it is there");
        assert_eq!(text, "somebody else's\n");
    }
}

#[test]
fn a_folder_that_is_open_to_everybody_is_warned_of() {
    let folder = Folder::new("journal-open");
    let journal = folder.path().join("journal");
    fs::create_dir_all(&journal).expect("a folder");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let kept = Kept::start_in(folder, &[]);
    calls(&kept);
    let (_, log) = kept.end();
    let warning = "the folder of the journal, is open to others: chmod 700";
    assert!(log.contains(warning), "{log}");
}

#[test]
fn without_a_journal_there_is_no_callback_and_no_file() {
    let service = Service::start(&["--allow-unsigned"], &[]);
    for path in ["/callback", "/events"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = crate::ask(&service.address, &request);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}
