"""Restarts the service twenty times under load, on a socket that somebody else holds, and counts what failed: nothing may.

    python tests/packaging/restart.py BINARY [RESTARTS]
"""

import http.client
import sys

from held import LONG, Held, Load


def run(binary, restarts, keeps_connections):
    kind = "kept connections" if keeps_connections else "a connection a request"
    with Held(binary) as service:
        connect = lambda: http.client.HTTPConnection("127.0.0.1", service.port, timeout=LONG)
        url = f"http://127.0.0.1:{service.port}/out-of-session"
        codes = []
        with Load(connect, url, 8, keeps_connections) as load:
            for _ in range(restarts):
                load.wait_for(100)
                codes.append(service.stop())
                service.start()
            load.wait_for(100)
        codes.append(service.stop())
        failed = load.failed + [f"exit code {code}" for code in codes if code != 0]
        print(f"{kind}: {restarts} restarts, {load.answered} answered, {load.again} asked again, {len(failed)} failed")
        if failed:
            print(*failed[:5], service.said()[-2000:], sep="\n")
        return not failed


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    results = [run(sys.argv[1], count, keeps) for keeps in (False, True)]
    sys.exit(0 if all(results) else 1)
