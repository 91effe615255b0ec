"""The include-direction check finds what points upward, and says where and what would be right."""

import pytest

from scripts.house import layers


def problems(path, text):
    return [str(problem) for problem in layers.check_file(path, text)]


def test_a_neighbour_below_and_its_neighbours_are_allowed():
    text = '#include "core/base/result.h"\n#include "core/event/loop.h"\n#include "core/net/connection.h"\n#include <vector>\n'
    assert problems("core/net/connection.cc", text) == []
    assert problems("proxy/upstream/connection_pool.cc", text) == []


def test_an_include_that_points_upward_is_named_with_its_line_and_the_allowed_set():
    (found,) = problems("core/base/address.h", "// words\n\n#include <string>\n#include \"core/net/connection.h\"\n")
    assert found.startswith("core/base/address.h:4: includes core/net/connection.h, which is above")
    (found,) = problems("core/http/codec.h", '#include "core/net/transport.h"\n')
    assert found.endswith("core/http may include core/base, core/http")


def test_codecs_and_model_see_no_sockets_and_exchange_sees_no_listener():
    assert problems("proxy/model/route.h", '#include "core/event/loop.h"\n')
    assert problems("proxy/exchange/exchange.h", '#include "proxy/listener/session.h"\n')
    assert problems("proxy/filters/tracing.h", '#include "proxy/exchange/exchange.h"\n')
    assert problems("proxy/exchange/exchange.cc", '#include "proxy/filters/tracing.h"\n') == []


def test_filters_may_read_the_request_info():
    assert problems("proxy/filters/access_log.h", '#include "proxy/info/request_info.h"\n') == []


def test_an_exception_names_one_file():
    excused = {"proxy/filters": ["proxy/exchange/filter.h"]}
    text = '#include "proxy/exchange/filter.h"\n#include "proxy/exchange/exchange.h"\n'
    (found,) = layers.check_file("proxy/filters/rbac.h", text, exceptions=excused)
    assert found.line == 2


def test_composition_roots_have_lines_of_their_own():
    assert problems("proxy/main.cc", '#include "proxy/sidecar.h"\n') == []
    assert problems("proxy/worker.cc", '#include "proxy/sidecar.h"\n')
    assert problems("proxy/options.cc", '#include "proxy/options.h"\n#include "proxy/admin/facts.h"\n') == []
    assert problems("proxy/options.cc", '#include "proxy/sidecar.h"\n')
    assert problems("proxy/admin/server.cc", '#include "proxy/options.h"\n')


def test_a_folder_without_a_line_is_an_error():
    (found,) = problems("proxy/novelty/thing.h", '#include "core/base/result.h"\n')
    assert "no line of scripts/house/layers.py covers this file" in found


def test_generated_protobuf_headers_stay_at_the_edge():
    text = '#include "envoy/config/route/v3/route.pb.h"\n'
    assert problems("proxy/xds/routes.cc", text) == []
    (found,) = problems("proxy/routing/route_table.cc", text)
    assert "see .pb.h" in found


def test_nothing_includes_tests_or_bench():
    assert "nothing may include tests/" in problems("core/base/address.cc", '#include "tests/sim/net.h"\n')[0]
    assert problems("tests/sim/net.cc", '#include "proxy/sidecar.h"\n') == []


def test_a_quoted_outside_library_or_a_short_path_is_an_error():
    assert "an outside library takes <>" in problems("core/base/address.cc", '#include "fmt/format.h"\n')[0]
    assert "write the path from the top" in problems("core/base/address.cc", '#include "address.h"\n')[0]


def test_a_cycle_in_the_table_is_an_error():
    with pytest.raises(ValueError, match="a -> b -> a"):
        layers.closure({"a": ["b"], "b": ["a"]})
    with pytest.raises(ValueError, match="names b, which has no line"):
        layers.closure({"a": ["b"]})


def test_links_that_point_upward_are_found(tmp_path):
    for folder, text in {
        "core/base": "remora_library(remora_base DEPS remora_net)",
        "core/net": "remora_library(remora_net DEPS remora_base)",
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "CMakeLists.txt").write_text(text)
    (found,) = layers.check_links(tmp_path, ["core/base/CMakeLists.txt", "core/net/CMakeLists.txt"])
    assert str(found) == "core/base/CMakeLists.txt:1: remora_base links remora_net (core/net), which is above"
