# A retry with the same Idempotency-Key gets the first answer; the same key for
# another request is refused.

use lib 't/lib';
use TicketTest;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: the first answer again
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert"]
--- more_headers
X-User: ann
Idempotency-Key: k1
--- response_headers eval
["!Idempotency-Replayed", "Idempotency-Replayed: true"]
--- response_body eval
[qq({"booking_id":"concert:0:1-1","ticket":"concert","user":"ann","quantity":1,"remaining":9}),
 qq({"booking_id":"concert:0:1-1","ticket":"concert","user":"ann","quantity":1,"remaining":9})]
--- error_code eval
[201, 200]



=== TEST 2: the first answer of a booking that was cancelled since says so
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert", "POST /cancel?ticket=concert",
 "POST /book?ticket=concert"]
--- more_headers eval
["X-User: ann\nIdempotency-Key: k1", "X-User: ann",
 "X-User: ann\nIdempotency-Key: k1"]
--- response_body_like eval
[qr/./, qr/./, qr/"current":false/]
--- error_code eval
[201, 200, 200]



=== TEST 3: the same key, another request
--- tickets: ticket('concert', per_user => 2);
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert&quantity=2"]
--- more_headers
X-User: ann
Idempotency-Key: k1
--- response_body_like eval
[qr/./, qr/"code":"idempotency_mismatch"/]
--- error_code eval
[201, 422]



=== TEST 4: the same key, another action
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert", "POST /cancel?ticket=concert",
 "POST /cancel?ticket=concert"]
--- more_headers
X-User: ann
Idempotency-Key: k1
--- response_headers eval
["!Idempotency-Replayed", "!Idempotency-Replayed",
 "Idempotency-Replayed: true"]
--- error_code eval
[201, 200, 200]



=== TEST 5: the same key, another user
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert"]
--- more_headers eval
["X-User: ann\nIdempotency-Key: k1", "X-User: bob\nIdempotency-Key: k1"]
--- error_code eval
[201, 201]



=== TEST 6: a refusal is decided again
--- tickets: ticket('concert', state => 'paused');
--- request eval
["POST /book?ticket=concert",
 "PATCH /admin/tickets/concert\n{\"state\":\"open\"}",
 "POST /book?ticket=concert"]
--- more_headers
X-User: ann
Idempotency-Key: k1
Content-Type: application/json
--- error_code eval
[403, 200, 201]



=== TEST 7: a key of 255 bytes
--- tickets: ticket('concert');
--- request
POST /book?ticket=concert
--- more_headers eval
"X-User: ann\nIdempotency-Key: " . 'k' x 255
--- error_code: 201



=== TEST 8: a longer one is refused
--- tickets: ticket('concert');
--- request
POST /book?ticket=concert
--- more_headers eval
"X-User: ann\nIdempotency-Key: " . 'k' x 256
--- response_body_like: "code":"invalid_key"
--- error_code: 400



=== TEST 9: the key may come from anywhere
--- tickets: ticket('concert');
--- config
location = /book {
    ticket book; ticket_user $http_x_user;
    ticket_idempotency_key $arg_key;
}
--- request eval
["POST /book?ticket=concert&key=a%62", "POST /book?ticket=concert&key=ab"]
--- more_headers
X-User: ann
--- response_headers eval
["!Idempotency-Replayed", "Idempotency-Replayed: true"]
--- error_code eval
[201, 200]
