# With a waiting room before it, a booking needs a pass: signed by us, for this
# room and this user, live, and good for one booking.  Whoever gets past this
# with less has jumped the queue; whoever is stopped by it while he has a ticket
# already does not hear that he has one.

use lib 't/lib';
use JSON::PP;
use TicketTest;
use TicketNginx;
use TicketRoom;
use Test::More;
use Time::HiRes qw(sleep time);

my $port = server_port();
my $locations = <<'EOC';
    ticket_user $http_x_user;

    location = /book { ticket book; ticket_queue on; }
    location = /named { ticket book; ticket_queue concert; }
    location = /asked { ticket book; ticket_queue $arg_room; }
    location = /open { ticket book; }
    location = /if { ticket book; ticket_queue on; if ($arg_x) { set $y 1; } }
    location = /except {
        ticket book; ticket_queue on;
        limit_except GET { allow all; }
    }
    location /outer/ {
        ticket_queue concert;
        location = /outer/inner { ticket book; }
        location = /outer/free { ticket book; ticket_queue off; }
    }
    location = /own { ticket book; ticket_queue on; ticket_pass $http_x_pass; }
    location = /arg { ticket book; ticket_queue on; ticket_pass $arg_p; }
    location ~ ^/tickets/(?<t>[^/]+)/booking$ {
        ticket book cancel booking; ticket_name $t; ticket_queue on;
    }
    location = /metrics { ticket metrics; }
    location = /health { ticket health; }
    location = /ready { ticket ready; }
EOC
my $http = "$HttpConfig ticket_pass_keys keys;\n"
    . "server { listen 127.0.0.1:$port; $locations }";
my $nginx = TicketNginx->new;
my $far = 4102444800000;
my @tokens;                             # none of them belongs into a log


# one request; its status, its `code` or what it is, and all of its body
sub ask {
    my ($request, $user, %with) = @_;
    my $body = $with{body} // '';
    my $headers = join '', map { "$_\r\n" } "X-User: $user",
        @{ $with{headers} // [] },
        $body eq '' ? () : ("Content-Length: " . length $body,
            "Content-Type: " . ($with{type} // 'application/json'));
    my $answer = http("$request HTTP/1.0\r\n$headers\r\n$body");
    my ($status) = $answer =~ m{^HTTP/1\.\d (\d+)};
    my $json = eval { decode_json(body($answer)) } // {};
    my $what = $json->{code} // (defined $json->{remaining} ? 'booking' : '?');
    return wantarray ? ("$status $what", $json) : "$status $what";
}


# with the pass in the header
sub book {
    my ($pass, $user, $query, @headers) = @_;
    push @tokens, $pass;
    return ask('POST /book?' . ($query // 'ticket=concert'), $user,
               headers => ["Ticket-Pass: $pass", @headers]);
}


sub left { return redis('HGET', "ticket:{$_[0]}", 'remaining') }


# an empty Redis with a ticket and its room
sub office {
    my (%with) = @_;
    fresh();
    ticket('concert', %{ $with{ticket} // {} });
    room('concert', %{ $with{room} // {} });
}


sub connected {
    wait_for(30, sub { get('/ready') =~ m{^HTTP/1\.\d 200} })
        or die "not ready: " . $nginx->log;
}


# a live pass of a user
sub admitted {
    my $user = shift;
    my $pass = signed_pass('concert', $user, admit('concert', $user));
    push @tokens, $pass;
    return $pass;
}


write_keys("$nginx->{root}/keys");
office();
$nginx->start(http => $http);
connected();


subtest 'a pass is found wherever a client may put it' => sub {
    my %way = (
        header => sub { ask('POST /book?ticket=concert', $_[1],
            headers => ["Ticket-Pass: $_[0]"]) },
        cookie => sub { ask('POST /book?ticket=concert', $_[1],
            headers => ["Cookie: a=b; ticket_pass=$_[0]; c=d"]) },
        json => sub { ask('POST /book', $_[1],
            body => qq({"ticket":"concert","pass":"$_[0]"})) },
        form => sub { ask('POST /book', $_[1],
            body => "ticket=concert&pass=$_[0]",
            type => 'application/x-www-form-urlencoded') },
        query => sub { ask("POST /book?ticket=concert&pass=$_[0]", $_[1]) },
        encoded => sub { (my $p = $_[0]) =~ s/\./%2e/g;
            ask("POST /book?ticket=concert&pass=$p", $_[1]) },
        both => sub { ask("POST /book?pass=$_[0]", $_[1],
            body => qq({"ticket":"concert","pass":"$_[0]"})) },
        directive => sub { ask('POST /own?ticket=concert', $_[1],
            headers => ["X-Pass: $_[0]"]) },
        argument => sub { (my $p = $_[0]) =~ s/\./%2E/g;
            ask("POST /arg?ticket=concert&p=$p", $_[1]) },
        path => sub { ask('POST /tickets/concert/booking', $_[1],
            headers => ["Ticket-Pass: $_[0]"]) },
        named => sub { ask('POST /named?ticket=concert', $_[1],
            headers => ["Ticket-Pass: $_[0]"]) },
        asked => sub { ask('POST /asked?ticket=concert&room=concert', $_[1],
            headers => ["Ticket-Pass: $_[0]"]) },
    );
    office(ticket => { capacity => 100 }, room => { capacity => 100 });

    for my $way (sort keys %way) {
        my $pass = admitted($way);
        ok(live('concert', $way), "$way: has a pass");
        is($way{$way}->($pass, $way), '201 booking', "$way: booked");
        is(live('concert', $way), undef, "$way: it is used up");
    }
    is(room_value('concert', 'used'), keys %way, 'each of them counts');
};


subtest 'of several the one that is meant for this request counts' => sub {
    office();
    my ($good, $bad) = (admitted('ann'), signed_pass('concert', 'bob', $far));
    my @ticket = ('POST /book?ticket=concert', 'ann');

    is(ask(@ticket, headers => ["Ticket-Pass: $bad", "Cookie: ticket_pass=$good"]),
       '403 pass_foreign', 'the header before the cookie');
    is(ask("POST /book?ticket=concert&pass=$good", 'ann', headers => ["Ticket-Pass: $bad"]),
       '403 pass_foreign', 'the header before the field');
    is(ask("POST /book?ticket=concert&pass=$bad", 'ann', headers => ["Cookie: ticket_pass=$good"]),
       '403 pass_foreign', 'the field before the cookie');
    is(ask("POST /own?ticket=concert&pass=$good", 'ann',
           headers => ["Ticket-Pass: $good", "Cookie: ticket_pass=$good"]),
       '403 pass_required', 'nothing but what ticket_pass says');
    is(ask("POST /book?pass=$good", 'ann', body => qq({"ticket":"concert","pass":"$bad"})),
       '400 ambiguous', 'body and query do not agree');
    is(ask('POST /own?ticket=concert&pass=', 'ann', headers => ["X-Pass: $bad"]),
       '403 pass_foreign', 'so that the field may be another one');
    my ($what, $json) = ask('POST /arg?ticket=concert&p=%zz', 'ann');
    is($what, '403 pass_invalid', 'a percent sign that begins nothing');
    like($json->{detail}, qr/percent/, 'and told so');
    is(ask('POST /book?ticket=concert&pass=', 'ann'), '400 bad_request', 'an empty field');
    is(left('concert'), 10, 'nothing is sold');
    is(ask("POST /book?ticket=concert&pass=$good", 'ann',
           headers => ["Cookie: ticket_pass=$bad"]), '201 booking', 'and so it is');
};


subtest 'without a pass nothing is sold' => sub {
    office();
    my ($what, $json) = ask('POST /book?ticket=concert', 'ann');
    is($what, '403 pass_required', 'refused');
    is($json->{queue}, 'concert', 'and told where to wait');
    is($json->{title}, 'Forbidden', 'as a problem');
    is(ask('POST /book?ticket=concert', 'ann', headers => ['Ticket-Pass:']),
       '403 pass_required', 'an empty one is none');
    admit('concert', 'ann');
    is(ask('POST /book?ticket=concert', 'ann'), '403 pass_required',
       'nor does a live one count that is not shown');
    is(left('concert'), 10, 'nothing is sold');
};


subtest 'a pass that is not ours is refused without asking Redis' => sub {
    office();
    my $good = admitted('ann');
    my @field = split /\./, $good;
    my $calls = metric('redis_calls_total');
    my %bad = (
        'the letter x' => 'x',
        'dots' => '.....',
        'a key nobody has' => signed_pass('concert', 'ann', $far, key => ['k2', $Secret]),
        'another secret' => signed_pass('concert', 'ann', $far, key => [$Kid, 'x' x 32]),
        'a place' => signed_place('concert', 'ann', live('concert', 'ann')),
        'no mac' => join('.', @field[0 .. 4]),
        'an empty mac' => join('.', @field[0 .. 4], ''),
        'two in one' => "$good.$good",
        'one byte more' => "${good}A",
        'too long' => 'A' x 1024,
        'eternity' => signed_pass('concert', 'ann', 0),
        'no user' => join('.', @field[0 .. 3], '', $field[5]),
    );
    for my $i (0 .. 5) {
        my @other = @field;
        substr($other[$i], -1) =~ tr/A-Ya-y0-8/B-Zb-z1-9/
            or substr($other[$i], -1) = 'A';
        $bad{"field $i changed"} = join '.', @other;
    }
    for my $why (sort keys %bad) {
        my ($what, $json) = book($bad{$why}, 'ann');
        is($what, '403 pass_invalid', $why);
        is($json->{queue}, 'concert', 'told where to wait');
    }

    is(book(signed_pass('concert', 'bob', $far), 'ann'), '403 pass_foreign', "somebody else's");
    is(book($good, 'bob'), '403 pass_foreign', 'shown by somebody else');
    is(book(signed_pass('theatre', 'ann', live('concert', 'ann')), 'ann'), '403 pass_foreign',
       "another room's");

    is(metric('redis_calls_total'), $calls, 'Redis was not asked');
    is(left('concert'), 10, 'nothing is sold');
    is(book($good, 'ann'), '201 booking', 'and the pass it all began with is as good as new');
};


subtest 'a pass that is over, used or given back buys nothing' => sub {
    office(ticket => { capacity => 100 });

    my ($what, $json) = book(signed_pass('concert', 'ann', int(time() * 1000) - 1000), 'ann');
    is($what, '403 pass_expired', 'over, and never seen by this Redis');
    is($json->{queue}, 'concert', 'told where to wait');

    room('concert', pass_ttl => 1);
    my $short = admitted('bob');
    sleep 0.05;
    is(book($short, 'bob'), '403 pass_expired', 'over, and still in the list of Redis');
    room('concert', pass_ttl => 600000);

    ($what, $json) = book(signed_pass('concert', 'eve', $far), 'eve');
    is($what, '403 pass_used', 'signed by us, but none that Redis knows');
    is($json->{queue}, 'concert', 'told where to wait');

    my $first = admitted('cat');
    is(book($first, 'cat'), '201 booking', 'booked');
    is(ask('DELETE /tickets/concert/booking', 'cat'), '200 booking', 'cancelled');
    is(book($first, 'cat'), '403 pass_used', 'a pass is good for one booking');
    sleep 0.002;
    my $second = admitted('cat');
    isnt($second, $first, 'another time, another pass');
    is(book($first, 'cat'), '403 pass_used', 'the first is none in the time of the second');
    is(book($second, 'cat'), '201 booking', 'the second is');

    my $given = admitted('dan');
    redis('EVAL', TicketTest::script('queue_leave'), 3, room_keys('concert'), 'concert', 'dan', '');
    is(book($given, 'dan'), '403 pass_used', 'given back');

    is(left('concert'), 99, 'one is sold');
    is(room_value('concert', 'used'), 2, 'two were used');
};


subtest 'who has a ticket hears so, whatever his pass is worth' => sub {
    office();
    my $pass = admitted('ann');
    my @key = ('ann', undef, 'Idempotency-Key: k1');
    is(book($pass, @key), '201 booking', 'booked');
    is(book($pass, @key), '200 booking', 'replayed, though the pass is used');
    is(book(signed_pass('concert', 'ann', 1000), @key), '200 booking', 'or over');
    is(book($pass, 'ann'), '409 already_booked', 'told, though the pass is used');
    is(book(signed_pass('concert', 'ann', 1000), 'ann'), '409 already_booked', 'or over');
    is(left('concert'), 9, 'one is sold');
};


subtest 'a booking that fails leaves the pass' => sub {
    office(ticket => { capacity => 2, per_user => 5 });
    my $pass = admitted('ann');
    is(book($pass, 'ann', 'ticket=concert&quantity=6'), '409 limit_exceeded', 'too many');
    is(book($pass, 'ann', 'ticket=concert&quantity=3'), '409 not_enough', 'more than there are');
    ok(live('concert', 'ann'), 'it is still there');
    is(book($pass, 'ann', 'ticket=concert&quantity=2'), '201 booking', 'and buys what there is');
    is(book(admitted('bob'), 'bob'), '409 sold_out', 'nothing is left');
    ok(live('concert', 'bob'), 'his pass is still there');
    is(room_value('concert', 'used'), 1, 'one was used');
};


subtest 'a group has one room, and a pass buys one of its tickets' => sub {
    office();
    ticket('vip@concert');
    ticket('floor@concert');
    my $pass = admitted('ann');
    is(ask('POST /named?ticket=vip%40concert', 'ann', headers => ["Ticket-Pass: $pass"]),
       '201 booking', 'booked');
    is(book($pass, 'ann', 'ticket=floor%40concert'), '403 pass_used', 'once');
    is(book(signed_pass('vip@concert', 'bob', $far), 'bob', 'ticket=vip%40concert'), '403 pass_foreign',
       'the room is called as the group');
};


subtest 'a location sells no tickets of another room' => sub {
    office();
    ticket('theatre');
    room('theatre');
    my $pass = admitted('ann');
    is(ask('POST /named?ticket=theatre', 'ann', headers => ["Ticket-Pass: $pass"]),
       '400 invalid_queue', 'not with a pass of its own room');
    is(ask('POST /named?ticket=theatre', 'ann'), '400 invalid_queue', 'nor without');
    is(ask("POST /asked?ticket=theatre&room=$_", 'ann', headers => ["Ticket-Pass: $pass"]),
       '400 invalid_queue', "nor when the client says '$_'")
        for 'concert', '', 'off', '%zz';
    is(left('theatre'), 10, 'nothing is sold');
    ok(live('concert', 'ann'), 'no pass is used up');
};


subtest 'a block inside of a location opens no way around it' => sub {
    office();
    my $pass = admitted('ann');
    for my $where ('/if?x=1&', '/if?', '/except?', '/outer/inner?') {
        is(ask("POST ${where}ticket=concert", 'ann'), '403 pass_required', $where);
    }
    is(ask('POST /if?x=1&ticket=concert', 'ann', headers => ["Ticket-Pass: $pass"]),
       '201 booking', 'with a pass');
    is(ask('POST /outer/free?ticket=concert', 'bob'), '201 booking', 'ticket_queue off does');
};


subtest 'without ticket_queue nobody asks for a pass' => sub {
    office();
    my $pass = admitted('ann');
    is(ask('POST /open?ticket=concert', 'ann'), '201 booking', 'booked');
    ok(live('concert', 'ann'), 'the pass is not touched');
    is(ask('POST /open?ticket=concert&pass=', 'bob'), '201 booking', 'not even an empty one');
    is(ask('POST /open', 'cat', body => '{"ticket":"concert","pass":"x"}'), '201 booking',
       'who sends one after the room is gone is not turned away');
};


subtest 'who cancels or looks needs no pass' => sub {
    office();
    is(book(admitted('ann'), 'ann'), '201 booking', 'booked');
    is(ask('GET /tickets/concert/booking', 'ann'), '200 ?', 'found');
    is(ask('DELETE /tickets/concert/booking', 'ann'), '200 booking', 'cancelled');
};


subtest 'commands with and without a pass share a call' => sub {
    office(ticket => { capacity => 100, lanes => 4 }, room => { capacity => 100 });
    my $n = 40;
    my @pass = map { admitted("u$_") } 0 .. $n - 1;
    # some who have none any more
    redis('ZREM', (room_keys('concert'))[2], map { "u$_" } grep { $_ % 4 == 3 } 0 .. $n - 1);

    my $before = metric('batch_commands_count');
    my @answer = $nginx->at_once(map {
        my $i = $_;
        [POST => $i % 4 == 1 ? '/open?ticket=concert' : '/book?ticket=concert', "u$i",
         $i % 4 == 2 ? "Idempotency-Key: k$i" : (),
         $i % 4 == 1 ? () : "Ticket-Pass: $pass[$i]"];
    } 0 .. $n - 1);

    is(join(' ', map { m{^HTTP/1\.1 (\d+)} } @answer),
       join(' ', map { $_ % 4 == 3 ? 403 : 201 } 0 .. $n - 1), 'each has his own answer');
    is(scalar(grep { /"code":"pass_used"/ } @answer), 10, 'and his own reason');
    cmp_ok(metric('batch_commands_count') - $before, '<', $n / 2, 'many by one call');
    is(left('concert'), 70, 'thirty are sold');
    is(room_value('concert', 'used'), 20, 'twenty with a pass');
    is(join(' ', grep { live('concert', "u$_") } 0 .. $n - 1),
       join(' ', grep { $_ % 4 == 1 } 0 .. $n - 1), 'whoever needed none has his still');
};


subtest 'one user twice in a call uses his pass once' => sub {
    office(ticket => { capacity => 100 });
    my $pass = admitted('ann');
    my @answer = $nginx->at_once(
        ([POST => '/book?ticket=concert', 'ann', "Ticket-Pass: $pass"]) x 3);
    is(join(' ', map { m{^HTTP/1\.1 (\d+)} } @answer), '201 409 409', 'the others hear so');
    is(left('concert'), 99, 'one is sold');
    is(room_value('concert', 'used'), 1, 'one was used');
};


subtest 'keys are rotated by a reload, and passes outlive the edge' => sub {
    my $keys = "$nginx->{root}/keys";
    my @new = ('2027-a', 'another/secret+of=more:than#32,characters!');
    office();

    # HUP, and the workers of before are gone
    my $reload = sub {
        my @old = $nginx->workers;
        $nginx->signal('HUP');
        $nginx->gone(20, @old) or die "workers stay: " . $nginx->log;
        connected();
    };
    my %old = map { $_ => admitted($_) } qw(ann bob cat dan);

    is(book($old{ann}, 'ann'), '201 booking', 'the old key');
    is(book(signed_pass('concert', 'bob', live('concert', 'bob'), key => \@new), 'bob'),
       '403 pass_invalid', 'the new one is not known yet');

    write_keys($keys, '# since the reload', "@new", "$Kid $Secret");
    $reload->();
    is(book($old{bob}, 'bob'), '201 booking', 'the old key, second in line');
    is(book(signed_pass('concert', 'cat', live('concert', 'cat'), key => \@new), 'cat'),
       '201 booking', 'the new key');

    write_keys($keys, "@new");
    $reload->();
    is(book($old{dan}, 'dan'), '403 pass_invalid', 'the old key is gone');

    ok($nginx->quit, 'the edge leaves');
    $nginx->start(http => $http);
    connected();
    is(book(signed_pass('concert', 'dan', live('concert', 'dan'), key => \@new), 'dan'),
       '201 booking', 'a pass of before');

    # an edge goes on with the keys it has when it cannot read others
    write_keys($keys, 'k1 tooshort');
    $nginx->signal('HUP');
    ok(wait_for(20, sub { $nginx->log =~ /\[emerg\].*"\Q$keys\E", line 1: a secret has at least/ }),
       'a file with a mistake is refused');
    is(book(signed_pass('concert', 'eve', admit('concert', 'eve'), key => \@new), 'eve'), '201 booking',
       'and nothing has changed');
    unlike($nginx->log, qr/tooshort/, 'the secret is in no log');
};


subtest 'no secret and no token is in the log' => sub {
    my $log = $nginx->log;
    like($log, qr/signal process started|start worker process/, 'there is a log');
    ok(@tokens > 50, 'there were tokens');
    is(scalar(grep { length > 20 && index($log, $_) >= 0 } @tokens), 0, 'no token');
    is(index($log, $Secret), -1, 'no secret');
    is(index($log, 'another/secret'), -1, 'nor the other');
};

$nginx->stop;


# what nginx -t says of key files

my $guard = $HttpConfig . '%s server { listen 127.0.0.1:1; ticket_user $http_x_user; '
    . 'location / { %s } }';

sub checked {
    my ($file, $location, $lines) = @_;
    write_keys("$nginx->{root}/keys", @$lines) if $lines;
    return $nginx->check(http => sprintf $guard,
        $file eq '' ? '' : "ticket_pass_keys $file;", $location);
}

my $booking = 'ticket book; ticket_queue on;';

for my $case (
    ['a line without secret', ['k1'], 'line 1: a secret has at least 32 characters'],
    ['a short secret', ['# one', '', 'k1 0123456789abcdefghijklmnopqrstu'],
     'line 3: a secret has at least 32 characters'],
    ['the same id twice', ["k1 $Secret", "k1 x$Secret"], "line 2: this key's id was used before"],
    ['an id with a dot', ["k.1 $Secret"], "line 1: a key's id has 1 to 16 characters"],
    ['a third word', ["k1 $Secret $Secret"], "line 1: a line has a key's id and its secret"],
    ['comments only', ['# none'], 'there is no key'],
) {
    my ($why, $lines, $says) = @$case;
    my ($status, $out) = checked('keys', $booking, $lines);
    is($status, 1, "$why: refused");
    like($out, qr/\[emerg\] "\Q$nginx->{root}\E\/keys"(?:,|:) \Q$says\E.* in \S+nginx\.conf:\d+$/m,
         "$why: for its reason, in its line");
    unlike($out, qr/0123456789abcdef/, "$why: no secret is shown");
}

write_keys("$nginx->{root}/keys");
is((checked("$nginx->{root}/keys", $booking))[0], 0, 'an absolute name');
{
    my ($status, $out) = checked('keys', $booking);
    is($status, 0, 'a name relative to nginx.conf');
    unlike($out, qr/\[warn\]/, 'which only its owner reads');
    chmod 0640, "$nginx->{root}/keys";
    unlike((checked('keys', $booking))[1], qr/\[warn\]/, 'or his group');
    chmod 0644, "$nginx->{root}/keys";
    ($status, $out) = checked('keys', $booking);
    is($status, 0, 'one that everybody reads is no error');
    like($out, qr/\[warn\] everybody can read the secrets in "\S+keys" in \S+:\d+/, 'but said');
}

like((checked('nothing', $booking))[1], qr/\[emerg\] open\(\) "\S+nothing" failed \(2:/,
     'a file that is not there');
like((checked('logs', $booking))[1], qr/\[emerg\] "\S+logs" is not a file/, 'a folder');
system('mkfifo', "$nginx->{root}/pipe");
like((checked('pipe', $booking))[1], qr/\[emerg\] "\S+pipe" is not a file/, 'a pipe');
write_keys("$nginx->{root}/keys", "k1 $Secret", ('# ' . 'x' x 1000) x 66);
like((checked('keys', $booking))[1], qr/\[emerg\] "\S+keys" is not a file of at most 65536 bytes/,
     'a file that is too large');
write_keys("$nginx->{root}/keys");
like((checked('keys; ticket_pass_keys keys', $booking))[1], qr/"ticket_pass_keys" directive is duplicate/,
     'two files');
like((checked('keys', "$booking ticket_pass \$a; ticket_pass \$a;"))[1],
     qr/"ticket_pass" directive is duplicate/, 'two passes');

like((checked('', $_))[1], qr/"ticket_queue" needs "ticket_pass_keys" in \S+:\d+/, "needed: $_")
    for $booking, 'ticket book cancel; ticket_queue concert;', 'ticket_queue shop;',
        'ticket queue; ticket_queue shop;', 'ticket queue_events; ticket_queue shop;';
is((checked('', $_))[0], 0, "not needed: $_")
    for 'ticket book;', 'ticket book; ticket_queue off;', 'ticket queue_admin; ticket_queue shop;';


done_testing();
