"""Do the parts fit: ports with Services, grace with the drain, selectors with pods, several replicas with each other?"""

import unittest

from chart import CASES, LEAST, Case, one, pod_specs, render, with_


def container(found):
    return one(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]


class Pods(Case):
    def test_the_container_is_as_agreed(self):
        c = container(render(CASES["proxy"]))
        self.assertEqual(["run", "--config", "/etc/anteroom/anteroom.toml"], c["args"])
        self.assertNotIn("command", c)
        self.assertEqual({"http": 4180, "ops": 4181}, {p["name"]: p["containerPort"] for p in c["ports"]})
        self.assertEqual(("/livez", "ops"), (c["livenessProbe"]["httpGet"]["path"], c["livenessProbe"]["httpGet"]["port"]))
        for probe in ("startupProbe", "readinessProbe"):
            self.assertEqual(("/readyz", "ops"), (c[probe]["httpGet"]["path"], c[probe]["httpGet"]["port"]))
        mounts = {m["mountPath"]: m.get("readOnly", False) for m in c["volumeMounts"]}
        self.assertEqual({"/etc/anteroom": True, "/var/lib/anteroom": False}, mounts)
        self.assertEqual((65532, 65532), (c["securityContext"]["runAsUser"], c["securityContext"]["runAsGroup"]))
        forward = container(render(LEAST["forwardAuth"]))
        self.assertEqual({"auth": 4182, "ops": 4181}, {p["name"]: p["containerPort"] for p in forward["ports"]})

    def test_every_mount_has_its_volume(self):
        for name, values in CASES.items():
            for _, spec in pod_specs(render(values)):
                volumes = {v["name"] for v in spec["volumes"]}
                for c in spec.get("initContainers", []) + spec["containers"]:
                    self.assertLessEqual({m["name"] for m in c.get("volumeMounts", [])}, volumes, name)

    def test_every_target_port_and_probe_has_its_port(self):
        for name, values in CASES.items():
            found = render(values)
            for _, spec in pod_specs(found):
                for c in spec.get("initContainers", []) + spec["containers"]:
                    ports = {p["name"] for p in c.get("ports", [])}
                    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                        if kind in c:
                            self.assertIn(c[kind]["httpGet"]["port"], ports, name)
            for deployment in (o for o in found if o["kind"] == "Deployment"):
                template = deployment["spec"]["template"]
                ports = {p[key] for c in template["spec"]["containers"] for p in c["ports"] for key in ("name", "containerPort")}
                for service in (o for o in found if o["kind"] == "Service"):
                    self.assertLessEqual(service["spec"]["selector"].items(), template["metadata"]["labels"].items(), name)
                    self.assertLessEqual({p["targetPort"] for p in service["spec"]["ports"]}, ports, name)
                for policy in (o for o in found if o["kind"] == "NetworkPolicy"):
                    self.assertLessEqual(policy["spec"]["podSelector"]["matchLabels"].items(), template["metadata"]["labels"].items())
                    # Numbers: not every network knows the names of a native sidecar's ports. One rule is the operator's.
                    wanted = {p["port"] for rule in policy["spec"]["ingress"] for p in rule["ports"]} - {9090}
                    self.assertLessEqual(wanted, {port for port in ports if isinstance(port, int)}, name)

    def test_the_way_from_outside_ends_at_the_service(self):
        found = render(CASES["proxy-everything"])
        service = one(found, "Service", "auth-anteroom")
        there = (service["metadata"]["name"], service["spec"]["ports"][0]["port"])
        ingress, route = one(found, "Ingress"), one(found, "HTTPRoute")
        hosts = ["app.example.com", "wiki.example.com", "ci.example.org"]
        self.assertEqual(hosts, [rule["host"] for rule in ingress["spec"]["rules"]])
        self.assertEqual(hosts, route["spec"]["hostnames"])
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                self.assertEqual(there, (path["backend"]["service"]["name"], path["backend"]["service"]["port"]["number"]))
        for rule in route["spec"]["rules"]:
            self.assertEqual([there], [(b["name"], b["port"]) for b in rule["backendRefs"]])

    def test_grace_follows_from_the_drain(self):
        for shutdown, grace, delay, drain in [
            ({}, 30, "5s", "20s"),
            ({"delaySeconds": 7, "drainSeconds": 40}, 52, "7s", "40s"),
            ({"preStopSeconds": 3, "delaySeconds": 0, "drainSeconds": 1}, 9, "0s", "1s"),
        ]:
            found = render(with_(CASES["proxy"], shutdown=shutdown))
            self.assertEqual(grace, one(found, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])
            toml = one(found, "ConfigMap", "auth-anteroom")["data"]["anteroom.toml"]
            self.assertIn(f'shutdown_delay = "{delay}"', toml)
            self.assertIn(f'drain_timeout = "{drain}"', toml)
            sleep = container(found).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
            self.assertEqual(shutdown.get("preStopSeconds"), sleep)

    def test_one_owner_of_a_volume_and_no_gap_without_one(self):
        spec = one(render(CASES["proxy"]), "Deployment")["spec"]
        self.assertEqual({"type": "Recreate"}, spec["strategy"])
        for change in ({"persistence": {"enabled": False}}, {"replicas": 3, "separateStores": True}):
            found = render(with_(CASES["proxy"], **change))
            spec = one(found, "Deployment")["spec"]
            self.assertEqual({"maxSurge": 1, "maxUnavailable": 0}, spec["strategy"]["rollingUpdate"])
            store = next(v for v in spec["template"]["spec"]["volumes"] if v["name"] == "anteroom-store")
            self.assertEqual({"sizeLimit": "1Gi"}, store["emptyDir"])
            self.assertNotIn("PersistentVolumeClaim", [o["kind"] for o in found])

    def test_several_replicas_keep_apart_and_one_needs_no_budget(self):
        alone, several = render(CASES["proxy"]), render(with_(CASES["proxy"], replicas=3, separateStores=True))
        self.assertNotIn("PodDisruptionBudget", [o["kind"] for o in alone])
        self.assertNotIn("affinity", one(alone, "Deployment")["spec"]["template"]["spec"])
        spec = one(several, "Deployment")["spec"]["template"]["spec"]
        self.assertIn("podAntiAffinity", spec["affinity"])
        self.assertEqual("topology.kubernetes.io/zone", spec["topologySpreadConstraints"][0]["topologyKey"])
        budget = one(several, "PodDisruptionBudget")
        self.assertEqual(1, budget["spec"]["maxUnavailable"])
        self.assertEqual(one(several, "Deployment")["spec"]["selector"], budget["spec"]["selector"])
        scaled = render(CASES["proxy-autoscaled"])
        self.assertNotIn("replicas", one(scaled, "Deployment")["spec"])
        self.assertEqual(2, one(scaled, "HorizontalPodAutoscaler")["spec"]["minReplicas"])
        one(scaled, "PodDisruptionBudget")

    def test_what_is_read_anew_does_not_restart_the_pod(self):
        def mark(**change):
            template = one(render(with_(CASES["proxy"], **change)), "Deployment")["spec"]["template"]
            return template["metadata"]["annotations"]["anteroom.dev/config"]

        same = mark()
        for change in ({"access": {"emails": ["ada@example.org"]}}, {"upstream": "http://other:80"}, {"config": {"ops": {"reload": True}}}):
            self.assertEqual(same, mark(**change), change)
        for change in ({"config": {"ops": {"level": "debug"}}}, {"bindAddress": "::"}, {"config": {"proxy": {"http2": False}}}):
            self.assertNotEqual(same, mark(**change), change)

    def test_the_image(self):
        digest = "sha256:" + "0123456789abcdef" * 4
        for image, shown in [
            ({}, "ghcr.io/anteroom-dev/anteroom:0.1.0"),
            ({"repository": "registry.local:5000/a/b", "tag": "2"}, "registry.local:5000/a/b:2"),
            ({"tag": "2", "digest": digest}, f"ghcr.io/anteroom-dev/anteroom@{digest}"),
        ]:
            self.assertEqual(shown, container(render(with_(CASES["proxy"], image=image)))["image"])

    def test_who_it_runs_as_can_be_left_to_the_cluster(self):
        for user in (65532, 1234, "cluster", None):
            found = render(with_(CASES["proxy"], user=user))
            pod = one(found, "Deployment")["spec"]["template"]["spec"]
            contexts = [pod["securityContext"], pod["containers"][0]["securityContext"]]
            user = None if user == "cluster" else user
            self.assertEqual([user, user], [context.get("runAsUser") for context in contexts])
            self.assertEqual((user, [True, True]), (pod["securityContext"].get("fsGroup"), [context["runAsNonRoot"] for context in contexts]))

    def test_what_the_chart_has_no_value_for(self):
        found = render(with_(CASES["proxy"], podSpec={"runtimeClassName": "kata", "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}]},
                             service={"type": "LoadBalancer", "spec": {"externalTrafficPolicy": "Local"}}))
        self.assertEqual("kata", one(found, "Deployment")["spec"]["template"]["spec"]["runtimeClassName"])
        self.assertEqual("Local", one(found, "Service")["spec"]["externalTrafficPolicy"])

    def test_metrics_are_not_behind_the_people_s_service(self):
        found = render(CASES["proxy-everything"])
        self.assertEqual(["http"], [p["targetPort"] for p in one(found, "Service", "auth-anteroom")["spec"]["ports"]])
        rules = one(found, "NetworkPolicy")["spec"]["ingress"]
        by = {rule["ports"][0]["port"]: rule.get("from") for rule in rules}
        self.assertEqual("monitoring", by[4181][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
        self.assertEqual("ingress", by[4180][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])

    def test_a_sidecar_lets_in_only_what_is_named(self):
        rules = one(render(CASES["sidecar-probes"]), "NetworkPolicy")["spec"]["ingress"]
        self.assertEqual([4180, 4181, 4183, 9090], [rule["ports"][0]["port"] for rule in rules])
        # A rule without ports would open them all.
        for name, values in CASES.items():
            for policy in (o for o in render(values) if o["kind"] == "NetworkPolicy"):
                for rule in policy["spec"]["ingress"]:
                    self.assertTrue(rule["ports"], name)


if __name__ == "__main__":
    unittest.main()
