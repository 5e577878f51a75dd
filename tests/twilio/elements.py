"""Holds every element that a table may write against what Twilio's own Python library writes for it.

    python tests/twilio/elements.py BINARY

For every element of src/twilio/vocabulary.json, below every parent that it may have, one document is written twice:
by BINARY, from a table in TOML with all of the element's attributes, and by the library's own classes. Both must be
the same XML. What only one of the two knows (an element, a place for it, an attribute, a text) is a difference too.
Exit code 1 when anything differs.
"""

import inspect
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from twilio import __version__ as library_version
from twilio.twiml import TwiML
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import VoiceResponse

VOCABULARY = Path(__file__).parents[2] / "src" / "twilio" / "vocabulary.json"

# Attributes that we know and the library does not, on purpose.
UNKNOWN_TO_THE_LIBRARY = {
    ("Dial", "callReason"): "Twilio's page of Dial has it, no helper library does",
    ("Transcription", "enableProviderData"): "Twilio's page of Transcription has it, no helper library does",
    ("Transcription", "conversationConfiguration"): "the library for Node has it",
    ("Transcription", "conversationId"): "the library for Node has it",
    ("ConversationRelay", "conversationConfiguration"): "the library for Node has it",
    ("ConversationRelay", "conversationId"): "the library for Node has it",
}
# Elements that only one of the two knows, on purpose.
ONLY_OURS = {
    "MediaFilter": "the library for Node has it",
    ("message", "Sms"): "Message has taken its place, and no helper library writes it in a reply to a text",
}
ONLY_THEIRS = {"Autopilot": "Twilio has switched the product off"}

# Texts and values that may be anything get every character that XML minds, and some that are not ASCII.
ANYTHING = "Zoë & <Søn> \"日本\" 'x' 🚕"

BY_DESTINATION = {
    "address": "whatsapp:+14155550124",
    "caller": "+15005550006",
    "name": "Zoë & Søn",
    "number": "+14155550123",
    "sender": "+15005550006",
    "sip": "sip:desk@example.com?x-a=1&x-b=2",
    "url": "https://example.com/zo%C3%AB?a=1&b=2",
}

# Values that must fit one another, or that the vocabulary describes less closely than Twilio.
BY_NAME = {
    ("Say", "language"): "en-US",
    ("Say", "voice"): "Polly.Joanna-Neural",
    ("Gather", "language"): "en-US",
    ("Gather", "speechTimeout"): "auto",
    ("Conference", "coach"): "CA00000000000000000000000000000001",
    ("Conference", "participantLabel"): "Zoë & Søn",
    ("Pay", "chargeAmount"): "9.99",
}

# What a parent needs so that it may hold the child that is looked at.
ATTRIBUTES_OF_PARENTS = {
    "Dial": {"callerId": "+15005550006"},
    "Gather": {"action": "https://example.com/gathered"},
    "Enqueue": {"workflowSid": "WW00000000000000000000000000000001"},
    "Stream": {"url": "wss://example.com/socket"},
    "ConversationRelay": {"url": "wss://example.com/socket"},
}
CHILD_BEFORE = {
    ("Application", "Parameter"): "ApplicationSid",
    ("Client", "Parameter"): "Identity",
    ("Sip", "Headers"): "Uri",
}

# What an element without text must hold.
CHILD_INSIDE = {
    "Headers": "Header",
    "Refer": "Sip@Refer",
    "Connect": "AiSession",
    "Start": "Recording",
    "Stop": "Transcription",
}

# Texts that a writer of XML could get wrong, for Say, Body and an attribute.
TEXTS = {
    "markup": "<Say> & ]]> &amp; &#65; <!-- --> <?x?> \"q\" 'a'",
    "blanks at both ends": "  a  b  ",
    "a line feed and a tab": "a\n\tb",
    "two bytes, three and four": "é€😀",
    "right to left, joined and combined": "שלום 👩‍👩‍👧 e\u0301",
    "the last characters that XML has": "\ud7ff\ue000\ufffd\U0010ffff",
    "control characters beyond ASCII": "a\x7f\x80\x85\x9b\x9f\u2028b",
    "carriage returns": "a\rb\r\nc",
}
# What the library loses in a text and we keep, on purpose.
LOST_BY_THE_LIBRARY = {
    "carriage returns": "the library writes them bare, and a bare one is read as a line feed; we write &#13;",
}


class Element:
    """One element: written to a table by `toml`, and with the library's classes by `below`."""

    def __init__(self, tag, attributes=None, content=()):
        self.tag = tag
        self.attributes = dict(attributes or {})
        self.content = list(content)

    def toml(self):
        if not self.content:
            content = '""'
        elif len(self.content) == 1 and isinstance(self.content[0], str):
            content = quoted(self.content[0])
        else:
            nodes = [quoted(node) if isinstance(node, str) else node.toml() for node in self.content]
            content = f"[{', '.join(nodes)}]"
        attributes = [f"{quoted(name)} = {quoted(value)}" for name, value in self.attributes.items()]
        return "{ " + ", ".join([f"{quoted(self.tag)} = {content}", *attributes]) + " }"

    def below(self, parent):
        """Appends the element to an element of the library, by the method that the library has for it."""
        method = methods(type(parent))[self.tag]
        content = list(self.content)
        arguments = {method.keywords.get(name, name): value for name, value in self.attributes.items()}
        if method.text and content and isinstance(content[0], str):
            arguments[method.text] = content.pop(0)
        elif method.text:
            arguments[method.text] = None
        own = method.function(parent, **arguments)
        for node in content:
            if isinstance(node, str):
                own.append(node)
            else:
                node.below(own)


class Method:
    """A method of the library that appends an element: `say` of VoiceResponse."""

    def __init__(self, parent, function):
        parameters = [
            parameter.name
            for parameter in list(inspect.signature(function).parameters.values())[1:]
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        # Each argument is given its own name: what comes out as an attribute is one, what does not is the text.
        made = function(parent(**required(parent)), **{name: name for name in parameters})
        self.function = function
        self.tag = made.name
        self.keywords = {attribute: keyword for attribute, keyword in made.attrs.items()}
        self.text = next((name for name in parameters if name not in self.keywords.values()), None)
        self.makes = type(made)


def required(kind):
    """An argument for everything without which the library makes no such element."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return {
        parameter.name: "x"
        for parameter in parameters
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty
    }


@cache
def methods(kind):
    """What the library can append to an element of that kind, by the tag that it writes."""
    found = [
        Method(kind, function)
        for name, function in vars(kind).items()
        if inspect.isfunction(function) and not name.startswith("_")
    ]
    return {method.tag: method for method in found}


def quoted(value):
    """A value as TOML has it, which is as JSON has it but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def is_only_ours(channel, key):
    return key in ONLY_OURS or (channel, key) in ONLY_OURS


class Channel:
    """The vocabulary of one channel, and how to have its documents written."""

    def __init__(self, name, response, option):
        elements = json.loads(VOCABULARY.read_text(encoding="utf-8"))["elements"][name]
        for spec in elements.values():
            spec["children"] = [child for child in spec["children"] if not is_only_ours(name, child)]
        self.name = name
        self.response = response
        self.option = option
        self.elements = {key: spec for key, spec in elements.items() if not is_only_ours(name, key)}

    def places(self):
        """Every parent with every child that it may have, as keys of the vocabulary."""
        return [(parent, child) for parent, spec in self.elements.items() for child in spec["children"]]

    def path(self, key):
        """The shortest way from the root to an element."""
        paths = [["Response"]]
        for path in paths:
            if path[-1] == key:
                return path
            paths += [[*path, child] for child in self.elements[path[-1]]["children"] if child not in path]
        raise LookupError(f"nothing leads to {key}")

    def value(self, tag, name, spec):
        """A value that the attribute may have."""
        if (tag, name) in BY_NAME:
            return BY_NAME[tag, name]
        values = spec.get("values", [])
        match spec["type"]:
            case "boolean":
                return True
            case "integer":
                number = min(spec.get("min", 0) + 1, spec.get("max", 2))
                return f"{number} {number + 1}" if spec.get("list") else number
            case "enum":
                return " ".join(values[-2:]) if spec.get("list") else values[-1]
            case "url":
                return BY_DESTINATION["url"]
            case "websocket":
                return "wss://example.com/socket"
        if "charset" in spec:
            return spec["charset"][-1] if spec.get("max_length") == 1 else spec["charset"]
        return BY_DESTINATION.get(spec.get("destination"), ANYTHING)[: spec.get("max_length")]

    def whole(self, key):
        """The element with all of its attributes, and with a text when it may have one."""
        spec = self.elements[key]
        attributes = {name: self.value(spec["tag"], name, of) for name, of in spec["attributes"].items()}
        content = []
        if spec.get("text"):
            content = [BY_DESTINATION.get(spec.get("destination"), ANYTHING)]
        elif key in CHILD_INSIDE:
            content = [self.whole(CHILD_INSIDE[key])]
        return Element(spec["tag"], attributes, content)

    def reply(self, parent, child):
        """The verb that holds the child below that parent."""
        element = self.whole(child)
        path = self.path(parent)[1:]
        for key, inner in zip(reversed(path), reversed([*path, child][1:])):
            content = [element]
            if (key, inner) in CHILD_BEFORE:
                content.insert(0, self.whole(CHILD_BEFORE[key, inner]))
            if "break" in self.elements[key]["children"]:
                content = ["before & ", *content, " <after>"]
            element = Element(self.elements[key]["tag"], ATTRIBUTES_OF_PARENTS.get(key), content)
        return element


class Comparison:
    """Counts what is the same and what is not, and shows the latter."""

    def __init__(self, binary):
        self.binary = binary
        self.passed = 0
        self.failed = 0

    def check(self, is_same, what, *details):
        if is_same:
            self.passed += 1
        else:
            self.failed += 1
            print(f"DIFFERS  {what}", *details, sep="\n         ")

    def document(self, channel, verb, what):
        """Has one document written by both."""
        theirs = channel.response()
        try:
            verb.below(theirs)
        except LookupError as unknown:
            self.check(False, what, f"the library has no method for {unknown} there")
            return
        theirs = theirs.to_xml()
        ours = self.explain(channel, verb, what)
        if ours is not None:
            self.check(canonical(ours) == canonical(theirs), what, f"ours:    {ours}", f"library: {theirs}")

    def text(self, channel, verb, text, what):
        """Has a document written by us and read by another parser: the verb's text, or its attribute, is the text."""
        ours = self.explain(channel, verb, what)
        if ours is not None:
            last = list(ElementTree.fromstring(ours).iter())[-1]
            read = last.get("value", last.text)
            self.check(read == text, f"{what}, read", f"written: {text!r}", f"read:    {read!r}")

    def explain(self, channel, verb, what):
        """Our document of a reply with that verb; `None` when there is none, which counts as a difference."""
        table = (
            f'[[route]]\nname = "element"\n{channel.name} = [ {verb.toml()} ]\n\n'
            '[default]\nvoice = [ { Say = "default" } ]\nmessage = [ { Message = "default" } ]\n'
        )
        explained = self.run(table, channel)
        if explained.returncode != 0:
            complaint = explained.stderr.strip().splitlines()
            self.check(False, what, f"explain ended with {explained.returncode}:", *complaint)
            return None
        answer = json.loads(explained.stdout)
        if answer["route"] != "element":
            self.check(False, what, f"answered by {answer['route']}", *explained.stderr.strip().splitlines())
            return None
        try:
            ElementTree.fromstring(answer["document"])
        except ElementTree.ParseError as error:
            self.check(False, what, f"no XML: {error}", answer["document"])
            return None
        return answer["document"]

    def run(self, table, channel):
        with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
            file.write(table)
            file.flush()
            command = [self.binary, "explain", "--table", file.name, "--format", "json", *channel.option]
            return subprocess.run(
                [*command, "Called=+15005550006", "Caller=+14155550100"],
                capture_output=True,
                encoding="utf-8",
                timeout=60,
                # Neither a token nor an option from outside: TWILIO_… and TWIML_RESPONDER_….
                env={name: value for name, value in os.environ.items() if not name.startswith("TWI")},
            )


def canonical(document):
    return ElementTree.canonicalize(document)


def compare_names(comparison, channel):
    """Elements, places, attributes and texts: each of the two must know what the other knows."""
    kinds = {"Response": channel.response}
    theirs = {}
    waiting = ["Response"]
    for key in waiting:
        for tag, method in methods(kinds[key]).items():
            if tag in ONLY_THEIRS:
                continue
            # The vocabulary calls the Sip of Refer Sip@Refer: it is another element than the Sip of Dial.
            child = f"{tag}@{key}" if f"{tag}@{key}" in channel.elements else tag
            theirs[key, child] = method
            if child not in kinds:
                kinds[child] = method.makes
                waiting.append(child)
    ours = set(channel.places())
    for parent, child in sorted(ours | set(theirs)):
        method, spec = theirs.get((parent, child)), channel.elements.get(child)
        place = f"{channel.name}: {child} in {parent}"
        if method is None or (parent, child) not in ours:
            comparison.check(False, place, f"known to {'us' if method is None else 'the library'} only")
            continue
        attributes = set(spec["attributes"])
        only_ours = attributes - set(method.keywords)
        allowed = {name for tag, name in UNKNOWN_TO_THE_LIBRARY if tag == spec["tag"]}
        comparison.check(
            only_ours == allowed and set(method.keywords) <= attributes and spec.get("text", False) == bool(method.text),
            f"{place}: what it may have",
            f"attributes known to us only: {sorted(only_ours)}, expected {sorted(allowed)}",
            f"attributes known to the library only: {sorted(set(method.keywords) - attributes)}",
            f"text: ours {spec.get('text', False)}, the library's {bool(method.text)}",
        )


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: elements.py BINARY")
    comparison = Comparison(str(Path(sys.argv[1]).resolve()))
    channels = [
        Channel("voice", VoiceResponse, []),
        Channel("message", MessagingResponse, ["--message"]),
    ]
    for channel in channels:
        places = channel.places()
        attributes = sum(len(channel.elements[child]["attributes"]) for _, child in places)
        before = comparison.failed
        compare_names(comparison, channel)
        for parent, child in places:
            comparison.document(channel, channel.reply(parent, child), f"{channel.name}: {child} in {parent}")
        print(
            f"{channel.name}: {len(channel.elements) - 1} elements in {len(places)} places, {attributes} attributes, "
            f"held against twilio {library_version}: {comparison.failed - before} differences"
        )
        if not places or not attributes:
            comparison.check(False, f"{channel.name}: the vocabulary has elements and attributes")
    voice, message = channels
    before = comparison.failed
    for name, text in TEXTS.items():
        say = Element("Say", content=[text])
        body = Element("Message", content=[Element("Body", content=[text])])
        parameter = Element("Hangup", content=[Element("Parameter", {"name": "x", "value": text})])
        places = [(voice, say, "text of Say"), (message, body, "text of Body"), (voice, parameter, "an attribute")]
        for channel, verb, place in places:
            comparison.text(channel, verb, text, f"{name} in {place}")
            if name not in LOST_BY_THE_LIBRARY or place == "an attribute":
                comparison.document(channel, verb, f"{name} in {place}")
    print(f"texts: {len(TEXTS)} in three places, as the library and as a parser has them: "
          f"{comparison.failed - before} differences")
    for tag, reason in {**ONLY_OURS, **ONLY_THEIRS}.items():
        print(f"differs on purpose: {tag if isinstance(tag, str) else ': '.join(tag)}: {reason}")
    for (tag, name), reason in UNKNOWN_TO_THE_LIBRARY.items():
        print(f"differs on purpose: {name} of {tag}: {reason}")
    for name, reason in LOST_BY_THE_LIBRARY.items():
        print(f"differs on purpose: {name} in a text: {reason}")
    print(f"elements: {comparison.passed} passed, {comparison.failed} failed")
    sys.exit(0 if comparison.passed and not comparison.failed else 1)


if __name__ == "__main__":
    main()
