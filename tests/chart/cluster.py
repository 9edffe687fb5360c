"""As much of a Kubernetes API server as `lookup` asks: discovery, and objects by name or as a list. On loopback."""

import http.server
import json
import threading

import helm_python as helm
import yaml

from chart import CHART, objects

KINDS = {
    "/api/v1": [("secrets", "Secret"), ("services", "Service"), ("configmaps", "ConfigMap")],
    "/apis/apps/v1": [("deployments", "Deployment"), ("statefulsets", "StatefulSet"), ("daemonsets", "DaemonSet")],
}


class Cluster:
    """A namespace "default" with these objects. Use as a context manager."""

    def __init__(self, *contents):
        every_namespace = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": "default"}}
        self.contents = [every_namespace, *contents]
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = cluster.answer(self.path.split("?")[0])
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path):
        for group, kinds in KINDS.items():
            if path == group:
                resources = [{"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": ["get", "list"]}
                             for plural, kind in kinds]
                return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group.split("/", 2)[2], "resources": resources}
            for plural, kind in kinds:
                all_of_it = f"{group}/namespaces/default/{plural}"
                here = [o for o in self.contents if o["kind"] == kind]
                if path == all_of_it:
                    return 200, {"kind": f"{kind}List", "apiVersion": group.split("/", 2)[2], "metadata": {}, "items": here}
                for o in here:
                    if path == f"{all_of_it}/{o['metadata']['name']}":
                        return 200, o
        return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": path}

    def render(self, values, **options):
        """As an upgrade of the release "auth" renders: text by template."""
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "it", "users": [{"name": "it", "user": {}}],
            "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        with helm.Config(kubeconfig_content=yaml.safe_dump(config), namespace="default") as connection, helm.Chart.load(CHART) as chart:
            return connection.render(chart, values, name="auth", namespace="default", is_upgrade=True, **options)

    def objects(self, values):
        return objects(self.render(values))
