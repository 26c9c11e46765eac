# What an operator sees: metrics, health, readiness, variables in the log.

use lib 't/lib';
use TicketTest;
use Test::More;

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: health
--- request
GET /health
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like: ^\{"status":"UP"\}
--- error_code: 200



=== TEST 2: ready, with a warning that Kafka is off
--- request
GET /ready
--- response_body_like: "status":"UP","checks":\{.*"redis":"up".*"kafka":"warning:
--- error_code: 200



=== TEST 3: not ready without Redis
--- http_config
ticket_redis redis://127.0.0.1:1/0;
--- config
location = /ready-or-not { ticket ready; }
--- request
GET /ready-or-not
--- response_body_like: "status":"DOWN".*"redis":"(?!up)
--- error_code: 503



=== TEST 4: requests are counted by action and result
--- tickets: main::ticket('concert', capacity => 1);
--- request eval
["POST /book?ticket=concert", "POST /book?ticket=concert", "GET /metrics"]
--- more_headers eval
["X-User: ann", "X-User: bob", "X-User: ann"]
--- response_body_like eval
[qr/./, qr/./,
 qr/ticket_edge_requests_total\{action="book",result="booked"\} 1\n(?:.*\n)*ticket_edge_requests_total\{action="book",result="sold_out"\} 1\n/]
--- error_code eval
[201, 409, 200]



=== TEST 5: the page is what Prometheus expects
--- tickets: main::ticket('concert');
--- init
main::http("POST /book?ticket=concert HTTP/1.0\r\nX-User: ann\r\n\r\n");
my ($head, $page) = split /\r\n\r\n/, main::http("GET /metrics HTTP/1.0\r\n\r\n"), 2;
Test::More::like($head, qr{Content-Type: text/plain; version=0\.0\.4}, 'type');
open my $p, '|-', 'promtool check metrics' or die $!;
print {$p} $page;
Test::More::ok(close $p, 'promtool finds nothing');
for my $name (qw(requests_total request_duration_seconds_bucket
    batch_commands_bucket redis_roundtrip_seconds_bucket pending
    redis_connects_total kafka_events_total kafka_queue)) {
    Test::More::like($page, qr/^ticket_edge_$name/m, $name);
}
Test::More::unlike($page, qr/concert|ann/, 'no ticket, no user');
--- request
GET /health
--- error_code: 200



=== TEST 6: variables for the log
--- tickets: main::ticket('concert');
--- http_config eval
$TicketTest::HttpConfig . q(
log_format ticket '$ticket_result|$ticket_booking_id|$ticket_remaining|$ticket_redis_time|$ticket_batch';
access_log logs/ticket.log ticket;
)
--- init
unlink "$ENV{TEST_NGINX_SERVROOT}/logs/ticket.log.old";
main::http("POST /book?ticket=concert HTTP/1.0\r\nX-User: ann\r\n\r\n");
main::http("POST /book?ticket=concert HTTP/1.0\r\nX-User: ann\r\n\r\n");
main::http("GET /health HTTP/1.0\r\n\r\n");
Time::HiRes::sleep(0.1);
open my $f, '<', "$Test::Nginx::Util::ServRoot/logs/ticket.log" or die $!;
my @lines = grep { !/^\|/ && /booked/ } <$f>;
Test::More::like($lines[0], qr/^booked\|concert:0:1-1\|9\|0\.\d{3}\|1$/, 'a booking');
Test::More::like($lines[1], qr/^already_booked\|concert:0:1-1\|-?\|0\.\d{3}\|1$/, 'a refusal');
--- request
GET /health
--- error_code: 200
