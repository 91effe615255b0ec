"""Builds a bootstrap file that Envoy and Remora both load: plain dicts, with the type URLs and ports filled in."""

from __future__ import annotations

_TYPE = "type.googleapis.com/"
HCM = _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = _TYPE + "envoy.extensions.filters.http.router.v3.Router"
TCP_PROXY = _TYPE + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
FILE_LOG = _TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog"


def address(port: int, host: str = "127.0.0.1") -> dict:
    return {"socket_address": {"address": host, "port_value": port}}


def endpoints(*ports: int | tuple[int, int]) -> list[dict]:
    """Ports, or (port, weight)."""
    out = []
    for port in ports:
        number, weight = port if isinstance(port, tuple) else (port, None)
        item: dict = {"endpoint": {"address": address(number)}}
        if weight is not None:
            item["load_balancing_weight"] = weight
        out.append(item)
    return out


def cluster(name: str, *ports: int | tuple[int, int], **fields) -> dict:
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints(*ports)}]},
        **fields,
    }


def route(match: dict | str, to: str | dict | None = None, **fields) -> dict:
    """`match`: a prefix or a RouteMatch; `to`: a cluster's name or a RouteAction (None: `fields` has the action)."""
    out: dict = {"match": {"prefix": match} if isinstance(match, str) else match}
    if to is not None:
        out["route"] = {"cluster": to} if isinstance(to, str) else to
    out.update(fields)
    return out


def virtual_host(name: str, domains: list[str], routes: list[dict], **fields) -> dict:
    return {"name": name, "domains": domains, "routes": routes, **fields}


def hcm(virtual_hosts: list[dict], *, routes: dict | None = None, router: dict | None = None, **fields) -> dict:
    return {
        "@type": HCM,
        "stat_prefix": "ingress",
        "route_config": {"name": "local", "virtual_hosts": virtual_hosts, **(routes or {})},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER, **(router or {})}}],
        **fields,
    }


def listener(port: int, manager: dict, name: str | None = None, **fields) -> dict:
    return {
        "name": name or f"listener_{port}",
        "address": address(port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
        **fields,
    }


def tcp_listener(port: int, to: str | dict[str, int], name: str | None = None, **fields) -> dict:
    """Tunnels to a cluster, or by weight to several."""
    if isinstance(to, str):
        target: dict = {"cluster": to}
    else:
        target = {"weighted_clusters": {"clusters": [{"name": n, "weight": w} for n, w in to.items()]}}
    tunnel = {"@type": TCP_PROXY, "stat_prefix": "tunnel", **target, **fields}
    return {
        "name": name or f"listener_{port}",
        "address": address(port),
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": tunnel}]}],
    }


def bootstrap(
    listeners: list[dict], clusters: list[dict], admin_port: int, *, node: dict | None = None, **fields
) -> dict:
    return {
        "node": node or {"id": "test", "cluster": "test"},
        "admin": {"address": address(admin_port)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
        **fields,
    }


def access_log(path: str, text: str | None = None, fields: dict | None = None, **more) -> dict:
    body: dict = {"@type": FILE_LOG, "path": path}
    if text is not None:
        body["log_format"] = {"text_format_source": {"inline_string": text}}
    if fields is not None:
        body["log_format"] = {"json_format": fields}
    return {"name": "envoy.access_loggers.file", "typed_config": body, **more}
