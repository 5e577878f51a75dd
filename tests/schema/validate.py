"""Holds the JSON Schema of responses.toml against tables, with a validator that is not ours.

    validate.py SCHEMA FILE...

A FILE is a table, or a page in Markdown whose ```toml blocks are tables. A table in a folder named `bad` must be
refused, and one of the validator's messages must begin as its first line has it after `# says: `; every other table
must be taken, with a [default] if it has none. Exits with 1 on any surprise. Needs the package `jsonschema`.
"""

import datetime
import json
import re
import sys
import tomllib
from pathlib import Path

from jsonschema import Draft7Validator

DEFAULT = '\n[default]\nvoice = [ { Say = "x" } ]\n'


def tables(path):
    """The tables of a file, each with its name."""
    text = path.read_text(encoding="utf-8")
    if path.parent.name == "bad":
        return [(str(path), text)]
    found = [(str(path), text)]
    if path.suffix == ".md":
        blocks = re.finditer(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        found = [(f"{path}:{text.count(chr(10), 0, block.start()) + 1}", block[1]) for block in blocks]
    return [(name, table if "[default]" in table else table + DEFAULT) for name, table in found]


def plain(value):
    """A value as a validator takes it: dates of TOML's are texts."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value


def messages(errors):
    """Every message of the validator, those of the alternatives behind one included."""
    for error in errors:
        place = error.json_path.removeprefix("$").removeprefix(".")
        yield f"{place}: {error.message}"
        yield from messages(error.context)


def main(arguments):
    schema = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    taken = refused = surprises = 0
    for path in map(Path, arguments[1:]):
        found_tables = tables(path)
        if not found_tables:
            surprises += 1
            print(f"{path}: no table in it")
        for name, text in found_tables:
            found = list(messages(validator.iter_errors(plain(tomllib.loads(text)))))
            if path.parent.name == "bad":
                refused += 1
                wanted = text.partition("\n")[0].removeprefix("# says: ")
                if not any(message.startswith(wanted) for message in found):
                    surprises += 1
                    print(f"{name}: wanted {wanted!r}, found:", *(found or ["nothing"]), sep="\n  ")
            else:
                taken += 1
                if found:
                    surprises += 1
                    print(f"{name}: wanted nothing, found:", *found, sep="\n  ")
    print(f"{taken} tables to take, {refused} to refuse, {surprises} surprises")
    return 1 if surprises else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
