//! What one test of a value says about another. Each rule is a proof; where there is none the answer is `false`.

use std::rc::Rc;

use super::formula::{Atom, Formula, Lookup};
use super::known::Known;
use super::proof::Effort;
use crate::table::pattern::Pattern;
use crate::twilio::number::may_begin_withheld;

/// A character that no pattern spells out, so that only a `*` can match it.
const STRANGER: char = '\u{10FFFF}';

/// Whether every value that passes the first test surely passes the second.
pub(super) fn implies(first: &Atom<'_>, second: &Atom<'_>, effort: &Effort) -> bool {
    effort.spend(1);
    match (first, second) {
        (_, second) if holds_always(second, effort) => true,
        (Atom::Exactly(text), _) => second.holds(text, effort) == Some(true),
        (Atom::OneOf(texts), _) => each(&texts.list, second, true, effort),
        (Atom::Like(pattern), Atom::Like(wider)) => pattern_implies(pattern, wider),
        (Atom::Like(pattern), Atom::In(lookup)) => has_all_from(lookup, pattern.start(), effort),
        (Atom::In(lookup), Atom::In(other)) if lookup.is(other) => true,
        (Atom::In(lookup), _) => every_key_implies(lookup, second, effort),
        (Atom::Row(lookup, row), Atom::Row(other, second)) if lookup.is(other) => row == second,
        (Atom::Row(lookup, row), Atom::Cell(other, column, cell)) if lookup.is(other) => {
            cell.holds(lookup.directory.cell(*row, *column), effort) == Some(true)
        }
        (Atom::Row(lookup, row), _) => key_implies(lookup.directory.key(*row), second, effort),
        // Without a row the cell would be empty, and of an empty cell the formula does not hold.
        (Atom::Cell(lookup, _, cell), Atom::In(other)) if lookup.is(other) => {
            cell.holds("", effort) == Some(false)
        }
        (Atom::Cell(lookup, column, cell), Atom::Cell(other, second, wider))
            if lookup.is(other) && column == second =>
        {
            Rc::ptr_eq(cell, wider) || cell_decides(cell, wider, effort) == Some(true)
        }
        (Atom::Regex(regex), Atom::Regex(other)) => regex.as_str() == other.as_str(),
        (Atom::Withheld, Atom::Withheld) => true,
        _ => false,
    }
}

/// Whether surely no value passes both tests.
pub(super) fn exclude(first: &Atom<'_>, second: &Atom<'_>, effort: &Effort) -> bool {
    // Whole texts are compared soonest, and only what is asked can be one.
    excludes(second, first, effort) || excludes(first, second, effort)
}

/// Whether no value passes the first test that also passes the second; the rules of one direction.
fn excludes(first: &Atom<'_>, second: &Atom<'_>, effort: &Effort) -> bool {
    effort.spend(1);
    match (first, second) {
        (Atom::Exactly(text), _) => second.holds(text, effort) == Some(false),
        (Atom::OneOf(texts), _) => each(&texts.list, second, false, effort),
        (Atom::Like(one), Atom::Like(other)) => patterns_exclude(one, other),
        (Atom::Like(pattern), Atom::Withheld) => !may_begin_withheld(pattern.start()),
        (Atom::In(lookup), _) => every_key_excludes(lookup, second, effort),
        (Atom::Row(lookup, row), Atom::Row(other, second)) if lookup.is(other) => row != second,
        (Atom::Row(lookup, row), Atom::Cell(other, column, cell)) if lookup.is(other) => {
            cell.holds(lookup.directory.cell(*row, *column), effort) == Some(false)
        }
        (Atom::Row(lookup, row), _) => key_excludes(lookup.directory.key(*row), second, effort),
        (Atom::Cell(lookup, column, cell), Atom::Cell(other, second, wider))
            if lookup.is(other) && column == second =>
        {
            cell_decides(cell, wider, effort) == Some(false)
        }
        _ => false,
    }
}

/// Whether a test surely holds for every value.
pub(super) fn holds_always(atom: &Atom<'_>, effort: &Effort) -> bool {
    match atom {
        Atom::Like(pattern) => pattern.is_everything(),
        Atom::In(lookup) => has_all_from(lookup, "", effort),
        _ => false,
    }
}

/// Whether a directory has a row for every value that begins so.
fn has_all_from(lookup: &Lookup<'_>, start: &str, effort: &Effort) -> bool {
    let directory = lookup.rows(effort);
    directory.is_some_and(|directory| directory.has_all_from(start))
}

/// Whether the second pattern matches whatever the first does: it then matches the first one's own text too, a
/// stranger standing for each `*`, and the other way round what matched the strangers matches any run of characters.
fn pattern_implies(pattern: &Pattern, wider: &Pattern) -> bool {
    if pattern == wider {
        return true;
    }
    let may = pattern.start().starts_with(wider.start()) && pattern.end().ends_with(wider.end());
    if !may || wider.to_string().contains(STRANGER) {
        return false;
    }
    let text = pattern
        .to_string()
        .replace('*', STRANGER.encode_utf8(&mut [0; 4]));
    wider.matches(&text)
}

/// Two patterns whose texts must begin differently, or end differently, have no text in common.
fn patterns_exclude(one: &Pattern, other: &Pattern) -> bool {
    let ends_agree = one.end().ends_with(other.end()) || other.end().ends_with(one.end());
    !starts_agree(one.start(), other.start()) || !ends_agree
}

/// Whether there is a text that begins with both.
fn starts_agree(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn every_key_implies(lookup: &Lookup<'_>, atom: &Atom<'_>, effort: &Effort) -> bool {
    lookup.few_rows(effort).is_some_and(|directory| {
        let mut keys = directory.keys();
        keys.all(|key| effort.spend(1) && key_implies(key, atom, effort))
    })
}

/// Whether every value that a directory's key stands for surely passes.
fn key_implies(key: &str, atom: &Atom<'_>, effort: &Effort) -> bool {
    match (key.strip_suffix('*'), atom) {
        (None, _) => atom.holds(key, effort) == Some(true),
        (Some(_), Atom::Like(wider)) => {
            Pattern::parse(key).is_some_and(|key| pattern_implies(&key, wider))
        }
        (Some(start), Atom::In(lookup)) => has_all_from(lookup, start, effort),
        _ => false,
    }
}

fn every_key_excludes(lookup: &Lookup<'_>, atom: &Atom<'_>, effort: &Effort) -> bool {
    lookup.few_rows(effort).is_some_and(|directory| {
        directory.keys().all(|key| {
            // Against another directory a prefix is held to each key.
            let cost = match atom {
                Atom::In(other) if key.ends_with('*') => other.directory.len(),
                _ => 1,
            };
            effort.spend(cost) && key_excludes(key, atom, effort)
        })
    })
}

/// Whether surely no value that a directory's key stands for passes.
fn key_excludes(key: &str, atom: &Atom<'_>, effort: &Effort) -> bool {
    let Some(start) = key.strip_suffix('*') else {
        return atom.holds(key, effort) == Some(false);
    };
    match atom {
        Atom::Like(pattern) => !starts_agree(start, pattern.start()),
        Atom::Withheld => !may_begin_withheld(start),
        Atom::In(other) => other
            .few_rows(effort)
            .is_some_and(|directory| directory.keys().all(|other| !keys_meet(start, other))),
        Atom::Row(other, row) => !keys_meet(start, other.directory.key(*row)),
        _ => false,
    }
}

/// Whether a value may begin so and be what another directory's key stands for.
fn keys_meet(start: &str, key: &str) -> bool {
    match key.strip_suffix('*') {
        Some(other) => starts_agree(start, other),
        None => key.starts_with(start),
    }
}

/// What one formula about a cell says about another.
fn cell_decides(given: &Formula<'_>, asked: &Formula<'_>, effort: &Effort) -> Option<bool> {
    let mut cell = Known::default();
    // What could not be assumed is left out: then less is proved, but nothing that is wrong.
    if cell.assume_parts(given, effort) {
        cell.decide(asked, effort)
    } else {
        None
    }
}

/// What a value that does not pass the first test means for the second; `None` when it means nothing.
pub(super) fn decides_without(
    first: &Atom<'_>,
    second: &Atom<'_>,
    effort: &Effort,
) -> Option<bool> {
    match (first, second) {
        (Atom::In(lookup), Atom::Cell(other, _, cell)) if lookup.is(other) => {
            cell.holds("", effort)
        }
        // Without a row the cell would be empty, and of an empty cell the formula holds.
        (Atom::Cell(lookup, _, cell), Atom::In(other))
            if lookup.is(other) && cell.holds("", effort) == Some(true) =>
        {
            Some(true)
        }
        // Whoever passed the second would have passed the first.
        _ if implies(second, first, effort) => Some(false),
        (Atom::Cell(lookup, column, cell), Atom::Cell(other, second, asked))
            if lookup.is(other) && column == second =>
        {
            cell_decides(&cell.negated(), asked, effort)
        }
        _ => None,
    }
}

/// Whether the atom holds (`wanted`) for each of some texts, or for none of them.
fn each(texts: &[&str], atom: &Atom<'_>, wanted: bool, effort: &Effort) -> bool {
    texts
        .iter()
        .all(|text| effort.spend(1) && atom.holds(text, effort) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;
    use crate::language::reach::formula::one_of;
    use crate::table::directory::Directory;

    /// Patterns and texts beside each other: whether the first implies the second, and whether they exclude each other.
    #[test]
    fn what_patterns_say_about_each_other() {
        for (first, second, implied, excluded) in [
            ("+1415*", "+1*", true, false),
            ("+1*", "+1415*", false, false),
            ("+1*", "+44*", false, true),
            ("*a", "*b", false, true),
            ("*ba", "*a", true, false),
            ("a*b", "a*", true, false),
            ("a*b", "*b*", true, false),
            ("a*b*c", "a*c", true, false),
            ("a*c", "a*b*c", false, false),
            ("a*", "*a", false, false),
            ("a*", "*", true, false),
            ("*", "*a*", false, false),
            ("ab*ab", "ab*b", true, false),
            // The stranger stands for itself in a pattern that spells it out.
            ("a*", "a\u{10FFFF}*", false, false),
            ("a*b", "a*\u{10FFFF}*b", false, false),
        ] {
            let (first_pattern, second_pattern) = (pattern(first), pattern(second));
            let (one, other) = (Atom::Like(&first_pattern), Atom::Like(&second_pattern));
            let effort = Effort::new(1_000);
            assert_eq!(implies(&one, &other, &effort), implied, "{first} {second}");
            assert_eq!(exclude(&one, &other, &effort), excluded, "{first} {second}");
            assert_eq!(exclude(&other, &one, &effort), excluded, "{second} {first}");
        }
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).expect(text)
    }

    fn directory(keys: &[&str]) -> Directory {
        let mut directory = Directory::new("d", Vec::new());
        for key in keys {
            directory.add(key, []).expect(key);
        }
        directory
    }

    #[test]
    fn what_directories_say_about_each_other() {
        let rides = directory(&["+15005550006", "+1415*"]);
        let more = directory(&["+1500*", "+14*"]);
        let others = directory(&["+44*", "+15005550007"]);
        let everyone = directory(&["*"]);
        let nobody = directory(&[]);
        for (first, second, implied, excluded) in [
            (&rides, &rides, true, false),
            (&rides, &more, true, false),
            (&more, &rides, false, false),
            (&rides, &others, false, true),
            (&others, &rides, false, true),
            (&others, &more, false, false),
            (&rides, &everyone, true, false),
            (&everyone, &rides, false, false),
            (&nobody, &rides, true, true),
        ] {
            let (one, other) = (
                Atom::In(Lookup::lasting(first)),
                Atom::In(Lookup::lasting(second)),
            );
            let effort = Effort::new(1_000);
            assert_eq!(
                implies(&one, &other, &effort),
                implied,
                "{first:?} {second:?}"
            );
            assert_eq!(
                exclude(&one, &other, &effort),
                excluded,
                "{first:?} {second:?}"
            );
        }
    }

    #[test]
    fn what_would_cost_too_much_proves_nothing() {
        let rides = directory(&["+15005550006", "+1415*"]);
        let ride = Atom::In(Lookup::lasting(&rides));
        let (wide, far) = (pattern("+1*"), pattern("+44*"));
        for (comparisons, proved) in [(2, false), (10, true)] {
            let effort = || Effort::new(comparisons);
            assert_eq!(implies(&ride, &Atom::Like(&wide), &effort()), proved);
            assert_eq!(exclude(&ride, &Atom::Like(&far), &effort()), proved);
        }
    }

    #[test]
    fn what_is_withheld_begins_as_such_numbers_do() {
        let effort = Effort::new(1_000);
        for (text, excluded) in [
            ("+1*", true),
            ("+2666*", false),
            ("sip:*", false),
            ("client:*", true),
            ("*6", false),
        ] {
            let pattern = pattern(text);
            assert_eq!(
                exclude(&Atom::Like(&pattern), &Atom::Withheld, &effort),
                excluded,
                "{text}"
            );
            assert!(
                !implies(&Atom::Like(&pattern), &Atom::Withheld, &effort),
                "{text}"
            );
        }
        assert!(implies(
            &Atom::Exactly("+266696687"),
            &Atom::Withheld,
            &effort
        ));
        assert_eq!(
            decides_without(&Atom::Withheld, &Atom::Exactly(""), &effort),
            Some(false)
        );
        assert_eq!(
            decides_without(&Atom::Withheld, &Atom::Exactly("+1"), &effort),
            None
        );
    }

    fn with_cells(rows: &[(&'static str, [&'static str; 2])]) -> Directory {
        let mut directory = Directory::new("d", vec!["city".to_owned(), "open".to_owned()]);
        for (key, cells) in rows {
            directory.add(key, *cells).expect(key);
        }
        directory
    }

    /// How much is proved of each two of these: implied, excluded, told when the first does not hold. All of it is held
    /// against what is so for each of the values.
    fn proved_of_each_two(atoms: &[Atom<'_>], values: &[&str]) -> (usize, usize, usize) {
        let effort = Effort::new(10_000_000);
        let (mut implied, mut excluded, mut told) = (0, 0, 0);
        for (first, second) in atoms
            .iter()
            .flat_map(|one| atoms.iter().map(move |other| (one, other)))
        {
            let of_both = values.iter().map(|value| {
                let holds = |atom: &Atom<'_>| atom.holds(value, &effort) == Some(true);
                (holds(first), holds(second))
            });
            let of_both: Vec<(bool, bool)> = of_both.collect();
            if implies(first, second, &effort) {
                implied += 1;
                assert!(
                    !of_both.contains(&(true, false)),
                    "{first:?} implies {second:?}"
                );
            }
            if exclude(first, second, &effort) {
                excluded += 1;
                assert!(
                    !of_both.contains(&(true, true)),
                    "{first:?} excludes {second:?}"
                );
            }
            if let Some(holds) = decides_without(first, second, &effort) {
                told += 1;
                assert!(
                    !of_both.contains(&(false, !holds)),
                    "without {first:?}, {second:?} {holds}"
                );
            }
        }
        (implied, excluded, told)
    }

    #[test]
    fn what_is_proved_of_two_tests_is_true_of_every_value() {
        let places = with_cells(&[
            ("+1415*", ["sf", "yes"]),
            ("+14155550100", ["la", "no"]),
            ("+44*", ["", ""]),
            ("+15005550006", ["sf", ""]),
        ]);
        let others = with_cells(&[
            ("+1415*", ["la", "no"]),
            ("+1*", ["la", ""]),
            ("+14155550100", ["sf", "yes"]),
            ("+15005550007", ["", ""]),
        ]);
        let numbers = directory(&["+14155550100", "+15005550006"]);
        let everyone = directory(&["*"]);
        let patterns: Vec<Pattern> = ["+1*", "+1415*", "*0100", "*", "+2666*", "+44*"]
            .into_iter()
            .map(pattern)
            .collect();
        let regexes = ["0100$", "^\\+44"].map(|text| Regex::new(text).expect(text));
        let (places, others) = (Lookup::lasting(&places), Lookup::lasting(&others));

        let is = |text, wanted| Formula::Is(Atom::Exactly(text), wanted);
        let cells = [
            is("sf", true),
            is("sf", false),
            is("", true),
            is("", false),
            is("la", true),
            Formula::Any([is("sf", true), is("la", true)].into()),
            Formula::All([is("sf", false), is("", false)].into()),
            Formula::Is(Atom::OneOf(Rc::new(one_of(vec!["sf", "la"]))), true),
        ];
        let mut atoms = vec![
            Atom::Exactly(""),
            Atom::Exactly("+14155550100"),
            Atom::Exactly("+266696687"),
            Atom::OneOf(Rc::new(one_of(vec!["+14155550100", "+15005550006"]))),
            Atom::OneOf(Rc::new(one_of(vec!["", "anonymous"]))),
            Atom::In(places.clone()),
            Atom::In(others.clone()),
            Atom::In(Lookup::lasting(&numbers)),
            Atom::In(Lookup::lasting(&everyone)),
            Atom::Cell(places.clone(), 1, Rc::new(is("yes", true))),
            Atom::Cell(places.clone(), 1, Rc::new(is("", true))),
            Atom::Withheld,
        ];
        atoms.extend(patterns.iter().map(Atom::Like));
        atoms.extend(regexes.iter().map(Atom::Regex));
        atoms.extend((0..4).map(|row| Atom::Row(places.clone(), row)));
        atoms.extend((0..4).map(|row| Atom::Row(others.clone(), row)));
        for cell in cells {
            let cell = Rc::new(cell);
            atoms.push(Atom::Cell(places.clone(), 0, Rc::clone(&cell)));
            atoms.push(Atom::Cell(others.clone(), 0, cell));
        }

        let values = [
            "",
            "anonymous",
            "+1",
            "+1415",
            "+14155550100",
            "+14155550199",
            "+14160100",
            "+15005550006",
            "+15005550007",
            "+15005550008",
            "+44",
            "+442079460100",
            "+44207946",
            "+266696687",
            "+26660",
            "0100",
            "x",
        ];
        let proved = proved_of_each_two(&atoms, &values);
        // What was proved once is proved still.
        assert_eq!(proved, (331, 570, 365));
    }
}
