# The variables, where sites use them: in a log, in a header, in a map; and
# empty where there is nothing to say.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: in the log, for each kind of answer
--- tickets: ticket('concert', capacity => 2, per_user => 2);
--- http_config eval
$TicketTest::HttpConfig . q(
log_format ticket '$uri|$ticket_result|$ticket_booking_id|$ticket_remaining|'
                  '$ticket_redis_time|$ticket_batch';
access_log logs/ticket.log ticket;
)
--- init
post('/book?ticket=concert&quantity=2', 'ann');
post('/book?ticket=concert', 'ann');
post('/book?ticket=concert', 'bob');
http("POST /book?ticket=concert HTTP/1.0\r\n\r\n");
http("GET /tickets/concert/booking HTTP/1.0\r\nX-User: ann\r\n\r\n");
get('/tickets/concert');
post('/cancel?ticket=concert', 'ann');
post('/cancel?ticket=concert', 'ann');
http("DELETE /admin/tickets/concert HTTP/1.0\r\n\r\n");
get('/book');
get('/index.html');
my @line = split /\n/, wait_for(5, sub {
    my $text = log_text('ticket.log');
    $text =~ /index/ && $text;
});
@line = grep { !m{^/(?:ready|ver)\|} } @line;
my @expected = (
    ['a sale', qr{^/book\|booked\|concert:0:1-1\|0\|T\|1$}],
    ['no second one', qr{^/book\|already_booked\|concert:0:1-1\|-\|T\|1$}],
    ['sold out', qr{^/book\|sold_out\|-\|0\|T\|1$}],
    ['nobody', qr{^/book\|user_required\|-\|-\|-\|-$}],
    ['found', qr{^/tickets/concert/booking\|found\|concert:0:1-1\|-\|T\|1$}],
    ['available', qr{^/tickets/concert\|found\|-\|0\|T\|-$}],
    ['cancelled', qr{^/cancel\|cancelled\|concert:0:1-1\|2\|T\|1$}],
    ['nothing to cancel', qr{^/cancel\|not_booked\|-\|-\|T\|1$}],
    ['in use', qr{^/admin/tickets/concert\|in_use\|-\|-\|T\|-$}],
    ['another method', qr{^/book\|method_not_allowed\|-\|-\|-\|-$}],
    ['somebody else', qr{^/index.html\|-\|-\|-\|-\|-$}],
);
s/\|\d+\.\d{6}\|/|T|/ for @line;
like(shift @line, $_->[1], $_->[0]) for @expected;
is(scalar @line, 0, 'no line more');



=== TEST 2: in a header and a map, which are asked before the answer leaves
--- tickets: ticket('concert', capacity => 1);
--- http_config eval
$TicketTest::HttpConfig . q(
map $ticket_result $kind {
    default          other;
    ""               none;
    booked           good;
    ~^(sold_out|not_enough)$  late;
}
)
--- config
add_header Kind $kind always;
add_header Result $ticket_result always;
add_header Id $ticket_booking_id always;
add_header Left $ticket_remaining always;
location = /book { ticket book; ticket_user $http_x_user; }
location = /none { return 204; }
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert",
 "GET /book?ticket=concert", "GET /none"]
--- more_headers eval
["X-User: ann", "X-User: bob", "X-User: bob", "X-User: bob"]
--- response_headers eval
["Kind: good\nResult: booked\nId: concert:0:1-1\nLeft: 0",
 "Kind: late\nResult: sold_out\n!Id\nLeft: 0",
 "Kind: other\nResult: method_not_allowed\n!Id\n!Left",
 "Kind: none\n!Result\n!Id\n!Left"]
--- error_code eval
[201, 409, 405, 204]



=== TEST 3: what is logged is chosen by them
--- tickets: ticket('concert', capacity => 1);
--- http_config eval
$TicketTest::HttpConfig . q(
map $ticket_result $loggable { default 1; booked 0; "" 0; up 0; down 0; }
access_log logs/some.log combined if=$loggable;
)
--- init
post('/book?ticket=concert', 'ann');
post('/book?ticket=concert', 'bob');
get('/index.html');
my $text = wait_for(5, sub { log_text('some.log') });
my @lines = split /\n/, $text;
is(scalar @lines, 1, 'one line');
like($lines[0], qr/ 409 /, 'of the refusal');



=== TEST 4: asked for too early they are empty, and right later
--- tickets: ticket('concert');
--- config
location = /book {
    set $early "<$ticket_result$ticket_booking_id$ticket_remaining$ticket_redis_time$ticket_batch>";
    add_header Early $early;
    add_header Late $ticket_result;
    ticket book; ticket_user $http_x_user;
}
--- request
POST /book?ticket=concert
--- more_headers
X-User: ann
--- response_headers
Early: <>
Late: booked
--- error_code: 201



=== TEST 5: a client that is gone, and a server that gives no answer
--- tickets: ticket('concert');
--- http_config eval
($TicketTest::HttpConfig =~ s/timeout=5s/timeout=500ms/r) . q(
log_format t '$status $ticket_result $ticket_redis_time';
access_log logs/t.log t;
)
--- init
TicketRedis::pause();
my $s = send_to("POST /book?ticket=concert HTTP/1.0\r\nX-User: ann\r\n\r\n");
ok(wait_for(5, sub { metric('pending') == 1 }), 'waits');
close $s;
ok(wait_for(5, sub { log_text('t.log') =~ /^499 client_closed -$/m }), 'gone');
post('/book?ticket=concert', 'bob');
ok(wait_for(5, sub { log_text('t.log') =~ /^504 outcome_unknown -$/m }), 'unknown');
TicketRedis::go_on();



=== TEST 6: the quantity comes from a directive, decoded only if it is a bare argument
--- tickets: ticket('concert', capacity => 20, per_user => 9);
--- config
location = /a { ticket book; ticket_name concert; ticket_user $arg_u; ticket_quantity $arg_n; }
location = /b { ticket book; ticket_name concert; ticket_user $arg_u; ticket_quantity 3; }
location = /c { ticket book; ticket_name concert; ticket_user $arg_u; ticket_quantity "$arg_n$arg_m"; }
--- request eval
["POST /a?u=a&n=%32", "POST /a?u=b", "POST /b?u=c", "POST /b?u=d&quantity=4",
 "POST /c?u=e&n=%32", "POST /a?u=f&n=x", "POST /b?u=g\n{\"quantity\":4}",
 "POST /b?u=h\n{\"quantity\":3}"]
--- more_headers
Content-Type: application/json
--- response_body_like eval
[qr/"quantity":2/, qr/"quantity":1/, qr/"quantity":3/, qr/"quantity":3/,
 qr/invalid_quantity/, qr/invalid_quantity/, qr/ambiguous/, qr/"quantity":3/]
--- error_code eval
[201, 201, 201, 201, 400, 400, 400, 201]
