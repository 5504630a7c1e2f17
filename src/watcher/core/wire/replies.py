"""Reply → answer or refusal, for any bytes that a server may send.

A 200 is believed only as far as its content goes: an error, a web page, an empty list or a body
cut short are each their own kind of no (SDKs take all four for success).
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from watcher.core.jobs import Answer, No, Operation, Refusal, Reply
from watcher.core.wire import sentences as say
from watcher.core.wire.answers import Text, read_pictures, read_text, read_usage, revised_prompt
from watcher.core.wire.errors import clean, find_error, hear, looks_like_page
from watcher.core.wire.refusals import refuse


def read_reply(reply: Reply, operation: Operation, *, now: float | None = None) -> Answer | Refusal:
    """What a reply means. `now` (seconds since the epoch) serves dates in headers without a Date.

    Fewer pictures than asked for are an answer with fewer pictures. Bodies are decoded no deeper
    than 1024 levels (orjson).
    """
    if not 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's success
        return refuse(hear(reply), reply, now)
    try:
        data = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return _unreadable(reply)
    read = _text_answer if operation is Operation.ANALYZE else _picture_answer
    # A no that came at the end of work has its price too.
    return replace(read(reply, data, now), usage=read_usage(data, operation))


def _picture_answer(reply: Reply, data: object, now: float | None) -> Answer | Refusal:
    pictures, damaged = read_pictures(data)
    if pictures:
        return Answer(
            pictures=pictures,
            request_id=reply.request_id,
            revised_prompt=revised_prompt(data),
        )
    if damaged:
        return _cut_short(reply)
    if said := find_error(data, reply.status):
        return refuse(said, reply, now)
    text = read_text(data)
    if text.refused:
        return _refusal(reply, No.NEVER, "moderation", clean(text.refused), say.MODERATION)
    if text.words:
        return _empty(
            reply, f"The model answered in words instead of a picture: “{clean(text.words)}”"
        )
    return _empty(reply, "The provider answered 200 without a picture.")


def _text_answer(reply: Reply, data: object, now: float | None) -> Answer | Refusal:
    text = read_text(data)
    if text.refused:
        words = clean(text.refused) or "The provider refused to describe this."
        return _refusal(reply, No.NEVER, "moderation", words, say.MODERATION)
    if text.cut:
        return _cut_text(reply, text)
    if text.words.strip():
        return Answer(text=text.words, request_id=reply.request_id)
    if said := find_error(data, reply.status):
        return refuse(said, reply, now)
    words = "The provider answered 200 without a text."
    return _refusal(reply, No.NEVER, "no_text", words, say.NO_TEXT, paid_maybe=True)


def _cut_text(reply: Reply, text: Text) -> Refusal:
    """The cap on tokens ended the text, or the reasoning before it: once more without the cap."""
    words = "The description was cut off at the limit of its length."
    return _refusal(reply, No.MEND, "text_cut", words, say.LONGER, param=text.cut, paid_maybe=True)


def _unreadable(reply: Reply) -> Refusal:
    if looks_like_page(reply.body):
        return _refusal(reply, No.LATER, "html", hear(reply).words, say.PAGE)
    return _cut_short(reply)


def _cut_short(reply: Reply) -> Refusal:
    words = "The answer arrived damaged or cut short."
    return _refusal(reply, No.AMBIGUOUS, "cut_short", words, say.DOUBT, paid_maybe=True)


def _empty(reply: Reply, words: str) -> Refusal:
    return _refusal(reply, No.NEVER, "no_image", words, say.NO_IMAGE, paid_maybe=True)


def _refusal(
    reply: Reply,
    no: No,
    code: str,
    what: str,
    hint: str,
    *,
    param: str = "",
    paid_maybe: bool = False,
) -> Refusal:
    return Refusal(
        no=no,
        code=code,
        what=what,
        hint=hint,
        status=reply.status,
        param=param,
        request_id=reply.request_id,
        paid_maybe=paid_maybe,
    )
