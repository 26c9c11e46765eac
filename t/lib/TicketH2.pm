# HTTP/2 by hand: what is sent when is ours to say.

package TicketH2;

use strict;
use warnings;

use IO::Socket::INET;

use base 'Exporter';

our @EXPORT = qw(frame h2_open send_to_h2 h2_headers h2_bodies);


sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags,
        $stream) . $payload;
}


# a connection to this port of ours
sub h2_open {
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$_[0]", Timeout => 5)
        or die "no connection: $!";
    return send_to_h2("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, ''), $s);
}


sub send_to_h2 {
    my ($bytes, $s) = @_;
    print {$s} $bytes;
    $s->flush;
    return $s;
}


# HEADERS without compression; `last`: no body follows
sub h2_headers {
    my ($stream, $last, @fields) = @_;
    my $block = '';
    while (my ($name, $value) = splice @fields, 0, 2) {
        $block .= pack 'CC/aC/a', 0, $name, $value;
    }
    return frame(1, 4 | ($last ? 1 : 0), $stream, $block);
}


# bodies by stream, until so many have ended; or one of them
sub h2_bodies {
    my ($s, $n, $only) = @_;
    my %body;
    while ($n > 0) {
        read($s, my $head, 9) == 9 or last;
        my ($length, $type, $flags, $stream) =
            unpack 'NCCN', "\0" . substr($head, 0, 3) . substr($head, 3);
        my $payload = '';
        read $s, $payload, $length if $length;
        next if $only && $stream != $only;
        $body{$stream} = ($body{$stream} // '') . $payload if $type == 0;
        $n-- if $type <= 1 && $flags & 1;
    }
    return \%body;
}


1;
