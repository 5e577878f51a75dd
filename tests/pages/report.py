"""Looks at the page of `report --html` in a real browser.

    python tests/pages/report.py BINARY [FOLDER]

Writes a journal of a fortnight, with texts in it that would like to be markup, a script, an address or a terminal's
command; has `BINARY report` make its page; and opens it in Chromium (Debian's, driven by Playwright): in the light, in the
dark, and as narrow as a small phone. Screenshots stay in FOLDER when one is given. Exit code 1 when anything is not as it
should be.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from browser import WINDOWS, Checks, chromium, ground, names, opened

TABLE = """
[directory.desks]
rows = [
  { number = "+15005550000", name = "Front desk" },
  { number = "+15005550003", name = "<script>document.title = 'a script ran'</script>" },
  { number = "+1500555000*", name = "Zoë's team in the rather long street of the old harbour, first floor" },
]

[[route]]
name = "desk"
when = { Called = { in = "desks" }, CallerCity = "AUSTIN" }
voice = [ { Say = "Hello." } ]

[[route]]
name = "ride-ended"
when = { Called = ["+15005550000", "+15005550001", "+15005559998", "sip:<b>desk</b>@example.com"] }
voice = [ { Say = "Hello." } ]

[default]
voice = [ { Say = "This number is not in use right now. Goodbye." } ]
"""

HOSTILE = [
    "<script>document.title = 'a script ran'</script>",
    "</title><script>document.title = 'a script ran'</script>",
    "\"><img src=http://127.0.0.1:9/image onerror=\"document.title='a script ran'\">",
    "' onload='document.title=1' x='",
    "</style><style>body { display: none }</style><link rel=stylesheet href=http://127.0.0.1:9/style>",
    "]]>--><svg onload=document.title=1>",
    "&lt;b&gt;&amp;&#x3c;",
    "javascript:document.title=1",
    "\x1b[31mred\x9b1m\x07\x00",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "word" * 80,
    "日本語" * 40,
    "Zoë 🚕",
]

LINE = {
    "time": "", "webhook": "out-of-session", "channel": "voice", "route": "default", "status": 200, "microseconds": 200,
    "guard": None, "failed": None, "machine": False, "sid": None, "number": None, "withheld": False, "step": "",
    "event": None, "parameters": {}, "masked": {}, "left_out": [], "unnamed": 0,
}

HOURS = [1, 1, 1, 1, 1, 2, 4, 9, 16, 22, 24, 21, 18, 20, 21, 19, 17, 15, 11, 8, 6, 4, 2, 1]


def lines():
    """A fortnight of calls and texts, fewer at night and at the weekend, and what else comes."""
    chance = random.Random(1)
    numbers = [f"+1500555{number:04}" for number in range(90)]
    often = [1 / (place + 1) for place in range(len(numbers))]
    routes = ["ride-ended", "support", "lost-property", "withheld-caller", "default"]
    for day in (date(2026, 11, 9) + timedelta(days) for days in range(14)):
        def at(hour=None):
            hour = chance.choices(range(24), HOURS)[0] if hour is None else hour
            return f"{day}T{hour:02}:{chance.randrange(60):02}:00.000Z"

        for _ in range(300 if day.weekday() < 5 else 80):
            voice = chance.random() < 0.7
            yield LINE | {
                "time": at(),
                "channel": "voice" if voice else "message",
                "number": chance.choices(numbers, often)[0],
                "route": chance.choices(routes, [50, 20, 12, 5, 10])[0],
                "left_out": ["CallerCity"],
            }
        for blocked in chance.choices([True, False], [1, 9], k=40):
            yield LINE | {
                "time": at(), "webhook": "intercept", "channel": "message",
                "route": "no-numbers-in-texts" if blocked else "pass", "status": 403 if blocked else 204,
            }
        for parameter in chance.choices(["interactionType=Message", "CallStatus=completed"], k=30):
            name, value = parameter.split("=")
            yield LINE | {"time": at(), "webhook": "callback", "route": None, "status": 204, "parameters": {name: value}}
        for text in HOSTILE:
            time = at(10)
            yield LINE | {"time": time, "route": text, "number": text, "guard": text, "failed": text}
            yield LINE | {"time": time, "webhook": text, "status": 500}
            yield LINE | {"time": time, "webhook": "intercept", "route": text, "status": 403}
            yield LINE | {"time": time, "webhook": "events", "event": text, "status": 204}
            yield LINE | {"time": time, "webhook": "callback", "parameters": {"CallStatus": text}, "status": 204}
            yield LINE | {"time": time, "webhook": "voice-webhooks", "parameters": {"Event": text}, "status": 503}


def look(checks, browser, url, name, folder, *, width, height, scheme):
    """Opens the page in a window of this size, and says how bright it is."""
    with opened(checks, browser, url, name, folder, width=width, height=height, scheme=scheme) as (page, seen):
        checks.check(f"{name}: no script ran", page.title() == "Calls and texts, 2026-11-09 to 2026-11-22", page.title())
        ours = {"script", "img", "link", "iframe", "object", "embed", "form", "a", "input", "button", "base", "b"}
        found = ours & names(page)
        checks.check(f"{name}: no markup but our own", not found, found)
        for text in ["<script>document.title = 'a script ran'</script>", "+15005550000 Front desk", "most defaults", "By day",
                     "--journal-values CallerCity` keeps", "&lt;b&gt;&amp;&#x3c;", "Zoë 🚕", "+15005559998",
                     "\\u{202e}gnp.exe", "\\u{1b}[31mred"]:
            checks.check(f"{name}: {text!r} is to be read as it is", text in seen)
        unnamed = page.evaluate(
            "[...document.querySelectorAll('svg')].filter(each => !each.getAttribute('aria-label') && "
            "each.getAttribute('aria-hidden') != 'true').length"
        )
        checks.check(f"{name}: every chart has a name or stands beside its figures", unnamed == 0, unnamed)
        flat = page.evaluate(
            "[...document.querySelectorAll('svg')].filter(each => !each.getBoundingClientRect().width).length"
        )
        checks.check(f"{name}: every chart has room", flat == 0, flat)
        return ground(page)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: report.py BINARY [FOLDER]")
    binary = Path(sys.argv[1]).resolve()
    checks = Checks()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(temporary)
        journal = Path(temporary) / "journal"
        journal.mkdir()
        table, page = Path(temporary) / "responses.toml", folder / "page.html"
        table.write_text(TABLE)
        files = {}
        for line in lines():
            files.setdefault(line["time"][:10], []).append(json.dumps(line, ensure_ascii=False))
        for day, texts in files.items():
            (journal / f"journal-{day}.jsonl").write_text("\n".join([*texts, "<script>no line</script>"]) + "\n")
        ran = subprocess.run(
            [binary, "report", "--journal", journal, "--table", table, "--html", page],
            capture_output=True, encoding="utf-8", timeout=60,
            env={name: value for name, value in os.environ.items() if not name.startswith("TWI")},
        )
        checks.check("report ends with 0", ran.returncode == 0, ran.stderr)
        checks.check("its bars fit 80 columns of a terminal", "\x1b" not in ran.stdout and "\x9b" not in ran.stdout)
        checks.check("the page is its owner's alone", page.stat().st_mode & 0o777 == 0o600, oct(page.stat().st_mode))
        with chromium() as browser:
            grounds = {}
            for name, width, height, scheme in WINDOWS:
                grounds[name] = look(
                    checks, browser, page.as_uri(), name, folder, width=width, height=height, scheme=scheme
                )
            print(f"Chromium {browser.version}: grounds {grounds}")
            checks.check("the dark page is another than the light one", grounds["light"] != grounds["dark"], grounds)
    print(f"report: {checks.passed} passed, {checks.failed} failed")
    sys.exit(0 if checks.passed and not checks.failed else 1)


if __name__ == "__main__":
    main()
