//! A bad edit changes nothing, and the log says what is wrong without revealing numbers.

use crate::support::{program, run};
use crate::world::{FAILED, RELOADED, World, table, text};

/// Numbers in every place from which a diagnostic quotes.
const BAD: &str = r#"
[[route]]
name = "secret line of the table"
when = { Called = "+1 (415) 555-0142", Caller = "+1415555014x" }
voice = [ { Dial = "4155550143" }, { Say = "+14155550144", voise = "+14155550145" } ]
message = [ { Message = "x", to = "415.555.0146" } ]
"#;

#[test]
fn a_table_with_errors_leaves_the_old_one_and_is_reported_without_numbers() {
    let world = World::new("errors", &[("responses.toml", &table("one"))]);
    world.write("responses.toml", &format!("{}{BAD}", table("two")));
    world.service.wait_for(FAILED, 1);
    assert_eq!(world.says(), "one");
    let (_, log) = world.service.stop("-TERM");
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.len() > 4, "{log}");
    for error in &errors[..errors.len() - 1] {
        for part in ["responses.toml\"", "line=", "column=", "code=\"", "help=\""] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
    let last = errors.last().expect("an error");
    let count = format!("errors={}", errors.len() - 1);
    assert!(last.contains(FAILED) && last.contains(&count), "{log}");
    // These can only be in the log if a part of the line or of a number was repeated.
    for hidden in [
        "5550142",
        "555-01",
        "555.01",
        "4155550",
        "voice = [",
        "015550",
    ] {
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
    assert!(log.contains("415.•••••46"), "{log}");
}

#[test]
fn numbers_are_shown_to_whoever_asks_for_them() {
    let folder = crate::world::folder("shown", &[("responses.toml", &table("one"))]);
    let service = crate::world::serve(&folder, &["--show-numbers"]);
    let world = World { folder, service };
    world.write("responses.toml", &format!("{}{BAD}", table("two")));
    world.service.wait_for(FAILED, 1);
    assert!(world.service.log().contains("415.555.0146"));
}

#[test]
fn mistakes_that_are_alike_are_logged_a_few_times_and_counted() {
    let world = World::new("many", &[("responses.toml", &table("one"))]);
    let many: Vec<String> = (0..500)
        .map(|number| format!("wrong{number} = 1"))
        .collect();
    let many = many.join("\n") + "\n";
    world.write("responses.toml", &format!("{many}{}", table("two")));
    let line = world.service.wait_for(FAILED, 1);
    assert!(line.contains("errors=500"), "{line}");
    // The last of several similar diagnostics counts the rest.
    assert_eq!(world.count("code=\"unknown-key\""), 5);
    assert_eq!(world.count("more=495"), 1);
}

const FAILING: &str = r#"
[[test]]
name = "nobody hears this"
request = { Caller = "+14155550142" }
expect = "route"
contains = "something else"

[[test]]
name = "nobody gets this"
request = { Caller = "+14155550142" }
expect = "default"
"#;

#[test]
fn a_failed_test_keeps_an_edit_from_going_live_but_not_a_service_from_starting() {
    let failing = format!("{}{FAILING}", table("one"));
    let world = World::new("test", &[("responses.toml", &failing)]);
    assert_eq!(world.says(), "one");
    let line = world.service.wait_for("code=\"failed-test\"", 2);
    // The warning explains the failure.
    let why = "\"route\" answers, not \"default\", because \"route\" matches";
    assert!(line.contains("WARN") && line.contains(why), "{line}");
    world.write("responses.toml", &format!("{}{FAILING}", table("two")));
    let line = world.service.wait_for("code=\"failed-test\"", 4);
    assert!(line.contains("ERROR") && line.contains(why), "{line}");
    world.service.wait_for(FAILED, 1);
    assert_eq!(world.says(), "one");
    world.write("responses.toml", &table("three"));
    world.wait_until_it_says("three");
}

#[test]
fn a_file_that_is_no_text_changes_nothing() {
    let world = World::new("bytes", &[("responses.toml", &table("one"))]);
    std::fs::write(world.path("responses.toml"), b"\n\n\xff\xfe").expect("it is written");
    world.service.wait_for("is not UTF-8 in line 3", 1);
    world.service.wait_for(FAILED, 1);
    assert_eq!(world.says(), "one");
    world.write("responses.toml", "");
    world.service.wait_for(FAILED, 2);
    assert_eq!((world.says().as_str(), world.count(RELOADED)), ("one", 0));
}

/// The check that `systemctl reload` runs first: it fails where a reload would leave something unchanged.
#[test]
fn what_a_reload_would_refuse_is_logged_before_it_with_numbers_masked() {
    let folder = crate::world::folder("before", &[("responses.toml", &table("one"))]);
    let (table_file, token) = (
        folder.path().join("responses.toml"),
        folder.path().join("token"),
    );
    let checked = |table: &str, token_text: &str| {
        folder.write("responses.toml", table);
        folder.write("token", token_text);
        let files = [
            "--table",
            text(&table_file),
            "--auth-token-file",
            text(&token),
        ];
        run(program().args(["serve", "--check"]).args(files))
    };
    let good = "0123456789abcdef0123456789abcdef";
    let ran = checked(&table("one"), good);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("everything is good"), "{}", ran.stderr);
    for (table, token, what) in [
        (
            format!("{}{BAD}", table("two")),
            good,
            "code=\"bad-number\"",
        ),
        (
            format!("{}{FAILING}", table("one")),
            good,
            "code=\"failed-test\"",
        ),
        (table("one"), "4155550142 and more", "the auth token file"),
    ] {
        let ran = checked(&table, token);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{what}");
        assert!(ran.stderr.contains(what), "{what}: {}", ran.stderr);
        for hidden in ["5550142", "555.01", "voice = [", "everything is good"] {
            assert!(!ran.stderr.contains(hidden), "{hidden} in {}", ran.stderr);
        }
    }
}
