//! The guards: no answers to answers, no talking to machines, no call that goes in circles.
//!
//! What is remembered is a fixed number of hashes; when there is no more room the oldest go. Numbers and tokens
//! themselves are not kept.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::twilio::request::Request;
use crate::twilio::types::{Channel, E164};

/// The name under which the guards answer.
pub const LOOP_GUARD: &str = "loop-guard";

/// Words by which people and networks switch texts off and on; Twilio answers them itself.
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
    /// How many documents with a Message a pair of numbers gets within [`Limits::per_seconds`]; 0 is any number.
    pub replies: u32,
    /// The time within which they are counted.
    pub per_seconds: u32,
    /// How often one call may come back; 0 is any number.
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

/// Why a guard answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The sender is a name, which nobody can answer.
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

impl Verdict {
    /// Those of [`machine`], which go by the request alone and count nothing.
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

impl fmt::Display for Verdict {
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

/// Whether a text comes from a machine, which gets no answer.
#[must_use]
pub fn machine(request: &Request<'_>) -> Option<Verdict> {
    if request.channel() != Channel::Message {
        return None;
    }
    if !request.value("OptOutType").is_empty() {
        return Some(Verdict::OptOut);
    }
    let body = request.value("Body");
    if OPT_OUT_WORDS
        .iter()
        .any(|word| word.eq_ignore_ascii_case(body.trim()))
    {
        return Some(Verdict::OptOutWord);
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
        Verdict::ShortCode
    } else {
        Verdict::Name
    })
}

/// What the guards remember.
#[derive(Debug)]
pub struct Guard {
    hasher: RandomState,
    /// Parted, so that requests of different numbers do not meet; each is held for some nanoseconds.
    shards: Box<[Mutex<Shard>]>,
}

const SHARDS: usize = 64;
const BUCKETS: usize = 64;
/// The places of a bucket: a new pair or call takes the place of the oldest in its bucket.
const PLACES: usize = 4;

#[derive(Debug, Default)]
struct Shard {
    /// Empty until the first is remembered, then as long as it ever is; so are `calls`.
    pairs: Vec<Pair>,
    calls: Vec<Call>,
    /// Counts what comes, so that the oldest is known whatever the clock says.
    turn: u64,
}

impl Shard {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}

/// What a pair of numbers has had: a ring of the last replies, each with the hash of its token.
#[derive(Debug, Clone, Default)]
struct Pair {
    /// The hash of the two numbers; 0 for a free place.
    key: u64,
    /// The turn in which it was last seen.
    seen: u64,
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
#[derive(Debug, Clone, Copy, Default)]
struct Call {
    /// The hash of its SID; 0 for a free place.
    key: u64,
    /// The turn in which it was last seen.
    seen: u64,
    token: u64,
    times: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self::new()
    }
}

impl Guard {
    /// A guard that has seen nothing, and has no memory yet: of its 7 MB a shard takes its part when it is first used.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Counts a call; the verdict when it has come back too often. A retry is not counted again.
    #[must_use]
    pub fn same_call(
        &self,
        limits: &Limits,
        request: &Request<'_>,
        token: &str,
    ) -> Option<Verdict> {
        let sid = request.sent("CallSid");
        // A text has none.
        if sid.is_empty() || limits.same_call == 0 {
            return None;
        }
        let key = self.hasher.hash_one(sid).max(1);
        let token = if token.is_empty() {
            0
        } else {
            self.hasher.hash_one(token).max(1)
        };
        let mut shard = self.shard(key);
        let turn = shard.next_turn();
        let call = place(&mut shard.calls, key, |call| (call.key, call.seen));
        if call.key != key {
            *call = Call {
                key,
                ..Call::default()
            };
        }
        if token == 0 || call.token != token {
            call.times = call.times.saturating_add(1);
        }
        call.token = token;
        call.seen = turn;
        // The first time it comes is not a return.
        (call.times > limits.same_call.saturating_add(1))
            .then_some(Verdict::SameCall(limits.same_call))
    }

    /// Counts a document with a Message; the verdict when the pair of numbers has had enough. A retry is not counted
    /// again, and what was suppressed stays suppressed.
    #[must_use]
    pub fn reply(
        &self,
        limits: &Limits,
        request: &Request<'_>,
        token: &str,
        now: Timestamp,
    ) -> Option<Verdict> {
        if limits.replies == 0 {
            return None;
        }
        let token = if token.is_empty() {
            request.sid()
        } else {
            token
        };
        let to_and_from = (request.value("Called"), request.value("Caller"));
        let key = self.hasher.hash_one(to_and_from).max(1);
        // Half of a hash tells the few tokens of one pair apart; without any no request is another's retry.
        let token = (!token.is_empty()).then(|| {
            u32::try_from(self.hasher.hash_one(token) >> 32)
                .unwrap_or_default()
                .max(1)
        });
        let mut shard = self.shard(key);
        let turn = shard.next_turn();
        let pair = place(&mut shard.pairs, key, |pair| (pair.key, pair.seen));
        if pair.key != key {
            *pair = Pair {
                key,
                ..Pair::default()
            };
        }
        pair.seen = turn;
        let is_allowed = pair.count(limits, token, now.as_microsecond());
        (!is_allowed).then_some(Verdict::Replies(limits.replies))
    }

    fn shard(&self, key: u64) -> std::sync::MutexGuard<'_, Shard> {
        let index = usize::try_from(key >> 58).unwrap_or_default() % SHARDS;
        // What a panic may have left half done is a count.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a key in its bucket, else a free one, else that of the oldest.
fn place<T: Clone + Default>(
    places: &mut Vec<T>,
    key: u64,
    of: impl Fn(&T) -> (u64, u64),
) -> &mut T {
    if places.is_empty() {
        *places = vec![T::default(); BUCKETS * PLACES];
    }
    let bucket = usize::try_from(key & 0xffff).unwrap_or_default() % BUCKETS;
    let bucket = &mut places[bucket * PLACES..(bucket + 1) * PLACES];
    let rank = |place: &T| match of(place) {
        (found, _) if found == key => (0, 0),
        (0, _) => (1, 0),
        (_, seen) => (2, seen),
    };
    let best = (0..PLACES)
        .min_by_key(|index| rank(&bucket[*index]))
        .unwrap_or_default();
    &mut bucket[best]
}

impl Pair {
    /// Whether one more reply is allowed; remembers it. `now` is in microseconds: by whole seconds a reply would be forgotten
    /// up to a second before its time is over.
    fn count(&mut self, limits: &Limits, token: Option<u32>, now: i64) -> bool {
        let per = i64::from(limits.per_seconds) * 1_000_000;
        // A clock that was set back must not count what lies in its future for ever.
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

    /// The place of the ring for one more reply: a free one, else that of the oldest which counts no more. There is
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

    fn call(guard: &Guard, limits: &Limits, body: &str) -> Option<Verdict> {
        let (body, query) = (Form::parse(body.as_bytes()), Form::default());
        let request = Request::new(Webhook::Webhook, &body, &query);
        guard.same_call(limits, &request, "")
    }

    #[test]
    fn only_a_call_with_a_sid_comes_back_too_often() {
        let limits = Limits {
            same_call: 1,
            ..Limits::default()
        };
        let guard = Guard::default();
        for body in ["From=%2B1", "CallSid=&From=%2B1", "MessageSid=SM1"] {
            for _ in 0..5 {
                assert_eq!(call(&guard, &limits, body), None, "{body}");
            }
        }
        let verdict = || call(&guard, &limits, "CallSid=CA1");
        assert_eq!([verdict(), verdict()], [None, None]);
        assert_eq!(verdict(), Some(Verdict::SameCall(1)));
    }

    #[test]
    fn a_verdict_says_why() {
        for (verdict, word, says) in [
            (Verdict::Name, "name", "the sender is a name, not a number"),
            (
                Verdict::ShortCode,
                "short-code",
                "the sender is a short code",
            ),
            (
                Verdict::OptOut,
                "opt-out",
                "Twilio says that the text is an opt-out",
            ),
            (
                Verdict::OptOutWord,
                "opt-out-word",
                "the text is an opt-out word, which Twilio answers itself",
            ),
            (
                Verdict::Replies(5),
                "replies",
                "the two numbers have had 5 replies",
            ),
            (
                Verdict::SameCall(20),
                "same-call",
                "the call has come back more than 20 times",
            ),
        ] {
            assert_eq!((verdict.word(), &*verdict.to_string()), (word, says));
        }
    }
}
