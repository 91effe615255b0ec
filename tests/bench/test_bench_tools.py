"""The load tools against each other: what they count is what happened."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "bench" / "load"))

import proxies as px  # noqa: E402

BIN = Path(os.environ.get("REMORA_BUILD") or TOP / "build/release") / "bin"


def load(port, *flags):
    run = subprocess.run([str(BIN / "bench_load"), "--port", str(port), "--warmup", "0.05", *map(str, flags)],
                         capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


class Tools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory()
        work = Path(cls.work.name)
        programs = px.Programs.locate(BIN)
        missing = [t for t in ("backend", "load", "relay") if not programs.found[t]]
        assert not missing, f"no bench_{missing[0]} in {BIN}: build the target"
        cls.backend = px.start_backend(programs, 0, work)
        cls.relay = px.start_proxy("relay", programs, cls.backend.port, 0, work)

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.backend.stop()
        cls.work.cleanup()

    def test_a_fixed_count_through_the_relay(self):
        said = load(self.relay.port, "--connections", 8, "--requests", 2000, "--watch", self.relay.process.pid)
        self.assertGreaterEqual(said["requests"], 2000)
        self.assertLess(said["requests"], 2300)
        self.assertEqual(said["errors"], 0)
        self.assertGreater(said["watch"]["cpu_ns"], 0)
        self.assertGreater(said["watch"]["rss_kb"], 500)

    def test_large_answers_and_bodies_pass_whole(self):
        for flags in (["--path", "/1048576"], ["--body", 1048576], ["--path", "/300000", "--body", 300000]):
            said = load(self.relay.port, "--connections", 4, "--requests", 100, *flags)
            self.assertEqual((said["errors"], said["stuck"]), (0, 0), flags)

    def test_the_rate_is_kept(self):
        said = load(self.backend.port, "--connections", 4, "--rate", 500, "--duration", 1)
        self.assertAlmostEqual(said["requests"], 500, delta=10)

    def test_no_coordinated_omission(self):
        # One connection, 20 ms an answer, 100 a second wanted: it can do 50, so that the wait grows to half of the time.
        said = load(self.backend.port, "--connections", 1, "--rate", 100, "--duration", 1, "--path", "/16/20")
        self.assertGreater(said["latency_us"]["p50"], 200_000)
        self.assertLess(said["service_us"]["p50"], 60_000)

    def test_pipelined_requests_are_answered_in_order(self):
        with socket.create_connection(("127.0.0.1", self.backend.port), timeout=5) as s:
            s.sendall(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n" b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
                      b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            got = b""
            while not got.endswith(b"content-length: 2\r\n\r\nxx"):
                part = s.recv(4096)
                self.assertTrue(part, got)
                got += part
        self.assertEqual(re.findall(rb"content-length: (\d)\r\n\r\n(x+)", got), [(b"3", b"xxx"), (b"1", b"x"), (b"2", b"xx")])

    def test_a_server_that_hangs_up_is_an_error_and_not_the_end(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            stop = threading.Event()

            def hang_up():
                while not stop.is_set():
                    try:
                        client, _ = listener.accept()
                    except OSError:
                        return
                    with client:
                        client.recv(4096)

            thread = threading.Thread(target=hang_up, daemon=True)
            thread.start()
            said = load(listener.getsockname()[1], "--connections", 2, "--duration", 0.2)
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        self.assertEqual(said["requests"], 0)
        self.assertGreater(said["errors"], 0)


if __name__ == "__main__":
    unittest.main()
