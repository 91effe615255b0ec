"""Our gRPC against Python's grpcio, which we did not write: our server with its client, our client with its server."""

from __future__ import annotations

import threading
import time
from concurrent import futures

import grpc
import pytest

from tests.support.grpc_tool import AdsTool, Tool

TALK = "/remora.test.Echo/Talk"


@pytest.fixture(scope="module")
def server():
    with AdsTool() as tool:
        yield tool


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def talk(channel, messages, **options):
    return channel.stream_stream(TALK)(iter(messages), timeout=20, **options)


def test_their_client_talks_with_our_server(channel):
    big = bytes(range(256)) * 8000  # two megabytes, through windows of both sides
    messages = [b"one", b"", big, b"last"]
    assert list(talk(channel, messages)) == messages


def test_metadata_arrives_text_and_binary(channel, server):
    assert list(talk(channel, [b"x"], metadata=[("x-node", "web-1"), ("x-key-bin", b"\x01\x02")])) == [b"x"]
    assert server.wait_for("metadata x-node").endswith("=web-1")
    assert server.wait_for("metadata x-key-bin").endswith("=\x01\x02")


def test_a_status_with_words_arrives(channel):
    with pytest.raises(grpc.RpcError) as failure:
        list(talk(channel, [b"fail"]))
    assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert failure.value.details() == "you said: fail, 100% ä"


def test_methods_that_do_not_exist_are_unimplemented(channel):
    with pytest.raises(grpc.RpcError) as failure:
        channel.unary_unary("/no.Such/Method")(b"", timeout=10)
    assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert failure.value.details() == "there is no method /no.Such/Method"


def test_a_message_over_the_limit_is_refused_and_the_connection_lives(channel):
    with pytest.raises(grpc.RpcError) as failure:
        list(talk(channel, [bytes(17 << 20)]))
    assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert list(talk(channel, [b"after"])) == [b"after"]


def test_compressed_messages_are_refused_in_words(server):
    with grpc.insecure_channel(server.address, compression=grpc.Compression.Gzip) as channel:
        with pytest.raises(grpc.RpcError) as failure:
            list(talk(channel, [b"x" * 10_000]))
    assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "gzip" in failure.value.details()


def test_deadlines_and_cancels(channel):
    stop = threading.Event()

    def slow():
        yield b"first"
        stop.wait(20)

    with pytest.raises(grpc.RpcError) as failure:
        for answer in channel.stream_stream(TALK)(slow(), timeout=0.5):
            assert answer == b"first"
    assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    stop.set()
    call = channel.stream_stream(TALK)(slow(), timeout=20)
    assert next(call) == b"first"
    call.cancel()
    assert list(talk(channel, [b"still here"])) == [b"still here"]


def test_many_streams_of_one_connection(channel):
    with futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: list(talk(channel, [b"%d" % i, bytes(50_000)])), range(200)))
    assert answers == [[b"%d" % i, bytes(50_000)] for i in range(200)]


class TheirServer(grpc.GenericRpcHandler):
    def __init__(self):
        self.metadata = []
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.add_generic_rpc_handlers((self,))
        self.server.start()

    def service(self, details):
        self.metadata.append(dict(details.invocation_metadata))
        behaviour = {"/t.T/Echo": self.echo, "/t.T/Abort": self.abort, "/t.T/Big": self.big}.get(details.method)
        return behaviour and grpc.stream_stream_rpc_method_handler(behaviour)

    def echo(self, requests, _context):
        yield from requests

    def abort(self, _requests, context):
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not today: 100 %")

    def big(self, requests, _context):
        for _ in requests:
            yield b"b" * 3_000_000


@pytest.fixture(scope="module")
def theirs():
    server = TheirServer()
    yield server
    server.server.stop(0)


def our_call(theirs, path):
    return Tool("call", "127.0.0.1", str(theirs.port), path)


def test_our_client_talks_with_their_server(theirs):
    with our_call(theirs, "/t.T/Echo") as tool:
        tool.say("hello")
        assert tool.wait_for("message") == "message hello"
        tool.say("again")
        assert tool.wait_for("message") == "message again"
        tool.end_input()
        assert tool.wait_for("closed") == "closed OK "
    assert theirs.metadata[-1]["x-test"] == "yes"
    assert theirs.metadata[-1]["x-test-bin"] == b"\x01\x02"


def test_our_client_hears_their_status(theirs):
    with our_call(theirs, "/t.T/Abort") as tool:
        assert tool.wait_for("closed") == "closed PERMISSION_DENIED not today: 100 %"
    with our_call(theirs, "/t.T/Nothing") as tool:
        assert tool.wait_for("closed").startswith("closed UNIMPLEMENTED")


def test_our_client_takes_large_messages(theirs):
    with our_call(theirs, "/t.T/Big") as tool:
        for _ in range(3):
            tool.say("more")
            assert len(tool.wait_for("message")) == 3_000_000 + len("message ")
        tool.end_input()
        assert tool.wait_for("closed") == "closed OK "


def test_our_client_hears_of_their_end():
    server = TheirServer()
    with our_call(server, "/t.T/Echo") as tool:
        tool.say("x")
        tool.wait_for("message x")
        server.server.stop(0)
        line = tool.wait_for("closed")
        assert line.startswith(("closed UNAVAILABLE", "closed CANCELLED")), line
    with our_call(server, "/t.T/Echo") as tool:
        line = tool.wait_for("closed")
        assert line == f"closed UNAVAILABLE cannot connect to 127.0.0.1:{server.port}: Connection refused"


def test_a_drain_lets_their_streams_end():
    with AdsTool() as server, grpc.insecure_channel(server.address) as channel:
        go_on = threading.Event()

        def slowly():
            yield b"one"
            go_on.wait(10)
            yield b"two"

        call = channel.stream_stream(TALK)(slowly(), timeout=20)
        assert next(call) == b"one"
        server.say("drain")
        time.sleep(0.3)
        go_on.set()
        assert list(call) == [b"two"]
