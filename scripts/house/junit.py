"""Reads and writes JUnit XML, the one form in which every suite reports: GoogleTest, ctest, pytest and our own."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)  # (name, text) of each failure

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        return self

    def fail(self, name, text):
        self.failed += 1
        self.failures.append((name, text))
        return self

    @property
    def ran(self):
        return self.passed + self.failed


def read(path, skips_fail):
    """Counts the cases of one report. With `skips_fail` (in CI) a skipped test is a failed one."""
    count = Count()
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, OSError) as error:
        return count.fail(str(path), f"no readable report: {error}")
    for case in root.iter("testcase"):
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        bad = [child for child in case if child.tag in ("failure", "error")]
        # GoogleTest says status="notrun" of a DISABLED_ test, ctest says "disabled", both and pytest use <skipped>.
        skipped = case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")
        if bad or case.get("status") == "fail":
            count.fail(name, "\n".join(filter(None, [(b.get("message") or "") + "\n" + (b.text or "") for b in bad])))
        elif skipped and skips_fail:
            count.fail(name, "skipped, and in CI nothing is: " + (case.findtext("skipped") or ""))
        elif skipped:
            count.skipped += 1
        else:
            count.passed += 1
    return count


def write(path, suite, cases):
    """Writes (name, failure text or None) pairs as a report."""
    root = ET.Element("testsuite", name=suite, tests=str(len(cases)), failures=str(sum(1 for _, bad in cases if bad)))
    for name, bad in cases:
        case = ET.SubElement(root, "testcase", classname=suite, name=name)
        if bad:
            ET.SubElement(case, "failure", message=printable(bad.splitlines()[0])).text = printable(bad)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="unicode")


def printable(text):
    """What XML 1.0 can hold."""
    return "".join(c for c in text if c in "\t\n\r" or (ord(c) >= 32 and ord(c) not in (0xFFFE, 0xFFFF)))
