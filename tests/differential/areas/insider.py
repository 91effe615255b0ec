"""What a client of the mesh itself may ask for by x-envoy-* headers: timeouts and retries of its own."""

from tests.differential.areas.common import any_host, b, get, manager
from tests.differential.engine import Case
from tests.support import upstream as u

UPSTREAMS = ["a"]
LISTENERS = ["main"]

FAST = {"retry_back_off": {"base_interval": "0.005s", "max_interval": "0.010s"}}


def build(p):
    routes = [
        b.route("/policy", {"cluster": "a", "retry_policy": {"retry_on": "gateway-error", "num_retries": 1, **FAST}}),
        b.route("/short", {"cluster": "a", "timeout": "0.2s"}),
        b.route("/a", "a"),
    ]
    inside = {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}
    internal = manager(any_host(*routes), use_remote_address=True, internal_address_config=inside)
    return b.bootstrap([b.listener(p.listener["main"], internal)], [b.cluster("a", p.upstream["a"])], p.admin)


NO = u.answer(503, "no\n")
YES = u.answer(200, "yes\n")


def _ask(name, headers, script, path="/a", **more):
    lines = "".join(f"{n}: {v}\r\n" for n, v in headers.items())
    return Case(f"insider.{name}", get(path, headers=lines, **more), script)


CASES = [
    _ask("plain", {}, []),
    _ask("request_id_kept", {"x-request-id": "mine"}, []),
    _ask("retry_on", {"x-envoy-retry-on": "5xx"}, [NO, YES]),
    _ask("retry_on_once_by_default", {"x-envoy-retry-on": "5xx"}, [NO, NO]),
    _ask("retry_on_list", {"x-envoy-retry-on": "reset, gateway-error"}, [NO, YES]),
    _ask("retry_on_unknown", {"x-envoy-retry-on": "whenever"}, [NO]),
    _ask("max_retries", {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"}, [NO, NO, NO, YES]),
    _ask("max_retries_zero", {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "0"}, [NO]),
    _ask("max_retries_alone", {"x-envoy-max-retries": "3"}, [NO]),
    _ask("max_retries_odd", {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "many"}, [NO, YES]),
    _ask("max_retries_over_policy", {"x-envoy-max-retries": "3"}, [NO, NO, NO, YES], "/policy"),
    _ask("retry_on_over_policy", {"x-envoy-retry-on": "retriable-4xx"}, [u.answer(409, "busy"), YES], "/policy"),
    _ask(
        "codes",
        {"x-envoy-retry-on": "retriable-status-codes", "x-envoy-retriable-status-codes": "418,500"},
        [u.answer(418, "tea"), YES],
    ),
    _ask("codes_other", {"x-envoy-retry-on": "retriable-status-codes", "x-envoy-retriable-status-codes": "418"}, [NO]),
    _ask("timeout", {"x-envoy-upstream-rq-timeout-ms": "150"}, [u.hang()]),
    _ask("timeout_longer", {"x-envoy-upstream-rq-timeout-ms": "2000"}, [u.answer(200, "late", delay=0.35)], "/short"),
    _ask("timeout_zero", {"x-envoy-upstream-rq-timeout-ms": "0"}, [u.answer(200, "late", delay=0.35)], "/short"),
    _ask("per_try", {"x-envoy-upstream-rq-per-try-timeout-ms": "100", "x-envoy-retry-on": "5xx"}, [u.hang(), YES]),
    _ask(
        "per_try_over_timeout",
        {"x-envoy-upstream-rq-per-try-timeout-ms": "900", "x-envoy-upstream-rq-timeout-ms": "150"},
        [u.hang()],
    ),
    _ask(
        "alt_response",
        {"x-envoy-upstream-rq-timeout-alt-response": "1", "x-envoy-upstream-rq-timeout-ms": "100"},
        [u.hang()],
    ),
    _ask("internal_claim_kept", {"x-envoy-internal": "false"}, []),
]
