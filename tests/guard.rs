//! The loop guard with any order of requests and moments: no pair of numbers ever gets more than it should, and none is
//! silenced needlessly.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Answer, Asked, answer};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::{GuardReason, LOOP_GUARD, LoopGuard};
use twiml_responder::table::reply::Sends;
use twiml_responder::twilio::request::{Form, Request, Webhook};

/// What identifies a retry.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    Token(u8),
    Sid(u8),
    /// Nothing, so it never counts as a retry.
    Nothing,
}

/// A text, and how many milliseconds it comes after the previous one; negative when the clock was set back.
#[derive(Debug, Clone)]
struct Text {
    pair: usize,
    known: Known,
    later: i64,
}

const PAIRS: [(&str, &str); 3] = [
    ("+15005550006", "+14155550100"),
    ("+15005550006", "+14155550101"),
    // The other direction is a different pair.
    ("+14155550100", "+15005550006"),
];

/// The time within which replies are counted, in seconds.
const PER: i64 = 10;

fn text() -> impl Strategy<Value = Text> {
    let known = prop_oneof![
        2 => (0..6_u8).prop_map(Known::Token),
        2 => (0..6_u8).prop_map(Known::Sid),
        1 => Just(Known::Nothing),
    ];
    let edges = vec![
        0, 1, 999, 1000, 9000, 9001, 9999, 10_000, 10_001, -1000, -9999, -10_000,
    ];
    let later = prop_oneof![2 => prop::sample::select(edges), 3 => 0..6000_i64];
    (prop::sample::select(vec![0, 0, 0, 1, 2]), known, later)
        .prop_map(|(pair, known, later)| Text { pair, known, later })
}

/// A table that answers the sender, or passes texts on, at most this many times.
fn table(most: usize, relays: bool) -> Table {
    let (limit, other, to) = if relays {
        ("relays", "replies", ", to = \"{{ others.phone }}\"")
    } else {
        ("replies", "relays", "")
    };
    let text = format!(
        "[loop_guard]\n{limit} = {most}\n{other} = 1\nper = \"{PER}s\"\n\
         [directory.others]\nrows = [{{ number = \"*\", phone = \"+14155550199\" }}]\n\
         [[route]]\nname = \"texts\"\nwhen = {{ To = {{ in = \"others\" }} }}\n\
         message = [{{ Message = \"{{{{ Body }}}}\"{to} }}]\n\
         [default]\nvoice = []\n"
    );
    compiled(&text)
}

fn compiled(text: &str) -> Table {
    match compile(&File::new("responses.toml", text), &NoFiles) {
        Ok(compiled) => compiled.table,
        Err(diagnostics) => panic!("{diagnostics:#?}"),
    }
}

/// Whether a text is answered.
fn is_answered(
    table: &Table,
    guard: &LoopGuard,
    text: &Text,
    place: usize,
    now: Timestamp,
) -> bool {
    let (to, from) = PAIRS[text.pair];
    let (sid, token) = match text.known {
        Known::Token(token) => (format!("SM{}", 100 + place), format!("token {token}")),
        Known::Sid(sid) => (format!("SM{sid}"), String::new()),
        Known::Nothing => (String::new(), String::new()),
    };
    let pairs = [
        ("MessageSid", &*sid),
        ("To", to),
        ("From", from),
        ("Body", "hello"),
    ];
    let (body, query) = (pairs.into_iter().collect(), Form::default());
    let request = Request::new(Webhook::Plain, &body, &query);
    let asked = Asked {
        request: &request,
        url: "https://example.com/webhook",
        token: &token,
        now,
    };
    let answer = answer(table, guard, &asked);
    assert_eq!(answer.route == LOOP_GUARD, answer.guarded.is_some());
    let sends = answer.sends != Sends::Nothing;
    assert_eq!(sends, answer.guarded.is_none());
    sends
}

/// The history of a pair: when, which text, and whether it was answered. Without retries.
type Told = Vec<(Timestamp, Known, bool)>;

proptest! {
    /// A pair never has more texts than the guard has room for.
    #[test]
    fn no_pair_ever_gets_more_and_none_gets_less(
        replies in 1..5_usize,
        relays in any::<bool>(),
        texts in prop::collection::vec(text(), 1..32),
    ) {
        let (table, guard) = (table(replies, relays), LoopGuard::new());
        let per = SignedDuration::from_secs(PER);
        let mut told: [Told; 3] = Default::default();
        let mut now: Timestamp = "2026-11-20T17:00:00.5Z".parse().expect("a moment");
        for (place, text) in texts.iter().enumerate() {
            now += SignedDuration::from_millis(text.later);
            let answered = is_answered(&table, &guard, text, place, now);
            let told = &mut told[text.pair];
            let near = || told.iter().filter(|(then, ..)| then.duration_since(now).abs() < per);
            let before = near().find(|(_, known, _)| *known == text.known && text.known != Known::Nothing);
            if let Some((.., was_answered)) = before {
                prop_assert_eq!(answered, *was_answered, "the retry at {} of {:?}", place, texts);
                continue;
            }
            let had = near().filter(|(.., answered)| *answered).count();
            prop_assert_eq!(answered, had < replies, "{} had {} at {} of {:?}", text.pair, had, place, texts);
            told.push((now, text.known, answered));
        }
        // The guarantee, whatever the clock did: never more answers than allowed within ten seconds.
        for told in &told {
            let mut answered: Vec<Timestamp> = told.iter().filter(|(.., answered)| *answered).map(|(then, ..)| *then).collect();
            answered.sort_unstable();
            for some in answered.windows(replies + 1) {
                prop_assert!(some[replies].duration_since(some[0]) >= per, "{:?}", texts);
            }
        }
    }

    /// Calls come back in any order, each time with or without retries.
    #[test]
    fn a_call_comes_back_so_often_and_no_more(
        most in 1..5_usize,
        visits in prop::collection::vec((0..4_usize, 1..4_usize, any::<bool>()), 1..60),
    ) {
        let text = format!("[loop_guard]\nsame_call = {most}\n[default]\nvoice = [{{ Say = \"Goodbye.\" }}]\n");
        let (table, guard) = (compiled(&text), LoopGuard::new());
        let mut times = [0; 4];
        for (place, (call, attempts, has_token)) in visits.iter().enumerate() {
            let token = if *has_token { format!("token {place}") } else { String::new() };
            for attempt in 0..*attempts {
                // Without a token a retry cannot be recognized.
                times[*call] += usize::from(attempt == 0 || !has_token);
                let sid = format!("CA{call}");
                let (body, query) = ([("CallSid", &*sid)].into_iter().collect(), Form::default());
                let request = Request::new(Webhook::OutOfSession, &body, &query);
                let asked = Asked {
                    request: &request,
                    url: "https://example.com/out-of-session",
                    token: &token,
                    now: Timestamp::UNIX_EPOCH,
                };
                let route = answer(&table, &guard, &asked).route;
                // The first request is not a return.
                let is_over = times[*call] > most + 1;
                prop_assert_eq!(route, if is_over { LOOP_GUARD } else { "default" }, "{} of {:?}", place, visits);
            }
        }
    }
}

/// Two people, or two machines, who write to each other through one of our numbers.
const RELAY: &str = r#"
[directory.parties]
rows = [
  { number = "+14155550100", other = "+14155550101" },
  { number = "+14155550101", other = "+14155550100" },
  { number = "+14155550102", other = "+14155550102" },
]
[[route]]
name = "relay"
when = { From = { in = "parties" } }
message = [ { Message = "{{ Body }}", to = "{{ parties.other }}" } ]
[[route]]
name = "forward"
when = { Body = "forward" }
message = [ { Message = "{{ From }} wrote", to = "+14155550199" } ]
[[route]]
name = "both"
when = { Body = "both" }
message = [ { Message = "{{ From }} wrote", to = "+14155550199" }, { Message = "Thanks!" } ]
[default]
voice = []
message = [ { Message = "Who are you?" } ]
"#;

/// The answer to a text to our number.
fn texted<'t>(
    table: &'t Table,
    guard: &LoopGuard,
    from: &str,
    body: &str,
    sid: usize,
) -> Answer<'t> {
    let sid = format!("SM{sid}");
    let pairs = [
        ("MessageSid", &*sid),
        ("To", "+15005550006"),
        ("From", from),
        ("Body", body),
    ];
    let (body, query) = (pairs.into_iter().collect(), Form::default());
    let request = Request::new(Webhook::Plain, &body, &query);
    let asked = Asked {
        request: &request,
        url: "https://example.com/webhook",
        token: "",
        now: Timestamp::UNIX_EPOCH,
    };
    answer(table, guard, &asked)
}

#[test]
fn two_people_write_to_each_other_and_two_machines_come_to_an_end() {
    let (table, guard) = (compiled(RELAY), LoopGuard::new());
    let parties = ["+14155550100", "+14155550101"];
    // Each party answers the other's last text.
    let mut relayed = 0;
    while relayed < 1000 {
        let answer = texted(&table, &guard, parties[relayed % 2], "hello", relayed);
        if let Some(reason) = answer.guarded {
            assert_eq!(
                (reason, answer.sends),
                (GuardReason::Relays(60), Sends::Nothing)
            );
            break;
        }
        assert_eq!((answer.route, answer.sends), ("relay", Sends::Relay));
        relayed += 1;
    }
    assert_eq!(relayed, 120, "sixty of each");
    // Texts from others are not counted with these, nor are the answers to them.
    let other = texted(&table, &guard, "+14155550105", "hello", 2000);
    assert_eq!((other.route, other.sends), ("default", Sends::Reply));
}

#[test]
fn what_goes_to_the_sender_as_well_is_a_reply() {
    let table = compiled(RELAY);
    for (from, body, sends, most) in [
        ("+14155550105", "forward", Sends::Relay, 60),
        ("+14155550105", "both", Sends::Reply, 3),
        // A party paired with itself.
        ("+14155550102", "hello", Sends::Reply, 3),
        // Our own phone writes to itself.
        ("+14155550199", "forward", Sends::Reply, 3),
    ] {
        let guard = LoopGuard::new();
        assert_eq!(
            texted(&table, &guard, from, body, 0).sends,
            sends,
            "{from} {body}"
        );
        let sent = (1..100).filter(|n| texted(&table, &guard, from, body, *n).guarded.is_none());
        assert_eq!(sent.count(), most - 1, "{from} {body}");
    }
}
