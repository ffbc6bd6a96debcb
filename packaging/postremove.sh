#!/bin/sh
# The publications and their user stay, also after a purge: they are somebody's letters and list of readers.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
if [ "$1" = purge ] && [ -e /var/lib/threadmill ]; then
  echo "threadmill: /var/lib/threadmill is left as it is; remove it yourself, and the user threadmill"
fi
