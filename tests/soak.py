#!/usr/bin/env python3
"""Steady signed load on the real program, and its memory and descriptors over time.

    tests/soak.py [--seconds 1200] [--rate 100] [--binary target/release/twiml-responder] [--memory-ratio 1.1]

Calls and texts, over connections that stay and over new ones; one in twenty has a wrong signature and must be refused.
Prints a line every so often, then start against end. Exit code 1 when an answer is wrong, or when memory or descriptors
have grown: the first tenth of the time is for warming up.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.parse

TOKEN = "2bd9e9638872de601313dc77410d3b23"
HOST = "soak.example.com"
TOP = pathlib.Path(__file__).resolve().parents[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def signed(path, fields, token):
    text = f"http://{HOST}{path}" + "".join(name + value for name, value in sorted(fields.items()))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def fields(number):
    sid = f"{number:032x}"
    caller = f"+1415{number % 10_000_000:07d}"
    common = {"AccountSid": "AC" + "0" * 32, "From": caller, "To": "+15005550001"}
    if number % 3 == 0:
        return common | {"MessageSid": "SM" + sid, "Body": f"Text {number}"}
    return common | {"CallSid": "CA" + sid, "Called": common["To"], "Caller": caller, "Direction": "inbound"}


def ask(connection, number):
    """Whether the answer is as it should be."""
    is_forged = number % 20 == 7
    path = "/out-of-session" if number % 2 else "/webhook"
    form = fields(number)
    headers = {
        "Host": HOST,
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signed(path, form, "0" * 32 if is_forged else TOKEN),
    }
    connection.request("POST", path, urllib.parse.urlencode(form), headers)
    answer = connection.getresponse()
    body = answer.read()
    if is_forged:
        return answer.status == 403
    return answer.status == 200 and body.startswith(b"<?xml") and (b"</Response>" in body or b"<Response/>" in body)


def usage(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    try:
        return memory, len(os.listdir(f"/proc/{process.pid}/fd"))
    except PermissionError:
        return memory, 0  # The service shows them to root alone.


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=1200)
    parser.add_argument("--rate", type=int, default=100, help="requests a second")
    parser.add_argument("--binary", default=TOP / "target/release/twiml-responder")
    parser.add_argument("--table", default=TOP / "responses.toml")
    parser.add_argument("--memory-ratio", type=float, default=1.1)
    options = parser.parse_args()

    port = free_port()
    service = subprocess.Popen(
        [options.binary, "serve", "--table", options.table, "--listen", f"127.0.0.1:{port}"],
        env={"TWILIO_AUTH_TOKEN": TOKEN, "PATH": os.environ["PATH"]},
        stderr=subprocess.DEVNULL,
    )
    connect = lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    staying = connect()
    for _ in range(200):
        try:
            staying.connect()
            break
        except OSError:
            time.sleep(0.05)

    begin = time.monotonic()
    warm = options.seconds / 10
    every = max(options.seconds / 20, 1)
    number = failures = 0
    first, next_line = None, 0.0
    print("seconds  requests  wrong  memory KiB  descriptors", flush=True)
    while (elapsed := time.monotonic() - begin) < options.seconds:
        number += 1
        is_new = number % 4 == 0
        connection = connect() if is_new else staying
        try:
            failures += not ask(connection, number)
        except (OSError, http.client.HTTPException) as error:
            failures += 1
            print(f"request {number}: {error!r}", flush=True)
            staying.close()
        if is_new:
            connection.close()
        if elapsed >= warm and first is None:
            first = usage(service)
        if elapsed >= next_line:
            memory, descriptors = usage(service)
            print(f"{elapsed:7.0f}  {number:8}  {failures:5}  {memory:10}  {descriptors:11}", flush=True)
            next_line += every
        pause = begin + number / options.rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)

    last = usage(service)
    service.terminate()
    code = service.wait(timeout=30)
    first = first or last
    ratio = last[0] / first[0]
    print(f"{number} requests, {failures} wrong; exit code {code}")
    print(f"memory {first[0]} -> {last[0]} KiB, {ratio:.3f}; descriptors {first[1]} -> {last[1]}")
    is_flat = ratio <= options.memory_ratio and last[1] <= first[1] + 2
    return 0 if is_flat and failures == 0 and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
