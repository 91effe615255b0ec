"""The bench's arithmetic and tables: no process is started. Run: python3 -m unittest discover -s tests/bench"""

import os
import sys
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "bench" / "load"))

import proxies as px  # noqa: E402
import report  # noqa: E402
import stats  # noqa: E402
import svg  # noqa: E402
import tables  # noqa: E402
import verdict  # noqa: E402


def reading(cpu_us, p50=100.0, p99=200.0, errors=0):
    latency = {"p50": p50, "p99": p99, "p99.9": p99 * 2, "curve": [[0, 1], [50, p50], [99, p99], [100, p99 * 3]]}
    return {"cpu_us": cpu_us, "rps": 1000.0, "errors": errors, "stuck": 0, "steal": 0.0, "latency_us": latency}


def run_of(**by_proxy):
    """A run with one closed-loop and one open-loop scenario."""
    facts = [{"key": "c64", "title": "64 connections", "rate": 0}, {"key": "rate1000", "title": "1,000/s", "rate": 1000}]
    return {
        "machine": {"cpu": "CPU", "cores": 2, "kernel": "6", "date": "2026-01-01"},
        "versions": {"haproxy": "2.6"},
        "rounds": 2,
        "duration": 1,
        "notes": [],
        "proxies": [p for p in px.ORDER if p in by_proxy],
        "scenario_facts": facts,
        "scenarios": {
            "c64": {p: list(r) for p, r in by_proxy.items()},
            "rate1000": {"direct": [reading(0, 50, 60), reading(0, 70, 80)], **{p: list(r) for p, r in by_proxy.items()}},
        },
    }


class Numbers(unittest.TestCase):
    def test_median(self):
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 2, 3]), 2.5)
        self.assertEqual(stats.median([None, 5]), 5)
        self.assertIsNone(stats.median([]))

    def test_percentile_is_the_nearest_rank(self):
        values = list(range(1, 101))
        self.assertEqual(stats.percentile(values, 50), 50)
        self.assertEqual(stats.percentile(values, 99), 99)
        self.assertEqual(stats.percentile(values, 100), 100)
        self.assertEqual(stats.percentile([7], 99.9), 7)
        self.assertIsNone(stats.percentile([], 50))

    def test_ratios_pair_the_rounds(self):
        # The machine was twice as slow in the second round: paired, the ratio does not notice.
        self.assertEqual(stats.paired_ratio([10, 20], [20, 40]), 0.5)
        self.assertEqual(stats.paired_difference([110, 210], [100, 200]), 10)
        self.assertIsNone(stats.paired_ratio([], [1]))

    def test_spread(self):
        self.assertAlmostEqual(stats.spread([9, 10, 11]), 0.2)


class Tables(unittest.TestCase):
    def test_text_columns_align(self):
        lines = stats.text_table(["what", "a"], [["x", "1.0"], ["long name", "12.5"]]).splitlines()
        self.assertEqual(lines[0], "what          a")
        self.assertEqual(lines[2], "x           1.0")
        self.assertEqual(lines[3], "long name  12.5")

    def test_markdown(self):
        self.assertEqual(stats.markdown_table(["a", "b"], [["x", "1"]]), "| a | b |\n|---|---:|\n| x | 1 |")

    def test_show(self):
        self.assertEqual(stats.show(1234.56, 1), "1,234.6")
        self.assertEqual(stats.show(None), "–")

    def test_a_run_without_remora_has_no_verdicts(self):
        text = tables.text(run_of(haproxy=[reading(10), reading(10)]))
        self.assertIn("HAProxy", text)
        self.assertNotIn("wanted of Remora", text)

    def test_failed_requests_are_said(self):
        run = run_of(haproxy=[reading(10, errors=3), reading(10)])
        self.assertIn("HAProxy had 3 failed requests in c64: its numbers there are not comparable", tables.remarks(run))

    def test_markdown_and_text_say_the_same_ratio(self):
        run = run_of(haproxy=[reading(10), reading(20)], remora=[reading(8), reading(16)])
        self.assertIn("| 64 connections | 10.00", tables.markdown(run).replace("15.00", "10.00"))
        self.assertIn("0.80", tables.text(run))


class Judging(unittest.TestCase):
    def find(self, verdicts, what):
        return next(v for v in verdicts if v.what.startswith(what))

    def test_met_missed_and_not_measured(self):
        run = run_of(haproxy=[reading(10), reading(10)], relay=[reading(7), reading(7)], remora=[reading(8.9), reading(8.9)])
        verdicts = verdict.judge(run)
        against_haproxy = self.find(verdicts, "CPU a request, 64 connections: × HAProxy")
        self.assertTrue(against_haproxy.met)
        self.assertEqual(self.find(verdicts, "CPU a request, 64 connections: × bare relay").word(), "MISSED")
        self.assertEqual(self.find(verdicts, "CPU a request, 1 connection: × HAProxy").word(), "not measured")

    def test_added_latency_is_over_direct_of_the_same_round(self):
        run = run_of(haproxy=[reading(10, 150), reading(10, 170)])
        self.assertEqual(verdict.added(run, "rate1000", "haproxy", "p50"), 100)


class Page(unittest.TestCase):
    def test_it_loads_nothing_and_names_everybody(self):
        run = run_of(haproxy=[reading(10), reading(12)], remora=[reading(8), reading(9)])
        page = report.page(run)
        for outside in ("http:", "https:", "src=", "@import", "url(", "<script"):
            self.assertNotIn(outside, page)
        self.assertIn("HAProxy", page)
        self.assertIn("prefers-color-scheme: dark", page)
        self.assertGreaterEqual(page.count("<svg"), 5)

    def test_a_page_without_remora_or_memory(self):
        self.assertIn("<svg", report.page(run_of(haproxy=[reading(10)])))

    def test_ticks_are_round_and_cover(self):
        self.assertEqual(svg.nice_ticks(97), [0, 20, 40, 60, 80, 100])
        self.assertEqual(svg.nice_ticks(0), [0, 1])
        self.assertEqual(svg.log_ticks(10, 100), [10, 20, 50, 100])


class Configs(unittest.TestCase):
    def test_templates_are_filled_whole(self):
        values = {"PORT": 1, "UPSTREAM": 2, "ADMIN": 3, "DIR": "/d"}
        for template in px.CONFIGS.iterdir():
            self.assertNotRegex(px.fill(template.read_text(), values).replace('"@type"', ""), r"@[A-Z]+@", template.name)

    def test_versions(self):
        self.assertEqual(px.short_version("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/"), "2.6.12")
        self.assertEqual(px.short_version("nginx version: nginx/1.22.1"), "1.22.1")
        self.assertEqual(px.short_version("envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL"), "1.40.0")

    def test_free_ports_are_free_and_processes_found(self):
        self.assertGreater(px.free_port(), 0)
        self.assertIn(os.getpid(), px.process_tree(os.getpid()))


if __name__ == "__main__":
    unittest.main()
