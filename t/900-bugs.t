# One block for each bug that was found after its code was written, so that it
# is not found again.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

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
my $log = 'gracefully shutting down';
TicketRedis::pause();
kill 'HUP', TicketRedis::text("$Test::Nginx::Util::ServRoot/logs/nginx.pid");
ok(wait_for(20, sub { log_text() =~ /$log/ }), 'the old worker is leaving');
my $s = send_to("POST /book?ticket=concert HTTP/1.0\r\nX-User: ann\r\n\r\n");
Time::HiRes::sleep(0.3);
TicketRedis::go_on();
like(answer($s), qr{^HTTP/1.1 201 }, 'the new one kept him waiting');
