"""What the disk does to the journal and to the last good copy, and neither ever to an answer.

    python tests/twilio/disk.py BINARY

Calls, signed by Twilio's own Python library, come from several callers at once while the journal's disk is full to the last
byte, is read-only, or takes for ever. Every answer must be right all the same, every line that is not there be counted as
lost, and `/events` must say 503 within the five seconds that Twilio waits. As root the disk is a small one in memory, mounted
for this; elsewhere a limit on the size of files and a folder without write permission stand in. The last good copy is kept whole when its
disk is full. Exit code 1 when anything is not as it should be.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from twilio.request_validator import RequestValidator

from day import free_address, metric
from service import CALL, SESSION, SIGNATURE_HEADER, TABLE, TOKEN, Checks, Fields, Server, unless

CALLERS, CALLS = 6, 200

NOBODY = 65534

# Waits in the place of the system's own for as long as a file is there.
SLOW_DISK = """
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int file) {
    (void)file;
    while (access(getenv("SLOW_DISK"), F_OK) == 0)
        usleep(10000);
    return 0;
}
"""


class Journal:
    """A service with a journal on a disk with a trouble of its own."""

    def __init__(self, checks, binary, folder, *before, table=TABLE):
        self.checks = checks
        self.folder = folder
        self.admin = free_address()
        options = ["--table", str(table), "--journal", str(folder), "--admin", self.admin]
        self.server = Server(checks, binary, *options, token=TOKEN)
        self.server.command = [*before, *self.server.command]
        self.sent = 0

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)

    def call(self, number):
        """Whether a call gets the whole document that it should."""
        form = Fields(CALL + SESSION).with_(CallSid=f"CA{number:032x}")
        answer = self.server.ask("/out-of-session", form)
        return answer.status == 200 and answer.headers.get("twiml-route") == "ride-ended" and b"</Response>" in answer.body

    def load(self, what):
        """Calls by several callers at once."""
        wrong = []

        def calls(caller):
            for number in range(CALLS):
                if not self.call(caller * CALLS + number + self.sent):
                    wrong.append(number)

        callers = [threading.Thread(target=calls, args=(caller,)) for caller in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.sent += CALLERS * CALLS
        self.checks.check(f"{what}: {CALLERS * CALLS} calls", f"{len(wrong)} answers are wrong" if wrong else None)

    def counts(self):
        """How many lines were written and how many lost, when each is one or the other."""
        deadline = time.monotonic() + 20
        while True:
            written, lost = metric(self.admin, "journal_lines_total"), metric(self.admin, "journal_lines_lost_total")
            if written + lost >= self.sent or time.monotonic() > deadline:
                return written, lost
            time.sleep(0.01)

    def events(self, *ids):
        """A batch of events: its status, and how long that took."""
        body = json.dumps([{"specversion": "1.0", "type": "com.example.event", "id": own, "data": {}} for own in ids])
        library = RequestValidator(TOKEN)
        path = f"/events?bodySHA256={library.compute_hash(body)}"
        signature = library.compute_signature(self.server.url + path, {})
        head = [
            f"POST {path} HTTP/1.1", f"Host: {self.server.address}", "Connection: close", "Content-Type: application/json",
            f"Content-Length: {len(body)}", f"{SIGNATURE_HEADER}: {signature}", "", "",
        ]
        begin = time.monotonic()
        answer = self.server.send("\r\n".join(head).encode() + body.encode())
        return answer.status, time.monotonic() - begin

    def refuses(self, what, *ids):
        status, seconds = self.events(*ids)
        self.checks.check(
            f"{what}: events are to come again", unless(status, 503, "status"),
            f"it took {seconds:.1f} s" if seconds >= 5 else None,
        )

    def takes(self, what, *ids):
        self.checks.check(f"{what}: events are taken", unless(self.events(*ids)[0], 204, "status"))
        self.sent += len(ids)

    def logs(self, words):
        """The log is written beside the answers, too, so it may take a moment."""
        deadline = time.monotonic() + 20
        while words not in (told := self.server.read_log()) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.checks.check(f"the log says {words!r}", None if words in told else told)

    def lines(self):
        text = "".join(path.read_text() for path in sorted(self.folder.glob("journal-*.jsonl")))
        self.checks.check("no half line is in the journal", None if text.endswith("\n") or not text else text[-200:])
        return [json.loads(line) for line in text.splitlines()]


@contextmanager
def disk(folder, size):
    """A small disk in memory; `None` where none can be mounted."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Fills a disk to the last byte."""
    with open(folder / "filler", "ab", buffering=0) as filler:
        for size in [4096, 1]:
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                pass
    return os.statvfs(folder).f_bavail


def full(checks, binary, folder):
    with disk(folder / "full", "256k") as small:
        if small is None:
            print("full: no disk can be mounted, so a limit on the size of files stands in")
            shell = ["bash", "-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\""]
            journal = Journal(checks, binary, folder / "limited", *shell)
        else:
            journal = Journal(checks, binary, small / "journal")
        with journal:
            journal.takes("while there is room", "EZ-before")
            journal.load("until the disk is full")
            written, lost = journal.counts()
            checks.check("full: some lines are kept", None if written > 30 else f"only {written}")
            checks.check("full: lost lines are counted", unless(written + lost, journal.sent, "lines"),
                         None if lost else "none is lost")
            # What is left has no room for a line of this length.
            if small is not None:
                checks.check("the disk is full to the last byte", unless(fill(small), 0, "free blocks"))
            journal.load("on a full disk")
            journal.refuses("on a full disk", *(f"EZ-{'x' * 180}-{number}" for number in range(60)))
            written, lost = journal.counts()
            checks.check("full: every line is written or lost", unless(written + lost, journal.sent, "lines"))
            checks.check("full: the journal has what was written", unless(len(journal.lines()), written, "lines"))
            if small is not None:
                (small / "filler").unlink()
                subprocess.run(["mount", "-o", "remount,size=4m", small], check=True)
                journal.takes("with room again", "EZ-after")
                for words in ["the journal cannot be written", "No space left on device", "the journal is written again"]:
                    journal.logs(words)


def read_only(checks, binary, folder):
    with disk(folder / "read-only", "4m") as small:
        place = small or folder / "read-only"
        (place / "journal").mkdir()

        def change(to):
            if small is None:
                (place / "journal").chmod(0o500 if to == "ro" else 0o700)
            else:
                subprocess.run(["mount", "-o", f"remount,{to}", small], check=True)

        before, table = [], TABLE
        if small is None:
            print("read-only: no disk can be mounted, so a folder without write permission stands in")
            if os.geteuid() == 0:
                # Which holds everybody back but root. So the service is somebody else's, with what it needs at hand.
                before = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
                binary, table = shutil.copy(binary, place), shutil.copy(TABLE, place)
                for path in [folder, place, Path(binary)]:
                    path.chmod(0o755)
                os.chown(place / "journal", NOBODY, NOBODY)
        change("ro")
        with Journal(checks, binary, place / "journal", *before, table=table) as journal:
            journal.load("on a read-only folder")
            checks.check("read-only: every line is lost and counted", unless(journal.counts(), (0, journal.sent), "lines"))
            journal.refuses("on a read-only folder", "EZ-1")
            change("rw")
            journal.takes("on a folder that can be written again", "EZ-1")
            ids = [line["sid"] for line in journal.lines()]
            checks.check("read-only: what comes then is kept", unless(ids, ["EZ-1"], "lines"))


def slow(checks, binary, folder):
    source, library, switch = folder / "slow.c", folder / "slow.so", folder / "slow"
    source.write_text(SLOW_DISK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    switch.touch()
    with Journal(checks, binary, folder / "slow-journal", "env", f"LD_PRELOAD={library}", f"SLOW_DISK={switch}") as journal:
        waiting = threading.Thread(target=journal.refuses, args=("on a slow disk", "EZ-1", "EZ-2"))
        waiting.start()
        journal.load("on a slow disk")
        waiting.join()
        # They are on their way still, and nobody waits for them a second time.
        status, seconds = journal.events("EZ-2")
        checks.check("slow: events on their way", unless(status, 503, "status"), "it waits" if seconds > 2 else None)
        switch.unlink()
        deadline = time.monotonic() + 20
        while journal.events("EZ-1", "EZ-2")[0] != 204 and time.monotonic() < deadline:
            time.sleep(0.05)
        journal.sent += 2
        checks.check("slow: no line is lost", unless(journal.counts(), (journal.sent, 0), "lines"))
        events = sorted(line["sid"] for line in journal.lines() if line["webhook"] == "events")
        checks.check("slow: each event is there once", unless(events, ["EZ-1", "EZ-2"], "events"))


LAST_GOOD_TABLE = """
[[route]]
name = "{name}"
when = {{ Called = "+15005550006" }}
voice = [{{ Say = "Hello." }}]

[default]
voice = [{{ Say = "Goodbye." }}]
message = [{{ Message = "Goodbye." }}]
# {padding}
"""


def last_good(checks, binary, folder):
    """The disk of the last good copy is full: what is kept there stays whole, and no edit waits for it."""
    with disk(folder / "state", "256k") as small:
        if small is None:
            print("last good: no disk can be mounted, and nothing stands in")
            return
        table, state = folder / "responses.toml", small / "state"

        def write(name):
            new = table.with_suffix(".new")
            new.write_text(LAST_GOOD_TABLE.format(name=name, padding="x" * 60_000))
            new.rename(table)

        def route(server):
            return server.ask("/out-of-session", Fields(CALL + SESSION)).headers.get("twiml-route")

        options = ["--table", str(table), "--state-dir", str(state)]
        write("first")
        with Server(checks, binary, *options, token=TOKEN) as server:
            server.wait_for("a good copy is in")
            fill(small)
            write("second")
            server.wait_for("cannot keep a good copy in")
            checks.check(
                "an edit goes live on a full disk", unless(route(server), "second", "route"),
                None if "No space left on device" in server.read_log() else server.read_log(),
            )
            kept = next(state.glob("last-good-*/responses.toml")).read_text()
            checks.check("the copy is the one before, and whole", None if 'name = "first"' in kept and kept.endswith("x\n") else kept[:300])
            checks.check("no part of another copy is left", unless(len(list(state.iterdir())), 1, "copies"))
        table.write_text("[[route")
        with Server(checks, binary, *options, token=TOKEN) as server:
            checks.check("a start on a bad file and a full disk", unless(route(server), "first", "route"))
            (small / "filler").unlink()
            write("third")
            server.wait_for("a good copy is in")
            checks.check("with room again", unless(route(server), "third", "route"))
        kept = next(state.glob("last-good-*/responses.toml")).read_text()
        checks.check("the copy is the new one", None if 'name = "third"' in kept else kept[:300])


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: disk.py BINARY")
    binary = str(Path(sys.argv[1]).resolve())
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        for trouble in [full, read_only, slow, last_good]:
            checks.attempt(trouble.__name__, lambda: trouble(checks, binary, Path(folder)))
    checks.end("disk")


if __name__ == "__main__":
    main()
