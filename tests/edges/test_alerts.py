"""The room that hands messages over: what comes of an address is a sentence, and never shows the address."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.listener import listener

from watcher.alerts import deliver, usable
from watcher.core.alerting import Message

MESSAGE = Message(title="Paused: größer & <b>", body="• one\n• two", bad=True)


def test_a_message_is_handed_over() -> None:
    """Title, text and kind arrive as they were written."""
    with listener() as ears:
        assert asyncio.run(deliver(ears.address, MESSAGE)) == ""
    (heard,) = ears.heard
    assert (heard["title"], heard["message"]) == (MESSAGE.title, MESSAGE.body)
    assert heard["type"] == "warning"


def test_a_service_that_says_no() -> None:
    """Its status is told, its address is not."""
    with listener(status=403) as ears:
        why = asyncio.run(deliver(ears.address, MESSAGE))
    assert why == "The service answered 403."


def test_a_service_that_is_away() -> None:
    """Nobody listens there."""
    with listener() as ears:
        pass
    assert asyncio.run(deliver(ears.address, MESSAGE)) == "The service could not be reached."


def test_a_service_that_hangs_is_given_up() -> None:
    """After its time whatever hangs is killed; nobody waits longer for it."""
    with listener(hang=threading.Event()) as ears:
        why = asyncio.run(deliver(ears.address, MESSAGE, seconds=3))
    assert why == "It was not taken within 3 seconds."


@pytest.mark.parametrize(
    "address", ["no address S3cret", "slack://S3cret/x", "nosuch://S3cret@host", "json://", ""]
)
def test_an_address_that_cannot_be_understood(address: str) -> None:
    """It is found out without sending anything, in words that do not show it."""
    for why in (asyncio.run(usable(address)), asyncio.run(deliver(address, MESSAGE))):
        assert why.startswith("The address cannot be understood")
        assert "S3cret" not in why


def test_an_address_can_be_looked_at_without_sending() -> None:
    """`usable` tells nobody anything."""
    with listener() as ears:
        assert asyncio.run(usable(ears.address)) == ""
    assert ears.heard == []
