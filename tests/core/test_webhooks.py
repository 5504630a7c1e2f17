"""Signed messages: after the specification's own example, and nothing that is not ours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watcher.core.webhooks import SIGNATURE, TOLERANCE, Signer, headers_of, is_fresh

# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
WANTED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_specification() -> None:
    """The libraries of others find our signature to be right."""
    found = headers_of((SECRET,), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
    assert found[SIGNATURE] == WANTED


@given(st.binary(), st.binary(min_size=1), st.text(min_size=1))
def test_another_body_has_another_signature(body: bytes, more: bytes, secret: str) -> None:
    """One of several signatures is enough; none fits a changed body, in however many pieces it comes."""
    found = headers_of((secret,), "m", 1, body)[SIGNATURE]
    same, other = Signer((secret,), "m", "1"), Signer((secret,), "m", "1")
    same.take(body[:1])
    same.take(body[1:])
    other.take(body + more)
    assert same.is_among(f"v1,other {found}")
    assert not other.is_among(found)


def test_a_secret_is_changed_without_a_gap() -> None:
    """While two are good, what is signed with either is taken, and what we sign fits both; a third fits neither."""
    both = headers_of(("new", "old"), "m", 1, BODY)[SIGNATURE]
    for secret, good in (("new", True), ("old", True), ("other", False)):
        alone, two = Signer((secret,), "m", "1"), Signer(("new", "old"), "m", "1")
        alone.take(BODY)
        two.take(BODY)
        assert alone.is_among(both) is good
        assert two.is_among(alone.signature()) is good


@given(st.text())
def test_a_time_is_a_number_of_now(stamp: str) -> None:
    """Whatever is no number, or not of now, is not fresh; nothing raises."""
    assert not is_fresh(stamp, 1e12)


def test_how_old_a_message_may_be() -> None:
    """Five minutes, into the past and the future."""
    assert is_fresh("1000", 1000 + TOLERANCE)
    assert is_fresh("1000", 1000 - TOLERANCE)
    assert not is_fresh("1000", 1001 + TOLERANCE)
