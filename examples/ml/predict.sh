#!/bin/sh
# Scores the new customers, most likely to leave first.
set -eu
export LC_ALL=C
input=${1#file:}
work=${2#file:}

cat features.awk - > predict.awk << 'AWK'
FILENAME ~ /\/model$/ { weight[$1] = $2; next }
FILENAME ~ /\/scale$/ { mean[$1] = $2; deviation[$1] = $3; next }
FNR == 1 || !is_complete() { next }
{
    count = features(x)
    for (j = 1; j <= count; j++) x[j] = (x[j] - mean[j]) / deviation[j]
    printf "%s,%.3f\n", $1, probability(x, weight, count)
}
AWK
awk -f predict.awk "$work/model" "$work/scale" FS=, "$input" | sort -t , -k 2,2nr -k 1,1 > "$work/scores"
{ echo "customer_id,probability_to_leave"; cat "$work/scores"; } > "$work/predictions.csv"
echo "predicted=$(($(wc -l < "$work/scores")))"
echo "first=$(head -n 1 "$work/scores")"
rm "$work/scores"
