#!/bin/sh
set -eu
input=${1#file:}
output=${2#file:}

mkdir -p "$output"
cat "$input"/* | wc -w | tr -d ' ' > "$output/part-00000"
echo "words=$(cat "$output/part-00000")"
