"""What do TLS, HTTP/2, large bodies and new connections cost, beside a stock pingora, nginx and HAProxy?"""

import sys
from dataclasses import dataclass

import load
import plain
import report
import turns
from field import ANTEROOM, Field
from process import Program, free_port

TITLE = "TLS, HTTP/2, bodies, connections"
PROGRAMS = ("stock", "upstream", "open-loop")
ROUNDS, SECONDS = 3, 3
TEXT = """The same core, app and headers as above, one thing changed at a time. HTTP/1.1 under `wrk`, 64 connections; HTTP/2 under
`h2load`, 8 connections of 8 streams. TLS is what client and server agree on by themselves (TLS 1.3, P-256 certificate;
`wrk` offers the session that it has, so of many new connections not each is a whole handshake). `stock pingora` is
pingora's own server with TLS and h2c switched on and the system's allocator; nginx and HAProxy are plain proxies as above.
None of the three asks who somebody is.
Latencies come from the open loop at half of the row's requests/s."""


@dataclass(frozen=True)
class Way:
    """One way to ask: `listener` is plain, h2c or tls; `steady` means that latency at half load is taken too."""

    title: str
    listener: str
    path: str = load.PAGE
    http2: bool = False
    close: bool = False
    steady: bool = False

    def target(self, program, port, headers):
        scheme = "https" if self.listener == "tls" else "http"
        more = {"Connection": "close"} if self.close else {}
        return load.Target(program, f"{scheme}://127.0.0.1:{port}{self.path}", headers | more, self.http2)


WAYS = (
    Way("HTTP/1.1 over TLS", "tls", steady=True),
    Way("HTTP/2 without TLS (h2c)", "h2c", http2=True, steady=True),
    Way("HTTP/2 over TLS", "tls", http2=True, steady=True),
    Way("HTTP/1.1, 10 KiB", "plain", "/projects/alpha?bytes=10240"),
    Way("HTTP/1.1, 1 MiB", "plain", "/projects/alpha?bytes=1048576"),
    Way("HTTP/1.1, a new connection per request", "plain", close=True),
    Way("HTTP/1.1, a new TLS connection per request", "tls", close=True),
)


def run(programs, options, folder, running):
    """Runs the part; gives the lines of its tables and its figures."""
    field = Field(programs, options, folder, running)
    servers, sent = _start(field, options, running)
    lines, figures = [], {}
    for way in WAYS:
        targets = {name: way.target(*listeners[way.listener], sent[name, way.listener]) for name, listeners in servers.items()}
        print(f"{way.title}:", file=sys.stderr, flush=True)
        for target in targets.values():
            load.saturate(target, 1, options)
        full = turns.in_turn(targets, options.rounds, lambda name: load.saturate(targets[name], options.seconds, options), "cpu_us")
        half = {}
        if way.steady:
            rates = {name: report.middle(rounds)["rate"] / 2 for name, rounds in full.items()}
            once = lambda name: load.steady(
                programs["open-loop"], targets[name], rates[name], options.seconds, options, field.certificate
            )
            half = turns.in_turn(targets, options.rounds, once, "p99_us")
        resident = {name: target.program.rss_mb() for name, target in targets.items()}
        lines += ["", f"### {way.title}", "", *report.ways(full, half, resident, "stock pingora")]
        figures[way.title] = {name: report.middle(rounds) for name, rounds in full.items()}
    return [*lines[1:], "", " ".join(plain.version(name) for name in plain.NAMES)], figures


def _start(field, options, running):
    """name → listener → (program, port), and (name, listener) → headers."""

    def start(name, contestant, tls=False):
        log = running.enter_context(turns.log(options, name))
        program = Program(contestant.command, contestant.port, options.server_core, log, tls)
        running.callback(program.stop)
        return program

    # Two of them, since each listens in one place.
    guard = {"plain": field.anteroom("Anteroom", room=True), "tls": field.anteroom("Anteroom, TLS", tls=True, room=True)}
    field.start_app()
    servers = {}
    contestant, tls = field.pingora("stock"), free_port()
    contestant.command.extend([f"127.0.0.1:{tls}", field.certificate, field.key])
    stock = start("stock pingora", contestant)
    servers["stock pingora"] = {"plain": (stock, stock.port), "h2c": (stock, stock.port), "tls": (stock, tls)}
    started = {name: start(f"Anteroom {name}", contestant, name == "tls") for name, contestant in guard.items()}
    listeners = {name: (program, program.port) for name, program in started.items()}
    servers[ANTEROOM] = listeners | {"h2c": listeners["plain"]}
    for name in plain.NAMES:
        if plain.find(name):
            contestant, h2c, tls = field.plain(name)
            program = start(name, contestant)
            servers[name] = {"plain": (program, program.port), "h2c": (program, h2c), "tls": (program, tls)}
    checked = field.requests({"Anteroom": started["plain"], "Anteroom, TLS": started["tls"]})
    own = {"plain": checked["Anteroom"], "h2c": checked["Anteroom"], "tls": checked["Anteroom, TLS"]}
    return servers, {(name, listener): own[listener] for name in servers for listener in own}
