"""What the tests of the chart share: rendering, the table of values files, the real binary.

Each test file is run by tests/chart.rs, which names the binary in ANTEROOM. UPDATE=1 writes what is generated.
"""

import copy
import os
import pathlib
import subprocess
import tempfile
import unittest

import helm_python as helm
import yaml

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
CHART = REPOSITORY / "charts" / "anteroom"
UPDATE = os.environ.get("UPDATE") == "1"

# Name of the case, and the values that people would write.
CASES = {file.name.removesuffix("-values.yaml"): yaml.safe_load(file.read_text()) for file in sorted((CHART / "ci").glob("*-values.yaml"))}

# The least that installs, in each mode.
LEAST = {"proxy": CASES["proxy"], "sidecar": CASES["sidecar"], "forwardAuth": CASES["forward-auth-none"]}


def with_(values, **changes):
    """A copy of the values with changes laid over: maps are merged, all else is replaced."""
    result = copy.deepcopy(values)

    def lay(onto, change):
        for key, value in change.items():
            if isinstance(value, dict) and isinstance(onto.get(key), dict):
                lay(onto[key], value)
            else:
                onto[key] = copy.deepcopy(value)

    lay(result, changes)
    return result


def templates(values, name="auth", namespace="default", chart=CHART):
    """Rendered text by template, without the chart's name in front."""
    with helm.Chart.load(chart) as loaded:
        rendered = loaded.render(values, name=name, namespace=namespace)
    return {path.removeprefix("anteroom/templates/"): text for path, text in rendered.items()}


def objects(rendered):
    """The objects of rendered templates, hooks included."""
    texts = (text for path, text in rendered.items() if not path.endswith("NOTES.txt"))
    return [document for text in texts for document in yaml.safe_load_all(text) if document is not None]


def render(values, **where):
    return objects(templates(values, **where))


def notes(values, **where):
    return templates(values, **where)["NOTES.txt"]


def one(found, kind, name=None):
    """The only object of that kind, or of that kind and name."""
    hits = [o for o in found if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    if len(hits) != 1:
        raise AssertionError(f"{len(hits)} of {kind} {name}: {[(o['kind'], o['metadata']['name']) for o in found]}")
    return hits[0]


def pod_specs(found):
    """Every pod that comes of the objects, with the name of what makes it."""
    for o in found:
        if o["kind"] == "Pod":
            yield o["metadata"]["name"], o["spec"]
        elif o["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            yield o["metadata"]["name"], o["spec"]["template"]["spec"]


def anteroom(*arguments):
    """Runs the real binary to its end."""
    return subprocess.run([os.environ["ANTEROOM"], *map(str, arguments)], capture_output=True, text=True, timeout=120)


def mounted(toml):
    """A folder as the pod would have it at /etc/anteroom; the configuration names it in that one's place."""
    folder = tempfile.TemporaryDirectory(prefix="anteroom-chart-")
    root = pathlib.Path(folder.name)
    (root / "secrets").mkdir()
    for name, text in {
        "client-secret": "ATOAdemo-secret-of-the-emulator-and-nothing-else-0001\n",
        "session-keys": "only-for-tests-qX7vK2mLp9aB3cD4eF5gH6iJ7kL8m\n",
        "gateway-key": "only-for-tests-Zz7vK2mLp9aB3cD4eF5gH6iJ7kL8m\n",
    }.items():
        file = root / "secrets" / name
        file.write_text(text)
        file.chmod(0o440)
    store = root / "store"
    store.mkdir()
    text = toml.replace("/etc/anteroom", str(root)).replace("/var/lib/anteroom", str(store))
    (root / "anteroom.toml").write_text(text)
    return folder, root / "anteroom.toml"


class Case(unittest.TestCase):
    maxDiff = None

    def refused(self, values, *words, **where):
        """The values are refused, and the message holds all these words."""
        with self.assertRaises(helm.HelmError) as caught:
            templates(values, **where)
        for word in words:
            self.assertIn(word, str(caught.exception))
        return str(caught.exception)

    def same_as_file(self, path, text):
        """Compares with a file that is kept; writes it with UPDATE=1."""
        if UPDATE:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.assertTrue(path.exists(), f"{path} is missing: UPDATE=1 cargo test chart")
        self.assertEqual(text, path.read_text(), f"{path} is stale: UPDATE=1 cargo test chart")
