"""Every way a row can end, through the real process: its one status, and the calls that its class allows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.system.house import Job, Values, house, prompts_csv, sandbox

QUICK = {"api": {"retry": {"base": 0.05, "longest": 0.2}}}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row, and how it must end. `calls` are those that the sandbox takes for sound ones."""

    row: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    status: str = "done"
    calls: int = 1
    pictures: int = 1
    code: str = ""
    attempts: int | None = None


CASES = {
    "plain": Case(),
    "empty prompt": Case(
        row={"prompt": "  "}, status="failed", code="empty_prompt", calls=0, pictures=0
    ),
    "no prompt": Case(
        row={"prompt": None}, status="failed", code="empty_prompt", calls=0, pictures=0
    ),
    "n as text": Case(row={"n": "1"}),
    "n as text, several": Case(row={"n": "2"}, pictures=2),
    "n that is no number": Case(row={"n": "many"}, status="failed", calls=0, pictures=0),
    "small size": Case(row={"size": "512x512"}),
    "small size, several": Case(row={"size": "256x256", "n": 2, "format": "jpeg"}, pictures=2),
    "impossible size": Case(row={"size": "17x99999"}, status="failed", calls=0, pictures=0),
    "unknown model": Case(
        row={"model": "no-such-model"}, status="failed", code="model_not_found",
        calls=0, attempts=1, pictures=0,
    ),
    "retired model": Case(row={"model": "dall-e-3", "quality": "hd"}),
    "429 twice": Case(fault="429x2", calls=3),
    "429 with Retry-After": Case(fault="429@retry_after=0.2x1", calls=2),
    "500 twice": Case(fault="500x2", calls=3),
    "500 for ever": Case(fault="500", status="failed", calls=4, pictures=0, code="server_error"),
    "503 once": Case(fault="503x1", calls=2),
    "400": Case(fault="400", status="failed", calls=1, pictures=0, code="invalid_value"),
    "moderation": Case(fault="moderation", status="failed", calls=1, pictures=0, code="moderation"),
    "error in 200": Case(fault="error_in_200x1", calls=2),
    "moderation in 200": Case(
        fault="error_in_200@code=moderation_blocked", status="failed", pictures=0, code="moderation"
    ),
    "a parameter too many": Case(
        row={"quality": "low"}, fault="unknown_parameter@param=quality", calls=2
    ),
    "cut short once": Case(fault="truncatedx1", calls=2),
    "cut short": Case(fault="truncated", status="failed", calls=2, pictures=0),
    "reset once": Case(fault="resetx1", calls=2),
    "gateway gave up once": Case(fault="524x1", calls=2),
    "gateway gave up": Case(fault="524", status="failed", calls=2, pictures=0),
    "no picture": Case(fault="empty", status="failed", calls=1, pictures=0, code="no_image"),
    "text for a picture once": Case(fault="not_an_imagex1", calls=2),
    "text for a picture": Case(
        fault="not_an_image", status="failed", calls=2, pictures=0, code="not_a_picture"
    ),
    "bomb for a picture": Case(fault="bomb", status="failed", calls=2, pictures=0),
    "page for an answer": Case(fault="htmlx1", calls=2),
    "fewer, then the rest": Case(row={"n": 3}, fault="fewer", calls=2, pictures=3),
    "fewer, also when asked again": Case(
        row={"n": 3}, fault="fewerx1] [fault:empty", calls=2, pictures=2, status="partial"
    ),
    "address": Case(fault="url"),
    "address within the server": Case(fault="url@relative=yes"),
    "address that is late": Case(fault="url@gone=2"),
    "address that leads nowhere": Case(
        fault="url@gone=99", status="failed", pictures=0, code="link_expired"
    ),
    "data address": Case(fault="data_url"),
    "data address in base64": Case(fault="data_prefix"),
    "png for jpeg": Case(row={"format": "jpeg"}, fault="wrong_format"),
    "usage missing": Case(fault="no_usage"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """One file with every case, worked; `calls` by case."""

    job: Job
    rows: Mapping[str, Mapping[str, str]]
    records: Mapping[str, Values]
    stats: Values


def prompt_of(name: str) -> str:
    fault = CASES[name].fault
    return f"{name}, on a blue field" + (f" [fault:{fault}]" if fault else "")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    rows = [{"id": name, "prompt": prompt_of(name), **case.row} for name, case in CASES.items()]
    settings = {**QUICK, "limits": {"concurrency": 8}}
    with (
        sandbox() as api,
        house(tmp_path_factory.mktemp("rows"), api.base_url, settings) as home,
    ):
        home.drop("rows.json", json.dumps(rows))
        job = home.wait_over("rows.json", 120)
        yield Run(
            job=job,
            rows={row["id"]: row for row in job.rows},
            records={record["id"]: record for record in job.records},
            stats=api.stats(),
        )
        assert not home.events("item.broken")


@pytest.mark.parametrize("name", CASES)
def test_each_row_ends_in_its_one_status(run: Run, name: str) -> None:
    """Whatever the API does, a row ends in the one status that is documented, and says why in words."""
    case, row = CASES[name], run.rows[name]
    assert case.status == row["result_status"], row
    if case.code:
        assert case.code == row["result_error_code"]
    assert bool(row["result_error"]) == (case.status != "done")
    assert "Traceback" not in row["result_error"]


@pytest.mark.parametrize("name", CASES)
def test_each_row_makes_the_calls_that_its_class_allows(run: Run, name: str) -> None:
    """A refused row costs one call, one that cannot be sent costs none, a doubt is asked once more."""
    case = CASES[name]
    assert case.calls == run.stats["calls_by_prompt"].get(prompt_of(name), 0)
    attempts = case.calls if case.attempts is None else case.attempts
    assert str(attempts) == run.rows[name]["result_attempts"]
    assert attempts == len(run.records[name]["result_attempt_log"])


@pytest.mark.parametrize("name", CASES)
def test_each_row_has_the_pictures_that_it_names(run: Run, name: str) -> None:
    """Every file that a row names is a whole picture of the size that the results tell."""
    pictures = run.records[name]["result_pictures"]
    files = [file for file in run.rows[name]["result_files"].split(";") if file]
    assert files == [picture["file"] for picture in pictures]
    assert CASES[name].pictures == len(files)
    for picture in pictures:
        with Image.open(run.job.folder / picture["file"]) as image:
            image.load()
            assert (picture["width"], picture["height"]) == image.size
            assert picture["format"] == (image.format or "").lower()


def test_no_picture_without_a_row(run: Run) -> None:
    """The folder of pictures holds what the rows name and nothing else."""
    named = sorted(
        picture["file"] for record in run.records.values() for picture in record["result_pictures"]
    )
    assert named == [f"images/{file.name}" for file in run.job.pictures]


def test_an_old_size_is_asked_larger_and_copied(run: Run) -> None:
    """`512x512`, which no model makes any more: asked as 1024x1024, told, and a copy lies beside."""
    row = run.rows["small size"]
    assert "size: 512x512 → 1024x1024" in row["result_adjustments"]
    assert "a copy of that size is made here" in row["result_adjustments"]
    name = row["result_files"].removeprefix("images/")
    sizes = []
    for file in (f"images/{name}", f"renditions/512x512/{name}"):
        with Image.open(run.job.folder / file) as image:
            image.load()
            sizes.append((image.format, image.size))
    assert sizes == [("PNG", (1024, 1024)), ("PNG", (512, 512))]


def test_every_picture_of_a_row_has_its_copy(run: Run) -> None:
    """Copies keep name and format of their pictures; rows of a usual size have none."""
    files = run.rows["small size, several"]["result_files"].split(";")
    folder = run.job.folder / "renditions"
    assert sorted(size.name for size in folder.iterdir()) == ["256x256", "512x512"]
    copies = sorted((folder / "256x256").iterdir())
    assert [file.removeprefix("images/") for file in sorted(files)] == [c.name for c in copies]
    for copy in copies:
        with Image.open(copy) as image:
            image.load()
            assert (image.format, image.size) == ("JPEG", (256, 256))


def test_what_the_server_does_not_take_is_left_out_and_told(run: Run) -> None:
    """An unknown parameter is left out, the row is asked once more, and its result says so."""
    assert "quality: low → left out" in run.rows["a parameter too many"]["result_adjustments"]


def test_a_picture_is_named_after_what_it_is(run: Run) -> None:
    """A server that sends PNG for JPEG: the ending tells the truth."""
    assert run.rows["png for jpeg"]["result_files"].endswith(".png")


def test_what_may_have_been_charged_is_told(run: Run) -> None:
    """Answers that were cut short count as possibly charged; refusals do not."""
    assert run.records["cut short"]["result_possibly_charged"] == 2
    assert run.records["500 twice"]["result_possibly_charged"] == 0
    assert run.records["moderation"]["result_possibly_charged"] == 0


def test_one_bad_row_of_ten(tmp_path: Path) -> None:
    """The other nine become pictures, and the job says that one did not."""
    prompts = [f"picture {number}" for number in range(1, 11)]
    prompts[4] = ""
    rows = "".join(f"{at},{prompt}\n" for at, prompt in enumerate(prompts))
    with sandbox() as api, house(tmp_path, api.base_url, QUICK) as home:
        home.drop("ten.csv", f"id,prompt\n{rows}")
        job = home.wait_over("ten.csv")
        assert len(job.pictures) == 9
        assert ["failed" if at == 4 else "done" for at in range(10)] == job.statuses
        assert (job.summary["state"], job.summary["rows"]) == ("partial", 10)
        assert api.stats()["calls"] == 9


def test_a_row_that_needs_a_person_does_not_hold_up_others(tmp_path: Path) -> None:
    """Rows that are refused one after the other close no lane: the ones behind them are made."""
    prompts = [f"refused {at} [fault:moderation]" for at in range(8)] + ["good"]
    with (
        sandbox() as api,
        house(tmp_path, api.base_url, {**QUICK, "limits": {"concurrency": 1}}) as home,
    ):
        home.drop("refused.csv", prompts_csv(prompts))
        job = home.wait_over("refused.csv")
        assert job.statuses == ["failed"] * 8 + ["done"]
        assert api.stats()["calls"] == 9
