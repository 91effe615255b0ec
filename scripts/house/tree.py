"""What the whole tree must keep: no registry hosts, no paths of one machine, a paragraph at the top of each header,
files that stay short, clang-format's layout."""

import re
import subprocess
from pathlib import Path

from scripts.house.layers import Problem

CXX = (".h", ".cc")
BINARY = (".png", ".jpg", ".gz", ".bin", ".ico", ".pb")
LONG = 400  # lines; a warning, since one idea may be long

# Written in pieces, so that this file does not find itself.
FORBIDDEN = [
    (re.compile(r"\b(files\.)?pythonhosted" + r"\.org|\bpypi" + r"\.org"), "names a package registry's host"),
    (re.compile(r"\bregistry\.npmjs" + r"\.org|\bcrates" + r"\.io\b|\bproxy\.golang" + r"\.org"), "names a package registry's host"),
    (re.compile(r"\brepo1?\.maven" + r"\.(apache\.)?org|\b(deb|snapshot|security)\.debian" + r"\.org"), "names a package registry's host"),
    (re.compile(r"\bdocker" + r"\.io/|\bquay" + r"\.io/|\bgcr" + r"\.io/"), "names an image registry's host"),
    (re.compile(r"(?<![\w.}])/work" + r"/(?!\*)"), "names a path of one machine"),
    (re.compile(r"(?<![\w.])/root" + r"/\w"), "names a path of one machine"),
]


def tracked_files(top):
    """What git tracks, and what it would: new files count before they are added."""
    out = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=top, check=True, capture_output=True
    ).stdout.decode()
    return sorted(path for path in set(out.split("\0")) if path and (Path(top) / path).is_file())


def check_forbidden(path, text):
    return [
        Problem(path, number, f"{what}: {match.group(0)}")
        for number, line in enumerate(text.splitlines(), 1)
        for pattern, what in FORBIDDEN
        if (match := pattern.search(line))
    ]


def check_header_opening(path, text):
    """House rule 1: each header opens with a paragraph, then guards itself with #pragma once."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("//"):
        return [Problem(path, 1, "a header opens with a paragraph: purpose, owner, thread")]
    if "#pragma once" not in lines:
        return [Problem(path, 1, "a header says #pragma once")]
    return []


def long_files(top, files):
    sizes = [(path, len((Path(top) / path).read_text(encoding="utf-8").splitlines())) for path in files if path.endswith(CXX)]
    return sorted(((path, size) for path, size in sizes if size > LONG), key=lambda item: -item[1])


def text_files(top, files):
    for path in files:
        if path.endswith(BINARY) or "/corpus/" in path:
            continue
        try:
            yield path, (Path(top) / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def check_format(top, files, program="clang-format-19"):
    """One Problem for each place where clang-format would change something."""
    cxx = [path for path in files if path.endswith(CXX)]
    if not cxx:
        return []
    run = subprocess.run([program, "--dry-run", "-Werror", *cxx], cwd=top, capture_output=True, text=True)
    found = re.findall(r"^(.+?):(\d+):\d+: error: (.+)$", run.stderr, re.M)
    problems, seen = [], set()
    for path, line, _ in found:
        if path not in seen:  # the first place of each file says enough
            seen.add(path)
            problems.append(Problem(path, int(line), "not laid out as clang-format does: run scripts/format"))
    if run.returncode != 0 and not problems:
        problems.append(Problem(".clang-format", 1, f"{program} failed: {run.stderr.strip()[-300:]}"))
    return problems
