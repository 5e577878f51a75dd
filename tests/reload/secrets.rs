//! A reload reads the secrets again, and nothing goes live by halves.

use std::fs;

use crate::support::Service;
use crate::world::{FAILED, RELOADED, World, asked, folder, said, table, text};

const OLD: &str = "0123456789abcdef0123456789abcdef";
const NEW: &str = "fedcba9876543210fedcba9876543210";

/// Whether a caller whose request is signed so is answered.
fn is_answered(world: &World, token: &str) -> bool {
    let answer = asked(&world.service, Some(token));
    let is_answered = answer.starts_with("HTTP/1.1 200 ");
    assert!(
        is_answered || answer.starts_with("HTTP/1.1 403 "),
        "{answer}"
    );
    is_answered
}

fn world(name: &str) -> World {
    let folder = folder(name, &[("responses.toml", &table("one")), ("token", OLD)]);
    let table = folder.path().join("responses.toml");
    let token = folder.path().join("token");
    let arguments = ["--table", text(&table), "--auth-token-file", text(&token)];
    let service = Service::start(&arguments, &[]);
    World { folder, service }
}

#[test]
fn a_token_is_rotated_without_a_gap() {
    let world = world("rotate");
    assert!(is_answered(&world, OLD) && !is_answered(&world, NEW));
    world.write("token", &format!("{OLD}\n{NEW}\n"));
    world.service.signal("-HUP");
    world.service.wait_for(RELOADED, 1);
    assert!(is_answered(&world, OLD) && is_answered(&world, NEW));
    world.write("token", NEW);
    world.service.signal("-HUP");
    world.service.wait_for(RELOADED, 2);
    assert!(!is_answered(&world, OLD) && is_answered(&world, NEW));
}

#[test]
fn an_edit_of_the_table_reads_the_secrets_too() {
    let world = world("with-table");
    world.write("token", NEW);
    world.write("responses.toml", &table("two"));
    world.service.wait_for(RELOADED, 1);
    assert!(!is_answered(&world, OLD));
    assert_eq!(said(&asked(&world.service, Some(NEW))), "two");
}

#[test]
fn a_bad_secret_keeps_the_table_and_the_secrets_as_they_were() {
    let world = world("bad-secret");
    world.write("token", "not a token at all, but 4155550142");
    world.write("responses.toml", &table("two"));
    world.service.wait_for(FAILED, 1);
    assert_eq!(said(&asked(&world.service, Some(OLD))), "one");
    fs::remove_file(world.path("token")).expect("it goes");
    world.service.signal("-HUP");
    world.service.wait_for("cannot read the auth token file", 1);
    world.service.wait_for(FAILED, 2);
    assert_eq!(said(&asked(&world.service, Some(OLD))), "one");
    world.write("token", NEW);
    world.service.signal("-HUP");
    world.service.wait_for(RELOADED, 1);
    assert_eq!(said(&asked(&world.service, Some(NEW))), "two");
    let (_, log) = world.service.stop("-TERM");
    for secret in [OLD, NEW, "4155550142"] {
        assert!(!log.contains(secret), "{log}");
    }
}
