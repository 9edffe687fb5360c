"""What does an upgrade make of what is in the cluster? The sealing key stays, and the notes see what is missing."""

import base64
import unittest

import helm_python as helm

from chart import CASES, Case, one, render
from cluster import Cluster

SIDECAR = CASES["sidecar-probes"]


def secret(text, name="auth-anteroom-session"):
    data = {"session-keys": base64.b64encode(text.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "data": data}


def deployment(app=None, sidecar="auth-anteroom"):
    container = {"name": "app", "image": "x", **(app or {})}
    labels = {"app": "wiki", "anteroom.dev/sidecar": sidecar}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container, {"name": "anteroom", "image": "y"}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "wiki", "namespace": "default"}, "spec": {"template": template}}


def service(target, name="wiki", selector=None):
    spec = {"selector": selector or {"app": "wiki"}, "ports": [{"port": 80, "targetPort": target}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def key(found):
    return base64.b64decode(one(found, "Secret")["data"]["session-keys"]).decode()


class SealingKey(Case):
    def test_made_once_and_strong(self):
        with Cluster() as cluster:
            first, second, found = key(cluster.objects(CASES["proxy"])), key(cluster.objects(CASES["proxy"])), cluster.objects(CASES["proxy"])
        self.assertRegex(first, r"^[A-Za-z0-9]{43}$")
        self.assertNotEqual(first, second)
        # A hook is no part of the release: neither a rollback nor `helm uninstall` touches it, and Helm deletes it never.
        hook = {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "hook-failed", "argocd.argoproj.io/hook": "Skip"}
        self.assertEqual(hook, one(found, "Secret")["metadata"]["annotations"])

    def test_without_a_cluster_there_is_none(self):
        """Every rendering would make another one, and sign everybody out."""
        self.assertEqual([], [o for o in render(CASES["proxy"]) if o["kind"] == "Secret"])

    def test_an_upgrade_leaves_it_rotated_or_not(self):
        for text in ("a" * 43, "new-" + "b" * 40 + "\nold-" + "c" * 40 + "\n"):
            for case in ("proxy", "sidecar", "forward-auth-none"):
                with Cluster(secret(text)) as cluster:
                    self.assertEqual([], [o for o in cluster.objects(CASES[case]) if o["kind"] == "Secret"])

    def test_an_upgrade_without_one_makes_one(self):
        for contents in ([], [secret("x" * 43, name="another")]):
            with Cluster(*contents) as cluster:
                self.assertRegex(key(cluster.objects(CASES["proxy"])), r"^[A-Za-z0-9]{43}$")
        # Somebody else's, by the looks of it.
        with Cluster({**secret(""), "data": {}}) as cluster, self.assertRaises(helm.HelmError) as caught:
            cluster.objects(CASES["proxy"])
        self.assertIn("without the key session-keys. Delete it", str(caught.exception))

    def test_the_pod_is_the_same_after_an_upgrade(self):
        with Cluster(secret("a" * 43)) as cluster:
            first, second = (cluster.objects(CASES["proxy"]) for _ in range(2))
        self.assertEqual(first, second)


class Notes(Case):
    def said(self, *contents, values=SIDECAR):
        with Cluster(*contents) as cluster:
            text = cluster.render(values)["anteroom/templates/NOTES.txt"]
        return [text.split(f"\n{n}. ")[1].split("\n")[1].strip() for n in "123"]

    def test_nothing_there_yet(self):
        loopback, leads, probes = self.said()
        self.assertIn("NOT VISIBLE", loopback)
        self.assertIn("NOT SEEN", leads)
        self.assertIn("NOT SEEN", probes)
        self.assertIn("MISSING: sidecar.probePaths is empty", self.said(values=CASES["sidecar"])[2])

    def test_every_kind_of_workload_is_seen(self):
        for kind in ("StatefulSet", "DaemonSet"):
            self.assertEqual("MISSING: wiki (targetPort 8080)", self.said({**deployment(), "kind": kind}, service(8080))[1])
        both = service(4180)
        both["spec"]["ports"].append({"port": 9090, "targetPort": 9090})
        self.assertEqual("OK: wiki. Past Anteroom: wiki (targetPort 9090)", self.said(deployment(), both)[1])

    def test_the_service_that_walks_past(self):
        for target in (8080, "http"):
            self.assertEqual(f"MISSING: wiki (targetPort {target})", self.said(deployment(), service(target))[1])
        for target in (4180, "anteroom-http"):
            self.assertEqual("OK: wiki", self.said(deployment(), service(target))[1])
        # Others' Services, and the metrics' own, are not meant.
        others = [service(80, "blog", {"app": "blog"}), service(4181, "auth-anteroom-metrics")]
        self.assertEqual("OK: wiki", self.said(deployment(), service("anteroom-http"), *others)[1])
        self.assertIn("NOT SEEN", self.said(deployment(sidecar="other"), service(8080))[1])

    def test_probes_that_go_nowhere(self):
        probe = lambda path, port: {"readinessProbe": {"httpGet": {"path": path, "port": port}}}
        self.assertIn("MISSING: readinessProbe of app asks port 8080", self.said(deployment(probe("/ready", 8080)))[2])
        self.assertIn("asks /other, which is not in sidecar.probePaths", self.said(deployment(probe("/other", 4183)))[2])
        self.assertEqual("OK: /ready", self.said(deployment(probe("/ready", 4183)))[2])
        # The kubelet looks for a name among the ports of the container that it probes.
        self.assertIn("asks port probes", self.said(deployment(probe("/ready", "probes")))[2])
        self.assertIn("MISSING", self.said(deployment({"livenessProbe": {"tcpSocket": {"port": 8080}}}))[2])
        self.assertNotIn("MISSING", self.said(deployment({"livenessProbe": {"exec": {"command": ["true"]}}}))[2])

    def test_the_app_that_declares_its_port(self):
        self.assertIn("MISSING? A container of the pod declares port 8080", self.said(deployment({"ports": [{"containerPort": 8080}]}))[0])
        closed = {**SIDECAR, "networkPolicy": {"enabled": False}}
        self.assertIn("everybody in the cluster walks past", self.said(values=closed)[0])


if __name__ == "__main__":
    unittest.main()
