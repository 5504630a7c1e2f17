"""The prompt of a row: its column or the inbox's template, with what is put around it, checked."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.core.jobs import Json
from watcher.core.planning.draft import wrong_type
from watcher.core.planning.rules import Refused, RowRules, Said
from watcher.core.planning.values import as_text, is_blank, shown
from watcher.core.templates import Template, TemplateError

_REPLACEMENT = "\ufffd"  # what decoders leave where they could not read a character
_SENTENCE_ENDS = (".", "!", "?", ":", ";", ",")
_OPENINGS = ("(", "[", "“", "«", "/", "-")


class Prompts:
    """Makes prompts by one inbox's rules. A template that cannot be used refuses every row."""

    def __init__(self, rules: RowRules) -> None:
        self._prefix, self._suffix = rules.prompt_prefix, rules.prompt_suffix
        self.template: Template | None = None
        self._broken = ""
        if rules.prompt_template and rules.prompt_template.strip():
            try:
                self.template = Template(rules.prompt_template)
            except TemplateError as error:
                self._broken = str(error)

    @property
    def names(self) -> frozenset[str]:
        """The columns that the template asks for; none without one."""
        return self.template.names if self.template else frozenset()

    def from_template(self, values: Mapping[str, Json]) -> str:
        """The template filled in. Raises Refused, also when every column that it reads is empty."""
        if self.template is None:
            raise Refused(
                "template_unusable",
                self._broken,
                "Correct prompt_template in the inbox's settings.",
            )
        asked = [name for name in self.template.names if name in values]
        if asked and all(is_blank(values[name]) for name in asked):
            columns = ", ".join(sorted(asked))
            raise Refused(
                "empty_prompt", f"The columns of the prompt are empty: {columns}.", "Fill them in."
            )
        try:
            return self.template.fill(values)
        except TemplateError as error:
            code = "template_column_missing" if error.column else "template_failed"
            hint = "Add the column to the drop, or correct prompt_template in the inbox's settings."
            raise Refused(code, str(error), hint, error.column) from None

    @property
    def uses_template(self) -> bool:
        return self.template is not None or bool(self._broken)

    def finished(self, text: str, style_words: str, most: int, column: str) -> str:
        """The prompt as it is sent. `most`: characters that the model reads, 0 when not known."""
        text = text.strip()
        if not text:
            raise Refused("empty_prompt", "The prompt is empty.", "Write what is wanted.", column)
        whole = _with_style(self._around(text), style_words)
        refuse_garbled(whole, column)
        if most and len(whole) > most:
            raise Refused(
                "prompt_too_long",
                f"The prompt has {len(whole):,} characters; the model reads {most:,} at most.",
                "Shorten it.",
                column,
            )
        return whole

    def _around(self, text: str) -> str:
        if not self._prefix and not self._suffix:
            return text
        if self._prefix and not self._prefix[-1].isspace():
            text = text if self._prefix.endswith(_OPENINGS) else f" {text}"
        gap = " " if self._suffix[:1].isalnum() else ""
        return f"{self._prefix}{text}{gap}{self._suffix}".strip()


def prompt_text(said: Said) -> str:
    """The text of a prompt cell. Raises Refused for anything but text."""
    text = as_text(said.value)
    if text is None:
        raise wrong_type(said, "the text of the prompt")
    return text


def refuse_garbled(text: str, column: str) -> None:
    """A text that lost characters on its way is never paid for. Raises Refused."""
    if text.isascii() and "\0" not in text:
        return
    if _REPLACEMENT in text or "\0" in text or not _encodes(text):
        raise Refused(
            "garbled_text",
            f"{column or 'The prompt'}: some characters of “{shown(_visible(text))}” could not be read.",
            "Save the file as UTF-8 and drop it again.",
            column,
        )


def _with_style(text: str, words: str) -> str:
    if not words:
        return text
    return f"{text} {words}" if text.endswith(_SENTENCE_ENDS) else f"{text}. {words}"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _visible(text: str) -> str:
    """Up to the first damage and a little more, without what cannot be written out."""
    plain = text.encode("utf-8", "replace").decode().replace("\0", _REPLACEMENT)
    return plain[max(0, plain.find(_REPLACEMENT) - 20) :]
