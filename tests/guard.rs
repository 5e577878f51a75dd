//! The loop guard under any order of requests and moments: no pair of numbers ever gets more than it should, and none is
//! silenced without need.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Asked, answer};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::{LOOP_GUARD, LoopGuard};
use twiml_responder::twilio::request::{Form, Request, Webhook};

/// By what a retry is known.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    Token(u8),
    Sid(u8),
    /// It is known by nothing, and so is nobody's retry.
    Nothing,
}

/// A text, and how much later than the one before it comes, in milliseconds; less than 0 when the clock was set back.
#[derive(Debug, Clone)]
struct Text {
    pair: usize,
    known: Known,
    later: i64,
}

const PAIRS: [(&str, &str); 3] = [
    ("+15005550006", "+14155550100"),
    ("+15005550006", "+14155550101"),
    // The other direction is another pair.
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

fn table(replies: usize) -> Table {
    let text = format!(
        "[loop_guard]\nreplies = {replies}\nper = \"{PER}s\"\n\
         [default]\nvoice = []\nmessage = [{{ Message = \"Thanks!\" }}]\n"
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
    assert_eq!(answer.sends, answer.guarded.is_none());
    answer.sends
}

/// What a pair was told: when, to which text, and whether it was answered. Retries are not in it.
type Told = Vec<(Timestamp, Known, bool)>;

proptest! {
    /// Of one pair there are never more texts than the guard has room for.
    #[test]
    fn no_pair_ever_gets_more_and_none_gets_less(
        replies in 1..5_usize,
        texts in prop::collection::vec(text(), 1..32),
    ) {
        let (table, guard) = (table(replies), LoopGuard::new());
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
        // The promise itself, whatever the clock did: in no ten seconds more than so many.
        for told in &told {
            let mut answered: Vec<Timestamp> = told.iter().filter(|(.., answered)| *answered).map(|(then, ..)| *then).collect();
            answered.sort_unstable();
            for some in answered.windows(replies + 1) {
                prop_assert!(some[replies].duration_since(some[0]) >= per, "{:?}", texts);
            }
        }
    }

    /// Calls come back in any order among each other, each time with or without retries of their own.
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
                // Without a token nobody can tell a retry.
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
                // The first time is no return.
                let is_over = times[*call] > most + 1;
                prop_assert_eq!(route, if is_over { LOOP_GUARD } else { "default" }, "{} of {:?}", place, visits);
            }
        }
    }
}
