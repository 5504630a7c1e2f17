"""The parameters of a generate or an edit row: mended to what the model takes, or refused.

A model that the catalogue does not know gets what the row says, once it is of the right type.
"""

from __future__ import annotations

from watcher.core.jobs import Operation
from watcher.core.planning.draft import Draft, leave_out_all, not_allowed, one_of
from watcher.core.planning.picture_sizes import settle_size
from watcher.core.planning.rules import Refused, Said
from watcher.core.planning.values import as_word, shown

_DEFAULT_QUALITY = "medium"  # always said: a model left to itself may choose its dearest
_MOST_PICTURES = 10  # of one call, also for models that nobody knows
_OF_TEXT = ("detail", "max_tokens")  # what only analyze has a use for


def settle_pictures(draft: Draft) -> None:
    """A generate or an edit row."""
    leave_out_all(draft, _OF_TEXT, "only analyze has a use for it")
    refuse_pictures(draft)
    model = draft.model
    count = draft.integer("n", 1, min(model.n_max, _MOST_PICTURES) if model else _MOST_PICTURES)
    draft.n = count[1] if count else 1
    _settle_quality(draft)
    _settle_format(draft)
    _settle_background(draft)
    _settle_compression(draft)
    _settle_animation(draft)
    settle_size(draft)
    _settle_word(draft, "moderation", model.moderation if model else None)
    _settle_word(draft, "complexity", model.complexity if model else None)
    _settle_fidelity(draft)
    _settle_style(draft)
    _settle_response_format(draft)


def refuse_pictures(draft: Draft) -> None:
    """More, or other, pictures than the model looks at."""
    pictures, model = draft.pictures, draft.model
    if pictures.mask and pictures.markup:
        raise Refused("mask_and_markup", "The row names a mask and a markup; only one can be used.")
    if pictures.mask and not draft.rules.profile.drops.isdisjoint(
        {"mask", draft.rules.profile.mask_field}
    ):
        raise Refused(
            "mask_unused",
            f"The row names a mask, which {draft.rules.profile.name} does not take.",
            "Leave mask empty, or choose another api.profile in the settings.",
            "mask",
        )
    if model is None:
        return
    most = model.images.max_count if model.images else 0
    if pictures.images > most:
        raise Refused(
            "too_many_images",
            f"The row names {pictures.images} pictures; {draft.model_name} takes {most} at most.",
            f"Name at most {most}.",
            "image",
        )
    analyze = draft.operation is Operation.ANALYZE
    takes = {"mask": model.mask is not None and not analyze, "markup": model.markup and not analyze}
    for name, there in (("mask", pictures.mask), ("markup", pictures.markup)):
        if there and not takes[name]:
            raise Refused(
                f"{name}_unused",
                f"The row names a {name}, which {draft.model_name} has no use for here.",
                f"Leave {name} empty, or use a model that takes one.",
                name,
            )


def _settle_word(draft: Draft, name: str, allowed: tuple[str, ...] | None) -> None:
    """A parameter that is one of a few words. `allowed` None: not known; empty: not taken."""
    found = draft.word(name)
    if found is None:
        return
    said, word = found
    if allowed == ():
        draft.leave_out(said, f"{draft.model_name} does not take it")
    elif allowed is None or word in allowed:
        draft.put(name, word, said)
    else:
        raise not_allowed(said, allowed, draft.model_name)


def _settle_quality(draft: Draft) -> None:
    found = draft.word("quality")
    allowed = draft.model.qualities if draft.model else None
    if found is None:
        quality = _translated(draft, _DEFAULT_QUALITY, allowed)
        if quality:
            draft.put("quality", quality)
        return
    said, word = found
    used = _translated(draft, word, allowed)
    if used is None:
        raise not_allowed(said, allowed or (), draft.model_name)
    if used != word:
        draft.adjust(said, used, f"{draft.model_name} takes {one_of(allowed or ())}")
    draft.put("quality", used, said)


def _translated(draft: Draft, word: str, allowed: tuple[str, ...] | None) -> str | None:
    """Today's word for an old one, or the old one for today's where an old model is asked."""
    if allowed is None or word in allowed:
        return word
    legacy = draft.catalogue.legacy.quality
    candidates = (legacy.get(word), *(old for old, new in legacy.items() if new == word))
    return next((each for each in candidates if each in allowed), None)


def _settle_format(draft: Draft) -> None:
    found = draft.word("output_format")
    if found is None:
        return
    said, word = found
    word = word.lstrip(".")
    allowed = draft.model.output_formats if draft.model else None
    used = draft.catalogue.legacy.output_format.get(word, word)
    if allowed == ():
        draft.leave_out(said, f"{draft.model_name} does not take it")
        return
    if allowed is not None and used not in allowed:
        makers = [
            model.id for model in draft.catalogue.models.values() if used in model.output_formats
        ]
        hint = f" {used} is made by {one_of(makers)}." if makers else ""
        raise not_allowed(said, allowed, draft.model_name, hint)
    if used != as_word(said.value):
        draft.adjust(said, used, "the API's word for it")
    _refuse_in_format(draft, said, used)
    draft.put("output_format", used, said)


def _refuse_in_format(draft: Draft, said: Said, used: str) -> None:
    if used == "svg" and draft.n > 1:
        raise Refused(
            "out_of_range", f"{said.column}: svg is made one at a time.", "Set n to 1.", said.column
        )
    if used == "gif" and draft.pictures.mask:
        raise Refused(
            "mask_unused", f"{said.column}: gif takes no mask.", "Leave mask empty.", "mask"
        )


def _settle_background(draft: Draft) -> None:
    """Transparent needs a format that can hold it; jpeg cannot."""
    found = draft.word("background")
    _settle_word(draft, "background", draft.model.backgrounds if draft.model else None)
    if found is None or found[1] != "transparent" or "background" not in draft.parameters:
        return
    said, format_said = found[0], draft.said.get("output_format")
    used = draft.parameters.get("output_format", "png")
    if used in ("gif", "svg"):
        draft.put("background", "auto")
        draft.adjust(said, "auto", "transparent is made as png or webp only")
    elif used == "jpeg" and format_said is not None:
        draft.put("output_format", "png")
        draft.adjust(format_said, "png", "jpeg cannot hold a transparent background")


def _settle_compression(draft: Draft) -> None:
    said = draft.said.get("output_compression")
    if said is None:
        return
    if isinstance(said.value, str) and said.value.strip().endswith("%"):
        bare = Said(column=said.column, value=said.value.strip(" %"), by=said.by)
        draft.said = {**draft.said, "output_compression": bare}
    found = draft.integer("output_compression", 0, 100)
    formats = draft.model.compression_formats if draft.model else ("jpeg", "webp")
    used = draft.parameters.get("output_format", "png")
    if used not in formats:
        draft.leave_out(said, f"{used} is not compressed with loss")
    elif found:
        draft.put("output_compression", found[1], said)


def _settle_animation(draft: Draft) -> None:
    gif = draft.model.gif if draft.model else None
    if draft.parameters.get("output_format") != "gif" or gif is None:
        for name in ("frame_count", "frame_duration_ms"):
            if name in draft.said:
                draft.leave_out(draft.said[name], "only gif has frames")
        return
    frames = draft.integer("frame_count", gif.frames_min, gif.frames_max)
    if frames:
        draft.put("frame_count", frames[1], frames[0])
    duration = draft.integer("frame_duration_ms", 1, gif.duration_max_ms)
    if duration:
        said, wanted = duration
        step = gif.duration_step_ms
        used = max(step, round(wanted / step) * step)
        if used != wanted:
            draft.adjust(said, str(used), f"a multiple of {step} milliseconds")
        draft.put("frame_duration_ms", used, said)


def _settle_fidelity(draft: Draft) -> None:
    said = draft.said.get("input_fidelity")
    if said is not None and draft.operation is not Operation.EDIT:
        if said.by == "row":
            draft.leave_out(said, "only edit has a use for it")
        return
    allowed = draft.model.input_fidelity if draft.model else None
    found = draft.word("input_fidelity")
    if found and allowed and found[1] == "high" and "high" not in allowed:
        draft.put("input_fidelity", allowed[0], found[0])
        draft.adjust(found[0], allowed[0], f"{draft.model_name} takes {one_of(allowed)}")
        return
    _settle_word(draft, "input_fidelity", allowed)


def _settle_style(draft: Draft) -> None:
    """The API has no styles any more: they become words of the prompt."""
    found = draft.word("style")
    if found is None:
        return
    said, word = found
    if draft.model is None or word in draft.model.styles:
        draft.put("style", word, said)
        return
    known = draft.catalogue.legacy.style.get(word)
    draft.style_words = known or f"Style: {shown(said.value)}."
    draft.adjust(said, draft.style_words, "styles are words of the prompt now")


def _settle_response_format(draft: Draft) -> None:
    """Never sent: pictures come as files, and their addresses stand in the results."""
    found = draft.word("response_format")
    if found is None or found[1] in ("b64_json", "base64", "b64"):
        return
    said, word = found
    if word not in ("url", "urls", "image_url"):
        raise not_allowed(said, ("url", "b64_json"), draft.model_name)
    draft.url_wanted = True
    draft.adjust(
        said, "result_urls", "the API sends pictures only; their addresses are in the results"
    )
