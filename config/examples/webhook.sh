#!/bin/sh
# Another system orders pictures: posts the same order twice, under one key, and gets one job.
# TOKEN_FILE and WATCHER say where the token and the service are.
set -eu
token=$(cat "${TOKEN_FILE:-token}")
watcher=${WATCHER:-http://127.0.0.1:8765}
for attempt in first second; do
    curl -sS --fail-with-body "$watcher/jobs?name=order-17" \
        -H "Authorization: Bearer $token" \
        -H "Content-Type: application/json" \
        -H "Idempotency-Key: order-17" \
        --data '[{"prompt": "A red mug on a white table", "name": "mug-red"}, {"prompt": "A blue mug on a white table", "name": "mug-blue"}]'
    echo
done
