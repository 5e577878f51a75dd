//! Random tables over a few parameters with a few values each, and all requests that these tables can distinguish.

use std::fmt::Write as _;

use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Test {
    Text(&'static str),
    Any(Vec<Test>),
    All(Vec<Key>),
}

#[derive(Debug, Clone)]
enum Key {
    In(&'static str),
    Regex(&'static str),
    Present(bool),
    Withheld(bool),
    Not(Test),
}

#[derive(Debug, Clone)]
struct Alternative {
    conditions: Vec<(&'static str, Test)>,
    /// A parameter that chooses a row of a directory, and what a cell of the row must be.
    cell: Option<(&'static str, &'static str, Test)>,
    /// Two parameters, and whether they are a key of a directory.
    pair: Option<(&'static str, Test)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) step: Option<&'static str>,
    alternatives: Vec<Alternative>,
    pub(crate) during: Vec<usize>,
    pub(crate) outside: Vec<usize>,
    says: Vec<&'static str>,
}

struct Parameter {
    name: &'static str,
    /// The texts in conditions on it, alone or combined.
    texts: &'static [&'static str],
    /// The values in requests; no text except `*` matches the last.
    values: &'static [&'static str],
    /// Regular expressions that match some of the values.
    regexes: &'static [&'static str],
    directories: &'static [&'static str],
    is_number: bool,
}

const NUMBER_TEXTS: &[&str] = &[
    "",
    "*",
    "+15005550006",
    "+14155550100",
    "+1415*",
    "+1*",
    "+1*0",
    "anonymous",
];
const NUMBERS: &[&str] = &[
    "",
    "+15005550006",
    "+14155550100",
    "+14155550109",
    "anonymous",
    "+266696687",
    "+12",
    "+449",
];
const NUMBER_DIRECTORIES: &[&str] = &["rides", "sellers", "zones"];
const COUNTRY_TEXTS: &[&str] = &["", "*", "US"];
const COUNTRIES: &[&str] = &["", "US", "LS"];
const WORD_DIRECTORIES: &[&str] = &["words", "hints"];

/// The alias of a number needs fewer values: it only matters whether it is present, and whether it differs.
const OTHER_NUMBERS: &[&str] = &["", "+15005550006", "anonymous", "+12", "+449"];

const fn number(name: &'static str, values: &'static [&'static str]) -> Parameter {
    Parameter {
        name,
        texts: NUMBER_TEXTS,
        values,
        regexes: &["^\\+1", "0$"],
        directories: NUMBER_DIRECTORIES,
        is_number: true,
    }
}

const fn country(name: &'static str) -> Parameter {
    Parameter {
        name,
        texts: COUNTRY_TEXTS,
        values: COUNTRIES,
        regexes: &["^U", "S$"],
        directories: &[],
        is_number: false,
    }
}

const PARAMETERS: [Parameter; 11] = [
    number("Called", NUMBERS),
    number("To", OTHER_NUMBERS),
    number("Caller", NUMBERS),
    number("From", OTHER_NUMBERS),
    country("CallerCountry"),
    country("FromCountry"),
    country("ToCountry"),
    Parameter {
        name: "Direction",
        texts: &["", "*", "inbound", "outbound-api", "outbound*"],
        values: &["", "inbound", "outbound-api", "outbound-dial", "other"],
        regexes: &["^out", "d$"],
        directories: &[],
        is_number: false,
    },
    Parameter {
        name: "Digits",
        texts: &["", "*", "1", "2", "1*", "*2", "12"],
        values: &["", "1", "2", "12", "13", "22", "112", "9"],
        regexes: &["^1", "2$", "^$"],
        directories: WORD_DIRECTORIES,
        is_number: false,
    },
    Parameter {
        name: "Body",
        texts: &["", "*", "lost", "LOST*", " Lost bag ", "*bag*", "1"],
        values: &[
            "", " ", "lost", " LOST\n", "lost bag", "bags", "1", "12", "other",
        ],
        regexes: &["^LOST", "bag"],
        directories: WORD_DIRECTORIES,
        is_number: false,
    },
    Parameter {
        name: "sessionStatus",
        texts: &["", "*", "open", "closed"],
        values: &["", "open", "closed", "other"],
        regexes: &["e", "^o"],
        directories: &[],
        is_number: false,
    },
];

/// The parameters that are looked up in directories with two key columns.
const PAIRS: [&str; 2] = ["Called, Caller", "Caller, Called"];

const PAIR_DIRECTORIES: [&str; 3] = ["pairs", "mirrors", "one"];

const CITIES: [&str; 5] = ["", "ny", "la", "n*", "other"];

const SECTIONS: &str = "\
parameters = [\"escape\"]
[directory.rides]
numbers = [\"+15005550006\", \"+1415*\"]
[directory.sellers]
file = \"sellers.csv\"
[directory.zones]
rows = [
  { number = \"+1*\", city = \"ny\" },
  { number = \"+14155550100\", city = \"la\" },
  { number = \"+1415*\", city = \"la\" },
]
[directory.words]
key = \"word\"
rows = [{ word = \"1\", city = \"ny\" }, { word = \"2\", city = \"la\" }, { word = \"LOST\", city = \"la\" }]
[directory.hints]
key = \"word\"
rows = [{ word = \"1*\", city = \"ny\" }, { word = \"12\", city = \"la\" }, { word = \"*\", city = \"la\" }]
[directory.pairs]
key = [\"number\", \"party\"]
rows = [
  { number = \"+15005550006\", party = \"+14155550100\" },
  { number = \"+15005550006\", party = \"+12\" },
]
[directory.mirrors]
key = [\"party\", \"number\"]
rows = [
  { number = \"+15005550006\", party = \"+14155550100\" },
  { number = \"+15005550006\", party = \"+12\" },
  { number = \"+14155550100\", party = \"+12\" },
]
[directory.one]
key = [\"number\", \"party\"]
rows = [{ number = \"+14155550100\", party = \"+14155550109\" }]
[schedule.morning]
timezone = \"UTC\"
open = [\"00:00-12:00\"]
[schedule.midday]
timezone = \"UTC\"
open = [\"06:00-18:00\"]
";

/// The possible contents of the file of the directory `sellers`: today's, and those of other days.
pub(crate) const SELLERS: [&str; 4] = [
    "number,city\n+15005550006,ny\n+14155550100,la\n+266696687,\n",
    "number,city\n+15005550006,la\n+12,ny\n",
    "number,city\n+1*,la\n*,ny\n",
    "number,city\n",
];

const DEFAULT: &str = "[default]\nvoice = [{ Say = \"Goodbye.\" }]\n";

const SCHEDULES: [&str; 2] = ["morning", "midday"];

fn test(parameter: &'static Parameter) -> BoxedStrategy<Test> {
    let text = prop::sample::select(parameter.texts).prop_map(Test::Text);
    text.prop_recursive(2, 8, 3, move |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Test::Any),
            4 => key(parameter, inner.clone()).prop_map(|key| Test::All(vec![key])),
            1 => prop::collection::vec(key(parameter, inner), 2..3).prop_filter_map(
                "a key stands once in a table",
                |keys| (name(&keys[0]) != name(&keys[1])).then_some(Test::All(keys)),
            ),
        ]
    })
    .boxed()
}

fn name(key: &Key) -> &'static str {
    match key {
        Key::In(_) => "in",
        Key::Regex(_) => "regex",
        Key::Present(_) => "present",
        Key::Withheld(_) => "withheld",
        Key::Not(_) => "not",
    }
}

fn key(
    parameter: &'static Parameter,
    inner: impl Strategy<Value = Test> + 'static,
) -> BoxedStrategy<Key> {
    let common = prop_oneof![
        3 => inner.prop_map(Key::Not),
        2 => any::<bool>().prop_map(Key::Present),
        1 => prop::sample::select(parameter.regexes).prop_map(Key::Regex),
    ];
    let mut keys = vec![(6, common.boxed())];
    if parameter.is_number {
        keys.push((2, any::<bool>().prop_map(Key::Withheld).boxed()));
    }
    if !parameter.directories.is_empty() {
        let directories = prop::sample::select(parameter.directories);
        keys.push((4, directories.prop_map(Key::In).boxed()));
    }
    prop::strategy::Union::new_weighted(keys).boxed()
}

/// A test of a cell, from a few texts.
fn city() -> impl Strategy<Value = Test> {
    let text = prop::sample::select(&CITIES[..]).prop_map(Test::Text);
    let some = prop::collection::vec(text.clone(), 1..3).prop_map(Test::Any);
    prop_oneof![
        text,
        some.clone(),
        some.prop_map(|some| Test::All(vec![Key::Not(some)])),
        any::<bool>().prop_map(|wanted| Test::All(vec![Key::Present(wanted)])),
    ]
}

/// A test of two parameters.
fn paired() -> impl Strategy<Value = Test> {
    let key = prop::sample::select(&PAIR_DIRECTORIES[..]).prop_map(|name| vec![Key::In(name)]);
    key.prop_map(Test::All).prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 1..3).prop_map(Test::Any),
            1 => inner.prop_map(|test| Test::All(vec![Key::Not(test)])),
        ]
    })
}

fn alternative(parameters: Vec<usize>) -> impl Strategy<Value = Alternative> {
    let conditions = prop::sample::subsequence(parameters.clone(), 0..=parameters.len().min(3))
        .prop_flat_map(|chosen| {
            let conditions = chosen.into_iter().map(|place| {
                let parameter = &PARAMETERS[place];
                (Just(parameter.name), test(parameter))
            });
            conditions.collect::<Vec<_>>()
        });
    let is_one_number = matches!(parameters[..], [place] if PARAMETERS[place].is_number);
    let choosing: Vec<usize> = parameters
        .into_iter()
        .filter(|place| !PARAMETERS[*place].directories.is_empty())
        .collect();
    let cell = if choosing.is_empty() {
        Just(None).boxed()
    } else {
        let cell = prop::sample::select(choosing).prop_flat_map(|place| {
            let parameter = &PARAMETERS[place];
            let directories: Vec<&str> = parameter
                .directories
                .iter()
                .copied()
                .filter(|directory| *directory != "rides")
                .collect();
            (
                Just(parameter.name),
                prop::sample::select(directories),
                city(),
            )
        });
        prop::option::weighted(0.2, cell).boxed()
    };
    let pair = (prop::sample::select(&PAIRS[..]), paired());
    let pair = if is_one_number {
        prop::option::weighted(0.4, pair).boxed()
    } else {
        Just(None).boxed()
    };
    (conditions, cell, pair).prop_map(|(mut conditions, cell, pair)| {
        if let Some((parameter, directory, _)) = &cell {
            // A column needs exactly one condition that chooses the row.
            conditions.retain(|(name, test)| name != parameter && !chooses(test, directory));
        }
        Alternative {
            conditions,
            cell,
            pair,
        }
    })
}

fn chooses(test: &Test, directory: &str) -> bool {
    match test {
        Test::All(keys) => keys
            .iter()
            .any(|key| matches!(key, Key::In(name) if *name == directory)),
        Test::Text(_) | Test::Any(_) => false,
    }
}

fn route(parameters: Vec<usize>) -> impl Strategy<Value = Route> {
    let schedules = || {
        prop_oneof![
            3 => Just(Vec::new()),
            1 => prop::sample::subsequence(vec![0, 1], 1..=2),
        ]
    };
    let says = prop::sample::select(vec![
        vec!["voice = []", "message = []"],
        vec!["voice = []", "message = []"],
        vec!["voice = []"],
        vec!["message = []"],
        vec!["create_session = { participantIdentifier = \"+14155550123\" }"],
        vec![
            "create_session = { participantIdentifier = \"+14155550123\", mode = \"voice-only\" }",
            "message = []",
        ],
    ]);
    (
        prop_oneof![6 => Just(None), 1 => Just(Some("a"))],
        prop_oneof![
            1 => Just(Vec::new()).boxed(),
            8 => prop::collection::vec(alternative(parameters.clone()), 1..2).boxed(),
            3 => prop::collection::vec(alternative(parameters), 2..4).boxed(),
        ],
        (schedules(), schedules()),
        says,
    )
        .prop_map(|(step, alternatives, (during, outside), says)| Route {
            step,
            alternatives,
            during,
            outside,
            says,
        })
}

/// Up to six routes over a few parameters.
pub(crate) fn routes() -> impl Strategy<Value = Vec<Route>> {
    let all: Vec<usize> = (0..PARAMETERS.len()).collect();
    prop_oneof![
        7 => prop::sample::subsequence(all.clone(), 1..=2),
        1 => prop::sample::subsequence(all, 3),
    ]
    .prop_flat_map(|parameters| prop::collection::vec(route(parameters), 1..=6))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written as JSON, and so as TOML")
}

fn written_test(wanted: &Test) -> String {
    match wanted {
        Test::Text(text) => quoted(text),
        Test::Any(tests) => {
            let tests: Vec<String> = tests.iter().map(written_test).collect();
            format!("[{}]", tests.join(", "))
        }
        Test::All(keys) => {
            let keys: Vec<String> = keys
                .iter()
                .map(|key| match key {
                    Key::In(directory) => format!("in = {}", quoted(directory)),
                    Key::Regex(regex) => format!("regex = {}", quoted(regex)),
                    Key::Present(wanted) => format!("present = {wanted}"),
                    Key::Withheld(wanted) => format!("withheld = {wanted}"),
                    Key::Not(test) => format!("not = {}", written_test(test)),
                })
                .collect();
            format!("{{ {} }}", keys.join(", "))
        }
    }
}

impl Alternative {
    fn written(&self) -> String {
        let mut conditions: Vec<String> = self
            .conditions
            .iter()
            .map(|(parameter, test)| format!("{parameter} = {}", written_test(test)))
            .collect();
        if let Some((parameter, directory, city)) = &self.cell {
            conditions.push(format!("{parameter} = {{ in = \"{directory}\" }}"));
            conditions.push(format!("\"{directory}.city\" = {}", written_test(city)));
        }
        if let Some((names, test)) = &self.pair {
            conditions.push(format!("\"{names}\" = {}", written_test(test)));
        }
        format!("{{ {} }}", conditions.join(", "))
    }

    fn parameters(&self) -> impl Iterator<Item = &'static str> {
        let tested = self.conditions.iter().map(|(parameter, _)| *parameter);
        tested.chain(self.cell.iter().map(|(parameter, ..)| *parameter))
    }
}

impl Route {
    fn write(&self, name: usize, hours: bool, escape: bool, text: &mut String) {
        write!(text, "[[route]]\nname = \"{name}\"\n").expect("a String takes all");
        if let Some(step) = self.step {
            writeln!(text, "step = \"{step}\"").expect("a String takes all");
        }
        if !self.alternatives.is_empty() {
            let mut tables: Vec<String> =
                self.alternatives.iter().map(Alternative::written).collect();
            if escape {
                tables.push("{ escape = \"yes\" }".to_owned());
            }
            writeln!(text, "when = [{}]", tables.join(", ")).expect("a String takes all");
        }
        for (key, schedules) in [("during", &self.during), ("outside", &self.outside)] {
            let names: Vec<&str> = schedules.iter().map(|place| SCHEDULES[*place]).collect();
            if hours && !names.is_empty() {
                writeln!(text, "{key} = {names:?}").expect("a String takes all");
            }
        }
        for says in &self.says {
            writeln!(text, "{says}").expect("a String takes all");
        }
    }

    /// A table with this route alone, open at any time, that also answers when `escape` is sent. The compiler accepts
    /// it whatever its conditions, and its answers show for which requests they hold.
    pub(crate) fn alone(&self) -> String {
        let mut text = SECTIONS.to_owned();
        self.write(0, false, true, &mut text);
        text + DEFAULT
    }

    pub(crate) fn opens_sessions(&self) -> bool {
        self.says
            .iter()
            .any(|says| says.starts_with("create_session"))
    }

    /// Whether it is open when these schedules are open.
    pub(crate) fn is_open(&self, open: [bool; 2]) -> bool {
        let during = self.during.is_empty() || self.during.iter().any(|place| open[*place]);
        during && !self.outside.iter().any(|place| open[*place])
    }
}

/// The table of some routes; each is named after its position.
pub(crate) fn written(routes: &[Route]) -> String {
    let mut text = SECTIONS.to_owned();
    for (place, route) in routes.iter().enumerate() {
        route.write(place, true, false, &mut text);
    }
    text + DEFAULT
}

/// All values of the parameters that some routes use, and of those that these depend on.
pub(crate) fn requests(routes: &[Route]) -> Vec<Vec<(&'static str, &'static str)>> {
    let mut names: Vec<&str> = routes
        .iter()
        .flat_map(|route| &route.alternatives)
        .flat_map(Alternative::parameters)
        .collect();
    for (one, other) in [
        ("Called", "To"),
        ("ToCountry", "CalledCountry"),
        ("FromCountry", "CallerCountry"),
        ("CallerCountry", "FromCountry"),
        ("CallerCountry", "Caller"),
        ("From", "Caller"),
        ("Caller", "From"),
        ("To", "Called"),
    ] {
        if names.contains(&one) {
            names.push(other);
        }
    }
    // Aliases for the two numbers of a pair would make too many requests.
    let alternatives = routes.iter().flat_map(|route| &route.alternatives);
    let pairs = alternatives.filter_map(|alternative| alternative.pair.as_ref());
    names.extend(pairs.flat_map(|(names, _)| names.split(", ")));
    names.sort_unstable();
    names.dedup();
    let mut requests = vec![Vec::new()];
    for name in names {
        let values = PARAMETERS
            .iter()
            .find(|parameter| parameter.name == name)
            .map_or(COUNTRIES, |parameter| parameter.values);
        requests = requests
            .into_iter()
            .flat_map(|request: Vec<_>| {
                values
                    .iter()
                    .map(move |value| [request.clone(), vec![(name, *value)]].concat())
            })
            .collect();
    }
    requests
}
