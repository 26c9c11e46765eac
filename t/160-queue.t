# A waiting room over HTTP: who enters gets a place that nothing but his own
# leaving changes, or a pass; and what he is told of it is true.

use lib 't/lib';
use Digest::SHA qw(sha1_hex sha256_hex);
use JSON::PP;
use TicketTest;
use TicketNginx;
use TicketRoom;
use Test::More;
use Time::HiRes qw(sleep);

my $port = server_port();
my ($port2, $port3) = (TicketRedis::free_port(), TicketRedis::free_port());
my $nginx = TicketNginx->new;
(my $config = $HttpConfig) =~ s/timeout=5s/timeout=1s/;
my $http = <<"EOC";
$config
ticket_pass_keys keys;
ticket_queue_tick 100ms;
log_format place '\$uri \$status \$ticket_result \$ticket_queue_position';
server {
    listen 127.0.0.1:$port;
    listen 127.0.0.1:$port2 http2;
    listen 127.0.0.1:$port3 ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key cert.pem;
    ticket_user \$http_x_user;
    merge_slashes off;

    location ~ ^/queues/(?<q>[^/]*)\$ {
        ticket queue;
        ticket_queue \$q;
        access_log logs/place.log place;
    }
    location = /asked { ticket queue; ticket_queue \$arg_q; }
    location = /book { ticket book; ticket_queue on; }
    location = /direct { ticket book; }
    location = /metrics { ticket metrics; }
    location = /ready { ticket ready; }
}
EOC


# one request: status and `code` or state, what the body says, all of the answer
sub ask {
    my ($request, $user, @headers) = @_;
    push @headers, "X-User: $user" if defined $user;
    my $answer = http("$request HTTP/1.0\r\n" . join('', map { "$_\r\n" } @headers) . "\r\n");
    my ($status) = $answer =~ m{^HTTP/1\.\d (\d+)};
    my $json = eval { decode_json(body($answer)) } // {};
    my $what = "$status " . ($json->{code} // $json->{state} // '?');
    return wantarray ? ($what, $json, $answer) : $what;
}


sub cookies { return $_[0] =~ /^Set-Cookie: (.*?)\r?$/mig }


sub connected {
    wait_for(30, sub { get('/ready') =~ m{^HTTP/1\.\d 200} })
        or die "not ready: " . $nginx->log;
}


# an empty Redis with a room, whose picture this worker has; its name is new
# each time, so that it has no older one
sub office {
    my (%with) = @_;
    our $n++;
    fresh();
    room("shop$n", %with);
    return "/queues/shop$n";
}


sub name { return substr $_[0], length '/queues/' }


# all of these in line, one after the other
sub line_up {
    my ($uri, @users) = @_;
    my @got = map { (ask("POST $uri", $_))[1] } @users;
    die "not waiting\n" if grep { $_->{state} ne 'waiting' } @got;
    return @got;
}


# so many times worker 0 has looked which rooms there are
sub ticks { return (redis('INFO', 'commandstats')->{cmdstat_sscan} // '') =~ /calls=(\d+)/ ? $1 : 0 }
sub evals { return (redis('INFO', 'commandstats')->{cmdstat_evalsha} // '') =~ /calls=(\d+)/ ? $1 : 0 }


sub ticked {
    my $end = ticks() + ($_[0] // 3);
    wait_for(30, sub { ticks() >= $end }) or die "no tick\n";
}


write_keys("$nginx->{root}/keys");
system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout $nginx->{root}/cert.pem"
    . " -out $nginx->{root}/cert.crt 2>/dev/null && cat $nginx->{root}/cert.crt >> $nginx->{root}/cert.pem") == 0
    or die "no certificate\n";
fresh();
$nginx->start(http => $http);
connected();


subtest 'an empty room with room gives a pass at once' => sub {
    my $uri = office(capacity => 1);
    my ($what, $json, $answer) = ask("POST $uri", 'ann');
    is($what, '200 admitted', 'admitted');
    is(join(' ', sort keys %$json), 'expires_at expires_in_ms pass queue state user', 'what is said');
    is("$json->{queue} $json->{user}", name($uri) . ' ann', 'of whom and where');
    cmp_ok($json->{expires_in_ms}, '<=', 60000, 'for how long');
    my $expires = live(name($uri), 'ann');
    my @field = split /\./, $json->{pass};
    is("$field[0] $field[1] " . ($field[1] - $field[2]), "$Kid $expires 60000", 'until when');
    is($json->{pass}, signed_pass(name($uri), 'ann', $expires), 'signed by our key');
    like($json->{expires_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'as a time');
    is_deeply([cookies($answer)], ["ticket_pass=$json->{pass}; Path=/; HttpOnly; SameSite=Lax;"
        . " Max-Age=" . int($json->{expires_in_ms} / 1000)], 'and as a cookie');
    like($answer, qr/^Cache-Control: no-store\r$/m, 'nobody keeps it');

    is((ask("POST $uri", 'ann'))[1]{pass}, $json->{pass}, 'asked again it is the same');
    is((ask("GET $uri", 'ann'))[1]{pass}, $json->{pass}, 'and so is what GET gives');
};


subtest 'whoever comes later waits in line' => sub {
    my $uri = office(capacity => 1, rate => 1);
    is(ask("POST $uri", 'ann'), '200 admitted', 'the first one is in');
    my @got = line_up($uri, qw(bob cid dan));
    my ($what, $json, $answer) = ask("POST $uri", 'cid');

    is(join(' ', sort keys %$json), 'ahead eta_seconds number place poll_after_ms position queue '
       . 'room state unlikely user waiting', 'what is said');
    is("@{$json}{qw(user state position ahead waiting)}", 'cid waiting 2 1 3', 'where he is');
    is(join(' ', map { $_->{position} } @got), '1 2 3', 'in the order they came');
    is($got[2]{number} - $got[0]{number}, 2, 'with numbers that follow one another');
    is($json->{number}, $got[1]{number}, 'asked again it is the same');
    like($json->{eta_seconds}, qr/^\d+$/, 'a time is estimated');
    ok(!$json->{unlikely}, 'nothing is unlikely where nothing is sold');
    is($json->{room}, 'open', 'people are let in');

    my ($after) = $answer =~ /^Retry-After: (\d+)\r$/m;
    is($after, int(($json->{poll_after_ms} + 999) / 1000), 'Retry-After says the same, in seconds');
    cmp_ok($json->{poll_after_ms}, '>=', 80, 'not before the next tick');
    is_deeply([cookies($answer)], ["ticket_place=$json->{place}; Path=/; HttpOnly; SameSite=Lax;"
        . ' Max-Age=86400'], 'the place is a cookie');
    like($json->{place}, qr/^$Kid\.$json->{number}\.\d+\./, 'with his number');

    ($what, my $get, $answer) = ask("GET $uri", 'cid', "Ticket-Place: $json->{place}");
    is($what, '202 waiting', 'GET tells it too');
    is($get->{place}, $json->{place}, 'and who shows his place keeps the time he came');
    is(ask("GET $uri", 'eve'), '404 not_waiting', 'but puts nobody in line');
    like(http("HEAD $uri HTTP/1.0\r\nX-User: cid\r\n\r\n"), qr/^HTTP\S+ 202 .*\r\n\r\n\z/s, 'HEAD');

    my @far = line_up($uri, map { "u$_" } 1 .. 30);
    cmp_ok($far[-1]{poll_after_ms}, '>', $got[0]{poll_after_ms}, 'the farther, the later to ask');
    cmp_ok($far[-1]{eta_seconds}, '>', $got[0]{eta_seconds}, 'and the longer it takes');
    wait_for(5, sub { TicketRedis::text("$nginx->{root}/logs/place.log")
        =~ m{^\Q$uri\E 202 waiting 33$}m });
    like(TicketRedis::text("$nginx->{root}/logs/place.log"), qr{^\Q$uri\E 202 waiting 33$}m,
         '$ticket_queue_position');
};


subtest 'nobody sleeps through his pass' => sub {
    my $uri = office(capacity => 50, rate => 1, pass_ttl => 6000);
    is(ask("POST $uri", 'ann'), '200 admitted', 'one a second');
    my @got = line_up($uri, map { "u$_" } 1 .. 25);
    cmp_ok($got[-1]{eta_seconds}, '>=', 15, 'it may take long');
    cmp_ok($got[-1]{poll_after_ms}, '<=', 2400, 'but he asks before a pass could be over');
};


subtest 'over HTTP/2' => sub {
    my $uri = office(capacity => 1);
    my $curl = sub {
        my @command = ('curl', '-si', '--http2-prior-knowledge', '-X', $_[0], '-H', "X-User: $_[1]",
            "http://127.0.0.1:$port2$uri");
        open my $out, '-|', @command or die "curl: $!\n";
        return join '', <$out>;
    };
    like($curl->('POST', 'ann'), qr/^HTTP\/2 200.*"state":"admitted"/s, 'admitted');
    like($curl->('POST', 'bob'), qr/^HTTP\/2 202.*^set-cookie: ticket_place=.*"position":1/ms, 'waiting');
    like($curl->('DELETE', 'bob'), qr/^HTTP\/2 200.*"state":"left"/s, 'left');
    like($curl->('GET', 'bob'), qr/^HTTP\/2 404.*"code":"not_waiting"/s, 'gone');
};


subtest 'over TLS the cookies are secure' => sub {
    my $uri = office(capacity => 1);
    for my $user (qw(ann bob)) {
        open my $out, '-|', 'curl', '-sik', '-X', 'POST', '-H', "X-User: $user",
            "https://127.0.0.1:$port3$uri" or die "curl: $!\n";
        like(join('', <$out>), qr/^Set-Cookie: ticket_(?:pass|place)=[^;]+; Path=.*; Secure\r$/m, $user);
    }
};


subtest 'who leaves makes room' => sub {
    my $uri = office(capacity => 1);
    ask("POST $uri", 'ann');
    line_up($uri, qw(bob cid dan));
    my ($what, $json, $answer) = ask("DELETE $uri", 'bob');
    is($what, '200 left', 'out of the line');
    is("$json->{queue} $json->{user}", name($uri) . ' bob', 'who and where');
    is(join(' ', sort map { /^(\w+=); .*Max-Age=0$/ } cookies($answer)),
       'ticket_pass= ticket_place=', 'his cookies are taken away');
    is((ask("GET $uri", 'cid'))[1]{position}, 1, 'the next one moves up');
    is(ask("DELETE $uri", 'bob'), '404 not_waiting', 'nobody leaves twice');

    is(ask("DELETE $uri", 'ann'), '200 left', 'a pass is given back');
    ok(wait_for(10, sub { ask("GET $uri", 'cid') eq '200 admitted' }), 'and goes to the next');
    is(room_value(name($uri), 'returned'), 1, 'counted');
    is(ask("GET $uri", 'dan'), '202 waiting', 'to nobody else');
};


subtest 'a pass that nobody uses goes on to the next' => sub {
    my $uri = office(capacity => 1, pass_ttl => 200);
    ask("POST $uri", 'ann');
    my ($bob) = line_up($uri, 'bob');
    ok(wait_for(10, sub { (ask("GET $uri", 'bob'))[0] ne '202 waiting' }), 'he waits no more');
    ok(room_value(name($uri), 'expired') >= 1, 'hers expired');
    is(ask("GET $uri", 'ann'), '404 not_waiting', 'she has nothing');
};


subtest 'a place is shown again after Redis lost it' => sub {
    my $uri = office(capacity => 1);
    my $S = name($uri);
    ask("POST $uri", 'ann');
    my ($bob, $cid, $dan) = line_up($uri, qw(bob cid dan));
    my %was = map { $_ => room_value($S, $_) // '' } qw(capacity rate share pass_ttl state tickets
        max_lag opens_at draw seed draw_hash origin drawn);

    fresh();
    restore($S, %was, state => 'paused');
    wait_for(10, sub { (ask("GET $uri", 'eve'))[0] eq '404 not_waiting' });

    is((ask("POST $uri", 'new'))[1]{position}, 1, 'somebody new is the first to come');
    is((ask("POST $uri", 'dan', "Ticket-Place: $dan->{place}"))[1]{position}, 1,
       'before him who shows an older place');
    is((ask("GET $uri", 'bob', "Cookie: x=y; ticket_place=$bob->{place}"))[1]{position}, 1,
       'in the cookie too, and GET restores it');
    is((ask("GET $uri", 'cid'))[0], '404 not_waiting', 'who shows none has none');
    is((ask("POST $uri", 'cid', "Ticket-Place: $cid->{place}"))[1]{position}, 2,
       'each in his old place');
    is((ask("POST $uri", 'dan'))[1]{position}, 3, 'the same order again');
    is((ask("POST $uri", 'new'))[1]{position}, 4, 'and the new one behind them');

    (my $forged = $bob->{place}) =~ s/\.\d+\./.@{[ $bob->{number} - 1 ]}./;
    is((ask("POST $uri", 'fay', "Ticket-Place: $forged"))[1]{position}, 5, 'a forged one is none');
    is((ask("POST $uri", 'gil', "Ticket-Place: $bob->{place}"))[1]{position}, 6, "nor is another's");
};


subtest 'an old place gains nothing while Redis knows better' => sub {
    my $uri = office(capacity => 1);
    ask("POST $uri", 'ann');
    my ($bob) = line_up($uri, qw(bob cid));
    ask("DELETE $uri", 'bob');
    is((ask("POST $uri", 'bob', "Ticket-Place: $bob->{place}"))[1]{position}, 2, 'at the end');
};


# its number is small, and may be above all that the next room has given so far
subtest 'a place in the draw of a room that was deleted' => sub {
    my @draw = (opens_at => redis_ms() + 1000000, draw => 1, seed => 'x', draw_hash => sha256_hex('x'));
    my $uri = office(@draw);
    my ($ann, $bob) = line_up($uri, qw(ann bob));
    room(name($uri), state => 'deleted');
    room(name($uri), capacity => 10, @draw);
    is((ask("GET $uri", 'bob', "Ticket-Place: $bob->{place}"))[0], '404 not_waiting', 'is none');
    is((ask("POST $uri", 'bob', "Ticket-Place: $bob->{place}"))[1]{number}, 1, 'he gets a new one');
};


subtest 'what the room is for' => sub {
    my $uri = office(capacity => 10, state => 'paused');
    is((ask("POST $uri", 'ann'))[0], '202 waiting', 'paused: everybody waits');
    is((ask("POST $uri", 'ann'))[1]{eta_seconds}, undef, 'nobody knows how long');
    is((ask("POST $uri", 'ann'))[1]{room}, 'paused', 'but why');
    ticked();
    is((ask("POST $uri", 'ann'))[0], '202 waiting', 'nobody is let in');

    room(name($uri), state => 'draining', capacity => 1);
    my ($what, $json) = ask("POST $uri", 'new');
    is("$what $json->{state}", '403 queue_closed draining', 'draining: nobody new');
    ok(wait_for(10, sub { (ask("GET $uri", 'ann'))[0] eq '200 admitted' }), 'who waits gets in');

    room(name($uri), state => 'closed');
    ($what, $json) = ask("POST $uri", 'new');
    is("$what $json->{state}", '403 queue_closed closed', 'closed');
    is((ask("POST $uri", 'ann'))[0], '200 admitted', 'who is in is in');

    room(name($uri), state => 'open', capacity => 2);
    ok(wait_for(10, sub { (ask("POST $uri", 'new'))[0] eq '200 admitted' }), 'open again');
};


subtest 'what is unlikely is said' => sub {
    my $uri = office();
    my $S = name($uri);
    ticket($S, capacity => 2);
    ticket("vip\@$S", capacity => 1);
    room($S, capacity => 1, tickets => "$S vip\@$S");
    is((ask("POST $uri", 'ann'))[0], '200 admitted', 'other tickets than an instant ago');
    my @got = line_up($uri, qw(bob cid dan eve));
    ticked();
    is(join(' ', map { (ask("GET $uri", $_))[1]{unlikely} ? 1 : 0 } qw(bob cid dan eve)),
       '0 0 1 1', 'three places: one pass, two who wait');

    redis('HSET', TicketTest::key("vip\@$S"), 'history', 'of another Redis');
    ticked();
    is(join(' ', map { (ask("GET $uri", $_))[1]{unlikely} ? 1 : 0 } qw(bob cid dan eve)),
       '0 0 0 0', 'not while a ticket recovers: nobody knows what is left');
    redis('HSET', TicketTest::key("vip\@$S"), 'history', replid());
    ticked();

    my $pass = signed_pass($S, 'ann', live($S, 'ann'));
    like(http("POST /book?ticket=$S HTTP/1.0\r\nX-User: ann\r\nTicket-Pass: $pass\r\n\r\n"),
         qr/^HTTP\S+ 201 /, 'a booking uses the pass up');
    ok(wait_for(10, sub { (ask("GET $uri", 'bob'))[0] eq '200 admitted' }), 'the next one is in');
    is(room_value($S, 'used'), 1, 'counted');
};


subtest 'an opening draw is fair, and anyone can see that it was' => sub {
    my $seed = 'a-seed-that-nobody-knows';
    my $opens = redis_ms() + 4000;
    my $uri = office(capacity => 1, opens_at => $opens, draw => 1, seed => $seed,
                     draw_hash => sha256_hex($seed));
    my @users = map { "u$_" } 1 .. 20;
    my @got = line_up($uri, @users);
    my ($what, $json);
    wait_for(2, sub { ($what, $json) = ask("GET $uri", 'u7'); $json->{draw}{entries} == 20 });

    if (redis_ms() < $opens) {
        is_deeply([@{$json}{qw(position ahead eta_seconds)}], [undef, undef, undef], 'no position yet');
        ok($json->{drawing}, 'it is being drawn');
        is_deeply($json->{draw}, { hash => sha256_hex($seed), seed => undef, entries => 20 },
                  'the hash is told, not the seed');
        is("$json->{number} $json->{waiting}", '7 20', 'with a number of his own');
        like($json->{opens_at}, qr/^\d{4}-/, 'and when it opens');
    }
    room(name($uri), state => 'paused');
    wait_for(20, sub { redis_ms() > $opens });
    ok(wait_for(20, sub { ($what, $json) = ask("GET $uri", 'u7'); $json->{draw}{seed} }),
       'the seed is told');
    is_deeply($json->{draw}, { hash => sha256_hex($seed), seed => $seed, entries => 20 }, 'it is the one');
    ok(!$json->{drawing}, 'the draw is over');

    my %key = map { ("u$_" => hex(substr sha1_hex("$json->{draw}{seed}:$_"), 0, 7) * 4194304 + $_) } 1 .. 20;
    my @order = sort { $key{$a} <=> $key{$b} } @users;
    my %at = map { $_ => (ask("GET $uri", $_))[1]{position} } @users;
    is(join(' ', sort { $at{$a} <=> $at{$b} } @users), "@order", 'the order is that of the seed');
    is((ask("POST $uri", 'late'))[1]{position}, 21, 'who comes later is behind all of them');

    room(name($uri), state => 'open');
    ok(wait_for(20, sub { (ask("GET $uri", $order[0]))[0] eq '200 admitted' }), 'the first one is in');
    is((ask("GET $uri", $order[1]))[1]{position}, 1, 'the second one is next');
};


subtest 'an opening without a draw' => sub {
    my $opens = redis_ms() + 60000;
    my $uri = office(capacity => 5, opens_at => $opens);
    my @got = line_up($uri, qw(ann bob));
    is("$got[0]{position} $got[1]{position}", '1 2', 'first come, first served');
    like($got[1]{opens_at}, qr/^\d{4}-/, 'when it opens');
    cmp_ok($got[1]{eta_seconds}, '>', 30, 'not before');
    ok(!exists $got[1]{draw}, 'nothing is drawn');
};


subtest 'requests that are none' => sub {
    my $uri = office();
    for my $name ('a%40b', 'a%7Bb', 'a%20b', '') {
        is(ask("POST /queues/$name", 'ann'), '400 invalid_queue', "the name '$name'");
    }
    is(ask('POST /asked', 'ann'), '400 invalid_queue', 'no name');
    is(ask('POST /asked?q=..', 'ann'), '400 invalid_queue', 'two dots');
    is(ask('POST /asked?q=%zz', 'ann'), '400 invalid_queue', 'a name that is not encoded properly');
    is(ask('POST /asked?q=' . name($uri), 'ann'), '200 admitted', 'a name from the query');
    is(ask("$_ $uri"), '401 user_required', "$_ of nobody") for qw(POST GET DELETE);
    is(ask("$_ $uri", 'a b'), '400 invalid_user', "$_ of somebody impossible") for qw(POST GET DELETE);
    for my $method (qw(PUT PATCH)) {
        my ($what, $json, $answer) = ask("$method $uri", 'ann');
        is($what, '405 method_not_allowed', $method);
        like($answer, qr/^Allow: GET, HEAD, POST, DELETE\r$/m, "$method: what is allowed");
    }
    like(http("POST $uri HTTP/1.0\r\nX-User: ann\r\nContent-Type: application/json\r\n"
              . "Content-Length: 9\r\n\r\n{\"x\": 12}"), qr/"code":"unknown_field"/, 'a body that is none');
    is(ask("$_ /queues/nowhere", 'ann'), '404 unknown_queue', "$_ of a room that is not there")
        for qw(POST GET DELETE);
    room(name($uri), state => 'deleted');
    is(ask("$_ $uri", 'ann'), '404 unknown_queue', "$_ of one that was deleted") for qw(POST GET DELETE);
};


subtest 'names that somebody invents leave nothing behind' => sub {
    fresh();
    my %got;
    $got{ask("POST /queues/invented$_", 'ann')}++ for 1 .. 1100;
    is_deeply(\%got, { '404 unknown_queue' => 1100 }, 'more than a worker could remember');
    my $before = evals();
    ticked(10);
    cmp_ok(evals() - $before, '<', 100, 'nobody asks for them again');    # but for rooms of other tests
};


subtest 'what the metrics say' => sub {
    my $uri = office(capacity => 2);
    my $S = name($uri);
    my $waits = metric('queue_wait_seconds_count');
    ask("POST $uri", $_) for qw(ann bob);
    my ($cid) = line_up($uri, qw(cid dan eve));
    ask("DELETE $uri", 'bob');
    my ($what, $json, $answer);
    ok(wait_for(10, sub { ($what, $json, $answer) = ask("GET $uri", 'cid', "Ticket-Place: $cid->{place}");
                          $what eq '200 admitted' }), 'he is in');
    is((grep { /^ticket_place=; .*Max-Age=0$/ } cookies($answer)), 1, 'his place is taken away');
    is(metric('queue_wait_seconds_count') - $waits, 1, 'how long he waited is observed');
    ask("GET $uri", 'cid', "Ticket-Place: $cid->{place}", "Cookie: ticket_pass=$json->{pass}");
    is(metric('queue_wait_seconds_count') - $waits, 1, 'once');
    ok(wait_for(10, sub { metric('queue_waiting') == 2 && metric('queue_passes_live') == 2
                          && metric('queue_passes_total{outcome="issued"}') == 3
                          && metric('queue_passes_total{outcome="returned"}') == 1 }), 'the counts')
        or diag(grep { /queue/ } split /^/, get('/metrics'));
    is(metric("queue_passes_total{outcome=\"$_\"}"), 0, $_) for qw(used expired);
    is(metric('queue_streams'), 0, 'nobody listens');
    like(metric('queue_admissions_per_second'), qr/^\d+\.\d{3}$/, 'the rate');
    is(metric('requests_total{action="queue",result="left"}') > 0, 1, 'requests are counted, too');

    # an old worker that does not get to leave
    my ($old) = $nginx->workers;
    kill 'STOP', $old;
    $nginx->signal('HUP');
    ok(wait_for(20, sub { scalar $nginx->workers == 2 }), 'a reload: the new worker is there');
    connected();
    ok(wait_for(10, sub { (ask("GET $uri", 'cid'))[0] eq '200 admitted' && metric('queue_waiting') > 0 }), 'and knows the room');
    ticked(2);
    is(metric('queue_passes_total{outcome="issued"}'), 3, 'passes are not counted twice');
    kill 'CONT', $old;
    ok($nginx->gone(20, $old), 'the old one leaves');
};


subtest 'nobody is let in while the database is behind' => sub {
    my $uri = office();
    my $S = name($uri);
    ticket($S);
    like(http("POST /direct?ticket=$S HTTP/1.0\r\nX-User: zoe\r\n\r\n"), qr/^HTTP\S+ 201 /, 'a booking');
    room($S, tickets => $S, max_lag => 1);
    ask("GET $uri", 'ann');
    ticked();
    is(ask("POST $uri", 'ann'), '202 waiting', 'it is not stored: one waits, though there is room');
    ok(wait_for(10, sub { metric('queue_rooms_stalled') == 1 }), 'which is a metric');
    is(metric('queue_rooms'), 1, 'of this room');
    redis('HSET', "ticket:{$S}", 'persisted:0', '1-1');
    ok(wait_for(10, sub { ask("GET $uri", 'ann') eq '200 admitted' }), 'stored: she is in');
    ok(wait_for(10, sub { metric('queue_rooms_stalled') == 0 }), 'nothing is stalled');
};


subtest 'when Redis is away' => sub {
    my $uri = office(capacity => 1);
    ask("POST $uri", 'ann');
    TicketRedis::pause();
    is(ask("POST $uri", 'bob'), '504 outcome_unknown', 'no answer: nobody knows');
    is(ask("DELETE $uri", 'ann'), '504 outcome_unknown', 'whether she left, too');
    is(ask('POST /queues/another', 'ann'), '503 unavailable', 'a room nobody has seen: nothing was sent');
    TicketRedis::go_on();
    connected();
    ok(wait_for(20, sub { ask("GET $uri", 'bob') eq '404 not_waiting' }), 'nothing was done: he is not in line');
    is(ask("GET $uri", 'ann'), '200 admitted', 'and she has not left');
    is(join(' ', @{ redis('ZRANGE', (room_keys(name($uri)))[1], 0, -1) }), '', 'nobody waits');

    TicketRedis::stop();
    wait_for(20, sub { ask("POST $uri", 'bob') eq '503 unavailable' });
    is(ask("$_ $uri", 'bob'), '503 unavailable', "$_ without a connection") for qw(POST GET DELETE);
    TicketRedis::start();
    ok(wait_for(30, sub { ask("POST $uri", 'bob') eq '503 recovering' }),
       'an empty Redis that may have forgotten the room') or diag(ask("POST $uri", 'bob'));
    fresh();
    ok(wait_for(30, sub { ask("POST $uri", 'bob') eq '404 unknown_queue' }), 'and one that has not');
};


subtest 'a worker remembers so many rooms and no more' => sub {
    my $uri = office();
    redis('SADD', 'queues', map { "deleted$_" } 1 .. 1100);
    ticked(10);
    is(ask("POST $uri", 'ann'), '200 admitted', 'names without rooms are in nobody\'s way');
    my ($n, $what) = 0;
    do {
        room("many$n");
        $what = ask("POST /queues/many$n", 'ann');
    } while ($what eq '200 admitted' && ++$n < 1100);
    is($what, '503 overloaded', 'one room too many');
    cmp_ok($n, '>', 400, 'after many');
    is(ask("POST /queues/many$n", 'ann'), '503 overloaded', 'and again');
    is(ask("POST $uri", 'bob'), '200 admitted', 'the others go on');
    is(() = $nginx->log =~ /\[error\] .*more than 1024 rooms are in use/g, 1, 'logged, once');
    redis('DEL', 'queues');
};


is($nginx->bad, '', 'nothing bad was logged');
ok($nginx->quit, 'it ends when it is told to');
is($nginx->bad, '', 'and nothing bad was logged then');
done_testing();
