//! What other programs on the machine can learn from the running service.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use support::{Service, program, top};

/// A user who is not root: Debian's `nobody`.
const NOBODY: u32 = 65534;

#[test]
fn a_service_that_is_not_root_shows_its_environment_to_root_alone() {
    // The tests may run as root, in a folder that others cannot read.
    let folder = std::env::temp_dir().join(format!("twiml-responder-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("others may look");
    let copy = folder.join("twiml-responder");
    fs::copy(program().get_program(), &copy).expect("the program");
    let table = folder.join("responses.toml");
    fs::copy(top().join("responses.toml"), &table).expect("the table");

    let mut command = Command::new(&copy);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .arg("--table")
        .arg(&table)
        .current_dir(&folder)
        .env("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef");
    if fs::metadata("/proc/self").expect("/proc").uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let service = Service::start_by(&mut command);
    let process = format!("/proc/{}", service.process());
    let status = fs::read_to_string(format!("{process}/status")).expect("its status");
    let user = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next())
        .expect("its user");
    assert_ne!(user, "0");
    for file in ["environ", "mem", "maps"] {
        let owner = fs::metadata(format!("{process}/{file}")).expect(file).uid();
        assert_eq!(owner, 0, "{file}");
    }
    // The service can still read its own figures.
    let log = service.wait_for("health and metrics on ", 1);
    let (_, after) = log
        .split_once("health and metrics on ")
        .expect("it is there");
    let address = after.split_whitespace().next().expect("an address");
    let mut stream = TcpStream::connect(address).expect("the admin listener");
    write!(stream, "GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).expect("an answer");
    for name in [
        "process_open_fds ",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
    ] {
        assert!(metrics.contains(name), "{name} is missing: {metrics}");
    }
    drop(service);
    fs::remove_dir_all(&folder).expect("the folder goes");
}
