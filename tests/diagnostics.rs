//! What an operator reads about a wrong table: one file for every kind of mistake, and what holds for any text.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use annotate_snippets::Renderer;
use jiff::Timestamp;
use proptest::prelude::*;
use twiml_responder::language::{CHECKS, Files, NoFiles, compile, fixed, mend};
use twiml_responder::table::diagnostic::{Diagnostic, File, Severity};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

/// The names of all files in the folder with this ending, without the ending, sorted.
fn names(ending: &str) -> BTreeSet<String> {
    fs::read_dir(folder())
        .expect("the folder is there")
        .filter_map(|entry| {
            let file = entry.expect("an entry").file_name();
            let name = file.to_str().expect("a name in UTF-8");
            name.strip_suffix(ending).map(str::to_owned)
        })
        .collect()
}

fn file(text: &str) -> Arc<File> {
    File::new("responses.toml", text)
}

/// The directory files of the table `NAME.toml`: those in the folder `NAME`.
struct Beside<'n>(&'n str);

impl Files for Beside<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        // The system's own words for a missing file differ between systems.
        fs::read(folder().join(self.0).join(path))
            .map_err(|error| io::Error::new(error.kind(), "there is no such file"))
    }
}

/// The same files, with another text for one of them.
struct Changed<'n> {
    beside: Beside<'n>,
    path: &'n str,
    text: &'n str,
}

impl Files for Changed<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        if path == self.path {
            return Ok(self.text.as_bytes().to_vec());
        }
        self.beside.read(path)
    }
}

/// The moment at which days of schedules have passed: 2026-06-01T12:00:00Z.
const NOW: Timestamp = Timestamp::constant(1_780_315_200, 0);

/// All diagnostics of a table: those of a bad one; the warnings, passed days and failed tests of a good one.
fn diagnostics(text: &str, files: &dyn Files) -> Vec<Diagnostic> {
    match compile(&file(text), files) {
        Ok(compiled) => {
            let passed = compiled.passed_days(NOW);
            [compiled.warnings, passed, compiled.failed_tests].concat()
        }
        Err(diagnostics) => diagnostics,
    }
}

/// The diagnostics of the table `NAME.toml`.
fn diagnostics_of(name: &str) -> Vec<Diagnostic> {
    let text = fs::read_to_string(folder().join(format!("{name}.toml")));
    diagnostics(&text.expect("a table in UTF-8"), &Beside(name))
}

fn printed(name: &str) -> String {
    let drawn: Vec<String> = diagnostics_of(name)
        .iter()
        .map(|diagnostic| diagnostic.draw(&Renderer::plain()) + "\n")
        .collect();
    drawn.join("\n")
}

#[test]
fn every_mistake_is_printed_as_reviewed() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut differing = Vec::new();
    for name in names(".toml") {
        let printed = printed(&name);
        let reviewed = folder().join(format!("{name}.txt"));
        if update {
            fs::write(reviewed, printed).expect("the folder can be written");
        } else if fs::read_to_string(reviewed).ok().as_deref() != Some(printed.as_str()) {
            differing.push(format!(
                "tests/diagnostics/{name}.txt should be:\n{printed}"
            ));
        }
    }
    assert!(
        differing.is_empty(),
        "{}\nIf this is what should be printed: UPDATE=1 cargo test --test diagnostics",
        differing.join("\n")
    );
}

#[test]
fn every_place_is_one_of_its_file() {
    for name in names(".toml") {
        for diagnostic in diagnostics_of(&name) {
            let span = &diagnostic.span;
            let length = diagnostic.file.text.len();
            assert!(
                span.start <= span.end && span.end <= length,
                "{name}: {diagnostic:?}"
            );
        }
    }
}

#[test]
fn a_row_that_does_not_fit_is_shown_whole() {
    let shown: Vec<String> = diagnostics_of("bad-row")
        .iter()
        .map(|diagnostic| diagnostic.file.text[diagnostic.span.clone()].to_owned())
        .collect();
    let rows = [
        "+15005550002,Bob",
        "+15005550003,Bob, Jr.,LA",
        "+15005550001,\"Ann,NY",
    ];
    for row in rows {
        assert!(
            shown.iter().any(|shown| shown == row),
            "{row:?} in {shown:#?}"
        );
    }
}

#[test]
fn without_files_a_directory_file_cannot_be_read() {
    let text = "[directory.rides]\nfile = \"rides.csv\"\n";
    let found = diagnostics(text, &NoFiles);
    let messages: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
    assert!(
        messages.contains(&"cannot read rides.csv: there are no files here"),
        "{messages:?}"
    );
}

#[test]
fn every_code_is_printed_by_some_file() {
    let mut seen = BTreeSet::new();
    for name in names(".toml") {
        seen.extend(
            diagnostics_of(&name)
                .into_iter()
                .map(|diagnostic| diagnostic.check.code),
        );
    }
    let codes = CHECKS.iter().map(|check| check.code);
    let unseen: Vec<&str> = codes.filter(|code| !seen.contains(code)).collect();
    assert!(
        unseen.is_empty(),
        "add tests/diagnostics/CODE.toml for {unseen:?}"
    );
}

#[test]
fn every_printed_file_has_its_table() {
    let tables = names(".toml");
    let stray: Vec<String> = names(".txt")
        .into_iter()
        .filter(|name| !tables.contains(name))
        .collect();
    assert!(
        stray.is_empty(),
        "these .txt files have no .toml: {stray:?}"
    );
}

#[test]
fn every_file_beside_a_table_is_read() {
    for name in names(".toml") {
        let Ok(entries) = fs::read_dir(folder().join(&name)) else {
            continue;
        };
        let table = fs::read_to_string(folder().join(format!("{name}.toml"))).expect("a table");
        for entry in entries {
            let file = entry.expect("an entry").file_name();
            let line = format!("file = {file:?}");
            assert!(table.contains(&line), "{name}.toml has no {line}");
        }
    }
    let tables = names(".toml");
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        let is_folder = entry.path().is_dir();
        let has_table = tables.iter().any(|table| name == table.as_str());
        assert!(!is_folder || has_table, "{name:?} has no table");
    }
}

#[test]
fn the_manual_is_written_from_the_checks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics.md");
    let text = fs::read_to_string(&path).expect("docs/diagnostics.md is there");
    let mut checks = CHECKS.to_vec();
    checks.sort_unstable_by_key(|check| check.code);
    let introduction = text.split("\n## ").next().unwrap_or_default();
    let sections = checks.iter().map(|check| {
        let (code, manual, example) = (check.code, check.manual, check.example);
        let is_toml = example.contains(" = ");
        let language = if is_toml { "toml" } else { "csv" };
        format!("\n## {code}\n\n{manual}\n\n```{language}\n{example}\n```\n")
    });
    let written = introduction.to_owned() + &sections.collect::<String>();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, written).expect("the folder can be written");
    } else {
        let advice = "UPDATE=1 cargo test --test diagnostics writes docs/diagnostics.md";
        assert!(text == written, "{advice}");
    }
}

#[test]
fn every_check_is_registered() {
    fn count(folder: &Path) -> usize {
        let mut checks = 0;
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                checks += count(&path);
            } else {
                let text = fs::read_to_string(&path).expect("a file in UTF-8");
                checks += text.matches(": Check =").count();
            }
        }
        checks
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert_eq!(count(&sources), CHECKS.len());
}

#[test]
fn every_check_says_what_to_do() {
    for check in CHECKS {
        let (code, manual) = (check.code, check.manual);
        assert!(manual.len() > 80, "{code} says too little: {manual}");
        assert!(!check.example.is_empty(), "{code} has no example");
    }
}

/// The new diagnostics of a table after one of its fixes was applied: there must be none at the place of the fix.
fn left_by(name: &str, text: &str, before: &[Diagnostic], wrong: &Diagnostic) -> Vec<String> {
    let fix = wrong.fix.as_ref().expect("it has one");
    let (new, count) = fixed(&wrong.file, std::slice::from_ref(wrong));
    assert_eq!(count, 1, "{name}: {wrong:?}");
    let beside = Beside(name);
    let after = if wrong.file.name == "responses.toml" {
        diagnostics(&new, &beside)
    } else {
        let (path, text_of_file) = (&*wrong.file.name, &*new);
        let changed = Changed {
            beside,
            path,
            text: text_of_file,
        };
        diagnostics(text, &changed)
    };
    let place = fix.span.start..fix.span.start + fix.text.len();
    let is_there = |left: &&Diagnostic| {
        let touches = left.span.start <= place.end && place.start <= left.span.end;
        touches && left.file.name == wrong.file.name
    };
    let is_same = |one: &Diagnostic, other: &Diagnostic| {
        one.check == other.check && one.message == other.message
    };
    let is_new = |left: &&Diagnostic| {
        let is_known = before.iter().any(|known| is_same(known, left));
        is_same(left, wrong) || (left.severity == Severity::Error && !is_known)
    };
    let left = after.iter().filter(is_there).filter(is_new);
    left.map(|left| left.draw(&Renderer::plain())).collect()
}

#[test]
fn every_fix_mends_its_mistake_and_makes_no_other() {
    let mut fixes = 0;
    let mut failures = Vec::new();
    for name in names(".toml") {
        let text = fs::read_to_string(folder().join(format!("{name}.toml"))).expect("a table");
        let before = diagnostics_of(&name);
        for wrong in before.iter().filter(|wrong| wrong.fix.is_some()) {
            fixes += 1;
            let left = left_by(&name, &text, &before, wrong);
            if !left.is_empty() {
                let wrong = wrong.draw(&Renderer::plain());
                failures.push(format!("{name}\n{wrong}\n leaves\n{}", left.join("\n")));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(fixes > 100, "{fixes}");
}

#[test]
fn what_can_be_mended_is_mended_in_the_end() {
    for name in names(".toml") {
        let text = fs::read_to_string(folder().join(format!("{name}.toml"))).expect("a table");
        let mended = mend(&file(&text), &Beside(&name));
        let left = match &mended.result {
            Ok(compiled) => &compiled.warnings,
            Err(diagnostics) => diagnostics,
        };
        assert!(
            left.iter().all(|left| left.fix.is_none()),
            "{name}: {left:?}"
        );
        let before = diagnostics_of(&name);
        let has_fix = before.iter().any(|wrong| wrong.fix.is_some());
        assert_eq!(mended.count > 0, has_fix, "{name}");
        assert_eq!(
            *mended.table != *file(&text) || !mended.files.is_empty(),
            has_fix,
            "{name}"
        );
    }
}

/// Routes with one mistake each that has a fix, and the fixed routes; `#` is the number of the route.
const MENDABLE: &[(&str, &str)] = &[
    ("nmae = \"#\"\nvoice = []", "name = \"#\"\nvoice = []"),
    ("name \"#\"\nvoice = []", "name = \"#\"\nvoice = []"),
    ("name: '#'\nvoice = []", "name = '#'\nvoice = []"),
    ("name = “#”\nvoice = []", "name = \"#\"\nvoice = []"),
    ("name\u{a0}= \"#\"\nvoice = []", "name = \"#\"\nvoice = []"),
    ("name = \"#\nvoice = []", "name = \"#\"\nvoice = []"),
    ("name = r-#\nvoice = []", "name = \"r-#\"\nvoice = []"),
    (
        "name = \"#\"\nvoice = [\n  { Say = \"a\" }\n  { Say = \"b\" },\n]",
        "name = \"#\"\nvoice = [\n  { Say = \"a\" },\n  { Say = \"b\" },\n]",
    ),
    (
        "name = \"#\"\nvoice = [ { Hangup } ]",
        "name = \"#\"\nvoice = [ { Hangup = \"\" } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Say = \"a\" }",
        "name = \"#\"\nvoice = [ { Say = \"a\" } ]",
    ),
    (
        "name = \"#\"\nvoice = { Say = \"a\" }",
        "name = \"#\"\nvoice = [ { Say = \"a\" } ]",
    ),
    (
        "name = \"#\"\nvoice = \"a\"",
        "name = \"#\"\nvoice = [ { Say = \"a\" } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { say = \"a\", Voice = \"alice\" } ]",
        "name = \"#\"\nvoice = [ { Say = \"a\", voice = \"alice\" } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Pause = 2 } ]",
        "name = \"#\"\nvoice = [ { Pause = \"\", length = 2 } ]",
    ),
    (
        "name = \"#\"\n[[route.voice]]\nPause = 2",
        "name = \"#\"\n[[route.voice]]\nPause = \"\"\nlength = 2",
    ),
    (
        "name = \"#\"\nvoice = [ { Reject = \"busy\" } ]",
        "name = \"#\"\nvoice = [ { Reject = \"\", reason = \"busy\" } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Gather = \"a\", input = \"dtmf, speech\", action = \"?step=s\" } ]",
        "name = \"#\"\nvoice = [ { Gather = [ { Say = \"a\" } ], input = \"dtmf speech\", action = \"?step=s\" } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Record = { maxLength = 60, action = \"?step=s\" } } ]",
        "name = \"#\"\nvoice = [ { Record = \"\", maxLength = 60, action = \"?step=s\" } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Dial = { Number = \"+15005550006\", url = \"?step=s\" } } ]",
        "name = \"#\"\nvoice = [ { Dial = [ { Number = \"+15005550006\", url = \"?step=s\" } ] } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Dial = { Number = \"+15005550006\", timeout = 9 } } ]",
        "name = \"#\"\nvoice = [ { Dial = [ { Number = \"+15005550006\" } ], timeout = 9 } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Number = \"+15005550006\" } ]",
        "name = \"#\"\nvoice = [ { Dial = [ { Number = \"+15005550006\" } ] } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Dial = \"sip:a@example.com\" } ]",
        "name = \"#\"\nvoice = [ { Dial = [ { Sip = \"sip:a@example.com\" } ] } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Say = \"a\", Play = \"https://example.com/a\" } ]",
        "name = \"#\"\nvoice = [ { Say = \"a\" }, { Play = \"https://example.com/a\" } ]",
    ),
    (
        "name = \"#\"\nmessage = [ { Message = { Body = \"a\", Media = \"https://example.com/a\" } } ]",
        "name = \"#\"\nmessage = [ { Message = [ { Body = \"a\" }, { Media = \"https://example.com/a\" } ] } ]",
    ),
    (
        "name = \"#\"\nwhen = { called = \"+1500555#\", Digits = 1 }\nvoice = []",
        "name = \"#\"\nwhen = { Called = \"+1500555#\", Digits = \"1\" }\nvoice = []",
    ),
    (
        "name = \"#\"\nwhen = { Called = { inn = \"d\" } }\nvoice = []",
        "name = \"#\"\nwhen = { Called = { in = \"d\" } }\nvoice = []",
    ),
    (
        "name = \"#\"\nwhen = { Body = { regex = \"\\d\" } }\nmessage = []",
        "name = \"#\"\nwhen = { Body = { regex = '\\d' } }\nmessage = []",
    ),
    (
        "name = \"#\"\nwhen = { Called = { in = \"d\" }, d.city = \"a\" }\nvoice = []",
        "name = \"#\"\nwhen = { Called = { in = \"d\" }, \"d.city\" = \"a\" }\nvoice = []",
    ),
    (
        "name = \"#\"\nwhen = { Called = { in = \"d\" } }\nvoice = [ { Say = \"{{ d.citty }} {{ Calle | uper }}\" } ]",
        "name = \"#\"\nwhen = { Called = { in = \"d\" } }\nvoice = [ { Say = \"{{ d.city }} {{ Calle | upper }}\" } ]",
    ),
    (
        "name = \"#\"\nvoice = [ { Redirect = \"/x?step=\" }, ]\nprivate = \"yes\"",
        "name = \"#\"\nvoice = [ { Redirect = \"/x?step=\" }, ]\nprivate = true",
    ),
    (
        "name = \"#\"\nduring = \"offise\"\nreply = \"sory\"",
        "name = \"#\"\nduring = \"office\"\nreply = \"sorry\"",
    ),
];

/// Routes with one mistake each that only a person can correct.
const UNMENDABLE: &[&str] = &[
    "name = \"#\"\nvoice = [ { Dial = \"the shop\" } ]",
    "name = \"#\"\ncolour = \"red\"\nvoice = []",
    "name = \"#\"\nwhen = { Body = { regex = \"(\" } }\nmessage = []",
    "name = \"#\"\nvoice = [ { Say = \"a\", loop = } ]",
];

/// A table with these routes.
fn with_routes(routes: &[String]) -> String {
    let mut text = String::from(
        "# A comment.\r\n[schedule.office]\ntimezone = \"Europe/Berlin\"\nopen = [ \"Mon-Fri 09:00-17:00\" ]\n\
         [directory.d]\nrows = [ { number = \"+15005550001\", city = \"a\" } ]\n\
         [reply.sorry]\nvoice = [ { Say = \"Sorry.\" } ]\n\
         [[route]]\nname = \"s\"\nstep = \"s\"\nvoice = []\n[default]\nvoice = [ { Say = \"Goodbye.\" } ]\n",
    );
    for (number, route) in routes.iter().enumerate() {
        text += "\n[[route]]  # é\n";
        text += &route.replace('#', &(1_000 + number).to_string());
        text += "\n";
    }
    text
}

/// Routes with one mistake each: its code, the line of the route that has it, and the route's lines after its name.
const MISTAKES: [(&str, usize, &str); 20] = [
    ("silent-route", 0, "private = false"),
    ("unknown-key", 1, "colour = \"red\"\nvoice = []"),
    ("unknown-element", 1, "voice = [{ Shout = \"Hello.\" }]"),
    (
        "unknown-attribute",
        2,
        "voice = [\n{ Say = \"Hello.\", volume = 2 }]",
    ),
    (
        "bad-value",
        1,
        "voice = [{ Dial = \"+15005550006\", timeout = 1 }]",
    ),
    ("bad-number", 1, "voice = [{ Dial = \"5005550006\" }]"),
    (
        "bad-number",
        1,
        "when = { Called = \"+1500x\" }\nvoice = []",
    ),
    (
        "wrong-case",
        1,
        "when = { called = \"+15005550006\" }\nvoice = []",
    ),
    (
        "wrong-case",
        1,
        "when = { sessionStatus = \"Closed\" }\nvoice = []",
    ),
    (
        "bad-regex",
        1,
        "when = { Body = { regex = \"(\" } }\nvoice = []",
    ),
    (
        "unknown-directory",
        1,
        "when = { Called = { in = \"nowhere\" } }\nvoice = []",
    ),
    ("unknown-reply", 1, "reply = \"nothing\""),
    ("bad-template", 1, "voice = [{ Say = \"Hello {{ Caller\" }]"),
    (
        "open-destination",
        1,
        "voice = [{ Dial = \"{{ Digits }}\" }]",
    ),
    (
        "private-number",
        1,
        "voice = [{ Dial = \"{{ outboundParticipantIdentifier }}\" }]",
    ),
    ("wrong-type", 1, "when = { Digits = 1 }\nvoice = []"),
    (
        "wrong-channel",
        2,
        "voice = []\nmessage = [{ Say = \"Hello.\" }]",
    ),
    (
        "wrong-place",
        1,
        "voice = [{ Dial = [{ Say = \"Hello.\" }] }]",
    ),
    ("bad-url", 1, "voice = [{ Play = \"music.mp3\" }]"),
    (
        "unknown-step",
        1,
        "voice = [{ Redirect = \"?step=nowhere\" }]",
    ),
];

#[test]
fn two_hundred_mistakes_are_reported_at_once() {
    let mut text = String::from("[default]\nvoice = [{ Say = \"Goodbye.\" }]\n");
    let mut expected = Vec::new();
    for number in 0..200 {
        let (code, offset, lines) = MISTAKES[number % MISTAKES.len()];
        let name_line = text.matches('\n').count() + 2;
        expected.push((code, name_line + offset));
        text.push_str("[[route]]\nname = \"route-");
        text.push_str(&number.to_string());
        text.push_str("\"\n");
        text.push_str(lines);
        text.push('\n');
    }
    let found: Vec<(&str, usize)> = compile(&file(&text), &NoFiles)
        .expect_err("a table with mistakes")
        .iter()
        .map(|diagnostic| {
            let (line, _) = file(&text).position(diagnostic.span.start);
            (diagnostic.check.code, line)
        })
        .collect();
    assert_eq!(found.len(), 200);
    assert_eq!(found, expected);
}

#[test]
fn syntax_errors_stand_among_the_other_mistakes() {
    let text = "\
[directory.rides]
numbers = [+15005550006]

[[route]]
name = \"first\"
step = lost
when = { Called = { in = \"rides\" } }
voice = [{ say = \"Hello.\" }]

[[route]]
name = \"second\"
reply = \"sorry\"

[default]
voice = [{ Say = \"Goodbye.\", loop = 2000 }]
";
    let found: Vec<(&str, usize)> = diagnostics(text, &NoFiles)
        .iter()
        .map(|diagnostic| {
            (
                diagnostic.check.code,
                file(text).position(diagnostic.span.start).0,
            )
        })
        .collect();
    // The meaning of `step = lost` is clear, so everything else is still checked.
    assert_eq!(
        found,
        [
            ("wrong-type", 2),
            ("toml-syntax", 6),
            ("unreached-step", 6),
            ("unknown-element", 8),
            ("unknown-reply", 12),
            ("bad-value", 15),
        ]
    );
}

/// One change to a text: its place, as a share of the length, how many bytes to remove, and what to insert.
type Edit = (f64, usize, Insert);

#[derive(Debug, Clone)]
enum Insert {
    Text(String),
    /// This many bytes of another table, from this share of its length on.
    Splice(usize, f64, usize),
    /// The byte at the place, with this bit flipped.
    Flip(u8),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let pieces = prop::sample::select(vec![
        "\"",
        "'",
        "'''",
        "\"\"\"",
        "{{",
        "}}",
        "{",
        "}",
        "[",
        "]",
        "[[",
        "=",
        ",",
        "\n",
        "\r\n",
        "\u{feff}",
        "é",
        "\u{1F600}",
        "\0",
        "#",
        ".",
        "*",
        "+",
        "\\",
        "\\u00e9",
        "?step=é",
        "{{ é | é }}",
        "{{ Called | default(\"é",
        "1979-05-27",
        "0x1F",
    ]);
    let insert = prop_oneof![
        4 => pieces.prop_map(|piece| Insert::Text(piece.to_owned())),
        1 => "\\PC{0,8}".prop_map(Insert::Text),
        2 => (any::<usize>(), 0.0..1.0, 0..200_usize).prop_map(|(from, at, length)| Insert::Splice(from, at, length)),
        2 => (0..8_u8).prop_map(Insert::Flip),
    ];
    prop::collection::vec(
        (
            0.0..1.0,
            prop_oneof![3 => 0..4_usize, 1 => 0..200_usize],
            insert,
        ),
        1..6,
    )
}

/// The place at this share of a text's length.
fn place(bytes: &[u8], share: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let place = (bytes.len() as f64 * share) as usize;
    place.min(bytes.len())
}

fn edited(text: &str, tables: &[String], edits: &[Edit]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (share, cut, insert) in edits {
        let at = place(&bytes, *share);
        let end = (at + cut).min(bytes.len());
        match insert {
            Insert::Text(text) => drop(bytes.splice(at..end, text.bytes())),
            Insert::Splice(from, share, length) => {
                let other = tables[from % tables.len()].as_bytes();
                let start = place(other, *share);
                let part = &other[start..(start + length).min(other.len())];
                bytes.splice(at..end, part.iter().copied());
            }
            Insert::Flip(bit) => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every table of the project, the sample first.
fn tables() -> Vec<String> {
    let sample = include_str!("../responses.toml").to_owned();
    let others = names(".toml")
        .into_iter()
        .map(|name| fs::read_to_string(folder().join(name + ".toml")).expect("a table in UTF-8"));
    std::iter::once(sample).chain(others).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn mistakes_are_mended_together_as_they_are_alone(
        chosen in prop::collection::vec(0..MENDABLE.len() + UNMENDABLE.len(), 1..12),
    ) {
        let is_mended = |index: &&usize| **index < MENDABLE.len();
        let route = |index: usize, mended: bool| match MENDABLE.get(index) {
            Some((_, new)) if mended => (*new).to_owned(),
            Some((old, _)) => (*old).to_owned(),
            None => UNMENDABLE[index - MENDABLE.len()].to_owned(),
        };
        let routes = |mended| chosen.iter().map(|index| route(*index, mended)).collect::<Vec<_>>();
        let mended = mend(&file(&with_routes(&routes(false))), &NoFiles);
        prop_assert_eq!(&mended.table.text, &with_routes(&routes(true)));
        let mistakes = chosen.iter().filter(is_mended).count();
        prop_assert!(mended.count >= mistakes, "{} of {mistakes}", mended.count);
        let left = mended.result.map_or_else(|left| left, |compiled| compiled.warnings);
        // A route without conditions makes those after it unreachable.
        let is_left = |left: &&Diagnostic| left.severity == Severity::Error && left.check.code != "never-answers";
        prop_assert_eq!(left.iter().filter(is_left).count(), chosen.len() - mistakes, "{:?}", left);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn any_text_compiles_or_says_where_it_is_wrong(from in any::<usize>(), edits in edits()) {
        static TABLES: LazyLock<Vec<String>> = LazyLock::new(tables);
        let text = edited(&TABLES[from % TABLES.len()], &TABLES, &edits);
        let compiled = compile(&file(&text), &NoFiles);
        if let Err(diagnostics) = &compiled {
            prop_assert!(diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error), "{text}");
        }
        let diagnostics = compiled.map_or_else(|diagnostics| diagnostics, |compiled| compiled.warnings);
        prop_assert!(diagnostics.is_sorted_by_key(|diagnostic| diagnostic.span.start));
        for diagnostic in diagnostics {
            let span = diagnostic.span.clone();
            // `get` returns `None` for a span that is reversed, out of bounds, or splits a character.
            prop_assert!(text.get(span.clone()).is_some(), "{span:?} of {diagnostic:?} in\n{text}");
            if let Some(fix) = &diagnostic.fix {
                prop_assert!(text.get(fix.span.clone()).is_some(), "{fix:?} in\n{text}");
            }
            let drawn = diagnostic.draw(&Renderer::plain());
            prop_assert!(drawn.contains(diagnostic.check.code) && drawn.contains("--> responses.toml:"), "{drawn}");
        }
    }
}
