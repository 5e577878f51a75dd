//! `lsp`, as an editor sees it: whole messages in, whole messages out, and whatever else an editor may send.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value as Json, json};
use support::{Folder, program};

const TABLE: &str = "[[route]]\nname = \"🙂\"\nwhen = { Caled = \"+15005550006\" }\nvoice = [ { Say = \"🙂\", langage = \"en-US\" } ]\n\
    [default]\nvoice = [ { Say = \"Hello.\" } ]\n";

/// A running server and the messages of its editor.
struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last_id: i32,
}

impl Editor {
    fn start(arguments: &[&str]) -> Self {
        let mut command = program();
        command.arg("lsp").args(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let input = child.stdin.take();
        Self {
            child,
            input,
            output,
            last_id: 0,
        }
    }

    /// One that has been greeted.
    fn open(arguments: &[&str]) -> Self {
        let mut editor = Self::start(arguments);
        let greeting = editor.ask("initialize", &json!({ "capabilities": {} }));
        assert_eq!(greeting["result"]["serverInfo"]["name"], "twiml-responder");
        editor.tell("initialized", &json!({}));
        editor
    }

    fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("it is open");
        input.write_all(bytes).expect("the server reads");
    }

    fn send(&mut self, message: &Json) {
        let text = message.to_string();
        self.write(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    fn tell(&mut self, method: &str, params: &Json) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The answer to a request.
    fn ask(&mut self, method: &str, params: &Json) -> Json {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.wait_for(|message| message["id"] == id)
    }

    /// The diagnostics of the next document that gets some.
    fn diagnostics(&mut self) -> Json {
        let published =
            self.wait_for(|message| message["method"] == "textDocument/publishDiagnostics");
        published["params"].clone()
    }

    fn wait_for(&mut self, is_it: impl Fn(&Json) -> bool) -> Json {
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                self.output.read_line(&mut line).expect("a header");
                match line.trim_end().split_once(": ") {
                    Some((_, value)) => length = value.parse().expect("a length"),
                    None if line.is_empty() => panic!("the server has ended"),
                    None => break,
                }
            }
            let mut bytes = vec![0; length];
            self.output.read_exact(&mut bytes).expect("a whole message");
            let message = serde_json::from_slice(&bytes).expect("JSON");
            if is_it(&message) {
                return message;
            }
        }
    }

    /// Closes its standard input; returns its exit code and what it complained about.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        let output = self.child.wait_with_output().expect("it ends");
        (
            output.status.code(),
            String::from_utf8(output.stderr).expect("UTF-8"),
        )
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn opened(uri: &str, text: &str) -> Json {
    json!({ "textDocument": { "uri": uri, "languageId": "toml", "version": 1, "text": text } })
}

fn range(start: (u32, u32), end: (u32, u32)) -> Json {
    let position = |(line, character)| json!({ "line": line, "character": character });
    json!({ "start": position(start), "end": position(end) })
}

#[test]
fn mistakes_are_shown_with_their_page_and_mended_in_place() {
    let folder = Folder::new("lsp-mistakes");
    let uri = uri(&folder.write("responses.toml", ""));
    let mut editor = Editor::open(&["--manual", "https://example.com/docs"]);
    editor.tell("textDocument/didOpen", &opened(&uri, TABLE));
    let found = editor.diagnostics();
    assert_eq!((&found["uri"], &found["version"]), (&json!(uri), &json!(1)));
    let name = &found["diagnostics"][1];
    assert_eq!(name["code"], "unknown-parameter");
    assert_eq!(
        name["codeDescription"]["href"],
        "https://example.com/docs/diagnostics.md#unknown-parameter"
    );
    let attribute = found["diagnostics"]
        .as_array()
        .expect("an array")
        .last()
        .expect("one");
    assert_eq!(attribute["code"], "unknown-attribute");
    // The smile before it counts twice.
    assert_eq!(attribute["range"], range((3, 24), (3, 31)));
    let text_document = json!({ "uri": uri, "version": 2 });
    let actions = editor.ask("textDocument/codeAction", &json!({
        "textDocument": text_document, "range": range((3, 26), (3, 26)), "context": { "diagnostics": [] },
    }));
    let action = &actions["result"][0];
    assert_eq!(
        (&action["kind"], &action["title"]),
        (&json!("quickfix"), &json!("did you mean `language`?"))
    );
    let edit = &action["edit"]["changes"][&uri][0];
    // What the action says and two edits more, one after the other.
    let changes = json!([
        { "range": edit["range"], "text": edit["newText"] },
        { "range": range((2, 9), (2, 14)), "text": "Called" },
        { "range": range((1, 9), (1, 10)), "text": "a" },
    ]);
    // The last one begins inside the smile.
    let changes_of = json!({ "textDocument": text_document, "contentChanges": changes });
    editor.tell("textDocument/didChange", &changes_of);
    let found = editor.diagnostics();
    assert_eq!(
        (&found["version"], &found["diagnostics"]),
        (&json!(2), &json!([])),
        "{found}"
    );
    editor.ask("shutdown", &Json::Null);
    editor.tell("exit", &Json::Null);
    assert_eq!(editor.end(), (Some(0), String::new()));
}

#[test]
fn a_directory_file_is_read_as_it_is_in_the_editor() {
    let folder = Folder::new("lsp-directory");
    let table = TABLE.replace("Caled = \"+15005550006\"", "Called = { in = \"d\" }");
    let table = format!(
        "[directory.d]\nfile = \"d.csv\"\n{}",
        table
            .replace(", langage = \"en-US\"", "")
            .replace("name = \"🙂\"", "name = \"a\"")
    );
    let table_uri = uri(&folder.write("responses.toml", &table));
    let file_uri = uri(&folder.write("d.csv", "number,name\n+15005550006,Ann\n"));
    let mut editor = Editor::open(&[]);
    editor.tell("textDocument/didOpen", &opened(&table_uri, &table));
    assert_eq!(editor.diagnostics()["diagnostics"], json!([]));
    editor.tell(
        "textDocument/didOpen",
        &opened(&file_uri, "number,name\n1500555000x,Ann\n"),
    );
    let found = [editor.diagnostics(), editor.diagnostics()];
    let of_file = found
        .iter()
        .find(|one| one["uri"] == json!(file_uri))
        .expect("the file has diagnostics");
    assert_eq!(of_file["diagnostics"][0]["code"], "bad-number", "{of_file}");
    let line = table.lines().position(|line| line.starts_with("voice"));
    let line = u32::try_from(line.expect("a reply")).expect("few lines");
    let change = json!({ "range": range((line, 19), (line, 21)), "text": "{{ d." });
    let document = json!({ "uri": table_uri, "version": 3 });
    let changes_of = json!({ "textDocument": document, "contentChanges": [change] });
    editor.tell("textDocument/didChange", &changes_of);
    let at = json!({ "line": line, "character": 24 });
    let offers = editor.ask(
        "textDocument/completion",
        &json!({ "textDocument": document, "position": at }),
    );
    let items = offers["result"]["items"].as_array().expect("offers");
    assert!(
        items.iter().any(|item| item["label"] == "d.name"),
        "{offers}"
    );
    editor.tell(
        "textDocument/didClose",
        &json!({ "textDocument": document }),
    );
    for uri in [&file_uri, &table_uri] {
        editor.wait_for(|message| {
            let params = &message["params"];
            params["uri"] == *uri && params["diagnostics"] == json!([])
        });
    }
    // The end of its input is as good as `exit`.
    assert_eq!(editor.end(), (Some(0), String::new()));
}

#[test]
fn whatever_else_is_asked_has_an_answer() {
    let mut editor = Editor::start(&[]);
    assert_eq!(
        editor.ask("textDocument/hover", &json!({}))["error"]["code"],
        -32002
    );
    editor.ask("initialize", &json!({ "capabilities": {} }));
    editor.tell("textDocument/didOpen", &opened("untitled:1", TABLE));
    for (method, params, code) in [
        ("initialize", json!({}), -32601),
        ("textDocument/foldingRange", json!({}), -32601),
        ("textDocument/hover", json!({}), -32602),
        (
            "textDocument/hover",
            json!({ "textDocument": { "uri": "x" }, "position": { "line": -1, "character": 0 } }),
            -32602,
        ),
        ("textDocument/definition", json!([1]), -32602),
    ] {
        let answer = editor.ask(method, &params);
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    for (line, character) in [
        (0, 0),
        (1, 8),
        (1, 9),
        (3, 20),
        (3, u32::MAX),
        (u32::MAX, 0),
        (6, 0),
    ] {
        for uri in ["untitled:1", "file:///not/open"] {
            for method in ["completion", "hover", "definition", "references"] {
                let position = json!({ "line": line, "character": character });
                let params = json!({ "textDocument": { "uri": uri }, "position": position });
                let answer = editor.ask(&format!("textDocument/{method}"), &params);
                assert!(answer.get("result").is_some(), "{answer}");
            }
        }
    }
    let ahead = json!([{ "range": range((9, 9), (0, 0)), "text": "x" }]);
    let document = json!({ "uri": "untitled:1", "version": 2 });
    editor.tell(
        "textDocument/didChange",
        &json!({ "textDocument": document, "contentChanges": ahead }),
    );
    editor.tell("textDocument/didChange", &json!({ "textDocument": { "uri": "file:///not/open" }, "contentChanges": [{ "text": "" }] }));
    editor.tell("$/unknown", &json!(null));
    editor.tell("textDocument/didOpen", &json!({}));
    editor.write(b"Content-Length: 2\r\n\r\n}{");
    let lenses = editor.ask(
        "textDocument/codeLens",
        &json!({ "textDocument": document }),
    );
    assert_eq!(lenses["result"], json!([]));
    editor.ask("shutdown", &Json::Null);
    assert_eq!(
        editor.ask("textDocument/hover", &json!({}))["error"]["code"],
        -32600
    );
    let (code, complaints) = editor.end();
    assert_eq!(code, Some(0));
    assert_eq!(complaints.lines().count(), 2, "{complaints}");
}

#[test]
fn what_is_not_a_message_ends_the_server() {
    let mut editor = Editor::open(&[]);
    editor.write(b"Content-Length: 99999999999\r\n\r\n");
    let (code, complaint) = editor.end();
    let wanted = "error: cannot read the editor's messages: a message of 99999999999 bytes is longer than 67108864\n";
    assert_eq!((code, &*complaint), (Some(2), wanted));
    let mut editor = Editor::open(&[]);
    editor.tell("exit", &Json::Null);
    assert_eq!(editor.end(), (Some(1), String::new()));
}
