//! The sections of a table by name, and the lines above them: whether a test passes, which tests a route has.

use std::ops::Range;

use super::Draft;
use super::tree::Section;
use crate::language::Compiled;
use crate::language::shape::{self, KeyKind};

/// A section of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name that the operator gave it, else that of its key.
    pub name: String,
    /// The key of the file that it belongs to: `route`.
    pub key: String,
    /// From its header to the next section.
    pub span: Range<usize>,
    /// Its header.
    pub header: Range<usize>,
}

/// A line above a section.
#[derive(Debug, PartialEq, Eq)]
pub struct Lens {
    /// The header below it.
    pub span: Range<usize>,
    /// What it says.
    pub title: String,
}

/// The sections of a table, in order. What belongs to the section before it, such as `[route.when]`, is part of it.
#[must_use]
pub fn symbols(draft: &Draft) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::new();
    for section in &draft.tree {
        let span = &section.table.span;
        let Some((symbol, is_part)) = symbol(&draft.file.text, section) else {
            continue;
        };
        match symbols.last_mut() {
            Some(last) if is_part && last.key == symbol.key => last.span.end = span.end,
            _ => symbols.push(symbol),
        }
    }
    symbols
}

/// The name of a section, and whether it is a part of the one before it.
fn symbol(text: &str, section: &Section) -> Option<(Symbol, bool)> {
    let Section { header, table } = section;
    let (first, last) = (header.first()?, header.last()?);
    let named = match shape::FILE.key(&first.name).map(|key| &key.kind) {
        Some(KeyKind::Sections(..) | KeyKind::Defaults | KeyKind::Extra) => header.get(1),
        _ => None,
    };
    let given = table.get("name").and_then(|name| name.text());
    let name = match (named, given) {
        (Some(key), _) => key.name.clone(),
        // Editors refuse an empty name.
        (None, Some(place)) if !place.is_empty() => text[place.clone()].to_owned(),
        _ => first.name.clone(),
    };
    let symbol = Symbol {
        name,
        key: first.name.clone(),
        span: table.span.clone(),
        header: table.span.start..last.span.end,
    };
    let depth = 1 + usize::from(named.is_some());
    Some((symbol, header.len() > depth))
}

/// The lines above each test and each route; `compiled` is `None` when the table has errors.
#[must_use]
pub fn lenses(draft: &Draft, compiled: Option<&Compiled>) -> Vec<Lens> {
    let coverage = compiled.map(Compiled::coverage);
    let title = |symbol: &Symbol| {
        let Some((compiled, coverage)) = compiled.zip(coverage.as_ref()) else {
            return (symbol.key == "test").then(|| "not run: the table has errors".to_owned());
        };
        let tests = compiled.tests().iter();
        match &*symbol.key {
            "test" => {
                let mut failed = compiled.failed_tests.iter();
                let failed = failed.find(|failed| symbol.span.contains(&failed.span.start));
                let mut tests = tests.filter(|test| test.name == symbol.name);
                match failed {
                    Some(failed) => Some(format!("fails: {}", failed.message)),
                    None => tests.next().map(|_| "passes".to_owned()),
                }
            }
            "route" | "intercept" => {
                let is_by = |name: &str| name == symbol.name;
                let answered =
                    tests.filter(|test| test.requests.iter().any(|ran| is_by(&ran.decided_by)));
                let count = answered.count();
                let missed = coverage.conditions.iter().filter(|(name, _)| is_by(name));
                let missed: Vec<&str> = missed.map(|(_, condition)| &**condition).collect();
                Some(match (count, &*missed) {
                    (0, _) => "no test is answered by this".to_owned(),
                    (count, []) => counted(count),
                    (count, [one]) => format!("{}; none reaches {one}", counted(count)),
                    (count, all) => format!(
                        "{}; none reaches {} of its conditions",
                        counted(count),
                        all.len()
                    ),
                })
            }
            _ => None,
        }
    };
    let all = symbols(draft).into_iter();
    all.filter_map(|symbol| {
        let title = title(&symbol)?;
        let span = symbol.header;
        Some(Lens { span, title })
    })
    .collect()
}

fn counted(tests: usize) -> String {
    let plural = if tests == 1 { "" } else { "s" };
    format!("answers {tests} test{plural}")
}
