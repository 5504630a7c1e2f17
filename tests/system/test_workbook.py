"""Spreadsheet back: who dropped a workbook finds one beside the results, while the job runs and at its end."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
from tests.core.report_values import HARM
from tests.system.house import INBOX, house, prompts_csv, sandbox, wait_for

ALWAYS = {"inboxes": {INBOX: {"results_xlsx": "always"}}}


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in rows:
        sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def results(folder: Path) -> Any:  # noqa: ANN401 - its pictures have no public name
    return openpyxl.load_workbook(folder / "results.xlsx")["Results"]


def column(folder: Path, name: str) -> list[object]:
    header, *rows = results(folder).iter_rows(values_only=True)
    return [row[header.index(name)] for row in rows]


def test_a_dropped_workbook_comes_back_as_one(tmp_path: Path) -> None:
    """In row order, with a thumbnail and a link in each row, the author's numbers still numbers; it is
    there while the job runs. A dropped CSV brings none.
    """
    content = workbook(
        ("sku", "price", "prompt"), *((f"a{at}", at / 2, f"a mug {at}") for at in range(1, 9))
    )
    with sandbox(latency="0.4") as api, house(tmp_path / "house", api.base_url) as home:
        home.drop("mugs.xlsx", content)
        running = wait_for(lambda: home.job("mugs.xlsx"), what="the job shows")
        wait_for((running.folder / "results.xlsx").exists, what="a workbook while it runs")
        assert column(running.folder, "sku") == [f"a{at}" for at in range(1, 9)]
        job = home.wait_over("mugs.xlsx")
        assert column(job.folder, "price") == [at / 2 for at in range(1, 9)]
        assert column(job.folder, "result_status") == ["done"] * 8
        assert column(job.folder, "result_files") == [row["result_files"] for row in job.rows]
        assert len(results(job.folder)._images) == 8
        home.drop("plain.csv", prompts_csv(["a cup"]))
        assert not (home.wait_over("plain.csv").folder / "results.xlsx").exists()


def test_hostile_rows_are_text_in_every_table(tmp_path: Path) -> None:
    """200 of them: no cell of results.csv, failed.csv or results.xlsx begins as a formula does."""
    harm = [
        text.replace("\0", "").replace("\x1b", "") for text in HARM
    ]  # drops with these are refused
    texts = [*harm, "=1+1", "+1+cmd|'/c calc'!A1", "-2+3", "@SUM(1)", "\t=1", "\uff1d1+1"]
    prompts = [texts[at % len(texts)] for at in range(200)]
    faults = ("moderation 30%",)
    with (
        sandbox(faults=faults) as api,
        house(tmp_path / "house", api.base_url, ALWAYS) as home,
    ):
        home.drop("hostile.json", json.dumps([{"prompt": text, "note": text} for text in prompts]))
        job = home.wait_over("hostile.json")
        cells = [str(cell) for row in job.rows for cell in row.values()]
        failed = (job.folder / "failed.csv").read_text("utf-8-sig")
        cells += [cell for row in csv.reader(io.StringIO(failed, newline="")) for cell in row]
        sheet = results(job.folder)
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
        cells += [str(cell) for row in sheet.iter_rows(values_only=True) for cell in row]
        runs = [cell for cell in cells if cell.lstrip()[:1] in tuple("=+@\uff1d")]
        assert (len(job.rows), runs) == (200, [])
