"""How the API says no: one exception that becomes a status and `{"error": {…}}`, as the real API words it."""

from __future__ import annotations

from collections.abc import Mapping

INVALID = "invalid_request_error"


class Refused(Exception):  # noqa: N818 - what happened to the call, not a failure of ours
    """A call is answered with no. `more` stands beside message, type, param and code."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def body(self) -> dict[str, object]:
        """The answer's JSON."""
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
            **self.more,
        }
        return {"error": error}


def invalid_value(
    param: str, message: str, *, code: str | None = "invalid_value", kind: str = INVALID
) -> Refused:
    """A parameter has a value that is not taken."""
    return Refused(message, param=param, code=code, kind=kind)


def invalid_type(param: str, expected: str, found: object) -> Refused:
    """A parameter is of the wrong type; `expected` with its article: "an integer"."""
    return invalid_value(
        param,
        f"Invalid type for '{param}': expected {expected}, but got {_typed(found)} instead.",
        code="invalid_type",
    )


def unknown_parameter(param: str) -> Refused:
    return invalid_value(param, f"Unknown parameter: '{param}'.", code="unknown_parameter")


def unsupported_parameter(param: str, instead: str = "") -> Refused:
    """A parameter of the API that this model does not take; `instead` names the one to use."""
    use = f" Use '{instead}' instead." if instead else ""
    return invalid_value(
        param,
        f"Unsupported parameter: '{param}' is not supported with this model.{use}",
        code="unsupported_parameter",
    )


def missing_parameter(param: str) -> Refused:
    return invalid_value(
        param, f"Missing required parameter: '{param}'.", code="missing_required_parameter"
    )


def model_not_found(model: str, *, retired: bool) -> Refused:
    """The model was shut down, or never was."""
    message = (
        f"The model `{model}` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations"
        if retired
        else f"The model `{model}` does not exist or you do not have access to it."
    )
    return Refused(message, status=404, code="model_not_found")


def _typed(value: object) -> str:
    # bool before int: a bool is an int in Python.
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "a boolean"),
        (int, "an integer"),
        (float, "a decimal number"),
        (str, "a string"),
        (list, "an array"),
        (dict, "an object"),
        (bytes, "a file"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "null")
