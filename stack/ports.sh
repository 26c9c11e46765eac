# own_ports NUMBER: ports for a stack/check that may run beside another one, unless they are given.
# shellcheck shell=bash

own_ports() {
    export CHECK_NGINX_PORT=${CHECK_NGINX_PORT:-$((18180 + $1))} CHECK_PERSISTER_PORT=${CHECK_PERSISTER_PORT:-$((18190 + $1))}
    export CHECK_REDIS_PORT=${CHECK_REDIS_PORT:-$((16480 + $1))} CHECK_MYSQL_PORT=${CHECK_MYSQL_PORT:-$((13407 + $1))}
    export CHECK_KAFKA_PORT=${CHECK_KAFKA_PORT:-$((19292 + $1))}
    export CHECK_KAFKA_CONTROLLER_PORT=${CHECK_KAFKA_CONTROLLER_PORT:-$((19293 + $1))}
    export TEST_NGINX_PORT=${TEST_NGINX_PORT:-$((18184 + $1))}
}
