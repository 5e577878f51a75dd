//! `import`: from documents to routes and back. `UPDATE=1 cargo test --test import` rewrites the expected files.

mod support;

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use support::{program, run};
use twiml_responder::language::import::{Imported, MAX_BYTES, Note, import};
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::answer::{Asked, answer};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::twilio::channel::Channel;
use twiml_responder::twilio::request::{Form, Request, Webhook};
use twiml_responder::twilio::vocabulary::{self, Destination, ElementSpec};

const DEFAULT: &str = "\n[default]\nvoice = [ { Say = \"default\" } ]\n";

fn folder() -> PathBuf {
    support::top().join("tests/import")
}

/// The documents of `tests/import`, by name, sorted.
fn documents() -> Vec<(String, String)> {
    let mut documents: Vec<(String, String)> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a document");
            (name.into_owned(), text)
        })
        .collect();
    documents.sort();
    documents
}

/// The notes about a document, one per line.
fn notes(name: &str, result: &Result<Imported, Note>) -> String {
    match result {
        Ok(imported) => imported.notes.iter().fold(String::new(), |mut text, note| {
            let left_out = if note.left_out { "-" } else { "+" };
            let _ = writeln!(text, "{left_out} {name}.xml:{note}");
            text
        }),
        Err(error) => format!("error: {name}.xml:{error}\n"),
    }
}

/// Compares a text with a file, which must not exist when the text is empty; with `UPDATE` the file is written instead.
fn expect(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        let result = if text.is_empty() {
            std::fs::remove_file(path).or(Ok(()))
        } else {
            std::fs::write(path, text)
        };
        return result.expect("the file can be written");
    }
    let wanted = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(text, wanted, "{}", path.display());
}

#[test]
fn documents_become_the_routes_beside_them() {
    for (name, text) in documents() {
        let result = import(&name, &text);
        if let Ok(imported) = &result {
            for note in imported.notes.iter().filter(|note| note.left_out) {
                assert!(imported.toml.contains(&format!("# {note}\n")), "{note}");
            }
        }
        let toml = result.as_ref().map(|imported| imported.toml.as_str());
        expect(
            &folder().join(format!("{name}.toml")),
            toml.unwrap_or_default(),
        );
        expect(
            &folder().join(format!("{name}.notes")),
            &notes(&name, &result),
        );
    }
}

#[test]
fn every_route_compiles_alone_and_explains_its_document() {
    let mut compared = 0;
    for (name, text) in documents() {
        let Ok(imported) = import(&name, &text) else {
            continue;
        };
        let Some(document) = rendered(&imported) else {
            continue;
        };
        // Notes mean that the document has changed, except those about the caller ID, which is a known difference.
        let is_same = imported.notes.iter().all(|note| {
            note.message.starts_with("this <Dial>") || note.message.starts_with("treated as")
        });
        if is_same && !text.contains("{{") {
            compared += 1;
            assert_eq!(canonical(&document), canonical(&text), "{name}");
        }
    }
    assert!(compared >= 6, "{compared} documents were compared");
}

/// The document that a call or a text gets from the imported route alone in a table; `None` when nothing of the
/// document, and so no route, is left.
fn rendered(imported: &Imported) -> Option<String> {
    let text = format!("{}{DEFAULT}", imported.toml);
    let compiled = compile(&File::new("imported.toml", text.as_str()), &NoFiles);
    let table = compiled
        .unwrap_or_else(|diagnostics| panic!("{text}\n{diagnostics:?}"))
        .table;
    if table.routes().is_empty() {
        assert!(!imported.is_complete(), "{text}");
        return None;
    }
    assert_eq!(table.routes().len(), 1);
    let body = if table.routes()[0].voice.is_some() {
        "CallSid=CA1&Called=%2B15005550006&Caller=%2B14155550100"
    } else {
        "MessageSid=SM1&To=%2B15005550006&From=%2B14155550100"
    };
    let (body, query) = (Form::parse(body.as_bytes()), Form::default());
    let request = Request::new(Webhook::OutOfSession, &body, &query);
    let asked = Asked {
        request: &request,
        url: "https://self.invalid/out-of-session",
        token: "",
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let answer = answer(&table, &LoopGuard::new(), &asked);
    assert_eq!(answer.failure, None, "{text}");
    assert_eq!(answer.route, &*table.routes()[0].name);
    Some(String::from_utf8(answer.body.to_vec()).expect("a document is text"))
}

/// A document without anything that has no meaning: comments, layout, the order of attributes, the way characters are
/// written. A Dial of a person gets our own number as its caller ID, which the table adds.
fn canonical(document: &str) -> String {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Part::default()];
    loop {
        match reader.read_event().expect("a document") {
            Event::Start(start) => open.push(Part::new(&start)),
            Event::Empty(start) => {
                let part = Part::new(&start);
                open.last_mut().expect("an element").children.push(Ok(part));
            }
            Event::End(_) => {
                let part = open.pop().expect("a start");
                open.last_mut().expect("an element").children.push(Ok(part));
            }
            Event::Text(text) => open
                .last_mut()
                .expect("an element")
                .text(&text.xml10_content()),
            Event::CData(text) => open
                .last_mut()
                .expect("an element")
                .text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*reference))
                    .expect("an entity")
                    .into_owned();
                open.last_mut().expect("an element").text(&text);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    open.pop().expect("the file").write()
}

#[derive(Default)]
struct Part {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Result<Part, String>>,
}

impl Part {
    fn new(start: &BytesStart<'_>) -> Self {
        let mut attributes: Vec<(String, String)> = start
            .attributes()
            .map(|attribute| {
                let attribute = attribute.expect("an attribute");
                let value = attribute
                    .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                    .expect("a value");
                (attribute.key.0.to_owned(), value.into_owned())
            })
            .collect();
        attributes.sort();
        Self {
            name: start.name().0.to_owned(),
            attributes,
            children: Vec::new(),
        }
    }

    fn text(&mut self, text: &str) {
        match self.children.last_mut() {
            Some(Err(before)) => before.push_str(text),
            _ => self.children.push(Err(text.to_owned())),
        }
    }

    fn write(mut self) -> String {
        let reaches = |child: &Result<Self, String>| match child {
            Ok(noun) => ["Number", "Sip", "Client", "WhatsApp"].contains(&noun.name.as_str()),
            Err(text) => !text.trim().is_empty(),
        };
        let sets = self.attributes.iter().any(|(name, _)| name == "callerId");
        if self.name == "Dial" && !sets && self.children.iter().any(reaches) {
            self.attributes
                .push(("callerId".into(), "+15005550006".into()));
            self.attributes.sort();
        }
        let is_word = matches!(
            self.name.as_str(),
            "emphasis" | "lang" | "prosody" | "w" | "sub" | "phoneme" | "say-as"
        );
        let parts = |child: Option<&Result<Self, String>>| match child {
            Some(Ok(element)) => ["break", "p", "s"].contains(&element.name.as_str()),
            Some(Err(_)) => false,
            None => !is_word,
        };
        let mut text = format!("<{}", self.name);
        for (name, value) in &self.attributes {
            let _ = write!(text, " {name}={value:?}");
        }
        text.push('>');
        for position in 0..self.children.len() {
            let before = position.checked_sub(1).map(|before| &self.children[before]);
            let after = self.children.get(position + 1);
            if let Err(words) = &self.children[position] {
                let mut words = words
                    .split([' ', '\t', '\n', '\r'])
                    .collect::<Vec<_>>()
                    .join(" ");
                while words.contains("  ") {
                    words = words.replace("  ", " ");
                }
                let is_layout = words == " " && (parts(before) || parts(after));
                if before.is_none() && !is_word {
                    words = words.trim_start_matches(' ').to_owned();
                }
                if after.is_none() && !is_word {
                    words = words.trim_end_matches(' ').to_owned();
                }
                if !is_layout && !words.is_empty() && !self.is_holder(&words) {
                    let _ = write!(text, "{words:?}");
                }
            }
            if let Ok(child) = &mut self.children[position] {
                text.push_str(&std::mem::take(child).write());
            }
        }
        text + ">"
    }

    /// Whether blanks between the children are only layout.
    fn is_holder(&self, words: &str) -> bool {
        words.trim().is_empty()
            && !self.name.starts_with(|first: char| first.is_lowercase())
            && self.name != "Say"
    }
}

/// A sequence of bytes that make the decisions; 0 after the end.
struct Dice<'d>(std::slice::Iter<'d, u8>);

impl Dice<'_> {
    fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % sides.max(1)
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.roll(from.len())]
    }
}

const WORDS: [&str; 12] = [
    "Hello",
    "it's {here}",
    "\"quoted\"",
    "a\\b",
    "5 < 6 & 7",
    "  two  blanks ",
    "line\nbreak",
    "é€😀",
    "}}",
    "{",
    "a fairly long sentence that makes a line of the table so long that it has to be folded",
    "x",
];

/// A document that follows TwiML's rules, with allowed values.
fn document(dice: &mut Dice<'_>) -> String {
    let channel = Channel::ALL[dice.roll(2)];
    let response = vocabulary::response(channel);
    let mut text = String::from("<Response>");
    for _ in 0..dice.roll(4) {
        children(channel, response, dice, 0, &mut text);
    }
    text + "</Response>"
}

fn children(
    channel: Channel,
    parent: &ElementSpec,
    dice: &mut Dice<'_>,
    depth: usize,
    text: &mut String,
) {
    let names: Vec<&str> = parent.child_names().collect();
    let name = dice.pick(&names);
    let spec = vocabulary::child_of(channel, parent, name).expect("a child of its parent");
    let _ = write!(text, "<{name}");
    let names: Vec<&str> = spec.attribute_names().collect();
    let mut used = Vec::new();
    for _ in 0..dice.roll(3).min(names.len()) {
        let name = dice.pick(&names);
        let (_, attribute) = spec.attribute(name).expect("its attribute");
        let known = &attribute.values;
        let candidates = [
            "7",
            "true",
            "https://example.com/a?b=1&c=2",
            "wss://example.com/s",
            "+14155550100",
            "a 'b' \"c\"",
        ];
        let value = if known.is_empty() {
            let start = dice.roll(candidates.len());
            let turned = candidates.iter().cycle().skip(start).take(candidates.len());
            turned.copied().find(|value| attribute.check(value).is_ok())
        } else {
            Some(dice.pick(known))
        };
        if let Some(value) = value.filter(|_| !used.contains(&name)) {
            used.push(name);
            let _ = write!(text, " {name}=\"{}\"", quick_xml::escape::escape(value));
        }
    }
    text.push('>');
    let is_prose = channel == Channel::Voice
        && (name == "Say" || vocabulary::parents(channel, name).contains(&"Say"));
    let has_children = spec.child_names().next().is_some();
    if is_prose && spec.text {
        for _ in 0..=dice.roll(3) {
            if has_children && depth < 4 && dice.roll(2) == 1 {
                children(channel, spec, dice, depth + 1, text);
            } else {
                text.push_str(&quick_xml::escape::escape(dice.pick(&WORDS)));
            }
        }
    } else if spec.text && (!has_children || dice.roll(2) == 0) {
        let words = match spec.destination {
            Some(Destination::Url) => "\n https://example.com/x ",
            Some(Destination::Number | Destination::Sender | Destination::Address) => {
                " +14155550123\n"
            }
            Some(Destination::Sip) => "sip:desk@example.com",
            _ => dice.pick(&WORDS),
        };
        text.push_str(&quick_xml::escape::escape(words));
    } else if has_children {
        for _ in 0..=dice.roll(3) {
            text.push_str(dice.pick(&["", "\n  ", "<!-- a note -->", ""]));
            children(channel, spec, dice, depth + 1, text);
        }
    }
    let _ = write!(text, "</{name}>");
}

#[test]
fn what_is_carried_over_whole_renders_back() {
    let (whole, in_part) = (Cell::new(0), Cell::new(0));
    let strategy = prop::collection::vec(any::<u8>(), 0..80);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&strategy, |bytes| {
            let text = document(&mut Dice(bytes.iter()));
            let imported = import("random", &text).expect("TwiML");
            let rendered = rendered(&imported);
            if imported.is_complete() {
                whole.set(whole.get() + 1);
                prop_assert_eq!(
                    canonical(&rendered.expect("a whole document has a route")),
                    canonical(&text),
                    "{}\n{}",
                    text,
                    imported.toml
                );
            } else {
                in_part.set(in_part.get() + 1);
            }
            prop_assert_eq!(import("random", &text), Ok(imported));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(
        whole.get() > 1000,
        "{} of {} whole",
        whole.get(),
        in_part.get()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_route_compiles(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "<Response>", "</Response>", "<Say>", "</Say>", "<Dial>", "</Dial>", "<Message to='x'>", "<break/>",
                    "<Gather ", "action='", "'>", "</Gather>", "<![CDATA[", "]]>", "<!--", "-->", "&amp;", "&#", ";",
                    "{{From}}", "{{#a}}", "{{/a}}", "{{", "+14155550100", "<?xml version='1.0'?>", "\u{feff}",
                    "<Say>Hello</Say>", "<Hangup/>", "<Dial>1</Dial>", "<Play/>", "<Pause length='0'/>",
                ]).prop_map(str::to_owned),
                "\\PC{0,3}",
            ],
            0..12,
        ),
        is_inside in any::<bool>(),
    ) {
        let text = pieces.concat();
        let text = if is_inside { format!("<Response>{text}</Response>") } else { text };
        match import(&text, &text) {
            Ok(imported) => drop(rendered(&imported)),
            Err(error) => prop_assert!(error.line >= 1 && error.column >= 1),
        }
    }
}

#[test]
fn what_never_fits_in_a_document_is_an_error() {
    let verbs = format!("<Say>{}</Say>", "word ".repeat(500)).repeat(30);
    let text = format!("<!-- large -->\n<Response>{verbs}</Response>");
    let error = import("large", &text).expect_err("too large");
    assert_eq!(
        error.to_string(),
        "2:1: the document is larger than 64000 bytes"
    );
}

#[test]
fn a_document_far_too_long_for_twilio_is_not_read() {
    let text = format!("<Response>{}</Response>", " ".repeat(MAX_BYTES));
    let wanted = "1:1: the document is larger than 262144 bytes";
    assert_eq!(
        import("long", &text).expect_err("too long").to_string(),
        wanted
    );

    let folder = support::Folder::new("import-long");
    let path = folder.path().join("long.xml");
    std::fs::write(&path, text).expect("a file of the test");
    let ran = run(program().arg("import").arg(&path));
    let wanted = format!("error: {}:{wanted}\n", path.display());
    assert_eq!((ran.code, ran.stderr), (Some(2), wanted));
}

#[test]
fn many_refused_verbs_are_taken_out_in_time() {
    let text = format!("<Response><Hangup/>{}</Response>", "<Pause/>".repeat(500));
    let imported = import("many", &text).expect("TwiML");
    assert_eq!(imported.notes.len(), 500);
    assert!(
        imported.toml.ends_with("= [\n  { Hangup = \"\" },\n]\n"),
        "{}",
        imported.toml
    );
}

#[test]
fn deep_documents_are_carried_over() {
    let (open, close) = ("<emphasis>".repeat(30), "</emphasis>".repeat(30));
    let text = format!("<Response><Say>{open}deep{close}</Say></Response>");
    let imported = import("deep", &text).expect("TwiML");
    assert!(imported.is_complete(), "{:?}", imported.notes);
    assert_eq!(
        canonical(&rendered(&imported).expect("a route")),
        canonical(&text)
    );
}

#[test]
fn the_command_prints_the_route_and_exits_by_what_is_left_out() {
    for (name, code) in [
        ("greeting", 0),
        ("dial", 0),
        ("left-out", 1),
        ("unclosed", 2),
        ("fax", 2),
    ] {
        let file = format!("tests/import/{name}.xml");
        let ran = run(program().args(["import", &file]));
        let toml =
            std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap_or_default();
        let notes =
            std::fs::read_to_string(folder().join(format!("{name}.notes"))).unwrap_or_default();
        let notes: String = notes
            .lines()
            .map(|line| {
                let line = line.trim_start_matches(['+', '-']).trim_start();
                line.replacen(&format!("{name}.xml"), &file, 1) + "\n"
            })
            .collect();
        assert_eq!(
            (ran.code, ran.stdout, ran.stderr),
            (Some(code), toml, notes),
            "{name}"
        );
    }
}

#[test]
fn the_command_reads_standard_input_and_says_what_it_cannot_read() {
    let input = std::fs::File::open(folder().join("empty.xml")).expect("a document");
    let ran = run(program().args(["import", "-"]).stdin(input));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("[[route]]\nname = \"imported\"\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr.starts_with("standard input:1:1: treated as "),
        "{}",
        ran.stderr
    );

    let ran = run(program().args(["import", "no-such-file.xml"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(
        ran.stderr
            .starts_with("error: cannot read no-such-file.xml: "),
        "{}",
        ran.stderr
    );

    let folder = support::Folder::new("import-encoding");
    let path = folder.path().join("latin.xml");
    std::fs::write(&path, b"<Response><Say>caf\xe9</Say></Response>").expect("a file of the test");
    let ran = run(program().arg("import").arg(&path));
    let wanted = format!(
        "error: the document {} is not UTF-8: save it as UTF-8\n",
        path.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(2), wanted));
}
