"""Where the API is and who asks: addresses and keys, and how long to wait between tries."""
# ruff: noqa: S311 - random waits keep no secret

from __future__ import annotations

import ssl
from random import Random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.api import Endpoint, RetryRules, normalise_base_url, wait_before
from watcher.api.addresses import is_public
from watcher.api.faults import Phase, fault_of
from watcher.core.jobs import No, Refusal
from watcher.core.profiles import load_profiles

OPENAI = load_profiles()["openai"]


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        (" https://api.openai.com/v1/ \n", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/images/generations", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/images/edits/", "https://api.openai.com/v1"),
        ("http://LOCALHOST:8080/v1/images/inpainting", "http://localhost:8080/v1"),
        ("https://x.example/api/v1/chat/completions", "https://x.example/api/v1"),
        ("https://x.example/v1/responses", "https://x.example/v1"),
        ("https://x.example/v1/models", "https://x.example/v1"),
        ("https://x.example", "https://x.example"),
        ("http://[::1]:9/v1", "http://[::1]:9/v1"),
    ],
)
def test_a_full_address_is_brought_to_its_base(text: str, base: str) -> None:
    """The address that a guide told people to paste works; the siblings are derived from it."""
    assert normalise_base_url(text) == base
    assert normalise_base_url(base) == base


@pytest.mark.parametrize(
    "text",
    [
        "", "api.openai.com/v1", "ftp://x.example/", "https://", "https://x.example:no/v1", "https://[::1/v1",
        "https://sk-secret@x.example/v1", "https://me:sk-secret@x.example/v1",
        "https://x.example/v1?key=sk-secret", "https://x.example/v1#sk-secret",
    ],
)  # fmt: skip
def test_an_address_with_a_secret_or_none_at_all_is_refused(text: str) -> None:
    """In a sentence that does not quote it."""
    with pytest.raises(ValueError, match=r"api\.base_url") as caught:
        normalise_base_url(text)
    assert "sk-secret" not in str(caught.value)


def test_the_key_is_stripped_and_never_shown() -> None:
    """A line break from a file is taken off; the repr has no key."""
    endpoint = Endpoint(base_url="https://x.example/v1", key=" sk-secret-1\r\n", profile=OPENAI)
    assert endpoint.auth == {"authorization": "Bearer sk-secret-1"}
    assert "sk-secret" not in repr(endpoint)


@pytest.mark.parametrize(
    "key", ["sk-sec\nret", "sk-sec ret", "sk-secrét", "sk-sec" * 100, "\x00sk-sec", "   "]
)
def test_a_key_that_cannot_be_a_header_is_refused(key: str) -> None:
    """In a sentence that does not quote it."""
    with pytest.raises(ValueError, match="API key") as caught:
        Endpoint(base_url="https://x.example/v1", key=key, profile=OPENAI)
    assert "sk-sec" not in str(caught.value)


def test_timeouts_have_defaults() -> None:
    """A patience that the settings do not name has the documented seconds."""
    endpoint = Endpoint(base_url="https://x.example", key="", profile=OPENAI, timeouts={"low": 9.0})
    assert [endpoint.timeout(name) for name in ("low", "medium", "high", "analyze")] == [
        9,
        360,
        600,
        120,
    ]


RULES = RetryRules(attempts=4, base=2.0, longest=60.0, ambiguous=1)


def later(retry_after: float | None = None) -> Refusal:
    return Refusal(no=No.LATER, code="server_error", what="x", retry_after=retry_after)


@given(tries=st.integers(0, 10_000), seed=st.integers(0, 2**32))
def test_waits_are_full_jitter_under_a_growing_roof(tries: int, seed: int) -> None:
    """Never negative, never over base × 2^(tries - 1), never over the longest wait."""
    wait = wait_before(tries, later(), RULES, Random(seed))
    assert 0 <= wait <= min(60.0, 2.0 * 2 ** min(max(tries, 1) - 1, 50))


@given(asked=st.floats(0.001, 3600), seed=st.integers(0, 2**32))
def test_what_the_server_asked_for_wins(asked: float, seed: int) -> None:
    """Never shorter than Retry-After, and hardly longer, even past our own longest wait."""
    wait = wait_before(1, later(asked), RULES, Random(seed))
    assert asked <= wait <= asked * 1.1
    assert wait <= asked + 1.0


def test_waits_use_the_whole_room() -> None:
    """Jitter spreads: a hundred rows that failed together do not come back together."""
    random = Random(1)
    waits = [wait_before(3, later(), RULES, random) for _ in range(200)]
    assert min(waits) < 1
    assert 7 < max(waits) <= 8
    assert len(set(waits)) == 200


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),
        ("2002:5db8:d70e::1", True),
        ("::ffff:93.184.215.14", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::5db8:d70e", False),
        ("2002:7f00:1::", False),
        ("2002:a9fe:a9fe::1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("2001:db8::1", False),
        ("not an address", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:  # noqa: FBT001
    """Only the public internet is public, however an IPv4 address is wrapped."""
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("verify_code", "words"),
    [
        (62, "another name"),
        (64, "another name"),
        (10, "not valid today"),
        (18, "not known here"),
        (23, "refused"),
    ],
)
def test_certificates_that_are_refused(verify_code: int, words: str) -> None:
    """Each reason in its own words, nothing sent, and not tried again on the spot."""
    cause = ssl.SSLCertVerificationError("certificate verify failed")
    cause.verify_code, cause.verify_message = verify_code, "revoked"
    error = httpx.ConnectError("x")
    error.__cause__ = cause
    fault = fault_of(error, Phase(), "api.example")
    assert (fault.refusal.no, fault.refusal.code) == (No.LATER, "connection")
    assert words in fault.refusal.what
    assert not fault.again
