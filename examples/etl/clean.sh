#!/bin/sh
# Orders that can be repaired are repaired, those that cannot go to rejected.csv with a reason; doubles go once.
set -eu
export LC_ALL=C
staging=${1#file:}

awk -F, -v OFS=, -v clean="$staging/orders.csv" -v rejected="$staging/rejected.csv" '
    function trimmed(text) { gsub(/^[ \t]+|[ \t\r]+$/, "", text); return text }

    function days(year, month) {
        if (month == 2) return year % 4 == 0 && (year % 100 || year % 400 == 0) ? 29 : 28
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
    }

    function is_date(text,    part) {
        if (text !~ /^[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]$/) return 0
        split(substr(text, 1, 10), part, "-")
        return part[2] >= 1 && part[2] <= 12 && part[3] >= 1 && part[3] <= days(part[1] + 0, part[2] + 0)
    }

    function mistake() {
        if (NF != 6) return "not six fields"
        if (!is_date($2)) return "no such date"
        if (!($3 in customers)) return "unknown customer"
        if (!($4 in products)) return "unknown product"
        if ($5 !~ /^[1-9][0-9]*$/) return "no quantity"
        if ($6 !~ /^[0-9]+\.[0-9][0-9]$/) return "no price"
        return ""
    }

    FILENAME ~ /\/customers\.csv$/ { customers[$1] = 1; next }
    FILENAME ~ /\/products\.csv$/ { products[$1] = 1; next }
    FNR == 1 { print > clean; print "reason," $0 > rejected; next }
    {
        read++
        line = $0
        for (field = 1; field <= NF; field++) $field = trimmed($field)
        gsub("/", "-", $2)
        $3 = toupper($3)
        reason = mistake()
        if (reason != "") { bad++; print reason, line > rejected }
        else if ($1 in seen) doubles++
        else { seen[$1] = 1; kept++; print > clean }
    }
    END {
        printf "orders_read=%d\norders_kept=%d\ndoubles=%d\nrejected=%d\n", read, kept, doubles, bad
        printf "rejected_percent=%.2f\n", read ? 100 * bad / read : 100
    }
' "$staging/raw/customers.csv" "$staging/raw/products.csv" "$staging/raw/orders.csv"
