#!/bin/sh
# By file, as any program can: written under a name that is left alone, then renamed, so that it appears whole.
# INBOX says where the inbox is.
set -eu
inbox=${INBOX:-inbox}
cp "$(dirname "$0")/products.csv" "$inbox/products.csv.part"
mv "$inbox/products.csv.part" "$inbox/products.csv"
