"""`python -m watcher.sandbox`: the sandbox alone, for who starts many of them. `image-watcher sandbox` says it all."""

from __future__ import annotations

import argparse
import sys

from watcher.sandbox import SandboxOptions, parse_fault, parse_latency, serve


def main() -> None:
    reader = argparse.ArgumentParser(prog="python -m watcher.sandbox", description=__doc__)
    reader.add_argument("--port", type=int, default=0)
    reader.add_argument("--latency", type=parse_latency, default=(0.0, 0.0))
    reader.add_argument("--fault", type=parse_fault, action="append", default=[])
    reader.add_argument("--key")
    reader.add_argument("--images-per-minute", type=int)
    reader.add_argument("--no-limit-headers", action="store_true")
    reader.add_argument("--picture-bytes", type=int)
    asked = reader.parse_args()
    options = SandboxOptions(
        port=asked.port,
        latency=asked.latency,
        faults=tuple(asked.fault),
        key=asked.key,
        images_per_minute=asked.images_per_minute,
        tells_limits=not asked.no_limit_headers,
        picture_bytes=asked.picture_bytes,
    )
    serve(options, _say_ready)


def _say_ready(base_url: str) -> None:
    sys.stdout.write(f"{base_url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
