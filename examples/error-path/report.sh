#!/bin/sh
# Leaves a note for the people on duty.
set -eu
folder=${1#file:}

mkdir -p "$folder"
printf 'node:   %s\ncode:   %s\nreason: %s\n' "$NODE" "$CODE" "$REASON" | tee "$folder/report.txt"
