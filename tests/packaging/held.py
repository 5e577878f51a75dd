"""What the tests of this folder share: requests that Twilio's library has signed, and a service whose listening socket
somebody else holds, as systemd does with a socket unit."""

import http.client
import itertools
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

TABLE = Path(__file__).parents[2] / "responses.toml"
TOKEN = "0123456789abcdef0123456789abcdef"
LONG = 20  # Seconds that anything may take before it counts as failed.

CALL = {
    "AccountSid": "AC00000000000000000000000000000001",
    "ApiVersion": "2010-04-01",
    "CallSid": "CA00000000000000000000000000000001",
    "CallStatus": "ringing",
    "Called": "+15005550006",
    "Caller": "+14155550100",
    "To": "+15005550006",
    "From": "+14155550100",
    "Direction": "inbound",
    "sessionStatus": "closed",
}
ANSWER = "This ride has ended."


def headers(url, fields=None):
    """The headers of a request that Twilio signed for this URL; with fields it is a POST."""
    signature = RequestValidator(TOKEN).compute_signature(url, fields or {})
    given = {"X-Twilio-Signature": signature}
    if fields is not None:
        given["Content-Type"] = "application/x-www-form-urlencoded"
    return given


class Held:
    """A service on a socket that outlives it: what connects while no service runs waits, and is answered."""

    def __init__(self, binary, *options):
        self.binary, self.options = binary, options
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.socket.getsockname()[1]
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = None

    def start(self):
        """Starts the service; it need not be ready, its callers wait in the socket."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TWI")}
        environment |= {"TWILIO_AUTH_TOKEN": TOKEN, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "webhook"}
        # systemd's protocol: the descriptors begin with 3, and LISTEN_PID is the process that they are for.
        self.process = subprocess.Popen(
            ["bash", "-c", f'LISTEN_PID=$$ exec "$@" 3<&{self.socket.fileno()}', "bash", self.binary, "serve"]
            + ["--table", str(TABLE), *self.options],
            env=environment,
            pass_fds=[self.socket.fileno()],
            stderr=self.log,
        )

    def stop(self):
        """Ends the service as `systemctl stop` does, and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONG)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.socket.close()

    def said(self):
        self.log.seek(0)
        return self.log.read()


class Load:
    """Callers that ask without a pause, each on its own connection, until they are told to stop.

    A caller that keeps its connection may find it closed when it asks again; as every HTTP client does, it then asks
    once more on a new one. That is counted as `again` and is no failure; no other request is asked twice.
    """

    def __init__(self, connect, url, callers, keeps_connections, fits=lambda text: ANSWER in text):
        self.connect, self.url, self.keeps_connections, self.fits = connect, url, keeps_connections, fits
        self.answered, self.again, self.failed = 0, 0, []
        self.lock, self.calls = threading.Lock(), itertools.count(1)
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.call) for _ in range(callers)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join(2 * LONG)

    def wait_for(self, more):
        """Waits until so many more answers have come, or too long."""
        wanted, end = self.answered + more, time.monotonic() + LONG
        while self.answered < wanted and time.monotonic() < end:
            time.sleep(0.005)
        if self.answered < wanted:
            self.failed.append(f"no {more} answers within {LONG} s")

    def call(self):
        host, path = self.url.split("/", 3)[2], "/" + self.url.split("/", 3)[3]
        connection, is_used = None, False
        while not self.ends.is_set():
            # Each call has a SID of its own: one that comes back too often gets the loop guard's answer.
            call = CALL | {"CallSid": f"CA{next(self.calls):032x}"}
            body, given = urlencode(call), headers(self.url, call)
            try:
                if connection is None:
                    connection, is_used = self.connect(), False
                connection.request("POST", path, body, {**given, "Host": host})
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, http.client.HTTPException) as error:
                with self.lock:
                    if is_used:
                        self.again += 1
                    else:
                        self.failed.append(repr(error))
                connection = None
                continue
            with self.lock:
                if answer.status == 200 and self.fits(text):
                    self.answered += 1
                else:
                    self.failed.append(f"{answer.status} {text[:80]}")
            is_used = True
            if not self.keeps_connections or answer.will_close:
                connection.close()
                connection = None
