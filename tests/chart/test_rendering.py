"""Does every values file render, into objects that Kubernetes accepts and that keep its strictest rules for pods?"""

import contextlib
import io
import json
import re
import unittest

import helm_python as helm
import jsonschema
import kubernetes_validate as kubernetes
import yaml

from chart import CASES, CHART, HERE, REPOSITORY, Case, objects, one, pod_specs, render, templates
from cluster import Cluster

VERSIONS = ["1.29", "1.33", "1.37"]

# Kinds of other projects, whose schemas no registry has.
FOREIGN = {
    "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1", "monitoring.coreos.com/v1", "traefik.io/v1alpha1",
}


def volume_kinds(spec):
    return {key for volume in spec.get("volumes", []) for key in volume if key != "name"}


def restricted(spec):
    """What of a pod the PodSecurity standard "restricted" forbids (kubernetes.io/docs/concepts/security/pod-security-standards)."""
    wrong = []
    pod = spec.get("securityContext", {})
    wrong += [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    wrong += sorted(volume_kinds(spec) - allowed)
    for container in spec.get("initContainers", []) + spec["containers"]:
        own, name = container.get("securityContext", {}), container["name"]
        either = lambda key: own.get(key, pod.get(key))
        if own.get("allowPrivilegeEscalation") is not False:
            wrong.append(f"{name}: allowPrivilegeEscalation")
        if either("runAsNonRoot") is not True or either("runAsUser") == 0:
            wrong.append(f"{name}: runAsNonRoot")
        if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
            wrong.append(f"{name}: capabilities")
        if (either("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
            wrong.append(f"{name}: seccompProfile")
        if own.get("privileged") or any("hostPort" in port for port in container.get("ports", [])):
            wrong.append(f"{name}: privileged or hostPort")
        # Further than the standard goes.
        if own.get("readOnlyRootFilesystem") is not True:
            wrong.append(f"{name}: readOnlyRootFilesystem")
    return wrong


class Rendering(Case):
    def test_lint_finds_nothing(self):
        for name, values in CASES.items():
            with self.subTest(name):
                report = helm.lint(CHART, values, strict=True, kube_version="v1.33.0")
                found = [m for m in report["messages"] if m["severity"] > 1]
                self.assertEqual(([], []), (found, report["errors"]))

    def test_strict_schemas_of_three_versions(self):
        for name, values in CASES.items():
            for o in render(values):
                if o["apiVersion"] in FOREIGN:
                    continue
                for version in VERSIONS:
                    with self.subTest(name, kind=o["kind"], version=version):
                        kubernetes.validate(o, version, strict=True)

    def test_the_schemas_are_strict(self):
        o = next(o for o in render(CASES["proxy"]) if o["kind"] == "Deployment")
        o["spec"]["template"]["spec"]["containers"][0]["imagePullpolicy"] = "Always"
        for version in VERSIONS:
            with self.assertRaises(kubernetes.ValidationError), contextlib.redirect_stdout(io.StringIO()):
                kubernetes.validate(o, version, strict=True)

    def test_pods_are_restricted(self):
        pods = 0
        for name, values in CASES.items():
            for made_by, spec in pod_specs(render(values)):
                with self.subTest(name, pod=made_by):
                    self.assertEqual([], restricted(spec))
                    self.assertIs(False, spec["automountServiceAccountToken"])
                    pods += 1
        self.assertGreater(pods, 20)

    def test_names_are_unique_and_of_this_namespace(self):
        for name, values in CASES.items():
            with self.subTest(name):
                found = render(values, namespace="there")
                keys = [(o["kind"], o["metadata"]["name"]) for o in found]
                self.assertEqual(len(keys), len(set(keys)), keys)
                for o in found:
                    if o["metadata"]["name"] == "beside" or o["kind"] == "ClientTrafficPolicy":
                        continue
                    self.assertEqual("there", o["metadata"]["namespace"], o["kind"])

    def test_no_secret_is_rendered_but_the_session_key(self):
        for name, values in CASES.items():
            with self.subTest(name), Cluster() as cluster:
                secrets = [o for o in cluster.objects(values) if o["kind"] == "Secret"]
                own = values.get("mode", "proxy") != "off" and not values.get("session")
                self.assertEqual(["auth-anteroom-session"] if own else [], [o["metadata"]["name"] for o in secrets])

    def test_secrets_are_files_and_never_variables(self):
        for name, values in CASES.items():
            for _, spec in pod_specs(render(values)):
                for container in spec.get("initContainers", []) + spec["containers"]:
                    for variable in container.get("env", []):
                        self.assertNotIn("valueFrom", variable, name)
                    self.assertNotIn("envFrom", container, name)
                    for mount in container.get("volumeMounts", []):
                        self.assertNotIn("subPath", mount, "is never updated")

    def test_the_defaults_are_what_they_were(self):
        found = templates(CASES["proxy"])
        text = "".join(f"# {path}\n{found[path].strip()}\n" for path in sorted(found) if found[path].strip())
        self.same_as_file(HERE / "golden" / "proxy.yaml", text)

    def test_off_is_nothing(self):
        for mode in ("off", False):
            found = templates({"mode": mode, "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}]})
            self.assertEqual([], objects(found))
            self.assertIn("Anteroom is off", found["NOTES.txt"])

    def test_alerts_and_dashboard_ask_for_metrics_that_there_are(self):
        known = set(re.findall(r"^\| `(anteroom_\w+)` \|", (REPOSITORY / "docs/reference/metrics.md").read_text(), re.M))
        for name, origin in (("alerts.yaml", "deploy/prometheus/alerts.yaml"), ("dashboard.json", "deploy/grafana/anteroom.json")):
            text = (CHART / "files" / name).read_text()
            used = set(re.findall(r"anteroom_\w+", text))
            self.assertGreater(len(used), 5)
            for metric in used:
                self.assertIn(re.sub(r"_(bucket|count|sum)$", "", metric), known, name)
            # A package holds no files from outside of it, so the chart has its own copy.
            if (REPOSITORY / origin).exists():
                self.same_as_file(CHART / "files" / name, (REPOSITORY / origin).read_text())

    def test_the_dashboard_is_whole(self):
        held = one(render(CASES["proxy-everything"]), "ConfigMap", "auth-anteroom-dashboard")
        self.assertEqual("1", held["metadata"]["labels"]["grafana_dashboard"])
        self.assertEqual(json.loads((CHART / "files/dashboard.json").read_text()), json.loads(held["data"]["anteroom.json"]))
        rules = one(render(CASES["proxy-everything"]), "PrometheusRule")["spec"]
        self.assertEqual(yaml.safe_load((CHART / "files/alerts.yaml").read_text()), rules)

    def test_foreign_kinds_say_what_they_select(self):
        port = {"type": "object", "required": ["port"], "additionalProperties": False, "properties": {
            "port": {"const": "ops"}, "path": {"const": "/metrics"}, "interval": {"type": "string"}}}
        monitor = {"type": "object", "additionalProperties": False, "required": ["selector", "endpoints"], "properties": {
            "selector": {"type": "object", "required": ["matchLabels"]}, "endpoints": {"type": "array", "items": port, "minItems": 1}}}
        found = render(CASES["proxy-everything"])
        by = {o["kind"]: o for o in found}
        jsonschema.validate(by["ServiceMonitor"]["spec"], monitor)
        service = next(o for o in found if o["metadata"]["name"] == "auth-anteroom-metrics")
        wanted = by["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
        self.assertLessEqual(wanted.items(), service["metadata"]["labels"].items())
        # And of the two Services it selects this one.
        other = next(o for o in found if o["kind"] == "Service" and o is not service)
        self.assertFalse(wanted.items() <= other["metadata"]["labels"].items())
        for o in (by["ServiceMonitor"], by["PrometheusRule"]):
            self.assertEqual("prometheus", o["metadata"]["labels"]["release"])
        for group in by["PrometheusRule"]["spec"]["groups"]:
            for rule in group["rules"]:
                self.assertTrue(rule["alert"] and rule["expr"] and rule["annotations"]["summary"])


if __name__ == "__main__":
    unittest.main()
