"""What does Anteroom cost beside other proxies: plain ones, and one that signs people in too?"""

import oauth2_proxy
import plain
import report
import turns
from field import ANTEROOM, OAUTH2_PROXY, Field

TITLE = "Beside other proxies"
PROGRAMS = ("bare", "upstream")
ROUNDS, SECONDS = 3, 4
TEXT = f"""As above: HTTP/1.1 without TLS, kept connections on both sides, 1 KiB, one core. nginx and HAProxy are plain proxies that ask
nobody who they are: one worker, no access log, buffers as they come. oauth2-proxy {oauth2_proxy.VERSION} is a signed-in reverse proxy with its
cookie session, set to what costs it least: no tokens in the cookie, no request log. Resident memory of nginx is that of
master and worker together."""


def contestants(field, options):
    """name → Contestant, and the lines that say which versions, or why somebody is missing."""
    found = {"bare pingora": field.pingora("bare"), ANTEROOM: field.anteroom(ANTEROOM, room=True)}
    found |= {name: field.plain(name)[0] for name in plain.NAMES if plain.find(name)}
    notes = [plain.version(name) for name in plain.NAMES]
    peer, skipped = oauth2_proxy.build(options.target)
    if peer:
        found[OAUTH2_PROXY] = field.oauth2_proxy(peer)
    return found, [*notes, oauth2_proxy.version(peer) if peer else skipped]


def run(programs, options, folder, running):
    """Runs the part; gives the lines of its tables and its figures."""
    field = Field(programs, options, folder, running)
    found, notes = contestants(field, options)
    field.start_app()
    results = turns.measure(found, field.requests, options, running)
    against = [name for name in ("bare pingora", "nginx", OAUTH2_PROXY) if name in found]
    lines = [*report.processes(results), "", *report.comparison(results, against), "", " ".join(notes)]
    return lines, report.medians(results)
