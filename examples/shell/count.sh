#!/bin/sh
# Counts a text; every key=value on standard output becomes a value that later nodes can read.
set -eu
text=$1

echo "lines=$(($(wc -l < "$text")))"
echo "words=$(($(wc -w < "$text")))"
if grep -qi "$WORD" "$text"; then echo "found=yes"; else echo "found=no"; fi
