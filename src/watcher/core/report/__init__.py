"""What people and programs get to see of a job, as text: spreadsheets, summary, notes, gallery.

Values in, pieces of text out, one at a time: a job of a million rows takes no more memory than one
of ten. Nothing that a row says becomes a formula, markup or script in any of them.
"""

from watcher.core.report.cells import defused, undefused
from watcher.core.report.gallery import gallery_html
from watcher.core.report.notes import duplicate_note, refused_note, status_note, waiting_note
from watcher.core.report.overview import overview_html
from watcher.core.report.spreadsheet import RESULT_COLUMNS, failed_csv, results_csv
from watcher.core.report.summary import job_json, json_text, results_jsonl

__all__ = [
    "RESULT_COLUMNS",
    "defused",
    "duplicate_note",
    "failed_csv",
    "gallery_html",
    "job_json",
    "json_text",
    "overview_html",
    "refused_note",
    "results_csv",
    "results_jsonl",
    "status_note",
    "undefused",
    "waiting_note",
]
