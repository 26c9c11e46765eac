# What clients do to connections: they keep them, fill them, leave them, hold
# them half-way; and what sites do around a location of ours.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: a body that is refused is not the next request
--- tickets: ticket('concert');
--- init
my $body = '{"ticket":"' . 'x' x 5000 . '"}';
for my $case (
    [405, "PATCH /book"], [401, "POST /book?ticket=concert"],
    [400, "POST /book?ticket=a:b", 'ann'], [415, "POST /book?ticket=concert",
    'ann', 'text/plain'], [200, "GET /health"], [400, "DELETE /admin/tickets/x"],
)
{
    my ($status, $request, $user, $type) = @$case;
    my $s = send_to("$request HTTP/1.1\r\nHost: x\r\n"
        . ($user ? "X-User: $user\r\n" : '')
        . 'Content-Type: ' . ($type // 'application/json') . "\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body"
        . "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    my $got = answer($s);
    my ($first, $second) = $got =~ m{^(HTTP/1\.1 \d+).*?(?:(HTTP/1\.1 \d+).*)?$}s;
    my @all = $got =~ m{HTTP/1\.1 (\d+)}g;
    is($all[0], $status, "$request: $status");
    ok(@all == 1 || $all[1] == 200, 'and then health, or the end')
        or diag($got);
}



=== TEST 2: a body that is too large closes the connection or is thrown away
--- tickets: ticket('concert');
--- init
for my $more ("Content-Length: 60000\r\n\r\n" . 'x' x 60000,
    "Transfer-Encoding: chunked\r\n\r\n"
    . CORE::join('', map { "1000\r\n" . 'x' x 4096 . "\r\n" } 1 .. 15) . "0\r\n\r\n")
{
    my $got = answer(send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
        . "X-User: ann\r\nContent-Type: application/json\r\n$more"
        . "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    my @all = $got =~ m{HTTP/1\.1 (\d+)}g;
    is($all[0], 413, 'too large');
    ok(@all == 1 || $all[1] == 200, 'then health, or the end');
}
like(get('/health'), qr/^HTTP\S+ 200/, 'alive');



=== TEST 3: Expect: 100-continue
--- tickets: ticket('concert', per_user => 5);
--- init
my $s = send_to("POST /book HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n"
    . "Content-Type: application/json\r\nContent-Length: 33\r\n"
    . "Expect: 100-continue\r\nConnection: close\r\n\r\n");
my $first = do { local $/ = "\r\n\r\n"; <$s> };
like($first, qr/^HTTP\S+ 100/, 'go on');
send_to('{"ticket":"concert","quantity":5}', $s);
like(answer($s), qr/^HTTP\S+ 201 .*"quantity":5/s, 'sold');

# who is refused is not asked for the body
$s = send_to("POST /book HTTP/1.1\r\nHost: x\r\n"
    . "Content-Type: application/json\r\nContent-Length: 33\r\n"
    . "Expect: 100-continue\r\n\r\n");
like(answer($s), qr/^HTTP\S+ 401 /, 'refused at once');



=== TEST 4: a body that stops half-way ends with 408
--- tickets: ticket('concert');
--- config eval
"client_body_timeout 300ms;\n" . $TicketTest::Locations
--- init
for my $head ("Content-Length: 20", "Transfer-Encoding: chunked") {
    my $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
        . "X-User: ann\r\nContent-Type: application/json\r\n$head\r\n\r\n"
        . ($head =~ /chunked/ ? "5\r\n{\"quo" : '{"qua'));
    my $got = answer($s);
    ok($got eq '' || $got =~ /^HTTP\S+ 408/, "$head") or diag($got);
}
is(redis('HLEN', 'ticket:{concert}:buyers'), 0, 'nothing is sold');
is(metric('pending'), 0, 'nobody waits');



=== TEST 5: a body that never comes because the client leaves
--- tickets: ticket('concert');
--- init
my $s = send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\n"
    . "X-User: ann\r\nContent-Type: application/json\r\n"
    . "Content-Length: 20\r\n\r\n{");
Time::HiRes::sleep(0.1);
close $s;
ok(wait_for(5, sub {
    metric('requests_total{action="book",result="bad_request"}') == 1
}), 'counted, as nginx has it: 400');
is(redis('HLEN', 'ticket:{concert}:buyers'), 0, 'nothing is sold');



=== TEST 6: who leaves while any action waits is let go
--- tickets: ticket('concert');
--- init
TicketRedis::pause();
my @request = ("POST /book?ticket=concert", "POST /cancel?ticket=concert",
    "GET /tickets/concert/booking", "GET /tickets/concert",
    "GET /admin/tickets", "GET /admin/tickets/concert",
    "DELETE /admin/tickets/concert", "GET /admin/tickets/concert/bookings");
my $put = '{"capacity":1}';
my @s = map { send_to("$_ HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n\r\n") } @request;
push @s, map {
    send_to("$_ /admin/tickets/new HTTP/1.1\r\nHost: x\r\n"
        . "Content-Type: application/json\r\nContent-Length: 14\r\n\r\n$put")
} qw(PUT PATCH);
ok(wait_for(10, sub { metric('pending') == 3 }), 'they wait');
Time::HiRes::sleep(0.2);
close $_ for @s;
my $gone = sub {
    my $m = metrics();
    my $n = 0;
    $n += $m->{$_} for grep { /client_closed/ && /requests_total/ } keys %$m;
    return $n;
};
ok(wait_for(10, sub { $gone->() == 10 }), 'all ten are gone') or diag($gone->());
TicketRedis::go_on();
ok(wait_for(10, sub { metric('pending') == 0 }), 'nobody waits');
like(get('/admin/tickets'), qr/^HTTP\S+ 200/, 'alive');
like(get('/tickets/concert'), qr/^HTTP\S+ 200/, 'and well');



=== TEST 7: availability waits, some leave, the others are answered
--- tickets: ticket('concert');
--- init
TicketRedis::pause();
my @s = map { send_to("GET /tickets/concert HTTP/1.0\r\n\r\n") } 1 .. 6;
Time::HiRes::sleep(0.2);
close $s[$_] for 0, 2, 4;
Time::HiRes::sleep(0.1);
TicketRedis::go_on();
like(answer($s[$_]), qr/^HTTP\S+ 200 .*"remaining":10/s, 'answered') for 1, 3, 5;



=== TEST 8: a location with an if, and one with limit_except
--- tickets: ticket('concert');
--- config eval
$TicketTest::Locations . q(
location = /if {
    ticket book; ticket_name concert;
    if ($arg_stop) { return 418; }
    if ($arg_tag) { add_header Tag $arg_tag; }
}
location = /limited {
    ticket book cancel; ticket_name concert;
    limit_except POST { deny all; }
}
)
--- request eval
["POST /if", "POST /if?stop=1", "POST /if?tag=x", "POST /limited",
 "DELETE /limited"]
--- more_headers
X-User: ann
--- error_code eval
[201, 418, 409, 409, 403]
--- errors



=== TEST 9: internal redirects and named locations come here
--- tickets: ticket('concert');
--- config eval
$TicketTest::Locations . q(
location = /rewritten { rewrite ^ /book last; }
location = /tried { try_files /no-such-file @book; }
location @book { ticket book; ticket_name concert; }
location = /missing { error_page 404 = @book; return 404; }
location = /error { error_page 409 = /other; ticket book; ticket_name concert; }
location = /other { return 200 "other"; }
)
--- request eval
["POST /rewritten?ticket=concert", "POST /tried", "POST /missing", "POST /error"]
--- more_headers
X-User: ann
--- response_body_like eval
[qr/"booking_id"/, qr/already_booked/, qr/already_booked|method/, qr/already_booked/]
--- error_code_like eval
['^201$', '^409$', '^(?:409|405)$', '^409$']



=== TEST 10: a limit in front of the office is heeded
--- tickets: ticket('concert');
--- http_config eval
$TicketTest::HttpConfig . 'limit_req_zone $http_x_user zone=users:1m rate=1r/m;'
--- config
location = /book { limit_req zone=users; ticket book; ticket_user $http_x_user; }
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert"]
--- more_headers
X-User: ann
--- error_code eval
[201, 503]
--- errors



=== TEST 11: access rules and auth_request decide first
--- tickets: ticket('concert');
--- config
location = /auth { internal; if ($http_x_token = good) { return 204; } return 403; }
location = /book {
    auth_request /auth;
    auth_request_set $who $http_x_user;
    ticket book; ticket_user $who;
}
location = /closed { deny all; ticket book; ticket_user x; }
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert",
 "POST /closed?ticket=concert"]
--- more_headers eval
["X-User: ann", "X-User: ann\nX-Token: good", "X-User: ann"]
--- error_code eval
[403, 201, 403]
--- errors



=== TEST 12: as a subrequest it decides and does no harm
--- tickets: ticket('concert');
--- config
location = /sub { internal; ticket ticket; ticket_name concert; }
location = /none { internal; ticket ticket; ticket_name nothing; }
location = /a { auth_request /sub; root html; try_files /index.html =404; }
location = /b { auth_request /none; root html; try_files /index.html =404; }
location = /c { mirror /sub; root html; try_files /index.html =404; }
location = /d {
    root html; try_files /index.html =404;
    add_before_body /sub; add_after_body /sub; addition_types *;
}
--- request eval
["GET /a", "GET /b", "GET /c", "GET /d", "GET /health"]
--- error_code eval
[200, 500, 200, 200, 200]
--- errors



=== TEST 13: a browser's slow line: the answer waits, not the worker
--- tickets: ticket('concert');
--- init
my $s = send_to("POST /book?ticket=con");
Time::HiRes::sleep(0.1);
send_to("cert HTTP/1.1\r\nHost: x\r\nX-Us", $s);
Time::HiRes::sleep(0.1);
send_to("er: ann\r\nConnection: close\r\n\r\n", $s);
like(answer($s), qr/^HTTP\S+ 201/, 'sold');



=== TEST 14: many requests on one connection, one after the other
--- tickets: ticket('concert', capacity => 1000);
--- init
my $s = send_to('');
my $sold = 0;
for my $i (1 .. 200) {
    send_to("POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\nX-User: u$i\r\n\r\n", $s);
    $sold++ if header($s) =~ /^HTTP\S+ 201/;
    send_to("POST /cancel?ticket=concert HTTP/1.1\r\nHost: x\r\nX-User: u$i\r\n"
        . "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", $s);
    $sold-- if header($s) =~ /^HTTP\S+ 200/;
}
is($sold, 0, 'sold and taken back');
is(redis('HGET', 'ticket:{concert}', 'remaining'), 1000, 'all are left');
is(redis('HLEN', 'ticket:{concert}:buyers'), 0, 'nobody has one');
