"""The dashboard is one that Grafana can show and a person can read."""

import re
from collections import Counter
from itertools import combinations
from typing import Any

import yaml
from tests.deployed import DASHBOARD, ROOT, dashboard, dashboard_queries

PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"
WITH_EXEMPLARS = (
    "time_to_first_token_seconds",
    "request_queue_time_seconds",
    "e2e_request_latency_seconds",
    "rpc_duration_seconds",
)
UNITS = {"none", "s", "cps", "reqps", "percentunit", "bytes"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def provisioned(name: str) -> Any:
    return yaml.safe_load((PROVISIONING / name).read_text(encoding="utf-8"))


def test_every_query_asks_the_provisioned_data_source() -> None:
    (source,) = provisioned("datasources/prometheus.yml")["datasources"]
    expected = {"type": source["type"], "uid": source["uid"]}

    for panel in panels():
        assert panel["datasource"] == expected
        assert [target["datasource"] for target in panel["targets"]] == [expected] * len(panel["targets"])
    assert [variable["datasource"] for variable in dashboard()["templating"]["list"]] == [expected] * 2


def test_latencies_show_the_traces_behind_them_and_lead_to_a_source_that_is_there() -> None:
    shown = {panel["title"] for panel in panels() for target in panel["targets"] if target.get("exemplar")}
    traced = {
        panel["title"]
        for panel in panels()
        for target in panel["targets"]
        if any(f"ostinato_{name}_bucket" in target["expr"] for name in WITH_EXEMPLARS)
    }
    (prometheus,) = provisioned("datasources/prometheus.yml")["datasources"]
    (traces,) = provisioned("datasources/traces.yml")["datasources"]

    assert shown == traced
    assert len(shown) == 4
    assert prometheus["jsonData"]["exemplarTraceIdDestinations"] == [
        {"name": "trace_id", "datasourceUid": traces["uid"]}
    ]


def test_every_query_keeps_to_the_models_and_servers_that_are_chosen() -> None:
    for panel in panels():
        for target in panel["targets"]:
            recorded_or_alerts = ":" in target["expr"] or "ALERTS" in target["expr"]
            assert recorded_or_alerts or 'instance=~"$instance"' in target["expr"], panel["title"]


def test_the_dashboard_is_mounted_where_the_provider_and_the_home_page_look() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    grafana = compose["services"]["grafana"]
    (provider,) = provisioned("dashboards/ostinato.yml")["providers"]
    folder = provider["options"]["path"]

    assert f"./{DASHBOARD.parent.relative_to(ROOT)}:{folder}:ro" in grafana["volumes"]
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/{DASHBOARD.name}"


def test_every_panel_has_a_title_a_description_and_a_unit() -> None:
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    everything = dashboard()["panels"]
    assert max(Counter(panel["id"] for panel in everything).values()) == 1
    for place in (panel["gridPos"] for panel in everything):
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(everything, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), f"{one['title']} covers {other['title']}"


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_every_panel_that_the_runbook_names_is_there() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    runbook = manual.partition("### Runbook")[2].partition("### Traces")[0]
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", runbook))

    assert len(named) >= 10
    assert named <= {panel["title"] for panel in panels()}


def test_the_four_golden_signals_are_shown() -> None:
    shown = " ".join(dashboard_queries().values())

    for metric in (
        "ostinato_requests_total",
        "ostinato_rpc_duration_seconds_count",
        "ostinato_time_to_first_token_seconds_bucket",
        "ostinato_inter_token_latency_seconds_bucket",
        "ostinato_e2e_request_latency_seconds_bucket",
        "ostinato_request_queue_time_seconds_bucket",
        "ostinato_requests_running",
        "ostinato_requests_waiting",
        "ostinato_batch_size_sum",
        "ostinato_step_duration_seconds_bucket",
        "ostinato_generated_tokens_total",
        "ostinato_rpc_duration_seconds_bucket",
        "ostinato_requests_parked",
        "ostinato_slots",
        "ostinato_queue_limit",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
    ):
        assert metric in shown
