"""The sandbox misbehaves exactly as told, and counts what was paid all the same."""

from __future__ import annotations

import base64
import io
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from watcher.core.catalogue import Catalogue
from watcher.core.errors import SettingsError
from watcher.sandbox import (
    FaultRule,
    SandboxOptions,
    fault_help,
    parse_fault,
    parse_latency,
    read_description,
    running,
)

KEY = {"authorization": "Bearer sk-any"}
BODY = {"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}


class Sandbox:
    """A running sandbox, and a client of it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.own = base_url.removesuffix("/v1") + "/sandbox"
        self.client = httpx.Client(headers=KEY, timeout=20)

    def ask(self, prompt: str = "A fox", **fields: Any) -> httpx.Response:  # noqa: ANN401
        body = {**BODY, "prompt": prompt, **fields}
        return self.client.post(f"{self.base_url}/images/generations", json=body)

    def statuses(self, count: int, prompt: str = "A fox") -> list[int]:
        return [self.ask(prompt).status_code for _ in range(count)]

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.client.get(f"{self.own}/stats").json()
        return stats

    def misbehave(self, *faults: str) -> None:
        self.client.post(f"{self.own}/reset")
        self.client.post(f"{self.own}/faults", json=list(faults)).raise_for_status()

    def wait_for(self, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The counts, once they are so."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            stats = self.stats()
            if so(stats):
                return stats
        pytest.fail(f"never came to be so: {stats}")


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    with running(SandboxOptions(port=0, seed=7)) as base_url:
        sandbox = Sandbox(base_url)
        with sandbox.client:
            yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.misbehave()
    return running_sandbox


def picture_of(reply: httpx.Response) -> bytes:
    return base64.b64decode(reply.json()["data"][0]["b64_json"])


def counts(stats: dict[str, Any]) -> tuple[int, int, int]:
    return stats["calls"], stats["paid"], stats["refused"]


UNPAID = [
    ("429:1", 429, "requests", "rate_limit_exceeded"),
    ("slow_down:1", 429, "rate_limit_error", "slow_down"),
    ("quota:1", 429, "insufficient_quota", "credit_balance_exhausted"),
    ("429@type=insufficient_quota@code=none:1", 429, "insufficient_quota", None),
    ("401:1", 401, "invalid_request_error", "invalid_api_key"),
    ("402:1", 402, "insufficient_quota", "insufficient_quota"),
    ("403:1", 403, "invalid_request_error", None),
    ("404:1", 404, "invalid_request_error", "model_not_found"),
    ("400@code=billing_hard_limit_reached:1", 400, "invalid_request_error", "billing_hard_limit_reached"),
    ("moderation:1", 400, "image_generation_user_error", "moderation_blocked"),
    ("unknown_parameter@param=quality:1", 400, "invalid_request_error", "unknown_parameter"),
    ("500:1", 500, "server_error", "server_error"),
    ("502:1", 502, "server_error", "server_error"),
    ("503:1", 503, "service_unavailable_error", "server_is_overloaded"),
    ("504:1", 504, "server_error", "server_error"),
    ("error_in_200:1", 200, "server_error", "server_error"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "status", "kind", "code"), UNPAID)
def test_an_error_costs_nothing_and_the_next_call_is_fine(
    sandbox: Sandbox, fault: str, status: int, kind: str, code: str | None
) -> None:
    """One call is refused in the API's words, the second is paid."""
    sandbox.misbehave(fault)
    reply = sandbox.ask()
    error = reply.json()["error"]
    assert (status, kind, code) == (reply.status_code, error["type"], error["code"])
    assert sandbox.ask().status_code == 200
    assert counts(sandbox.stats()) == (2, 1, 1)


def test_moderation_says_at_which_stage_and_why(sandbox: Sandbox) -> None:
    """The details that an operator wants."""
    sandbox.misbehave("moderation")
    details = sandbox.ask().json()["error"]["moderation_details"]
    assert details == {"moderation_stage": "input", "categories": ["violence"]}


def test_retry_after_comes_in_three_forms_or_not_at_all(sandbox: Sandbox) -> None:
    """Seconds, milliseconds, a date; each only when asked for."""
    sandbox.misbehave(
        "429@retry_after=1:1", "429@retry_after_ms=534:1", "503@retry_date=5:1", "429:1"
    )
    seconds, milliseconds, date, nothing = (sandbox.ask().headers for _ in range(4))
    assert seconds["retry-after"] == "1"
    assert (milliseconds["retry-after-ms"], "retry-after" in milliseconds) == ("534", False)
    assert 3 <= parsedate_to_datetime(date["retry-after"]).timestamp() - time.time() <= 7
    assert "retry-after" not in nothing


def test_other_servers_word_their_errors_otherwise(sandbox: Sandbox) -> None:
    """A plain text, a FastAPI detail, a page."""
    sandbox.misbehave("500@shape=text:1", "422@shape=detail:1", "403@shape=html:1")
    text, detail, page = (sandbox.ask() for _ in range(3))
    assert isinstance(text.json()["error"], str)
    assert (detail.status_code, isinstance(detail.json()["detail"], list)) == (422, True)
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")


def test_html_and_empty_data_are_200_and_not_paid(sandbox: Sandbox) -> None:
    """No picture was made, whatever the status says."""
    sandbox.misbehave("html:1", "empty:1")
    assert "<html>" in sandbox.ask().text
    assert sandbox.ask().json()["data"] == []
    assert counts(sandbox.stats()) == (2, 0, 2)


def test_a_reset_is_a_reset_and_was_paid(sandbox: Sandbox) -> None:
    """The connection breaks before a byte of the answer; the picture was made."""
    sandbox.misbehave("reset:1")
    with pytest.raises(httpx.ReadError):
        sandbox.ask()
    assert sandbox.ask().status_code == 200
    stats = sandbox.stats()
    assert (*counts(stats), stats["by_status"]) == (2, 2, 0, {"cut": 1, "200": 1})


def test_a_truncated_answer_ends_in_the_middle_and_was_paid(sandbox: Sandbox) -> None:
    """All headers and half the body come, then the end: the length does not hold."""
    sandbox.misbehave("truncated:1")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        sandbox.ask()
    assert sandbox.ask().status_code == 200
    assert counts(sandbox.stats()) == (2, 2, 0)


def test_a_proxy_that_gives_up_hides_a_paid_picture(sandbox: Sandbox) -> None:
    """524: a page instead of the answer, after the work was done."""
    sandbox.misbehave("524:1")
    reply = sandbox.ask()
    assert (reply.status_code, "<html>" in reply.text) == (524, True)
    assert counts(sandbox.stats()) == (1, 1, 0)


def test_what_comes_can_be_no_picture(sandbox: Sandbox) -> None:
    """Text, or a file that would need gigabytes; both were paid."""
    sandbox.misbehave("not_an_image:1", "bomb:1")
    assert picture_of(sandbox.ask()) == b"This is a sentence where a picture should be."
    bomb = picture_of(sandbox.ask())
    assert len(bomb) < 2_000_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(bomb))
    assert sandbox.stats()["paid"] == 2


def test_fewer_pictures_strike_only_where_several_were_asked_for(sandbox: Sandbox) -> None:
    """One less, and only that many are paid."""
    sandbox.misbehave("fewer:1")
    assert [len(sandbox.ask(n=n).json()["data"]) for n in (1, 3, 3)] == [1, 2, 3]
    assert sandbox.stats()["pictures"] == 6


def test_a_format_can_be_wrong_and_a_picture_blank(sandbox: Sandbox) -> None:
    """As servers do that ignore output_format, or fail to draw."""
    sandbox.misbehave("wrong_format:1", "blank:1")
    reply = sandbox.ask(output_format="webp")
    assert reply.json()["output_format"] == "webp"
    assert picture_of(reply).startswith(b"\x89PNG")
    with Image.open(io.BytesIO(picture_of(sandbox.ask()))) as picture:
        assert len(picture.getcolors() or []) == 1


def test_pictures_can_come_as_addresses(sandbox: Sandbox) -> None:
    """Whole and relative ones that work, without a key, and data: addresses."""
    sandbox.misbehave("url:1", "url@relative=yes:1", "data_url:1", "data_prefix:1")
    url, relative, data = (sandbox.ask().json()["data"][0]["url"] for _ in range(3))
    root = sandbox.base_url.removesuffix("/v1")
    assert read_description(httpx.get(url).content) == "A fox"
    assert read_description(httpx.get(root + relative).content) == "A fox"
    assert relative.startswith("/v1/images/")
    assert data.startswith("data:image/png;base64,")
    assert sandbox.ask().json()["data"][0]["b64_json"].startswith("data:image/png;base64,")


def test_an_address_can_be_gone_at_first(sandbox: Sandbox) -> None:
    """404 for as many visits as asked for."""
    sandbox.misbehave("url@gone=2")
    url = sandbox.ask().json()["data"][0]["url"]
    assert [httpx.get(url).status_code for _ in range(3)] == [404, 404, 200]


def test_usage_can_be_missing_or_nothing_but_zeros(sandbox: Sandbox) -> None:
    """Both mean: unknown."""
    sandbox.misbehave("no_usage:1", "zero_usage:1")
    assert "usage" not in sandbox.ask().json()
    assert sandbox.ask().json()["usage"]["input_tokens_details"] == {
        "text_tokens": 0,
        "image_tokens": 0,
    }


def test_unknown_parameter_strikes_only_calls_that_have_it(sandbox: Sandbox) -> None:
    """A client that leaves it out gets through."""
    sandbox.misbehave("unknown_parameter@param=moderation")
    assert sandbox.ask(moderation="low").json()["error"]["param"] == "moderation"
    assert sandbox.ask().status_code == 200


def test_slow_takes_longer_and_goes_on_to_the_next_fault(sandbox: Sandbox) -> None:
    """Slow and well, or slow and then refused."""
    sandbox.misbehave("slow=0.3:2", "500:1")
    begun = time.monotonic()
    assert sandbox.statuses(2) == [500, 200]
    assert time.monotonic() - begun >= 0.6


def test_a_row_asks_for_its_own_faults(sandbox: Sandbox) -> None:
    """So many calls of that very prompt go wrong, in that order; other prompts are fine."""
    prompt = "A fox [fault:429x1] in snow [fault:500x2]"
    assert sandbox.statuses(5, prompt) == [429, 500, 500, 200, 200]
    assert sandbox.statuses(2, "A fox [fault:503]") == [503, 503]
    assert sandbox.statuses(1) == [200]
    assert sandbox.stats()["calls_by_prompt"] == {prompt: 5, "A fox [fault:503]": 2, "A fox": 1}


def test_a_fault_that_nobody_knows_is_told_in_the_answer(sandbox: Sandbox) -> None:
    """A mistake in a test's file does not pass as a picture."""
    reply = sandbox.ask("[fault:meteor]")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "sandbox_fault")


def test_faults_pick_their_prompts(sandbox: Sandbox) -> None:
    """prompt~WORD strikes where the word stands, as often as counted."""
    sandbox.misbehave("500:1 prompt~red fox")
    assert [
        sandbox.ask(prompt).status_code for prompt in ("a blue fox", "a red fox", "a red fox")
    ] == [200, 500, 200]


def test_a_chance_strikes_about_that_often() -> None:
    """Thirty in a hundred, the same ones for the same seed."""
    outcomes = []
    for _ in range(2):
        options = SandboxOptions(port=0, seed=3, faults=(parse_fault("500 30%"),))
        with running(options) as base_url:
            sandbox = Sandbox(base_url)
            with sandbox.client:
                outcomes.append(sandbox.statuses(60))
    assert outcomes[0] == outcomes[1]
    assert 8 <= outcomes[0].count(500) <= 28


def test_faults_are_listed_and_replaced_while_it_runs(sandbox: Sandbox) -> None:
    """What is in force can be read as it was written; a mistake changes nothing."""
    texts = ["429@retry_after=1:2", "slow=0.5 30%", "500 prompt~red fox"]
    sandbox.misbehave(*texts)
    refused = sandbox.client.post(f"{sandbox.own}/faults", json=["quota", "meteor"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "sandbox_fault")
    assert sandbox.client.post(f"{sandbox.own}/faults", content=b"{").status_code == 400
    assert sandbox.client.get(f"{sandbox.own}/faults").json() == texts


def test_what_was_paid_is_counted_to_the_millionth(sandbox: Sandbox) -> None:
    """By prompt and in all, priced by the tokens of the answers."""
    sandbox.misbehave("500:1")
    for prompt, n in (("A fox", 1), ("A fox", 1), ("A hen", 2)):
        sandbox.ask(prompt, n=n)
    stats = sandbox.stats()
    assert stats["paid_by_prompt"] == {"A fox": 1, "A hen": 1}
    model = Catalogue.shipped().models["gpt-image-2.5-flare"]
    assert model.price is not None
    # Two calls of two text tokens each, three pictures.
    expected = 2 * 2 * model.price.text_in
    expected += 3 * model.output_tokens["low"]["1024x1024"] * model.price.image_out
    assert stats["cost_micro_usd"] == expected
    assert Decimal(stats["cost_usd"]) * 1_000_000 == expected
    assert (stats["by_fault"], stats["by_status"]) == ({"500": 1}, {"200": 2, "500": 1})
    assert stats["first_call_at"] <= stats["last_call_end_at"]


def test_the_most_calls_in_flight_are_known() -> None:
    """Eight at once are seen as eight."""
    with running(SandboxOptions(port=0, latency=0.4)) as base_url:
        sandbox = Sandbox(base_url)
        with sandbox.client, ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: sandbox.ask(), range(8)))
            stats = sandbox.stats()
    assert {reply.status_code for reply in replies} == {200}
    assert (stats["in_flight"], stats["in_flight_max"]) == (0, 8)


CLIENT = """
import sys, httpx
body = {"model": "gpt-image-2.5-flare", "prompt": "A fox"}
httpx.post(sys.argv[1] + "/images/generations", json=body, headers={"authorization": "Bearer x"})
"""


def test_a_client_that_is_killed_has_paid_all_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """The count is the server's: a call that came in is made and paid, heard or not."""
    sandbox.misbehave("slow=0.3")
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    with subprocess.Popen([sys.executable, str(script), sandbox.base_url]) as client:
        sandbox.wait_for(lambda stats: stats["in_flight"] == 1)
        client.send_signal(signal.SIGKILL)
    stats = sandbox.wait_for(lambda stats: stats["in_flight"] == 0)
    assert counts(stats) == (1, 1, 0)


def test_a_slow_call_holds_up_nobody(sandbox: Sandbox) -> None:
    """Others are answered while one waits."""
    sandbox.misbehave("slow=1 prompt~slow")
    slow = threading.Thread(target=sandbox.ask, args=("slow",))
    slow.start()
    sandbox.wait_for(lambda stats: stats["in_flight"] == 1)
    assert sandbox.statuses(3) == [200, 200, 200]
    assert sandbox.stats()["in_flight"] == 1
    slow.join()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("429:2", FaultRule(kind="429", times=2)),
        ("429@retry_after=1:2", FaultRule(kind="429", settings={"retry_after": "1"}, times=2)),
        ("slow=0.5", FaultRule(kind="slow", value=0.5)),
        (" reset 30% ", FaultRule(kind="reset", chance=0.3)),
        ("500:1 50% prompt~a b: 9%", FaultRule(kind="500", times=1, chance=0.5, word="a b: 9%")),
    ],
)
def test_a_fault_is_read_as_it_is_meant(text: str, rule: FaultRule) -> None:
    """Kind, settings, times, chance and word, each in its place."""
    assert parse_fault(text) == rule


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no kind of fault"),
        ("meteor", "There are: a status from 400 to 599, blank"),
        ("200", "no kind of fault"),
        ("slow", "needs a number of seconds, such as slow=5"),
        ("slow=long", "must be a number, not 'long'"),
        ("429=5", "429 takes no value"),
        ("429:twice", "how many times, not 'twice'"),
        ("429@wait=1", "@wait=1 is no setting"),
        ("429@retry_after=soon", "retry_after must be a number"),
        ("500@shape=round", "one of text, detail, html"),
        ("500 often", "must be a number, not 'often'"),
        ("500 130%", "written like 30%"),
        ("500 30% 40%", "words that mean nothing"),
        ("500 prompt~", "words that mean nothing"),
        ("unknown_parameter", "name the parameter"),
    ],
)
def test_a_fault_that_cannot_be_read_is_told_in_a_sentence(text: str, why: str) -> None:
    """What is wrong, and what a right one looks like."""
    with pytest.raises(SettingsError) as caught:
        parse_fault(text)
    assert why in caught.value.what
    assert caught.value.hint.startswith("Write it like")


@given(st.text() | st.from_regex(r"\A[a-z0-9_]{1,8}(=[0-9.]+)?(:[0-9])?( [0-9]+%)?( prompt~.+)?\Z"))
def test_any_text_is_a_fault_or_told_to_be_none(text: str) -> None:
    """Never another error; and what is understood is written back to mean the same."""
    rule = rule_of(text)
    assert rule is None or parse_fault(str(rule)) == rule


def rule_of(text: str) -> FaultRule | None:
    try:
        return parse_fault(text)
    except SettingsError:
        return None


def test_the_help_names_every_kind() -> None:
    """The page that a person reads is complete."""
    page = fault_help()
    assert all(f" {kind} " in page for kind in ("quota", "reset", "slow", "url", "retry_after"))


def test_latency_is_one_number_or_two() -> None:
    """Seconds, or the least and the most of them."""
    assert [parse_latency(text) for text in ("0.5", "0.2-1.5", "3")] == [
        (0.5, 0.5),
        (0.2, 1.5),
        (3.0, 3.0),
    ]


@pytest.mark.parametrize("text", ["", "fast", "2-1", "-1", "1s"])
def test_latency_that_is_none_is_told_in_a_sentence(text: str) -> None:
    """What was found, and how to write it."""
    with pytest.raises(SettingsError, match="cannot be used"):
        parse_latency(text)
