#!/bin/sh
set -eu
folder=${1#file:}

mkdir -p "$folder"
echo "$2" > "$folder/greeting.txt"
