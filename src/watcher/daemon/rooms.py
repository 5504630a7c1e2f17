"""Settings → what each room wants to know. Nothing here opens or starts anything but the HTTP client."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from watcher.api import Endpoint, ImageApi, RetryRules, normalise_base_url
from watcher.core.checks import CheckRules
from watcher.core.jobs import Json, Operation
from watcher.core.parsing import KINDS, Limits
from watcher.core.planning import RowRules
from watcher.core.policy import Patience
from watcher.core.profiles import load_profiles
from watcher.core.templates import Template
from watcher.daemon.state import read_about
from watcher.inbox import InboxFolder
from watcher.intake import InboxRules
from watcher.ledger import dump
from watcher.scheduler import Turns
from watcher.settings import COMMON, Api, Inbox, Settings
from watcher.work import Account

_PRIORITY = {"high": 1, "normal": 2, "low": 3}
_CALLS_A_CLIENT = 8
# Seconds: an account without money says so in milliseconds, a picture takes longer, and one no is enough.
_AHEAD = 0.25


def accounts(settings: Settings, keys: Mapping[str, str]) -> dict[str, Account]:
    """By inbox, and the common one; inboxes that ask the same server with the same key share theirs.

    `keys`: by inbox as well. Raises ValueError, in words, for an address or key that cannot be used.
    """
    made: dict[tuple[object, ...], Account] = {}
    found: dict[str, Account] = {}
    for name in (COMMON, *settings.inboxes):
        api = settings.api_for(name) if name else settings.api
        same = (
            api.profile,
            api.base_url,
            api.organization,
            api.idempotency_key,
            keys.get(name, ""),
        )
        if same not in made:
            made[same] = account(settings, api, keys.get(name, ""))
        found[name] = made[same]
    return found


def same_accounts(old: Settings, new: Settings) -> bool:
    """Whether, with the same keys, both settings ask the same servers in the same way."""
    told = [
        (one.api, one.limits.concurrency, {name: inbox.api for name, inbox in one.inboxes.items()})
        for one in (old, new)
    ]
    return told[0] == told[1]


def with_kept_keys(
    keys: Mapping[str, str], before: Mapping[str, str], served: Collection[str]
) -> dict[str, str]:
    """An inbox that was taken out of the settings keeps the key that it had, or the common one."""
    common = {name for name in served if before.get(name) == before.get(COMMON)}
    kept = {
        name: keys.get(COMMON, "") if name in common else before.get(name, "") for name in served
    }
    return {**kept, **keys}


def account(settings: Settings, api: Api, key: str) -> Account:
    """Raises ValueError, in words, for an address or key that cannot be used."""
    profile = load_profiles()[api.profile]
    if api.idempotency_key:
        profile = replace(profile, honours_idempotency_key=True)
    endpoint = Endpoint(
        base_url=api.base_url,
        key=key,
        profile=profile,
        organization=api.organization,
        timeouts=api.timeouts.model_dump(),
    )
    host = server_of(api)
    name = f"{host}#{sha256(key.encode()).hexdigest()[:8]}" if key else host
    clients = -(-settings.limits.concurrency // _CALLS_A_CLIENT)
    return Account(
        name=name,
        server=host,
        api=ImageApi(endpoint, clients=clients),
        profile=profile,
        has_key=bool(key) or not profile.needs_key,
    )


def limits(settings: Settings) -> tuple[int, float | None, float | None]:
    """Calls at a time; images and requests a minute."""
    said = settings.limits
    return said.concurrency, said.images_per_minute, said.requests_per_minute


def turns(settings: Settings, now: float) -> Turns:
    """They begin with the limits that an earlier process learnt. `now`: of the loop's clock."""
    made = Turns(*limits(settings))
    made.rates.ahead = _AHEAD
    made.rates.recall(read_about(settings.state_dir).get("rates"), now)
    return made


def patience(api: Api) -> Patience:
    return Patience(attempts=api.retry.attempts, ambiguous=api.retry.ambiguous)


def retry_rules(api: Api) -> RetryRules:
    return RetryRules(**api.retry.model_dump())


def probe_waits(api: Api) -> tuple[float, ...]:
    """Seconds before each look at a lane that waits for a person."""
    return tuple(minutes * 60 for minutes in api.probe_minutes)


def inbox_folder(name: str, inbox: Inbox) -> InboxFolder:
    return InboxFolder(
        name=name,
        path=inbox.path,
        extensions=frozenset(
            ext for ext, kind in KINDS.items() if kind != "picture" or inbox.images is not None
        ),
        max_file_bytes=int(inbox.max_file_mb * 1_000_000),
        settle=inbox.settle,
        empty_grace=inbox.empty_grace,
        poll_interval=inbox.poll_interval,
        rescan_interval=inbox.rescan_interval,
        recursive=inbox.recursive,
        watch=inbox.watch,
        ignore=inbox.ignore,
        require_done_marker=inbox.require_done_marker,
    )


class Rules:
    """`inbox_rules` of one inbox as it is set now, made anew only when the settings or the day change."""

    def __init__(
        self, settings: Callable[[], Settings], name: str, today: Callable[[], date]
    ) -> None:
        self._settings, self._name, self._today = settings, name, today
        self._made: tuple[Settings, date, InboxRules] | None = None

    def __call__(self) -> InboxRules:
        settings, today, made = self._settings(), self._today(), self._made
        if made is None or made[0] is not settings or made[1] != today:
            made = (settings, today, inbox_rules(settings, self._name, today))
            self._made = made
        return made[2]


def inbox_rules(settings: Settings, name: str, today: date) -> InboxRules:
    """What an inbox says about rows; the fingerprint leaves out the day."""
    inbox, api = settings.inboxes[name], settings.api_for(name)
    said = _row_settings(inbox, api)
    rows = RowRules(
        models={
            Operation.GENERATE: api.model,
            Operation.EDIT: api.edit_model,
            Operation.ANALYZE: api.analyze_model,
        },
        profile=load_profiles()[api.profile],
        today=today,
        prompt_template=inbox.prompt_template,
        prompt_prefix=inbox.prompt_prefix,
        prompt_suffix=inbox.prompt_suffix,
        aliases=inbox.aliases,
        defaults=inbox.defaults,
        coercion=api.coercion,
        retired_models=api.retired_models,
        extra_parameters=frozenset(api.extra_parameters),
        allow_urls=inbox.allow_urls,
        judges=inbox.checks.vision != "off",
    )
    shown = {"renditions": [one.name for one in inbox.renditions]} if inbox.renditions else {}
    return InboxRules(
        rows=rows,
        filename=Template(inbox.filename),
        limits=Limits(max_rows=inbox.max_rows, max_bytes=int(inbox.max_file_mb * 1_000_000)),
        fingerprint=sha256(dump(said).encode()).hexdigest(),
        settings={**said, **shown},
        priority=_PRIORITY[inbox.priority],
        assets=inbox.assets,
        grace=inbox.assets_grace,
        hosts=inbox.allowed_hosts,
        picture_row=_picture_row(inbox),
        approve_above_usd=_approve_above(settings, name),
        reuse_days=inbox.reuse_days,
        server=server_of(api),
        sheet=inbox.sheet,
    )


def server_of(api: Api) -> str:
    """The provider, told apart from others by its host."""
    return urlsplit(normalise_base_url(api.base_url)).netloc


def _approve_above(settings: Settings, name: str) -> Decimal | None:
    """The lower of the common threshold and the inbox's own."""
    own = settings.budget_for(name)
    said = (settings.budget.approve_above_usd, own.approve_above_usd if own else None)
    return min((limit for limit in said if limit is not None), default=None)


def check_rules(inbox: Inbox) -> CheckRules:
    """Those of a look; the word of a model comes later (`work.judging`)."""
    return CheckRules(**inbox.checks.model_dump(exclude={"vision"}))


def _row_settings(inbox: Inbox, api: Api) -> Mapping[str, Json]:
    """The settings that decide what is asked for: shown in job.json, and equal for equal results."""
    return {
        "profile": api.profile,
        "base_url": api.base_url,
        "model": api.model,
        "edit_model": api.edit_model,
        "analyze_model": api.analyze_model,
        "retired_models": api.retired_models,
        "coercion": api.coercion,
        "extra_parameters": list(api.extra_parameters),
        "prompt_template": inbox.prompt_template,
        "prompt_prefix": inbox.prompt_prefix,
        "prompt_suffix": inbox.prompt_suffix,
        "aliases": dict(inbox.aliases),
        "defaults": dict(inbox.defaults),
        "filename": inbox.filename,
        **({"models": dict(api.models)} if api.models else {}),
        **({"vision": inbox.checks.vision} if inbox.checks.vision != "off" else {}),
        **({"sheet": inbox.sheet} if inbox.sheet else {}),
        **({"images": _picture_row(inbox)} if inbox.images else {}),
    }


def _picture_row(inbox: Inbox) -> Mapping[str, str]:
    images = inbox.images
    return {"operation": images.operation, "prompt": images.prompt} if images else {}


def state_folders(state_dir: Path) -> tuple[Path, Path]:
    """Where raw replies and snapshots of drops lie."""
    return state_dir / "replies", state_dir / "blobs"


def inputs_folder(state_dir: Path) -> Path:
    """Where the pictures that rows name are kept until their job is over."""
    return state_dir / "inputs"


def sheets_folder(state_dir: Path) -> Path:
    """Where workbooks are made before they are put into the outbox."""
    return state_dir / "sheets"


def bodies_folder(state_dir: Path) -> Path:
    """Where what is posted lies while it is received."""
    return state_dir / "posts"
