"""How a picture came to be: one file of metadata for each, and the picture itself untouched."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image
from tests.system.house import Job, house, sandbox

OLD = {"name": "mug", "prompt": "a mug", "size": "512x512", "n": "2", "quality": "low"}


def metadata(job: Job, stem: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (job.folder / "metadata" / f"{stem}.json").read_text("utf-8")
    )
    return found


def table(*rows: dict[str, str]) -> str:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue()


def test_each_picture_has_its_story(tmp_path: Path) -> None:
    """Prompt, everything sent, model, request id, usage, hashes, adjustments, times; the picture is as it came."""
    with sandbox() as api, house(tmp_path / "house", api.base_url) as home:
        home.drop("mugs.csv", table(OLD))
        job = home.wait_over("mugs.csv")
        (record,) = job.records
        assert [picture.stem for picture in job.pictures] == ["mug-1", "mug-2"]
        for picture in job.pictures:
            told = metadata(job, picture.stem)
            assert told["sha256"] == hashlib.sha256(picture.read_bytes()).hexdigest()
            assert (told["prompt"], told["model"]) == ("a mug", record["result_model"])
            assert told["sent"]["prompt"] == "a mug"
            assert (told["sent"]["n"], told["sent"]["quality"]) == (2, "low")
            assert told["sent"]["size"] != "512x512"
            assert told["adjustments"] == record["result_adjustments"]
            assert (told["request_id"], told["usage"]) == (
                record["result_request_id"],
                record["result_usage"],
            )
            assert (told["cost_usd"], told["pictures_of_the_call"]) == (
                record["result_cost_usd"],
                2,
            )
            assert job.summary["created_at"] <= told["asked_at"] <= told["kept_at"]


def test_an_edit_tells_what_went_along(tmp_path: Path) -> None:
    """The hash of each picture that was sent stands there, under the name that its author gave it."""
    sink = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(sink, "PNG")
    content = sink.getvalue()
    with sandbox() as api, house(tmp_path / "house", api.base_url) as home:
        home.drop("cup.png", content)
        home.drop("edit.csv", table({"name": "cup", "prompt": "in blue", "image": "cup.png"}))
        told = metadata(home.wait_over("edit.csv"), "cup-1")
        (sent,) = told["pictures_sent"]
        assert (sent["role"], sent["name"]) == ("image", "cup.png")
        assert sent["sha256"] == hashlib.sha256(content).hexdigest()
        assert "image" not in told["sent"]
