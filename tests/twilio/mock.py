"""Lets an independent mock of Twilio call and text a number whose webhook is the running service.

    python tests/twilio/mock.py BINARY FOLDER

FOLDER is one in which `npm install emulate@0.12.2 node@24` was run. The mock keeps accounts and numbers, makes the requests of
their calls and texts and signs them, all by code that is neither ours nor Twilio's. Between the two stands a relay that writes
down what was asked and answered. Exit code 1 when anything is not as it should be.
"""

import base64
import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

from service import LONG, OTHER_TOKEN, TOKEN, Checks, Server, unless

RECIPE = Path(__file__).parents[2] / "recipes" / "masked-pairs.toml"
ACCOUNT = "AC00000000000000000000000000000000"
OURS, RIDER, DRIVER, STRANGER = "+15005550001", "+14155550100", "+14155550101", "+14155550199"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Relay(http.server.ThreadingHTTPServer):
    """Hands requests on to the service, and keeps the last one with its answer."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.service = None
        self.last = None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.service, timeout=LONG)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        document = answer.read()
        self.server.last = self.command, answer.status, answer.getheader("Twiml-Route"), document
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type"))
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Mock:
    """The mock as a process, with one number of ours."""

    def __init__(self, folder, token, relay, method):
        webhook = f"{relay.url}/webhook"
        number = {
            "phone_number": OURS, "sms_url": webhook, "voice_url": webhook, "sms_method": method, "voice_method": method,
        }
        seed = {"twilio": {"account": {"sid": ACCOUNT, "auth_token": token}, "phone_numbers": [number]}}
        own_node = folder / "node_modules" / ".bin" / "node"
        command = [own_node if own_node.exists() else "node", Path(__file__).with_suffix(".mjs"), folder, json.dumps(seed)]
        self.port = free_port()
        self.token = token
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
            env=os.environ | {"PORT": str(self.port)},
        )
        if not self.process.stdout.readline().startswith("http"):
            raise RuntimeError("the mock does not start")

    def simulate(self, what, **fields):
        """Lets a call or a text come to the number; the mock's status."""
        credentials = base64.b64encode(f"{ACCOUNT}:{self.token}".encode()).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {credentials}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        connection.request("POST", f"/_twilio/simulate/inbound-{what}", urlencode(fields), headers)
        return connection.getresponse().status

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=LONG)


def tree(document):
    return [(verb.tag, dict(verb.attrib), [child.text for child in verb] or verb.text) for verb in ElementTree.fromstring(document)]


def tried(checks, mock, relay, method):
    def comes(what, route, wanted, **fields):
        relay.last = None
        status = mock.simulate(what, To=OURS, **fields)
        asked, answered, answered_by, document = relay.last or (None, None, None, b"<Response/>")
        checks.check(
            f"{method}: a {what} of {fields}", unless(status, 201, "the mock's status"), unless(asked, method, "method"),
            unless(answered, 200, "status"), unless(answered_by, route, "route"), unless(tree(document), wanted, "document"),
        )

    nobody = "This number is not in use right now"
    comes("call", "in-session", [
        ("Dial", {"timeout": "25", "callerId": OURS}, DRIVER), ("Say", {}, "No one can answer right now. Please try again later."),
    ], From=RIDER)
    comes("message", "in-session", [("Message", {"to": RIDER}, ["I am here: é & 日本 🚕"])], From=DRIVER, Body="I am here: é & 日本 🚕")
    comes("call", "default", [("Say", {}, f"{nobody}. Goodbye.")], From=STRANGER)
    comes("message", "default", [("Message", {}, f"{nobody}.")], From=STRANGER, Body="Hello?")
    comes("message", "loop-guard", [], From=RIDER, Body="STOP")


def main():
    checks = Checks()
    binary, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    relay = Relay()

    def play():
        with Server(checks, binary, "--table", str(RECIPE), "--public-url", relay.url, token=TOKEN) as server:
            relay.service = server.port
            for method in ["POST", "GET"]:
                mock = Mock(folder, TOKEN, relay, method)
                checks.attempt(method, lambda: tried(checks, mock, relay, method))
                mock.stop()
            # Another account's mock may say what it likes.
            mock = Mock(folder, OTHER_TOKEN, relay, "POST")
            mock.simulate("call", To=OURS, From=RIDER)
            mock.stop()
            _, status, _, document = relay.last
            checks.check("another token", unless(status, 403, "status"), unless(b"Response" in document, False, "TwiML"))

    checks.attempt("the mock", play)
    checks.end("mock")


if __name__ == "__main__":
    main()
