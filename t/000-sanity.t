# A module that is only loaded must not be felt: no connection, no thread, no
# shared memory, in no process.  One that is used lives in workers only.

use lib 't/lib';
use TicketTest;
use TicketNginx;
use Test::More;

my $port = server_port();
my $clients = "server { listen 127.0.0.1:$port; $Locations }";
my $nginx = TicketNginx->new;

fresh();
ticket('concert');


sub threads { return scalar(() = glob "/proc/$_[0]/task/*") }


# sockets of a process that go to Redis
sub to_redis {
    my $pid = shift;
    my $hex = sprintf '0100007F:%04X', $RedisPort;
    my %there;

    for my $line (split /\n/, TicketRedis::text("/proc/$pid/net/tcp")) {
        my @field = split ' ', $line;
        $there{"socket:[$field[9]]"} = 1 if $field[2] eq $hex;
    }
    return scalar grep { $there{readlink($_) // ''} } glob "/proc/$pid/fd/*";
}


sub names_of {
    my ($pattern) = @_;
    return grep { TicketRedis::text("/proc/$_/cmdline") =~ /$pattern/ }
        $nginx->workers;
}


subtest 'loaded and not used, it starts nothing' => sub {
    $nginx->start(workers => 2, http => "server { listen 127.0.0.1:$port; }");
    wait_for(20, sub { $nginx->workers == 2 });
    my @workers = $nginx->workers;

    is(scalar @workers, 2, 'two workers');
    is(threads($_), 1, 'one thread') for @workers;
    is(to_redis($_), 0, 'no connection') for @workers;
    like(get('/'), qr/^HTTP\S+ 200|^HTTP\S+ 404|^HTTP\S+ 403/, 'nginx serves');
    ok($nginx->quit(20), 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
};


subtest 'servers that are named and not used are not connected to' => sub {
    $nginx->start(workers => 1, http => "$HttpConfig"
        . "server { listen 127.0.0.1:$port; }");
    wait_for(20, sub { $nginx->workers == 1 });
    my ($worker) = $nginx->workers;

    sleep 0.2;
    is(to_redis($worker), 0, 'no connection');
    unlike($nginx->log, qr/ticket/, 'not a word');
    ok($nginx->quit(20), 'leaves');
};


subtest 'without an http block, it is not there' => sub {
    $nginx->start(http => undef);
    ok(wait_for(20, sub { $nginx->workers == 1 }), 'a worker');
    my ($worker) = $nginx->workers;
    $nginx->signal('HUP');
    ok($nginx->gone(20, $worker), 'reloads');
    ok($nginx->quit(20), 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
};


subtest 'two workers have a connection each, and one kind of numbers' => sub {
    $nginx->start(workers => 2, http => $HttpConfig . $clients);
    ok(wait_for(20, sub { metric('redis_connections_ready') == 2 }), 'two');

    my @workers = $nginx->workers;
    is(to_redis($_), 1, 'a connection') for @workers;
    is(to_redis($nginx->master), 0, 'none in the master');
    is(metric('workers'), 2, 'both are seen');

    my @got = map { post('/book?ticket=concert', "u$_") } 1 .. 10;
    is(scalar(grep { /^HTTP\S+ 201/ } @got), 10, 'ten are sold');
    is(metric('requests_total{action="book",result="booked"}'), 10, 'counted');
    ok($nginx->quit(20), 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
};


subtest 'cache manager and loader are no workers' => sub {
    $nginx->start(workers => 1, http => $HttpConfig
        . "proxy_cache_path $nginx->{root}/cache keys_zone=c:1m;"
        . $clients);
    ok(wait_for(20, sub { names_of('cache manager') == 1 }), 'a manager');
    ready();

    is(to_redis($_), 0, 'its hands off Redis') for names_of('cache');
    is(threads($_), 1, 'no thread') for names_of('cache');
    is(metric('workers'), 1, 'it does not count');
    ok($nginx->quit(20), 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
};


subtest 'with Kafka, threads run in workers only' => sub {
    (my $http = $HttpConfig)
        =~ s/ticket_kafka off/ticket_kafka brokers=127.0.0.1:1 topic=t/;
    $nginx->start(workers => 1, http => $http
        . "proxy_cache_path $nginx->{root}/cache keys_zone=c:1m;" . $clients);
    ok(wait_for(20, sub { names_of('cache manager') == 1 }), 'a manager');
    ready();

    is(threads($nginx->master), 1, 'none in the master');
    is(threads($_), 1, 'none in the manager and the loader')
        for names_of('cache');
    cmp_ok(threads($_), '>', 1, 'some in the worker') for names_of('worker');
    ok($nginx->quit(20), 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
};


subtest 'a single process without a master serves, too' => sub {
    $nginx->start(main => 'master_process off;', workers => 1,
        http => $HttpConfig . $clients);
    ready();
    like(post('/book?ticket=concert', 'ann2'), qr/^HTTP\S+ 409 |sold_out/,
         'and is answered');
    is(metric('workers'), 1, 'it is the worker');
    ok($nginx->quit(20), 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
};


done_testing();
