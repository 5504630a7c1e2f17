# noqa: INP001 - a program of its own, run by `make docs`
"""Writes config/openapi.json and the copy that the daemon serves: what programs may ask over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "config" / "openapi.json"
SERVED = ROOT / "src" / "watcher" / "web" / "openapi.json"

ID = {"type": "string", "pattern": "^[0-9b-df-hj-np-tv-z]{13}$"}
MOMENT = {"type": ["string", "null"], "format": "date-time"}
MONEY = {"type": ["number", "null"], "description": "US dollars; null: unknown"}
COUNT = {"type": "integer", "minimum": 0}
URL = {"type": "string", "format": "uri"}
STATES = ["running", "done", "partial", "failed", "cancelled"]
ORDERS = {
    "pause": "No new calls for the job; those in flight finish.",
    "resume": "A paused job goes on.",
    "approve": "A job that waits because of what it costs goes on.",
    "cancel": "Nothing more is asked for; what is in flight is kept.",
    "retry": "The failed rows of a job that is over run once more.",
}
REFUSED = {
    400: "The request cannot be read.",
    401: "The token is missing or wrong.",
    403: "It is not allowed here.",
    404: "There is no such job.",
    405: "This is not done here.",
    408: "The body did not arrive in time.",
    409: "The job is in no state for this order.",
    413: "The body is too large.",
    415: "This kind of body is not taken.",
    421: "The server is not known by that name.",
    422: "It can be read, and cannot be done.",
    429: "Too many requests; Retry-After says when to come back.",
    503: "It cannot be done now; Retry-After says when to come back.",
}


def main() -> None:
    for file in (PAGE, SERVED):
        file.write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole document."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "image-watcher",
            "version": "1",
            "summary": "Rows in, pictures out.",
            "description": "What is posted becomes a drop like any other. Every no is application/problem+json (RFC 9457).",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/jobs": {"get": _list(), "post": _post()},
            "/jobs/{job}": {"get": _one()},
            "/jobs/{job}/rows": {"get": _rows()},
            **{f"/jobs/{{job}}/{name}": {"post": _order(name)} for name in ORDERS},
            "/healthz": {"get": _health("Whether the process is alive.")},
            "/readyz": {"get": _health("Whether an inbox is served.", 503)},
        },
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "That of web.token_file.",
                }
            },
            "schemas": _schemas(),
        },
    }


def _list() -> dict[str, Any]:
    return {
        "operationId": "listJobs",
        "summary": "The newest jobs.",
        "parameters": [_query("limit", _number(1, 200)), _query("state", {"enum": STATES})],
        "responses": {**_good(200, _object({"jobs": _array("Job")})), **_no(421, 422, 503)},
    }


def _one() -> dict[str, Any]:
    return {
        "operationId": "getJob",
        "summary": "One job, also before it was taken.",
        "parameters": [_job()],
        "responses": {**_good(200, {"anyOf": [_ref("Job"), _ref("Coming")]}), **_no(404, 421, 503)},
    }


def _rows() -> dict[str, Any]:
    found = _object({"rows": _array("Row"), "next": {"type": ["string", "null"], "format": "uri"}})
    return {
        "operationId": "getRows",
        "summary": "Rows in row order, as in results.jsonl.",
        "parameters": [
            _job(),
            _query("after", _number(0, 2**31)),
            _query("limit", _number(1, 1000)),
        ],
        "responses": {**_good(200, found), **_no(404, 421, 422, 503)},
    }


def _order(name: str) -> dict[str, Any]:
    return {
        "operationId": f"{name}Job",
        "summary": ORDERS[name],
        "security": [{"token": []}],
        "parameters": [_job()],
        "responses": {**_good(200, _ref("Job")), **_no(401, 403, 404, 409, 421, 429, 503)},
    }


def _post() -> dict[str, Any]:
    return {
        "operationId": "postJob",
        "summary": "Rows as JSON, or one file of any kind that the inbox takes.",
        "description": "Instead of the token in the header the body may be signed with it (Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature).",
        "security": [{"token": []}],
        "parameters": [
            _query("inbox", {"type": "string"}, "Which one, where there are several."),
            _query("name", {"type": "string", "minLength": 1, "maxLength": 100}, "What a JSON body is called in its inbox."),
            _query("wait", _number(0, 60), "Seconds to wait for the results."),
            _query("again", {"type": "boolean"}, "true: make everything anew, also what was made before."),
            _query("callback_url", URL, "Is posted to when the results are out."),
            {"name": "Idempotency-Key", "in": "header",
             "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*[!-~]$"},
             "description": "The same key with the same request is the same job."},
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _ref("Rows")},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {"file": {"type": "string", "format": "binary"}},
                    }
                },
            },
        },
        "responses": {
            **_linked(_good(200, _ref("Finished"))),
            **_linked(_good(202, {"anyOf": [_ref("Job"), _ref("Coming")]})),
            **_no(400, 401, 403, 408, 413, 415, 421, 422, 429, 503),
        },
        "callbacks": {
            "ended": {
                "{$request.query.callback_url}": {
                    "post": {
                        "requestBody": {
                            "content": {"application/json": {"schema": _ref("Callback")}}
                        },
                        "responses": {"2XX": {"description": "It was taken; all else is tried again."}},
                    }
                }
            }
        },
    }  # fmt: skip


def _health(summary: str, *nos: int) -> dict[str, Any]:
    found = _object({"status": {"enum": ["alive", "ready"]}})
    return {"summary": summary, "responses": {**_good(200, found), **_no(421, *nos)}}


def _schemas() -> dict[str, Any]:
    row: dict[str, Any] = {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "prompt": {"type": "string", "minLength": 1, "maxLength": 4000},
            "name": {"type": "string", "maxLength": 100},
            "n": _number(1, 10),
            "size": {"type": "string"},
            "quality": {"type": "string"},
        },
        "required": ["prompt"],
        "description": "Columns as in a table: prompt, name, n, size … and any of your own.",
    }
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": 1_000_000}
    links = _object({"self": URL, "rows": URL, "gallery": URL, "results": URL}, "self", "rows")
    job = {
        "id": ID, "inbox": {"type": "string"}, "name": {"type": "string"}, "state": {"enum": STATES},
        "over": {"type": "boolean", "description": "All results are out."},
        "paused": {"type": ["string", "null"]},
        "problem": {"anyOf": [_ref("Why"), {"type": "null"}]},
        "created_at": MOMENT, "ended_at": MOMENT, "seconds": {"type": ["number", "null"]},
        "rows": COUNT, "counts": {"type": "object", "additionalProperties": COUNT},
        "pictures": COUNT, "attempts": COUNT, "cost_usd": MONEY, "estimate_usd": MONEY,
        "unpriced": COUNT, "possibly_charged": COUNT,
        "notes": {"type": "array", "items": {"type": "string"}}, "links": links,
    }  # fmt: skip
    return {
        "Rows": {
            "anyOf": [
                rows,
                _object({"defaults": {"type": "object", "properties": row["properties"]}, "rows": rows}, "rows"),
            ]
        },
        "Job": _object(job),
        "Finished": {
            "allOf": [_ref("Job"), _object({"results": _array("Row")})],
            "description": "A job that is over, with its first 1,000 rows.",
        },
        "Coming": _object(
            {"id": ID, "inbox": {"type": "string"}, "name": {"type": "string"},
             "state": {"enum": ["accepted", "lost"], "description": "lost: its file was taken away before it became a job"},
             "links": links}
        ),
        "Row": _object(
            {
                "result_row": COUNT,
                "result_status": {"enum": ["queued", "running", "waiting", "done", "partial", "failed", "cancelled"]},
                "result_urls": {"type": "array", "items": URL},
                "result_files": {"type": "array", "items": {"type": "string"}},
                "result_text": {"type": "string"},
                "result_error": {"type": ["string", "null"]},
                "result_hint": {"type": ["string", "null"]},
                "result_cost_usd": MONEY,
            }
        ),
        "Callback": _object(
            {"type": {"const": "job.ended"}, "timestamp": MOMENT, "data": _ref("Finished")}
        ),
        "Why": _object(
            {"code": {"type": "string"}, "what": {"type": "string"}, "hint": {"type": "string"}}
        ),
        "Problem": _object(
            {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string", "description": "What happened and what to do, in sentences."},
                "code": {"type": "string", "description": "For programs."},
            }
        ),
    }  # fmt: skip


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name)}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """All are required where none is named."""
    return {"type": "object", "properties": properties, "required": list(required or properties)}


def _number(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _query(name: str, schema: dict[str, Any], about: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "schema": schema,
        **({"description": about} if about else {}),
    }


def _job() -> dict[str, Any]:
    return {"name": "job", "in": "path", "required": True, "schema": ID}


def _good(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    told = {200: "Done.", 202: "It is taken; links say where to ask."}
    content = {"application/json": {"schema": schema}}
    return {str(status): {"description": told[status], "content": content}}


def _linked(answers: dict[str, Any]) -> dict[str, Any]:
    """What can be asked, or ordered, with the id of an answer."""
    to = ["getJob", "getRows", *(f"{name}Job" for name in ORDERS)]
    links = {
        name: {"operationId": name, "parameters": {"job": "$response.body#/id"}} for name in to
    }
    return {status: {**answer, "links": links} for status, answer in answers.items()}


def _no(*statuses: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {str(one): {"description": REFUSED[one], "content": content} for one in statuses}


if __name__ == "__main__":
    main()
