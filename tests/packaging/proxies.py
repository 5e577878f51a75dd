"""Puts nginx and Caddy, with the examples of packaging/, between a caller and the service, and asks as Twilio would.

    python tests/packaging/proxies.py BINARY

Needs nginx, caddy and openssl. Only what an operator writes is changed in the examples: certificate, ports. A
certificate authority is made for the run. Exit code 1 when anything is not as it should be.
"""

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from held import ANSWER, CALL, LONG, Held, Load, headers

PACKAGING = Path(__file__).parents[2] / "packaging"
HOST = "twilio.example.com"
BASE = f"https://{HOST}"
PATH = "/out-of-session"
KEY = "5f0c1d9a7be2463e8a4471d06c93b2fe"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def changed(text, changes):
    """The text with each pattern replaced, each of which must be there."""
    for pattern, by in changes:
        text, count = re.subn(pattern, lambda _, by=by: by, text)
        assert count, f"the example has no {pattern}"
    return text


def certificates(folder):
    """An authority and a certificate of it for HOST."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    new = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-x509", *new, "-keyout", "key.pem", "-out", "certificate.pem", "-subj", f"/CN={HOST}",
            "-addext", f"subjectAltName=DNS:{HOST}", "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", "ca.pem", "-CAkey", "ca.key")


def nginx(folder, port, upstreams):
    servers = " ".join(f"server 127.0.0.1:{upstream};" for upstream in upstreams)
    site = changed((PACKAGING / "nginx.conf").read_text(), [
        (r"server 127\.0\.0\.1:8080;", servers),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (r"listen \[::\]:443 ssl;", ""),
        (r"/etc/letsencrypt/live/twilio\.example\.com/fullchain\.pem", f"{folder}/certificate.pem"),
        (r"/etc/letsencrypt/live/twilio\.example\.com/privkey\.pem", f"{folder}/key.pem"),
    ])
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    (folder / "nginx.conf").write_text(
        f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/proxy.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{site}}}\n")
    return ["nginx", "-p", str(folder), "-e", f"{folder}/proxy.log", "-c", f"{folder}/nginx.conf"]


def caddy(folder, port, upstreams):
    servers = " ".join(f"127.0.0.1:{upstream}" for upstream in upstreams)
    site = changed((PACKAGING / "Caddyfile").read_text(), [
        (r"twilio\.example\.com \{", f"{BASE}:{port} {{\n\ttls {folder}/certificate.pem {folder}/key.pem"),
        (r"127\.0\.0\.1:8080", servers),
        (r"(?m)^\{$", "{\n\tadmin off\n\tauto_https off"),
    ])
    (folder / "Caddyfile").write_text(site)
    return ["caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


class Proxy:
    """A reverse proxy that runs with its example."""

    def __init__(self, write, upstreams):
        self.write, self.upstreams = write, upstreams

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory()
        folder = Path(self.temporary.name)
        folder.chmod(0o755)
        certificates(folder)
        self.port = free_port()
        command = self.write(folder, self.port, self.upstreams)
        self.output = (folder / "output").open("w+")
        environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        self.process = subprocess.Popen(command, env=environment, stdout=self.output, stderr=self.output)
        self.context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        end = time.monotonic() + LONG
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.output.seek(0)
                    raise SystemExit(f"{command[0]} does not start:\n{self.output.read()}")
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(LONG)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.temporary.cleanup()

    def logs(self):
        """All that the proxy has written so far."""
        folder = Path(self.temporary.name)
        return "".join(file.read_text(errors="replace") for file in folder.glob("*") if file.name in ("output", "proxy.log"))

    def connect(self):
        """A connection to the proxy as if HOST were its address."""
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=LONG, context=self.context)
        connection._create_connection = lambda address, *rest: socket.create_connection(("127.0.0.1", address[1]), *rest)
        return connection

    def ask(self, method, target, body=None, given=None):
        connection = self.connect()
        connection.request(method, target, body, {"Host": HOST, **(given or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


passed, failures = 0, []


def check(name, found, holds):
    global passed
    if holds(found):
        passed += 1
    else:
        failures.append(f"{name}: {found}")


def is_answer(found):
    return found[0] == 200 and ANSWER in found[1]


def requests(name, proxy):
    """What must hold for every proxy, whatever tells the service its public URL."""
    body, url = urlencode(CALL), BASE + PATH
    ask = lambda label, holds, *request: check(f"{name}: {label}", proxy.ask(*request), holds)
    refused = lambda found: found == (403, "signature does not match\n") or found == (403, "signature does not match")
    signed = headers(url, CALL)
    ask("a signed POST", is_answer, "POST", PATH, body, signed)
    ask("a slash at the end", is_answer, "POST", PATH + "/", body, headers(url + "/", CALL))
    ask("/webhook", is_answer, "POST", "/webhook", body, headers(BASE + "/webhook", CALL))
    # Bytes that a proxy may be tempted to decode or to write in another way.
    for query in ["a=%7e%2F%2f&b=x+y%20z", "step=&name=%C3%A9", "x=1&x=2&;=%3b"]:
        target = f"{PATH}?{query}"
        ask(f"the query {query}", is_answer, "POST", target, body, headers(BASE + target, CALL))
    target = f"{PATH}?{urlencode(CALL)}"
    ask("a signed GET", is_answer, "GET", target, None, headers(BASE + target))
    ask("a changed field", refused, "POST", PATH, body.replace("closed", "open"), signed)
    ask("a changed query", refused, "POST", PATH + "?a=1", body, signed)
    ask("another URL", refused, "POST", PATH, body, headers("https://evil.example.com" + PATH, CALL))
    ask("plain http as it was signed", refused, "POST", PATH, body, headers(f"http://{HOST}{PATH}", CALL))
    ask("no signature", lambda found: found[0] == 403, "POST", PATH, body,
        {"Content-Type": "application/x-www-form-urlencoded"})
    # Headers of a stranger that say what the proxy says.
    forged = {"X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "https"}
    ask("forged headers do harm to nobody", is_answer, "POST", PATH, body, {**signed, **forged})
    ask("forged headers do not help", refused, "POST", PATH, body,
        {**headers("https://evil.example.com" + PATH, CALL), **forged})
    ask("metrics are not for the world", lambda found: found[0] == 404, "GET", "/metrics")
    ask("a large body", lambda found: found[0] in (413, 502), "POST", PATH, "a=" + "b" * 300_000, signed)


def voice_webhooks(name, write, binary):
    """The key in the path reaches the service, and no log, not even when the service is away."""
    with tempfile.NamedTemporaryFile("w") as keys:
        keys.write(KEY)
        keys.flush()
        with Held(binary, "--voice-webhooks-key-file", keys.name) as service, Proxy(write, [service.port]) as proxy:
            for path, status in ((f"/voice-webhooks/{KEY}", 204), (f"/voice-webhooks/{KEY[::-1]}", 404)):
                found = proxy.ask("POST", path, "Event=Call.Initiate", {"Content-Type": "application/x-www-form-urlencoded"})
                check(f"{name}: {path[:20]}", found, lambda found: found[0] == status)
            service.stop()
            service.socket.close()
            found = proxy.ask("POST", f"/voice-webhooks/{KEY}", "Event=Call.Initiate")
            check(f"{name}: a voice webhook without a service", found, lambda found: found[0] in (502, 503, 504))
            logs = proxy.logs() + service.said()
            check(f"{name}: no key in a log", KEY in logs or KEY[::-1] in logs, lambda is_there: not is_there)


def restarts(name, proxy, service):
    for keeps in (False, True):
        with Load(proxy.connect, BASE + PATH, 4, keeps) as load:
            for _ in range(5):
                load.wait_for(50)
                service.stop()
                service.start()
            load.wait_for(50)
        print(f"{name}: 5 restarts, {load.answered} answered, {load.again} asked again, {len(load.failed)} failed")
        check(f"{name}: restarts under load", load.failed[:5], lambda failed: not failed)


def two(name, write, binary):
    """One of two services goes away, and comes back, under load."""
    with Held(binary) as one, Held(binary) as other, Proxy(write, [one.port, other.port]) as proxy:
        with Load(proxy.connect, BASE + PATH, 4, True) as load:
            load.wait_for(100)
            one.socket.close()
            one.stop()
            load.wait_for(300)
        print(f"{name}: one of two ended, {load.answered} answered, {load.again} asked again, {len(load.failed)} failed")
        check(f"{name}: two services", load.failed[:5], lambda failed: not failed)


def main(binary):
    for write in (nginx, caddy):
        name = write.__name__
        for options in ([], ["--public-url", BASE]):
            with Held(binary, *options) as service, Proxy(write, [service.port]) as proxy:
                requests(" ".join([name, *options]), proxy)
                if options:
                    restarts(name, proxy, service)
        voice_webhooks(name, write, binary)
    # Caddy asks a POST only once, so its example is for one service; nginx asks the other one.
    two("nginx", nginx, binary)
    print(*failures, sep="\n", end="\n" if failures else "")
    print(f"proxies: {passed} passed, {len(failures)} failed")
    sys.exit(1 if failures or not passed else 0)


if __name__ == "__main__":
    main(sys.argv[1])
