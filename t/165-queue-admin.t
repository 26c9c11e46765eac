# The office of a waiting room: it is made, changed, closed and deleted; every
# edge sees it within a tick; and every change is logged, with who and what,
# and without the seed of a draw.

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use JSON::PP;
use TicketTest;
use TicketNginx;
use TicketRoom;
use Test::More;
use Time::HiRes qw(sleep);

my $port = server_port();
my $other = TicketRedis::free_port();
my ($nginx, $second) = (TicketNginx->new,
    TicketNginx->new(root => "$Test::Nginx::Util::ServRoot-second", workers => 3));


(my $config = $HttpConfig) =~ s/timeout=5s/timeout=1s/;


sub http_block {
    my $listen = shift;
    return <<"EOC";
$config
ticket_pass_keys keys;
ticket_queue_tick 100ms;
server {
    listen 127.0.0.1:$listen;
    ticket_user \$http_x_user;

    location ~ ^/queues/(?<q>[^/]+)\$ { ticket queue; ticket_queue \$q; }
    location = /admin/queues { ticket queue_admin; }
    location ~ ^/admin/queues/(?<q>[^/]+)\$ { ticket queue_admin; ticket_queue \$q; }
    location ~ ^/anybody/(?<q>[^/]+)\$ { ticket queue_admin; ticket_queue \$q; ticket_user ""; }
    location = /metrics { ticket metrics; }
    location = /ready { ticket ready; }
}
EOC
}


# one request: status and `code`, what the body says, all of the answer
sub ask {
    my ($request, $body, %with) = @_;
    my $user = $with{user} // 'boss';
    my $head = $user eq '' ? '' : "X-User: $user\r\n";
    $head .= "Content-Type: " . ($with{type} // 'application/json') . "\r\nContent-Length: "
        . length($body) . "\r\n" if defined $body;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . ($with{port} // $port))
        or return '';
    print {$socket} "$request HTTP/1.0\r\n$head\r\n" . ($body // '');
    my $answer = answer($socket);
    my ($status) = $answer =~ m{^HTTP/1\.\d (\d+)};
    my $json = eval { decode_json(body($answer)) } // {};
    my $what = defined $json->{code} ? "$status $json->{code}" : $status // '';
    return wantarray ? ($what, $json, $answer) : $what;
}


sub fields {
    my ($json, @names) = @_;
    return join ' ', map { my $v = $json->{$_};
        "$_=" . (!defined $v ? 'null' : ref $v eq 'ARRAY' ? "[@$v]" : $v) } @names;
}


my @definition = qw(capacity rate share pass_ttl state tickets max_lag opens_at opening_draw);

for my $edge ([$nginx, $port], [$second, $other]) {
    write_keys("$edge->[0]{root}/keys");
}
fresh();
$nginx->start(http => http_block($port));
$second->start(http => http_block($other));
for my $p ($port, $other) {
    wait_for(30, sub { ask('GET /ready', undef, port => $p) =~ /^200/ }) or die "not ready\n";
}


subtest 'a room is made, with defaults' => sub {
    fresh();
    my ($what, $json) = ask('PUT /admin/queues/shop', '{"capacity":5}');
    is($what, '201', 'made');
    is(fields($json, 'queue', @definition), 'queue=shop capacity=5 rate=null share=null pass_ttl=60'
       . ' state=open tickets=[] max_lag=1000 opens_at=null opening_draw=' . JSON::PP::false,
       'what it is');
    is($json->{changed_by}, 'boss 127.0.0.1', 'who made it, and from where');
    like($json->{changed_at}, qr/^\d{4}-\d\d-\d\dT/, 'and when');
    ok(redis('SISMEMBER', 'queues', 'shop'), 'its name is in the list');
    like($nginx->log, qr/\[notice\] .*ticket queue: "shop" was created by boss 127\.0\.0\.1: capacity=5$/m,
         'logged');

    ($what, $json) = ask('GET /admin/queues/shop');
    is($what, '200', 'GET');
    is(fields($json, qw(capacity waiting live issued used expired returned)),
       'capacity=5 waiting=0 live=0 issued=0 used=0 expired=0 returned=0', 'counts, too');
    ask('POST /queues/shop', undef, user => $_) for qw(ann bob);
    is(fields((ask('GET /admin/queues/shop'))[1], qw(live issued)), 'live=2 issued=2', 'that count');

    is(ask('PUT /admin/queues/shop', '{"capacity":5}'), '200', 'made again it is there already');
};


subtest 'every field can be given, changed and cleared' => sub {
    fresh();
    my ($what, $json) = ask('PUT /admin/queues/shop', '{"capacity":2,"rate":7,"share":75,"pass_ttl":30,'
        . '"state":"paused","tickets":["shop","vip@shop"],"max_lag":500,'
        . '"opens_at":"2100-01-01T00:00:00Z","opening_draw":true}');
    my $all = 'capacity=2 rate=7 share=75 pass_ttl=30 state=paused tickets=[shop vip@shop] max_lag=500'
        . ' opens_at=2100-01-01T00:00:00.000Z opening_draw=1';
    is($what . ' ' . fields($json, @definition), "201 $all", 'all of them');
    is(room_value('shop', 'pass_ttl'), 30000, 'Redis has milliseconds');
    is(fields((ask('GET /admin/queues/shop'))[1], @definition), $all, 'GET tells them');

    ($what, $json) = ask('PATCH /admin/queues/shop', '{"rate":9}');
    is($what . ' ' . fields($json, @definition), '200 ' . ($all =~ s/rate=7/rate=9/r), 'one is changed');
    my %change = ('"capacity":3' => 'capacity=3', '"share":50' => 'share=50', '"pass_ttl":10' => 'pass_ttl=10',
        '"state":"draining"' => 'state=draining', '"tickets":["shop"]' => 'tickets=[shop]',
        '"max_lag":100' => 'max_lag=100', '"rate":null' => 'rate=null', '"share":null' => 'share=null',
        '"tickets":null' => 'tickets=[]', '"tickets":[]' => 'tickets=[]', '"opening_draw":false' => '');
    for my $change (sort keys %change) {
        ($what, $json) = ask('PATCH /admin/queues/shop', "{$change}");
        is($what, '200', "PATCH $change");
        like(fields($json, @definition), qr/\Q$change{$change}\E/, "PATCH $change: done");
    }
    ($what, $json) = ask('PATCH /admin/queues/shop', '{"opens_at":null}');
    is("$what " . fields($json, 'opens_at'), '200 opens_at=null', 'no hour');
    is((ask('PATCH /admin/queues/shop', 'rate=4&tickets=', type => 'application/x-www-form-urlencoded'))[1]{rate},
       4, 'a form');
    like($nginx->log, qr/"shop" was changed by boss 127\.0\.0\.1: rate=none$/m, 'cleared: logged');
    like($nginx->log, qr/"shop" was changed by boss 127\.0\.0\.1: tickets="shop"$/m, 'names, too');

    is(fields((ask('PUT /admin/queues/shop', '{"capacity":1}'))[1], @definition),
       'capacity=1 rate=null share=null pass_ttl=60 state=open tickets=[] max_lag=1000 opens_at=null'
       . ' opening_draw=0', 'PUT is all of it: what is not given is the default');
};


subtest 'what is no definition is refused with a sentence' => sub {
    fresh();
    my $uri = '/admin/queues/shop';
    my %wrong = (
        '{}' => "A waiting room's definition needs its capacity.",
        '{"rate":1}' => "A waiting room's definition needs its capacity.",
        '{"capacity":0}' => 'capacity must be an integer from 1 to 1000000000000.',
        '{"capacity":1,"rate":0}' => 'rate must be an integer from 1 to 1000000, or null.',
        '{"capacity":1,"share":101}' => 'share must be an integer from 1 to 100, or null.',
        '{"capacity":1,"pass_ttl":0}' => 'pass_ttl must be an integer from 1 to 86400.',
        '{"capacity":1,"state":"deleted"}' => 'state must be open, paused, draining or closed.',
        '{"capacity":1,"tickets":"shop"}' => 'tickets must be an array of strings or null.',
        '{"capacity":1,"tickets":["other"]}' =>
            'A waiting room guards the ticket of its name and those of its group.',
        '{"capacity":1,"tickets":["shop","shop@other"]}' =>
            'A waiting room guards the ticket of its name and those of its group.',
        '{"capacity":1,"opening_draw":true}' => 'An opening draw needs opens_at.',
        '{"capacity":1,"opening_draw":true,"opens_at":null}' => 'An opening draw needs opens_at.',
    );
    for my $body (sort keys %wrong) {
        my ($what, $json) = ask("PUT $uri", $body);
        is("$what $json->{detail}", "400 bad_request $wrong{$body}", "PUT $body");
    }
    is(ask("PUT $uri", '{"capacity":1,"seed":"x"}'), '400 unknown_field', 'the seed is not chosen');
    is(ask("PUT $uri", ''), '400 bad_request', 'nothing at all');
    is(ask("GET $uri"), '404 unknown_queue', 'and nothing was made');

    is(ask("PATCH $uri", '{"rate":1}'), '404 unknown_queue', 'PATCH of none');
    is(ask("DELETE $uri"), '404 unknown_queue', 'DELETE of none');
    ask("PUT $uri", '{"capacity":1}');
    is((ask("PATCH $uri", '{}'))[1]{detail}, 'No field to be changed is given.', 'PATCH of nothing');
    is((ask("PATCH $uri", '{"tickets":["b@c"]}'))[1]{detail},
       'A waiting room guards the ticket of its name and those of its group.', 'PATCH with foreign tickets');
    is((ask("PATCH $uri", '{"opening_draw":true}'))[1]{detail}, 'An opening draw needs opens_at.',
       'PATCH to a draw without an hour');
    is(ask("POST $uri", '{}'), '405 method_not_allowed', 'POST');
    is(ask('PUT /admin/queues/a%40b', '{"capacity":1}'), '400 invalid_queue', 'a name with a group');
    my ($what, $json, $answer) = ask('PUT /admin/queues', '{"capacity":1}');
    is($what, '405 method_not_allowed', 'PUT without a name');
    like($answer, qr/^Allow: GET, HEAD\r$/m, 'it can only be read');
};


subtest 'all rooms are listed' => sub {
    fresh();
    is_deeply((ask('GET /admin/queues'))[1], { queues => [], cursor => undef }, 'none');
    ask("PUT /admin/queues/r$_", qq({"capacity":$_})) for 1 .. 30;
    redis('SADD', 'queues', 'a name without a room', 'nothing');
    ask('DELETE /admin/queues/r7');
    my (%seen, $cursor, $pages);
    do {
        my ($what, $json) = ask('GET /admin/queues?limit=10' . ($cursor ? "&cursor=$cursor" : ''));
        is($what, '200', 'a page');
        $seen{$_->{queue}} = $_->{capacity} for @{ $json->{queues} };
        $cursor = $json->{cursor};
    } while (defined $cursor && ++$pages < 50);
    is_deeply(\%seen, { map { ("r$_" => $_) } grep { $_ != 7 } 1 .. 30 }, 'each of them');
    is(ask('GET /admin/queues?limit=0'), '400 bad_request', 'a page of nothing');
    is(ask('GET /admin/queues?cursor=x'), '400 bad_request', 'a cursor that is none');
};


subtest 'a room is deleted, and may be made again' => sub {
    fresh();
    ask('PUT /admin/queues/shop', '{"capacity":1}');
    ask('POST /queues/shop', undef, user => $_) for qw(ann bob);
    my ($what, $json) = ask('DELETE /admin/queues/shop');
    is("$what $json->{state}", '200 deleted', 'deleted');
    like($nginx->log, qr/"shop" was deleted by boss 127\.0\.0\.1$/m, 'logged');
    is(ask("$_ /admin/queues/shop"), '404 unknown_queue', "$_: gone") for qw(GET DELETE);
    is(ask('POST /queues/shop', undef, user => 'ann'), '404 unknown_queue', 'nobody waits there');
    is(redis('EXISTS', 'queue:{shop}', 'queue:pass:z:{shop}'), 0, 'the line is gone');
    is((ask('PUT /admin/queues/shop', '{"capacity":1}'))[0], '201', 'made again');
    is((ask('POST /queues/shop', undef, user => 'bob'))[1]{state}, 'admitted', 'empty');
};


subtest 'a draw is fixed before anybody enters, and its seed is no secret after it' => sub {
    fresh();
    my $opens = redis_ms() + 2500;
    my $time = sub { my ($s, $ms) = (int($_[0] / 1000), $_[0] % 1000);
        my @t = gmtime $s;
        sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0], $ms };
    my $body = qq({"capacity":1,"opening_draw":true,"opens_at":"@{[ $time->($opens) ]}"});
    my ($what, $json) = ask('PUT /admin/queues/shop', $body);
    is($what, '201', 'made');
    my $hash = $json->{draw}{hash};
    like($hash, qr/^[0-9a-f]{64}$/, 'the hash is told at once');
    my $secret = room_value('shop', 'seed');
    like($secret, qr/^[0-9a-f]{64}$/, 'of 256 random bits');
    is($hash, sha256_hex($secret), 'whose hash it is');
    if (redis_ms() < $opens) {
        my ($got, $page, $answer) = ask('GET /admin/queues/shop');
        is($page->{draw}{seed}, undef, 'the seed is not, not even here') if redis_ms() < $opens;
        is((ask('POST /queues/shop', undef, user => 'ann'))[1]{drawing}, JSON::PP::true, 'one enters');
    }
    wait_for(20, sub { redis_ms() > $opens });
    ($what, $json) = ask('GET /admin/queues/shop');
    is_deeply($json->{draw}, { hash => $hash, seed => $secret, entries => room_value('shop', 'drawn') + 0 },
              'drawn: now it is');
    is(ask('PATCH /admin/queues/shop', '{"opening_draw":false}'), '409 draw_fixed', 'no other draw');
    is(ask('PATCH /admin/queues/shop', '{"opens_at":"2100-01-01T00:00:00Z"}'), '409 draw_fixed',
       'nor another hour');
    is(ask('PATCH /admin/queues/shop', '{"capacity":9}'), '200', 'anything else');
    is(ask('PUT /admin/queues/shop', $body), '200', 'or the same again');
    is(room_value('shop', 'seed'), $secret, 'with the same seed');
    ask('DELETE /admin/queues/shop');
    ask('PUT /admin/queues/shop', $body);
    isnt(room_value('shop', 'seed'), $secret, 'a new room has a new one');
    my $log = $nginx->log . $second->log;
    unlike($log, qr/\Q$_\E/, 'no seed is logged') for $secret, room_value('shop', 'seed');
};


subtest 'another edge sees a change within a tick' => sub {
    fresh();
    ask('PUT /admin/queues/shop', '{"capacity":1,"tickets":["shop"]}');
    ticket('shop', capacity => 10);
    my $enter = sub { (ask('POST /queues/shop', undef, user => $_[0], port => $other))[1] };
    is($enter->('ann')->{state}, 'admitted', 'in at the other edge');
    is($enter->('bob')->{state}, 'waiting', 'another one waits');
    ask('PATCH /admin/queues/shop', '{"capacity":2,"tickets":null}');
    ok(wait_for(10, sub { $enter->('bob')->{state} eq 'admitted' }), 'there is room for two');
    is($enter->('cid')->{state}, 'waiting', 'not for three');
    ask('PATCH /admin/queues/shop', '{"state":"paused"}');
    ok(wait_for(10, sub { !defined $enter->('cid')->{eta_seconds} }), 'paused: nobody knows how long');
    ask('PATCH /admin/queues/shop', '{"state":"closed"}');
    is($enter->('dan')->{code}, 'queue_closed', 'closed');
    ask('DELETE /admin/queues/shop');
    is($enter->('dan')->{code}, 'unknown_queue', 'deleted');
    ask('PUT /admin/queues/shop', '{"capacity":1}');
    is($enter->('dan')->{state}, 'admitted', 'made again');
};


subtest 'whoever it was' => sub {
    fresh();
    is((ask('PUT /anybody/shop', '{"capacity":1}'))[1]{changed_by}, '127.0.0.1', 'nobody knows his name');
    is((ask('PUT /admin/queues/shop', '{"capacity":2}', user => 'a b'))[1]{changed_by}, '127.0.0.1',
       'a name that is none');
    unlike($nginx->log, qr/was changed by a b/, 'is not logged');
};


subtest 'no answer in time: nothing is done afterwards' => sub {
    fresh();
    ask('PUT /admin/queues/shop', '{"capacity":1}');
    ask('POST /queues/shop', undef, user => $_) for qw(ann bob);
    my $room = sub { join ' ', map { room_value('shop', $_) } qw(state capacity changed_by changed_at) };
    my $before = $room->();
    TicketRedis::pause();
    is(ask('PATCH /admin/queues/shop', '{"capacity":2}'), '504 outcome_unknown', 'PATCH: nobody knows');
    is(ask('DELETE /admin/queues/shop'), '504 outcome_unknown', 'DELETE');
    is(ask('PUT /admin/queues/new', '{"capacity":2}'), '504 outcome_unknown', 'PUT');
    TicketRedis::go_on();
    ok(wait_for(20, sub { ask('GET /admin/queues/new') eq '404 unknown_queue' }), 'no room is made');
    is($room->(), $before, 'none is changed');
    is(redis('ZCARD', (room_keys('shop'))[1]), 1, 'nor lost its line');
    is(ask('PATCH /admin/queues/shop', '{"capacity":2}'), '200', 'and then it is');
};


subtest 'when Redis may have forgotten rooms, or is away' => sub {
    fresh();
    redis('DEL', 'catalogue');
    ok(wait_for(10, sub { ask('PUT /admin/queues/shop', '{"capacity":1}') eq '503 recovering' }),
       'no room is made that may be there already');
    is(ask("$_ /admin/queues/shop", $_ eq 'PATCH' ? '{"rate":1}' : undef), '503 recovering', $_)
        for qw(GET PATCH DELETE);
    TicketRedis::stop();
    wait_for(20, sub { ask('GET /admin/queues/shop') eq '503 unavailable' });
    is(ask("$_ /admin/queues/shop", /P/ ? '{"capacity":1}' : undef), '503 unavailable', $_)
        for qw(GET PUT PATCH DELETE);
    is(ask('GET /admin/queues'), '503 unavailable', 'the list');
    TicketRedis::start();
};


for my $edge ($nginx, $second) {
    is($edge->bad, '', 'nothing bad was logged');
    ok($edge->quit, 'it ends when it is told to');
    is($edge->bad, '', 'and nothing bad was logged then');
}
done_testing();
