//! The files of secrets are watched like the table, and each goes live independently.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::support::{Folder, Service};
use crate::world::{FAILED, RELOADED, World, asked, folder, get, said, table, text};

const OLD: &str = "0123456789abcdef0123456789abcdef";
const NEW: &str = "fedcba9876543210fedcba9876543210";

/// Whether a request signed with this token is answered.
fn is_answered(world: &World, token: &str) -> bool {
    let answer = asked(&world.service, Some(token));
    let is_answered = answer.starts_with("HTTP/1.1 200 ");
    assert!(
        is_answered || answer.starts_with("HTTP/1.1 403 "),
        "{answer}"
    );
    is_answered
}

/// Two keys of the voice webhooks.
const KEYS: [&str; 2] = [
    "0123456789abcdef0123456789abcdef",
    "fedcba9876543210fedcba9876543210",
];

fn world(name: &str) -> World {
    on(folder(
        name,
        &[("responses.toml", &table("one")), ("token", OLD)],
    ))
}

/// A service with the table and the token in a folder.
fn on(folder: Folder) -> World {
    let table = folder.path().join("responses.toml");
    let token = folder.path().join("token");
    let arguments = ["--table", text(&table), "--auth-token-file", text(&token)];
    let service = Service::start(&arguments, &[]);
    World { folder, service }
}

#[test]
fn a_token_is_rotated_without_a_gap_and_without_a_signal() {
    let world = world("rotate");
    assert!(is_answered(&world, OLD) && !is_answered(&world, NEW));
    world.write("token", &format!("{OLD}\n{NEW}\n"));
    let line = world.service.wait_for(RELOADED, 1);
    assert!(line.contains("live=\"secrets\""), "{line}");
    assert!(is_answered(&world, OLD) && is_answered(&world, NEW));
    world.replace("token", NEW);
    world.service.wait_for(RELOADED, 2);
    assert!(!is_answered(&world, OLD) && is_answered(&world, NEW));
    // A signal makes the service read everything.
    world.service.signal("-HUP");
    let line = world.service.wait_for(RELOADED, 3);
    assert!(line.contains("live=\"table, secrets\""), "{line}");
}

#[test]
fn a_secret_of_kubernetes_is_seen_when_its_link_is_pointed_elsewhere() {
    let folder = folder(
        "secret-link",
        &[
            ("responses.toml", &table("one")),
            ("..1/token", OLD),
            ("..2/token", NEW),
        ],
    );
    symlink("..1", folder.path().join("..data")).expect("a link");
    symlink("..data/token", folder.path().join("token")).expect("a link");
    let world = on(folder);
    assert!(is_answered(&world, OLD));
    symlink("..2", world.path("..data_tmp")).expect("a link");
    fs::rename(world.path("..data_tmp"), world.path("..data")).expect("a rename");
    world.service.wait_for(RELOADED, 1);
    assert!(!is_answered(&world, OLD) && is_answered(&world, NEW));
}

#[test]
fn a_file_of_secrets_is_read_when_its_writer_has_done() {
    let world = world("half-secret");
    let mut file = File::create(world.path("token")).expect("a file");
    for piece in NEW.as_bytes().chunks(4) {
        file.write_all(piece).expect("it is written");
        file.sync_all().expect("it is written");
    }
    drop(file);
    world.service.wait_for(RELOADED, 1);
    assert!(is_answered(&world, NEW));
    assert_eq!(world.count(FAILED), 0);
}

#[test]
fn keys_of_the_voice_webhooks_are_watched_too() {
    let folder = folder(
        "keys",
        &[("responses.toml", &table("one")), ("keys", KEYS[0])],
    );
    let (keys, journal) = (folder.path().join("keys"), folder.path().join("journal"));
    let arguments = [
        "--voice-webhooks-key-file",
        text(&keys),
        "--journal",
        text(&journal),
    ];
    let service = crate::world::serve(&folder, &arguments);
    let world = World { folder, service };
    let status = |key: &str| get(&world.service, &format!("/voice-webhooks/{key}?Event=x"));
    assert_eq!((status(KEYS[0]), status(KEYS[1])), (204, 404));
    world.replace("keys", KEYS[1]);
    world.service.wait_for(RELOADED, 1);
    assert_eq!((status(KEYS[0]), status(KEYS[1])), (404, 204));
}

#[test]
fn a_bad_secret_changes_nothing_but_keeps_back_no_table() {
    let world = world("bad-secret");
    world.write("token", "not a token at all, but 4155550142");
    let line = world.service.wait_for(FAILED, 1);
    assert!(line.contains("bad=\"secrets\" live=\"\""), "{line}");
    world.write("responses.toml", &table("two"));
    let line = world.service.wait_for(FAILED, 2);
    assert!(line.contains("bad=\"secrets\" live=\"table\""), "{line}");
    world.service.wait_for("still bad: the auth token file", 1);
    assert_eq!(said(&asked(&world.service, Some(OLD))), "two");
    fs::remove_file(world.path("token")).expect("it goes");
    world.service.wait_for("cannot read the auth token file", 1);
    world.service.wait_for(FAILED, 3);
    // A bad table does not delay secrets.
    world.write("responses.toml", "[default");
    world.service.wait_for(FAILED, 4);
    world.write("token", NEW);
    let line = world.service.wait_for(FAILED, 5);
    assert!(line.contains("bad=\"table\" live=\"secrets\""), "{line}");
    world.service.wait_for("responses.toml is still bad", 1);
    assert_eq!(said(&asked(&world.service, Some(NEW))), "two");
    world.write("responses.toml", &table("three"));
    world.service.wait_for(RELOADED, 1);
    assert_eq!(said(&asked(&world.service, Some(NEW))), "three");
    let (_, log) = world.service.stop("-TERM");
    for secret in [OLD, NEW, "4155550142"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// When a shortage of descriptors ends, the file itself does not change, so only another try can succeed.
#[test]
fn a_file_that_could_not_be_read_for_a_while_is_tried_again() {
    let world = world("descriptors");
    let process = i32::try_from(world.service.process()).ok();
    let process = process.and_then(Pid::from_raw).expect("a process");
    let none = Rlimit {
        current: Some(0),
        maximum: rustix::process::getrlimit(Resource::Nofile).maximum,
    };
    let before = prlimit(Some(process), Resource::Nofile, none).expect("it is ours");
    world.write("token", NEW);
    world.service.wait_for("Too many open files", 1);
    world.service.wait_for(FAILED, 1);
    world.write("responses.toml", &table("two"));
    world.service.wait_for("Too many open files", 2);
    world.service.wait_for(FAILED, 2);
    prlimit(Some(process), Resource::Nofile, before).expect("it is ours");
    world.service.wait_for(RELOADED, 1);
    assert_eq!(said(&asked(&world.service, Some(NEW))), "two");
}
