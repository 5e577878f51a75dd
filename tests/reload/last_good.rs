//! The last good copy: kept whenever a table goes live, complete or not at all, and used when the service starts with a
//! bad file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Folder, Ran, Service, program, run};
use crate::world::{FAILED, RELOADED, World, folder, rows, says, serve, table, table_with, text};

const KEPT: &str = "a good copy is in";
const DEGRADED: &str = "degraded: the last good copy";

/// A service with `responses.toml` whose copies are in `state`.
fn serve_with_state(folder: &Folder) -> Service {
    let state = folder.path().join("state");
    serve(folder, &["--state-dir", text(&state)])
}

/// The output of a `serve` that ends at once because it has no table. If it had a table, it would end as well, because
/// it cannot listen on this address.
fn fail(folder: &Folder) -> Ran {
    let (table, state) = (
        folder.path().join("responses.toml"),
        folder.path().join("state"),
    );
    run(program()
        .args(["serve", "--allow-unsigned", "--listen", "192.0.2.1:1"])
        .args(["--table", text(&table), "--state-dir", text(&state)]))
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

/// The folder of the only copy.
#[track_caller]
fn copy(folder: &Folder) -> PathBuf {
    let state = folder.path().join("state");
    let names = names(&state);
    let [name] = names.as_slice() else {
        panic!("{names:?}");
    };
    assert!(name.starts_with("last-good-"), "{name}");
    state.join(name)
}

#[test]
fn a_service_that_starts_on_a_bad_file_answers_from_the_copy_and_says_so() {
    let folder = folder(
        "copy",
        &[
            ("conf/responses.toml", &table("unused")),
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 3)),
        ],
    );
    let service = serve_with_state(&folder);
    service.wait_for(KEPT, 1);
    // A table that goes live by a reload is kept as well.
    folder.write("d.csv", &rows("b", 3));
    service.wait_for(KEPT, 2);
    service.stop("-KILL");
    let bad = "[default]\nvoice = [ { Dial = \"415.555.0142\" } ]\n";
    folder.write("responses.toml", bad);
    fs::remove_file(folder.path().join("d.csv")).expect("it goes");

    let world = World {
        service: serve_with_state(&folder),
        folder,
    };
    assert_eq!(world.says(), "one b");
    let line = world.service.wait_for(DEGRADED, 1);
    for part in ["ERROR", "kept=\"20", "age=\"", "responses.toml is bad"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    // The log gives the reason as after a reload: without the line, and without the number.
    let line = world.service.wait_for("code=\"bad-number\"", 1);
    assert!(line.contains("ERROR") && line.contains("line=2"), "{line}");
    assert!(!world.service.log().contains("555.0142"));
    // It is still bad, and reported again.
    world.service.signal("-HUP");
    world.service.wait_for(DEGRADED, 2);
    world.service.wait_for(FAILED, 1);
    assert_eq!(world.says(), "one b");
    // A good file ends this state automatically.
    world.write("responses.toml", &table("two"));
    world.wait_until_it_says("two");
    world.service.wait_for(KEPT, 1);
    assert_eq!(world.count(DEGRADED), 2);
}

#[test]
fn the_file_may_come_back_as_it_was() {
    let folder = folder("as-it-was", &[("responses.toml", &table("one"))]);
    serve_with_state(&folder).wait_for(KEPT, 1);
    fs::remove_file(folder.path().join("responses.toml")).expect("it goes");
    let world = World {
        service: serve_with_state(&folder),
        folder,
    };
    let line = world.service.wait_for("cannot read the table", 1);
    assert!(line.contains("ERROR"), "{line}");
    world.service.wait_for(DEGRADED, 1);
    world.write("responses.toml", &table("one"));
    world.service.wait_for(RELOADED, 1);
    world.service.signal("-HUP");
    world.service.wait_for(RELOADED, 2);
    assert_eq!(world.count(DEGRADED), 1);
}

#[test]
fn nobody_else_can_read_a_copy() {
    let folder = folder(
        "modes",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 3)),
        ],
    );
    serve_with_state(&folder).wait_for(KEPT, 1);
    let mode = |path: &Path| {
        let metadata = fs::metadata(path).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    let copy = copy(&folder);
    let directories = copy.join("directories");
    for folder in [&copy, &directories] {
        assert_eq!(mode(folder), 0o700);
    }
    assert_eq!(names(&copy), ["directories", "responses.toml"]);
    assert_eq!(names(&directories), ["d.csv"]);
    for file in [copy.join("responses.toml"), directories.join("d.csv")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(
        fs::read_to_string(copy.join("responses.toml")).expect("a table"),
        table_with("one", "d.csv")
    );
}

#[test]
fn every_way_to_name_a_directory_file_works_from_the_copy() {
    let folder = folder(
        "ways",
        &[
            ("conf/here.csv", &rows("here", 1)),
            ("conf/sub/here.csv", &rows("sub", 1)),
            ("beside/here.csv", &rows("beside", 1)),
            ("far/here.csv", &rows("far", 1)),
        ],
    );
    let far = folder.path().join("far/here.csv");
    let files = [
        "here.csv",
        "./sub/here.csv",
        "../beside/here.csv",
        text(&far),
    ];
    let parameters = ["Called", "To", "CalledVia", "ForwardedFrom"];
    let each = |line: &dyn Fn(usize) -> String, between: &str| -> String {
        let lines: Vec<String> = (0..files.len()).map(line).collect();
        lines.join(between)
    };
    // Each uses another parameter; for absent parameters the row of `*` is chosen.
    let directories = each(
        &|number| format!("[directory.d{number}]\nfile = \"{}\"\n", files[number]),
        "",
    );
    let when = each(
        &|number| format!("{} = {{ in = \"d{number}\" }}", parameters[number]),
        ", ",
    );
    let said = each(&|number| format!("{{{{ d{number}.word }}}}"), " ");
    let table = format!(
        "[default]\nvoice = [ {{ Say = \"default\" }} ]\n{directories}\
         [[route]]\nname = \"route\"\nwhen = {{ {when} }}\nvoice = [ {{ Say = \"{said}\" }} ]\n"
    );
    for file in [
        "conf/here.csv",
        "conf/sub/here.csv",
        "beside/here.csv",
        "far/here.csv",
    ] {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).expect("it is there");
        let word = text
            .trim_end()
            .rsplit(',')
            .next()
            .expect("a word")
            .to_owned();
        fs::write(path, format!("{text}*,{word}\n")).expect("it is written");
    }
    folder.write("conf/responses.toml", &table);
    let (config, state) = (
        folder.path().join("conf/responses.toml"),
        folder.path().join("state"),
    );
    let start = || {
        let arguments = ["--table", text(&config), "--state-dir", text(&state)];
        Service::start(&[&arguments[..], &["--allow-unsigned"]].concat(), &[])
    };
    let service = start();
    assert_eq!(says(&service), "here sub beside far");
    service.wait_for(KEPT, 1);
    service.stop("-TERM");
    for gone in ["conf", "beside", "far"] {
        fs::remove_dir_all(folder.path().join(gone)).expect("it goes");
    }
    let service = start();
    service.wait_for(DEGRADED, 1);
    assert_eq!(says(&service), "here sub beside far");
}

#[test]
fn without_a_copy_the_service_ends_with_what_is_wrong() {
    let folder = folder("none", &[("responses.toml", "")]);
    let ran = fail(&folder);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("error[missing-default]"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.ends_with("responses.toml has 1 error\n"),
        "{}",
        ran.stderr
    );
    fs::remove_file(folder.path().join("responses.toml")).expect("it goes");
    let ran = fail(&folder);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.starts_with("error: cannot read the table "),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

/// Ways in which a copy is damaged, and how that is reported.
#[test]
fn a_copy_that_is_spoilt_is_not_used() {
    type Spoil = fn(&Path);
    let spoils: [(&str, Spoil, &str); 4] = [
        (
            "gone",
            |copy| fs::remove_file(copy.join("directories/d.csv")).expect("it goes"),
            "has 1 error",
        ),
        (
            "no-table",
            |copy| fs::remove_file(copy.join("responses.toml")).expect("it goes"),
            "No such file",
        ),
        (
            "old",
            // A copy from another version of the program, which this version finds wrong.
            |copy| fs::write(copy.join("responses.toml"), "").expect("it is written"),
            "has 1 error",
        ),
        (
            "of-another-user",
            |copy| {
                let file = copy.join("directories/d.csv");
                // Only root can give a file away; other users make a link to something that belongs to root.
                if chown(&file, Some(12345), None).is_err() {
                    fs::remove_dir_all(copy).expect("it goes");
                    symlink("/etc", copy).expect("a link");
                }
            },
            "belongs to another user",
        ),
    ];
    for (name, spoil, reason) in spoils {
        let folder = folder(
            &format!("spoilt-{name}"),
            &[
                ("responses.toml", &table_with("one", "d.csv")),
                ("d.csv", &rows("a", 3)),
            ],
        );
        serve_with_state(&folder).wait_for(KEPT, 1);
        spoil(&copy(&folder));
        folder.write("responses.toml", "");
        let ran = fail(&folder);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        let last = ran.stderr.lines().last().expect("a line");
        assert!(
            last.contains("responses.toml has 1 error; the last good copy"),
            "{name}: {last}"
        );
        assert!(last.contains(reason), "{name}: {last}");
    }
}

#[test]
fn what_a_killed_process_left_is_cleared_away_and_never_used() {
    let folder = folder("left", &[("responses.toml", &table("one"))]);
    serve_with_state(&folder).wait_for(KEPT, 1);
    let state = folder.path().join("state");
    // As left by a kill while writing, and by one before the previous copy was removed.
    fs::create_dir(state.join("unfinished")).expect("a folder");
    fs::write(state.join("unfinished/responses.toml"), "half").expect("it is written");
    fs::create_dir(state.join("last-good-0")).expect("a folder");
    fs::write(state.join("of somebody else"), "").expect("it is written");
    folder.write("responses.toml", "");
    let world = World {
        service: serve_with_state(&folder),
        folder,
    };
    world.service.wait_for(DEGRADED, 1);
    assert_eq!(world.says(), "one");
    world.write("responses.toml", &table("two"));
    world.service.wait_for(KEPT, 1);
    let names = names(&world.path("state"));
    assert_eq!(names, ["last-good-2", "of somebody else"]);
}

#[test]
fn whoever_is_killed_while_it_keeps_a_copy_leaves_the_old_one_or_the_new_one() {
    let folder = folder("killed", &[]);
    let files = |word: &str| {
        folder.write("responses.toml", &table_with(word, "d.csv"));
        folder.write("d.csv", &rows(word, 20_000));
    };
    files("0");
    serve_with_state(&folder).wait_for(KEPT, 1);
    let mut last = 0;
    for round in 1..=8 {
        files(&round.to_string());
        let service = serve_with_state(&folder);
        // Kills the service earlier or later while it makes a copy.
        let mut looks = 0;
        while looks < round {
            let names = names(&folder.path().join("state"));
            let is_being_made = names.iter().any(|name| name == "unfinished");
            looks += usize::from(is_being_made);
            if !is_being_made && service.log().contains(KEPT) {
                break;
            }
        }
        service.stop("-KILL");
        folder.write("responses.toml", "");
        let service = serve_with_state(&folder);
        service.wait_for(DEGRADED, 1);
        let said = says(&service);
        let (table, row) = said.split_once(' ').expect("two words");
        assert_eq!(table, row, "a mixture");
        let now: usize = table.parse().expect("a number");
        assert!(
            now == last || now == round,
            "{now} after {last} in round {round}"
        );
        last = now;
    }
}

#[test]
fn systemd_names_the_folder() {
    let folder = folder("systemd", &[("responses.toml", &table("one"))]);
    let table = folder.path().join("responses.toml");
    let (state, other) = (folder.path().join("state"), folder.path().join("other"));
    let both = format!("{}:{}", text(&state), text(&other));
    let arguments = ["--table", text(&table), "--allow-unsigned"];
    let service = Service::start(&arguments, &[("STATE_DIRECTORY", &both)]);
    service.wait_for(KEPT, 1);
    assert!(state.join("last-good-1/responses.toml").exists());
    assert!(!other.exists());
}

#[test]
fn a_folder_that_cannot_be_written_costs_no_answer() {
    let folder = folder(
        "unwritable",
        &[("responses.toml", &table("one")), ("state", "a file")],
    );
    let world = World {
        service: serve_with_state(&folder),
        folder,
    };
    let line = world.service.wait_for("cannot keep a good copy in", 1);
    assert!(line.contains("ERROR"), "{line}");
    world.write("responses.toml", &table("two"));
    world.wait_until_it_says("two");
}

#[test]
fn a_folder_that_is_open_to_others_is_warned_of() {
    let folder = folder("open", &[("responses.toml", &table("one"))]);
    let state = folder.path().join("state");
    serve_with_state(&folder).wait_for(KEPT, 1);
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&state, open).expect("it is ours");
    let line = serve_with_state(&folder).wait_for("is open to others", 1);
    assert!(
        line.contains("WARN") && line.contains("chmod 700"),
        "{line}"
    );
}
