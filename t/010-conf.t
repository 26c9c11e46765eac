# What `nginx -t` accepts, and what it refuses: with a reason, the file and the
# line, without a password, and without opening a connection or a thread.

use lib 't/lib';
use IO::Select;
use TicketTest;
use TicketNginx;
use TicketRoom;
use Test::More;

my $nginx = TicketNginx->new;
my $redis = 'ticket_redis redis://127.0.0.1/0;';
my $user = 'ticket_user $http_x_user;';
my $keys = 'ticket_pass_keys keys;';

write_keys("$nginx->{root}/keys");


# the line that has a directive of ours in it, or, of several, "<<<" behind it
sub line_of {
    my $n = 0;
    my @found;
    for my $line (split /\n/, $nginx->conf) {
        $n++;
        push @found, $n if $line =~ /^\s*ticket/m;
        return $n if $line =~ /<<</;
    }
    return $found[-1];
}


sub accepted {
    my ($title, $http) = @_;
    my ($status, $out) = $nginx->check(http => $http);
    is("$status $out", "0 nginx: the configuration file $nginx->{root}/nginx.conf "
        . "syntax is ok\nnginx: configuration file $nginx->{root}/nginx.conf "
        . "test is successful\n", $title);
}


# refused with these words, in the line marked by "# <<<"
sub refused {
    my ($title, $http, $reason, $not) = @_;
    my ($status, $out) = $nginx->check(http => $http);
    my $line = line_of();

    subtest $title => sub {
        is($status, 1, 'refused');
        like($out, qr/^nginx: \[emerg\] .*$reason.* in \Q$nginx->{root}\E\/nginx\.conf:$line$/m,
             'for its reason, in its line');
        unlike($out, $not, 'no secret') if $not;
    };
}


sub server { return "server { listen 127.0.0.1:1;\n$_[0]\n}" }
sub location { return server("location / {\n$_[0]\n}") }


# every directive, where it may stand: http, server, location

my %directive = (
    ticket_zone => ['t:1m', 1, 0, 0],
    ticket_redis => ['redis://127.0.0.1/0', 1, 1, 1],
    ticket_kafka => ['off', 1, 0, 0],
    ticket => ['health', 0, 0, 1],
    ticket_name => ['x', 1, 1, 1],
    ticket_user => ['$remote_user', 1, 1, 1],
    ticket_quantity => ['1', 1, 1, 1],
    ticket_idempotency_key => ['$request_id', 1, 1, 1],
    ticket_max_pending => ['10', 1, 0, 0],
    ticket_max_backlog => ['10', 1, 1, 1],
    ticket_pass_keys => ['keys', 1, 0, 0],
    ticket_pass => ['$http_x_pass', 1, 1, 1],
    ticket_queue => ['off', 0, 0, 1],
    ticket_queue_page => ['/waiting/', 1, 1, 1],
    ticket_queue_fail => ['open', 1, 1, 1],
    ticket_queue_bypass => ['$remote_user', 1, 1, 1],
    ticket_queue_tick => ['500ms', 1, 0, 0],
);

{
    my $source = qx(cat $Root/ngx_ticket_module/*.c);
    my %known = map { $_ => 1 } $source =~ /\{ ngx_string\("(ticket\w*)"\),\s+NGX/g;
    is_deeply([sort keys %directive], [sort keys %known],
              'this file knows all directives');
}

for my $name (sort keys %directive) {
    my ($value, @may) = @{ $directive{$name} };
    my @place = (
        [http => "$name $value;"],
        [server => server("$name $value;")],
        [location => location("$name $value;")],
    );

    for my $i (0 .. 2) {
        my ($context, $conf) = @{ $place[$i] };
        if ($may[$i]) {
            accepted("$name may stand in $context", $conf);
        } else {
            refused("$name may not stand in $context", $conf,
                    qr/"$name" directive is not allowed here/);
        }
    }

    my ($status, $out) = $nginx->check(http => undef, main => "$name $value;");
    like($out, qr/"$name" directive is not allowed here in .*:\d+/,
         "$name may not stand outside of http");
    $nginx->{main} = '';

    my $twice = "$name $value;\n$name $value; # <<<";
    refused("$name may not stand twice",
            $may[0] ? $twice : location($twice), qr/"$name" directive is duplicate/);
    refused("$name needs a value", $may[0] ? "$name;" : location("$name;"),
            qr/invalid number of arguments in "$name" directive/);
}

for my $name (grep { !/^ticket(?:_redis|_kafka)?$/ } sort keys %directive) {
    refused("$name takes one value", $directive{$name}[1]
            ? "$name $directive{$name}[0] x;" : location("$name a b;"),
            qr/invalid number of arguments in "$name" directive/);
}


# ticket

my @action = qw(book cancel booking ticket admin bookings metrics health ready);

accepted("the action $_", "$redis $user" . location("ticket $_;")) for @action;
accepted('three actions of three methods',
    "$redis $user" . location('ticket book cancel booking;'));
accepted('metrics, health and ready need no Redis',
    server('location = /a { ticket metrics; } location = /b { ticket health; }'));
accepted('beside an if', "$redis $user" . location(
    'ticket ticket; if ($arg_x) { set $y 1; }'));
accepted('beside a limit_except', "$redis $user" . server(
    'location / { ticket book; limit_except POST { deny all; } }'));

refused('an action nobody knows', "$redis $user" . location('ticket buy;'),
        qr/unknown action "buy"/);
refused('an action twice', "$redis $user" . location('ticket book book;'),
        qr/duplicate action "book"/);

for my $pair (['booking', 'ticket'], ['ticket', 'admin'], ['cancel', 'admin'],
              ['health', 'ready'], ['bookings', 'metrics'])
{
    refused("@$pair have a method in common",
            "$redis $user" . location("ticket @$pair;"),
            qr/actions "$pair->[0]" and "$pair->[1]".*method in common/);
}

for my $action (qw(book cancel booking)) {
    refused("$action without ticket_user", $redis . location("ticket $action;"),
            qr/"ticket $action" needs "ticket_user"/);
}
for my $action (@action[0 .. 5], 'ready') {
    refused("$action without ticket_redis", $user . location("ticket $action;"),
            qr/"ticket $action" needs "ticket_redis"/);
}
refused('a proxied location cannot answer, too', "$redis $user"
        . location("proxy_pass http://127.0.0.1:2;\nticket book; # <<<"),
        qr/"ticket" directive is not the only one to answer in its location/);
refused('nor one that is proxied later', "$redis $user"
        . location("ticket book; # <<<\nproxy_pass http://127.0.0.1:2;"),
        qr/"ticket" is not the only one to answer in its location/);

accepted('ticket_user is inherited', "$redis $user" . location('ticket book;'));
accepted('and from a server', $redis . server("$user location / { ticket book; }"));
accepted('and into a nested location', $redis . server(
    "location / { $user location /a { ticket book; } }"));


# ticket_redis

accepted("the uri $_", "ticket_redis $_;" . location("$user ticket book;"))
    for 'redis://127.0.0.1', 'redis://127.0.0.1:6380', 'redis://127.0.0.1/15',
        'redis://127.0.0.1:6380/0', 'redis://:secret@127.0.0.1/0',
        'redis://me:secret@127.0.0.1/0', 'redis://me:s%2F%40%3A@127.0.0.1:1/1',
        'redis://localhost', '"redis://[::1]:6379/0"', 'unix:/tmp/redis.sock',
        'unix:/tmp/redis.sock:3',
        'redis://127.0.0.1 timeout=500ms connect_timeout=1s backoff_max=1m';

my $secret = qr/s3cr3t/;
my %uri = (
    'http://127.0.0.1' => qr/must begin with "redis:\/\/" or "unix:"/,
    'rediss://a:s3cr3t@127.0.0.1' => qr/must begin with/,
    '127.0.0.1:6379' => qr/must begin with/,
    'redis://' => qr/invalid redis uri|no host/,
    'redis:///0' => qr/redis uri/,
    'redis://:6379/0' => qr/redis uri/,
    'redis://127.0.0.1:0' => qr/invalid port/,
    'redis://127.0.0.1:65536' => qr/invalid port/,
    'redis://127.0.0.1:x' => qr/invalid port/,
    'redis://a:s3cr3t@127.0.0.1:x/0' => qr/invalid port/,
    'redis://127.0.0.1/x' => qr/database must be a number/,
    'redis://127.0.0.1/-1' => qr/database must be a number/,
    'redis://127.0.0.1/1/2' => qr/database must be a number/,
    'redis://a:s3cr3t@127.0.0.1/s3cr3t' => qr/database must be a number/,
    'redis://127.0.0.1/99999999999999999999' => qr/database must be a number/,
    'redis://s3cr3t@127.0.0.1' => qr/"user:password" or ":password"/,
    'redis://me:@127.0.0.1' => qr/"user:password" or ":password"/,
    'redis://me:s3cr3t%@127.0.0.1' => qr/percent-encoded/,
    'redis://me:s3cr3t%zz@127.0.0.1' => qr/percent-encoded/,
    'redis://me:s3/cr3t@127.0.0.1' => qr/"\/" before "@" must be percent-encoded/,
    'redis://me:s3cr3t@does-not-exist.invalid' => qr/host not found/,
    'unix:' => qr/needs an absolute path/,
    'unix:redis.sock' => qr/needs an absolute path/,
    'unix:/' . 'x' x 120 => qr/too long path/,
    "redis://127.0.0.1 timeout=0" => qr/invalid redis option "timeout=0"/,
    "redis://127.0.0.1 timeout=x" => qr/invalid redis option "timeout=x"/,
    "redis://127.0.0.1 timeout=" => qr/invalid redis option "timeout="/,
    "redis://127.0.0.1 timeout=1s timeout=2s" => qr/duplicate redis option/,
    "redis://a:s3cr3t 127.0.0.1" => qr/unknown redis option|redis uri|host/,
    "redis://127.0.0.1 s3cr3t" => qr/unknown redis option/,
    "redis://127.0.0.1 timeuot=1s" => qr/unknown redis option/,
);
refused("the uri $_", "ticket_redis $_; # <<<\n", $uri{$_}, $secret)
    for sort keys %uri;


# ticket_kafka

my $kafka = 'brokers=127.0.0.1:9092 topic=t';

accepted("ticket_kafka $_", "ticket_kafka $_;") for $kafka, 'off',
    'brokers=a:1,b:2 topic=ticket.events_1-2', "$kafka flush_timeout=0",
    "$kafka flush_timeout=250ms", "$kafka linger.ms=50 batch.size=1000",
    "$kafka enable.idempotence=false acks=1",
    "$kafka sasl.mechanism=PLAIN sasl.username=me sasl.password=s3cr3t";

my %kafka = (
    'on' => qr/./,
    'brokers=127.0.0.1:9092' => qr/needs "brokers=" and "topic=", or "off"/,
    'topic=t' => qr/needs "brokers=" and "topic=", or "off"/,
    'brokers= topic=t' => qr/invalid kafka option "brokers="/,
    'brokers=a topic=' => qr/invalid kafka option "topic="/,
    'brokers=a topic=a/b' => qr/invalid kafka option/,
    'brokers=a topic=..' => qr/invalid kafka option/,
    'brokers=a topic=' . 'x' x 250 => qr/invalid kafka option/,
    "$kafka topic=u" => qr/duplicate kafka option/,
    "$kafka brokers=u" => qr/duplicate kafka option/,
    "$kafka off" => qr/not "property=value"/,
    "$kafka s3cr3t" => qr/not "property=value"/,
    "$kafka no.such.property=1" => qr/unknown property of librdkafka "no\.such/,
    "$kafka linger.ms=soon" => qr/invalid value of librdkafka's property "linger/,
    "$kafka linger.ms=1 linger.ms=2" => qr/duplicate property/,
    "$kafka sasl.password=s3cr3t sasl.password=s3cr3t2" => qr/duplicate property/,
    "$kafka partitioner=random" => qr/the module sets .* "partitioner"/,
    "$kafka bootstrap.servers=x" => qr/the module sets/,
    "$kafka transactional.id=x" => qr/the module sets/,
    "$kafka acks=1" => qr/"enable\.idempotence" does not allow.*"acks"/,
    "$kafka max.in.flight=6" => qr/does not allow.*"max\.in\.flight"/,
    "$kafka retries=0" => qr/does not allow.*"retries"/,
    "$kafka flush_timeout=x" => qr/invalid "flush_timeout="/,
    "$kafka flush_timeout=1s flush_timeout=1s" => qr/duplicate "flush_timeout="/,
    "$kafka sasl.mechanism=s3cr3t security.protocol=s3cr3t" => qr/./,
);
refused("ticket_kafka $_", "ticket_kafka $_; # <<<", $kafka{$_}, $secret)
    for sort keys %kafka;


# ticket_zone and numbers

accepted("ticket_zone $_", "ticket_zone $_;") for 't:512k', 't:16m';
refused("ticket_zone $_->[0]", "ticket_zone $_->[0];", $_->[1])
    for ['t', qr/must be "name:size"/], [':1m', qr/must be "name:size"/],
        ['t:', qr/invalid zone size/], ['t:x', qr/invalid zone size/],
        ['t:-1', qr/invalid zone size/], ['t:0', qr/is too small/],
        ['t:511k', qr/is too small, it needs 512k/];
{
    my ($status, $out) = $nginx->check(http =>
        "limit_req_zone \$uri zone=t:1m rate=1r/s;\nticket_zone t:1m;");
    like($out, qr/\[emerg\].*shared memory zone "t" is already.*nginx\.conf:\d+/,
         'a zone of somebody else');
}

for my $name (qw(ticket_max_pending ticket_max_backlog)) {
    refused("$name $_", "$name $_;", qr/"$name" directive|value must be/)
        for 'x', '-1', '1.5', '99999999999999999999';
}
refused('ticket_max_pending 0', 'ticket_max_pending 0;',
        qr/value must be between 1 and 1000000/);
accepted('ticket_max_backlog 0', 'ticket_max_backlog 0;');

accepted("ticket_queue_tick $_", "ticket_queue_tick $_;") for '100ms', '1m';
refused("ticket_queue_tick $_", "ticket_queue_tick $_; # <<<", qr/must be between 100ms and 60s/)
    for '99ms', '61s';
refused('ticket_queue_fail half', 'ticket_queue_fail half; # <<<', qr/invalid value "half"/);

# what ticket_queue means in a location

refused("ticket $_ without a room", "$redis $user" . location("ticket $_;"),
        qr/"ticket $_" needs "ticket_queue" with a name/) for qw(queue queue_events);
refused('a gate needs a name', "$redis $user" . location('ticket_queue on;'),
        qr/"ticket_queue on" needs "ticket book"/);
refused('and so do other actions', "$redis $user" . location("ticket cancel;\nticket_queue on; # <<<"),
        qr/"ticket_queue on" needs "ticket book"/);
refused('a gate without ticket_user', $redis . location('ticket_queue shop;'),
        qr/"ticket_queue" needs "ticket_user"/);
refused('a gate without ticket_redis', $user . location('ticket_queue shop;'),
        qr/"ticket_queue" needs "ticket_redis"/);
refused('a nested location inherits a gate', $redis . server(
        "location /a/ {\nticket_queue shop; # <<<\nlocation /a/b/ { }\n}"),
        qr/"ticket_queue" needs "ticket_user"/);
accepted('and may do without', "$redis $user $keys" . server(
        'location /a/ { ticket_queue shop; location /a/b/ { ticket_queue off; } }'));
refused('gate is no action', "$redis $user" . location('ticket gate;'), qr/unknown action "gate"/);


# variables exist, and only these

for my $name (qw(result booking_id remaining redis_time batch)) {
    accepted("\$ticket_$name", "log_format t '\$ticket_$name';");
}
{
    my ($status, $out) = $nginx->check(http => "log_format t '\$ticket_other';"
        . "\naccess_log x t;");
    like($out, qr/unknown "ticket_other" variable/, 'no other variable');
}


# Nothing is opened by a check.  Calls are counted by a library in front of
# libc, and that it counts is shown by a nginx that serves.

{
    my $r = $nginx->{root};
    open my $c, '>', "$r/spy.c" or die $!;
    print {$c} <<'EOC';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <stdio.h>

static void told(const char *name)
{
    FILE *f = fopen(getenv("SPY"), "a");

    fprintf(f, "%s\n", name);
    fclose(f);
}

#define SPY(name, types, args)                                                \
    int name types                                                            \
    {                                                                         \
        int (*real) types = (int (*) types) dlsym(RTLD_NEXT, #name);          \
                                                                              \
        told(#name);                                                          \
        return real args;                                                     \
    }

SPY(connect, (int s, const void *a, unsigned n), (s, a, n))
SPY(thrd_create, (void *t, void *f, void *a), (t, f, a))
SPY(pthread_create, (void *t, void *x, void *f, void *a), (t, x, f, a))
EOC
    close $c;
    system('cc', '-shared', '-fPIC', '-o', "$r/spy.so", "$r/spy.c", '-ldl') == 0
        or die "cc failed\n";

    my $port = server_port();
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => 0, Listen => 5) or die $!;
    my $there = $listener->sockport;

    $nginx->write_conf(main => 'master_process off; env SPY; env LD_PRELOAD;',
        http => <<"EOC");
ticket_redis redis://127.0.0.1:$there/0;
ticket_kafka brokers=127.0.0.1:$there topic=t;
ticket_user x;
server { listen 127.0.0.1:$port; location / { ticket book; } }
EOC
    local $ENV{SPY} = "$r/spied";
    local $ENV{LD_PRELOAD} = "$r/spy.so";

    is(system($nginx->command('-t', '-q')), 0, 'accepted');
    is(TicketRedis::text("$r/spied"), '', 'no connection, no thread');
    ok(!IO::Select->new($listener)->can_read(0.1), 'nobody came');

    is(system($nginx->command), 0, 'started') or diag($nginx->log =~ s/^.*\n(?=(?:.*\n){5}\z)//sr);
    ok(wait_for(20, sub { TicketRedis::text("$r/spied") =~ /connect/ }),
       'a worker connects');
    ok(wait_for(20, sub { TicketRedis::text("$r/spied") =~ /p?thr(?:ea)?d_create/ }),
       'and has threads');
    ok($nginx->quit(20), 'leaves');
    $nginx->{main} = '';
}


# and the configuration we give away is accepted as it stands

{
    my $example = TicketRedis::text("$Root/nginx.conf.example");
    my $load = $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $r = $nginx->{root};

    open my $keys, '>', "$r/ticket.keys" or die $!;
    print {$keys} 'test ', '0' x 64, "\n";
    close $keys;
    $example =~ s{/etc/nginx/ticket\.keys}{$r/ticket.keys}g;
    $example =~ s/^load_module .*$/$load ? "load_module $load;" : ''/me;
    open my $f, '>', "$r/nginx.conf" or die $!;
    print {$f} $example;
    close $f;

    my $out = qx(@{[ join ' ', $nginx->command('-t', '-g', "'pid $r/logs/p;'") ]} 2>&1);
    like($out, qr/test is successful/, 'nginx.conf.example');

    # what README.md shows of the waiting room, beside the least of what it presumes
    my ($room) = TicketRedis::text("$Root/README.md") =~ /^## Waiting room\n(.*?)^## Directives/ms;
    my @blocks = $room =~ /^```nginx\n(.*?)^```/msg;
    is(scalar @blocks, 2, 'README.md: a room and a gate');
    for my $block (@blocks) {
        $block =~ s{^(ticket_pass_keys +)\S+;}{$1$r/ticket.keys;}m or die 'no keys';
        open $f, '>', "$r/nginx.conf" or die $!;
        print {$f} $load ? "load_module $load;\n" : '', "events {}\nhttp {\n",
            "ticket_redis redis://127.0.0.1:6379/0;\nupstream shop { server 127.0.0.1:8000; }\n$block}\n";
        close $f;
        $out = qx(@{[ join ' ', $nginx->command('-t', '-g', "'pid $r/logs/p;'") ]} 2>&1);
        like($out, qr/test is successful/, 'README.md is accepted as it stands');
    }
}


done_testing();
