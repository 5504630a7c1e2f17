"""Jobs that came over HTTP: which drop is whose, what a repeated key means, and who is to be called back."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import delete, exists, insert, select, update

from watcher.core.jobs import JobState
from watcher.ledger import schema
from watcher.ledger.database import Database

_posts, _claims, _jobs = schema.posts, schema.claims, schema.jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request that became a drop. `id`: what its claim is called, and its job unless it repeats one.

    `path`: the drop in its inbox. `key`: the caller's own, None without one; `fingerprint`:
    of everything that was asked. `next_at`: when `callback_url` is called next, None: never (again).
    """

    id: str
    inbox: str
    path: bytes
    key: str | None
    fingerprint: str
    created_at: float
    callback_url: str = ""
    tries: int = 0
    next_at: float | None = None
    heard: str = ""


class Posts:
    """The table of posts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, post: Post) -> Post:
        """Write it down, before its drop is in the inbox; returns the one that has its key already, if any."""
        with self._database.write() as tx:
            if post.key is not None:
                line = tx.execute(select(_posts).where(_posts.c.key == post.key)).mappings().first()
                if line is not None:
                    return Post(**line)
            tx.execute(insert(_posts).values(**asdict(post)))
        return post

    def find(self, post_id: str) -> Post | None:
        with self._database.read() as view:
            line = view.execute(select(_posts).where(_posts.c.id == post_id)).mappings().first()
        return None if line is None else Post(**line)

    def move(self, post_id: str, path: bytes) -> None:
        """Its drop gets another name, before it is in the inbox."""
        with self._database.write() as tx:
            tx.execute(update(_posts).where(_posts.c.id == post_id).values(path=path))

    def forget(self, post_id: str) -> None:
        """Its drop never came to be."""
        with self._database.write() as tx:
            tx.execute(delete(_posts).where(_posts.c.id == post_id))

    def sweep(self, before: float) -> None:
        """Forget what is older than that (seconds since the epoch), unless somebody is still to be called."""
        with self._database.write() as tx:
            tx.execute(
                delete(_posts).where(_posts.c.created_at < before, _posts.c.next_at.is_(None))
            )

    def untaken(self) -> list[Post]:
        """Those whose drop is not a job's yet."""
        claimed = exists().where(_claims.c.id == _posts.c.id, _claims.c.job_id.is_not(None))
        with self._database.read() as view:
            found = view.execute(select(_posts).where(~claimed)).mappings().all()
        return [Post(**line) for line in found]

    def due(self, now: float, most: int = 20) -> list[tuple[Post, str]]:
        """Who is to be called now, with the job that is over and whose results are out."""
        over = (_jobs.c.published_at.is_not(None)) & (_jobs.c.state != JobState.RUNNING)
        query = (
            select(_posts, _claims.c.job_id)
            .join(_claims, _claims.c.id == _posts.c.id)
            .join(_jobs, _jobs.c.id == _claims.c.job_id)
            .where(_posts.c.next_at <= now, over)
            .order_by(_posts.c.next_at)
            .limit(most)
        )
        with self._database.read() as view:
            found = [dict(line) for line in view.execute(query).mappings()]
        return [(Post(**line), job_id) for line in found if (job_id := line.pop("job_id"))]

    def called(self, post_id: str, *, tries: int, next_at: float | None, heard: str) -> None:
        """What came of a call; `next_at` None: it is settled."""
        values = {"tries": tries, "next_at": next_at, "heard": heard}
        with self._database.write() as tx:
            tx.execute(update(_posts).where(_posts.c.id == post_id).values(**values))
