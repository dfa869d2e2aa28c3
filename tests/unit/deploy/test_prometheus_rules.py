"""Prometheus takes the configuration, and the rules do what they say."""

import re
import subprocess

import pytest
import yaml
from tests.deployed import PROMETHEUS, ROOT, metric_names, objectives, queries, rules
from tests.tools import required_tool

from ostinato_server.metrics import TIME_BUCKETS

RUNBOOK = "docs/operations.md"


def promtool(*arguments: str) -> str:
    tool = required_tool("promtool", "prometheus")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_the_configuration_and_its_rules() -> None:
    assert "2 rule files found" in promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


@pytest.mark.parametrize("tests", sorted((PROMETHEUS / "tests").glob("*.test.yml")), ids=lambda path: path.name)
def test_rules_fire_on_the_series_that_their_own_tests_give(tests: object) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(tests))


def test_every_objective_is_a_bucket_edge() -> None:
    found = {pair for query in queries() for pair in objectives(query)}

    assert {name for name, _ in found} == {
        "ostinato_time_to_first_token_seconds_bucket",
        "ostinato_inter_token_latency_seconds_bucket",
        "ostinato_request_queue_time_seconds_bucket",
    }
    assert {float(edge) for _, edge in found} <= set(TIME_BUCKETS)


def test_every_recorded_series_that_is_asked_for_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}

    asked = {name for query in queries() for name in metric_names(query) if ":" in name}

    assert asked <= recorded


def test_every_alert_says_how_bad_it_is_and_has_an_entry_in_the_runbook_that_says_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    manual = (ROOT / RUNBOOK).read_text(encoding="utf-8")
    entries = dict(re.findall(r"^#### (Ostinato\w+)\n\n(.+)$", manual, re.MULTILINE))

    assert len(alerts) >= 15
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
        assert alert["annotations"]["runbook_url"] == f"{RUNBOOK}#{alert['alert'].lower()}"
        assert alert["alert"] in manual.partition("### Runbook")[0], "an objective or condition of `What to watch`"
    assert set(entries) == {alert["alert"] for alert in alerts}


def test_every_alert_fires_in_a_test_of_its_own() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (PROMETHEUS / "tests").glob("*.test.yml")]
    cases = [case for file in files for test in file["tests"] for case in test.get("alert_rule_test", ())]

    assert {case["alertname"] for case in cases if case["exp_alerts"]} == {
        rule["alert"] for rule in rules() if "alert" in rule
    }
