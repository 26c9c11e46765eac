# The same office over HTTP/2: bodies come in frames, many requests share a
# connection, and one that is given up does not close it.

use lib 't/lib';
use TicketTest;
use TicketNginx;
use TicketH2;
use Test::More;
use Time::HiRes qw(sleep);

my $port = server_port();
my $plain = $port + 1;
my $nginx = TicketNginx->new;


# a server for both, on two ports: TicketTest's helpers speak HTTP/1
sub started {
    my $more = shift // '';
    fresh();
    ticket('concert', per_user => 4, capacity => 200);
    $nginx->start(http => $HttpConfig . "server { $more $Locations\n"
        . "listen 127.0.0.1:$plain http2; listen 127.0.0.1:$port; }");
    ready();
}


sub all_well {
    ok($nginx->quit, 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
}


# status and body by curl
sub curl {
    my ($method, $uri, @args) = @_;
    my @method = $method eq 'HEAD' ? '-I' : ('-X', $method);
    open my $p, '-|', 'curl', '-sS', '--http2-prior-knowledge', '--max-time',
        20, '-w', '|%{http_version} %{http_code}', '-H', 'X-User: ann', @method,
        @args, "http://127.0.0.1:$plain$uri" or die "curl: $!";
    local $/;
    my $out = <$p>;
    close $p;
    my ($body, $status) = $out =~ /\A(.*)\|2 (\d+)\z/s;
    return ($status // $out, $body);
}


sub answered {
    my ($title, $expect, $pattern, @request) = @_;
    my ($status, $body) = curl(@request);
    is($status, $expect, $title);
    like($body, $pattern, $title);
}


sub h2_post {
    my ($stream, $user, $last, @more) = @_;
    return h2_headers($stream, $last // 1, ':method', 'POST', ':scheme',
        'http', ':path', '/book?ticket=concert', ':authority', 'x', 'x-user',
        $user, 'content-type', 'application/json', @more);
}


subtest 'every action' => sub {
    started();
    answered('created', 201, qr/"state":"recovering"|"capacity":5/, 'PUT',
        '/admin/tickets/opera', '-H', 'Content-Type: application/json',
        '-d', '{"capacity":5}');
    answered('booked', 201, qr/"remaining":199/, 'POST', '/book?ticket=concert');
    answered('refused', 409, qr/"already_booked"/, 'POST', '/tickets/concert/booking');
    answered('found', 200, qr/"persisted":false/, 'GET', '/tickets/concert/booking');
    answered('cancelled', 200, qr/"remaining":200/, 'DELETE', '/tickets/concert/booking');
    answered('gone', 404, qr/"not_booked"/, 'POST', '/cancel?ticket=concert');
    answered('available', 200, qr/"capacity":200/, 'GET', '/tickets/concert');
    answered('changed', 200, qr/"state":"paused"/, 'PATCH',
        '/admin/tickets/concert', '-H', 'Content-Type: application/json',
        '-d', '{"state":"paused"}');
    answered('paused', 403, qr/"paused"/, 'POST', '/book?ticket=concert');
    answered('listed', 200, qr/"ticket":"concert"/, 'GET', '/admin/tickets');
    answered('buyers', 200, qr/"bookings":\[\]/, 'GET', '/admin/tickets/concert/bookings');
    answered('metrics', 200, qr/ticket_edge_requests_total/, 'GET', '/metrics');
    answered('health', 200, qr/"UP"/, 'GET', '/health');
    answered('ready', 200, qr/"UP"/, 'GET', '/ready');
    answered('no such method', 405, qr/method_not_allowed/, 'PUT', '/book');
    my ($status) = curl('HEAD', '/tickets/concert');
    is($status, 200, 'HEAD');
    all_well();
};


subtest 'bodies' => sub {
    started();
    my @json = ('-H', 'Content-Type: application/json');
    answered('JSON', 201, qr/"quantity":4/, 'POST', '/book', @json,
        '-d', '{"ticket":"concert","quantity":4}');
    answered('a form', 200, qr/"quantity":4/, 'POST', '/cancel', '-d', 'ticket=concert');
    answered('no JSON', 400, qr/bad_request/, 'POST', '/book', @json, '-d', '{');

    # a byte a frame, and the end in a frame without any
    my $s = h2_open($plain);
    my $body = '{"ticket":"concert","quantity":3}';
    send_to_h2(h2_headers(1, 0, ':method', 'POST', ':scheme', 'http', ':path',
        '/book', ':authority', 'x', 'x-user', 'bob', 'content-type',
        'application/json') . join('', map { frame(0, 0, 1, $_) } split //, $body), $s);
    sleep 0.1;
    send_to_h2(frame(0, 1, 1, ''), $s);
    like(h2_bodies($s, 1)->{1}, qr/"user":"bob","quantity":3/, 'a byte a frame');

    # too large, as announced and as it comes; what the client gets to see of
    # the rest is between it and nginx
    send_to_h2(h2_post(7, 'eve', 0, 'content-length', 100_000), $s);
    like(h2_bodies($s, 1)->{7}, qr/"too_large"/, 'too large');
    send_to_h2(h2_post(9, 'eve', 0)
        . join('', map { frame(0, 0, 9, 'x' x 6000) } 1 .. 4), $s);
    like(h2_bodies($s, 1)->{9}, qr/"too_large"/, 'too large, but not at once');

    # for an action that wants none
    send_to_h2(h2_headers(21, 0, ':method', 'GET', ':scheme', 'http', ':path',
        '/health', ':authority', 'x') . frame(0, 1, 21, 'x'), $s);
    like(h2_bodies($s, 1, 21)->{21}, qr/"UP"/, 'for nobody');

    # a body that is not all there
    send_to_h2(h2_post(31, 'eve', 0) . frame(0, 0, 31, '{"quan')
        . frame(3, 0, 31, pack 'N', 8), $s);
    send_to_h2(h2_post(33, 'eve'), $s);
    like(h2_bodies($s, 1, 33)->{33}, qr/"user":"eve","quantity":1/, 'given up half-way');
    is(redis('HLEN', 'ticket:{concert}:buyers'), 2, 'bob and eve');
    close $s;
    all_well();
};


subtest 'the requests of one connection share a call' => sub {
    started();
    my $s = h2_open($plain);
    my $before = metrics();
    send_to_h2(join('', map { h2_post(2 * $_ + 1, "u$_") } 1 .. 50), $s);
    my $got = h2_bodies($s, 50);
    is(scalar(grep { /"booking_id"/ } values %$got), 50, 'fifty are sold');
    my $after = metrics();
    my $calls = $after->{ticket_edge_batch_commands_count}
        - $before->{ticket_edge_batch_commands_count};
    cmp_ok($calls, '<=', 5, "in $calls calls");
    close $s;
    all_well();
};


subtest 'a stream that is reset is let go, its sale is made, the others go on' => sub {
    started();
    TicketRedis::pause();
    my $s = h2_open($plain);
    send_to_h2(h2_post(1, 'ann') . h2_post(3, 'bob'), $s);
    ok(wait_for(20, sub { metric('pending') == 2 }), 'two wait');
    send_to_h2(frame(3, 0, 1, pack 'N', 8), $s);
    ok(wait_for(20, sub {
        metric('requests_total{action="book",result="client_closed"}') == 1
    }), 'one is given up');
    TicketRedis::go_on();
    like(h2_bodies($s, 1)->{3}, qr/"user":"bob"/, 'the other is answered');
    is(redis('HLEN', 'ticket:{concert}:buyers'), 2, 'two are sold');
    is(redis('XLEN', 'ticket:{concert}:outbox:0'), 2, 'and told');
    close $s;
    all_well();
};


subtest 'a connection that is cut with many waiting' => sub {
    started();
    TicketRedis::pause();
    my $s = h2_open($plain);
    send_to_h2(join('', map { h2_post(2 * $_ + 1, "u$_") } 1 .. 30), $s);
    send_to_h2(h2_headers(101, 1, ':method', 'GET', ':scheme', 'http', ':path',
        '/tickets/concert', ':authority', 'x'), $s);
    ok(wait_for(20, sub { metric('pending') == 30 }), 'thirty wait');
    close $s;
    ok(wait_for(20, sub {
        metric('requests_total{action="book",result="client_closed"}') == 30
    }), 'all are given up');
    TicketRedis::go_on();
    ok(wait_for(20, sub { metric('pending') == 0 }), 'and come back');
    is(redis('XLEN', 'ticket:{concert}:outbox:0'), 30, 'all are sold and told');
    all_well();
};


subtest 'waiting streams are answered when the worker is asked to leave' => sub {
    started();
    TicketRedis::pause();
    my $s = h2_open($plain);
    send_to_h2(h2_post(1, 'ann') . h2_post(3, 'bob'), $s);
    ok(wait_for(20, sub { metric('pending') == 2 }), 'two wait');
    my $pid = $nginx->master;
    $nginx->signal('QUIT');
    sleep 0.2;
    TicketRedis::go_on();
    my $got = h2_bodies($s, 2);
    is(scalar(grep { /"booking_id"/ } values %$got), 2, 'both are answered')
        or diag(explain($got));
    close $s;
    ok($nginx->gone(20, $pid), 'and it leaves');
    is($nginx->bad, '', 'nothing bad in the log');
};


done_testing();
