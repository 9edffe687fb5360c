"""Does the chart of examples/sidecar hold: in Kubernetes' eyes, in Anteroom's, and with both containers running?

Run by tests/examples.rs, with tests/chart on Python's path.
"""

import http.client
import http.server
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import helm_python as helm
import kubernetes_validate as kubernetes

from chart import REPOSITORY, Case, mounted, objects, one
from test_rendering import VERSIONS, restricted
from test_sign_in import free_ports

EXAMPLE = REPOSITORY / "examples" / "sidecar"
DEADLINE = 60


class Sidecar(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="anteroom-sidecar-")
        cls.addClassCleanup(folder.cleanup)
        # Where it finds ../../charts, and nothing that an earlier `helm dependency update` left.
        cls.chart = pathlib.Path(folder.name) / "examples" / "sidecar"
        shutil.copytree(EXAMPLE, cls.chart, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
        shutil.copytree(REPOSITORY / "charts", pathlib.Path(folder.name) / "charts")
        # As `--dependency-update` does.
        helm.dependency_update(cls.chart)

    def templates(self, **auth):
        with helm.Chart.load(self.chart) as chart:
            return chart.render({"auth": auth}, name="grafana", namespace="there")

    def objects(self, **auth):
        return objects(self.templates(**auth))

    def pod(self, found):
        return one(found, "Deployment")["spec"]["template"]

    def test_helm_and_kubernetes_accept_it(self):
        report = helm.lint(self.chart, {}, strict=True, kube_version="v1.33.0")
        self.assertEqual(([], []), ([m for m in report["messages"] if m["severity"] > 1], report["errors"]))
        for auth in ({}, {"sidecar": {"native": False}}, {"mode": "off"}):
            for o in self.objects(**auth):
                for version in VERSIONS:
                    with self.subTest(auth, kind=o["kind"], version=version):
                        kubernetes.validate(o, version, strict=True)

    def test_the_pod_is_restricted(self):
        for auth in ({}, {"mode": "off"}):
            spec = self.pod(self.objects(**auth))["spec"]
            # That Grafana can live without writing to its image is not known here.
            self.assertEqual(["grafana: readOnlyRootFilesystem"], restricted(spec))
            self.assertIs(False, spec["automountServiceAccountToken"])

    def test_the_way_leads_through_anteroom(self):
        for native in (True, False):
            found = self.objects(sidecar={"native": native})
            template = self.pod(found)
            spec = template["spec"]
            containers = {c["name"]: c for c in spec.get("initContainers", []) + spec["containers"]}
            self.assertEqual({"anteroom", "grafana"}, set(containers))
            self.assertEqual(native, "initContainers" in spec)
            ports = {p["name"]: p["containerPort"] for p in containers["anteroom"]["ports"]}
            service = one(found, "Service")["spec"]
            backend = one(found, "Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
            self.assertEqual(("grafana", service["ports"][0]["name"]), (backend["name"], backend["port"]["name"]))
            self.assertLessEqual(service["selector"].items(), template["metadata"]["labels"].items())
            self.assertEqual((4180, 4180), (ports["anteroom-http"], service["ports"][0]["targetPort"]))
            app = containers["grafana"]
            self.assertNotIn("ports", app)
            env = {e["name"]: e["value"] for e in app["env"]}
            self.assertEqual("127.0.0.1", env["GF_SERVER_HTTP_ADDR"])
            toml = one(found, "ConfigMap")["data"]["anteroom.toml"]
            self.assertIn(f'upstream = "http://127.0.0.1:{env["GF_SERVER_HTTP_PORT"]}"', toml)
            for probe in ("readinessProbe", "livenessProbe"):
                self.assertEqual(ports["probes"], app[probe]["httpGet"]["port"])
            policy = one(found, "NetworkPolicy")["spec"]
            self.assertLessEqual(policy["podSelector"]["matchLabels"].items(), template["metadata"]["labels"].items())
            numbers = set(ports.values())
            open_ports = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
            self.assertEqual(numbers, open_ports)

    def test_every_volume_is_there(self):
        for auth in ({}, {"mode": "off"}):
            found = self.objects(**auth)
            spec = self.pod(found)["spec"]
            claims = {v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if "persistentVolumeClaim" in v}
            made = {o["metadata"]["name"]: o["metadata"].get("annotations", {}) for o in found if o["kind"] == "PersistentVolumeClaim"}
            # Anteroom's is there without Anteroom as well, and stays: it knows which sessions were ended.
            self.assertEqual(claims | {"grafana-anteroom"}, set(made))
            self.assertEqual({"helm.sh/resource-policy": "keep"}, made["grafana-anteroom"])
            mounts = {m["name"] for c in spec.get("initContainers", []) + spec["containers"] for m in c["volumeMounts"]}
            self.assertEqual(mounts, {v["name"] for v in spec["volumes"]})

    def test_off_is_the_app_alone(self):
        found = self.objects(mode="off")
        spec = self.pod(found)["spec"]
        self.assertEqual(["grafana"], [c["name"] for c in spec["containers"]])
        self.assertNotIn("initContainers", spec)
        (port,) = spec["containers"][0]["ports"]
        self.assertEqual(port["name"], one(found, "Service")["spec"]["ports"][0]["targetPort"])
        env = {e["name"]: e["value"] for e in spec["containers"][0]["env"]}
        # Nobody may say who they are where nobody asks.
        self.assertEqual(("0.0.0.0", "false"), (env["GF_SERVER_HTTP_ADDR"], env["GF_AUTH_PROXY_ENABLED"]))

    def test_what_is_typed_wrong_is_refused(self):
        with self.assertRaises(helm.HelmError) as caught:
            self.templates(sidecar={"probePath": ["/"]})
        self.assertIn("probePath", str(caught.exception))

    def test_both_containers_run_as_the_pod_says(self):
        found = self.objects()
        with Node(found, self.pod(found)["spec"]) as node:
            node.start()
            told = node.sign_in()
            self.assertEqual("ada@example.com", told.get("x-anteroom-email"), node.log())
            self.assertTrue(told.get(node.env["GF_AUTH_PROXY_HEADER_NAME"].lower()), told)
            for header in node.env["GF_AUTH_PROXY_HEADERS"].split():
                self.assertIn(header.split(":")[1].lower(), told)
            self.assertEqual("ok", node.probe())


class App(http.server.BaseHTTPRequestHandler):
    """In Grafana's place: its health, and the headers of the last other request."""

    def do_GET(self):
        if self.path != "/api/health":
            self.server.told = {name.lower(): value for name, value in self.headers.items()}
        body = b"ok"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Node:
    """The pod on this machine, with other ports and folders and an offline Atlassian."""

    def __init__(self, found, spec):
        self.found, self.spec, self.running = found, spec, []
        self.env = {e["name"]: e["value"] for e in spec["containers"][0]["env"]}
        self.ports = dict(zip(("4180", "4181", "4183", "4190", self.env["GF_SERVER_HTTP_PORT"]), map(str, free_ports(5))))
        self.logs = tempfile.TemporaryDirectory(prefix="anteroom-node-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
            process.wait()
        self.app.shutdown()
        self.app.server_close()
        self.folder.cleanup()
        self.logs.cleanup()

    def here(self, text):
        for port, moved in self.ports.items():
            text = text.replace(f":{port}\"", f":{moved}\"")
        return text

    def start(self):
        main, atlassian = self.ports["4180"], f"127.0.0.1:{self.ports['4190']}"
        self.site = f"http://localhost:{main}"
        toml = self.here(one(self.found, "ConfigMap")["data"]["anteroom.toml"])
        toml = toml.replace("https://grafana.example.com", self.site).replace('"0.0.0.0:', '"127.0.0.1:')
        toml = toml.replace('client_id = "0123456789abcdefghijABCDEFGHIJ01"',
                            f'client_id = "anteroomdemoclient00000000000001"\nauth_url = "http://{atlassian}"\napi_url = "http://{atlassian}"')
        self.folder, self.config = mounted(toml)
        world = pathlib.Path(self.logs.name) / "world.toml"
        world.write_text((REPOSITORY / "src/emulator/demo.toml").read_text().replace(":4180", f":{main}"))
        address = (self.env["GF_SERVER_HTTP_ADDR"], int(self.ports[self.env["GF_SERVER_HTTP_PORT"]]))
        self.app = http.server.ThreadingHTTPServer(address, App)
        self.app.told = {}
        threading.Thread(target=self.app.serve_forever, daemon=True).start()
        self.spawn("atlassian", ["emulator", "--listen", atlassian, "--approve", "ada@example.com", "--fixture", world])
        container = self.spec["initContainers"][0]
        arguments = [self.config if a == "/etc/anteroom/anteroom.toml" else a for a in container["args"]]
        process = self.spawn("anteroom", arguments)
        end = time.monotonic() + DEADLINE
        while self.get("4181", container["readinessProbe"]["httpGet"]["path"])[0] != 200:
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(self.log())
            time.sleep(0.05)

    def spawn(self, name, arguments):
        with open(pathlib.Path(self.logs.name) / f"{name}.log", "w") as log:
            process = subprocess.Popen([os.environ["ANTEROOM"], *map(str, arguments)], stdout=log, stderr=log, env={}, cwd="/")
        self.running.append(process)
        return process

    def log(self):
        return "".join(f"== {file.name}\n{file.read_text()}" for file in pathlib.Path(self.logs.name).glob("*.log"))

    def get(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", int(self.ports[port]), timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None, ""
        finally:
            connection.close()

    def probe(self):
        """What the kubelet gets for the app's readiness probe."""
        question = self.spec["containers"][0]["readinessProbe"]["httpGet"]
        return self.get(str(question["port"]), question["path"])[1]

    def sign_in(self):
        """The headers that reached the app once Ada had signed in."""
        pages = [f"{self.site}/_anteroom/start", f"{self.site}/d/home"]
        subprocess.run(["curl", "--fail", "--silent", "--location", "--cookie", "", "--max-time", "30", "--header", "Accept: text/html",
                        *pages], capture_output=True, check=False, timeout=60)
        return self.app.told


if __name__ == "__main__":
    unittest.main()
