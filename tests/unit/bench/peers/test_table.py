from pathlib import Path
from typing import Any

import pytest

from ostinato_bench.peers.results import Record, mean
from ostinato_bench.peers.table import BEGIN, END, section, splice


def run(rate: float) -> dict[str, Any]:
    latency = {"p50": 0.002, "p90": 0.003, "p99": 0.0456}
    return {
        "tokens_per_second": rate,
        "requests_per_second": rate,
        "time_to_first_token_seconds": latency,
        "inter_token_latency_seconds": {"p50": None, "p90": None, "p99": None},
        "end_to_end_seconds": latency,
        "failed": 1,
        "rejected": 2,
        "generator_cpu_share": 0.25,
    }


def rounds(*rates: float) -> list[dict[str, Any]]:
    return [{name: run(rate) for name in ("generation_1", "generation_64", "sentiment_64")} for rate in rates]


def record(name: str, *rates: float, reason: str = "") -> Record:
    return Record(
        name=name,
        when="2026-01-02T03:04:05+00:00",
        configuration={"threads": 2, "packages": ["litserve", "absent"]},
        versions={"litserve": "0.2"},
        rounds=rounds(*rates),
        beside={"ostinato-int8": rounds(4000, 6000), "ostinato-onnx": rounds(1000)},
        reason=reason,
    )


def row(text: str, title: str, heading: str) -> list[str]:
    after = text.split(f"### {heading}")[1]
    line = next(line for line in after.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_figures_are_means_over_rounds_and_ratios_are_to_ostinato_in_the_same_run() -> None:
    text = section({"litserve": record("litserve", 1000, 3000)})
    assert row(text, "LitServe", "Generation, 64") == [
        *["LitServe", "continuous", "2,000", "2.50 x", "0.50 x", "2 / 45.6", "- / -", "6", "25%"]
    ]


def test_setup_shows_threads_versions_and_the_time_of_the_run() -> None:
    text = section({"litserve": record("litserve", 1000)})
    assert row(text, "LitServe", "How each")[2:5] == ["2", "litserve 0.2", "2026-01-02 03:04"]


def test_a_server_that_could_not_be_measured_says_why_and_has_no_figures() -> None:
    text = section({"ray": record("ray", reason="no such version")})
    assert row(text, "Ray Serve", "Generation, 64")[2:4] == ["not measured: no such version", "-"]
    assert "Ray Serve" not in text.split("### Sentiment")[1].split("###")[0]


def test_servers_come_in_the_order_of_the_catalogue() -> None:
    text = section({name: record(name, 1000) for name in ("ray", "ostinato-int8", "triton")})
    assert text.index("Ostinato, int8") < text.index("Triton") < text.index("Ray Serve")


def test_splice_replaces_only_what_is_between_the_marks() -> None:
    assert splice(f"# A\n{BEGIN}\nold\n{END}\ntail\n", "new") == f"# A\n{BEGIN}\nnew\n{END}\ntail\n"


def test_splice_appends_where_there_are_no_marks() -> None:
    assert splice("# A\n", "new") == f"# A\n\n{BEGIN}\nnew\n{END}\n"


@pytest.mark.parametrize("document", [f"{BEGIN}\n", f"{END}\n", f"{END}\n{BEGIN}\n"])
def test_splice_refuses_marks_that_enclose_nothing(document: str) -> None:
    with pytest.raises(ValueError, match="do not enclose"):
        splice(document, "new")


def test_mean_is_nothing_where_a_round_lacks_the_figure() -> None:
    assert mean([{"a": {"b": 1}}, {"a": {"b": 2}}], "a", "b") == 1.5
    assert mean([{"a": {"b": 1}}, {"a": {"b": None}}], "a", "b") is None
    assert mean([], "a") is None


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    written = record("litserve", 1000)
    written.write(tmp_path)
    assert Record.read(tmp_path / "litserve.json") == written
