#!/bin/sh
# Does one step of the dinner: notes it, and the last step checks that nothing was left out.
set -eu
kitchen=${1#file:}
step=$2

mkdir -p "$kitchen"
date > "$kitchen/$step"
if [ "$step" = serve ]; then
    for before in bake-bread chop-vegetables boil-soup fry-onions roast-pumpkin season; do
        [ -e "$kitchen/$before" ] || { echo "$before was not done" >&2; exit 1; }
    done
fi
echo "$step: done"
