# Redis away, slow, full, forgetful or demoted: what a buyer is told, and that
# a 504 never takes effect afterwards.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

sub post {
    my ($uri, $user) = @_;
    return http("POST $uri HTTP/1.0\r\nX-User: $user\r\n\r\n");
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: no server at the address
--- http_config
ticket_redis redis://127.0.0.1:1/0;
--- config
location = /book { ticket book; ticket_user $http_x_user; }
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_headers_like
Retry-After: \d+
--- response_body_like: "code":"unavailable"
--- error_code: 503



=== TEST 2: a password the server does not know is not in the log
--- http_config eval
"ticket_redis redis://nobody:s3cr3t\@127.0.0.1:$TicketTest::RedisPort/3;"
--- config
location = /book { ticket book; ticket_user $http_x_user; }
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_body_like: "code":"unavailable"
--- error_code: 503
--- wait: 0.3
--- error_log
ticket redis
--- no_error_log
s3cr3t



=== TEST 3: no answer in time is 504, and the command does nothing afterwards
--- tickets: main::ticket('concert');
--- init
my $before = TicketTest::redis('HGET', 'ticket:{concert}', 'remaining');
TicketTest::redis('CLIENT', 'PAUSE', 2000, 'ALL');
my $got = main::post('/book?ticket=concert', 'ann');
Test::More::like($got, qr{^HTTP/1.1 504 .*"code":"outcome_unknown"}s, '504');
Test::More::like($got, qr{^Retry-After: \d+\r$}m, 'may be sent again');
Time::HiRes::sleep(1.5);
Test::More::is(TicketTest::redis('HGET', 'ticket:{concert}', 'remaining'), $before, 'nothing sold');
main::ready();
$got = main::post('/book?ticket=concert', 'ann');
Test::More::like($got, qr{^HTTP/1.1 201 }, 'and then it is sold');
--- request
GET /health
--- error_code: 200



=== TEST 4: scripts that were flushed are loaded again
--- tickets: main::ticket('concert');
--- init
TicketTest::redis('SCRIPT', 'FLUSH');
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- error_code: 201



=== TEST 5: a full Redis sells nothing and says so
--- tickets: main::ticket('concert');
--- init
TicketTest::redis('CONFIG', 'SET', 'maxmemory', 1);
my $got = main::post('/book?ticket=concert', 'ann');
TicketTest::redis('CONFIG', 'SET', 'maxmemory', 0);
Test::More::like($got, qr{^HTTP/1.1 503 .*"code":"unavailable"}s, '503');
Test::More::unlike($got, qr{OOM}, 'no text of the backend');
Test::More::is(TicketTest::redis('HGET', 'ticket:{concert}', 'remaining'), 10, 'nothing sold');
--- request
GET /health
--- error_code: 200



=== TEST 6: a server that became a replica is not believed
--- tickets: main::ticket('concert');
--- init
TicketTest::redis('REPLICAOF', '127.0.0.1', 1);
my $got = main::post('/book?ticket=concert', 'ann');
TicketTest::redis('REPLICAOF', 'NO', 'ONE');
Test::More::like($got, qr{^HTTP/1.1 503 .*"code":"(?:recovering|unavailable)"}s, '503');
--- request
GET /health
--- error_code: 200



=== TEST 7: more commands than may wait
--- tickets: main::ticket('concert');
--- http_config eval
$TicketTest::HttpConfig . 'ticket_max_pending 2;'
--- init
TicketTest::redis('CLIENT', 'PAUSE', 1500, 'ALL');
my @open = map {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . main::server_port());
    print {$s} "POST /book?ticket=concert HTTP/1.0\r\nX-User: u$_\r\n\r\n";
    $s->flush;
    $s
} 1 .. 4;
my @answers = map { local $/; readline $_ } @open;
Test::More::is(scalar(grep { /^HTTP\/1.1 503 .*"code":"overloaded"/s } @answers), 3, 'three are turned away');
Test::More::is(scalar(grep { /^HTTP\/1.1 504 /s } @answers), 1, 'one waited');
Time::HiRes::sleep(1);
--- request
GET /health
--- error_code: 200



=== TEST 8: the worker is ready again after Redis has dropped the connection
--- tickets: main::ticket('concert');
--- init
TicketTest::redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
Time::HiRes::sleep(0.1);
main::ready();
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- error_code: 201



=== TEST 9: a missing right is found before anything is sold
--- init
TicketTest::redis('ACL', 'SETUSER', 'edge', 'on', 'nopass', '~*', '+@all', '-xadd');
--- http_config eval
"ticket_redis redis://edge:x\@127.0.0.1:$TicketTest::RedisPort/3; ticket_kafka off;"
--- config
location = /book { ticket book; ticket_user $http_x_user; }
location = /ready-or-not { ticket ready; }
--- request eval
["GET /ready-or-not", "POST /book?ticket=concert"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/"status":"DOWN"/, qr/"code":"unavailable"/]
--- error_code eval
[503, 503]



=== TEST 10: a buyer who hangs up leaves a complete event behind
--- tickets: main::ticket('concert');
--- init
TicketTest::redis('CLIENT', 'PAUSE', 400, 'ALL');
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . main::server_port());
print {$s} "POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n\r\n";
$s->flush;
Time::HiRes::sleep(0.1);
close $s;
Time::HiRes::sleep(0.6);
Test::More::is(TicketTest::redis('XLEN', 'ticket:{concert}:outbox:0'), 1, 'one event');
Test::More::is(TicketTest::redis('HGET', 'ticket:{concert}', 'remaining'), 9, 'one sold');
--- request
GET /health
--- error_code: 200
--- no_error_log
[alert]
