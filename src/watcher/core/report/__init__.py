"""What people and programs get to see of a job, as text: spreadsheets, summary, notes, gallery.

Values in, pieces of text out, one at a time: a job of a million rows takes no more memory than one
of ten. Nothing that a row says becomes a formula, markup or script in any of them.
"""

from watcher.core.report.cells import defused, undefused
from watcher.core.report.gallery import gallery_html, thumbnail_of
from watcher.core.report.notes import (
    duplicate_note,
    no_room_note,
    order_in_vain_note,
    refused_note,
    status_note,
    unknown_note,
    waiting_note,
)
from watcher.core.report.overview import COVERS, overview_html
from watcher.core.report.sheet import (
    MOST_ROWS,
    Cell,
    SheetRow,
    sheet_columns,
    sheet_rows,
    summary_lines,
    wants_workbook,
)
from watcher.core.report.spreadsheet import RESULT_COLUMNS, failed_csv, results_csv
from watcher.core.report.summary import job_json, json_text, results_jsonl
from watcher.core.report.trace import trace

__all__ = [
    "COVERS",
    "MOST_ROWS",
    "RESULT_COLUMNS",
    "Cell",
    "SheetRow",
    "defused",
    "duplicate_note",
    "failed_csv",
    "gallery_html",
    "job_json",
    "json_text",
    "no_room_note",
    "order_in_vain_note",
    "overview_html",
    "refused_note",
    "results_csv",
    "results_jsonl",
    "sheet_columns",
    "sheet_rows",
    "status_note",
    "summary_lines",
    "thumbnail_of",
    "trace",
    "undefused",
    "unknown_note",
    "waiting_note",
    "wants_workbook",
]
