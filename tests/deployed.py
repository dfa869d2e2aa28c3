"""What ``deploy/`` asks of Prometheus: the queries of its rules and of its dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "ostinato.json"

_VARIABLES = {"$model": ".*", "$instance": ".*", "$__rate_interval": "1m"}
"""Values of the dashboard's variables."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def rules() -> list[dict[str, Any]]:
    """Every recording and alert rule."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    read: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return read


def dashboard_queries() -> dict[str, str]:
    """Every query of the dashboard, its variables filled in, by panel title and reference."""
    return {
        f"{panel['title']} {target['refId']}": _filled_in(target["expr"])
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    }


def _filled_in(query: str) -> str:
    for variable, value in _VARIABLES.items():
        query = query.replace(variable, value)
    return query


def queries() -> list[str]:
    """The queries of rules and dashboard, and those behind the dashboard's variables."""
    variables = [variable["definition"] for variable in dashboard()["templating"]["list"]]
    return [*(rule["expr"] for rule in rules()), *dashboard_queries().values(), *variables]


def metric_names(query: str) -> set[str]:
    """Metrics of this project that a query names: exported ones, and recorded ones (with colons)."""
    return {name for name in _NAME.findall(_STRING.sub('""', query)) if "ostinato" in name}


def objectives(query: str) -> set[tuple[str, str]]:
    """Histogram and upper edge of every bucket that a query picks."""
    return set(re.findall(r'(ostinato_\w+_bucket)\{[^}]*le="([^"]*)"', query))
