#!/bin/sh
# Before the files go, and not when others take their place: the daemons end, after the messages that are on the wire.
set -e
case "$1" in
  remove | 0)
    if [ -d /run/systemd/system ]; then
      systemctl --no-reload disable --now threadmill.service || true
      systemctl stop 'threadmill@*.service' || true
    fi
    ;;
esac
