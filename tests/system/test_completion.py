"""Shells complete what both programs take: a bash at a terminal is typed into, others check the syntax."""

from __future__ import annotations

import os
import pathlib
import pty
import select
import shutil
import subprocess
import time

import pytest

from tests.support import binaries

MESH = """services:
  - {name: web, port: 9000}
"""
CONTROL, PROXY = "remora-control", "remora-proxy"


def script(program: str, shell: str) -> str:
    command = [binaries.remora_control(), "completion", shell] if program == CONTROL else [binaries.remora(), "--completion", shell]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def folder(tmp_path):
    for name in ("mesh.yaml", "my mesh.yaml", "bad.yaml"):
        (tmp_path / name).write_text(MESH)
    (tmp_path / "check").mkdir()  # no reason to take the command for a folder
    return tmp_path


def completions(folder, *words):
    """What bash offers for the last of the words."""
    ask = """
      source /dev/stdin <<< "$SCRIPT"
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      "_${1/-/_}"
      [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
    """
    environment = {**os.environ, "SCRIPT": script(words[0], "bash")}
    done = subprocess.run(
        ["bash", "--norc", "-c", ask, "bash", *words], env=environment, capture_output=True, text=True, cwd=folder
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "words, wanted",
    [
        ([CONTROL, "ch"], ["check"]),
        ([CONTROL, "--v"], ["--version"]),
        ([CONTROL, "help", "ex"], ["explain"]),
        ([CONTROL, "check", "--j"], ["--json"]),
        ([CONTROL, "check", "me"], ["mesh.yaml"]),
        ([CONTROL, "check", "my"], ["my mesh.yaml"]),
        ([CONTROL, "check", "mesh.yaml", "b"], ["bad.yaml"]),
        ([CONTROL, "explain", "--mesh", "me"], ["mesh.yaml"]),
        ([CONTROL, "explain", "--mesh", "=", "me"], ["mesh.yaml"]),
        ([CONTROL, "explain", "--mesh", "mesh.yaml", "--from", ""], []),
        ([CONTROL, "explain", "m"], []),  # a URL is no file
        ([CONTROL, "completion", "z"], ["zsh"]),
        ([CONTROL, "envoy-bootstrap", "--protocol", "d"], ["delta"]),
        ([CONTROL, "envoy-bootstrap", "--protocol", "="], ["delta", "sotw"]),
        ([CONTROL, "serve", "--consul-t"], ["--consul-token-file"]),
        ([PROXY, "--me"], ["--mesh"]),
        ([PROXY, "--mesh", "me"], ["mesh.yaml"]),
        ([PROXY, "-c", "my"], ["my mesh.yaml"]),
        ([PROXY, "--mesh", "mesh.yaml", "--service-i"], ["--service-id"]),
        ([PROXY, "--mode", ""], ["serve", "validate"]),
        ([PROXY, "-l", "tr"], ["trace"]),
        ([PROXY, "--log-level", "=", "warn"], ["warning"]),
        ([PROXY, "--service", ""], []),
        ([PROXY, "--completion", "f"], ["fish"]),
        ([PROXY, "ro"], ["route"]),
        ([PROXY, "route", "GET", "http://api/", "--li"], ["--listener"]),
    ],
    ids=" ".join,
)
def test_bash_completes(folder, words, wanted):
    assert sorted(completions(folder, *words)) == wanted


class Terminal:
    """A real bash, typed into."""

    def __init__(self, folder: pathlib.Path):
        self._end, there = pty.openpty()
        path = f"{pathlib.Path(binaries.remora_control()).parent}:{pathlib.Path(binaries.remora()).parent}:{os.environ['PATH']}"
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=there,
            stdout=there,
            stderr=there,
            cwd=folder,
            env={**os.environ, "PATH": path, "PS1": "> ", "TERM": "dumb", "INPUTRC": "/dev/null", "COLUMNS": "200"},
            start_new_session=True,
        )
        os.close(there)
        self._seen = ""

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def wait(self, words: str) -> None:
        deadline = time.monotonic() + 20
        while words not in self._seen:
            ready, _, _ = select.select([self._end], [], [], 5)
            assert ready and time.monotonic() < deadline, self._seen
            self._seen += os.read(self._end, 4096).decode()
        self._seen = self._seen.split(words, 1)[1]

    def close(self) -> None:
        os.close(self._end)
        self._bash.kill()
        self._bash.wait()


def test_bash_completes_as_one_types(folder):
    terminal = Terminal(folder)
    try:
        terminal.wait("> ")
        terminal.type("source <(remora-control completion bash) && source <(remora-proxy --completion bash) && echo re''ady\n")
        terminal.wait("ready")
        terminal.type("remora-control che\t--qu\tme\t; echo said $?\n")
        terminal.wait("remora-control check --quiet mesh.yaml ")
        terminal.wait("said 0")
        terminal.type("remora-control che\tmy\t\n")
        terminal.wait("OK: 1 service ")
        terminal.type("remora-proxy --me\tme\t--service web --mo\tv\t\n")
        terminal.wait("remora-proxy --mesh mesh.yaml --service web --mode validate ")
    finally:
        terminal.close()


@pytest.mark.parametrize("program", [CONTROL, PROXY])
def test_other_shells_take_their_completions(program):
    for shell in ("zsh", "fish"):
        text = script(program, shell)
        assert program in text and "mesh" in text
        if shutil.which(shell):
            subprocess.run([shell, "-n"], input=text, text=True, check=True)
