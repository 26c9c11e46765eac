# Cancelling gives back exactly what the user holds, once; asking shows what
# there is to cancel.

use lib 't/lib';
use TicketTest;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: a cancel gives back the whole booking, a second one finds nothing
--- tickets: ticket('concert', per_user => 3);
--- request eval
["POST /book?ticket=concert&quantity=3", "POST /cancel?ticket=concert",
 "POST /cancel?ticket=concert"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/"remaining":7/,
 qr/^\{"booking_id":"concert:0:1-1","ticket":"concert","user":"ann","quantity":3,"remaining":10\}$/,
 qr/"code":"not_booked"/]
--- error_code eval
[201, 200, 404]



=== TEST 2: DELETE cancels where POST books
--- tickets: ticket('concert');
--- request eval
["POST /tickets/concert/booking", "DELETE /tickets/concert/booking"]
--- more_headers
X-User: ann
--- error_code eval
[201, 200]



=== TEST 3: a cancel of another booking changes nothing
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert",
 "POST /cancel?ticket=concert&booking_id=concert:0:1-9",
 "GET /tickets/concert/booking",
 "POST /cancel?ticket=concert&booking_id=concert:0:1-1"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/./, qr/"code":"not_booked"/, qr/"booking_id":"concert:0:1-1"/,
 qr/"remaining":10/]
--- error_code eval
[201, 404, 200, 200]



=== TEST 4: a cancel is allowed while the ticket is paused, closed or over
--- tickets: ticket('concert');
--- config eval
$TicketTest::Locations . q(
    location = /pause { ticket admin; ticket_name concert; }
)
--- request eval
["POST /book?ticket=concert",
 "PATCH /admin/tickets/concert\n{\"state\":\"paused\"}",
 "POST /cancel?ticket=concert", "POST /book?ticket=concert"]
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like eval
[qr/./, qr/"state":"paused"/, qr/"remaining":10/, qr/"code":"paused"/]
--- error_code eval
[201, 200, 200, 403]



=== TEST 5: no cancel while the ticket is recovering
--- tickets: ticket('concert'); close_ticket('concert');
--- request
POST /cancel?ticket=concert
--- more_headers
X-User: ann
--- response_body_like: "code":"recovering"
--- error_code: 503



=== TEST 6: a cancelled user books again, under a new number
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert", "POST /cancel?ticket=concert",
 "POST /book?ticket=concert"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/concert:0:1-1/, qr/concert:0:1-1/, qr/concert:0:1-3/]
--- error_code eval
[201, 200, 201]



=== TEST 7: what a booking looks like before and after it is stored
--- tickets: ticket('concert', per_user => 2);
--- request eval
["GET /tickets/concert/booking", "POST /book?ticket=concert&quantity=2",
 "GET /tickets/concert/booking"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/"code":"not_booked"/, qr/./,
 qr/^\{"booking_id":"concert:0:1-1","ticket":"concert","user":"ann","quantity":2,"booked_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","persisted":false\}$/]
--- error_code eval
[404, 201, 200]



=== TEST 8: persisted as soon as the persister says so
--- tickets: ticket('concert'); redis('HSET', 'ticket:{concert}', 'persisted:0', '1-1');
--- request eval
["POST /book?ticket=concert", "GET /tickets/concert/booking"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/./, qr/"persisted":true/]
--- error_code eval
[201, 200]



=== TEST 9: a booking that was taken back is gone, with the reason
--- tickets: ticket('concert'); redis('HSET', 'ticket:{concert}:rejected', 'ann', 'concert:0:1-1 refused');
--- request
GET /tickets/concert/booking
--- more_headers
X-User: ann
--- response_body_like: "code":"rejected".*"reason":"refused"
--- error_code: 410



=== TEST 10: HEAD has no body
--- tickets: ticket('concert');
--- request
HEAD /tickets/concert/booking
--- more_headers
X-User: ann
--- response_body
--- error_code: 404



=== TEST 11: the support desk cancels for a user
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert", "DELETE /admin/tickets/concert/bookings/ann"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/./, qr/"user":"ann".*"remaining":10/]
--- error_code eval
[201, 200]
