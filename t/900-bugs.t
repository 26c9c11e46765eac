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
