"""What monitoring gets: names that hold, counts that never shrink, and rules and panels that ask for what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.system.door import Door, door
from tests.system.house import ROOT, sandbox, wait_for

MONITORING = ROOT / "config/monitoring"
_NAME = re.compile(r"\b(?:image_watcher|process)_[a-z_]+\b")
_UNITS = ("_seconds", "_bytes", "_total", "_info", "_dollars_total")
_PLAIN = {"limit", "flight", "open", "halted", "state", "polling", "fds"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with sandbox() as api, door(tmp_path_factory.mktemp("door"), api.base_url) as made:
        made.house.drop("cats.csv", "prompt\nA cat\n[fault:400] A dog\n")
        made.house.wait_over("cats.csv")
        yield made


def _values(place: Door) -> dict[str, dict[tuple[str, ...], float]]:
    """By name and label values; asked for until they are fresh."""
    text = place.client.get("/metrics").raise_for_status().text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def _names(place: Door) -> set[str]:
    """Every name that there is, also those that have no sample now."""
    text = place.client.get("/metrics").text
    return set(_values(place)) | set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def test_figures_are_those_of_the_ledger(place: Door) -> None:
    """Pictures, attempts, jobs and cost are what was made, asked and paid."""
    wait_for(lambda: _values(place)["image_watcher_jobs_open"][()] == 0)
    found = _values(place)
    assert found["image_watcher_pictures_total"][()] == 1
    assert found["image_watcher_attempts_total"] == {("answered",): 1, ("never",): 1}
    assert found["image_watcher_jobs_ended_total"]["partial",] == 1
    assert 0 < found["image_watcher_cost_dollars_total"][()] < 1
    assert found["image_watcher_inbox_state"]["main", "online"] == 1
    assert found["image_watcher_inbox_polling"]["main",] == 0
    assert found["image_watcher_events_total"]["item.delivered", "info"] == 1
    assert found["process_open_fds"][()] > 0


def test_rows_that_are_over_are_not_open(tmp_path: Path) -> None:
    """What is still to be done shrinks while a job runs."""
    with sandbox(latency="0.2") as api, door(tmp_path, api.base_url) as made:
        made.house.drop("many.csv", "prompt\n" + "A cat\n" * 300)
        wait_for(lambda: _values(made)["image_watcher_pictures_total"][()] > 3)
        found = _values(made)
        left = sum(found["image_watcher_rows_open"].values())
        assert 0 < left <= 300 - 3


def test_names_follow_the_conventions(place: Door) -> None:
    """One prefix, base units, counters end in _total: https://prometheus.io/docs/practices/naming/"""
    names = {name for name in _values(place) if not name.startswith("process_")}
    assert all(name.startswith("image_watcher_") for name in names)
    odd = [n for n in names if not n.endswith(_UNITS) and n.rpartition("_")[2] not in _PLAIN]
    assert odd == []


def test_what_strangers_ask_for_makes_no_series(place: Door) -> None:
    """A thousand paths are one line of the figures."""
    for number in range(50):
        place.client.get(f"/nothing-{number}")
    routes = {labels[0] for labels in _values(place).get("image_watcher_http_answers_total", {})}
    assert not any("nothing" in route for route in routes)


@pytest.mark.parametrize("file", ["alerts.yaml", "grafana-dashboard.json"])
def test_rules_and_panels_ask_for_what_there_is(place: Door, file: str) -> None:
    """Every name in them is one that /metrics tells."""
    asked = set(_NAME.findall((MONITORING / file).read_text("utf-8")))
    assert len(asked) > 5
    assert asked - _names(place) == set()


def test_alert_rules_are_rules() -> None:
    """Each has a name of its own, an expression, a severity, and words for who is woken by it."""
    (group,) = yaml.safe_load((MONITORING / "alerts.yaml").read_text("utf-8"))["groups"]
    rules = group["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_each_alert_is_on_the_operators_page() -> None:
    """What to do about an alert can be looked up under its name."""
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]
    assert [rule["alert"] for rule in rules if f"`{rule['alert']}`" not in text] == []


def test_each_figure_is_described(place: Door) -> None:
    """Every name of ours stands on the operators' page."""
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    names = {name for name in _names(place) if name.startswith("image_watcher_")}
    assert sorted(name for name in names if name.removesuffix("_total") not in text) == []


@pytest.mark.parametrize("name", ["dashboard", "openapi"])
def test_files_that_are_made_are_fresh(name: str) -> None:
    """They say what their program says; else: make docs."""
    made = run_path(str(ROOT / f"docs/make_{name}.py"))
    assert made["page"]() == Path(made["PAGE"]).read_text("utf-8")


def test_the_dashboard_is_one() -> None:
    """No two panels lie over each other, and each has something to show."""
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text("utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert panel["targets"]
        taken |= cells
