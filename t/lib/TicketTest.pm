# What the edge suites share: a configuration with every action, a Redis
# database of their own, and tickets that are open when the first request goes.

package TicketTest;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Socket::INET;
use Redis;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep time);

use base 'Exporter';

our @EXPORT = (
    @Test::Nginx::Socket::EXPORT,
    qw(redis fresh ticket close_ticket ready http $Root $RedisPort
       $HttpConfig $Locations)
);

our $Root = abs_path(dirname(__FILE__) . '/../..');
our $RedisPort = $ENV{TEST_NGINX_REDIS_PORT}
    or die "TEST_NGINX_REDIS_PORT is not set: run the suite by make check\n";
our $Db = 3;

$ENV{TEST_NGINX_REDIS_DB} = $Db;

our $HttpConfig = <<"EOC";
    ticket_zone ticket:2m;
    ticket_redis redis://127.0.0.1:$RedisPort/$Db timeout=1s;
    ticket_kafka off;
EOC

# the URLs of nginx.conf.example
our $Locations = <<'EOC';
    location = /book { ticket book; ticket_user $http_x_user; }
    location = /cancel { ticket cancel; ticket_user $http_x_user; }
    location ~ ^/tickets/(?<t>[^/]+)/booking$ {
        ticket book cancel booking; ticket_name $t; ticket_user $http_x_user;
    }
    location ~ ^/tickets/(?<t>[^/]+)$ { ticket ticket; ticket_name $t; }
    location = /admin/tickets { ticket admin; }
    location ~ ^/admin/tickets/(?<t>[^/]+)$ { ticket admin; ticket_name $t; }
    location ~ ^/admin/tickets/(?<t>[^/]+)/bookings$ {
        ticket bookings; ticket_name $t;
    }
    location ~ ^/admin/tickets/(?<t>[^/]+)/bookings/(?<u>.+)$ {
        ticket cancel; ticket_name $t; ticket_user $u;
    }
    location = /metrics { ticket metrics; }
    location = /health { ticket health; }
    location = /ready { ticket ready; }
EOC

our %Script;
my $connection;


# one command, one reply: a string, undef or an array reference; dies of an
# error reply
sub redis {
    my ($command, @args) = @_;

    $connection //= do {
        my $c = Redis->new(server => "127.0.0.1:$RedisPort",
            encoding => undef, reconnect => 5);
        $c->select($Db);
        $c;
    };

    my $method = lc $command;
    return scalar $connection->$method(@args);
}


# the script as the programs send it
sub script {
    my $name = shift;

    return $Script{$name} //= do {
        my $text = qx(sh '$Root/lua/embed' script $name);
        die "lua/embed script $name failed\n" if $? || $text eq '';
        $text;
    };
}


sub key {
    my ($name, $suffix) = @_;
    my $key = $name =~ /@(.+)/s ? "ticket:{$1}:$name" : "ticket:{$name}";
    return defined $suffix ? "$key:$suffix" : $key;
}


# an empty database that says it knows every ticket there is
sub fresh {
    redis('FLUSHDB');
    redis('SET', 'catalogue', replid());
}


sub replid {
    return redis('INFO', 'replication')->{master_replid};
}


# A ticket on sale, brought there by the scripts of the product: define,
# claim, open.  capacity 10, per_user 1, lanes 1, state open unless given.
sub ticket {
    my ($name, %with) = @_;
    my %d = (capacity => 10, per_user => 1, lanes => 1, state => 'open',
             opens_at => '', closes_at => '', epoch => 1, %with);

    redis('SADD', 'tickets', $name);

    my $r = redis('EVAL', script('define'), 2, key($name),
        key($name, 'outbox:0'), $name, 1, 9e15, replid(),
        @d{qw(capacity per_user lanes state)},
        map { $_ eq '' ? '-' : $_ } @d{qw(opens_at closes_at)});

    $r = redis('EVAL', script('claim'), 1, key($name), $name, 'test');

    my @keys = (key($name), key($name, 'buyers'),
        key($name, "buyers:new:$d{epoch}"), key($name, 'rejected'),
        key($name, "rejected:new:$d{epoch}"), key($name, 'late'),
        map { key($name, "outbox:$_") } 0 .. $d{lanes} - 1);

    $r = redis('EVAL', script('open'), scalar @keys, @keys, $name, 'test',
        replid(), $d{epoch}, 0, 0,
        @d{qw(capacity per_user lanes state opens_at closes_at)});
    die "open: " . (ref $r ? join(' ', @$r) : $r) . "\n"
        unless ref $r && $r->[0] == 0;
}


# what a Redis that was restarted looks like to the scripts
sub close_ticket {
    my $name = shift;
    redis('HDEL', key($name), 'history');
}


# one request outside of a block; returns status line and body
sub http {
    my ($request) = @_;
    my $port = server_port();
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 2)
        or return '';
    print {$s} $request;
    local $/;
    return <$s> // '';
}


# waits until the worker has its Redis connection; for `--- init`
sub ready {
    my $end = time() + 10;
    my $got = '';

    while (time() < $end) {
        $got = http("GET /ready HTTP/1.0\r\n\r\n");
        return if $got =~ m{^HTTP/1\.\d 200};
        sleep 0.02;
    }
    die "the edge is not ready: $got\n";
}


add_block_preprocessor(sub {
    my $block = shift;

    if (!defined $block->http_config) {
        $block->set_value('http_config', $HttpConfig);
    }
    if (!defined $block->config) {
        $block->set_value('config', $Locations);
    }

    return if defined $block->must_die || defined $block->reload_fails;

    # blocks name their tickets in `--- tickets`: Perl, run on an empty
    # database before the first request
    my $tickets = $block->tickets // '';
    my $init = $block->init // '';
    my $wait = $block->config =~ m{location = /ready} ? 'main::ready();' : '';
    $block->set_value('init', "package main; main::fresh(); $tickets; $wait $init");
});


1;
