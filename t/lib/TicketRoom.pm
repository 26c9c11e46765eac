# Waiting rooms for the edge suites: made and entered by the scripts of the
# product, with passes and places signed here as any other program would that
# has the keys.

package TicketRoom;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64url);
use TicketTest qw(redis replid);

use base 'Exporter';

our @EXPORT = qw($Kid $Secret write_keys token signed_pass signed_place room room_keys
    restore admit live room_value redis_ms);

# what signs unless the test says otherwise
our ($Kid, $Secret) = ('k1', '0123456789abcdefghijklmnopqrstuv');


# a key file only its owner can read; the lines, or that one key
sub write_keys {
    my ($file, @lines) = @_;
    @lines = ("$Kid $Secret") if !@lines;
    unlink $file;
    my $umask = umask 077;
    open my $f, '>', $file or die "$file: $!\n";
    umask $umask;
    print {$f} map { "$_\n" } @lines;
    close $f or die "$file: $!\n";
    return $file;
}


# kind, S, user, the two numbers; key => [kid, secret]
sub token {
    my ($kind, $S, $user, $first, $second, %with) = @_;
    my ($kid, $secret) = @{ $with{key} // [$Kid, $Secret] };
    my $text = join '.', $kid, $first, $second,
        map { encode_base64url($_) } $S, $user;
    return "$text." . encode_base64url(hmac_sha256("$kind.$text", $secret));
}


# a pass that is over at that time (ms)
sub signed_pass {
    my ($S, $user, $expires, %with) = @_;
    return token('pass', $S, $user, $expires,
                 $expires > 60000 ? $expires - 60000 : 0, %with);
}


# a place with that number
sub signed_place {
    my ($S, $user, $number, %with) = @_;
    return token('place', $S, $user, $number, time() * 1000, %with);
}


# R, Q, Z of a room, then K of its tickets
sub room_keys {
    my ($S, @tickets) = @_;
    return ("queue:room:{$S}", "queue:{$S}", "queue:pass:z:{$S}",
            map { TicketTest::key($_) } @tickets);
}


# A room, or a change of it; capacity 10 unless given.  Values as queue_define
# takes them: '' leaves one, '-' clears it.
sub room {
    my ($S, %with) = @_;
    my $new = !redis('EXISTS', (room_keys($S))[0]);
    my %d = ((map { $_ => '' } qw(capacity rate share pass_ttl state tickets
              max_lag opens_at draw seed draw_hash origin)),
             $new ? (capacity => 10) : (), %with);

    redis('SADD', 'queues', $S);
    my $r = redis('EVAL', TicketTest::script('queue_define'), 3,
        room_keys($S), $S, 'test', 1, replid(),
        @d{qw(capacity rate share pass_ttl state tickets max_lag opens_at draw
              seed draw_hash origin)}, '');
    die "queue_define: " . (ref $r ? join(' ', @$r) : $r) . "\n"
        unless ref $r && ($r->[0] == 0 || $r->[0] == 5);
}


# what the persister's keeper does after a loss of Redis; values as `room_value`
# told them before it
sub restore {
    my ($S, %was) = @_;

    redis('SADD', 'queues', $S);
    my $r = redis('EVAL', TicketTest::script('queue_define'), 3,
        room_keys($S), $S, 'keeper', 1, replid(),
        @was{qw(capacity rate share pass_ttl state tickets max_lag opens_at
                draw seed draw_hash origin drawn)}, $was{changed_at} // '', '');
    die "queue_define: " . (ref $r ? join(' ', @$r) : $r) . "\n"
        unless ref $r && $r->[0] == 5;
}


# Redis' clock
sub redis_ms {
    my ($s, $us) = @{ redis('TIME') };
    return $s * 1000 + int($us / 1000);
}


# lets a user in, for whom there has to be room: when the pass is over (ms)
sub admit {
    my ($S, $user) = @_;
    my $tickets = room_value($S, 'tickets');
    my @keys = room_keys($S, split ' ', $tickets);
    my $r = redis('EVAL', TicketTest::script('queue_enter'), scalar @keys,
        @keys, $S, $tickets, $user, 1, 0, 0, '');
    die "queue_enter: " . (ref $r ? join(' ', @$r) : $r) . "\n"
        unless ref $r && $r->[0] == 6;
    return $r->[2];
}


# when the live pass of a user is over, undef: there is none
sub live { return redis('ZSCORE', (room_keys($_[0]))[2], $_[1]) }


sub room_value { return redis('HGET', (room_keys($_[0]))[0], $_[1]) }


1;
