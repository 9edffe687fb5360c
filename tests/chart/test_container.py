"""Does the rendered container run? The built binary gets its arguments, its environment and its files, as the kubelet lays
them out; it signs people in, takes up a new secret, and is gone within the grace period.

As root it runs as the user of the pod, who may write to the store and to nothing else.
"""

import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from chart import CASES, REPOSITORY, Case, one, render, with_
from test_sign_in import free_ports

RIGHT = "ATOAdemo-secret-of-the-emulator-and-nothing-else-0001"
DEADLINE = 60


def until(what, holds):
    """Waits for something to come true; a busy machine may take its time."""
    end = time.monotonic() + DEADLINE
    while not (found := holds()):
        if time.monotonic() > end:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)
    return found


class Node:
    """One pod on this machine: its projected volume with the kubelet's symbolic links, its store, its process."""

    def __init__(self, values, secrets):
        self.folder = tempfile.TemporaryDirectory(prefix="anteroom-node-")
        self.root = pathlib.Path(self.folder.name)
        self.root.chmod(0o755)
        main, ops, atlassian, app = free_ports(4)
        self.main, self.ops, self.app = main, ops, app
        self.atlassian = f"http://127.0.0.1:{atlassian}"
        values = with_(values, publicUrl=f"http://localhost:{main}", access={"emailDomains": ["example.com"]},
                       atlassian={"clientId": "anteroomdemoclient00000000000001"},
                       config={"atlassian": {"auth_url": self.atlassian, "api_url": self.atlassian}})
        self.found = render(values)
        self.pod = one(self.found, "Deployment")["spec"]["template"]["spec"]
        self.secrets, self.generation, self.running = secrets, 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
            process.wait()
        self.folder.cleanup()

    def here(self, text):
        for port, moved in (("0.0.0.0:4180", f"127.0.0.1:{self.main}"), ("0.0.0.0:4181", f"127.0.0.1:{self.ops}"),
                            ("http://app.default.svc:8080", f"http://127.0.0.1:{self.ops}")):
            text = text.replace(port, moved)
        return text.replace("/etc/anteroom", str(self.root / "etc")).replace("/var/lib/anteroom", str(self.root / "store"))

    def project(self):
        """Writes the volume anew and swaps it in, as the kubelet's AtomicWriter does."""
        volume = next(v for v in self.pod["volumes"] if v["name"] == "anteroom")["projected"]
        self.generation += 1
        etc = self.root / "etc"
        new = etc / f"..{self.generation}"
        (new / "secrets").mkdir(parents=True)
        for source in volume["sources"]:
            if "configMap" in source:
                data = one(self.found, "ConfigMap", source["configMap"]["name"])["data"]
                files = {item["path"]: self.here(data[item["key"]]) for item in source["configMap"]["items"]}
            else:
                files = {item["path"]: self.secrets[item["path"]] for item in source["secret"]["items"]}
            for path, text in files.items():
                (new / path).write_text(text)
                (new / path).chmod(volume["defaultMode"])
                if os.geteuid() == 0:
                    os.chown(new / path, 0, self.pod["securityContext"]["fsGroup"])
        (etc / "..new").symlink_to(new.name)
        (etc / "..new").rename(etc / "..data")
        for name in ("anteroom.toml", "secrets"):
            if not (etc / name).is_symlink():
                (etc / name).symlink_to(f"..data/{name}")

    def start(self):
        self.project()
        world = self.root / "world.toml"
        world.write_text((REPOSITORY / "src/emulator/demo.toml").read_text().replace(":4180", f":{self.main}"))
        binary = self.root / "anteroom"
        shutil.copy(os.environ["ANTEROOM"], binary)
        binary.chmod(0o755)
        store = self.root / "store"
        store.mkdir()
        container = self.pod["containers"][0]
        user = {}
        if os.geteuid() == 0:
            context = container["securityContext"]
            user = {"user": context["runAsUser"], "group": context["runAsGroup"], "extra_groups": [self.pod["securityContext"]["fsGroup"]]}
            os.chown(store, context["runAsUser"], context["runAsGroup"])
        environment = {each["name"]: each["value"] for each in container.get("env", [])}
        emulator = [binary, "emulator", "--listen", self.atlassian.removeprefix("http://"), "--approve", "ada@example.com", "--fixture", world]
        self.spawn("atlassian", emulator, {}, {})
        return self.spawn("anteroom", [binary, *map(self.here, container["args"])], environment, user)

    def spawn(self, name, command, environment, user):
        with open(self.root / f"{name}.log", "w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd="/", **user)
        self.running.append(process)
        return process

    def log(self):
        return (self.root / "anteroom.log").read_text()

    def probe(self, kind):
        """What the kubelet gets from this probe: a status, or None."""
        path = self.pod["containers"][0][kind]["httpGet"]["path"]
        connection = http.client.HTTPConnection("127.0.0.1", self.ops, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def sign_in(self):
        """Whether a person gets in, and the identity that they are told."""
        pages = [f"http://localhost:{self.main}/_anteroom/start", f"http://localhost:{self.main}/_anteroom/me"]
        done = subprocess.run(["curl", "--fail", "--silent", "--location", "--cookie", "", "--max-time", "30",
                               "--header", "Accept: text/html", *pages], capture_output=True, text=True, timeout=60)
        return done.returncode == 0, done.stdout


class Container(Case):
    def test_it_starts_signs_in_rotates_and_drains(self):
        shutdown = {"delaySeconds": 6, "drainSeconds": 10}
        secrets = {"secrets/client-secret": "ATOAwrong-secret-that-was-typed-over-twice-0000-00000", "secrets/session-keys": "only-for-tests-qX7vK2mLp9aB3cD4eF5gH6iJ7kL8m"}
        with Node(with_(CASES["proxy"], shutdown=shutdown), secrets) as node:
            process = node.start()
            until("ready", lambda: node.probe("startupProbe") == 200 or process.poll() is not None)
            self.assertIsNone(process.poll(), node.log())
            self.assertEqual((200, 200), (node.probe("livenessProbe"), node.probe("readinessProbe")))
            self.assertFalse(node.sign_in()[0], "with the wrong secret")

            node.secrets["secrets/client-secret"] = RIGHT
            node.project()
            until("the new secret is in force", lambda: "is in force" in node.log())
            signed_in, said = node.sign_in()
            self.assertTrue(signed_in, node.log())
            self.assertIn("ada@example.com", said)
            self.assertTrue((node.root / "store" / "accounts.redb").exists())
            self.assertNotIn("ATOA", node.log())

            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            # Out of rotation, yet alive and serving.
            until("not ready", lambda: node.probe("readinessProbe") == 503)
            self.assertTrue(node.sign_in()[0], "until the load balancers know")
            self.assertEqual(0, process.wait(timeout=DEADLINE), node.log())
            self.assertLess(time.monotonic() - begun, node.pod["terminationGracePeriodSeconds"])


if __name__ == "__main__":
    unittest.main()
