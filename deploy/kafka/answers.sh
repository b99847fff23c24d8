#!/bin/bash
# Whether the broker answers: sends an ApiVersions request (key 18, version 0, correlation 1, no client id) and waits
# for the length of an answer. Kafka's own tools start a Java for that, a second of a core at each check.
# Host and port as arguments; default 127.0.0.1 9092.
set -eu
exec 3<>"/dev/tcp/${1:-127.0.0.1}/${2:-9092}"
printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff' >&3
[ "$(head -c 4 <&3 | wc -c)" -eq 4 ]
