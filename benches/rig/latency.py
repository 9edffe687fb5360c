"""How long does an answer take when requests come at a steady rate that the server can carry?"""

import load
import peers
import report
import turns
from field import ANTEROOM, Field
from process import Program

TITLE = "Latency at a steady rate"
PROGRAMS = ("bare", "upstream", "open-loop")
ROUNDS, SECONDS = 3, 4
TEXT = """The proxies of *Beside other proxies* under requests that come at fixed times and do not wait for answers (an open loop:
`benches/load/open.rs`, 64 connections, HTTP/1.1, 1 KiB). Latency counts from the moment a request was due, so a pause counts
for everybody whom it kept waiting. First each at half of the rate at which wrk saturated it, then all at half of Anteroom's;
who could not carry that is left out. The app and the load share a core, and their time is in each figure; `no proxy` is the
app asked directly. Differences to `bare pingora` are of the same round."""
WARM_UP = 2  # seconds of wrk, which also say what a server can take


def run(programs, options, folder, running):
    """Runs the part; gives the lines of its tables and its figures."""
    field = Field(programs, options, folder, running)
    found, notes = peers.contestants(field, options)
    field.start_app()
    started = {}
    for name, contestant in found.items():
        log = running.enter_context(turns.log(options, name))
        started[name] = Program(contestant.command, contestant.port, options.server_core, log)
        running.callback(started[name].stop)
    sent = field.requests(started)
    target = lambda name: load.Target(started[name], f"http://127.0.0.1:{started[name].port}{load.PAGE}", sent[name])
    targets = {name: target(name) for name in started}
    full = {name: load.saturate(target, WARM_UP, options)["rate"] for name, target in targets.items()}
    common = full[ANTEROOM] / 2
    # No process of the field: its CPU is nobody's.
    direct = load.Target(started[ANTEROOM], f"http://127.0.0.1:{field.upstream}{load.PAGE}", sent[ANTEROOM])
    rounds = lambda names, rate: turns.in_turn(
        names,
        options.rounds,
        lambda name: load.steady(programs["open-loop"], names[name], rate(name), options.seconds, options),
        "p99_us",
    )
    own = rounds(targets, lambda name: full[name] / 2)
    able = {name: target for name, target in targets.items() if full[name] * 0.9 > common}
    same = rounds({"no proxy": direct} | able, lambda _: common)
    lines = [
        *report.latencies("at half of what each can take", own),
        "",
        *report.latencies(f"all at {common:,.0f} requests/s", same),
        "",
        *report.added(same, "bare pingora"),
        "",
        " ".join(notes),
    ]
    figures = {table: {name: report.middle(r) for name, r in rows.items()} for table, rows in (("own", own), ("same", same))}
    return lines, figures
