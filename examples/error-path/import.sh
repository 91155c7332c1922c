#!/bin/sh
set -eu
case $1 in
    *[!0-9]* | '') echo "not a number: $1" >&2; exit 3 ;;
esac
echo "imported $1"
