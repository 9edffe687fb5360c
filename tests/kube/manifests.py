"""Are the manifests that Anteroom gives out what Kubernetes accepts, and as another reader of YAML understands them?

Usage: manifests.py FOLDER, with the files of tests/kube/golden. Ends with 1 and every finding.
"""

import copy
import pathlib
import sys

import kubernetes_validate as kubernetes
import yaml

# Native sidecars and preStop's sleep are in 1.29's schemas for the first time.
VERSIONS = ["1.29", "1.33", "1.37"]
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Pod")

found = []


def objects(path):
    """The objects of a stream, those of a List one by one."""
    for document in yaml.safe_load_all(path.read_text()):
        if document and document["kind"] == "List":
            yield from document["items"]
        elif document:
            yield document


def name(thing):
    return f'{thing["kind"]}/{thing["metadata"]["name"]}'


def accepted(where, thing):
    for version in VERSIONS:
        try:
            kubernetes.validate(thing, version, strict=True)
        except kubernetes.ValidationError as error:
            found.append(f'{where}: {name(thing)} at {version}: {".".join(map(str, error.path))}: {error.message}')


def pod(thing):
    return thing if thing["kind"] == "Pod" else thing["spec"]["template"]


def restricted(where, container):
    """What the PodSecurity standard "restricted" asks of a container, and a read-only root."""
    wanted = {
        "runAsNonRoot": True, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }
    is_ = {key: container["securityContext"].get(key) for key in wanted}
    if is_ != wanted:
        found.append(f"{where}: the container is not restricted: {is_}")
    named = {port["name"] for port in container["ports"]}
    asked = {container[kind]["httpGet"]["port"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    if not asked <= named:
        found.append(f"{where}: probes ask {asked}, and there is {named}")


def without_anteroom(thing):
    """An injected object as it would be without everything that was meant to change."""
    thing = copy.deepcopy(thing)
    if thing["kind"] == "Service":
        for port in thing["spec"]["ports"]:
            port.pop("targetPort", None)
        return thing
    if thing["kind"] not in WORKLOADS:
        return thing
    inside = pod(thing)
    for kind, key in (("annotations", "anteroom.dev/injected"), ("labels", "anteroom.dev/sidecar")):
        inside["metadata"].get(kind, {}).pop(key, None)
        if not inside["metadata"].get(kind):
            inside["metadata"].pop(kind, None)
    spec = inside["spec"]
    spec.pop("terminationGracePeriodSeconds", None)
    if spec.get("securityContext", {}).get("fsGroup") == 65532:
        spec.pop("securityContext")
    for part in ("containers", "initContainers", "volumes"):
        spec[part] = [one for one in spec.get(part) or [] if not one["name"].startswith("anteroom")]
    for container in spec["containers"]:
        container.pop("lifecycle", None)
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            container.get(kind, {}).get("httpGet", {}).pop("port", None)
    return thing


def injected(before, after):
    """Nothing but what is meant to change has changed, in the words of YAML 1.1."""
    old, new = list(objects(before)), list(objects(after))
    if [name(thing) for thing in old] != [name(thing) for thing in new]:
        found.append(f"{after.name}: other objects, or in another order")
        return
    sidecars = 0
    for was, is_ in zip(old, new):
        accepted(after.name, is_)
        if without_anteroom(was) != without_anteroom(is_):
            found.append(f"{after.name}: {name(is_)} says something else than before")
        if is_["kind"] in WORKLOADS:
            spec = pod(is_)["spec"]
            for container in spec["containers"] + (spec.get("initContainers") or []):
                if container["name"] == "anteroom":
                    sidecars += 1
                    restricted(after.name, container)
    if sidecars != 1:
        found.append(f"{after.name}: {sidecars} containers of Anteroom's")


def printed(folder, container, part):
    """What is printed for charts, in a pod that has nothing else."""
    spec = {
        "containers": [{"name": "app", "image": "app"}],
        "securityContext": {"fsGroup": 65532},
        "volumes": yaml.safe_load((folder / "volumes.yaml").read_text()),
    }
    [ours] = yaml.safe_load((folder / container).read_text())
    spec[part] = spec.get(part, []) + [ours]
    accepted(container, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
    restricted(container, ours)
    missing = {mount["name"] for mount in ours["volumeMounts"]} - {volume["name"] for volume in spec["volumes"]}
    if missing:
        found.append(f"{container}: there is no volume {missing}")


folder = pathlib.Path(sys.argv[1])
injected(folder / "rendered.yaml", folder / "rendered.out.yaml")
injected(folder / "rendered.yaml", folder / "rendered.native.yaml")
injected(folder / "list.json", folder / "list.out.yaml")
printed(folder, "container.yaml", "containers")
printed(folder, "container.native.yaml", "initContainers")
print("\n".join(found))
sys.exit(bool(found))
