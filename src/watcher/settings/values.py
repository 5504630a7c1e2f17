"""The kinds of value that settings are made of. What a validator here raises says what is allowed."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC
from decimal import Decimal
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from watcher.core.schedule import CronError, Timetable
from watcher.core.templates import Template, TemplateError

_UNITS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?b?)", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"[?&][\w-]*(?:key|token|secret|sig|signature|password)=", re.IGNORECASE
)


class Section(BaseModel):
    """One level of the settings: frozen, and no key that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        """`limits:` with every line below it commented out is an empty section, not a wrong one."""
        return {} if value is None else value


def _no_bool(value: object) -> object:
    if isinstance(value, bool):  # Python counts True as 1
        raise ValueError("a number")  # noqa: TRY004 - pydantic listens to ValueError only
    return value


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", value):
        raise ValueError("an http:// or https:// address")
    if parts.username is not None or _SECRET_PARAMETER.search(value):
        raise ValueError(
            "an address without a key or password in it (a key goes into api.key_file)"
        )
    return value


def _compiles(value: str) -> str:
    try:
        Template(value)
    except TemplateError as error:
        raise ValueError(f"a template that can be read ({error})") from None
    return value


def _listen(value: str) -> str:
    host, port = listen_parts(value)
    if not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the highest port
        raise ValueError("address:port, such as 127.0.0.1:8765")
    return value


def listen_parts(value: str) -> tuple[str, str]:
    """Host (without the brackets of IPv6) and port of `web.listen`."""
    host, _, port = value.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), port


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it. A name other than localhost counts as public."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _byte_count(value: object) -> object:
    match = _BYTES.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return _no_bool(value)
    number, unit = match.groups()
    return int(Decimal(number) * _UNITS[unit[:1].lower()])


def _cron(value: str) -> str:
    try:
        Timetable(value, UTC)
    except CronError:
        raise ValueError(
            'five cron fields that name a day that comes, such as "0 6 * * 1-5"'
        ) from None
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError):
        raise ValueError("a time zone of the IANA list, such as Europe/Paris") from None
    return value


def _done_marker(value: str) -> str:
    plain = value.strip() == value and not set(value) & set("/\\\0\n")
    if not plain or value in {"", ".", "..", "{name}"} or value.count("{name}") > 1:
        raise ValueError('the name of a file beside the drop, such as "{name}.done"')
    return value


def _row_values(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if any(isinstance(value, dict) for value in values.values()):
        raise ValueError("column names with one plain value each")
    return values


def _header_names(values: dict[str, str]) -> dict[str, str]:
    if not all(key.strip() for key in values):
        raise ValueError('header names, each with what it means ("": nothing of ours)')
    return values


Count: TypeAlias = Annotated[int, BeforeValidator(_no_bool), Field(ge=1)]
CountOrZero: TypeAlias = Annotated[int, BeforeValidator(_no_bool), Field(ge=0)]
Seconds: TypeAlias = Annotated[
    float, BeforeValidator(_no_bool), Field(gt=0, le=86400 * 366, allow_inf_nan=False)
]
Minutes: TypeAlias = Annotated[
    float, BeforeValidator(_no_bool), Field(gt=0, le=1440 * 366, allow_inf_nan=False)
]
Days: TypeAlias = Annotated[
    float, BeforeValidator(_no_bool), Field(ge=0, le=36600, allow_inf_nan=False)
]
Gigabytes: TypeAlias = Annotated[
    float, BeforeValidator(_no_bool), Field(ge=0, le=10**6, allow_inf_nan=False)
]
Percent: TypeAlias = Annotated[
    float, BeforeValidator(_no_bool), Field(ge=0, lt=100, allow_inf_nan=False)
]
Rate: TypeAlias = Annotated[float, BeforeValidator(_no_bool), Field(gt=0, allow_inf_nan=False)]
Dollars: TypeAlias = Annotated[Decimal, BeforeValidator(_no_bool), Field(ge=0, allow_inf_nan=False)]
Bytes: TypeAlias = Annotated[int, BeforeValidator(_byte_count), Field(ge=1)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Address: TypeAlias = Annotated[str, AfterValidator(_address)]
PromptTemplate: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]
FileTemplate: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]
DoneMarker: TypeAlias = Annotated[str, AfterValidator(_done_marker)]
Listen: TypeAlias = Annotated[str, AfterValidator(_listen)]
Cron: TypeAlias = Annotated[str, AfterValidator(_cron)]
Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]
InboxName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
RowValues: TypeAlias = Annotated[dict[str, JsonValue], AfterValidator(_row_values)]
HeaderNames: TypeAlias = Annotated[dict[str, str], AfterValidator(_header_names)]
