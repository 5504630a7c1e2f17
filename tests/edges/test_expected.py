"""Drops that were announced: their claims have the ids that were promised, and nobody else's have."""

from __future__ import annotations

from watcher.intake import Expected


def test_a_promised_id_is_given_once_it_comes() -> None:
    """By inbox and path; until it is settled."""
    expected = Expected()
    assert expected.expect("a", b"x.json", "1")
    assert expected.claim_id("a", b"x.json") == "1"
    assert expected.claim_id("b", b"x.json") is None
    expected.settle("1")
    assert expected.claim_id("a", b"x.json") is None
    assert len(expected) == 0


def test_a_path_is_promised_once() -> None:
    """Who comes second takes another name."""
    expected = Expected()
    assert expected.expect("a", b"x.json", "1")
    assert not expected.expect("a", b"x.json", "2")
    assert expected.claim_id("a", b"x.json") == "1"


def test_a_drop_that_is_put_back_keeps_its_promise() -> None:
    """Also under the other name that it may get; a drop that nobody announced gets none."""
    expected = Expected()
    expected.expect("a", b"x.json", "1")
    expected.put_back("a", b"x (2).json", "1")
    assert expected.claim_id("a", b"x (2).json") == "1"
    assert expected.claim_id("a", b"x.json") is None
    expected.put_back("a", b"y.json", "2")
    assert expected.claim_id("a", b"y.json") is None
