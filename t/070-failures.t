# Redis away, slow, full, forgetful or demoted: what a buyer is told, and that
# a 504 never takes effect afterwards.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: no server at the address
--- http_config
ticket_redis redis://127.0.0.1:1/0;
--- not_ready
--- request eval
["POST /book?ticket=concert", "POST /cancel?ticket=concert",
 "GET /tickets/concert/booking", "GET /tickets/concert",
 "GET /admin/tickets/concert", "DELETE /admin/tickets/concert",
 "PUT /admin/tickets/concert\n{\"capacity\":1}", "GET /admin/tickets",
 "GET /admin/tickets/concert/bookings"]
--- more_headers
X-User: ann
Content-Type: application/json
--- response_headers_like eval
[("Retry-After: \\d+") x 9]
--- response_body_like eval
[(qr/"status":503,"code":"unavailable"/) x 9]
--- error_code eval
[(503) x 9]



=== TEST 2: a password the server does not know is not in the log
--- http_config eval
"ticket_redis redis://nobody:s3cr3t\@127.0.0.1:$TicketTest::RedisPort/3;"
--- config
location = /book { ticket book; ticket_user $http_x_user; }
--- not_ready
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_body_like: "code":"unavailable"
--- error_code: 503
--- init
wait_for(20, sub { log_text() =~ /WRONGPASS/ });
--- error_log
ticket redis
WRONGPASS
--- no_error_log
s3cr3t
nobody



=== TEST 3: the right password opens, written with percent signs
--- tickets
ticket('concert');
redis('ACL', 'SETUSER', 'us:er', 'on', '>p@ss/w%rd', '~*', '&*', '+@all');
--- http_config eval
"ticket_redis redis://us%3Aer:p%40ss%2Fw%25rd\@127.0.0.1:$TicketTest::RedisPort/3;"
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- error_code: 201
--- errors
--- after
redis('ACL', 'DELUSER', 'us:er');



=== TEST 4: a unix socket is as good, and tells its database by a colon
--- tickets: ticket('concert');
--- http_config eval
"ticket_redis unix:$TicketRedis::Dir/sock:3;"
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- error_code: 201



=== TEST 5: no answer in time is 504, and the command does nothing afterwards
--- tickets: ticket('concert');
--- http_config eval
$TicketTest::HttpConfig =~ s/timeout=5s/timeout=500ms/r
--- init
TicketRedis::pause();
my $got = post('/book?ticket=concert', 'ann');
like($got, qr{^HTTP/1.1 504 .*"code":"outcome_unknown"}s, 'no answer');
like($got, qr{^Retry-After: \d+\r$}m, 'may be sent again');
TicketRedis::go_on();
ok(wait_for(20, sub { metric('pending') == 0 }), 'then an answer comes');
is(redis('HGET', 'ticket:{concert}', 'remaining'), 10, 'nothing is sold');
is(redis('EXISTS', 'ticket:{concert}:outbox:0'), 0, 'and no event made');
$got = post('/book?ticket=concert', 'ann');
like($got, qr{^HTTP/1.1 201 }, 'and then it is');



=== TEST 6: scripts that were flushed are loaded again, and it is counted
--- tickets: ticket('concert');
--- init
redis('SCRIPT', 'FLUSH');
my $before = metrics();
like(post('/book?ticket=concert', "u$_"), qr{^HTTP/1.1 201 }, "user $_")
    for 1 .. 2;
my $after = metrics();
is($after->{ticket_edge_redis_noscript_total}
   - $before->{ticket_edge_redis_noscript_total}, 1, 'once');



=== TEST 7: a full Redis sells nothing and says so
--- tickets: ticket('concert');
--- init
redis('CONFIG', 'SET', 'maxmemory', 1);
my $got = post('/book?ticket=concert', 'ann');
like($got, qr{^HTTP/1.1 503 .*"code":"unavailable"}s, 'not done');
unlike($got, qr{OOM}, 'no text of the backend');
is(redis('HGET', 'ticket:{concert}', 'remaining'), 10, 'nothing sold');
redis('CONFIG', 'SET', 'maxmemory', 0);
like(post('/book?ticket=concert', 'ann'), qr{^HTTP/1.1 201 },
     'and sells again when there is room');
--- errors



=== TEST 8: a server that became a replica is not believed, and then left
--- tickets: ticket('concert');
--- init
redis('REPLICAOF', '127.0.0.1', 1);
like(post('/book?ticket=concert', 'ann'),
     qr{^HTTP/1.1 503 .*"code":"(?:recovering|unavailable)"}s, 'not sold');
ok(wait_for(20, sub { get('/ready') =~ /^HTTP\S+ 503/ }), 'not ready');
redis('REPLICAOF', 'NO', 'ONE');
ok(wait_for(20, sub { get('/ready') =~ /^HTTP\S+ 200/ }), 'ready again');
like(post('/book?ticket=concert', 'ann'),
     qr{^HTTP/1.1 503 .*"code":"recovering"}s,
     'its history is another one now');
--- errors



=== TEST 9: more commands than may wait, half of them for one ticket
--- tickets: ticket('concert'); ticket('opera');
--- http_config eval
$TicketTest::HttpConfig . 'ticket_max_pending 4;'
--- init
my $turned = metric('requests_total{action="book",result="overloaded"}');
TicketRedis::pause();
my @open = map {
    send_to("POST /book?ticket=$_->[0] HTTP/1.0\r\nX-User: u$_->[1]\r\n\r\n")
} map { my $t = $_; map { [$t, $_] } 1 .. 4 } qw(concert opera);
my $name = 'requests_total{action="book",result="overloaded"}';
ok(wait_for(20, sub { metric($name) == $turned + 4 }), 'four are turned away');
is(metric('pending'), 4, 'four wait');
TicketRedis::go_on();
my @answers = answers(@open);
is(scalar(grep { /^HTTP\/1.1 503 .*"code":"overloaded"/s } @answers), 4,
   'at once');
is(scalar(grep { /^HTTP\/1.1 201 .*"ticket":"concert"/s } @answers), 2,
   'two of one ticket');
is(scalar(grep { /^HTTP\/1.1 201 .*"ticket":"opera"/s } @answers), 2,
   'two of the other');
is(metric('pending'), 0, 'nobody waits');



=== TEST 10: the worker is ready again after Redis has dropped the connection
--- tickets: ticket('concert');
--- init
my $before = metrics();
redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ok(wait_for(20, sub {
    metric('redis_connects_total')
    == $before->{ticket_edge_redis_connects_total} + 1
}), 'connected again');
is(metric('redis_disconnects_total'),
   $before->{ticket_edge_redis_disconnects_total} + 1, 'and counted');
like(post('/book?ticket=concert', 'ann'), qr{^HTTP/1.1 201 }, 'sells');
--- errors



=== TEST 11: a Redis that was restarted empty sells nothing, and says why
--- tickets: ticket('concert');
--- init
TicketRedis::restart();
ok(wait_for(20, sub { get('/ready') =~ /^HTTP\S+ 200/ }), 'connected again');
like(post('/book?ticket=concert', 'ann'),
     qr{^HTTP/1.1 503 .*"code":"recovering"}s, 'nobody knows this ticket');
is(redis('SCARD', 'tickets:recover'), 0, 'what is not there is not queued');
--- errors



=== TEST 12: a missing right is found before anything is sold
--- tickets
redis('ACL', 'SETUSER', 'edge', 'on', '>x', '~*', '+@all', '-xadd');
--- http_config eval
"ticket_redis redis://edge:x\@127.0.0.1:$TicketTest::RedisPort/3; ticket_kafka off;"
--- not_ready
--- init
wait_for(20, sub { log_text() =~ /self-test/ });
--- request eval
["GET /ready", "POST /book?ticket=concert"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/"status":"DOWN"/, qr/"code":"unavailable"/]
--- error_code eval
[503, 503]
--- after
like(log_text(), qr/\(XADD\).*self-test/, 'the right is named');
redis('ACL', 'DELUSER', 'edge');



=== TEST 13: a right that is taken away later turns /ready red
--- tickets
redis('ACL', 'SETUSER', 'edge', 'on', '>x', '~*', '+@all');
--- http_config eval
"ticket_redis redis://edge:x\@127.0.0.1:$TicketTest::RedisPort/3; ticket_kafka off;"
--- init
redis('ACL', 'SETUSER', 'edge', '-hset');
my $got;
ok(wait_for(20, sub { ($got = get('/ready')) =~ /^HTTP\S+ 503/ }), 'red');
like($got, qr/self-test/, 'for its reason');
redis('ACL', 'SETUSER', 'edge', '+hset');
ok(wait_for(20, sub { get('/ready') =~ /^HTTP\S+ 200/ }), 'green again');
--- errors
--- after
redis('ACL', 'DELUSER', 'edge');



=== TEST 14: a Redis that may evict is not ready
--- init
redis('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
my $got;
ok(wait_for(20, sub { ($got = get('/ready')) =~ /^HTTP\S+ 503/ }), 'red');
like($got, qr/noeviction/, 'for its reason');
redis('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');



=== TEST 15: a buyer who hangs up leaves a complete event behind
--- tickets: ticket('concert');
--- init
my $name = 'requests_total{action="book",result="client_closed"}';
my $before = metric($name);
TicketRedis::pause();
my $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
    . "X-User: ann\r\n\r\n");
ok(wait_for(20, sub { metric('pending') == 1 }), 'waits');
close $s;
ok(wait_for(20, sub { metric($name) == $before + 1 }), 'seen at once');
TicketRedis::go_on();
ok(wait_for(20, sub { metric('pending') == 0 }), 'answered all the same');
is(redis('XLEN', 'ticket:{concert}:outbox:0'), 1, 'one event');
is(redis('HGET', 'ticket:{concert}', 'remaining'), 9, 'one sold');



=== TEST 16: who waits when Redis dies is answered at once
--- tickets: ticket('concert');
--- init
my $lost = metric('redis_lost_total');
TicketRedis::pause();
my $s = send_to("POST /book?ticket=concert HTTP/1.0\r\nX-User: ann\r\n\r\n");
ok(wait_for(20, sub { metric('pending') == 1 }), 'waits');
my $start = Time::HiRes::time();
TicketRedis::stop();
like(answer($s), qr{^HTTP/1.1 504 .*"code":"outcome_unknown"}s, 'unknown');
cmp_ok(Time::HiRes::time() - $start, '<', 4, 'before its time is up');
is(metric('redis_lost_total'), $lost + 1, 'counted');
like(post('/book?ticket=concert', 'bob'),
     qr{^HTTP/1.1 503 .*"code":"unavailable"}s, 'the next one not even sent');
TicketRedis::restart();
--- errors



=== TEST 17: a server that speaks something else is left alone
--- http_config
ticket_redis redis://127.0.0.1:$TEST_NGINX_RAND_PORT_1/0 connect_timeout=200ms timeout=200ms backoff_max=200ms;
--- not_ready
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 400 Bad Request\r\n\r\n"
--- tcp_no_close
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_body_like: "code":"unavailable"
--- error_code: 503
--- error_log
cannot be used




=== TEST 18: no command may still act when its 504 is due
--- tickets: ticket('concert', capacity => 1000);
--- init
my $monitor = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$RedisPort");
print {$monitor} "MONITOR\r\n";
is(scalar <$monitor>, "+OK\r\n", 'Redis tells what it is told, and when');
my $s;
for (1 .. 500) {
    $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
        . "X-User: u$_\r\n\r\n", $s);
    header($s);
}
my @over;
local $SIG{ALRM} = sub { die "no more calls are seen\n" };
alarm 20;
while (@over < 500) {
    my ($sec, $usec, $not_after) = <$monitor> =~
        /^\+(\d+)\.(\d+) .*"EVALSHA".* "u\d+" "0" "1" "(\d+)" "0"\r$/ or next;
    # a script acts to the end of the millisecond it is told
    push @over, ($not_after + 1) * 1000 - $sec * 1e6 - $usec - 5e6;
}
alarm 0;
is(scalar(grep { $_ > 0 } @over), 0, 'never after the timeout')
    or diag(CORE::join(' ', sort { $b <=> $a } @over));
