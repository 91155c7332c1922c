#!/bin/sh
# The batch becomes one part of the table, put in place by a rename: doing it again replaces the part by itself.
set -eu
state=${1#file:}
batch=$2

mkdir -p "$state/table"
{ echo "window,sensor,metric,count,sum,least,greatest"; cat "$state/work/$batch/windows.csv"; } > "$state/work/$batch/part"
mv -f "$state/work/$batch/part" "$state/table/$batch.csv"
