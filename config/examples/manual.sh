#!/bin/sh
# By hand: one file now, with the running daemon or without one. Ends when the pictures are there; 0 means all of them.
set -eu
exec image-watcher process --wait --json "$(dirname "$0")/mascot.prompt"
