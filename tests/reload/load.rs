//! Reloads under load: no request waits, fails, or gets a mixture of two tables.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::world::{FAILED, RELOADED, World, folder, rows, says, serve, table_with};

const RELOADS: usize = 50;

#[test]
fn no_request_fails_and_none_sees_a_mixture_while_tables_come_and_go() {
    // A table and its directory file contain the same number, and are replaced together.
    let world = {
        let folder = folder("load", &[]);
        for name in ["responses.toml", "d.csv"] {
            symlink(format!("now/{name}"), folder.path().join(name)).expect("a link");
        }
        generation(&folder, 0);
        let service = serve(&folder, &[]);
        World { folder, service }
    };
    let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|threads| {
        let ask = || {
            let mut last = 0;
            while !is_over.load(Ordering::Relaxed) {
                let said = says(&world.service);
                let (table, row) = said.split_once(' ').expect("two words");
                assert_eq!(table, row, "a mixture");
                let now: usize = table.parse().expect("a number");
                assert!(now >= last, "{now} after {last}");
                last = now;
                asked.fetch_add(1, Ordering::Relaxed);
            }
        };
        let askers: Vec<_> = (0..3).map(|_| threads.spawn(ask)).collect();
        for number in 1..=RELOADS {
            generation(&world.folder, number);
            world.service.signal("-HUP");
            world.wait_until_it_says(&format!("{number} {number}"));
        }
        is_over.store(true, Ordering::Relaxed);
        for asker in askers {
            asker.join().expect("every answer was right");
        }
    });
    assert!(asked.load(Ordering::Relaxed) > RELOADS);
    let (code, log) = world.service.stop("-TERM");
    assert_eq!(code, Some(0));
    assert!(!log.contains(FAILED), "{log}");
    assert!(crate::world::count(&log, RELOADED) >= RELOADS, "{log}");
}

/// Writes the files of a generation and puts all of them in place at once.
fn generation(folder: &crate::support::Folder, number: usize) {
    let new = folder.path().join(format!("generation-{number}"));
    fs::create_dir(&new).expect("a folder");
    let word = number.to_string();
    fs::write(new.join("responses.toml"), table_with(&word, "d.csv")).expect("a table");
    fs::write(new.join("d.csv"), rows(&word, 100)).expect("a directory");
    let link = folder.path().join("next");
    symlink(&new, &link).expect("a link");
    fs::rename(&link, folder.path().join("now")).expect("a rename");
}
