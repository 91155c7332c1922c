#!/bin/sh
set -eu
echo "greeting=$(cat "${1#file:}")"
