"""What do many open WebSockets cost in memory?"""

import asyncio
import resource

import load
import plain
import report
import turns
from field import ANTEROOM, Field
from process import Program, free_port

TITLE = "Open WebSockets"
PROGRAMS = ("bare", "upstream")
ROUNDS, SECONDS = 1, 0
MANY, QUICK = 10_000, 1_000
TEXT = """Resident memory of the proxy before and after so many WebSockets were opened through it to an app that accepts each and
stays silent but for one echo; all stay open. Once per proxy: memory does not drift as time does."""
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
# RFC 6455 section 1.3 has this key and its answer as the example.
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
PING, ECHO = b"\x81\x84\0\0\0\0ping", b"\x81\x04ping"


def run(programs, options, folder, running):
    """Runs the part; gives the lines of its table and its figures."""
    # Two descriptors each in the proxy, which inherits this limit; here they are the client's and the app's.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    field = Field(programs, options, folder, running)
    found = {"bare pingora": field.pingora("bare"), ANTEROOM: field.anteroom(ANTEROOM, room=True)}
    found |= {name: field.plain(name)[0] for name in plain.NAMES if plain.find(name)}
    field.start_app()
    return [], {}
