#!/usr/bin/env python3
"""One example program: `upstream.py NAME PORT [CALLS]`, on 127.0.0.1. It answers in JSON with its name, the path, and the
headers that Remora added or continued. CALLS is a port of its own sidecar: what it asks there for each request, passing
the trace on, stands in its answer too. What else it does depends on its name:

    web               calls api
    api v1, api v2    call db; /version says which one this is, and calls nobody
    db, catalog       answer at once
    recommendations   takes two seconds, or as many as ?wait= says
    payments          fails every second request with 503
    checkout          always fails with 503, unless asked with ?mended=1

Each says at /health how it is: well, unless it was told by `POST /health?ill=SECONDS`.
"""

import http.client
import itertools
import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SHOWN = ("host", "x-request-id", "traceparent", "tracestate", "x-forwarded-for", "x-forwarded-proto")
PASSED_ON = ("traceparent", "tracestate", "x-request-id")  # whoever calls others because it was called does this
NAME, PORT = sys.argv[1], int(sys.argv[2])
CALLS = int(sys.argv[3]) if len(sys.argv) > 3 else None
served = itertools.count(1)
well_again_at = 0.0


def call(headers):
    """What its own sidecar answers at the port CALLS."""
    connection = http.client.HTTPConnection("127.0.0.1", CALLS, timeout=10)
    try:
        connection.request("GET", "/orders", headers={name: headers[name] for name in PASSED_ON if name in headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.strip()
    except OSError as error:
        return 502, f"no answer at port {CALLS}: {error}"
    finally:
        connection.close()


def api(path, query, headers):
    return (200, NAME + "\n") if path == "/version" else forward(path, query, headers)


def forward(path, query, headers):
    status, answer = call(headers)
    return status, {"orders": answer}


def db(path, query, headers):
    return 200, {"items": ["lamp", "kettle", "umbrella"]}


def recommendations(path, query, headers):
    wait = min(float(query.get("wait", ["2"])[0]), 10.0)
    time.sleep(wait)
    return 200, {"took_seconds": wait}


def payments(path, query, headers):
    return (503, {"error": "try again"}) if next(served) % 2 else (200, {"paid": True})


def checkout(path, query, headers):
    return (200, {"paid": True}) if "mended" in query else (503, {"error": "the till is broken"})


ANSWERS = {
    "web": forward,
    "api": api,
    "db": db,
    "catalog": db,
    "recommendations": recommendations,
    "payments": payments,
    "checkout": checkout,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept alive, as Remora's pools like it

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if parts.path == "/health":
            self.health(query)
            return
        status, body = ANSWERS[NAME.split()[0]](parts.path, query, self.headers)
        if isinstance(body, str):
            self.send(status, "text/plain", body.encode())
            return
        seen = {name: self.headers[name] for name in SHOWN if name in self.headers}
        whole = {"from": NAME, "path": self.path, "headers_seen": seen, **body}
        self.send(status, "application/json", json.dumps(whole, indent=2).encode() + b"\n")

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def health(self, query):
        global well_again_at
        if "ill" in query:
            well_again_at = time.monotonic() + float(query["ill"][0])
            self.send(200, "text/plain", f"{NAME} is ill for {query['ill'][0]} seconds\n".encode())
            return
        ill = time.monotonic() < well_again_at
        self.send(503 if ill else 200, "text/plain", b"ill\n" if ill else b"well\n")

    def send(self, status, kind, data):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

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
