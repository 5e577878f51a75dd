//! All the ways in which a file can change.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;

use crate::support::Service;
use crate::world::{FAILED, RELOADED, World, folder, rows, says, table, table_with, text};

const SAME: &str = "says the same";

#[test]
fn a_file_that_is_written_in_place_is_seen() {
    let world = World::new("in-place", &[("responses.toml", &table("one"))]);
    assert_eq!(world.says(), "one");
    world.write("responses.toml", &table("two"));
    world.wait_until_it_says("two");
}

#[test]
fn a_file_that_is_renamed_into_place_is_seen_again_and_again() {
    let world = World::new("rename", &[("responses.toml", &table("one"))]);
    for word in ["two", "three", "four"] {
        world.replace("responses.toml", &table(word));
        world.wait_until_it_says(word);
    }
}

#[test]
fn a_file_that_is_deleted_changes_nothing_until_it_is_there_again() {
    let world = World::new("delete", &[("responses.toml", &table("one"))]);
    fs::remove_file(world.path("responses.toml")).expect("it goes");
    world.service.wait_for(FAILED, 1);
    assert!(world.service.log().contains("cannot read the table"));
    assert_eq!(world.says(), "one");
    world.write("responses.toml", &table("two"));
    world.wait_until_it_says("two");
}

#[test]
fn a_link_that_is_pointed_elsewhere_is_seen_as_kubernetes_does_it() {
    let (one, two) = (table_with("1", "d.csv"), table_with("2", "d.csv"));
    let folder = folder(
        "kubernetes",
        &[
            ("..1/responses.toml", &one),
            ("..1/d.csv", &rows("1", 1)),
            ("..2/responses.toml", &two),
            ("..2/d.csv", &rows("2", 1)),
        ],
    );
    let at = |name: &str| folder.path().join(name);
    symlink("..1", at("..data")).expect("a link");
    symlink("..data/responses.toml", at("responses.toml")).expect("a link");
    symlink("..data/d.csv", at("d.csv")).expect("a link");
    let service = crate::world::serve(&folder, &[]);
    let world = World { folder, service };
    assert_eq!(world.says(), "1 1");
    for generation in ["2", "1", "2"] {
        symlink(format!("..{generation}"), world.path("..data_tmp")).expect("a link");
        fs::rename(world.path("..data_tmp"), world.path("..data")).expect("a rename");
        world.wait_until_it_says(&format!("{generation} {generation}"));
    }
    let (_, log) = world.service.stop("-TERM");
    assert!(!log.contains(FAILED), "{log}");
}

#[test]
fn a_folder_that_is_replaced_as_a_whole_is_seen() {
    let folder = folder(
        "folder",
        &[
            ("live/responses.toml", &table("one")),
            ("next/responses.toml", &table("two")),
        ],
    );
    let config = folder.path().join("live/responses.toml");
    let service = Service::start(&["--table", text(&config), "--allow-unsigned"], &[]);
    let world = World { folder, service };
    assert_eq!(world.says(), "one");
    fs::rename(world.path("live"), world.path("old")).expect("a rename");
    fs::rename(world.path("next"), world.path("live")).expect("a rename");
    world.wait_until_it_says("two");
    world.write("live/responses.toml", &table("three"));
    world.wait_until_it_says("three");
}

#[test]
fn a_file_is_read_when_its_writer_has_done() {
    let world = World::new("half", &[("responses.toml", &table("one"))]);
    let new = table("two");
    let mut file = File::create(world.path("responses.toml")).expect("a file");
    for piece in new.as_bytes().chunks(8) {
        file.write_all(piece).expect("it is written");
        file.sync_all().expect("it is written");
    }
    drop(file);
    world.wait_until_it_says("two");
    let (_, log) = world.service.stop("-TERM");
    assert_eq!(crate::world::count(&log, RELOADED), 1, "{log}");
    assert!(!log.contains(FAILED), "{log}");
}

#[test]
fn a_touch_reloads_nothing() {
    let world = World::new("touch", &[("responses.toml", &table("one"))]);
    // The same text, written in place and by a rename.
    world.write("responses.toml", &table("one"));
    world.service.wait_for(SAME, 1);
    world.replace("responses.toml", &table("one"));
    world.service.wait_for(SAME, 2);
    assert_eq!(world.count(RELOADED), 0);
    world.write("responses.toml", &table("two"));
    world.service.wait_for(RELOADED, 1);
    assert_eq!(world.says(), "two");
}

#[test]
fn what_is_beside_the_table_does_not_matter() {
    let world = World::new("beside", &[("responses.toml", &table("one"))]);
    world.write("other.toml", "no table");
    world.write("responses.toml~", "no table");
    world.replace("responses.toml", &table("two"));
    world.wait_until_it_says("two");
    let (_, log) = world.service.stop("-TERM");
    assert_eq!(crate::world::count(&log, RELOADED), 1, "{log}");
    assert!(!log.contains(FAILED) && !log.contains(SAME), "{log}");
}

#[test]
fn sighup_asks_for_a_reload_whatever_has_changed() {
    let world = World::new("asked", &[("responses.toml", &table("one"))]);
    world.service.signal("-HUP");
    world.service.wait_for(RELOADED, 1);
    assert_eq!(world.says(), "one");
    // A bad table is reported again for every SIGHUP.
    world.write("responses.toml", "[default");
    world.service.wait_for(FAILED, 1);
    world.service.signal("-HUP");
    world.service.wait_for(FAILED, 2);
    world.service.signal("-HUP");
    world.service.wait_for(FAILED, 3);
    assert_eq!(world.says(), "one");
}

#[test]
fn an_edit_that_is_taken_back_is_good_again() {
    let world = World::new("back", &[("responses.toml", &table("one"))]);
    world.write("responses.toml", "[default");
    world.service.wait_for(FAILED, 1);
    world.write("responses.toml", &table("one"));
    let line = world.service.wait_for(RELOADED, 1);
    assert!(line.contains("routes=1"), "{line}");
    assert_eq!(world.says(), "one");
}

#[test]
fn a_file_that_grows_is_whole_in_the_end() {
    let world = World::new(
        "grow",
        &[
            ("responses.toml", &table_with("one", "d.csv")),
            ("d.csv", &rows("a", 10)),
        ],
    );
    let mut file = OpenOptions::new()
        .append(true)
        .open(world.path("d.csv"))
        .expect("it is there");
    file.write_all(b"+150055599").expect("it is written");
    file.write_all(b"99,b\n").expect("it is written");
    drop(file);
    world.service.wait_for(RELOADED, 1);
    assert_eq!(says(&world.service), "one a");
    let (_, log) = world.service.stop("-TERM");
    assert!(!log.contains(FAILED), "{log}");
}
