"""Tries the running service with too few descriptors, with thousands of idle connections and with slow clients.

    python tests/twilio/limits.py BINARY [--idle 10000]

Each time somebody else is answered meanwhile or afterwards. Exit code 1 when anything is not as it should be.
"""

import argparse
import http.client
import os
import resource
import socket
import time
from pathlib import Path

from service import Checks, Server, unless

FORM = "CallSid=CA00000000000000000000000000000001&Called=%2B15005550006"
HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
TICKS = os.sysconf("SC_CLK_TCK")


def ask(server, timeout=20):
    """The status of an answer on a connection of its own, and the milliseconds it took."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    begin = time.monotonic()
    connection.request("POST", "/webhook", FORM, HEADERS)
    status = connection.getresponse().status
    connection.close()
    return status, (time.monotonic() - begin) * 1000


def processor_seconds(server):
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def kilobytes(server):
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])


def connect(server, count):
    return [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(count)]


def started(checks, binary, descriptors, *arguments):
    """A server that may have so many descriptors."""
    server = Server(checks, binary, "--allow-unsigned", *arguments)
    server.command = ["prlimit", f"--nofile={descriptors}:{descriptors}", *server.command]
    return server


def few_descriptors(checks, binary):
    with started(checks, binary, 64) as server:
        clients = connect(server, 200)
        begin = processor_seconds(server)
        time.sleep(3)
        spent = processor_seconds(server) - begin
        for client in clients:
            client.close()
        status, _ = ask(server)
        lines = [line for line in server.read_log().splitlines() if "accept" in line]
        print(f"64 descriptors, 200 connections: {spent:.2f} s of processor in 3 s, {len(lines)} lines in the log")
        checks.check(
            "200 connections for 64 descriptors",
            None if spent < 1 else f"{spent} s of processor in 3 s",
            None if 1 <= len(lines) <= 5 else f"the log says of it: {lines[:10]}",
            unless(status, 200, "status afterwards"),
        )


def many_idle(checks, binary, wanted):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(wanted, most - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with started(checks, binary, most, "--max-connections", str(count + 10)) as server:
        before = kilobytes(server)
        clients = connect(server, count)
        status, milliseconds = ask(server)
        each = (kilobytes(server) - before) / count
        print(f"{count} idle connections: an answer beside them in {milliseconds:.0f} ms, {each:.1f} KiB each")
        checks.check(
            f"{count} idle connections",
            unless(status, 200, "status beside them"),
            None if each < 32 else f"{each} KiB each",
        )
        for client in clients:
            client.close()
    with started(checks, binary, most, "--max-connections", "100") as server:
        clients = connect(server, 150)
        time.sleep(1)
        status, _ = ask(server)
        checks.check("150 connections where 100 may be", unless(status, 200, "status of one more"))
        for client in clients:
            client.close()


def slow_clients(checks, binary):
    with started(checks, binary, 4096, "--max-connections", "300") as server:
        head = f"POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: {HEADERS['Content-Type']}\r\nContent-Length: 1000\r\n\r\n"
        in_heads, in_bodies = connect(server, 50), connect(server, 50)
        for client in in_bodies:
            client.sendall(head.encode())
        begin, answered, closed = time.monotonic(), [], {}
        while len(closed) < 100 and time.monotonic() - begin < 20:
            time.sleep(0.5)
            answered.append(ask(server)[0])
            for client in in_heads + in_bodies:
                if client in closed:
                    continue
                try:
                    client.sendall(b"a")
                    client.settimeout(0.001)
                    if client.recv(1000) == b"":
                        closed[client] = time.monotonic() - begin
                except TimeoutError:
                    pass
                except OSError:
                    closed[client] = time.monotonic() - begin
        print(f"100 slow clients: the last was closed after {max(closed.values(), default=0):.0f} s")
        checks.check(
            "clients that send two bytes a second",
            unless(len(closed), 100, "closed"),
            unless(set(answered), {200}, "others meanwhile"),
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--idle", type=int, default=10_000)
    arguments = parser.parse_args()
    checks = Checks()
    checks.attempt("few descriptors", lambda: few_descriptors(checks, arguments.binary))
    checks.attempt("many idle connections", lambda: many_idle(checks, arguments.binary, arguments.idle))
    checks.attempt("slow clients", lambda: slow_clients(checks, arguments.binary))
    checks.end("limits")


main()
