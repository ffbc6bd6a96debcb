#!/usr/bin/env bash
# Some tests compare with programs that others wrote. Each of these tests skips itself and says so where its
# program is missing. This script installs what is missing where it may (Debian, as root), else it names it.
set -u

# program:Debian package:what is skipped without it
peers='
xmllint:libxml2-utils:the check of RSS and Atom by an XML parser
jing:jing:the check of Atom by its schema
newsboat:newsboat:the test of newsboat as a reader of the feeds
feedparser:python3-feedparser:the test of feedparser as a reader of the feeds
initdb:postgresql:the tests over PostgreSQL
pgbouncer:pgbouncer:the tests of a pooler before PostgreSQL
dnsmasq:dnsmasq-base:the tests of DKIM by other programs
opendkim-testmsg:opendkim-tools:the test of DKIM by opendkim
dkimpy:python3-dkim:the test of DKIM by dkimpy
chromium:chromium:the tests of pages and mails in a browser
postfix:postfix:the tests of a relay
dovecot:dovecot-imapd:the tests of a mailbox behind a relay
curl:curl:the tests of a mailbox behind a relay
spamassassin:spamassassin:the judgement of mails by SpamAssassin
'

PATH=$PATH:/usr/sbin:$(printf '%s:' /usr/lib/postgresql/*/bin) # where Debian keeps servers and initdb

# there PROGRAM: whether it can be used. Some are modules of Debian's Python.
there() {
  case $1 in
    feedparser) /usr/bin/python3 -c 'import feedparser' 2>/dev/null ;;
    dkimpy) /usr/bin/python3 -c 'import dkim, nacl' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# quietly COMMAND…: without its words, or a terminal to ask.
quietly() { DEBIAN_FRONTEND=noninteractive "$@" >/dev/null 2>&1 </dev/null; }

# without_daemons COMMAND…: packages are not to start servers on this machine, nor to set them up (policy-rc.d of
# Debian's invoke-rc.d; a machine that has one already keeps its own).
without_daemons() {
  local policy=/usr/sbin/policy-rc.d own=
  if [ ! -e "$policy" ]; then
    own=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  command -v debconf-set-selections >/dev/null && ! there postfix &&
    debconf-set-selections <<<'postfix postfix/main_mailer_type select No configuration'
  quietly "$@"
  [ -z "$own" ] || rm -f "$policy"
}

may_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

missing=()
while IFS=: read -r program package what; do
  [ -z "$program" ] || there "$program" || missing+=("$program:$package:$what")
done <<<"$peers"

if [ "${#missing[@]}" -gt 0 ] && may_install; then
  quietly apt-get update -qq
fi
for m in "${missing[@]}"; do
  IFS=: read -r program package what <<<"$m"
  if may_install; then
    echo "installing $package"
    without_daemons apt-get -o DPkg::Lock::Timeout=120 install -qq --no-install-recommends "$package"
  fi
  there "$program" || echo "skipped: $what ($program is missing; on Debian: apt-get install $package)"
done

# axe-core finds what keeps people from using a page. It is a script for the browser, kept in the user's cache; npm
# fetches it, and it counts only with the very content that was looked at when the version was written here.
axe=4.14.1
axe_sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
axe_file=${XDG_CACHE_HOME:-$HOME/.cache}/threadmill/axe-$axe.min.js
fetch_axe() {
  local dir
  dir=$(mktemp -d) || return
  (cd "$dir" && npm pack --silent "axe-core@$axe" && tar xzf "axe-core-$axe.tgz" package/axe.min.js &&
    sha256sum --quiet -c <<<"$axe_sum  package/axe.min.js" && mkdir -p "${axe_file%/*}" && mv package/axe.min.js "$axe_file")
  rm -rf "$dir"
}
if [ ! -e "$axe_file" ]; then
  quietly fetch_axe
  [ -e "$axe_file" ] || echo "skipped: the check of pages by axe-core ($axe_file is missing; npm fetches it when this runs again)"
fi
exit 0
