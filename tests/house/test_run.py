"""scripts/run does what it says: it starts, each command that it prints shows what the words above it promise, and Ctrl-C
stops everything."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


def free_base():
    """A base whose ports are all free, below the range from which the system hands out ports of its own."""
    for base in range(21000, 32000, 100):
        try:
            for offset in range(10):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", base + offset))
            return base
        except OSError:
            continue
    raise AssertionError("no ten free ports in a row")


def read_until(process, word, seconds):
    """Lines of its output up to the one with the word."""
    lines, deadline = [], time.monotonic() + seconds
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return "".join(lines)
        assert time.monotonic() < deadline, "".join(lines)
    raise AssertionError(f"scripts/run ended early ({process.wait()}):\n{''.join(lines)}")


@pytest.fixture(scope="module")
def shop():
    base = free_base()
    process = subprocess.Popen(
        ["scripts/run", "--ports", str(base)],
        cwd=TOP,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        words = read_until(process, "Ctrl-C stops everything", 1200)
        process.base, process.words = base, words
        process.commands = re.findall(r"^\s+\$ (.+)$", words, re.M)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    return done.stdout


def one(shop, pattern):
    """The one printed command that matches."""
    found = [command for command in shop.commands if re.search(pattern, command)]
    assert len(found) == 1, f"{pattern} matches {found} of {shop.commands}"
    return found[0]


def wait_for_line(command, pattern, seconds=5):
    """Gauges are written once a tick, not at each change."""
    deadline = time.monotonic() + seconds
    while not re.search(pattern, text := run(command), re.M):
        assert time.monotonic() < deadline, f"no line {pattern} in\n{text}"
        time.sleep(0.1)


def statuses(text):
    return [int(code) for code in re.findall(r"^HTTP/1\.1 (\d+)", text, re.M)]


def test_every_command_is_known_here(shop):
    assert len(shop.commands) == 10, shop.commands


def test_a_plain_request(shop):
    answer = run(one(shop, "-si [^ ]*/catalog$"))
    assert statuses(answer) == [200]
    assert '"from": "catalog"' in answer


def test_a_retry(shop):
    for _ in range(3):
        answer = run(one(shop, "/payments$"))
        assert statuses(answer) == [200]
        assert re.search(r"^x-envoy-attempt-count: 2", answer, re.M), answer


def test_a_timeout(shop):
    start = time.monotonic()
    answer = run(one(shop, "/recommendations$"))
    assert statuses(answer) == [504], answer
    assert 0.9 < time.monotonic() - start < 1.9
    assert statuses(run(one(shop, "recommendations.wait=0.1"))) == [200]


def test_the_reason_of_a_503(shop):
    answer = run(one(shop, "/warehouse"))
    assert statuses(answer) == [503]
    assert re.search(r"^x-remora-reason: \S+", answer, re.M), answer
    for word in ("cause", "evidence", "way_out"):
        assert f'"{word}"' in answer, answer


def test_a_trace_goes_on(shop):
    answer = run(one(shop, "traceparent"))
    (seen,) = re.findall(r'"traceparent": "([^"]+)"', answer)
    assert seen.startswith("00-0af7651916cd43dd8448eb211c80319c-"), seen
    assert "b7ad6b7169203331" not in seen


def test_an_open_breaker_closes_again(shop):
    answer = run(one(shop, "^for .*checkout"))
    assert statuses(answer) == [503] * 4
    assert answer.count("the till is broken") == 3, "the fourth is Remora's own answer"
    assert "x-remora-reason" in answer.split("HTTP/1.1")[-1]
    state = one(shop, "breaker_state")
    wait_for_line(state, r'^remora_upstream_breaker_state\{[^}]*cluster="checkout"[^}]*\} 1$')
    assert statuses(run(one(shop, "^sleep"))) == [200, 200]
    wait_for_line(state, r'^remora_upstream_breaker_state\{[^}]*cluster="checkout"[^}]*\} 0$')


def test_the_metrics(shop):
    run(one(shop, "-si [^ ]*/catalog$"))
    text = run(one(shop, "requests_total"))
    assert re.search(r'^remora_requests_total\{[^}]*route="catalog"[^}]*\} [1-9]', text, re.M), text


def test_where_to_look_holds_something(shop):
    run(one(shop, "-si [^ ]*/catalog$"))
    paths = [TOP / path for path in re.findall(r"(build/run/access\.log|examples/shop\.yaml)", shop.words)]
    deadline = time.monotonic() + 15
    while not all(path.stat().st_size for path in paths) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [path.stat().st_size > 0 for path in paths] == [True, True]
    assert "/ready" in run(f"curl -s http://127.0.0.1:{shop.base + 9}/help")


def test_ctrl_c_stops_everything(shop):
    """Last in this file: what it starts, it ends."""
    os.killpg(shop.pid, signal.SIGINT)  # as a terminal does
    rest, _ = shop.communicate(timeout=40)
    assert "Stopped." in rest
    for offset in (0, 1, 2, 3, 9):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", shop.base + offset)) != 0, f"port {shop.base + offset} is still open"


def test_a_taken_port_is_named():
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 2))
        taken.listen()
        done = subprocess.run(["scripts/run", "--ports", str(base)], cwd=TOP, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"port {base + 2} is taken" in done.stderr


@pytest.mark.parametrize("words", [["--ports"], ["--ports", "x"], ["--help"]])
def test_wrong_words_are_answered(words):
    done = subprocess.run(["scripts/run", *words], cwd=TOP, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "ports" in done.stdout + done.stderr
