"""Holds `cargo metadata` against deny.toml: licences, sources, and that no library is there in two versions."""

import collections
import json
import pathlib
import sys
import tomllib

from license_expression import get_spdx_licensing

policy = tomllib.loads(pathlib.Path("deny.toml").read_text(encoding="utf-8"))
metadata = json.load(sys.stdin)
own = metadata["resolve"]["root"]
used = {node["id"] for node in metadata["resolve"]["nodes"]} - {own}
packages = [package for package in metadata["packages"] if package["id"] in used]
spdx = get_spdx_licensing()


def is_allowed(licence):
    """Whether an expression is true when exactly the allowed licences are."""
    if licence.isliteral:
        return str(licence) in policy["licenses"]["allow"]
    return (all if licence.operator == " AND " else any)(map(is_allowed, licence.args))


wrong = []
versions = collections.defaultdict(set)
for package in packages:
    name = f"{package['name']} {package['version']}"
    versions[package["name"]].add(package["version"])
    # Before SPDX a slash meant OR.
    licence = (package["license"] or "").replace("/", " OR ")
    if not licence or not is_allowed(spdx.parse(licence, validate=True)):
        wrong.append(f"{name}: the licence {licence or 'that nobody states'} is not allowed")
    registry = (package["source"] or "").removeprefix("registry+")
    if registry not in policy["sources"]["allow-registry"]:
        wrong.append(f"{name}: comes from {package['source']}")

skipped = [(skip["name"], skip["version"] + ".") for skip in policy["bans"]["skip"]]
for name, found in versions.items():
    left = {version for version in found if not any(name == other and version.startswith(begin) for other, begin in skipped)}
    if len(left) > 1:
        wrong.append(f"{name}: there in the versions {', '.join(sorted(left))}")

print(*wrong, sep="\n", end="\n" if wrong else "")
print(f"{len(packages)} libraries, {len(wrong)} that deny.toml does not allow")
sys.exit(1 if wrong or not packages else 0)
