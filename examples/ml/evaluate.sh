#!/bin/sh
# How good is the model on customers it has not seen? Share of right answers, and the area under the curve: how often
# somebody who left gets a higher score than somebody who stayed.
set -eu
export LC_ALL=C
work=${1#file:}

cat features.awk - > evaluate.awk << 'AWK'
FILENAME ~ /\/model$/ { weight[$1] = $2; next }
{
    count = NF - 1
    for (j = 1; j <= count; j++) x[j] = $(j + 1)
    score[++rows] = probability(x, weight, count)
    label[rows] = $1
    right += (score[rows] >= 0.5) == $1
}
END {
    for (i = 1; i <= rows; i++) if (label[i]) for (j = 1; j <= rows; j++) if (!label[j]) {
        pairs++
        won += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0
    }
    printf "accuracy=%.3f\nauc=%.3f\n", right / rows, pairs ? won / pairs : 0
}
AWK
awk -f evaluate.awk "$work/model" "$work/test"
