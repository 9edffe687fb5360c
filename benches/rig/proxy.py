"""What does Anteroom cost beside a bare pingora? Upstream and load on one core, one proxy at a time on another."""

import report
import turns
from field import ANTEROOM, LOGGING, Field

TITLE = "The whole proxy"
PROGRAMS = ("bare", "stock", "upstream")
ROUNDS, SECONDS = 5, 5
TEXT = """Upstream and load share one core, the proxy under test has another. All are sent the same bytes: a browser's headers with
five cookies, one of them the session; 1 KiB comes back. `stock pingora` is pingora's own server with its defaults and the
system's allocator; `bare pingora` has Anteroom's allocator, runtime, accept loop and settings and does nothing but forward.
Latency is that of a saturated server here; *Latency at a steady rate* has the other."""


def run(programs, options, folder, running):
    """Runs the part; gives the lines of its tables and its figures."""
    field = Field(programs, options, folder, running)
    found = {
        "stock pingora": field.pingora("stock"),
        "bare pingora": field.pingora("bare"),
        ANTEROOM: field.anteroom(ANTEROOM),
        LOGGING: field.anteroom(LOGGING, access_log=True),
    }
    field.start_app()
    results = turns.measure(found, field.requests, options, running)
    lines = [*report.processes(results), "", *report.comparison(results, ["bare pingora", "stock pingora"])]
    return lines, report.medians(results)
