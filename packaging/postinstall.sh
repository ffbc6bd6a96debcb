#!/bin/sh
# After the files of a deb or rpm are there: the user, its folder, and systemd's knowledge of the units. Nothing is
# started: there is no publication yet. After an upgrade, the daemons that run do so with the new program.
set -e
if command -v systemd-sysusers >/dev/null 2>&1; then
  systemd-sysusers threadmill.conf
elif ! getent passwd threadmill >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/threadmill --no-create-home --shell /usr/sbin/nologin threadmill
fi
[ -d /var/lib/threadmill ] || install -d -m 750 -o threadmill -g threadmill /var/lib/threadmill
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # What an older version is there to be upgraded from: dpkg gives it, rpm a count above 1.
  case "$1:${2:-}" in
    configure:?* | [2-9]:*) systemctl try-restart threadmill.service 'threadmill@*.service' ;;
  esac
fi
