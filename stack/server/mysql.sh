# MariaDB with a data folder of its own; it never reads or touches /etc/mysql and /var/lib/mysql.
# shellcheck shell=bash

mysql_ports() { echo "$MYSQL_PORT"; }

mysql_configure() {
    local dir=$RUN_DIR/mysql
    mkdir -p "$dir/tmp"

    # `user = root`, where we are root, because a clone only root may enter keeps others out
    cat >"$dir/my.cnf" <<CONF
[mariadbd]
user = $(id -un)
datadir = $dir/data
tmpdir = $dir/tmp
socket = $MYSQL_SOCKET
pid-file = $dir/mariadbd.pid
bind-address = 127.0.0.1
port = $MYSQL_PORT
init-file = $dir/init.sql
skip-name-resolve
skip-log-bin

character-set-server = utf8mb4
collation-server = utf8mb4_bin
default-time-zone = '+00:00'
innodb-flush-log-at-trx-commit = 1
innodb-buffer-pool-size = 64M
performance-schema = off
max-connections = 200
CONF

    # run at every start, before anybody is let in, so it must be safe to repeat.
    # The rights reach as far as "tickets..." for the databases tests make for themselves.
    cat >"$dir/init.sql" <<SQL
CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS '$MYSQL_USER'@'127.0.0.1' IDENTIFIED BY '$MYSQL_PASSWORD';
ALTER USER '$MYSQL_USER'@'127.0.0.1' IDENTIFIED BY '$MYSQL_PASSWORD';
GRANT ALL PRIVILEGES ON \`$MYSQL_DATABASE%\`.* TO '$MYSQL_USER'@'127.0.0.1';
SQL

    [[ -d $dir/data/mysql ]] || mysql_create "$dir"
}

# made beside and moved into place, so that an interrupted installation is not taken for a finished one
mysql_create() {
    local dir=$1
    rm -rf "$dir/data" "$dir/data.new"
    mkdir "$dir/data.new"
    mariadb-install-db --no-defaults --datadir="$dir/data.new" --user="$(id -un)" \
        --auth-root-authentication-method=socket --auth-root-socket-user="$(id -un)" \
        --skip-test-db --skip-name-resolve >>"$(log_of mysql)" 2>&1 ||
        not_ready mysql "could not create its data folder"
    mv "$dir/data.new" "$dir/data"
}

mysql_launch() {
    # what a killed server leaves behind is not a reason to refuse
    rm -f "$MYSQL_SOCKET"
    launch mysql mariadbd --defaults-file="$RUN_DIR/mysql/my.cnf"
}

mysql_query() {
    MYSQL_PWD=$MYSQL_PASSWORD timeout 10 mariadb --no-defaults -h 127.0.0.1 -P "$MYSQL_PORT" \
        -u "$MYSQL_USER" --connect-timeout=2 "$MYSQL_DATABASE" "$@"
}

mysql_ready() { mysql_query -e 'SELECT 1'; }
