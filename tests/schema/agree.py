"""Holds the JSON Schema of responses.toml against what `check` says of the same tables.

    agree.py BINARY SCHEMA FILE... [--tables 1500] [--seed 1]

The tables in each FILE (as validate.py reads them) are changed at random, and every attribute gets many values. What
`check` accepts without an error must fit the schema; what it calls wrong in shape must not. Exits with 1 when the two disagree. Needs the package
`jsonschema`.
"""

import argparse
import copy
import datetime
import json
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jsonschema import Draft7Validator
from validate import plain, tables

VOCABULARY = Path(__file__).parents[2] / "src" / "twilio" / "vocabulary.json"

# Errors of these codes are about the shape of a table, which the schema knows.
SHAPE = {
    "missing-default", "missing-key", "silent-route", "two-elements", "unexpected-text", "unknown-attribute",
    "unknown-element", "unknown-key", "wrong-channel", "wrong-place", "wrong-type",
}
# Of these the schema knows nothing: names that other parts of the file give a meaning, and TOML's own dates, which are
# texts to a validator.
BEYOND_SHAPE = re.compile("this row has no|there is no|which TwiML does not have|found a date$")

ROUTE = '[[route]]\nname = "a"\nvoice = []\n[default]\nvoice = [ { Say = "x" } ]\n'

# Where the two once disagreed, and whether a table is right.
KNOWN = [
    (True, "[loop_guard]\nsame_call = 0\n" + ROUTE),
    (False, '[loop_guard]\nper = "10ms"\n' + ROUTE),
    (True, '[[route]]\nname = "a"\ncreate_session = { participantIdentifier = "+14155550123", ttl = 0 }\n'
           '[default]\nvoice = [ { Say = "x" } ]\n'),
    (False, '[[route]]\nname = "a"\ncreate_session = { participantIdentifier = "+14155550123", ttl = "3600" }\n'
            '[default]\nvoice = [ { Say = "x" } ]\n'),
    (True, ROUTE + '[[test]]\nname = "no request"\nexpect = "a"\n'),
    (False, ROUTE + '[[test]]\nrequest = {}\nexpect = "a"\n'),
]

VALUES = [
    0, 1, -1, 7, 90000, 1.5, True, False, "", " ", "x", "true", "7", "3600", "10m", "10ms", "a b", "+15005550006",
    "4155550100", "?step=x", "https://example.com/", "{{ Digits }}", "en-us", "dtmf speech", [], ["x"], [""], [7], {},
    [{}], {"x": "y"}, {"Say": "x"}, [{"Say": "x"}], [{"Message": "x"}], {"in": "x"}, {"present": True},
    datetime.date(2026, 12, 25), datetime.datetime(2026, 12, 24, 12, tzinfo=datetime.UTC),
]
NAMES = ["zzz", "name", "when", "voice", "message", "reply", "step", "Say", "Dial", "Number", "language", "action",
         "timeout", "request", "expect", "at", "file", "rows", "numbers", "open", "closed", "ttl", "Digits", "Called"]


def written(value):
    """A value as TOML has it, all in line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {written(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def places(value, found):
    """Every table and array in a value, with each key or index of it."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        found.append((value, key))
        places(inner, found)
    return found


def changed(table, others, dice):
    """A copy of the table with one or two changes."""
    table = copy.deepcopy(table)
    for _ in range(dice.choice([1, 1, 2])):
        found = places(table, [])
        if not found:
            break
        parent, key = dice.choice(found)
        match dice.randrange(6):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[dice.choice(NAMES)] = dice.choice(VALUES)
            case 2 | 3:
                # What another table has under the same key may well be right.
                same = [other for other, name in places(dice.choice(others), []) if name == key]
                parent[key] = copy.deepcopy(dice.choice(same)[key] if same else dice.choice(VALUES))
            case _:
                parent[key] = copy.deepcopy(dice.choice(VALUES))
    return table


def checked(binary, texts):
    """What `check` finds wrong with each table."""

    def errors(index):
        table = Path(folder) / f"{index}.toml"
        table.write_text(texts[index], encoding="utf-8")
        command = [binary, "check", "--format", "json", str(table)]
        found = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
        if found.returncode not in (0, 1):
            sys.exit(f"{' '.join(command)}: {found.stderr}")
        lines = map(json.loads, found.stdout.splitlines())
        return [line for line in lines if line.get("severity") == "error" and line["code"] != "failed-test"]

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as threads:
        return list(threads.map(errors, range(len(texts))))


def attributes():
    """Every attribute with a few of its own values."""
    vocabulary = json.loads(VOCABULARY.read_text(encoding="utf-8"))
    for elements in vocabulary["elements"].values():
        for element in elements.values():
            for name, spec in element["attributes"].items():
                own = [spec[bound] for bound in ("min", "max") if bound in spec] + spec.get("values", [])[:1] + spec.get("values", [])[-1:]
                yield element["tag"], name, own or ["x"]


def compare_attributes(binary, validator, surprise):
    """Sets every attribute to the same value, or to one of its own, by [defaults.X]."""
    own = [lambda values, index=index: values[index % len(values)] for index in range(4)]
    same = [lambda _, value=value: value for value in VALUES]
    places = list({(tag, name): (tag, name, values) for tag, name, values in attributes()}.values())
    rounds = [[(tag, name, value(values)) for tag, name, values in places] for value in own + same]
    head = '[default]\nvoice = [ { Say = "x" } ]\n[defaults]\n'
    texts = [head + "\n".join(f'"{tag}"."{name}" = {written(value)}' for tag, name, value in set_) for set_ in rounds]
    for set_, text, errors in zip(rounds, texts, checked(binary, texts)):
        ours = {error["line"] - 4: error for error in errors}
        theirs = {}
        for error in validator.iter_errors(plain(tomllib.loads(text))):
            theirs[tuple(error.absolute_path)[1:3]] = error.message
        for index, (tag, name, value) in enumerate(set_):
            error, found = ours.get(index), theirs.get((tag, name))
            line = f"[defaults.{tag}] {name} = {written(value)}"
            if not error and found:
                surprise("`check` accepts it, the schema does not", line, found)
            if error and error["code"] in SHAPE and not BEYOND_SHAPE.search(error["message"]) and not found:
                surprise("wrong in shape, and the schema accepts it", line, error["message"])
    return len(places) * len(rounds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("schema", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--tables", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    validator = Draft7Validator(json.loads(arguments.schema.read_text(encoding="utf-8")))
    dice = random.Random(arguments.seed)
    surprises = taken = refused = 0

    def surprise(what, text, *details):
        nonlocal surprises
        surprises += 1
        print(f"{what}:", *details, text, sep="\n  ")

    for (right, text), errors in zip(KNOWN, checked(arguments.binary, [text for _, text in KNOWN])):
        if right == bool(errors) or right != validator.is_valid(plain(tomllib.loads(text))):
            surprise(f"known to be {'right' if right else 'wrong'}", text, *(error["message"] for error in errors))
    values = compare_attributes(arguments.binary, validator, surprise)
    seeds = [tomllib.loads(text) for path in arguments.files for _, text in tables(path)]
    random_tables = [changed(dice.choice(seeds), seeds, dice) for _ in range(arguments.tables)]
    texts = ["\n".join(f"{json.dumps(key)} = {written(value)}" for key, value in table.items()) for table in random_tables]
    for text, errors in zip(texts, checked(arguments.binary, texts)):
        found = [error.message[:200] for error in validator.iter_errors(plain(tomllib.loads(text)))]
        shape = [error["message"] for error in errors if error["code"] in SHAPE and not BEYOND_SHAPE.search(error["message"])]
        taken += not errors
        refused += bool(shape)
        if not errors and found:
            surprise("`check` accepts it, the schema does not", text, *found)
        if shape and not found:
            surprise("wrong in shape, and the schema accepts it", text, *shape)
    print(f"{values} values of attributes; {len(texts)} random tables, {taken} right, {refused} wrong in shape; {surprises} disagreements")
    if not taken or not refused:
        surprises += 1
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
