"""What does Anteroom cost beside a bare pingora? Upstream and load on one core, one proxy at a time on another."""

import anteroom
import browser
import load
import report
import turns
from process import Program, free_port

TITLE = "The whole proxy"
PROGRAMS = ("bare", "stock", "upstream")
TEXT = """Upstream and load share one core, the proxy under test has another. All are sent the same bytes: a browser's headers with
five cookies, one of them the session; 1 KiB comes back. `stock pingora` is pingora's own server with its defaults and the
system's allocator; `bare pingora` has Anteroom's allocator, runtime, accept loop and settings and does nothing but forward.
Not measured here: latency at half load, TLS, WebSockets, more than one core."""


def tables(programs, options, folder, running):
    """Runs the part; gives the lines of its tables."""
    address = lambda port: f"127.0.0.1:{port}"
    upstream = free_port()
    background = running.enter_context(open(options.logs / "background.log", "a"))
    app = Program([programs["upstream"], address(upstream)], upstream, options.load_core, background)
    running.callback(app.stop)
    found = {}
    for name, program in (("stock pingora", "stock"), ("bare pingora", "bare")):
        port = free_port()
        found[name] = turns.Contestant([programs[program], address(port), address(upstream)], port, load.PAGE)
    for name, access_log in (("Anteroom", False), ("Anteroom, access log on", True)):
        port, atlassian = free_port(), free_port()
        public_url = f"http://127.0.0.1:{port}"
        emulator = anteroom.emulator(programs["anteroom"], folder, atlassian, [public_url + anteroom.CALLBACK])
        running.callback(Program(emulator, atlassian, options.load_core, background).stop)
        mode = anteroom.PROXY.format(port=port, upstream=upstream)
        command = anteroom.command(programs["anteroom"], folder, port, public_url, atlassian, mode, access_log)
        found[name] = turns.Contestant(command, port, load.PAGE, logs=access_log)
    results = turns.measure(found, _requests, options, running)
    return [*report.processes(results), "", *report.comparison(results, ["bare pingora", "stock pingora"])]


def _requests(programs):
    guards = [name for name in programs if name.startswith("Anteroom")]
    sign_in = lambda port: browser.sign_in(f"http://127.0.0.1:{port}", port, anteroom.START, "anteroom")
    cookies = {name: sign_in(programs[name].port) for name in guards}
    # The others are sent the same cookie: the same bytes for all.
    sent = {name: load.headers(cookies.get(name, cookies[guards[0]])) for name in programs}
    for name, program in programs.items():
        if not _reaches_the_app(program.port, sent[name]):
            raise SystemExit(f"{name} does not reach the upstream")
    for name in guards:
        if _reaches_the_app(programs[name].port, load.BROWSER):
            raise SystemExit(f"{name} lets strangers in")
    return sent


def _reaches_the_app(port, headers):
    status, _, body = browser.ask(port, load.PAGE, headers)
    return status == 200 and body == b"x" * 1024
