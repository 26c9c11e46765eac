# Debian packages, by what they are for. The names are those of Debian 12, and of unstable where it differs.
# shellcheck shell=bash disable=SC2034

case ${MYSQL_KIND:-mariadb} in
    mariadb) mysql_library=libmariadb-dev ;;
    mysql) mysql_library=libmysqlclient-dev ;;
esac

PACKAGES_build=(
    build-essential pkg-config make dpkg-dev python3
    nginx nginx-dev libpcre2-dev libssl-dev zlib1g-dev
    libhiredis-dev librdkafka-dev libyajl-dev libmicrohttpd-dev libinih-dev $mysql_library
)
PACKAGES_run=(
    "${PACKAGES_build[@]}"
    redis-server redis-tools "${MYSQL_KIND:-mariadb}"-{server,client}
    curl jq ca-certificates
)
PACKAGES_check=(
    libcmocka-dev libredis-perl lua5.1 wrk prometheus nghttp2-client openssl perl procps git
    # what libtest-nginx-perl needs; it comes by itself, see install
    libtest-base-perl libtext-diff-perl liblist-moreutils-perl libtest-longstring-perl
    libwww-perl liburi-perl libtimedate-perl libredis-perl
    python3-jsonschema
)
PACKAGES_compose=(docker-compose)
PACKAGES_browser=(chromium nodejs curl ca-certificates)
PACKAGES_kafka=(kcat)
# what brings Kafka's jars
PACKAGES_jars=(maven)
PACKAGES_jre=(default-jre-headless)
PACKAGES_newest=(debootstrap debian-archive-keyring mount)
PACKAGES_valgrind=(valgrind)
