"""Prometheus takes the configuration, and the rules do what they say."""

import subprocess

import pytest
from tests.deployed import PROMETHEUS, metric_names, objectives, queries, rules
from tests.tools import required_tool

from ostinato_server.metrics import TIME_BUCKETS


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


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]

    assert len(alerts) == 11
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert set(alert["annotations"]) == {"summary", "description"}
