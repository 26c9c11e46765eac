# Documentation drifts where nobody looks.  Each directive and variable of the
# source is in README.md, with what a reader looks for, and in a test; and neither
# README.md nor the example knows one that the source does not.

use strict;
use warnings;

use Test::More;

sub text {
    my $file = shift;
    open my $f, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$f>;
}

my $readme = text('README.md');
my $example = text('nginx.conf.example');
my $source = join '', map { text($_) } glob 'ngx_ticket_module/*.c';
my $tests = join '', map { text($_) } grep { !/005-docs/ } glob 't/*.t t/lib/*.pm';
my $result = text('ngx_ticket_module/ngx_http_ticket_result.c');

my @directives = $source =~ /\{ ngx_string\("(ticket\w*)"\),\s+NGX_HTTP/g;
my @variables = $source =~ /\{ ngx_string\("(ticket_\w+)"\), NULL, ngx_http/g;

cmp_ok(scalar @directives, '>=', 10, 'directives are found');
cmp_ok(scalar @variables, '>=', 5, 'variables are found');

my %context = (NGX_HTTP_MAIN_CONF => 'http', NGX_HTTP_SRV_CONF => 'server',
    NGX_HTTP_LOC_CONF => 'location');

for my $name (@directives) {
    my ($section) = $readme =~ /^### $name\n(.*?)(?=^##|\z)/ms;
    my ($where) = $source =~ /\{ ngx_string\("$name"\),\s+([\w|\s]+),/;
    my $context = join ', ', map { $context{$_} // () } $where =~ /\w+/g;

    subtest "$name" => sub {
        ok($section, 'has a section') or return;
        like($section, qr/^\| \*\*Syntax\*\* \| `$name /m, 'Syntax');
        like($section, qr/^\| \*\*Default\*\* \| (?:`$name |\S)/m, 'Default');
        like($section, qr/^\| \*\*Context\*\* \| \Q$context\E \|$/m, 'Context');
        ok($tests =~ /\b$name\b/, 'is tested');
    };
}

for my $name (@variables) {
    subtest "\$$name" => sub {
        like($readme, qr/^\| `\$$name` \| .+ \|$/m, 'README.md');
        like($example, qr/\$$name\b/, 'nginx.conf.example');
        ok($tests =~ /\$$name\b/, 'is tested');
    };
}

# each action has its methods in README.md, in the table of `ticket`
{
    my ($names) = $source =~ /^ngx_str_t  ngx_http_ticket_action_names\[\] = \{(.*?)\};/ms;
    my @actions = grep { $_ ne 'gate' } $names =~ /ngx_string\("(\w+)"\)/g;
    my ($section) = $readme =~ /^### ticket\n(.*?)(?=^##)/ms;
    cmp_ok(scalar @actions, '>=', 10, 'actions are found');
    like($section, qr/^\|[^|]*`$_`.*\| .+ \|$/m, "action $_: README.md has its methods") for @actions;
    like($section =~ s/^\|.*\n//mgr, qr/`$_`/, "action $_: and names it") for @actions;
}

# the other way round
{
    my %known = map { $_ => 1 } @directives;
    is(join(' ', grep { !$known{$_} } $readme =~ /^### (ticket\w*)$/mg), '',
       'README.md has no directive that is not there');
    is(join(' ', grep { !$known{$_} } $example =~ /^\s*(ticket\w*)\s/mg), '',
       'nor has the example');
    %known = map { $_ => 1 } @variables;
    is(join(' ', grep { !$known{$_} } "$readme$example" =~ /\$(ticket_\w+)/g), '',
       'nor a variable');
}

# each answer a program may get is in README.md and in a test
for my $code ($result =~ /ngx_http_ticket_problem\("(\w+)"/g) {
    next if $code =~ /^(?:client_closed|internal_error)$/;
    ok($readme =~ /`$code`/, "$code is in README.md");
    ok($tests =~ /\b$code\b/, "$code is tested");
}

# and the metrics are those that the tests know
for my $name ($source =~ /"(ticket_edge_\w+)"/g) {
    (my $short = $name) =~ s/^ticket_edge_//;
    ok($tests =~ /\b$short/, "$name is tested");
}

done_testing();
