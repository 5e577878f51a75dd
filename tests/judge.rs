//! A recorded request judged by another table: what is told of it is what that table says to the whole request.

// Each of these is made for a test of its own, which uses more of it.
#[allow(dead_code)]
#[path = "table/plain.rs"]
mod plain;
#[allow(dead_code)]
#[path = "reach/world.rs"]
mod world;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::Write as _;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use twiml_responder::answer::{Asked, answer};
use twiml_responder::config::{Files, compile};
use twiml_responder::diagnostic::{Code, File, Severity};
use twiml_responder::guard::{Guard, Verdict as Guarded};
use twiml_responder::judge::{Choice, Doubt, Judge, Verdict};
use twiml_responder::line::{self, Beyond, Line, Recorded, Told};
use twiml_responder::request::{Form, Request, Webhook};
use twiml_responder::table::Table;
use twiml_responder::table::intercept::PASS;

/// The file of the directory `sellers`.
struct Sellers;

impl Files for Sellers {
    fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
        Ok(world::SELLERS[0].as_bytes().to_vec())
    }
}

const DEFAULT: &str = "[default]\nvoice = [{ Say = \"Goodbye.\" }]\n";

/// A drawn table: its sections, its routes, and a bit for each route that says yes.
#[derive(Debug, Clone)]
struct Drawn {
    head: String,
    routes: Vec<String>,
    bits: u32,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let plain = prop::collection::vec(plain::route(), 0..24).prop_map(|all| plain::written(&all));
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
    /// The table of these routes, and of intercepts with the same conditions. Those that can never answer are taken out,
    /// since the compiler refuses them.
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
                        diagnostic.code,
                        Code::NeverAnswers,
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
                if says_yes(place) {
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

/// Some have the same mask as others.
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

/// What is recorded beyond the rule.
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

/// A request, the hour it comes at, and what is recorded of it.
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
    let webhooks = [Webhook::OutOfSession, Webhook::Webhook, Webhook::Intercept];
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
                // A field of the body, which is no step.
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

/// What the service does with a request, as far as its line tells of it.
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
        let answer = answer(table, &Guard::new(), &asked);
        Done {
            route: answer.route.to_owned(),
            blocks: false,
            guard: answer.guarded.map(Guarded::word),
            failed: answer.failure.map(|(route, _)| route.to_owned()),
        }
    }

    /// The line that the journal has of it.
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

    /// Whether its line has all that a table may ask.
    fn is_kept_whole(&self) -> bool {
        let has_odd_step = self
            .query
            .iter()
            .any(|(name, value)| name == "step" && value.contains("555"));
        matches!(self.kept, Kept::Everything) && !has_odd_step
    }
}

/// How many verdicts there were of requests of which nothing is kept beyond the rule.
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
        let judge = Judge::new(&new_table);
        for came in &requests {
            let forms = came.forms();
            let was = came.done(&old, &forms);
            let is = came.done(&new_table, &forms);
            let text = came.line(&forms, &was);
            let line = Line::parse(&text).expect("a line");
            let recorded = Recorded::of(&line).expect("a request");
            let moment = line.moment().expect("a moment");
            let verdict = judge.judge(&recorded, moment).expect("a decision");
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
    // Shown by `--nocapture`.
    writeln!(std::io::stdout(), "{counts:?}").expect("stdout takes it");
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
