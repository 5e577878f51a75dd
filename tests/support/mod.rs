//! Running the program as a person does: arguments in, exit code and both outputs out.

// Each test file is a crate of its own and uses only a part of this.
#![allow(dead_code, unreachable_pub)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The top of the project, where `responses.toml` is.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a run left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The program with nothing of ours in its environment, in the top folder of the project.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twiml-responder"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("TWIML_RESPONDER_")
            || name.starts_with("TWILIO_")
            || name == "CREDENTIALS_DIRECTORY"
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

/// A folder of its own for a test, empty at its start and gone at its end.
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

/// The service, running on a port of its own.
pub struct Service {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Service {
    /// Starts `serve` on a free port and waits until its log says where it listens.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments);
        command
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the service can be started");
        let mut stderr = BufReader::new(child.stderr.take().expect("its log is piped"));
        let mut log = String::new();
        let address = loop {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).expect("the log is text");
            assert!(read > 0, "the service ended before it listened:\n{log}");
            log.push_str(&line);
            if let Some((_, after)) = line.split_once("listening on 127.0.0.1:") {
                let port: String = after.chars().take_while(char::is_ascii_digit).collect();
                break format!("127.0.0.1:{port}");
            }
        };
        let log = std::thread::spawn(move || {
            let _ = stderr.read_to_string(&mut log);
            log
        });
        Self {
            child,
            address,
            log: Some(log),
        }
    }

    /// Ends the service by a signal and gives its exit code and its whole log.
    pub fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let killed = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(
            killed.is_ok_and(|status| status.success()),
            "the service takes {signal}"
        );
        let status = self.child.wait().expect("the service ends");
        let log = self
            .log
            .take()
            .expect("it is taken once")
            .join()
            .expect("the log was read");
        (status.code(), log)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
