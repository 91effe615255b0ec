"""Discovery streams played by a test, over grpcio and the official protos."""

from __future__ import annotations

import queue

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from google.rpc import status_pb2

URLS = {
    "clusters": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "endpoints": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "listeners": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "routes": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}
KINDS = {url: kind for kind, url in URLS.items()}


class _Stream:
    def __init__(self, address: str, node: str, delta: bool, method=None):
        self.channel = grpc.insecure_channel(address)
        self.node = base_pb2.Node(id=node, cluster="web", user_agent_name="test")
        self._requests: queue.Queue = queue.Queue()
        stub = ads_pb2_grpc.AggregatedDiscoveryServiceStub(self.channel)
        call = method(self.channel) if method else stub.DeltaAggregatedResources if delta else stub.StreamAggregatedResources
        self.call = call(iter(self._requests.get, None), timeout=60)
        self._responses: queue.Queue = queue.Queue()
        import threading

        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for response in self.call:
                self._responses.put(response)
        except grpc.RpcError as error:
            self._responses.put(error)

    def _send(self, request):
        if self.node is not None:
            request.node.CopyFrom(self.node)
            self.node = None
        self._requests.put(request)

    def next(self, kind: str | None = None, timeout: float = 5.0):
        response = self._responses.get(timeout=timeout)
        if isinstance(response, Exception):
            raise response
        assert kind is None or KINDS[response.type_url] == kind, response
        return response

    def silent(self, time: float = 0.3) -> bool:
        try:
            self._responses.put(self._responses.get(timeout=time))
        except queue.Empty:
            return True
        return False

    def close(self):
        self.call.cancel()
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _error(reason):
    return status_pb2.Status(code=3, message=reason)


class StateOfTheWorld(_Stream):
    def __init__(self, address, node="sotw-1", method=None):
        super().__init__(address, node, False, method)

    def ask(self, kind, names=(), version="", nonce="", nack=None):
        request = discovery_pb2.DiscoveryRequest(
            type_url=URLS[kind], resource_names=names, version_info=version, response_nonce=nonce
        )
        if nack:
            request.error_detail.CopyFrom(_error(nack))
        self._send(request)

    def ack(self, response, names=(), nack=None):
        version = "" if nack else response.version_info
        self.ask(KINDS[response.type_url], names, version, response.nonce, nack)

    @staticmethod
    def names(response):
        found = []
        for any_message in response.resources:
            found.append(unpack(any_message))
        return sorted(getattr(m, "name", "") or getattr(m, "cluster_name", "") for m in found)


class Delta(_Stream):
    def __init__(self, address, node="delta-1", method=None):
        super().__init__(address, node, True, method)

    def ask(self, kind, subscribe=(), unsubscribe=(), versions=None, nonce="", nack=None):
        request = discovery_pb2.DeltaDiscoveryRequest(
            type_url=URLS[kind],
            resource_names_subscribe=subscribe,
            resource_names_unsubscribe=unsubscribe,
            initial_resource_versions=versions or {},
            response_nonce=nonce,
        )
        if nack:
            request.error_detail.CopyFrom(_error(nack))
        self._send(request)

    def ack(self, response, nack=None):
        self.ask(KINDS[response.type_url], nonce=response.nonce, nack=nack)

    @staticmethod
    def versions(response):
        return {r.name: r.version for r in response.resources}


def unpack(any_message):
    from envoy.config.cluster.v3 import cluster_pb2
    from envoy.config.endpoint.v3 import endpoint_pb2
    from envoy.config.listener.v3 import listener_pb2
    from envoy.config.route.v3 import route_pb2

    kinds = (cluster_pb2.Cluster, endpoint_pb2.ClusterLoadAssignment, listener_pb2.Listener, route_pb2.RouteConfiguration)
    for kind in kinds:
        if any_message.Is(kind.DESCRIPTOR):
            message = kind()
            any_message.Unpack(message)
            return message
    raise AssertionError(any_message.type_url)
