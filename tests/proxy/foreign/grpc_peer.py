"""gRPC as its own library speaks it: `serve`, or `call ADDRESS COOKIE [CA]` everything there and say so.

Messages are `message Note { bytes payload = 1; }`, written and read by hand, so that nothing is generated.
"""

import sys
import threading
from concurrent import futures

import grpc

SERVICE = "foreign.Echo"
CODE = grpc.StatusCode


def wrap(payload):
    length, size = b"", len(payload)
    while size >= 128:
        length, size = length + bytes([size % 128 | 128]), size // 128
    return b"\x0a" + length + bytes([size]) + payload if payload else b""


def unwrap(message):
    if not message:
        return b""
    assert message[0] == 0x0A, message[:20]
    at = 1
    while message[at] >= 128:
        at += 1
    return message[at + 1 :]


def say(payload, context):
    asked = dict(context.invocation_metadata())
    context.send_initial_metadata(
        [(name, asked.get(name, "none")) for name in ("x-anteroom-account-id", "x-word", "cookie")]
    )
    context.set_trailing_metadata([("x-late", "yes"), ("x-bytes-bin", bytes([0, 255]))])
    return payload


def count(payload, context):
    for number in range(3):
        yield payload + str(number).encode()


def gather(payloads, context):
    return b"".join(payloads)


def chat(payloads, context):
    yield from payloads


def fail(payload, context):
    context.set_trailing_metadata([("x-late", "yes")])
    context.abort(CODE.FAILED_PRECONDITION, "spät: 100%")


def broken(payload, context):
    yield payload
    context.abort(CODE.DATA_LOSS, "broken")


def ticks(payload, context):
    over = threading.Event()

    # Said by the callback: a generator that is ended while its word is being sent is not resumed.
    def end():
        over.set()
        print("over", flush=True)

    context.add_callback(end)
    while not over.is_set():
        yield b"tick"
        over.wait(0.05)


def sleep(payload, context):
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(20)
    return payload


def serve():
    kinds = {
        "Say": grpc.unary_unary_rpc_method_handler(say, unwrap, wrap),
        "Fail": grpc.unary_unary_rpc_method_handler(fail, unwrap, wrap),
        "Sleep": grpc.unary_unary_rpc_method_handler(sleep, unwrap, wrap),
        "Count": grpc.unary_stream_rpc_method_handler(count, unwrap, wrap),
        "Broken": grpc.unary_stream_rpc_method_handler(broken, unwrap, wrap),
        "Ticks": grpc.unary_stream_rpc_method_handler(ticks, unwrap, wrap),
        "Gather": grpc.stream_unary_rpc_method_handler(gather, unwrap, wrap),
        "Chat": grpc.stream_stream_rpc_method_handler(chat, unwrap, wrap),
    }
    server = grpc.server(futures.ThreadPoolExecutor(64))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, kinds)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"port={port}", flush=True)
    server.wait_for_termination()


def refused(work, *codes):
    """The error of a call that must not succeed."""
    try:
        work()
    except grpc.RpcError as error:
        assert error.code() in codes, error
        return error
    raise AssertionError("it was served")


def call(address, cookie, ca=None):
    if ca:
        with open(ca, "rb") as file:
            trust = grpc.ssl_channel_credentials(file.read())
        channel = grpc.secure_channel(address, trust, [("grpc.ssl_target_name_override", "app.example")])
    else:
        channel = grpc.insecure_channel(address, [("grpc.default_authority", "app.example")])
    signed_in = (("cookie", cookie), ("x-word", "hello"))

    def method(kind, name):
        return getattr(channel, kind)(f"/{SERVICE}/{name}", wrap, unwrap)

    def known(kind, name):
        way = method(kind, name)
        return lambda payload, **more: way(payload, metadata=signed_in, timeout=more.pop("timeout", 25), **more)

    answer, asked = method("unary_unary", "Say").with_call(b"one", metadata=signed_in, timeout=25)
    first, last = dict(asked.initial_metadata()), dict(asked.trailing_metadata())
    assert answer == b"one"
    assert first["x-anteroom-account-id"] == "557058:ada", first
    assert (first["x-word"], first["cookie"]) == ("hello", "none"), first
    # tonic lets nobody choose the trailers of a success, so it says this earlier.
    last = last if "x-late" in last else first
    assert (last["x-late"], last["x-bytes-bin"]) == ("yes", b"\x00\xff"), last
    say = known("unary_unary", "Say")
    assert say(b"") == b""
    big = bytes(range(250)) * 16_000
    assert say(big) == big
    assert list(known("unary_stream", "Count")(b"n")) == [b"n0", b"n1", b"n2"]
    assert known("stream_unary", "Gather")(iter([b"a", b"b", b"c"])) == b"abc"

    heard = threading.Semaphore(0)

    def words():
        for word in (b"one", b"two", b"three"):
            yield word
            assert heard.acquire(timeout=20), "no answer before the next word"

    said = []
    for word in known("stream_stream", "Chat")(words()):
        said.append(word)
        heard.release()
    assert said == [b"one", b"two", b"three"], said
    print("ok: calls of all four kinds", flush=True)

    error = refused(lambda: known("unary_unary", "Fail")(b""), CODE.FAILED_PRECONDITION)
    assert error.details() == "spät: 100%", error
    assert dict(error.trailing_metadata())["x-late"] == "yes", error
    begun = known("unary_stream", "Broken")(b"first")
    assert next(begun) == b"first"
    assert refused(lambda: next(begun), CODE.DATA_LOSS).details() == "broken"
    refused(lambda: known("unary_unary", "Nothing")(b""), CODE.UNIMPLEMENTED)
    # Client and server both look at the clock; tonic calls its own timeout a cancellation.
    refused(lambda: known("unary_unary", "Sleep")(b"", timeout=0.3), CODE.DEADLINE_EXCEEDED, CODE.CANCELLED)
    print("ok: errors", flush=True)

    pending = [method("unary_unary", "Say").future(b"%d" % n, metadata=signed_in, timeout=25) for n in range(100)]
    assert [one.result() for one in pending] == [b"%d" % n for n in range(100)]
    print("ok: a hundred at once", flush=True)

    for kind, name in (("unary_unary", "Say"), ("stream_unary", "Gather")):
        stranger = method(kind, name)
        payload = b"x" if kind == "unary_unary" else iter([b"x"])
        refused(lambda: stranger(payload, timeout=25), CODE.UNAUTHENTICATED)
    refused(lambda: next(method("unary_stream", "Count")(b"x", timeout=25)), CODE.UNAUTHENTICATED)
    print("ok: strangers", flush=True)

    ticking = known("unary_stream", "Ticks")(b"")
    assert next(ticking) == b"tick"
    ticking.cancel()
    print("cancelled", flush=True)

    ticking = known("unary_stream", "Ticks")(b"")
    assert next(ticking) == b"tick"
    print("streaming", flush=True)
    error = refused(lambda: [None for _ in ticking], CODE.UNAUTHENTICATED)
    print("ended:", error.code().value[0], error.details(), flush=True)
    refused(lambda: say(b"after"), CODE.UNAUTHENTICATED)
    print("done", flush=True)


if sys.argv[1] == "serve":
    serve()
else:
    call(*sys.argv[2:])
