"""The first two decisions about a row: what it asks for, and which model is asked."""

from __future__ import annotations

from watcher.core.catalogue import Model
from watcher.core.headers import header_key
from watcher.core.jobs import Operation
from watcher.core.planning.draft import Draft, wrong_type
from watcher.core.planning.rules import Refused, Said
from watcher.core.planning.values import as_text, as_word, shown

_WORDS = {
    **dict.fromkeys(("generate", "generation", "generations", "create"), Operation.GENERATE),
    **dict.fromkeys(("edit", "edits", "variation", "variations"), Operation.EDIT),
    **dict.fromkeys(("analyze", "analyse", "analysis", "describe"), Operation.ANALYZE),
}
_DOES = {
    Operation.GENERATE: "make pictures",
    Operation.EDIT: "edit pictures",
    Operation.ANALYZE: "look at pictures",
}
VARIATION_PROMPT = "A variation of this picture."
_LONGEST_CHAIN = 5  # replacements that are themselves gone


def choose_operation(draft: Draft) -> None:
    """A picture makes an edit, analyze is said by name, everything else is a generate."""
    said = draft.said.get("operation")
    pictures = draft.pictures
    draft.operation = _said_operation(said) or _usual(draft)
    if said is not None and (as_word(said.value) or "").startswith("variation"):
        draft.fallback_prompt = VARIATION_PROMPT
        draft.adjust(said, "edit", "the API has no variations any more")
    if pictures.images and draft.operation is Operation.GENERATE and said is not None:
        if said.by == "row":
            raise Refused(
                "picture_unused",
                f"{said.column}: {shown(said.value)} was found in a row that names a picture.",
                "Write edit to change the picture, or leave the picture out.",
                said.column,
            )
        draft.operation = Operation.EDIT
    if not pictures.images:
        _refuse_without_picture(draft)
    if draft.operation.value not in draft.rules.profile.operations:
        raise Refused(
            "operation_unavailable",
            f"{draft.rules.profile.name} cannot {_DOES[draft.operation]}.",
            "Choose another operation, or another api.profile in the settings.",
            said.column if said else "",
        )


def _said_operation(said: Said | None) -> Operation | None:
    if said is None:
        return None
    word = as_word(said.value)
    if word is None:
        raise wrong_type(said, "generate, edit or analyze")
    operation = _WORDS.get(header_key(word))
    if operation is None:
        raise Refused(
            "operation_unknown",
            f"{said.column}: {shown(said.value)} is not something that can be asked for.",
            "Allowed: generate, edit or analyze.",
            said.column,
        )
    return operation


def _usual(draft: Draft) -> Operation:
    return Operation.EDIT if draft.pictures.images else Operation.GENERATE


def _refuse_without_picture(draft: Draft) -> None:
    for name, there in (("mask", draft.pictures.mask), ("markup", draft.pictures.markup)):
        if there:
            raise Refused(
                f"{name}_without_image",
                f"The row names a {name} but no image that it belongs to.",
                f"Name the picture in the column image, or leave {name} empty.",
                name,
            )
    if draft.operation is not Operation.GENERATE:
        raise Refused(
            "image_missing",
            f"The row names no picture to {draft.operation.value}.",
            "Name one in the column image.",
            "image",
        )


def choose_model(draft: Draft) -> None:
    """The model that the row names, or the inbox's; one that is gone is treated as settings say."""
    said = _said_model(draft)
    if said is None:
        draft.model_name = draft.rules.models.get(draft.operation, "")
        draft.model = draft.catalogue.find(draft.model_name)
        said = Said(column="model", value=draft.model_name, by="inbox")
    else:
        _name_model(draft, said)
    if not draft.model_name:
        raise Refused(
            "model_missing", f"No model is set that can {_DOES[draft.operation]}.", column="model"
        )
    if draft.model and _is_gone(draft, draft.model):
        _treat_gone(draft, said, draft.model)
    if draft.model:
        _treat_unable(draft, said, draft.model)


def _said_model(draft: Draft) -> Said | None:
    """What is said of the model; an inbox's default holds only for what that model can do."""
    said = draft.said.get("model")
    if said is None or said.by != "inbox":
        return said
    model = draft.catalogue.find(as_text(said.value) or "")
    return said if model is None or model.takes(draft.operation) else None


def _name_model(draft: Draft, said: Said) -> None:
    name = as_text(said.value)
    if name is None:
        raise wrong_type(said, "the name of a model")
    draft.named_by_row = said.by != "inbox"
    draft.model_name, draft.model = name, draft.catalogue.find(name)
    if draft.model:
        known = {each.casefold(): each for each in (draft.model.id, *draft.model.snapshots)}
        draft.model_name = known.get(name.casefold(), draft.model.id)
        if name.casefold() not in known:
            draft.adjust(said, draft.model_name, "the name that the API knows it by")


def _is_gone(draft: Draft, model: Model) -> bool:
    rules = draft.rules
    return model.state_on(rules.today, rules.profile.provider) == "retired"


def _treat_gone(draft: Draft, said: Said, model: Model) -> None:
    policy = draft.rules.retired_models
    if policy == "send" or (policy == "refuse" and said.by == "inbox"):
        return
    successor = _successor(draft, model)
    day = model.shutdown_on(draft.rules.profile.provider)
    why = f"{model.id} was shut down on {day}"
    if policy == "refuse" or successor is None:
        raise Refused(
            "model_retired",
            f"{said.column}: {why}.",
            f"Use {successor.id}." if successor else "Name another model.",
            said.column,
        )
    _take_instead(draft, said, successor, why)


def _take_instead(draft: Draft, said: Said, model: Model, why: str) -> None:
    draft.adjust(said, model.id, why)
    draft.model_name, draft.model, draft.named_by_row = model.id, model, False


def _successor(draft: Draft, model: Model) -> Model | None:
    """What took the model's place and lives, else what the inbox uses."""
    name = model.replacements.get(draft.operation, "")
    for _ in range(_LONGEST_CHAIN):
        found = draft.catalogue.find(name)
        if found is None:
            break
        if not _is_gone(draft, found) and found.takes(draft.operation):
            return found
        name = found.replacements.get(draft.operation, "")
    own = draft.catalogue.find(draft.rules.models.get(draft.operation, ""))
    usable = own and not _is_gone(draft, own) and own.takes(draft.operation)
    return own if usable else None


def _treat_unable(draft: Draft, said: Said, model: Model) -> None:
    """A model that cannot do what is asked; one without transparency gives way to one that has it."""
    if not model.takes(draft.operation):
        raise Refused(
            "model_unable",
            f"{said.column}: {draft.model_name} cannot {_DOES[draft.operation]}.",
            f"Use {draft.rules.models.get(draft.operation) or 'another model'}, or leave it empty.",
            said.column,
        )
    wanted = draft.said.get("background")
    transparent = wanted is not None and as_word(wanted.value) == "transparent"
    if not transparent or "transparent" in model.backgrounds:
        return
    instead = draft.catalogue.find(model.transparent_instead.get(draft.operation, ""))
    if instead and draft.rules.retired_models == "replace":
        _take_instead(draft, said, instead, f"{model.id} makes no transparent background")
