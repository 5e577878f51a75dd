//! Files that were never meant to be directory files: `check` says what is wrong with them, quickly and briefly.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use support::{Folder, program, run};

const TABLE: &str = "[directory.d]\nfile = \"d.csv\"\n\n\
    [[route]]\nname = \"route\"\nwhen = { Called = { in = \"d\" } }\nvoice = [ { Say = \"Hello.\" } ]\n\n\
    [default]\nvoice = [ { Say = \"Nobody is here.\" } ]\nmessage = []\n";

/// The exit code and the output of `check` for a directory file that `make` creates at this path.
fn checked(name: &str, make: impl FnOnce(&Path)) -> (Option<i32>, String) {
    let folder = Folder::new(name);
    let table = folder.write("responses.toml", TABLE);
    make(&folder.path().join("d.csv"));
    let ran = run(program().arg("check").arg(table));
    (ran.code, ran.stdout + &ran.stderr)
}

/// The same for a file with this text.
fn checked_text(name: &str, text: &str) -> (Option<i32>, String) {
    checked(name, |path| std::fs::write(path, text).expect("the file"))
}

#[test]
fn what_has_no_end_is_no_directory_file() {
    let pipe = |path: &Path| {
        let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
        assert!(made.success());
    };
    let device = |path: &Path| symlink("/dev/zero", path).expect("a link");
    let folder = |path: &Path| std::fs::create_dir(path).expect("a folder");
    let special = "it is a pipe, a socket or a device, not a file";
    let write = "write the rows to a regular file, and name that file";
    for (name, make, reason, help) in [
        ("pipe", &pipe as &dyn Fn(&Path), special, write),
        ("device", &device, special, write),
        (
            "folder",
            &folder,
            "Is a directory",
            "name a file in that folder",
        ),
    ] {
        let (code, output) = checked(name, make);
        assert_eq!(code, Some(1), "{output}");
        assert!(
            output.contains(&format!("cannot read d.csv: {reason}")),
            "{output}"
        );
        assert!(output.contains(&format!("help: {help}\n")), "{output}");
    }
}

#[test]
fn a_file_with_secrets_is_no_directory_file() {
    let folder = Folder::new("secrets");
    fs::create_dir(folder.path().join("credentials")).expect("a folder");
    folder.write(
        "credentials/token",
        "number,0123456789abcdef0123456789abcdef\n",
    );
    folder.write("credentials/number", "number\n+15005550006\n");
    symlink("credentials/token", folder.path().join("link")).expect("a link");
    let credentials = folder.path().join("credentials");
    for file in [
        "credentials/token",
        "credentials/number",
        "link",
        "/proc/self/environ",
    ] {
        let table = folder.write("responses.toml", &TABLE.replace("d.csv", file));
        let ran = run(program()
            .arg("check")
            .arg(table)
            .env("CREDENTIALS_DIRECTORY", &credentials));
        assert_eq!(ran.code, Some(1), "{}", ran.stdout);
        let reason = format!("cannot read {file}: secrets are kept there");
        assert!(ran.stdout.contains(&reason), "{}", ran.stdout);
        assert!(!ran.stdout.contains("0123456789abcdef"), "{}", ran.stdout);
    }
    // The service knows where else its secrets are.
    folder.write("token", "0123456789abcdef0123456789abcdef\n");
    let table = folder.write("responses.toml", &TABLE.replace("d.csv", "token"));
    let token = folder.path().join("token");
    let ran = run(program()
        .args(["serve", "--check", "--auth-token-file"])
        .arg(token)
        .arg("--table")
        .arg(table));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let reason = "cannot read token: secrets are kept there";
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
}

#[test]
fn a_cell_has_its_bound() {
    let row = |bytes| format!("number,word\n+15005550006,{}\n", "x".repeat(bytes));
    let (code, output) = checked_text("cell", &row(64 * 1024));
    assert_eq!(code, Some(0), "{output}");
    let (code, output) = checked_text("long-cell", &row(64 * 1024 + 1));
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("a cell of 65537 bytes, and one has at most 65536"),
        "{output}"
    );
    assert!(output.len() < 10_000, "{} bytes", output.len());
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let sparse = |length: u64| {
        move |path: &Path| {
            let file = File::create(path).expect("the file");
            file.set_len(length).expect("a file with nothing in it");
        }
    };
    let (code, output) = checked("large", sparse((128 << 20) + 1));
    assert_eq!(code, Some(1), "{output}");
    let reason = "cannot read d.csv: it is larger than 134217728 bytes";
    assert!(output.contains(reason), "{output}");
    assert!(output.contains("help: raise --max-directory"), "{output}");
    let (code, output) = checked("small", sparse(1 << 16));
    assert_eq!(code, Some(1), "{output}");
    assert!(!output.contains("larger"), "{output}");
}

#[test]
fn an_operator_says_how_large_a_directory_file_may_be() {
    let folder = Folder::new("max-directory");
    let table = folder.write("responses.toml", TABLE);
    folder.write("d.csv", "number\n+15005550006\n");
    for (size, code) in [("20", 0), ("19", 1)] {
        let by_option = run(program()
            .args(["check", "--max-directory", size])
            .arg(&table));
        assert_eq!(by_option.code, Some(code), "{size}: {}", by_option.stdout);
        let by_variable = run(program()
            .arg("check")
            .arg(&table)
            .env("TWIML_RESPONDER_MAX_DIRECTORY", size));
        assert_eq!(by_variable.code, Some(code), "{}", by_variable.stdout);
    }
}

/// The rows of a directory, copied over the table by mistake.
fn rows_as_table(rows: usize) -> String {
    let rows = (0..rows).map(|row| format!("+1500{row:07},name {row}\n"));
    std::iter::once("number,name\n".to_owned())
        .chain(rows)
        .collect()
}

#[test]
fn rows_in_the_place_of_the_table_are_told_in_few_words() {
    let folder = Folder::new("rows-as-table");
    // A table of more than 16 MiB is not read at all.
    let table = folder.write("responses.toml", &rows_as_table(700_000));
    let ran = run(program().arg("check").arg(&table));
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("it is larger than 16777216 bytes; move long lists into"),
        "{}",
        ran.stderr
    );
    for rows in [1_000, 100_000] {
        let table = folder.write("responses.toml", &rows_as_table(rows));
        let ran = run(program().arg("check").arg(&table));
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stdout.contains("error[toml-syntax]"), "{}", ran.stdout);
        assert!(ran.stdout.len() < 20_000, "{} bytes", ran.stdout.len());
    }
}

/// The most memory that `check` takes for a table, in bytes, and its exit code.
#[cfg(target_os = "linux")]
fn memory_of_check(table: &Path) -> (u64, Option<i32>) {
    use std::io::Read;
    use std::process::Stdio;

    // It is still there, with its figures, while nobody reads the last of what it prints.
    let mut child = program()
        .args(["check", "--format", "json"])
        .arg(table)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be started");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let mut output = child.stdout.take().expect("its output");
    let mut first = [0];
    // The first byte comes when all has been checked.
    output.read_exact(&mut first).expect("a diagnostic");
    let text = fs::read_to_string(status).unwrap_or_default();
    if let Some(figure) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        let kilobytes = figure.split_whitespace().next().unwrap_or_default();
        most = kilobytes.parse::<u64>().expect("a number") * 1024;
    }
    output.read_to_end(&mut Vec::new()).expect("the rest");
    (most, child.wait().expect("its end").code())
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_file_that_is_no_table_costs_little_more_than_itself() {
    let folder = Folder::new("no-table");
    for (name, text) in [
        ("rows", rows_as_table(300_000)),
        (
            "log",
            "2026-12-01T13:00:00Z INFO answered status=200\n".repeat(150_000),
        ),
        (
            "json",
            format!("[{}1]", "{\"a\":1},".repeat(800_000)).replacen('[', "{\"a\":[", 1),
        ),
    ] {
        let table = folder.write("responses.toml", &text);
        let (most, code) = memory_of_check(&table);
        assert_eq!(code, Some(1), "{name}");
        // What the program takes for itself comes on top.
        let bound = 64 * 1024 * 1024 + 4 * text.len() as u64;
        assert!(most < bound, "{name}: {most} for {}", text.len());
    }
}

#[test]
fn reading_stops_after_a_hundred_syntax_errors() {
    let folder = Folder::new("syntax-errors");
    let text = "[[route]]\nname = \n".repeat(1_000);
    let table = folder.write("responses.toml", &text);
    let ran = run(program().arg("check").arg(&table));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains(": 100 errors\n"), "{}", ran.stdout);
}

#[test]
fn a_first_line_that_names_no_columns_is_told_in_few_words() {
    let names = |bytes| "x".repeat(bytes - ",number".len()) + ",number\na,+15005550006\n";
    let (code, output) = checked_text("first-line", &names(64 * 1024 + 1));
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("the first line of d.csv has 65537 bytes"),
        "{output}"
    );
    assert!(output.len() < 10_000, "{} bytes", output.len());
    let (code, output) = checked_text("longest-first-line", &names(64 * 1024));
    assert_eq!(code, Some(0), "{output}");
}

#[test]
fn one_mistake_in_every_row_is_drawn_a_few_times_and_counted() {
    let text = "number,name\n".to_owned() + &"+15005550006\n".repeat(50_000);
    let (code, output) = checked_text("rows", &text);
    assert_eq!(code, Some(1), "{output}");
    assert_eq!(output.matches("error[bad-row]").count(), 5);
    let note = "= note: and 49995 more rows like it, in lines 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 and later\n";
    assert!(output.contains(note), "{output}");
    assert!(output.contains(": 50,000 errors\n"), "{output}");
}

#[test]
fn cells_of_several_lines_take_no_longer_than_others() {
    let rows = (0..50_000).map(|row| format!("+1500{row:07},\"a\nb\"\n"));
    let text: String = std::iter::once("number,name\n".to_owned())
        .chain(rows)
        .collect();
    let (code, output) = checked_text("cells", &text);
    assert_eq!(code, Some(0), "{output}");
    let open = text + "+15005550006,\"a\nb\n+15005550007,c\n";
    let (code, output) = checked_text("open-cell", &open);
    assert_eq!(code, Some(1), "{output}");
    let message = "a quote in this row is not closed";
    assert_eq!(output.matches(message).count(), 1, "{output}");
    assert!(output.contains("d.csv:100002:1"), "{output}");
}
