#!/bin/sh
echo "directory=attempt"
