# Tickets are created, changed, paused, deleted, listed; buyers are listed.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: PUT creates a definition, which is not on sale yet
--- request eval
["PUT /admin/tickets/concert\n{\"capacity\":100,\"per_user\":2}",
 "GET /admin/tickets/concert", "GET /tickets/concert",
 "PATCH /admin/tickets/concert\n{\"capacity\":50}"]
--- more_headers
Content-Type: application/json
--- response_body_like eval
[qr/"ticket":"concert".*"capacity":100.*"per_user":2.*"lanes":1/,
 qr/"state":"recovering"/, qr/"code":"recovering"/, qr/"code":"recovering"/]
--- error_code eval
[201, 200, 503, 503]



=== TEST 3: what is known of a ticket on sale
--- tickets: ticket('concert', capacity => 5, per_user => 2);
--- request eval
["GET /admin/tickets/concert", "GET /tickets/concert"]
--- response_body_like eval
[qr/"ticket":"concert".*"capacity":5,"remaining":5.*"persisted":true/,
 qr/"capacity":5,"remaining":5/]
--- error_code eval
[200, 200]



=== TEST 4: availability may be cached, nothing else
--- tickets: ticket('concert');
--- request eval
["GET /tickets/concert", "GET /admin/tickets/concert"]
--- response_headers_like eval
["Cache-Control: .*max-age=\\d+", "Cache-Control: no-store"]
--- error_code eval
[200, 200]



=== TEST 5: PATCH changes what it names
--- tickets: ticket('concert', capacity => 5);
--- request eval
["PATCH /admin/tickets/concert\n{\"capacity\":7}",
 "PATCH /admin/tickets/concert\n{\"state\":\"paused\"}",
 "PATCH /admin/tickets/concert\n{\"opens_at\":\"2030-01-01T00:00:00Z\"}",
 "PATCH /admin/tickets/concert\n{\"opens_at\":null,\"per_user\":3}"]
--- more_headers
Content-Type: application/json
--- response_body_like eval
[qr/"capacity":7,"remaining":7/, qr/"capacity":7.*"state":"paused"/,
 qr/"opens_at":"2030-01-01T00:00:00.000Z"/,
 qr/"per_user":3.*"state":"paused","opens_at":null/]
--- error_code eval
[200, 200, 200, 200]



=== TEST 6: capacity never below what is held
--- tickets: ticket('concert', per_user => 4);
--- request eval
["POST /book?ticket=concert&quantity=4",
 "PATCH /admin/tickets/concert\n{\"capacity\":3}",
 "PATCH /admin/tickets/concert\n{\"capacity\":4}",
 "PATCH /admin/tickets/nothing\n{\"capacity\":4}"]
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like eval
[qr/./, qr/"code":"below_held"/, qr/"capacity":4,"remaining":0/,
 qr/"code":"unknown_ticket"/]
--- error_code eval
[201, 409, 200, 404]



=== TEST 7: lanes are fixed
--- tickets: ticket('concert', lanes => 2);
--- request eval
["PATCH /admin/tickets/concert\n{\"lanes\":3}",
 "PUT /admin/tickets/concert\n{\"capacity\":10,\"lanes\":2}"]
--- more_headers
Content-Type: application/json
--- response_body_like eval
[qr/"code":"lanes_fixed"/, qr/"lanes":2/]
--- error_code eval
[409, 200]



=== TEST 8: no ticket is deleted while somebody holds it, or before all is stored
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert", "DELETE /admin/tickets/concert",
 "POST /cancel?ticket=concert", "DELETE /admin/tickets/concert"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/./, qr/"code":"in_use"/, qr/./, qr/"code":"in_use"/]
--- error_code eval
[201, 409, 200, 409]



=== TEST 9: a deleted ticket is gone, and may be made again
--- tickets: ticket('concert');
--- request eval
["DELETE /admin/tickets/concert", "POST /book?ticket=concert",
 "GET /tickets/concert", "DELETE /admin/tickets/concert",
 "PUT /admin/tickets/concert\n{\"capacity\":2}",
 "POST /book?ticket=concert"]
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like eval
[qr/./, (qr/"code":"unknown_ticket"/) x 3, qr/"capacity":2/, qr/"remaining":1/]
--- error_code eval
[200, 404, 404, 404, 201, 201]



=== TEST 10: definitions that are none
--- request eval
[map { "PUT /admin/tickets/concert\n$_" }
 '{}', '{"capacity":-1}', '{"capacity":1.5}', '{"capacity":"5"}',
 '{"capacity":5,"per_user":0}', '{"capacity":5,"lanes":65}',
 '{"capacity":5,"state":"deleted"}', '{"capacity":5,"opens_at":"soon"}',
 '{"capacity":5,"opens_at":12}', '{"capacity":5,"colour":"red"}', '[]', '']
--- more_headers
Content-Type: application/json
--- response_body_like eval
[(qr/"code":"(?:bad_request|unknown_field)"/) x 12]
--- error_code eval
[(400) x 12]



=== TEST 11: no definition is taken while Redis may have forgotten tickets
--- tickets: redis('DEL', 'catalogue');
--- request
PUT /admin/tickets/concert
{"capacity":100}
--- more_headers
Content-Type: application/json
--- response_body_like: "code":"recovering"
--- error_code: 503



=== TEST 12: the list of tickets
--- tickets: ticket('a', capacity => 1); ticket('b@c', capacity => 2);
--- request
GET /admin/tickets?limit=1000
--- response_body_like eval
qr/"tickets":\[(?=.*"ticket":"a")(?=.*"ticket":"b\@c").*\],"cursor":/
--- error_code: 200



=== TEST 13: a limit that is none
--- request eval
[map { "GET /admin/tickets?limit=$_" } qw(0 1001 x -1)]
--- response_body_like eval
[(qr/"code":"bad_request"/) x 4]
--- error_code eval
[(400) x 4]



=== TEST 14: the buyers of a ticket
--- tickets: ticket('concert', per_user => 2);
--- request eval
["POST /book?ticket=concert&quantity=2", "GET /admin/tickets/concert/bookings"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/./, qr/"bookings":\[\{"user":"ann","quantity":2,"booked_at":"[^"]+Z","booking_id":"concert:0:1-1"\}\],"cursor":/]
--- error_code eval
[201, 200]



=== TEST 15: the buyers as CSV
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert", "GET /admin/tickets/concert/bookings"]
--- more_headers
X-User: a"b,c
Accept: text/csv
--- response_headers_like eval
["Content-Type: .*", "Content-Type: text/csv.*"]
--- response_body_like eval
[qr/./, qr/^user,quantity,booked_at,booking_id\r\n"a""b,c",1,[^,]+Z,concert:0:1-1\r\n$/]
--- error_code eval
[201, 200]



=== TEST 16: buyers of a ticket that is recovering
--- tickets: ticket('concert'); close_ticket('concert');
--- request
GET /admin/tickets/concert/bookings
--- response_body_like: "code":"recovering"
--- error_code: 503



=== TEST 17: methods
--- request eval
["POST /admin/tickets/concert", "PUT /admin/tickets", "POST /tickets/concert",
 "DELETE /admin/tickets/concert/bookings"]
--- response_body_like eval
[(qr/"code":"method_not_allowed"/) x 4]
--- error_code eval
[(405) x 4]




=== TEST 18: the buyers of a large ticket come in pages
--- tickets: ticket('concert');
--- init
redis('HSET', 'ticket:{concert}:buyers',
    map { ("u$_", "1 1700000000000 concert:0:1-$_") } 1 .. 600);
for my $accept ('text/csv', 'application/json') {
    my ($cursor, $pages, %user) = (0, 0);
    while (defined $cursor && $pages++ < 100) {
        my $got = http("GET /admin/tickets/concert/bookings?limit=100"
            . "&cursor=$cursor HTTP/1.0\r\nAccept: $accept\r\n\r\n");
        $user{$_}++ for $got =~ /(?:^|"user":")(u\d+)[",]/mg;
        ($cursor) = $got =~ /(?:^Ticket-Cursor: |"cursor":")(\d+)/m;
    }
    is(scalar keys %user, 600, "all of them, $accept");
    cmp_ok($pages, '>', 3, 'not at once');
}



=== TEST 19: a change may not make a sale close before it opens
--- tickets: ticket('concert', opens_at => 4070908800000);
--- request eval
["PATCH /admin/tickets/concert\n{\"closes_at\":\"2099-01-01T00:00:00Z\"}",
 "PATCH /admin/tickets/concert\n{\"closes_at\":\"2099-01-01T00:00:01Z\"}",
 "PATCH /admin/tickets/concert\n{\"opens_at\":\"2099-01-01T00:00:02Z\"}",
 "PUT /admin/tickets/concert\n{\"capacity\":9,\"opens_at\":\"2099-01-01T00:00:02Z\",\"closes_at\":\"2099-01-01T00:00:01Z\"}",
 "PATCH /admin/tickets/concert\n{\"opens_at\":\"2099-01-01T00:00:02Z\",\"closes_at\":null}",
 "GET /admin/tickets/concert"]
--- more_headers
Content-Type: application/json
--- response_body_like eval
[qr/"code":"bad_request","detail":"closes_at must be later than opens_at\."/,
 qr/"closes_at":"2099-01-01T00:00:01.000Z"/,
 (qr/closes_at must be later than opens_at\./) x 2,
 (qr/"opens_at":"2099-01-01T00:00:02.000Z","closes_at":null/) x 2]
--- error_code eval
[400, 200, 400, 400, 200, 200]



=== TEST 20: a change that Redis refuses is none, and the log says which and why
--- tickets
ticket('concert');
# as if a persister had trimmed beyond it: the next number is too small
redis('XADD', 'ticket:{concert}:outbox:0', '1-2', '1', 'x');
--- request
PATCH /admin/tickets/concert
{"capacity":5}
--- more_headers
Content-Type: application/json
--- response_body_like: "code":"unavailable"
--- error_code: 503
--- error_log
ticket redis: script "define" ended with REFUSED: "ERR"
--- after
is(redis('HGET', 'ticket:{concert}', 'capacity'), 10, 'it is as it was');
