"""Holds random nested replies of the running service against what Twilio's own Python library writes for them.

    python tests/twilio/documents.py BINARY [--documents 1500] [--seed 1]

Replies of several verbs, with children in children, attributes, texts in many scripts and SSML, are drawn from
src/twilio/vocabulary.json. What `check` finds wrong with is put aside; the others are served, and each document must be the same
XML as the library's. Exit code 1 when one differs, or when an element or an attribute never came.
"""

import argparse
import collections
import http.client
import json
import random
import subprocess
import tempfile
from pathlib import Path

from elements import ANYTHING, ATTRIBUTES_OF_PARENTS, BY_DESTINATION, CHILD_BEFORE, CHILD_INSIDE, TEXTS, Channel, Element, canonical
from service import LONG, Checks, Server, environment
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import VoiceResponse

ROUTES = 250
DEEPEST = 5

# A bare carriage return is the one character that the library loses, as elements.py says.
WORDS = ["Hello.", "one", "  ", "é€😀", "a\n\tb", *(text for text in [ANYTHING, *TEXTS.values()] if "\r" not in text)]

# These end a document: they are drawn in any order, and put last.
LASTS = {"Redirect", "Hangup", "Reject", "Enqueue", "Leave"}

# Without these there is no such element.
NEEDED = {
    "Config": ["name", "value"], "Header": ["name", "value"], "Parameter": ["name", "value"], "phoneme": ["ph"], "say-as": ["interpret-as"],
    "sub": ["alias"], "Language": ["code"],
}
# These have one child.
WITH_ONE_CHILD = {"Connect", "Enqueue", "Refer"}


class Draw:
    """Draws replies of one channel."""

    def __init__(self, channel, random):
        self.channel = channel
        self.random = random
        self.drawn = collections.Counter()

    def text(self):
        return "".join(self.random.choices(WORDS, k=self.random.randint(1, 3)))

    def value(self, tag, name, spec):
        """A value that the attribute may have, mostly another one each time."""
        values = spec.get("values", [])
        if spec["type"] == "boolean":
            return self.random.choice([True, False])
        if spec["type"] == "enum" and (tag, name) not in {("Say", "voice"), ("Say", "language")}:
            count = self.random.randint(1, min(3, len(values))) if spec.get("list") else 1
            return " ".join(self.random.sample(values, count))
        if spec["type"] == "integer" and not spec.get("list"):
            least = spec.get("min", 0)
            return self.random.randint(least, min(spec.get("max", least + 100), least + 100))
        if spec["type"] == "string" and not {"charset", "destination", "pattern"} & set(spec) and self.random.random() < 0.5:
            return self.text()[: spec.get("max_length")].strip() or "x"
        return self.channel.value(tag, name, spec)

    def attributes(self, key):
        spec = self.channel.elements[key]
        most = self.random.choice([0, 1, 2, 10])
        # Those that have come least often, so that all of them come soon.
        rare = sorted(spec["attributes"], key=lambda name: (self.drawn[key, name], self.random.random()))
        drawn = rare[:most]
        self.drawn.update((key, name) for name in drawn)
        required = ATTRIBUTES_OF_PARENTS.get(key, {})
        drawn += [name for name in NEEDED.get(key, []) if name not in drawn]
        return {name: self.value(spec["tag"], name, spec["attributes"][name]) for name in drawn if name not in required} | required

    def element(self, key, depth=1):
        spec = self.channel.elements[key]
        children = self.children(key, depth) if depth < DEEPEST else []
        if "destination" in spec or (spec.get("text") and "break" not in spec["children"]):
            # One or the other: what is dialled or sent is a text or children.
            text = BY_DESTINATION.get(spec.get("destination")) or self.text()
            content = children or [text]
        elif spec.get("text"):
            content = self.mixed(children)
        else:
            content = children
        return Element(spec["tag"], self.attributes(key), content)

    def some(self, keys, count):
        """Some of these elements; those with much in them come more often."""
        return self.random.choices(keys, [self.weight(key) for key in keys], k=count)

    def weight(self, key, depth=3):
        spec = self.channel.elements[key]
        below = sum(self.weight(child, depth - 1) for child in spec["children"]) if depth else 0
        return 5 + len(spec["attributes"]) + min(below, 200)

    def children(self, key, depth):
        possible = self.channel.elements[key]["children"]
        if not possible or (key not in CHILD_INSIDE and self.random.random() < 0.2):
            return []
        keys = self.some(possible, 1 if key in WITH_ONE_CHILD else self.random.choice([1, 1, 2, 3]))
        before = {CHILD_BEFORE[key, child] for child in keys if (key, child) in CHILD_BEFORE}
        keys = [*before, *(child for child in keys if child not in before)]
        return [self.element(child, depth + 1) for child in keys]

    def mixed(self, children):
        """Texts between the children, none beside another one: TOML and the library would both put them together."""
        content = []
        for child in children:
            content += [self.text(), child] if self.random.random() < 0.6 else [child]
        if not children or self.random.random() < 0.5:
            content.append(self.text())
        return content

    def reply(self):
        verbs = self.some(self.channel.elements["Response"]["children"], self.random.choice([1, 1, 2, 3]))
        verbs.sort(key=lambda verb: verb in LASTS)
        return [self.element(verb) for verb in verbs]


def counted(element, seen):
    """Counts an element and its attributes, and all that is in it."""
    seen[element.tag] += 1
    for name in element.attributes:
        seen[element.tag, name] += 1
    for node in element.content:
        if isinstance(node, Element):
            counted(node, seen)


def written(replies, channel):
    """A table of these replies, each in a route of its own."""
    lines = []
    for index, reply in replies:
        verbs = ", ".join(verb.toml() for verb in reply)
        lines.append(
            f'[[route]]\nname = "r{index}"\nwhen = {{ Digits = "{index}" }}\nprivate = true\nanswer_machines = true\n{channel.name} = [{verbs}]\n'
        )
    return "".join(lines) + '[default]\nvoice = [ { Say = "default" } ]\nmessage = [ { Message = "default" } ]\n'


def refused(binary, table):
    """The lines of the table that something is wrong with, and what."""
    command = [binary, "check", "--format", "json", str(table)]
    checked = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=LONG, env=environment(None))
    told = [json.loads(line) for line in checked.stdout.splitlines()]
    return {one["line"]: f'{one["code"]}: {one["message"]}' for one in told if one.get("severity") == "error"}


def documents(server, replies, channel):
    """The document of each route."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
    for index, reply in replies:
        kind = "CallSid" if channel.name == "voice" else "MessageSid"
        form = f"{kind}=XX{index:032}&To=%2B15005550006&From=%2B1415555{index:04}&Digits={index}"
        connection.request("POST", "/webhook", form, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        body = answer.read().decode()
        yield index, reply, answer.getheader("Twiml-Route"), body
    connection.close()


def compare(checks, binary, draw, count, seen):
    """Draws, writes and serves so many documents."""
    channel, done, drawn, wrong = draw.channel, 0, 0, collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "responses.toml"
        while done < count:
            replies = list(enumerate(draw.reply() for _ in range(ROUTES)))
            drawn += len(replies)
            table.write_text(written(replies, channel), encoding="utf-8")
            while lines := refused(binary, table):
                text = table.read_text(encoding="utf-8").split("\n")
                bad = set()
                for line, what in lines.items():
                    wrong[what.split(":")[0]] += 1
                    above = next(at for at in range(line - 1, -1, -1) if text[at].startswith("name = "))
                    bad.add(int(text[above].removeprefix('name = "r').rstrip('"')))
                replies = [reply for reply in replies if reply[0] not in bad]
                table.write_text(written(replies, channel), encoding="utf-8")
            with Server(checks, binary, "--allow-unsigned", "--table", str(table)) as server:
                for index, reply, route, ours in documents(server, replies, channel):
                    done += 1
                    theirs = channel.response()
                    for verb in reply:
                        verb.below(theirs)
                        counted(verb, seen)
                    theirs = theirs.to_xml()
                    checks.check(
                        f"{channel.name}: a random document",
                        None if route == f"r{index}" else f"answered by {route}",
                        None if canonical(ours) == canonical(theirs) else f"ours:    {ours}\n        library: {theirs}",
                    )
    percent = done * 100 // drawn
    print(f"{channel.name}: {done} documents, {percent} % of what was drawn; put aside for {dict(wrong.most_common())}")
    checks.check(f"{channel.name}: most replies that are drawn are good", None if percent > 60 else f"only {percent} %")


def never_came(channel, seen):
    """Elements and attributes of the vocabulary that were in no document."""
    for key, spec in channel.elements.items():
        if key == "Response":
            continue
        tag = spec["tag"]
        if not seen[tag]:
            yield tag
        yield from (f"{name} of {tag}" for name in spec["attributes"] if not seen[tag, name])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--documents", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    checks = Checks()
    for name, response in [("voice", VoiceResponse), ("message", MessagingResponse)]:
        channel, seen = Channel(name, response, []), collections.Counter()
        draw = Draw(channel, random.Random(f"{name} {arguments.seed}"))
        checks.attempt(name, lambda: compare(checks, arguments.binary, draw, arguments.documents, seen))
        missing = list(never_came(channel, seen))
        checks.check(f"{name}: every element and attribute comes", f"never: {', '.join(missing)}" if missing else None)
    checks.end("documents")


if __name__ == "__main__":
    main()
