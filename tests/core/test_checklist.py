"""Checklists: points out of cells, the question about them, and what an answer says, whatever it looks like."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.catalogue import Catalogue
from watcher.core.checklist import (
    LONGEST_POINT,
    MOST_POINTS,
    points_of,
    question,
    read_answer,
    told,
)
from watcher.core.jobs import Item, Json, Operation, Picture, Problem, SourceRow, Unmet, Verdict
from watcher.core.pictures import KeptPicture
from watcher.core.planning import Planner, RowRules, item_from_json, item_to_json
from watcher.core.planning.judging import ask_about
from watcher.core.profiles import load_profiles

POINTS = ("white background", "no text", "one cup")
CATALOGUE = Catalogue.shipped()
RULES = RowRules(
    models={
        Operation.GENERATE: "gpt-image-2.5-flare",
        Operation.EDIT: "gpt-image-2.5-sunburst",
        Operation.ANALYZE: "gpt-6-luna",
    },
    profile=load_profiles()["openai"],
    today=date(2026, 11, 1),
    judges=True,
)


def planned(rules: RowRules = RULES, **said: Json) -> Item | Problem:
    row = SourceRow(number=1, values=tuple(said.values()))
    return Planner(rules, CATALOGUE, list(said)).plan(row)


def checklist(**said: Json) -> tuple[str, ...]:
    item = planned(RULES, prompt="a cup", **said)
    assert isinstance(item, Item)
    return item.checklist


@pytest.mark.parametrize(
    ("cell", "points"),
    [
        ("white background; no text; one cup", POINTS),
        ("- white background\n* no  text\r\n3. one cup\n", POINTS),
        ("[ ] white background\n[x] no text\n1) one cup", POINTS),
        (["white background", " no text ", "", "one cup", "one cup"], POINTS),
        ("1.5 litres; 3 cups", ("1.5 litres", "3 cups")),
        ("  ", ()),
        (5, None),
        ([1, 2], None),
    ],
)
def test_points_are_read_as_people_write_them(cell: Json, points: tuple[str, ...] | None) -> None:
    """One a line, with `;` between them, with bullets or numbers, or a list."""
    assert points_of(cell) == points


def test_a_row_has_the_checklist_of_its_column_or_of_its_inbox() -> None:
    """The column `checklist`, other names by `aliases`, `defaults` where a row says nothing; nowhere else."""
    assert checklist(checklist="one cup") == ("one cup",)
    assert checklist() == ()
    aliased = replace(RULES, aliases={"must show": "checklist"})
    item = planned(aliased, prompt="a cup", Must_Show="one cup")
    assert isinstance(item, Item)
    assert item.checklist == ("one cup",)
    usual = replace(RULES, defaults={"checklist": ["no text"]})
    item = planned(usual, prompt="a cup")
    assert isinstance(item, Item)
    assert item.checklist == ("no text",)
    assert item_from_json(item_to_json(item)) == item
    off = replace(RULES, judges=False)
    assert planned(off, prompt="a cup", checklist="x" * 10_000) == planned(off, prompt="a cup")


def test_a_list_that_is_too_long_fails_before_anything_is_paid() -> None:
    """More points, or longer ones, than can be asked about, and values that are no list."""
    for cell in ("; ".join(map(str, range(MOST_POINTS + 1))), "x" * (LONGEST_POINT + 1), 7):
        problem = planned(prompt="a cup", checklist=cell)
        assert isinstance(problem, Problem)
        assert problem.column == "checklist"


@pytest.mark.parametrize(
    "answer",
    [
        "1: yes\n2: no - SALE is written on it\n3: yes",
        "Here is what I see.\n\n**1:** Yes.\n**2:** No – SALE is written on it.\n**3.** YES\nAll in all good.",
        "1. white background: yes\n2. No text: no, SALE is written on it\n3. one cup - yes",
        "- Point 1: yes\n- Point 2: no (SALE is written on it)\n- point 3: yes",
        '{\n "1": "yes",\n "2": "no - SALE is written on it",\n "3": "yes"\n}',
        "1: yes\n1: yes\n2: no - SALE is written on it\n3: yes\n4: no",
    ],
)
def test_answers_are_understood_in_the_shapes_that_models_give_them(answer: str) -> None:
    """Lines as asked for, among prose, with marks, with the point repeated, as JSON."""
    unmet = read_answer(answer, POINTS)
    assert unmet is not None
    assert [one.point for one in unmet] == ["no text"]
    assert unmet[0].why.rstrip('",)') == "SALE is written on it"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "It looks fine.",
        "1: yes\n2: no",
        "1: yes\n2: no\n2: yes\n3: yes",
        "1: yes\n2: perhaps\n3: yes",
        "1: yes\n2: nothing to see\n3: yes",
        "yes\nno\nyes",
        "All of 1 2 3: yes",
    ],
)
def test_what_is_not_clear_is_no_verdict(answer: str) -> None:
    """A point without an answer, with two that differ, or neither yes nor no: nothing is guessed."""
    assert read_answer(answer, POINTS) is None


@given(st.text(max_size=400), st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4))
def test_no_answer_breaks_the_reader(text: str, points: list[str]) -> None:
    """Whatever a server sends: a verdict on known points, in short lines, or none."""
    unmet = read_answer(text, points)
    assert all(one.point in points and len(one.why) <= 200 for one in unmet or ())
    assert all("\n" not in one.why for one in unmet or ())


@given(st.text(max_size=300))
def test_a_point_stays_one_numbered_line_of_the_question(text: str) -> None:
    """A stranger's point cannot end the list, begin another point, or stand outside of it."""
    points = points_of([text, "last"]) or ()
    lines = question(points).splitlines()
    first, second = (at for at, line in enumerate(lines) if line == "====")
    between = lines[first + 1 : second]
    assert between == [f"{number}. {point}" for number, point in enumerate(points, start=1)]


def test_the_question_goes_to_the_model_for_texts() -> None:
    """By the inbox's analyze model, whatever its templates, prefixes and defaults say about pictures."""
    rules = replace(
        RULES, prompt_prefix="Photo of ", defaults={"size": "1024x1024"}, coercion="strict",
        aliases={"prompt": ""},
    )  # fmt: skip
    item = Item(operation=Operation.GENERATE, model="m", prompt="p", checklist=POINTS)
    picture = KeptPicture(sha256="0" * 64, format="png", name="a; b, c.png")
    asked = ask_about(item, picture, rules, CATALOGUE)
    assert isinstance(asked, Item)
    assert (asked.operation, asked.model) == (Operation.ANALYZE, "gpt-6-luna")
    assert asked.prompt == question(POINTS)
    assert asked.images == (str(picture),)


def test_a_verdict_is_told_point_by_point() -> None:
    """Which picture, which point, and what is seen instead; or why there is no verdict."""
    picture = Picture(
        index=1, file="images/a.png", format="png", width=1, height=1, bytes=1, sha256=""
    )
    verdict = Verdict(index=1, unmet=(Unmet(point="no text", why="SALE"), Unmet(point="one cup")))
    assert list(map(str, told(picture, verdict, again=True))) == [
        "checklist: no text → not met, asked for again (images/a.png: SALE)",
        "checklist: one cup → not met, asked for again (images/a.png)",
    ]
    assert list(map(str, told(picture, Verdict(index=1, problem="No answer."), again=False))) == [
        "checklist: images/a.png → could not be judged (No answer.)"
    ]
