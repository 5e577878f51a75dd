"""Plays what Kubernetes does to two pods behind a load balancer, under load: the ConfigMap of each gets another table, and each pod
is replaced by a new one. No request may fail, and none may get what neither table says.

    python tests/packaging/rolling.py BINARY [REQUESTS]
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from held import LONG, TOKEN, Load
from proxies import BASE, PATH, Proxy, free_port, nginx

DRAIN_DELAY = 2  # Seconds in which a pod that ends still gets requests.


def table(number):
    return ('[default]\nvoice = [ { Say = "nothing" } ]\n\n[[route]]\nname = "route"\n'
            f'voice = [ {{ Say = "table {number}" }} ]\n')


class Pod:
    """A service on ports of its own, whose table and secret are in volumes that are swapped as the kubelet swaps them."""

    def __init__(self, binary, folder, number):
        self.folder, self.port, self.admin = folder, free_port(), free_port()
        folder.mkdir()
        self.put(number)
        for name in ("responses.toml", "auth-token"):
            (folder / name).symlink_to(f"..data/{name}")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TWI")}
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}",
             "--table", str(folder / "responses.toml"), "--auth-token-file", str(folder / "auth-token"),
             "--public-url", BASE, "--drain-delay", f"{DRAIN_DELAY}s", "--journal", "-"],
            env=environment, stdout=subprocess.DEVNULL, stderr=self.log)
        self.wait_until(lambda: self.ready() == 200)

    def put(self, number):
        """Puts a table in place, in the three steps of the kubelet: a new folder, a new link, a rename."""
        new = self.folder / f"..{number}-{time.monotonic_ns()}"
        new.mkdir()
        (new / "responses.toml").write_text(table(number))
        (new / "auth-token").write_text(TOKEN)
        (self.folder / "..data_tmp").symlink_to(new.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=LONG) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def has_reloaded(self, times):
        return (self.folder / "log").read_text().count(" reloaded ") >= times

    def wait_until(self, is_so):
        end = time.monotonic() + LONG
        while not is_so():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"a pod does not come to what it should:\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.02)


def send_to(proxy, pods):
    """Tells nginx of other pods, as a Service's endpoints change."""
    folder = Path(proxy.temporary.name)
    nginx(folder, proxy.port, [pod.port for pod in pods])
    proxy.process.send_signal(signal.SIGHUP)


def main(binary, requests):
    began = time.monotonic()
    allowed = {0}
    fits = lambda text: any(f">table {number}<" in text for number in list(allowed))
    swaps = updates = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = iter(range(1_000_000))
        new_pod = lambda number: Pod(binary, folder / f"pod-{next(names)}", number)
        pods = [new_pod(0), new_pod(0)]
        try:
            with Proxy(nginx, [pod.port for pod in pods]) as proxy, \
                    Load(proxy.connect, BASE + PATH, 4, True, fits) as load:
                number = 0
                while load.answered < requests or updates == 0:
                    # The ConfigMap changes: each kubelet sees it in its own time.
                    number += 1
                    allowed.add(number)
                    for pod in pods:
                        load.wait_for(50)
                        pod.put(number)
                        pod.wait_until(lambda: pod.has_reloaded(1))
                    # An answer that was on its way may still be of the table before.
                    load.wait_for(50)
                    allowed.discard(number - 1)
                    load.wait_for(50)
                    swaps += 1
                    # A rolling update: one more pod, then one less, twice.
                    for index in range(2):
                        old, pods[index] = pods[index], new_pod(number)
                        send_to(proxy, [*pods, old])
                        load.wait_for(50)
                        old.process.send_signal(signal.SIGTERM)
                        old.wait_until(lambda: old.ready() == 503)
                        # Meanwhile requests still come to it.
                        load.wait_for(20)
                        send_to(proxy, pods)
                        if (code := old.process.wait(LONG)) != 0:
                            load.failed.append(f"a pod ended with {code}")
                        updates += 1
                    if load.failed:
                        break
        finally:
            for pod in pods:
                if pod.process.poll() is None:
                    pod.process.kill()
    seconds = time.monotonic() - began
    print(f"{swaps} swaps of two tables, {updates} pods replaced, {seconds:.0f} s: {load.answered} answered, "
          f"{load.again} asked again on a new connection, {len(load.failed)} failed or fit no table")
    print(*load.failed[:5], sep="\n", end="\n" if load.failed else "")
    return not load.failed


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000) else 1)
