//! What an editor asks about a table while somebody writes it: what may come here, what this is, where it is, whether
//! it passes.
//!
//! Everything comes from what the readers of a table use: the shape of its sections, the kinds of conditions, the
//! vocabulary and the list of parameters. Places are bytes; how an editor counts them is the business of `lsp`.

mod help;
mod meaning;
mod mentions;
mod offers;
mod outline;
mod tree;

use std::ops::Range;
use std::sync::Arc;

use self::meaning::{Node, NodeKind, innermost};
use self::mentions::{Mention, mentions, words};
use self::tree::{Tree, tree};
use super::Files;
use crate::table::diagnostic::File;

pub use self::offers::{Offer, OfferKind, Offers};
pub use self::outline::{Lens, Symbol, lenses, symbols};

/// Longer parts of a table are not shown when somebody points at their names.
const MOST_LINES: usize = 12;

/// A table as far as it can be read.
#[derive(Debug)]
pub struct Draft {
    file: Arc<File>,
    tree: Tree,
}

/// A place in a table, or in a file that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: Arc<File>,
    /// The bytes of it.
    pub span: Range<usize>,
}

impl Draft {
    /// Reads a table.
    #[must_use]
    pub fn new(file: &Arc<File>) -> Self {
        Self {
            file: Arc::clone(file),
            tree: tree(&file.text),
        }
    }

    /// What may be written at a byte.
    #[must_use]
    pub fn offers(&self, files: &dyn Files, at: usize) -> Option<Offers> {
        offers::offers(&self.file.text, &self.tree, files, self.file.boundary(at))
    }

    /// What is at a byte: its place, and what there is to say about it, in Markdown.
    #[must_use]
    pub fn hover(&self, files: &dyn Files, at: usize) -> Option<(Range<usize>, String)> {
        let (text, at) = (&self.file.text, self.file.boundary(at));
        if let Some(found) = self.mention(files, at) {
            let defined = self
                .same(files, &found)
                .into_iter()
                .find(|one| one.whole.is_some())?;
            let (file, whole) = (defined.file.as_ref().unwrap_or(&self.file), defined.whole?);
            let lines: Vec<&str> = file.text[whole].trim_end().lines().collect();
            let more = if lines.len() > MOST_LINES {
                "\n…"
            } else {
                ""
            };
            let lines = &lines[..lines.len().min(MOST_LINES)].join("\n");
            let name = &found.name;
            return Some((
                found.span,
                format!("`{name}`\n\n```toml\n{lines}{more}\n```"),
            ));
        }
        let Node {
            kind,
            meaning,
            table,
        } = innermost(text, &self.tree, at)?;
        match kind {
            NodeKind::Header(key) | NodeKind::Key(key, _) => {
                Some((key.span.clone(), help::key(meaning, &key.name, table)?))
            }
            NodeKind::Value(Some(value)) if meaning.takes_fields() => {
                let inner = value.text()?;
                let mut words = words(&text[inner.clone()]);
                let word = words.find(|word| {
                    (word.span.start..=word.span.end).contains(&at.wrapping_sub(inner.start))
                })?;
                let span = inner.start + word.span.start..inner.start + word.span.end;
                Some((span, help::parameter(&text[inner.clone()][word.span])?))
            }
            _ => None,
        }
    }

    /// Where the name at a byte is defined.
    #[must_use]
    pub fn definition(&self, files: &dyn Files, at: usize) -> Vec<Location> {
        let Some(found) = self.mention(files, self.file.boundary(at)) else {
            return Vec::new();
        };
        let all = self.same(files, &found).into_iter();
        self.locations(all.filter(|one| one.whole.is_some()))
    }

    /// Where the name at a byte is used; also where it is defined, if requested.
    #[must_use]
    pub fn references(&self, files: &dyn Files, at: usize, with_definition: bool) -> Vec<Location> {
        let Some(found) = self.mention(files, self.file.boundary(at)) else {
            return Vec::new();
        };
        let all = self.same(files, &found).into_iter();
        self.locations(all.filter(|one| with_definition || one.whole.is_none()))
    }

    fn locations(&self, mentions: impl Iterator<Item = Mention>) -> Vec<Location> {
        let location = |mention: Mention| Location {
            file: mention.file.unwrap_or_else(|| Arc::clone(&self.file)),
            span: mention.span,
        };
        mentions.map(location).collect()
    }

    /// The name at a byte.
    fn mention(&self, files: &dyn Files, at: usize) -> Option<Mention> {
        let all = mentions(&self.file.text, &self.tree, files).into_iter();
        let here =
            all.filter(|one| one.file.is_none() && (one.span.start..=one.span.end).contains(&at));
        here.min_by_key(|one| one.span.len())
    }

    /// Every mention of the same thing.
    fn same(&self, files: &dyn Files, wanted: &Mention) -> Vec<Mention> {
        let all = mentions(&self.file.text, &self.tree, files).into_iter();
        let same = all.filter(|one| one.named == wanted.named && one.name == wanted.name);
        same.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::{NoFiles, compile};

    const TABLE: &str = r#"[directory.langs]
rows = [ { number = "+15005550006", hello = "Hola" } ]
[reply.sorry]
voice = [ { Say = "Sorry 🙂" } ]
[[route]]
name = "menu"
when = { Called = { in = "langs" } }
voice = [ { Say = "🙂 {{ langs.hello }} {{ CallSid }}", language = "es-MX" }, { Redirect = "?step=keys" } ]
[[route]]
name = "keys"
step = "keys"
when.Digits = ["1", "2"]
reply = "sorry"
[default]
voice = [ { Say = "Hello." } ]
[[test]]
name = "good"
expect = "menu"
[test.request]
Called = "+15005550006"
[[test]]
name = "bad"
expect = "keys"
"#;

    fn draft() -> (Arc<File>, Draft) {
        let file = File::new("responses.toml", TABLE);
        let draft = Draft::new(&file);
        (file, draft)
    }

    /// The byte in the middle of a text.
    fn at(text: &str) -> usize {
        TABLE.find(text).expect("it is there") + text.len() / 2
    }

    #[test]
    fn a_name_leads_to_where_it_is_given_and_used() {
        let (file, draft) = draft();
        for (place, definition, references) in [
            ("\"langs\"", "langs]", 1),
            ("langs.hello", "hello =", 1),
            ("?step=keys", "keys\"\nwhen", 1),
            ("reply = \"sorry", "sorry]", 1),
            ("expect = \"menu", "menu\"\nwhen", 1),
            ("name = \"keys", "keys\"\nstep", 1),
        ] {
            let at = at(place) + place.len() / 2 - 1;
            let found = draft.definition(&NoFiles, at);
            let places: Vec<&str> = found
                .iter()
                .map(|one| &file.text[one.span.start..])
                .collect();
            assert!(
                matches!(*places, [one] if one.starts_with(definition)),
                "{place}: {places:?}"
            );
            let found = draft.references(&NoFiles, at, false);
            assert_eq!(found.len(), references, "{place}");
            let found = draft.references(&NoFiles, at, true);
            assert_eq!(found.len(), references + 1, "{place}");
        }
        for byte in 0..=TABLE.len() + 9 {
            let _ = (draft.offers(&NoFiles, byte), draft.hover(&NoFiles, byte));
        }
    }

    #[test]
    fn what_somebody_points_at_is_explained() {
        let (_, draft) = draft();
        for (place, wanted) in [
            ("step =", "Answers only requests with ?step=NAME"),
            ("Called", "`Called`: a phone number"),
            (
                "CallSid",
                "https://www.twilio.com/docs/voice/twiml#request-parameters",
            ),
            ("in =", "holds if the directory has a row"),
            ("Say", "Speaks a text to the caller"),
            (
                "Redirect",
                "https://www.twilio.com/docs/voice/twiml/redirect",
            ),
            ("language =", "`language` takes"),
            ("[[test]]", "Requests and the routes that must answer them"),
            ("reply = \"sorry", "Sorry 🙂"),
        ] {
            let at = at(place) + usize::from(place.contains("sorry")) * 5;
            let (_, help) = draft.hover(&NoFiles, at).unwrap_or_default();
            assert!(help.contains(wanted), "{place}: {help}");
        }
    }

    #[test]
    fn tests_and_routes_say_how_they_are() {
        let (file, draft) = draft();
        let names: Vec<String> = symbols(&draft)
            .into_iter()
            .map(|symbol| symbol.name)
            .collect();
        assert_eq!(
            names,
            ["langs", "sorry", "menu", "keys", "default", "good", "bad"]
        );
        let compiled = compile(&file, &NoFiles).expect("a table");
        let lenses = |compiled| {
            let lenses = lenses(&draft, compiled).into_iter();
            lenses.map(|lens| lens.title).collect::<Vec<_>>()
        };
        let found = lenses(Some(&compiled));
        let found: Vec<&str> = found.iter().map(|title| &**title).collect();
        let [menu, keys, good, bad] = *found else {
            panic!("{found:?}");
        };
        assert_eq!(
            (menu, keys, good),
            ("answers 1 test", "no test is answered by this", "passes")
        );
        assert!(bad.starts_with("fails: "), "{bad}");
        assert_eq!(lenses(None), ["not run: the table has errors"; 2]);
    }
}
