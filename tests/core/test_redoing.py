"""Rows that are asked again: what is asked for, how many, and under which names."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Item, Operation
from watcher.core.naming import assign_stems, kept_stems, stem_at
from watcher.core.pictures import KeptPicture
from watcher.core.planning import RowRules
from watcher.core.planning.redoing import Asking, as_edit, asked_anew, asking, clean_note
from watcher.core.profiles import load_profiles

MUG = Item(
    operation=Operation.GENERATE,
    model="gpt-image-2.5-flare",
    prompt="a mug",
    parameters={"size": "1024x1024", "quality": "low", "moderation": "low"},
    name="mug",
)
KEPT = KeptPicture(sha256="ab" * 32, format="png", name="mug-1.png")


def asked(*, wanted: int, delivered: int, live: int, replaced: int) -> Asking:
    stems = kept_stems([f"mug-{at}" for at in range(1, wanted + 1)])
    return asking(
        stems, 1, wanted=wanted, delivered=delivered, live=live, replaced=replaced, others=()
    )


def test_a_note_follows_the_prompt_and_nothing_is_reused() -> None:
    """All notes that led here, one a line; an equal result of before would be the picture that was refused."""
    again = asked_anew(MUG, ("blue", "with a lid"), n=2)
    assert (again.prompt, again.n, again.reuse) == ("a mug\nblue\nwith a lid", 2, False)
    assert again.parameters == MUG.parameters


def test_notes_of_notepad_are_notes() -> None:
    """A byte order mark, Windows line ends and blank lines are none of a prompt; nothing is without end."""
    assert clean_note("\ufeff blue \r\n\r\n with a lid\r\n") == "blue\nwith a lid"
    assert len(clean_note("x" * 100_000)) == 2_000


def test_a_partial_row_is_asked_for_what_is_missing_too() -> None:
    """As many as make it whole: those that are replaced, and those that never came."""
    assert asked(wanted=1, delivered=1, live=1, replaced=1).n == 2
    assert asked(wanted=4, delivered=3, live=3, replaced=1).n == 5
    assert asked(wanted=2, delivered=4, live=2, replaced=1).n == 5
    assert asked(wanted=3, delivered=0, live=0, replaced=0).n == 3


def test_an_edit_is_planned_as_a_row_of_its_own() -> None:
    """By the model for edits; what that does not take is left out; the note is the prompt."""
    rules = RowRules(
        models={
            Operation.GENERATE: "gpt-image-2.5-flare",
            Operation.EDIT: "gpt-image-2.5-sunburst",
            Operation.ANALYZE: "gpt-6-luna",
        },
        profile=load_profiles()["openai"],
        today=date(2026, 11, 21),
        prompt_template="{{ title }}",
        prompt_suffix=", studio light",
    )
    edit = as_edit(MUG, KEPT, ("blue",), n=3, rules=rules, catalogue=Catalogue.shipped())
    assert isinstance(edit, Item)
    assert (edit.operation, edit.model, edit.n) == (Operation.EDIT, "gpt-image-2.5-sunburst", 3)
    assert (edit.prompt, edit.images, edit.reuse) == ("blue", (str(KEPT),), False)
    plain = as_edit(MUG, KEPT, (), n=2, rules=rules, catalogue=Catalogue.shipped())
    assert isinstance(plain, Item)
    assert plain.prompt == "a mug"


@given(
    st.lists(
        st.sampled_from(["mug", "MUG", "mug-redo2", "mug-1-redo2", "mug-1-redo2-r1", "é"]),
        max_size=6,
    )
)
def test_a_new_picture_never_has_the_name_of_another(names: list[str]) -> None:
    """Whatever the other rows are called: no picture that was paid for is written over."""
    rows = [(at, [f"{name}-1", f"{name}-2"]) for at, name in enumerate(["mug", *names], start=1)]
    kept = [kept_stems(stems) for _, stems in assign_stems(rows)]
    first = asking(kept[0], 1, wanted=2, delivered=2, live=2, replaced=2, others=kept)
    new = [stem_at(kept_stems(first.stems), index) for index in (3, 4)]
    taken = {stem.casefold() for one in kept for stem in one.split("/")}
    assert len({stem.casefold() for stem in new} | taken) == len(taken) + 2
