#!/bin/sh
# Tumbling windows by event time: count, sum, least and greatest value of each sensor. Late events open their old window
# again in this batch; sums and counts of several batches add up.
set -eu
export LC_ALL=C
work=${1#file:}/work/$2
minutes=$3

awk -F, -v OFS=, -v minutes="$minutes" '
    {
        minute = substr($1, 15, 2)
        start = substr($1, 1, 14) sprintf("%02d", minute - minute % minutes) ":00Z"
        key = start OFS $3 OFS $4
        if (!(key in count) || $5 + 0 < least[key]) least[key] = $5 + 0
        if (!(key in count) || $5 + 0 > greatest[key]) greatest[key] = $5 + 0
        count[key]++
        sum[key] += $5
    }
    END { for (key in count) printf "%s,%d,%.2f,%.2f,%.2f\n", key, count[key], sum[key], least[key], greatest[key] }
' "$work/events.csv" | sort > "$work/windows.csv"
echo "rows=$(($(wc -l < "$work/windows.csv")))"
