"""Looks at the page of the admin listener in a real browser.

    python tests/pages/admin.py BINARY [FOLDER]

Starts `BINARY serve` with a table in which many a text would like to be markup, calls it, breaks its table, asks the form of the
page, and opens all of it in Chromium: in the light, in the dark, and as narrow as a small phone. Screenshots stay in FOLDER
when one is given. Exit code 1 when anything is not as it should be.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from browser import WINDOWS, Checks, chromium, ground, names, opened

LONG = 20  # Seconds that anything may take.

TOKEN = "0123456789abcdef0123456789abcdef"
CALLER = "+14155550199"

SCRIPT = "<script>document.title = 'a script ran'</script>"

TABLE = """
[defaults.Say]
voice = "Polly.Joanna-Neural"
language = "en-US"

[schedule.office]
timezone = "America/New_York"
open = ["Mon-Fri 09:00-17:30"]

[directory.desks]
rows = [{ number = "+15005550006", phone = "+14155550123" }]

[[route]]
name = "office"
when = { Called = { in = "desks" }, Caller = { not = "+14155550188" } }
during = "office"
voice = [
  { Gather = [{ Say = "For the desk press 1." }], numDigits = 1, action = "?step=menu" },
  { Say = "Goodbye." },
]
message = [{ Message = "Thank you, {{ From }}. Call +1 415 555 0124." }]

[[route]]
name = "hostile"
when = [
  { Called = "+15005550007", CallerName = ["SCRIPT", '"><img src=x onerror=alert(1)>', "\\u202egnp.exe"] },
  { Called = "+15005550008", "AddOns.status" = "ok", sessionStatus = "closed" },
]
outside = "office"
voice = [{ Say = "SCRIPT \\u202e" }]

[[route]]
name = "desk"
step = "menu"
when = { Digits = "1" }
voice = [{ Dial = "{{ desks.phone }}", timeout = 20, action = "?step=dialled" }]

[[route]]
name = "dialled"
step = "dialled"
when = { DialCallStatus = "busy" }
voice = [{ Say = "SCRIPT" }]

[default]
voice = [{ Say = "This number is not in use right now. Goodbye." }]
message = [{ Message = "This number is not in use right now." }]
""".replace("SCRIPT", SCRIPT).replace("""when = { Digits = "1" }
voice = [{ Dial = "{{ desks.phone }}\"""", """when = { Digits = "1", Called = { in = "desks" } }
voice = [{ Dial = "{{ desks.phone }}\"""")


class Service:
    """The service on two ports of its own choice, which its log tells."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.table = folder / "responses.toml"
        self.table.write_text(TABLE, encoding="utf-8")
        self.log = folder / "log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TWI")}
        self.environment = environment | {"TWILIO_AUTH_TOKEN": TOKEN}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [binary, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--public-url", "https://twilio.example.com"],
                cwd=folder, env=self.environment, stderr=log,
            )
        self.webhooks = self.told("listening on ")
        self.admin = self.told("health and metrics on ")

    def told(self, words):
        """What stands in the log behind these words."""
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            for line in self.log.read_text().splitlines():
                if words in line:
                    return line.split(words)[1].split()[0]
            time.sleep(0.02)
        raise TimeoutError(f"{words} is not in the log: {self.log.read_text()}")

    def call(self, **fields):
        subprocess.run(
            [self.binary, "send", "--url", f"http://{self.webhooks}/webhook", "--public-url", "https://twilio.example.com",
             *(f"{name}={value}" for name, value in fields.items())],
            env=self.environment, capture_output=True, check=True, timeout=LONG,
        )

    def get(self, path, host=None):
        connection = http.client.HTTPConnection(self.admin, timeout=LONG)
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def end(self):
        self.process.terminate()
        self.process.wait(LONG)


def ask(**fields):
    return "/?" + urlencode({name.replace("__", "."): value for name, value in fields.items()})


MENU = ask(
    **{"channel": "voice", "webhook": "out-of-session", "f-Called": "+15005550006", "f-Caller": CALLER,
       "at": "2026-11-25T12:00[America/New_York]", "acts": "1 busy"}
)
HOSTILE = ask(
    **{"channel": "voice", "webhook": SCRIPT, "f-Called": "+15005550007", "f-CallerName": SCRIPT, "f-Caller": '"><img src=x>',
       "f-AddOns__status": "\u202e\x07", "at": "2026-11-25T23:00Z", "acts": '"</li><b>"', "other": SCRIPT}
)


def headers(checks, service):
    answer, page = service.get("/")
    checks.check("the page is there", answer.status == 200, answer.status)
    wanted = {
        "content-type": "text/html; charset=utf-8", "cache-control": "no-store", "x-content-type-options": "nosniff",
        "x-frame-options": "DENY", "referrer-policy": "no-referrer", "cross-origin-resource-policy": "same-origin",
    }
    for name, value in wanted.items():
        checks.check(f"{name} is {value}", answer.getheader(name) == value, answer.getheader(name))
    policy = answer.getheader("content-security-policy")
    for part in ["default-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "style-src 'sha256-"]:
        checks.check(f"the policy has {part}", part in policy, policy)
    checks.check("the policy has nothing unsafe", "unsafe" not in policy and "*" not in policy, policy)
    for host, status in [("evil.example", 421), ("localhost", 200), ("127.0.0.1.evil.example:80", 421), ("[::1]:9480", 200)]:
        answer, body = service.get("/", host)
        checks.check(f"asked as {host}: {status}", answer.status == status, answer.status)
        checks.check(f"asked as {host}: no number", status == 200 or "500555" not in body)
    checks.check("a long query is refused", service.get("/?" + "a" * 9000)[0].status == 414)
    return page


def look(checks, browser, service, path, name, folder, *, width, height, scheme):
    url = f"http://{service.admin}{path}"
    with opened(checks, browser, url, name, folder, width=width, height=height, scheme=scheme) as (page, seen):
        checks.check(f"{name}: no script ran", page.title() == "twiml-responder", page.title())
        found = {"script", "img", "link", "iframe", "object", "embed", "a", "base", "b"} & names(page)
        checks.check(f"{name}: no markup but our own", not found, found)
        html = page.content()
        checks.check(f"{name}: the secret is not on it", TOKEN not in html)
        unnamed = page.evaluate("[...document.querySelectorAll('input, select')].filter(each => !each.labels.length).length")
        checks.check(f"{name}: every field has a label", unnamed == 0, unnamed)
        return ground(page), seen


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: admin.py BINARY [FOLDER]")
    binary = Path(sys.argv[1]).resolve()
    checks = Checks()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(temporary)
        service = Service(binary, Path(temporary))
        try:
            headers(checks, service)
            for called in ["+15005550006", "+15005550006", "+15005550009"]:
                service.call(Called=called, Caller=CALLER, CallerName=SCRIPT)
            service.call(To="+15005550009", From=CALLER, Body=f"I am {CALLER}", MessageSid="SM00000000000000000000000000000001")
            with chromium() as browser:
                grounds = {}
                for window in WINDOWS:
                    name, width, height, scheme = window
                    size = {"width": width, "height": height, "scheme": scheme}
                    grounds[name], seen = look(checks, browser, service, "/", name, folder, **size)
                    for text in ["good", "Answers\n4\n4 in the last hour", "checked with 1 auth token", "none, plain HTTP",
                                 "/out-of-session, /webhook", "https://twilio.example.com", "at step menu", "during office",
                                 "Called is a key of directory \"desks\"", "Caller is not \"+141•••••88\"",
                                 "CallerName is \"" + SCRIPT.replace('"', '\\"'), "\\u{202e}gnp.exe"]:
                        checks.check(f"{name}: {text!r} is there", text in seen, seen)
                    checks.check(f"{name}: no caller is on it", "4155550199" not in seen and "+141•••••99" not in seen)
                    _, seen = look(checks, browser, service, MENU, f"{name}-menu", folder, **size)
                    for text in ["says For the desk press 1.", "Polly.Joanna-Neural, en-US", "waits for a key", "dials +141•••••23",
                                 "callerId +15005550006, 20 s", f"says {SCRIPT}", "The call ends."]:
                        checks.check(f"{name}: {text!r} is heard", text in seen, seen)
                    _, seen = look(checks, browser, service, HOSTILE, f"{name}-hostile", folder, **size)
                    for text in ["It does not wait for </li><b>.", f"says {SCRIPT} \\u{{202e}}",
                                 'Called is "+15005550007", expected a key of directory "desks"']:
                        checks.check(f"{name}: {text!r} is to be read as it is", text in seen, seen)
                checks.check("the dark page is another than the light one", grounds["light"] != grounds["dark"], grounds)
                form(checks, browser, service)
            broken(checks, service)
        finally:
            service.end()
    print(f"admin: {checks.passed} passed, {checks.failed} failed")
    sys.exit(0 if checks.passed and not checks.failed else 1)


def form(checks, browser, service):
    """Somebody fills the form in, in a browser that runs no script."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://{service.admin}/")
    def field(name):
        return page.locator(f"[name='{name}']")

    field("channel").select_option("text message")
    field("f-Called").fill("+15005550006")
    field("f-Caller").fill(CALLER)
    field("f-Body").fill("hello")
    field("at").fill("2026-11-25T12:00[America/New_York]")
    page.get_by_role("button", name="Ask").click()
    page.wait_for_url("**/?*#ask")
    talk = page.locator(".talk").inner_text()
    checks.check("a text is answered, its numbers masked", "texts Thank you, +141•••••99. Call +1 4•••••24." in talk, talk)
    filled = field("f-Caller").input_value()
    checks.check("what was asked stands in the form", filled == CALLER, filled)
    field("at").fill("noon")
    page.get_by_role("button", name="Ask").click()
    problem = page.locator(".problem").inner_text()
    checks.check("a time without a zone is explained", "with its zone or offset" in problem, problem)
    context.close()


def broken(checks, service):
    """The table gets a mistake with a number in it."""
    service.table.write_text(TABLE + '\n[[route]]\nname = "office"\nwhen = { Called = "+1415555018x" }\nvoice = []\n')
    service.told("the reload failed")
    _, page = service.get("/")
    for text in ["degraded", "what is on disk is bad: table", "error bad-number", "responses.toml:", "+141•••••18x"]:
        checks.check(f"a broken table: {text!r} is there", text in page, page)
    checks.check("a broken table: no number is whole", "1415555018" not in page)


if __name__ == "__main__":
    main()
