# Each sale is told at once: with its key, its partition, its header, and the
# JSON that the outbox gives, too.  Where Kafka is away, slow or full, sales go
# on and the counters say what was left to the outbox.

use lib 't/lib';
use Compress::Zlib ();
use JSON::PP;
use TicketTest;
use TicketNginx;
use Test::More;
use Time::HiRes qw(sleep time);

my $kafka = $ENV{TEST_NGINX_KAFKA_PORT}
    or die "TEST_NGINX_KAFKA_PORT is not set: run the suite by make check\n";
# with KAFKA=no nobody listens there
my $none = ($ENV{KAFKA} // '') eq 'no';
my $broker = "127.0.0.1:$kafka";
my $topic = $ENV{KAFKA_TOPIC} // 'ticket.events';
my $port = server_port();
my $nginx = TicketNginx->new;

# names nobody else uses: the topic is shared
my $T = sprintf 'kafka-%d-%d', $$, time();
my $begin = int(time() * 1000) - 1000;


sub started {
    my ($conf, %ticket) = @_;
    fresh();
    ticket($T, capacity => 1000, per_user => 3, %ticket);
    (my $http = $HttpConfig) =~ s/ticket_kafka off;/$conf/;
    $nginx->start(http => "$http server { listen 127.0.0.1:$port; $Locations }");
    ready();
}


sub all_well {
    ok($nginx->quit, 'leaves');
    is($nginx->bad, '', 'nothing bad in the log');
    unlink "$nginx->{root}/logs/error.log";
}


sub request {
    my ($method, $uri, $body) = @_;
    $body //= '';
    return http("$method $uri HTTP/1.0\r\nX-User: ann \xC3\xA9\"\\\r\n" =~ s/ann /ann/r
        . "Content-Type: application/json\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body");
}


# what the topic has of our tickets: [partition, key, headers, value]
sub consumed {
    open my $p, '-|', 'kcat', '-b', $broker, '-C', '-t', $topic, '-e', '-q',
        '-o', "s\@$begin", '-f', '%p\t%k\t%h\t%s\n' or die "kcat: $!";
    my @found = grep { $_->[1] =~ /^\Q$T\E/ }
        map { chomp; [split /\t/, $_, 4] } <$p>;
    close $p or die "kcat failed\n";
    return @found;
}


sub events { return metric(qq(kafka_events_total{outcome="$_[0]"})) }


# how many partitions the topic has
sub partitions {
    my $told = qx(kcat -b $broker -L -t $topic -J);
    return scalar @{ decode_json($told)->{topics}[0]{partitions} };
}


sub rfc3339 {
    my $ms = shift;
    my @t = gmtime int($ms / 1000);
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', $t[5] + 1900,
        $t[4] + 1, @t[3, 2, 1, 0], $ms % 1000;
}


# what an outbox entry is as an event, built here once more from DESIGN.md
sub expected {
    my ($lane, $id, $packed) = @_;
    my ($epoch, $seq) = split /-/, $id;
    my $own = "$T:$lane:$id";
    my ($type, $ms, @f) = split / /, $packed;
    my $data = qq("ticket":"$T","lane":$lane,"epoch":$epoch,"seq":$seq);

    if ($type eq 'defined') {
        my ($opens, $closes) =
            map { $_ eq '-' ? 'null' : '"' . rfc3339($_) . '"' } @f[4, 5];
        $data .= qq(,"capacity":$f[0],"per_user":$f[1],"lanes":$f[2],)
            . qq("state":"$f[3]","opens_at":$opens,"closes_at":$closes);
    } else {
        my ($user, $quantity, $holding, $booking, $holds) = @f;
        $booking = $own if !defined $booking || $booking eq '=';
        $holds //= $holding ? $booking : '-';
        $holds = $holds eq '-' ? 'null' : qq("$holds");
        (my $quoted = $user) =~ s/([\\"])/\\$1/g;
        $data .= qq(,"user":"$quoted","quantity":$quantity,)
            . qq("booking_id":"$booking","holding":$holding,"holding_id":$holds);
    }

    return qq({"specversion":"1.0","id":"$own","source":"/ticket-office",)
        . qq("type":"ticket.$type","subject":"$T","time":"@{[ rfc3339($ms) ]}",)
        . qq("datacontenttype":"application/json","data":{$data}});
}


subtest 'every event arrives as the outbox has it' => sub {
    plan skip_all => 'it needs Kafka' if $none;
    started("ticket_kafka brokers=$broker topic=$topic;", lanes => 3);

    like(request(POST => "/book?ticket=$T&quantity=2"), qr/^HTTP\S+ 201/, 'booked');
    like(request(POST => "/cancel?ticket=$T"), qr/^HTTP\S+ 200/, 'cancelled');
    like(request(POST => "/book?ticket=$T"), qr/^HTTP\S+ 201/, 'booked');
    like(request(POST => "/book?ticket=$T"), qr/^HTTP\S+ 409/, 'refused');
    like(request(PATCH => "/admin/tickets/$T", '{"capacity":999,'
        . '"opens_at":"2020-02-29T01:02:03.004Z"}'), qr/^HTTP\S+ 200/, 'changed');
    like(post("/book?ticket=$T", "u$_"), qr/^HTTP\S+ 201/, 'booked') for 1 .. 20;

    ok(wait_for(30, sub { events('delivered') == 24 }), '24 are delivered');
    is(events('produced'), 24, 'of 24');
    is(events('failed') + events('dropped'), 0, 'none is left');
    ok(wait_for(20, sub { get('/ready') =~ /"kafka":"up"/ }), 'ready says so');

    my @got = consumed();
    is(scalar @got, 24, '24 are there');
    my %got = map { my $e = decode_json($_->[3]); $e->{id} => $_ } @got;
    my $partitions = partitions();

    for my $lane (0 .. 2) {
        my $entries = redis('XRANGE', "ticket:{$T}:outbox:$lane", '-', '+');
        cmp_ok(scalar @$entries, '>', 0, "lane $lane");
        for my $entry (@$entries) {
            my ($id, $fields) = @$entry;
            my $event = $got{"$T:$lane:$id"};
            is($event->[1], "$T/$lane", 'its key');
            is($event->[0], Compress::Zlib::crc32("$T/$lane") % $partitions,
               'its partition');
            is($event->[2], 'content-type=application/cloudevents+json; '
                . 'charset=UTF-8', 'its header');
            is($event->[3], expected($lane, $id, $fields->[1]), 'its value');
        }
        my @order = map { decode_json($_->[3])->{data}{seq} }
            grep { $_->[1] eq "$T/$lane" } @got;
        is_deeply(\@order, [1 .. @order], 'in order');
    }
    all_well();
};


subtest 'what is still on its way when the worker leaves is delivered' => sub {
    plan skip_all => 'it needs Kafka' if $none;
    $T .= '-left';
    started("ticket_kafka brokers=$broker topic=$topic linger.ms=10000"
        . ' flush_timeout=30s;');
    post("/book?ticket=$T", "u$_") for 1 .. 10;
    ok(wait_for(20, sub { metric('kafka_queue') == 10 }), 'ten wait');
    my $start = time();
    ok($nginx->quit, 'leaves');
    cmp_ok(time() - $start, '<', 9, 'without lingering');
    is(scalar(my @all = consumed()), 10, 'ten are there');
    like($nginx->log, qr/ticket kafka: 10 events delivered, 0 left/, 'it says so');
    is($nginx->bad, '', 'nothing bad in the log');
    unlink "$nginx->{root}/logs/error.log";
};


subtest 'no broker: sales go on, the queue fills, the rest is dropped' => sub {
    started('ticket_kafka brokers=127.0.0.1:1 topic=t flush_timeout=0'
        . ' queue.buffering.max.messages=3;');
    my @got = map { post("/book?ticket=$T", "u$_") } 1 .. 8;
    is(scalar(grep { /^HTTP\S+ 201/ } @got), 8, 'eight are sold');
    is(events('produced'), 3, 'three are queued');
    is(events('dropped'), 5, 'five are not');
    ok(wait_for(20, sub { metric('kafka_queue') == 3 }), 'three wait');
    like(get('/ready'), qr/^HTTP\S+ 200.*"kafka":"warning: no broker/s, 'a warning');
    is(redis('XLEN', "ticket:{$T}:outbox:0"), 8, 'the outbox has all');
    like($nginx->log, qr/\[warn\].*ticket kafka: events are left to the outbox/,
         'said once');
    my @lines = $nginx->log =~ /left to the outbox/g;
    is(scalar @lines, 1, 'and not eight times');
    all_well();
};


subtest 'what is not delivered in time is counted as failed' => sub {
    started('ticket_kafka brokers=127.0.0.1:1 topic=t flush_timeout=0'
        . ' message.timeout.ms=300;');
    post("/book?ticket=$T", "u$_") for 1 .. 4;
    ok(wait_for(30, sub { events('failed') == 4 }), 'four');
    ok(wait_for(20, sub { metric('kafka_queue') == 0 }), 'nothing waits');
    like($nginx->log, qr/\[warn\].*ticket kafka: delivery failed/, 'said');
    all_well();
};


subtest 'a topic that is not there, and a message that is too large' => sub {
    plan skip_all => 'it needs Kafka' if $none;
    started("ticket_kafka brokers=$broker topic=no-such-topic flush_timeout=0"
        . ' message.timeout.ms=5000 topic.metadata.propagation.max.ms=500;');
    like(post("/book?ticket=$T", 'ann'), qr/^HTTP\S+ 201/, 'sold');
    ok(wait_for(30, sub { events('failed') == 1 }), 'failed');
    all_well();

    started("ticket_kafka brokers=$broker topic=$topic message.max.bytes=1000;");
    like(post("/book?ticket=$T", 'x' x 255), qr/^HTTP\S+ 201/, 'sold');
    is(events('dropped') + events('produced'), 1, 'told, or left to the outbox');
    all_well();
};


subtest 'a broker that comes back later gets what waited' => sub {
    plan skip_all => 'it needs Kafka' if $none;
    my $late = TicketRedis::free_port();
    $T .= '-late';
    started("ticket_kafka brokers=127.0.0.1:$late topic=$topic"
        . ' reconnect.backoff.max.ms=500;');
    like(post("/book?ticket=$T", "u$_"), qr/^HTTP\S+ 201/, 'sold') for 1 .. 3;
    sleep 0.3;
    is(events('delivered'), 0, 'nobody there yet');

    # the door to the real one; it answers with its own address
    my $pid = fork() // die "fork: $!";
    exec 'perl', "$Root/t/lib/forward", $late, $kafka or POSIX::_exit(1)
        if !$pid;
    ok(wait_for(30, sub { events('delivered') == 3 }), 'three are delivered')
        or diag($nginx->log);
    is(scalar(my @all = consumed()), 3, 'and there');
    kill 'KILL', $pid;
    waitpid $pid, 0;
    all_well();
};


# statistics come every five seconds, and a load balancer asks at once

subtest 'ready knows of Kafka without a sale and without statistics' => sub {
    started("ticket_kafka brokers=$broker topic=$topic statistics.interval.ms=0;");
    ok(wait_for(30, sub { get('/ready') =~ /"kafka":"up"/ }), 'up');
    is(events('produced'), 0, 'nothing was sold');
    all_well();
};


# libc has no eventfd to give: the worker serves without a producer

subtest 'a worker that gets no producer counts what it cannot tell' => sub {
    my $r = $nginx->{root};
    open my $c, '>', "$r/none.c" or die $!;
    print {$c} <<'EOC';
#include <errno.h>

/* nginx's own ask for one without flags */
int eventfd(unsigned count, int flags)
{
    (void) count;
    errno = flags ? EMFILE : ENOSYS;
    return -1;
}
EOC
    close $c;
    system('cc', '-shared', '-fPIC', '-o', "$r/none.so", "$r/none.c") == 0
        or die "cc failed\n";

    {
        local $ENV{LD_PRELOAD} = "$r/none.so";
        local $ENV{ASAN_OPTIONS} = join ':', 'verify_asan_link_order=0',
            $ENV{ASAN_OPTIONS} // ();
        local $nginx->{main} = 'env LD_PRELOAD;';
        started("ticket_kafka brokers=$broker topic=$topic;");
    }
    is(events('dropped'), 0, 'nothing yet');
    like(post("/book?ticket=$T", "u$_"), qr/^HTTP\S+ 201/, 'sold') for 1 .. 3;
    is(events('dropped'), 3, 'counted');
    is(events('produced'), 0, 'nobody took them');
    is(redis('XLEN', "ticket:{$T}:outbox:0"), 3, 'the outbox has them');
    like(get('/ready'), qr/"kafka":"warning: no broker/, 'ready warns');
    like($nginx->log, qr/\[alert\].*eventfd\(\) failed/, 'felt');
    ok($nginx->quit, 'leaves');
    unlink "$nginx->{root}/logs/error.log";
};


done_testing();
