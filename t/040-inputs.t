# Whatever a client may send: bodies in all their shapes, ids that break, and
# what is refused before Redis sees it.

use lib 't/lib';
use TicketTest;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: JSON body
--- tickets: ticket('concert', per_user => 4);
--- request
POST /book
{"ticket":"concert","quantity":4}
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like: "quantity":4,"remaining":6
--- error_code: 201



=== TEST 2: form body
--- tickets: ticket('floor@concert', per_user => 4);
--- request
POST /book
ticket=floor%40concert&quantity=2
--- more_headers
X-User: ann
Content-Type: application/x-www-form-urlencoded
--- response_body_like: "quantity":2,"remaining":8
--- error_code: 201



=== TEST 3: a chunked body in single bytes
--- tickets: ticket('concert', per_user => 4);
--- raw_request eval
my $body = '{"ticket":"concert","quantity":3}';
"POST /book HTTP/1.1\r\nHost: x\r\nX-User: ann\r\nConnection: close\r\n"
. "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
. CORE::join('', map { "1\r\n$_\r\n" } split //, $body) . "0\r\n\r\n"
--- response_body_like: "quantity":3
--- error_code: 201



=== TEST 4: a body on disk
--- tickets: ticket('concert', per_user => 4);
--- config
client_body_in_file_only clean;
location = /book { ticket book; ticket_user $http_x_user; }
--- request
POST /book
{"ticket":"concert","quantity":2}
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like: "quantity":2
--- error_code: 201



=== TEST 5: a body in several buffers
--- tickets: ticket('concert', per_user => 4);
--- config
client_body_buffer_size 8;
location = /book { ticket book; ticket_user $http_x_user; }
--- request
POST /book
{                     "ticket":      "concert",       "quantity":2}
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like: "quantity":2
--- error_code: 201



=== TEST 6: the same in body and query is no contradiction
--- tickets: ticket('concert', per_user => 4);
--- request
POST /book?ticket=concert&quantity=2
{"ticket":"concert","quantity":2}
--- more_headers
X-User: ann
Content-Type: application/json
--- error_code: 201



=== TEST 7: something else in body and query is
--- tickets: ticket('concert', per_user => 4);
--- request eval
["POST /book?ticket=concert\n{\"ticket\":\"other\"}",
 "POST /book?ticket=concert&quantity=1\n{\"quantity\":2}",
 "POST /tickets/concert/booking\n{\"ticket\":\"other\"}"]
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like eval
[(qr/"code":"ambiguous"/) x 3]
--- error_code eval
[(400) x 3]



=== TEST 8: bodies that are no JSON object of ours
--- tickets: ticket('concert', per_user => 4);
--- request eval
[map { "POST /book?ticket=concert\n$_" }
 '{', '[]', '"x"', '{"quantity":1}x', '{"quantity":1,"quantity":1}',
 '{"quantity":1.0}', '{"quantity":1e0}', '{"quantity":"1"}',
 '{"ticket":"\ud800"}', '{"ticket":1}', '{"ticket":{}}', 'null']
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like eval
[(qr/"code":"(?:bad_request|invalid_quantity)"/) x 12]
--- error_code eval
[(400) x 12]



=== TEST 9: a field nobody knows
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert\n{\"qty\":2}",
 "POST /book?ticket=concert\n{\"booking_id\":\"concert:0:1-1\"}",
 "POST /cancel?ticket=concert\n{\"quantity\":1}"]
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like eval
[(qr/"code":"unknown_field"/) x 3]
--- error_code eval
[(400) x 3]



=== TEST 10: another media type, or none
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert\nx", "POST /book?ticket=concert\nx"]
--- more_headers eval
["X-User: ann\nContent-Type: text/plain", "X-User: ann"]
--- response_body_like eval
[(qr/"code":"unsupported_media_type"/) x 2]
--- error_code eval
[(415) x 2]



=== TEST 11: a body that is too large
--- tickets: ticket('concert');
--- request eval
"POST /book?ticket=concert\n" . '{"ticket":"' . 'x' x 200000 . '"}'
--- more_headers
X-User: ann
Content-Type: application/json
--- response_body_like: "code":"too_large"
--- error_code: 413



=== TEST 12: quantities that are none
--- tickets: ticket('concert', per_user => 4);
--- request eval
[map { "POST /book?ticket=concert&quantity=$_" }
 qw(0 -1 +1 1.5 1e1 abc 01 99999999999999999999 1000001), '%201', '']
--- more_headers
X-User: ann
--- response_body_like eval
[(qr/"code":"invalid_quantity"/) x 11]
--- error_code eval
[(400) x 11]



=== TEST 13: ticket names that are none
--- request eval
[map { "POST /book?ticket=$_" }
 '', '%20', 'a%20b', 'a%00b', 'a%0Ab', 'a:b', 'a%2Fb', '%7Ba%7D', 'a@b@c',
 '@a', 'a@', '.', '..', '%FF', '%C0%AF', '%ED%A0%80', '%C2%A0', 'x' x 256]
--- more_headers
X-User: ann
--- response_body_like eval
[(qr/"code":"invalid_ticket"/) x 18]
--- error_code eval
[(400) x 18]



=== TEST 14: user ids that are none
--- tickets: ticket('concert');
--- request eval
[map { "POST /book?ticket=concert" } 1 .. 4]
--- more_headers eval
["X-User: a b", "X-User: \xC2\xA0", "X-User: \xFF", 'X-User: ' . 'x' x 256]
--- response_body_like eval
[(qr/"code":"invalid_user"/) x 4]
--- error_code eval
[(400) x 4]



=== TEST 15: ids that look alike or dangerous are kept apart and as they are
--- tickets: ticket('concert', capacity => 20);
--- request eval
[map { "POST /book?ticket=concert" } 1 .. 10]
--- more_headers eval
["X-User: Ann", "X-User: ann", "X-User: \xC3\xA9", "X-User: e\xCC\x81",
 "X-User: \xF0\x9F\x8E\xAB", "X-User: '--", 'X-User: a"b\c', "X-User: %41nn",
 "X-User: " . 'x' x 255, 'X-User: $1{x}']
--- response_body_like eval
[qr/"user":"Ann".*"remaining":19/, qr/"user":"ann".*"remaining":18/,
 qr/"user":"\xC3\xA9"/, qr/"user":"e\xCC\x81"/, qr/"user":"\xF0\x9F\x8E\xAB"/,
 qr/"user":"'--"/, qr/"user":"a\\"b\\\\c"/, qr/"user":"%41nn"/,
 qr/"user":"x{255}"/, qr/"user":"\$1\{x\}","quantity":1,"remaining":10/]
--- error_code eval
[(201) x 10]



=== TEST 16: bytes of a directive's value are not decoded, a bare $arg_ is
--- tickets: ticket('concert'); ticket('%41');
--- config
location = /a { ticket book; ticket_name $arg_t; ticket_user $arg_u; }
location = /b { ticket book; ticket_name $arg_t; ticket_user "x$arg_u"; }
location = /c { ticket book; ticket_name ${ARG_t}; ticket_user ${ARG_u}; }
location ~ ^/d/(.*) { ticket book; ticket_name $arg_t; ticket_user $1; }
location = /e { ticket book; ticket_name concert; ticket_user a%2Bb; }
location = /f { ticket book; ticket_name concert; ticket_user $nobody; }
set $nobody "";
--- request eval
["POST /a?t=con%63ert&u=a%2Bb", "POST /a?t=concert&u=a+b",
 "POST /b?t=concert&u=a%2Bb", "POST /c?t=con%63ert&u=c%2Bb",
 "POST /d/a%252Bd?t=concert", "POST /e", "POST /f"]
--- response_body_like eval
[qr/"user":"a\+b"/, qr/"code":"invalid_user"/, qr/"user":"xa%2Bb"/,
 qr/"user":"c\+b"/, qr/"user":"a%2Bd"/, qr/"user":"a%2Bb"/,
 qr/"code":"user_required"/]
--- error_code eval
[201, 400, 201, 201, 201, 201, 401]



=== TEST 17: a percent sign that begins nothing
--- request eval
["POST /book?ticket=a%", "POST /book?ticket=a%4", "POST /book?ticket=a%zz"]
--- more_headers
X-User: ann
--- response_body_like eval
[(qr/"code":"bad_request"/) x 3]
--- error_code eval
[(400) x 3]



=== TEST 18: nothing of all that changed anything in Redis
--- tickets: ticket('concert');
--- request eval
["POST /book?ticket=concert&quantity=0", "POST /book?ticket=conc%00ert",
 "POST /book?ticket=concert\n{"]
--- more_headers
X-User: ann
Content-Type: application/json
--- error_code eval
[(400) x 3]
--- no_error_log
[error]
