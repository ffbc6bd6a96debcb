#!/usr/bin/env bash
# bench-http.sh [SECONDS [ROUNDS]] compares `threadmill run` with nginx on this machine: the same folder, on loopback,
# by wrk, in turns within the same minute. It prints a line for each kind of request: the two rates in requests a
# second (the median of the rounds) and their ratio. It needs wrk and nginx with gzip_static (on Debian: apt-get install
# wrk nginx-light); nginx runs with a config of its own from a temporary folder and never as a service.
set -eu -o pipefail
seconds=${1:-3}
rounds=${2:-3}
PATH=$PATH:/usr/sbin
for program in wrk nginx curl; do
  command -v "$program" >/dev/null || { echo "bench-http: $program is missing" >&2; exit 1; }
done
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
ours=127.0.0.1:$((20000 + RANDOM % 10000))
theirs=127.0.0.1:$((30000 + RANDOM % 10000))
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
pids+=($!)
nginx -c "$dir/nginx.conf" -p "$dir" 2>/dev/null &
pids+=($!)
for server in "$ours" "$theirs"; do
  curl -sf --retry 50 --retry-connrefused --retry-delay 1 -o "$dir/page" "http://$server/threads/thread-7/" ||
    { cat "$dir/run.log" "$dir/nginx.log" >&2; exit 1; }
done

# rate SERVER PATH HEADER...: requests a second
rate() {
  local server=$1 path=$2 args=()
  shift 2
  for h in "$@"; do args+=(-H "$h"); done
  wrk -t 2 -c 32 -d "${seconds}s" "${args[@]}" "http://$server$path" | awk '/Requests\/sec/ { print $2 }'
}
tag() { # SERVER PATH HEADER: the ETag there
  curl -s -o /dev/null -D - -H "$3" "http://$1$2" | tr -d '\r' | awk 'tolower($1) == "etag:" { sub(/^[^ ]* /, ""); print }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# compare NAME PATH HEADER CONDITIONAL
compare() {
  local name=$1 path=$2 header=$3 a=() b=() of_ours="$3" of_theirs="$3"
  if [ "$4" = yes ]; then
    of_ours="If-None-Match: $(tag "$ours" "$path" "$header")"
    of_theirs="If-None-Match: $(tag "$theirs" "$path" "$header")"
  fi
  for _ in $(seq "$rounds"); do
    a+=("$(rate "$ours" "$path" "$header" "$of_ours")")
    b+=("$(rate "$theirs" "$path" "$header" "$of_theirs")")
  done
  local x y
  x=$(printf '%s\n' "${a[@]}" | median)
  y=$(printf '%s\n' "${b[@]}" | median)
  awk -v n="$name" -v x="$x" -v y="$y" 'BEGIN { printf "%-12s threadmill %8.0f/s   nginx %8.0f/s   ratio %.2f\n", n, x, y, x / y }'
}
compare "304 feed" /feed.xml 'Accept-Encoding: gzip' yes
compare "304 page" /threads/thread-7/ 'Accept-Encoding: gzip' yes
compare "gzip page" /threads/thread-7/ 'Accept-Encoding: gzip' no
compare "plain page" /threads/thread-7/ 'Accept: */*' no
compare "gzip feed" /feed.xml 'Accept-Encoding: gzip' no
