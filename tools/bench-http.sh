#!/usr/bin/env bash
# bench-http.sh [SECONDS [ROUNDS]] compares `threadmill run` with nginx on this machine: the same folder, on loopback,
# by wrk, in turns within the same minute. Beside both stands the floor, the least that net/http can do: it gives every
# request the same answer with the headers and bytes of threadmill's, and has no deadlines. A line for each kind of
# request tells the rates in requests a second, the processor time of the server for one (of which other work on the
# machine, and wrk itself, take nothing), all as medians of the rounds, and how the rates stand to each other.
# It needs wrk, curl and nginx with gzip_static (on Debian: apt-get install wrk curl nginx-light); nginx runs with a
# config of its own from a temporary folder and never as a service.
set -eu -o pipefail
seconds=${1:-3}
rounds=${2:-5}
PATH=$PATH:/usr/sbin
for program in wrk nginx curl; do
  command -v "$program" >/dev/null || { echo "bench-http: $program is missing" >&2; exit 1; }
done
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
ours=127.0.0.1:$((20000 + RANDOM % 4000))
theirs=127.0.0.1:$((24000 + RANDOM % 4000))
floor=127.0.0.1:$((28000 + RANDOM % 4000))
pids=()
stop() {
  [ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait
  rm -rf "$dir"
}
trap stop EXIT

# A publication of 200 threads of 12 paragraphs.
mkdir "$dir/threads"
chmod 755 "$dir"
words='a rope is only as good as the knot and the knot is only as good as the hand that ties it when the wind is up '
for i in $(seq 200); do
  {
    printf -- '---\ntitle: Thread %d\ndate: 2024-01-01T09:00:00Z\nparams:\n  published: 2024-01-01\n---\n' "$i"
    for j in $(seq 12); do
      printf 'Post %d of thread %d: %s%s%s\n\n' "$j" "$i" "$words" "$((i * j * 7919))" " $words"
      [ "$j" -eq 12 ] || printf -- '---\n\n'
    done
  } >"$dir/threads/2024-01-01-thread-$i.md"
done
cat >"$dir/config.yaml" <<EOF
publication: {title: Bench, url: http://$ours, address: none, author: {name: Bench, email: bench@example.org}}
mail: {from: bench@example.org, transport: folder, folder: mail}
web: {listen: $ours}
EOF
CGO_ENABLED=0 go build -o "$dir/threadmill" ./cmd/threadmill
"$dir/threadmill" --config "$dir/config.yaml" build >&2

mkdir "$dir/floor"
cat >"$dir/floor/main.go" <<'EOF'
// Floor is the least that a server on net/http does for an answer.
package main

import (
	"net/http"
	"os"
	"strings"
)

// main serves at an address what stands in a file in the form of curl -i.
func main() {
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	head, body, _ := strings.Cut(string(text), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	header, code := make(http.Header), http.StatusOK
	if strings.Contains(lines[0], " 304 ") {
		code = http.StatusNotModified
	}
	for _, line := range lines[1:] {
		if key, value, _ := strings.Cut(line, ": "); key != "Date" {
			header[key] = []string{value}
		}
	}
	content := []byte(body)
	panic(http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for key, value := range header {
			h[key] = value
		}
		w.WriteHeader(code)
		if code == http.StatusOK {
			_, _ = w.Write(content)
		}
	})))
}
EOF
(cd "$dir/floor" && CGO_ENABLED=0 GOFLAGS='' go build -o floor main.go)

cat >"$dir/nginx.conf" <<EOF
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.log;
worker_processes 2;
events { worker_connections 1024; }
http {
  access_log off;
  types { text/html html; application/rss+xml xml; }
  sendfile on;
  tcp_nopush on;
  gzip_static on;
  open_file_cache max=1000 inactive=60s;
  keepalive_requests 1000000;
  client_body_temp_path $dir/body; proxy_temp_path $dir/proxy; fastcgi_temp_path $dir/fcgi;
  uwsgi_temp_path $dir/uwsgi; scgi_temp_path $dir/scgi;
  server { listen $theirs; root $dir/public; add_header Cache-Control "public, max-age=900"; }
}
EOF
"$dir/threadmill" --config "$dir/config.yaml" run >"$dir/run.log" 2>&1 &
our_pid=$!
pids+=("$our_pid")
nginx -c "$dir/nginx.conf" -p "$dir" 2>/dev/null &
their_pid=$!
pids+=("$their_pid")
for server in "$ours" "$theirs"; do
  curl -sf --retry 50 --retry-connrefused --retry-delay 1 -o "$dir/page" "http://$server/threads/thread-7/" ||
    { cat "$dir/run.log" "$dir/nginx.log" >&2; exit 1; }
done

# ticks PID: the processor time of a process and its children, in ticks of the kernel
ticks() {
  local p sum=0 used
  for p in "$1" $(cat "/proc/$1/task/$1/children"); do
    used=$(sed 's/.*) //' "/proc/$p/stat" | awk '{ print $12 + $13 }')
    sum=$((sum + used))
  done
  echo "$sum"
}
# rate SERVER PID SECONDS PATH HEADER...: requests a second, and microseconds of the server's processor time for one
rate() {
  local server=$1 pid=$2 time=$3 path=$4 args=() before out
  shift 4
  for h in "$@"; do args+=(-H "$h"); done
  before=$(ticks "$pid")
  out=$(wrk -t 2 -c 32 -d "${time}s" "${args[@]}" "http://$server$path")
  if grep -q 'Non-2xx\|Socket errors' <<<"$out"; then echo "$out" >&2; fi
  awk -v used="$(($(ticks "$pid") - before))" -v tick="$(getconf CLK_TCK)" '
    /requests in/ { n = $1 } /Requests\/sec/ { r = $2 } END { printf "%.0f %.1f\n", r, used / tick * 1e6 / n }' <<<"$out"
}
tag() { # SERVER PATH HEADER: the ETag there
  curl -s -o /dev/null -D - -H "$3" "http://$1$2" | tr -d '\r' | awk 'tolower($1) == "etag:" { sub(/^[^ ]* /, ""); print }'
}
# median FILE COLUMN
median() { awk -v c="$2" '{ print $c }' "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# compare NAME PATH HEADER CONDITIONAL
compare() {
  local name=$1 path=$2 header=$3 of_ours="$3" of_theirs="$3" floor_pid round time to
  if [ "$4" = yes ]; then
    of_ours="If-None-Match: $(tag "$ours" "$path" "$header")"
    of_theirs="If-None-Match: $(tag "$theirs" "$path" "$header")"
  fi
  curl -s -i -o "$dir/answer" -H "$header" -H "$of_ours" "http://$ours$path"
  "$dir/floor/floor" "$floor" "$dir/answer" 2>/dev/null &
  floor_pid=$!
  pids+=("$floor_pid")
  curl -sf --retry 50 --retry-connrefused --retry-delay 1 -o "$dir/page" "http://$floor$path"
  rm -f "$dir"/rates.*
  for round in $(seq 0 "$rounds"); do # the first of them warms up
    time=$seconds to=$dir/rates
    if [ "$round" = 0 ]; then time=1 to=$dir/warm; fi
    rate "$ours" "$our_pid" "$time" "$path" "$header" "$of_ours" >>"$to.ours"
    rate "$theirs" "$their_pid" "$time" "$path" "$header" "$of_theirs" >>"$to.theirs"
    rate "$floor" "$floor_pid" "$time" "$path" "$header" "$of_ours" >>"$to.floor"
  done
  kill "$floor_pid"
  wait "$floor_pid" 2>/dev/null || true
  unset 'pids[-1]'
  awk -v n="$name" \
    -v x="$(median "$dir/rates.ours" 1)" -v y="$(median "$dir/rates.theirs" 1)" -v z="$(median "$dir/rates.floor" 1)" \
    -v cx="$(median "$dir/rates.ours" 2)" -v cy="$(median "$dir/rates.theirs" 2)" -v cz="$(median "$dir/rates.floor" 2)" '
    BEGIN {
      form = "%-10s threadmill %6d/s %5.1f us   nginx %6d/s %5.1f us   floor %6d/s %5.1f us   ratio to nginx %.2f, to the floor %.2f\n"
      printf form, n, x, cx, y, cy, z, cz, x / y, x / z
    }'
}
echo "load $(cut -d ' ' -f 1-3 /proc/loadavg) on $(nproc) processors; medians of $rounds rounds of ${seconds} s"
compare "304 feed" /feed.xml 'Accept-Encoding: gzip' yes
compare "304 page" /threads/thread-7/ 'Accept-Encoding: gzip' yes
compare "gzip page" /threads/thread-7/ 'Accept-Encoding: gzip' no
compare "plain page" /threads/thread-7/ 'Accept: */*' no
compare "gzip feed" /feed.xml 'Accept-Encoding: gzip' no
echo "load $(cut -d ' ' -f 1-3 /proc/loadavg)"
