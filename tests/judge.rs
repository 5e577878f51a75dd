//! A recorded request judged by another table: every verdict agrees with what that table does with the complete
//! request.

// Made for another test, which uses more of it.
#[allow(dead_code)]
#[path = "table/plain.rs"]
mod plain;
#[allow(dead_code)]
#[path = "reach/world.rs"]
mod world;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Write as _};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use twiml_responder::journal::judge::{Choice, Doubt, Verdict, judge};
use twiml_responder::journal::line::{self, Beyond, Line, Recorded, Told};
use twiml_responder::language::{Files, compile};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Asked, answer};
use twiml_responder::table::diagnostic::{File, Severity};
use twiml_responder::table::guard::{GuardReason, LoopGuard};
use twiml_responder::table::intercept::PASS;
use twiml_responder::twilio::request::{Form, Request, Webhook};

/// The file of the directory `sellers`.
struct Sellers;

impl Files for Sellers {
    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        Ok(world::SELLERS[0].as_bytes().to_vec())
    }
}

const DEFAULT: &str = "[default]\nvoice = [{ Say = \"Goodbye.\" }]\n";

/// A randomly generated table: its sections, its routes, and whether each route says yes.
#[derive(Debug, Clone)]
struct Drawn {
    head: String,
    routes: Vec<String>,
    bits: u32,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let plain = plain::some_routes(0..24).prop_map(|all| plain::written(&all));
    let texts = prop_oneof![plain, world::routes().prop_map(|all| world::written(&all))];
    (texts, any::<u32>()).prop_map(|(text, bits)| {
        let text = text.split("[default]").next().unwrap_or_default();
        let mut parts = text.split("[[route]]\n").map(str::to_owned);
        Drawn {
            head: parts.next().unwrap_or_default(),
            routes: parts.collect(),
            bits,
        }
    })
}

impl Drawn {
    /// The table of these routes, and of intercepts with the same conditions. Routes that can never answer are removed,
    /// because the compiler refuses them.
    fn table(&self) -> Table {
        let mut taken_out = HashSet::new();
        loop {
            let text = self.text(&taken_out);
            let diagnostics = match compile(&File::new("responses.toml", &*text), &Sellers) {
                Ok(compiled) => return compiled.table,
                Err(diagnostics) => diagnostics,
            };
            for diagnostic in diagnostics {
                if diagnostic.severity == Severity::Error {
                    assert_eq!(
                        diagnostic.check.code, "never-answers",
                        "{diagnostic:#?}\n{text}"
                    );
                    taken_out.insert(text[diagnostic.span].to_owned());
                }
            }
        }
    }

    fn text(&self, taken_out: &HashSet<String>) -> String {
        let says_yes = |place: usize| self.bits >> (place % 32) & 1 == 1;
        let mut text = self.head.clone();
        for (place, route) in self.routes.iter().enumerate() {
            if !taken_out.contains(&format!("\"{place}\"")) {
                text.extend(["[[route]]\n", route]);
                if says_yes(place) && !route.contains("answer_machines") {
                    text += "answer_machines = true\n";
                }
            }
        }
        for (place, route) in self.routes.iter().enumerate() {
            let name = format!("\"i{place}\"");
            if !taken_out.contains(&name) {
                let conditions = route.lines().filter(|line| {
                    ["when", "during", "outside"]
                        .iter()
                        .any(|key| line.starts_with(key))
                });
                let conditions: Vec<&str> = conditions.collect();
                let block = if says_yes(place) { "true" } else { "false" };
                let head = ["[[intercept]]\nname = ", &name, "\nblock = ", block, "\n"];
                text.extend(head.into_iter().chain([&*conditions.join("\n"), "\n"]));
            }
        }
        text + DEFAULT
    }
}

const NUMBERS: [&str; 4] = ["Called", "To", "Caller", "From"];

const OTHERS: [&str; 22] = [
    "CallerCountry",
    "FromCountry",
    "ToCountry",
    "CallerCity",
    "FromCity",
    "ToState",
    "CalledState",
    "Direction",
    "Digits",
    "Body",
    "Body",
    "sessionStatus",
    "escape",
    "campaign",
    "AddOns",
    "AddOns.a",
    "AddOns.a.b",
    "interactionData",
    "interactionData.a",
    "OptOutType",
    "SipHeader_X-14155550177",
    "interactionType",
];

/// Some of these have the same mask.
const NUMBER_VALUES: [&str; 22] = [
    "",
    "+15005550006",
    "+15005550106",
    "+14155550100",
    "+14155550109",
    "+14155559900",
    "+442071838750",
    "+12",
    "+449",
    "12345",
    "54321",
    "TWILIO",
    "anonymous",
    " Anonymous",
    "Restricted",
    "+266696687",
    "sip:anonymous@anonymous.invalid",
    "sip:alice@example.com",
    "client:alice",
    "client:alison",
    "whatsapp:+14155550100",
    "messenger:1234567",
];

const VALUES: [&str; 31] = [
    "",
    " ",
    "+14155550100",
    "lost",
    "LOST",
    " Lost\n",
    "lost bag",
    "l lost t",
    "STOP",
    "1",
    "2",
    "12",
    "13",
    "112",
    "9",
    "inbound",
    "outbound-api",
    "outbound-dial",
    "us",
    "US",
    "LS",
    "open",
    "closed",
    "call 415 555 0100",
    "message",
    "yes",
    "{\"a\":\"lost\"}",
    "{\"a\":{\"b\":1}}",
    "{\"a\":true}",
    "{\"a.b\":\"1\",\"a\":{}}",
    "one",
];

type Pairs = Vec<(String, String)>;

fn pair() -> impl Strategy<Value = (String, String)> {
    let of = |names: &'static [&str], values: &'static [&str]| {
        (prop::sample::select(names), prop::sample::select(values))
    };
    prop_oneof![of(&NUMBERS, &NUMBER_VALUES), of(&OTHERS, &VALUES)]
        .prop_map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// What the journal keeps beyond the default.
#[derive(Debug, Clone)]
enum Kept {
    Nothing,
    Numbers,
    Some(u32, bool),
    Everything,
}

impl Kept {
    fn beyond(&self) -> Beyond {
        let (bits, numbers) = match self {
            Self::Nothing => (0, false),
            Self::Numbers => (0, true),
            Self::Some(bits, numbers) => (*bits, *numbers),
            Self::Everything => (u32::MAX, true),
        };
        let names = NUMBERS.iter().chain(&OTHERS).enumerate();
        let named = names.filter(|(place, _)| bits >> (place % 32) & 1 == 1);
        Beyond {
            values: named.map(|(_, name)| (*name).to_owned()).collect(),
            numbers,
        }
    }
}

/// A request, the hour when it comes, and what the journal keeps of it.
#[derive(Debug, Clone)]
struct Came {
    webhook: Webhook,
    body: Pairs,
    query: Pairs,
    hour: i64,
    kept: Kept,
}

fn came() -> impl Strategy<Value = Came> {
    let sid = prop::sample::select(vec!["CallSid", "MessageSid", "SmsSid", "SmsStatus"]);
    let step = prop::sample::select(vec!["", "a", "a", "b", "c", "415-555-0100"]);
    let webhooks = [Webhook::OutOfSession, Webhook::Plain, Webhook::Intercept];
    let kept = prop_oneof![
        4 => Just(Kept::Nothing),
        1 => Just(Kept::Numbers),
        2 => (any::<u32>(), any::<bool>()).prop_map(|(bits, numbers)| Kept::Some(bits, numbers)),
        2 => Just(Kept::Everything),
    ];
    (
        prop::sample::select(webhooks.to_vec()),
        prop::collection::vec(pair(), 0..10),
        prop::option::weighted(0.9, sid),
        prop::collection::vec(pair(), 0..3),
        prop::option::weighted(0.4, step),
        prop::option::weighted(0.05, Just("")),
        0..24_i64,
        kept,
    )
        .prop_map(
            |(webhook, mut body, sid, mut query, step, other_step, hour, kept)| {
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                body.extend(sid.map(|sid| owned((sid, "CA00000000000000000000000000000001"))));
                // A field of the body, which does not count as the step.
                body.extend(other_step.map(|step| owned(("step", step))));
                query.extend(step.map(|step| owned(("step", step))));
                Came {
                    webhook,
                    body,
                    query,
                    hour,
                    kept,
                }
            },
        )
}

/// What the service does with a request, as far as the journal records it.
struct Done {
    route: String,
    blocks: bool,
    guard: Option<&'static str>,
    failed: Option<String>,
}

impl Done {
    fn choice(&self) -> Choice<'_> {
        Choice {
            name: self.failed.as_ref().unwrap_or(&self.route),
            blocks: self.blocks,
        }
    }
}

struct Forms {
    body: Form,
    query: Form,
    now: Timestamp,
}

impl Came {
    fn forms(&self) -> Forms {
        Forms {
            body: self.body.iter().map(|(a, b)| (a, b)).collect(),
            query: self.query.iter().map(|(a, b)| (a, b)).collect(),
            now: Timestamp::new(self.hour * 3600 + 1799, 999_999_999).expect("a moment"),
        }
    }

    fn done(&self, table: &Table, forms: &Forms) -> Done {
        let request = Request::new(self.webhook, &forms.body, &forms.query);
        if self.webhook == Webhook::Intercept {
            let intercept = table.intercept(&request, forms.now);
            return Done {
                route: intercept
                    .map_or(PASS, |intercept| &intercept.name)
                    .to_owned(),
                blocks: intercept.is_some_and(|intercept| intercept.blocks),
                guard: None,
                failed: None,
            };
        }
        let asked = Asked {
            request: &request,
            url: "https://example.com/",
            token: "",
            now: forms.now,
        };
        let answer = answer(table, &LoopGuard::new(), &asked);
        Done {
            route: answer.route.to_owned(),
            blocks: false,
            guard: answer.guarded.map(GuardReason::word),
            failed: answer.failure.map(|(route, _)| route.to_owned()),
        }
    }

    /// The request's line in the journal.
    fn line(&self, forms: &Forms, done: &Done) -> Vec<u8> {
        let told = Told {
            time: forms.now,
            webhook: self.webhook,
            body: forms.body.clone(),
            query: forms.query.clone(),
            route: Some(done.route.as_str().into()),
            status: match (self.webhook, done.blocks) {
                (Webhook::Intercept, true) => 403,
                (Webhook::Intercept, false) => 204,
                _ => 200,
            },
            microseconds: 1,
            guard: done.guard,
            failed: done.failed.as_deref().map(Into::into),
        };
        let mut text = Vec::new();
        line::request(&told, &self.kept.beyond()).write(&mut text);
        text
    }

    /// Whether its line has everything that a table may use.
    fn is_kept_whole(&self) -> bool {
        let has_odd_step = self
            .query
            .iter()
            .any(|(name, value)| name == "step" && value.contains("555"));
        matches!(self.kept, Kept::Everything) && !has_odd_step
    }
}

/// The number of verdicts of each kind, for requests recorded by default.
#[derive(Debug, Default)]
struct Counts {
    same: usize,
    different: usize,
    untold: usize,
}

/// More with `PROPTEST_CASES`.
#[test]
fn what_is_told_is_what_the_table_says_to_the_whole_request() {
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let counts = RefCell::new(Counts::default());
    let cases = (drawn(), drawn(), prop::collection::vec(came(), 1..40));
    let outcome = runner.run(&cases, |(old, new, requests)| {
        let (old, new_table) = (old.table(), new.table());
        for came in &requests {
            let forms = came.forms();
            let was = came.done(&old, &forms);
            let is = came.done(&new_table, &forms);
            let text = came.line(&forms, &was);
            let (line, moment) = Line::with_moment(&text).expect("a line with its moment");
            let recorded = Recorded::of(&line).expect("a request");
            let verdict = judge(&new_table, &recorded, moment).expect("a decision");
            let about = format!("{came:?}\n{line:?}\n{}", new.text(&HashSet::new()));
            let mut counts = counts.borrow_mut();
            let is_rule = matches!(came.kept, Kept::Nothing);
            match verdict {
                Verdict::Same => {
                    prop_assert_eq!(is.choice(), was.choice(), "{}", about);
                    counts.same += usize::from(is_rule);
                }
                Verdict::Different { was: told, now } => {
                    prop_assert_eq!(told, was.choice(), "{}", about);
                    prop_assert_eq!(now, is.choice(), "{}", about);
                    prop_assert_ne!(told, now);
                    counts.different += usize::from(is_rule);
                }
                Verdict::CannotTell(doubt) => {
                    prop_assert!(!came.is_kept_whole(), "{:?} {}", doubt, about);
                    let Doubt::Values(names) = doubt else {
                        return Err(TestCaseError::fail(format!("{doubt:?} {about}")));
                    };
                    prop_assert!(!names.is_empty(), "{}", about);
                    for name in names {
                        let is_whole = line.parameters.get(name).is_some();
                        prop_assert!(!is_whole, "{} {}", name, about);
                    }
                    counts.untold += usize::from(is_rule);
                }
            }
        }
        Ok(())
    });
    // Visible with `--nocapture`.
    writeln!(io::stdout(), "{counts:?}").expect("stdout takes it");
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let Counts {
        same,
        different,
        untold,
    } = counts.into_inner();
    let told = same + different;
    assert!(told >= 3 * untold, "{told} told, {untold} not");
}

/// The verdict about a call with these fields, recorded by default; `None` when it cannot be told.
fn told(table: &str, form: &str) -> Option<String> {
    told_of(table, form, &Beyond::default())
}

/// The same, with a journal that keeps more.
fn told_of(table: &str, form: &str, beyond: &Beyond) -> Option<String> {
    let file = File::new("responses.toml", format!("{table}\n{DEFAULT}"));
    let table = match compile(&file, &Sellers) {
        Ok(compiled) => compiled.table,
        Err(diagnostics) => panic!("{diagnostics:#?}"),
    };
    let told = Told {
        time: Timestamp::UNIX_EPOCH,
        webhook: Webhook::Plain,
        body: Form::parse(form.as_bytes()),
        query: Form::default(),
        route: Some("old".into()),
        status: 200,
        microseconds: 1,
        guard: None,
        failed: None,
    };
    let line = line::request(&told, beyond);
    let recorded = Recorded::of(&line).expect("a request");
    match judge(&table, &recorded, Timestamp::UNIX_EPOCH) {
        Some(Verdict::Different { now, .. }) => Some(now.name.to_owned()),
        Some(Verdict::CannotTell(_)) => None,
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn a_part_of_a_value_tells_what_it_can_and_no_more() {
    const CALLER: &str = "CallSid=CA1&Called=%2B15005550001&Caller=%2B14155559900";
    const TEXT: &str = "MessageSid=SM1&To=%2B15005550001&From=%2B14155559900&Body=+";
    // An omitted value is still known to have been present.
    const KEPT: &str = "CallSid=CA1&Called=%2B15005550001&Caller=%2B14155559900&CallToken=x";
    const SIP: &str = "CallSid=CA1&Called=%2B15005550001&Caller=sip:anonymous%40anonymous.invalid";
    for (when, form, outcome) in [
        // A different mask means a different number; the same mask may mean the same number.
        ("Caller = '+14155559900'", CALLER, None),
        ("Caller = '+14155550100'", CALLER, None),
        ("Caller = '+14155550101'", CALLER, Some("default")),
        (
            "Caller = ['+14155550101', '+442071838700']",
            CALLER,
            Some("default"),
        ),
        ("From = '+14155550101'", CALLER, Some("default")),
        ("From = '+14155550100'", CALLER, None),
        // The visible part of a mask.
        ("Caller = '+1*'", CALLER, Some("route")),
        ("Caller = '+141*00'", CALLER, Some("route")),
        ("Caller = '+44*'", CALLER, Some("default")),
        ("Caller = '*1'", CALLER, Some("default")),
        ("Caller = '+1415*'", CALLER, None),
        ("Caller = '+1*9*00'", CALLER, None),
        ("Caller = { not = '+44*' }", CALLER, Some("route")),
        ("Caller = { not = '+1415*' }", CALLER, None),
        ("Caller = { regex = '^\\+1' }", CALLER, None),
        // Whether the number is present, and whether it is withheld.
        ("Caller = { present = true }", CALLER, Some("route")),
        ("Caller = { present = false }", CALLER, Some("default")),
        ("Digits = { present = true }", CALLER, Some("default")),
        ("CallToken = ''", KEPT, Some("default")),
        ("CallToken = 'x'", KEPT, None),
        ("CallToken = { present = true }", KEPT, Some("route")),
        ("CallToken = { not = '' }", KEPT, Some("route")),
        ("Caller = { withheld = true }", CALLER, Some("default")),
        ("From = { withheld = true }", CALLER, Some("default")),
        ("Caller = { withheld = true }", SIP, Some("route")),
        ("From = { withheld = true }", SIP, None),
        ("Caller = 'sip:*'", SIP, Some("route")),
        // Directories.
        ("Caller = { in = 'same' }", CALLER, None),
        ("Caller = { in = 'others' }", CALLER, Some("default")),
        ("Caller = { in = 'near' }", CALLER, None),
        ("Caller = { in = 'all' }", CALLER, Some("route")),
        (
            "Caller = { in = 'others' } }, { Caller = { in = 'same' }",
            CALLER,
            None,
        ),
        (
            "Caller = { in = 'others' } }, { Caller = { in = 'all' }",
            CALLER,
            Some("route"),
        ),
        ("Caller = { in = 'shorter' }", CALLER, Some("default")),
        ("Caller = { in = 'longer' }", CALLER, None),
        (
            "Caller = { in = 'city' }, 'city.name' = 'x'",
            CALLER,
            Some("default"),
        ),
        // Conditions treat a blank text as empty, but the journal omits it like any other text.
        ("Body = { present = true }", TEXT, None),
        ("Body = ''", TEXT, None),
        ("Body = '*'", TEXT, Some("route")),
        // It is enough that one of several tables of `when` holds.
        ("Digits = '1' }, { Caller = '+1*'", CALLER, Some("route")),
        (
            "Caller = '+1415*' }, { Caller = '+1*'",
            CALLER,
            Some("route"),
        ),
        ("Caller = '+1415*', Digits = '1'", CALLER, Some("default")),
    ] {
        let table = format!(
            "[directory.same]\nnumbers = ['+14155550100']\n\
             [directory.others]\nnumbers = ['+14155550101', '+442*', '+1425*']\n\
             [directory.near]\nnumbers = ['+14155550101', '+1415*']\n\
             [directory.shorter]\nnumbers = ['+14155550101', '+13*', '+15*']\n\
             [directory.longer]\nnumbers = ['+13*', '+1415*', '+15*']\n\
             [directory.all]\nnumbers = ['+14155550101', '+1*']\n\
             [directory.city]\nrows = [{{ number = '+14155550101', name = 'x' }}]\n\
             [[route]]\nname = 'route'\nwhen = [ {{ {when} }} ]\nvoice = []\nmessage = []\n"
        );
        assert_eq!(told(&table, form).as_deref(), outcome, "{when}");
    }
}

#[test]
fn a_body_that_is_kept_is_compared_as_a_text_is() {
    const TEXT: &str = "MessageSid=SM1&To=%2B15005550001&From=%2B14155559900&Body=+LOST+";
    let beyond = Beyond {
        values: HashSet::from(["Body".to_owned()]),
        ..Beyond::default()
    };
    for (when, outcome) in [
        ("Body = 'lost'", "route"),
        ("Body = 'l*t'", "route"),
        ("Body = { regex = '^lost$' }", "route"),
        ("Body = 'found'", "default"),
    ] {
        let table = format!("[[route]]\nname = 'route'\nwhen = {{ {when} }}\nmessage = []\n");
        let told = told_of(&table, TEXT, &beyond);
        assert_eq!(told.as_deref(), Some(outcome), "{when}");
    }
}

/// Enough routes for an index of callers, in which a masked number cannot be found.
#[test]
fn routes_that_are_found_by_a_masked_value_are_all_looked_at() {
    let mut table = String::new();
    for number in 0..20 {
        let when = format!("{{ Caller = '+141555501{number:02}' }}");
        table.extend([format!(
            "[[route]]\nname = 'r{number}'\nwhen = {when}\nvoice = []\n"
        )]);
    }
    let call = |caller: &str| format!("CallSid=CA1&Called=%2B15005550001&Caller=%2B{caller}");
    assert_eq!(told(&table, &call("14155550107")), None);
    assert_eq!(told(&table, &call("14155559907")), None);
    assert_eq!(
        told(&table, &call("14155550120")).as_deref(),
        Some("default")
    );
    assert_eq!(
        told(&table, &call("442071838707")).as_deref(),
        Some("default")
    );
}
