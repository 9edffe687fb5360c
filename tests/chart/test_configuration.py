"""Is what the chart writes good for the real binary, and do the gateways' objects say what `anteroom config` says?"""

import json
import tomllib
import unittest

import yaml

from chart import CASES, CHART, Case, anteroom, mounted, one, render, with_


def toml_of(values):
    return one(render(values), "ConfigMap", "auth-anteroom")["data"]["anteroom.toml"]


def printed(values, *arguments):
    """What `anteroom config` prints for the configuration of these values, as objects."""
    folder, file = mounted(toml_of(values))
    with folder:
        done = anteroom("config", *arguments, "--config", file, "--anteroom", "auth-anteroom.default.svc:4182",
                        "--upstream", "http://wiki.default.svc:8080")
    if done.returncode:
        raise AssertionError(done.stderr)
    return list(yaml.safe_load_all(done.stdout))




class Configuration(Case):
    def test_every_rendered_configuration_is_valid(self):
        for name, values in CASES.items():
            if values.get("mode") == "off":
                continue
            with self.subTest(name):
                folder, file = mounted(toml_of(values))
                with folder:
                    said = json.loads(anteroom("check", "--config", file, "--format", "json").stdout)
                found = [f"{f['code']} {f['key']}" for f in said.get("errors", []) + said["warnings"]]
                self.assertEqual([], found, json.dumps(said, indent=1))

    def test_the_check_would_see_a_mistake(self):
        folder, file = mounted(toml_of(with_(CASES["proxy"], config={"pages": {"brandnig": {}}})))
        with folder:
            self.assertEqual(2, anteroom("check", "--config", file).returncode)

    def test_numbers_and_text_keep_their_type(self):
        config = {"proxy": {"limits": {"header_count": 90, "body_bytes": 10485760}}, "ops": {"tracing": {"endpoint": "http://otel:4318", "sample": 0.25}},
                  "pages": {"branding": {"name": "007", "support": "off"}}, "routes": [{"path": "/a", "access": "public", "methods": ["GET"]}]}
        tree = tomllib.loads(toml_of(with_(CASES["proxy"], config=config)))
        self.assertEqual({"header_count": 90, "body_bytes": 10485760}, tree["proxy"]["limits"])
        self.assertIsInstance(tree["proxy"]["limits"]["header_count"], int)
        self.assertEqual(0.25, tree["ops"]["tracing"]["sample"])
        self.assertEqual({"name": "007", "support": "off"}, tree["pages"]["branding"])
        self.assertEqual(config["routes"], tree["routes"])


class Gateways(Case):
    """Names and namespaces are the chart's; what is said is the binary's."""

    def test_the_lists_are_the_binary_s(self):
        values = CASES["forward-auth-traefik"]
        clean, verify, _ = printed(values, "traefik", "--format", "crd")
        client, security, *_ = printed(values, "envoy", "--format", "gateway")
        keyed, *_ = printed(CASES["forward-auth-nginx-key"], "envoy", "--format", "gateway")
        removed = lambda o: [entry["value"] for entry in o["spec"]["headers"]["earlyRequestHeaders"]["removeOnMatch"]]
        lists = {
            "identity": verify["spec"]["forwardAuth"]["authResponseHeaders"],
            "asked": security["spec"]["extAuth"]["headersToExtAuth"],
            "emptied": list(clean["spec"]["headers"]["customRequestHeaders"]),
            "removed": removed(client),
            "removedWithKey": removed(keyed),
        }
        said = "# Header names that gateways copy, send and remove. Generated: UPDATE=1 cargo test chart\n"
        self.same_as_file(CHART / "files" / "gateway.yaml", said + yaml.safe_dump(lists, sort_keys=False))

    def test_traefik(self):
        values = CASES["forward-auth-traefik"]
        clean, verify, route = printed(values, "traefik", "--format", "crd")
        found = render(values)
        self.assertEqual(clean["spec"], one(found, "Middleware", "auth-anteroom-clean")["spec"])
        self.assertEqual(verify["spec"], one(found, "Middleware", "auth-anteroom-verify")["spec"])
        for rule in route["spec"]["routes"]:
            for ours in rule["middlewares"] + rule["services"]:
                ours["name"] = {"anteroom": "auth-anteroom"}.get(ours["name"], ours["name"].replace("anteroom-", "auth-anteroom-", 1))
        for rule in route["spec"]["routes"]:
            for ours in rule["services"]:
                ours["name"] = ours["name"].replace("auth-auth-", "auth-")
        self.assertEqual(route["spec"], one(found, "IngressRoute")["spec"])
        own = render(CASES["forward-auth-traefik-own-routers"])
        self.assertEqual(1, len(one(own, "IngressRoute")["spec"]["routes"]))

    def test_envoy_gateway(self):
        for name in ("forward-auth-envoy", "forward-auth-envoy-key"):
            values, found = CASES[name], render(CASES[name])
            client, security, *routes = printed(values, "envoy", "--format", "gateway")
            policy = one(found, "ClientTrafficPolicy")
            for o in (client, policy):
                o["spec"]["headers"]["earlyRequestHeaders"]["removeOnMatch"].sort(key=lambda entry: entry["value"])
            self.assertEqual(client["spec"], policy["spec"])
            security["spec"]["targetRefs"][0]["name"] = "mine" if "key" in name else "auth-anteroom-app"
            policy_of_routes = one(found, "SecurityPolicy")
            for o in (security, policy_of_routes):
                copied = o["spec"]["extAuth"]["http"]["headersToBackend"]
                copied[:] = sorted(name.lower() for name in copied)
            self.assertEqual(security["spec"], policy_of_routes["spec"])
        self.assertEqual("infra", policy["metadata"]["namespace"])
        # Another namespace's release of this name may stand behind the same Gateway.
        names = [one(render(values, namespace=n), "ClientTrafficPolicy")["metadata"]["name"] for n in ("a", "b", "infra")]
        self.assertEqual(["a-auth-anteroom", "b-auth-anteroom", "auth-anteroom"], names)
        values = CASES["forward-auth-envoy"]
        found, (_, _, app, pages, callback) = render(values), printed(values, "envoy", "--format", "gateway")
        for name, theirs in (("auth-anteroom-app", app), ("auth-anteroom", pages), ("auth-anteroom-callback", callback)):
            self.assertEqual(theirs["spec"], one(found, "HTTPRoute", name)["spec"], name)

    def test_headers_of_the_operator_s_own_are_the_gateway_s_too(self):
        config = {"headers": {"presets": ["anteroom", "remote", "auth-request"], "names": {"email": ["X-User-Email"]}}}
        for case in ("forward-auth-nginx", "forward-auth-traefik", "forward-auth-envoy", "forward-auth-gateway-api"):
            copied = self.copied(render(with_(CASES[case], config=config)))
            for name in ("Remote-User", "Remote-Email", "Remote-Name", "X-Auth-Request-Preferred-Username", "X-User-Email", "X-Anteroom-Email"):
                self.assertIn(name.lower(), copied, case)
        policy = one(render(with_(CASES["forward-auth-envoy"], config=config)), "ClientTrafficPolicy")
        removed = [entry["value"] for entry in policy["spec"]["headers"]["earlyRequestHeaders"]["removeOnMatch"]]
        self.assertIn("x[^a-z0-9]user[^a-z0-9]email", removed)

    @staticmethod
    def copied(found):
        """The headers that any object of the gateway's copies, in lower case."""
        names = []
        for o in found:
            for key, value in o["metadata"].get("annotations", {}).items():
                names += value.split(",") if key.endswith("/auth-response-headers") else []
            spec = o.get("spec", {})
            names += spec.get("forwardAuth", {}).get("authResponseHeaders", [])
            names += spec.get("extAuth", {}).get("http", {}).get("headersToBackend", [])
            for rule in spec.get("rules", []) if o["kind"] == "HTTPRoute" else []:
                for one_filter in rule.get("filters", []):
                    names += one_filter.get("externalAuth", {}).get("http", {}).get("allowedResponseHeaders", [])
        return {name.lower() for name in names}

    def test_every_gateway_is_cleaned(self):
        parents = [{"name": "inside"}, {"name": "outside", "namespace": "infra", "sectionName": "https"}]
        policies = [o for o in render(with_(CASES["forward-auth-envoy"], httpRoute={"parentRefs": parents})) if o["kind"] == "ClientTrafficPolicy"]
        targets = [(o["metadata"].get("namespace"), o["spec"]["targetRefs"][0]["name"], o["spec"]["targetRefs"][0].get("sectionName")) for o in policies]
        self.assertEqual([("default", "inside", None), ("infra", "outside", "https")], targets)
        self.assertEqual(1, len({str(o["spec"]["headers"]) for o in policies}))
        self.assertEqual(2, len({o["metadata"]["name"] for o in policies}))

    def test_what_is_not_read_anew_restarts_the_pod(self):
        def annotation(**config):
            pod = one(render(with_(CASES["proxy"], config=config)), "Deployment")["spec"]["template"]
            return pod["metadata"]["annotations"]["anteroom.dev/config"]

        routes = {"routes": [{"path": "/open", "access": "public"}]}
        self.assertEqual(annotation(), annotation(**routes))
        still = {"ops": {"reload": False}}
        self.assertNotEqual(annotation(**still), annotation(**still, **routes))
        room = lambda n: {"proxy": {"upstreams": [{"name": "a", "url": "http://a", "keep_alive_pool": n}]}}
        pods = [one(render(with_(CASES["proxy-several-apps"], config=room(n))), "Deployment")["spec"]["template"]["metadata"]["annotations"] for n in (1, 2)]
        self.assertNotEqual(*pods)

    def test_gateway_api(self):
        values = CASES["forward-auth-gateway-api"]
        found, (route, callback) = render(values), printed(values, "gateway-api")
        ours = [one(found, "HTTPRoute", name)["spec"] for name in ("auth-anteroom", "auth-anteroom-app")]
        self.assertEqual(route["spec"]["rules"], ours[0]["rules"] + ours[1]["rules"])
        self.assertEqual(route["spec"]["hostnames"], ours[1]["hostnames"])
        self.assertEqual(callback["spec"], one(found, "HTTPRoute", "auth-anteroom-callback")["spec"])

    def test_nginx(self):
        for name in ("forward-auth-nginx", "forward-auth-nginx-key"):
            values = with_(CASES[name], forwardAuth={"app": {"service": "wiki", "port": 8080}})
            found, (app, pages) = render(values), printed(values, "nginx", "--format", "ingress")
            mine, theirs = one(found, "Ingress", "auth-anteroom-app"), app["metadata"]["annotations"]
            key = "nginx.ingress.kubernetes.io/auth-proxy-set-headers"
            self.assertEqual("default/auth-anteroom-gateway" if "key" in name else None, mine["metadata"]["annotations"].get(key))
            drop = lambda a: {k: v for k, v in a.items() if k != key}
            self.assertEqual(drop(theirs), drop(mine["metadata"]["annotations"]))
            self.assertEqual(app["spec"]["rules"], mine["spec"]["rules"])
            self.assertEqual(pages["spec"]["rules"], one(found, "Ingress", "auth-anteroom")["spec"]["rules"])


if __name__ == "__main__":
    unittest.main()
