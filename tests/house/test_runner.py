"""The runner counts what ran, and takes nothing for granted: a crash, a missing report, an empty folder are failures."""

import re
import sys
import textwrap

import pytest

from scripts.house import junit, runner, suites
from scripts.house.junit import Count
from scripts.house.shell import Shell


def report(tmp_path, body):
    path = tmp_path / "r.xml"
    path.write_text(f"<testsuites><testsuite>{body}</testsuite></testsuites>")
    return path


def test_counts_each_case(tmp_path):
    path = report(
        tmp_path,
        '<testcase name="a"/><testcase name="b"><failure message="no"/></testcase>'
        '<testcase name="c"><error message="broke"/></testcase><testcase name="d"><skipped/></testcase>',
    )
    count = junit.read(path, skips_fail=False)
    assert (count.passed, count.failed, count.skipped) == (1, 2, 1)
    assert [name for name, _ in count.failures] == ["b", "c"]


def test_a_skip_in_ci_is_a_failure(tmp_path):
    count = junit.read(report(tmp_path, '<testcase name="d"><skipped>no server</skipped></testcase>'), skips_fail=True)
    assert (count.passed, count.failed) == (0, 1)
    assert "no server" in count.failures[0][1]


@pytest.mark.parametrize("text", ["", "<testsuites><testcase"])
def test_a_report_that_broke_off_is_a_failure(tmp_path, text):
    path = tmp_path / "r.xml"
    path.write_text(text)
    assert junit.read(path, False).failed == 1
    assert junit.read(tmp_path / "missing.xml", False).failed == 1


def test_reports_are_written_as_they_are_read(tmp_path):
    path = tmp_path / "r.xml"
    junit.write(path, "s", [("good", None), ("bad", "why\x00\nmore")])
    count = junit.read(path, True)
    assert (count.passed, count.failed) == (1, 1)
    assert "more" in count.failures[0][1]


def ctest_report(tmp_path, status, own=None):
    path = report(tmp_path, f'<testcase name="x_test" status="{status}"><system-out>words</system-out></testcase>')
    cases = tmp_path / "cases"
    cases.mkdir()
    if own is not None:
        (cases / "x_test.xml").write_text(f"<testsuites><testsuite>{own}</testsuite></testsuites>")
    return suites.count_ctest(path, cases, True)


def test_a_program_counts_by_its_cases(tmp_path):
    count = ctest_report(tmp_path, "run", '<testcase name="a" status="run"/><testcase name="b" status="run"/>')
    assert (count.passed, count.failed) == (2, 0)


def test_a_program_that_died_without_a_report_is_a_failure(tmp_path):
    assert ctest_report(tmp_path, "fail").failed == 1


def test_a_program_that_leaked_after_its_cases_passed_is_a_failure(tmp_path):
    count = ctest_report(tmp_path, "fail", '<testcase name="a" status="run"/>')
    assert (count.passed, count.failed) == (1, 1)


def test_a_program_without_cases_is_a_failure(tmp_path):
    assert ctest_report(tmp_path, "run", "").failed == 1


def test_a_folder_that_runs_nothing_is_a_failure(tmp_path):
    suite = suites.Suite("empty", "", lambda shell: Count())
    assert runner.run_suite(suite, None).failed == 1


def test_a_suite_that_raises_is_a_failure():
    def broken(shell):
        raise OSError("no such program")

    count = runner.run_suite(suites.Suite("s", "", broken), None)
    assert count.failed == 1
    assert "no such program" in count.failures[0][1]


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path):
    shell = Shell(tmp_path)
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    assert shell.run("hang", [sys.executable, "-c", code], timeout=0.5) == 124
    assert "killed" in shell.tail("hang")


def test_the_closing_line_adds_up_every_suite(tmp_path, monkeypatch, capsys):
    def counted(passed, failed):
        def run(shell):
            count = Count(passed=passed)
            for i in range(failed):
                count.fail(f"case {i}", "why")
            return count

        return run

    known = [suites.Suite("a", "first", counted(3, 0), quick=True), suites.Suite("b", "second", counted(2, 1))]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(suites, "discover", lambda top: known)
    assert runner.main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "5 passed, 1 failed"
    assert runner.main(["--quick"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 0 failed"
    assert runner.main(["b"]) == 1
    assert re.fullmatch(r"\d+ passed, \d+ failed", capsys.readouterr().out.splitlines()[-1])


def test_no_test_at_all_is_a_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(suites, "discover", lambda top: [])
    assert runner.main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 0 failed"


def test_pytest_folders_are_found_by_what_they_hold(tmp_path):
    for path in ("tests/unit/CMakeLists.txt", "tests/scenarios/CMakeLists.txt", "tests/novel/test_x.py", "bench/test_y.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("remora_test(x_test)\n" if path.endswith(".txt") else "")
    (tmp_path / "tests/support").mkdir()
    (tmp_path / "tests/sim").mkdir()
    (tmp_path / "tests/sim/CMakeLists.txt").write_text("remora_library(remora_sim)\n")
    names = [suite.name for suite in suites.discover(tmp_path)]
    assert names == ["check", "units", "scenarios", "tidy", "novel", "bench"]


def test_a_pytest_folder_is_run_and_counted(tmp_path, monkeypatch):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests/test_x.py").write_text(
        textwrap.dedent(
            """
            import os, pytest
            def test_good(): pass
            def test_bad(): assert False
            """
        )
    )
    count = suites.run_pytest(Shell(tmp_path), "x", "tests", jobs=1)
    assert (count.passed, count.failed) == (1, 1)
    (tmp_path / "tests/test_x.py").write_text("import nothing_like_this\n")
    assert suites.run_pytest(Shell(tmp_path), "x", "tests", jobs=1).failed == 1
