//! A table's text as a tree, however broken: what an editor asks about is nearly always unfinished.
//!
//! Anything left open ends where the next section begins, or the next key at the beginning of a line. Reports no
//! errors; that is the job of [`compile`](crate::language::compile).

use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

use crate::language::shape;

/// The deepest nesting of tables and arrays; anything deeper is skipped.
const DEEPEST: usize = 64;

/// The sections of a file, in order. The first has no header.
pub(super) type Tree = Vec<Section>;

/// What follows a header such as `[[route]]`.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// The names in the header.
    pub header: Vec<Key>,
    /// From its header to the next: its entries.
    pub table: Table,
}

/// A table with the place of everything in it.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub span: Range<usize>,
    pub entries: Vec<Entry>,
}

/// A key and its value, as far as they are written.
#[derive(Debug)]
pub(super) struct Entry {
    /// More than one for a dotted key.
    pub keys: Vec<Key>,
    /// Where the `=` is.
    pub equals: Option<usize>,
    pub value: Option<Value>,
    pub span: Range<usize>,
}

/// A key, without its quotes.
#[derive(Debug)]
pub(super) struct Key {
    pub name: String,
    /// Its place, with its quotes.
    pub span: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Value {
    pub span: Range<usize>,
    pub kind: ValueKind,
}

#[derive(Debug)]
pub(super) enum ValueKind {
    /// A string; the place is between the quotes.
    Text(Range<usize>),
    /// A number, a date or a word without quotes.
    Bare,
    Array(Vec<Value>),
    Table(Table),
}

impl Table {
    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let named = |entry: &&Entry| matches!(&*entry.keys, [key] if key.name == name);
        self.entries.iter().find(named)?.value.as_ref()
    }

    /// The names of its keys, as they are written.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let first = self.entries.iter().filter_map(|entry| entry.keys.first());
        first.map(|key| &*key.name)
    }
}

impl Value {
    /// The place of its text, when it is a string.
    pub(super) fn text(&self) -> Option<&Range<usize>> {
        match &self.kind {
            ValueKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its items, when it is an array, else itself.
    pub(super) fn items(&self) -> &[Self] {
        match &self.kind {
            ValueKind::Array(items) => items,
            _ => std::slice::from_ref(self),
        }
    }
}

/// Whether a key needs no quotes.
pub(super) fn is_bare(name: &str) -> bool {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !name.is_empty() && name.bytes().all(is_bare)
}

/// Reads a file.
pub(super) fn tree(text: &str) -> Tree {
    let is_blank = |kind| matches!(kind, TokenKind::Whitespace | TokenKind::Comment);
    let tokens = Source::new(text)
        .lex()
        .filter(|token| !is_blank(token.kind()));
    let mut reader = Reader {
        text,
        tokens: tokens.collect(),
        at: 0,
        depth: 0,
    };
    let mut sections = vec![Section::default()];
    while reader.kind() != TokenKind::Eof {
        let section = sections.last_mut().expect("there is always one");
        if reader.kind() == TokenKind::LeftSquareBracket {
            let start = reader.span().start;
            section.table.span.end = start;
            let header = reader.header();
            let span = start..text.len();
            let entries = Vec::new();
            let table = Table { span, entries };
            sections.push(Section { header, table });
        } else if let Some(entry) = reader.entry() {
            section.table.entries.push(entry);
            if !reader.begins_anew() {
                reader.skip_line();
            }
        } else {
            reader.at += 1;
        }
    }
    if let Some(last) = sections.last_mut() {
        last.table.span.end = text.len();
    }
    sections
}

struct Reader<'t> {
    text: &'t str,
    /// All tokens except blanks and comments; the last is the end of the file.
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn kind(&self) -> TokenKind {
        self.tokens.get(self.at).map_or(TokenKind::Eof, Token::kind)
    }

    fn span(&self) -> Range<usize> {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(0..0, |token| token.span().start()..token.span().end())
    }

    /// Takes the next token if it is of this kind.
    fn take(&mut self, kind: TokenKind) -> bool {
        let is_next = self.kind() == kind;
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_line(&mut self) {
        while !matches!(self.kind(), TokenKind::Newline | TokenKind::Eof) {
            self.at += 1;
        }
    }

    /// The names between the brackets of a header.
    fn header(&mut self) -> Vec<Key> {
        while self.take(TokenKind::LeftSquareBracket) {}
        let keys = self.keys();
        self.skip_line();
        keys
    }

    fn keys(&mut self) -> Vec<Key> {
        let mut keys = Vec::new();
        loop {
            let span = self.span();
            let inner = match self.kind() {
                TokenKind::Atom => span.clone(),
                TokenKind::BasicString | TokenKind::LiteralString => self.inner(1),
                _ => break,
            };
            self.at += 1;
            let name = self.text[inner].to_owned();
            keys.push(Key { name, span });
            if !self.take(TokenKind::Dot) {
                break;
            }
        }
        keys
    }

    /// What is between the quotes of the next token, which are of this length. The closing ones may be missing.
    fn inner(&self, quotes: usize) -> Range<usize> {
        let span = self.span();
        let quote = &self.text[span.start..span.start + quotes];
        let inner = &self.text[span.start + quotes..span.end];
        let length = inner.strip_suffix(quote).unwrap_or(inner).len();
        span.start + quotes..span.start + quotes + length
    }

    /// A key and what follows it, up to what follows that.
    fn entry(&mut self) -> Option<Entry> {
        let start = self.span().start;
        let keys = self.keys();
        keys.first()?;
        let equals = (self.kind() == TokenKind::Equals).then(|| self.span().start);
        let mut value = None;
        if self.take(TokenKind::Equals) {
            value = self.value();
        }
        let span = start..self.span().start;
        Some(Entry {
            keys,
            equals,
            value,
            span,
        })
    }

    fn value(&mut self) -> Option<Value> {
        let start = self.span().start;
        let kind = match self.kind() {
            TokenKind::BasicString | TokenKind::LiteralString => self.string(1),
            TokenKind::MlBasicString | TokenKind::MlLiteralString => self.string(3),
            TokenKind::Atom | TokenKind::Dot => {
                while matches!(self.kind(), TokenKind::Atom | TokenKind::Dot) {
                    self.at += 1;
                }
                let last = self.tokens[self.at - 1].span().end();
                let (span, kind) = (start..last, ValueKind::Bare);
                return Some(Value { span, kind });
            }
            TokenKind::LeftSquareBracket if !self.begins_anew() => {
                let (items, end) = self.list(TokenKind::RightSquareBracket, Self::value)?;
                let (span, kind) = (start..end, ValueKind::Array(items));
                return Some(Value { span, kind });
            }
            TokenKind::LeftCurlyBracket => {
                let (entries, end) = self.list(TokenKind::RightCurlyBracket, Self::entry)?;
                let span = start..end;
                let kind = ValueKind::Table(Table {
                    span: span.clone(),
                    entries,
                });
                return Some(Value { span, kind });
            }
            _ => return None,
        };
        let span = start..self.tokens[self.at - 1].span().end();
        Some(Value { span, kind })
    }

    fn string(&mut self, quotes: usize) -> ValueKind {
        let inner = self.inner(quotes);
        self.at += 1;
        ValueKind::Text(inner)
    }

    /// The items between an opening bracket and its closing one, or where that should be, and where the list ends.
    fn list<T>(
        &mut self,
        closing: TokenKind,
        item: fn(&mut Self) -> Option<T>,
    ) -> Option<(Vec<T>, usize)> {
        self.at += 1;
        if self.depth == DEEPEST {
            return None;
        }
        self.depth += 1;
        let mut items = Vec::new();
        let end = loop {
            let span = self.span();
            if self.take(closing) {
                break span.end;
            }
            let is_over = match self.kind() {
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket | TokenKind::Eof => {
                    true
                }
                TokenKind::Newline | TokenKind::Comma => false,
                _ => self.begins_anew(),
            };
            if is_over {
                break span.start;
            }
            let before = self.at;
            items.extend(item(self));
            if self.at == before {
                self.at += 1;
            }
        };
        self.depth -= 1;
        Some((items, end))
    }

    /// Whether a section begins here, or a key at the beginning of a line, which ends what was open before.
    fn begins_anew(&self) -> bool {
        let start = self.span().start;
        let line = &self.text[start..];
        if start > 0 && !self.text[..start].ends_with('\n') {
            return false;
        }
        let name = line.trim_start_matches('[');
        let end = name.find(|end: char| "=.] \t\r\n".contains(end));
        let (name, rest) = name.split_at(end.unwrap_or(name.len()));
        if line.starts_with('[') {
            shape::FILE.has(name)
        } else {
            is_bare(name) && rest.trim_start_matches([' ', '\t']).starts_with('=')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree in one line: `header{key=value}`.
    fn drawn(text: &str) -> String {
        fn drawn_value(text: &str, value: &Value) -> String {
            match &value.kind {
                ValueKind::Text(inner) => format!("'{}'", &text[inner.clone()]),
                ValueKind::Bare => text[value.span.clone()].to_owned(),
                ValueKind::Array(items) => {
                    let items: Vec<_> = items.iter().map(|item| drawn_value(text, item)).collect();
                    format!("[{}]", items.join(","))
                }
                ValueKind::Table(table) => drawn_table(text, table),
            }
        }
        fn drawn_table(text: &str, table: &Table) -> String {
            let entries = table.entries.iter().map(|entry| {
                let keys: Vec<_> = entry.keys.iter().map(|key| &*key.name).collect();
                let value = entry.value.as_ref().map(|value| drawn_value(text, value));
                let equals = if entry.equals.is_some() { "=" } else { "" };
                format!("{}{equals}{}", keys.join("."), value.unwrap_or_default())
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        let sections = tree(text).into_iter().map(|section| {
            let header: Vec<_> = section.header.iter().map(|key| &*key.name).collect();
            format!("{}{}", header.join("."), drawn_table(text, &section.table))
        });
        sections.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_broken_leaves_the_rest_readable() {
        for (text, tree) in [
            ("", "{}"),
            (
                "a = 1\n[[route]]\nname = \"x\" # \"\n[route.when]\n\"b.c\" = { in = 'd' }",
                "{a=1} route{name='x'} route.when{b.c={in='d'}}",
            ),
            (
                "[[route]]\nwh\nname =\n[default]\nvoice = []",
                "{} route{wh,name=} default{voice=[]}",
            ),
            (
                "[[route]]\nvoice = [ { Say = \"x\", \n[default]\nvoice = [ {",
                "{} route{voice=[{Say='x'}]} default{voice=[{}]}",
            ),
            (
                "[[route]]\nwhen = { Called = \"+1\nvoice = [ \"a\", { ]\nname = 1",
                "{} route{when={Called='+1'},voice=['a',{}],name=1}",
            ),
            ("[schedule.\n[ro", "{} schedule{} ro{}"),
            (
                "a = [[1], [2]]\nb = \"\"\"\n[x]\n\"\"\"\nc.d = 2026-01-01 10:00",
                "{a=[[1],[2]],b='\n[x]\n',c.d=2026-01-01 10:00}",
            ),
            ("} ] = , . a = {{ é = '🙂", "{a={é='🙂'}}"),
        ] {
            assert_eq!(drawn(text), tree, "{text}");
        }
    }

    #[test]
    fn it_goes_only_so_deep() {
        for open in ["[", "{a=", "[{a="] {
            let sections = tree(&format!("a = {}", open.repeat(100_000)));
            assert_eq!(sections.len(), 1, "{open}");
        }
    }
}
