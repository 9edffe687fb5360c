"""Are values checked? Typos, hostile text and what cannot work are refused, with what to do about it."""

import json
import re
import tomllib
import unittest

import helm_python as helm
import yaml

from chart import CASES, CHART, LEAST, REPOSITORY, Case, notes, one, render, templates, with_

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

# Maps whose keys are other people's.
OPEN = {"config", "resources", "affinity", "labels", "annotations", "podAnnotations", "podLabels", "nodeSelector", "podSpec", "spec"}


def paths(tree, before=""):
    """Every key of a tree of values, without what lies below an open map."""
    for key, value in tree.items():
        here = f"{before}{key}"
        yield here
        if isinstance(value, dict) and key not in OPEN:
            yield from paths(value, f"{here}.")


def schema_paths(schema, before=""):
    for key, sub in schema["properties"].items():
        if before + key == "global":
            continue
        here = f"{before}{key}"
        yield here
        if "properties" in sub and key not in OPEN:
            yield from schema_paths(sub, f"{here}.")


def documented():
    """Rows of the README's table: key, default, comment; in the order of values.yaml."""
    rows, comment, stack = [], None, []
    for line in (CHART / "values.yaml").read_text().splitlines():
        if said := re.match(r"\s*# -- (.+)", line):
            comment = said[1]
        elif key := re.match(r"( *)([A-Za-z]+):", line):
            stack = stack[: len(key[1]) // 2] + [key[2]]
            if comment:
                default = VALUES
                for step in stack:
                    default = default[step]
                rows.append((".".join(stack), default, comment))
                comment = None
    return rows


class Values(Case):
    def test_every_key_is_in_the_schema_and_the_other_way_round(self):
        self.assertEqual(sorted(paths(VALUES)), sorted(schema_paths(SCHEMA)))

    def test_there_are_not_too_many(self):
        self.assertLessEqual(len(list(paths(VALUES))), 120)

    def test_every_leaf_is_documented_and_the_readme_says_the_same(self):
        rows = documented()
        leaves = [p for p in paths(VALUES) if not any(q.startswith(f"{p}.") for q in paths(VALUES))]
        self.assertEqual(leaves, [key for key, _, _ in rows])
        table = "| key | default | |\n|---|---|---|\n"
        for key, default, comment in rows:
            shown = json.dumps(default, ensure_ascii=False)
            cell = "" if default in ("", None) or default == [] or default == {} else f"`{shown}`"
            self.assertNotIn("|", comment)
            table += f"| `{key}` | {cell} | {comment} |\n"
        begin, end = "<!-- begin values: from values.yaml, UPDATE=1 cargo test chart -->\n", "<!-- end values -->"
        readme = (CHART / "README.md").read_text()
        before, rest = readme.split(begin)
        after = rest.split(end)[1]
        self.same_as_file(CHART / "README.md", before + begin + "\n" + table + "\n" + end + after)

    def test_objects_of_the_schema_are_closed(self):
        def check(schema, path):
            if schema.get("type") == "object" and "properties" in schema:
                # A volume has one of thirty kinds, a Kubernetes object any: its own schema judges those.
                if path not in ("extraVolumes[]",):
                    self.assertIs(False, schema.get("additionalProperties"), path)
                for key, sub in schema["properties"].items():
                    check(sub, f"{path}.{key}" if path else key)
            if "items" in schema:
                check(schema["items"], f"{path}[]")

        check(SCHEMA, "")

    def test_unknown_keys_are_refused_at_every_level(self):
        for path in [""] + [p for p in paths(VALUES) if isinstance(self.at(p), dict) and p.split(".")[-1] not in OPEN]:
            change = {"tpyo": 1}
            for step in reversed(path.split(".") if path else []):
                change = {step: change}
            with self.subTest(path):
                self.refused(with_(CASES["proxy"], **change), "tpyo")

    @staticmethod
    def at(path):
        value = VALUES
        for step in path.split("."):
            value = value[step]
        return value

    def test_wrong_types_are_refused(self):
        for change in [
            {"replicas": "2"}, {"replicas": 1.5}, {"replicas": -1}, {"mode": "proxi"}, {"mode": True}, {"access": []},
            {"access": {"emailDomains": "example.com"}}, {"access": {"allowAnyAtlassianAccount": "true"}},
            {"atlassian": {"clientSecret": "ATOAx"}}, {"image": {"pullPolicy": "Sometimes"}}, {"service": {"port": 0}},
            {"sidecar": {"appPort": 65536}}, {"shutdown": {"drainSeconds": "20s"}}, {"image": {"digest": "sha256:1"}},
            {"networkPolicy": {"from": [{}]}}, {"resources": {"limits": {"memory": "64 MB"}}}, {"config": []},
        ]:
            with self.subTest(change):
                self.refused(with_(CASES["proxy"], **change), "values don't meet the specifications")

    def test_hostile_text_is_refused(self):
        evil = ["a\nb", "a\r\nb", 'a"b', "a'b", "a;b", "a b", "a`b", "a{{b}}", "$(a)", "a\u0000b", "a\\b", "a#b", "<a>"]
        places = [
            lambda t: {"publicUrl": f"https://{t}"}, lambda t: {"publicUrl": f"https://app.example.com/{t}"},
            lambda t: {"appUrls": [f"https://{t}.example.com"]}, lambda t: {"upstream": f"http://{t}"},
            lambda t: {"atlassian": {"clientId": t}}, lambda t: {"atlassian": {"existingSecret": t}},
            lambda t: {"atlassian": {"scopes": [t]}}, lambda t: {"atlassian": {"secretKey": t}},
            lambda t: {"access": {"emailDomains": [f"{t}.example.com"]}}, lambda t: {"access": {"accountIds": [t]}},
            lambda t: {"session": {"existingSecret": t}}, lambda t: {"trustedProxies": [t]},
            lambda t: {"image": {"repository": t}}, lambda t: {"image": {"tag": t}}, lambda t: {"test": {"image": t}},
            lambda t: {"forwardAuth": {"headers": [t]}}, lambda t: {"forwardAuth": {"entryPoints": [t]}},
            lambda t: {"forwardAuth": {"app": {"service": t}}}, lambda t: {"ingress": {"className": t}},
            lambda t: {"fullnameOverride": t}, lambda t: {"nameOverride": t}, lambda t: {"serviceAccount": {"name": t}},
            lambda t: {"priorityClassName": t}, lambda t: {"metrics": {"serviceMonitor": {"interval": t}}},
            lambda t: {"persistence": {"storageClass": t}}, lambda t: {"podLabels": {"a": t}}, lambda t: {"podLabels": {t: "a"}},
            lambda t: {"podAnnotations": {t: "a"}}, lambda t: {"httpRoute": {"parentRefs": [{"name": t}]}},
            lambda t: {"image": {"pullSecrets": [t]}}, lambda t: {"extraEnv": [{"name": t, "value": "x"}]},
        ]
        # Helm's toYaml drops what it cannot write, and says nothing.
        for text in ["\u007f", "\u0000"]:
            self.refused(with_(CASES["proxy"], podAnnotations={"a": text}), "podAnnotations")
            self.refused(with_(CASES["proxy"], extraEnv=[{"name": "A", "value": text}]), "extraEnv")
        for place in places:
            for text in evil:
                with self.subTest(place(text)):
                    self.refused(with_(CASES["proxy"], **place(text)), "values don't meet the specifications")
        for text in ["a\nb", 'a"b', "a'b", "a;b", "a b", "a`b", "\u0000"]:
            self.refused(with_(CASES["proxy"], access={"emails": [f"{text}@example.com"]}), "emails")
            self.refused(with_(CASES["sidecar"], sidecar={"probePaths": [f"/{text}"]}), "probePaths")

    def test_hostile_text_in_free_places_stays_text(self):
        evil = "a\nb: c\n---\nkind: Secret\n\"'`;{{ fail }}\t\\ é 🎉 \u2028 #"
        values = with_(CASES["proxy-everything"], podAnnotations={"x": evil}, service={"annotations": {"x": evil}},
                       ingress={"annotations": {"x": evil}}, extraEnv=[{"name": "X", "value": evil}], session={"existingSecret": "", "secretKey": "session-keys"},
                       config={"pages": {"branding": {"name": evil + "\u007f"}}, evil: {evil: evil}})
        found = render(values)
        self.assertEqual(0, sum(o["kind"] == "Secret" for o in found))
        deployment = one(found, "Deployment")["spec"]["template"]
        self.assertEqual(evil, deployment["metadata"]["annotations"]["x"])
        self.assertEqual(evil, one(found, "Service", "auth-anteroom")["metadata"]["annotations"]["x"])
        self.assertEqual(evil, one(found, "Ingress")["metadata"]["annotations"]["x"])
        self.assertEqual(evil, deployment["spec"]["containers"][0]["env"][0]["value"])
        tree = tomllib.loads(one(found, "ConfigMap", "auth-anteroom")["data"]["anteroom.toml"])
        self.assertEqual(evil + "\u007f", tree["pages"]["branding"]["name"])
        self.assertEqual({evil: evil}, tree[evil])

    def test_without_values_it_says_the_exact_command(self):
        said = self.refused({}, "publicUrl is missing", "atlassian.clientId is missing", "access is empty", "upstream is missing",
                            name="door", namespace="sso")
        command = "kubectl create secret generic door-anteroom-atlassian --namespace sso --from-file=client-secret=/dev/stdin"
        self.assertIn(command, said)
        # The values that it shows are enough, as they stand.
        example = said.split("with your own names in it:\n")[1]
        self.assertIn("Deployment", [o["kind"] for o in render(yaml.safe_load(example))])
        for mode in ("sidecar", "forwardAuth"):
            said = self.refused({"mode": mode}, "is missing")
            example = yaml.safe_load(said.split("with your own names in it:\n")[1])
            self.assertTrue(render(with_(example, mode=mode)))

    def test_each_thing_that_is_missing_is_said_alone(self):
        for mode, change, words in [
            ("proxy", {"publicUrl": ""}, "publicUrl is missing"),
            ("proxy", {"atlassian": {"clientId": ""}}, "atlassian.clientId is missing"),
            ("proxy", {"atlassian": {"existingSecret": ""}}, "atlassian.existingSecret is missing"),
            ("proxy", {"access": {"emailDomains": []}}, "access is empty"),
            ("sidecar", {"access": {"emailDomains": []}}, "access is empty"),
            ("forwardAuth", {"access": {"emailDomains": []}}, "access is empty"),
            ("proxy", {"upstream": ""}, "upstream is missing"),
            ("sidecar", {"sidecar": {"appPort": None}}, "sidecar.appPort is missing"),
            ("forwardAuth", {"trustedProxies": []}, "trustedProxies is missing"),
            ("forwardAuth", {"forwardAuth": {"gateway": ""}}, "forwardAuth.gateway is missing"),
            ("forwardAuth", {"forwardAuth": {"gateway": "gatewayApi"}, "httpRoute": {"parentRefs": [{"name": "g"}]}}, "forwardAuth.app.service is missing"),
            ("forwardAuth", {"forwardAuth": {"gateway": "envoyGateway", "app": {"service": "x"}}}, "httpRoute.parentRefs is missing"),
            ("proxy", {"httpRoute": {"enabled": True}}, "httpRoute.parentRefs is missing"),
        ]:
            with self.subTest(change):
                said = self.refused(with_(LEAST[mode], **change), words)
                self.assertEqual(1, said.count("\n  - "), said)

    def test_everybody_has_to_be_said(self):
        values = with_(CASES["proxy"], access={"emailDomains": [], "allowAnyAtlassianAccount": True})
        self.assertIn("EVERYBODY", notes(values))
        self.assertNotIn("EVERYBODY", notes(CASES["proxy"]))

    def test_contradictions_are_refused(self):
        for mode, change, words in [
            ("proxy", {"replicas": 2}, "separateStores"),
            ("forwardAuth", {"replicas": 2}, "separateStores"),
            ("proxy", {"autoscaling": {"enabled": True}}, "separateStores"),
            ("proxy", {"replicas": 2, "separateStores": True, "persistence": {"existingClaim": "x"}}, "one volume"),
            ("proxy", {"autoscaling": {"enabled": True, "minReplicas": 9}, "separateStores": True}, "maxReplicas"),
            ("proxy", {"upstream": "http://127.0.0.1:8080"}, "mode=sidecar"),
            ("proxy", {"upstream": "http://localhost:8080"}, "mode=sidecar"),
            ("sidecar", {"upstream": "http://app:80"}, "sidecar.appPort"),
            ("sidecar", {"sidecar": {"appPort": 4180}}, "Anteroom's own"),
            ("forwardAuth", {"forwardAuth": {"gateway": "traefik", "existingSecret": "x"}}, "cannot send a key"),
        ]:
            with self.subTest(change):
                self.refused(with_(LEAST[mode], **change), words)

    def test_keys_of_the_chart_and_secrets_are_refused_in_config(self):
        for path in [
            "public_url", "atlassian.client_secret", "session.secret", "forward_auth.key", "ops.tracing.headers", "proxy.listen",
            "ops.listen", "ops.drain_timeout", "store.url", "access.allow_any_atlassian_account", "access.emails", "proxy.upstream",
        ]:
            change = "x"
            for step in reversed(path.split(".")):
                change = {step: change}
            with self.subTest(path):
                self.refused(with_(CASES["proxy"], config=change), f"config.{path}: ")
        # Also where no table of this version has them: in a profile, misspelt, in a list.
        for change in (
            {"prod": {"atlassian": {"client_secret": "x"}}}, {"atlassian": {"Client_Secret": "x"}}, {"atlassian.client_secret": "x"},
            {"prod": {"session": {"secret": ["x"]}}}, {"prod": {"ops": {"tracing": {"headers": {"A": "b"}}}}},
            {"prod": {"proxy": {"upstreams": [{"headers": {"A": "b"}}]}}}, {"proxy": {"tls": {"certificates": [{"key": "x"}]}}},
        ):
            with self.subTest(change):
                self.refused(with_(CASES["proxy"], config=change), "a ConfigMap is no place for a secret", "existingSecret")
        for change in ({"atlassian": {"clientSecret": "x"}}, {"session": {"Secrets": ["x"]}}, {"atlassian": {"https_proxy": "http://a:b@proxy:1"}}):
            self.refused(with_(CASES["proxy"], config=change), "a ConfigMap is no place for a secret")
        for path in ("/etc/anteroom", "/etc/anteroom/", "/etc//anteroom/secrets", "/var/lib/anteroom"):
            mounts = [{"name": "a", "mountPath": path}]
            self.refused(with_(CASES["proxy"], extraVolumes=[{"name": "a", "emptyDir": {}}], extraVolumeMounts=mounts), "mountPath")
        self.refused(with_(CASES["proxy-several-apps"], config={"proxy": {"upstreams": [{"headers": {"A": "b"}}]}}), "headers_files")
        self.refused(with_(CASES["proxy"], extraEnv=[{"name": "ANTEROOM_SESSION__SECRET", "value": "x"}]), "extraEnv")

    def test_what_would_do_nothing_is_refused(self):
        at = lambda path, value: value if not path else {path.split(".")[0]: at(".".join(path.split(".")[1:]), value)}
        other = [("ingress.enabled", True), ("httpRoute.enabled", True), ("podLabels", {"a": "b"}), ("nodeSelector", {"a": "b"}), ("replicas", 2),
                 ("autoscaling.enabled", True), ("image.pullSecrets", ["a"]), ("priorityClassName", "a"), ("service.annotations", {"a": "b"}),
                 ("affinity", {"nodeAffinity": {}}), ("tolerations", [{"operator": "Exists"}]), ("upstream", "http://a"), ("podAnnotations", {"a": "b"})]
        forward = [("forwardAuth.gateway", "traefik"), ("forwardAuth.app.service", "a"), ("forwardAuth.headers", ["X-A"]), ("forwardAuth.existingSecret", "a")]
        for case, changes in [
            ("sidecar", other + forward + [("service.type", "LoadBalancer"), ("persistence.storageClass", "fast"), ("ingress.className", "nginx")]),
            # Something else is switched off, or decides.
            ("proxy", [("networkPolicy", {"enabled": False, key: [{}]}) for key in ("from", "extraIngress", "egress")]
             + [("ingress.tls", [{"secretName": "a"}]), ("ingress.className", "nginx"), ("httpRoute.parentRefs", [{"name": "a"}]),
                ("forwardAuth.entryPoints", ["web"]), ("forwardAuth.secretKey", "a"), ("serviceAccount", {"create": False, "annotations": {"a": "b"}}),
                ("persistence", {"existingClaim": "a", "storageClass": "fast"})]),
            ("proxy-autoscaled", [("replicas", 3)]),
            ("proxy", [("config.forward_auth", {"oauth2_proxy": "nginx"})]),
            ("forward-auth-traefik", [("config.proxy", {"tls": {}})]),
            ("forward-auth-envoy", [("httpRoute.parentRefs", [{"name": "a", "kind": "XListenerSet"}])]),
            ("forward-auth-traefik", [("httpRoute.parentRefs", [{"name": "a"}])]),
            ("proxy", forward + [("sidecar.appPort", 80), ("sidecar.probePaths", ["/a"]), ("session.secretKey", "a")]),
            ("forward-auth-none", [("ingress.enabled", True), ("service.port", 81), ("sidecar.appPort", 80), ("upstream", "http://a"),
                                   ("forwardAuth.app.service", "a"), ("forwardAuth.app.httpRoute", "a"), ("ingress.tls", [{"secretName": "a"}])]),
            ("forward-auth-traefik", [("ingress.annotations", {"a": "b"}), ("forwardAuth.app.httpRoute", "a")]),
            # Nobody would be asked: the chart makes no route, and the other's does not ask.
            ("forward-auth-gateway-api", [("forwardAuth.app.httpRoute", "mine")]),
            ("forward-auth-envoy", [("forwardAuth.app", {"service": "a", "httpRoute": "mine"})]),
            ("proxy", [("config.proxy.upstreams", [{"name": "a", "url": "http://a"}]), ("upstream", "http://localhost:1")]),
            ("forward-auth-nginx", [("ingress.annotations", {"nginx.ingress.kubernetes.io/auth-url": "http://elsewhere"})]),
        ]:
            for path, value in changes:
                with self.subTest(case, change=path):
                    self.refused(with_(CASES[case], **at(path, value)), path)

    def test_nothing_in_place_of_a_value_is_refused(self):
        for path in paths(VALUES):
            if self.at(path) is None or path == "user" or path in OPEN or path.split(".")[-1] in OPEN and path.split(".")[-1] != "resources":
                continue
            change = None
            for step in reversed(path.split(".")):
                change = {step: change}
            with self.subTest(path):
                self.refused(with_(CASES["proxy"], **change), path.split(".")[-1])
        for config in ({"proxy": None}, {"store": None}, {"atlassian": "hello"}, {"access": []}):
            (table,) = config
            self.refused(with_(CASES["proxy"], config=config), f"config.{table} is a table")
        self.refused(with_(CASES["proxy"], config={"routes": [{"path": "/a"}, None]}), "a list has nothing (null) in it")
        self.refused(with_(CASES["proxy"], publicUrl="http://app.example.com"), "http is for localhost alone")
        self.refused(with_(CASES["proxy-autoscaled"], resources={"requests": {"cpu": None}}), "resources.requests.cpu, which is missing")
        self.refused(with_(CASES["proxy"], config={"atlassian": {"callback_path": "/a: x # y"}}), "config.atlassian.callback_path")

    def test_words_that_yaml_takes_for_something_else_stay_words(self):
        words = {"fullnameOverride": "true", "priorityClassName": "1234", "image": {"pullSecrets": ["true"]}, "serviceAccount": {"name": "0777"},
                 "ingress": {"enabled": True, "className": "on"}}
        for o in render(with_(CASES["proxy"], **words), namespace="1234567"):
            for word in (o["metadata"]["name"], o["metadata"]["namespace"]):
                self.assertIsInstance(word, str, o["kind"])
        found = render(with_(CASES["proxy"], **words), namespace="1234567")
        spec = one(found, "Deployment")["spec"]["template"]["spec"]
        self.assertEqual(("1234", "0777", [{"name": "true"}]), (spec["priorityClassName"], spec["serviceAccountName"], spec["imagePullSecrets"]))
        self.assertEqual("on", one(found, "Ingress")["spec"]["ingressClassName"])
        self.assertEqual("", one(render(with_(CASES["proxy"], persistence={"storageClass": "-"})), "PersistentVolumeClaim")["spec"]["storageClassName"])

    def test_what_the_chart_sets_is_there_once(self):
        deployment = one(render(with_(CASES["proxy"], podAnnotations={"anteroom.dev/config": "mine", "a": "b"})), "Deployment")
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(("b", 64), (annotations["a"], len(annotations["anteroom.dev/config"])))

    def test_names_are_truncated(self):
        long = "r" * 53
        for values in CASES.values():
            for override in ({}, {"nameOverride": "n" * 60}, {"fullnameOverride": "f" * 80}):
                for o in render(with_(values, **override), name=long):
                    name = o["metadata"]["name"]
                    self.assertLessEqual(len(name), 63)
                    self.assertRegex(name, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
                    for value in o["metadata"].get("labels", {}).values():
                        self.assertRegex(value, r"^([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$")

    def test_two_releases_do_not_collide(self):
        first, second = (render(CASES["proxy-everything"], name=name) for name in ("one", "two"))
        names = lambda found: {(o["kind"], o["metadata"]["name"]) for o in found} - {("ConfigMap", "beside"), ("ServiceAccount", "doorman")}
        self.assertEqual(set(), names(first) & names(second))


if __name__ == "__main__":
    unittest.main()
