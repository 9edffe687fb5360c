"""What does an answer to a gateway's question cost? One server at a time on one core, load on another; no gateway."""

import anteroom
import browser
import load
import oauth2_proxy
import report
import turns
from process import Program, free_port

TITLE = "Forward-auth"
PROGRAMS = ("bare-hyper",)
PUBLIC_URL = "https://wiki.example.com"
VERIFY = "/_anteroom/verify/forward"
SESSION = "__Host-anteroom"
ROUNDS, SECONDS = 5, 5
TEXT = f"""`wrk` is the gateway: over kept connections it asks each server whether a signed-in browser's GET may pass, in the way of
Traefik's ForwardAuth: the browser's headers, six `X-Forwarded-*`, and a `Cookie` with four cookies of the app, Anteroom's
session and oauth2-proxy's. All are sent the same bytes but for the path and the port; each Anteroom gets its own session.

- `bare hyper`: hyper's HTTP/1 server with Anteroom's allocator and runtime; answers 200, no body, `Cache-Control: no-store`
  to everything; no limits, no timeouts.
- `Anteroom`: `{VERIFY}`, access log off; 200 with all identity headers and the signed assertion.
- `Anteroom, access log on`: the same, one line per answer.
- `oauth2-proxy`: {oauth2_proxy.VERSION}, `/oauth2/auth`, 202 with its identity headers; set to what costs it least: one
  cookie without tokens (`--session-cookie-minimal`), no request log.

Not measured here: a gateway's own work, latency at half load, TLS, gRPC, more than one core."""


def run(programs, options, folder, running):
    """Runs the part; gives the lines of its tables and its figures."""
    background = running.enter_context(open(options.logs / "background.log", "a"))
    atlassian = free_port()
    callbacks = [PUBLIC_URL + path for path in (anteroom.CALLBACK, oauth2_proxy.CALLBACK)]
    emulator = anteroom.emulator(programs["anteroom"], folder, atlassian, callbacks)
    running.callback(Program(emulator, atlassian, options.load_core, background).stop)
    port = free_port()
    found = {"bare hyper": turns.Contestant([programs["bare-hyper"], f"127.0.0.1:{port}"], port, VERIFY)}
    for name, access_log in (("Anteroom", False), ("Anteroom, access log on", True)):
        port = free_port()
        mode = anteroom.FORWARD_AUTH.format(port=port)
        command = anteroom.command(programs["anteroom"], folder, port, PUBLIC_URL, atlassian, mode, access_log)
        found[name] = turns.Contestant(command, port, VERIFY, logs=access_log)
    peer, skipped = oauth2_proxy.build(options.target)
    if peer:
        port = free_port()
        command = oauth2_proxy.command(peer, port, PUBLIC_URL, atlassian)
        found["oauth2-proxy"] = turns.Contestant(command, port, "/oauth2/auth")
    results = turns.measure(found, lambda running: _requests(found, running), options, running)
    against = ["bare hyper", *(["oauth2-proxy"] if peer else [])]
    lines = [*report.processes(results), "", *report.comparison(results, against)]
    return [*lines, "", oauth2_proxy.version(peer) if peer else skipped], report.medians(results)


def _requests(contestants, programs):
    sessions = {}
    for name, program in programs.items():
        if name.startswith("Anteroom"):
            sessions[name] = browser.sign_in(PUBLIC_URL, program.port, anteroom.START, SESSION)
    peer = programs.get("oauth2-proxy")
    others = [browser.sign_in(PUBLIC_URL, peer.port, oauth2_proxy.START, oauth2_proxy.SESSION)] if peer else []
    question = load.forwarded(PUBLIC_URL + load.PAGE)
    sent = {}
    for name, program in programs.items():
        sent[name] = load.headers(sessions.get(name, sessions["Anteroom"]), *others) | question
        expect = _expectation(name)
        _check(name, program.port, contestants[name].path, sent[name], *expect[0])
        if expect[1]:
            _check(name, program.port, contestants[name].path, load.BROWSER | question, *expect[1])
    return sent


def _expectation(name):
    """Status and needed headers for the signed-in, and for a stranger (None: there are none)."""
    if name == "bare hyper":
        return (200, {"Cache-Control": "no-store"}), None
    if name == "oauth2-proxy":
        return (202, {"X-Auth-Request-Email": anteroom.EMAIL}), (401, {})
    needed = {"Cache-Control": "no-store", "X-Anteroom-Email": anteroom.EMAIL, "X-Anteroom-Assertion": None}
    return (200, needed), (302, {"Location": None})


def _check(name, port, path, headers, status, needed):
    """The measured answer is the right one; a header that is needed as None may have any value but an absent one (`-`)."""
    got, answer, body = browser.ask(port, path, headers)
    wrong = [key for key, value in needed.items() if answer.get(key, "-") in ("", "-") or value not in (None, answer[key])]
    if got != status or wrong or (status == 200 and body):
        raise SystemExit(f"{name} answers {got}, not {status}, or wrongly: {wrong}\n{answer}{body[:500]}")
