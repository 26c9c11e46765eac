# nginx with the ticket module, configured by the repository's own example.
# shellcheck shell=bash

nginx_ports() { echo "$NGINX_PORT"; }

nginx_configure() {
    local dir=$RUN_DIR/nginx
    [[ -z $NGINX_MODULE || -f $NGINX_MODULE ]] || die "$NGINX_MODULE is not there: run make first"
    have "$NGINX_BIN" || die "$NGINX_BIN is not there: run stack/install run"
    mkdir -p "$dir/logs" "$dir/temp"
    [[ -s $dir/ticket.keys ]] || new_key "$dir/ticket.keys"
    nginx_conf >"$dir/nginx.conf.new"
    mv "$dir/nginx.conf.new" "$dir/nginx.conf"
    nginx_command -t -q >>"$(log_of nginx)" 2>&1 || not_ready nginx "refuses its configuration"
}

# new_key FILE: one key to sign passes with, which nobody else may read
new_key() { (umask 077 && echo "k1 $(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')" >"$1"); }

# The example with this stack's places in it. It has to stay an example, so what is replaced is
# looked for, and not finding it is an error rather than a server on somebody else's port.
nginx_conf() {
    local conf kafka module=
    conf=$(cat "$NGINX_EXAMPLE")
    kafka="brokers=127.0.0.1:$KAFKA_PORT topic=$KAFKA_TOPIC"
    [[ $KAFKA == yes ]] || kafka=off
    # a static build has the module in it already
    [[ -z $NGINX_MODULE ]] || module="load_module $NGINX_MODULE;"

    conf=$(put 'load_module +[^;]*ngx_http_ticket_module\.so;' "$module" <<<"$conf")
    conf=$(put 'listen +127\.0\.0\.1:18080' "listen 127.0.0.1:$NGINX_PORT" <<<"$conf")
    conf=$(put 'ticket_redis +redis://127\.0\.0\.1:6379/0' "ticket_redis redis://127.0.0.1:$REDIS_PORT/0" <<<"$conf")
    conf=$(put 'ticket_kafka +brokers=127\.0\.0\.1:9092 +topic=ticket\.events' "ticket_kafka $kafka" <<<"$conf")
    conf=$(put '/etc/nginx/ticket\.keys;' "$RUN_DIR/nginx/ticket.keys;" <<<"$conf")
    conf=$(put '/usr/local/share/ticket/web/' "$ROOT/web/" <<<"$conf")
    conf=$(put 'access_log +logs/access\.log' "access_log $RUN_DIR/log/access.log" <<<"$conf")

    # these are ours to say; some examples say them too
    conf=$(sed -E '/^ *(user|pid|error_log|daemon|worker_processes|lock_file) [^;]*;/d' <<<"$conf")
    conf=$(put '^http +\{' "http {\n$(nginx_paths | sed 's/^/    /; s/$/\\n/' | tr -d '\n')" <<<"$conf")

    nginx_main
    printf '%s\n' "$conf"
}

nginx_main() {
    echo "# made by stack/server/nginx.sh from nginx.conf.example"
    # workers of a clone only root may enter have to be root, too
    ((EUID != 0)) || echo "user root;"
    cat <<CONF
worker_processes 2;
pid $(pid_file nginx);
lock_file $RUN_DIR/nginx/nginx.lock;
error_log $RUN_DIR/log/nginx.log info;

# how a build with sanitizers is told where to report to, also after a binary upgrade
env ASAN_OPTIONS;
env LSAN_OPTIONS;
env UBSAN_OPTIONS;
CONF
}

# Debian's binary has places of the machine compiled in for all of these
nginx_paths() {
    local kind
    for kind in client_body proxy fastcgi uwsgi scgi; do
        echo "${kind}_temp_path $RUN_DIR/nginx/temp/$kind;"
    done
}

# put PATTERN TEXT: what matches, replaced by it (\n is a new line); nothing that matches is an error
put() {
    local text conf
    conf=$(cat)
    grep -qE -- "$1" <<<"$conf" || die "$NGINX_EXAMPLE has nothing like '$1' to replace"
    text=${2//&/\\&}
    sed -E "s|$1|$text|" <<<"$conf"
}

# by its whole path: at a binary upgrade nginx starts itself by the name it was called by
nginx_command() { "$(command -v "$NGINX_BIN")" -p "$RUN_DIR/nginx/" -c "$RUN_DIR/nginx/nginx.conf" "$@"; }

# it goes into the background by itself, and writes its pid file, which `HUP` and `USR2` need it to
nginx_launch() {
    (let_go; nginx_command) </dev/null >>"$(log_of nginx)" 2>&1 || not_ready nginx "did not start"
    until_true 5 pid_of nginx || not_ready nginx "wrote no pid file"
}

nginx_ready() { curl -fsS -m 2 "http://127.0.0.1:$NGINX_PORT/health"; }
