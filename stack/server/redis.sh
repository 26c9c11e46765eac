# redis-server: stock and outboxes. Append-only, synced every second; never evicts.
# shellcheck shell=bash

redis_ports() { echo "$REDIS_PORT"; }

redis_configure() {
    cat >"$RUN_DIR/redis/redis.conf" <<CONF
bind 127.0.0.1
port $REDIS_PORT
dir $RUN_DIR/redis
daemonize no
databases 16

appendonly yes
appendfsync everysec
save ""

maxmemory-policy noeviction
# a replica that was away for an hour must not change master_replid, which would reopen every ticket
repl-backlog-ttl 0

# fault tests put Redis to sleep
enable-debug-command local
CONF
}

redis_launch() { launch redis redis-server "$RUN_DIR/redis/redis.conf"; }

redis_ready() { [[ $(timeout 2 redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping) == PONG ]]; }
