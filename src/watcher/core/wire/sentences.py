"""What to do now, in words, for each kind of no. Shown in notes, results and alerts."""

from __future__ import annotations

import re

MONEY = "There is no credit left or a spending limit is reached: add credit or raise the limit with the provider. The rows wait and go on by themselves."
KEY = "Check the key, and that it belongs to api.base_url. The rows wait and go on by themselves."
MODERATION = "The safety system of the provider refused it; the same words are refused again. Change the prompt or the picture and drop the row again."
BAD_INPUT = "Save the picture as PNG, JPEG or WebP and drop the row again."
MODEL = "Choose a model that the provider still has; “image-watcher models” lists them."
MEND = "This server does not take the parameter; it is left out and the row is asked for once more."
WAITS = "Nothing to do: the row is tried again."
PAGE = (
    "A proxy or a login page may stand in the way; check api.base_url and the network if it lasts."
)
VERIFY = "Verify the organization on the provider's settings page; it counts after about 15 minutes. The rows wait."
BLOCKED = "The provider has blocked the account for a while, mostly after many refused prompts: look into its notices. The rows wait."
FORBIDDEN = "Check what the key may do, and from which countries and networks. The rows wait."
ADDRESS = "Check api.base_url: it ends before /images/… (often in /v1). On Azure it is https://NAME.openai.azure.com/openai/v1, with the deployment as the model."
REDIRECT = (
    "Set api.base_url to the real address; prompts and pictures are not sent on to other addresses."
)
TOO_LARGE = "Use smaller pictures, or a server that takes larger ones, and drop the row again."
BAD_VALUE = "Correct the row and drop it again."
DOUBT = "It may have been charged. It is tried again as often as retry.ambiguous allows."
NO_IMAGE = "The provider may have held the picture back without saying so; change the prompt and drop the row again."
NO_TEXT = "Change the prompt, or take another model, and drop the row again."
LONGER = "It is asked for once more without a limit of its own."

_LIKE_A_KEY = re.compile(r"[A-Za-z0-9_*-]{16,}")


def without_keys(words: str) -> str:
    """Words about a key, without it: servers quote the key that they refuse, some in full."""
    return _LIKE_A_KEY.sub("…", words)
