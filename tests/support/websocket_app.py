"""An echo server on the `websockets` library: an app whose WebSocket code nobody here wrote.

It prints its port, greets with the handshake's headers as JSON where the path is /headers, then sends back every
message as it came. "close" makes it end the connection with code 4000, "ping" makes it ping and say "answered" when
the pong is there. It prints with which code each connection was closed.
"""

import asyncio
import json

from websockets.asyncio.server import serve


async def echo(connection):
    try:
        await talk(connection)
    finally:
        print(f"closed {connection.close_code} {connection.close_reason}", flush=True)


async def talk(connection):
    if connection.request.path == "/headers":
        await connection.send(json.dumps([list(pair) for pair in connection.request.headers.raw_items()]))
    async for message in connection:
        if message == "close":
            await connection.close(4000, "as asked")
            return
        if message == "ping":
            await (await connection.ping(b"from the app"))
            message = "answered"
        await connection.send(message)


async def main():
    async with serve(echo, "127.0.0.1", 0) as server:
        print(f"port={server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
