"""Checks the manifests of packaging/kubernetes against Kubernetes' own schemas, and what they must have beyond that.

    python tests/packaging/kubernetes.py
"""

import sys
from pathlib import Path

import kubernetes_validate
import yaml

FOLDER = Path(__file__).parents[2] / "packaging/kubernetes"
passed = 0


def holds(what, is_so):
    global passed
    if not is_so:
        sys.exit(f"kubernetes: failed: {what}")
    passed += 1


kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
resources = {}
for name in kustomization["resources"]:
    resource = yaml.safe_load((FOLDER / name).read_text())
    resources[resource["kind"]] = resource
# What kustomize makes of its generator.
for generator in kustomization["configMapGenerator"]:
    files = {name: (FOLDER / name).read_text() for name in generator["files"]}
    resources["ConfigMap"] = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": files}
holds("kinds", set(resources) == {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service"})
for version in ("1.29", kubernetes_validate.latest_version()):
    for resource in resources.values():
        kubernetes_validate.validate(resource, version, strict=True)
        passed += 1

deployment = resources["Deployment"]["spec"]
template = deployment["template"]
pod = template["spec"]
[container] = pod["containers"]
labels = template["metadata"]["labels"]
for what, selector in (
    ("Deployment", deployment["selector"]["matchLabels"]),
    ("PodDisruptionBudget", resources["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]),
    ("Service", resources["Service"]["spec"]["selector"]),
):
    holds(f"{what} selects the pods", selector.items() <= labels.items())

# https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
security = container["securityContext"]
holds("no more privileges", security["allowPrivilegeEscalation"] is False and security["readOnlyRootFilesystem"] is True)
holds("no capabilities", security["capabilities"] == {"drop": ["ALL"]})
holds("not root", pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 65532)
holds("seccomp", pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault")
holds("kinds of volume", all({"configMap", "secret", "emptyDir"} & set(volume) for volume in pod["volumes"]))

volumes = {volume["name"] for volume in pod["volumes"]}
mounts = container["volumeMounts"]
holds("every mount has its volume", {mount["name"] for mount in mounts} == volumes)
holds("folders are mounted, not files", not any("subPath" in mount for mount in mounts))
ports = {port["name"] for port in container["ports"]}
for probe in ("readinessProbe", "livenessProbe"):
    holds(probe, container[probe]["httpGet"]["port"] in ports)
holds("the Service's port", {port["targetPort"] for port in resources["Service"]["spec"]["ports"]} <= ports)
print(f"kubernetes: {passed} passed, 0 failed")
