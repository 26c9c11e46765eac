# What an operator sees: metrics, health and readiness.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: health
--- request
GET /health
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like: ^\{"status":"UP"\}
--- error_code: 200



=== TEST 2: ready, with a warning that Kafka is off
--- request
GET /ready
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like: ^\{"status":"UP","checks":\{"redis":"up","kafka":"warning: off.*"\}\}$
--- error_code: 200



=== TEST 3: not ready without Redis, but in good health
--- http_config
ticket_redis redis://127.0.0.1:1/0;
--- not_ready
--- request eval
["GET /ready", "GET /health"]
--- response_headers eval
["Cache-Control: no-store", "Cache-Control: no-store"]
--- response_body_like eval
[qr/^\{"status":"DOWN","checks":\{"redis":"down: /, qr/"status":"UP"/]
--- error_code eval
[503, 200]



=== TEST 4: one of two servers is not enough
--- http_config eval
$TicketTest::HttpConfig
--- config
location = /a { ticket ticket; }
location = /b { ticket ticket; ticket_redis redis://127.0.0.1:1/0; }
--- not_ready
--- request
GET /ready
--- response_body_like: "status":"DOWN"
--- error_code: 503



=== TEST 5: ready warns when no persister has written a catalogue
--- tickets: redis('DEL', 'catalogue');
--- request
GET /ready
--- response_body_like: "status":"UP".*"catalogue":"warning:
--- error_code: 200



=== TEST 6: ready warns when nothing bounds Redis' memory
--- init
like(get('/ready'), qr/"memory":"warning:/, 'no maxmemory');
redis('CONFIG', 'SET', 'maxmemory', '1gb');
ok(wait_for(20, sub { get('/ready') !~ /"memory"/ }), 'a bound');
redis('CONFIG', 'SET', 'maxmemory', 0);



=== TEST 7: a replica without min-replicas-to-write is a way to sell twice
--- init
my $dir = "$TicketRedis::Dir/replica";
mkdir $dir;
my $port = TicketRedis::free_port();
my $pid = fork();
if (!$pid) {
    open STDOUT, '>', "$dir/out";
    exec { 'redis-server' } 'redis-server', '--port', $port, '--bind', '127.0.0.1',
        '--dir', $dir, '--save', '', '--logfile', "$dir/log",
        '--replicaof', '127.0.0.1', $TicketTest::RedisPort
        or POSIX::_exit(1);
}
my $got;
ok(wait_for(30, sub { ($got = get('/ready')) =~ m{^\S+ 503} }), 'red');
like($got, qr/min-replicas-to-write/, 'for its reason');
redis('CONFIG', 'SET', 'min-replicas-to-write', 1);
ok(wait_for(20, sub { get('/ready') =~ m{^\S+ 200} }), 'green');
redis('CONFIG', 'SET', 'repl-backlog-ttl', 60);
ok(wait_for(20, sub { get('/ready') =~ /"replication":"warning: repl-backlog-ttl/ }),
   'what is kept for replicas is thrown away after a time');
redis('CONFIG', 'SET', 'repl-backlog-ttl', 0);
ok(wait_for(20, sub { get('/ready') !~ /"replication"/ }), 'or not');
kill 'KILL', $pid;
waitpid $pid, 0;
ok(wait_for(30, sub { ($got = get('/ready')) =~ m{^\S+ 503} }), 'red');
like($got, qr/fewer replicas than min-replicas-to-write/, 'one is missing');
like(log_text(), qr/\[error\].*refuses writes: fewer replicas/, 'says the log, too');
unlike(log_text(), qr/self-test/, 'the self-test has not failed');

# nor is it a reason not to connect: who only looks is served
kill 'HUP', TicketRedis::text("$Test::Nginx::Util::ServRoot/logs/nginx.pid");
ok(wait_for(20, sub { log_text() =~ /gracefully shutting down/ }), 'another worker');
ok(wait_for(30, sub { ($got = get('/ready')) =~ /fewer replicas than/ }), 'still red');
like(get('/admin/tickets'), qr{^\S+ 200}, 'the list is there');
redis('CONFIG', 'SET', 'min-replicas-to-write', 0);
ok(wait_for(20, sub { get('/ready') =~ m{^\S+ 200} }), 'green again');
like(log_text(), qr/has enough replicas again/, 'says the log');
--- errors



=== TEST 8: requests are counted by action and result
--- tickets: ticket('concert', capacity => 1);
--- init
my $before = metrics();
post('/book?ticket=concert', 'ann');
post('/book?ticket=concert', 'bob');
post('/cancel?ticket=concert', 'bob');
get('/book');
get('/tickets/concert');
get('/tickets/concert/booking');
get('/admin/tickets');
get('/admin/tickets/concert/bookings');
my $after = metrics();
for (['book', 'booked'], ['book', 'sold_out'], ['cancel', 'not_booked'],
     ['book', 'method_not_allowed'], ['ticket', 'found'],
     ['booking', 'user_required'], ['admin', 'found'], ['bookings', 'found'],
     ['metrics', 'up'])
{
    my $name = qq(ticket_edge_requests_total{action="$_->[0]",result="$_->[1]"});
    is($after->{$name} - ($before->{$name} // 0), 1, "@$_");
}
my $n = 'ticket_edge_request_duration_seconds_count{result="booked"}';
is($after->{$n} - ($before->{$n} // 0), 1, 'and timed');



=== TEST 9: the page is what Prometheus expects, and names no ticket and no user
--- tickets: ticket('concert');
--- init
post('/book?ticket=concert', 'ann');
my ($head, $page) = split /\r\n\r\n/, get('/metrics'), 2;
like($head, qr{Content-Type: text/plain; version=0\.0\.4}, 'type');
open my $p, '|-', 'promtool check metrics' or die $!;
print {$p} $page;
ok(close $p, 'promtool finds nothing');
for my $name (qw(requests_total request_duration_seconds_bucket
    batch_commands_bucket redis_roundtrip_seconds_bucket pending
    redis_calls_total redis_connects_total redis_disconnects_total
    redis_lost_total redis_errors_total redis_noscript_total
    recover_requests_total redis_up workers
    kafka_events_total kafka_queue kafka_rebuilds_total)) {
    like($page, qr/^ticket_edge_$name/m, $name);
}
unlike($page, qr/concert|ann\b/, 'no ticket, no user');



=== TEST 10: histograms are cumulative and end with their count
--- tickets: ticket('concert');
--- init
my $before = metric('batch_commands_sum');
post('/book?ticket=concert', 'ann');
my $m = metrics();
for my $family (map { "ticket_edge_$_" } 'batch_commands',
    'redis_roundtrip_seconds')
{
    my @buckets = map { $_->[1] } sort { $a->[0] <=> $b->[0] }
        map { /^\Q$family\E_bucket\{le="([^"]+)"\}/
              ? [$1 eq '+Inf' ? 9e99 : $1, $m->{$_}] : () } keys %$m;
    cmp_ok(scalar @buckets, '>', 5, "$family has buckets");
    is_deeply(\@buckets, [sort { $a <=> $b } @buckets], 'rising');
    is($buckets[-1], $m->{"${family}_count"}, 'to the count');
}
is($m->{ticket_edge_batch_commands_sum} - $before, 1, 'one command');



=== TEST 11: HEAD is answered like GET, without a body
--- request eval
["HEAD /health", "HEAD /ready", "HEAD /metrics"]
--- response_body eval
["", "", ""]
--- error_code eval
[200, 200, 200]



=== TEST 12: a worker that was killed is not counted any more
--- tickets: ticket('concert');
--- init
is(metric('workers'), 1, 'one');
my $master = do { open my $f, '<', $Test::Nginx::Util::PidFile; <$f> + 0 };
my ($worker) = split ' ', TicketRedis::text("/proc/$master/task/$master/children");
kill 'KILL', $worker;
ok(wait_for(20, sub { metric('workers') == 1 }), 'one');
ready();
is(metric('pending'), 0, 'nobody waits');
is(metric('redis_connections_ready'), 1, 'one connection');
like(post('/book?ticket=concert', 'ann'), qr/^HTTP\S+ 201/, 'sells');
--- error_log
exited on signal 9
--- no_error_log
[emerg]
--- no_shutdown_error_log
[emerg]



=== TEST 13: ready warns when the catalogue is of another life of Redis
--- init
unlike(get('/ready'), qr/"catalogue"/, 'current');
redis('SET', 'catalogue', 'f' x 40);
ok(wait_for(20, sub { get('/ready') =~ /"catalogue":"warning: of another life/ }), 'stale');
redis('SET', 'catalogue', replid());
ok(wait_for(20, sub { get('/ready') !~ /"catalogue"/ }), 'current again');



=== TEST 14: who may not ask for repl-backlog-ttl is not warned, and not asked again
--- tickets
redis('ACL', 'SETUSER', 'edge', 'on', '>x', '~*', '+@all', '-config');
--- http_config eval
"ticket_redis redis://edge:x\@127.0.0.1:$TicketTest::RedisPort/3; ticket_kafka off;"
--- init
my $errors = metric('redis_errors_total');
redis('CONFIG', 'SET', 'maxmemory', '1gb');
ok(wait_for(20, sub { get('/ready') !~ /"memory"/ }), 'another self-test');
is(metric('redis_errors_total'), $errors, 'no error by it');
unlike(get('/ready'), qr/"replication"/, 'no warning');
redis('CONFIG', 'SET', 'maxmemory', 0);
--- errors
--- after
redis('ACL', 'DELUSER', 'edge');
