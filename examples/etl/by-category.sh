#!/bin/sh
# Units and revenue of each product category, and the product that earned most.
set -eu
export LC_ALL=C
staging=${1#file:}

awk -F, -v OFS=, '
    FNR == 1 { next }
    FILENAME ~ /\/products\.csv$/ { category[$1] = $3; name[$1] = $2; next }
    {
        amount = $5 * int($6 * 100 + 0.5)
        units[category[$4]] += $5
        cents[category[$4]] += amount
        of_product[$4] += amount
    }
    END {
        for (product in of_product) {
            kind = category[product]
            if (of_product[product] > most[kind]) { most[kind] = of_product[product]; best[kind] = name[product] }
        }
        for (kind in cents) print kind, units[kind], cents[kind], best[kind]
    }
' "$staging/raw/products.csv" "$staging/orders.csv" | sort > "$staging/category-rows"

{ echo "category,units,revenue_cents,best_product"; cat "$staging/category-rows"; } > "$staging/revenue-by-category.csv"
awk -F, '{ cents += $3 } END { printf "categories=%d\ncents=%d\n", NR, cents }' "$staging/category-rows"
rm "$staging/category-rows"
