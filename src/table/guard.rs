//! The loop guard: does not answer answers, does not talk to machines, and ends calls that go in circles.
//!
//! It remembers a limited number of hashes and drops the oldest to make room. It does not keep the numbers or tokens
//! themselves.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use jiff::Timestamp;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::table::reply::Sends;
use crate::twilio::channel::Channel;
use crate::twilio::number::E164;
use crate::twilio::request::Request;

/// The name under which the loop guard answers.
pub const LOOP_GUARD: &str = "loop-guard";

/// Words with which people and networks switch texts off and on: Twilio and Proxy answer them, so we do not. `YES` is
/// one, too, but people also answer it to questions.
///
/// Source: Twilio's changelog, "Update to FCC's SMS opt-out keywords", 2025-05-14, and its pages on opt-out keywords and on
/// Proxy's.
pub const OPT_OUT_WORDS: [&str; 16] = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
    "ARRET",
    "ARRETE",
    "ARRETT",
    "START",
    "UNSTOP",
    "DEBUT",
    "HELP",
    "INFO",
];

/// The most bytes of a text that may be one of these words: each letter of the longest may take four bytes and have
/// other characters in between.
const OPT_OUT_MAX_BYTES: usize = 100;

/// The highest value of [`Limits::replies`]: as many texts as Twilio itself sends between two numbers in half a minute.
pub const MOST_REPLIES: u32 = 30;

/// The highest value of [`Limits::relays`]. The memory for each pair of numbers grows with it.
pub const MOST_RELAYS: u32 = 300;

/// `[loop_guard]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most documents with a reply to the sender that a pair of numbers gets within [`Limits::per_seconds`]; 0 for
    /// no limit.
    pub replies: u32,
    /// The most documents whose Messages all go to other people that a pair of numbers gets within the same time; 0 for
    /// no limit.
    pub relays: u32,
    /// The time within which they are counted, in seconds.
    pub per_seconds: u32,
    /// How many times one call may come back; 0 for no limit.
    pub same_call: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            replies: 3,
            relays: 60,
            per_seconds: 600,
            same_call: 20,
        }
    }
}

/// Why the loop guard answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardReason {
    /// The sender is a name, which cannot receive replies.
    Name,
    /// The sender is a short code.
    ShortCode,
    /// Twilio has taken the text for an opt-out.
    OptOut,
    /// The text consists of one of [`OPT_OUT_WORDS`].
    OptOutWord,
    /// The pair of numbers has had this many replies.
    Replies(u32),
    /// This many texts between the pair of numbers have been relayed.
    Relays(u32),
    /// The call has come back more than this many times.
    SameCall(u32),
}

impl GuardReason {
    /// One of each kind.
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::ShortCode,
        Self::OptOut,
        Self::OptOutWord,
        Self::Replies(0),
        Self::Relays(0),
        Self::SameCall(0),
    ];

    /// The reasons that [`machine`] returns, which depend only on the request.
    pub const OF_MACHINES: [Self; 4] =
        [Self::Name, Self::ShortCode, Self::OptOut, Self::OptOutWord];

    /// The word for it in the journal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::ShortCode => "short-code",
            Self::OptOut => "opt-out",
            Self::OptOutWord => "opt-out-word",
            Self::Replies(_) => "replies",
            Self::Relays(_) => "relays",
            Self::SameCall(_) => "same-call",
        }
    }
}

impl fmt::Display for GuardReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the sender is a name, not a number"),
            Self::ShortCode => f.write_str("the sender is a short code"),
            Self::OptOut => f.write_str("Twilio marks the text as an opt-out"),
            Self::OptOutWord => {
                f.write_str("the text is an opt-out word, which Twilio answers itself")
            }
            Self::Replies(replies) => write!(f, "the two numbers have had {replies} replies"),
            Self::Relays(relays) => {
                write!(
                    f,
                    "{relays} texts between the two numbers have been relayed"
                )
            }
            Self::SameCall(times) => write!(f, "the call has come back more than {times} times"),
        }
    }
}

/// Why a text gets no answer, if it comes from a machine.
#[must_use]
pub fn machine(request: &Request<'_>) -> Option<GuardReason> {
    if request.channel() != Channel::Message {
        return None;
    }
    if !request.value("OptOutType").is_empty() {
        return Some(GuardReason::OptOut);
    }
    if is_opt_out_word(&request.value("Body")) {
        return Some(GuardReason::OptOutWord);
    }
    let sender = request.value("Caller");
    if sender.is_empty() || sender.contains(':') || sender.parse::<E164>().is_ok() {
        return None;
    }
    let digits = sender.trim_start_matches('+');
    Some(if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        GuardReason::ShortCode
    } else {
        GuardReason::Name
    })
}

/// Whether a text consists of one of [`OPT_OUT_WORDS`], in any case and in any form of its letters. Blanks, hyphens,
/// accents and surrounding punctuation are ignored: `Stop.`, `OPT-OUT`, `arrêt`.
pub(crate) fn is_opt_out_word(text: &str) -> bool {
    let text = text.trim_matches(|around: char| !around.is_alphanumeric());
    if text.len() > OPT_OUT_MAX_BYTES {
        return false;
    }
    let counts = |letter: &char| {
        !letter.is_whitespace() && !HYPHENS.contains(letter) && !is_combining_mark(*letter)
    };
    let word: String = text.nfkd().filter(counts).collect();
    OPT_OUT_WORDS.contains(&&*word.to_uppercase())
}

/// Hyphens and dashes that remain after Unicode's compatibility normalization.
const HYPHENS: [char; 8] = ['-', '\u{ad}', '‐', '‒', '–', '—', '―', '−'];

/// What the loop guard remembers.
#[derive(Debug)]
pub struct LoopGuard {
    hasher: RandomState,
    /// Separate locks, so that requests of different numbers rarely wait for each other; each is held for some
    /// nanoseconds.
    shards: Box<[Mutex<Shard>]>,
}

const SHARDS: usize = 64;

#[derive(Debug, Default)]
struct Shard {
    /// By the hash of the two numbers and of whether texts are relayed.
    pairs: Recent<Vec<Sent>>,
    /// By the hash of a call's SID.
    calls: Recent<Call>,
}

/// The entries that were used last.
#[derive(Debug, Default)]
struct Recent<T> {
    /// Each entry with the turn in which it was last used.
    kept: HashMap<u64, (u64, T)>,
    /// Counts the uses, so that the oldest entry is known whatever the clock says.
    turn: u64,
}

/// A document with a Message, for a pair of numbers.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// The hash of its token; 0 without one.
    token: u64,
    /// In microseconds: with whole seconds a reply would be forgotten up to a second too early.
    time: i64,
    is_suppressed: bool,
}

/// How often a call has made a request.
#[derive(Debug, Default)]
struct Call {
    token: u64,
    times: u32,
}

impl Default for LoopGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl LoopGuard {
    /// A guard that has seen nothing. As it sees more pairs and calls it grows to at most 30 MB, and proportionally
    /// more when [`Limits::relays`] is above the default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Counts a request of a call and returns a reason when the call has come back too often. A retry is not counted
    /// again.
    pub(crate) fn same_call(
        &self,
        limits: &Limits,
        request: &Request<'_>,
        token: &str,
    ) -> Option<GuardReason> {
        let sid = request.sent("CallSid");
        // Texts have no `CallSid`.
        if sid.is_empty() || limits.same_call == 0 {
            return None;
        }
        let (key, token) = (self.hash(sid), self.token(token));
        let mut shard = self.shard(key);
        let call = shard.calls.get(key);
        if token == 0 || token != call.token {
            call.times = call.times.saturating_add(1);
        }
        call.token = token;
        // The first request of a call is not a return.
        (call.times > limits.same_call.saturating_add(1))
            .then_some(GuardReason::SameCall(limits.same_call))
    }

    /// Counts a document by what it sends and returns a reason when the pair of numbers has had too many. A retry is
    /// not counted again, and a suppressed document stays suppressed.
    pub(crate) fn sends(
        &self,
        limits: &Limits,
        sends: Sends,
        request: &Request<'_>,
        token: &str,
        now: Timestamp,
    ) -> Option<GuardReason> {
        let (most, reason) = match sends {
            Sends::Nothing => return None,
            Sends::Reply => (limits.replies, GuardReason::Replies(limits.replies)),
            Sends::Relay => (limits.relays, GuardReason::Relays(limits.relays)),
        };
        if most == 0 {
            return None;
        }
        let token = self.token(if token.is_empty() {
            request.sid()
        } else {
            token
        });
        let pair = (request.value("Called"), request.value("Caller"));
        let key = self.hash((sends == Sends::Relay, pair));
        let mut shard = self.shard(key);
        let sent = shard.pairs.get(key);
        let is_allowed = allows(sent, most, limits.per_seconds, token, now);
        (!is_allowed).then_some(reason)
    }

    fn hash(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }

    /// The hash of a token; 0 without one.
    fn token(&self, token: &str) -> u64 {
        if token.is_empty() {
            0
        } else {
            self.hash(token)
        }
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        let index = usize::try_from(key >> 58).unwrap_or_default() % SHARDS;
        // A panic can leave nothing worse than a wrong count behind.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> Recent<T> {
    /// The entry of a key; a new entry replaces the oldest when there is no more room.
    fn get(&mut self, key: u64) -> &mut T {
        const MOST: usize = 256;
        self.turn += 1;
        if self.kept.len() == MOST && !self.kept.contains_key(&key) {
            let oldest = self.kept.iter().min_by_key(|(_, (turn, _))| *turn);
            let oldest = *oldest.expect("some are kept").0;
            self.kept.remove(&oldest);
        }
        let (turn, kept) = self.kept.entry(key).or_default();
        *turn = self.turn;
        kept
    }
}

/// Whether one more document for a pair is allowed at this moment, with a limit of `most` in `per_seconds`; remembers
/// it.
fn allows(sent: &mut Vec<Sent>, most: u32, per_seconds: u32, token: u64, now: Timestamp) -> bool {
    // Leaves room for some suppressed documents, which are remembered, too.
    let most_kept = most.max(MOST_REPLIES) as usize + 2;
    let (per, now) = (i64::from(per_seconds) * 1_000_000, now.as_microsecond());
    // After the clock was set back, replies from its future must not count for ever.
    let is_recent = |reply: &Sent| (reply.time - now).abs() < per;
    let counts = |reply: &Sent| is_recent(reply) && !reply.is_suppressed;
    // Without a token it cannot be recognized as a retry.
    let is_retry = |reply: &&Sent| token != 0 && token == reply.token && is_recent(reply);
    if let Some(before) = sent.iter().find(is_retry) {
        return !before.is_suppressed;
    }
    let had = sent.iter().filter(|reply| counts(reply)).count();
    let is_allowed = had < most as usize;
    if sent.len() >= most_kept {
        // There is always one that does not count.
        let oldest = (0..sent.len()).min_by_key(|at| (counts(&sent[*at]), sent[*at].time));
        sent.swap_remove(oldest.expect("there are some"));
    }
    sent.push(Sent {
        token,
        time: now,
        is_suppressed: !is_allowed,
    });
    is_allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::request::{Form, Webhook};

    fn call(guard: &LoopGuard, limits: &Limits, body: &str) -> Option<GuardReason> {
        let (body, query) = (Form::parse(body.as_bytes()), Form::default());
        let request = Request::new(Webhook::Plain, &body, &query);
        guard.same_call(limits, &request, "")
    }

    #[test]
    fn only_a_call_with_a_sid_comes_back_too_often() {
        let limits = Limits {
            same_call: 1,
            ..Limits::default()
        };
        let guard = LoopGuard::default();
        for body in ["From=%2B1", "CallSid=&From=%2B1", "MessageSid=SM1"] {
            for _ in 0..5 {
                assert_eq!(call(&guard, &limits, body), None, "{body}");
            }
        }
        let verdict = || call(&guard, &limits, "CallSid=CA1");
        assert_eq!([verdict(), verdict()], [None, None]);
        assert_eq!(verdict(), Some(GuardReason::SameCall(1)));
    }

    #[test]
    fn a_verdict_says_why() {
        for (verdict, word, says) in [
            (
                GuardReason::Name,
                "name",
                "the sender is a name, not a number",
            ),
            (
                GuardReason::ShortCode,
                "short-code",
                "the sender is a short code",
            ),
            (
                GuardReason::OptOut,
                "opt-out",
                "Twilio marks the text as an opt-out",
            ),
            (
                GuardReason::OptOutWord,
                "opt-out-word",
                "the text is an opt-out word, which Twilio answers itself",
            ),
            (
                GuardReason::Replies(5),
                "replies",
                "the two numbers have had 5 replies",
            ),
            (
                GuardReason::Relays(60),
                "relays",
                "60 texts between the two numbers have been relayed",
            ),
            (
                GuardReason::SameCall(20),
                "same-call",
                "the call has come back more than 20 times",
            ),
        ] {
            assert_eq!((verdict.word(), &*verdict.to_string()), (word, says));
        }
    }
}
