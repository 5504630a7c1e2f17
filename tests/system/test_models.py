"""Models that go, models of the user's own, parameters that a server refuses: through the real process."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.system.house import House, house, merged, prompts_csv, sandbox, wait_for

ONE_AT_A_TIME = {"limits": {"concurrency": 1}}


def own_model(shutdown: date) -> dict[str, Any]:
    """A model of the user's own catalogue, in use and about to go."""
    entry = {
        "like": "gpt-image-2.5-flare",
        "shutdown": {"openai": shutdown.isoformat()},
        "replacements": {"generate": "gpt-image-2.5-flare"},
    }
    return {"api": {"model": "house-model", "models": {"house-model": entry}}}


def told_of(home: House) -> dict[str, Any]:
    """What `status --json` says once the daemon has looked."""

    def found() -> dict[str, Any] | None:
        told: dict[str, Any] = json.loads(home.command("status", "--json").stdout)
        return told if told["daemon"].get("retiring_models") else None

    return wait_for(found, 20, "the daily look is told")


def test_a_model_that_is_about_to_go_is_told_of(tmp_path: Path) -> None:
    """At start, 30 days before: one warning in the log, one line in the status, with what to do."""
    day = datetime.now(UTC).date() + timedelta(days=12)
    with sandbox() as api, house(tmp_path, api.base_url, own_model(day)) as home:
        (told,) = told_of(home)["daemon"]["retiring_models"]
        assert told["model"] == "house-model"
        assert told["shutdown_on"] == day.isoformat()
        assert told["used_by"] == ["api.model"]
        assert f"will be shut down on {day}" in told["what"]
        assert told["hint"] == "Set api.model to gpt-image-2.5-flare."
        page = " ".join(home.command("status").stdout.split())
        assert f"{told['what']} {told['hint']}" in page
        (line,) = home.events("model.retiring")
        assert (line["level"], line["what"]) == ("warning", told["what"])
        assert api.stats()["calls"] == 0


def test_a_model_that_nobody_lists_is_told_of(tmp_path: Path) -> None:
    """Also one without a date: what the API does not list is probably gone."""
    settings = {"api": {"edit_model": "gpt-image-9"}}
    with sandbox() as api, house(tmp_path, api.base_url, settings) as home:
        (told,) = told_of(home)["daemon"]["retiring_models"]
        assert (told["model"], told["used_by"]) == ("gpt-image-9", ["api.edit_model"])
        assert "is not listed by the API any more" in told["what"]


def test_models_that_live_are_not_told_of(tmp_path: Path) -> None:
    """The shipped defaults are silent; so is a server that has no list."""
    with sandbox(key="another") as api, house(tmp_path, api.base_url) as home:
        wait_for((home.state / "daemon.json").exists, 10)
        found = json.loads(home.command("models", "--json").stdout)
        assert found["unlisted"] != ""
        assert found["affected"] == []
        assert home.events("model.retiring") == []


def test_the_models_command_joins_catalogue_and_list(tmp_path: Path) -> None:
    """Known, listed, gone from when, instead of it what, for how much; and who must change."""
    day = datetime.now(UTC).date() - timedelta(days=1)
    with (
        sandbox() as api,
        house(tmp_path, api.base_url, own_model(day), start=False) as home,
    ):
        found = json.loads(home.command("models", "--json").stdout)
        models = {one["model"]: one for one in found["models"]}
        assert models["gpt-image-2.5-sunburst"]["listed"] is True
        assert models["gpt-image-2.5-sunburst"]["used_by"] == ["api.edit_model"]
        assert models["gpt-image-2.5-sunburst"]["usd_per_picture_1024x1024"]["low"] > 0
        assert models["dall-e-2"]["state"] == "retired"
        mine = models["house-model"]
        assert (mine["known"], mine["listed"], mine["state"]) == (True, False, "retired")
        assert [one["model"] for one in found["affected"]] == ["house-model"]
        page = home.command("models")
        assert page.returncode == 0
        assert " ".join(page.stdout.split()).startswith(found["affected"][0]["what"])
        offline = json.loads(home.command("models", "--json", "--offline").stdout)
        assert {one["listed"] for one in offline["models"]} == {None}


def test_own_models_decide_what_is_sent(tmp_path: Path) -> None:
    """An entry over the shipped catalogue counts: n_max 2 refuses the row before anything is paid."""
    settings = {"api": {"models": {"gpt-image-2.5-flare": {"n_max": 2}}}}
    with sandbox() as api, house(tmp_path, api.base_url, settings) as home:
        home.drop("rows.csv", "prompt,n\na cup,3\n")
        (row,) = home.wait_over("rows.csv").rows
        assert row["result_error_code"] == "out_of_range"
        assert api.stats()["calls"] == 0


def test_an_entry_that_cannot_be_used_is_refused_at_start(tmp_path: Path) -> None:
    """Every finding in a sentence with its key, and no daemon."""
    models = {"gpt-image-2.5-flare": {"n_max": "many", "colour": "red"}, "mine": {"n_max": 1}}
    with house(tmp_path, "http://127.0.0.1:9/v1", {"api": {"models": models}}, start=False) as home:
        ended = home.command("run")
        assert ended.returncode == 78
        for sentence in (
            "api.models.gpt-image-2.5-flare.n_max: Input should be a valid integer",
            "api.models.gpt-image-2.5-flare.colour: there is no such field.",
            "api.models.mine: this model is not known. Say which one it is like",
        ):
            assert sentence in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_refused_parameter_is_learnt_once(tmp_path: Path) -> None:
    """Five rows with a parameter that the server does not take: six calls, also over a restart; all are told."""
    fault = "unknown_parameter@param=moderation"
    rows = "prompt,moderation\n" + "".join(f"cup {at},low\n" for at in range(5))
    with sandbox(faults=[fault]) as api, house(tmp_path, api.base_url, ONE_AT_A_TIME) as home:
        home.drop("first.csv", rows)
        first = home.wait_over("first.csv")
        assert api.stats()["calls"] == 6
        home.restart()
        home.drop("second.csv", rows.replace("cup", "plate"))
        second = home.wait_over("second.csv")
        assert api.stats()["calls"] == 11
        for row in [*first.rows, *second.rows]:
            assert row["result_status"] == "done"
            assert "moderation: low → left out" in row["result_adjustments"]
        (kept,) = json.loads(home.command("status", "--json").stdout)["refused_parameters"]
        assert (kept["model"], kept["parameter"]) == ("gpt-image-2.5-flare", "moderation")
        days = (kept["until"] - datetime.now(UTC).timestamp()) / 86400
        assert 6.9 < days <= 7


def test_a_refused_background_is_learnt_for_that_value(tmp_path: Path) -> None:
    """Transparency that a model has not is left out from then on; its other backgrounds are sent."""
    entry = {"backgrounds": ["auto", "opaque", "transparent"], "transparent_instead": {}}
    settings = merged(
        ONE_AT_A_TIME, {"api": {"model": "gpt-image-2", "models": {"gpt-image-2": entry}}}
    )
    rows = "prompt,background\na,transparent\nb,transparent\nc,opaque\n"
    with sandbox() as api, house(tmp_path, api.base_url, settings) as home:
        home.drop("rows.csv", rows)
        job = home.wait_over("rows.csv")
        assert job.statuses == ["done"] * 3
        assert (api.stats()["paid"], api.stats()["refused"]) == (3, 1)
        told = [row["result_adjustments"] for row in job.rows]
        assert ["background: transparent → left out" in one for one in told] == [True, True, False]


def test_strict_rows_fail_rather_than_lose_their_background(tmp_path: Path) -> None:
    """coercion strict: a picture without the transparency that was asked for is not what was wanted."""
    entry = {"backgrounds": ["auto", "opaque", "transparent"], "transparent_instead": {}}
    api_settings = {"model": "gpt-image-2", "coercion": "strict", "models": {"gpt-image-2": entry}}
    with sandbox() as api, house(tmp_path, api.base_url, {"api": api_settings}) as home:
        home.drop("rows.json", json.dumps([{"prompt": "a", "background": "transparent"}]))
        (row,) = home.wait_over("rows.json").rows
        assert (row["result_status"], row["result_error_code"]) == (
            "failed",
            "transparent_background",
        )
        assert json.loads(home.command("status", "--json").stdout)["refused_parameters"] == []


def test_prompts_by_template(tmp_path: Path) -> None:
    """Template, prefix, suffix and defaults of the inbox, what a row says over them; a missing column fails its row."""
    mine = {
        "prompt_template": "{{ title }}, {{ colour|lower }}{% if note is defined and note %} ({{ note }}){% endif %}",
        "prompt_prefix": "Photo of ",
        "prompt_suffix": ", on white",
        "defaults": {"size": "1536x1024", "quality": "low"},
    }
    with sandbox() as api, house(tmp_path, api.base_url, {"inboxes": {"main": mine}}) as home:
        home.drop("full.csv", "title,Colour,size\nCup,RED,\nPlate,Blue,1024x1024\n")
        home.drop("short.csv", prompts_csv(["Cup"], header="title"))
        full, short = home.wait_over("full.csv"), home.wait_over("short.csv")
        assert set(api.stats()["calls_by_prompt"]) == {
            "Photo of Cup, red, on white", "Photo of Plate, blue, on white",
        }  # fmt: skip
    sizes = [
        (pic["width"], pic["height"]) for row in full.records for pic in row["result_pictures"]
    ]
    assert sizes == [(1536, 1024), (1024, 1024)]
    assert [row["result_status"] for row in short.rows] == ["failed"]
    assert "colour" in short.rows[0]["result_error"]
