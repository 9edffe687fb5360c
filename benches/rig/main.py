"""What does Anteroom cost? The whole proxy beside others, latency, TLS and HTTP/2, answers to gateways, memory, a decision.

Within a part the contestants take turns, round by round, the order reversed every other round; all are sent the same
bytes. Every program runs on loopback and ends with this one. Needs Linux, two cores, wrk, h2load and
taskset.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import chart
import decision
import latency
import memory
import peers
import proxy
import report
import transport
import verify

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = {
    "proxy": proxy,
    "peers": peers,
    "latency": latency,
    "transport": transport,
    "verify": verify,
    "memory": memory,
    "decision": decision,
}


def build(parts, profile):
    """One build for all, so that all sides get the same compiler, flags and crates; gives each program's path."""
    names = sorted({name for part in parts for name in PARTS[part].PROGRAMS})
    benches = [flag for name in names for flag in ("--bench", name)]
    if not benches:
        return {}
    command = ["cargo", "build", "--locked", "--profile", profile, "--bin", "anteroom", *benches]
    out = subprocess.run([*command, "--message-format=json-render-diagnostics"], check=True, stdout=subprocess.PIPE, cwd=ROOT)
    messages = (json.loads(line) for line in out.stdout.splitlines())
    return {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}


def arguments():
    parser = argparse.ArgumentParser(
        prog="benches/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be given more than once")
    parser.add_argument("--rounds", type=int, help="instead of each part's own")
    parser.add_argument("--seconds", type=int, help="of load for each, in each round, instead of each part's own")
    parser.add_argument("--starts", type=int, default=5, help="how often start-up is timed")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--server-core", type=int, default=1)
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="profile `quick`, 1 round of 1 s: does it run at all?")
    parser.add_argument("--write", action="store_true", help="put the figures into benches/RESULTS.md")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("figures of a quick run are not worth keeping: --quick or --write")
    if options.quick:
        options.rounds, options.seconds, options.starts = 1, 1, 1
    options.target = ROOT / "target"
    options.logs = options.target / "bench-logs"
    options.logs.mkdir(parents=True, exist_ok=True)
    return options


def measured(part, programs, options):
    """Runs a part; gives the command that says how, the machine, the lines of its tables, and its figures."""
    rounds, seconds = options.rounds or PARTS[part].ROUNDS, options.seconds or PARTS[part].SECONDS
    own = argparse.Namespace(**{**vars(options), "rounds": rounds, "seconds": seconds})
    machine, began = report.machine(), time.monotonic()
    print(f"== {part}: {rounds} × {seconds} s for each", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        tables, figures = PARTS[part].run(programs, own, pathlib.Path(folder), running)
    print(f"== {part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    chosen = f" --rounds {rounds} --seconds {seconds} --connections {options.connections}" if PARTS[part].SECONDS else ""
    return f"`benches/run --write --only {part}{chosen}`", machine, tables, figures


def main():
    options = arguments()
    wanted = options.only or list(PARTS)
    programs = build(wanted, "quick" if options.quick else "release")
    # Figures of a trial are not for keeping, but they draw too.
    kept = ROOT / "benches" if options.write else options.logs
    for part in (name for name in PARTS if name in wanted):
        command, machine, tables, figures = measured(part, programs, options)
        title = PARTS[part].TITLE
        print("\n".join(["", f"## {title}", "", PARTS[part].TEXT, "", *tables]), flush=True)
        chart.keep(kept, part, figures)
        if options.write:
            lines = [PARTS[part].TEXT, "", command, "", *machine, "", *tables]
            report.write(kept / "RESULTS.md", title, "\n".join(lines), [p.TITLE for p in PARTS.values()])


if __name__ == "__main__":
    main()
