"""The way of a drop, through the real process: taken once when whole, read right, archived, and told of."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest
from PIL import Image
from tests.core import test_parsing_workbook as xlsx
from tests.system.house import (
    SLOW_MODES,
    House,
    Job,
    Sandbox,
    Values,
    house,
    noticing,
    prompts_csv,
    sandbox,
    wait_for,
)

from watcher.core.report import RESULT_COLUMNS
from watcher.sandbox import read_description

FRENCH = (
    "Une théière en céramique bleue, façon « Côte d'Azur », à 20 €",
    "Cœur brisé: l'été où Noël tomba sur la grève",
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A running daemon that several tests drop into, each under names of its own."""

    api: Sandbox
    home: House

    def paid(self) -> dict[str, int]:
        found: dict[str, int] = self.api.stats()["paid_by_prompt"]
        return found

    def calls(self) -> int:
        return int(self.api.stats()["calls"])


@pytest.fixture(scope="module", params=SLOW_MODES)
def quick(request: pytest.FixtureRequest) -> Values:
    """Settings with which drops are noticed soon, in both ways."""
    return noticing(request.param, {"api": {"retry": {"base": 0.05, "longest": 0.2}}})


@pytest.fixture(scope="module")
def place(quick: Values, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with (
        sandbox() as api,
        house(tmp_path_factory.mktemp("drops"), api.base_url, quick) as home,
    ):
        home.drop("mail/letter.docx", b"whatever")  # such a name is told of after ten seconds
        home.drop("kinds/seen.csv", prompts_csv(["a look was taken"]))
        home.wait_over("seen.csv")
        home.drop("later.docx", b"another stranger")
        yield Place(api=api, home=home)
        assert not home.events("item.broken")
        assert not home.events("inbox.broken")


def archived(home: House, shelf: str = "done") -> list[str]:
    """Every file in an archive, as `<job>/<path>`; the month is checked and left out."""
    files = [file for file in (home.inbox / shelf).rglob("*") if file.is_file()]
    names = [str(file.relative_to(home.inbox / shelf)) for file in files]
    assert all(re.match(r"\d{4}-\d\d/", name) for name in names)
    return sorted(name[8:] for name in names)


def wait_note(home: House, name: str, beginning: str) -> str:
    def found() -> str:
        note = home.note(name)
        return note if note.startswith(beginning) else ""

    return wait_for(found, 20, f"the note of {name} begins with {beginning!r}: {home.note(name)}")


def prompts_of(job: Job) -> list[str]:
    return [record["result_prompt"] for record in job.records]


# Taken once, when whole


def test_what_lies_there_before_the_start_is_taken(quick: Values, tmp_path: Path) -> None:
    """Files of the time before the start, in the inbox and in a folder of it, are taken once."""
    with sandbox() as api, house(tmp_path, api.base_url, quick, start=False) as home:
        home.drop("early.csv", prompts_csv(["one", "two"]))
        home.drop("spring/early too.csv", prompts_csv(["three"]))
        home.start()
        assert home.wait_over("early.csv").statuses == ["done"] * 2
        assert home.wait_over("early too.csv").statuses == ["done"]
        assert api.stats()["calls"] == 3
        home.restart()
        home.drop("late.csv", prompts_csv(["four"]))
        home.wait_over("late.csv")
        assert (len(home.jobs()), api.stats()["calls"]) == (3, 4)


def test_a_file_that_is_held_open_is_left_alone(place: Place) -> None:
    """While somebody has it open for writing nothing is taken; then all of it is, once."""
    home, prompts = place.home, [f"held open {at}" for at in range(6)]
    before = place.calls()
    with (home.inbox / "slow.csv").open("w") as file:
        file.write(prompts_csv(prompts[:3]).replace("\r", ""))
        file.flush()
        for name in ("meanwhile.txt", "a while later.txt"):  # it was looked at more than once
            home.drop(name, f"made {name}")
            home.wait_over(name)
        assert home.job("slow.csv") is None
        file.writelines(f"{prompt}\n" for prompt in prompts[3:])
    job = home.wait_over("slow.csv")
    assert prompts_of(job) == prompts
    assert place.calls() - before == 6 + 2


def test_a_file_that_is_appended_to_is_left_alone(place: Place) -> None:
    """Opened, written and closed again and again, as some programs do: taken when that ends."""
    home, prompts = place.home, [f"appended {at}" for at in range(12)]
    file, pause = home.inbox / "appended.csv", threading.Event()
    file.write_text("prompt\n")
    for prompt in prompts:
        pause.wait(0.08)  # the pace of the writer
        with file.open("a") as opened:
            opened.write(f"{prompt}\n")
    assert prompts_of(home.wait_over("appended.csv")) == prompts
    assert [job for job in home.jobs() if job.summary["name"] == "appended.csv"] != []
    assert all(place.paid()[prompt] == 1 for prompt in prompts)


def test_many_files_renamed_in_are_each_taken_once(quick: Values, tmp_path: Path) -> None:
    """More files than are looked at together: each becomes one job, none two."""
    count = 60
    with (
        sandbox() as api,
        house(tmp_path, api.base_url, {**quick, "limits": {"concurrency": 16}}) as home,
    ):
        for at in range(count):
            home.drop(f"{at}.txt", f"picture {at}\n")
        wait_for(lambda: len(archived(home)) == count, 120, "all are archived")
        assert api.stats()["calls"] == count
        assert set(api.stats()["calls_by_prompt"].values()) == {1}
        assert home.events("lane.halted") == []


# Every kind

KINDS: dict[str, str | bytes] = {
    "list.csv": "name,prompt\na,csv one\nb,csv two\n",
    "list.tsv": "name\tprompt\na\ttsv one\nb\ttsv two\n",
    "list.json": '[{"Text": "json one"}, {"Text": "json two", "n": "1"}]',
    "list.jsonl": '{"prompt": "jsonl one"}\n{"prompt": "jsonl two"}\n',
    "list.ndjson": '{"prompt": "ndjson one"}\n\n{"prompt": "ndjson two"}',
    "list.yaml": "defaults: {quality: low}\nrows:\n- prompt: yaml one\n- prompt: yaml two\n",
    "list.yml": "- prompt: yml one\n- yml two\n",
    "one.prompt": "---\nsize: 1536x1024\n---\nprompt one,\nin two lines\n",
    "one.md": "# md one\n\nA heading and a paragraph.\n",
    "list.txt": "# a comment\ntxt one\n\ntxt two\n",
    "list.xlsx": xlsx.workbook(
        xlsx.row(1, xlsx.cell("A1", "Prompt"), xlsx.cell("B1", "N"))
        + xlsx.row(2, xlsx.cell("A2", "xlsx one"))
        + xlsx.row(3, xlsx.cell("A3", "xlsx two"), xlsx.cell("B3", 2)),
    ),
}  # fmt: skip


def test_every_kind_is_read(place: Place) -> None:
    """Each kind of file becomes its rows, with the prompts as they were written."""
    home = place.home
    for name, content in KINDS.items():
        home.drop(f"kinds/{name}", content)
    expected = {
        "one.prompt": ["prompt one,\nin two lines"],
        "one.md": ["# md one\n\nA heading and a paragraph."],
    }
    for name in KINDS:
        kind = name.partition(".")[2]
        job = home.wait_over(name)
        assert prompts_of(job) == expected.get(name, [f"{kind} one", f"{kind} two"]), name
        assert set(job.statuses) == {"done"}
    assert home.wait_over("one.prompt").records[0]["result_parameters"]["size"] == "1536x1024"
    assert home.wait_over("list.yaml").records[0]["result_parameters"]["quality"] == "low"
    assert len(home.wait_over("list.xlsx").pictures) == 3


# Dropped again


def test_dropped_twice_costs_nothing(place: Place) -> None:
    """The same bytes again: nothing is made, nothing is paid, and the note says where it all is."""
    home, text = place.home, prompts_csv(["twice one", "twice two"])
    home.drop("twice.csv", text)
    first = home.wait_over("twice.csv")
    before = place.calls()
    home.drop("twice.csv", text)
    note = wait_note(home, "twice.csv", "the same file again")
    assert "nothing is paid" in note
    assert str(first.folder) in note
    home.drop("under another name.csv", text)
    assert "nothing is paid" in wait_note(home, "under another name.csv", "the same file again")
    wait_for(lambda: len([n for n in archived(home) if n.endswith("/twice.csv")]) == 2)
    assert place.calls() == before
    assert [job.folder for job in home.jobs() if "twice" in job.folder.name] == [first.folder]


def test_dropped_while_it_runs(quick: Values, tmp_path: Path) -> None:
    """The same bytes while they are being worked: told so, and nothing is asked for twice."""
    text = prompts_csv([f"running {at}" for at in range(8)])
    with (
        sandbox(latency="0.5") as api,
        house(tmp_path, api.base_url, {**quick, "limits": {"concurrency": 2}}) as home,
    ):
        home.drop("first.csv", text)
        wait_for(lambda: home.job("first.csv"), what="it runs")
        home.drop("second.csv", text)
        assert "is being worked on" in wait_note(home, "second.csv", "the same file again")
        assert home.wait_over("first.csv").statuses == ["done"] * 8
        assert api.stats()["calls"] == 8


def test_dropped_again_after_failures(place: Place) -> None:
    """Some rows failed: the same file again runs those only, and the results are whole after it."""
    home = place.home
    prompts = ["again one", "again two [fault:500x4]", "again three"]
    home.drop("partly.csv", prompts_csv(prompts))
    first = home.wait_over("partly.csv")
    assert first.statuses == ["done", "failed", "done"]
    before = place.calls()
    home.drop("partly.csv", prompts_csv(prompts))
    wait_note(home, "partly.csv", "done: 3 of 3 rows")
    assert place.calls() == before + 1
    assert first.statuses == ["done"] * 3
    assert len(first.pictures) == 3
    assert first.summary["state"] == "done"


def test_the_folder_again_makes_everything_anew(place: Place) -> None:
    """`again/` in the inbox: the same bytes are worked as if they had never been seen."""
    home, text = place.home, prompts_csv(["anew one", "anew two"])
    home.drop("anew.csv", text)
    first = home.wait_over("anew.csv")
    before = place.calls()
    home.drop("again/anew.csv", text)
    second = wait_for(
        lambda: next((j for j in home.jobs() if "anew" in j.folder.name and j.folder != first.folder), None)
    )  # fmt: skip
    wait_for(lambda: second.is_over)
    assert second.statuses == ["done"] * 2
    assert place.calls() - before == 2
    wait_note(home, "again/anew.csv", "done")


def test_failed_rows_are_corrected_and_dropped(place: Place) -> None:
    """failed.csv holds the rows that need a person; corrected and dropped, only those run."""
    home = place.home
    home.drop("wrong.csv", "sku;prompt;size\nA;wrong one;1024x1024\nB;wrong two;banana\nC;;auto\n")
    first = home.wait_over("wrong.csv")
    assert first.statuses == ["done", "failed", "failed"]
    failed = (first.folder / "failed.csv").read_text("utf-8-sig")
    assert [line.split(";")[0] for line in failed.splitlines()] == ["sku", "B", "C"]
    before = place.calls()
    home.drop("failed.csv", failed.replace("banana", "1536x1024").replace("C;;", "C;wrong three;"))
    second = home.wait_over("failed.csv")
    assert second.statuses == ["done", "done"]
    assert place.calls() - before == 2
    assert [row["sku"] for row in second.rows] == ["B", "C"]
    assert sorted(file.name for file in second.pictures) == ["B-1.png", "C-1.png"]


def test_each_row_by_its_own_names(place: Place) -> None:
    """Rows of one JSON file may call a field differently; so may those of its failed.csv."""
    home = place.home
    rows = [
        {"prompt": "by its own name", "count": 1},
        {"Text": "by another", "n": 2},
        {"description": "by a third", "size": "banana"},
    ]
    home.drop("names.json", json.dumps(rows))
    first = home.wait_over("names.json")
    assert first.statuses == ["done", "done", "failed"]
    assert prompts_of(first)[:2] == ["by its own name", "by another"]
    assert len(first.pictures) == 3
    failed = (first.folder / "failed.csv").read_text("utf-8-sig")
    home.drop("names failed.csv", failed.replace("banana", "1024x1024"))
    assert prompts_of(home.wait_over("names failed.csv")) == ["by a third"]


def test_results_can_be_dropped_again(place: Place) -> None:
    """results.csv is defused for spreadsheets, and says the author's own words when it comes back."""
    home, prompts = place.home, ["=1+1 apples", "-red- fox", "@home", "'quoted' start", "+5"]
    sink = io.StringIO(newline="")
    writer = csv.writer(sink)
    writer.writerow(["=cmd", "prompt"])
    writer.writerows([f"={at}", prompt] for at, prompt in enumerate(prompts))
    home.drop("formulas.csv", sink.getvalue())
    first = home.wait_over("formulas.csv")
    text = (first.folder / "results.csv").read_text("utf-8-sig")
    for cells in csv.reader(io.StringIO(text, newline="")):
        assert not any(re.match(r"[=@\t\r]|[+-](?!\d+$)", cell) for cell in cells), cells
    home.drop("again/results.csv", (first.folder / "results.csv").read_bytes())
    second = home.wait_over("results.csv")
    assert prompts_of(second) == prompts
    assert second.summary["columns"][:2] == ["=cmd", "prompt"]
    assert [record["=cmd"] for record in second.records] == [f"={at}" for at in range(5)]
    assert list(second.rows[0]) == list(first.rows[0])


# Excel in French

SAVED = {
    "cp1252": ("cp1252", ""),
    "utf-8 with BOM": ("utf-8-sig", ""),
    "utf-8": ("utf-8", ""),
    "utf-16": ("utf-16", ""),
    "utf-16 without BOM": ("utf-16-le", ""),
    "sep line, cp1252": ("cp1252", "sep=;\r\n"),
    "sep line, utf-8 with BOM": ("utf-8-sig", "sep=;\r\n"),
    "mac": ("mac_roman", ""),
}


@pytest.mark.parametrize("saved", SAVED)
def test_a_french_spreadsheet_is_read_right_or_refused(place: Place, saved: str) -> None:
    """Never a garbled prompt that is paid for: the text is right, or the file is refused in words."""
    encoding, first_line = SAVED[saved]
    name = f"excel {saved}.csv"
    prompts = [f"{prompt} ({saved})" for prompt in FRENCH]
    lines = "".join(f'{at};"{prompt}";;\r\n' for at, prompt in enumerate(prompts))
    before = set(place.paid())
    place.home.drop(name, f"{first_line}Référence;Prompt;;\r\n{lines};;;\r\n".encode(encoding))

    def ended() -> bool:
        job = place.home.job(name)
        return bool(job and job.is_over) or place.home.note(name).startswith("refused")

    wait_for(ended, 30, f"{name} is worked or refused")
    paid = set(place.paid()) - before
    if place.home.job(name) is None:
        assert paid == set()
        assert saved in ("mac", "utf-16 without BOM")
        return
    assert paid == set(prompts)
    job = place.home.wait_over(name)
    assert [row["Référence"] for row in job.rows] == ["0", "1"]
    for picture, prompt in zip(job.pictures, prompts, strict=True):
        assert read_description(picture.read_bytes()) == prompt
    if encoding == "cp1252":
        assert (
            "windows-1252" in job.summary["notes"][0].lower() or "cp1252" in job.summary["notes"][0]
        )


# What cannot be read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("noise.csv", bytes(range(256)) * 40),
        ("noise.json", bytes(range(255, -1, -1)) * 40),
        ("noise.xlsx", b"PK\x03\x04" + bytes(range(256)) * 8),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(2000)),
        ("header only.csv", b"prompt,size\r\n"),
        ("broken.json", b'[{"prompt": "broken one"}, {"prompt": broken two}]'),
        ("cut.json", b'[{"prompt": "cut one"}, {"prompt": "cut tw'),
        ("cut.csv", b'prompt\r\n"cut three'),
        ("a" + "🎨" * 60 + ".json", b"[}"),
        ("tabs.yaml", b"rows:\n\t- prompt: tabs\n"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_read_is_kept_and_told(place: Place, name: str, content: bytes) -> None:
    """It lies in failed/ with the reason beside it, the note says what to do, nothing was paid."""
    home, before = place.home, place.calls()
    home.drop(name, content)
    kept = wait_for(lambda: [k for k in archived(home, "failed") if k.endswith(f"/{name}")])
    job_id = kept[0].partition("/")[0]
    (reason,) = wait_for(lambda: list(home.inbox.glob(f"failed/*/{job_id}/*.error.txt")))
    note = reason.read_text("utf-8")
    assert note.startswith("refused: ")
    assert len(note.splitlines()) >= 4, note
    assert "nothing was paid" in note
    (original,) = home.inbox.glob(f"failed/*/{job_id}/{name}")
    assert original.read_bytes() == content
    if len(os.fsencode(name)) < 200:
        assert reason.name == f"{name}.error.txt"
        wait_for(lambda: home.note(name) == note, what="the note beside it says the same")
    assert place.calls() == before
    assert home.job(name) is None


def test_a_kind_that_is_not_known_stays_where_it_is(place: Place) -> None:
    """Nothing is ever deleted: a stranger is left in the inbox, and a note names it once."""
    home = place.home

    def told() -> bool:
        notes = home.inbox.glob("_image-watcher.STATUS.txt")
        names = ("\nmail/letter.docx\n", "\nlater.docx\n")
        return any(all(map(note.read_text("utf-8").__contains__, names)) for note in notes)

    wait_for(told, 20, "a note names it, and the one that came later")
    told_of = [name for line in home.events("drop.unknown") for name in line["files"]]
    assert sorted(told_of) == ["later.docx", "mail/letter.docx"]
    assert (home.inbox / "mail/letter.docx").read_bytes() == b"whatever"


# Names

NAMES = (
    b"my  list (final) v2.csv",
    b'it\'s "the" list; $(rm -rf) `x` & more.csv',
    b"two\nlines.csv",
    b"caf\xe9 cp1252.csv",
    "プロンプト 🎨.csv".encode(),
    b"x" * 230 + b".csv",
    b"--help.csv",
    b"(..) dots.csv",
    b"CON.csv",
    b"trailing dot..csv",
    b"UPPER.CSV",
)


def test_odd_names(quick: Values, tmp_path: Path) -> None:
    """Whatever a file is called: worked, archived under its own name, results under a safe one."""
    with sandbox() as api, house(tmp_path, api.base_url, quick) as home:
        home.inbox.mkdir(exist_ok=True)
        for at, name in enumerate(NAMES):
            (tmp_path / "beside").write_text(f"name,prompt\n,odd name {at}\n")
            (tmp_path / "beside").rename(home.inbox / os.fsdecode(name))
        wait_for(
            lambda: len([name for name in archived(home) if "/" in name]) == len(NAMES), 60,
            "all are archived",
        )  # fmt: skip
        kept = {os.fsencode(name.partition("/")[2]) for name in archived(home)}
        assert kept == set(NAMES)
        assert [job.statuses for job in home.jobs()] == [["done"]] * len(NAMES)
        for job in home.jobs():
            assert re.fullmatch(r"[\w.()+-]+--[0-9a-z]{13}", job.folder.name), job.folder.name
            assert len(os.fsencode(job.folder.name)) <= 100
        assert api.stats()["calls"] == len(NAMES)
        assert all(line.isascii() for line in home.log_text().splitlines())


# Notes, archive and results


def test_the_note_and_the_archive_of_a_job(place: Place) -> None:
    """The note says how it ended and where the results are; the original lies in done/<month>/<job>/."""
    home = place.home
    home.drop("notes/report.csv", prompts_csv(["note one", ""], header="prompt"))
    home.drop("notes/good.csv", prompts_csv(["note two"]))
    good, report = home.wait_over("good.csv"), home.wait_over("report.csv")
    note = wait_note(home, "notes/good.csv", "done: 1 of 1 row")
    assert f"Results: {good.folder}" in note
    assert "$" in note
    assert f"{good.summary['id']}/notes/good.csv" in archived(home)
    assert report.summary["state"] == "done"  # a blank line is no row


def test_the_note_of_a_job_with_errors(place: Place) -> None:
    """It says how many rows failed and what to do about them."""
    home = place.home
    home.drop("errors.csv", "sku,prompt\n1,errors one\n2,\n")
    job = home.wait_over("errors.csv")
    note = wait_note(home, "errors.csv", "done with errors: 1 of 2 rows, 1 failed")
    assert "failed.csv" in note
    assert f"{job.summary['id']}/errors.csv" in archived(home)


def test_the_note_of_a_running_job(quick: Values, tmp_path: Path) -> None:
    """While it runs the note counts, and the results in the outbox are there and whole."""
    with (
        sandbox(latency="1.2") as api,
        house(tmp_path, api.base_url, {**quick, "limits": {"concurrency": 1}}) as home,
    ):
        home.drop("long.csv", prompts_csv([f"long {at}" for at in range(5)]))
        assert "5 rows" in wait_note(home, "long.csv", "accepted")
        note = wait_note(home, "long.csv", "running")
        assert re.match(r"running [1-4]/5, est\. \$\d", note), note
        job = home.job("long.csv")
        assert job is not None
        assert len(job.rows) == 5
        assert "queued" in job.statuses
        assert (job.folder / "index.html").read_text("utf-8").startswith("<!")
        assert home.wait_over("long.csv").statuses == ["done"] * 5
        assert api.stats()["calls"] == 5


def layout(job: Job) -> Sequence[str]:
    return sorted(str(f.relative_to(job.folder)) for f in job.folder.rglob("*") if f.is_file())


def test_the_outbox_of_a_job(place: Place) -> None:
    """One folder a job, with the files that are promised and no others, every one of them whole."""
    home = place.home
    home.drop(
        "my list.csv",
        "SKU,Prompt,note,size,n\r\nA 1,layout one,keep me,1024x1024,\r\nA/2,layout two,,9x9,1\r\n"
        "A 1,layout three,x,1536x1024,2\r\n",
    )
    job = home.wait_over("my list.csv")
    assert re.fullmatch(r"my[ _-]list--[0-9a-z]{13}", job.folder.name)
    pictures = ["A-1-1", "A-1-1-r3", "A-1-2-r3"]
    stems = sorted(Path(file).stem for file in layout(job) if file.startswith("images/"))
    assert len(stems) == len(pictures)
    assert layout(job) == sorted(
        ["failed.csv", "index.html", "job.json", "results.csv", "results.jsonl"]
        + [f"images/{stem}.png" for stem in stems]
        + [f"metadata/{stem}.json" for stem in stems]
        + [f"thumbnails/{stem}.webp" for stem in stems]
    )
    assert (job.folder / "results.csv").read_bytes().startswith(b"\xef\xbb\xbfSKU,Prompt,note")
    assert list(job.rows[0]) == ["SKU", "Prompt", "note", "size", "n", *RESULT_COLUMNS]
    assert [row["SKU"] for row in job.rows] == ["A 1", "A/2", "A 1"]
    assert [row["note"] for row in job.rows] == ["keep me", "", "x"]
    assert job.statuses == ["done", "failed", "done"]
    done, failed, several = job.rows
    assert done["result_source"] == "api"
    assert float(done["result_cost_usd"]) > 0
    assert float(done["result_seconds"]) >= 0
    assert (done["result_attempts"], failed["result_attempts"]) == ("1", "0")
    assert failed["result_error_code"] == "size_not_allowed"
    assert failed["result_hint"]
    assert len(several["result_files"].split(";")) == 2
    for record in job.records:
        for picture in record["result_pictures"]:
            with Image.open(job.folder / picture["file"]) as image:
                assert image.size == (picture["width"], picture["height"])
    summary: Values = job.summary
    assert summary["counts"]["done"] == 2
    assert summary["pictures"] == 3
    assert summary["settings"]["model"]
    assert "test-key" not in json.dumps(summary)
    gallery = (job.folder / "index.html").read_text("utf-8")
    assert "layout one" in gallery
    assert "http://" not in gallery.replace("http://www.w3.org", "")
    assert (home.outbox / "index.html").is_file()
    assert not list(home.outbox.rglob("*.part"))


def test_the_sheet_that_the_inbox_names_is_read(tmp_path: Path) -> None:
    """Of a workbook with several sheets the inbox's own is read; one without it is refused in words."""

    def workbook(*names: str) -> bytes:
        book = openpyxl.Workbook()
        for name in names:
            sheet = book.create_sheet(name)
            sheet.append(["prompt"])
            sheet.append([f"a cat of {name}"])
        sink = io.BytesIO()
        book.save(sink)
        return sink.getvalue()

    settings = {"inboxes": {"main": {"sheet": "Prompts"}}}
    with sandbox() as api, house(tmp_path, api.base_url, settings) as home:
        home.drop("a.xlsx", workbook("Other", "Prompts"))
        assert [row["prompt"] for row in home.wait_over("a.xlsx").rows] == ["a cat of Prompts"]
        home.drop("b.xlsx", workbook("Other"))
        wait_for(lambda: home.note("b.xlsx").startswith("refused"), 30, "it is refused")
        assert "Prompts" in home.note("b.xlsx")
