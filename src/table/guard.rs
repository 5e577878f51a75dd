//! The loop guard: no answers to answers, no talking to machines, no call that goes in circles.
//!
//! It remembers a fixed number of hashes; when there is no more room the oldest go. It does not keep numbers or tokens
//! themselves.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::twilio::channel::Channel;
use crate::twilio::number::E164;
use crate::twilio::request::Request;

/// The name under which the loop guard answers.
pub const LOOP_GUARD: &str = "loop-guard";

/// Words with which people and networks switch texts off and on; Twilio answers them itself.
///
/// Source: "Twilio support for opt-out keywords", Twilio help centre, article 223134027.
pub const OPT_OUT_WORDS: [&str; 10] = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "START",
    "UNSTOP",
    "HELP",
    "INFO",
];

/// The most that [`Limits::replies`] may be: as many as Twilio itself sends between two numbers in half a minute.
pub const MOST_REPLIES: u32 = 30;

/// `[loop_guard]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many documents with a Message a pair of numbers gets within [`Limits::per_seconds`]; 0 for no limit.
    pub replies: u32,
    /// The time within which they are counted.
    pub per_seconds: u32,
    /// How often one call may come back; 0 for no limit.
    pub same_call: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            replies: 3,
            per_seconds: 600,
            same_call: 20,
        }
    }
}

/// Why the loop guard answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardReason {
    /// The sender is a name, which cannot be answered.
    Name,
    /// The sender is a short code.
    ShortCode,
    /// Twilio has taken the text for an opt-out.
    OptOut,
    /// The text is only one of [`OPT_OUT_WORDS`].
    OptOutWord,
    /// The pair of numbers has had this many replies.
    Replies(u32),
    /// The call has come back more than this many times.
    SameCall(u32),
}

impl GuardReason {
    /// The reasons of [`machine`], which depend on the request alone.
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
            Self::SameCall(_) => "same-call",
        }
    }
}

impl fmt::Display for GuardReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the sender is a name, not a number"),
            Self::ShortCode => f.write_str("the sender is a short code"),
            Self::OptOut => f.write_str("Twilio says that the text is an opt-out"),
            Self::OptOutWord => {
                f.write_str("the text is an opt-out word, which Twilio answers itself")
            }
            Self::Replies(replies) => write!(f, "the two numbers have had {replies} replies"),
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
    let body = request.value("Body");
    if OPT_OUT_WORDS
        .iter()
        .any(|word| word.eq_ignore_ascii_case(body.trim()))
    {
        return Some(GuardReason::OptOutWord);
    }
    let sender = request.value("Caller");
    if sender.is_empty() || sender.contains(':') || sender.parse::<E164>().is_ok() {
        return None;
    }
    let is_digits = sender
        .trim_start_matches('+')
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    Some(if is_digits {
        GuardReason::ShortCode
    } else {
        GuardReason::Name
    })
}

/// What the loop guard remembers.
#[derive(Debug)]
pub struct LoopGuard {
    hasher: RandomState,
    /// Separate, so that requests of different numbers do not meet; each is locked for some nanoseconds.
    shards: Box<[Mutex<Shard>]>,
}

const SHARDS: usize = 64;
const BUCKETS: usize = 64;
/// The places of a bucket: a new pair or call takes the place of the oldest in its bucket.
const PLACES: usize = 4;

#[derive(Debug, Default)]
struct Shard {
    /// Empty until the first is remembered, then always of the same length; so are `calls`.
    pairs: Vec<Place<Pair>>,
    calls: Vec<Place<Call>>,
    /// Counts requests, so that the oldest is known whatever the clock says.
    turn: u64,
}

#[derive(Debug, Clone, Default)]
struct Place<T> {
    /// The hash of two numbers or of a call's SID; 0 when the place is free.
    key: u64,
    /// The turn in which it was last asked for.
    seen: u64,
    kept: T,
}

/// What a pair of numbers has had: a ring of the last replies, each with the hash of its token.
#[derive(Debug, Clone, Default)]
struct Pair {
    tokens: [u32; RING],
    /// In microseconds.
    times: [i64; RING],
    /// A bit for each place of the ring: whether the reply was suppressed.
    suppressed: u32,
    /// How many places of the ring are taken.
    length: u8,
}

/// More than the most replies, so that some that were suppressed are remembered too.
const RING: usize = 32;

/// How often a call has come.
#[derive(Debug, Clone, Default)]
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
    /// A guard that has seen nothing. It takes 7 MB in all, each shard its part when it is first used.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Counts a call; a reason when it has come back too often. A retry is not counted again.
    #[must_use]
    pub fn same_call(
        &self,
        limits: &Limits,
        request: &Request<'_>,
        token: &str,
    ) -> Option<GuardReason> {
        let sid = request.sent("CallSid");
        // A text has none.
        if sid.is_empty() || limits.same_call == 0 {
            return None;
        }
        let key = self.hash(sid);
        let token = (!token.is_empty()).then(|| self.hash(token));
        let mut shard = self.shard(key);
        let turn = shard.next_turn();
        let call = kept(&mut shard.calls, key, turn);
        if token.is_none_or(|token| token != call.token) {
            call.times = call.times.saturating_add(1);
        }
        call.token = token.unwrap_or_default();
        // The first time it comes is not a return.
        (call.times > limits.same_call.saturating_add(1))
            .then_some(GuardReason::SameCall(limits.same_call))
    }

    /// Counts a document with a Message; a reason when the pair of numbers has had enough. A retry is not counted
    /// again, and what was suppressed stays suppressed.
    #[must_use]
    pub fn reply(
        &self,
        limits: &Limits,
        request: &Request<'_>,
        token: &str,
        now: Timestamp,
    ) -> Option<GuardReason> {
        if limits.replies == 0 {
            return None;
        }
        let token = if token.is_empty() {
            request.sid()
        } else {
            token
        };
        let key = self.hash((request.value("Called"), request.value("Caller")));
        // Half of a hash tells the few tokens of one pair apart; a request without a token is never a retry.
        let token = (!token.is_empty()).then(|| {
            u32::try_from(self.hash(token) >> 32)
                .unwrap_or_default()
                .max(1)
        });
        let mut shard = self.shard(key);
        let turn = shard.next_turn();
        let is_allowed =
            kept(&mut shard.pairs, key, turn).count(limits, token, now.as_microsecond());
        (!is_allowed).then_some(GuardReason::Replies(limits.replies))
    }

    /// Never 0, which stands for what is not there.
    fn hash(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value).max(1)
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        let index = usize::try_from(key >> 58).unwrap_or_default() % SHARDS;
        // All that a panic may have left half done is a count.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}

/// What is kept under a key: in its place in the bucket, else, new, in a free place, else in that of the oldest.
fn kept<T: Clone + Default>(places: &mut Vec<Place<T>>, key: u64, turn: u64) -> &mut T {
    if places.is_empty() {
        *places = vec![Place::default(); BUCKETS * PLACES];
    }
    let bucket = usize::try_from(key & 0xffff).unwrap_or_default() % BUCKETS;
    let place = places[bucket * PLACES..]
        .iter_mut()
        .take(PLACES)
        .min_by_key(|place| match place.key {
            found if found == key => (0, 0),
            0 => (1, 0),
            _ => (2, place.seen),
        })
        .expect("a bucket has places");
    if place.key != key {
        *place = Place {
            key,
            ..Place::default()
        };
    }
    place.seen = turn;
    &mut place.kept
}

impl Pair {
    /// Whether one more reply is allowed; remembers it. `now` is in microseconds: in whole seconds a reply would be
    /// forgotten up to a second too early.
    fn count(&mut self, limits: &Limits, token: Option<u32>, now: i64) -> bool {
        let per = i64::from(limits.per_seconds) * 1_000_000;
        // A clock that was set back must not count replies of its future for ever.
        let is_recent = |time: i64| (time - now).abs() < per;
        let mut allowed = 0;
        for index in 0..usize::from(self.length) {
            if !is_recent(self.times[index]) {
                continue;
            }
            let is_suppressed = self.suppressed & (1 << index) != 0;
            if token == Some(self.tokens[index]) {
                return !is_suppressed;
            }
            allowed += u32::from(!is_suppressed);
        }
        let is_allowed = allowed < limits.replies;
        let index = self.free_place(is_recent);
        self.tokens[index] = token.unwrap_or_default();
        self.times[index] = now;
        self.suppressed = self.suppressed & !(1 << index) | u32::from(!is_allowed) << index;
        is_allowed
    }

    /// The place in the ring for one more reply: a free one, else that of the oldest that no longer counts. There is
    /// always one, because the ring is longer than the most replies that count.
    fn free_place(&mut self, is_recent: impl Fn(i64) -> bool) -> usize {
        let length = usize::from(self.length);
        if length < RING {
            self.length += 1;
            return length;
        }
        let counts =
            |index: usize| is_recent(self.times[index]) && self.suppressed & (1 << index) == 0;
        (0..RING)
            .min_by_key(|index| (counts(*index), self.times[*index]))
            .unwrap_or_default()
    }
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
                "Twilio says that the text is an opt-out",
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
                GuardReason::SameCall(20),
                "same-call",
                "the call has come back more than 20 times",
            ),
        ] {
            assert_eq!((verdict.word(), &*verdict.to_string()), (word, says));
        }
    }
}
