"""What does Anteroom cost beside a bare pingora? Upstream and load on one core, one proxy at a time on another.

The contestants take turns, round by round, the order reversed every other round; all are sent the same bytes. Every
program runs on loopback and ends with this one. Needs Linux, two cores, wrk and taskset. `--help` lists the settings.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

import load
import report
import anteroom
from process import Program, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
RIG = ("bare", "stock", "upstream")


def build():
    """One build for all, so that both sides get the same compiler, flags and crates; gives each program's path."""
    benches = [part for name in RIG for part in ("--bench", name)]
    command = ["cargo", "build", "--locked", "--release", "--bin", "anteroom", *benches]
    out = subprocess.run([*command, "--message-format=json-render-diagnostics"], check=True, stdout=subprocess.PIPE, cwd=ROOT)
    messages = (json.loads(line) for line in out.stdout.splitlines())
    return {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}


def contestants(programs, upstream, folder, running, options, log):
    """How to start each one: name → (port, command)."""
    address = lambda port: f"127.0.0.1:{port}"
    found = {}
    for name, program in (("stock pingora", "stock"), ("bare pingora", "bare")):
        port = free_port()
        found[name] = (port, [programs[program], address(port), address(upstream)])
    for name, access_log in (("Anteroom", False), ("Anteroom, access log on", True)):
        port, atlassian = free_port(), free_port()
        config, fixture = anteroom.configuration(folder, port, atlassian, upstream, access_log)
        emulator = [programs["anteroom"], "emulator", "--listen", address(atlassian), "--fixture", fixture]
        running.callback(Program([*emulator, "--approve", "ada@example.com"], atlassian, options.load_core, log).stop)
        found[name] = (port, [programs["anteroom"], "run", "--config", config])
    return found


def start_up_times(commands, options, log):
    """Each one started and stopped a few times, in turns; the last one is left running."""
    times, programs = {name: [] for name in commands}, {}
    for turn in range(options.starts):
        for name, (port, command) in commands.items():
            programs[name] = Program(command, port, options.proxy_core, log)
            times[name].append(programs[name].ready_ms)
            if turn + 1 < options.starts:
                programs[name].stop()
    return times, programs


def measure(commands, options, running, log):
    ready, programs = start_up_times(commands, options, log)
    for program in programs.values():
        running.callback(program.stop)
    idle = {name: program.rss_mb() for name, program in programs.items()}
    results = {name: {"ready_ms": ready[name], "idle_mb": idle[name], "rounds": []} for name in commands}
    guards = [name for name in commands if name.startswith("Anteroom")]
    cookies = {name: anteroom.sign_in(programs[name].port) for name in guards}
    # The others are sent the same cookie: the same bytes for all.
    sent = {name: load.headers(cookies.get(name, cookies[guards[0]])) for name in commands}
    for name, program in programs.items():
        assert anteroom.lets_through(program.port, sent[name]), f"{name} does not reach the upstream"
    for name in guards:
        assert not anteroom.lets_through(programs[name].port, load.BROWSER), f"{name} lets strangers in"
    once = lambda name, seconds: load.run(programs[name], seconds, options.connections, options.load_core, sent[name])
    for name in programs:
        once(name, 2)
    for number in range(options.rounds):
        for name in list(programs) if number % 2 == 0 else reversed(programs):
            results[name]["rounds"].append(once(name, options.seconds))
            print(f"round {number + 1}: {name}: {results[name]['rounds'][-1]['cpu_us']:.1f} µs", file=sys.stderr)
    for name, program in programs.items():
        results[name]["loaded_mb"] = program.rss_mb()
    return results


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=8, help="of load for each, in each round")
    parser.add_argument("--starts", type=int, default=5, help="how often start-up is timed")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--proxy-core", type=int, default=1)
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write benches/RESULTS.md")
    return parser.parse_args()


def main():
    options = arguments()
    before = report.machine()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        folder = pathlib.Path(folder)
        log = running.enter_context(open(ROOT / "target" / "bench-rig.log", "w"))
        programs = build()
        upstream = free_port()
        app = Program([programs["upstream"], f"127.0.0.1:{upstream}"], upstream, options.load_core, log)
        running.callback(app.stop)
        commands = contestants(programs, upstream, folder, running, options, log)
        results = measure(commands, options, running, log)
    tables = [
        *report.processes(results),
        "",
        *report.ratios(results, ["bare pingora", "stock pingora"]),
        "",
        *report.decisions(ROOT / "target"),
    ]
    print("\n".join(tables))
    if options.write:
        write(before, options, tables)


def write(machine, options, tables):
    chosen = f"--rounds {options.rounds} --seconds {options.seconds} --connections {options.connections}"
    lines = [report.HEAD, f"`benches/run --write {chosen}`", "", *machine, "", *tables, ""]
    (ROOT / "benches" / "RESULTS.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
