"""Files of the outbox, on a real disk."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.errors import DiskError
from watcher.core.naming import safe_stem
from watcher.outbox import Marker, Outbox, PictureFacts
from watcher.outbox.faults import told

JOB = "mugs--2r2kb9sgzdg69"
FACTS = PictureFacts(format="png", width=4, height=3, thumbnail=b"small")


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    made = Outbox(tmp_path / "outbox")
    made.create()
    made.prepare(JOB)
    return made


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_a_job_gets_its_folders_once(outbox: Outbox) -> None:
    """Preparing a job makes its folders; doing it again, as after a restart, harms nothing."""
    outbox.save_picture(JOB, "mug-1", 1, b"bytes", FACTS)
    outbox.prepare(JOB)
    assert _files(outbox.root / JOB) == ["images/mug-1.png", "thumbnails/mug-1.webp"]


def test_a_picture_waits_for_no_folder(outbox: Outbox) -> None:
    """Of a job of which nothing is published yet: the picture makes its folder; where the outbox is away, it is."""
    saved = outbox.save_picture("of a new job", "mug-1", 1, b"bytes", FACTS)
    assert (outbox.root / "of a new job" / saved.file).read_bytes() == b"bytes"
    outbox.root.rename(outbox.root.with_name("away"))
    with pytest.raises(DiskError):
        outbox.save_picture("of another job", "mug-1", 1, b"bytes", FACTS)


def test_a_picture_waits_for_no_folder_that_is_just_being_made(outbox: Outbox) -> None:
    """The job's folder is there already, those in it are not yet: a picture, and one taken over, finds its place."""
    paid = outbox.save_picture(JOB, "mug-1", 1, b"bytes", FACTS)
    for name in ("made just now", "made just now too"):
        (outbox.root / name).mkdir()
    saved = outbox.save_picture("made just now", "mug-1", 1, b"bytes", FACTS)
    linked = outbox.link_picture(outbox.root / JOB, paid, "made just now too", "mug-2", 1)
    assert linked is not None
    assert _files(outbox.root / "made just now") == [saved.file, "thumbnails/mug-1.webp"]
    assert _files(outbox.root / "made just now too") == [linked[0].file]


def test_an_odd_folder_for_choices_stops_no_picture(outbox: Outbox, tmp_path: Path) -> None:
    """People put links where they move pictures to; only what a write needs must be in order."""
    (outbox.root / JOB / "rejected").rmdir()
    (outbox.root / JOB / "rejected").symlink_to(tmp_path / "nowhere")
    saved = outbox.save_picture(JOB, "mug-1", 1, b"bytes", FACTS)
    outbox.save_metadata(JOB, saved.file, "{}")
    assert {saved.file, "metadata/mug-1.json"} <= {*_files(outbox.root / JOB)}


def test_a_picture_is_kept_byte_for_byte(outbox: Outbox) -> None:
    """What the API made is what lies in the outbox, and its record says size and hash."""
    content = bytes(range(256)) * 100
    saved = outbox.save_picture(JOB, "mug-2", 2, content, FACTS)
    assert (outbox.root / JOB / saved.file).read_bytes() == content
    assert (saved.index, saved.file, saved.format) == (2, "images/mug-2.png", "png")
    assert (saved.width, saved.height, saved.bytes) == (4, 3, 25600)
    assert saved.sha256 == hashlib.sha256(content).hexdigest()
    assert (outbox.root / JOB / "thumbnails" / "mug-2.webp").read_bytes() == b"small"


def test_a_repeat_overwrites_its_own_file_only(outbox: Outbox) -> None:
    """The same row and index again replace one file; those beside it stay as they are."""
    outbox.save_picture(JOB, "mug-1", 1, b"first", FACTS)
    outbox.save_picture(JOB, "mug-2", 2, b"other", FACTS)
    outbox.save_picture(JOB, "mug-1", 1, b"again", FACTS)
    images = outbox.root / JOB / "images"
    assert {path.name: path.read_bytes() for path in images.iterdir()} == {
        "mug-1.png": b"again",
        "mug-2.png": b"other",
    }


@settings(deadline=None)  # a disk takes the time it takes
@given(st.text(max_size=200))
def test_any_safe_stem_can_be_a_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever a row is called, its picture finds a name on the disk, within its job's folder."""
    outbox = Outbox(tmp_path_factory.mktemp("outbox"))
    outbox.prepare(JOB)
    saved = outbox.save_picture(JOB, safe_stem(text, fallback="row-1"), 1, b"x", FACTS)
    assert [path.name for path in (outbox.root / JOB / "images").iterdir()] == [saved.file[7:]]


def test_a_text_appears_whole_or_not_at_all(outbox: Outbox) -> None:
    """While a text is written, and when writing it fails, its readers find the old one."""
    outbox.write_text(JOB, "results.csv", ["old\r\n"])
    file = outbox.root / JOB / "results.csv"
    seen: list[bytes] = []

    def chunks() -> Iterator[str]:
        yield "new" * 100_000
        seen.append(file.read_bytes())
        raise RuntimeError("the row source broke")

    with pytest.raises(RuntimeError, match="broke"):
        outbox.write_text(JOB, "results.csv", chunks())
    assert (seen, file.read_bytes()) == ([b"old\r\n"], b"old\r\n")
    assert _files(outbox.root / JOB) == ["results.csv"]


def test_a_text_is_utf_8_even_where_its_author_was_careless(outbox: Outbox) -> None:
    """Line ends stay as they were written; half a surrogate pair does not stop a results file."""
    outbox.write_text(JOB, "results.csv", ["\ufeffé\r\n", "\ud800\r\n"])
    raw = (outbox.root / JOB / "results.csv").read_bytes()
    assert raw == "\ufeffé\r\n\\ud800\r\n".encode()


def test_the_outbox_has_a_page_of_its_own(outbox: Outbox) -> None:
    """A text can stand beside the jobs, too."""
    outbox.write_text("", "index.html", ["<!doctype html>"])
    assert (outbox.root / "index.html").read_text() == "<!doctype html>"


def test_what_an_earlier_end_left_is_taken_over(outbox: Outbox) -> None:
    """A half-written file of a process that was killed is no obstacle, and does not stay."""
    images = outbox.root / JOB / "images"
    code = (
        "import os, sys; from pathlib import Path; from watcher.outbox import Outbox\n"
        "def chunks():\n"
        "    yield 'x' * 200_000\n"
        "    os.kill(os.getpid(), 9)\n"
        f"Outbox(Path({str(outbox.root)!r})).write_text({JOB!r}, 'images/mug-1.png', chunks())"
    )
    _python(code)
    assert [path.suffix for path in images.iterdir()] == [".part"]
    outbox.save_picture(JOB, "mug-1", 1, b"whole", FACTS)
    assert [path.name for path in images.iterdir()] == ["mug-1.png"]


def _python(code: str, *before: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*before, sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("place", [JOB, f"{JOB}/images"])
def test_a_link_in_place_of_a_folder_is_not_followed(
    outbox: Outbox, tmp_path: Path, place: str
) -> None:
    """Whoever can write to the outbox cannot make us write elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "images").mkdir(parents=True)
    folder = outbox.root / place
    folder.rename(tmp_path / "aside")
    folder.symlink_to(elsewhere)
    with pytest.raises(DiskError, match="link"):
        outbox.save_picture(JOB, "mug-1", 1, b"x", FACTS)
    assert _files(elsewhere) == []


def test_a_link_in_place_of_a_file_is_replaced(outbox: Outbox, tmp_path: Path) -> None:
    """A link under the name of a picture, or of its half-written file, is not written through."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    images = outbox.root / JOB / "images"
    part = f".{hashlib.sha256(b'mug-1.png').hexdigest()[:16]}.part"
    for name in ("mug-1.png", part):
        (images / name).symlink_to(victim)
    outbox.save_picture(JOB, "mug-1", 1, b"x", FACTS)
    assert victim.read_bytes() == b"mine"
    assert [(path.name, path.is_symlink()) for path in images.iterdir()] == [("mug-1.png", False)]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//b", "", "a\0b", "."])
def test_a_name_that_leads_elsewhere_is_refused(outbox: Outbox, name: str) -> None:
    """No path given to the outbox leaves it."""
    with pytest.raises(ValueError, match="outbox"):
        outbox.write_text(JOB, name or "/", ["x"])


def test_a_folder_in_place_of_a_file_is_told(outbox: Outbox) -> None:
    """A person's folder with the name of a results file stays, and is named."""
    (outbox.root / JOB / "results.csv").mkdir()
    with pytest.raises(DiskError, match=r"folder stands where a file must be: .*/results\.csv"):
        outbox.write_text(JOB, "results.csv", ["x"])
    assert _files(outbox.root / JOB) == []


def test_a_missing_outbox_is_a_fault(tmp_path: Path) -> None:
    """An outbox that is not there is a share that is away: nothing is written in its place."""
    outbox = Outbox(tmp_path / "mount" / "outbox")
    with pytest.raises(DiskError, match="is not there"):
        outbox.prepare(JOB)
    assert list(tmp_path.iterdir()) == []


def test_new_files_follow_the_folder_they_are_in(tmp_path: Path) -> None:
    """People who share the outbox by its group can use what appears in it, whatever the umask says."""
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(0o2770)
    outbox = Outbox(root)
    outbox.prepare(JOB)
    outbox.save_picture(JOB, "mug-1", 1, b"x", FACTS)
    images = root / JOB / "images"
    modes = [
        stat.S_IMODE(path.stat().st_mode) for path in (root / JOB, images, images / "mug-1.png")
    ]
    assert modes == [0o2770, 0o2770, 0o660]
    assert {path.stat().st_gid for path in (images, images / "mug-1.png")} == {root.stat().st_gid}


class Memory:
    """What the ledger knows of an outbox, and ids that are new each time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ids: list[str] = []
        self._numbers = count(1)

    def marker(self, known: str = "") -> Marker:
        new_id = lambda: f"id-{next(self._numbers)}"  # noqa: E731
        return Marker(root=self.root, id=known, new_id=new_id, remember=self.ids.append)


def expected(memory: Memory, known: str) -> Outbox:
    """The outbox as at a later start."""
    outbox = Outbox(memory.root)
    outbox.expect(memory.marker(known))
    return outbox


def test_what_an_outbox_was_mounted_on_is_none(tmp_path: Path) -> None:
    """An outbox that was here before is made by nobody: without its marker nothing is written, read or listed."""
    memory = Memory(tmp_path / "outbox")
    memory.root.mkdir()
    outbox = expected(memory, "known")
    acts: list[Callable[[], object]] = [
        lambda: outbox.prepare(JOB),
        lambda: outbox.write_text(JOB, "results.csv", ["x"]),
        lambda: outbox.write_text("", "index.html", ["x"]),
        lambda: outbox.read(JOB, "results.csv"),
        lambda: outbox.names(JOB, "redo"),
        lambda: outbox.remove(JOB, "failed.csv"),
    ]
    for act in acts:
        with pytest.raises(DiskError, match="The outbox is away"):
            act()
    assert (list(memory.root.iterdir()), outbox.is_here(), memory.ids) == ([], False, [])


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
def test_the_command_that_is_told_makes_another_outbox(tmp_path: Path, *, there: bool) -> None:
    """Where a folder is to be the outbox from now on, the command in the message makes it one, with an id of
    its own: what had the old id is none any more.
    """
    memory = Memory(tmp_path / "it's an outbox")
    Outbox(memory.root).create(memory.marker())
    old = memory.root.rename(tmp_path / "old")
    if there:
        memory.root.mkdir()
    outbox = expected(memory, "id-1")
    with pytest.raises(DiskError, match="is away") as told_of:
        outbox.require()
    command = told_of.value.hint.partition("run: ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    outbox.prepare(JOB)
    assert memory.ids == ["id-1", "id-2"]
    memory.root.rename(tmp_path / "new")
    old.rename(memory.root)
    assert not outbox.is_here()
    assert not expected(memory, "id-2").is_here()


def test_a_new_outbox_keeps_the_marker_that_it_has(tmp_path: Path) -> None:
    """Two services may share one; the second knows it by the marker of the first, and leaves it."""
    memory = Memory(tmp_path / "outbox")
    Outbox(memory.root).create(memory.marker())
    (marker,) = memory.root.iterdir()
    before = marker.read_bytes()
    second = Outbox(memory.root)
    second.create(memory.marker())
    second.prepare(JOB)
    assert (marker.read_bytes(), memory.ids) == (before, ["id-1", "id-1"])


def test_a_marker_that_could_not_be_remembered(tmp_path: Path) -> None:
    """The disk of the ledger refuses once: the outbox is not used before its marker is known, then it is."""
    memory = Memory(tmp_path / "outbox")
    marker, refused = memory.marker(), [DiskError("The state is full.", "Make room.")]

    def remember(id_: str) -> None:
        if refused:
            raise refused.pop()
        memory.ids.append(id_)

    marker.remember = remember
    outbox = Outbox(memory.root)
    with pytest.raises(DiskError, match="The state is full"):
        outbox.create(marker)
    outbox.prepare(JOB)
    assert memory.ids == ["id-1"]
    assert expected(memory, "id-1").is_here()


def test_a_link_is_no_marker(tmp_path: Path) -> None:
    """Who may write to the outbox cannot have a file of the service written by a link of the marker's name."""
    memory = Memory(tmp_path / "outbox")
    memory.root.mkdir()
    target = tmp_path / "precious"
    target.write_text("")
    (memory.root / ".image-watcher.id").symlink_to(target)
    with pytest.raises(DiskError, match="A link stands"):
        Outbox(memory.root).create(memory.marker())
    with pytest.raises(DiskError, match="A link stands"):
        expected(memory, "x").require()
    assert target.read_text() == ""


_TINY = """
mkdir -p "$0" && mount -t tmpfs -o size=256k,nr_inodes=40 tmpfs "$0" && exec "$@"
"""


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """On a disk without room the old text stays, no half file stays, and the sentence names the path."""
    inside = (
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        _TINY,
        str(tmp_path / "disk"),
    )
    if _python("", *inside).returncode:
        pytest.skip("needs a user namespace in which a small disk can be mounted")
    code = (
        "from pathlib import Path; from watcher.outbox import Outbox; from watcher.core.errors import DiskError\n"
        f"outbox = Outbox(Path({str(tmp_path / 'disk')!r})); outbox.prepare('job'); outbox.write_text('job', 'results.csv', ['old'])\n"
        "try:\n"
        "    outbox.write_text('job', 'results.csv', ['x' * 1_000_000])\n"
        "except DiskError as error:\n"
        "    print(error.code, error)\n"
        "print(sorted(p.name for p in (outbox.root / 'job').iterdir()), (outbox.root / 'job/results.csv').read_text())"
    )
    said = _python(code, *inside)
    assert (said.stdout.splitlines(), said.stderr) == (
        [
            f"disk_full The disk is full: {tmp_path}/disk/job/results.csv. Make room there; the work goes on by itself.",
            "['approved', 'images', 'metadata', 'redo', 'rejected', 'results.csv', 'thumbnails'] old",
        ],
        "",
    )


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EROFS, "disk_read_only"),
        (errno.EIO, "disk_error"),
        (errno.ESTALE, "disk_away"),
        (errno.EACCES, "disk_forbidden"),
        (errno.ENXIO, "disk_error"),
    ],
)
def test_every_fault_of_a_disk_is_a_sentence(number: int, code: str) -> None:
    """What the system says of a disk comes out as what happened, to which path, and what to do."""

    def fails() -> None:
        with told(Path("/srv/outbox")):
            raise OSError(number, os.strerror(number))

    with pytest.raises(DiskError) as caught:
        fails()
    assert caught.value.code == code
    assert caught.value.what.endswith(": /srv/outbox.")
    assert caught.value.hint.endswith(".")
