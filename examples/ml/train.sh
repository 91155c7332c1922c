#!/bin/sh
# Logistic regression by gradient descent over all rows.
set -eu
export LC_ALL=C
work=${1#file:}
rounds=$2
rate=$3

cat features.awk - > train.awk << 'AWK'
{ rows++; count = NF - 1; label[rows] = $1; for (j = 1; j <= count; j++) value[rows, j] = $(j + 1) }
END {
    for (round = 1; round <= rounds; round++) {
        loss = 0
        for (j = 0; j <= count; j++) slope[j] = 0
        for (i = 1; i <= rows; i++) {
            for (j = 1; j <= count; j++) x[j] = value[i, j]
            p = probability(x, weight, count)
            miss = p - label[i]
            slope[0] += miss
            for (j = 1; j <= count; j++) slope[j] += miss * x[j]
            loss -= log(label[i] ? p : 1 - p)
        }
        for (j = 0; j <= count; j++) weight[j] -= rate * slope[j] / rows
    }
    for (j = 0; j <= count; j++) printf "%d %.9f\n", j, weight[j] > work "/model.new"
    printf "rounds=%d\nloss=%.4f\n", rounds, loss / rows
}
AWK
awk -v work="$work" -v rounds="$rounds" -v rate="$rate" -f train.awk "$work/train"
mv -f "$work/model.new" "$work/model"
