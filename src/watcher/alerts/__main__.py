"""The process that sends one message: `{"address", "title", "body", "bad"}` in, `{"why"}` out."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import redirect_stdout
from typing import Any

import apprise

_STATUS = re.compile(r"error=(\d{3})\b")
_NOT_UNDERSTOOD = "The address cannot be understood; https://appriseit.com lists the kinds."


def main() -> None:
    asked = json.loads(sys.stdin.read())
    with redirect_stdout(sys.stderr):  # which nobody reads: it may hold parts of the address
        why = _send(asked)
    sys.stdout.write(json.dumps({"why": why}))
    sys.stdout.flush()
    os._exit(0)  # at once: a crash of who asked, before it knows, would send the message twice


def _send(asked: dict[str, Any]) -> str:
    asset = apprise.AppriseAsset(app_id="image-watcher", app_desc="image-watcher", app_url="")
    service = apprise.Apprise.instantiate(asked["address"], asset=asset)
    if service is None:
        return _NOT_UNDERSTOOD
    if "title" not in asked:
        return ""
    kind = apprise.NotifyType.WARNING if asked["bad"] else apprise.NotifyType.SUCCESS
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    result = sender.notify(
        title=asked["title"], body=asked["body"], notify_type=kind, body_format=apprise.NotifyFormat.TEXT
    )  # fmt: skip
    return "" if result else _why(" ".join(entry.message for entry in result.logs()))


def _why(said: str) -> str:
    """Only what surely holds no part of the address."""
    if found := _STATUS.search(said):
        return f"The service answered {found[1]}."
    if "onnection error" in said:
        return "The service could not be reached."
    return "The service did not take it."


if __name__ == "__main__":
    main()
