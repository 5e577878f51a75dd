"""Prints what a keystroke costs in `lsp`: bytes and milliseconds of completion and diagnostics.

    figures.py BINARY

On tables of 100, 5,000 and 20,000 lines. It measures and does not judge: a busy machine makes every figure larger.
"""

import json
import statistics
import subprocess
import sys
import time

LINES = (100, 5_000, 20_000)
KEYSTROKES = 9


def table(lines):
    """A table of so many lines: routes of eight lines, and a test of five for every fourth."""
    parts = ['[directory.rides]\nnumbers = ["+14155550100", "+1415555*"]\n\n'
             '[default]\nvoice = [ { Say = "Goodbye." } ]\nmessage = [ { Message = "Goodbye." } ]\n']
    count = 7
    number = 0
    while count < lines:
        number += 1
        parts.append(
            f'\n[[route]]\nname = "route-{number}"\nwhen = {{ Called = "+1650{number:07}", Direction = "inbound" }}\n'
            'voice = [\n  { Say = "Hello 🙂, this is {{ Called | spell }}." },\n'
            '  { Dial = "+15005550006", timeout = 20 },\n]\n')
        count += 8
        if number % 4 == 0:
            parts.append(f'\n[[test]]\nname = "test-{number}"\nrequest = {{ Called = "+1650{number:07}", Direction = "inbound" }}\n'
                         f'expect = "route-{number}"\n')
            count += 5
    return "".join(parts)


class Server:
    """The server, asked and answered in turn."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.id = 0

    def send(self, **message):
        text = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(text) + text)
        self.process.stdin.flush()
        return len(text)

    def receive(self, is_it):
        """The next message of a kind, and its bytes."""
        while True:
            length = 0
            while line := self.process.stdout.readline().strip():
                length = int(line.split(b":")[1])
            message = json.loads(self.process.stdout.read(length))
            if is_it(message):
                return message, length

    def ask(self, method, **params):
        self.id += 1
        wanted = self.id
        self.send(id=wanted, method=method, params=params)
        return self.receive(lambda message: message.get("id") == wanted)

    def diagnostics(self):
        return self.receive(lambda message: message.get("method") == "textDocument/publishDiagnostics")


def timed(action):
    """The bytes of an answer, and how many milliseconds it took."""
    begun = time.perf_counter()
    _, size = action()
    return size, (time.perf_counter() - begun) * 1000


def measure(program, lines):
    """The bytes and milliseconds of each kind of answer while somebody types into the last reply of a table."""
    text = table(lines)
    uri = "untitled:responses.toml"
    server = Server(program)
    server.ask("initialize", capabilities={})
    document = {"uri": uri, "languageId": "toml", "version": 0, "text": text}
    server.send(method="textDocument/didOpen", params={"textDocument": document})
    server.diagnostics()
    last, reply = next((number, line) for number, line in reversed(list(enumerate(text.split("\n")))) if "Hello" in line)
    # The smile counts twice.
    field = {"line": last, "character": reply.index("Called") + 1}
    behind = {"line": last, "character": field["character"] + 1}
    quote = {"line": last, "character": reply.index("Hello")}
    behind_quote = {"line": last, "character": quote["character"] + 1}
    found = {what: [] for what in ("a letter", "completion", "diagnostics", "diagnostics, not TOML", "verdicts")}

    def change(start, end, new):
        version = document["version"] = document["version"] + 1
        return server.send(method="textDocument/didChange", params={
            "textDocument": {"uri": uri, "version": version},
            "contentChanges": [{"range": {"start": start, "end": end}, "text": new}]})

    for _ in range(KEYSTROKES):
        # A letter of a parameter's name, what could be meant, and then what is wrong.
        found["a letter"].append((change(field, field, "x"), 0))
        found["diagnostics"].append(timed(server.diagnostics))
        change(field, behind, "")
        found["diagnostics"].append(timed(server.diagnostics))
        ask = lambda: server.ask("textDocument/completion", textDocument={"uri": uri}, position=field)
        found["completion"].append(timed(ask))
        # A quote in the middle of a text.
        change(quote, quote, '"')
        found["diagnostics, not TOML"].append(timed(server.diagnostics))
        change(quote, behind_quote, "")
        server.diagnostics()
        found["verdicts"].append(timed(lambda: server.ask("textDocument/codeLens", textDocument={"uri": uri})))
    server.process.stdin.close()
    server.process.wait()
    return found


def main():
    [program] = sys.argv[1:]
    print(f"{'lines':>7}  {'what':<22}  {'bytes':>9}  {'median ms':>9}  {'worst ms':>9}")
    for lines in LINES:
        for what, figures in measure(program, lines).items():
            sizes, times = zip(*figures)
            print(f"{lines:>7,}  {what:<22}  {max(sizes):>9,}  {statistics.median(times):>9.1f}  {max(times):>9.1f}")


main()
