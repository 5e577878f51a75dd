//! What the service counts: the figures of `/metrics` against what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::service::metrics::{AnsweredBy, Format, Metrics, RouteCounters};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Answer, Kind};
use twiml_responder::table::diagnostic::File;
use twiml_responder::twilio::types::Channel;

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
    let outcome = AnsweredBy::of(&answer);
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

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of everything that is told, as Prometheus knows them.
fn families() -> BTreeSet<String> {
    let metrics = Metrics::new();
    let _routes = metrics.table_is_live(&table(&["a"]));
    metrics.certificate_expires(Timestamp::UNIX_EPOCH);
    let text = metrics.text(Format::Prometheus);
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// The words of a text that can be names of ours.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("twiml_responder_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_page_tells_of_every_metric_and_of_no_other() {
    let page = file("docs/metrics.md");
    let told: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .flat_map(names)
        .collect();
    assert_eq!(told, families());
    // Beside the table, too, no other is named.
    assert_eq!(names(&page), families());
}

#[test]
fn every_name_has_its_prefix_and_its_unit() {
    for name in families() {
        let is_ours = name.starts_with("twiml_responder_") || name.starts_with("process_");
        assert!(is_ours, "{name}");
    }
    let text = Metrics::new().text(Format::Prometheus);
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a kind");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
        assert_eq!(
            kind == "histogram",
            name == "twiml_responder_decision_seconds",
            "{line}"
        );
    }
}

#[test]
fn dashboard_and_alerts_use_only_metrics_that_exist() {
    let mut exist = families();
    for part in ["bucket", "sum", "count"] {
        exist.insert(format!("twiml_responder_decision_seconds_{part}"));
    }
    for name in [
        "packaging/grafana-dashboard.json",
        "packaging/prometheus-alerts.yml",
        "packaging/prometheus-alerts.test.yml",
    ] {
        let used = names(&file(name));
        assert!(!used.is_empty(), "{name}");
        let unknown: Vec<_> = used.difference(&exist).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&file("packaging/grafana-dashboard.json")).expect("JSON");
    assert!(
        dashboard["panels"]
            .as_array()
            .is_some_and(|panels| panels.len() > 10)
    );
}

#[test]
fn the_page_tells_what_every_alert_means() {
    let rules = file("packaging/prometheus-alerts.yml");
    let alerts: BTreeSet<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let page = file("docs/metrics.md");
    let told: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `Twiml")?.split('`').next())
        .collect();
    let alerts: BTreeSet<&str> = alerts
        .iter()
        .filter_map(|alert| alert.strip_prefix("Twiml"))
        .collect();
    assert!(alerts.len() > 10);
    assert_eq!(told, alerts);
    let tests = file("packaging/prometheus-alerts.test.yml");
    for alert in alerts {
        let fires = format!("alertname=\"Twiml{alert}\"");
        assert!(tests.contains(&fires), "no test of {alert}");
    }
}
