# Commands for one ticket that are ready in one turn of the event loop leave in
# one call, and each gets a result of its own; what concerns the call as a whole
# (lanes, history, an error half-way) concerns them all.

use lib 't/lib';
use Compress::Zlib ();
use TicketTest;
use TicketNginx;
use Test::More;
use Time::HiRes qw(sleep time);

my $port = server_port();
my $nginx = TicketNginx->new;
my $worker;


sub started {
    my ($http, $more) = @_;
    fresh();
    $nginx->start(http => ($http // $HttpConfig)
        . "server { listen 127.0.0.1:$port; $Locations @{[ $more // '' ]} }");
    ready();
    ($worker) = $nginx->workers;
}


sub all_well {
    ok($nginx->quit, 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
    unlink "$nginx->{root}/logs/error.log";
}


sub at_once { return $nginx->at_once(@_) }


sub statuses {
    my %n;
    $n{/^HTTP\S+ (\d+)/ ? $1 : 'none'}++ for @_;
    return join ' ', map { "$_:$n{$_}" } sort keys %n;
}


# how much the counters rose while something was done
sub rise {
    my ($code, @names) = @_;
    my $before = metrics();
    my @result = $code->();
    my $after = metrics();
    return (\@result, map {
        ($after->{"ticket_edge_$_"} // 0) - ($before->{"ticket_edge_$_"} // 0)
    } @names);
}


my @batch = qw(batch_commands_count batch_commands_sum);


subtest 'forty bookings, one call' => sub {
    started();
    ticket('concert', capacity => 100);
    my ($got, $calls, $commands) = rise(sub {
        at_once(map { [POST => '/book?ticket=concert', "u$_"] } 1 .. 40)
    }, @batch);
    is(statuses(@$got), '201:40', 'all are sold');
    is("$calls $commands", '1 40', 'by one call');
    my %left = map { /"remaining":(\d+)/ ? ($1 => 1) : () } @$got;
    is(scalar keys %left, 40, 'each sees another rest');
    all_well();
};


subtest 'more than 64 are two calls' => sub {
    started();
    ticket('concert', capacity => 100);
    my ($got, $calls, $commands) = rise(sub {
        at_once(map { [POST => '/book?ticket=concert', "u$_"] } 1 .. 100)
    }, @batch);
    is(statuses(@$got), '201:100', 'all are sold');
    is("$calls $commands", '2 100', 'by two calls');
    all_well();
};


subtest 'ten want the last three' => sub {
    started();
    ticket('concert', capacity => 3);
    my ($got, $calls) = rise(sub {
        at_once(map { [POST => '/book?ticket=concert', "u$_"] } 1 .. 10)
    }, @batch);
    is(statuses(@$got), '201:3 409:7', 'three get them');
    is($calls, 1, 'by one call');
    is(scalar(grep { /"sold_out"/ } @$got), 7, 'seven do not');
    is(redis('HGET', 'ticket:{concert}', 'remaining'), 0, 'nothing is left');
    is(redis('HLEN', 'ticket:{concert}:buyers'), 3, 'three have it');
    all_well();
};


subtest 'one user at once: one booking' => sub {
    started();
    ticket('concert', capacity => 100);
    my ($got, $calls) = rise(sub {
        at_once(map { [POST => '/book?ticket=concert', 'ann'] } 1 .. 10)
    }, @batch);
    is(statuses(@$got), '201:1 409:9', 'one, and nine refusals');
    is($calls, 1, 'by one call');

    ($got) = rise(sub {
        at_once(map { [POST => '/book?ticket=concert', 'bob',
                       'Idempotency-Key: k'] } 1 .. 10)
    });
    is(statuses(@$got), '200:9 201:1', 'with a key nine replays');
    my %id = map { /"booking_id":"([^"]+)"/ ? ($1 => 1) : () } @$got;
    is(scalar keys %id, 1, 'of one booking');
    all_well();
};


subtest 'good and bad, booking and cancelling, two tickets: every one its own answer' => sub {
    started(undef, 'location = /few { ticket book; ticket_max_backlog 1000; }');
    ticket('concert', capacity => 100, per_user => 2);
    ticket('opera@x', capacity => 100);
    post('/book?ticket=concert', 'old');
    my ($got, $calls) = rise(sub {
        at_once(
            [POST => '/book?ticket=concert&quantity=2', 'a'],
            [POST => '/book?ticket=concert&quantity=3', 'b'],
            [POST => '/book?ticket=opera%40x', 'a'],
            [POST => '/cancel?ticket=concert', 'old'],
            [POST => '/cancel?ticket=concert', 'nobody'],
            [GET => '/tickets/concert/booking', 'old'],
            [POST => '/few?ticket=concert', 'c'],
            [POST => '/book?ticket=nothing', 'd'],
            [POST => '/book?ticket=concert', 'old'],
        )
    }, @batch);
    my @code = map {
        my ($status) = /^HTTP\S+ (\d+)/;
        my ($code) = /"code":"(\w+)"/;
        $code // $status;
    } @$got;
    is("@code[0, 1, 2, 3, 4, 6, 7, 8]", '201 limit_exceeded 201 200 not_booked '
        . '201 unknown_ticket already_booked', 'as each deserves');
    is($calls, 7, 'book, book with another backlog, cancel, booking, two tickets,'
        . ' the one nobody knows twice');
    all_well();
};


subtest 'a booking shows how many shared its call' => sub {
    started(undef, 'add_header Shared $ticket_batch always;');
    ticket('concert', capacity => 100);
    my @got = at_once(map { [POST => '/book?ticket=concert', "u$_"] } 1 .. 7);
    is(scalar(grep { /^Shared: 7\r$/m } @got), 7, 'seven');
    like(post('/book?ticket=concert', 'x'), qr/^Shared: 1\r$/m, 'one');
    all_well();
};


subtest 'one answer for all who look' => sub {
    started();
    ticket('concert', capacity => 100);
    my ($got, $calls) = rise(sub {
        at_once(map { [GET => '/tickets/concert', "u$_"] } 1 .. 30)
    }, 'redis_roundtrip_seconds_count');
    is(statuses(@$got), '200:30', 'thirty look');
    cmp_ok($calls, '<=', 3, 'one asks (and the edge itself for the catalogue)');

    post('/book?ticket=concert', 'ann');
    ok(wait_for(5, sub { get('/tickets/concert') =~ /"remaining":99/ }), 'renewed');
    all_well();
};


subtest 'lanes are learned from the first refusal' => sub {
    started();
    ticket('concert', capacity => 100, lanes => 4);
    my ($got, $calls) = rise(sub {
        at_once(map { [POST => '/book?ticket=concert', "u$_"] } 1 .. 20)
    }, 'redis_roundtrip_seconds_count');
    is(statuses(@$got), '201:20', 'twenty are sold');
    for my $i (1 .. 20) {
        my $lane = Compress::Zlib::crc32("u$i") % 4;
        like($got->[$i - 1], qr/"booking_id":"concert:$lane:1-\d+"/, "u$i");
    }
    is(redis('SCARD', 'tickets:recover'), 0, 'nothing to recover');

    redis('FLUSHDB');
    redis('SET', 'catalogue', replid());
    ticket('concert', capacity => 100, lanes => 2);
    like(post('/book?ticket=concert', 'ann'), qr/^HTTP\S+ 201/, 'fewer, later');
    like(post('/cancel?ticket=concert', 'ann'), qr/^HTTP\S+ 200/, 'and cancelled');
    all_well();
};


subtest 'a closed ticket is queued for recovery, once a second' => sub {
    started();
    ticket('concert');
    close_ticket('concert');
    my $start = time();
    my ($got, $asked) = rise(sub {
        my @got = at_once(map { [POST => '/book?ticket=concert', "u$_"] } 1 .. 20);
        push @got, post('/cancel?ticket=concert', "u$_"),
            get('/tickets/concert') for 1 .. 10;
        @got
    }, 'recover_requests_total');
    is(statuses(@$got), '503:40', 'all are refused');
    cmp_ok($asked, '<=', 1 + int(time() - $start), "asked $asked times");
    cmp_ok($asked, '>=', 1, 'at least once');
    is_deeply(redis('SMEMBERS', 'tickets:recover'), ['concert'], 'it is queued');

    redis('DEL', 'tickets:recover');
    sleep 1.1;
    post('/book?ticket=concert', 'ann');
    ok(wait_for(5, sub { redis('SCARD', 'tickets:recover') }), 'and again');

    redis('SET', 'catalogue', 'x' x 40);
    ok(wait_for(5, sub { post('/book?ticket=nothing', 'ann') =~ /"recovering"/ }),
       'what may have been forgotten');
    sleep 0.1;
    is_deeply(redis('SMEMBERS', 'tickets:recover'), ['concert'],
              'but only what is there is queued');
    all_well();
};


# Redis is emptied between two looks of the edge at `catalogue`: what it last
# read there is of no use, and it finds out before it answers.

subtest 'a catalogue is read again before it is believed' => sub {
    started();
    ticket('concert');
    like(get('/admin/tickets'), qr/"ticket":"concert"/, 'a ticket');

    redis('FLUSHDB');
    my $body = '{"capacity":5}';
    like(header(send_to(join("\r\n", 'PUT /admin/tickets/concert HTTP/1.1',
        'Host: x', 'Content-Type: application/json',
        'Content-Length: ' . length($body), '', $body))),
        qr/^HTTP\S+ 503 .*"recovering"/s, 'it is not made anew');
    is(redis('EXISTS', 'ticket:{concert}'), 0, 'indeed');

    fresh();
    ticket('concert');
    ok(wait_for(5, sub { get('/admin/tickets') =~ /"ticket":"concert"/ }),
       'it is back');
    redis('DEL', 'catalogue');
    redis('SADD', 'tickets', 'another');
    like(get('/admin/tickets'), qr/^HTTP\S+ 503 .*"recovering"/s,
         'one that may have been forgotten is not left out of the list');
    all_well();
};


# Rights are taken away behind the self-test's back: the XADD is done, what
# belongs to it is not.

subtest 'a script torn in the middle: unknown, and the ticket closes itself' => sub {
    redis('ACL', 'SETUSER', 'edge', 'on', '>x', '~*', '&*', '+@all');
    started($HttpConfig =~ s{redis://}{redis://edge:x\@}r);
    ticket('concert');
    redis('ACL', 'SETUSER', 'edge', '-hset', '-hincrby');

    my @got = at_once(map { [POST => '/book?ticket=concert', "u$_"] } 1 .. 3);
    is(scalar(grep { /^HTTP\S+ 504 .*"outcome_unknown"/s } @got), 3, 'unknown');
    is(redis('HEXISTS', 'ticket:{concert}', 'history'), 0, 'closed');
    like(post('/book?ticket=concert', 'ann'), qr/^HTTP\S+ 503 .*"recovering"/s,
         'nobody buys');
    ok(wait_for(5, sub { redis('SISMEMBER', 'tickets:recover', 'concert') }),
       'and it is to be opened anew');
    like($nginx->log, qr/\[error\].*ticket redis: a book ended with TORN: "ERR/,
         'the log says why');
    unlike($nginx->log, qr/\bu[123]\b/, 'and names nobody');
    all_well();
    redis('ACL', 'DELUSER', 'edge');
};


subtest 'an entry that Redis refuses is refused, the others are not' => sub {
    started();
    ticket('concert');

    # as if a persister had trimmed beyond it: the next number is too small
    redis('XADD', 'ticket:{concert}:outbox:0', '1-2', '1', 'x');
    my @got = at_once(map { [POST => '/book?ticket=concert', "u$_"] } 1 .. 3);
    is(statuses(@got), '503:3', 'nothing is sold');
    is(scalar(grep { /"code":"unavailable"/ } @got), 3, 'certainly not');
    is(redis('HGET', 'ticket:{concert}', 'remaining'), 10, 'all are left');
    is(redis('HLEN', 'ticket:{concert}:buyers'), 0, 'nobody has one');
    all_well();
};


subtest 'pipelined requests of one connection are answered in order' => sub {
    started();
    ticket('concert', capacity => 100);
    my $s = send_to(join '', map {
        "POST /book?ticket=concert HTTP/1.1\r\nHost: x\r\nX-User: u$_\r\n\r\n"
    } 1 .. 10);
    like(header($s), qr/^HTTP\S+ 201 .*"user":"u$_"/s, "u$_") for 1 .. 10;
    close $s;
    all_well();
};


done_testing();
