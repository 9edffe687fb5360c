"""Tables: what was measured, as medians with their ranges, and the ratios, which are what counts."""

import json
import os
import pathlib
import platform
import re
import subprocess
from statistics import median


HEAD = """# What Anteroom costs

Written by `benches/run --write`; read the ratios, not the absolute figures. Upstream and load share one core, the proxy
under test has another; on a small virtual machine that others use too, figures of single rounds drift by 15 % and more,
while ratios within a round drift less. Every figure is a median over the rounds, with the lowest and the highest.

All are sent the same bytes by `wrk` over loopback: a browser's headers with five cookies, one of them the session; 1 KiB
comes back. CPU is user and system time of the whole process (`/proc/PID/stat`). `stock pingora` is pingora's own server
with its defaults and the system's allocator; `bare pingora` has Anteroom's allocator, runtime, accept loop and settings
and does nothing but forward. Latency is taken at saturation: it is queueing for the most part.
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
    return lines


def ratios(results, against):
    """Each round against the same round of the other, then the median: what drifts, drifts for both."""
    lines = [f"| CPU per request against | {' | '.join(against)} |", f"|---|{'---|' * len(against)}"]
    for name, r in results.items():
        cells = []
        for other in against:
            pairs = zip(r["rounds"], results[other]["rounds"])
            cells.append(spread([a["cpu_us"] / b["cpu_us"] for a, b in pairs], "{:.3f}"))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


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
