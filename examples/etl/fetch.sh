#!/bin/sh
# Copies the source tables and notes size and checksum of each.
set -eu
from=${1#file:}
to=${2#file:}

mkdir -p "$to"
: > "$to/MANIFEST"
for table in orders customers products; do
    cp "$from/$table.csv" "$to/$table.csv"
    rows=$(($(wc -l < "$to/$table.csv") - 1))
    sum=$(cksum < "$to/$table.csv" | cut -d ' ' -f 1)
    printf '%s\t%s\t%s\n' "$table" "$rows" "$sum" >> "$to/MANIFEST"
    echo "$table=$rows"
done
