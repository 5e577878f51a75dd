"""Reads a container image with skopeo and runs it as a container is run: its root read-only, its user, its environment, its
program as process 1 in a network of its own. No container engine is needed, but root is.

    python tests/packaging/image.py ARCHIVE
"""

import fcntl
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from held import CALL, LONG, TOKEN, headers

passed = 0


def holds(what, is_so, found=""):
    global passed
    if not is_so:
        raise SystemExit(f"image: failed: {what}: {found}")
    passed += 1


def skopeo(*arguments):
    return json.loads(subprocess.run(["skopeo", "inspect", *arguments], check=True, capture_output=True).stdout)


def up_loopback():
    """Switches on the loopback of this network, which is new and has nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags_up = struct.pack("16sh", b"lo", 1)
        fcntl.ioctl(control, 0x8914, flags_up)  # SIOCSIFFLAGS


def unpacked(archive, root):
    """Lays out the image's files as they are in a container."""
    with tarfile.open(archive) as outer:
        [manifest] = json.load(outer.extractfile("manifest.json"))
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(name)) as layer:
                layer.extractall(root, numeric_owner=True)


class Container:
    def __init__(self, root, config, mounts):
        self.root, self.user = root, config["User"]
        self.environment = dict(variable.split("=", 1) for variable in config["Env"])
        prepare = [f"mount --bind {root} {root}"]
        for source, target in mounts.items():
            prepare.append(f"mount --bind {source} {root}{target}")
        prepare += [f"mount -o remount,bind,ro {root}", 'exec "$@"']
        command = ["unshare", "--mount", "--pid", "--fork", "sh", "-euc", "; ".join(prepare), "sh"]
        command += self.inside(config["Entrypoint"] + config["Cmd"])
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(command, env=self.environment, stderr=self.log)

    def inside(self, command):
        return ["/usr/sbin/chroot", f"--userspec={self.user}", str(self.root), *command]

    def run(self, command):
        """What `docker exec` does."""
        ran = subprocess.run(self.inside(command), env=self.environment, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    def first_process(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def said(self):
        self.log.seek(0)
        return self.log.read()


def ask(path, fields, url):
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=LONG)
    connection.request("POST", path, urlencode(fields), headers(url, fields))
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def drained(container):
    """A request whose body comes after SIGTERM is answered, and process 1 ends well."""
    body, url = urlencode(CALL), "http://127.0.0.1:8080/webhook"
    given = {"Host": "127.0.0.1:8080", "Content-Length": str(len(body)), **headers(url, CALL)}
    head = "POST /webhook HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in given.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", 8080), timeout=LONG) as connection:
        connection.sendall(head.encode() + body[:10].encode())
        # Process 1 gets only signals that it asks for.
        os.kill(container.first_process(), signal.SIGTERM)
        end = time.monotonic() + LONG
        while container.run(["/usr/bin/twiml-responder", "ready"])[0] == 0 and time.monotonic() < end:
            pass
        connection.sendall(body[10:].encode())
        answer = connection.makefile("rb").read().decode()
    return answer, container.process.wait(LONG)


def main(archive):
    config = skopeo("--raw", "--config", f"docker-archive:{archive}")["config"]
    labels = skopeo(f"docker-archive:{archive}")["Labels"]
    holds("the user", config["User"] == "65532:65532", config["User"])
    for label in ("title", "description", "licenses", "version", "revision"):
        holds("a label", labels.get(f"org.opencontainers.image.{label}"), label)
    holds("the health check", config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/twiml-responder", "ready"], config)
    holds("the ports", set(config["ExposedPorts"]) == {"8080/tcp", "9480/tcp"}, config)
    up_loopback()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        root, state, secrets = folder / "root", folder / "state", folder / "secrets"
        for path in (root, state, secrets):
            path.mkdir()
        unpacked(archive, root)
        (root / "run").mkdir(exist_ok=True)
        (secrets / "token").write_text(TOKEN)
        # A new volume has the owner of the folder that it covers.
        folder_in_image = (root / "var/lib/twiml-responder").stat()
        os.chown(state, folder_in_image.st_uid, folder_in_image.st_gid)
        config["Env"].append("TWIML_RESPONDER_AUTH_TOKEN_FILE=/run/token")
        container = Container(root, config, {state: "/var/lib/twiml-responder", secrets: "/run"})
        try:
            end = time.monotonic() + LONG
            code, said = container.run(config["Healthcheck"]["Test"][1:])
            while code != 0 and time.monotonic() < end:
                time.sleep(0.05)
                code, said = container.run(config["Healthcheck"]["Test"][1:])
            holds("it is ready", (code, said) == (0, "ok\n"), said + container.said())
            holds("it is process 1", "/usr/bin/twiml-responder" in Path(
                f"/proc/{container.first_process()}/cmdline").read_text(), "another")
            status = Path(f"/proc/{container.first_process()}/status").read_text()
            holds("it is nobody's root", "Uid:\t65532" in status, status)
            url = "http://127.0.0.1:8080/webhook"
            status, text = ask("/webhook", CALL, url)
            holds("a signed request", status == 200 and "not in use right now" in text, (status, text))
            status, text = ask("/webhook", CALL, url + "?other")
            holds("another's signature", status == 403, (status, text))
            end = time.monotonic() + LONG
            while not list(state.glob("last-good-*")) and time.monotonic() < end:
                time.sleep(0.05)
            holds("the last good table", list(state.glob("last-good-*")), container.said())
            code, said = container.run(["/usr/bin/twiml-responder", "explain", "--table",
                                        "/etc/twiml-responder/responses.toml", "--at", "2026-12-24T12:00[America/New_York]"])
            holds("time zones are inside", code == 0, said)
            answer, code = drained(container)
            holds("a request is answered while it ends", answer.startswith("HTTP/1.1 200 "), answer)
            holds("it ends well", code == 0, container.said())
        finally:
            container.process.kill()
    print(f"image: {passed} passed, 0 failed")


if __name__ == "__main__":
    if sys.argv[2:] != ["--inside"]:
        # A network of its own: the ports of the image may be taken on this machine.
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__, sys.argv[1], "--inside"])
    main(sys.argv[1])
