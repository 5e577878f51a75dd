//! The journal's files: one per day, readable only by their owner, and complete after every end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use serde_json::Value;

use crate::support::{Folder, Service, program};
use crate::{Kept, call, files, lines};

#[test]
fn a_file_is_its_days_and_its_owners_alone() {
    let kept = Kept::start("journal-mode", &[]);
    let before = format!("journal-{:.10}.jsonl", Timestamp::now().to_string());
    kept.post("/webhook", &call(1));
    let journal = kept.journal();
    let (_folder, _) = kept.end();
    let after = format!("journal-{:.10}.jsonl", Timestamp::now().to_string());
    let files = files(&journal);
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().expect("a name").to_str();
    assert!(name == Some(&before) || name == Some(&after), "{name:?}");
    let mode = |path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode(&files[0]), mode(&journal)), (0o600, 0o700));
}

#[test]
fn everything_is_written_at_the_end_and_the_next_run_goes_on() {
    let kept = Kept::start("journal-runs", &[]);
    for number in 0..300 {
        kept.post("/webhook", &call(number));
    }
    let (folder, _) = kept.end();
    assert_eq!(lines(&folder).len(), 300);
    let kept = Kept::start_in(folder, &[]);
    kept.post("/webhook", &call(300));
    let (folder, _) = kept.end();
    let sids: Vec<String> = lines(&folder)
        .iter()
        .map(|line| line["sid"].as_str().expect("a SID").to_owned())
        .collect();
    let sent: Vec<String> = (0..=300).map(|number| format!("CA{number:032}")).collect();
    assert_eq!(sids, sent);
}

#[test]
fn a_torn_line_is_taken_out() {
    let kept = Kept::start("journal-torn", &[]);
    kept.post("/webhook", &call(1));
    let (folder, log) = kept.end();
    assert!(!log.contains("torn line"), "{log}");
    let file = files(&folder.path().join("journal")).remove(0);
    let mut text = fs::read_to_string(&file).expect("a line");
    text.push_str(r#"{"time":"2026-11-25T10:00:00.000Z","webh"#);
    fs::write(&file, text).expect("it is torn");
    let kept = Kept::start_in(folder, &[]);
    kept.post("/webhook", &call(2));
    let (folder, log) = kept.end();
    assert!(log.contains("torn line"), "{log}");
    assert_eq!(lines(&folder).len(), 2);
}

#[test]
fn the_oldest_files_go() {
    let kept = Kept::start("journal-oldest", &["--journal-max-files", "2"]);
    let journal = kept.journal();
    fs::create_dir_all(&journal).expect("a folder");
    for name in [
        "journal-2020-01-01.jsonl",
        "journal-2020-01-02.jsonl",
        "journal-2020.jsonl",
        "mine.txt",
    ] {
        fs::write(journal.join(name), "").expect("a file");
    }
    kept.post("/webhook", &call(1));
    let (_folder, _) = kept.end();
    let names: Vec<String> = files(&journal)
        .iter()
        .map(|path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(
        !names.contains(&"journal-2020-01-01.jsonl".to_owned()),
        "{names:?}"
    );
    assert_eq!(names[0], "journal-2020-01-02.jsonl");
}

#[test]
fn two_services_do_not_write_one_file() {
    let first = Kept::start("journal-two", &[]);
    first.post("/webhook", &call(1));
    let journal = first.journal();
    // Once its line is counted, a file exists and is locked.
    while first.figure("journal_lines_total") < 1 {
        std::thread::yield_now();
    }
    let second = Kept::start_with(Folder::new("journal-two-second"), &journal, &[]);
    assert!(second.post("/webhook", &call(2)).contains("Hello."));
    let (_, log) = second.end();
    assert!(log.contains("another service writes it already"), "{log}");
    assert_eq!(first.lines().len(), 1);
}

#[test]
fn standard_output_takes_the_lines_where_somebody_else_collects_them() {
    let folder = Folder::new("journal-stdout");
    let output = folder.path().join("output");
    let mut command = Command::new("sh");
    command
        .args(["-c", "output=$1; shift; exec \"$@\" > \"$output\"", "sh"])
        .arg(&output)
        .arg(program().get_program())
        .args(Kept::arguments(&folder, Path::new("-")));
    let kept = Kept::of(folder, Service::start_by(&mut command));
    kept.post("/webhook", &call(1));
    kept.post("/webhook", &call(2));
    let (folder, log) = kept.end();
    let text = fs::read_to_string(&output).expect("UTF-8");
    let sids: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect(line))
        .map(|line| line["sid"].as_str().expect("a SID").to_owned())
        .collect();
    assert_eq!(
        sids,
        [1, 2].map(|number| format!("CA{number:032}")),
        "{log}"
    );
    assert!(!folder.path().join("-").exists());
}
