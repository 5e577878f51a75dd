//! Which files are being compiled, written down beforehand, so that files on which the program dies are not tried for
//! ever.
//!
//! When there is too little memory the program ends without a word, and whoever starts it again starts it on the same
//! files. With a last good copy nobody's call need be lost.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::last_good::private;
use super::parts::{Part, Parts, Stamp};

/// So many unfinished tries are too many. One may be a signal or a power cut.
const TOO_MANY: u32 = 2;

/// Where it is written down, in the folder of the last good copy.
const NAME: &str = "attempt.json";

/// A try that has begun. Ends when it is dropped, or else with the program.
#[derive(Debug)]
pub(super) struct Attempt {
    /// `None`: nowhere to write it down.
    place: Option<PathBuf>,
    begun: RefCell<Begun>,
}

/// Files, as far as they were come to, and how many tries on them have begun and not ended.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    tries: u32,
    files: Parts,
}

impl Attempt {
    /// A try on a table is about to begin. What cannot be written down is only not remembered.
    pub(super) fn begin(state_dir: Option<&Path>, table: &Path) -> Self {
        let place = state_dir.map(|folder| folder.join(NAME));
        let unfinished = place.as_deref().and_then(|place| Begun::load(place, table));
        let attempt = Self {
            place,
            begun: RefCell::new(Begun {
                tries: unfinished.map_or(0, |begun| begun.tries) + 1,
                files: Parts {
                    table: Part::unread(Stamp::of(table)),
                    ..Parts::default()
                },
            }),
        };
        attempt.write_down();
        attempt
    }

    /// A directory file is about to be read.
    pub(super) fn comes_to(&self, written: &str, stamp: Option<Stamp>) {
        let mut begun = self.begun.borrow_mut();
        let file = Part::unread(stamp);
        begun.files.directories.insert(written.to_owned(), file);
        drop(begun);
        self.write_down();
    }

    fn write_down(&self) {
        let Some(place) = &self.place else { return };
        let Ok(file) = private(place, false) else {
            return;
        };
        // It is for the next start, not for the next power cut: what does not reach the disk was not the program's end.
        let is_written =
            file.set_len(0).is_ok() && serde_json::to_writer(&file, &*self.begun.borrow()).is_ok();
        if !is_written {
            let _ = fs::remove_file(place);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            let _ = fs::remove_file(place);
        }
    }
}

/// What is known of the files of a table, if the program has died on them, as they still are, too often.
pub(super) fn passed_over(state_dir: &Path, table: &Path) -> Option<Parts> {
    let begun = Begun::load(&state_dir.join(NAME), table)?;
    (begun.tries >= TOO_MANY).then(|| begun.files.read_again(table))
}

impl Begun {
    /// The try that has not ended, if its files are still the same.
    fn load(place: &Path, table: &Path) -> Option<Self> {
        let begun: Self = serde_json::from_slice(&fs::read(place).ok()?).ok()?;
        (!begun.files.have_moved(table)).then_some(begun)
    }
}

#[cfg(test)]
mod tests {
    use std::mem::forget;

    use super::*;

    #[test]
    fn files_on_which_the_program_has_died_twice_are_passed_over_until_they_change() {
        let folder = format!("twiml-responder-attempt-{}", std::process::id());
        let state = &std::env::temp_dir().join(folder);
        fs::create_dir_all(state).expect("a folder");
        let table = state.join("responses.toml");
        let write = |name: &str, text: &str| fs::write(state.join(name), text).expect("a file");
        write("responses.toml", "");
        write("d.csv", "number\n+1\n");
        let begin = || {
            let attempt = Attempt::begin(Some(state), &table);
            attempt.comes_to("d.csv", Stamp::of(&state.join("d.csv")));
            attempt
        };
        let is_passed_over = || passed_over(state, &table).is_some();
        drop(begin());
        drop(begin());
        assert!(!is_passed_over());
        // As if the program ended here.
        forget(begin());
        assert!(!is_passed_over());
        forget(begin());
        let files = passed_over(state, &table).expect("they are passed over");
        assert!(!files.have_moved(&table));
        assert_eq!(files.directories["d.csv"].rows, 1);
        // Whoever asks for a third try, gets it.
        forget(begin());
        assert!(is_passed_over());
        write("d.csv", "number\n+1\n+2\n");
        assert!(!is_passed_over());
        forget(begin());
        assert!(!is_passed_over());
        forget(begin());
        assert!(is_passed_over());
        write("responses.toml", "# mended");
        assert!(!is_passed_over());
        // One that comes to its end.
        drop(begin());
        assert!(!state.join(NAME).exists());
        fs::remove_dir_all(state).expect("it goes");
    }
}
