# One nginx with a configuration of the test's own: for what Test::Nginx has no
# section for, the life of processes and configurations that are refused.

package TicketNginx;

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use TicketTest ();
use Test::Nginx::Socket ();
use Time::HiRes qw(sleep time);

our $Binary = $Test::Nginx::Util::NginxBinary;
our @All;

# whatever a test left running ends with it
END { local $?; $_->stop for @All }


sub new {
    my ($class, %with) = @_;
    my $root = $with{root} // "$Test::Nginx::Util::ServRoot-own";

    remove_tree($root);
    make_path("$root/logs");
    my $self = bless { root => $root, main => '', http => '', workers => 1,
                       seen => {}, %with }, $class;
    push @All, $self;
    return $self;
}


# the whole file; `http` undef is a configuration without an http block
sub conf {
    my $self = shift;
    my $r = $self->{root};
    my $user = $> == 0 ? 'user root;' : '';
    my $load = join "\n", map { "load_module $_;" }
        split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $use = $ENV{TEST_NGINX_EVENT_TYPE} ? "use $ENV{TEST_NGINX_EVENT_TYPE};"
        : '';
    my $http = defined $self->{http} ? <<"EOC" : '';
http {
    access_log off;
    client_body_temp_path $r/body;
    proxy_temp_path $r/proxy;
    fastcgi_temp_path $r/fastcgi;
    uwsgi_temp_path $r/uwsgi;
    scgi_temp_path $r/scgi;
$self->{http}
}
EOC

    return <<"EOC";
$load
$user
worker_processes $self->{workers};
pid $r/logs/nginx.pid;
error_log $r/logs/error.log info;
$self->{main}
events { worker_connections 256; $use }
$http
EOC
}


sub write_conf {
    my ($self, %with) = @_;
    %$self = (%$self, %with);
    open my $f, '>', "$self->{root}/nginx.conf" or die "nginx.conf: $!";
    print {$f} $self->conf;
    close $f;
    return $self;
}


sub command {
    my ($self, @args) = @_;
    my $r = $self->{root};
    return ("$Binary", '-p', $r, '-e', "$r/logs/error.log", '-c',
            "$r/nginx.conf", @args);
}


# status and output of nginx -t
sub check {
    my ($self, %with) = @_;
    $self->write_conf(%with);
    my $out = qx(@{[ join ' ', $self->command('-t') ]} 2>&1);
    return ($? >> 8, $out);
}


sub start {
    my ($self, %with) = @_;
    $self->stop;
    $self->write_conf(%with);
    system($self->command) == 0 or die "nginx does not start: "
        . $self->log . "\n";
    TicketTest::wait_for(20, sub { $self->master })
        or die "nginx has no pid file\n";
    return $self;
}


sub master {
    my $self = shift;
    my ($pid) = TicketRedis::text("$self->{root}/logs/nginx.pid")
        =~ /^(\d+)$/ or return undef;
    $self->{seen}{$pid} = 1;
    return $pid;
}


# pids of the master's children
sub workers {
    my $self = shift;
    my $pid = $self->master // return ();
    my @pids = split ' ', TicketRedis::text("/proc/$pid/task/$pid/children");
    $self->{seen}{$_} = 1 for @pids;
    return @pids;
}


sub signal {
    my ($self, $signal) = @_;
    kill $signal, $self->master;
}


sub log {
    my $self = shift;
    return TicketRedis::text("$self->{root}/logs/error.log");
}


# Requests that reach the only worker in one turn: it sleeps while they are sent,
# on connections it knows already.  [method, uri, user, headers...] each; their
# answers, in order.
sub at_once {
    my ($self, @request) = @_;
    my ($worker) = $self->workers;
    my @s = map { TicketTest::send_to("GET /health HTTP/1.1\r\nHost: x\r\n\r\n") }
        @request;
    TicketTest::header($_) for @s;

    # it stops when it is scheduled, and what came before would be a turn of
    # its own
    kill 'STOP', $worker;
    TicketTest::wait_for(30, sub {
        TicketRedis::text("/proc/$worker/stat") =~ /\) T /;
    }) or die "the worker does not stop\n";
    for my $i (0 .. $#s) {
        my ($method, $uri, $user, @headers) = @{ $request[$i] };
        TicketTest::send_to(join("\r\n", "$method $uri HTTP/1.1", 'Host: x',
            "X-User: $user", @headers, '', ''), $s[$i]);
    }
    sleep 0.05;
    kill 'CONT', $worker;

    return map { TicketTest::header($_) } @s;
}


# lines of the error log that no test may cause
sub bad {
    my $self = shift;
    return join '', grep { /\[(?:alert|crit|emerg)\]|exited on signal/ }
        $self->log =~ /^.*\n/mg;
}


# processes are gone when nothing runs under their pids any more
sub gone {
    my ($self, $seconds, @pids) = @_;
    return TicketTest::wait_for($seconds, sub { !grep { alive($_) } @pids });
}


# still the process we saw, not somebody else's under the same number
sub ours {
    my ($self, $pid) = @_;
    return grep { (readlink($_) // '') =~ /^\Q$self->{root}\E\// }
        glob "/proc/$pid/fd/*";
}


# a zombie only waits for its parent
sub alive {
    return TicketRedis::text("/proc/$_[0]/stat") =~ /\) [^Z]/;
}


# QUIT; true if it is gone within some seconds
sub quit {
    my ($self, $seconds) = @_;
    my $pid = $self->master // return 1;
    my @pids = ($pid, $self->workers);
    kill 'QUIT', $pid;
    return $self->gone($seconds // 20, @pids);
}


# whatever became of it: the end
sub stop {
    my $self = shift;
    $self->workers;
    my @pids = grep { $self->ours($_) } keys %{ $self->{seen} };
    kill 'TERM', @pids;
    kill 'KILL', grep { $self->ours($_) } @pids if !$self->gone(10, @pids);
    $self->{seen} = {};
    remove_tree($self->{root}) if $Test::Nginx::Util::Randomize
        && ${^GLOBAL_PHASE} eq 'END';
}


1;
