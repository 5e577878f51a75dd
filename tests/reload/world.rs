//! A folder with a table, the service that uses it, and a caller.

// Shared by the tests of this crate only.
#![allow(unreachable_pub)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use twiml_responder::twilio::request::Form;
use twiml_responder::twilio::signature::{Algorithm, Content, Secret, sign};

use crate::support::{Folder, Service};

/// The longest that a test waits for anything before it fails.
pub const LONG: Duration = Duration::from_secs(30);

/// A log line of a successful reload, and one of a failed reload.
pub const RELOADED: &str = " reloaded ";
pub const FAILED: &str = "the reload failed";

/// A table that says one word to every caller. The default comes first, so that the first part alone is also a valid
/// table.
pub fn table(word: &str) -> String {
    format!(
        "[default]\nvoice = [ {{ Say = \"default\" }} ]\n\n\
         [[route]]\nname = \"route\"\nvoice = [ {{ Say = \"{word}\" }} ]\n"
    )
}

/// A table that says one word, and another one from a directory file.
pub fn table_with(word: &str, file: &str) -> String {
    format!(
        "[default]\nvoice = [ {{ Say = \"default\" }} ]\n\n\
         [directory.d]\nfile = \"{file}\"\n\n\
         [[route]]\nname = \"route\"\nwhen = {{ Called = {{ in = \"d\" }} }}\n\
         voice = [ {{ Say = \"{word} {{{{ d.word }}}}\" }} ]\n"
    )
}

/// A directory file with the same word in all rows.
pub fn rows(word: &str, count: usize) -> String {
    let rows = (0..count).map(|row| format!("+1500555{row:04},{word}\n"));
    std::iter::once("number,word\n".to_owned())
        .chain(rows)
        .collect()
}

/// A folder with `responses.toml` and the service that uses it.
pub struct World {
    pub folder: Folder,
    pub service: Service,
}

impl World {
    /// A service with these files that needs no signatures.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = folder(name, files);
        let service = serve(&folder, &[]);
        Self { folder, service }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        self.folder.write(name, text);
    }

    /// Writes a file under another name and renames it into place, as editors do.
    pub fn replace(&self, name: &str, text: &str) {
        let new = self.folder.write(&format!("{name}.new"), text);
        fs::rename(new, self.path(name)).expect("a rename");
    }

    /// What callers of the first row hear.
    pub fn says(&self) -> String {
        says(&self.service)
    }

    /// Waits until callers hear this.
    #[track_caller]
    pub fn wait_until_it_says(&self, words: &str) {
        let deadline = Instant::now() + LONG;
        while self.says() != words {
            assert!(
                Instant::now() < deadline,
                "it says {:?}, not {words:?}:\n{}",
                self.says(),
                self.service.log()
            );
            // A pause between two checks, so that the service can run.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many lines of the log so far contain this.
    pub fn count(&self, words: &str) -> usize {
        count(&self.service.log(), words)
    }
}

pub fn count(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

pub fn folder(name: &str, files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(&format!("reload-{name}"));
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        folder.write(name, text);
    }
    folder
}

/// The service with `responses.toml` in a folder, without signatures.
pub fn serve(folder: &Folder, arguments: &[&str]) -> Service {
    let table = folder.path().join("responses.toml");
    let table = text(&table);
    let arguments = [&["--table", table, "--allow-unsigned"], arguments].concat();
    Service::start(&arguments, &[])
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

const FORM: &str =
    "AccountSid=AC00000000000000000000000000000001&Called=%2B15005550000&Caller=%2B14155550100";

static CALLS: AtomicUsize = AtomicUsize::new(1);

/// What a caller hears: the text of the only Say.
#[track_caller]
pub fn says(service: &Service) -> String {
    said(&asked(service, None)).to_owned()
}

/// The words in an answer.
#[track_caller]
pub fn said(answer: &str) -> &str {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, after) = answer.split_once("<Say>").expect(answer);
    let (said, _) = after.split_once("</Say>").expect(answer);
    said
}

/// The whole answer to a call, signed with a token or not at all.
pub fn asked(service: &Service, token: Option<&str>) -> String {
    let address = &service.address;
    // Each call is a new one, because the guard stops a call that comes back too often.
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let body = format!("CallSid=CA{call:032x}&{FORM}");
    let signature = token.map_or(String::new(), |token| {
        let form = Form::parse(body.as_bytes());
        let url = format!("http://{address}/webhook");
        let (secret, content) = (Secret::new(token), Content::Form(&form));
        let signature = sign(&secret, Algorithm::HmacSha1, &url, content);
        format!("X-Twilio-Signature: {signature}\r\n")
    });
    let request = format!(
        "POST /webhook HTTP/1.1\r\nHost: {address}\r\n{signature}Connection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(address, &request)
}

/// The status of an answer to a GET.
pub fn get(service: &Service, target: &str) -> u16 {
    let address = &service.address;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let answer = exchange(address, &request);
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.expect(&answer)
}

fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the service accepts");
    stream.set_read_timeout(Some(LONG)).expect("a deadline");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
