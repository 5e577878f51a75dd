//! Compares the metrics in `/metrics` with the requests that were made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::service::metrics::{Metrics, RouteCounters};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Answer, AnswerKind};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::reply::Sends;
use twiml_responder::twilio::channel::Channel;

/// A table with routes of these names, in this order.
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

/// The number of answers by route.
fn answers(metrics: &Metrics) -> BTreeMap<String, u64> {
    let text = metrics.text();
    text.lines()
        .filter_map(|line| {
            let line = line.strip_prefix("twiml_responder_answers_total{route=\"")?;
            let (name, count) = line.split_once("\"} ").expect("one label");
            Some((name.to_owned(), count.parse().expect("a whole number")))
        })
        .collect()
}

/// Records an answer of the route at this position.
fn answer(metrics: &Metrics, routes: &RouteCounters, table: &Table, position: usize) {
    let answer = Answer {
        route: &table.routes()[position].name,
        position: Some(position),
        body: bytes::Bytes::new(),
        kind: AnswerKind::Document,
        sends: Sends::Nothing,
        cut_texts: 0,
        failure: None,
        guarded: None,
    };
    metrics.answered(
        routes,
        Channel::Voice,
        false,
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
    let metrics = Metrics::default();
    let old = table(&["a", "b", "c"]);
    let old_routes = metrics.table_is_live(&old);
    for position in [0, 1, 1, 2, 2, 2] {
        answer(&metrics, &old_routes, &old, position);
    }
    let new = table(&["c", "d", "a"]);
    let new_routes = metrics.table_is_live(&new);
    answer(&metrics, &new_routes, &new, 2);
    // Requests that began before the new table was live.
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
    let metrics = Metrics::default();
    let names: Vec<String> = (0..1001).map(|number| format!("r{number}")).collect();
    let old = table(&names);
    let old_routes = metrics.table_is_live(&old);
    answer(&metrics, &old_routes, &old, 700);
    answer(&metrics, &old_routes, &old, 700);
    answer(&metrics, &old_routes, &old, 3);
    let expected = counts(&[("default", 0), ("loop-guard", 0), ("r3", 1), ("r700", 2)]);
    assert_eq!(answers(&metrics), expected);
    // Counts survive in a large table, too, even at another position.
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

/// The text of `/metrics` with everything in it.
fn text_of_all() -> String {
    let metrics = Metrics::default();
    let _routes = metrics.table_is_live(&table(&["a"]));
    metrics.certificate_expires(Timestamp::UNIX_EPOCH);
    metrics.table_was_read("abc", Timestamp::UNIX_EPOCH);
    metrics.text()
}

/// The names of all metrics, as Prometheus counts them.
fn families() -> BTreeSet<String> {
    text_of_all()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// The words of a text that look like names of our metrics.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("twiml_responder_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The labels of a metric with their values; only the name of a label whose values are not a fixed set.
fn labels(text: &str, metric: &str) -> String {
    const OPEN: [&str; 5] = ["hash", "revision", "route", "rust", "version"];
    let mut labels: Vec<(&str, BTreeSet<&str>)> = Vec::new();
    let samples = text.lines().filter_map(|line| {
        line.strip_prefix(metric)?
            .strip_prefix('{')?
            .split_once('}')
    });
    for (label, value) in samples
        .flat_map(|(pairs, _)| pairs.split(','))
        .filter_map(|pair| pair.split_once('='))
    {
        let at = labels.iter().position(|(name, _)| *name == label);
        let at = at.unwrap_or_else(|| {
            labels.push((label, BTreeSet::new()));
            labels.len() - 1
        });
        labels[at].1.insert(value.trim_matches('"'));
    }
    let shown = labels.into_iter().map(|(label, values)| {
        if OPEN.contains(&label) {
            return format!("`{label}`");
        }
        let values: Vec<_> = values.into_iter().collect();
        format!("`{label}`: {}", values.join(", "))
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[test]
fn the_page_has_every_metric_as_it_is_defined() {
    const HEADER: &str = "| name | labels | what it says |\n| --- | --- | --- |\n";
    let text = text_of_all();
    let mut rows: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
        .map(|(name, help)| {
            let help = help.trim_end_matches('.');
            format!("| `{name}` | {} | {help} |\n", labels(&text, name)).replace("|  |", "| |")
        })
        .collect();
    rows.sort_by_key(|row| row.starts_with("| `process_"));
    let page = file("docs/metrics.md");
    let (before, rest) = page.split_once(HEADER).expect("the table");
    let (_, after) = rest.split_once("\n\n").expect("its end");
    let expected = format!("{before}{HEADER}{}\n{after}", rows.concat());
    if std::env::var_os("UPDATE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        std::fs::write(path, &expected).expect("it is written");
    } else {
        assert_eq!(
            page, expected,
            "if this is right: UPDATE=1 cargo test --test metrics"
        );
    }
    // Outside the table, too, the page names no other metric.
    assert_eq!(names(&page), families());
}

const HISTOGRAMS: [&str; 2] = [
    "twiml_responder_decision_seconds",
    "twiml_responder_request_seconds",
];

#[test]
fn every_name_has_its_prefix_and_its_unit() {
    for name in families() {
        let is_ours = name.starts_with("twiml_responder_") || name.starts_with("process_");
        assert!(is_ours, "{name}");
    }
    let text = Metrics::default().text();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a kind");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
        assert_eq!(kind == "histogram", HISTOGRAMS.contains(&name), "{line}");
    }
}

#[test]
fn dashboard_and_alerts_use_only_metrics_that_exist() {
    let mut exist = families();
    for name in HISTOGRAMS {
        for part in ["bucket", "sum", "count"] {
            exist.insert(format!("{name}_{part}"));
        }
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
