"""Can another chart take Anteroom into its pod, under a name of its own, and switch it off again?"""

import shutil
import tempfile
import unittest
from pathlib import Path

import helm_python as helm
import kubernetes_validate as kubernetes
import yaml

from chart import CHART, HERE, Case, objects, one, render, with_
from test_rendering import VERSIONS, restricted


class Parent(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="anteroom-parent-")
        cls.addClassCleanup(folder.cleanup)
        cls.chart = Path(folder.name) / "wiki"
        shutil.copytree(HERE / "parent", cls.chart)
        shutil.copytree(CHART, cls.chart / "charts" / "anteroom")

    def templates(self, **auth):
        with helm.Chart.load(self.chart) as chart:
            return chart.render({"auth": auth}, name="docs", namespace="there")

    def objects(self, **auth):
        return objects(self.templates(**auth))

    def test_the_pod_holds_the_container_of_the_own_deployment(self):
        for native in (True, False):
            found = self.objects(sidecar={"native": native})
            spec = one(found, "Deployment", "wiki")["spec"]["template"]["spec"]
            there, not_there = ("initContainers", "containers") if native else ("containers", "initContainers")
            self.assertNotIn("anteroom", [c["name"] for c in spec[not_there] or []])
            c = next(c for c in spec[there] if c["name"] == "anteroom")
            self.assertEqual("Always" if native else None, c.pop("restartPolicy", None))
            own = render({"publicUrl": "https://a.example", "upstream": "http://b", "access": {"emails": ["a@b.example"]},
                          "atlassian": {"clientId": "x", "existingSecret": "y"}})
            mine = one(own, "Deployment")["spec"]["template"]["spec"]["containers"][0]
            self.assertEqual({p["name"]: p["containerPort"] for p in c["ports"]}, {"anteroom-http": 4180, "ops": 4181, "probes": 4183})
            self.assertEqual({**mine, "ports": c["ports"]}, c)

    def test_kubernetes_accepts_it_and_it_is_restricted(self):
        for o in self.objects():
            for version in VERSIONS:
                kubernetes.validate({k: v for k, v in o.items()}, version, strict=True)
        self.assertEqual([], restricted(one(self.objects(), "Deployment")["spec"]["template"]["spec"]))

    def test_names_follow_the_alias_and_the_release(self):
        found = self.objects()
        spec = one(found, "Deployment")["spec"]["template"]["spec"]
        volume = next(v for v in spec["volumes"] if v["name"] == "anteroom")
        sources = volume["projected"]["sources"]
        config, secrets = sources[0]["configMap"]["name"], [s["secret"]["name"] for s in sources[1:]]
        one(found, "ConfigMap", config)
        self.assertEqual("wiki-atlassian", secrets[0])
        self.assertEqual("docs-auth-session", secrets[1])
        self.assertTrue(config.startswith("docs-"), config)
        # No pods, Services or tests of its own.
        kinds = sorted(o["kind"] for o in found if o["metadata"]["name"] != "wiki")
        self.assertEqual(["ConfigMap", "NetworkPolicy"], kinds)

    def test_the_three_things_fit_together(self):
        found = self.objects(metrics={"serviceMonitor": {"enabled": True}})
        template = one(found, "Deployment")["spec"]["template"]
        labels = template["metadata"]["labels"].items()
        self.assertLessEqual(one(found, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items(), labels)
        monitored = next(o for o in found if o["kind"] == "Service" and o["metadata"]["name"] != "wiki")
        self.assertLessEqual(monitored["spec"]["selector"].items(), labels)
        # A number: Kubernetes before 1.33 does not find the names of a native sidecar's ports.
        self.assertEqual(4180, one(found, "Service", "wiki")["spec"]["ports"][0]["targetPort"])
        self.assertEqual(4181, monitored["spec"]["ports"][0]["targetPort"])
        toml = next(o for o in found if o["kind"] == "ConfigMap")["data"]["anteroom.toml"]
        self.assertIn('upstream = "http://127.0.0.1:8080"', toml)
        self.assertIn('[proxy.probes]\nlisten = "0.0.0.0:4183"\npaths = ["/healthz"]', toml)
        app = next(c for c in template["spec"]["containers"] if c["name"] == "wiki")
        self.assertEqual(6, app["lifecycle"]["preStop"]["sleep"]["seconds"])
        self.assertEqual(36, template["spec"]["terminationGracePeriodSeconds"])

    def test_the_app_goes_on_as_long_as_it_is_asked(self):
        found = self.objects(shutdown={"preStopSeconds": 30, "delaySeconds": 0, "drainSeconds": 7})
        spec = one(found, "Deployment")["spec"]["template"]["spec"]
        app = next(c for c in spec["containers"] if c["name"] == "wiki")
        self.assertEqual((31, 31 + 30 + 7 + 5), (app["lifecycle"]["preStop"]["sleep"]["seconds"], spec["terminationGracePeriodSeconds"]))

    def test_off_leaves_the_app_alone(self):
        found = self.objects(mode="off")
        self.assertEqual(["Deployment", "Service"], sorted(o["kind"] for o in found))
        template = one(found, "Deployment")["spec"]["template"]
        self.assertEqual(["wiki"], [c["name"] for c in template["spec"]["containers"]])
        self.assertFalse(template["spec"]["initContainers"])
        self.assertFalse(template["spec"]["volumes"])
        self.assertEqual({"app": "wiki"}, template["metadata"]["labels"])
        self.assertEqual(8080, one(found, "Service")["spec"]["ports"][0]["targetPort"])

    def test_values_of_the_sidecar_are_checked_too(self):
        for auth, words in [({"tpyo": 1}, "tpyo"), ({"access": {"emailDomains": []}}, "access is empty"), ({"sidecar": {"appPort": None}}, "appPort")]:
            with self.assertRaises(helm.HelmError) as caught:
                self.templates(**auth)
            self.assertIn(words, str(caught.exception))

    def test_several_aliases_never_share_a_name(self):
        for release in ("auth-admin", "docs", "r" * 53, "myauth"):
            names = []
            for alias in ("auth", "admin", "wikiAuth", "auth2"):
                chart = self.renamed(alias)
                for values in ({}, {alias: {"nameOverride": "sso"}}):
                    with helm.Chart.load(chart) as loaded:
                        found = objects(loaded.render(values, name=release, namespace="there"))
                    mine = [o["metadata"]["name"] for o in found if o["kind"] == "ConfigMap"]
                    self.assertRegex(mine[0], r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$")
                    names += mine
            self.assertEqual(8, len(set(names)), names)

    def renamed(self, alias):
        """The same parent with another alias."""
        folder = Path(tempfile.mkdtemp(prefix="anteroom-alias-"))
        self.addCleanup(shutil.rmtree, folder)
        chart = folder / "wiki"
        shutil.copytree(self.chart, chart)
        for file in ("Chart.yaml", "values.yaml", *(f"templates/{f.name}" for f in (chart / "templates").iterdir())):
            path = chart / file
            text = path.read_text()
            path.write_text(text.replace("Subcharts.auth", f"Subcharts.{alias}").replace("alias: auth", f"alias: {alias}").replace("auth:\n  mode", f"{alias}:\n  mode"))
        return chart

    def test_global_values_of_the_parent_are_let_through(self):
        with helm.Chart.load(self.chart) as chart:
            chart.render({"global": {"imageRegistry": "x"}}, name="docs", namespace="there")

    def test_notes_reach_the_people_of_the_parent(self):
        said = self.templates()["wiki/templates/NOTES.txt"]
        self.assertIn("https://wiki.example.com/api/auth/callback/atlassian", said)
        for number in "123":
            self.assertIn(f"\n{number}. ", said)


if __name__ == "__main__":
    unittest.main()
