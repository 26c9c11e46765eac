# One block for each bug that was found after its code was written, so that it
# is not found again.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

# a reload while Redis does not answer: the new worker has no connection yet
sub new_worker_without_redis {
    TicketRedis::pause();
    kill 'HUP', TicketRedis::text("$Test::Nginx::Util::ServRoot/logs/nginx.pid");
    ok(wait_for(20, sub { log_text() =~ /gracefully shutting down/ }),
       'the old worker is leaving');
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: a cursor beyond 64 bits was sent to Redis, and its error was a 504
--- tickets: ticket('concert');
--- request eval
["GET /admin/tickets?cursor=18446744073709551616",
 "GET /admin/tickets/concert/bookings?cursor=99999999999999999999",
 "GET /admin/tickets?cursor=18446744073709551615"]
--- response_body_like eval
[qr/"code":"bad_request"/, qr/"code":"bad_request"/, qr/"tickets":\[/]
--- error_code eval
[400, 400, 200]
--- no_error_log
[warn]



=== TEST 2: buyers were turned away until a new worker had its first connection
--- tickets: ticket('concert');
--- init
new_worker_without_redis();
my $s = send_to("POST /book?ticket=concert HTTP/1.0\r\nX-User: ann\r\n\r\n");
Time::HiRes::sleep(0.3);
TicketRedis::go_on();
like(answer($s), qr{^HTTP/1.1 201 }, 'the new one kept him waiting');



=== TEST 3: so was whoever looked at a ticket, and the office
--- tickets: ticket('concert'); ticket('old');
--- init
new_worker_without_redis();
my @ask = map { send_to($_) }
    "GET /tickets/concert HTTP/1.0\r\n\r\n",
    "GET /tickets/concert HTTP/1.0\r\n\r\n",
    "GET /admin/tickets HTTP/1.0\r\n\r\n",
    "GET /admin/tickets/concert HTTP/1.0\r\n\r\n",
    "GET /admin/tickets/concert/bookings HTTP/1.0\r\n\r\n",
    "PATCH /admin/tickets/concert HTTP/1.0\r\nContent-Type: application/json\r\n"
        . "Content-Length: 14\r\n\r\n{\"capacity\":9}";
my $leaves = send_to("GET /admin/tickets HTTP/1.0\r\n\r\n");
close $leaves;
my $late = send_to("PUT /admin/tickets/new HTTP/1.0\r\nContent-Type: application/json\r\n"
    . "Content-Length: 14\r\n\r\n{\"capacity\":3}");
Time::HiRes::sleep(0.3);
TicketRedis::go_on();
my @got = answers(@ask, $late);
is(scalar(grep { m{^HTTP/1.1 20[01] } } @got), 7, 'all were kept waiting')
    or diag(@got);
like($got[5], qr/"capacity":9/, 'a change is made');
is(redis('HGET', 'ticket:{new}', 'capacity'), 3, 'a ticket, too');



=== TEST 4: who waits for a first connection that does not come is told that nothing was done
--- http_config eval
$TicketTest::HttpConfig =~ s/timeout=5s/connect_timeout=1s timeout=1s/r
--- tickets: ticket('concert');
--- init
new_worker_without_redis();
my @ask = map { send_to($_) }
    "GET /tickets/concert HTTP/1.0\r\n\r\n",
    "DELETE /admin/tickets/concert HTTP/1.0\r\n\r\n";
like($_, qr{^HTTP/1.1 503 .*"code":"unavailable"}s, 'unavailable') for answers(@ask);
TicketRedis::go_on();
ready();
like(get('/tickets/concert'), qr/"capacity":10/, 'it is still there');
--- errors



=== TEST 5: nor is the outcome unknown when the deadline comes before any connection
--- http_config eval
# a server whose queue is full: connecting to it takes as long as one waits
our $Full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 0) or die $!;
our @Queue = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $Full->sockport, Blocking => 0) } 1 .. 8;
"ticket_redis redis://127.0.0.1:" . $Full->sockport . "/0 connect_timeout=60s timeout=1s;"
--- not_ready
--- request eval
["GET /tickets/concert", "GET /admin/tickets"]
--- response_body_like eval
[(qr/"code":"unavailable"/) x 2]
--- error_code eval
[503, 503]
