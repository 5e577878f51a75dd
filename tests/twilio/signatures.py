"""Holds the running service against Twilio's own libraries: who takes which random request for Twilio's.

    python tests/twilio/signatures.py BINARY [--cases 3000] [--seed 1] [--node FOLDER | --signalwire FOLDER]

URLs, forms and JSON bodies are random, signed by the Python library and then often altered. What the service says must be what
RequestValidator says, but for the differences that are named below, each of which is counted. With `--node`, a folder in
which `npm install twilio` was run, Node's library is asked as well; with `--signalwire`, one in which
`npm install @signalwire/compatibility-api` was run, the requests are SignalWire's and its library is asked. Exit code 1 when
anything else differs.
"""

import argparse
import collections
import hashlib
import http.client
import json
import os
import random
import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote, quote_plus

from service import ACCOUNT, CALL, OTHER_TOKEN, SESSION, TEXT, TOKEN, Checks, Fields, Server
from twilio.request_validator import RequestValidator

# Every name has seen as many of these as make a difference: order, repeats, prefixes of one another, other scripts.
NAMES = sorted({name for name, _ in CALL + TEXT + SESSION}) + [
    "", " ", "a", "A", "b", "a.b", "a b", "Reason", "ReasonConferenceEnded", "MediaUrl10", "Å", "A\u030a", "ﬀ", "名", "x%20y", "+", "&=",
]
VALUES = [
    "", " ", "+15005550006", "0", "a", "b", "&", "=", "%", "%41", "+", "a+b", "ünï", "e\u0301", "👋🏽", "\r\n", "\n", "\t", "\0", "'\"<>",
    "名前", "\ufeff", "\u2028", "x" * 1600, ACCOUNT,
]
HOSTS = ["example.com", "EXAMPLE.com", "a-b.example.co.uk", "localhost", "192.0.2.7", "[2001:db8::1]", "xn--bcher-kva.example"]
PORTS = ["", "", "", ":443", ":80", ":8443", ":65535"]
QUERIES = [
    "", "", "", "?", "?step=lost", "?a=1&b=2", "?b=2&a=1", "?a=%2b+%20", "?a=%2B", "?flag&x=", "?a='b'", "?a=%27b%27", "?a=b?c", "?a=/",
    "?a=;b", "?a=%", "?a=%zz", "?a=~!*()", "?campaign=spring&campaign=autumn", "?a=%C3%BC", "?&", "?=",
]


def utf_16(pair):
    return [text.encode("utf-16-be") for text in pair]


class Case:
    """A request as it comes in, and what it was signed for."""

    def __init__(self, random):
        self.random = random
        self.scheme = random.choice(["https", "https", "http"])
        self.host = random.choice(HOSTS) + random.choice(PORTS)
        self.is_json = random.random() < 0.15
        self.path = "/events" if self.is_json else random.choice(["/out-of-session", "/webhook", "/webhook/"])
        self.query = random.choice(QUERIES)
        self.pairs, self.body = [], b""
        if self.is_json:
            self.body = json.dumps({"id": random.randrange(10**9), "text": random.choice(VALUES)}).encode()
            digest = hashlib.sha256(self.body).hexdigest()
            self.query += ("&" if "?" in self.query else "?") + "bodySHA256=" + random.choice([digest] * 9 + [digest.upper()])
        else:
            count = random.choice([0, 1, 2, 3, 10, 60, 150])
            self.pairs = [(random.choice(NAMES), random.choice(VALUES)) for _ in range(count)]
        self.signature = self.signed()
        self.alter()

    @property
    def url(self):
        return f"{self.scheme}://{self.host}{self.path}{self.query}"

    def signed(self):
        """The signature for this request, or for one that differs a little."""
        scheme, host, token = self.scheme, self.host, self.random.choice([TOKEN] * 15 + [OTHER_TOKEN])
        name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "")
        host = self.random.choice([host] * 4 + [name, f"{name}:443", f"{name}:80", f"{name}:8443", "other.example"])
        scheme = self.random.choice([scheme] * 9 + ["http"])
        query = self.random.choice([self.query] * 9 + ["", self.query.replace("'", "%27"), self.query + "&c=3"])
        fields = Fields(self.pairs)
        return RequestValidator(token).compute_signature(f"{scheme}://{host}{self.path}{query}", fields)

    def alter(self):
        """Changes the request behind the back of its signature, or in a way that must not count."""
        what = self.random.randrange(20)
        if self.is_json:
            if what < 4:
                self.body += b" "
        elif what == 0 and self.pairs:
            self.pairs.pop(self.random.randrange(len(self.pairs)))
        elif what == 1:
            self.pairs.append((self.random.choice(NAMES), self.random.choice(VALUES)))
        elif what == 2 and self.pairs:
            self.pairs.append(self.random.choice(self.pairs))
        elif what == 3:
            self.random.shuffle(self.pairs)
        elif what == 4:
            place = self.random.randrange(len(self.signature))
            self.signature = self.signature[:place] + self.random.choice("aZ0+/=") + self.signature[place + 1 :]
        elif what == 5:
            self.signature = self.random.choice([self.signature[:-1], self.signature + "=", self.signature.lower(), "=", "A"])

    def form(self):
        """The fields as some sender writes them."""
        escaped = [quote_plus, quote, lambda text: "".join(f"%{byte:02x}" for byte in text.encode())]
        write = self.random.choice(escaped)
        return "&".join(f"{write(name)}={write(value)}" for name, value in self.pairs).encode()

    def python(self):
        """What the Python library says."""
        parameters = self.body.decode() if self.is_json else Fields(self.pairs)
        return RequestValidator(TOKEN).validate(self.url, parameters, self.signature)

    def ours(self, connection, header):
        """What the service says; its whole answer, when that is neither yes nor no."""
        body = self.body if self.is_json else self.form()
        headers = {
            "Host": "inner.example",
            "X-Forwarded-Proto": self.scheme,
            "X-Forwarded-Host": self.host,
            header: self.signature,
            "Content-Type": "application/json" if self.is_json else "application/x-www-form-urlencoded",
        }
        connection.request("POST", self.path + self.query, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status == 200 or (self.is_json and said.startswith(b"the body must be an array")):
            return True
        return False if answer.status == 403 else f"{answer.status} {said!r}"

    def for_node(self):
        case = {"url": self.url, "signature": self.signature}
        return json.dumps(case | ({"body": self.body.decode()} if self.is_json else {"pairs": self.pairs}))

    def differs_from_python(self):
        """The known difference that this request can show, if any."""
        if self.host.startswith("["):
            return "Python cuts an IPv6 host at its first colon"
        if self.url.endswith("?"):
            return "Python takes the `?` of an empty query away"
        return None

    def differs_from_node(self):
        if sorted(self.pairs) != sorted(self.pairs, key=utf_16):
            return "Node sorts by the units of UTF-16"
        if self.query and re.search(r"[^A-Za-z0-9=&?.-]", self.query):
            return "Node writes a query anew, in two ways more"
        if self.query:
            return "Node reads a query anew"
        if self.host != self.host.lower():
            return "Node writes a host in lower case"
        return self.differs_from_python() and "Node knows IPv6"

    def differs_from_signalwire(self):
        if len({name for name, _ in self.pairs}) < len(self.pairs):
            return "SignalWire takes the values of a repeated name as they come"
        return self.differs_from_node()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--node", type=Path)
    parser.add_argument("--signalwire", type=Path)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    checks, known, taken = Checks(), collections.Counter(), 0

    def held(library, case, theirs, ours, difference):
        is_known = theirs != ours and isinstance(ours, bool) and difference
        if is_known:
            known[f"{difference}: we say {ours}"] += 1
        fault = None if theirs == ours or is_known else f"{library} says {theirs}, we say {ours}: {case.url} {case.for_node()[:2000]}"
        checks.check(f"{library} and we agree", fault)

    cases, said = [], []
    header, library, token = "X-Twilio-Signature", "twilio", TOKEN
    with tempfile.TemporaryDirectory() as folder:
        options = ["--journal", f"{folder}/journal"]
        if arguments.signalwire:
            # What Twilio signs with is there as well, and must not count.
            header, library, token = "X-SignalWire-Signature", "@signalwire/compatibility-api", OTHER_TOKEN
            secrets = Path(folder, "secrets")
            secrets.write_text(f"signalwire {TOKEN}\n")
            options += ["--auth-token-file", str(secrets)]
        with Server(checks, arguments.binary, *options, token=token) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            for _ in range(arguments.cases):
                case = Case(generator)
                ours = case.ours(connection, header)
                taken += ours is True
                held("Python", case, case.python(), ours, case.differs_from_python())
                cases.append(case)
                said.append(ours)
    modules = arguments.node or arguments.signalwire
    if modules:
        script = Path(__file__).with_name("signatures.cjs")
        environment = os.environ | {"NODE_PATH": str(modules / "node_modules")}
        lines = "".join(case.for_node() + "\n" for case in cases)
        command = ["node", script, library, TOKEN]
        node = subprocess.run(command, input=lines, env=environment, capture_output=True, text=True, check=True)
        for case, theirs, ours in zip(cases, node.stdout.split(), said, strict=True):
            difference = case.differs_from_signalwire() if arguments.signalwire else case.differs_from_node()
            held(f"npm's {library}", case, theirs == "true", ours, difference)
    checks.check("a good part is accepted, and a good part is not", None if 0.2 < taken / arguments.cases < 0.8 else taken)
    print(f"{arguments.cases} requests, of which {taken} were accepted. Known differences:")
    print(*(f"{count:8} {what}" for what, count in known.most_common()), sep="\n")
    checks.end("signatures")


main()
