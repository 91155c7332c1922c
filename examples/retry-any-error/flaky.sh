#!/bin/sh
# Fails as often as it is told, then succeeds; a file counts the attempts of this job.
set -eu
counter=${1#file:}/attempts-of-$2
failures=$3

mkdir -p "$(dirname "$counter")"
echo attempt >> "$counter"
attempts=$(($(wc -l < "$counter")))
if [ "$attempts" -le "$failures" ]; then
    echo "attempt $attempts of $2: no luck" >&2
    exit 1
fi
echo "attempts=$attempts"
