"""scripts/run does what it says, without a Consul and with one: it starts, each command that it prints shows what the
words above it promise, and Ctrl-C stops everything."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
OFFSETS = [*range(15), 19, 29, 40, 41, 42, 43, 50, 51]


def free_base():
    """A base whose ports are all free, below the range from which the system hands out ports of its own."""
    for base in range(21000, 32000, 100):
        try:
            for offset in OFFSETS:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", base + offset))
            return base
        except OSError:
            continue
    raise AssertionError("no free ports")


def read_until(process, word, seconds):
    """Lines of its output up to the one with the word."""
    lines, deadline = [], time.monotonic() + seconds
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return "".join(lines)
        assert time.monotonic() < deadline, "".join(lines)
    raise AssertionError(f"scripts/run ended early ({process.wait()}):\n{''.join(lines)}")


class Shop:
    """One scripts/run, and what it printed."""

    def __init__(self, *words):
        self.base = free_base()
        self.process = subprocess.Popen(
            ["scripts/run", *words, "--ports", str(self.base)],
            cwd=TOP,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.words = read_until(self.process, "Ctrl-C stops everything", 1500)
        self.commands = re.findall(r"^\s+\$ (.+)$", self.words, re.M)
        self.tried = set()

    def one(self, pattern):
        """The one printed command that matches."""
        found = list(dict.fromkeys(command for command in self.commands if re.search(pattern, command)))
        assert len(found) == 1, f"{pattern} matches {found} of {self.commands}"
        self.tried.add(found[0])
        return found[0]

    def run(self, pattern, fails=0):
        return run(self.one(pattern), fails)

    def wait_for_line(self, pattern, line, seconds=5):
        """Gauges are written once a tick, not at each change."""
        deadline = time.monotonic() + seconds
        while not re.search(line, text := self.run(pattern), re.M):
            assert time.monotonic() < deadline, f"no line {line} in\n{text}"
            time.sleep(0.1)

    def versions(self):
        """How many of the twenty requests went to each version of api."""
        text = self.run("for i in .*version")
        return {name: int(count) for count, name in re.findall(r"^ *(\d+) (api v\d)$", text, re.M)}

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def run(command, fails=0):
    done = subprocess.run(["bash", "-c", command], cwd=TOP, capture_output=True, text=True, timeout=60)
    assert done.returncode == fails, f"$ {command}\n{done.stdout}{done.stderr}"
    return done.stdout + (done.stderr if fails else "")


def statuses(text):
    return [int(code) for code in re.findall(r"^HTTP/1\.1 (\d+)", text, re.M)]


@pytest.fixture(scope="module", params=["file", "consul"])
def shop(request):
    made = None
    try:
        made = Shop(*(["--consul"] if request.param == "consul" else []))
        yield made
    finally:
        if made is not None:
            made.end()


with_file = pytest.mark.parametrize("shop", ["file"], indirect=True)
with_consul = pytest.mark.parametrize("shop", ["consul"], indirect=True)


# ---- what both show


def test_the_whole_chain(shop):
    answer = shop.run(r"-si \S+/$")
    assert statuses(answer) == [200]
    assert re.findall(r'"from": "([^"]+)"', answer) == ["web", "api v1", "db"]


def test_a_retry(shop):
    for _ in range(3):
        assert statuses(shop.run(r"-si \S+/payments$")) == [200]
    retries = shop.run("retries_total")
    assert re.search(r'^remora_upstream_retries_total\{[^}]*cluster="payments"[^}]*\} [3-9]', retries, re.M), retries


def test_a_timeout(shop):
    start = time.monotonic()
    answer = shop.run(r"-si \S+/recommendations$")
    assert statuses(answer) == [504], answer
    assert 0.9 < time.monotonic() - start < 1.9
    assert statuses(shop.run("recommendations.wait=0.1")) == [200]


def test_the_reason_of_a_503(shop):
    answer = shop.run("/warehouse")
    assert statuses(answer) == [503]
    assert re.search(r"^x-remora-reason: \S+", answer, re.M), answer
    for word in ("cause", "evidence", "way_out"):
        assert f'"{word}"' in answer, answer


def test_a_trace_goes_on(shop):
    seen = re.findall(r'"traceparent": "([^"]+)"', shop.run("grep traceparent"))
    assert len(seen) == 3 and len(set(seen)) >= 2, seen
    assert all(each.startswith("00-0af7651916cd43dd8448eb211c80319c-") for each in seen)
    assert not any("b7ad6b7169203331" in each for each in seen)


def test_an_open_breaker_closes_again(shop):
    answer = shop.run("^for .*checkout")
    assert statuses(answer) == [503] * 4
    assert answer.count("the till is broken") == 3, "the fourth is Remora's own answer"
    assert "x-remora-reason" in answer.split("HTTP/1.1")[-1]
    shop.wait_for_line("breaker_state", r'^remora_upstream_breaker_state\{[^}]*cluster="checkout"[^}]*\} 1$')
    assert statuses(shop.run("^sleep 10")) == [200, 200]
    shop.wait_for_line("breaker_state", r'^remora_upstream_breaker_state\{[^}]*cluster="checkout"[^}]*\} 0$')


def test_the_metrics_and_the_clusters(shop):
    text = shop.run("requests_total")
    assert re.search(r'^remora_requests_total\{[^}]*cluster="api/v1"[^}]*\} [1-9]', text, re.M), text
    clusters = shop.run(r"/clusters \|")
    assert re.search(rf"^api/v1::127\.0\.0\.1:{shop.base + 3}::health_flags::healthy$", clusters, re.M), clusters


@with_file
def test_a_second_one_in_the_same_folder_is_refused(shop):
    words = ["scripts/run", "--ports", str(free_base())]
    done = subprocess.run(words, cwd=TOP, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "another one runs in this folder" in done.stderr
    assert (TOP / "build/run/mesh.yaml").exists()


# ---- the mesh changes, in its file


@with_file
def test_a_change_is_checked_and_compared_before_it_is_made(shop):
    assert shop.versions() == {"api v1": 20}
    shop.run("weight: 25")
    assert shop.run("check .*next").startswith("OK: ")
    changes = shop.run(" diff ")
    assert "~ web" in changes and "outbound/api" in changes and "1 of 3 proxies" in changes, changes


@with_file
def test_the_change_moves_the_traffic(shop):
    shop.run("^mv ")
    wait_for_version_2(shop)
    assert shop.versions()["api v2"] >= 5  # of 20, of which three of four are meant to go there


def wait_for_version_2(shop):
    deadline = time.monotonic() + 5
    while "api v2" not in (seen := shop.versions()):
        assert time.monotonic() < deadline, seen
    return seen


@with_file
def test_explain_names_the_line(shop):
    text = shop.run("explain .*orders$")
    lines = (TOP / "build/run/mesh.yaml").read_text().splitlines()
    for line in re.findall(r"mesh\.yaml:(\d+)", text):
        assert int(line) <= len(lines)
    assert "api/v1" in text and "api/v2" in text and "75" in text, text
    text = shop.run("explain .*x-version")
    (line,) = re.findall(r"route  .*mesh\.yaml:(\d+)", text)
    assert "api/v1," not in text and "x-version" in lines[int(line) - 1], text


@with_file
def test_a_mistake_is_named(shop):
    shop.run("^sed -i 's/path_prefix")
    text = shop.run("check .*mesh.yaml$", fails=1)
    assert "path_prefx" in text and "did you mean 'path_prefix'" in text, text
    text = shop.run("grep path_prefx")
    assert text.startswith("api v") and "path_prefx" in text, text
    shop.run("s/path_prefx/path_prefix/")


@with_file
def test_what_runs_is_in_the_config_dump(shop):
    text = shop.run("config_dump")
    assert '"weight": 2500' in text or '"weight": 25' in text, text


# ---- the mesh changes, in Consul


@with_consul
def test_who_is_there_and_who_follows(shop):
    assert "payments" in shop.run("catalog services").split()
    nodes = shop.run("/nodes")
    for name in ("web", "api-1", "api-2"):
        assert re.search(rf"^{name} ", nodes, re.M), nodes
    assert "/ui/" in shop.words
    page = run("curl -sL " + re.search(r"http://\S+/ui/", shop.words)[0])
    assert "<title>Consul" in page


@with_consul
def test_a_config_entry_that_changes_moves_the_traffic(shop):
    assert shop.versions() == {"api v1": 20}
    shop.run("config read")
    shop.run("config write")
    wait_for_version_2(shop)
    assert "api/v2" in shop.run("/config.node=web&type=routes")


@with_consul
def test_the_proxies_find_their_peers_in_consul(shop):
    ages = shop.run("discovery_age")
    assert re.search(r'^remora_discovery_age_seconds\{cluster="api/v1"', ages, re.M), ages


@with_consul
def test_a_proxy_registers_what_it_was_given(shop):
    text = shop.run("checks/shop")
    assert "remora:shop" in text and text.count("passing") == 2, text


# ---- both


def test_route_asks_the_sidecar_that_runs(shop):
    text = shop.run("remora-proxy route")
    assert "api/v1" in text and f"127.0.0.1:{shop.base + 3} healthy" in text, text


def test_one_stands_in_for_the_ill(shop):
    assert shop.run(r"^curl -s -H 'x-version: 2' \S+$") == "api v2\n"
    assert shop.run("ill=10").endswith("seconds\napi v1\n")


@with_consul
def test_an_instance_goes_and_the_file_brings_all_back(shop):
    assert shop.run("deregister").endswith("api v1\n")
    shop.run("to_consul")
    deadline = time.monotonic() + 30
    while shop.run(r"^curl -s -H 'x-version: 2' \S+$") != "api v2\n":
        assert time.monotonic() < deadline
    assert "payments" in shop.run("explain .*payments")


def test_where_to_look_holds_something(shop):
    shop.run(r"-si \S+/$")
    log = TOP / "build/run/access.log"
    deadline = time.monotonic() + 15
    while not log.exists() or not log.stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for offset in (9, 19, 29):
        assert "/ready" in run(f"curl -s http://127.0.0.1:{shop.base + offset}/help")
    for page in re.findall(r"docs/\w+\.md", shop.words):
        assert (TOP / page).exists()
    assert "ERROR: " not in "".join(path.read_text(errors="replace") for path in (TOP / "build/run").glob("*.log"))


def test_every_command_was_tried(shop):
    assert set(shop.commands) - shop.tried == set()


def test_ctrl_c_stops_everything(shop):
    """Last of each: what it starts, it ends."""
    os.killpg(shop.process.pid, signal.SIGINT)  # as a terminal does
    rest, _ = shop.process.communicate(timeout=40)
    assert "Stopped." in rest
    for offset in OFFSETS:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", shop.base + offset)) != 0, f"port {shop.base + offset} is still open"


# ---- and without starting anything


@pytest.mark.parametrize("words, offset", [([], 2), (["--consul"], 40)])
def test_a_taken_port_is_named(words, offset):
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + offset))
        taken.listen()
        done = subprocess.run(
            ["scripts/run", *words, "--ports", str(base)], cwd=TOP, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert f"port {base + offset} is taken" in done.stderr


@pytest.mark.parametrize("words", [["--ports"], ["--ports", "x"], ["--ports", "65500"], ["--consol"]])
def test_wrong_words_are_answered(words):
    done = subprocess.run(["scripts/run", *words], cwd=TOP, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "ports" in done.stdout + done.stderr


def test_the_bootstrap_that_the_readme_names_is_valid():
    proxy = os.environ.get("REMORA_PROXY", "build/release/bin/remora-proxy")
    done = subprocess.run([proxy, "--mode", "validate", "-c", "examples/shop.yaml"], cwd=TOP, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "configuration 'examples/shop.yaml' OK\n"), done.stderr


def test_help():
    done = subprocess.run(["scripts/run", "--help"], cwd=TOP, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "--consul" in done.stdout and "--ports BASE" in done.stdout
