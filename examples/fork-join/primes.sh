#!/bin/sh
# How many primes are there from $1 to $2?
set -eu
awk -v first="$1" -v last="$2" 'BEGIN {
    for (number = first < 2 ? 2 : first; number <= last; number++) {
        for (divisor = 2; divisor * divisor <= number && number % divisor; divisor++) { }
        if (divisor * divisor > number) primes++
    }
    print "primes=" primes + 0
}'
