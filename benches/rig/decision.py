"""What does a decision cost by itself? criterion's work (benches/decision); this collects its estimates."""

import subprocess

import report

TITLE = "The decision alone"
PROGRAMS = ()
ROUNDS, SECONDS = 1, 0
TEXT = """From the cookie to the headers for the app, in one process, without a socket (`cargo bench --bench decision`)."""


def run(_programs, options, _folder, _running):
    """Runs the part; gives the lines of its table and its figures."""
    command = ["cargo", "bench", "--locked", "--bench", "decision"]
    subprocess.run(command, check=True, cwd=options.target.parent)
    return report.decisions(options.target), {}
