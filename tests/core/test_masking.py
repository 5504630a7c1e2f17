"""What looks like a secret is masked; what only looks long is not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.masking import MASK, mask, mask_address


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (
            "Incorrect API key provided: sk-proj-ab12***yz. See",
            f"Incorrect API key provided: {MASK}. See",
        ),
        ("Authorization: Bearer abcdefgh1234", f"Authorization: Bearer {MASK}"),
        ("{'api-key': 'abcdef12'}", f"{{'api-key': '{MASK}'}}"),
        ('{"x-api-key":"abcdef12"}', f'{{"x-api-key":"{MASK}"}}'),
        ("https://h/p.png?sig=a&se=b ok", f"https://h/p.png?{MASK} ok"),
        ("https://h/p?X-Amz-Signature=1&w=2", f"https://h/p?{MASK}"),
        ("https://h/p?w=2&access_token=1", f"https://h/p?{MASK}"),
        ("postgresql://ann:pw@db/x", f"postgresql://{MASK}@db/x"),
        ("http://u:p@proxy:3128", f"http://{MASK}@proxy:3128"),
    ],
)
def test_secrets(text: str, masked: str) -> None:
    """Keys, Bearer tokens, named secrets, signed queries and passwords in addresses are masked."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "task-force of the desk-lamp, risk-averse",
        "https://h/p?w=200&h=100",
        "https://h/v1/images/generations?api-version=2026-01",
        "mail ann@example.org",
        "tokens: 4160, max_tokens=300",
        "a bearer of gifts",
        "gpt-image-2.5-flare",
        "",
    ],
)
def test_ordinary_words(text: str) -> None:
    """Ordinary text, prompts, plain addresses and figures stay as they are."""
    assert mask(text) == text


@pytest.mark.parametrize(
    ("address", "shown"),
    [("slack://a/b/c", f"slack://{MASK}"), ("tgram://x", f"tgram://{MASK}"), ("odd", MASK)],
)
def test_addresses_that_are_secrets(address: str, shown: str) -> None:
    """Of an address that is a secret as a whole only its kind is shown."""
    assert mask_address(address) == shown


@given(st.from_regex(r"sk-[A-Za-z0-9_-]{6,60}", fullmatch=True), st.text(), st.text())
def test_a_key_never_survives(key: str, before: str, after: str) -> None:
    """A key in its usual form is masked wherever it stands, and masking again changes nothing."""
    text = f"{before} {key} {after}"
    assert key not in mask(text)
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a://", "a://b?", "sk-", "bearer ", "api_key: ", "?key"]
)
def test_no_text_is_slow(piece: str) -> None:
    """No text makes the search slow: 200,000 characters take about a second where the machine is busy, not minutes."""
    started = time.process_time()
    mask(piece * (200_000 // len(piece)))
    assert time.process_time() - started < 5
