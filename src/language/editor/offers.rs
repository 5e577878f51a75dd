//! What may be written at a place of a table.

use std::collections::BTreeSet;
use std::ops::Range;

use super::help;
use super::meaning::{Meaning, Node, NodeKind, innermost, named};
use super::mentions::{mentions, step};
use super::tree::{Table, Tree, ValueKind, is_bare};
use crate::language::directory_file::Files;
use crate::language::shape::{self, KeyKind, Named};
use crate::table::condition::KINDS;
use crate::table::remedy::quoted;
use crate::table::reply::template::FILTERS;
use crate::twilio::channel::Channel;
use crate::twilio::parameters;
use crate::twilio::vocabulary::{self, ElementSpec, ValueType};

/// The most that are offered: the rest comes when more letters are typed.
const MOST: usize = 200;

/// What may be written in some place.
#[derive(Debug)]
pub struct Offers {
    /// The bytes that an offer replaces.
    pub span: Range<usize>,
    /// What kind they all are.
    pub kind: OfferKind,
    /// The offers that fit what is typed so far.
    pub offers: Vec<Offer>,
    /// Whether others are left out.
    pub has_more: bool,
}

/// Something that may be written.
#[derive(Debug)]
pub struct Offer {
    /// What is shown.
    pub label: String,
    /// What is written.
    pub text: String,
    /// What it means, in Markdown; may be empty.
    pub help: String,
}

/// What an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferKind {
    /// A section of the file.
    Section,
    /// A key, such as an attribute.
    Key,
    /// A value, such as the name of a route.
    Value,
    /// A word in a template.
    Word,
}

/// What may be written in some place, and how.
struct Found<'t> {
    span: Range<usize>,
    kind: OfferKind,
    names: Vec<String>,
    write: Box<dyn Fn(&str) -> String + 't>,
    help: Box<dyn Fn(&str) -> String + 't>,
}

/// What may be written at a byte of a table.
pub(super) fn offers(text: &str, tree: &Tree, files: &dyn Files, at: usize) -> Option<Offers> {
    let node = innermost(text, tree, at)?;
    let place = Place {
        text,
        tree,
        files,
        at,
    };
    let line = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let start = line + text[line..at].len() - text[line..at].trim_start().len();
    let is_of_section = matches!(node.kind, NodeKind::Table | NodeKind::Header(_));
    let Found {
        span,
        kind,
        mut names,
        write,
        help,
    } = match text[start..at].chars().next() {
        Some('[') if is_of_section => {
            let end = text[at..]
                .find(['\n', '\r', '#'])
                .map_or(text.len(), |end| at + end);
            headers(start..end)
        }
        Some('#') => return None,
        _ => place.found(&node)?,
    };
    let typed = text[span.start..at.max(span.start)]
        .trim_start_matches(['"', '\''])
        .to_lowercase();
    let mut seen = BTreeSet::new();
    names.retain(|name| name.to_lowercase().contains(&typed) && seen.insert(name.clone()));
    names.sort_by_key(|name| !name.to_lowercase().starts_with(&typed));
    let has_more = names.len() > MOST;
    names.truncate(MOST);
    let offer = |label: String| Offer {
        text: write(&label),
        help: first_paragraph(&help(&label)),
        label,
    };
    let offers = names.into_iter().map(offer).collect();
    Some(Offers {
        span,
        kind,
        offers,
        has_more,
    })
}

/// The part that is short enough to be sent with every offer.
fn first_paragraph(help: &str) -> String {
    help.split("\n\n").next().unwrap_or_default().to_owned()
}

/// The headers of sections, without the names that the operator chooses.
fn headers<'t>(span: Range<usize>) -> Found<'t> {
    let header = |key: &shape::KeyShape| match key.kind {
        KeyKind::Array(KeyKind::Section(_)) => Some(format!("[[{}]]", key.name)),
        KeyKind::Section(_) => Some(format!("[{}]", key.name)),
        KeyKind::Sections(..) | KeyKind::Defaults | KeyKind::Extra => {
            Some(format!("[{}.", key.name))
        }
        _ => None,
    };
    let help = |header: &str| {
        let key = shape::FILE.key(header.trim_matches(['[', ']', '.']));
        key.map_or_else(String::new, |key| key.help.to_owned())
    };
    Found {
        span,
        kind: OfferKind::Section,
        names: shape::FILE.keys.iter().filter_map(header).collect(),
        write: Box::new(str::to_owned),
        help: Box::new(help),
    }
}

struct Place<'t> {
    text: &'t str,
    tree: &'t Tree,
    files: &'t dyn Files,
    at: usize,
}

impl<'t> Place<'t> {
    fn found(&self, node: &Node<'t>) -> Option<Found<'t>> {
        let (at, meaning) = (self.at, node.meaning);
        match node.kind {
            NodeKind::Header(_) => None,
            NodeKind::Table => {
                Some(self.keys(at..at, meaning, node.table, |key| format!("{key} = ")))
            }
            NodeKind::Key(key, entry) => {
                let equals = if entry.equals.is_some() { "" } else { " = " };
                Some(
                    self.keys(key.span.clone(), meaning, node.table, move |key| {
                        format!("{key}{equals}")
                    }),
                )
            }
            NodeKind::Value(None) => Some(self.values(at..at, meaning, true)),
            NodeKind::Value(Some(value)) => match &value.kind {
                ValueKind::Text(inner) if (inner.start..=inner.end).contains(&at) => {
                    self.in_text(meaning, inner)
                }
                ValueKind::Bare if at <= value.span.end => {
                    Some(self.values(value.span.clone(), meaning, true))
                }
                ValueKind::Array(_) if value.span.start < at && at <= value.span.end => {
                    Some(match meaning.item() {
                        item @ Meaning::Element(..) => {
                            self.keys(at..at, item, &NONE, |key| format!("{{ {key} = \"\" }}"))
                        }
                        item => self.values(at..at, item, true),
                    })
                }
                _ => None,
            },
        }
    }

    /// What may be written at the cursor in a text.
    fn in_text(&self, meaning: Meaning<'t>, inner: &Range<usize>) -> Option<Found<'t>> {
        let before = &self.text[inner.start..self.at];
        let open = before
            .rfind("{{")
            .filter(|open| !before[*open..].contains("}}"));
        if let Some(open) = open.filter(|_| meaning.takes_fields()) {
            let field = &before[open + 2..];
            let word =
                field.trim_end_matches(|last: char| !last.is_whitespace() && !"{|(".contains(last));
            let names = if word.trim_end().ends_with('|') {
                FILTERS.map(str::to_owned).into()
            } else {
                self.parameters()
                    .chain(self.names(Named::Column, ""))
                    .collect()
            };
            return Some(Found {
                span: self.at - (field.len() - word.len())..self.at,
                kind: OfferKind::Word,
                names,
                write: Box::new(str::to_owned),
                help: Box::new(|name| help::parameter(name).unwrap_or_default()),
            });
        }
        let mut span = inner.clone();
        if let Some(step) = step(&self.text[inner.clone()]).filter(|_| meaning.is_url()) {
            span = inner.start + step.start..inner.start + step.end;
            let is_there = (span.start..=span.end).contains(&self.at);
            return is_there.then(|| self.values(span, Meaning::STEP, false));
        }
        if matches!(meaning, Meaning::Attribute(spec) if spec.list) {
            let is_blank = |end: char| end.is_whitespace();
            span.start += before.rfind(is_blank).map_or(0, |blank| blank + 1);
            span.end = self.text[self.at..span.end]
                .find(is_blank)
                .map_or(span.end, |end| self.at + end);
        }
        Some(self.values(span, meaning, false))
    }

    /// The keys that a table does not have yet.
    fn keys(
        &self,
        span: Range<usize>,
        meaning: Meaning<'t>,
        table: &'t Table,
        write: impl Fn(String) -> String + 't,
    ) -> Found<'t> {
        let at = self.at;
        let others = table
            .entries
            .iter()
            .filter(|entry| !(entry.span.start..=entry.span.end).contains(&at));
        let there: BTreeSet<&str> = others
            .filter_map(|entry| entry.keys.first())
            .map(|key| &*key.name)
            .collect();
        let owned =
            |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect::<Vec<_>>();
        let mut names = match meaning {
            Meaning::Section(section, _) => owned(&mut section.keys().into_iter()),
            Meaning::Condition(subject) => {
                let kinds = KINDS
                    .iter()
                    .filter(|kind| subject.contains('.') || (kind.suits)(subject));
                owned(&mut kinds.map(|kind| kind.key).chain(["not"]))
            }
            Meaning::Conditions => self
                .parameters()
                .chain(self.names(Named::Column, ""))
                .collect(),
            Meaning::Request(section) => {
                let own = section
                    .map_or_else(Vec::new, shape::Section::keys)
                    .into_iter();
                own.map(str::to_owned).chain(self.parameters()).collect()
            }
            Meaning::Element(_, parent) => match meaning.element(table) {
                Some(spec) if there.contains(spec.tag) => owned(&mut spec.attribute_names()),
                _ => owned(
                    &mut parent
                        .child_names()
                        .filter(|name| self.may_stand(meaning, name)),
                ),
            },
            Meaning::Defaults | Meaning::Kind(KeyKind::Extra, _) => {
                owned(&mut Channel::ALL.into_iter().flat_map(vocabulary::element_names))
            }
            Meaning::DefaultsOf(tag) => {
                owned(&mut named(tag).flat_map(ElementSpec::attribute_names))
            }
            Meaning::Row(directory) => self.names(Named::Column, directory),
            _ => Vec::new(),
        };
        let excluded = |name: &str| match meaning {
            Meaning::Section(section, _) => section.apart.iter().any(|(one, other)| {
                (*one == name && there.contains(other)) || (*other == name && there.contains(one))
            }),
            _ => false,
        };
        names.retain(|name| !there.contains(&**name) && !excluded(name));
        let key = |name: &str| {
            if is_bare(name) {
                name.to_owned()
            } else {
                quoted(name)
            }
        };
        Found {
            span,
            kind: OfferKind::Key,
            names,
            write: Box::new(move |name| write(key(name))),
            help: Box::new(move |name| help::key(meaning, name, table).unwrap_or_default()),
        }
    }

    /// Whether an element may be written here: not one that leads on, in the reply when all else fails.
    fn may_stand(&self, meaning: Meaning<'t>, tag: &str) -> bool {
        let mut sections = self.tree.iter().rev();
        let here = sections.find(|section| section.table.span.contains(&self.at));
        let key = here.and_then(|section| shape::FILE.key(&section.header.first()?.name));
        let is_last = key.is_some_and(|key| matches!(key.kind, KeyKind::Section(_)));
        let leads_on = |spec: &ElementSpec| spec.leads_on;
        !(is_last && meaning.child(tag).is_some_and(leads_on))
    }

    /// The values that are known.
    fn values(&self, span: Range<usize>, meaning: Meaning<'t>, needs_quotes: bool) -> Found<'t> {
        let mut is_boolean = false;
        let words: &[&str] = match meaning {
            Meaning::Kind(KeyKind::Word(words) | KeyKind::NameOf(_, words), _) => words,
            Meaning::Parameter(name) | Meaning::Condition(name) => &parameters::get(name).values,
            Meaning::Attribute(spec) if spec.kind != ValueType::Boolean => &spec.values,
            Meaning::Attribute(_) | Meaning::Kind(KeyKind::Boolean, _) | Meaning::Keyed(_) => {
                is_boolean = !matches!(meaning, Meaning::Keyed(kind) if (kind.schema)()["type"] != "boolean");
                if is_boolean { &["true", "false"] } else { &[] }
            }
            _ => &[],
        };
        let named = match (meaning.named(), meaning) {
            (Some((named, _)), Meaning::Kind(_, owner)) => self.names(named, owner),
            _ => Vec::new(),
        };
        let is_written_in_quotes = needs_quotes && !is_boolean;
        Found {
            span,
            kind: OfferKind::Value,
            names: named
                .into_iter()
                .chain(words.iter().map(|word| (*word).to_owned()))
                .collect(),
            write: Box::new(move |name| {
                if is_written_in_quotes {
                    quoted(name)
                } else {
                    name.to_owned()
                }
            }),
            help: Box::new(|_| String::new()),
        }
    }

    /// What has a name in the table, or in a file that it names; for one directory's columns, without its name.
    fn names(&self, named: Named, directory: &str) -> Vec<String> {
        let all = mentions(self.text, self.tree, self.files).into_iter();
        let defined = all.filter(|mention| mention.named == named && mention.whole.is_some());
        let names = defined.filter_map(|mention| match directory {
            "" => Some(mention.name),
            directory => Some(
                mention
                    .name
                    .strip_prefix(directory)?
                    .strip_prefix('.')?
                    .to_owned(),
            ),
        });
        names.collect()
    }

    /// The parameters that Twilio sends, and the query fields that the table lists.
    fn parameters(&self) -> impl Iterator<Item = String> {
        let listed = self
            .tree
            .first()
            .and_then(|first| first.table.get("parameters"));
        let listed = listed.map_or(&[][..], |value| value.items()).iter();
        let listed = listed
            .filter_map(|item| item.text())
            .map(|name| self.text[name.clone()].to_owned());
        parameters::all().map(str::to_owned).chain(listed)
    }
}

static NONE: Table = Table {
    span: 0..0,
    entries: Vec::new(),
};

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::language::editor::tree::tree;

    /// A CSV file with three columns.
    struct Sellers;

    impl Files for Sellers {
        fn read(&self, path: &str) -> io::Result<Vec<u8>> {
            let there = "\u{feff}number,name, phone\n+15005550006,Ann,+15005550009\n";
            let is_there = path == "sellers.csv";
            is_there
                .then(|| there.into())
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    const NAMES: &str = "parameters = [\"campaign\"]\n[schedule.office]\n[directory.sellers]\nfile = \"sellers.csv\"\n\
        [directory.langs]\nkey = \"country\"\nrows = [ { country = \"MX\", voice = \"alice\" } ]\n[reply.sorry]\n\
        [[route]]\nname = \"menu\"\nstep = \"keys\"\n[[route]]\nname = \"new\"\n";

    /// The text that each offer would make of the line with the cursor, which is `‸`.
    fn written(line: &str) -> Vec<String> {
        let text = format!("{NAMES}{line}\n[default]\nvoice = []\n");
        let at = text.find('‸').expect("a cursor");
        let text = text.replace('‸', "");
        let Some(offers) = offers(&text, &tree(&text), &Sellers, at) else {
            return Vec::new();
        };
        let start = text[..offers.span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[offers.span.end..]
            .find('\n')
            .map_or(text.len(), |end| offers.span.end + end);
        let write = |offer: &Offer| {
            let (before, behind) = (&text[start..offers.span.start], &text[offers.span.end..end]);
            format!("{before}{}{behind}", offer.text)
        };
        offers.offers.iter().map(write).collect()
    }

    #[test]
    fn each_place_has_its_own_offers() {
        for (line, wanted) in [
            ("[[ro‸", "[[route]]"),
            ("[dir‸", "[directory."),
            ("ste‸", "step = "),
            ("‸", "when = "),
            ("du‸ = \"office\"", "during = \"office\""),
            ("during = ‸", "during = \"office\""),
            ("during = [\"‸\"]", "during = [\"office\"]"),
            ("reply = \"s‸\"", "reply = \"sorry\""),
            ("private = ‸", "private = true"),
            ("when = { ‸ }", "when = { Called =  }"),
            ("when = { camp‸ }", "when = { campaign =  }"),
            (
                "when = { \"sellers.‸\" = \"x\" }",
                "when = { \"sellers.phone\" = \"x\" }",
            ),
            (
                "when = { Called = { ‸ } }",
                "when = { Called = { withheld =  } }",
            ),
            (
                "when = { Called = { in = \"‸\" } }",
                "when = { Called = { in = \"langs\" } }",
            ),
            (
                "when = { Called = { not = { in = ‸",
                "when = { Called = { not = { in = \"sellers\"",
            ),
            (
                "when = { sessionStatus = \"‸\" }",
                "when = { sessionStatus = \"closed\" }",
            ),
            (
                "when = { sessionStatus = [\"open\", ‸",
                "when = { sessionStatus = [\"open\", \"closed\"",
            ),
            ("[route.when]\nCal‸", "Called = "),
            ("voice = [ ‸", "voice = [ { Say = \"\" }"),
            ("voice = [ { Sa‸", "voice = [ { Say = "),
            (
                "voice = [ { Say = \"é🙂\", lan‸ } ]",
                "voice = [ { Say = \"é🙂\", language =  } ]",
            ),
            (
                "voice = [ { Say = \"x\", language = \"en-G‸\" } ]",
                "voice = [ { Say = \"x\", language = \"en-GB\" } ]",
            ),
            (
                "voice = [ { Dial = [ { ‸",
                "voice = [ { Dial = [ { Number = ",
            ),
            (
                "[[route.voice]]\nDial = \"+15005550006\"\nrec‸",
                "record = ",
            ),
            (
                "message = [ { Message = \"{{ sellers.na‸\" } ]",
                "message = [ { Message = \"{{ sellers.name\" } ]",
            ),
            (
                "voice = [ { Say = \"{{ Caller | sp‸ }}\" } ]",
                "voice = [ { Say = \"{{ Caller | spell }}\" } ]",
            ),
            (
                "voice = [ { Gather = [], action = \"?step=‸\" } ]",
                "voice = [ { Gather = [], action = \"?step=keys\" } ]",
            ),
            (
                "voice = [ { Redirect = \"?step=k‸&a=b\" } ]",
                "voice = [ { Redirect = \"?step=keys&a=b\" } ]",
            ),
            (
                "voice = [ { Gather = [], finishOnKey = \"#\", input = \"dtmf sp‸\" } ]",
                "voice = [ { Gather = [], finishOnKey = \"#\", input = \"dtmf speech\" } ]",
            ),
            ("[[test]]\nexpect = \"m‸\"", "expect = \"menu\""),
            ("[[test]]\nexpect = ‸", "expect = \"loop-guard\""),
            ("[[test]]\nsteps = [ { Dig‸", "steps = [ { Digits = "),
            (
                "[test.request]\nDirection = \"‸\"",
                "Direction = \"inbound\"",
            ),
            ("[defaults.‸", "[defaults."),
            ("[defaults.Say]\nvo‸", "voice = "),
            ("[directory.x]\nfi‸", "file = "),
            (
                "[directory.sellers]\npublic = [\"‸\"]",
                "public = [\"phone\"]",
            ),
        ] {
            let written = written(line);
            assert!(
                written.iter().any(|one| one == wanted),
                "{line}: {written:?}"
            );
        }
    }

    #[test]
    fn what_cannot_stand_there_is_not_offered() {
        for (line, unwanted) in [
            ("voice = []\n‸", "reply = "),
            ("‸", "name = "),
            ("message = [ { ‸", "message = [ { Say = "),
            (
                "when = { Body = { ‸ } }",
                "when = { Body = { withheld =  } }",
            ),
            (
                "voice = [ { Say = \"x\", ‸ } ]",
                "voice = [ { Say = \"x\", Dial =  } ]",
            ),
            (
                "voice = [ { Say = \"‸\" } ]",
                "voice = [ { Say = \"Caller\" } ]",
            ),
            ("# ‸", "# when = "),
            (
                "[default]\nvoice = [ { ‸ } ]",
                "voice = [ { Redirect =  } ]",
            ),
        ] {
            let written = written(line);
            assert!(
                !written.iter().any(|one| one == unwanted),
                "{line}: {written:?}"
            );
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        let (line, place) = ("voice = [ { Say = \"x\", voice = \"‸\" } ]", "voice");
        assert_eq!(written(line).len(), MOST, "{place}");
    }
}
