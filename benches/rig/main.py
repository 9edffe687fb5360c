"""What does Anteroom cost? A decision alone, the whole proxy, and an answer to a gateway's question.

Within a part the contestants take turns, round by round, the order reversed every other round; all are sent the same
bytes. Every program runs on loopback and ends with this one. Needs Linux, two cores, wrk and taskset.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import tempfile

import decision
import proxy
import report
import verify

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = {"proxy": proxy, "verify": verify, "decision": decision}


def build(parts, profile):
    """One build for all, so that all sides get the same compiler, flags and crates; gives each program's path."""
    benches = [flag for part in parts for name in PARTS[part].PROGRAMS for flag in ("--bench", name)]
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
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=8, help="of load for each, in each round")
    parser.add_argument("--starts", type=int, default=5, help="how often start-up is timed")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--server-core", type=int, default=1)
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="profile `quick`, 2 rounds of 2 s: does it run at all?")
    parser.add_argument("--write", action="store_true", help="put the figures into benches/RESULTS.md")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("figures of a quick run are not worth keeping: --quick or --write")
    if options.quick:
        options.rounds, options.seconds, options.starts = 2, 2, 1
    options.target = ROOT / "target"
    options.logs = options.target / "bench-logs"
    options.logs.mkdir(parents=True, exist_ok=True)
    return options


def main():
    options = arguments()
    wanted = options.only or list(PARTS)
    programs = build(wanted, "quick" if options.quick else "release")
    chosen = f"--rounds {options.rounds} --seconds {options.seconds} --connections {options.connections}"
    for part in (name for name in PARTS if name in wanted):
        machine = report.machine()
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
            tables = PARTS[part].tables(programs, options, pathlib.Path(folder), running)
        title = PARTS[part].TITLE
        print("\n".join(["", f"## {title}", "", PARTS[part].TEXT, "", *tables]), flush=True)
        if options.write:
            lines = [PARTS[part].TEXT, "", f"`benches/run --write --only {part} {chosen}`", "", *machine, "", *tables]
            report.write(ROOT / "benches" / "RESULTS.md", title, "\n".join(lines), [p.TITLE for p in PARTS.values()])


if __name__ == "__main__":
    main()
