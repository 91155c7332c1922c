#!/bin/sh
# Drops incomplete rows, scales every feature to mean 0 and deviation 1, and keeps every fifth customer for the test.
set -eu
export LC_ALL=C
input=${1#file:}
work=${2#file:}

mkdir -p "$work"
cat features.awk - > prepare.awk << 'AWK'
BEGIN { FS = "," }
FNR == 1 { next }
!is_complete() { dropped++; next }
{
    rows++
    count = features(x)
    label[rows] = $8 == "yes"
    for (j = 1; j <= count; j++) { value[rows, j] = x[j]; sum[j] += x[j]; squares[j] += x[j] * x[j] }
}
END {
    for (j = 1; j <= count; j++) {
        mean[j] = sum[j] / rows
        deviation[j] = sqrt(squares[j] / rows - mean[j] * mean[j])
        printf "%d %.9f %.9f\n", j, mean[j], deviation[j] > work "/scale"
    }
    for (i = 1; i <= rows; i++) {
        line = label[i]
        for (j = 1; j <= count; j++) line = line sprintf(" %.6f", (value[i, j] - mean[j]) / deviation[j])
        if (i % 5) { train++; print line > work "/train" } else { test++; print line > work "/test" }
    }
    printf "train=%d\ntest=%d\ndropped=%d\n", train, test, dropped
}
AWK
awk -v work="$work" -f prepare.awk "$input"
