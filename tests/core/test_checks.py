"""Checks: what was asked for and is not there is found, what is good is left alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.checks import Checked, CheckRules, Look, alike, findings
from watcher.core.jobs import Item, Json, Operation

ALL = CheckRules(transparency="warn", size="warn", blank="redo", duplicates="warn")
PRINT = "5a" * 32 + "808080"
OTHER = "c3" * 32 + "808080"
prints = st.binary(min_size=35, max_size=35).map(bytes.hex)


def item(**parameters: Json) -> Item:
    said: Mapping[str, Json] = parameters
    return Item(operation=Operation.GENERATE, model="m", prompt="a cat", parameters=said)


def picture(
    clear: float = 0.0, contrast: float = 50.0, print_: str = PRINT, real: str = "png"
) -> Checked:
    look = Look(clear=clear, contrast=contrast, print=print_)
    return Checked(file="images/2-1.png", format=real, width=1024, height=1024, look=look)


def told(rules: CheckRules, one: Item, seen: Checked, others: Mapping[str, str]) -> list[str]:
    return [str(found.adjustment) for found in findings(rules, one, seen, others.items())]


def test_what_is_as_asked_for_is_left_alone() -> None:
    """Every check on, and nothing to say."""
    asked = item(background="transparent", size="1024x1024", output_format="png")
    assert told(ALL, asked, picture(clear=0.4), {"images/1-1.png": "00" * 35}) == []


@pytest.mark.parametrize(
    ("asked", "seen", "words"),
    [
        (
            item(background="transparent"),
            picture(print_=OTHER),
            "background: transparent → opaque (images/2-1.png has no transparent part)",
        ),
        (
            item(size="1536x1024"),
            picture(print_=OTHER),
            "size: 1536x1024 → 1024x1024 (images/2-1.png has another size)",
        ),
        (
            item(output_format="webp"),
            picture(print_=OTHER),
            "output_format: webp → png (images/2-1.png has another format)",
        ),
        (
            item(),
            picture(contrast=0.5),
            "picture: images/2-1.png → as it is (it is almost blank)",
        ),
        (
            item(),
            picture(print_="5a" * 31 + "5b" + "828180"),
            "picture: images/2-1.png → as it is (it can hardly be told from images/1-1.png)",
        ),
    ],
)
def test_what_is_wrong_is_told(asked: Item, seen: Checked, words: str) -> None:
    """Which picture, what was asked for, what came."""
    assert told(ALL, asked, seen, {"images/1-1.png": PRINT}) == [words]
    assert told(CheckRules(), asked, seen, {"images/1-1.png": PRINT}) == []


def test_what_follows_is_the_inboxs_choice() -> None:
    """`redo` for one check is no `redo` for another."""
    seen = picture(contrast=0.0)
    found = findings(ALL, item(size="512x512"), seen, {})
    assert [each.redo for each in found] == [False, True]


def test_auto_is_whatever_comes() -> None:
    """Nothing was asked for, so nothing can be wrong; jpg and jpeg are one."""
    assert told(ALL, item(size="auto"), picture(), {}) == []
    assert told(ALL, item(output_format="jpg"), picture(real="jpeg"), {}) == []


def test_a_drawing_is_not_judged_by_its_looks() -> None:
    """SVG has no pixels to look at."""
    drawing = Checked(file="images/1-1.svg", format="svg", width=0, height=0, look=None)
    assert told(ALL, item(background="transparent", size="1024x1024"), drawing, {}) == []


def test_a_blank_picture_is_nobodys_twin() -> None:
    """Two empty pictures are told of as empty, once each."""
    seen = picture(contrast=0.0)
    assert len(told(ALL, item(), seen, {"images/1-1.png": PRINT})) == 1


def test_a_picture_is_not_its_own_twin() -> None:
    """A reply that is read again after a crash finds its own picture there."""
    assert told(ALL, item(), picture(), {"images/2-1.png": PRINT}) == []


@given(prints, prints)
def test_alike_is_the_same_both_ways(one: str, other: str) -> None:
    """And everything is like itself."""
    assert alike(one, one)
    assert alike(one, other) == alike(other, one)


def test_another_kind_of_print_is_like_nothing() -> None:
    """An empty one, or one of another length."""
    assert not alike("", "")
    assert not alike(PRINT, PRINT[:-2])
