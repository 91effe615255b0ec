"""The proxy follows a control plane that others wrote: go-control-plane's own data-plane test, in its modes."""

from __future__ import annotations

import pathlib
import socket
import subprocess

import pytest

from tests.support import binaries, ports, proxy

TOP = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = TOP / "scripts/go_control_plane"


@pytest.fixture(scope="module")
def programs():
    """The folder with its `test` and `upstream`: scripts/deps has built them."""
    return pathlib.Path(subprocess.run([SCRIPT], check=True, capture_output=True, text=True).stdout.strip())


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _source(mode):
    if mode in ("ads", "delta-ads"):
        return {"ads": {}, "resource_api_version": "V3"}
    return {"api_config_source": _api(mode), "resource_api_version": "V3"}


def _api(mode):
    if mode == "rest":
        return {
            "api_type": "REST",
            "transport_api_version": "V3",
            "cluster_names": ["xds_cluster"],
            "refresh_delay": "0.5s",
        }
    return {
        "api_type": "DELTA_GRPC" if mode.startswith("delta") else "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds_cluster"}}],
        "set_node_on_first_message_only": True,
    }


def _bootstrap(mode, port):
    dynamic = {"cds_config": _source(mode), "lds_config": _source(mode)}
    if mode in ("ads", "delta-ads"):
        dynamic["ads_config"] = _api(mode)
    endpoint = {"endpoint": {"address": _address(port)}}
    xds_cluster = {
        "name": "xds_cluster",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "xds_cluster", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if mode != "rest":
        xds_cluster["http2_protocol_options"] = {}
    return {
        "node": {"id": "test-id", "cluster": "test-cluster"},
        "admin": {"address": _address(ports.free_port())},
        "dynamic_resources": dynamic,
        "static_resources": {"clusters": [xds_cluster]},
    }


def _row(count):
    """The first of so many free ports in a row: the test's listeners take them one by one."""
    for _ in range(50):
        first = ports.free_port()
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise RuntimeError("no free ports in a row")


@pytest.mark.parametrize("mode", ["ads", "xds", "delta", "delta-ads", "rest", "ads-mux"])
def test_go_control_planes_own_test_passes(programs, mode):
    mode, mux = mode.removesuffix("-mux"), mode.endswith("-mux")
    upstream_port, control_port, gateway, als, base = (*[ports.free_port() for _ in range(4)], _row(4))
    upstream = subprocess.Popen([programs / "upstream", "-message", "Default message", "-upstream", str(upstream_port)])
    test = subprocess.Popen(
        [programs / "test", "-xds", mode, "-port", str(control_port), "-gateway", str(gateway), "-als", str(als)]
        + ["-upstream", str(upstream_port), "-base", str(base), "-runtimes", "0", "-scopedhttp", "0", "-vhdshttp", "0"]
        + (["-mux"] if mux else []),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    remora = None
    try:
        config = _bootstrap(mode, gateway if mode == "rest" else control_port)
        remora = proxy.Proxy(binaries.remora(), config, name=f"gcp-{mode}", ready=False)
        out, _ = test.communicate(timeout=60)
        assert test.returncode == 0, f"{out}\n{remora.stderr()}"
        assert "passed" in out
    finally:
        test.kill()
        upstream.kill()
        if remora is not None:
            remora.kill()
