"""Puts a new file of sessions in place every second, while calls and texts come in without a pause.

    python tests/twilio/session_storm.py BINARY [--seconds 60] [--requests 0] [--rows 100000] [--period 1] [--callers 2] [--cut]

The table is that of two masked parties without Proxy. In each generation of the file every session leads to another number,
one in ten sessions is not there, and every tenth generation has lost seven in ten, as at night. A file comes by a rename.
With --cut every other one is written in place instead, stopped at any byte for a while, and every second time for good, as
by a writer that has died. All requests are signed by Twilio's own Python library beforehand.

An answer is right when it is the whole document of a generation that was live while it was asked for: not older than the
one that was known to be live before, not newer than the one that was put in place last. One that names a number which no
such generation gives it is a wrong connection. Exit code 1 when any answer is wrong, a generation was never live, or
memory or the time to an answer grows.
"""

import argparse
import functools
import hashlib
import itertools
import random
import re
import secrets
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from twilio import __version__ as library_version
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from reload_storm import Service
from service import CALL, LONG, TEXT, Fields

NUMBERS = 20

TABLE = """
[directory.sessions]
file = "sessions.csv"
key = ["number", "party"]

[[route]]
name = "in-session"
when = { "Called, Caller" = { in = "sessions" }, "sessions.until" = { after = "now" } }
voice = [ { Dial = "{{ sessions.other }}", timeout = 20 } ]
message = [ { Message = "{{ Body }}", to = "{{ sessions.other }}" } ]

[default]
voice = [ { Say = "No such number." } ]
message = [ { Message = "No such number." } ]

# The same calls come again and again.
[loop_guard]
replies = 0
relays = 0
same_call = 0
"""

HEAD = '<?xml version="1.0" encoding="UTF-8"?><Response>'
DEFAULTS = {
    True: f"{HEAD}<Say>No such number.</Say></Response>".encode(),
    False: f"{HEAD}<Message>No such number.</Message></Response>".encode(),
}

# How many requests are signed beforehand.
SIGNED = 4000

# In seconds: how long the answers are from which one figure is made.
WINDOW = 10


def ours(row):
    return f"+1500555{row % NUMBERS:04}"


def party(row):
    return f"+4915{row:09}"


def other(row, generation):
    return f"+44{generation % 10_000:04}{row:07}"


def is_live(row, generation):
    if generation % 10 == 5:
        return (row + generation) % 10 < 3
    return (row * 7 + generation) % 10 != 0


@functools.cache
def halves(rows):
    """Of each line what stands before the generation, and what behind."""
    return [(f"{ours(row)},{party(row)},+44", f"{row:07},2099-01-01T00:00:00Z\n") for row in range(rows)]


def sessions(rows, generation):
    middle = f"{generation % 10_000:04}"
    lines = [before + middle + after for row, (before, after) in enumerate(halves(rows)) if is_live(row, generation)]
    return ("number,party,other,until\n" + "".join(lines)).encode()


def document(row, is_call, generation):
    """What the party of a row gets in a generation."""
    if row is None or not is_live(row, generation):
        return DEFAULTS[is_call]
    if is_call:
        return f'{HEAD}<Dial timeout="20" callerId="{ours(row)}">{other(row, generation)}</Dial></Response>'.encode()
    return f'{HEAD}<Message to="{other(row, generation)}">Where is my bag?</Message></Response>'.encode()


def signed_requests(rows, port, token):
    """Requests as bytes, each with its row, which is none for somebody unknown, and whether it is a call."""
    url = f"http://127.0.0.1:{port}/webhook"
    validator = RequestValidator(token)
    sids = itertools.count(1)
    for _ in range(SIGNED):
        row, is_call = random.randrange(rows), random.random() < 0.5
        called, caller = ours(row), party(row)
        # Somebody else, on a number of ours; or the right party on another number of ours.
        stranger = random.random()
        if stranger < 0.1:
            called = ours(row + 1)
        elif stranger < 0.2:
            caller = party(rows + row)
        form = Fields(CALL if is_call else TEXT).with_(
            CallSid=f"CA{next(sids):032x}", MessageSid=f"SM{next(sids):032x}",
            Called=called, To=called, Caller=caller, From=caller,
        )
        body = form.encoded()
        head = (
            f"POST /webhook HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{SIGNATURE_HEADER}: "
            f"{validator.compute_signature(url, form)}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield (head + body).encode(), None if stranger < 0.2 else row, is_call


class Sessions:
    """The file of the sessions, and which of its generations may be live."""

    def __init__(self, folder, rows):
        self.folder = folder
        self.rows = rows
        self.table = folder / "responses.toml"
        self.table.write_text(TABLE)
        self.path = folder / "sessions.csv"
        self.oldest = self.newest = 0
        self.cut = set()  # The generations that may be live in part.
        self.put = {}  # When each was put in place, by the hash of the service's log.
        self.seconds_to_live = {}
        self.rename(0)

    def hash(self, content):
        digests = hashlib.sha256(self.table.read_bytes()).digest() + hashlib.sha256(content).digest()
        return hashlib.sha256(digests).hexdigest()[:16]

    def rename(self, generation):
        content = sessions(self.rows, generation)
        self.newest = generation
        new = self.folder / "sessions.csv.new"
        new.write_bytes(content)
        new.rename(self.path)
        self.put[self.hash(content)] = (generation, time.monotonic())

    def write_in_place(self, generation, is_finished):
        """Stops at any byte, for a shorter or a longer time than the service waits for a file to be quiet."""
        content = sessions(self.rows, generation)
        self.newest = generation
        self.cut.add(generation)
        at = random.randrange(len(content))
        if random.random() < 0.5:
            at = content.index(b"\n", at) + 1
        with self.path.open("wb") as file:
            file.write(content[:at])
            file.flush()
            time.sleep(random.choice([0.1, 0.5, 1.5, 2.5]))
            if is_finished:
                file.write(content[at:])

    def is_live(self, digest):
        """Takes notice that a table of this hash has gone live."""
        generation, put = self.put.get(digest, (None, 0))
        if generation is None:
            # A part of one that was written in place: not older than the last of these, which nothing has overtaken.
            generation = max((cut for cut in self.cut if cut <= self.newest), default=0)
        else:
            self.seconds_to_live[generation] = time.monotonic() - put
        self.oldest = max(self.oldest, generation)


class Callers:
    """Threads that call and text without a pause, each on a connection of its own."""

    def __init__(self, port, requests, state, count):
        self.port = port
        self.requests = requests
        self.state = state
        self.is_over = False
        self.counts = Counter()
        self.wrong = []
        self.times = []
        self.threads = [threading.Thread(target=self.call, args=[place], daemon=True) for place in range(count)]
        for thread in self.threads:
            thread.start()

    def call(self, place):
        chooser = random.Random(place)
        connection = None
        while not self.is_over:
            request, row, is_call = chooser.choice(self.requests)
            oldest = self.state.oldest
            begin = time.monotonic()
            try:
                if connection is None:
                    connection = socket.create_connection(("127.0.0.1", self.port), timeout=LONG)
                connection.sendall(request)
                head, body = self.read(connection)
            except (OSError, ValueError) as error:
                self.wrong.append(f"no answer: {error!r}")
                connection = None
                continue
            end = time.monotonic()
            self.times.append((end, end - begin))
            self.judge(head, body, row, is_call, oldest, self.state.newest)

    @staticmethod
    def read(connection):
        received = b""
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                raise ValueError("the connection has ended")
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(body) < length:
            body += connection.recv(65536)
        return head, body

    def judge(self, head, body, row, is_call, oldest, newest):
        generations = range(newest, oldest - 1, -1)
        fits = any(document(row, is_call, generation) == body for generation in generations)
        if not fits and body == DEFAULTS[is_call]:
            fits = any(generation in self.state.cut for generation in generations)
        if fits and head.startswith(b"HTTP/1.1 200 "):
            self.counts["connected" if b"+44" in body else "not connected"] += 1
            return
        kind = "wrong connection" if b"+44" in body else "wrong answer"
        self.counts[kind] += 1
        self.wrong.append(f"{kind}: {head[:60]!r} {body!r} for row {row}, generations {oldest} to {newest}")

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(LONG)
            if thread.is_alive():
                self.wrong.append("a caller still waits")


def storm(arguments, folder):
    conf = folder / "conf"
    conf.mkdir()
    state = Sessions(conf, arguments.rows)
    token_file = folder / "token"
    token = secrets.token_hex(16)
    token_file.write_text(token)
    service = Service(arguments.binary, folder, state.table, token_file)
    callers = Callers(service.port, list(signed_requests(arguments.rows, service.port, token)), state, arguments.callers)
    memory, seen, begin = [], 0, time.monotonic()
    for generation in itertools.count(1):
        tick = begin + generation * arguments.period
        for event in service.events[seen:]:
            seen += 1
            if event.get("message") == "reloaded":
                state.is_live(event["hash"])
        elapsed = time.monotonic() - begin
        enough = elapsed >= arguments.seconds and sum(callers.counts.values()) >= arguments.requests
        if enough:
            break
        if arguments.cut and generation % 2:
            state.write_in_place(generation, is_finished=generation % 4 == 1)
        else:
            state.rename(generation)
        if generation % WINDOW == 0:
            memory.append(service.memory_kib())
        # What goes live in the meantime is taken notice of as soon as it is in the log.
        while (left := max(tick, time.monotonic() + 0.01) - time.monotonic()) > 0:
            time.sleep(min(left, 0.02))
            for event in service.events[seen:]:
                seen += 1
                if event.get("message") == "reloaded":
                    state.is_live(event["hash"])
            if time.monotonic() >= tick:
                break
    callers.end()
    seconds = time.monotonic() - begin
    faults = list(callers.wrong)
    code = service.stop()
    if code != 0:
        faults.append(f"the service ended with {code}")
    return report(arguments, state, callers, memory, seconds, faults)


def report(arguments, state, callers, memory, seconds, faults):
    renamed = {generation for generation, _ in state.put.values()} - {0, state.newest}
    skipped = sorted(renamed - set(state.seconds_to_live)) if not arguments.cut else []
    if skipped:
        faults.append(f"never live: generations {skipped}")
    begin = callers.times[0][0]
    windows = {}
    for end, taken in callers.times:
        windows.setdefault(int(end - begin) // WINDOW, []).append(taken)
    at = lambda times, share: sorted(times)[min(int(len(times) * share), len(times) - 1)] * 1000
    slow = [at(times, 0.99) for _, times in sorted(windows.items()) if len(times) >= 100]
    to_live = sorted(state.seconds_to_live.values())
    counts = callers.counts
    how = "every other one written in place and stopped" if arguments.cut else "each by a rename"
    print(f"twilio {library_version}, {arguments.callers} callers, {arguments.rows} rows, {seconds:.0f} s")
    print(f"{state.newest} generations, {how}; {len(to_live)} seen live as a whole, {len(skipped)} skipped")
    if to_live:
        print(f"put in place to live: half within {to_live[len(to_live) // 2]:.2f} s, all within {to_live[-1]:.2f} s")
    total = sum(counts.values())
    print(f"{total} requests: {counts['connected']} connected, {counts['not connected']} not")
    print(f"{counts['wrong connection']} wrong connections, {counts['wrong answer']} wrong answers")
    if slow:
        print(f"99 % answered, a figure for {WINDOW} s: {slow[0]:.1f} ms first, {statistics.median(slow):.1f} ms median, "
              f"{max(slow):.1f} ms most, {slow[-1]:.1f} ms last")
    if memory:
        print(f"memory: {memory[0] // 1024} MiB after {WINDOW} s, {max(memory) // 1024} MiB most, {memory[-1] // 1024} MiB last")
    # The first figures may be of a service that has not yet held two generations at once.
    if len(memory) >= 12 and memory[-1] > max(memory[2:6]) * 1.2:
        faults.append("memory grows")
    if len(slow) >= 12 and statistics.median(slow[-4:]) > 3 * statistics.median(slow[:4]) + 1:
        faults.append("the time to an answer grows")
    for fault in faults[:10]:
        print(f"FAILED  {fault}")
    return not faults


def main():
    parser = argparse.ArgumentParser(description="New sessions every second under continuous signed load.")
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=0, help="go on until there were so many")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--period", type=float, default=1, help="seconds from one file to the next")
    parser.add_argument("--callers", type=int, default=2)
    parser.add_argument("--cut", action="store_true", help="write every other file in place, and stop in the middle")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if storm(arguments, Path(folder)) else 1)


if __name__ == "__main__":
    main()
