#!/bin/sh
# -u, -d, -r: start, stop or restart the server while the container stays up.
case "$1" in
  -u | -d | -r) exec s6-svc "$1" /var/run/s6/services/plex ;;
  *) echo "usage: $0 -d | -u | -r" >&2; exit 1 ;;
esac
