"""Runs the suites of suites.py, says how each went, and closes with one line that adds them all up."""

import argparse
import os
import sys
import time

from scripts.house import suites
from scripts.house.junit import Count
from scripts.house.shell import Shell

SHOWN = 12  # failures printed for each suite; the rest are in the logs


def report(suite, count, seconds, log_dir):
    mark = "ok  " if not count.failed else "FAIL"
    skipped = f", {count.skipped} skipped" if count.skipped else ""
    print(f"{mark} {suite.name:<18} {count.passed:>5} passed, {count.failed} failed{skipped}  ({seconds:.0f} s)", flush=True)
    for name, text in count.failures[:SHOWN]:
        print(f"     FAILED {name}")
        for line in text.strip().splitlines()[-25:]:
            print(f"       {line[:220]}")
    if len(count.failures) > SHOWN:
        print(f"     and {len(count.failures) - SHOWN} more")
    if count.failed:
        print(f"     logs: {log_dir}", flush=True)


def run_suite(suite, shell):
    """One suite's count. Whatever goes wrong in here is a failure of the suite, never the end of the run."""
    try:
        count = suite.run(shell)
    except suites.Broken as error:
        return Count().fail(suite.name, str(error))
    except Exception as error:  # noqa: BLE001
        return Count().fail(suite.name, f"the suite itself failed: {error!r}")
    if count.ran == 0:
        count.fail(suite.name, "no test ran, though the folder is there")
    return count


def main(argv=None):
    parser = argparse.ArgumentParser(prog="scripts/test", description="Builds and runs the tests.")
    parser.add_argument("--quick", action="store_true", help="checks of the tree, unit tests, scenarios")
    parser.add_argument("--list", action="store_true", help="names the suites")
    parser.add_argument("suite", nargs="*")
    args = parser.parse_args(argv)

    top = os.getcwd()
    known = suites.discover(top)
    if args.list:
        for suite in known:
            print(f"{suite.name:<18} {suite.what}{'  (quick)' if suite.quick else ''}")
        return 0
    unknown = set(args.suite) - {suite.name for suite in known}
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(suite.name for suite in known)}")
    chosen = [s for s in known if (s.name in args.suite if args.suite else s.quick or not args.quick)]

    shell = Shell(top)
    total, begin = Count(), time.monotonic()
    for suite in chosen:
        start = time.monotonic()
        print(f"---- {suite.name}: {suite.what}", flush=True)
        count = run_suite(suite, shell)
        report(suite, count, time.monotonic() - start, shell.log_dir)
        total.add(count)
    print(f"{len(chosen)} suites in {(time.monotonic() - begin) / 60:.1f} minutes", flush=True)
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed or total.ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
