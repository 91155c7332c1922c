#!/bin/sh
# Every event once, though senders repeat themselves: not twice in the batch, and not again if one of the ten batches
# before had it. Ids that this batch has left behind in an earlier try do not count.
set -eu
export LC_ALL=C
input=${1#file:}
state=${2#file:}
batch=$3
work=$state/work/$batch

mkdir -p "$state/seen"
(cd "$state/seen" && ls | grep -v -x "$batch.ids" | sort | tail -n 10 | while read -r ids; do cat "$ids"; done) > "$work/known" || true
while read -r file; do cat "$input/$file"; done < "$work/files" |
    awk -F, -v known="$work/known" -v ids="$work/ids" '
        BEGIN { while ((getline id < known) > 0) seen[id] = 1; printf "" > ids }
        { read++ }
        seen[$2]++ { next }
        { kept++; print $2 > ids; print }
        END { printf "read=%d\nkept=%d\ndoubles=%d\n", read, kept, read - kept > "/dev/stderr" }
    ' 2> "$work/counts" > "$work/events.csv"
cat "$work/counts"
