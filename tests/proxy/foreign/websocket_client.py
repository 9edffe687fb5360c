"""A WebSocket client on the `websockets` library: `PORT COOKIE [CA]`. Says what it has seen, one line each."""

import asyncio
import json
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

PORT, COOKIE, CA = int(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None


def opened(path="/headers", cookie=COOKIE, **more):
    if CA:
        more.update(ssl=ssl.create_default_context(cafile=CA), server_hostname="app.example")
    url = f"{'wss' if CA else 'ws'}://app.example{path}"
    headers = {"Cookie": cookie} if cookie else {}
    return connect(url, host="127.0.0.1", port=PORT, additional_headers=headers, **more)


async def refused(status, **more):
    try:
        async with opened(**more):
            raise AssertionError("it was let in")
    except InvalidStatus as error:
        assert error.response.status_code == status, error


async def messages():
    async with opened() as socket:
        headers = {name.lower(): value for name, value in json.loads(await socket.recv())}
        assert headers["x-anteroom-account-id"] == "557058:ada", headers
        assert "permessage-deflate" in headers["sec-websocket-extensions"], headers
        assert "cookie" not in headers, headers
        assert [extension.name for extension in socket.protocol.extensions] == ["permessage-deflate"]
        noise = os.urandom(900_000)
        for message in ("grüße", "", b"", b"\x00\xff", "x" * 900_000, noise):
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["one ", "two ", "three"])
        assert await socket.recv() == "one two three"
        await socket.send([noise[:300_000], noise[300_000:]])
        # The app pings in the middle of what it says.
        assert await socket.recv() == noise
        await asyncio.wait_for(await socket.ping(b"from the client"), 20)
        await socket.send("ping")
        assert await socket.recv() == "answered"
        many = [f"message {n}" for n in range(1000)]
        for message in many:
            await socket.send(message)
        assert [await socket.recv() for _ in many] == many
    print("ok: messages", flush=True)
    async with opened(compression=None) as socket:
        headers = {name.lower(): value for name, value in json.loads(await socket.recv())}
        assert "sec-websocket-extensions" not in headers and socket.protocol.extensions == []
        await socket.send(noise)
        assert await socket.recv() == noise
    print("ok: without compression", flush=True)


async def closes():
    async with opened() as socket:
        await socket.recv()
        await socket.close(4002, "from the client")
        assert (socket.close_code, socket.close_reason) == (4002, "from the client")
    async with opened("/ws") as socket:
        await socket.send("close")
        try:
            await socket.recv()
            raise AssertionError("not closed")
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4000, "as asked"), closed
    print("ok: closes", flush=True)


async def refusals():
    await refused(403, origin="https://evil.example")
    await refused(403, origin="https://evil.example", cookie=None)
    await refused(401, cookie=None)
    async with opened("/ws", origin="https://app.example") as socket:
        await socket.send("own")
        assert await socket.recv() == "own"
    print("ok: refusals", flush=True)


async def ended():
    async with opened("/ws") as socket:
        await socket.send("hello" * 1000)
        assert await socket.recv() == "hello" * 1000
        print("open", flush=True)
        try:
            await asyncio.wait_for(socket.recv(), 25)
        except ConnectionClosed as closed:
            print("ended:", closed.rcvd.code, closed.rcvd.reason, flush=True)
    await refused(401)
    print("done", flush=True)


async def main():
    await messages()
    await closes()
    await refusals()
    await ended()


asyncio.run(main())
