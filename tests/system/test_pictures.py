"""Pictures that rows bring, through the real process: found, kept, sent, archived, or told of before anything is paid."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from tests.edges.api_server import answer, serving
from tests.system.house import INBOX, House, Sandbox, house, sandbox, wait_for

SIZE = (320, 240)
QUICK = {"api": {"retry": {"base": 0.05, "longest": 0.2}}}


def with_inbox(**settings: Any) -> dict[str, Any]:  # noqa: ANN401
    return {**QUICK, "inboxes": {INBOX: settings}}


def picture(real: str = "png", size: tuple[int, int] = SIZE, colour: str = "#336699") -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", size, colour).save(sink, real)
    return sink.getvalue()


def mask(size: tuple[int, int] = SIZE, mode: str = "L") -> bytes:
    sink = io.BytesIO()
    image = Image.new("L", size, 0)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2, size[1]), fill=255)
    image.convert(mode).save(sink, "PNG")
    return sink.getvalue()


def rows_of(*rows: dict[str, Any]) -> str:
    return json.dumps([{"quality": "low", **row} for row in rows])


def files(home: House) -> set[str]:
    """What lies in the inbox, without our own."""
    found = {str(path.relative_to(home.inbox)) for path in home.inbox.rglob("*") if path.is_file()}
    return {name for name in found if ".image-watcher" not in name and "STATUS" not in name}


def in_archive(home: House, shelf: str = "done") -> set[str]:
    """What lies in the archive, by its path within the one job there."""
    return {"/".join(name.split("/")[3:]) for name in files(home) if name.startswith(f"{shelf}/")}


@pytest.fixture(scope="module")
def api() -> Iterator[Sandbox]:
    with sandbox() as found:
        yield found


@pytest.fixture(autouse=True)
def _fresh(api: Sandbox) -> None:
    api.misbehave()
    api.reset()


def test_pictures_of_every_kind_are_sent_as_the_api_takes_them(
    api: Sandbox, tmp_path: Path
) -> None:
    """Several a row, other formats, masks both ways, markup; as strict as the API is, it refuses none."""
    with house(tmp_path / "h", api.base_url, with_inbox(redo_limit=0)) as home:
        home.drop("photos/a.png", picture())
        home.drop("photos/b.jpg", picture("jpeg"))
        home.drop("photos/c.bmp", picture("bmp"))
        home.drop("photos/d.tiff", picture("tiff", colour="red"))
        home.drop("white.png", mask())
        holes = Image.new("RGBA", SIZE, "black")
        holes.paste((0, 0, 0, 0), (0, 0, 99, 99))
        sink = io.BytesIO()
        holes.save(sink, "PNG")
        home.drop("holes.png", sink.getvalue())
        home.drop(
            "list.json",
            rows_of(
                {"prompt": "one", "image": "photos/a.png"},
                {"prompt": "two", "image": ["photos/a.png", "photos/b.jpg"]},
                {"prompt": "three", "image": "photos/c.bmp; photos/d.tiff"},
                {
                    "prompt": "four",
                    "image": "photos\\a.png",
                    "mask": "white.png",
                    "mask_mode": "white",
                },
                {"prompt": "five", "image": "photos/b.jpg", "mask": "holes.png"},
                {"prompt": "six", "image": "photos/a.png", "markup": "holes.png"},
            ),
        )
        job = home.wait_over("list.json")
        assert job.statuses == ["done"] * 6, job.rows
        assert "photos/c.bmp (bmp) → png" in job.rows[2]["result_adjustments"]
        assert "white.png" in job.rows[3]["result_adjustments"]
        stats = api.stats()
        assert (stats["refused"], stats["paid"], len(job.pictures)) == (0, 6, 6)
        assert stats["by_path"] == {"/v1/images/edits": 6}
        wait_for(lambda: "done" in str(files(home)) and len(in_archive(home)) == 7, what="archived")
        assert len(files(home)) == 7
        wait_for(lambda: not list((home.state / "inputs").iterdir()), what="copies are gone")


def test_a_picture_that_comes_later_is_waited_for(api: Sandbox, tmp_path: Path) -> None:
    """The table first, the picture after it: the note names it, and then all is done; nothing twice."""
    with house(tmp_path / "h", api.base_url, QUICK) as home:
        home.drop("list.csv", "prompt,image\nred,late.png\nblue,\n")
        wait_for(lambda: "late.png" in home.note("list.csv"), what="the note names it")
        assert "waiting: list.csv" in home.note("list.csv")
        assert "list.csv" in files(home)
        home.drop("late.png", picture())
        assert home.wait_over("list.csv").statuses == ["done", "done"]
        assert api.stats()["paid"] == 2


def test_rows_whose_picture_never_comes_fail_alone(api: Sandbox, tmp_path: Path) -> None:
    """After the grace, in words, unpaid; their pictures stay for failed.csv, which then runs those rows only."""
    with house(tmp_path / "h", api.base_url, with_inbox(assets_grace=0.5)) as home:
        home.drop("here.png", picture())
        home.drop("shared.png", picture())
        home.drop(
            "list.csv",
            "prompt,image\none,here.png\ntwo,never.png;shared.png\nthree,shared.png\nfour,../x.png\n",
        )
        job = home.wait_over("list.csv")
        assert job.statuses == ["done", "failed", "done", "failed"]
        codes = [row["result_error_code"] for row in job.rows]
        assert codes == ["", "picture_missing", "", "picture_refused"]
        assert "never.png is not there" in job.rows[1]["result_error"]
        assert api.stats()["calls"] == 2
        wait_for(lambda: len(in_archive(home)) == 2, what="archived")
        assert in_archive(home) == {"list.csv", "here.png"}
        assert "shared.png" in files(home)
        home.drop("never.png", picture())
        home.drop("failed.csv", (job.folder / "failed.csv").read_bytes())
        again = home.wait_over("failed.csv")
        assert again.statuses == ["done", "failed"]
        assert api.stats()["calls"] == 3


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no picture": ({"image": "text.png"}, "picture_unusable"),
    "mask of another size": ({"image": "a.png", "mask": "small.png"}, "mask_size"),
    "mask without alpha": ({"image": "a.png", "mask": "a.png"}, "mask_not_transparent"),
    "mask without a picture": ({"mask": "a.png"}, "mask_without_image"),
    "an address": ({"image": "https://example.com/a.png"}, "url_not_allowed"),
    "17 pictures": ({"image": ["a.png"] * 17}, "too_many_images"),
    "a link": ({"image": "link.png"}, "picture_refused"),
    "heic": ({"image": "phone.heic"}, "picture_unusable"),
}


def test_what_cannot_be_sent_fails_before_anything_is_paid(api: Sandbox, tmp_path: Path) -> None:
    """Each with its own code and a sentence; no call at all."""
    with house(tmp_path / "h", api.base_url, with_inbox(assets_grace=0.3)) as home:
        home.drop("a.png", picture())
        home.drop("text.png", "this is no picture")
        home.drop("phone.heic", b"\0\0\0\x18ftypheic" + b"\0" * 99)
        holes = io.BytesIO()
        Image.new("RGBA", (100, 100), (0, 0, 0, 0)).save(holes, "PNG")
        home.drop("small.png", holes.getvalue())
        (home.inbox / "link.png").symlink_to("a.png")
        rows = [{"prompt": "x", **row} for row, _ in BAD.values()]
        home.drop("bad.json", rows_of(*rows))
        job = home.wait_over("bad.json")
        expected = {name: code for name, (_, code) in BAD.items()}
        found = {n: r["result_error_code"] for n, r in zip(BAD, job.rows, strict=True)}
        assert found == expected
        assert all(row["result_error"] and row["result_hint"] for row in job.rows)
        assert api.stats()["calls"] == 0


def test_a_zip_brings_its_pictures(api: Sandbox, tmp_path: Path) -> None:
    """One drop with everything; what it does not hold may lie beside it or in the asset folders."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("job/list.csv", "prompt,image\none,img/a.png\ntwo,logo.png\n")
        archive.writestr("job/img/a.png", picture())
        archive.writestr("__MACOSX/._list.csv", "x")
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "logo.png").write_bytes(picture(colour="red"))
    with house(tmp_path / "h", api.base_url, with_inbox(assets=[str(assets)])) as home:
        home.drop("pack.zip", sink.getvalue())
        job = home.wait_over("pack.zip")
        assert job.statuses == ["done", "done"], job.rows
        assert api.stats()["by_path"] == {"/v1/images/edits": 2}
        wait_for(lambda: in_archive(home) == {"pack.zip"}, what="archived")
        assert (assets / "logo.png").exists()
        home.drop("bomb.zip", sink.getvalue().replace(b"list.csv", b"list.psd"))
        wait_for(lambda: "refused: bomb.zip" in home.note("bomb.zip"), what="refused")
        assert api.stats()["calls"] == 2


@pytest.mark.parametrize("operation", ["edit", "analyze"])
def test_dropped_pictures_are_rows_where_the_inbox_says_so(
    operation: str, api: Sandbox, tmp_path: Path
) -> None:
    """Each with the inbox's prompt, named after itself; its template is for tables."""
    settings = with_inbox(
        images={"operation": operation, "prompt": "as a postcard"}, prompt_template="{{ title }}"
    )
    with house(tmp_path / "h", api.base_url, settings) as home:
        home.drop("Blick aufs Meer.jpg", picture("jpeg"))
        home.drop("a;b.PNG", picture())
        for name in ("Blick aufs Meer.jpg", "a;b.PNG"):
            job = home.wait_over(name)
            assert job.statuses == ["done"], job.rows
            if operation == "edit":
                assert len(job.pictures) == 1
            else:
                assert "as a postcard" in job.rows[0]["result_text"]
        assert api.stats()["calls_by_prompt"] == {"as a postcard": 2}


def test_dropped_pictures_are_left_alone_elsewhere(api: Sandbox, tmp_path: Path) -> None:
    """A picture that nobody names stays where it is, and costs nothing."""
    with house(tmp_path / "h", api.base_url, QUICK) as home:
        home.drop("a.png", picture())
        home.drop("list.csv", "prompt\nred\n")
        home.wait_over("list.csv")
        assert "a.png" in files(home)
        assert api.stats()["calls"] == 1


def test_what_was_kept_is_what_is_sent(api: Sandbox, tmp_path: Path) -> None:
    """Pictures that change or vanish after acceptance, and kill -9, change nothing."""
    api.misbehave("slow=1.5:2")
    with house(tmp_path / "h", api.base_url, {**QUICK, "limits": {"concurrency": 1}}) as home:
        home.drop("a.png", picture())
        home.drop("b.png", picture())
        home.drop("list.csv", "prompt,image\none,a.png\ntwo,b.png\nthree,a.png\n")
        wait_for(lambda: home.events("job.accepted"), what="accepted")
        (home.inbox / "a.png").write_text("no picture any more")
        (home.inbox / "b.png").unlink()
        wait_for(lambda: api.stats()["calls"], what="the first call")
        home.restart()
        job = home.wait_over("list.csv")
        assert job.statuses == ["done"] * 3, job.rows


def test_equal_drops_with_other_pictures_are_not_equal(api: Sandbox, tmp_path: Path) -> None:
    """The same table again costs nothing; with another picture under the same name it is a new job."""
    with house(tmp_path / "h", api.base_url, QUICK) as home:
        for colour in ("red", "red", "blue"):
            home.drop("a.png", picture(colour=colour))
            home.drop("list.csv", "prompt,image\none,a.png\n")
            wait_for(lambda: "list.csv" not in files(home), what="taken")
            home.wait_over("list.csv")
            wait_for(lambda: "a.png" not in files(home), what="archived with its picture")
        assert api.stats()["paid"] == 2
        assert len(home.events("drop.repeated")) == 1


def test_a_picture_that_another_open_job_names_stays(api: Sandbox, tmp_path: Path) -> None:
    """It travels with the last of them."""
    api.misbehave("slow=2:1")
    with house(tmp_path / "h", api.base_url, QUICK) as home:
        home.drop("a.png", picture())
        home.drop("slow.csv", "prompt,image\nslow,a.png\n")
        wait_for(lambda: api.stats()["calls"] == 1, what="the slow one is asked for")
        home.drop("quick.csv", "prompt,image\nquick,a.png\n")
        home.wait_over("quick.csv")
        wait_for(lambda: any("quick.csv" in name and "/" in name for name in files(home)))
        assert "a.png" in files(home)
        home.wait_over("slow.csv")
        wait_for(lambda: "a.png" not in files(home), what="archived with the slow one")
        assert any(name.endswith("/a.png") for name in files(home))


def test_pictures_by_address_only_where_they_are_allowed(api: Sandbox, tmp_path: Path) -> None:
    """From a listed host they are fetched, once a job; from a private one that is not listed, never."""
    listed = with_inbox(allow_urls=True, allowed_hosts=["127.0.0.1"])
    with serving(answer(200, picture("bmp"))) as server:
        rows = (
            f"prompt,image,mask,mask_mode\none,http://127.0.0.1:{server.port}/a.bmp,m.png,white\n"
        )
        rows += f"two,http://127.0.0.1:{server.port}/a.bmp,,\nthree,http://localhost:9/a.png,,\n"
        with house(tmp_path / "listed", api.base_url, listed) as home:
            home.drop("m.png", mask())
            home.drop("list.csv", rows)
            job = home.wait_over("list.csv")
            assert job.statuses == ["done", "done", "failed"], job.rows
            assert job.rows[2]["result_error_code"] == "url_not_allowed"
            assert len(server.requests) == 1
            assert "authorization" not in server.requests[0].headers
        with house(tmp_path / "open", api.base_url, with_inbox(allow_urls=True)) as home:
            home.drop("list.csv", "prompt,image\none,http://127.0.0.1/a.bmp\n")
            job = home.wait_over("list.csv")
            assert job.rows[0]["result_error_code"] == "picture_unreachable"
            assert "private network" in job.rows[0]["result_error"]
            assert job.rows[0]["result_attempts"] in ("", "0")
            assert len(server.requests) == 1
    assert api.stats()["paid"] == 2


def test_an_address_that_fails_is_tried_again_and_then_fails_its_row(
    api: Sandbox, tmp_path: Path
) -> None:
    """Nothing was paid, the lane is well, the other rows go on."""
    listed = with_inbox(allow_urls=True, allowed_hosts=["127.0.0.1"])
    with (
        serving(answer(503)) as server,
        house(tmp_path / "h", api.base_url, listed) as home,
    ):
        base = f"http://127.0.0.1:{server.port}"
        home.drop("list.csv", f"prompt,image\none,{base}/a.png\ntwo,\n")
        job = home.wait_over("list.csv", 120)
        assert job.statuses == ["failed", "done"]
        assert job.rows[0]["result_error_code"] == "picture_unreachable"
        assert api.stats()["calls"] == 1
        assert not home.events("lane.halted")


@pytest.mark.parametrize(
    ("profile", "path"), [("openai", "/v1/responses"), ("generic", "/v1/chat/completions")]
)
def test_pictures_are_described(profile: str, path: str, api: Sandbox, tmp_path: Path) -> None:
    """Local pictures and addresses, in the row's order, through the door of the profile; the text in result_text."""
    settings = {**QUICK, "api": {**QUICK["api"], "profile": profile}}
    settings["inboxes"] = {INBOX: {"allow_urls": True}}
    with house(tmp_path / "h", api.base_url, settings) as home:
        home.drop("a.png", picture())
        home.drop("b.gif", picture("gif"))
        rows: list[dict[str, Any]] = [
            {"prompt": "what is it", "image": "a.png", "operation": "describe", "detail": "low"},
            {"prompt": "and these", "image": ["a.png", "b.gif"], "operation": "analyze"},
        ]
        if profile == "openai":  # it fetches addresses itself
            rows.append(
                {"prompt": "far", "image": "https://example.com/x.png", "operation": "analyze"}
            )
        home.drop("list.json", rows_of(*rows))
        job = home.wait_over("list.json")
        assert set(job.statuses) == {"done"}, job.rows
        assert "320x240" in job.rows[0]["result_text"]
        assert set(api.stats()["by_path"]) == {path}


def test_a_text_that_is_cut_is_asked_for_again_once(api: Sandbox, tmp_path: Path) -> None:
    """Without the limit that cut it, and told so."""
    settings = {
        **QUICK,
        "api": {**QUICK["api"], "profile": "generic", "analyze_model": "gpt-4.1-mini"},
    }
    with house(tmp_path / "h", api.base_url, settings) as home:
        home.drop("a.png", picture())
        row = {"prompt": "what is it", "image": "a.png", "operation": "analyze", "max_tokens": 3}
        home.drop("list.json", rows_of(row))
        job = home.wait_over("list.json")
        assert job.statuses == ["done"], job.rows
        assert job.rows[0]["result_attempts"] == "2"
        assert "what is it" in job.rows[0]["result_text"]
        assert "max_tokens" in job.rows[0]["result_adjustments"]
