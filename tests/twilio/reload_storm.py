"""Reloads a running service again and again while Twilio's own Python library signs calls to it without a pause.

    python tests/twilio/reload_storm.py BINARY [--reloads 200] [--callers 4] [--rows 1000]

Every third reload is of a broken table, each broken in another way; every other reload is asked for by SIGHUP, the rest is
left to the service to see. Every tenth rotates the auth token. A table and its directory file say the number of their
generation, and are put in place together. An answer is right when it is the whole document of a generation that was
live while it was asked for: not older than the one that was known to be live before, not newer than the one that was
put in place last. Exit code 1 when any answer fails or fits no table, or a reload does not end as it should.
"""

import argparse
import http.client
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from twilio import __version__ as library_version
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from service import CALL, LONG, SESSION, Fields, environment

CALLED = "+15550000000"

GOOD, BAD = "reloaded", "the reload failed"

DEFAULT = '[default]\nvoice = [ { Say = "default" } ]\n'


def table(number):
    """A table whose route says its generation, and that of its directory file."""
    return f"""{DEFAULT}
[directory.d]
file = "numbers.csv"

[[route]]
name = "generation-{number}"
when = {{ Called = {{ in = "d" }} }}
voice = [ {{ Say = "{number} {{{{ d.generation }}}}" }} ]

[[test]]
name = "the first number"
request = {{ Called = "{CALLED}" }}
expect = "generation-{number}"
contains = "{number} {number}"
"""


def numbers(number, rows):
    return "number,generation\n" + "".join(f"+1555{row:07},{number}\n" for row in range(rows))


def document(number):
    return f'<?xml version="1.0" encoding="UTF-8"?><Response><Say>{number} {number}</Say></Response>'.encode()


# What can be wrong with the files of a generation: a function of their folder each.
BROKEN = {
    "syntax": lambda folder: (folder / "responses.toml").write_text(DEFAULT + "[[route"),
    "unknown key": lambda folder: append(folder / "responses.toml", "\nwrong = true\n"),
    "failed test": lambda folder: append(folder / "responses.toml", 'at = "2026-01-01T00:00[UTC]"\nchannel = "message"\n'),
    "no table": lambda folder: (folder / "responses.toml").unlink(),
    "no directory file": lambda folder: (folder / "numbers.csv").unlink(),
    "bad row": lambda folder: append(folder / "numbers.csv", "+15550000000\n"),
    "no text": lambda folder: (folder / "responses.toml").write_bytes(b"\xff\xfe\x00"),
    "empty": lambda folder: (folder / "responses.toml").write_text(""),
}


def append(path, text):
    with path.open("a") as file:
        file.write(text)


class Generations:
    """The folder of the table, in which a link leads to the files of the generation that is in place."""

    def __init__(self, folder, rows):
        self.folder = folder
        self.rows = rows
        self.table = folder / "responses.toml"
        for name in ["responses.toml", "numbers.csv"]:
            (folder / name).symlink_to(Path("..data") / name)

    def put_in_place(self, number, breaks=None):
        """Writes a generation and swaps the link, as Kubernetes does."""
        new = self.folder / f"..{number}"
        new.mkdir()
        (new / "responses.toml").write_text(table(number))
        (new / "numbers.csv").write_text(numbers(number, self.rows))
        if breaks:
            breaks(new)
        link = self.folder / "..data_tmp"
        link.symlink_to(new.name)
        old = os.readlink(self.folder / "..data") if (self.folder / "..data").is_symlink() else None
        link.rename(self.folder / "..data")
        if old:
            shutil.rmtree(self.folder / old)


class Service:
    """`BINARY serve` as a process, with its log read as it is written."""

    def __init__(self, binary, folder, table_file, token_file):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = [
            binary, "serve", "--table", str(table_file), "--listen", f"127.0.0.1:{self.port}", "--log", "json",
            "--auth-token-file", str(token_file), "--state-dir", str(folder / "state"),
        ]
        self.events = []
        self.has_more = threading.Condition()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8",
            env=environment(None),
        )
        threading.Thread(target=self.read, args=[self.process.stderr], daemon=True).start()
        self.wait_for(lambda event: "listening on" in event.get("message", ""), 0)

    def read(self, stderr):
        for line in stderr:
            event = json.loads(line) if line.startswith("{") else {"message": line}
            # Of the answers there are too many to keep.
            if event.get("message") != "answered":
                with self.has_more:
                    self.events.append(event)
                    self.has_more.notify_all()

    def wait_for(self, wanted, since):
        """The first event from a position on that is wanted."""
        deadline = time.monotonic() + LONG
        with self.has_more:
            while True:
                for event in self.events[since:]:
                    if wanted(event):
                        return event
                left = deadline - time.monotonic()
                if left <= 0 or not self.has_more.wait(left):
                    raise RuntimeError(f"the log does not say it: {self.events[since:]}")

    def memory_kib(self):
        return int(next(line for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmRSS")).split()[1])

    def descriptors(self):
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except PermissionError:
            return 0  # The service shows them to root alone.

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=LONG)


class Callers:
    """Threads that call without a pause, each on a connection of its own."""

    def __init__(self, port, token, count):
        self.port = port
        self.token = token
        self.oldest = self.newest = 0  # The generations that an answer may be of.
        self.is_over = False
        self.calls = itertools.count(1)
        self.answers = Counter()
        self.wrong = []
        self.connections = 0
        self.seconds = []
        self.threads = [threading.Thread(target=self.call, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def call(self):
        url = f"http://127.0.0.1:{self.port}/out-of-session"
        connection = None
        while not self.is_over:
            form = Fields(CALL + SESSION).with_(CallSid=f"CA{next(self.calls):032x}", Called=CALLED, To=CALLED)
            signature = RequestValidator(self.token).compute_signature(url, form)
            headers = {"Content-Type": "application/x-www-form-urlencoded", SIGNATURE_HEADER: signature}
            oldest = self.oldest
            begin = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
                    self.connections += 1
                connection.request("POST", "/out-of-session", form.encoded(), headers)
                response = connection.getresponse()
                status, route, body = response.status, response.headers.get("Twiml-Route"), response.read()
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(("failed", repr(error)))
                connection = None
                continue
            self.seconds.append(time.monotonic() - begin)
            self.judge(status, route, body, oldest, self.newest)

    def judge(self, status, route, body, oldest, newest):
        if status != 200:
            self.wrong.append(("failed", f"{status} {body[:100]!r}"))
            return
        for number in range(newest, oldest - 1, -1):
            if route == f"generation-{number}" and body == document(number):
                self.answers[number] += 1
                return
        self.wrong.append(("fits no table", f"{route} {body!r}, not one of {oldest} to {newest}"))

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(LONG)
            if thread.is_alive():
                self.wrong.append(("failed", "a caller still waits"))


def storm(arguments, folder):
    (folder / "conf").mkdir()
    generations = Generations(folder / "conf", arguments.rows)
    generations.put_in_place(0)
    token_file = folder / "token"
    token = secrets.token_hex(16)
    token_file.write_text(token)
    service = Service(arguments.binary, folder, generations.table, token_file)
    callers = Callers(service.port, token, arguments.callers)
    faults, ended = [], Counter()
    ways = itertools.cycle(BROKEN.items())
    begin, memory, descriptors = time.monotonic(), None, None
    for number in range(1, arguments.reloads + 1):
        is_broken = number % 3 == 0
        what, breaks = next(ways) if is_broken else ("good", None)
        is_asked = number % 2 == 0
        rotated = None
        if number % 10 == 0:
            rotated = secrets.token_hex(16)
            token_file.write_text(f"{callers.token}\n{rotated}\n")
        if not is_broken:
            callers.newest = number
        since = len(service.events)
        generations.put_in_place(number, breaks)
        if is_asked:
            service.process.send_signal(signal.SIGHUP)
        event = service.wait_for(lambda event: event.get("message", "").startswith((GOOD, BAD)), since)
        is_good = event["message"].startswith(GOOD)
        ended[what] += 1
        if is_good == is_broken:
            faults.append(f"reload {number}, {what}: {event}")
        if is_good:
            callers.oldest = number
            if rotated:
                callers.token = rotated
        if number == arguments.reloads // 10:
            memory, descriptors = service.memory_kib(), service.descriptors()
    memory_now, descriptors_now = service.memory_kib(), service.descriptors()
    callers.end()
    seconds = time.monotonic() - begin
    code = service.stop()
    if code != 0:
        faults.append(f"the service ended with {code}")
    report(arguments, callers, ended, faults, seconds)
    print(f"memory after a tenth of the reloads {memory} KiB, at the end {memory_now} KiB")
    print(f"descriptors after a tenth of the reloads {descriptors}, at the end {descriptors_now}")
    return not faults and not callers.wrong


def report(arguments, callers, ended, faults, seconds):
    kinds = Counter(kind for kind, _ in callers.wrong)
    times = sorted(callers.seconds)
    at = lambda share: f"{times[min(int(len(times) * share), len(times) - 1)] * 1000:.1f} ms"
    broken = sum(count for what, count in ended.items() if what != "good")
    print(f"twilio {library_version}, {arguments.callers} callers, {arguments.rows} rows, {seconds:.0f} s")
    print(f"{sum(ended.values())} reloads: {ended['good']} good, {broken} broken in {len(ended) - 1} ways")
    print(f"{len(times)} answers of {len(callers.answers)} generations over {callers.connections} connections")
    print(f"{kinds['failed']} failed, {kinds['fits no table']} fit neither table, {len(faults)} reloads went wrong")
    print(f"asked to answered: half within {at(0.5)}, 99 % within {at(0.99)}, all within {at(1)}")
    for kind, what in callers.wrong[:10]:
        print(f"{kind}: {what}")
    for fault in faults[:10]:
        print(fault)


def main():
    parser = argparse.ArgumentParser(description="Reloads under continuous signed load.")
    parser.add_argument("binary")
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--rows", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if storm(arguments, Path(folder)) else 1)


if __name__ == "__main__":
    main()
