"""Each case of areas/ through Envoy and through Remora, on the same bootstrap file, both live. They answer alike, the
upstream sees the same, or accepted.yaml says why not."""

from __future__ import annotations

import concurrent.futures
import os

import pytest

from tests.differential import engine

_AREAS = engine.areas()
_CASES = [
    pytest.param(name, case, id=case.id, marks=pytest.mark.xdist_group(name))
    for name, area in _AREAS.items()
    for case in area.CASES
]


@pytest.fixture(scope="session")
def fleets():
    running = engine.Fleets()
    yield running
    running.close()


@pytest.fixture(scope="session")
def accepted():
    # For checking the harness itself: REMORA_PROXY=<an Envoy> and nothing accepted must find no difference.
    return engine.Accepted([], {}) if os.environ.get("REMORA_DIFFERENTIAL_SELF") else engine.Accepted.load()


@pytest.mark.parametrize("name,case", _CASES)
def test_same_as_envoy(name, case, fleets, accepted):
    envoy, remora = fleets.get(name, _AREAS[name])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(envoy.run, case), pool.submit(remora.run, case)
        expected, actual = first.result(), second.result()
    found = engine.differences(expected, actual)
    wrong = accepted.judge(case, found, actual)
    if wrong:
        pytest.fail(f"{case.id} sends {str(case.send)[:300]!r}\n  " + "\n  ".join(wrong), pytrace=False)


@pytest.mark.xdist_group("tables")
def test_tables_are_sound(accepted):
    ids = [case.id for area in _AREAS.values() for case in area.CASES]
    assert len(ids) == len(set(ids)), "two cases of one name"
    assert len(ids) >= 200
    unknown = set(accepted.cases) - set(ids)
    assert not unknown, f"accepted.yaml speaks of cases that do not exist: {unknown}"
    for key, entry in accepted.cases.items():
        assert len(entry.get("why", "")) > 20, f"accepted.yaml: {key} needs a reason in words"
        assert entry.get("paths"), f"accepted.yaml: {key} must say what differs"
