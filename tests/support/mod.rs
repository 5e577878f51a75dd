//! Runs the program as a person would: arguments in, exit code and both outputs out.

// Each test file is a crate of its own and uses only part of this.
#![allow(dead_code, unreachable_pub)]

pub mod help;
pub mod terminal;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest that a test waits for anything before it fails.
const LONG: Duration = Duration::from_secs(30);

/// The top of the project, where `responses.toml` is.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The result of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The program, with none of our variables in its environment, in the top folder of the project.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twiml-responder"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("TWIML_RESPONDER_")
            || name.starts_with("TWILIO_")
            || name.starts_with("LISTEN_")
            || name.starts_with("WATCHDOG_")
            || name == "NOTIFY_SOCKET"
            || name == "CREDENTIALS_DIRECTORY"
            || name == "STATE_DIRECTORY"
        {
            command.env_remove(name);
        }
    }
    command.current_dir(top()).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    let output = command.output().expect("the program can be started");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A separate folder for a test, empty at its start and removed at its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file of the test");
        path
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The service, running on its own port.
pub struct Service {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
    log: Arc<LiveLog>,
    reader: Option<JoinHandle<()>>,
}

/// What a service has logged so far.
#[derive(Default)]
struct LiveLog {
    text: Mutex<String>,
    has_more: Condvar,
}

impl LiveLog {
    fn read(&self, stderr: impl Read) {
        for line in BufReader::new(stderr).lines() {
            let line = line.expect("the log is text");
            let mut text = self.text.lock().expect("no panic");
            text.push_str(&line);
            text.push('\n');
            self.has_more.notify_all();
        }
    }
}

impl Service {
    /// Starts `serve` on a free port and waits until its log says where it listens.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(environment.iter().copied());
        Self::start_by(&mut command)
    }

    /// Starts the service with a command that has all of its arguments.
    pub fn start_by(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the service can be started");
        let stderr = child.stderr.take().expect("its log is piped");
        let log = Arc::new(LiveLog::default());
        let written = Arc::clone(&log);
        let mut service = Self {
            child,
            address: String::new(),
            log,
            reader: Some(std::thread::spawn(move || written.read(stderr))),
        };
        let line = service.wait_for("listening on 127.0.0.1:", 1);
        let (_, after) = line
            .split_once("listening on 127.0.0.1:")
            .expect("it is there");
        let port: String = after.chars().take_while(char::is_ascii_digit).collect();
        service.address = format!("127.0.0.1:{port}");
        service
    }

    /// The id of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.text.lock().expect("no panic").clone()
    }

    /// Waits until this occurs in that many lines of its log, and returns the last of them.
    #[track_caller]
    pub fn wait_for(&self, words: &str, times: usize) -> String {
        let deadline = Instant::now() + LONG;
        let mut text = self.log.text.lock().expect("no panic");
        loop {
            let mut lines = text.lines().filter(|line| line.contains(words));
            if let Some(line) = lines.nth(times - 1) {
                return line.to_owned();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let is_over = self.reader.as_ref().is_none_or(JoinHandle::is_finished);
            assert!(
                !left.is_zero() && !is_over,
                "no {words:?} {times} times in the log:\n{text}"
            );
            // In short steps, because the end of the service does not wake this thread.
            let a_while = left.min(Duration::from_millis(100));
            (text, _) = self
                .log
                .has_more
                .wait_timeout(text, a_while)
                .expect("no panic");
        }
    }

    /// Sends it a signal, such as `-HUP`.
    pub fn signal(&self, signal: &str) {
        let killed = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(
            killed.is_ok_and(|status| status.success()),
            "the service takes {signal}"
        );
    }

    /// Ends the service with a signal and returns its exit code and its whole log.
    pub fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let status = self.child.wait().expect("the service ends");
        let reader = self.reader.take().expect("it is taken once");
        reader.join().expect("the log was read");
        (status.code(), self.log())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
