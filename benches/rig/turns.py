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
    logs = {name: running.enter_context(log(options, name)) for name in contestants}
    ready, programs = _start_up_times(contestants, options, running, logs)
    idle = {name: program.rss_mb() for name, program in programs.items()}
    results = {name: {"ready_ms": ready[name], "idle_mb": idle[name]} for name in contestants}
    sent = requests(programs)

    def once(name, seconds):
        url = f"http://127.0.0.1:{programs[name].port}{contestants[name].path}"
        seen = load.saturate(load.Target(programs[name], url, sent[name]), seconds, options)
        _check_lines(name, _lines(logs[name].name) / seen["requests"], contestants[name].logs)
        # Some gigabytes over all rounds, otherwise.
        logs[name].truncate(0)
        return seen

    for name in programs:
        once(name, 1)
    for name, rounds in in_turn(programs, options.rounds, lambda name: once(name, options.seconds), "cpu_us").items():
        results[name]["rounds"] = rounds
    for name, program in programs.items():
        results[name]["loaded_mb"] = program.rss_mb()
    return results


def in_turn(names, rounds, once, say):
    """`once` for each name, round by round, the order reversed every other round; gives name → what was seen each time.

    `say` is the key of the figure that tells on stderr how it goes.
    """
    seen = {name: [] for name in names}
    for number in range(rounds):
        for name in list(seen) if number % 2 == 0 else reversed(seen):
            seen[name].append(once(name))
            print(f"round {number + 1} of {rounds}: {name}: {say} {seen[name][-1][say]:,.1f}", file=sys.stderr, flush=True)
    return seen


def log(options, name):
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
