"""Reads `cargo metadata` and prints each library that is in the program, with its licence and its licence's texts."""

import json
import pathlib
import sys

metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

# What is in the program: dependencies of the kind `normal`, which is null here, not those of tests and builds.
inside, waiting = set(), [metadata["resolve"]["root"]]
while waiting:
    for dependency in nodes[waiting.pop()]["deps"]:
        is_inside = any(kind["kind"] is None for kind in dependency["dep_kinds"])
        if is_inside and dependency["pkg"] not in inside:
            inside.add(dependency["pkg"])
            waiting.append(dependency["pkg"])

texts = {}
print("The Rust libraries in twiml-responder, each with its licence. The texts follow.\n")
for package in sorted((packages[name] for name in inside), key=lambda package: (package["name"], package["version"])):
    name = f"{package['name']} {package['version']}"
    licence = package["license"] or f"see {package['license_file']}"
    print(f"{name}: {licence}" + (f", {package['repository']}" if package["repository"] else ""))
    folder = pathlib.Path(package["manifest_path"]).parent
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT")):
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            texts.setdefault(text, []).append(f"{name}: {path.name}")

for text, owners in texts.items():
    print("\n" + "=" * 100, *owners, "-" * 100, text, sep="\n")

if not inside or not texts:
    sys.exit("no libraries, or no licences")
