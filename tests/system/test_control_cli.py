"""remora-control from a shell: what people type, what they read, and the exit code."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.support import binaries

GOOD = """services:
  - {name: web, port: 9000, connect: {sidecar_service: {port: 21000, proxy: {upstreams: [{destination_name: api, local_bind_port: 9191}]}}}}
  - {name: api, id: api-1, address: 10.0.0.2, port: 9001, meta: {version: "1"}}
  - {name: api, id: api-2, address: 10.0.0.3, port: 9001, meta: {version: "2"}}
config_entries:
  - {kind: service-defaults, name: api, protocol: http}
  - {kind: service-resolver, name: api, subsets: {v2: {filter: "Service.Meta.version == 2"}}}
"""
BAD = GOOD + "  - {kind: service-router, name: api, routes: [{destination: {service_subset: v3}}]}\n"


def control(*arguments, cwd=None, **options):
    return subprocess.run(
        [binaries.remora_control(), *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd, **options
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mesh.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def test_check_says_that_all_is_well(folder):
    done = control("check", "mesh.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "OK: 2 services (3 instances) and 2 config entries in 1 file\n"
    done = control("check", "-q", "mesh.yaml", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_says_where_and_what(folder):
    done = control("check", "bad.yaml", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "bad.yaml:8:48: error: service-router/api.routes[0]: the subset 'v3' of 'api' is not defined (did you mean 'v2'?);"
        " its service-resolver has v2\n"
        "    8 |   - {kind: service-router, name: api, routes: [{destination: {service_subset: v3}}]}\n"
        "      |                                                ^\n"
        "1 error in 1 file\n"
    )


def test_check_for_programs(folder):
    done = control("check", "--json", "bad.yaml", cwd=folder)
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["errors"], answer["files"]) == (False, 1, ["bad.yaml"])
    [finding] = answer["findings"]
    assert (finding["severity"], finding["file"], finding["line"], finding["column"]) == ("error", "bad.yaml", 8, 48)
    assert finding["path"] == "service-router/api.routes[0]"
    answer = json.loads(control("check", "--json", "mesh.yaml", cwd=folder).stdout)
    assert (answer["ok"], answer["findings"]) == (True, [])


def test_several_paths_are_one_mesh(folder):
    router = {"Kind": "service-router", "Name": "api", "Routes": [{"Destination": {"ServiceSubset": "v2"}}]}
    (folder / "more").mkdir()
    (folder / "more" / "router.json").write_text(json.dumps(router))
    (folder / "more" / ".hidden.yaml").write_text("nonsense: [")
    (folder / "more" / "notes.txt").write_text("nonsense")
    assert control("check", "more", cwd=folder).returncode == 1  # api is tcp here, and has no subsets
    done = control("check", "mesh.yaml", "more", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 config entries in 2 files" in done.stdout


def test_paths_that_are_none(folder):
    done = control("check", "absent.yaml", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("absent.yaml: error: cannot be read: No such file or directory\n")
    (folder / "hollow").mkdir()
    assert "holds no *.yaml, *.yml or *.json" in control("check", "hollow", cwd=folder).stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["chek", "x"], "there is no command 'chek' (did you mean 'check'?)"),
        (["--versoin"], "there is no flag '--versoin' (did you mean 'version'?)"),
        (["check", "--jsn", "x"], "check has no flag --jsn (did you mean --json?)"),
        (["check"], "check needs PATH…: remora-control check PATH…"),
        (["check", "--json=1", "x"], "--json takes no value"),
        (["check", "--json", "--json", "x"], "--json is given twice"),
        (["completion", "bsh"], "expected one of bash, zsh, fish, not 'bsh' (did you mean 'bash'?)"),
        (["completion", "bash", "zsh"], "'zsh' is one argument too many"),
        (["help", "chek"], "there is no command 'chek'"),
    ],
)
def test_questions_that_are_wrong(arguments, words):
    done = control(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_help_teaches_by_example():
    general = control("--help")
    assert general.returncode == 0
    assert "remora-control check mesh.yaml" in general.stdout
    commands = re.findall(r"^  ([a-z-]+) {2,}[A-Z]", general.stdout.split("Commands:")[1], re.M)
    assert {"serve", "check", "explain", "diff", "envoy-bootstrap", "completion"} <= set(commands)
    for command in commands:
        one = control(command, "--help")
        assert (one.returncode, one.stderr) == (0, "")
        assert f"  remora-control {command} " in one.stdout or f"(remora-control {command} " in one.stdout
        assert one.stdout == control("help", command).stdout
    assert control().returncode == 2
    assert control("--version").stdout.startswith("remora-control  version: ")


def flags_in(help_text: str) -> set[str]:
    return set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", help_text, re.M)) | set(re.findall(r"^  (-\w), --", help_text, re.M))


def examples_in(help_text: str):
    """The words of each example, without what a shell does with it."""
    for line in re.findall(r"^  (?!-).*?(remora-(?:control|proxy) .*)$", help_text, re.M):
        yield re.split(r"  |[|>)&]", line)[0].split()


def test_each_example_of_help_is_one_that_works():
    """Each flag that an example uses is one that the same help explains."""
    text = control("--help").stdout
    helps = {name: control(name, "--help").stdout for name in {words[1] for words in examples_in(text)} - {"help"}}
    proxy = subprocess.run([binaries.remora(), "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    route = subprocess.run([binaries.remora(), "route", "--help"], capture_output=True, text=True, check=True).stdout
    seen = 0
    for whole in (text, *helps.values(), proxy, route):
        for program, command, *rest in examples_in(whole):
            if (program, command) == ("remora-proxy", "route"):
                known = flags_in(route)
            else:
                known = flags_in(proxy) | {"-c", "-l"} if program == "remora-proxy" else flags_in(helps.get(command, ""))
            used = {word.split("=")[0] for word in (command, *rest) if re.match(r"--?[a-zA-Z]", word)}
            assert used <= known, (program, command, rest)
            seen += 1
    assert seen > 15


def test_check_finds_what_translation_leaves_out(folder):
    mesh = GOOD.replace("meta: {version: \"2\"}}", "meta: {version: \"2\"}, check: {grpc: \"10.0.0.3:9001\", interval: 5s}}")
    mesh += "  - {kind: proxy-defaults, config: {fault: {abort: {http_status: 503}}}}\n"
    mesh += "  - {kind: service-router, name: api, routes: [{match: {http: {path_prefix: /a}}}, {match: {http: {path_prefix: /b}}}]}\n"
    (folder / "mesh.yaml").write_text(mesh)
    done = control("check", "mesh.yaml", cwd=folder)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("mesh.yaml:")]
    assert len(lines) == 2, done.stderr  # each once, however many routes and proxies it is about
    assert lines[0].startswith("mesh.yaml:4:88: warning: ") and "a check of 'api-2' is not carried out" in lines[0]
    assert lines[1].startswith("mesh.yaml:8:44: warning: ") and "`fault` is not supported" in lines[1]
    assert done.stderr.endswith("2 warnings in 1 file\n")
    answer = json.loads(control("check", "--json", "mesh.yaml", cwd=folder).stdout)
    assert (answer["ok"], answer["errors"], answer["warnings"]) == (False, 0, 2)
    assert [finding["line"] for finding in answer["findings"]] == [4, 8]
