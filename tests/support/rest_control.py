"""A control plane that is asked by REST: POST /v3/discovery:TYPE, over the official protos. It answers 304 to a version
that it has told already, as go-control-plane does, and remembers what it was asked."""

from __future__ import annotations

import http.server
import json
import threading

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import json_format

from . import ports
from .xds_client import URLS


class RestControl:
    def __init__(self):
        self.port = ports.free_port()
        self.status = 0  # not 0: what it answers to everybody
        self.asked: list[tuple[str, discovery_pb2.DiscoveryRequest]] = []
        self._version = 0
        self._resources: dict[str, list[dict]] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer._answer(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *_):
                pass

        self._handler = Handler
        self._server = None
        self.start()

    def start(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def put(self, **kinds: list[dict]) -> None:
        """Replaces all resources of the kinds that are named, at once."""
        with self._lock:
            self._version += 1
            self._resources |= kinds

    def last(self, kind: str) -> discovery_pb2.DiscoveryRequest:
        with self._lock:
            return [request for which, request in self.asked if which == kind][-1]

    def _answer(self, handler, body: bytes) -> None:
        kind = handler.path.removeprefix("/v3/discovery:")
        request = json_format.Parse(body, discovery_pb2.DiscoveryRequest())
        with self._lock:
            self.asked.append((kind, request))
            version = str(self._version)
            names = set(request.resource_names)
            found = [
                {"@type": URLS[kind], **each}
                for each in self._resources.get(kind, [])
                if not names or each.get("cluster_name", each.get("name")) in names
            ]
        status = self.status or (304 if request.version_info == version else 200)
        data = b""
        if status == 200:
            data = json.dumps({"version_info": version, "type_url": URLS[kind], "resources": found}).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
