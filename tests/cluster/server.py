"""A Kubernetes API server with its etcd, on loopback, for as long as the tests run. No kubelet and no controllers: it judges
what it is given, keeps it, and runs nothing.

The programs are those that scripts/cluster-tools built; ANTEROOM_CLUSTER_TOOLS names their folder.
"""

import json
import os
import pathlib
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import yaml

TOOLS = pathlib.Path(os.environ["ANTEROOM_CLUSTER_TOOLS"])
# How long a program may take to be up, in seconds.
PATIENCE = 120


class Refused(Exception):
    """What the server answers when it refuses: the status, and its reasons."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Use as a context manager."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="anteroom-cluster-"))
        self.running = []
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for program in reversed(self.running):
            program.terminate()
            try:
                program.wait(20)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self):
        here, token = self.folder, secrets.token_hex(16)
        etcd, peer, port = free_port(), free_port(), free_port()
        self._run(
            "etcd", f"--data-dir={here}/etcd", "--unsafe-no-fsync", "--log-level=error",
            f"--listen-client-urls=http://127.0.0.1:{etcd}", f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
        )
        subprocess.run(["openssl", "genrsa", "-out", here / "accounts.key", "2048"], check=True, capture_output=True)
        (here / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
        self._run(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}", f"--cert-dir={here}/certificates",
            "--bind-address=127.0.0.1", f"--secure-port={port}", "--service-cluster-ip-range=10.0.0.0/24",
            f"--token-auth-file={here}/tokens.csv", "--authorization-mode=RBAC", "--allow-privileged=true",
            # Accounts are made by a controller, which is not here.
            "--disable-admission-plugins=ServiceAccount", "--service-account-issuer=https://localhost",
            f"--service-account-key-file={here}/accounts.key", f"--service-account-signing-key-file={here}/accounts.key",
        )
        self.url = f"https://127.0.0.1:{port}"
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._until_ready(here / "certificates" / "apiserver.crt")
        self.kubeconfig = here / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "it", "users": [{"name": "it", "user": {"token": token}}],
            "clusters": [{"name": "it", "cluster": {"server": self.url, "certificate-authority": str(here / "certificates" / "apiserver.crt")}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }))

    def _run(self, name, *arguments):
        log = open(self.folder / f"{name}.log", "wb")
        self.running.append(subprocess.Popen([TOOLS / name, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        log.close()

    def _until_ready(self, certificate):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for program in self.running:
                if program.poll() is not None:
                    break
            else:
                try:
                    if certificate.exists():
                        self.trust = ssl.create_default_context(cafile=certificate)
                        self.ask("GET", "/readyz", parse=False)
                        return
                except (OSError, Refused):
                    pass
                time.sleep(0.2)
                continue
            break
        said = "".join((self.folder / f"{name}.log").read_text()[-3000:] for name in ("etcd", "kube-apiserver") if (self.folder / f"{name}.log").exists())
        raise RuntimeError(f"the API server did not come up:\n{said}")

    def ask(self, method, path, body=None, kind="application/json", parse=True):
        """One request; gives what the answer says."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {**self.headers, "Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            try:
                text = json.loads(text).get("message", text)
            except ValueError:
                pass
            raise Refused(f"{error.code}: {text}") from None
        return json.loads(text) if parse else text.decode()

    def define(self, folder):
        """Adds the custom resources whose definitions lie there, and waits until they are served."""
        names = []
        for file in sorted(folder.glob("*.yaml")):
            for definition in yaml.load_all(file.read_text(), yaml.CSafeLoader):
                if definition:
                    names.append(definition["metadata"]["name"])
                    self.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        deadline = time.monotonic() + PATIENCE
        for name in names:
            while True:
                found = self.ask("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
                if any(c["type"] == "Established" and c["status"] == "True" for c in found.get("status", {}).get("conditions", [])):
                    break
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{name} is not served: {found.get('status')}")
                time.sleep(0.1)

    def namespace(self, name, **labels):
        """A new namespace in which only pods of the standard "restricted" are admitted."""
        enforce = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest"}
        self.ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**enforce, **labels}}})
        return name

    def place(self, o, namespace=None):
        """The path of an object."""
        version, kind = o["apiVersion"], o["kind"]
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        known = {r["kind"]: r for r in self.ask("GET", root)["resources"] if "/" not in r["name"]}
        resource = known[kind]
        namespace = o["metadata"].get("namespace", namespace)
        inside = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        return f"{root}{inside}/{resource['name']}/{o['metadata']['name']}"

    def get(self, version, kind, name, namespace):
        return self.ask("GET", self.place({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}))

    def apply(self, o, namespace, dry_run=False):
        """Server-side apply, in which every field that the server does not know is an error."""
        query = "?fieldManager=test&fieldValidation=Strict&force=true" + ("&dryRun=All" if dry_run else "")
        return self.ask("PATCH", self.place(o, namespace) + query, o, "application/apply-patch+yaml")

    def admit(self, template, namespace):
        """Has the server judge a pod made of a template; keeps none."""
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**template.get("metadata", {}), "name": "probe", "namespace": namespace}, "spec": template["spec"]}
        return self.ask("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", pod)

    def helm(self, version, *arguments, fails=False):
        """Runs the real helm of that version; gives what it says."""
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": str(self.kubeconfig),
            "HELM_CACHE_HOME": str(self.folder / "cache"), "HELM_CONFIG_HOME": str(self.folder / "config"), "HELM_DATA_HOME": str(self.folder / "data"),
        }
        done = subprocess.run([TOOLS / f"helm-{version}", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=300)
        said = done.stdout + done.stderr
        if (done.returncode != 0) != fails:
            raise AssertionError(f"helm {version} {' '.join(map(str, arguments))}: exit {done.returncode}\n{said}")
        return said
