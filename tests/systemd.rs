//! What systemd sees of the service: its messages, and the sockets that it passes to the service.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Folder, Service, program, run, top};

const TOKEN: &str = "2bd9e9638872de601313dc77410d3b23";

/// The longest that a test waits for a message before it fails.
const LONG: Duration = Duration::from_secs(20);

/// The socket that systemd would read.
struct Manager {
    socket: UnixDatagram,
    folder: Folder,
}

impl Manager {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let socket = UnixDatagram::bind(folder.path().join("n")).expect("a socket");
        socket.set_read_timeout(Some(LONG)).expect("a time");
        Self { socket, folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("n").display().to_string()
    }

    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// The next message, which must contain this line; watchdog messages are skipped.
    #[track_caller]
    fn expect(&self, line: &str) -> Vec<String> {
        let message = std::iter::repeat_with(|| self.next())
            .find(|message| message != "WATCHDOG=1\n")
            .unwrap_or_default();
        let lines: Vec<String> = message.lines().map(str::to_owned).collect();
        assert!(lines.iter().any(|got| got == line), "{line} in {lines:?}");
        lines
    }
}

fn status(lines: &[String]) -> &str {
    let mut statuses = lines.iter().filter_map(|line| line.strip_prefix("STATUS="));
    statuses.next().expect("a status")
}

#[test]
fn systemd_is_told_of_start_reload_and_end() {
    let manager = Manager::new("notify");
    let path = manager.path();
    let file = manager.folder.write(
        "responses.toml",
        &std::fs::read_to_string(top().join("responses.toml")).expect("the sample"),
    );
    let config = file.to_str().expect("UTF-8");
    let environment = [("TWILIO_AUTH_TOKEN", TOKEN), ("NOTIFY_SOCKET", &*path)];
    let service = Service::start(&["--table", config, "--drain-delay", "1s"], &environment);
    let first = manager.expect("READY=1");
    assert!(status(&first).contains("routes, table "), "{first:?}");

    service.signal("-HUP");
    let reloading = manager.expect("RELOADING=1");
    let since = reloading
        .iter()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="))
        .expect("the time, in the same message");
    assert!(since.parse::<u64>().is_ok_and(|since| since > 0), "{since}");
    assert_eq!(manager.expect("READY=1"), first);

    // A bad edit: the reload ends all the same, and reports its result.
    std::fs::write(&file, "nonsense").expect("an edit");
    service.signal("-HUP");
    let told = loop {
        manager.expect("RELOADING=1");
        let ready = manager.expect("READY=1");
        if ready != first {
            break ready;
        }
    };
    assert!(status(&told).contains("the last reload failed"), "{told:?}");

    service.signal("-TERM");
    let stopping = loop {
        let message = manager.next();
        if message.contains("STOPPING=1\n") {
            break message;
        }
    };
    // One second of delay, ten of drain, and five in reserve.
    assert!(
        stopping.contains("EXTEND_TIMEOUT_USEC=16000000\n"),
        "{stopping}"
    );
    // It still answers: the delay is for clients that do not know yet.
    assert!(ask(TcpStream::connect(&service.address).expect("a connection")).contains(" 404 "));
    let (code, log) = service.stop("-0");
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn the_watchdog_is_fed_while_connections_are_accepted() {
    let manager = Manager::new("watchdog");
    let path = manager.path();
    let service = Service::start(
        &[],
        &[
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("NOTIFY_SOCKET", &path),
            ("WATCHDOG_USEC", "100000"),
        ],
    );
    for _ in 0..5 {
        while manager.next() != "WATCHDOG=1\n" {}
    }
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("watchdog"), "{log}");
}

/// The service, started with one or two sockets, as systemd does it.
fn handed_over(sockets: Vec<OwnedFd>, names: &str) -> Command {
    let mut files = sockets.into_iter();
    let inherit = program();
    let mut command = Command::new("sh");
    // Descriptors 3 and 4 are the first that systemd passes.
    let script = "exec 3<&0 4<&1 </dev/null >/dev/null; LISTEN_PID=$$ exec \"$0\" \"$@\"";
    command
        .args(["-c", script])
        .arg(inherit.get_program())
        .args(["serve", "--listen", "192.0.2.1:1"])
        .current_dir(top())
        .env("TWILIO_AUTH_TOKEN", TOKEN)
        .env("LISTEN_FDS", files.len().to_string())
        .env("LISTEN_FDNAMES", names)
        .stdin(files.next().map_or_else(Stdio::null, Stdio::from))
        .stdout(files.next().map_or_else(Stdio::null, Stdio::from))
        .stderr(Stdio::piped());
    command
}

fn ask(mut stream: impl Read + Write) -> String {
    stream
        .write_all(b"GET /x HTTP/1.1\r\nHost: example.com\r\n\r\n")
        .expect("the service reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn sockets_that_are_handed_over_win_and_outlive_a_restart() {
    let folder = Folder::new("handed-over");
    let path = folder.path().join("s");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let unix = UnixListener::bind(&path).expect("a socket");
    let address = tcp.local_addr().expect("its address");
    for _ in 0..3 {
        // These connect before the service starts, and wait.
        let early = TcpStream::connect(address).expect("a connection");
        let early_unix = UnixStream::connect(&path).expect("a connection");
        let mut command = handed_over(
            vec![
                tcp.try_clone().expect("another handle").into(),
                unix.try_clone().expect("another handle").into(),
            ],
            "webhook:local",
        );
        let mut child = command.spawn().expect("the service can be started");
        assert!(ask(early).contains(" 404 "));
        assert!(ask(early_unix).contains(" 404 "));
        let killed = Command::new("kill").arg(child.id().to_string()).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let ended = child.wait().expect("the service ends");
        assert_eq!(ended.code(), Some(0));
        assert!(path.exists(), "the file is not ours to remove");
    }
}

#[test]
fn a_socket_of_the_name_admin_is_for_health() {
    let webhook = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let admin = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = admin.local_addr().expect("its address");
    let sockets = vec![webhook.into(), admin.into()];
    let mut child = handed_over(sockets, "webhook:admin")
        .spawn()
        .expect("the service");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("the service reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    child.kill().expect("it runs");
    child.wait().expect("its end");
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[test]
fn a_socket_that_cannot_be_used_is_told() {
    let datagram = UnixDatagram::unbound().expect("a socket");
    let ran = run(&mut handed_over(vec![datagram.into()], "webhook"));
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.stderr,
        "error: the socket \"webhook\" that was handed over is not a stream socket: write ListenStream= for it, \
         with an address or a path\n"
    );
    let (connected, _other) = UnixStream::pair().expect("a pair");
    let ran = run(&mut handed_over(vec![connected.into()], "one"));
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.stderr,
        "error: the socket \"one\" that was handed over does not listen: take Accept=yes out of its unit, \
         one process serves all connections\n"
    );
    // Without a check of the process id, leftover variables would be trusted.
    let mut left_over = program();
    left_over
        .args(["serve", "--listen", "192.0.2.1:1", "--allow-unsigned"])
        .envs([("LISTEN_FDS", "1"), ("LISTEN_PID", "1")]);
    let ran = run(&mut left_over);
    assert!(
        ran.stderr.contains("cannot listen on 192.0.2.1:1"),
        "{}",
        ran.stderr
    );
}
