#!/usr/bin/env python3
"""One example upstream: `upstream.py NAME PORT`, on 127.0.0.1. Each answers in JSON with its name, the path, and the
headers that Remora added or continued; what else it does depends on its name:

    catalog           answers at once
    recommendations   takes two seconds, or as many as ?wait= says
    payments          fails every second request with 503; /checkout always fails, unless asked with ?mended=1
"""

import itertools
import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SHOWN = ("host", "x-request-id", "traceparent", "tracestate", "x-forwarded-for", "x-forwarded-proto")
NAME, PORT = sys.argv[1], int(sys.argv[2])
served = itertools.count(1)


def catalog(path, query):
    return 200, {"items": ["lamp", "kettle", "umbrella"]}


def recommendations(path, query):
    wait = min(float(query.get("wait", ["2"])[0]), 10.0)
    time.sleep(wait)
    return 200, {"took_seconds": wait}


def payments(path, query):
    if path.startswith("/checkout"):
        return (200, {"paid": True}) if "mended" in query else (503, {"error": "the till is broken"})
    return (503, {"error": "try again"}) if next(served) % 2 else (200, {"paid": True})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept alive, as Remora's pools like it

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        status, body = {"catalog": catalog, "recommendations": recommendations, "payments": payments}[NAME](
            parts.path, parse_qs(parts.query)
        )
        seen = {name: self.headers[name] for name in SHOWN if name in self.headers}
        data = json.dumps({"from": NAME, "path": self.path, **body, "headers_seen": seen}, indent=2).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *words):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that went away (a timeout upstream of us) is no news


server = Server(("127.0.0.1", PORT), Handler)
for sign in (signal.SIGTERM, signal.SIGINT):
    signal.signal(sign, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
