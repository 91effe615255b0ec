"""What the documents name is there: links, paths, scripts and suites."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGES = [*sorted(TOP.glob("*.md")), *sorted((TOP / "docs").glob("*.md"))]
FOLDERS = r"(?:api|bench|core|docs|examples|metrics|proxy|scripts|tests|cmake)"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_paths_are_there(page):
    for path in re.findall(rf"`({FOLDERS}/[\w./-]*)`", page.read_text()):
        ok = (TOP / path).exists() or list(TOP.glob(path + ".*"))
        assert ok, f"{page.name} names {path}"


def test_the_house_in_architecture_is_the_house():
    """Each folder with a CMakeLists.txt of the program stands in ARCHITECTURE.md, and each line of its drawing exists."""
    text = (TOP / "ARCHITECTURE.md").read_text()
    drawing = text.split("## The house")[1].split("\n## ")[0]
    for program in ("proxy", "control"):
        part = re.search(rf"^    {program}/.*\n((?:     .*\n)+)", drawing, re.M).group(1)
        for folder in TOP.glob(f"{program}/*/CMakeLists.txt"):
            assert re.search(rf"^ +{folder.parent.name}/ ", part, re.M), f"{folder.parent.name} is not in the drawing"
        for name in re.findall(r"^      (\w+)/", part, re.M):
            assert (TOP / program / name).is_dir(), name
    for folder in TOP.glob("core/*/CMakeLists.txt"):
        assert f"core/{folder.parent.name} " in drawing


def test_the_presets_that_contributing_names_are_there():
    listed = subprocess.run(["cmake", "--list-presets"], cwd=TOP, capture_output=True, text=True, check=True).stdout
    for preset in ("release", "asan", "tsan", "fuzz"):
        assert f'"{preset}"' in listed


def test_ci_runs_the_one_runner():
    assert re.search(r"scripts/test", (TOP / ".ci/run").read_text())
    listed = subprocess.run([sys.executable, "-m", "scripts.house.runner", "--list"], cwd=TOP, capture_output=True, text=True)
    assert listed.returncode == 0
    for suite in ("check", "units", "tidy", "house"):
        assert re.search(rf"^{suite} ", listed.stdout, re.M)


def test_the_license_is_apache():
    text = (TOP / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
