#!/bin/sh
# Orders, customers and revenue of each country, in whole cents so that nothing is lost to rounding.
set -eu
export LC_ALL=C
staging=${1#file:}

awk -F, -v OFS=, '
    FNR == 1 { next }
    FILENAME ~ /\/customers\.csv$/ { country[$1] = $2; next }
    {
        place = country[$3]
        orders[place]++
        if (!((place, $3) in seen)) { seen[place, $3] = 1; customers[place]++ }
        cents[place] += $5 * int($6 * 100 + 0.5)
    }
    END { for (place in orders) print place, orders[place], customers[place], cents[place] }
' "$staging/raw/customers.csv" "$staging/orders.csv" | sort > "$staging/country-rows"

{ echo "country,orders,customers,revenue_cents"; cat "$staging/country-rows"; } > "$staging/revenue-by-country.csv"
awk -F, '{ cents += $4 } END { printf "countries=%d\ncents=%d\n", NR, cents }' "$staging/country-rows"
rm "$staging/country-rows"
