//! Routes that can never answer: compares every one that is reported with all requests of a small world.

#[path = "reach/world.rs"]
mod world;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Write as _};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use twiml_responder::language::{Files, compile};
use twiml_responder::table::Table;
use twiml_responder::table::diagnostic::{File, Severity};
use twiml_responder::twilio::request::{Form, Request, Webhook};

use self::world::{Route, SELLERS, requests, routes, written};

/// The file of the directory `sellers`.
struct Sellers(&'static str);

impl Files for Sellers {
    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        Ok(self.0.as_bytes().to_vec())
    }
}

/// The positions of the routes that are reported, and whether as errors.
fn reported(text: &str) -> BTreeMap<usize, Severity> {
    let file = File::new("responses.toml", text);
    let diagnostics = match compile(&file, &Sellers(SELLERS[0])) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    let mut reported = BTreeMap::new();
    for diagnostic in diagnostics {
        if diagnostic.check.code == "never-answers" {
            let name = text[diagnostic.span].trim_matches('"');
            let place = name.parse().expect("the place of a route");
            reported.insert(place, diagnostic.severity);
        } else {
            assert_eq!(diagnostic.severity, Severity::Warning, "{text}");
        }
    }
    reported
}

/// A table for each route alone, with these sellers.
fn tables(routes: &[Route], sellers: &'static str) -> Vec<Table> {
    let table = |route: &Route| {
        let text = route.alone();
        let compiled = compile(&File::new("responses.toml", &*text), &Sellers(sellers));
        compiled
            .unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}\n{text}"))
            .table
    };
    routes.iter().map(table).collect()
}

/// Some parameters, as in a request on a channel and a webhook, at a route's step.
struct Asked {
    body: Form,
    query: Form,
    webhook: Webhook,
}

impl Asked {
    fn holds(&self, table: &Table) -> bool {
        let request = Request::new(self.webhook, &self.body, &self.query);
        let mut verdicts = table.verdicts(&request, Timestamp::UNIX_EPOCH);
        verdicts.next().is_some_and(|(_, miss)| miss.is_none())
    }
}

/// A request that this route answers and no earlier route; `None` when the world has none.
fn answered(
    routes: &[Route],
    tables: &[Table],
    place: usize,
    requests: &[Vec<(&'static str, &'static str)>],
) -> Option<String> {
    let route = &routes[place];
    // A plain webhook differs from Proxy's only for routes that open sessions.
    let webhooks: &[Webhook] = if routes.iter().any(Route::opens_sessions) {
        &[Webhook::OutOfSession, Webhook::Plain]
    } else {
        &[Webhook::Plain]
    };
    for pairs in requests {
        for sid in ["CallSid", "MessageSid"] {
            for &webhook in webhooks {
                let asked = Asked {
                    body: pairs.iter().copied().chain([(sid, "XX1")]).collect(),
                    query: route.step.map(|step| ("step", step)).into_iter().collect(),
                    webhook,
                };
                if !asked.holds(&tables[place]) {
                    continue;
                }
                let before: Vec<&Route> = (0..place)
                    .filter(|before| asked.holds(&tables[*before]))
                    .map(|before| &routes[before])
                    .collect();
                for hours in [[false, false], [false, true], [true, false], [true, true]] {
                    let is_first = !before.iter().any(|route| route.is_open(hours));
                    if route.is_open(hours) && is_first {
                        return Some(format!("{pairs:?} {sid} {webhook:?} {hours:?}"));
                    }
                }
            }
        }
    }
    None
}

/// More cases with `PROPTEST_CASES`; the dead routes that go unreported in a large run are hidden by regular
/// expressions, patterns and the like.
#[test]
fn no_route_is_reported_that_answers_something() {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 80,
    };
    let found = Cell::new(0);
    let missed = RefCell::new(Vec::new());
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&routes(), |routes| {
        let text = written(&routes);
        let reported = reported(&text);
        let requests = requests(&routes);
        let now = tables(&routes, SELLERS[0]);
        for place in 0..routes.len() {
            let first = answered(&routes, &now, place, &requests);
            match reported.get(&place) {
                Some(severity) => {
                    prop_assert_eq!(first, None, "route {} in\n{}", place, text);
                    found.set(found.get() + 1);
                    // An error must hold whatever the file contains.
                    if *severity == Severity::Error && text.contains("in = \"sellers\"") {
                        for sellers in &SELLERS[1..] {
                            let other = tables(&routes, sellers);
                            let first = answered(&routes, &other, place, &requests);
                            prop_assert_eq!(
                                first,
                                None,
                                "route {} with {} in\n{}",
                                place,
                                sellers,
                                text
                            );
                        }
                    }
                }
                None if first.is_none() => {
                    missed
                        .borrow_mut()
                        .push(format!("route {place} in\n{text}"));
                }
                None => {}
            }
        }
        Ok(())
    });
    // Visible with `--nocapture`, or when the test fails.
    let mut out = io::stdout().lock();
    let missed = missed.into_inner();
    writeln!(
        out,
        "{cases} tables: {} routes reported, {} that answer nothing are not\n{}",
        found.get(),
        missed.len(),
        missed.join("\n")
    )
    .expect("stdout takes it");
    if let Err(error) = outcome {
        panic!("{error:#?}");
    }
}
