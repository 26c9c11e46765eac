# "ticket_queue name" before somebody else's site: who has no pass waits
# outside, whatever the location serves and whatever else guards it, and who has
# one notices nothing.  A gate that is judged twice, or not at all after an
# internal redirect, lets in too many or nobody.

use lib 't/lib';
use Digest::MD5 qw(md5_hex);
use JSON::PP;
use TicketTest;
use TicketNginx;
use TicketRoom;
use TicketBackend;
use TicketH2;
use Test::More;
use Time::HiRes qw(sleep time);

my $port = server_port();
my $h2 = TicketRedis::free_port();
my $backend = TicketBackend->new(special => \&special);
my $nginx = TicketNginx->new;
my $root = $nginx->{root};
my $proxy = "proxy_pass http://127.0.0.1:$backend->{port}";
my $html = 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
my $far = 4102444800000;
my @tokens;                             # none of them belongs into a log

my $locations = <<"EOC";
    ticket_user \$http_x_user;
    ticket_queue_page /wait/;
    merge_slashes off;

    location /shop/ {
        ticket_queue shop;
        $proxy;

        location /shop/inner/ { $proxy; }
        location /shop/free/ { ticket_queue off; $proxy; }
        location /shop/own/ { ticket_queue other; $proxy; }
        location = /shop/metrics { ticket metrics; }
    }
    location / { ticket_queue shop; $proxy; }
    location /wait/ { root html; }
    location /loop/ { ticket_queue shop; ticket_queue_page /loop/page?x=1; $proxy; }
    location /query/ { ticket_queue shop; ticket_queue_page /wait/?lang=de; $proxy; }
    location /evil/ { ticket_queue shop; ticket_queue_page \$arg_page; $proxy; }
    location /open/ { ticket_queue shop; ticket_queue_fail open; $proxy; }
    location /staff/ { ticket_queue shop; ticket_queue_bypass \$http_x_staff; $proxy; }
    location /room/ { ticket_queue \$arg_room; $proxy; }
    location /own-pass/ { ticket_queue shop; ticket_pass \$http_x_pass; $proxy; }
    location /files/ { ticket_queue shop; root html; index index.html; }
    location /named/ { try_files /nothing \@named; }
    location /twice/ { ticket_queue shop; try_files /nothing \@named; }
    location \@named { ticket_queue shop; $proxy; }
    location /accel/ { ticket_queue shop; $proxy; }
    location /accel-free/ { $proxy; }
    location /protected/ { internal; ticket_queue shop; alias html/files/; }
    location /protected-other/ { internal; ticket_queue other; alias html/files/; }
    location /error/ { ticket_queue shop; ticket_queue_page /wait/; error_page 403 /error/refused; $proxy; }
    location /error-named/ { ticket_queue shop; error_page 403 404 503 = \@refused; $proxy; }
    location \@refused { ticket_queue shop; $proxy; }
    location /backend-error/ { ticket_queue shop; proxy_intercept_errors on; error_page 404 /files/index.html; $proxy; }
    location /any/ { ticket_queue shop; satisfy any; allow 127.0.0.2; deny all; $proxy; }
    location /any-basic/ {
        ticket_queue shop; satisfy any; auth_basic staff; auth_basic_user_file users; $proxy;
    }
    location /any-error/ {
        ticket_queue shop; satisfy any; deny all; error_page 403 /error/refused; $proxy;
    }
    location /all/ {
        ticket_queue shop; satisfy all; allow 127.0.0.2; deny all; $proxy;
    }
    location /all-basic/ {
        ticket_queue shop; auth_basic staff; auth_basic_user_file users; $proxy;
    }
    location /auth/ {
        auth_request /verify;
        auth_request_set \$me \$upstream_http_x_name;
        ticket_user \$me;
        ticket_queue shop;
        $proxy;
    }
    location = /verify {
        internal; $proxy; proxy_pass_request_body off; proxy_set_header Content-Length "";
    }
    location /gated-verify/ { auth_request /shop/verify; $proxy; }
    location /if/ {
        ticket_queue shop;
        if (\$arg_x) { $proxy; }
        $proxy;
    }
    location /limit/ { ticket_queue shop; limit_except GET { deny all; } $proxy; }
    location /limit-open/ { ticket_queue shop; limit_except GET { allow all; } $proxy; }
    location /rewrite/ { rewrite ^/rewrite(/.*) \$1 last; }
    location /uid/ { userid on; userid_name who; ticket_user \$visitor; ticket_queue shop; $proxy; }
    location /slice/ { ticket_queue shop; mirror /mirror; $proxy; }
    location = /mirror { internal; $proxy/mirror; }

    location = /book { ticket book; ticket_queue on; }
    location = /metrics { ticket metrics; }
    location = /ready { ticket ready; }
EOC

my $http = $HttpConfig =~ s/timeout=5s/timeout=1s/r
    . "ticket_pass_keys keys; proxy_buffering off;\n"
    . "log_format gate '\$uri \$status \$ticket_result \$ticket_redis_time';\n"
    . "map \$uid_got \$visitor { '' \$uid_set; default \$uid_got; }\n"
    . "server { listen 127.0.0.1:$port; listen 127.0.0.1:$h2 http2; root html;\n"
    . "access_log logs/access.log gate;\n$locations }";


# what the site answers beside its usual
sub special {
    my ($method, $uri, $headers) = @_;
    return "HTTP/1.0 200 OK\r\nX-Accel-Redirect: /protected/index.html\r\n\r\n"
        if $uri =~ m{^/accel[^/]*/in};
    return "HTTP/1.0 200 OK\r\nX-Accel-Redirect: /protected-other/index.html\r\n\r\n"
        if $uri eq '/accel/other';
    return "HTTP/1.0 404 Not Found\r\nContent-Length: 5\r\n\r\ngone\n" if $uri =~ m{^/backend-error/};
    return "HTTP/1.0 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nok\n" if $uri =~ m{/cookie$};
    return undef if $uri ne '/verify' && $uri ne '/shop/verify';
    my $token = $headers->{'x-token'} // '';
    return "HTTP/1.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" if $token eq '';
    return "HTTP/1.0 403 Forbidden\r\nContent-Length: 0\r\n\r\n" if $token eq 'bad';
    return "HTTP/1.0 200 OK\r\nX-Name: $token\r\nContent-Length: 0\r\n\r\n";
}


# one request over HTTP/1.0: its status, head and body
sub ask {
    my ($request, $user, @headers) = @_;
    my $body = @headers && ref $headers[-1] ? ${ pop @headers } : undef;
    my $head = join '', map { "$_\r\n" } defined $user ? "X-User: $user" : (), @headers,
        defined $body ? 'Content-Length: ' . length $body : ();
    my $answer = http("$request HTTP/1.0\r\n$head\r\n" . ($body // ''));
    my ($status) = $answer =~ m{^HTTP/1\.\d (\d+)};
    my ($got) = split /\r\n\r\n/, $answer, 2;
    return ($status // '', $got // '', body($answer));
}


# its status and its code or state, or that the site has answered
sub told {
    my ($status, $head, $body) = @_;
    my $json = eval { decode_json($body) } // {};
    my $what = $json->{code} // $json->{state} // ($body =~ /^[A-Z]+ \S+ \d+ [0-9a-f]{32}$/ ? 'through' : '?');
    return "$status $what";
}


sub at { return told(ask(@_)) }
sub cookie { return $_[0] =~ /^Set-Cookie: ticket_\Q$_[1]\E=([^;\r]*)/m ? $1 : undef }


# how often a gate said something that begins so
sub gate_count {
    my ($prefix, $sum, $all) = (shift, 0, metrics());
    $sum += $all->{$_} for grep { /_requests_total\{action="gate",result="$prefix/ } keys %$all;
    return $sum;
}


# rooms with room for so many
sub rooms {
    my ($capacity, %with) = @_;
    fresh();
    room('shop', capacity => $capacity, %with);
    room('other', capacity => 10);
    $backend->seen;
}


# nobody gets in any more, but who is in
sub full { rooms(1, @_); admit('shop', 'first'); }


sub started {
    fresh();
    $nginx->write_conf(http => $http);
    write_keys("$root/keys");
    File::Path::make_path("$root/html/files", "$root/html/wait");
    put("$root/html/files/index.html", "a file\n");
    put("$root/html/wait/index.html", "the waiting page\n");
    put("$root/users", "boss:{PLAIN}secret\n");
    chmod 0711, $root;
    $nginx->start(http => $http, @_);
    ready_again();
}


sub put {
    my ($file, $text) = @_;
    open my $f, '>', $file or die "$file: $!\n";
    print {$f} $text;
    close $f;
}


sub ready_again {
    wait_for(30, sub { get('/ready') =~ m{^HTTP/1\.\d 200} }) or die "not ready: " . $nginx->log;
}


subtest 'what nginx -t says' => sub {
    my %refused = (
        'ticket_queue_page x;' => qr/"ticket_queue_page" must be a path on this host, not "x"/,
        'ticket_queue_page //evil.example/;' => qr/"ticket_queue_page" must be a path on this host/,
        'ticket_queue_page https://evil.example/;' => qr/"ticket_queue_page" must be a path on this host/,
        'ticket_queue_page "/a b";' => qr/"ticket_queue_page" must be a path on this host/,
        'ticket_queue_page "";' => qr/"ticket_queue_page" must be a path on this host/,
    );
    write_keys("$root/keys");
    my $server = sub { "$HttpConfig $_[0] server { listen 127.0.0.1:$port; ticket_user \$http_x_user; $_[1] }" };
    for my $line (sort keys %refused) {
        my ($status, $out) = $nginx->check(http => $server->('ticket_pass_keys keys;', "location / { ticket_queue shop; $line }"));
        is($status, 1, "$line is refused");
        like($out, $refused{$line}, '... and says why');
    }
    my ($status, $out) = $nginx->check(http => $server->('', 'location / { ticket_queue shop; }'));
    like($out, qr/"ticket_queue" needs "ticket_pass_keys"/, 'no keys');
    unlink "$root/logs/error.log";
};


started();


subtest 'who may be let in at once is, and gets a pass; all others wait' => sub {
    rooms(1);
    my ($status, $head, $body) = ask('GET /shop/a?b=c', 'ann');
    is(told($status, $head, $body), '200 through', 'in');
    like($body, qr{^GET /shop/a\?b=c 0 }, 'and the site sees the request as it is');
    my $pass = cookie($head, 'pass');
    ok($pass, 'a pass');
    push @tokens, $pass;
    like($head, qr/^Set-Cookie: ticket_pass=[^;]+;.*Path=\/.*HttpOnly/m, 'for all of the site');
    unlike($head, qr/^Cache-Control/m, 'nothing else is put in');

    ($status, $head) = ask('GET /shop/a', 'ann', "Cookie: x=y; ticket_pass=$pass");
    is($status, 200, 'with it again');
    is(cookie($head, 'pass'), undef, 'which is not given twice');
    ($status, $head) = ask('GET /shop/a', 'ann', "Ticket-Pass: $pass");
    is("$status " . (cookie($head, 'pass') // '-'), '200 -', 'in the header, too');
    is(at('GET /shop/a', 'ann'), '200 through', 'the place belongs to the user, whatever he shows');

    $backend->seen;
    ($status, $head, $body) = ask('GET /shop/a', 'bob');
    is(told($status, $head, $body), '202 waiting', 'the next one waits');
    my $json = decode_json($body);
    is($json->{position}, 1, 'at the head of the line');
    is($json->{queue}, 'shop', 'of this room');
    like($head, qr/^Retry-After: \d+\r?$/m, 'Retry-After');
    like($head, qr/^Cache-Control: no-store\r?$/m, 'no-store');
    like($head, qr/^Vary: Accept\r?$/m, 'Vary');
    ok(cookie($head, 'place'), 'a place');
    push @tokens, cookie($head, 'place');
    is(decode_json((ask('GET /shop/a', 'cid'))[2])->{position}, 2, 'and one behind him');
    is(decode_json((ask('GET /shop/a', 'bob'))[2])->{position}, 1, 'who keeps his place when he asks again');
    is($backend->seen, '', 'the site has heard of none of them');
    is(at('GET /shop/a', 'ann', "Cookie: ticket_pass=$pass"), '200 through', 'who is in stays in');
};


subtest 'the site gets what was sent, byte for byte' => sub {
    rooms(10);
    for my $length (0, 1, 1000, 1 << 20) {
        my $body = join '', map { chr(($_ * 7 + $length) % 256) } 1 .. $length;
        my ($status, undef, $got) = ask('POST /shop/p', 'ann', \$body);
        is("$status $got", "200 POST /shop/p $length " . md5_hex($body) . "\n", "$length bytes");
    }
    is(at("$_ /shop/p", 'ann'), '200 through', $_) for qw(DELETE PUT PATCH OPTIONS);
    my ($status, $head, $body) = ask('HEAD /shop/p', 'ann');
    is("$status $body", '200 ', 'HEAD');
    ($status, $head, $body) = ask('GET /shop/cookie', 'bob');
    like($head, qr/^Set-Cookie: a=b/m, "the site's cookies");
    ok(cookie($head, 'pass'), 'beside ours');
};


subtest 'a body that is refused is not in the way of what comes next' => sub {
    full();
    for my $length (0, 1, 1000, 1 << 20) {
        my $body = 'x' x $length;
        my $s = send_to("POST /shop/p HTTP/1.1\r\nHost: x\r\nX-User: ann\r\nContent-Length: $length\r\n\r\n$body"
            . "GET /shop/p HTTP/1.1\r\nHost: x\r\nX-User: first\r\nConnection: close\r\n\r\n");
        like(header($s), qr/^HTTP\S+ 202/, "$length bytes are refused");
        like(answer($s), qr/^HTTP\S+ 200.*\nGET \/shop\/p 0 /s, 'and the next request is answered');
    }
    like($backend->seen, qr/\A(?:GET \/shop\/p 0 \S+ first\n){4}\z/, 'nothing of it reached the site');

    my $s = send_to("POST /shop/p HTTP/1.1\r\nHost: x\r\nX-User: ann\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    my $got = header($s);
    like($got, qr/^HTTP\S+ 202/, 'not even asked for');
    like($got, qr/^Connection: close/m, 'and then the connection ends');
    is(answer($s), '', 'ends');

    $s = send_to("POST /shop/p HTTP/1.1\r\nHost: x\r\nX-User: first\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 5\r\n\r\n");
    like(header($s), qr/^HTTP\S+ 100/, 'who is let through is asked for it');
    send_to('hello', $s);
    like(answer($s), qr/^HTTP\S+ 200.*\nPOST \/shop\/p 5 @{[ md5_hex('hello') ]}/s, 'and sends it');

    $s = send_to("POST /shop/p HTTP/1.1\r\nHost: x\r\nX-User: ann\r\nContent-Length: 10\r\n\r\nhal");
    like(header($s), qr/^HTTP\S+ 202/, 'answered before all of it is there');
    send_to("f-ishGET /shop/p HTTP/1.1\r\nHost: x\r\nX-User: first\r\nConnection: close\r\n\r\n" =~ s/^f-ish/f-done!/r, $s);
    like(answer($s), qr/^HTTP\S+ 200/, 'which is read and forgotten');
};


subtest 'persons are sent to the page, programs are told' => sub {
    full();
    my ($status, $head, $body) = ask('GET /shop/a%20b?c=d&e=%2F', 'ann', $html);
    is("$status $body", '302 ', 'a redirect');
    my ($location) = $head =~ /^Location: (\S+)/m;
    is($location, '/wait/?queue=shop&return=%2Fshop%2Fa%2520b%3Fc%3Dd%26e%3D%252F', 'where to, and back to what');
    like($head, qr/^Cache-Control: no-store\r?$/m, 'no-store');
    like($head, qr/^Vary: Accept\r?$/m, 'Vary');
    ok(cookie($head, 'place'), 'with his place');
    like((ask("GET $location", 'ann', $html))[2], qr/waiting page/, 'and there it is');

    my $s = send_to("GET /shop/a HTTP/1.1\r\nHost: evil.example\r\nX-User: ann\r\n$html\r\n\r\n"
        . "GET /shop/a HTTP/1.1\r\nHost: x\r\nX-User: ann\r\nConnection: close\r\n\r\n");
    my $first = do { local $/ = "\r\n\r\n"; <$s> };
    like($first, qr/^HTTP\S+ 302.*^Location: \/wait\//ms, 'whatever the host is called');
    like($first, qr/^Content-Length: 0/m, 'an end');
    like(answer($s), qr/^HTTP\S+ 202/, 'and the connection goes on');

    is((ask('HEAD /shop/a', 'ann', $html))[0], 302, 'HEAD');
    ($status, $head, $body) = ask('HEAD /shop/a', 'ann');
    is("$status $body", '202 ', 'HEAD of a program has no body');
    is((ask("$_ /shop/a", 'ann', $html))[0], 403, "$_ is not sent anywhere") for qw(POST PUT DELETE);
    like((ask('GET //evil.example/x', 'ann', $html))[1], qr/return=%2Fevil.example%2Fx\r?$/m, 'no way back to another host');
    like((ask('GET /query/', 'ann', $html))[1], qr{^Location: /wait/\?lang=de&queue=shop&return=%2Fquery%2F\r?$}m,
         'a page with a query');
    like((ask('GET /shop/' . 'a' x 5000, 'ann', $html))[1], qr{^Location: /wait/\?queue=shop\r?$}m, 'a way back that is too long');

    is(at('GET /shop/a', 'ann', $_), '202 waiting', $_) for 'Accept: application/json', 'Accept: */*',
        'Accept: text/html;q=0.5, application/json', 'Accept: application/json, text/plain, */*';
    is(at('GET /shop/a', 'ann', $html, $_), '202 waiting', $_) for 'X-Requested-With: XMLHttpRequest', 'Sec-Fetch-Mode: cors';
    is((ask('GET /shop/a', 'ann', $html, 'Sec-Fetch-Mode: navigate'))[0], 302, 'navigate');
    is((ask('GET /shop/a', 'ann', 'Accept: application/json;q=0.1', 'Accept: text/html'))[0], 302, 'two headers');

    ($status, $head, $body) = ask('GET /evil/?page=//evil.example/', 'ann', $html);
    is($status, 403, 'no redirect to another host');
    unlike($head, qr/Location/, 'at all');
    is((ask("GET /evil/?page=$_", 'ann', $html))[0], 403, "nor $_") for 'http://evil.example/', '/\\evil.example/', '';
    is((ask('GET /evil/?page=/ok', 'ann', $html))[0], 302, 'a path is one');
    like($nginx->log, qr/"ticket_queue_page" is no path on this host/, 'said in the log');
};


subtest 'a page behind the gate it belongs to can be seen, and only it' => sub {
    full();
    is(at('GET /loop/page?queue=shop', undef), '200 through', 'the page');
    is((ask('GET /loop/pages', 'ann', $html))[0], 302, 'not its neighbour');
};


subtest 'who is asking' => sub {
    rooms(10);
    is(at('GET /shop/a'), '401 user_required', 'nobody');
    is(at('GET /shop/a', 'a b'), '400 invalid_user', 'no valid id');
    is((ask('GET /shop/a', undef, $html))[0], 401, 'a person gets a page');
    is($backend->seen, '', 'none got through');
    is(redis('ZCARD', 'queue:pass:z:{shop}'), 0, 'or got a pass');

    my ($status, $head) = ask('GET /uid/a');
    my ($uid) = $head =~ /^Set-Cookie: (who=[^;]+)/m;
    is($status, 200, 'an anonymous visitor');
    ok($uid, 'gets a name');
    ok(cookie($head, 'pass'), 'and a pass');
    is((ask('GET /uid/a', undef, "Cookie: $uid; ticket_pass=" . cookie($head, 'pass')))[0], 200, 'comes again');
    is(redis('ZCARD', 'queue:pass:z:{shop}'), 1, 'as the same one');
};


subtest 'a pass is looked at before Redis is asked' => sub {
    rooms(10);
    my $good = signed_pass('shop', 'ann', admit('shop', 'ann'));
    my %bad = (
        'changed' => [$good =~ s/.$/$& eq 'A' ? 'B' : 'A'/er, 'pass_invalid'],
        'cut' => [substr($good, 0, -1), 'pass_invalid'],
        'no pass at all' => ['x', 'pass_invalid'],
        'of an unknown key' => [signed_pass('shop', 'ann', $far, key => ['k9', $Secret]), 'pass_invalid'],
        'a place' => [signed_place('shop', 'ann', 1), 'pass_invalid'],
        'of another room' => [signed_pass('other', 'ann', $far), 'pass_foreign'],
        'of another user' => [signed_pass('shop', 'bob', $far), 'pass_foreign'],
    );
    my $before = gate_count('pass_');
    $backend->seen;
    for my $title (sort keys %bad) {
        my ($pass, $code) = @{ $bad{$title} };
        push @tokens, $pass if length $pass > 20;
        my ($status, $head, $body) = ask('GET /shop/a', 'ann', "Ticket-Pass: $pass");
        is(told($status, $head, $body), "403 $code", $title);
        like($head, qr/^Cache-Control: no-store/m, 'no-store');
        is((ask('GET /shop/a', 'ann', "Ticket-Pass: $pass", $html))[0], 403, 'a page for a person');
        is(at('GET /own-pass/a', 'ann', "X-Pass: $pass"), "403 $code", 'by ticket_pass');
        is(at('GET /shop/a', 'ann', "Cookie: ticket_pass=$pass"), $code eq 'pass_foreign' ? '200 through' : "403 $code",
           'a cookie of another room says nothing, for browsers send all they have');
    }
    for my $accept ('Accept: */*', $html) {
        my $head = (ask('GET /shop/a', 'ann', 'Cookie: ticket_pass=x', $accept))[1];
        like($head, qr/^Set-Cookie: ticket_pass=; .*Max-Age=0/m, 'a cookie that is good for nothing is taken away');
    }
    unlike((ask('GET /shop/a', 'ann', 'Ticket-Pass: x'))[1], qr/^Set-Cookie/m, 'but not for a header');
    is(at('GET /own-pass/a', 'ann', "X-Pass: $good", 'Ticket-Pass: x'), '200 through', 'ticket_pass overrides');
    is(at('GET /shop/a?pass=x', 'ann'), '200 through', "a field `pass` is the site's");
    is(gate_count('pass_') - $before, 3 * 7 + 5 + 3, 'counted');
    is(redis('ZCARD', 'queue:pass:z:{shop}'), 1, 'and nobody took a place by it');

    # an expired one is as good as none
    full();
    is(at('GET /shop/a', 'ann', 'Ticket-Pass: ' . signed_pass('shop', 'ann', int(time() * 1000) - 1000)), '202 waiting',
       'expired');
    is(at('GET /shop/a', 'ann', 'Ticket-Pass: ' . signed_pass('shop', 'ann', int(time() * 1000) + 60000)), '202 waiting',
       'genuine, but Redis knows nothing of it: given back, or lost');
};


subtest 'a pass ends a moment before Redis ends it' => sub {
    rooms(1, pass_ttl => 1500);
    my $expires = admit('shop', 'ann');
    admit_later('bob');
    my $slept = $expires / 1000 - 0.15 - redis_time();
    sleep $slept if $slept > 0;
    my $began = redis_time();
    my $told = at('GET /shop/a', 'ann');
    my $ended = redis_time();
    SKIP: {
        skip 'this machine is too slow', 2 if $began > $expires / 1000;
        is($told, '202 waiting', 'not let in for so short a time, but back into the line');
        cmp_ok($ended * 1000, '>', $expires, 'when his pass was over');
    }

    # alone he is let in again, with a new one
    rooms(1, pass_ttl => 1500);
    $expires = admit('shop', 'ann');
    $slept = $expires / 1000 - 0.15 - redis_time();
    sleep $slept if $slept > 0;
    my ($status, $head, $body) = ask('GET /shop/a', 'ann');
    is(told($status, $head, $body), '200 through', 'nobody else waits: in again');
    cmp_ok((split /\./, cookie($head, 'pass'))[1], '>', $expires, 'with a new pass');
};


sub redis_time {
    my ($s, $us) = @{ redis('TIME') };
    return $s + $us / 1e6;
}


# into the line, where he stays
sub admit_later {
    my @keys = room_keys('shop');
    is(redis('EVAL', TicketTest::script('queue_enter'), 3, @keys, 'shop', '', $_[0], 1, 0, 0, '')->[0], 7, "$_[0] waits");
}


subtest 'where a gate is' => sub {
    full();
    $backend->seen;
    is(at('GET /shop/inner/a', 'ann'), '202 waiting', 'nested locations inherit it');
    is(at('GET /shop/free/a', 'ann'), '200 through', 'or are free');
    is(at('GET /shop/free/a'), '200 through', 'for whoever it is');
    is(at('GET /shop/own/a', 'ann'), '200 through', 'or have one of their own');
    like((ask('GET /shop/metrics'))[2], qr/^# HELP/m, 'an action of ours has none');
    is(at('GET /anything', 'ann'), '202 waiting', 'the whole site');
    is(at('GET /if/', 'ann'), '202 waiting', 'if, not entered');
    is(at('GET /if/?x=1', 'ann'), '202 waiting', 'if, entered');
    is(at('GET /limit/', 'ann'), '202 waiting', 'limit_except');
    is((ask('POST /limit/', 'first'))[0], 403, 'which refuses for itself');
    is(at('POST /limit-open/', 'ann'), '202 waiting', 'or leaves it to the gate');
    is(at('POST /limit-open/', 'first'), '200 through', 'which lets through');
    is(at('GET /rewrite/shop/a', 'ann'), '202 waiting', 'after a rewrite');
    is((ask('GET /files/index.html', 'ann'))[0], 202, 'before files');
    like((ask('GET /files/index.html', 'first'))[2], qr/^a file$/, 'which are served');
    is(at('GET /slice/a', 'first'), '200 through', 'mirrored');
    is(at('POST /slice/a', 'ann', \'hello'), '202 waiting', 'not mirrored');
};


subtest 'a request is judged once, wherever nginx sends it, and never not at all' => sub {
    full();
    $backend->seen;
    my $once = sub {
        my ($title, $expect, @request) = @_;
        my $before = gate_count('');
        my ($status, $head, $body) = ask(@request);
        my $told = told($status, $head, $body);
        $told = "$status file" if $body eq "a file\n";
        is($told, $expect, $title);
        is(gate_count('') - $before, 1, '... judged once');
    };
    $once->('a named location', '202 waiting', 'GET /named/a', 'ann');
    $once->('a named location', '200 through', 'GET /named/a', 'first');
    $once->('from one gate to the same', '202 waiting', 'GET /twice/a', 'ann');
    $once->('from one gate to the same', '200 through', 'GET /twice/a', 'first');
    is($backend->seen, "GET /named/a 0 @{[ md5_hex('') ]} first\nGET /twice/a 0 @{[ md5_hex('') ]} first\n", 'only he came through');
    $once->('an index', '202 waiting', 'GET /files/', 'ann');
    $once->('an index', '200 file', 'GET /files/', 'first');
    $once->('X-Accel-Redirect', '200 file', 'GET /accel/in', 'first');
    $once->('X-Accel-Redirect from where there is no gate', '202 waiting', 'GET /accel-free/in', 'ann');
    $once->('X-Accel-Redirect from where there is no gate', '200 file', 'GET /accel-free/in', 'first');
    $once->('error_page of who was let in', '404 file', 'GET /backend-error/x', 'first');

    my $before = gate_count('');
    is((ask('GET /accel/other', 'first'))[2], "a file\n", 'the gate of another room is another gate');
    is(gate_count('') - $before, 2, '... judged twice');

    room('other', state => 'closed');
    redis('DEL', 'queue:pass:z:{other}');
    is(at('GET /accel/other', 'first'), '403 queue_closed', 'and may be closed');

    # error_page, to a location behind the same gate
    my $refused = 'GET /error/refused 0 ' . md5_hex('') . "\n";
    my ($status, $head, $body) = ask('POST /error/', 'ann', $html);
    is("$status $body", "403 $refused", "a person sees the site's page");
    like($head, qr/^Cache-Control: no-store/m, 'no-store');
    ok(cookie($head, 'place'), 'and has his place');
    is(at('POST /error/', 'ann'), '202 waiting', 'a program is told');
    ($status, undef, $body) = ask('POST /error-named/x', 'ann', $html);
    is("$status $body", '200 POST /error-named/x 0 ' . md5_hex('') . "\n", 'to a named location');
    ($status, undef, $body) = ask('POST /any-error/x', 'ann', $html);
    is("$status $body", "403 $refused", 'with "satisfy any"');

    my $log = log_of();
    like($log, qr{^/files/index.html 200 admitted \d}m, '$ticket_result after an internal redirect');
    like($log, qr{^/error/refused 403 pass_required }m, 'and after error_page');
};


sub log_of { return TicketRedis::text("$root/logs/access.log") }


subtest 'satisfy' => sub {
    full();
    my $from = sub {
        my ($address, $uri, $user, @headers) = @_;
        my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", LocalAddr => $address) or die "connect: $!";
        send_to(join("\r\n", "GET $uri HTTP/1.0", "X-User: $user", @headers, '', ''), $s);
        my $answer = answer($s);
        return told($answer =~ m{^HTTP/1\.\d (\d+)}, '', body($answer));
    };
    my $boss = 'Authorization: Basic ' . MIME::Base64::encode_base64('boss:secret', '');
    my $wrong = 'Authorization: Basic ' . MIME::Base64::encode_base64('boss:wrong', '');
    is($from->('127.0.0.2', '/any/', 'ann'), '200 through', 'any: by address');
    is($from->('127.0.0.1', '/any/', 'ann'), '202 waiting', 'any: by no address');
    is($from->('127.0.0.1', '/any/', 'first'), '200 through', 'any: by pass');
    is(at('GET /any-basic/', 'ann', $boss), '200 through', 'any: by password');
    is(at('GET /any-basic/', 'ann'), '202 waiting', 'any: without');
    is(at('GET /any-basic/', 'ann', $wrong), '202 waiting', 'any: wrong');
    is((ask('GET /any-basic/', 'ann', $html))[0], 302, 'any: a person waits, and is asked for no password');
    my ($status, $head) = ask('GET /any-basic/', 'first');
    is($status, 200, 'any: by pass');
    unlike($head, qr/^WWW-Authenticate/m, 'any: and asked for no password');
    is(redis('ZSCORE', 'queue:{shop}', 'dan'), undef, 'who is let in otherwise');
    is($from->('127.0.0.2', '/any/', 'dan'), '200 through', 'any: asks nothing of the room');
    is(redis('ZSCORE', 'queue:{shop}', 'dan'), undef, 'and takes no place');

    is($from->('127.0.0.1', '/all/', 'first') =~ s/ .*//r, '403', 'all: not by pass alone');
    is($from->('127.0.0.2', '/all/', 'first'), '200 through', 'all: both');
    is($from->('127.0.0.2', '/all/', 'ann'), '202 waiting', 'all: not by address alone');
    is($from->('127.0.0.1', '/all/', 'dan') =~ s/ .*//r, '403', 'all: refused');
    is(redis('ZSCORE', 'queue:{shop}', 'dan'), undef, 'all: and so not in the line');
    is((ask('GET /all-basic/', 'first'))[0], 401, 'all: password first');
    is(at('GET /all-basic/', 'first', $boss), '200 through', 'all: password and pass');
};


subtest 'auth_request says who it is' => sub {
    full();
    is(at('GET /auth/x', 'liar', 'X-Token: first'), '200 through', 'the one who is in');
    is(at('GET /auth/x', 'first', 'X-Token: ann'), '202 waiting', 'another');
    ok(defined redis('ZSCORE', 'queue:{shop}', 'ann'), 'by the name he was given');
    is((ask('GET /auth/x', 'first'))[0], 401, 'unknown');
    is((ask('GET /auth/x', 'first', 'X-Token: bad'))[0], 403, 'refused');
    is(at('GET /auth/x', 'ann', 'X-Token: a b'), '400 invalid_user', 'no valid id');
    my $body = 'b' x 100000;
    my ($status, undef, $got) = ask('POST /auth/x', 'liar', 'X-Token: first', \$body);
    is("$status $got", '200 POST /auth/x 100000 ' . md5_hex($body) . "\n", 'with a body');
    is(at('GET /gated-verify/x', 'ann', 'X-Token: ann'), '200 through', 'a subrequest is not judged');
};


subtest 'ticket_queue_bypass' => sub {
    full();
    my $before = gate_count('bypassed');
    is(at('GET /staff/x', 'ann', 'X-Staff: yes'), '200 through', 'staff');
    is(at('GET /staff/x', undef, 'X-Staff: 1'), '200 through', 'whoever it is');
    is(at('GET /staff/x', 'ann', 'X-Staff: 00'), '200 through', '00 is not 0');
    is(at('GET /staff/x', 'ann', 'X-Staff: 0'), '202 waiting', '0');
    is(at('GET /staff/x', 'ann'), '202 waiting', 'empty');
    is(gate_count('bypassed') - $before, 3, 'counted');
    is(redis('ZCARD', 'queue:pass:z:{shop}'), 1, 'no pass is given');
};


subtest 'the state of the room' => sub {
    full();
    room('shop', state => 'paused');
    is(at('GET /shop/a', 'ann'), '202 waiting', 'paused: wait');
    is(at('GET /shop/a', 'first'), '200 through', 'paused: who is in stays in');
    room('shop', state => 'draining');
    is(at('GET /shop/a', 'ann'), '202 waiting', 'draining: who waits waits');
    is(at('GET /shop/a', 'bob'), '403 queue_closed', 'draining: nobody new');
    room('shop', state => 'closed');
    is(at('GET /shop/a', 'bob'), '403 queue_closed', 'closed');
    is((ask('GET /shop/a', 'bob', $html))[0], 403, 'closed to persons');
    is(at('GET /shop/a', 'first'), '200 through', 'closed: who is in stays in');
    is(at('GET /room/?room=nobody', 'ann'), '404 unknown_queue', 'no such room');
    is(at('GET /room/?room=a@b', 'ann'), '400 invalid_queue', 'no name of a room');
    is(at('GET /room/', 'ann'), '400 invalid_queue', 'none');
    is(at('GET /room/?room=other', 'ann'), '200 through', 'one by its name');
    redis('SET', 'catalogue', 'x' x 40);
    is(at('GET /room/?room=nobody2', 'ann'), '503 recovering', 'perhaps there is one');
    fresh();
};


subtest 'a gate beside a sale, and a booking that uses up the pass' => sub {
    fresh();
    $backend->seen;
    ticket('concert');
    room('concert', capacity => 1, tickets => 'concert');
    my ($status, $head) = ask('GET /room/?room=concert', 'ann');
    is($status, 200, 'through the gate');
    my $pass = cookie($head, 'pass');
    push @tokens, $pass;
    is(at('GET /room/?room=concert', 'bob'), '202 waiting', 'the next one waits');
    is((ask('POST /book?ticket=concert', 'ann', "Cookie: ticket_pass=$pass"))[0], 201, 'and books with the same pass');
    ok(wait_for(20, sub { at('GET /room/?room=concert', 'bob') eq '200 through' }), 'then the next one gets in');
    is(at('GET /room/?room=concert', 'ann', "Cookie: ticket_pass=$pass"), '202 waiting', 'and the first one waits again');
};


subtest 'many requests on one connection of HTTP/2' => sub {
    full();
    my $curl = sub {
        open my $p, '-|', 'curl', '-sS', '--http2-prior-knowledge', '--max-time', 20, '-w', '|%{http_version} %{http_code}', @_
            or die "curl: $!";
        local $/;
        return <$p>;
    };
    my $url = "http://127.0.0.1:$h2/shop/p";
    put("$root/sent", my $body = 'h2' x 500000);
    like($curl->('-H', 'X-User: ann', $url), qr/"state":"waiting".*\|2 202$/s, 'waits');
    like($curl->('-H', 'X-User: ann', '-H', $html, '-o', '/dev/null', $url), qr/^\|2 302$/, 'is sent to the page');
    is($curl->('-H', 'X-User: first', '--data-binary', "\@$root/sent", $url),
       'POST /shop/p 1000000 ' . md5_hex($body) . "\n|2 200", 'a body goes through');

    # a body that comes when the answer is there, and the next request
    my @as = (':scheme', 'http', ':authority', 'x', ':path', '/shop/p', 'x-user');
    my $s = h2_open($h2);
    send_to_h2(h2_headers(1, 0, ':method', 'POST', @as, 'ann', 'content-length', 6) . frame(0, 0, 1, 'abc'), $s);
    like(h2_bodies($s, 1, 1)->{1}, qr/"state":"waiting"/, 'a body that is refused');
    send_to_h2(frame(0, 1, 1, 'def') . h2_headers(3, 0, ':method', 'POST', @as, 'first', 'content-length', 6)
               . frame(0, 0, 3, 'abc'), $s);
    sleep 0.1;
    send_to_h2(frame(0, 1, 3, 'def'), $s);
    is(h2_bodies($s, 1, 3)->{3}, 'POST /shop/p 6 ' . md5_hex('abcdef') . "\n", 'is in nobody\'s way');
    is((ask('GET /shop/a', 'first'))[0], 200, 'and HTTP/1 as before');
};


subtest 'who leaves while Redis is asked is forgotten' => sub {
    full();
    TicketRedis::pause();
    my $before = gate_count('client_closed');
    my @left = map { send_to("GET /shop/a HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n\r\n") } 1 .. 5;
    my $body = send_to("POST /shop/a HTTP/1.1\r\nHost: x\r\nX-User: ann\r\nContent-Length: 100000\r\n\r\nabc");
    sleep 0.1;
    close $_ for @left, $body;
    ok(wait_for(20, sub { gate_count('client_closed') - $before >= 5 }), 'counted as such');
    TicketRedis::go_on();
    ok(wait_for(20, sub { metric('pending') == 0 }), 'nothing is left of them');
    is(at('GET /shop/a', 'first'), '200 through', 'all is well');
};


subtest 'a reload turns away nobody who waits for an answer' => sub {
    full();
    my ($old) = $nginx->workers;
    is(at('GET /shop/a', 'first'), '200 through', 'before');
    TicketRedis::pause();
    my @s = map { send_to("POST /shop/a HTTP/1.0\r\nX-User: $_\r\nContent-Length: 5\r\n\r\nhello") } qw(first ann);
    sleep 0.1;
    $nginx->signal('HUP');
    ok(wait_for(20, sub { grep { $_ != $old } $nginx->workers }), 'a new worker');
    TicketRedis::go_on();
    my @told = map { told(/^HTTP\S+ (\d+)/, '', body($_)) } answers(@s);
    is("@told", '200 through 202 waiting', 'answered by the old one');
    ok($nginx->gone(20, $old), 'which leaves');
    ready_again();
};


subtest 'no more wait for Redis than may' => sub {
    $nginx->start(http => $http =~ s/(ticket_zone)/ticket_max_pending 2; $1/r);
    ready_again();
    full();
    is(at('GET /shop/a', 'first'), '200 through', 'before');
    TicketRedis::pause();
    my @s = map { send_to("GET /shop/a HTTP/1.0\r\nX-User: u$_\r\n\r\n") } 1 .. 4;
    my $fifth = at('GET /shop/a', 'ann');
    is($fifth, '503 overloaded', 'one too many');
    is(at('GET /open/a', 'ann'), '200 through', 'a gate that fails open lets in');
    TicketRedis::go_on();
    my @told = map { told(/^HTTP\S+ (\d+)/, '', body($_)) } answers(@s);
    is(scalar(grep { $_ eq '503 overloaded' } @told), 2, 'the others');
    $nginx->start(http => $http);
    ready_again();
};


subtest 'Redis does not answer' => sub {
    full();
    is(at('GET /shop/a', 'first'), '200 through', 'before');
    my $pass = signed_pass('shop', 'ann', int(time() * 1000) + 600000);
    push @tokens, $pass;
    TicketRedis::pause();
    my ($status, $head, $body) = ask('GET /shop/a', 'bob');
    is(told($status, $head, $body), '503 unavailable', 'closed: nobody new');
    like($head, qr/^Retry-After: 1\r?$/m, 'Retry-After');
    like($head, qr/^Cache-Control: no-store\r?$/m, 'no-store');
    ($status, $head) = ask('GET /shop/a', 'bob', $html);
    is($status, 503, 'a page for a person');
    like($head, qr/^Retry-After: 1\r?$/m, 'Retry-After');
    is(at('GET /shop/a', 'ann', "Cookie: ticket_pass=$pass"), '200 through', 'closed: who has a valid pass gets in');
    is(at('POST /shop/a', 'ann', "Cookie: ticket_pass=$pass", \'hello'), '200 through', 'with a body, too');
    is(at('GET /shop/a', 'ann', 'Cookie: ticket_pass=' . signed_pass('shop', 'ann', int(time() * 1000) + 100)), '503 unavailable',
       'closed: not if it is over in a moment');
    is(at('GET /open/a', 'bob'), '200 through', 'open: everybody');
    is(at('GET /staff/a', 'bob', 'X-Staff: 1'), '200 through', 'staff');
    # a connection given up ends a wait before it is too late for what was sent
    sleep 1.1;
    TicketRedis::go_on();
    ready_again();
    is(gate_count('unguarded'), 1, 'counted');
    is(redis('ZSCORE', 'queue:{shop}', $_), undef, "too late, $_ did not enter the line") for qw(ann bob);
};


subtest 'Redis is away' => sub {
    full();
    my $pass = signed_pass('shop', 'ann', int(time() * 1000) + 600000);
    TicketRedis::stop();
    wait_for(20, sub { get('/ready') =~ m{^HTTP/1\.\d 503} });
    is(at('GET /shop/a', 'bob'), '503 unavailable', 'closed: nobody new');
    is(at('GET /shop/a', 'ann', "Cookie: ticket_pass=$pass"), '200 through', 'closed: who has a valid pass gets in');
    is(at('GET /shop/a', 'ann', "Ticket-Pass: x$pass"), '403 pass_invalid', 'closed: a forged one is refused');
    is(at('GET /open/a', 'bob'), '200 through', 'open: everybody');
    is(at('GET /open/a'), '401 user_required', 'open: who has a name');
    TicketRedis::restart();
    ready_again();
    redis('SET', 'catalogue', 'x' x 40);
    is(at('GET /shop/b', 'bob'), '503 recovering', 'an empty Redis: closed');
    is(at('GET /shop/b', 'ann', "Cookie: ticket_pass=$pass"), '200 through', 'who has a valid pass gets in');
    is(at('GET /open/b', 'bob'), '200 through', 'open: everybody');
};


like($nginx->log, qr/./, 'there is a log');
is(scalar(grep { my $token = $_; index(join('', $nginx->log, log_of()), $token) >= 0 } @tokens), 0, 'and no token in it');
is($nginx->bad, '', 'nothing bad in the log');

done_testing();
