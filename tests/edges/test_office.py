"""What an office program makes of the results: `make test-office` installs one; skipped without it."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from itertools import cycle, islice
from pathlib import Path

import pytest
from PIL import Image
from tests.core.report_values import BEGUN, HARM, done, failed, job

from watcher.core.jobs import JobState
from watcher.core.report import results_csv
from watcher.outbox import Outbox, Workbooks, look_at_picture

OFFICE = shutil.which("soffice") or ""
FOLDER = "mugs--2r2kb9sgzdg69"
# Comma, quote, UTF-8, first line 1, cells as they are shown, every column but figures as text.
# https://help.libreoffice.org/latest/en-US/text/shared/guide/csv_params.html
AS_TEXT = "44,34,76,1,{columns},0,false,true,false,false,false"

pytestmark = pytest.mark.skipif(not OFFICE, reason="no office program here: make test-office")


def opened(file: Path, into: Path, columns: int) -> list[list[str]]:
    """The cells as the program sees them, saved by itself as CSV."""
    as_text = AS_TEXT.format(columns="/".join(f"{at}/2" for at in range(1, columns + 1)))
    command = [OFFICE, f"-env:UserInstallation=file://{into}/profile", "--headless", "--norestore"]
    if file.suffix == ".csv":
        command.append(f"--infilter=CSV:{as_text}")
    saved = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,1"
    run = subprocess.run(
        [*command, "--convert-to", saved, "--outdir", str(into), str(file)],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    (made,) = into.glob(f"{file.stem}*.csv")
    assert "repair" not in run.stderr.lower()
    text = made.read_text("utf-8-sig")
    made.unlink()
    return list(csv.reader(io.StringIO(text, newline="")))


def test_both_files_open_as_the_same_cells(tmp_path: Path) -> None:
    """200 hostile rows with pictures: results.csv and results.xlsx open without a question, show the
    same text, and nothing in them runs.
    """
    outbox = Outbox(tmp_path / "outbox")
    outbox.create()
    outbox.prepare(FOLDER)
    sink = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(sink, "PNG")
    content = sink.getvalue()
    shown = outbox.save_picture(FOLDER, "mug-1", 1, content, look_at_picture(content))
    texts = [
        text.replace("\0", "").replace("\x1b", "") for text in (*HARM, "=1+1", "@SUM(1)", "a\nb")
    ]
    rows = [done(at, values=(text, f"=cmd|'/c calc'!A{at}"), pictures=(shown,))
            for at, text in enumerate(islice(cycle(texts), 199), start=1)]  # fmt: skip
    rows.append(failed(200))
    one = job(rows, state=JobState.DONE)
    outbox.write_text(FOLDER, "results.csv", results_csv(one, rows))
    books = Workbooks(tmp_path / "sheets", monotonic=lambda: 0.0)
    books.write(outbox, one, rows, now=BEGUN)
    folder = outbox.root / FOLDER
    width = len(one.columns) + 14
    by_csv = opened(folder / "results.csv", tmp_path / "csv", width)
    by_xlsx = opened(folder / "results.xlsx", tmp_path / "xlsx", width)
    assert len(by_csv) == 201
    figures = {
        by_csv[0].index(name) for name in ("result_cost_usd", "result_seconds", "result_attempts")
    }
    for plain, sheet in zip(by_csv, by_xlsx, strict=True):
        for at, (left, right) in enumerate(zip(plain, sheet[1:], strict=True)):
            if at in figures and left and not left.startswith("result_"):
                assert float(left) == float(right)
            else:
                assert left == right
