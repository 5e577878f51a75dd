"""Feeds the sessions of the running service from a database, by the two scripts of recipes/.

    python tests/twilio/feed.py BINARY

Sessions come, end and go in a SQLite database and, where its server is installed, in a PostgreSQL one; each time the script
runs, the service connects those who are in a session and nobody else. A query that fails leaves the file as it was. Requests
are signed by Twilio's own Python library. Exit code 1 when anything is not as it should be.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from service import CALL, LONG, Checks, Fields, Server, unless

RECIPES = Path(__file__).parents[2] / "recipes"
OURS, RIDER, DRIVER, NEXT_RIDER = "+15005550001", "+14155550100", "+14155550101", "+14155550102"
HEADER = "number,party,other,until"

SIDS = itertools.count(1)


class Sqlite:
    name = "SQLite"
    script = RECIPES / "feed-sqlite.sh"
    table = "CREATE TABLE sessions (number TEXT, rider TEXT, driver TEXT, until TEXT)"

    def __init__(self, folder):
        self.database = str(folder / "sessions.db")

    def run(self, statement):
        subprocess.run(["sqlite3", "-bail", self.database, statement], check=True, timeout=LONG)

    def stop(self):
        pass


class Postgresql:
    name = "PostgreSQL"
    script = RECIPES / "feed-postgresql.sh"
    table = "CREATE TABLE sessions (number text, rider text, driver text, until timestamptz)"

    def __init__(self, folder, programs):
        self.data, self.programs = folder / "postgresql", programs
        self.data.mkdir()
        # The server refuses to run as root.
        self.as_somebody = []
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in [folder, self.data]:
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            self.as_somebody = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        self.database = f"host={self.data} user=tester dbname=postgres"
        self.control("initdb", "--username=tester", "--auth=trust", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={self.data} -c timezone=America/New_York -c fsync=off"
        self.control("pg_ctl", "--wait", f"--log={self.data}/log", f"--options={options}", "start")

    def control(self, program, *arguments):
        command = [*self.as_somebody, str(self.programs / program), f"--pgdata={self.data}", *arguments]
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL, cwd="/")

    def run(self, statement):
        command = ["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", self.database]
        subprocess.run([*command, "--command", statement], check=True, timeout=LONG)

    def stop(self):
        self.control("pg_ctl", "--wait", "--mode=immediate", "stop")


def at(minutes):
    """A moment from now as a database reads it: both take UTC without a word."""
    return f"{datetime.now(timezone.utc) + timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S}"


def connected(server, called, caller):
    """Whom a call reaches; `None` when nobody."""
    form = Fields(CALL).with_(
        CallSid=f"CA{next(SIDS):032x}", Called=called, To=called, Caller=caller, From=caller, ForwardedFrom="",
    )
    answer = server.ask("/webhook", form)
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}: {answer.body!r}")
    document = answer.body.decode()
    _, _, behind = document.partition(f'callerId="{called}">')
    return behind.partition("<")[0] or None


def feed(checks, binary, database, folder):
    what = database.name
    file = folder / "sessions.csv"
    table = folder / "masked-pairs.toml"
    table.write_text((RECIPES / table.name).read_text().partition("[[test]]")[0])

    def run():
        return subprocess.run([str(database.script), database.database, str(file)], capture_output=True, encoding="utf-8", timeout=LONG)

    def fed(step, rows):
        ran = run()
        lines = file.read_text().splitlines() if file.exists() else []
        checks.check(
            f"{what}: {step}", unless(ran.returncode, 0, "exit code"), unless(ran.stderr, "", "stderr"),
            unless(lines[:1], [HEADER], "the first line"), unless(len(lines) - 1, rows, "rows"),
            unless(sorted(path.name for path in folder.glob("sessions.csv*")), ["sessions.csv"], "files"),
        )

    def reaches(step, wanted):
        """Waits until the file is live, and sees whom each of the three reaches."""
        deadline = time.monotonic() + LONG
        while True:
            found = [connected(server, OURS, caller) for caller in [RIDER, DRIVER, NEXT_RIDER]]
            if found == wanted or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        checks.check(f"{what}: {step}", unless(found, wanted, "reached"))

    utc = "" if database.name == "SQLite" else "+00"
    database.run(database.table)
    database.run(f"INSERT INTO sessions VALUES ('{OURS}', '{RIDER}', '{DRIVER}', '{at(60)}{utc}')")
    database.run(f"INSERT INTO sessions VALUES ('{OURS}', '{NEXT_RIDER}', '{DRIVER}', '{at(-1)}{utc}')")
    fed("one session is open", 2)
    with Server(checks, binary, "--table", str(table), token="0123456789abcdef0123456789abcdef") as server:
        reaches("both parties of it", [DRIVER, RIDER, None])
        database.run(f"UPDATE sessions SET until = '{at(0)}{utc}' WHERE rider = '{RIDER}'")
        database.run(f"UPDATE sessions SET until = NULL WHERE rider = '{NEXT_RIDER}'")
        fed("it ends, and another begins that has no end", 2)
        reaches("the other two", [None, NEXT_RIDER, DRIVER])
        before = file.read_bytes()
        database.run("ALTER TABLE sessions RENAME TO gone")
        ran = run()
        checks.check(
            f"{what}: a query that fails", "exit code 0" if ran.returncode == 0 else None,
            unless(file.read_bytes(), before, "the file"),
            unless(sorted(path.name for path in folder.glob("sessions.csv*")), ["sessions.csv"], "files"),
        )
        database.run("ALTER TABLE gone RENAME TO sessions")
        database.run("DELETE FROM sessions")
        fed("all sessions end at once", 0)
        reaches("nobody", [None, None, None])


def databases():
    """What makes a database in a folder, for each kind that this machine has."""
    if shutil.which("sqlite3"):
        yield Sqlite
    else:
        print("not tried with SQLite: there is no sqlite3")
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if servers and shutil.which("psql"):
        yield lambda folder: Postgresql(folder, servers[-1].parent)
    else:
        print("not tried with PostgreSQL: its server is not installed")


def tried(checks, binary, make, folder):
    database = make(folder)
    try:
        feed(checks, binary, database, folder)
    finally:
        database.stop()


def main():
    checks = Checks()
    for make in databases():
        with tempfile.TemporaryDirectory(prefix="feed-") as folder:
            checks.attempt("a database", lambda: tried(checks, sys.argv[1], make, Path(folder)))
    checks.end("feed")


if __name__ == "__main__":
    main()
