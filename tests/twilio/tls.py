"""Asks the running service over TLS, changes its certificate while it runs, and ends it by two signals.

    python tests/twilio/tls.py BINARY

Requests are signed by Twilio's Python library for an https URL. Exit code 1 when anything is not as it should be.
"""

import http.client
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from day import free_address, metric
from service import CALLED, LONG, TOKEN, Checks, Fields, Server, unless
from twilio.request_validator import RequestValidator


def make_certificate(folder, name, days):
    """A certificate for localhost that vouches for itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-days", str(days), "-out", certificate, "-keyout", key]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def ask(port, trusted):
    """The status of a signed call over TLS, and the certificate that was shown."""
    context = ssl.create_default_context(cafile=trusted)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=LONG)
    fields = Fields([("CallSid", "CA00000000000000000000000000000001"), ("Called", CALLED)])
    signature = RequestValidator(TOKEN).compute_signature(f"https://localhost:{port}/webhook", fields)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/webhook", fields.encoded(), headers)
    shown = connection.sock.getpeercert(binary_form=True)
    status = connection.getresponse().status
    connection.close()
    return status, shown


def der(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())


def certificates(checks, binary, folder):
    first, second, other = [make_certificate(folder, name, days) for name, days in [("first", 30), ("second", 60), ("other", 90)]]
    certificate, key = folder / "live.pem", folder / "live.key"

    def put(pair):
        certificate.write_bytes(pair[0].read_bytes())
        key.write_bytes(pair[1].read_bytes())

    put(first)
    admin = free_address()

    def expiry(pair):
        shown = metric(admin, "certificate_expiry_timestamp_seconds")
        end = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", pair[0]], check=True, capture_output=True, text=True)
        return unless(shown, ssl.cert_time_to_seconds(end.stdout.strip().removeprefix("notAfter=")), "expiry")

    with Server(checks, binary, "--tls-cert", str(certificate), "--tls-key", str(key), "--admin", admin, token=TOKEN) as server:
        status, shown = ask(server.port, first[0])
        checks.check("a signed call over TLS", unless(status, 200, "status"), unless(shown, der(first[0]), "certificate"), expiry(first))
        put(second)
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + LONG
        while True:
            try:
                status, shown = ask(server.port, second[0])
                break
            except ssl.SSLCertVerificationError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        checks.check("after SIGHUP the new certificate", unless(status, 200, "status"), unless(shown, der(second[0]), "certificate"), expiry(second))
        key.write_bytes(other[1].read_bytes())
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("live.key")
        status, shown = ask(server.port, second[0])
        checks.check("a key of another certificate changes nothing", unless(status, 200, "status"), unless(shown, der(second[0]), "certificate"), expiry(second))
        try:
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG).request("GET", "/webhook")
        except OSError:
            pass
        status, _ = ask(server.port, second[0])
        checks.check("after somebody without TLS", unless(status, 200, "status"))


def second_signal(checks, binary):
    for signals in [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)]:
        server = Server(checks, binary, "--drain-delay", "60s", token=TOKEN)
        server.__enter__()
        begin = time.monotonic()
        server.process.send_signal(signals[0])
        server.wait_for("still accepting connections")
        ended = server.process.poll()
        server.process.send_signal(signals[1])
        code = server.process.wait(timeout=LONG)
        seconds = time.monotonic() - begin
        checks.check(
            f"{signals[0].name} and {signals[1].name} during a drain of a minute",
            None if ended is None else f"the first signal ended it with {ended}",
            None if seconds < LONG else f"it took {seconds:.0f} s",
            None if code is not None else "no exit code",
        )
        print(f"{signals[0].name}, {signals[1].name}: exit code {code}")


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        checks.attempt("certificates", lambda: certificates(checks, sys.argv[1], Path(folder)))
    checks.attempt("a second signal", lambda: second_signal(checks, sys.argv[1]))
    checks.end("tls")


main()
