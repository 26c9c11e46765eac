# The persister: Kafka and the outboxes → MySQL.
# shellcheck shell=bash

persister_ports() { echo "$PERSISTER_PORT"; }

persister_configure() {
    [[ -x $PERSISTER_BIN ]] || die "$PERSISTER_BIN is not there: run make first"
    # it holds a password
    (
        umask 077
        cat >"$RUN_DIR/persister.conf" <<CONF
[mysql]
host = 127.0.0.1
port = $MYSQL_PORT
user = $MYSQL_USER
password = $MYSQL_PASSWORD
database = $MYSQL_DATABASE

[redis]
uri = redis://127.0.0.1:$REDIS_PORT/0

[kafka]
enabled = $KAFKA
brokers = 127.0.0.1:$KAFKA_PORT
topic = $KAFKA_TOPIC
dlq_topic = $KAFKA_DLQ_TOPIC

[http]
listen = 127.0.0.1:$PERSISTER_PORT
CONF
    )
    "$PERSISTER_BIN" -c "$RUN_DIR/persister.conf" migrate >>"$(log_of persister)" 2>&1 ||
        not_ready persister "could not bring the tables up to date"
}

persister_launch() { launch persister "$PERSISTER_BIN" -c "$RUN_DIR/persister.conf"; }

persister_ready() { curl -fsS -m 2 "http://127.0.0.1:$PERSISTER_PORT/health"; }
