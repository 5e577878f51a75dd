//! The file as values with their places, never all of it at once.
//!
//! A tree of TOML values takes twenty times the room of its text. So the `[[route]]` sections that stand one after
//! the other are taken out and parsed a few at a time; all else is parsed as one. The parts are cut where a line begins
//! with a bracket. Inside a long text or array that is no section, and then a part is no TOML or has other keys than
//! it should: such a file is parsed whole.
//!
//! Parsing is a good third of what a large table takes, so a thread of its own does it while the routes before are read.

use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::thread;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::table::problems::{Key, Value};

/// How many bytes of routes are parsed at a time, but for one route that is longer.
const MOST_BYTES: usize = 64 * 1024;

/// How many parts are parsed before they are asked for, at most.
const AHEAD: usize = 2;

/// What begins a route.
const ROUTE: &str = "[[route]]";

/// Parts of a file that are no TOML of their own: it must be read whole.
#[derive(Debug)]
pub(super) struct NotParted;

/// A file's text, parted.
#[derive(Debug)]
pub(super) struct Parts<'t> {
    text: &'t str,
    /// Routes, each part some of them whole.
    routes: Vec<Range<usize>>,
    /// Whether mistakes that have been reported are read over.
    reads_over_mistakes: bool,
    /// All else.
    rest: String,
    /// For each piece of `rest`, where it begins there, and in the file.
    pieces: Vec<(usize, usize)>,
    /// Whether a thread of its own parses ahead of what reads the routes.
    parses_ahead: bool,
}

impl<'t> Parts<'t> {
    /// A file's routes in small parts, and all else in one.
    pub(super) fn of(text: &'t str) -> Self {
        let mut parts = Self::new(text);
        let (mut start, mut is_route) = (0, text.starts_with(ROUTE));
        let lines = text.match_indices("\n[").map(|(at, _)| at + 1);
        for at in lines.chain([text.len()]) {
            let line = &text[at..];
            let begins_route = line.starts_with(ROUTE);
            let belongs_to_route = line.starts_with("[[route.") || line.starts_with("[route.");
            let is_full = begins_route && at - start >= MOST_BYTES;
            let goes_on = begins_route || belongs_to_route;
            if is_route == goes_on && !is_full && at < text.len() {
                continue;
            }
            parts.add(start..at, is_route);
            (start, is_route) = (at, begins_route);
        }
        parts
    }

    /// The same, without a thread of its own.
    pub(super) fn on_this_thread(self) -> Self {
        Self {
            parses_ahead: false,
            ..self
        }
    }

    /// The file in one part, and what of it is TOML: all mistakes in it have been reported.
    pub(super) fn whole(text: &'t str) -> Self {
        let mut parts = Self {
            reads_over_mistakes: true,
            ..Self::new(text)
        };
        parts.add(0..text.len(), false);
        parts
    }

    fn new(text: &'t str) -> Self {
        Self {
            text,
            routes: Vec::new(),
            reads_over_mistakes: false,
            rest: String::new(),
            pieces: Vec::new(),
            parses_ahead: true,
        }
    }

    fn add(&mut self, part: Range<usize>, is_route: bool) {
        if is_route {
            self.routes.push(part);
        } else {
            self.pieces.push((self.rest.len(), part.start));
            self.rest.push_str(&self.text[part]);
        }
    }

    /// All but the routes that have been taken out.
    ///
    /// # Errors
    ///
    /// It is no TOML, or has routes although some have been taken out.
    pub(super) fn rest(&self) -> Result<DeTable<'_>, NotParted> {
        let place = |at: usize| {
            let piece = self.pieces.partition_point(|(start, _)| *start <= at);
            let (start, place) = self.pieces[piece.saturating_sub(1)];
            place + at - start
        };
        let (rest, mistakes) = DeTable::parse_recoverable(&self.rest);
        if !mistakes.is_empty() && !self.reads_over_mistakes {
            return Err(NotParted);
        }
        let rest = moved_table(rest.into_inner(), &place);
        if !self.routes.is_empty() && rest.contains_key("route") {
            return Err(NotParted);
        }
        Ok(rest)
    }

    /// Hands over the routes that have been taken out, some at a time, in the order of the file.
    ///
    /// # Errors
    ///
    /// A part is no TOML, or has other keys than `route`.
    pub(super) fn each_routes(&self, mut read: impl FnMut(&Value<'_>)) -> Result<(), NotParted> {
        thread::scope(|scope| {
            let (parsed, taken) = sync_channel(AHEAD);
            let parse_all = move || {
                for part in &self.routes {
                    if parsed.send(self.parse(part)).is_err() {
                        // Nobody waits for more: one before was no TOML.
                        break;
                    }
                }
            };
            let is_alone = !self.parses_ahead
                || self.routes.len() < 2
                || thread::Builder::new()
                    .name("toml".to_owned())
                    .spawn_scoped(scope, parse_all)
                    .is_err();
            if is_alone {
                for part in &self.routes {
                    read(&self.parse(part)?);
                }
            } else {
                for routes in taken {
                    read(&routes?);
                }
            }
            Ok(())
        })
    }

    fn parse(&self, part: &Range<usize>) -> Result<Value<'_>, NotParted> {
        let place = |at: usize| part.start + at;
        let table = DeTable::parse(&self.text[part.clone()]).map_err(|_| NotParted)?;
        let mut entries = table.into_inner().into_iter();
        match (entries.next(), entries.next()) {
            (Some((key, value)), None) if key.get_ref() == "route" => Ok(moved(value, &place)),
            _ => Err(NotParted),
        }
    }
}

/// A value with the places of its part made those of the file.
fn moved<'i>(value: Value<'i>, place: &impl Fn(usize) -> usize) -> Value<'i> {
    let span = moved_span(&value.span(), place);
    let value = match value.into_inner() {
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|item| moved(item, place)).collect())
        }
        DeValue::Table(table) => DeValue::Table(moved_table(table, place)),
        scalar => scalar,
    };
    Spanned::new(span, value)
}

fn moved_table<'i>(table: DeTable<'i>, place: &impl Fn(usize) -> usize) -> DeTable<'i> {
    let entries = table.into_iter().map(|(key, value)| {
        let span = moved_span(&key.span(), place);
        let key: Key<'i> = Spanned::new(span, key.into_inner());
        (key, moved(value, place))
    });
    entries.collect()
}

fn moved_span(span: &Range<usize>, place: &impl Fn(usize) -> usize) -> Range<usize> {
    let start = place(span.start);
    start..start + span.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the routes that are parted, and the keys of the rest, each with the text at its place.
    fn parted(text: &str) -> Option<(Vec<&str>, Vec<&str>)> {
        let parts = Parts::of(text);
        let rest = parts.rest().ok()?;
        let keys = rest.keys().map(|key| &text[key.span()]).collect();
        let mut names = Vec::new();
        let read = |routes: &Value<'_>| {
            let routes = routes.get_ref().as_array().expect("an array");
            for route in routes {
                let name = route
                    .get_ref()
                    .as_table()
                    .and_then(|route| route.get("name"));
                names.push(&text[name.expect("a name").span()]);
            }
        };
        parts.each_routes(read).ok()?;
        Some((names, keys))
    }

    #[test]
    fn routes_and_all_else_keep_their_places() {
        let text = "a = 1\n[[route]]\nname = 1\n[route.when]\nx = 1\n[[route.voice]]\nSay = \"\"\n\
                    [b]\nc = \"[[route]]\"\n[[route]]\nname = 2\n[[route]]\nname = 3\n[d]\n";
        assert_eq!(
            parted(text),
            Some((vec!["1", "2", "3"], vec!["a", "b", "d"]))
        );
    }

    #[test]
    fn many_routes_are_parsed_some_at_a_time() {
        let text = "[[route]]\nname = 1\n".repeat(MOST_BYTES / 4);
        let parts = Parts::of(&text);
        assert_eq!(parts.routes.len(), 5);
        let (names, _) = parted(&text).expect("it can be parted");
        assert_eq!(names.len(), MOST_BYTES / 4);
        // In this thread alone as well.
        let mut count = 0;
        let read = |routes: &Value<'_>| count += routes.get_ref().as_array().map_or(0, |r| r.len());
        parts
            .on_this_thread()
            .each_routes(read)
            .expect("it can be parted");
        assert_eq!(count, MOST_BYTES / 4);
    }

    #[test]
    fn a_part_that_is_no_toml_ends_the_parsing() {
        let text = "[[route]]\nname = 1\n".repeat(MOST_BYTES / 4);
        let (before, after) = text.split_at(text.len() / 2);
        assert!(parted(before).is_some());
        assert_eq!(
            parted(&format!("{before}[[route]]\nname = \n{after}")),
            None
        );
    }

    #[test]
    fn what_only_looks_like_a_section_is_not_parted() {
        let long = "#".repeat(MOST_BYTES);
        let in_a_text = format!("[[route]]\n{long}\nname = \"\"\"\n[[route]]\n\"\"\"\n");
        for text in [
            &in_a_text,
            "[[route]]\nname = [\n[1],\n]\n",
            "[[route]]\nname = 1\n [default]\n",
            " [[route]]\nname = 1\n[[route]]\nname = 2\n",
            "[route]\nname = 1\n[[route]]\nname = 2\n",
            "[[route]]\nname = \"\n",
        ] {
            assert_eq!(parted(text), None, "{text}");
        }
    }
}
