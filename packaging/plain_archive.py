"""Rewrites an image archive without what buildah invents for each build, such as the name of a container, so that the same image
is the same bytes: packaging/plain_archive.py ARCHIVE NEW_ARCHIVE"""

import hashlib
import io
import json
import sys
import tarfile

with tarfile.open(sys.argv[1]) as archive:
    read = lambda name: archive.extractfile(name).read()
    [manifest] = json.loads(read("manifest.json"))
    config = json.loads(read(manifest["Config"]))
    layers = {name: read(name) for name in manifest["Layers"]}

for invented in ("container", "container_config"):
    config.pop(invented, None)
config["config"].pop("Hostname", None)
config = json.dumps(config, separators=(",", ":")).encode()
manifest["Config"] = hashlib.sha256(config).hexdigest() + ".json"
files = {
    "manifest.json": json.dumps([manifest], separators=(",", ":")).encode(),
    manifest["Config"]: config,
    **layers,
}

with tarfile.open(sys.argv[2], "w", format=tarfile.USTAR_FORMAT) as archive:
    for name, content in files.items():
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
