"""Hears when jobs are over: python3 callback.py TOKEN_FILE PORT. Prints one line for each, and the pictures."""

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

OLDEST = 300  # seconds
known: set[str] = set()  # a message may come more than once


def is_ours(token: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Whether the message was signed with the token, and not long ago."""
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(int(stamp) - now) > OLDEST:
        return False
    text = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    digest = hmac.new(token.encode(), text, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(wanted, one) for one in signatures)


class Receiver(BaseHTTPRequestHandler):
    token = ""

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers["content-length"]), 50_000_000))
        headers = {name.lower(): value for name, value in self.headers.items()}
        good = is_ours(self.token, headers, body, time.time())
        if good and headers["webhook-id"] not in known:
            known.add(headers["webhook-id"])
            job = json.loads(body)["data"]
            print(job["id"], job["name"], job["state"], f"{job['pictures']} pictures", flush=True)
            for row in job["results"]:
                print(" ", *row["result_urls"], flush=True)
        self.send_response(204 if good else 401)
        self.end_headers()


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        print("takes a stranger's message:", is_ours("token", {}, b"", 0.0))
        return
    Receiver.token = Path(sys.argv[1]).read_text(encoding="ascii").strip()
    HTTPServer(("127.0.0.1", int(sys.argv[2])), Receiver).serve_forever()


if __name__ == "__main__":
    main()
