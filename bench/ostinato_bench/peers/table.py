"""The tables in ``docs/benchmarks.md``, made of the results files and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ostinato_bench.peers.catalog import OSTINATO, PEERS, Server
from ostinato_bench.peers.results import Record, Run, mean

BEGIN = "<!-- bench-peers: begin; written by `make bench-peers` -->"
END = "<!-- bench-peers: end -->"
NONE = "-"
INT8, ONNX = (server.name for server in OSTINATO)


def splice(document: str, section: str) -> str:
    """Puts a section between its marks, or with them at the end where a document has none.

    Raises:
        ValueError: One mark is there and the other is not, or they are out of order.
    """
    begin, end = document.find(BEGIN), document.find(END)
    if begin < 0 and end < 0:
        return f"{document.rstrip()}\n\n{BEGIN}\n{section}\n{END}\n".lstrip()
    if begin < 0 or end < begin:
        raise ValueError(f"the marks {BEGIN!r} and {END!r} do not enclose a section")
    return f"{document[:begin]}{BEGIN}\n{section}\n{document[end:]}"


def section(records: Mapping[str, Record]) -> str:
    """Every table, for the servers that have results."""
    measured = [server for server in (*OSTINATO, *PEERS) if server.name in records]
    parts = [_generation(measured, records), _single(measured, records), _sentiment(measured, records)]
    if any(server.runtime for server in measured):
        parts.append(_own(measured, records))
    parts.append(_setup(measured, records))
    return "\n\n".join(parts)


def _generation(servers: Sequence[Server], records: Mapping[str, Record]) -> str:
    rows = []
    for server in servers:
        record = records[server.name]
        if record.reason:
            rows.append([server.title, server.batching, f"not measured: {record.reason}", *[NONE] * 6])
            continue
        run = "generation_64"
        rows.append(
            [
                server.title,
                server.batching,
                _number(mean(record.rounds, run, "tokens_per_second")),
                _ratio(record, INT8, run),
                _ratio(record, ONNX, run),
                _pair(record.rounds, run, "time_to_first_token_seconds"),
                _pair(record.rounds, run, "inter_token_latency_seconds"),
                _failed(record.rounds, run),
                _share(record.rounds, run),
            ]
        )
    headings = [
        "server",
        "batching",
        "characters/s",
        "Ostinato int8 is",
        "Ostinato fp32 is",
        "first character, ms, p50 / p99",
        "between characters, ms, p50 / p99",
        "failed",
        "client's share of a core",
    ]
    return "### Generation, 64 streams of 500 characters\n\n" + _table(headings, rows, left=2)


def _single(servers: Sequence[Server], records: Mapping[str, Record]) -> str:
    run = "generation_1"
    rows = [
        [
            server.title,
            _number(mean(records[server.name].rounds, run, "tokens_per_second")),
            _pair(records[server.name].rounds, run, "time_to_first_token_seconds"),
            _pair(records[server.name].rounds, run, "inter_token_latency_seconds"),
            _failed(records[server.name].rounds, run),
        ]
        for server in servers
        if not records[server.name].reason
    ]
    headings = [
        "server",
        "characters/s",
        "first character, ms, p50 / p99",
        "between characters, ms, p50 / p99",
        "failed",
    ]
    return "### Generation, 1 stream of 500 characters\n\n" + _table(headings, rows)


def _sentiment(servers: Sequence[Server], records: Mapping[str, Record]) -> str:
    run = "sentiment_64"
    rows = [
        [
            server.title,
            _number(mean(records[server.name].rounds, run, "requests_per_second")),
            _ratio(records[server.name], INT8, run),
            _ratio(records[server.name], ONNX, run),
            _pair(records[server.name].rounds, run, "end_to_end_seconds"),
            _failed(records[server.name].rounds, run),
        ]
        for server in servers
        if not records[server.name].reason
    ]
    headings = ["server", "requests/s", "Ostinato int8 is", "Ostinato fp32 is", "request, ms, p50 / p99", "failed"]
    return "### Sentiment, 64 calls in flight, a text of 63 tokens each\n\n" + _table(headings, rows)


def _own(servers: Sequence[Server], records: Mapping[str, Record]) -> str:
    rows = []
    for server in servers:
        rounds = records[server.name].rounds
        if not server.runtime or records[server.name].reason:
            continue
        for what, alone, together in (
            ("texts/s: single calls, calls with 64 texts", "sentiment_64", "sentiment_batches"),
            ("target tokens/s: 1 sentence at a time, 64 at once", "translation_1", "translation_64"),
        ):
            one, many = (mean(rounds, run, "tokens_per_second") for run in (alone, together))
            rows.append([server.title, what, _number(one), _number(many), _times(many, one)])
    headings = ["server", "what", "first", "second", "ratio"]
    return "### Ostinato alone\n\n" + _table(headings, rows, left=2)


def _setup(servers: Sequence[Server], records: Mapping[str, Record]) -> str:
    rows = []
    for server in servers:
        record = records[server.name]
        shown = [name for name in record.configuration.get("packages", ()) if name in record.versions]
        rows.append(
            [
                server.title,
                server.transport,
                str(record.configuration.get("threads", NONE)),
                ", ".join(f"{name} {record.versions[name]}" for name in shown) or NONE,
                record.when[:16].replace("T", " "),
                server.note or NONE,
            ]
        )
    headings = ["server", "client speaks", "threads of a step", "versions", "run", "note"]
    return "### How each was set up\n\n" + _table(headings, rows, left=6)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    rule = ["---"] * left + ["---:"] * (len(headings) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows))


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def _times(value: float | None, base: float | None) -> str:
    return NONE if value is None or not base else f"{value / base:.2f} x"


def _ratio(record: Record, ostinato: str, run: str) -> str:
    rate = "tokens_per_second"
    return _times(mean(record.beside.get(ostinato, ()), run, rate), mean(record.rounds, run, rate))


def _pair(rounds: Sequence[Run], run: str, measure: str) -> str:
    values = (mean(rounds, run, measure, name) for name in ("p50", "p99"))
    return " / ".join(NONE if value is None else _milliseconds(value * 1000) for value in values)


def _milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _failed(rounds: Sequence[Run], run: str) -> str:
    return str(sum(each[run]["failed"] + each[run]["rejected"] for each in rounds if run in each))


def _share(rounds: Sequence[Run], run: str) -> str:
    share = mean(rounds, run, "generator_cpu_share")
    return NONE if share is None else f"{share:.0%}"
