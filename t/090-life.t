# Workers come and go: reload, quit, upgrade, with Redis and Kafka well, paused
# or away.  An old worker leaves in time, loses nothing it was given, and
# leaves no socket behind (with debug_points abort it would die of one).

use lib 't/lib';
use TicketTest;
use TicketNginx;
use Test::More;
use Time::HiRes qw(sleep time);

my $port = server_port();
my $clients = "server { listen 127.0.0.1:$port; $Locations }";
my $nginx = TicketNginx->new(main => 'debug_points abort;');

# the broker nobody runs, and the one that accepts and never says a word
my $nobody = 'ticket_kafka brokers=127.0.0.1:1 topic=t flush_timeout=500ms;';
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
    Listen => 50) or die "no socket: $!";
my $mute = "ticket_kafka brokers=127.0.0.1:@{[ $silent->sockport ]} topic=t"
    . ' flush_timeout=500ms;';


# a configuration with another Kafka or other options of Redis
sub http_with {
    my ($kafka, $redis) = @_;
    my $http = $HttpConfig;
    $http =~ s/ticket_kafka off;/$kafka/ if $kafka;
    $http =~ s/timeout=5s/$redis/ if $redis;
    return $http . $clients;
}


sub started {
    my %with = (workers => 1, @_);
    fresh();
    ticket('concert', capacity => 10000);
    $nginx->start(http => $HttpConfig . $clients, %with);
    connected();
}


# every worker, and it is them who answer
sub connected {
    ok(wait_for(30, sub {
        metric('redis_connections_ready') == $nginx->{workers};
    }), 'connected') or diag($nginx->log);
}


# HUP; returns the pids of the workers that have to go
sub reloaded {
    my @old = $nginx->workers;
    $nginx->signal('HUP');
    my %old = map { $_ => 1 } @old;
    wait_for(20, sub { grep { !$old{$_} } $nginx->workers })
        or die "no new worker: " . $nginx->log;
    return @old;
}


sub took(&) {
    my $start = time();
    shift->();
    return time() - $start;
}


sub all_well {
    my $seconds = shift // 20;
    ok($nginx->quit($seconds), 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
    unlike($nginx->log, qr/open socket/, 'no socket left');
    unlink "$nginx->{root}/logs/error.log";
}


subtest 'a reload keeps the numbers, and a leaving worker the idle Redis connection' => sub {
    started(workers => 2);
    post('/book?ticket=concert', "u$_") for 1 .. 5;
    my $before = metrics();
    my @old = reloaded();
    ok($nginx->gone(20, @old), 'old workers leave');
    connected();

    my $after = metrics();
    my $name = 'ticket_edge_requests_total{action="book",result="booked"}';
    is($after->{$name}, 5, 'five were sold');
    is($after->{ticket_edge_workers}, 2, 'two workers');
    cmp_ok($after->{ticket_edge_redis_calls_total}, '>=',
           $before->{ticket_edge_redis_calls_total}, 'nothing starts anew');
    like(post('/book?ticket=concert', 'u6'), qr/^HTTP\S+ 201/, 'sells');
    is(metric('requests_total{action="book",result="booked"}'), 6, 'counts on');
    all_well();
};


subtest 'a zone of another size begins at nothing' => sub {
    started();
    post('/book?ticket=concert', 'ann');
    my @old = $nginx->workers;
    $nginx->write_conf(http => ($HttpConfig =~ s/ticket:2m/ticket:3m/r) . $clients);
    reloaded();
    ok($nginx->gone(20, @old), 'old workers leave');
    connected();
    is(metric('requests_total{action="book",result="booked"}'), 0, 'nothing');
    all_well();
};


subtest 'another Redis, from one reload to the next' => sub {
    started();
    $nginx->write_conf(http => ($HttpConfig =~ s{/3 }{/4 }r) . $clients);
    my @old = reloaded();
    ok($nginx->gone(20, @old), 'old workers leave');
    connected();
    like(post('/book?ticket=concert', 'ann'), qr/"(?:recovering|unknown_ticket)"/,
         'where this ticket is not');
    $nginx->write_conf(http => $HttpConfig . $clients);
    @old = reloaded();
    ok($nginx->gone(20, @old), 'old workers leave');
    connected();
    like(post('/book?ticket=concert', 'ann'), qr/^HTTP\S+ 201/, 'and back');
    all_well();
};


subtest 'a configuration that is refused changes nothing' => sub {
    started();
    my @old = $nginx->workers;
    $nginx->write_conf(http => $HttpConfig . 'ticket_redis x;' . $clients);
    $nginx->signal('HUP');
    ok(wait_for(20, sub { $nginx->log =~ /\[emerg\].*ticket_redis/ }), 'refused');
    sleep 0.2;
    is_deeply([$nginx->workers], \@old, 'the same worker');
    like(post('/book?ticket=concert', 'ann'), qr/^HTTP\S+ 201/, 'sells');
    $nginx->write_conf(http => $HttpConfig . $clients);
    ok($nginx->quit(20), 'leaves');
    unlink "$nginx->{root}/logs/error.log";
};


subtest 'from used to unused and back' => sub {
    started();
    $nginx->write_conf(http => "server { listen 127.0.0.1:$port; }");
    my @old = reloaded();
    ok($nginx->gone(20, @old), 'old workers leave');
    $nginx->write_conf(http => http_with($nobody));
    @old = reloaded();
    ok($nginx->gone(20, @old), 'old workers leave');
    connected();
    like(post('/book?ticket=concert', 'ann'), qr/^HTTP\S+ 201/, 'sells');
    $nginx->write_conf(http => undef);
    @old = reloaded();
    ok($nginx->gone(20, @old), 'old workers leave');
    all_well();
};


subtest 'a worker that is asked to leave answers whoever waits' => sub {
    started(http => http_with(undef, 'timeout=60s'));
    TicketRedis::pause();
    my $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
        . "X-User: ann\r\n\r\n");
    ok(wait_for(20, sub { metric('pending') == 1 }), 'waits');
    my @old = reloaded();
    sleep 0.2;
    TicketRedis::go_on();
    like(answer($s), qr/^HTTP\S+ 201/, 'sold');
    ok($nginx->gone(20, @old), 'and leaves');
    connected();
    is(redis('XLEN', 'ticket:{concert}:outbox:0'), 1, 'one event');
    all_well();
};


subtest 'Redis never answers: its own timeout is the end of it' => sub {
    started(http => http_with(undef, 'timeout=600ms'));
    TicketRedis::pause();
    my $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
        . "X-User: ann\r\n\r\n");
    ok(wait_for(20, sub { metric('pending') == 1 }), 'waits');
    my @old = reloaded();
    like(answer($s), qr/^HTTP\S+ 504/, 'unknown');
    ok($nginx->gone(20, @old), 'and leaves');
    TicketRedis::go_on();
    connected();
    all_well();
};


subtest 'worker_shutdown_timeout is earlier, and is kept' => sub {
    started(main => 'debug_points abort; worker_shutdown_timeout 500ms;',
            http => http_with(undef, 'timeout=60s'));
    TicketRedis::pause();
    my @s = map {
        send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
            . "X-User: u$_\r\n\r\n")
    } 1 .. 20;
    push @s, send_to("GET /tickets/concert HTTP/1.1\r\nHost: x\r\n\r\n"),
        send_to("GET /admin/tickets HTTP/1.1\r\nHost: x\r\n\r\n");
    ok(wait_for(20, sub { metric('pending') == 20 }), 'twenty wait');
    my @old = reloaded();
    my $took = took { $nginx->gone(20, @old) };
    cmp_ok($took, '<', 10, 'gone');
    cmp_ok($took, '>', 0.3, 'not before its time');
    is(scalar(grep { !/^HTTP\S+ 504/ && $_ ne '' } answers(@s)), 0,
       'nobody is told what nobody knows');
    TicketRedis::go_on();
    connected();
    is(metric('pending'), 0, 'nobody waits');
    all_well();
    $nginx->{main} = 'debug_points abort;';
};


subtest 'TERM in the middle of it' => sub {
    started(http => http_with(undef, 'timeout=60s'));
    TicketRedis::pause();
    my $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
        . "X-User: ann\r\n\r\n");
    ok(wait_for(20, sub { metric('pending') == 1 }), 'waits');
    my @pids = ($nginx->master, $nginx->workers);
    kill 'TERM', $pids[0];
    ok($nginx->gone(20, @pids), 'gone');
    TicketRedis::go_on();
    is($nginx->bad, '', 'nothing bad in the log');
    unlink "$nginx->{root}/logs/error.log";
};


subtest 'an idle client of keepalive does not hold a worker back' => sub {
    started();
    my $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
        . "X-User: ann\r\n\r\n");
    like(header($s), qr/^HTTP\S+ 201/, 'sold');
    my @old = reloaded();
    ok($nginx->gone(20, @old), 'gone');
    is(answer($s), '', 'closed');
    all_well();
};


for (['nobody listens', $nobody], ['nobody says a word', $mute]) {
    my ($what, $kafka) = @$_;

    subtest "Kafka where $what: sold, counted, and left within flush_timeout" => sub {
        started(http => http_with($kafka));
        like(post('/book?ticket=concert', "u$_"), qr/^HTTP\S+ 201/, 'sold')
            for 1 .. 3;
        my @old = reloaded();
        my $took = took { $nginx->gone(20, @old) };
        cmp_ok($took, '<', 10, 'gone');
        connected();
        my $m = metrics();
        my $events = 'ticket_edge_kafka_events_total{outcome=';
        is($m->{qq($events"produced"})}, 3, 'three were handed over');
        is($m->{qq($events"failed"})}, 3, 'three are left to the outbox');
        is($m->{ticket_edge_kafka_queue}, 0, 'none waits');
        like($nginx->log, qr/\[warn\].*ticket kafka: 0 events delivered, 3 left/,
             'its last words say so');
        is(redis('XLEN', 'ticket:{concert}:outbox:0'), 3, 'where they are');
        $took = took { all_well() };
        cmp_ok($took, '<', 10, 'with nothing to flush it is quick');
    };
}


subtest 'five quick reloads under load: every answer is a sale' => sub {
    started(workers => 2, http => http_with($nobody));
    my ($reader, $writer);
    pipe $reader, $writer;
    my $pid = fork();
    if (!$pid) {
        my (%n, $i);
        my $stop = 0;
        local $SIG{USR1} = sub { $stop = 1 };
        until ($stop) {
            my $got = post('/book?ticket=concert', 'load' . ++$i);
            $n{$got =~ /^HTTP\S+ (\d+)/ ? $1 : 'none'}++;
        }
        print {$writer} join ' ', map { "$_ $n{$_}" } sort keys %n;
        close $writer;
        POSIX::_exit(0);
    }
    close $writer;

    sleep 0.3;
    my %seen = map { $_ => 1 } $nginx->workers;
    for (1 .. 5) {
        $nginx->signal('HUP');
        sleep 0.1;
        $seen{$_} = 1 for $nginx->workers;
    }
    ok(wait_for(20, sub { $nginx->workers == 2 }), 'two workers in the end');
    $seen{$_} = 1 for $nginx->workers;
    cmp_ok(scalar keys %seen, '>=', 6, 'others have been there');

    kill 'USR1', $pid;
    my $told = do { local $/; <$reader> };
    waitpid $pid, 0;
    my ($code, $n, @others) = split ' ', $told;
    is("$code @others", '201 ', "$told: nothing but sales");
    cmp_ok($n, '>', 20, 'enough of them');
    is(redis('HLEN', 'ticket:{concert}:buyers'), $n, 'all are there');
    connected();
    is(metric('pending'), 0, 'nobody waits');
    all_well();
};


subtest 'an upgrade of the binary: two masters, then the new one' => sub {
    started();
    my $old = $nginx->master;
    my @old = ($old, $nginx->workers);
    kill 'USR2', $old;
    ok(wait_for(20, sub { ($nginx->master // $old) != $old }), 'a new master');
    connected();
    kill 'WINCH', $old;
    ok($nginx->gone(20, $old[1]), 'the old worker leaves');
    like(post('/book?ticket=concert', 'ann'), qr/^HTTP\S+ 201/, 'sells');
    kill 'QUIT', $old;
    ok($nginx->gone(20, $old), 'and its master');
    like(post('/book?ticket=concert', 'ann'), qr/already_booked/, 'sells');
    is(metric('workers'), 1, 'one worker');
    all_well();
};


subtest 'a worker that is killed is replaced, and what it left is not counted' => sub {
    started(workers => 2);
    TicketRedis::pause();
    my $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
        . "X-User: ann\r\n\r\n");
    ok(wait_for(20, sub { metric('pending') == 1 }), 'waits');
    my @old = $nginx->workers;
    kill 'KILL', @old;
    is(answer($s), '', 'cut off');
    TicketRedis::go_on();
    ok(wait_for(20, sub { $nginx->workers == 2 }), 'others come');
    connected();
    ok(wait_for(20, sub { metric('redis_connections_ready') == 2 }), 'ready');
    is(metric('pending'), 0, 'nobody waits');
    is(metric('workers'), 2, 'two workers');
    ok($nginx->quit(20), 'leaves');
};


done_testing();
