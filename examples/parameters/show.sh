#!/bin/sh
# Prints each of its arguments on a line of its own.
set -eu
for argument in "$@"; do
    printf '%s\n' "$argument"
done
