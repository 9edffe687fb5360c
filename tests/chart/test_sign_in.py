"""Does the pod of `helm test` sign in? Its containers run here: the built binary, and curl, with exactly their arguments.

Only the ports are others, because they have to be free on this machine.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

from chart import CASES, REPOSITORY, Case, one, render, with_


def free_ports(count):
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Machine:
    """A pod's containers as processes, its files in a folder, its ports moved."""

    def __init__(self, found, pod):
        self.found, self.spec = found, pod["spec"]
        self.folder = tempfile.TemporaryDirectory(prefix="anteroom-test-pod-")
        self.root = pathlib.Path(self.folder.name)
        self.ports = dict(zip(("4180", "4181", "4182", "4190"), map(str, free_ports(4))))
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
            process.wait()
        self.folder.cleanup()

    def here(self, text):
        """The text with this machine's ports and paths."""
        for port, moved in self.ports.items():
            text = text.replace(f":{port}", f":{moved}")
        return text.replace("/etc/anteroom", str(self.root / "etc")).replace("/var/lib/anteroom", str(self.root / "store"))

    def mount(self):
        """The projected volume, with a session key where the Secret would have one."""
        volume = next(v for v in self.spec["volumes"] if v["name"] == "anteroom")
        for source in volume["projected"]["sources"]:
            if "configMap" in source:
                for name, text in one(self.found, "ConfigMap", source["configMap"]["name"])["data"].items():
                    self.write(name, self.here(text))
            else:
                for item in source["secret"]["items"]:
                    self.write(item["path"], "only-for-tests-qX7vK2mLp9aB3cD4eF5gH6iJ7kL8m\n")
        (self.root / "store").mkdir()

    def write(self, name, text):
        file = self.root / "etc" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o440)

    def start(self):
        """Starts what the kubelet starts as native sidecars."""
        self.mount()
        world = self.root / "world.toml"
        world.write_text(self.here((REPOSITORY / "src/emulator/demo.toml").read_text()))
        for container in self.spec["initContainers"]:
            assert container["restartPolicy"] == "Always" and "command" not in container
            moved = ["--fixture", str(world)] if container["args"][0] == "emulator" else []
            command = [os.environ["ANTEROOM"], *map(self.here, container["args"]), *moved]
            with open(self.root / f"{container['name']}.log", "w") as log:
                self.running.append(subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}))

    def run(self):
        """Runs the container that the pod is for, to its end."""
        container = self.spec["containers"][0]
        return subprocess.run([*container["command"], *map(self.here, container["args"])], capture_output=True, text=True, timeout=120)

    def log(self):
        return "".join(f"== {file.name}\n{file.read_text()}" for file in self.root.glob("*.log"))


class SignIn(Case):
    def setUp(self):
        self.assertTrue(shutil.which("curl"), "curl is missing: sudo apt-get install -y curl")

    def outcome(self, values):
        found = render(values)
        with Machine(found, one(found, "Pod")) as machine:
            machine.start()
            return machine.run(), machine.log()

    def test_it_signs_in(self):
        for name in ("proxy", "proxy-everything", "proxy-several-apps", "forward-auth-envoy-key"):
            with self.subTest(name):
                done, log = self.outcome(with_(CASES[name], bindAddress="0.0.0.0"))
                self.assertEqual(0, done.returncode, done.stderr + log)
                self.assertIn("ada@example.com", done.stdout)

    def test_it_fails_where_nobody_gets_in(self):
        found = render(CASES["proxy"])
        toml = one(found, "ConfigMap", "auth-anteroom-test")
        toml["data"]["anteroom.toml"] = toml["data"]["anteroom.toml"].replace("ada@example.com", "grace@example.com")
        with Machine(found, one(found, "Pod")) as machine:
            machine.start()
            done = machine.run()
            self.assertEqual(22, done.returncode, done.stdout + machine.log())

    def test_nothing_of_the_real_atlassian_is_in_it(self):
        found = render(CASES["proxy-everything"])
        pod, toml = one(found, "Pod"), one(found, "ConfigMap", "auth-anteroom-test")["data"]["anteroom.toml"]
        self.assertNotIn("anteroom-atlassian", str(pod["spec"]["volumes"]))
        self.assertNotIn("0123456789abcdefghijABCDEFGHIJ01", toml)
        for o in (pod, one(found, "ConfigMap", "auth-anteroom-test")):
            self.assertEqual("test", o["metadata"]["annotations"]["helm.sh/hook"])
        # No Service may take the test's pod for one of the app's.
        for service in (o for o in found if o["kind"] == "Service"):
            self.assertFalse(service["spec"]["selector"].items() <= pod["metadata"]["labels"].items())


if __name__ == "__main__":
    unittest.main()
