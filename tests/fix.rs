//! `check --fix`: what it writes, what it leaves unchanged, and what it prints.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use support::{Folder, Ran, program, run};

const TABLE: &str = "# Größe \u{1F695}\r\n\
    [directory.sellers]\r\nfile = \"lists/sellers.csv\"\r\n\r\n\
    [[route]]\r\nname = \"seller\"\t# tab\r\n\
    when = { called = { in = \"sellers\" } }\r\n\
    voice = [ { say = \"Hello {{ sellers.name }}.\" }, { Hangup } ]\r\n\r\n\
    [default]\r\nvoice = [ { Say = \"Goodbye.\" } ]\r\nmessage = []";

const SELLERS: &str = "\u{feff}number;name\r\n15005550006;\"Ann; Jr.\"\r\n;\r\n";

fn check(folder: &Folder, arguments: &[&str]) -> Ran {
    run(program()
        .arg("check")
        .args(arguments)
        .current_dir(folder.path()))
}

/// A folder with a table and its list.
fn mistakes(name: &str) -> Folder {
    let folder = Folder::new(name);
    fs::create_dir(folder.path().join("lists")).expect("a folder");
    folder.write("responses.toml", TABLE);
    folder.write("lists/sellers.csv", SELLERS);
    folder
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

#[test]
fn only_the_mistakes_are_changed_in_the_table_and_its_list() {
    let folder = mistakes("fix");
    let path = |name: &str| folder.path().join(name);
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(path("responses.toml"), mode).expect("permissions");
    let before = check(&folder, &[]);
    assert_eq!(before.code, Some(1), "{}", before.stdout);
    assert!(
        before
            .stdout
            .ends_with("responses.toml: 4 errors; `check --fix` can fix all of them\n"),
        "{}",
        before.stdout
    );
    let fixed = check(&folder, &["--fix"]);
    let shown = "\
responses.toml
    7 - when = { called = { in = \"sellers\" } }
    8 - voice = [ { say = \"Hello {{ sellers.name }}.\" }, { Hangup } ]
    7 + when = { Called = { in = \"sellers\" } }
    8 + voice = [ { Say = \"Hello {{ sellers.name }}.\" }, { Hangup = \"\" } ]
lists/sellers.csv
    1 - number;name
    2 - 15005550006;\"Ann; Jr.\"
    3 - ;
    1 + number,name
    2 + +15005550006,Ann; Jr.
    3 + ,

responses.toml: 1 route, nothing wrong; 5 mistakes mended
";
    assert_eq!((fixed.code, fixed.stdout.as_str()), (Some(0), shown));
    let text = |name: &str| fs::read_to_string(path(name)).expect("a file");
    let table = TABLE.replace("called", "Called").replace("say =", "Say =");
    let table = table.replace("{ Hangup }", "{ Hangup = \"\" }");
    assert_eq!(text("responses.toml"), table);
    let sellers = "\u{feff}number,name\r\n+15005550006,Ann; Jr.\r\n,\r\n";
    assert_eq!(text("lists/sellers.csv"), sellers);
    let mode = fs::metadata(path("responses.toml"))
        .expect("metadata")
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(names(folder.path()), ["lists", "responses.toml"]);
    assert_eq!(names(&path("lists")), ["sellers.csv"]);
}

#[test]
fn what_is_not_beyond_doubt_is_left_and_told() {
    let folder = Folder::new("fix-left");
    let table = folder.write(
        "responses.toml",
        "[default]\nvoice = [ { Say = \"Hi.\", lop = 2, colour = \"red\" }, { Reject = \"busy\" } ]\n",
    );
    let ran = check(&folder, &["--fix"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("`colour` is not an attribute of `Say`"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.ends_with("; 2 mistakes mended\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        fs::read_to_string(table).expect("the table"),
        "[default]\nvoice = [ { Say = \"Hi.\", loop = 2, colour = \"red\" }, { Reject = \"\", reason = \"busy\" } ]\n"
    );
}

#[test]
fn a_table_without_mistakes_is_not_written() {
    let folder = Folder::new("fix-none");
    let table = folder.write(
        "responses.toml",
        "[default]\nvoice = [ { Say = \"Hi.\" } ]\n",
    );
    let inode = || fs::metadata(&table).expect("metadata").ino();
    let before = inode();
    let ran = check(&folder, &["--fix"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.stdout, "responses.toml: 0 routes, nothing wrong\n");
    assert_eq!(inode(), before);
}

#[test]
fn a_link_stays_a_link() {
    let folder = mistakes("fix-link");
    let real = folder.path().join("real.toml");
    fs::rename(folder.path().join("responses.toml"), &real).expect("another name");
    symlink("real.toml", folder.path().join("responses.toml")).expect("a link");
    assert_eq!(check(&folder, &["--fix"]).code, Some(0));
    let metadata = fs::symlink_metadata(folder.path().join("responses.toml"));
    assert!(metadata.expect("a link").is_symlink());
    let text = fs::read_to_string(real).expect("the table");
    assert!(text.contains("Called"), "{text}");
}

#[test]
fn lines_of_json_stay_lines_of_json() {
    let folder = mistakes("fix-json");
    let table = TABLE.replace(
        "message = []",
        "message = [ { Message = \"Hi.\", colour = \"red\" } ]",
    );
    folder.write("responses.toml", &table);
    let ran = check(&folder, &["--fix", "--format", "json"]);
    assert_eq!(ran.code, Some(1));
    let lines = ran.stdout.lines();
    let objects = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
    let codes: Vec<_> = objects.map(|object| object["code"].clone()).collect();
    assert!(codes.contains(&"unknown-attribute".into()), "{codes:?}");
    assert!(ran.stderr.contains("+ when = { Called"), "{}", ran.stderr);
}

#[test]
fn a_thousand_diagnostics_are_printed_and_the_rest_is_counted() {
    let folder = Folder::new("thousand");
    let wrong: Vec<String> = (0..1_200).map(|n| format!("wrong{n} = 1\n")).collect();
    let wrong = wrong.concat();
    let default = "[default]\nvoice = [ { Say = \"Hi.\" } ]\n";
    folder.write("responses.toml", &format!("{wrong}{default}"));
    let ran = check(&folder, &["--format", "json"]);
    assert_eq!(
        ran.stdout.matches("\"code\":\"unknown-key\"").count(),
        1_000
    );
    assert!(
        ran.stderr.contains("and 200 more diagnostics"),
        "{}",
        ran.stderr
    );
    let ran = check(&folder, &[]);
    assert_eq!(ran.stdout.matches("error[unknown-key]").count(), 5);
    assert!(
        ran.stdout
            .contains("= note: and 1195 more like it, in lines 6, 7, 8"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("responses.toml: 1,200 errors\n"),
        "{}",
        ran.stdout
    );
}
