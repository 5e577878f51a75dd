"""Plays a day of 1,000 pairs of people behind 20 numbers, without Proxy, and checks every answer against a plain model.

    python tests/twilio/masked_day.py BINARY [--pairs 1000] [--requests 40] [--seed 1] [--signalwire]

The table is recipes/masked-pairs.toml. Its file of sessions is replaced by a rename every half hour of the day, whose clock
libfaketime turns: sessions begin, end, are ended early or have no end. Both parties call and text, with pictures and without;
so do people whose session is over, strangers, people on the wrong number, and callers who withhold theirs. Each request is
signed by Twilio's own Python library; with `--signalwire` it comes with SignalWire's header, as if from there. Exit code 1
when any answer differs from the model's.
"""

import argparse
import itertools
import random
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

from twilio.request_validator import SIGNATURE_HEADER

from clock import Clock
from service import CALL, LONG, TEXT, TOKEN, Checks, Fields, Server, unless

RECIPE = Path(__file__).parents[2] / "recipes" / "masked-pairs.toml"

NUMBERS = [f"+1500555{number:04}" for number in range(1, 21)]
MIDNIGHT = datetime(2035, 6, 1)
FEED = timedelta(minutes=30)

# A pair that is always there: its other party says which file is live.
PROBE = ("+15005550099", "+14155559999")

WITHHELD = ["anonymous", "Anonymous", "", "+266696687", "Restricted", "No Caller ID", "sip:anonymous@anonymous.invalid"]
OPT_OUT = ["STOP", "stop.", "Unsubscribe", "Opt-out", "arrêt"]
BODIES = ["On my way.", "é & 日本 🚕", "<b>two</b> \"minutes\" & 'more'", "1", "Where are you?\nI am at gate 12.", "+14155550100?"]
HOSTS = ["https://api.twilio.com", "https://api.dublin.ie1.twilio.com"]
MEDIA = "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/MM00000000000000000000000000000001/Media/ME"
# What somebody who could sign would like others to fetch.
FOREIGN = ["https://evil.example/a.jpg", f"https://api.twilio.com.evil.example{MEDIA}0", f"http://api.twilio.com{MEDIA}0"]

SIDS = itertools.count(1)


def sid(kind):
    return f"{kind}{next(SIDS):032x}"


def floor(moment):
    return moment - (moment - MIDNIGHT) % FEED


def ceiling(moment):
    return floor(moment + FEED - timedelta(microseconds=1))


class Session:
    def __init__(self, rider, driver, begin, until, last_feed):
        self.parties = (rider, driver)
        self.first_feed = ceiling(begin)
        self.until = until
        # From this file on it is not there any more.
        self.last_feed = last_feed
        self.number = None

    def overlaps(self, other):
        return self.first_feed < other.last_feed and other.first_feed < self.last_feed

    def rows(self):
        for party, other in [self.parties, self.parties[::-1]]:
            yield (self.number, party), (other, self.until)


def sessions(count, chance):
    """Sessions of a day, each behind a number on which neither party has another one at the same time."""
    riders = [f"+1415555{row:04}" for row in range(count)]
    drivers = [f"+1212555{row:04}" for row in range(max(count // 6, 2))]
    drawn = []
    for rider in riders:
        begin = MIDNIGHT + timedelta(seconds=chance.randrange(22 * 3600))
        until = begin + timedelta(seconds=chance.randrange(600, 3 * 3600))
        # Rows stay for a while when they are over.
        last_feed = ceiling(until) + FEED * chance.randrange(3)
        ends = chance.random()
        if ends < 0.1:
            last_feed = max(floor(until), ceiling(begin) + FEED)
        elif ends < 0.15:
            until = None
        drawn.append(Session(rider, chance.choice(drivers), begin, until, last_feed))
    by_party = defaultdict(list)
    for session in drawn:
        rivals = [rival for party in session.parties for rival in by_party[party] if rival.overlaps(session)]
        taken = {rival.number for rival in rivals}
        session.number = chance.choice([number for number in NUMBERS if number not in taken])
        for party in session.parties:
            by_party[party].append(session)
    return drawn


class Day:
    def __init__(self, checks, server, clock, folder, arguments):
        self.checks = checks
        self.server = server
        self.clock = clock
        self.path = folder / "sessions.csv"
        self.header = "X-SignalWire-Signature" if arguments.signalwire else SIGNATURE_HEADER
        self.chance = random.Random(arguments.seed)
        self.requests = arguments.requests
        self.sessions = sessions(arguments.pairs, self.chance)
        self.strangers = (f"+1646555{row:04}" for row in itertools.count())
        self.now = MIDNIGHT
        self.rows = {}
        self.feeds = 0
        self.replies = defaultdict(list)
        self.kinds = Counter()

    def at(self, moment):
        self.now = moment
        self.clock.put(f"{moment:%Y-%m-%d %H:%M:%S}")

    def feed(self, wait=True):
        """Puts the file of this moment in place, and waits until it is live."""
        self.feeds += 1
        live = [session for session in self.sessions if session.first_feed <= self.now < session.last_feed]
        self.rows = dict(row for session in live for row in session.rows())
        probe = f"+1999555{self.feeds:04}"
        lines = [
            f"{number},{party},{other},{until.isoformat() + 'Z' if until else ''}\n"
            for (number, party), (other, until) in {**self.rows, PROBE: (probe, None)}.items()
        ]
        self.chance.shuffle(lines)
        new = self.path.with_suffix(".new")
        new.write_text("number,party,other,until\n" + "".join(lines))
        new.rename(self.path)
        deadline = time.monotonic() + LONG
        while wait and probe not in self.ask(self.call(*PROBE)).body.decode():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the file of {self.now} does not go live\n{self.server.read_log()}")
            time.sleep(0.02)

    def call(self, called, caller):
        return Fields(CALL).with_(
            CallSid=sid("CA"), Called=called, To=called, Caller=caller, From=caller, ForwardedFrom="", CallerName="",
        )

    def text(self, called, sender, body, media=()):
        own = sid("MM" if media else "SM")
        plain = [(name, value) for name, value in TEXT if not name.startswith("Media")]
        form = Fields(plain).with_(
            MessageSid=own, SmsSid=own, SmsMessageSid=own, To=called, From=sender, Body=body, NumMedia=str(len(media)),
        )
        pictures = [(f"MediaUrl{place}", url) for place, url in enumerate(media)]
        types = [(f"MediaContentType{place}", "image/jpeg") for place, _ in enumerate(media)]
        return Fields([*form.pairs(), *pictures, *types])

    def ask(self, form):
        return self.server.ask("/webhook", form, header=self.header)

    def party(self, called, caller):
        """Whom the model connects: the other party of a session that has not ended."""
        other, until = self.rows.get((called, caller), (None, None))
        return other if other and (until is None or until > self.now) else None

    def calls(self, kind, called, caller):
        answer = self.ask(self.call(called, caller))
        if other := self.party(called, caller):
            self.judge(kind, answer, "in-session", [
                ("Dial", {"timeout": "25", "callerId": called}, other),
                ("Say", {}, "No one can answer right now. Please try again later."),
            ])
        else:
            self.judge(kind, answer, "default", [("Say", {}, "This number is not in use right now. Goodbye.")])

    def texts(self, kind, called, sender, body=None, media=()):
        if body is None:
            body = self.chance.choice(BODIES)
        form = self.text(called, sender, body, media)
        other = self.party(called, sender)
        if kind == "opt-out" or not sender.startswith("+"):
            self.judge(kind, self.ask(form), "loop-guard", [])
        elif other:
            children = [("Body", {}, body)] if body else []
            children += [("Media", {}, url) for url in media if url not in FOREIGN]
            wanted = [("Message", {"to": other}, children)] if children else []
            # Twilio asks again when it has not heard the answer.
            for _ in range(2 if self.chance.random() < 0.05 else 1):
                self.judge(kind, self.ask(form), "in-session", wanted)
        else:
            # The guard against loops has tests of its own.
            times = [then for then in self.replies[called, sender] if self.now - then < timedelta(minutes=11)]
            if len(times) < 3:
                self.replies[called, sender] = [*times, self.now]
                self.judge(kind, self.ask(form), "default", [("Message", {}, "This number is not in use right now.")])

    def judge(self, kind, answer, route, wanted):
        def tree(element):
            children = [tree(child) for child in element]
            return element.tag, dict(element.attrib), children or element.text

        try:
            root = ElementTree.fromstring(answer.body)
            found = [tree(child) for child in root]
        except ElementTree.ParseError as error:
            found = f"{error}: {answer.body[:200]!r}"
        self.kinds[kind, route] += 1
        self.checks.check(
            f"{kind} at {self.now}",
            unless(answer.status, 200, "status"),
            unless(answer.headers.get("twiml-route"), route, "Twiml-Route"),
            unless(found, wanted, "the document"),
        )

    def reaches(self, kind, called, caller):
        """By a call or a text, which may have pictures and may have nothing else."""
        if self.chance.random() < 0.5:
            self.calls(kind, called, caller)
            return
        media = []
        if self.chance.random() < 0.3:
            media = [self.chance.choice(HOSTS) + MEDIA + f"{place:032x}" for place in range(self.chance.randrange(1, 11))]
            if self.chance.random() < 0.2:
                media[self.chance.randrange(len(media))] = self.chance.choice(FOREIGN)
        body = "" if media and self.chance.random() < 0.5 else None
        self.texts(f"{kind}, with pictures" if media else kind, called, caller, body, media)

    def somebody(self):
        """A request of somebody, known or not."""
        (called, caller) = self.chance.choice(sorted(self.rows)) if self.rows else (NUMBERS[0], next(self.strangers))
        kind = self.chance.random()
        if kind < 0.6:
            is_over = self.party(called, caller) is None
            self.reaches("somebody whose session is over" if is_over else "a party", called, caller)
        elif kind < 0.7:
            session = self.chance.choice(self.sessions)
            self.reaches("somebody of another hour", session.number, self.chance.choice(session.parties))
        elif kind < 0.8:
            self.reaches("a stranger", called, next(self.strangers))
        elif kind < 0.87:
            self.reaches("a party on another number", self.chance.choice([n for n in NUMBERS if n != called]), caller)
        elif kind < 0.94:
            self.calls("a withheld caller", called, self.chance.choice(WITHHELD))
        elif kind < 0.97:
            self.texts("opt-out", called, caller, self.chance.choice(OPT_OUT))
        else:
            self.texts("a machine", called, self.chance.choice(["12345", "TWILIO"]))

    def ends(self, session):
        """One second before the end of a session, at its end, and one second later."""
        for seconds in [-1, 0, 1]:
            self.at(session.until + timedelta(seconds=seconds))
            for party in session.parties:
                self.reaches(f"a party {seconds} s after the end", session.number, party)

    def half_hour(self, begin):
        self.at(begin)
        self.feed()
        moments = [(begin + timedelta(seconds=self.chance.randrange(1, 1800)), None) for _ in range(self.requests)]
        end = begin + FEED
        ending = [
            (session.until, session) for session in self.sessions
            if session.until and session.first_feed <= begin < session.last_feed
            and begin + timedelta(seconds=1) < session.until < end - timedelta(seconds=1)
        ]
        for moment, session in sorted([*moments, *ending], key=lambda pair: pair[0]):
            if session:
                self.ends(session)
            else:
                self.at(max(moment, self.now))
                self.somebody()

    def shows_no_number(self, log):
        """What is wrong with the log: it has somebody's number in it, or a text."""
        people = {party for session in self.sessions for party in session.parties}
        shown = [text for text in [*people, *BODIES[:2]] if text in log]
        return f"it shows {shown[:5]}" if shown else None


def play(checks, arguments, folder):
    table = folder / RECIPE.name
    # The tests of the recipe are about sessions of its own.
    table.write_text(RECIPE.read_text().partition("[[test]]")[0])
    shutil.copy(RECIPE.with_name("sessions.csv"), folder)
    secrets = folder / "secrets"
    secrets.write_text(f"signalwire {TOKEN}\n" if arguments.signalwire else f"{TOKEN}\n")
    clock = Clock(folder / "clock")
    server = Server(checks, arguments.binary, "--auth-token-file", str(secrets), "--table", str(table))
    server.command = clock.command(server.command)
    day = Day(checks, server, clock, folder, arguments)
    day.at(MIDNIGHT)
    day.feed(wait=False)
    with server:
        for half_hour in range(48):
            checks.attempt(f"half hour {half_hour}", lambda: day.half_hour(MIDNIGHT + half_hour * FEED))
        checks.check("the log", day.shows_no_number(server.read_log()))
    numbers = len({session.number for session in day.sessions})
    print(f"{arguments.pairs} pairs behind {numbers} numbers, {day.feeds} files of sessions")
    for (kind, route), count in sorted(day.kinds.items()):
        print(f"  {count:6} {kind}: {route}")


def main():
    parser = argparse.ArgumentParser(description="A day of masked pairs without Proxy.")
    parser.add_argument("binary")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=40, help="in half an hour, beside those at the ends of sessions")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signalwire", action="store_true")
    arguments = parser.parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        checks.attempt("the day", lambda: play(checks, arguments, Path(folder)))
    checks.end("pairs")


if __name__ == "__main__":
    main()
