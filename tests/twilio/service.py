"""Asks the running service as Twilio would, with requests that Twilio's own Python library has signed.

    python tests/twilio/service.py BINARY

Starts `BINARY serve` with the sample table, responses.toml, on a free port of this machine, signs complete requests
with twilio.request_validator, and reads what comes back with another XML parser (expat) than the service has. The
commands `send` and `verify` are tried against the same service and the same library. Exit code 1 when anything is
not as it should be.
"""

import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

from twilio import __version__ as library_version
from twilio.request_validator import HMAC_SHA256, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, RequestValidator

TABLE = Path(__file__).parents[2] / "responses.toml"

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER_TOKEN = "fedcba9876543210fedcba9876543210"
ACCOUNT = "AC00000000000000000000000000000001"
OTHER_ACCOUNT = "AC00000000000000000000000000000002"
KEY = "webhooks_sharedkey_01"
KEY_SECRET = "b7ZxPqW3sharedsecret"

LONG = 20  # Seconds that anything may take before it counts as failed.

CALLED = "+15005550006"
CALLER = "+14155550100"

PLACES = [
    (name, value)
    for side, city, state, zip_code in [("To", "NEW YORK", "NY", "10001"), ("From", "SAN FRANCISCO", "CA", "94103")]
    for name, value in [
        (f"{side}City", city), (f"{side}State", state), (f"{side}Zip", zip_code), (f"{side}Country", "US"),
    ]
]

CALLS = itertools.count(1)
CALL = [
    ("AccountSid", ACCOUNT),
    ("ApiVersion", "2010-04-01"),
    ("AddOns", json.dumps({"status": "successful", "message": None, "code": None, "results": {}})),
    ("CallSid", "CA00000000000000000000000000000001"),
    ("CallStatus", "ringing"),
    ("CallToken", "%7B%22parentCallInfoToken%22%3A%22" + "e" * 900 + "%22%7D"),
    ("CallerName", "ACME & SONS"),
    ("Direction", "inbound"),
    ("ForwardedFrom", "+14155550177"),
    ("StirPassportToken", "eyJhbGciOiJFUzI1NiJ9." + "a" * 1500),
    ("StirVerstat", "TN-Validation-Passed-A"),
    ("Called", CALLED),
    ("Caller", CALLER),
    ("To", CALLED),
    ("From", CALLER),
    *PLACES,
    *[(name.replace("To", "Called").replace("From", "Caller"), value) for name, value in PLACES],
]

TEXT = [
    ("AccountSid", ACCOUNT),
    ("ApiVersion", "2010-04-01"),
    ("MessageSid", "MM00000000000000000000000000000001"),
    ("SmsSid", "MM00000000000000000000000000000001"),
    ("SmsMessageSid", "MM00000000000000000000000000000001"),
    ("SmsStatus", "received"),
    ("Body", "Where is my bag?"),
    ("NumMedia", "2"),
    ("NumSegments", "1"),
    ("MediaUrl0", "https://api.example.com/media/0?a=1&b=2"),
    ("MediaContentType0", "image/jpeg"),
    ("MediaUrl1", "https://api.example.com/media/1"),
    ("MediaContentType1", "image/png"),
    ("To", CALLED),
    ("From", CALLER),
    *PLACES,
]

SESSION = [
    ("sessionSid", "KC00000000000000000000000000000001"),
    ("sessionAccountSid", ACCOUNT),
    ("sessionServiceSid", "KS00000000000000000000000000000001"),
    ("sessionUniqueName", "ride-1"),
    ("sessionStatus", "closed"),
    ("sessionMode", "voice-and-message"),
    ("sessionClosedReason", "api"),
    ("sessionDateCreated", "2026-01-02T03:04:05Z"),
    ("sessionDateStarted", "2026-01-02T03:05:05Z"),
    ("sessionDateLastInteraction", "2026-01-02T03:20:05Z"),
    ("sessionDateUpdated", "2026-01-02T04:04:05Z"),
    ("sessionDateEnded", "2026-01-02T04:04:05Z"),
    ("ttl", "3600"),
    *[
        (side + name, value)
        for side, identifier, friendly, digit in [
            ("inboundParticipant", CALLER, "Rider", "1"),
            ("outboundParticipant", "+14155550123", "Driver", "2"),
        ]
        for name, value in [
            ("Sid", "KP0000000000000000000000000000000" + digit),
            ("AccountSid", ACCOUNT),
            ("ServiceSid", "KS00000000000000000000000000000001"),
            ("SessionSid", "KC00000000000000000000000000000001"),
            ("Identifier", identifier),
            ("ProxyIdentifier", "+1500555000" + digit),
            ("ProxyIdentifierSid", "PN0000000000000000000000000000000" + digit),
            ("FriendlyName", friendly),
            ("DateCreated", "2026-01-02T03:04:05Z"),
            ("DateUpdated", "2026-01-02T03:04:05Z"),
        ]
    ],
]

INTERACTION = [
    ("interactionSid", "KI00000000000000000000000000000001"),
    ("interactionAccountSid", ACCOUNT),
    ("interactionServiceSid", "KS00000000000000000000000000000001"),
    ("interactionSessionSid", "KC00000000000000000000000000000001"),
    ("interactionType", "Message"),
    ("interactionData", "{}"),
    ("interactionDateCreated", "2026-01-02T03:20:05Z"),
    ("interactionDateUpdated", "2026-01-02T03:20:06Z"),
    ("inboundParticipantSid", "KP00000000000000000000000000000001"),
    ("inboundResourceSid", "SM00000000000000000000000000000001"),
    ("inboundResourceStatus", "received"),
    ("inboundResourceType", "message"),
    ("inboundResourceUrl", "https://api.example.com/Messages/SM00000000000000000000000000000001.json"),
]

INTERCEPTS = """
[default]
voice = [ { Say = "This number is not in use right now. Goodbye." } ]

[[intercept]]
name = "no-numbers"
when = { interactionType = "Message", "interactionData.body" = { regex = '\\d{7}' } }
block = true
"""

# The verbs that the routes of the sample table answer with.
ENDED_CALL = ["Say", "Gather", "Say"]
LOST_CALL = ["Say", "Dial", "Say"]


class Fields(list):
    """Pairs as they are sent, repeats included; the library asks a form's repeats by `getall`."""

    def __iter__(self):
        return (name for name, _ in self.pairs())

    def pairs(self):
        return list(super().__iter__())

    def getall(self, name):
        return [value for other, value in self.pairs() if other == name]

    def encoded(self):
        return urlencode(self.pairs())

    def with_(self, **changed):
        return Fields([(name, changed.get(name, value)) for name, value in self.pairs()])


class Checks:
    """Counts what is as it should be and what is not, and shows the latter."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, *faults):
        """Counts one case; what is wrong with it, if anything."""
        faults = [fault for fault in faults if fault]
        if faults:
            self.failed += 1
            print(f"FAILED  {what}", *faults, sep="\n        ")
        else:
            self.passed += 1

    def attempt(self, what, step):
        """Takes a step; that it breaks off is a case that is wrong."""
        try:
            step()
        except Exception:
            self.check(what, f"broken off:\n{traceback.format_exc()}")

    def end(self, name):
        """Prints the counts as the gate reads them, and ends the program."""
        print(f"{name}: {self.passed} passed, {self.failed} failed")
        sys.exit(0 if self.passed and not self.failed else 1)

    def answered(self, what, answer, route, verbs, looks=None):
        """A document of that route with those verbs; `looks` says what else is wrong with it."""
        headers = answer.headers
        faults = [
            unless(answer.status, 200, "status"),
            unless(headers.get("content-type"), "application/xml; charset=utf-8", "Content-Type"),
            unless(headers.get("content-length"), str(len(answer.body)), "Content-Length"),
            unless(headers.get("twiml-route"), route, "Twiml-Route"),
            unless(answer.body[:5], b"<?xml", "the first bytes"),
        ]
        try:
            root = ElementTree.fromstring(answer.body)
            faults += [
                unless(root.tag, "Response", "the root"),
                unless([verb.tag for verb in root], verbs, "the verbs"),
                looks(root) if looks else None,
            ]
        except (ElementTree.ParseError, AttributeError, TypeError) as error:
            faults.append(f"the document cannot be read: {error!r}: {answer.body[:200]!r}")
        self.check(what, *faults)

    def refused(self, what, answer, reason):
        """403 and that one line, and no document."""
        self.check(
            what,
            unless(answer.status, 403, "status"),
            unless(answer.body.decode("utf-8", "replace").strip(), reason, "the body"),
            unless((answer.headers.get("content-type") or "").split(";")[0], "text/plain", "Content-Type"),
            unless(answer.headers.get("connection"), "close", "Connection"),
            unless(answer.headers.get("content-length"), str(len(answer.body)), "Content-Length"),
            unless(answer.headers.get("twiml-route"), None, "Twiml-Route"),
        )

    def decided(self, what, answer, status, route):
        """403 or 204 by that intercept, without a body."""
        self.check(
            what,
            unless(answer.status, status, "status"),
            unless(answer.headers.get("twiml-route"), route, "Twiml-Route"),
            unless(answer.body, b"", "the body"),
        )

    def not_decided(self, what, answer, reason):
        """400 and that one line: 403 would block people."""
        self.check(
            what,
            unless(answer.status, 400, "status"),
            unless(answer.body.decode("utf-8", "replace").strip(), reason, "the body"),
            unless(answer.headers.get("twiml-route"), None, "Twiml-Route"),
        )

    def command(self, what, ran, code, *words):
        """A command that ended with that exit code and printed those words."""
        missing = [word for word in words if word not in ran.stdout + ran.stderr]
        faults = [unless(ran.returncode, code, "exit code"), f"not printed: {missing}" if missing else None]
        self.check(what, *faults, f"printed: {ran.stdout}{ran.stderr}" if any(faults) else None)


def unless(found, wanted, what):
    """What is wrong with `what`; `None` when it is as it should be."""
    return None if found == wanted else f"{what}: {found!r}, not {wanted!r}"


class Answer:
    """The answer to a request, read to the end of the connection: a byte behind it would be seen."""

    def __init__(self, received):
        head, _, self.body = received.partition(b"\r\n\r\n")
        status, *headers = head.decode("latin-1").split("\r\n")
        self.status = int(status.split(" ")[1])
        self.headers = {}
        for header in headers:
            name, _, value = header.partition(":")
            name = name.lower()
            self.headers[name] = f"{self.headers[name]}, {value.strip()}" if name in self.headers else value.strip()


class Server:
    """`BINARY serve` as a process, from the first connection that it accepts to its end by SIGTERM."""

    def __init__(self, checks, binary, *arguments, token=None):
        self.checks = checks
        self.binary = binary
        self.token = token
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        self.secrets = {TOKEN, OTHER_TOKEN, KEY_SECRET}
        self.arguments = arguments
        table = [] if "--table" in arguments else ["--table", str(TABLE)]
        self.command = [binary, "serve", *table, "--listen", self.address, *arguments]

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment(self.token)
        )
        deadline = time.monotonic() + LONG
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError as error:
                ended = self.process.poll() is not None
                if ended or time.monotonic() > deadline:
                    self.process.kill()
                    self.process.wait()
                    why = f"it ended with {self.process.returncode}" if ended else str(error)
                    raise RuntimeError(f"the service does not accept connections: {why}\n{self.read_log()}") from None
                time.sleep(0.02)

    def __exit__(self, kind, error, trace):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=LONG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "none, it had to be killed"
        if error is None:
            log = self.read_log()
            options = " ".join(option for option in self.arguments if option.startswith("--")) or "no options"
            self.checks.check(f"SIGTERM ends serve with {options}", unless(code, 0, "exit code"))
            shown = [text for text in [*self.secrets, CALLER, "+14155550123"] if text in log]
            self.checks.check(
                f"the log of serve with {options} shows no number of other people and no secret",
                f"it shows {shown}:\n{log}" if shown else None,
                None if log.count("\n") > 3 else f"there is no log: {log!r}",
            )

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def wait_for(self, words):
        deadline = time.monotonic() + LONG
        while words not in self.read_log():
            if time.monotonic() > deadline:
                raise RuntimeError(f"not in the log: {words}\n{self.read_log()}")
            time.sleep(0.05)

    def send(self, request):
        """Sends the bytes of a request, and reads until the service closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LONG) as connection:
            connection.sendall(request)
            received = b""
            while part := connection.recv(65536):
                received += part
        return Answer(received)

    def ask(self, target, fields, token=TOKEN, *, method="POST", signed=None, settings=None, algorithm=None,
            signature=None, host=None, header=SIGNATURE_HEADER):
        """Asks `target` with these fields, signed with the token for the URL `signed`, or with a given signature."""
        signed = signed or self.url + target
        if method == "GET":
            query = ("&" if "?" in target else "?") + fields.encoded()
            target, signed, body = target + query, signed + query, b""
            parameters = {}
        else:
            body, parameters = fields.encoded().encode(), fields
        if signature is None:
            signature = RequestValidator(token).compute_signature(signed, parameters, algorithm)
            self.secrets.add(signature)
        headers = [
            f"{method} {target} HTTP/1.1",
            f"Host: {host or self.address}",
            "User-Agent: TwilioProxy/1.1",
            "Accept: */*",
            "Accept-Encoding: gzip",
            "X-Home-Region: us1",
            "Connection: close",
        ]
        if method == "POST":
            headers += [
                "Content-Type: application/x-www-form-urlencoded; charset=UTF-8", f"Content-Length: {len(body)}"
            ]
        if signature:
            headers.append(f"{header}: {signature}")
        if settings:
            headers.append(f"{SIGNATURE_SETTINGS_HEADER}: {settings}")
        return self.send("\r\n".join([*headers, "", ""]).encode() + body)

    def run(self, *arguments, token=TOKEN):
        return run(self.binary, *arguments, token=token)


def environment(token):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TWI")}
    return clean | ({"TWILIO_AUTH_TOKEN": token} if token else {})


def run(binary, *arguments, token=None):
    return subprocess.run(
        [binary, *arguments], capture_output=True, encoding="utf-8", timeout=LONG, env=environment(token)
    )


def whole_call():
    """A call of its own: one that came back more than 20 times would get the default."""
    return Fields(CALL + SESSION).with_(CallSid=f"CA{next(CALLS):032x}")


def whole_text():
    return Fields(TEXT + SESSION)


def interaction(text):
    """A text of an open session, as Proxy asks whether it may go on."""
    return Fields(INTERACTION).with_(interactionData=json.dumps({"body": text}, ensure_ascii=False))


def gathers_at(url):
    """What is wrong with the Gather of the route ride-ended, whose action is on this URL."""
    return lambda root: unless(root.find("Gather").get("action"), f"{url}?step=lost", "the Gather's action")


def says_one_thing(root):
    return None if len(root) == 1 and (root[0].text or "").strip() else "the verb has no text"


def every_request(checks, server, public=None):
    """Calls and texts, on both paths, by POST and GET, with a query and without: the documents of the right routes."""
    for path in ["/out-of-session", "/webhook"]:
        for query in ["", "?campaign=spring%20sale&tag=a+b&flag&empty="]:
            for method in ["POST", "GET"]:
                how = f"{method} {path}{query}"
                ours = (public or server.url) + path
                asked = {"method": method, "signed": ours + query}
                answer = server.ask(path + query, whole_call(), **asked)
                checks.answered(f"call, {how}", answer, "ride-ended", ENDED_CALL, gathers_at(ours))
                answer = server.ask(path + query, whole_text(), **asked)
                checks.answered(f"text, {how}", answer, "ride-ended", ["Message"], says_one_thing)
                answer = server.ask(path + query, Fields(CALL), **asked)
                checks.answered(f"call without a session, {how}", answer, "default", ["Say"], says_one_thing)
                answer = server.ask(path + query, Fields(TEXT), **asked)
                checks.answered(f"text without a session, {how}", answer, "default", ["Message"], says_one_thing)


def routes(checks, server):
    """The other routes of the sample table, by a request for each."""
    digits = Fields([*CALL, ("Digits", "1"), ("FinishedOnKey", "")])
    for method in ["POST", "GET"]:
        answer = server.ask("/out-of-session?step=lost", digits, method=method)

        def dials(root):
            dial = root.find("Dial")
            return unless((dial.get("callerId"), dial.text), (CALLED, "+14155550123"), "the Dial")

        checks.answered(f"{method} with the step lost", answer, "lost-property", LOST_CALL, dials)
    for caller in ["anonymous", "", "+266696687", "Restricted"]:
        answer = server.ask("/out-of-session", whole_call().with_(From=caller, Caller=caller))
        checks.answered(f"the caller {caller!r}", answer, "withheld-caller", ["Say"], says_one_thing)
    support = {"To": "+14155550199", "Called": "+14155550199"}
    answer = server.ask("/webhook", Fields(CALL).with_(**support))

    def rings_two(root):
        dial = root.find("Dial")
        numbers = [noun.tag for noun in dial]
        return unless((numbers, dial.get("callerId")), (["Number", "Number"], support["To"]), "the Dial")

    checks.answered("a call to be forwarded", answer, "support", ["Dial", "Say"], rings_two)
    answer = server.ask("/webhook", Fields(TEXT).with_(**support))
    checks.answered("a text that gets no answer", answer, "support", [])


def odd_requests(checks, server):
    """Fields as nobody expects them: the signature still holds, and the document can be read."""

    def near(city):
        return lambda root: None if f"near {city}." in root[0].text else f"not near {city!r}: {root[0].text!r}"

    lost = Fields(TEXT).with_(Body="Lost: Zoës Übergepäck 日本語 🚕 e\u0301 & <b> 100% +1", FromCity="São Paulo <&\"'>")
    for method in ["POST", "GET"]:
        answer = server.ask("/webhook", lost, method=method)
        checks.answered(f"{method} beyond ASCII", answer, "lost-by-text", ["Message"], near("São Paulo <&\"'>"))
        controls = "".join(map(chr, [*range(32), 127, 0xFFFE, 0xFFFF]))
        answer = server.ask("/webhook", lost.with_(Body=controls), method=method)
        checks.answered(f"{method} of control characters", answer, "default", ["Message"], says_one_thing)
        answer = server.ask("/webhook", lost.with_(Body="LOST" + controls, FromCity=f"A{controls[:9]}B"), method=method)
        checks.answered(f"{method} of a word and control characters", answer, "lost-by-text", ["Message"], near("AB"))
        repeated = [("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("To", "+14155550199"), ("", "nameless"), ("Tag", "")]
        answer = server.ask("/webhook", Fields(lost.pairs() + repeated), method=method)
        checks.answered(f"{method} of repeated fields", answer, "lost-by-text", ["Message"])
        unknown = [(f"Unknown{number % 7}é{number}", f"value & {number}") for number in range(500)]
        answer = server.ask("/webhook", Fields(unknown + lost.pairs()), method=method)
        checks.answered(f"{method} of 500 unknown fields", answer, "lost-by-text", ["Message"])
    empty = Fields([(name, "" if name not in ("CallSid", "AccountSid") else value) for name, value in whole_call().pairs()])
    answer = server.ask("/out-of-session", empty)
    checks.answered("a call with empty fields", answer, "default", ["Say"], says_one_thing)
    answer = server.ask("/out-of-session", Fields([("AccountSid", ACCOUNT)]))
    checks.answered("hardly a field", answer, "default", ["Say"], says_one_thing)


def refusals(checks, server):
    """Whatever is not as it was signed gets no document."""
    mismatch = "signature does not match"
    for what, form, method in [("call", whole_call(), "POST"), ("text", whole_text(), "POST"), ("call", whole_call(), "GET")]:
        for path in ["/out-of-session", "/webhook"]:
            how = f"{what}, {method} {path}"
            checks.refused(f"{how}, unsigned", server.ask(path, form, method=method, signature=""), "signature missing")
            answer = server.ask(path, form, OTHER_TOKEN, method=method)
            checks.refused(f"{how}, signed with another token", answer, mismatch)
            answer = server.ask(path, form, method=method, signature="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            checks.refused(f"{how}, with any signature", answer, mismatch)
            answer = server.ask(path, form, method=method, signed=f"{server.url}{path}/other")
            checks.refused(f"{how}, signed for another path", answer, mismatch)
            answer = server.ask(path + "?a=1", form, method=method, signed=f"{server.url}{path}?a=2")
            checks.refused(f"{how}, signed for another query", answer, mismatch)
            answer = server.ask(path, form, method=method, signed=f"https://{server.address}{path}")
            checks.refused(f"{how}, signed for another scheme", answer, mismatch)
    for what, form in [("call", whole_call()), ("text", whole_text())]:
        url = server.url + "/out-of-session"
        right = RequestValidator(TOKEN).compute_signature(url, form)
        for name, value in form.pairs():
            answer = server.ask("/out-of-session", form.with_(**{name: value + "x"}), signature=right)
            checks.refused(f"{what} with another {name}", answer, mismatch)
        answer = server.ask("/out-of-session", Fields(form.pairs()[1:]), signature=right)
        checks.refused(f"{what} less a field", answer, mismatch)
        answer = server.ask("/out-of-session", Fields([*form.pairs(), ("More", "1")]), signature=right)
        checks.refused(f"{what} with one more field", answer, mismatch)
        answer = server.ask("/out-of-session", form, signature=right)
        checks.answered(f"{what} unaltered", answer, "ride-ended", ENDED_CALL if what == "call" else ["Message"])


def one_connection(checks, server):
    """Two requests on one connection, as Twilio keeps it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
    form = whole_call()
    url = server.url + "/out-of-session"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        SIGNATURE_HEADER: RequestValidator(TOKEN).compute_signature(url, form),
    }
    for turn in ["first", "second"]:
        connection.request("POST", "/out-of-session", form.encoded(), headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = connection.sock is not None
        checks.check(
            f"the {turn} request of a connection",
            unless(answer.status, 200, "status"),
            unless(ElementTree.fromstring(body).tag, "Response", "the root"),
            None if kept else "the connection was closed",
        )
    connection.close()


def ports(checks, server, host, path="/out-of-session"):
    """Twilio may sign with the port or without it."""
    form = whole_call()
    for signed in [f"http://127.0.0.1{path}", f"http://{host}{path}"]:
        answer = server.ask(path, form, signed=signed)
        checks.answered(f"signed for {signed.replace(str(server.port), 'PORT')}", answer, "ride-ended", ENDED_CALL)


def sent(checks, server, *options):
    """`send` against the service."""
    url = f"{server.url}/out-of-session"
    how = " ".join(["send", *options])
    ran = server.run("send", "--url", url, *options)
    checks.command(how, ran, 0, "200 OK", "route ride-ended", "<Response>", "<Gather")
    ran = server.run("send", "--url", url, *options, "--message")
    checks.command(f"{how} --message", ran, 0, "200 OK", "route ride-ended", "<Message>")
    ran = server.run("send", "--url", f"{url}?step=lost", *options, "Digits=1")
    checks.command(f"{how} to the step lost", ran, 0, "200 OK", "route lost-property", "<Dial")
    ran = server.run("send", "--url", f"{server.url}/webhook", *options, "--message", "Body=lost é & 日本")
    checks.command(f"{how} to the plain webhook", ran, 0, "200 OK", "route lost-by-text")
    ran = server.run("send", "--url", url, *options, token=OTHER_TOKEN)
    checks.command(f"{how} with another token", ran, 1, "403", "signature does not match")
    ran = server.run("send", "--url", url, *options, token=None)
    checks.command(f"{how} without a token", ran, 1, "403", "signature missing")


def verified(checks, binary, folder):
    """`verify` of what the library has signed."""
    url = "https://example.com/out-of-session?campaign=a%20b"
    file = folder / "request.form"
    library = RequestValidator(TOKEN)

    def verify(*arguments, token=TOKEN):
        return run(binary, "verify", *arguments, token=token)

    for what, form in [("call", whole_call()), ("text", whole_text()), ("é", Fields(TEXT).with_(Body="é\r\n\0日本"))]:
        file.write_text(form.encoded(), encoding="utf-8")
        posted = ["--url", url, "--form", str(file), "--signature"]
        right = library.compute_signature(url, form)
        checks.command(f"verify {what}", verify(*posted, right), 0, "signature matches")
        checks.command(f"verify {what}, another token", verify(*posted, right, token=OTHER_TOKEN), 1, "does not match")
        checks.command(f"verify {what}, no token", verify(*posted, right, token=None), 2, "TWILIO_AUTH_TOKEN")
        altered = library.compute_signature(url + "c", form)
        checks.command(f"verify {what}, another URL", verify(*posted, altered), 1, "does not match")
        asked = f"{url}&{form.encoded()}"
        ran = verify("--url", asked, "--signature", library.compute_signature(asked, {}))
        checks.command(f"verify {what} by GET", ran, 0, "signature matches")
        ran = verify("--url", asked + "x", "--signature", library.compute_signature(asked, {}))
        checks.command(f"verify {what} by GET, altered", ran, 1, "does not match")
    document = '[{"specversion": "1.0", "type": "é"}]'
    file.write_text(document, encoding="utf-8")
    hashed = f"{url}&bodySHA256={library.compute_hash(document)}"
    right = library.compute_signature(hashed, {})
    ran = verify("--url", hashed, "--body", str(file), "--signature", right)
    checks.command("verify JSON", ran, 0, "signature matches")
    file.write_text(document + " ", encoding="utf-8")
    ran = verify("--url", hashed, "--body", str(file), "--signature", right)
    checks.command("verify JSON, altered", ran, 1)
    keys = folder / "keys"
    keys.write_text(f"{KEY} {KEY_SECRET}\n")
    call = whole_call()
    file.write_text(call.encoded(), encoding="utf-8")
    right = RequestValidator(KEY_SECRET).compute_signature(url, call, HMAC_SHA256)
    shared = ["--url", url, "--form", str(file), "--signature", right, "--auth-token-file", str(keys), "--settings"]
    ran = verify(*shared, f"key={KEY},algorithm=HMAC_SHA256")
    checks.command("verify a shared key", ran, 0, "signature matches")
    ran = verify(*shared, f"key={KEY},algorithm=HMAC_SHA1")
    checks.command("verify a shared key by another algorithm", ran, 1, "does not match")


def several_secrets(checks, binary, folder):
    """Tokens before and after a rotation, a sub-account's, and a shared key."""
    mismatch = "signature does not match"
    one, two = folder / "one", folder / "two"
    own = "00112233445566778899aabbccddeeff"
    one.write_text(f"# rotated\n{TOKEN}\n{OTHER_TOKEN}\n")
    two.write_text(f"{OTHER_ACCOUNT} {own}\r\n\n{KEY} {KEY_SECRET}\n")
    call = whole_call()
    sub_account = call.with_(AccountSid=OTHER_ACCOUNT)
    with Server(checks, binary, "--auth-token-file", str(one), "--auth-token-file", str(two), "--log", "json") as server:
        server.secrets.add(own)
        for what, token in [("first", TOKEN), ("second", OTHER_TOKEN)]:
            for form in [call, sub_account]:
                answer = server.ask("/out-of-session", form, token)
                name = f"the {what} token of the file for {form.getall('AccountSid')[0]}"
                checks.answered(name, answer, "ride-ended", ENDED_CALL)
        for method in ["POST", "GET"]:
            answer = server.ask("/out-of-session", sub_account, own, method=method)
            checks.answered(f"{method} with a sub-account's own token", answer, "ride-ended", ENDED_CALL)
            answer = server.ask("/out-of-session", call, own, method=method)
            checks.refused(f"{method} with a sub-account's token for another account", answer, mismatch)
        for algorithm in ["HMAC_SHA256", "HMAC_SHA1"]:
            for method in ["POST", "GET"]:
                for form, verbs in [(call, ENDED_CALL), (whole_text(), ["Message"])]:
                    settings = f"key={KEY},algorithm={algorithm}"
                    answer = server.ask(
                        "/out-of-session?a=1", form, KEY_SECRET, algorithm=algorithm, settings=settings, method=method
                    )
                    checks.answered(f"{method} with a shared key by {algorithm}", answer, "ride-ended", verbs)
        sha256 = {"algorithm": HMAC_SHA256}
        for what, token, settings in [
            ("a key that nobody has", KEY_SECRET, f"key={KEY}2,algorithm=HMAC_SHA256"),
            ("a shared key by another algorithm", KEY_SECRET, f"key={KEY},algorithm=HMAC_SHA1"),
            ("a shared key by an unknown algorithm", KEY_SECRET, f"key={KEY},algorithm=HMAC_SHA512"),
            ("a shared key without settings", KEY_SECRET, None),
            ("a token in a shared key's place", TOKEN, f"key={KEY},algorithm=HMAC_SHA256"),
        ]:
            answer = server.ask("/out-of-session", call, token, settings=settings, **sha256)
            checks.refused(what, answer, mismatch)
        answer = server.ask("/out-of-session", call, KEY_SECRET, settings=f"key={KEY}", **sha256)
        checks.refused("a shared key that names no algorithm and is no HMAC_SHA1", answer, mismatch)
        url = f"{server.url}/out-of-session"
        files = ["--auth-token-file", str(two)]
        ran = server.run("send", "--url", url, *files, f"AccountSid={OTHER_ACCOUNT}", token=None)
        checks.command("send with a sub-account's own token", ran, 0, "200 OK", "route ride-ended")
    lines = server.read_log().splitlines()
    broken = [line for line in lines if not is_json(line)]
    checks.check("every line of the log is JSON", f"not JSON: {broken[:3]}" if broken or not lines else None)


def intercepts(checks, binary, folder):
    """Interactions of a Proxy session: a text with a telephone number in it is blocked, and nothing else is."""
    table = folder / "intercepts.toml"
    table.write_text(INTERCEPTS)
    number, other = "call me on 5550100, é & 日本", "see you there"
    with Server(checks, binary, "--table", str(table), token=TOKEN) as server:
        for method in ["POST", "GET"]:
            for query in ["", "?campaign=spring%20sale&flag"]:
                how = f"{method} /intercept{query}"
                for text, status, route in [(number, 403, "no-numbers"), (other, 204, "pass")]:
                    form = interaction(text)
                    answer = server.ask("/intercept" + query, form, method=method)
                    checks.decided(f"{how}: {text!r}", answer, status, route)
                    right = RequestValidator(TOKEN).compute_signature(f"{server.url}/intercept", form)
                    tampered = form.with_(interactionSid="KI00000000000000000000000000000002")
                    answer = server.ask("/intercept" + query, tampered, method=method, signature=right)
                    checks.not_decided(f"{how}, tampered: {text!r}", answer, "signature does not match")
                answer = server.ask("/intercept" + query, interaction(number), OTHER_TOKEN, method=method)
                checks.not_decided(f"{how} with another token", answer, "signature does not match")
                answer = server.ask("/intercept" + query, interaction(number), method=method, signature="")
                checks.not_decided(f"{how} without a signature", answer, "signature missing")
        for data, code, words in [
            (number, 0, ["403", "route no-numbers", "blocked"]), (other, 0, ["204", "route pass"])
        ]:
            fields = [f"{name}={value}" for name, value in interaction(data).pairs()]
            ran = server.run("send", "--webhook", "intercept", "--url", server.url, *fields)
            checks.command(f"send --webhook intercept of {data!r}", ran, code, *words)


def is_json(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def public_url(checks, binary):
    """The URL by which Twilio knows the service, when a proxy before it has another scheme, host and path."""
    public = "https://example.com/prefix"
    with Server(checks, binary, "--public-url", public, token=TOKEN) as server:
        every_request(checks, server, public)
        path = "/out-of-session"
        for signed in [f"https://example.com:443/prefix{path}", f"{public}{path}"]:
            answer = server.ask(path, whole_call(), signed=signed, host="inner.example:1234")
            checks.answered(f"signed for {signed}", answer, "ride-ended", ENDED_CALL, gathers_at(public + path))
        for signed in [
            f"{server.url}{path}", f"https://example.com{path}", f"http://example.com/prefix{path}",
            f"https://example.com:8443/prefix{path}",
        ]:
            answer = server.ask(path, whole_call(), signed=signed)
            what = f"signed for {signed.replace(server.url, 'the address itself')} behind a public URL"
            checks.refused(what, answer, "signature does not match")
        sent(checks, server, "--public-url", public)


def starts(checks, binary, folder):
    """What keeps the service from starting."""
    listen = ["--listen", "127.0.0.1:0"]
    ran = run(binary, "serve", "--table", str(TABLE), *listen)
    checks.command("serve without a token", ran, 2, "TWILIO_AUTH_TOKEN")
    ran = run(binary, "serve", "--table", str(TABLE), *listen, "--allow-unsigned", token=TOKEN)
    checks.command("serve with a token and without signatures", ran, 2, "--allow-unsigned")
    broken = folder / "broken.toml"
    broken.write_text('[default]\nvoice = [ { Sya = "x" } ]\n')
    ran = run(binary, "serve", "--table", str(broken), *listen, token=TOKEN)
    checks.command("serve with a broken table", ran, 2, "unknown-element")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: service.py BINARY")
    binary = str(Path(sys.argv[1]).resolve())
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        steps = [
            ("what keeps it from starting", lambda: starts(checks, binary, folder)),
            ("with a token in the environment", lambda: plain(checks, binary)),
            ("behind a public URL", lambda: public_url(checks, binary)),
            ("with several secrets", lambda: several_secrets(checks, binary, folder)),
            ("intercepts of a session", lambda: intercepts(checks, binary, folder)),
            ("verify", lambda: verified(checks, binary, folder)),
        ]
        for what, step in steps:
            passed, failed = checks.passed, checks.failed
            checks.attempt(what, step)
            print(f"{what}: {checks.passed - passed} cases as they should be, {checks.failed - failed} not")
            if (checks.passed, checks.failed) == (passed, failed):
                checks.check(what, "nothing was tried")
    print(f"signed by twilio {library_version}: a call of {len(whole_call().pairs())} fields, "
          f"a text of {len(whole_text().pairs())}")
    checks.end("service")


def plain(checks, binary):
    with Server(checks, binary, token=TOKEN) as server:
        every_request(checks, server)
        routes(checks, server)
        odd_requests(checks, server)
        refusals(checks, server)
        ports(checks, server, server.address)
        one_connection(checks, server)
        sent(checks, server)


if __name__ == "__main__":
    main()
