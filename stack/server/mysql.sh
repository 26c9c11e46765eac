# MariaDB or MySQL (MYSQL_KIND) with a data folder of its own; it never reads or touches /etc/mysql and
# /var/lib/mysql. The client is called as the kind is, the server with a d at the end.
# shellcheck shell=bash

mysql_ports() { echo "$MYSQL_PORT"; }

mysql_configure() {
    local dir=$RUN_DIR/mysql
    mkdir -p "$dir/tmp"

    # `user = root`, where we are root, because a clone only root may enter keeps others out
    cat >"$dir/my.cnf" <<CONF
[${MYSQL_KIND}d]
user = $(id -un)
datadir = $dir/data
tmpdir = $dir/tmp
socket = $MYSQL_SOCKET
pid-file = $dir/mysqld.pid
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

    [[ $MYSQL_KIND == mariadb ]] || mysql_own_options >>"$dir/my.cnf"

    [[ -d $dir/data/mysql ]] || mysql_create "$dir"
}

# what MariaDB does by itself: root is whoever started the server, by the socket. The protocol X is not used.
mysql_own_options() {
    cat <<CONF
plugin-load-add = auth_socket.so
mysqlx = off
CONF
    cat >>"$RUN_DIR/mysql/init.sql" <<SQL
ALTER USER 'root'@'localhost' IDENTIFIED WITH auth_socket;
CREATE USER IF NOT EXISTS '$(id -un)'@'localhost' IDENTIFIED WITH auth_socket;
GRANT ALL PRIVILEGES ON *.* TO '$(id -un)'@'localhost' WITH GRANT OPTION;
SQL
}

# made beside and moved into place, so that an interrupted installation is not taken for a finished one
mysql_create() {
    local dir=$1
    rm -rf "$dir/data" "$dir/data.new"
    mkdir "$dir/data.new"
    "${MYSQL_KIND}_install" "$dir/data.new" >>"$(log_of mysql)" 2>&1 ||
        not_ready mysql "could not create its data folder"
    mv "$dir/data.new" "$dir/data"
}

mariadb_install() {
    mariadb-install-db --no-defaults --datadir="$1" --user="$(id -un)" \
        --auth-root-authentication-method=socket --auth-root-socket-user="$(id -un)" \
        --skip-test-db --skip-name-resolve
}

# here root comes without a password; who he is, init.sql says
mysql_install() { mysqld --no-defaults --initialize-insecure --datadir="$1" --user="$(id -un)"; }

mysql_launch() {
    # what a killed server leaves behind is not a reason to refuse
    rm -f "$MYSQL_SOCKET"
    launch mysql "${MYSQL_KIND}d" --defaults-file="$RUN_DIR/mysql/my.cnf"
}

mysql_query() {
    MYSQL_PWD=$MYSQL_PASSWORD timeout 10 "$MYSQL_KIND" --no-defaults -h 127.0.0.1 -P "$MYSQL_PORT" \
        -u "$MYSQL_USER" --connect-timeout=2 "$MYSQL_DATABASE" "$@"
}

mysql_ready() { mysql_query -e 'SELECT 1'; }
