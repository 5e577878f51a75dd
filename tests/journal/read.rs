//! A folder read back, in order of time.

use std::fmt::Write as _;

use twiml_responder::journal::line::Line;
use twiml_responder::service::journal_reader::JournalLines;
use twiml_responder::twilio::request::Webhook;

use crate::support::Folder;
use crate::{Kept, call};

/// A line with nothing but its time.
fn line(time: &str) -> String {
    format!(
        r#"{{"time":"{time}","webhook":"webhook","channel":"voice","route":"default","status":200,"microseconds":1,"guard":null,"failed":null,"machine":false,"sid":null,"number":null,"withheld":false,"step":null,"event":null,"parameters":{{}},"masked":{{}},"left_out":[],"unnamed":0}}"#
    ) + "\n"
}

fn times(folder: &Folder) -> Vec<String> {
    let entries = JournalLines::of(folder.path()).expect("a folder");
    entries
        .map(|entry| {
            let entry = entry.expect("a line");
            let parsed = Line::parse(&entry.text);
            parsed.map_or_else(
                |_| format!("no line at {}", entry.number),
                |line| line.time.to_string(),
            )
        })
        .collect()
}

#[test]
fn lines_come_in_the_order_of_their_times() {
    let folder = Folder::new("read-order");
    let ordered = [
        "2026-01-01T10:00:00.000Z",
        "2026-01-01T10:00:00.001Z",
        "2026-01-01T23:59:59.999Z",
        "2026-01-02T00:00:00.000Z",
        "2026-01-02T00:00:01.000Z",
    ];
    let lines = ordered.map(line);
    folder.write("journal-2026-01-02.jsonl", &(lines[4].clone() + &lines[3]));
    folder.write(
        "journal-2026-01-01.jsonl",
        &(lines[1].clone() + "\n" + &lines[2] + &lines[0]),
    );
    folder.write("other.jsonl", &lines[0]);
    assert_eq!(times(&folder), ordered);
}

#[test]
fn what_is_no_line_stays_in_its_place_and_a_torn_last_one_is_left_out() {
    let folder = Folder::new("read-torn");
    let (a, b) = ("2026-01-01T10:00:00.000Z", "2026-01-01T11:00:00.000Z");
    let torn = &line(b)[..40];
    folder.write(
        "journal-2026-01-01.jsonl",
        &(line(a) + "nonsense\n" + &line(b) + torn),
    );
    folder.write("journal-2026-01-02.jsonl", line(b).trim_end());
    assert_eq!(times(&folder), [a, "no line at 2", b, b]);
    assert!(JournalLines::of(&folder.path().join("none")).is_err());
}

#[test]
fn a_last_line_that_is_finished_later_stays_left_out() {
    let folder = Folder::new("read-growing");
    let (whole, growing) = (
        line("2026-01-01T10:00:00.000Z"),
        line("2026-01-01T11:00:00.000Z"),
    );
    let torn = whole.clone() + &growing[..40];
    folder.write("journal-2026-01-01.jsonl", &torn);
    let mut lines = JournalLines::of(folder.path()).expect("a folder");
    assert!(lines.next().is_some_and(|entry| entry.is_ok()));
    let path = folder.path().join("journal-2026-01-01.jsonl");
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(path)
        .expect("the file");
    std::io::Write::write_all(&mut file, &growing.as_bytes()[40..]).expect("the rest of the line");
    assert!(lines.next().is_none());
}

#[test]
fn a_long_journal_is_read_in_order() {
    let folder = Folder::new("read-long");
    let mut text = String::new();
    let mut expected = Vec::new();
    for number in 0..5_000_u32 {
        // Neighbouring lines are in the wrong order.
        let swapped = number ^ 1;
        let time = |number: u32| {
            format!(
                "2026-01-01T{:02}:{:02}:{:02}.000Z",
                number / 3600,
                number / 60 % 60,
                number % 60
            )
        };
        let _ = write!(text, "{}", line(&time(swapped)));
        expected.push(time(number));
    }
    folder.write("journal-2026-01-01.jsonl", &text);
    assert_eq!(times(&folder), expected);
}

#[test]
fn what_the_service_wrote_is_read_back() {
    let kept = Kept::start("read-back", &[]);
    kept.post("/webhook", &call(1));
    let journal = kept.journal();
    let (_folder, _) = kept.end();
    let entries: Vec<_> = JournalLines::of(&journal).expect("a folder").collect();
    assert_eq!(entries.len(), 1);
    let entry = entries[0].as_ref().expect("a line");
    let line = Line::parse(&entry.text).expect("a line");
    assert_eq!(line.webhook, Webhook::Plain.as_str());
    assert_eq!(line.parameters.get("CallStatus"), Some("ringing"));
    assert!(line.left_out.has("CallerCity"));
    let mut again = Vec::new();
    line.write(&mut again);
    assert_eq!(again.trim_ascii_end(), entry.text);
}
