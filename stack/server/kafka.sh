# Kafka: one broker that is its own controller (KRaft), from the jars stack/kafka/fetch has brought.
# shellcheck shell=bash

kafka_ports() { echo "$KAFKA_PORT $KAFKA_CONTROLLER_PORT"; }

kafka_configure() {
    local dir=$RUN_DIR/kafka
    mkdir -p "$dir/tmp"

    cat >"$dir/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data

# a mistyped topic is an error, not a new topic
auto.create.topics.enable=false
num.partitions=$TOPIC_PARTITIONS
message.max.bytes=4194304
replica.fetch.max.bytes=4194304

# one node: nothing to replicate to, nobody to wait for
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
controlled.shutdown.enable=false

# a laptop's broker, not a cluster's
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
CONF

    [[ -f $dir/data/meta.properties ]] || kafka_format "$dir"
}

kafka_java() {
    printf '%s\n' -Djava.awt.headless=true -Djava.io.tmpdir="$RUN_DIR/kafka/tmp" \
        -Dlog4j.configuration="file:$ROOT/stack/kafka/log4j.properties" -cp "$KAFKA_LIB/*"
}

kafka_format() {
    local dir=$1 id java
    [[ -d $KAFKA_LIB ]] || die "Kafka's jars are not in $KAFKA_LIB: run stack/kafka/fetch, or use KAFKA=no"
    have java || die "Kafka needs a JRE: run stack/install kafka, or use KAFKA=no"
    rm -rf "$dir/data"
    # a cluster id is a UUID's 16 bytes in URL-safe base64 without its padding, and does not begin with a dash
    id=T$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-21)A
    mapfile -t java < <(kafka_java)
    java -Xmx128m -XX:TieredStopAtLevel=1 "${java[@]}" kafka.tools.StorageTool format \
        -t "$id" -c "$dir/server.properties" >>"$(log_of kafka)" 2>&1 ||
        not_ready kafka "could not format its data folder"
}

kafka_launch() {
    local java
    mapfile -t java < <(kafka_java)
    launch kafka java -Xms256m -Xmx512m -XX:+UseG1GC "${java[@]}" kafka.Kafka "$RUN_DIR/kafka/server.properties"
}

kafka_ready() {
    timeout 5 kcat -b "127.0.0.1:$KAFKA_PORT" -L -m 2 -X log_level=0 | grep -q '^ 1 brokers:'
}

# the topics, at the first start
kafka_setup() {
    kafka_topic "$KAFKA_TOPIC" "$TOPIC_PARTITIONS" &
    local first=$!
    kafka_topic "$KAFKA_DLQ_TOPIC" 1
    wait "$first"
}

kafka_topic() {
    local topic=$1 partitions=$2
    kafka_has_topic "$topic" ||
        RUN_DIR=$RUN_DIR "$ROOT/stack/kafka/tool" TopicCommand --create --if-not-exists \
            --topic "$topic" --partitions "$partitions" --replication-factor 1 >>"$(log_of kafka)" 2>&1 ||
        not_ready kafka "could not create topic $topic"
    until_true 20 kafka_has_topic "$topic" || not_ready kafka "has no leader for every partition of $topic"
}

# every partition has a leader; how many there are may have been changed since
kafka_has_topic() {
    local list
    list=$(timeout 5 kcat -b "127.0.0.1:$KAFKA_PORT" -L -t "$1" -m 2 -X log_level=0 2>/dev/null) || return 1
    grep -q "topic \"$1\" with [1-9]" <<<"$list" && ! grep -qE "topic \"$1\".*error|leader -1|Leader not available" <<<"$list"
}
