# Sourced by the scripts: starts a coffer server in the background and waits until it is ready.

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start_server BINARY DATA LOG PIDFILE [LISTEN]: stops the one that PIDFILE names, starts a new one, waits for its health.
start_server() {
    local binary=$1 data=$2 log=$3 pidfile=$4 listen=${5:-}
    if [ -f "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null \
        && grep -qz '^serve$' "/proc/$(cat "$pidfile")/cmdline" 2>/dev/null; then
        kill "$(cat "$pidfile")"
        while kill -0 "$(cat "$pidfile")" 2>/dev/null; do sleep 0.1; done
    fi
    if [ -z "$listen" ]; then
        local port=8080
        until port_is_free "$port"; do
            port=$((port + 1))
            [ "$port" -lt 8180 ] || die "no free port between 8080 and 8179"
        done
        listen=127.0.0.1:$port
    fi
    setsid nohup "$binary" serve --data "$data" --listen "$listen" >>"$log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    local waited=0
    until curl --silent --fail --output /dev/null "http://$listen/-/health"; do
        kill -0 "$(cat "$pidfile")" 2>/dev/null || { tail -n 20 "$log" >&2; die "the server ended; its log is $log"; }
        waited=$((waited + 1))
        [ "$waited" -lt 300 ] || die "the server did not become ready within 30 seconds; its log is $log"
        sleep 0.1
    done
}
