"""One program at a time under load, in turns, so that what drifts drifts for all."""

import sys
from dataclasses import dataclass

import load
from process import Program


@dataclass(frozen=True)
class Contestant:
    """A row of a table: how to start it, the path that is asked of it, and whether it writes a line per request."""

    command: list
    port: int
    path: str
    logs: bool = False


def measure(contestants, requests, options, running):
    """Starts everybody, then loads each in turn, the order reversed every other round.

    `contestants`: name → Contestant. `requests`: given the running programs, says which headers to send to whom, and ends
    the bench when somebody answers what it should not. Gives name → what was seen.
    """
    logs = {name: running.enter_context(_log(options, name)) for name in contestants}
    ready, programs = _start_up_times(contestants, options, running, logs)
    idle = {name: program.rss_mb() for name, program in programs.items()}
    results = {name: {"ready_ms": ready[name], "idle_mb": idle[name], "rounds": []} for name in contestants}
    sent = requests(programs)

    def once(name, seconds):
        path, core = contestants[name].path, options.load_core
        seen = load.run(programs[name], path, seconds, options.connections, core, sent[name])
        _check_lines(name, _lines(logs[name].name) / seen["requests"], contestants[name].logs)
        # Some gigabytes over all rounds, otherwise.
        logs[name].truncate(0)
        return seen

    for name in programs:
        once(name, 2)
    for number in range(options.rounds):
        for name in list(programs) if number % 2 == 0 else reversed(programs):
            results[name]["rounds"].append(once(name, options.seconds))
            print(f"round {number + 1}: {name}: {results[name]['rounds'][-1]['cpu_us']:.1f} µs", file=sys.stderr)
    for name, program in programs.items():
        results[name]["loaded_mb"] = program.rss_mb()
    return results


def _log(options, name):
    """Where a program writes; appending, so that it can be emptied under it."""
    options.logs.mkdir(parents=True, exist_ok=True)
    path = options.logs / f"{''.join(c if c.isalnum() else '-' for c in name)}.log"
    path.unlink(missing_ok=True)
    return open(path, "a")


def _lines(path):
    with open(path, "rb") as log:
        return sum(block.count(b"\n") for block in iter(lambda: log.read(1 << 20), b""))


def _check_lines(name, per_request, wanted):
    """A row is what it says: a line for nearly every request, or for nearly none."""
    if wanted and per_request < 0.99 or not wanted and per_request > 0.01:
        raise SystemExit(f"{name} wrote {per_request:.3f} log lines per request")


def _start_up_times(contestants, options, running, logs):
    """Each one started and stopped a few times, in turns; the last one is left running."""
    times, programs = {name: [] for name in contestants}, {}
    for turn in range(options.starts):
        for name, contestant in contestants.items():
            programs[name] = Program(contestant.command, contestant.port, options.server_core, logs[name])
            running.callback(programs[name].stop)
            times[name].append(programs[name].ready_ms)
            if turn + 1 < options.starts:
                programs[name].stop()
    return times, programs
