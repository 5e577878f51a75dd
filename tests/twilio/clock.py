"""Moves the clock of the running service back and forth, with libfaketime, and asks it meanwhile.

    python tests/twilio/clock.py BINARY

Schedules follow the clock, the loop guard stops nobody for longer than its time, and the journal keeps every line in
the file of its day. Exit code 1 when anything is not as it should be.
"""

import http.client
import itertools
import json
import sys
import tempfile
from pathlib import Path

from day import free_address, metric
from service import Checks, Server, unless

TABLE = """
[schedule.office]
timezone = "America/New_York"
open = ["Mon-Fri 09:00-17:00"]

[[route]]
name = "open"
when = { Called = "+15005550006" }
during = "office"
voice = [{ Say = "Hello." }]
message = [{ Message = "Hello." }]

[default]
voice = [{ Say = "Goodbye." }]
message = [{ Message = "Goodbye." }]
"""

LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1"

# A Monday in New York's summer, and where the clock is put from there.
MONDAY = "2026-07-06 14:00:00"
JUMPS = [
    (MONDAY, "open"),
    ("2026-07-06 13:59:59", "open"),
    ("2026-07-06 21:00:00", "default"),
    ("2026-07-06 20:59:59", "open"),
    ("2026-07-05 14:00:00", "default"),
    ("2090-01-02 15:00:00", "open"),
    ("1970-01-02 00:00:01", "default"),
    ("1970-01-01 00:00:00", "default"),
    ("2026-11-01 05:59:59", "default"),
    ("2026-11-02 13:59:59", "default"),
    ("2026-11-02 14:00:00", "open"),
    (MONDAY, "open"),
]

SIDS = itertools.count(1)


class Clock:
    """A file with the time that the service believes."""

    def __init__(self, path):
        self.path = path
        self.put(MONDAY)

    def put(self, moment):
        new = self.path.with_suffix(".new")
        new.write_text(moment + "\n")
        new.rename(self.path)

    def command(self, command):
        variables = [
            f"LD_PRELOAD={LIBRARY}", f"FAKETIME_TIMESTAMP_FILE={self.path}", "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "TZ=UTC",
        ]
        return ["env", *variables, *command]


def ask(server, kind="CallSid", sender="+15005550001"):
    """The route that answers, and the document."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    form = f"{kind}=XX{next(SIDS):032}&To=%2B15005550006&From=%2B{sender[1:]}"
    connection.request("POST", "/webhook", form, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    document = answer.read().decode()
    connection.close()
    return answer.getheader("Twiml-Route") if answer.status == 200 else answer.status, document


def moved(checks, binary, folder):
    table, journal, admin = folder / "responses.toml", folder / "journal", free_address()
    table.write_text(TABLE)
    clock = Clock(folder / "clock")
    server = Server(checks, binary, "--allow-unsigned", "--table", str(table), "--journal", str(journal), "--admin", admin)
    server.command = clock.command(server.command)
    with server:
        for moment, route in JUMPS:
            clock.put(moment)
            checks.check(f"a call at {moment}", unless(ask(server)[0], route, "route"))

        def text(moment, sender, wanted):
            clock.put(moment)
            checks.check(f"a text of {sender} at {moment}", unless(ask(server, "MessageSid", sender)[0], wanted, "route"))

        for seconds in range(3):
            text(f"2026-07-06 14:00:0{seconds}", "+15005550002", "open")
        text("2026-07-06 14:00:03", "+15005550002", "loop-guard")
        # The clock is put right by a few minutes: those texts are still of the last ten.
        text("2026-07-06 13:55:00", "+15005550002", "loop-guard")
        text("2026-07-06 14:09:59", "+15005550002", "loop-guard")
        # It was wrong by far: nobody waits until it comes round.
        text("2026-07-03 14:00:00", "+15005550002", "open")
        text("2090-01-02 15:00:00", "+15005550002", "open")
        text("2026-07-06 14:20:00", "+15005550002", "open")
        # The time of answers is taken with another clock.
        answered = len(JUMPS) + 9
        spent, decisions = metric(admin, "decision_seconds_sum"), metric(admin, "decision_seconds_count")
        checks.check("the time of decisions", unless(decisions, answered, "decisions"), None if 0 < spent < 5 else f"{spent} s")
    lines = [(path.stem, json.loads(line)) for path in sorted(journal.glob("*.jsonl")) for line in path.read_text().splitlines()]
    kept = [line for line in lines if line[1].get("webhook") == "webhook"]
    checks.check(
        "the journal", unless(len(kept), answered, "lines"),
        unless({day for day, line in kept if not line["time"].startswith(day.removeprefix("journal-"))}, set(), "files with other days"),
        unless(len({day for day, _ in kept}), len({moment[:10] for moment, _ in JUMPS} | {"2026-07-03"}), "files"),
    )
    log = server.read_log()
    checks.check("the log", None if "ERROR" not in log else log)


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        checks.attempt("the clock", lambda: moved(checks, sys.argv[1], Path(folder)))
    checks.end("clock")


if __name__ == "__main__":
    main()
