"""Reads `cargo metadata` and fails when a dependency asks for a newer Rust than our own package promises."""

import json
import sys


def version(text):
    """`1.88` and `1.88.0` are one version."""
    numbers = [int(number) for number in text.split("-")[0].split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
own = packages[metadata["resolve"]["root"]]
dependencies = [packages[node["id"]] for node in metadata["resolve"]["nodes"] if node["id"] != own["id"]]
if not own["rust_version"] or not dependencies:
    sys.exit("no rust-version in Cargo.toml, or no dependencies")
newer = [
    f"{package['name']} {package['version']} needs Rust {package['rust_version']}"
    for package in dependencies
    if package["rust_version"] and version(package["rust_version"]) > version(own["rust_version"])
]
print(*newer, sep="\n", end="\n" if newer else "")
stated = sum(1 for package in dependencies if package["rust_version"])
print(f"{len(newer)} of {len(dependencies)} dependencies need more than Rust {own['rust_version']}; {stated} say what they need")
sys.exit(1 if newer else 0)
