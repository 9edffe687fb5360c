"""Tables: what was measured, as medians with their ranges, and the ratios, which are what counts."""

import json
import os
import pathlib
import platform
import re
import subprocess
from statistics import median


# A server that waits for work wakes up for fewer requests at a time: at 30 % of a core hyper's cost was a fifth higher.
SATURATED = 0.9

HEAD = """# What Anteroom costs

Written by `benches/run --write`, each section by itself; read the ratios, not the absolute figures: on a small virtual
machine that others use too, figures of single rounds drift by 15 % and more, while ratios within a round drift less. Every
figure is a median over the rounds, with the lowest and the highest.

Load comes from `wrk` over loopback, on a core of its own. CPU is user and system time of the whole process
(`/proc/PID/stat`). `wrk` sends the next request when the last one is answered (a closed loop), as fast as the server can:
latency is taken at saturation, is queueing for the most part, and does not show what a pause would do to a steady stream.
"""


def spread(values, form="{:.1f}"):
    return f"{form.format(median(values))} ({form.format(min(values))}–{form.format(max(values))})"


def processes(results):
    lines = [
        "| | requests/s | CPU µs/request | p50 µs | p99 µs | core busy | RSS MB idle → loaded | ready after ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, r in results.items():
        of = lambda key, rounds=r["rounds"]: [one[key] for one in rounds]
        cells = [
            name,
            spread(of("rate"), "{:,.0f}"),
            spread(of("cpu_us")),
            spread(of("p50_us"), "{:,.0f}"),
            spread(of("p99_us"), "{:,.0f}"),
            f"{median(of('busy')):.0%}",
            f"{r['idle_mb']:.1f} → {r['loaded_mb']:.1f}",
            spread(r["ready_ms"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    idle = [name for name, r in results.items() if median(one["busy"] for one in r["rounds"]) < SATURATED]
    if idle:
        lines += [
            "",
            f"Had less than {SATURATED:.0%} of a core, because the load was too slow or something else ran there: "
            f"{', '.join(idle)}. CPU per request is then not that of a busy server, mostly too high; run it again.",
        ]
    return lines


def comparison(results, against):
    """Each round against the same round of the other, then the median: what drifts, drifts for both."""
    lines = []
    for other in against:
        lines += ["", f"| against {other} | CPU per request | p50 | p99 | RSS loaded |", "|---|---|---|---|---|"]
        for name, r in results.items():
            pairs = list(zip(r["rounds"], results[other]["rounds"]))
            cells = [spread([a[key] / b[key] for a, b in pairs], "{:.3f}") for key in ("cpu_us", "p50_us", "p99_us")]
            lines.append(f"| {' | '.join([name, *cells])} | {r['loaded_mb'] / results[other]['loaded_mb']:.2f} |")
    return lines[1:]


def write(path, title, text, order):
    """Replaces one section of a results file; the others stay, in the given order of titles."""
    sections = {}
    for section in path.read_text().split("\n## ")[1:]:
        name, _, rest = section.partition("\n")
        sections[name] = rest.strip()
    sections[title] = text
    parts = [f"## {name}\n\n{sections[name]}\n" for name in order if name in sections]
    path.write_text("\n".join([HEAD, *parts]))


def decisions(target):
    """What `cargo bench --bench decision` left behind (criterion's estimates, in nanoseconds)."""
    lines = ["| decision alone | ns (95 % interval of the median) |", "|---|---|"]
    for found in sorted(pathlib.Path(target).glob("criterion/*/new/estimates.json")):
        title = json.loads(found.with_name("benchmark.json").read_text())["full_id"]
        middle = json.loads(found.read_text())["median"]
        low, high = (middle["confidence_interval"][f"{end}_bound"] for end in ("lower", "upper"))
        lines.append(f"| {title} | {middle['point_estimate']:,.0f} ({low:,.0f}–{high:,.0f}) |")
    return lines if len(lines) > 2 else ["The decision alone was not measured: `cargo bench --bench decision`."]


def _first_line(*command):
    out = subprocess.run(command, capture_output=True, text=True)
    return (out.stdout or out.stderr).splitlines()[0].strip()


def machine():
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    lock = pathlib.Path("Cargo.lock").read_text()
    version = lambda name: re.search(rf'^name = "{name}"\nversion = "([^"]+)"', lock, re.M)[1]
    load = os.getloadavg()[1]
    return [
        f"- {os.cpu_count()} × {cpu[1] if cpu else platform.machine()}, Linux {platform.release()}",
        f"- {_first_line('rustc', '--version')}; pingora {version('pingora')}, mimalloc {version('mimalloc')}, "
        f"tokio {version('tokio')}; {_first_line('wrk', '--version')}",
        f"- load average over the last five minutes when this began: {load:.1f}",
    ]
