"""Asks the editor's checker Tombi about good tables: it must report nothing.

    tombi.py SCHEMA FILE...

A FILE is a table or a page in Markdown, as validate.py reads them. Exits with 1 when Tombi finds an error or a warning.
Needs the package `tombi`; without it this says so and exits with 0.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from validate import tables


def main(arguments):
    beside = Path(sys.executable).parent / "tombi"
    tombi = str(beside) if beside.exists() else shutil.which("tombi")
    if not tombi:
        print("tombi is not installed here: not tried")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        shutil.copy(arguments[0], folder / "schema.json")
        (folder / "tombi.toml").write_text('[[schemas]]\npath = "schema.json"\ninclude = ["*.toml"]\n', encoding="utf-8")
        names = {}
        for path in map(Path, arguments[1:]):
            for name, text in tables(path):
                table = f"{len(names)}.toml"
                names[table] = name
                (folder / table).write_text(text, encoding="utf-8")
        command = [tombi, "lint", "--offline", "--error-on-warnings", "--quiet", *names]
        linted = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=600)
    print(linted.stdout + linted.stderr, end="")
    if linted.returncode != 0:
        print("where", *(f"{table} is {name}" for table, name in names.items()), sep="\n  ")
    print(f"{len(names)} tables: tombi {'reports nothing' if linted.returncode == 0 else 'reports the above'}")
    return 1 if linted.returncode else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
