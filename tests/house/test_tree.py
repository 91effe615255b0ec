"""What the tree may say, and how its files open."""

from pathlib import Path

import pytest

from scripts.house import tree

TOP = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "line",
    [
        "see https://pypi" + ".org/project/x",
        "https://files.python" + "hosted.org/x",
        "URL=proxy.golang" + ".org",
        "FROM docker" + ".io/debian",
        "cd /work" + "/h/house",
        "log=/root" + "/x.log",
    ],
)
def test_hosts_and_machine_paths_are_found(line):
    (found,) = tree.check_forbidden("README.md", f"fine\n{line}\n")
    assert found.line == 2


@pytest.mark.parametrize("line", ["a network/work item", "${x}/work/y", "FROM debian:bookworm-slim", "chroot/rooted"])
def test_ordinary_words_are_not(line):
    assert tree.check_forbidden("README.md", line) == []


def test_a_header_opens_with_a_paragraph_and_a_guard():
    assert tree.check_header_opening("x.h", "// X: does x. Owned by y.\n#pragma once\n") == []
    assert "paragraph" in tree.check_header_opening("x.h", "#pragma once\n")[0].text
    assert "pragma" in tree.check_header_opening("x.h", "// X.\n")[0].text


def test_long_files_are_noted(tmp_path):
    (tmp_path / "long.cc").write_text("\n" * 401)
    (tmp_path / "short.cc").write_text("\n" * 400)
    assert tree.long_files(tmp_path, ["long.cc", "short.cc"]) == [("long.cc", 401)]


def test_format_names_the_file_and_line(tmp_path):
    (tmp_path / ".clang-format").write_text((TOP / ".clang-format").read_text())
    (tmp_path / "bad.cc").write_text("int  x;\nint y ;\n")
    (tmp_path / "good.cc").write_text("int x;\n")
    (found,) = tree.check_format(tmp_path, ["bad.cc", "good.cc"])
    assert str(found) == "bad.cc:1: not laid out as clang-format does: run scripts/format"
