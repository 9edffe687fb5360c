"""Does a real Kubernetes accept what the chart makes, and do real Helms install, upgrade and roll it back?

For every values file of charts/anteroom/ci, for the chart of examples/sidecar, and with both versions of Helm. Run it with
`make test-cluster`; progress is printed, one line for each step.
"""

import base64
import copy
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

import yaml

from server import Refused, Server, TOOLS

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
CHART = REPOSITORY / "charts" / "anteroom"
CASES = {file.name.removesuffix("-values.yaml"): file for file in sorted((CHART / "ci").glob("*-values.yaml"))}
HELMS = sorted((path.name.removeprefix("helm-") for path in TOOLS.glob("helm-*")), reverse=True)
KUBERNETES = "1.36.4"
RELEASE = "auth"


def say(text):
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def documents(text):
    return [o for o in yaml.load_all(text, yaml.CSafeLoader) if o]


def pod_templates(objects):
    """What pods are made of, with the name of what makes them."""
    for o in objects:
        if o["kind"] == "Pod":
            yield o["metadata"]["name"], {"metadata": {}, "spec": o["spec"]}
        elif o["kind"] == "Deployment":
            yield o["metadata"]["name"], o["spec"]["template"]


def predecessor(folder):
    """The chart as the version before it. None was published before 0.1.0, so it is this one under an older number, which is
    enough for what an upgrade must keep; once there is a published one, it belongs here."""
    older = pathlib.Path(folder) / "anteroom"
    shutil.copytree(CHART, older)
    described = (older / "Chart.yaml").read_text()
    about = yaml.safe_load(described)
    described = described.replace(f"\nversion: {about['version']}\n", "\nversion: 0.0.9\n")
    described = described.replace(f'\nappVersion: "{about["appVersion"]}"\n', '\nappVersion: "0.0.9"\n')
    (older / "Chart.yaml").write_text(described)
    assert yaml.safe_load(described)["version"] == yaml.safe_load(described)["appVersion"] == "0.0.9"
    return older


def sidecar_example(folder):
    """The chart of examples/sidecar with ours beside it, as `helm dependency build` would leave it."""
    parent = pathlib.Path(folder) / "sidecar"
    shutil.copytree(REPOSITORY / "examples" / "sidecar", parent)
    shutil.rmtree(parent / "charts", ignore_errors=True)
    shutil.copytree(CHART, parent / "charts" / "anteroom")
    return parent


class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        say("starting etcd and kube-apiserver")
        cls.server = cls.enterClassContext(Server())
        cls.server.define(TOOLS / "crds")
        # Where some values files have their gateway.
        cls.server.namespace("infra")
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="anteroom-charts-"))
        cls.folder = pathlib.Path(folder)
        cls.older = predecessor(folder)
        say(f"Kubernetes {cls.server.ask('GET', '/version')['gitVersion']}, Helm {' and '.join(HELMS)}")

    def manifest(self, helm, release, namespace):
        return documents(self.server.helm(helm, "get", "manifest", release, "--namespace", namespace))

    def sealing_key(self, namespace):
        """The key that the chart makes where none is given; None where one is."""
        try:
            data = self.server.get("v1", "Secret", f"{RELEASE}-anteroom-session", namespace)["data"]
        except Refused:
            return None
        (key,) = data.values()
        return base64.b64decode(key)

    def deployment(self, namespace):
        try:
            return self.server.get("apps/v1", "Deployment", f"{RELEASE}-anteroom", namespace)
        except Refused:
            return None

    def test_there_are_two_versions_of_helm(self):
        self.assertEqual(["4", "3"], [version.split(".")[0] for version in HELMS])

    def test_lint_is_strict_and_finds_nothing(self):
        for helm in HELMS:
            for name, values in CASES.items():
                with self.subTest(name, helm=helm):
                    self.server.helm(helm, "lint", "--strict", "--kube-version", KUBERNETES, "--values", values, CHART)
            self.server.helm(helm, "lint", "--strict", "--kube-version", KUBERNETES, sidecar_example(self.enterContext(tempfile.TemporaryDirectory())))
            say(f"helm {helm}: lint --strict of {len(CASES) + 1} cases")

    def test_without_values_it_says_what_is_missing(self):
        for helm in HELMS:
            said = self.server.helm(helm, "template", RELEASE, CHART, "--kube-version", KUBERNETES, fails=True)
            for word in ("publicUrl", "kubectl create secret generic", "access."):
                self.assertIn(word, said)
            said = self.server.helm(
                helm, "template", RELEASE, CHART, "--kube-version", KUBERNETES, "--values", CASES["proxy"], "--set", "replica=2", fails=True
            )
            self.assertIn("replica", said)

    def test_every_rendering_is_accepted(self):
        """By a dry run of server-side apply, strict about unknown fields, then for good; and each pod by PodSecurity."""
        for name, values in CASES.items():
            with self.subTest(name):
                namespace = self.server.namespace(f"apply-{name}")
                rendered = self.server.helm(HELMS[0], "template", RELEASE, CHART, "--namespace", namespace, "--kube-version", KUBERNETES, "--values", values)
                objects = documents(rendered)
                for dry_run in (True, False):
                    for o in objects:
                        self.server.apply(o, namespace, dry_run)
                for made_by, template in pod_templates(objects):
                    self.server.admit(template, namespace)
                for o in objects: # Some stand in the gateway's namespace, in the way of the next.
                    self.server.ask("DELETE", self.server.place(o, namespace))
                say(f"applied {name}: {len(objects)} objects, {len(list(pod_templates(objects)))} pods admitted")

    def test_the_namespace_is_restricted(self):
        """What is weaker than the chart's pods is refused there, so that their being admitted means something."""
        namespace = self.server.namespace("restricted")
        rendered = self.server.helm(HELMS[0], "template", RELEASE, CHART, "--kube-version", KUBERNETES, "--values", CASES["proxy"])
        template = dict(pod_templates(documents(rendered)))[f"{RELEASE}-anteroom"]
        self.server.admit(template, namespace)
        for weaken in (
            lambda spec: spec["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
            lambda spec: spec["containers"][0]["securityContext"].pop("capabilities"),
            lambda spec: spec["containers"][0]["securityContext"].update(privileged=True, allowPrivilegeEscalation=True),
            lambda spec: spec.update(hostNetwork=True),
            lambda spec: spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
        ):
            weaker = copy.deepcopy(template)
            weaken(weaker["spec"])
            with self.assertRaisesRegex(Refused, "violates PodSecurity"):
                self.server.admit(weaker, namespace)

    def test_strictness_is_real(self):
        rendered = self.server.helm(HELMS[0], "template", RELEASE, CHART, "--kube-version", KUBERNETES, "--values", CASES["proxy"])
        deployment = next(o for o in documents(rendered) if o["kind"] == "Deployment")
        deployment["spec"]["template"]["spec"]["containers"][0]["imagePullpolicy"] = "Always"
        with self.assertRaisesRegex(Refused, "imagePullpolicy"):
            self.server.apply(deployment, self.server.namespace("strict"), dry_run=True)

    def test_install_upgrade_and_rollback(self):
        """From the version before, to this one, to other values, and back: the sealing key stays through all of it."""
        for helm in HELMS:
            for name, values in CASES.items():
                with self.subTest(name, helm=helm):
                    namespace = self.server.namespace(f"helm{helm.split('.')[0]}-{name}")
                    where = ("--namespace", namespace, "--values", values)
                    self.server.helm(helm, "install", RELEASE, self.older, *where)
                    before, key, claim = self.deployment(namespace), self.sealing_key(namespace), self.claim(namespace)
                    self.server.helm(helm, "upgrade", RELEASE, CHART, *where)
                    upgraded = self.deployment(namespace)
                    self.assertEqual(key, self.sealing_key(namespace), "the upgrade signs everybody out")
                    key = self.rotate(namespace, key)
                    self.server.helm(helm, "upgrade", RELEASE, CHART, *where, "--set", "shutdown.drainSeconds=41")
                    changed = self.deployment(namespace)
                    self.server.helm(helm, "rollback", RELEASE, "1", "--namespace", namespace)
                    back = self.deployment(namespace)
                    self.assertEqual(key, self.sealing_key(namespace), "the rollback signs everybody out")
                    if before:
                        version = lambda o: o["metadata"]["labels"]["helm.sh/chart"]
                        self.assertEqual(["anteroom-0.0.9"] * 2, [version(before), version(back)])
                        self.assertNotEqual(version(before), version(upgraded))
                        pod = lambda o: o["spec"]["template"]["spec"]
                        self.assertEqual(pod(before), pod(back))
                        self.assertEqual(before["spec"]["selector"], upgraded["spec"]["selector"], "a selector cannot change")
                        grace = "terminationGracePeriodSeconds"
                        self.assertEqual(pod(upgraded)[grace] + 41 - self.drain(values), pod(changed)[grace])
                    history = yaml.safe_load(self.server.helm(helm, "history", RELEASE, "--namespace", namespace, "--output", "yaml"))
                    self.assertEqual(4, len(history))
                    self.server.helm(helm, "uninstall", RELEASE, "--namespace", namespace)
                    self.assertIsNone(self.deployment(namespace))
                    self.assertEqual(claim, self.claim(namespace), "with the key must stay what knows the ended sessions")
                    self.assertEqual(key, self.sealing_key(namespace), "a new release of this name knows the old sessions")
                    say(f"helm {helm}: install, upgrade, upgrade, rollback, uninstall of {name}")

    def rotate(self, namespace, key):
        """The sealing key that the chart has made is another one from now on, by an operator's hand."""
        if key is None:
            return None
        secret = self.server.get("v1", "Secret", f"{RELEASE}-anteroom-session", namespace)
        new = b"rotated-" + key
        secret["data"] = {name: base64.b64encode(new).decode() for name in secret["data"]}
        self.server.ask("PUT", self.server.place(secret, namespace), secret)
        return new

    def claim(self, namespace):
        """What identifies the store's volume, if there is one that nobody has deleted."""
        try:
            metadata = self.server.get("v1", "PersistentVolumeClaim", f"{RELEASE}-anteroom", namespace)["metadata"]
        except Refused:
            return None
        return None if "deletionTimestamp" in metadata else metadata["uid"]

    def drain(self, values):
        return yaml.safe_load(values.read_text()).get("shutdown", {}).get("drainSeconds", 20)

    def test_a_chart_around_an_app_installs(self):
        for helm in HELMS:
            parent = sidecar_example(self.enterContext(tempfile.TemporaryDirectory()))
            namespace = self.server.namespace(f"parent-{helm.split('.')[0]}")
            self.server.helm(helm, "install", "wiki", parent, "--namespace", namespace)
            self.server.helm(helm, "upgrade", "wiki", parent, "--namespace", namespace)
            objects = self.manifest(helm, "wiki", namespace)
            for _, template in pod_templates(objects):
                self.server.admit(template, namespace)
            containers = [c["name"] for _, t in pod_templates(objects) for c in t["spec"].get("initContainers", []) + t["spec"]["containers"]]
            self.assertIn("anteroom", containers)
            (sources,) = [v["projected"]["sources"] for _, t in pod_templates(objects) for v in t["spec"]["volumes"] if v["name"] == "anteroom"]
            (keys,) = [s["secret"]["name"] for s in sources if s.get("secret", {}).get("items", [{}])[0].get("path") == "secrets/session-keys"]
            self.assertTrue(self.server.get("v1", "Secret", keys, namespace)["data"], "made by the dependency's hook")
            self.server.helm(helm, "rollback", "wiki", "1", "--namespace", namespace)
            self.server.helm(helm, "upgrade", "wiki", parent, "--namespace", namespace, "--set-string", f"{self.alias(parent)}.mode=off")
            objects = self.manifest(helm, "wiki", namespace)
            self.assertEqual(0, sum("anteroom" == c["name"] for _, t in pod_templates(objects) for c in (t["spec"].get("initContainers") or []) + t["spec"]["containers"]))
            say(f"helm {helm}: the chart of examples/sidecar")

    def alias(self, parent):
        (dependency,) = yaml.safe_load((parent / "Chart.yaml").read_text())["dependencies"]
        return dependency.get("alias", dependency["name"])


if __name__ == "__main__":
    os.chdir(REPOSITORY)
    unittest.main(verbosity=2)
