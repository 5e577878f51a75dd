//! Directory files: watched wherever they are, and not trusted when they shrink.

use std::fs;
use std::process::Command;
use std::sync::mpsc::{TryRecvError, channel};

use crate::world::{FAILED, RELOADED, World, rows, table, table_with, text};

const WAITS: &str = "more than half of its rows";
const CUT_OFF: &str = "ends in the middle of a line";

#[test]
fn a_directory_file_goes_live_as_the_table_does() {
    let world = World::new(
        "csv",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 2)),
        ],
    );
    assert_eq!(world.says(), "one a");
    world.write("d.csv", &rows("b", 2));
    world.wait_until_it_says("one b");
    world.replace("d.csv", &rows("c", 2));
    world.wait_until_it_says("one c");
}

#[test]
fn the_files_of_the_table_in_use_are_watched_in_every_folder() {
    let world = World::new(
        "folders",
        &[
            ("conf/responses.toml", ""),
            ("a/d.csv", &rows("a", 1)),
            ("b/d.csv", &rows("b", 1)),
            ("responses.toml", &table_with("one", "a/d.csv")),
        ],
    );
    assert_eq!(world.says(), "one a");
    world.write("a/d.csv", &rows("a2", 1));
    world.wait_until_it_says("one a2");
    let absolute = world.path("conf/../b/d.csv");
    world.write("responses.toml", &table_with("two", text(&absolute)));
    world.wait_until_it_says("two b");
    world.write("b/d.csv", &rows("b2", 1));
    world.wait_until_it_says("two b2");
    // The log is written slightly later than the table goes live.
    world.service.wait_for(RELOADED, 3);
    // This file is not in use any more.
    world.write("a/d.csv", "");
    world.write("b/d.csv", &rows("b3", 1));
    world.wait_until_it_says("two b3");
    world.service.wait_for(RELOADED, 4);
    assert_eq!(world.count(RELOADED), 4);
}

#[test]
fn a_file_that_loses_more_than_half_of_its_rows_waits_for_sighup() {
    let world = World::new(
        "shrink",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 10)),
        ],
    );
    world.write("d.csv", &rows("b", 4));
    let line = world.service.wait_for(WAITS, 1);
    for part in ["file=\"d.csv\"", "before=10", "rows=4", "SIGHUP"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(world.says(), "one a");
    // An edit of the table at the same time waits, too.
    world.write("responses.toml", &table_with("two", "d.csv"));
    world.service.wait_for(WAITS, 2);
    assert_eq!(world.says(), "one a");
    world.service.signal("-HUP");
    world.wait_until_it_says("two b");
    // Now the comparison is with what is live.
    world.write("d.csv", &rows("c", 2));
    world.wait_until_it_says("two c");
    assert_eq!(world.count(WAITS), 2);
}

#[test]
fn a_file_that_is_renamed_into_place_is_whole() {
    let world = World::new(
        "shrink-by-rename",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 10)),
        ],
    );
    world.replace("d.csv", &rows("b", 4));
    world.wait_until_it_says("one b");
    // A bad table delays the file, but the file still counts as complete.
    world.write("responses.toml", "[default");
    world.replace("d.csv", &rows("c", 1));
    world.service.wait_for(FAILED, 1);
    world.write("responses.toml", &table_with("two", "d.csv"));
    world.wait_until_it_says("two c");
    assert_eq!(world.count(WAITS), 0);
}

#[test]
fn a_file_that_gets_the_number_of_an_earlier_one_is_another_file() {
    let world = World::new(
        "numbers",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 10)),
        ],
    );
    // Most file systems reuse the inode number of a deleted file for the next one.
    world.replace("d.csv", &rows("b", 10));
    world.replace("d.csv", &rows("c", 4));
    world.wait_until_it_says("one c");
    assert_eq!(world.count(WAITS), 0);
}

#[test]
fn a_file_that_ends_in_the_middle_of_a_line_waits_for_the_rest() {
    let world = World::new(
        "cut-off",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 10)),
        ],
    );
    let whole = rows("bee", 10);
    world.write("d.csv", &whole[..whole.len() - 2]);
    let line = world.service.wait_for(CUT_OFF, 1);
    assert!(line.contains("file=\"d.csv\""), "{line}");
    assert_eq!(world.says(), "one a");
    world.write("d.csv", &whole);
    world.wait_until_it_says("one bee");
    world.write("d.csv", rows("c", 10).trim_end());
    world.service.wait_for(CUT_OFF, 2);
    world.service.signal("-HUP");
    world.wait_until_it_says("one c");
    // The live file has no final line end either, so this is not reported again.
    world.write("d.csv", rows("d", 10).trim_end());
    world.wait_until_it_says("one d");
    assert_eq!(world.count(CUT_OFF), 2);
}

#[test]
fn a_file_that_is_replaced_without_end_is_read_all_the_same() {
    let world = World::new(
        "without-end",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 10)),
        ],
    );
    std::thread::scope(|scope| {
        let (stop, stopped) = channel::<()>();
        let world = &world;
        scope.spawn(move || {
            // Keeps changing the files until the test succeeds or gives up.
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                world.replace("d.csv", &rows("b", 10));
                world.replace("d.csv", &rows("b", 9));
            }
        });
        world.wait_until_it_says("one b");
        stop.send(()).expect("it runs");
    });
    assert_eq!(world.count(WAITS), 0);
}

#[test]
fn a_quote_in_a_cell_does_not_hide_lost_rows() {
    let pipes = |count| rows("5\" pipe", count);
    let world = World::new(
        "pipes",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &pipes(10)),
        ],
    );
    world.write("d.csv", &pipes(4));
    let line = world.service.wait_for(WAITS, 1);
    assert!(line.contains("before=10 rows=4"), "{line}");
    assert!(world.says().contains("pipe"), "{}", world.says());
}

#[test]
fn a_file_that_is_whole_again_goes_live_by_itself() {
    let world = World::new(
        "regrow",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 10)),
        ],
    );
    world.write("d.csv", &rows("b", 1));
    world.service.wait_for(WAITS, 1);
    world.write("d.csv", &rows("b", 10));
    world.wait_until_it_says("one b");
}

#[test]
fn a_missing_file_changes_nothing_until_it_comes() {
    let world = World::new(
        "missing",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 1)),
        ],
    );
    fs::remove_file(world.path("d.csv")).expect("it goes");
    let line = world.service.wait_for("cannot read d.csv", 1);
    assert!(line.contains("code=\"bad-file\""), "{line}");
    world.service.wait_for(FAILED, 1);
    assert_eq!(world.says(), "one a");
    // A folder that does not exist yet is watched for as well.
    world.write("responses.toml", &table_with("two", "sub/d.csv"));
    world.service.wait_for(FAILED, 2);
    fs::create_dir(world.path("sub")).expect("a folder");
    world.write("sub/d.csv", &rows("b", 1));
    world.wait_until_it_says("two b");
}

#[test]
fn a_pipe_in_the_place_of_a_directory_file_stops_no_reload() {
    let world = World::new(
        "pipe",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 2)),
        ],
    );
    assert_eq!(world.says(), "one a");
    let pipe = world.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    fs::rename(pipe, world.path("d.csv")).expect("the pipe in its place");
    world.service.wait_for(FAILED, 1);
    assert_eq!(world.says(), "one a");
    world.replace("d.csv", &rows("b", 2));
    world.wait_until_it_says("one b");
}

#[test]
fn a_file_without_a_name_does_not_hide_the_table() {
    let world = World::new("no-name", &[("responses.toml", &table("one"))]);
    world.write("responses.toml", &table_with("two", ""));
    world.service.wait_for(FAILED, 1);
    world.write("responses.toml", &table("three"));
    world.wait_until_it_says("three");
}
