"""Plays a day of a Proxy installation against the running service, and reads it back from the journal.

    python tests/twilio/day.py BINARY

Riders and drivers text and call each other in sessions, which Proxy asks about (`/intercept`) and tells of (`/callback`);
when the rides are over they call and text again (`/out-of-session`), and so do others who never had one; Event Streams
sends what it knows of the calls (`/events`), some of it twice; Fone Dynamics tells of its own (`/voice-webhooks`). All that
Twilio signs is signed by Twilio's own Python library. Then `report` and `replay` read the journal, and every figure is
held against what was sent. Exit code 1 when anything is not as it should be.
"""

import itertools
import json
import random
import socket
import sys
import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from twilio import __version__ as library_version
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from service import ACCOUNT, CALL, INTERACTION, LONG, SESSION, TEXT, TOKEN, Checks, Fields, Server, run, unless

ZONE = "America/New_York"

KEY = "0123456789-key-of-fone-dynamics-0123456789"

# Masked numbers of the table: of the rides nobody rings the last two.
RIDES = [f"+1500555{number:04}" for number in range(1, 13)]
QUIET = RIDES[-2:]
SUPPORT, CALL_BACK, WRONG = "+15005550098", "+15005550099", "+15005550077"

TABLE = f"""
[directory.rides]
numbers = {json.dumps(RIDES)}

[[route]]
name = "withheld-caller"
when = {{ Called = {{ in = "rides" }}, Caller = {{ withheld = true }} }}
voice = [ {{ Say = "Please call again without hiding your number." }} ]

[[route]]
name = "ride-ended"
when = {{ Called = {{ in = "rides" }}, sessionStatus = "closed" }}
voice = [
  {{ Say = "This ride has ended." }},
  {{ Gather = [ {{ Say = "If you left something, press 1." }} ], numDigits = 1, action = "?step=lost" }},
]
message = [ {{ Message = "This ride has ended." }} ]

[[route]]
name = "lost-property"
step = "lost"
voice = [ {{ Dial = "+14155550123", timeout = 20 }} ]

[[route]]
name = "support"
when = {{ Called = "{SUPPORT}" }}
voice = [ {{ Dial = "+14155550124", timeout = 20 }} ]
message = []

[[route]]
name = "call-back"
when = {{ Called = "{CALL_BACK}" }}
create_session = {{ participantIdentifier = "+14155550125", uniqueName = "callback-{{{{ CallSid | default(MessageSid) }}}}" }}

[[intercept]]
name = "no-numbers-in-texts"
when = {{ interactionType = "Message", "interactionData.body" = {{ regex = '\\d{{7}}' }} }}
block = true

[default]
voice = [ {{ Say = "This number is not in use right now. Goodbye." }} ]
message = [ {{ Message = "This number is not in use right now." }} ]
"""

TEXTS = ["I am at the corner", "red car, two minutes", "gate 12, terminal 2", "é & 日本 🚕", "thanks!"]
GIVEAWAYS = ["call me on 5550100", "my number is 14155550100", "WhatsApp 0049301234567?"]

CALLS_BLOCKED = """[[intercept]]
name = "no-calls"
when = { interactionType = "Voice" }
block = true

[[intercept]]"""

SUMMARY = "com.twilio.voice.insights.call-summary.complete"

SIDS = itertools.count(1)


def sid(kind):
    return f"{kind}{next(SIDS):032x}"


class Day:
    """Sends, sees that each answer is right, and counts what was sent."""

    def __init__(self, checks, server, chance):
        self.checks = checks
        self.server = server
        self.chance = chance
        self.callers = [f"+1415555{number:04}" for number in range(1000, 1080)]
        # What people and machines told us, none of which may be in the journal or the log.
        self.secret = {*self.callers, *TEXTS[:2], *GIVEAWAYS}
        self.sent = {name: Counter() for name in (
            "came", "came_back", "withheld", "numbers", "default", "routes", "guard", "hours", "intercepts", "callbacks",
            "events", "voice_webhooks", "statuses",
        )}
        # By what decided, and what was asked: the SIDs, as often as they came.
        self.decided = {}
        self.machines = 0
        self.lines = 0
        self.is_hour_certain = True

    def line(self, webhook, status):
        self.lines += 1
        self.sent["statuses"][webhook, status] += 1

    def post(self, path, body, media_type, signature):
        """Posts a body that the library has signed, or nobody."""
        headers = [
            f"POST {path} HTTP/1.1", f"Host: {self.server.address}", "User-Agent: TwilioProxy/1.1", "Connection: close",
            f"Content-Type: {media_type}", f"Content-Length: {len(body)}",
        ]
        if signature:
            headers.append(f"{SIGNATURE_HEADER}: {signature}")
        return self.server.send("\r\n".join([*headers, "", ""]).encode() + body)

    def answered(self, what, form, route, *, path="/out-of-session", number, again=False, guard=None, machine=False):
        """A call or a text without a session: the route that must answer it, and what is to be counted."""
        kind = "calls" if form.getall("CallSid") else "texts"
        before = datetime.now(ZoneInfo(ZONE))
        answer = self.server.ask(path, form)
        after = datetime.now(ZoneInfo(ZONE))
        self.checks.check(
            what, unless(answer.status, 200, "status"), unless(answer.headers.get("twiml-route"), route, "Twiml-Route")
        )
        self.line("webhook" if path.startswith("/webhook") else "out-of-session", 200)
        self.sent["routes"][route, kind] += 1
        self.decided.setdefault((route, guard), []).append(form.getall("CallSid" if kind == "calls" else "MessageSid")[0])
        if route == "default":
            self.sent["default"][number, kind] += 1
        if guard:
            self.sent["guard"][guard] += 1
        if again:
            self.sent["came_back"][kind] += 1
            return
        self.sent["came"][kind] += 1
        self.sent["numbers"][number, kind] += 1
        self.sent["hours"][f"{before:%a}", before.hour, kind] += 1
        self.is_hour_certain &= (before.date(), before.hour) == (after.date(), after.hour)
        if form.getall("From")[0] == "anonymous":
            self.sent["withheld"][kind] += 1
        self.machines += machine

    def call(self, number, caller, status=None, *, path="/out-of-session"):
        fields = CALL + SESSION if status else CALL
        return Fields(fields).with_(
            CallSid=sid("CA"), Called=number, To=number, Caller=caller, From=caller, ForwardedFrom="", sessionStatus=status,
            inboundParticipantIdentifier=caller, outboundParticipantIdentifier=self.chance.choice(self.callers),
        )

    def text(self, number, sender, status=None, body="Where is my bag?"):
        own = sid("SM")
        fields = TEXT + SESSION if status else TEXT
        return Fields(fields).with_(
            MessageSid=own, SmsSid=own, SmsMessageSid=own, To=number, From=sender, Body=body, sessionStatus=status,
            inboundParticipantIdentifier=sender, outboundParticipantIdentifier=self.chance.choice(self.callers),
        )

    def session(self, number):
        """A ride: texts both ways, of which some give a number away, and a call."""
        rider, driver = self.chance.sample(self.callers, 2)
        session = sid("KC")
        for _ in range(self.chance.randrange(1, 6)):
            gives_away = self.chance.random() < 0.2
            body = self.chance.choice(GIVEAWAYS if gives_away else TEXTS)
            self.interaction(session, number, rider, driver, "Message", {"body": body}, blocks=gives_away)
        call = self.interaction(session, number, rider, driver, "Voice", {"duration": "61"}, blocks=False)
        self.told("CallStatus=completed", Fields(CALL).with_(
            CallSid=call, Called=number, To=number, Caller=rider, From=rider, CallStatus="completed"
        ))
        self.summaries([call], data_is_text=self.chance.random() < 0.3, again=self.chance.random() < 0.4)

    def interaction(self, session, number, rider, driver, kind, data, *, blocks):
        """Proxy asks whether it may go on, and when it has gone on tells of it. The SID of what came in."""
        came_in = sid("CA" if kind == "Voice" else "SM")
        form = Fields(INTERACTION).with_(
            interactionSid=sid("KI"), interactionSessionSid=session, interactionType=kind,
            interactionData=json.dumps(data, ensure_ascii=False), inboundResourceSid=came_in,
            inboundResourceType="call" if kind == "Voice" else "message",
        )
        answer = self.server.ask("/intercept", form)
        status, decides = (403, "no-numbers-in-texts") if blocks else (204, "pass")
        self.checks.decided(f"an interaction with {data}", answer, status, decides)
        self.line("intercept", status)
        self.sent["intercepts"][decides, "blocked" if blocks else "passed"] += 1
        self.decided.setdefault((decides, kind), []).append(form.getall("interactionSid")[0])
        if not blocks:
            self.told(f"interactionType={kind}", Fields([
                *form.pairs(),
                ("inboundParticipantIdentifier", rider),
                ("inboundParticipantProxyIdentifier", number),
                ("outboundParticipantIdentifier", driver),
                ("outboundParticipantProxyIdentifier", number),
                ("outboundResourceSid", sid("SM")),
                ("outboundResourceStatus", "delivered"),
            ]))
        return came_in

    def told(self, kind, form):
        """A callback."""
        answer = self.server.ask("/callback", form)
        self.checks.check(f"a callback, {kind}", unless(answer.status, 204, "status"))
        self.line("callback", 204)
        self.sent["callbacks"][kind] += 1

    def summaries(self, calls, *, data_is_text=False, again=False):
        """Call summaries of Event Streams in one batch; sent again as after an answer that was lost."""
        events = []
        for call in calls:
            data = {
                "call_sid": call, "account_sid": ACCOUNT, "call_state": "completed", "duration": 61,
                "from": {"caller": self.chance.choice(self.callers), "country_code": "US"},
            }
            events.append({
                "specversion": "1.0", "type": SUMMARY, "source": f"/calls/{call}", "id": sid("EZ"),
                "dataschema": "https://events-schemas.twilio.com/VoiceInsights.CallSummary/1",
                "datacontenttype": "application/json", "time": "2026-11-25T12:00:00.000Z",
                "data": json.dumps(data) if data_is_text else data,
            })
        body = json.dumps(events)
        library = RequestValidator(TOKEN)
        path = f"/events?bodySHA256={library.compute_hash(body)}"
        signature = library.compute_signature(self.server.url + path, {})
        self.server.secrets.add(signature)
        for turn in ["first", "second"][: 2 if again else 1]:
            answer = self.post(path, body.encode(), "application/json", signature)
            self.checks.check(f"{len(events)} events, the {turn} time", unless(answer.status, 204, "status"))
        for _ in events:
            self.line("events", 204)
            self.sent["events"][SUMMARY] += 1

    def afterwards(self, number):
        """What comes to a ride's number when the ride is over."""
        rider, other = self.chance.sample(self.callers, 2)
        call = self.call(number, rider, "closed")
        self.answered("a call after the ride", call, "ride-ended", number=number)
        if self.chance.random() < 0.5:
            digits = Fields([*call.pairs(), ("Digits", "1"), ("FinishedOnKey", "")])
            self.answered("and 1 pressed", digits, "lost-property", path="/out-of-session?step=lost", number=number, again=True)
        self.answered("a withheld call", self.call(number, "anonymous", "closed"), "withheld-caller", number=number)
        text = self.text(number, other, "closed")
        self.answered("a text after the ride", text, "ride-ended", number=number)
        if self.chance.random() < 0.3:
            self.answered("the same text once more", text, "ride-ended", number=number, again=True)
        self.answered("a call of somebody without a ride", self.call(number, other), "default", number=number)
        self.told("MessageStatus=delivered", Fields([
            ("AccountSid", ACCOUNT), ("ApiVersion", "2010-04-01"), ("MessageSid", sid("SM")), ("MessageStatus", "delivered"),
            ("From", number), ("To", other),
        ]))

    def others(self):
        """The other numbers, machines, and those who may not come in."""
        for caller in self.callers[:9]:
            self.answered("support", self.call(SUPPORT, caller), "support", path="/webhook", number=SUPPORT)
        self.answered("a text to support", self.text(SUPPORT, self.callers[9]), "support", path="/webhook", number=SUPPORT)
        for caller in self.callers[10:14]:
            self.answered("somebody to be called back", self.call(CALL_BACK, caller), "call-back", number=CALL_BACK)
        for caller in self.callers[14:21]:
            self.answered("a wrong number", self.call(WRONG, caller), "default", number=WRONG)
        chatty = "+14155559999"
        self.secret.add(chatty)
        for turn in range(6):
            route, guard = ("ride-ended", None) if turn < 3 else ("loop-guard", "replies")
            text = self.text(RIDES[0], chatty, "closed")
            self.answered(f"text {turn + 1} of a machine that answers", text, route, number=RIDES[0], guard=guard)
        code = self.text(RIDES[1], "12345", "closed")
        self.answered("a short code", code, "loop-guard", number=RIDES[1], guard="short-code", machine=True)
        self.summaries([sid("CA") for _ in range(5)], again=True)
        for event, fields in [("Call.Initiate", []), ("Call.Complete", [("Call.Duration", "61"), ("Call.Disposition", "ANSWERED")])]:
            form = [("Action", "Webhook"), ("Event", event), ("Call.Sid", sid("CA")), ("Call.From", self.callers[0]),
                    ("Call.To", "+61255550100"), *fields]
            answer = self.post(f"/voice-webhooks/{KEY}", urlencode(form).encode(), "application/x-www-form-urlencoded", None)
            self.checks.check(f"a voice webhook, {event}", unless(answer.status, 204, "status"))
            self.line("voice-webhooks", 204)
            self.sent["voice_webhooks"][event] += 1
        # None of these has a line.
        call = self.call(RIDES[0], self.callers[0], "closed")
        self.checks.refused("a forged call", self.server.ask("/out-of-session", call, "0" * 32), "signature does not match")
        form = Fields(INTERACTION).with_(interactionData='{"body":"call 5550100"}')
        self.checks.not_decided("a forged interaction", self.server.ask("/intercept", form, "0" * 32), "signature does not match")
        answer = self.post("/voice-webhooks/wrong-key-wrong-key-wrong-key-wrong", b"", "application/x-www-form-urlencoded", None)
        self.checks.check("a voice webhook with a wrong key", unless(answer.status, 404, "status"))


def counted(checks, day, figures, journal):
    """Every figure of the report, against what was sent."""
    sent = day.sent

    def check(name, found, wanted):
        wanted = {key: count for key, count in wanted.items() if count}
        checks.check(f"report: {name}", unless(found, wanted, name), None if wanted else "nothing of it was sent")

    def by(rows, *names):
        return {tuple(row[name] for name in names): row for row in rows}

    def channels(rows, name):
        pairs = [((row[name], kind), row[kind]) for row in rows for kind in ("calls", "texts")]
        return {key: count for key, count in pairs if count}

    checks.check("report: lines", unless(figures["lines"], day.lines, "lines"), unless(figures["unreadable"], 0, "unreadable"))
    for name in ["came", "came_back", "withheld"]:
        check(name, {kind: count for kind, count in figures[name].items() if count}, sent[name])
    checks.check("report: machines", unless(figures["machines"], day.machines, "machines"))
    check("numbers", channels(figures["numbers"], "number"), sent["numbers"])
    check("routes", channels(figures["routes"], "route"), sent["routes"])
    default = {(row["number"], kind): count for row in figures["numbers"] for kind, count in row["default"].items() if count}
    check("default answers by number", default, sent["default"])
    check("loop guard", {row["reason"]: row["count"] for row in figures["loop_guard"]}, sent["guard"])
    checks.check("report: no reply failed", unless(figures["failed"], [], "failed"))
    decided = {(row["intercept"], how): row[how] for row in figures["intercepts"] for how in ("blocked", "passed") if row[how]}
    check("intercepts", decided, sent["intercepts"])
    for name in ["callbacks", "events", "voice_webhooks"]:
        check(name, {row["type"]: row["count"] for row in figures[name]}, sent[name])
    check("statuses", {key: row["count"] for key, row in by(figures["statuses"], "webhook", "status").items()}, sent["statuses"])
    hours = {
        (row["weekday"], hour, kind): count
        for row in figures["weekdays"] for hour, of in enumerate(row["hours"]) for kind, count in of.items() if count
    }
    if day.is_hour_certain:
        check("weekdays and hours", hours, sent["hours"])
    else:
        checks.check("report: hours", unless(sum(hours.values()), sum(sent["hours"].values()), "their sum"))
    for name in ["hours", "weekdays"]:
        found = {kind: sum(row[kind] for row in figures[name]) for kind in ("calls", "texts")}
        check(f"the sum of {name}", found, sent["came"])
    checks.check("report: the zone", unless(figures["timezone"], ZONE, "timezone"))
    quiet = {"pinned": len(RIDES) + 2, "never": QUIET, "uncertain": [], "unkept": []}
    checks.check("report: quiet numbers", unless(figures["quiet"], quiet, "quiet"))
    text = "".join(path.read_text() for path in sorted(journal.iterdir()))
    shown = [secret for secret in day.secret if secret in text]
    checks.check("the journal holds nobody's number and no text", f"it holds {shown}" if shown else None)
    checks.check("the journal has a line for each", unless(text.count("\n"), day.lines, "lines"))


def reported(checks, binary, day, journal, table, folder):
    """`report` on the day's journal."""
    page = folder / "report.html"
    options = ["--journal", str(journal), "--table", str(table), "--timezone", ZONE, "--html", str(page)]
    ran = run(binary, "report", *options, "--format", "json")
    checks.check("report ends with 0", unless((ran.returncode, ran.stderr), (0, ""), "exit code and standard error"))
    counted(checks, day, json.loads(ran.stdout), journal)
    ran = run(binary, "report", *options)
    checks.command("report in the terminal", ran, 0, "Calls", "Numbers", "Intercepts", "Quiet numbers", QUIET[0])
    wide = [line for line in ran.stdout.splitlines() if len(line) > 80]
    checks.check("report fits 80 columns", f"wider: {wide}" if wide else None)
    text = page.read_text()
    shown = [secret for secret in [*day.secret, *day.server.secrets] if secret in text]
    checks.check("the page shows no caller and no secret", f"it shows {shown}" if shown else None)


def replayed(checks, binary, day, journal, table, folder):
    """`replay` of the day's journal against its own table, and against one with three edits."""

    def replay(path):
        ran = run(binary, "replay", "--journal", str(journal), "--table", str(path), "--format", "json")
        *different, counts = [json.loads(line) for line in ran.stdout.splitlines()]
        shown = [secret for secret in day.secret if secret in ran.stdout]
        checks.check("replay shows nobody's number", f"it shows {shown}" if shown else None, ran.stderr)
        return ran.returncode, different, counts

    def sids(*decided):
        return sorted(sid for key in decided for sid in day.decided[key])

    # What people wrote is not in the journal, and a guard that counts goes by what came before.
    texts = len(sids(("no-numbers-in-texts", "Message"), ("pass", "Message")))
    counted = len(sids(("loop-guard", "replies")))
    decisions = sum(map(len, day.decided.values()))
    code, different, counts = replay(table)
    checks.check(
        "replay against its own table: nothing differs", unless((code, different), (0, []), "exit code and requests"),
        unless(counts["same"], decisions - texts - counted, "same"), unless(counts["different"], 0, "different"),
        unless(counts["cannot_tell"], texts + counted, "cannot tell"),
        unless(counts["reasons"], {"values": texts, "counting_guard": counted, "fault": 0}, "reasons"),
        unless(counts["missing"], {"interactionData.body": texts}, "missing"),
        unless(counts["without_decision"], day.lines - decisions, "without a decision"),
        unless(counts["unreadable"], 0, "unreadable"),
    )
    edited = folder / "edited.toml"
    first, withheld, rest = TABLE.partition("[[route]]\nname = \"withheld-caller\"")
    _, _, rest = rest.partition("[[route]]")
    text = f"{first}[[route]]{rest}".replace(SUPPORT, "+15005550097").replace("[[intercept]]", CALLS_BLOCKED, 1)
    checks.check("the edits are edits", None if withheld and "withheld-caller" not in text else "the route is still there")
    edited.write_text(text)
    code, different, counts = replay(edited)
    wanted = {
        ("withheld-caller", "ride-ended"): sids(("withheld-caller", None)),
        ("support", "default"): sids(("support", None)),
        ("pass", "no-calls"): sids(("pass", "Voice")),
    }
    found = {}
    for request in different:
        found.setdefault((request["old"], request["new"]), []).append(request["sid"])
    total = sum(map(len, wanted.values()))
    checks.check(
        "replay against an edited table: what was meant differs, and nothing else", unless(code, 1, "exit code"),
        unless({change: sorted(sids) for change, sids in found.items()}, wanted, "requests"),
        unless(counts["different"], total, "different"),
        unless(counts["same"], decisions - texts - counted - total, "same"),
        unless(counts["cannot_tell"], texts + counted, "cannot tell"),
    )


def metric(address, name):
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=LONG) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.split(" ")[0] == f"twiml_responder_{name}")


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: day.py BINARY")
    binary = str(Path(sys.argv[1]).resolve())
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        table, key, journal = folder / "responses.toml", folder / "key", folder / "journal"
        table.write_text(TABLE)
        key.write_text(KEY + "\n")
        checks.attempt("the day", lambda: played(checks, binary, folder, table, key, journal))
    checks.end("day")


def played(checks, binary, folder, table, key, journal):
    admin = free_address()
    options = ["--table", str(table), "--journal", str(journal), "--voice-webhooks-key-file", str(key), "--admin", admin]
    with Server(checks, binary, *options, token=TOKEN) as server:
        day = Day(checks, server, random.Random(2026))
        server.secrets.update([KEY, *day.callers])
        for number in RIDES[:-2] * 4:
            day.session(number)
            day.afterwards(number)
        day.others()
        lines = metric(admin, "journal_lines_total"), metric(admin, "journal_lines_lost_total")
    print(f"signed by twilio {library_version}: {day.lines} lines of a day of {sum(day.sent['came'].values())} calls and texts")
    checks.check("no line was lost", unless(lines[1], 0, "lines lost"))
    reported(checks, binary, day, journal, table, folder)
    replayed(checks, binary, day, journal, table, folder)


if __name__ == "__main__":
    main()
