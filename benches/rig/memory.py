"""What do many open WebSockets cost in memory?"""

import asyncio
import resource
import sys

import load
import peers
import report
import turns
from field import Field
from process import Program

TITLE = "Open WebSockets"
PROGRAMS = ("bare", "upstream")
ROUNDS, SECONDS = 1, 0
MANY, QUICK, TOGETHER = 10_000, 1_000, 50
TEXT = """Resident memory of the proxy before and after so many WebSockets were opened through it, each having carried one message
and its echo; all stay open. 10,000, or as many as the limit of open files allows. Once per proxy."""
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
    # The proxies inherit this limit. Each WebSocket takes two descriptors there, and two here: the client's and the app's.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(QUICK if options.quick else MANY, (hard - 4000) // 2)
    field = Field(programs, options, folder, running)
    found, notes = peers.contestants(field, options)
    field.start_atlassian()
    rows = {}
    for name, contestant in found.items():
        log = running.enter_context(turns.log(options, name))
        program = Program(contestant.command, contestant.port, options.server_core, log)
        running.callback(program.stop)
        cookie = field.sign_in(name, program.port)
        headers = load.headers(*([cookie] if cookie else [])) | HANDSHAKE | {"Host": f"127.0.0.1:{program.port}"}
        before, after = asyncio.run(_fill(field.upstream, program, headers, count))
        rows[name] = {"before_mb": before, "after_mb": after, "each_kib": (after - before) * 1024 / count}
        print(f"{count} WebSockets: {name}: {rows[name]['each_kib']:.1f} KiB each", file=sys.stderr, flush=True)
        program.stop()
    return [*report.memory(rows, count), "", " ".join(notes)], rows


async def _fill(upstream, program, headers, count):
    """Resident memory before and after `count` WebSockets are open, in MB."""
    served = []
    app = await asyncio.start_server(lambda *streams: _accept(*streams, served), "127.0.0.1", upstream, backlog=1024)
    before = program.rss_mb()
    request = "".join(f"{line}\r\n" for line in ("GET / HTTP/1.1", *map(": ".join, headers.items()), "")).encode()
    opened = []
    for start in range(0, count, TOGETHER):
        opened += await asyncio.gather(*(_open(program.port, request) for _ in range(min(TOGETHER, count - start))))
    after = program.rss_mb()
    app.close()
    # Waited for, or the next proxy's sockets come on top of these.
    for writer in [*opened, *served]:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in [*opened, *served]), return_exceptions=True)
    return before, after


async def _accept(reader, writer, served):
    served.append(writer)
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"\r\nupgrade: websocket\r\n" not in head.lower():
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            return writer.close()
        writer.write(ACCEPTED)
        await reader.readexactly(len(PING))
        writer.write(ECHO)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _open(port, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise SystemExit(f"a WebSocket was not accepted:\n{head.decode(errors='replace')}")
    writer.write(PING)
    if await reader.readexactly(len(ECHO)) != ECHO:
        raise SystemExit("a WebSocket gave back something else than the echo")
    return writer
