//! `[directory.NAME]`: from TOML to keys that are looked up.

use std::sync::Arc;

use super::Compiler;
use super::problems::{Value, entries};
use crate::diagnostic::Code;
use crate::table::directory::Directory;

/// The keys of a `[directory.NAME]`.
const DIRECTORY_KEYS: [&str; 1] = ["numbers"];

impl Compiler<'_> {
    pub(super) fn lower_directories(&mut self, section: &Value<'_>) {
        let Some(tables) = self.problems.table(section, "a table of directories") else {
            return;
        };
        for (key, value) in entries(tables) {
            let name = key.get_ref().as_ref();
            let directory = self.directory(name, value).map(Arc::new);
            self.directories.insert(name.to_owned(), directory);
        }
    }

    fn directory(&mut self, name: &str, value: &Value<'_>) -> Option<Directory> {
        let table = self.problems.table(value, "a directory")?;
        let section = format!("[directory.{name}]");
        self.problems.unknown_keys(table, &section, &DIRECTORY_KEYS);
        let Some(numbers) = table.get("numbers") else {
            let help = "write numbers = [\"+15005550006\"]";
            self.problems.error(
                Code::MissingKey,
                value.span(),
                format!("{section} has no `numbers`"),
                help,
            );
            return None;
        };
        let help = "write numbers = [\"+15005550006\", \"+1415*\"]";
        let numbers = self.problems.array(numbers, "an array of numbers", help)?;
        let mut directory = Directory::new(name);
        for item in numbers {
            if let Some(key) = self
                .problems
                .text(item, "a number or a prefix ending in `*`")
            {
                self.directory_key(&mut directory, key, item);
            }
        }
        Some(directory)
    }

    fn directory_key(&mut self, directory: &mut Directory, key: &str, item: &Value<'_>) {
        let star_inside = key.strip_suffix('*').unwrap_or(key).contains('*');
        if key.is_empty() || star_inside {
            let message = if key.is_empty() {
                "an empty key"
            } else {
                "a `*` stands only at the end of a key"
            };
            let help = "write a whole number, or the beginning of numbers and `*`";
            self.problems
                .error(Code::BadKey, item.span(), message, help);
            return;
        }
        self.check_number(key, item.span());
        if directory.add(key).is_err() {
            let message = format!("{key} is in this directory already");
            self.problems.error(
                Code::DuplicateKey,
                item.span(),
                message,
                "take one of the two out",
            );
        }
    }
}
