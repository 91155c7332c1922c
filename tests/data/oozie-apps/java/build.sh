#!/bin/sh
# Compiles the classes that the definitions name into the jar that is given. Needs a JDK.
set -eu
jar=$1
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT

mkdir -p "$(dirname "$jar")"
javac --release 8 -Xlint:-options -d "$classes" "$(dirname "$0")"/org/apache/oozie/example/*.java
jar cf "$jar" -C "$classes" .
