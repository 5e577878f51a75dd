//! A server in a process of its own, and what the system reports about it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Result, support};

/// The core for the servers, and the core for the load.
const SERVERS: &str = "0";
const LOAD: &str = "1";

/// The clock ticks per second in which the system counts processor time: 100 on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// The program to measure: `PROGRAM`, or the one that cargo has built with this benchmark.
pub fn program() -> Result<PathBuf> {
    let named = env::var_os("PROGRAM");
    let path = PathBuf::from(named.unwrap_or_else(|| env!("CARGO_BIN_EXE_twiml-responder").into()));
    // Each service is started in its own folder.
    fs::canonicalize(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The folder of a service's table.
pub const TABLE: &str = "table";

/// The log file of the service with this folder.
pub fn log(folder: &Path) -> PathBuf {
    folder.with_extension("log")
}

pub struct Server {
    process: Child,
    pub port: u16,
}

impl Server {
    /// Our service, with the table in the subfolder [`TABLE`]: signatures checked, logs and metrics on. The log is
    /// outside `folder`, because the service is notified of every write inside.
    pub fn service(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = pinned(program()?);
        command
            .current_dir(folder.join(TABLE))
            .env("TWILIO_AUTH_TOKEN", support::TOKEN)
            .args(["serve", "--public-url", "https://example.com"])
            .args([
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--admin",
                "127.0.0.1:0",
            ])
            .stderr(fs::File::create(log(folder))?);
        Self::start(command, port)
    }

    /// This program, running as a peer.
    pub fn peer(name: &str) -> Result<Self> {
        let port = free_port()?;
        let mut command = pinned(env::current_exe()?);
        command.args([name, &port.to_string()]);
        Self::start(command, port)
    }

    fn start(mut command: Command, port: u16) -> Result<Self> {
        let process = command.stdin(Stdio::null()).spawn()?;
        let server = Self { process, port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err("a server does not start".into());
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(server)
    }

    /// The processor time used so far, in user and kernel mode.
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = self.read("stat")?;
        let fields: Vec<&str> = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .collect();
        let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(Duration::from_secs_f64(ticks / TICKS_A_SECOND))
    }

    /// The memory in use now.
    pub fn resident_megabytes(&self) -> Result<f64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no VmRSS")?;
        Ok(kilobytes.parse::<f64>()? / 1024.0)
    }

    /// Makes it read its table again.
    pub fn reload(&self) {
        // Fails only when the server has crashed, and then its answers are missing, too.
        let _ = kill_process(Pid::from_child(&self.process), Signal::HUP);
    }

    fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.process.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Keeps this process off the servers' core.
pub fn pin_load() {
    let pinned = Command::new("taskset")
        .args(["-cp", LOAD, &process::id().to_string()])
        .stdout(Stdio::null())
        .status();
    if !pinned.is_ok_and(|status| status.success()) {
        eprintln!("taskset cannot part servers and load: the figures are less steady");
    }
}

fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", SERVERS]).arg(program);
    command
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
