#!/bin/sh
# The next event files behind the committed offset, at most as many as one batch takes. The batch is named after its
# first file, so the same offset gives the same batch.
set -eu
export LC_ALL=C
input=${1#file:}
state=${2#file:}
files_max=$3

mkdir -p "$state"
offset=$(cat "$state/offset" 2> /dev/null || true)
files=$(cd "$input" && ls | awk -v offset="$offset" -v max="$files_max" '
    /^events-.*\.csv$/ && $0 > offset && ++count <= max')
first=$(echo "$files" | head -n 1)
batch=${first%.csv}
if [ -n "$batch" ]; then
    mkdir -p "$state/work/$batch"
    echo "$files" > "$state/work/$batch/files"
fi
echo "files=$(echo "$files" | grep -c . || true)"
echo "batch=$batch"
echo "last=$(echo "$files" | tail -n 1)"
