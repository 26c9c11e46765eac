# What a stack is made of: its folder, its ports, its names. Each one can be given in the
# environment; `up` writes what it used to $RUN_DIR/settings, so that `ctl` and `down` need nothing repeated.
# shellcheck shell=bash disable=SC2034

RUN_DIR=$(realpath -m -- "${RUN_DIR:-$ROOT/run}")

# These end up unquoted in other programs' configuration, where a blank or a quote means something else.
for path in "$ROOT" "$RUN_DIR"; do
    [[ $path =~ ^[A-Za-z0-9/._+@~-]+$ ]] ||
        die "'$path': only letters, digits and . _ + @ ~ - may be in this path"
done

# the settings a stack remembers, in the order `run/env` and a reader expect
SETTINGS=(NGINX_PORT PERSISTER_PORT REDIS_PORT KAFKA_PORT KAFKA_CONTROLLER_PORT MYSQL_PORT
    MYSQL_KIND MYSQL_USER MYSQL_PASSWORD MYSQL_DATABASE MYSQL_SOCKET
    KAFKA KAFKA_TOPIC KAFKA_DLQ_TOPIC TOPIC_PARTITIONS KAFKA_LIB
    NGINX_BIN NGINX_MODULE NGINX_EXAMPLE PERSISTER_BIN)

default_settings() {
    : "${NGINX_PORT:=18080}" "${PERSISTER_PORT:=18090}" "${REDIS_PORT:=16380}"
    : "${KAFKA_PORT:=19192}" "${KAFKA_CONTROLLER_PORT:=19193}" "${MYSQL_PORT:=13307}"
    : "${MYSQL_KIND:=mariadb}" "${MYSQL_USER:=tickets}" "${MYSQL_PASSWORD:=tickets}" "${MYSQL_DATABASE:=tickets}"
    : "${KAFKA:=yes}" "${KAFKA_TOPIC:=ticket.events}" "${KAFKA_DLQ_TOPIC:=$KAFKA_TOPIC.dlq}"
    : "${TOPIC_PARTITIONS:=4}" "${KAFKA_LIB:=$ROOT/.cache/kafka}"
    : "${NGINX_BIN:=nginx}" "${NGINX_MODULE=$ROOT/build/ngx_http_ticket_module.so}"
    : "${NGINX_EXAMPLE:=$ROOT/nginx.conf.example}"
    : "${PERSISTER_BIN:=$ROOT/persister/ticket-persister}"
    # sun_path holds 107 bytes; a deep clone does not fit
    MYSQL_SOCKET=$RUN_DIR/mysql/mysql.sock
    ((${#MYSQL_SOCKET} < 100)) ||
        MYSQL_SOCKET=${TMPDIR:-/tmp}/ticket-mysql-$(id -u)-$(printf %s "$RUN_DIR" | cksum | cut -d' ' -f1).sock
    check_settings
}

check_settings() {
    local name port seen=" "
    case $KAFKA in yes | no) ;; *) die "KAFKA=$KAFKA: expected yes or no" ;; esac
    case $MYSQL_KIND in mariadb | mysql) ;; *) die "MYSQL_KIND=$MYSQL_KIND: expected mariadb or mysql" ;; esac
    for name in "${SETTINGS[@]}"; do
        [[ $name == *_PORT ]] || continue
        port=${!name}
        [[ $port =~ ^[1-9][0-9]{0,4}$ ]] && ((port < 65536)) || die "$name=$port: not a port"
        [[ $seen != *" $port "* ]] || die "$name=$port: another server of this stack has it"
        seen+="$port "
    done
    for name in MYSQL_USER MYSQL_PASSWORD MYSQL_DATABASE KAFKA_TOPIC KAFKA_DLQ_TOPIC; do
        [[ ${!name} =~ ^[A-Za-z0-9._-]+$ ]] || die "$name: only letters, digits and . _ - are allowed"
    done
    [[ $TOPIC_PARTITIONS =~ ^[1-9][0-9]{0,3}$ ]] || die "TOPIC_PARTITIONS=$TOPIC_PARTITIONS: not a number of partitions"
}

print_settings() {
    local name
    for name in "${SETTINGS[@]}"; do printf '%s=%q\n' "$name" "${!name}"; done
}

# the settings this stack was brought up with
saved_settings() {
    MYSQL_KIND=mariadb # of a stack that an older `up` has started
    # shellcheck disable=SC1091
    . "$RUN_DIR/settings"
}

servers() {
    case $KAFKA in
        yes) echo redis kafka mysql persister nginx ;;
        no) echo redis mysql persister nginx ;;
    esac
}

upper() { printf %s "${1^^}"; }
