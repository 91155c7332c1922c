#!/bin/sh
# Compiles src/ into lib/words.jar, where Oozie and Howdah look for the classes of an application. Needs a JDK.
set -eu
cd "$(dirname "$0")"
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT

mkdir -p lib
javac --release 8 -Xlint:-options -d "$classes" src/howdah/examples/*.java
jar cf lib/words.jar -C "$classes" .
