#!/bin/sh
# Last of all: only now is the batch done. Whatever fails before, the next run picks up the same files.
set -eu
state=${1#file:}
batch=$2
last=$3

if [ -e "$state/work/$batch/ids" ]; then mv -f "$state/work/$batch/ids" "$state/seen/$batch.ids"; fi
echo "$last" > "$state/offset.new"
mv -f "$state/offset.new" "$state/offset"
rm -rf "$state/work/$batch"
