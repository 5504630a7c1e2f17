"""`image-watcher process FILE`: one file now, with the pictures that lie beside it."""

from __future__ import annotations

import io
import signal
from pathlib import Path

from PIL import Image
from tests.system.house import House, house, prompts_csv, sandbox, wait_for


def picture(colour: str = "#336699") -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (320, 240), colour).save(sink, "png")
    return sink.getvalue()


def list_of_pictures(folder: Path) -> Path:
    """A file whose rows name two pictures beside it, one of them twice, and nothing else there is."""
    (folder / "img").mkdir(parents=True)
    (folder / "img" / "a.png").write_bytes(picture())
    (folder / "b.png").write_bytes(picture("red"))
    (folder / "other.png").write_bytes(picture("green"))
    file = folder / "list.csv"
    file.write_text("prompt,image\none,img/a.png\ntwo,b.png\nthree,img\\a.png\nfour,\n")
    return file


def lying(home: House) -> set[str]:
    ours = {".image-watcher", "done", "failed"}
    return {
        str(path.relative_to(home.inbox))
        for path in home.inbox.rglob("*")
        if path.is_file()
        and path.relative_to(home.inbox).parts[0] not in ours
        and not path.name.endswith(".STATUS.txt")
    }


def test_pictures_beside_the_file_are_brought_along(tmp_path: Path) -> None:
    """They are copied, used, and archived with the file; what no row names stays out, and the originals stay."""
    file = list_of_pictures(tmp_path / "mine")
    with sandbox() as api, house(tmp_path / "h", api.base_url, start=False) as home:
        found = home.command("process", str(file))
        assert found.returncode == 0, found.stderr
        assert home.jobs()[0].statuses == ["done"] * 4
        assert api.stats()["by_path"] == {"/v1/images/edits": 3, "/v1/images/generations": 1}
        (job,) = (path.parent for path in home.inbox.glob("done/*/*/list.csv"))
        kept = {str(path.relative_to(job)) for path in job.rglob("*") if path.is_file()}
        assert kept == {"list.csv", "img/a.png", "b.png"}
        assert lying(home) == set()
        assert (file.parent / "b.png").exists()


def test_another_picture_of_that_name_is_not_used(tmp_path: Path) -> None:
    """Where another picture of that name lies in the inbox nothing is dropped, and both are named."""
    file = list_of_pictures(tmp_path / "mine")
    with sandbox() as api, house(tmp_path / "h", api.base_url, start=False) as home:
        home.inbox.mkdir()
        (home.inbox / "b.png").write_bytes(picture("blue"))
        found = home.command("process", str(file))
        assert found.returncode != 0
        assert "list.csv names b.png" in " ".join(found.stderr.split())
        assert "list.csv" not in lying(home)
        assert (home.inbox / "b.png").read_bytes() == picture("blue")
        assert api.stats()["calls"] == 0


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is dropped all the same, and what is wrong with it is told as of every drop."""
    file = tmp_path / "bad.json"
    file.write_text("[1, 2}")
    with sandbox() as api, house(tmp_path / "h", api.base_url, start=False) as home:
        found = home.command("process", str(file))
        assert found.returncode != 0
        assert "Traceback" not in found.stderr
        assert list(home.inbox.glob("failed/*/*/bad.json.error.txt"))


def test_ctrl_c_ends_it_once_its_calls_have(tmp_path: Path) -> None:
    """One is enough: what is in flight is paid for and kept, the rest stays queued for the daemon, in no traceback."""
    file = tmp_path / "list.csv"
    file.write_text(prompts_csv([f"a {number}" for number in range(100)]))
    with (
        sandbox(latency="0.5") as api,
        house(tmp_path / "h", api.base_url, start=False) as home,
        home.beginning("process", str(file)) as process,
    ):
        wait_for(lambda: api.stats()["calls"] > 4, 30, "it is at work")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert "Traceback" not in (home.folder / "said").read_text()
        done = home.jobs()[0].statuses.count("done")
        assert done == api.stats()["calls"] < 100
