"""The suites: which there are, what each builds, and how each is counted. A folder that is not there has no suite; a
folder that is there and runs nothing fails (runner.py)."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from scripts.house import junit, tidy
from scripts.house.junit import Count

BUILD_TIMEOUT = 40 * 60
FUZZ_SECONDS = 20
FUZZ_RUNS = 2_000_000

SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1:history_size=4",
}


class Broken(Exception):
    """A suite cannot run; the words say why."""


@dataclass
class Suite:
    name: str
    what: str
    run: Callable
    quick: bool = False


# --- builds ----------------------------------------------------------------------------------------------------------
def build(shell, preset, targets=("all",)):
    """Configures and builds once in a run; a second suite that needs the same gets the first's answer."""
    key = (preset, tuple(targets))
    if key not in shell.built:
        shell.built[key] = _build(shell, preset, targets)
    if shell.built[key]:
        raise Broken(shell.built[key])


def _build(shell, preset, targets):
    start, log = time.monotonic(), f"build-{preset}"
    print(f"     building {preset} ...", flush=True)
    profile = [shell.top / "scripts/profile"] if preset == "release" else []  # which that builds too, where it is missing
    status = shell.run(log, [*profile, "cmake", "--preset", preset], BUILD_TIMEOUT)
    if status == 0:
        command = ["cmake", "--build", f"build/{preset}", "-j", shell.jobs, "--target", *targets]
        status = shell.run(log, command, BUILD_TIMEOUT, append=True)
    print(f"     built {preset} in {time.monotonic() - start:.0f} s" if status == 0 else "     build failed", flush=True)
    if status != 0:
        return f"the {preset} build failed (exit {status}):\n{errors_of(shell.log_path(log))}"
    return None


def errors_of(path):
    """What a build log says of its failure: the lines with errors, or the last ones."""
    lines = path.read_text(errors="replace").splitlines()
    wanted = [line for line in lines if "error" in line.lower() or line.startswith("FAILED")]
    return "\n".join(line[:220] for line in (wanted or lines)[:25])


# --- the suites ------------------------------------------------------------------------------------------------------
def run_check(shell):
    path = shell.report_path("check")
    shell.run("check", [sys.executable, "scripts/check", "--junit", path], 300)
    return junit.read(path, shell.in_ci)


def run_ctest(shell, name, folders, preset="asan", targets=("all",), label=None):
    """All ctest programs below the folders. Each GoogleTest case counts; a program that died counts as a failure."""
    build(shell, preset, targets)
    count = Count()
    for folder in folders:
        count.add(_ctest_folder(shell, name, folder, preset, label))
    return count


def _ctest_folder(shell, name, folder, preset, label):
    report = shell.report_path(f"{name}-ctest-{folder.name}")
    cases = shell.report_dir / f"{name}-{folder.name}"
    cases.mkdir(exist_ok=True)
    for old in cases.glob("*.xml"):
        old.unlink()
    command = ["ctest", "--test-dir", f"build/{preset}/{folder}", "-j", shell.jobs, "--timeout", "300"]
    command += ["--output-on-failure", "--output-junit", report] + (["-L", label] if label else [])
    # A folder's name with a slash at its end makes GoogleTest write <program>.xml in it.
    status = shell.run(f"{name}-{folder.name}", command, 20 * 60, {**SANITIZER_ENV, "GTEST_OUTPUT": f"xml:{cases}/"})
    if not report.exists():
        return Count().fail(f"{name} {folder}", f"ctest wrote no report (exit {status}):\n{shell.tail(f'{name}-{folder.name}')}")
    return count_ctest(report, cases, shell.in_ci)


def count_ctest(report, cases, skips_fail):
    """Adds GoogleTest's own reports to ctest's: a program counts by its cases, and once more if it ended badly without
    one of them saying so (a crash, a leak at exit, a time-out)."""
    import xml.etree.ElementTree as ET

    count = Count()
    for program in ET.parse(report).getroot().iter("testcase"):
        name, died = program.get("name"), program.get("status") == "fail"
        own = cases / f"{name}.xml"
        if own.exists():
            counted = junit.read(own, skips_fail)
            if died and not counted.failed:
                counted.fail(name, "ended badly after its tests:\n" + (program.findtext("system-out") or "")[-3000:])
            if not counted.ran and not counted.skipped:
                counted.fail(name, "the program ran no test")
            count.add(counted)
        elif died:
            count.fail(name, "died:\n" + (program.findtext("system-out") or "")[-3000:])
        elif program.get("status") == "run":
            count.passed += 1  # a ctest that is not GoogleTest
        else:
            count.fail(name, f"did not run ({program.get('status')})")
    return count


def run_tidy(shell):
    build(shell, "asan")
    return tidy.run(shell)


def run_pytest(shell, name, folder, preset=None, markers=None, jobs=None, timeout=20 * 60):
    """A folder's Python tests, against the programs of one build. xdist spreads files, so that a file's servers start
    once."""
    env = dict(SANITIZER_ENV)
    if preset:
        build(shell, preset, ("all",) if preset != "tsan" else ("remora-proxy",))
        env |= {"REMORA_BUILD": str(shell.top / "build" / preset), "REMORA_FLAVOR": preset}
        env["REMORA_PROXY"] = str(shell.top / "build" / preset / "bin" / "remora-proxy")
    path = shell.report_path(name)
    command = [sys.executable, "-m", "pytest", folder, "-c", "tests/pytest.ini", "--rootdir", shell.top, "-q", "-ra"]
    command += ["-p", "no:cacheprovider", "--junitxml", path, "-o", "junit_logging=system-err"]
    command += ["-n", str(jobs or shell.jobs), "--dist", "loadfile"] if (jobs or shell.jobs) > 1 else []
    command += ["-m", markers] if markers else []
    status = shell.run(name, command, timeout, env)
    if not path.exists():
        return Count().fail(name, f"pytest wrote no report (exit {status}):\n{shell.tail(name)}")
    count = junit.read(path, shell.in_ci)
    if status not in (0, 1, 5) and not count.failed:
        count.fail(name, f"pytest ended with exit {status}:\n{shell.tail(name)}")
    return count


def run_fuzz(shell):
    """Each target for a while, from its seeds. A target counts as one test."""
    build(shell, "fuzz")
    listing = shell.top / "build" / "fuzz" / "fuzz_targets.txt"
    targets = [line for line in listing.read_text().split() if line] if listing.exists() else []

    def one(target):
        work = shell.top / "build" / "fuzz" / "corpus" / target
        work.mkdir(parents=True, exist_ok=True)
        seeds = shell.top / "tests" / "fuzz" / "corpus" / target
        dictionary = shell.top / "tests" / "fuzz" / f"{target}.dict"
        command = [shell.top / "build" / "fuzz" / "bin" / target, f"-max_total_time={FUZZ_SECONDS}", f"-runs={FUZZ_RUNS}"]
        command += ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={shell.log_dir}/{target}-"]
        command += [f"-dict={dictionary}"] if dictionary.exists() else []
        command += [work] + ([seeds] if seeds.is_dir() else [])
        status = shell.run(f"fuzz-{target}", command, FUZZ_SECONDS + 120, SANITIZER_ENV)
        return target, None if status == 0 else f"exit {status}:\n{shell.tail(f'fuzz-{target}', 40)}"

    with ThreadPoolExecutor(shell.jobs) as pool:
        cases = list(pool.map(one, targets))
    junit.write(shell.report_path("fuzz"), "fuzz", cases)
    return junit.read(shell.report_dir / "fuzz.xml", shell.in_ci)


# --- which there are -------------------------------------------------------------------------------------------------
def has_pytests(folder):
    return folder.is_dir() and any(folder.rglob("test_*.py"))


def cmake_test_folders(top):
    """Folders of tests/ that hold GoogleTest programs, from the top; unit first. A library for them (sim) is none."""

    def holds_tests(folder):
        return any("remora_test(" in p.read_text() or "add_test(" in p.read_text() for p in folder.rglob("CMakeLists.txt"))

    folders = [p.parent for p in (Path(top) / "tests").glob("*/CMakeLists.txt")]
    folders = [folder for folder in folders if folder.name != "fuzz" and holds_tests(folder)]
    return sorted((folder.relative_to(top) for folder in folders), key=lambda f: (f.name != "unit", f.name))


def discover(top):
    top = Path(top)
    found = [Suite("check", "includes, layout, what the tree may say", run_check, quick=True)]
    folders = cmake_test_folders(top)
    units = [f for f in folders if f.name == "unit"]
    scenarios = [f for f in folders if f.name != "unit"]
    found.append(Suite("units", "unit tests, asan and ubsan", lambda s: run_ctest(s, "units", units), quick=True))
    if scenarios:
        names = ", ".join(f.name for f in scenarios)
        found.append(
            Suite("scenarios", f"{names}, asan and ubsan", lambda s: run_ctest(s, "scenarios", scenarios), quick=True)
        )
    found.append(Suite("tidy", "clang-tidy, each file once for each content", run_tidy))

    def python(name, folder, what, **options):
        found.append(Suite(name, what, lambda s: run_pytest(s, name, folder, **options)))

    first = ["api", "system", "differential"]
    rest = sorted(p.name for p in (top / "tests").iterdir() if p.is_dir() and p.name not in [*first, "house"])
    for name in [*first, *rest]:
        if name == "fuzz" or not has_pytests(top / "tests" / name):
            continue
        python(name, f"tests/{name}", f"tests/{name}, release build", preset="release")
        if name == "system":
            python("system-asan", "tests/system", "the same, asan and ubsan", preset="asan", markers="not release_only")
            python("system-tsan", "tests/system", "several workers, tsan", preset="tsan", markers="multi_worker")
    threaded = any("THREADS" in p.read_text() for p in (top / "tests").rglob("CMakeLists.txt"))
    if threaded:
        targets = ("remora_threads_tests",)
        found.append(
            Suite("units-tsan", "unit tests with threads, tsan", lambda s: run_ctest(s, "units-tsan", units, "tsan", targets, "threads"))
        )
    if (top / "tests" / "fuzz" / "CMakeLists.txt").exists():
        found.append(Suite("fuzz", f"each fuzz target, {FUZZ_SECONDS} s", run_fuzz))
    if has_pytests(top / "bench"):
        python("bench", "bench", "the instruments themselves", preset="release")
    if has_pytests(top / "tests" / "house"):
        python("house", "tests/house", "scripts, checks, image, example", preset="release")
    return found
