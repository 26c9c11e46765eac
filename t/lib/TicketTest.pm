# What the edge suites share: a configuration with every action, a Redis of
# their own, and tickets that are open when the first request goes.
#
# A block may say
#
#     --- tickets     Perl, run on an empty Redis before nginx is started
#     --- init        Perl, run before the first request, with the edge ready
#     --- after       Perl, run when the requests of the block are over
#     --- not_ready   Redis cannot be used: the edge is not waited for
#     --- errors      lines at level error are expected
#
# and need not say that nothing bad was logged, while it ran and when its nginx
# left: that is looked for after every block.

package TicketTest;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use TicketRedis;
use IO::Socket::INET;
use Test::More;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep time);

use base 'Exporter';

our @EXPORT = (
    @Test::Nginx::Socket::EXPORT,
    qw(redis fresh ticket close_ticket ready http send_to answer answers
       header post get body metrics metric log_text wait_for replid
       $Root $RedisPort $HttpConfig $Locations)
);

our $Root = abs_path(dirname(__FILE__) . '/../..');

TicketRedis::start();

our $RedisPort = $TicketRedis::Port;

our $HttpConfig = <<"EOC";
    ticket_zone ticket:2m;
    ticket_redis redis://127.0.0.1:$RedisPort/3 timeout=5s;
    ticket_kafka off;
EOC

# the URLs of nginx.conf.example
our $Locations = <<'EOC';
    merge_slashes off;
    ticket_user $http_x_user;

    location = /book { ticket book; }
    location = /cancel { ticket cancel; }
    location ~ ^/tickets/(?<t>[^/]+)/booking$ {
        ticket book cancel booking; ticket_name $t;
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

# as it is in production; Test::Nginx runs a single process unless told
master_on();
log_level('info');
timeout(20);


# one command to database 3, one reply
sub redis {
    my @command = @_;
    our ($pid, $port);

    # a new server is a new connection
    if (!defined $pid || $pid != $TicketRedis::Pid) {
        $pid = $TicketRedis::Pid;
        TicketRedis::command('SELECT', 3);
    }
    return TicketRedis::command(@command);
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


# an empty Redis that says it knows every ticket there is; at once, for the
# edge looks every second
sub fresh {
    my $replid = replid();

    redis('MULTI');
    redis('FLUSHDB');
    redis('SET', 'catalogue', $replid);
    redis('EXEC');
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

    redis('EVAL', script('define'), 2, key($name),
        key($name, 'outbox:0'), $name, 1, 9e15, replid(),
        @d{qw(capacity per_user lanes state)},
        map { $_ eq '' ? '-' : $_ } @d{qw(opens_at closes_at)});

    redis('EVAL', script('claim'), 1, key($name), $name, 'test');

    my @keys = (key($name), key($name, 'buyers'),
        key($name, "buyers:new:$d{epoch}"), key($name, 'rejected'),
        key($name, "rejected:new:$d{epoch}"), key($name, 'late'),
        map { key($name, "outbox:$_") } 0 .. $d{lanes} - 1);

    my $r = redis('EVAL', script('open'), scalar @keys, @keys, $name, 'test',
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


# a connection with these bytes sent; `answer` reads until it is closed
sub send_to {
    my ($bytes, $socket) = @_;
    $socket //= IO::Socket::INET->new(
        PeerAddr => '127.0.0.1:' . server_port(), Timeout => 5)
        or return undef;
    print {$socket} $bytes;
    $socket->flush;
    return $socket;
}


sub answer {
    my $socket = shift // return '';
    local $/;
    return <$socket> // '';
}


# the next answer of a connection that stays open
sub header {
    my $socket = shift;
    local $/ = "\r\n\r\n";
    my $head = <$socket> // return '';
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    read $socket, my $body, $length // 0;
    return $head . ($body // '');
}


sub answers { return map { answer($_) } @_ }


# one request outside of a block; returns everything that came back
sub http { return answer(send_to(shift)) }


sub get { return http("GET $_[0] HTTP/1.0\r\n\r\n") }


sub post {
    my ($uri, $user) = @_;
    return http("POST $uri HTTP/1.0\r\nX-User: $user\r\n\r\n");
}


sub body {
    my ($head, $body) = split /\r\n\r\n/, shift, 2;
    return $body // '';
}


# all counters, by name and labels as on the page
sub metrics {
    return { map { /^([^#]\S*) (\S+)$/ ? ($1 => $2) : () }
             split /\n/, body(get('/metrics')) };
}


# one of them; `ticket_edge_` goes without saying
sub metric { return metrics()->{"ticket_edge_$_[0]"} // 0 }


sub log_text {
    return TicketRedis::text("$Test::Nginx::Util::ServRoot/logs/"
        . ($_[0] // 'error.log'));
}


# true as soon as the code is, false when it has not been for some seconds
sub wait_for {
    my ($seconds, $code) = @_;
    my $end = time() + $seconds;

    while (1) {
        my $got = $code->();
        return $got if $got || time() > $end;
        sleep 0.02;
    }
}


# waits until a worker has its Redis connection
sub ready {
    my $http2 = shift;
    my $got = '';

    wait_for(30, sub {
        $got = $http2 ? qx(curl -s -o /dev/null -w '%{http_code}' \\
                           --http2-prior-knowledge \\
                           http://127.0.0.1:@{[ server_port() ]}/ready)
                      : get('/ready');
        $got =~ m{^(?:HTTP/1\.\d )?200};
    }) or die "the edge is not ready: $got\n";
}


sub prepare {
    my $block = shift;

    $block->set_value(http_config => $HttpConfig)
        if !defined $block->http_config;
    $block->set_value(config => $Locations) if !defined $block->config;
    $block->set_value(request => 'GET /health') if !defined $block->request;

    return if defined $block->must_die;

    for my $action (qw(ready health)) {
        next if $block->config =~ m{location = /$action \{};
        $block->set_value(config => $block->config
            . "\nlocation = /$action { ticket $action; }\n");
    }

    my @bad = ('[alert]', '[crit]', '[emerg]', 'exited on signal');
    push @bad, '[error]' if !defined $block->error_log
        && !defined $block->not_ready && !defined $block->errors;

    for my $section (qw(no_error_log no_shutdown_error_log)) {
        $block->set_value($section => \@bad) if !defined $block->$section;
    }

    my $http2 = defined $block->http2 || $ENV{TEST_NGINX_USE_HTTP2} ? 1 : 0;
    my $ready = defined $block->not_ready ? '' : "TicketTest::ready($http2);";

    $block->set_value(post_setup_server_root => join "\n", 'package main;',
        'TicketTest::fresh();', $block->tickets // '');
    $block->set_value(init => join "\n", 'package main;', $ready,
        $block->init // '');
}


add_block_preprocessor(\&prepare);

add_test_cleanup_handler(sub {
    my $block = shift;
    eval 'package main; ' . ($block->after // '') . '; 1'
        or Test::More::fail($block->name . " - after: $@");
});


1;
