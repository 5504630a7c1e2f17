"""What the daemon writes down about itself, for commands beside it, and what it says of its inboxes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from watcher.core.jobs import Json
from watcher.core.log import Log
from watcher.daemon.serving import Serving
from watcher.daemon.state import write_about
from watcher.inbox import InboxState, Waiting

_MOST = 100  # drops that were waited for an hour: the newest are remembered


class Telling:
    """`tell` writes when something has changed since the last time."""

    def __init__(
        self,
        state_dir: Path,
        *,
        serving: Mapping[str, Serving],
        more: Callable[[], Mapping[str, Json]],
        paused: Callable[[str], str],
        log: Log,
    ) -> None:
        """`more`: what else is told, besides the inboxes. `paused`: why nothing of an inbox is asked for now,
        "" when it is.
        """
        self._state_dir = state_dir
        self._serving = serving
        self._more = more
        self._paused = paused
        self._log = log
        self.unfinished: deque[tuple[str, Waiting]] = deque(maxlen=_MOST)
        self._states: dict[str, InboxState] = {}
        self._hanging: dict[str, InboxState] = {}
        self._told: Mapping[str, Json] = {}

    def tell(self) -> None:
        self._look_for_hangs()
        about = self.about()
        if about != self._told:
            with suppress(OSError):  # a full disk: it is told when there is room again
                write_about(self._state_dir, about)
                self._told = about

    def about(self) -> dict[str, Json]:
        """Everything that is told, as it is now."""
        inboxes = {
            name: {
                "path": str(one.folder.path),
                "outbox": str(one.outbox.root),
                "waits": self._paused(name),
                **self._state(name),
            }
            for name, one in self._serving.items()
        }
        return {**self._more(), "inboxes": inboxes}

    def states(self) -> dict[str, InboxState | None]:
        """How each inbox is; None: it did not say yet."""
        return {name: self._hanging.get(name, self._states.get(name)) for name in self._serving}

    def note_unfinished(self, inbox: str, waiting: Waiting) -> None:
        """A drop has been waited for an hour."""
        self.unfinished.append((inbox, waiting))

    def note_state(self, name: str, state: InboxState) -> None:
        """An inbox came, went, or is looked at in another way."""
        self._states[name] = state
        self._say(name, state)

    def _look_for_hangs(self) -> None:
        """A share that hangs says nothing of itself: its thread waits in it."""
        for name, one in self._serving.items():
            if one.hangs and name not in self._hanging:
                self._hanging[name] = _hangs(name)
                self._say(name, self._hanging[name])
            elif name in self._hanging and not one.hangs:
                del self._hanging[name]
                if name in self._states:
                    self._say(name, self._states[name])

    def _say(self, name: str, state: InboxState) -> None:
        say = self._log.info if state.state == "online" else self._log.warning
        why = {"what": state.what, "what_to_do": state.hint} if state.what else {}
        say(f"inbox.{state.state}", inbox=name, mode=state.mode, **why)

    def _state(self, name: str) -> dict[str, Json]:
        state = self.states()[name]
        if state is None:
            return {"state": "starting"}
        return {"state": state.state, "mode": state.mode, "what": state.what, "hint": state.hint}


def _hangs(name: str) -> InboxState:
    what = f"The inbox {name} does not answer."
    hint = "Look at its disk or share; drops are taken when it answers again."
    return InboxState(state="offline", what=what, hint=hint)
