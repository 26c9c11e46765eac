# Booking: every answer the script can give, as a buyer sees it.

use lib 't/lib';
use TicketTest;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: a booking is answered with 201 and what is left
--- tickets: ticket('concert', capacity => 3);
--- request
POST /book?ticket=concert&quantity=1
--- more_headers
X-User: ann
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like chomp
^\{"booking_id":"concert:0:1-1","ticket":"concert","user":"ann","quantity":1,"remaining":2\}$
--- error_code: 201



=== TEST 2: the ticket may stand in the path
--- tickets: ticket('concert');
--- request
POST /tickets/concert/booking
--- more_headers
X-User: ann
--- response_body_like: "booking_id":"concert:0:1-1".*"remaining":9
--- error_code: 201



=== TEST 3: the second booking of a user shows the first
--- tickets: ticket('concert', per_user => 2);
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert&quantity=2"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/"quantity":1,"remaining":9/,
 qr/"code":"already_booked".*"booking_id":"concert:0:1-1".*"quantity":1/]
--- error_code eval
[201, 409]



=== TEST 4: the last ticket is sold once
--- tickets: ticket('concert', capacity => 1);
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert"]
--- more_headers eval
["X-User: ann", "X-User: bob"]
--- response_body_like eval
[qr/"remaining":0/, qr/"code":"sold_out"/]
--- error_code eval
[201, 409]



=== TEST 5: fewer left than asked for
--- tickets: ticket('concert', capacity => 2, per_user => 5);
--- request
POST /book?ticket=concert&quantity=3
--- more_headers
X-User: ann
--- response_headers
Content-Type: application/problem+json
Cache-Control: no-store
--- response_body_like: "status":409.*"code":"not_enough"
--- error_code: 409



=== TEST 6: more than one user may have
--- tickets: ticket('concert', per_user => 2);
--- request
POST /book?ticket=concert&quantity=3
--- more_headers
X-User: ann
--- response_body_like: "code":"limit_exceeded"
--- error_code: 409



=== TEST 7: before the sale opens
--- tickets: ticket('concert', opens_at => 4102444800000);
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_body_like: "code":"not_open"
--- error_code: 403



=== TEST 8: after the sale has closed
--- tickets: ticket('concert', closes_at => 1000);
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_body_like: "code":"closed"
--- error_code: 403



=== TEST 9: while the sale is paused
--- tickets: ticket('concert', state => 'paused');
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_body_like: "code":"paused"
--- error_code: 403



=== TEST 10: a ticket nobody has made
--- request
POST /book?ticket=nothing
--- more_headers
X-User: ann
--- response_body_like: "code":"unknown_ticket"
--- error_code: 404



=== TEST 11: a missing ticket is no 404 while Redis may have forgotten it
--- tickets: redis('SET', 'catalogue', 'x' x 40);
--- request
POST /book?ticket=nothing
--- more_headers
X-User: ann
--- response_headers_like
Retry-After: \d+
--- response_body_like: "code":"recovering"
--- error_code: 503



=== TEST 12: a ticket whose history is not this server's is closed
--- tickets: ticket('concert'); close_ticket('concert');
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_headers_like
Retry-After: \d+
--- response_body_like: "code":"recovering"
--- error_code: 503



=== TEST 13: one that was there is not unknown because the edge has not heard yet
--- tickets: ticket('concert');
--- init: redis('FLUSHDB');
--- request eval
["POST /book?ticket=concert", "GET /tickets/concert", "GET /tickets/concert/booking",
 "GET /admin/tickets/concert"]
--- more_headers
X-User: ann
--- response_body_like eval
[(qr/"code":"recovering"/) x 4]
--- error_code eval
[(503) x 4]



=== TEST 14: without a user
--- tickets: ticket('concert');
--- request
POST /book?ticket=concert
--- response_body_like: "code":"user_required"
--- error_code: 401



=== TEST 15: too many events that are not stored yet
--- tickets: ticket('concert', capacity => 5);
--- config
location = /book {
    ticket book; ticket_user $http_x_user; ticket_max_backlog 2;
}
--- request eval
[map { "POST /book?ticket=concert" } 1 .. 3]
--- more_headers eval
[map { "X-User: u$_" } 1 .. 3]
--- response_body_like eval
[qr/"remaining":4/, qr/"remaining":3/, qr/"code":"backlog"/]
--- error_code eval
[201, 201, 503]



=== TEST 16: another method is refused by name
--- tickets: ticket('concert');
--- request
GET /book?ticket=concert
--- more_headers
X-User: ann
--- response_headers
Allow: POST
--- response_body_like: "code":"method_not_allowed"
--- error_code: 405



=== TEST 17: a group's tickets have their own stock
--- tickets: ticket('vip@concert', capacity => 1); ticket('floor@concert', capacity => 2);
--- request eval
["POST /book?ticket=vip%40concert", "POST /book?ticket=floor%40concert"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/"booking_id":"vip\@concert:0:1-1".*"remaining":0/,
 qr/"booking_id":"floor\@concert:0:1-1".*"remaining":1/]
--- error_code eval
[201, 201]
