"""Do the values that the pages show render, into what Kubernetes accepts? Run by tests/examples/pages.rs.

Every block of YAML on the pages of docs/install and in docs/upgrading.md is values: with `auth` at the root for the parent
chart of examples/sidecar, else for the chart itself. A block that begins with `# …` adds to the first one of its page.
"""

import pathlib
import re
import shutil
import tempfile
import textwrap
import unittest

import helm_python as helm
import kubernetes_validate as kubernetes
import yaml

from chart import REPOSITORY, Case, objects, render, with_
from test_rendering import FOREIGN, VERSIONS


def blocks():
    """Page, and values, of every block."""
    for page in [*sorted((REPOSITORY / "docs/install").glob("*.md")), REPOSITORY / "docs/upgrading.md"]:
        first = {}
        for text in re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text(), re.M | re.S):
            text = textwrap.dedent(text)
            values = yaml.safe_load(text)
            if text.startswith("#"):
                values = with_(first, **values)
            first = first or values
            yield page.name, text, values


class Pages(Case):
    def test_values_render(self):
        seen = set()
        with tempfile.TemporaryDirectory() as folder:
            parent = pathlib.Path(folder) / "sidecar"
            shutil.copytree(REPOSITORY / "examples/sidecar", parent, ignore=shutil.ignore_patterns("charts"))
            shutil.copytree(REPOSITORY / "charts/anteroom", parent / "charts/anteroom")
            for page, text, values in blocks():
                with self.subTest(page, text=text):
                    if "auth" in values:
                        with helm.Chart.load(parent) as chart:
                            found = objects(chart.render(values, name="app", namespace="there"))
                    else:
                        found = render(values)
                    for o in found:
                        if o["apiVersion"] not in FOREIGN:
                            kubernetes.validate(o, VERSIONS[0], strict=True)
                    seen.add(page)
        self.assertLessEqual({"kubernetes.md", "sidecar.md", "forward-auth.md"}, seen)


if __name__ == "__main__":
    unittest.main()
