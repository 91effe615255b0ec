"""Requests that are wrong, ambiguous or too big. Nothing here may differ silently: each difference is a decision."""

from tests.differential.engine import Case
from tests.differential.areas.common import H, any_host, b, get, manager

UPSTREAMS = ["a"]
LISTENERS = ["main", "small"]


def build(p):
    return b.bootstrap(
        [
            b.listener(p.listener["main"], manager(any_host(b.route("/a", "a")))),
            b.listener(
                p.listener["small"],
                manager(
                    any_host(b.route("/a", "a")),
                    max_request_headers_kb=2,
                    common_http_protocol_options={"max_headers_count": 10},
                ),
            ),
        ],
        [b.cluster("a", p.upstream["a"])],
        p.admin,
    )


def _post(headers, body=""):
    return f"POST /a HTTP/1.1\r\n{H}{headers}\r\n{body}"


def _chunks(body):
    return _post("Transfer-Encoding: chunked\r\n", body)


_RAW = {
    # two ways to say where the body ends
    "length_and_chunked": _post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "chunked_and_length": _post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
    "length_twice_same": _post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
    "length_twice_different": _post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
    "length_list": _post("Content-Length: 5, 5\r\n", "hello"),
    "length_plus": _post("Content-Length: +5\r\n", "hello"),
    "length_minus": _post("Content-Length: -5\r\n", "hello"),
    "length_hex": _post("Content-Length: 0x5\r\n", "hello"),
    "length_empty": _post("Content-Length:\r\n"),
    "length_space_inside": _post("Content-Length: 5 5\r\n", "hello"),
    "length_overflow": _post("Content-Length: 18446744073709551616\r\n", "hello"),
    "length_decimal": _post("Content-Length: 5.0\r\n", "hello"),
    "length_letters": _post("Content-Length: five\r\n"),
    "coding_gzip_chunked": _post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    "coding_chunked_gzip": _post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
    "coding_unknown": _post("Transfer-Encoding: foo\r\n", "0\r\n\r\n"),
    "coding_twice": _post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
    "coding_two_lines": _post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
    "coding_two_lines_same": _post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "coding_identity": _post("Transfer-Encoding: identity\r\n", "hello"),
    "coding_empty": _post("Transfer-Encoding:\r\n", "0\r\n\r\n"),
    "coding_quoted": _post('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n"),
    "coding_tab": _post("Transfer-Encoding:\tchunked\r\n", "0\r\n\r\n"),
    "coding_vertical_tab": _post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    "coding_parameter": _post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
    "coding_space_colon": _post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    "coding_10": f"POST /a HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # chunks
    "chunk_size_letters": _chunks("zz\r\nhello\r\n0\r\n\r\n"),
    "chunk_size_prefix": _chunks("0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk_size_minus": _chunks("-1\r\nhello\r\n0\r\n\r\n"),
    "chunk_size_plus": _chunks("+5\r\nhello\r\n0\r\n\r\n"),
    "chunk_size_overflow": _chunks("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "chunk_size_space": _chunks("5 \r\nhello\r\n0\r\n\r\n"),
    "chunk_size_leading_space": _chunks(" 5\r\nhello\r\n0\r\n\r\n"),
    "chunk_size_empty": _chunks("\r\nhello\r\n0\r\n\r\n"),
    "chunk_too_long": _chunks("3\r\nhello\r\n0\r\n\r\n"),
    "chunk_bare_lf": _chunks("5\nhello\n0\n\n"),
    "chunk_lf_after_data": _chunks("5\r\nhello\n0\r\n\r\n"),
    "chunk_cr_in_extension": _chunks("5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "chunk_lf_in_extension": _chunks("5;a\nhello\r\n0\r\n\r\n"),
    "chunk_bad_after_good": _chunks("5\r\nhello\r\nzz\r\n"),
    "trailer_bad": _chunks("0\r\nbad trailer\r\n\r\n"),
    "trailer_space_colon": _chunks("0\r\nX : y\r\n\r\n"),
    "trailer_length": _chunks("0\r\nContent-Length: 5\r\n\r\n"),
    # lines and names
    "obs_fold": get("/a", headers="X-A: one\r\n two\r\n"),
    "obs_fold_tab": get("/a", headers="X-A: one\r\n\ttwo\r\n"),
    "obs_fold_first": f"GET /a HTTP/1.1\r\n X-A: y\r\n{H}\r\n",
    "bare_lf_all": "GET /a HTTP/1.1\nHost: app.test\n\n",
    "bare_lf_one": f"GET /a HTTP/1.1\r\n{H}X-A: 1\nX-B: 2\r\n\r\n",
    "bare_lf_end": f"GET /a HTTP/1.1\r\n{H}\n",
    "bare_cr_value": get("/a", headers="X-A: one\rtwo\r\n"),
    "bare_cr_end": f"GET /a HTTP/1.1\r\n{H}X-A: 1\r\r\n\r\n",
    "nul_value": get("/a", headers="X-A: a\0b\r\n"),
    "nul_name": get("/a", headers="X\0A: a\r\n"),
    "nul_path": get("/a\0b"),
    "control_value": get("/a", headers="X-A: a\x01b\r\n"),
    "del_value": get("/a", headers="X-A: a\x7fb\r\n"),
    "space_colon": get("/a", headers="X-A : a\r\n"),
    "tab_colon": get("/a", headers="X-A\t: a\r\n"),
    "space_name": get("/a", headers="X A: a\r\n"),
    "no_colon": get("/a", headers="XA\r\n"),
    "empty_name": get("/a", headers=": a\r\n"),
    "name_paren": get("/a", headers="X(A): a\r\n"),
    "name_latin1": get("/a", headers="X-\xe9: a\r\n"),
    "name_slash": get("/a", headers="X/A: a\r\n"),
    "name_dots_ok": get("/a", headers="X.A!#$%&'*+^`|~: a\r\n"),
    # Host
    "no_host": "GET /a HTTP/1.1\r\n\r\n",
    "empty_host": "GET /a HTTP/1.1\r\nHost:\r\n\r\n",
    "two_hosts": get("/a", headers="Host: b.test\r\n"),
    "two_hosts_same": get("/a", headers=H),
    "host_list": get("/a", host="app.test, b.test"),
    "host_space": get("/a", host="app test"),
    "host_userinfo": get("/a", host="me@app.test"),
    "host_path": get("/a", host="app.test/x"),
    "host_bad_port": get("/a", host="app.test:abc"),
    # request line
    "method_unknown": get("/a", method="FOO"),
    "method_lower": get("/a", method="get"),
    "method_odd": get("/a", method='G"T'),
    "method_empty": f" /a HTTP/1.1\r\n{H}\r\n",
    "no_version": f"GET /a\r\n{H}\r\n",
    "version_lower": f"GET /a http/1.1\r\n{H}\r\n",
    "version_odd": f"GET /a HTTP/1.1x\r\n{H}\r\n",
    "version_word": f"GET /a HTTPS/1.1\r\n{H}\r\n",
    "version_long": f"GET /a HTTP/1.10\r\n{H}\r\n",
    "two_spaces": f"GET  /a HTTP/1.1\r\n{H}\r\n",
    "space_at_end": f"GET /a HTTP/1.1 \r\n{H}\r\n",
    "two_spaces_version": f"GET /a  HTTP/1.1\r\n{H}\r\n",
    "tab_in_line": f"GET\t/a HTTP/1.1\r\n{H}\r\n",
    "path_space": f"GET /a b HTTP/1.1\r\n{H}\r\n",
    "path_relative": f"GET a HTTP/1.1\r\n{H}\r\n",
    "path_fragment": get("/a#frag"),
    "path_latin1": get("/a\xe9"),
    "path_control": get("/a\x01"),
    "path_del": get("/a\x7f"),
    "path_quote": get('/a"<>^`{|}'),
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "h2_preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http_response": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    # hidden second requests
    "smuggled_in_get_body": get("/a", headers="Content-Length: 36\r\nTransfer-Encoding: chunked\r\n")
    + "0\r\n\r\nGET /a?smuggled HTTP/1.1\r\nX: y\r\n\r\n",
    "smuggled_after_coding": _post(
        "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n", "0\r\n\r\n" + get("/a?smuggled")
    ),
}

CASES = [
    *[Case(f"malformed.{name}", data, wait=0.7 if name == "h2_preface" else 5) for name, data in _RAW.items()],
    Case("limits.head_too_big", get("/a", headers=f"X: {'a' * 70_000}\r\n")),
    Case("limits.head_within", get("/a", headers=f"X: {'a' * 50_000}\r\n")),
    Case("limits.path_too_long", get("/a" + "b" * 70_000)),
    Case("limits.many_headers_too_big", get("/a", headers=f"X: {'a' * 900}\r\n" * 70)),
    Case("limits.headers_100", get("/a", headers="".join(f"x{i}: a\r\n" for i in range(99)))),
    Case("limits.headers_101", get("/a", headers="".join(f"x{i}: a\r\n" for i in range(100)))),
    Case("limits.small_head", get("/a", headers=f"X: {'a' * 3_000}\r\n"), to="small"),
    Case("limits.small_head_within", get("/a", headers=f"X: {'a' * 1_500}\r\n"), to="small"),
    Case("limits.small_headers", get("/a", headers="".join(f"x{i}: a\r\n" for i in range(12))), to="small"),
    Case("limits.small_headers_within", get("/a", headers="".join(f"x{i}: a\r\n" for i in range(9))), to="small"),
    Case("limits.endless_line", "GET /" + "a" * 70_000),
    Case("limits.endless_name", f"GET /a HTTP/1.1\r\n{H}" + "x" * 70_000),
    Case("limits.trailers_too_big", _chunks("0\r\n" + f"X: {'a' * 900}\r\n" * 80 + "\r\n")),
]
