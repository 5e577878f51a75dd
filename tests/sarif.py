"""Validates what `check --format sarif` prints against the JSON Schema of SARIF 2.1.0.

    sarif.py BINARY

The schema is that of the crate serde-sarif, which cargo fetches. Exits with 1 when a log does not fit. Needs cargo and the
package `jsonschema`.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from jsonschema import Draft7Validator

TOP = Path(__file__).parent.parent
MANIFEST = """
[package]
name = "schema"
edition = "2021"
[lib]
path = "empty.rs"
[dependencies]
serde-sarif = "=0.8.0"
"""


def schema():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Cargo.toml").write_text(MANIFEST, encoding="utf-8")
        (Path(folder) / "empty.rs").touch()
        command = ["cargo", "metadata", "--format-version", "1"]
        metadata = subprocess.run(command, cwd=folder, check=True, capture_output=True, encoding="utf-8")
    packages = json.loads(metadata.stdout)["packages"]
    manifest = next(package["manifest_path"] for package in packages if package["name"] == "serde-sarif")
    return json.loads((Path(manifest).parent / "src/schema.json").read_text(encoding="utf-8"))


def main(binary):
    validator = Draft7Validator(schema())
    diagnostics = sorted((TOP / "tests/diagnostics").glob("*.toml"))
    failed = results = 0
    for tables in [["responses.toml"], diagnostics, [(TOP / "responses.toml").resolve()]]:
        command = [binary, "check", "--format", "sarif", *tables]
        ran = subprocess.run(command, cwd=TOP, capture_output=True, encoding="utf-8", timeout=600)
        log = json.loads(ran.stdout)
        results += len(log["runs"][0]["results"])
        for error in validator.iter_errors(log):
            failed += 1
            print(f"{error.json_path}: {error.message}"[:400])
    print(f"SARIF: {results} results, {failed} of them do not fit the schema")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve())))
