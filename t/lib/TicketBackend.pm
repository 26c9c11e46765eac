# Somebody else's site behind a gate: a small HTTP server that says what it was
# sent and remembers it.

package TicketBackend;

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use File::Temp qw(tempfile);
use IO::Socket::INET;
use POSIX ();
use TicketRedis;


# answers "METHOD URI LENGTH MD5" in a process of its own, one connection after
# the other; `special` may answer other URIs: code that takes method, uri,
# headers and body, and returns a whole answer or nothing
sub new {
    my ($class, %with) = @_;
    my $port = TicketRedis::free_port();
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128,
                                       ReuseAddr => 1) or die "backend: $!\n";
    my (undef, $file) = tempfile('ticket-backend-XXXXXX', TMPDIR => 1, UNLINK => 1);
    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        serve($listen, $file, $with{special} // sub { return }) while 1;
    }

    close $listen;
    return bless { port => $port, pid => $pid, file => $file, owner => $$ }, $class;
}


sub serve {
    my ($listen, $file, $special) = @_;
    my $s = $listen->accept or return;
    my $head = do { local $/ = "\r\n\r\n"; <$s> } // return close $s;
    my ($method, $uri) = $head =~ /^(\S+) (\S+)/ or return close $s;
    my %headers = map { /^([^:]+): *(.*?)\r?$/ ? (lc $1 => $2) : () } split /\n/, $head;
    my $length = $headers{'content-length'} // 0;
    my $got = '';

    while (length $got < $length) {
        read $s, $got, $length - length $got, length $got or last;
    }

    my $line = join ' ', $method, $uri, length $got, md5_hex($got);
    open my $f, '>>', $file or POSIX::_exit(1);
    print {$f} "$line " . ($headers{'x-user'} // '-') . "\n";
    close $f;
    print {$s} $special->($method, $uri, \%headers, $got)
        // "HTTP/1.0 200 OK\r\nContent-Length: " . (length($line) + 1) . "\r\n\r\n$line\n";
    close $s;
}


# what came since the last time: "METHOD URI LENGTH MD5 USER", one a line
sub seen {
    my $self = shift;
    my $text = TicketRedis::text($self->{file});
    truncate $self->{file}, 0;
    return $text;
}


sub DESTROY {
    my $self = shift;
    return if $$ != $self->{owner} || !$self->{pid};
    local ($?, $!);
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
}


1;
