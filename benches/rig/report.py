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

Load comes over loopback from a core of its own. CPU is user and system time of the whole process and its workers
(`/proc/PID/stat`). `wrk` and `h2load` send the next request when the last one is answered (a closed loop), as fast as the
server can: latency beside such a rate is queueing for the most part, and does not show what a pause would do to a steady
stream. For that there is *Latency at a steady rate*.

![CPU per request and latency of Anteroom and others](results.svg)

The figures of the chart, and more: [results.json](results.json).
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


def middle(rounds):
    """The median of each figure over the rounds."""
    return {key: round(median(one[key] for one in rounds), 3) for key in rounds[0]}


def medians(results):
    """name → what `processes` shows, as plain numbers."""
    whole = lambda r: {"idle_mb": round(r["idle_mb"], 1), "loaded_mb": round(r["loaded_mb"], 1), "ready_ms": median(r["ready_ms"])}
    return {name: middle(r["rounds"]) | whole(r) for name, r in results.items()}


def latencies(title, rows):
    """Rounds of `load.steady`."""
    lines = [f"| {title} | requests/s | CPU µs/request | p50 µs | p99 µs | p99.9 µs |", "|---|---|---|---|---|---|"]
    for name, rounds in rows.items():
        of = lambda key, form="{:,.0f}": spread([one[key] for one in rounds], form)
        rate = f"{median(one['rate'] for one in rounds):,.0f}"
        lines.append(f"| {name} | {rate} | {of('cpu_us', '{:.1f}')} | {of('p50_us')} | {of('p99_us')} | {of('p999_us')} |")
    return lines


def added(rows, against):
    """How much later than `against` in the same round."""
    lines = [f"| later than {against} by | p50 µs | p99 µs | p99.9 µs |", "|---|---|---|---|"]
    for name in (name for name in rows if name != against):
        pairs = list(zip(rows[name], rows[against]))
        cells = [spread([a[key] - b[key] for a, b in pairs], "{:+,.0f}") for key in ("p50_us", "p99_us", "p999_us")]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return lines


def ways(full, half, resident, against):
    """Rounds of `load.saturate`, of `load.steady` at half of that (or none), and the memory after all of them."""
    more = "".join(f" {key} µs at half |" for key in ("p50", "p99", "p99.9")) if half else ""
    lines = [
        f"| | requests/s | CPU µs/request | × {against} | core busy | RSS MB |{more}",
        f"|---|---|---|---|---|---|{'---|' * 3 if half else ''}",
    ]
    for name, rounds in full.items():
        of = lambda key, form="{:,.0f}": spread([one[key] for one in rounds], form)
        ratio = spread([a["cpu_us"] / b["cpu_us"] for a, b in zip(rounds, full[against])], "{:.3f}")
        cells = [name, of("rate"), of("cpu_us", "{:.1f}"), ratio, f"{median(one['busy'] for one in rounds):.0%}"]
        cells.append(f"{resident[name]:.1f}")
        if half:
            cells += [spread([one[key] for one in half[name]], "{:,.0f}") for key in ("p50_us", "p99_us", "p999_us")]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def memory(rows, count):
    lines = [f"| {count:,} open WebSockets | RSS MB before → with them | KiB each |", "|---|---|---|"]
    for name, r in rows.items():
        lines.append(f"| {name} | {r['before_mb']:.1f} → {r['after_mb']:.1f} | {r['each_kib']:.1f} |")
    return lines


def write(path, title, text, order):
    """Replaces one section of a results file; the others stay, in the given order of titles, what people wrote first."""
    sections = {}
    for section in path.read_text().split("\n## ")[1:]:
        name, _, rest = section.partition("\n")
        sections[name] = rest.strip()
    sections[title] = text
    own = [name for name in sections if name not in order]
    parts = [f"## {name}\n\n{sections[name]}\n" for name in [*own, *order] if name in sections]
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
        f"tokio {version('tokio')}; {_first_line('wrk', '--version').partition(' Copyright')[0]}; {_first_line('h2load', '--version')}",
        f"- load average over the last five minutes when this began: {load:.1f}",
    ]
