//! What the service counts: the figures of `/metrics` against what was asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use twiml_responder::answer::{Answer, Kind};
use twiml_responder::config::{NoFiles, compile};
use twiml_responder::diagnostic::File;
use twiml_responder::metrics::{Format, Metrics, Outcome, RouteCounters};
use twiml_responder::table::Table;
use twiml_responder::types::Channel;

/// A table of routes with these names, in this order.
fn table<S: AsRef<str>>(names: &[S]) -> Table {
    let mut text = String::new();
    for (number, name) in names.iter().enumerate() {
        let name = name.as_ref();
        let _ = writeln!(
            text,
            "[[route]]\nname = \"{name}\"\nwhen = {{ Called = \"+1500{number:07}\" }}\nvoice = [ {{ Say = \"Hello.\" }} ]"
        );
    }
    text.push_str(
        "[default]\nvoice = [ { Say = \"Bye.\" } ]\nmessage = [ { Message = \"Bye.\" } ]\n",
    );
    match compile(&File::new("responses.toml", text), &NoFiles) {
        Ok(compiled) => compiled.table,
        Err(diagnostics) => panic!("{diagnostics:?}"),
    }
}

/// The answers by route.
fn answers(metrics: &Metrics) -> BTreeMap<String, u64> {
    let text = metrics.text(Format::OpenMetrics);
    text.lines()
        .filter_map(|line| {
            let line = line.strip_prefix("twiml_responder_answers_total{route=\"")?;
            let (name, count) = line.split_once("\"} ").expect("one label");
            Some((name.to_owned(), count.parse().expect("a whole number")))
        })
        .collect()
}

/// Records an answer of the route at a position.
fn answer(metrics: &Metrics, routes: &RouteCounters, table: &Table, position: usize) {
    let answer = Answer {
        route: &table.routes()[position].name,
        position: Some(position),
        body: bytes::Bytes::new(),
        kind: Kind::Document,
        sends: false,
        cut_texts: 0,
        failure: None,
        guarded: None,
    };
    let outcome = Outcome::of(&answer);
    metrics.answered(
        routes,
        Channel::Voice,
        outcome,
        &answer,
        Duration::from_micros(7),
    );
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs
        .iter()
        .map(|&(name, count)| (name.to_owned(), count))
        .collect()
}

#[test]
fn a_route_that_keeps_its_name_keeps_its_count() {
    let metrics = Metrics::new();
    let old = table(&["a", "b", "c"]);
    let old_routes = metrics.table_is_live(&old);
    for position in [0, 1, 1, 2, 2, 2] {
        answer(&metrics, &old_routes, &old, position);
    }
    let new = table(&["c", "d", "a"]);
    let new_routes = metrics.table_is_live(&new);
    answer(&metrics, &new_routes, &new, 2);
    // A request that began before the new table was live.
    answer(&metrics, &old_routes, &old, 0);
    answer(&metrics, &old_routes, &old, 1);
    let expected = counts(&[
        ("a", 3),
        ("c", 3),
        ("d", 0),
        ("default", 0),
        ("loop-guard", 0),
    ]);
    assert_eq!(answers(&metrics), expected);
}

#[test]
fn a_large_table_shows_only_the_routes_that_have_answered() {
    let metrics = Metrics::new();
    let names: Vec<String> = (0..1001).map(|number| format!("r{number}")).collect();
    let old = table(&names);
    let old_routes = metrics.table_is_live(&old);
    answer(&metrics, &old_routes, &old, 700);
    answer(&metrics, &old_routes, &old, 700);
    answer(&metrics, &old_routes, &old, 3);
    let expected = counts(&[("default", 0), ("loop-guard", 0), ("r3", 1), ("r700", 2)]);
    assert_eq!(answers(&metrics), expected);
    // Counts survive here, too, at another position.
    let new = table(&names[1..]);
    let new_routes = metrics.table_is_live(&new);
    answer(&metrics, &new_routes, &new, 699);
    let all = answers(&metrics);
    assert_eq!((all.len(), all["r700"], all["r3"]), (1002, 3, 1));
}
