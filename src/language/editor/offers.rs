//! What may be written at a place of a table.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value as Json;

use super::help;
use super::meaning::{Meaning, Node, NodeKind, named, walk};
use super::mentions::{Mention, mentions, step};
use super::tree::{Table, Tree, ValueKind};
use crate::language::directory_file::Files;
use crate::language::shape::{self, KeyKind, Named};
use crate::table::condition::KINDS;
use crate::table::remedy::quoted;
use crate::table::reply::template::FILTERS;
use crate::twilio::channel::Channel;
use crate::twilio::parameters;
use crate::twilio::vocabulary::{self, ElementSpec, ValueType, elements};

/// More than these help nobody: the rest comes when more letters are typed.
const MOST: usize = 200;

/// What may be written in some place.
#[derive(Debug)]
pub struct Offers {
    /// The bytes that an offer replaces.
    pub span: Range<usize>,
    /// The offers that fit what is typed so far.
    pub offers: Vec<Offer>,
    /// Whether there are others that are left out.
    pub has_more: bool,
}

/// Something that may be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is shown.
    pub label: String,
    /// What is written.
    pub text: String,
    /// What it is.
    pub kind: OfferKind,
    /// What it means, in Markdown; perhaps nothing.
    pub help: String,
}

/// What an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferKind {
    /// A section of the file.
    Section,
    /// A key, such as an attribute.
    Key,
    /// One of the values that Twilio or the program knows.
    Value,
    /// The name of something in the table.
    Name,
    /// A filter of a template.
    Filter,
}

impl Offer {
    fn new(label: impl Into<String>, kind: OfferKind, help: impl Into<String>) -> Self {
        let label = label.into();
        Self {
            text: label.clone(),
            label,
            kind,
            help: help.into(),
        }
    }

    fn writes(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }
}

/// What may be written at a byte of a table.
pub(super) fn offers(text: &str, tree: &Tree, files: &dyn Files, at: usize) -> Option<Offers> {
    let mut innermost: Option<Node<'_>> = None;
    walk(text, tree, Some(at), &mut |node| innermost = Some(node));
    let node = innermost?;
    let place = Place {
        text,
        tree,
        files,
        at,
    };
    let line = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let typed = &text[line..at];
    let indent = typed.len() - typed.trim_start().len();
    let is_of_section = matches!(node.kind, NodeKind::Table | NodeKind::Header(_));
    let (span, offers) = if is_of_section && typed[indent..].starts_with('[') {
        let end = text[at..]
            .find(['\n', '\r', '#'])
            .map_or(text.len(), |end| at + end);
        (line + indent..end, headers())
    } else if typed[indent..].starts_with('#') {
        return None;
    } else {
        place.offers(&node)?
    };
    let typed = text[span.start..at.max(span.start)]
        .trim_start_matches(['"', '\''])
        .to_lowercase();
    let rank = |offer: &Offer| {
        let label = offer.label.to_lowercase();
        (!label.starts_with(&typed), label.find(&typed).is_none())
    };
    let mut ranked: Vec<_> = offers
        .into_iter()
        .map(|offer| (rank(&offer), offer))
        .collect();
    ranked.retain(|((_, is_other), _)| !is_other);
    ranked.sort_by_key(|(rank, _)| *rank);
    let has_more = ranked.len() > MOST;
    let offers = ranked.into_iter().take(MOST).map(|(_, offer)| offer);
    Some(Offers {
        span,
        offers: offers.collect(),
        has_more,
    })
}

/// The headers of sections.
fn headers() -> Vec<Offer> {
    let header = |key: &shape::KeyShape| {
        let name = key.name;
        let (label, text) = match key.kind {
            KeyKind::Array(KeyKind::Section(_)) => (format!("[[{name}]]"), format!("[[{name}]]")),
            KeyKind::Section(_) | KeyKind::Extra => (format!("[{name}]"), format!("[{name}]")),
            KeyKind::Sections(..) => (format!("[{name}.NAME]"), format!("[{name}.")),
            KeyKind::Defaults => (format!("[{name}.Say]"), format!("[{name}.")),
            _ => return None,
        };
        Some(Offer::new(label, OfferKind::Section, key.help).writes(text))
    };
    shape::FILE.keys.iter().filter_map(header).collect()
}

struct Place<'t> {
    text: &'t str,
    tree: &'t Tree,
    files: &'t dyn Files,
    at: usize,
}

impl<'t> Place<'t> {
    fn offers(&self, node: &Node<'t>) -> Option<(Range<usize>, Vec<Offer>)> {
        let (at, meaning) = (self.at, node.meaning);
        match node.kind {
            NodeKind::Header(_) => None,
            NodeKind::Table => Some((at..at, self.keys(meaning, node.table, None))),
            NodeKind::Key(key, entry) => {
                let mut keys = self.keys(meaning, node.table, Some(&key.name));
                if entry.equals.is_some() {
                    for key in &mut keys {
                        key.text.truncate(key.text.len() - " = ".len());
                    }
                }
                Some((key.span.clone(), keys))
            }
            NodeKind::Value(None) => Some((at..at, in_quotes(self.values(meaning)))),
            NodeKind::Value(Some(value)) => match &value.kind {
                ValueKind::Text(inner) if inner.start <= at && at <= inner.end => {
                    self.in_text(meaning, inner)
                }
                ValueKind::Bare if at <= value.span.end => {
                    Some((value.span.clone(), in_quotes(self.values(meaning))))
                }
                ValueKind::Array(_) if value.span.start < at && at <= value.span.end => {
                    let offers = match meaning.item() {
                        item @ Meaning::Element(..) => self.elements(item),
                        item => in_quotes(self.values(item)),
                    };
                    Some((at..at, offers))
                }
                _ => None,
            },
        }
    }

    /// What may stand at the cursor in a text.
    fn in_text(
        &self,
        meaning: Meaning<'t>,
        inner: &Range<usize>,
    ) -> Option<(Range<usize>, Vec<Offer>)> {
        let at = self.at;
        let before = &self.text[inner.start..at];
        let open = before
            .rfind("{{")
            .filter(|open| !before[*open..].contains("}}"));
        if let Some(open) = open.filter(|_| meaning.takes_fields()) {
            let field = &before[open + 2..];
            let start = field.rfind(|end: char| end.is_whitespace() || "{|(".contains(end));
            let start = start.map_or(0, |at| {
                at + field[at..].chars().next().map_or(0, char::len_utf8)
            });
            let is_filter = field[..start].trim_end().ends_with('|');
            let offers = if is_filter {
                let filters = FILTERS.iter();
                filters
                    .map(|filter| Offer::new(*filter, OfferKind::Filter, ""))
                    .collect()
            } else {
                let mut names = parameters();
                names.extend(self.own_parameters());
                names.extend(self.names(Named::Column, ""));
                names
            };
            return Some((at - (field.len() - start)..at, offers));
        }
        if let Some(step) = step(&self.text[inner.clone()]).filter(|_| meaning.is_url()) {
            let span = inner.start + step.start..inner.start + step.end;
            return (span.start <= at && at <= span.end)
                .then(|| (span, self.names(Named::Step, "")));
        }
        let mut span = inner.clone();
        if matches!(meaning, Meaning::Attribute(spec) if spec.list) {
            let is_blank = |end: char| end.is_whitespace();
            span.start += before.rfind(is_blank).map_or(0, |blank| blank + 1);
            let rest = &self.text[at..inner.end];
            span.end = at + rest.find(is_blank).unwrap_or(rest.len());
        }
        let offers = self.values(meaning).into_iter().map(|(offer, _)| offer);
        Some((span, offers.collect()))
    }

    /// The keys that a table does not have yet, but for the one at the cursor.
    fn keys(&self, meaning: Meaning<'t>, table: &Table, at_cursor: Option<&str>) -> Vec<Offer> {
        let there: BTreeSet<&str> = table
            .names()
            .filter(|name| Some(*name) != at_cursor)
            .collect();
        let of_section = |section: &'static shape::Section| {
            let excluded = section
                .apart
                .iter()
                .flat_map(|(one, other)| [(one, other), (other, one)]);
            let excluded = excluded.filter(|(there_is, _)| there.contains(**there_is));
            let excluded: Vec<&str> = excluded.map(|(_, other)| *other).collect();
            let free = section.keys.iter().map(|key| key.name);
            free.filter(move |name| !excluded.contains(name))
                .collect::<Vec<_>>()
        };
        let mut names: Vec<String> = Vec::new();
        let mut add = |more: &mut dyn Iterator<Item = &str>| names.extend(more.map(str::to_owned));
        match meaning {
            Meaning::Section(section, _) => add(&mut of_section(section).into_iter()),
            Meaning::Condition(subject) => {
                let kinds = KINDS
                    .iter()
                    .filter(|kind| subject.contains('.') || (kind.suits)(subject));
                add(&mut kinds.map(|kind| kind.key).chain(["not"]));
            }
            Meaning::Conditions | Meaning::Request(_) => {
                if let Meaning::Request(Some(section)) = meaning {
                    add(&mut of_section(section).into_iter());
                }
                add(&mut parameters::all());
                let own = self.own_parameters().into_iter().map(|own| own.label);
                let columns = self
                    .names(Named::Column, "")
                    .into_iter()
                    .map(|column| column.label);
                names.extend(own);
                if matches!(meaning, Meaning::Conditions) {
                    names.extend(columns);
                }
            }
            Meaning::Element(channel, parent) => {
                let element = meaning
                    .element(table)
                    .filter(|spec| Some(spec.tag) != at_cursor);
                if let Some(spec) = element {
                    add(&mut spec.attribute_names());
                } else {
                    let children = parent.children.iter().map(|key| &elements(channel)[key]);
                    let may_stand = |spec: &&ElementSpec| !(spec.leads_on && self.is_last());
                    add(&mut children.filter(may_stand).map(|spec| spec.tag));
                }
            }
            Meaning::Defaults | Meaning::Kind(KeyKind::Extra, _) => {
                for channel in Channel::ALL {
                    add(&mut vocabulary::element_names(channel).into_iter());
                }
            }
            Meaning::DefaultsOf(tag) => {
                named(tag).for_each(|spec| add(&mut spec.attribute_names()));
            }
            Meaning::Row(directory) => {
                let columns = self.names(Named::Column, directory).into_iter();
                names.extend(columns.map(|column| column.label));
            }
            _ => {}
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| !there.contains(&**name) && seen.insert(name.clone()));
        let offer = |name: String| {
            let is_bare = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            let written = if is_bare { name.clone() } else { quoted(&name) };
            let help = help::key(meaning, &name, table).unwrap_or_default();
            Offer::new(name, OfferKind::Key, help).writes(format!("{written} = "))
        };
        names.into_iter().map(offer).collect()
    }

    /// Whether nothing may lead on, because this is the reply when all else fails.
    fn is_last(&self) -> bool {
        let mut here = self.tree.iter().rev();
        let here = here.find(|section| section.table.span.contains(&self.at));
        let key = here.and_then(|section| shape::FILE.key(&section.header.first()?.name));
        key.is_some_and(|key| matches!(key.kind, KeyKind::Section(last) if std::ptr::eq(last, &raw const shape::LAST)))
    }

    /// The elements that may stand in an array, with their brackets.
    fn elements(&self, meaning: Meaning<'t>) -> Vec<Offer> {
        let mut elements = self.keys(meaning, &Table::default(), None);
        for element in &mut elements {
            element.text = format!("{{ {}\"\" }}", element.text);
        }
        elements
    }

    /// The values that are known, each with whether it needs quotes.
    fn values(&self, meaning: Meaning<'t>) -> Vec<(Offer, bool)> {
        let value = |value: &str| (Offer::new(value, OfferKind::Value, ""), true);
        let booleans = || {
            ["true", "false"]
                .map(|word| (Offer::new(word, OfferKind::Value, ""), false))
                .into()
        };
        if let Some((named, words)) = meaning.named() {
            let directory = match meaning {
                Meaning::Kind(_, owner) => owner,
                _ => "",
            };
            let names = self
                .names(named, directory)
                .into_iter()
                .map(|name| (name, true));
            return names.chain(words.iter().map(|word| value(word))).collect();
        }
        match meaning {
            Meaning::Kind(KeyKind::Boolean, _) => booleans(),
            Meaning::Kind(KeyKind::Word(words), _) => {
                words.iter().map(|word| value(word)).collect()
            }
            Meaning::Parameter(name) | Meaning::Condition(name) => {
                let values = parameters::get(name).values.iter();
                values.map(|word| value(word)).collect()
            }
            Meaning::Keyed(kind) => match (kind.schema)().get("type") {
                Some(Json::String(kind)) if kind == "boolean" => booleans(),
                _ => Vec::new(),
            },
            Meaning::Attribute(spec) if spec.kind == ValueType::Boolean => booleans(),
            Meaning::Attribute(spec) => spec.values.iter().map(|word| value(word)).collect(),
            _ => Vec::new(),
        }
    }

    /// What has a name in the table, or in a file beside it; of a directory's columns without its name.
    fn names(&self, named: Named, directory: &str) -> Vec<Offer> {
        let mut seen = BTreeSet::new();
        let all = mentions(self.text, self.tree, self.files).into_iter();
        let defined = all.filter(|mention| mention.named == named && mention.whole.is_some());
        let names = defined.filter_map(|Mention { name, .. }| match directory {
            "" => Some(name),
            directory => Some(name.strip_prefix(directory)?.strip_prefix('.')?.to_owned()),
        });
        let new = names.filter(|name| seen.insert(name.clone()));
        new.map(|name| Offer::new(name, OfferKind::Name, ""))
            .collect()
    }

    /// The query fields that the table lists.
    fn own_parameters(&self) -> Vec<Offer> {
        let file = self
            .tree
            .first()
            .and_then(|first| first.table.get("parameters"));
        let items = file.map_or(&[][..], |value| value.items());
        let names = items.iter().filter_map(|item| item.text());
        names
            .map(|name| Offer::new(&self.text[name.clone()], OfferKind::Name, ""))
            .collect()
    }
}

/// The parameters that Twilio sends.
fn parameters() -> Vec<Offer> {
    let offer = |name| {
        Offer::new(
            name,
            OfferKind::Key,
            help::parameter(name).unwrap_or_default(),
        )
    };
    parameters::all().map(offer).collect()
}

/// Values where no quotes are yet.
fn in_quotes(values: Vec<(Offer, bool)>) -> Vec<Offer> {
    let quoted = |(offer, needs_quotes): (Offer, bool)| {
        let text = if needs_quotes {
            quoted(&offer.label)
        } else {
            offer.text.clone()
        };
        offer.writes(text)
    };
    values.into_iter().map(quoted).collect()
}

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
