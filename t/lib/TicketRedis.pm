# A Redis of its own for each test file: a suite may stop it, fill it, demote it
# and flush it, and suites may run side by side.

package TicketRedis;

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Redis;
use Time::HiRes qw(sleep time);

our ($Dir, $Port, $Pid);
my $connection;


# loaded before anything that has an END of its own, so that this one is the
# last: nginx is still to be asked to leave when the tests are over
END { local $?; stop() }

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);


sub start {
    $Dir //= tempdir('ticket-redis-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    for my $attempt (1 .. 5) {
        $Port = free_port() if !defined $Port || $attempt > 1;
        launch();
        return if wait_ready(10);
        stop();
    }
    die "redis-server does not start: " . text("$Dir/log");
}


# the same port, empty: what a restart without a file looks like
sub restart {
    stop();
    launch();
    wait_ready(10) or die "redis-server does not start: " . text("$Dir/log");
}


sub launch {
    my @command = ('redis-server', '--port', $Port, '--bind', '127.0.0.1',
        '--unixsocket', "$Dir/sock", '--dir', $Dir, '--logfile', "$Dir/log",
        '--save', '', '--appendonly', 'no', '--daemonize', 'no',
        '--maxmemory-policy', 'noeviction', '--repl-backlog-ttl', '0');

    $Pid = fork() // die "fork: $!";
    return if $Pid;

    open STDOUT, '>', "$Dir/out";
    open STDERR, '>&', \*STDOUT;
    exec @command or POSIX::_exit(127);
}


sub wait_ready {
    my $end = time() + shift;

    undef $connection;
    while (time() < $end) {
        return 0 if waitpid($Pid, 1) == $Pid;
        my $ready = eval { Redis->new(server => "127.0.0.1:$Port")->ping };
        return 1 if $ready;
        sleep 0.02;
    }
    return 0;
}


sub stop {
    return if !$Pid;
    undef $connection;
    kill 'KILL', $Pid;
    waitpid $Pid, 0;
    undef $Pid;
}


# to a process that is paused nothing is lost, but nobody gets an answer
sub pause { kill 'STOP', $Pid }
sub go_on { kill 'CONT', $Pid }


# not one the kernel gives to clients: who connects to such a port while nobody
# listens may come to talk to himself, and then it is taken
sub free_port {
    for (1 .. 100) {
        my $port = 20000 + int rand 12000;
        return $port if IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $port, Listen => 1, ReuseAddr => 1);
    }
    die "no port: $!\n";
}


# one command, one reply: a string, undef or an array reference; dies of an
# error reply
sub command {
    my ($name, @args) = @_;

    $connection //= Redis->new(server => "127.0.0.1:$Port", encoding => undef,
        reconnect => 5);

    my $method = lc $name;
    return scalar $connection->$method(@args);
}


sub text {
    my $file = shift;
    open my $f, '<', $file or return '';
    local $/;
    return <$f> // '';
}


1;
