#!/usr/bin/env python3
"""Makes a profile of the program at its work, for a build that is faster and smaller by it.

    packaging/profile.py FILE

Builds the program with counters, lets it answer requests as an installation does, and merges what was
counted into FILE. `PROFILE=FILE packaging/deb.sh` builds the package by it. Needs cargo, and llvm-profdata of the same
Rust: `rustup component add llvm-tools`. The same FILE gives the same program; no two profiles are quite the same, so keep
it with what was built by it. Another version of Rust, or of the program, needs another.
"""

import base64
import hashlib
import hmac
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "0123456789abcdef0123456789abcdef"
URL = "https://twilio.example.com"
LONG = 60  # Seconds that anything may take but a build.

CONNECTIONS = 64
ROUNDS = 600
# Beside those of the sample table. Few: what compiles a table is not to be counted as what answers a request.
ROUTES = 100
ROWS = 100

NUMBER = "+15005550006"
CALLER = "+14155550100"
PLACES = {"City": "SAN FRANCISCO", "State": "CA", "Zip": "94103", "Country": "US"}
SIDES = {
    side + name: value
    for side, number in [("Called", NUMBER), ("To", NUMBER), ("Caller", CALLER), ("From", CALLER)]
    for name, value in [("", number), *PLACES.items()]
}
SESSION = {
    "sessionSid": "KC00000000000000000000000000000001",
    "sessionAccountSid": "AC00000000000000000000000000000001",
    "sessionServiceSid": "KS00000000000000000000000000000001",
    "sessionUniqueName": "ride-1",
    "sessionStatus": "closed",
    "sessionMode": "voice-and-message",
    "sessionClosedReason": "api",
    "sessionDateCreated": "2026-01-02T03:04:05Z",
    "sessionDateEnded": "2026-01-02T04:04:05Z",
    "ttl": "3600",
} | {
    side + name: value
    for side in ("inboundParticipant", "outboundParticipant")
    for name, value in [
        ("Sid", "KP00000000000000000000000000000001"),
        ("Identifier", CALLER),
        ("ProxyIdentifier", NUMBER),
        ("ProxyIdentifierSid", "PN00000000000000000000000000000001"),
        ("FriendlyName", "Rider & driver"),
        ("DateCreated", "2026-01-02T03:04:05Z"),
    ]
}
ACCOUNT = {"AccountSid": "AC00000000000000000000000000000001", "ApiVersion": "2010-04-01"}
CALL = ACCOUNT | SIDES | SESSION | {
    "CallStatus": "ringing",
    "CallToken": "%7B%22parentCallInfoToken%22%3A%22eyJhbGciOiJFUzI1NiJ9.eyJjYWxsU2lkIjoiQ0EwMDAwMDAwMDAwMDA%22%7D",
    "Direction": "inbound",
    "StirVerstat": "TN-Validation-Passed-A",
}
TEXT = ACCOUNT | SESSION | {name: value for name, value in SIDES.items() if name.startswith(("To", "From"))} | {
    "SmsStatus": "received",
    "Body": "Lost: my umbrella",
    "NumMedia": "0",
    "NumSegments": "1",
}
INTERACTION = {
    "interactionSid": "KI00000000000000000000000000000001",
    "interactionAccountSid": "AC00000000000000000000000000000001",
    "interactionSessionSid": "KC00000000000000000000000000000001",
    "interactionType": "Message",
    "interactionData": '{"body":"see you at 9"}',
}


def table(folder):
    """The sample table with many routes more, and a directory of many rows."""
    text = (ROOT / "responses.toml").read_text(encoding="utf-8")
    text += '\n[directory.sellers]\nfile = "sellers.csv"\n\n[[route]]\nname = "seller"\nwhen = { Called = { in = "sellers" } }\n'
    text += 'voice = [ { Say = "You have reached {{ sellers.name }}." } ]\n'
    for route in range(ROUTES):
        text += f'\n[[route]]\nname = "route-{route}"\nwhen = {{ Called = "+1999{route:07}", Direction = "inbound" }}\n'
        text += f'voice = [ {{ Say = "This is number {route}.", language = "en-US" }}, {{ Hangup = "" }} ]\n'
    (folder / "responses.toml").write_text(text, encoding="utf-8")
    rows = "".join(f"+1888{row:07},Seller {row}\n" for row in range(ROWS))
    (folder / "sellers.csv").write_text("number,name\n" + rows, encoding="utf-8")


def requests():
    """Signed requests without end, each with a SID of its own, for the loop guard does not answer one that comes back."""
    for count in itertools.count():
        path, fields = "/out-of-session", CALL | {"CallSid": f"CA{count:032x}"}
        match count % 16:
            case 1 | 2:
                fields = fields | {"Called": f"+1999{count % ROUTES:07}", "To": f"+1999{count % ROUTES:07}"}
            case 3:
                fields = fields | {"Called": f"+1888{count % ROWS:07}", "To": f"+1888{count % ROWS:07}"}
            case 5 | 6:
                fields = TEXT | {"MessageSid": f"SM{count:032x}", "From": f"+1415{count:07}"}
            case 7:
                path = "/webhook"
            case 11:
                path, fields = "/intercept", INTERACTION
        url = URL + path
        signed = url + "".join(name + value for name, value in sorted(fields.items()))
        signature = base64.b64encode(hmac.digest(TOKEN.encode(), signed.encode(), hashlib.sha1)).decode()
        body = urlencode(fields)
        yield (
            f"POST {path} HTTP/1.1\r\nHost: twilio.example.com\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n"
            f"Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nContent-Length: {len(body)}\r\n"
            f"X-Twilio-Signature: {signature}\r\nI-Twilio-Idempotency-Token: {count:036}\r\nX-Home-Region: us1\r\n\r\n{body}"
        ).encode()


def answer(connection):
    """Reads an answer to its end."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += more(connection)
    head, _, body = read.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 204")):
        sys.exit(f"an answer that is none: {read.decode(errors='replace')}")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += more(connection)


def more(connection):
    piece = connection.recv(65536)
    if not piece:
        sys.exit("the service has closed a connection")
    return piece


def serve(program, folder, counts, options, is_for_journal):
    """Lets the service answer, and end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TWI")}
    environment |= {"TWILIO_AUTH_TOKEN": TOKEN, "LLVM_PROFILE_FILE": f"{counts}/%p.profraw"}
    with open(folder / "log", "w+b") as log:
        if is_for_journal:
            stream = os.fstat(log.fileno())
            environment["JOURNAL_STREAM"] = f"{stream.st_dev}:{stream.st_ino}"
        arguments = ["serve", "--public-url", URL, "--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0", *options]
        service = subprocess.Popen([program, *arguments], cwd=folder, env=environment, stderr=log)
        try:
            connections = [connect(port, service) for _ in range(CONNECTIONS)]
            waiting = requests()
            for _ in range(ROUNDS):
                for connection in connections:
                    connection.sendall(next(waiting))
                for connection in connections:
                    answer(connection)
            for connection in connections:
                connection.close()
            service.send_signal(signal.SIGTERM)
            if service.wait(LONG) != 0:
                sys.exit(f"the service has ended with {service.returncode}")
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-4000:])
            raise
        finally:
            if service.poll() is None:
                service.kill()
                service.wait()


def connect(port, service):
    end = time.monotonic() + LONG
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=LONG)
        except ConnectionRefusedError:
            if service.poll() is not None or time.monotonic() > end:
                sys.exit("the service does not start")
            time.sleep(0.01)


def main(output):
    for tool in ("cargo", "rustc"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: install Rust from https://rustup.rs")
    # Said before the build, which takes minutes.
    if not output.parent.is_dir():
        sys.exit(f"{output.parent} is no folder")
    libraries = subprocess.run(["rustc", "--print", "target-libdir"], check=True, stdout=subprocess.PIPE, text=True).stdout
    merge = Path(libraries.strip()).parent / "bin/llvm-profdata"
    if not merge.exists():
        sys.exit(f"{merge} is missing: rustup component add llvm-tools")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "profile"
    with tempfile.TemporaryDirectory() as temporary:
        folder, counts = Path(temporary) / "table", Path(temporary) / "counts"
        # Always the same folder, or cargo would build all anew. What counts into it are the build's own programs.
        flags = f"{os.environ.get('RUSTFLAGS', '')} -Cprofile-generate={target}/of-the-build".strip()
        environment = os.environ | {"RUSTFLAGS": flags, "CARGO_TARGET_DIR": str(target)}
        subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, env=environment, check=True)
        program = target / "release/twiml-responder"
        folder.mkdir()
        table(folder)
        serve(program, folder, counts, [], False)
        serve(program, folder, counts, ["--journal", "journal"], True)
        counted = sorted(counts.glob("*.profraw"))
        if not counted:
            sys.exit(f"{program} has counted nothing")
        subprocess.run([merge, "merge", "--output", output, *counted], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]).resolve())
    except OSError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} has failed")
