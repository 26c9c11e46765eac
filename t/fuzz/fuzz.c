/*
 * A small coverage-guided fuzzer for the parsers both programs share, built with ASan and UBSan by t/unit/Makefile.
 *
 *   fuzz [-s SEED] [-n INPUTS | -t SECONDS] [TARGET...]     all targets when none is named
 *   fuzz TARGET FILE                                        one input again
 *
 * With -n a run is the same each time.  An input that breaks a rule, or that a sanitizer stops at, is written to
 * fuzz-TARGET.input and named.  Inputs are copied into memory of exactly their size before each call.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "ticket_event.h"

#define INPUT_MAX   1024
#define CORPUS_MAX  2048
#define EDGES       65536       /* a power of two */

typedef struct {
    size_t len;
    char data[INPUT_MAX];
} input_t;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_set_death_callback(void (*callback)(void));

static input_t corpus[CORPUS_MAX];
static size_t ncorpus;

static unsigned char hit[EDGES];        /* by this input */
static unsigned char seen[EDGES];       /* by any, as bits of how often */
static uintptr_t edge_before;

static uint64_t random_state;
static const target_t *target_now;
static input_t input_now;

/* gcc calls this at every edge of what is built with -fsanitize-coverage=trace-pc */
__attribute__((no_sanitize("address", "undefined"))) void
__sanitizer_cov_trace_pc(void)
{
    /* relative, because the program is loaded elsewhere each time */
    uintptr_t pc = (uintptr_t) __builtin_return_address(0) - (uintptr_t) ticket_event_decode;
    uintptr_t edge = (pc ^ edge_before) & (EDGES - 1);

    if (hit[edge] < 255)
        hit[edge]++;
    edge_before = pc >> 1;
}

static uint64_t
random_next(void)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t
random_below(size_t n)
{
    return n ? (size_t) (random_next() % n) : 0;
}

static void
save_input(void)
{
    char path[64];
    FILE *f;

    if (target_now == NULL)
        return;
    snprintf(path, sizeof(path), "fuzz-%s.input", target_now->name);
    f = fopen(path, "wb");
    if (f != NULL) {
        fwrite(input_now.data, 1, input_now.len, f);
        fclose(f);
    }
    fprintf(stderr, "the input is in %s\n", path);
}

void
broken(const char *rule)
{
    fprintf(stderr, "%s: %s\n", target_now->name, rule);
    save_input();
    exit(1);
}

/* pieces that a parser may trip over */
static const char *const tokens[] = {
    "\"", "\\", "\\\"", "\\u0000", "\\ud83c", "\\udfab", "\\u0041", "{", "}", "[", "]", ":", ",", "null", "true", "-",
    "-1", "0", "00", "1e9", "0.5", "9223372036854775807", "9223372036854775808", "18446744073709551616", "%", "%00",
    "%4", "%41", "+", "&", "=", ";", " ", "\t", "\n", "\v", "\x7f", "\xc0\x80", "\xc2\xa0", "\xe2\x80\xa8",
    "\xed\xa0\x80", "\xef\xbb\xbf", "\xf0\x9f\x8e\xab", "\xf4\x90\x80\x80", "\xff", "@", "/", "..", ":0:1-1", "Z",
    "+01:00", ".123", "ticket", "quantity", "data", "user", "holding", "holding_id", "origin", "booked", "defined",
};

static void
replace(input_t *in, size_t at, size_t cut, const char *data, size_t len)
{
    size_t tail = in->len - at - cut;

    if (at + len + tail > INPUT_MAX)
        return;
    memmove(in->data + at + len, in->data + at + cut, tail);
    memmove(in->data + at, data, len);
    in->len = at + len + tail;
}

static void
mutate(input_t *in)
{
    size_t times = 1 + random_below(4), at, cut;
    const input_t *other;
    const char *token;
    char c;

    while (times-- > 0) {
        at = random_below(in->len + 1);
        cut = random_below(in->len - at + 1);

        switch (random_below(8)) {
        case 0:
            if (at < in->len)
                in->data[at] = (char) (in->data[at] ^ (1 << random_below(8)));
            break;
        case 1:
            c = (char) random_next();
            replace(in, at, 0, &c, 1);
            break;
        case 2:
            replace(in, at, cut < 8 ? cut : random_below(8), "", 0);
            break;
        case 3:
            in->len = at;
            break;
        case 4: {
            char copy[INPUT_MAX];

            memcpy(copy, in->data + at, cut);
            replace(in, random_below(in->len + 1), 0, copy, cut);
            break;
        }
        case 5:
            other = &corpus[random_below(ncorpus)];
            cut = random_below(other->len + 1);
            replace(in, at, in->len - at, other->data + cut, other->len - cut);
            break;
        default:
            token = tokens[random_below(COUNT(tokens))];
            replace(in, at, random_below(2) ? 0 : (cut < 4 ? cut : 4), token, strlen(token));
            break;
        }
    }
}

/* 1 when this input went where none before it did */
static int
run_input(void)
{
    char *copy = malloc(input_now.len ? input_now.len : 1);
    int news = 0;
    size_t i;

    if (input_now.len)
        memcpy(copy, input_now.data, input_now.len);
    memset(hit, 0, sizeof(hit));
    edge_before = 0;

    target_now->run(copy, input_now.len);
    free(copy);

    for (i = 0; i < EDGES; i += sizeof(uint64_t)) {
        uint64_t eight;
        size_t j;

        memcpy(&eight, hit + i, sizeof(eight));
        if (eight == 0)
            continue;
        for (j = i; j < i + sizeof(eight); j++) {
            /* once, twice, 3, 4–7, 8–15 … */
            unsigned char often = (unsigned char) (hit[j] < 4 ? hit[j] : hit[j] < 8 ? 4 : hit[j] < 16 ? 8
                                                   : hit[j] < 32 ? 16 : hit[j] < 128 ? 32 : 64);

            if (often & ~seen[j]) {
                seen[j] |= often;
                news = 1;
            }
        }
    }
    return news;
}

static void
keep_input(void)
{
    if (ncorpus < CORPUS_MAX)
        corpus[ncorpus++] = input_now;
    else
        corpus[random_below(CORPUS_MAX)] = input_now;
}

static void
fuzz(const target_t *target, uint64_t seed, unsigned long inputs, unsigned long seconds)
{
    time_t end = time(NULL) + (time_t) seconds;
    unsigned long n;
    size_t i, edges = 0;

    target_now = target;
    random_state = seed;
    ncorpus = 0;
    memset(seen, 0, sizeof(seen));

    for (i = 0; i < target->nseeds; i++) {
        input_now.len = strlen(target->seeds[i]);
        memcpy(input_now.data, target->seeds[i], input_now.len);
        run_input();
        keep_input();
    }
    for (n = 0; seconds ? (n % 256 || time(NULL) < end) : n < inputs; n++) {
        input_now = corpus[random_below(ncorpus)];
        mutate(&input_now);
        if (run_input())
            keep_input();
    }
    for (i = 0; i < EDGES; i++)
        edges += seen[i] != 0;
    printf("%-8s %9lu inputs, %4zu edges, %4zu kept\n", target->name, n, edges, ncorpus);
    fflush(stdout);
    target_now = NULL;
}

static const target_t *
find(const char *name)
{
    size_t i;

    for (i = 0; i < ntargets; i++) {
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    }
    fprintf(stderr, "no target %s; there are:", name);
    for (i = 0; i < ntargets; i++)
        fprintf(stderr, " %s", targets[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

int
main(int argc, char **argv)
{
    unsigned long inputs = 20000, seconds = 0;
    uint64_t seed = 1;
    size_t i;
    int option;

    while ((option = getopt(argc, argv, "s:n:t:")) != -1) {
        switch (option) {
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            inputs = strtoul(optarg, NULL, 10);
            break;
        case 't':
            seconds = strtoul(optarg, NULL, 10);
            break;
        default:
            fprintf(stderr, "usage: fuzz [-s SEED] [-n INPUTS | -t SECONDS] [TARGET...] | fuzz TARGET FILE\n");
            return 2;
        }
    }
    argc -= optind;
    argv += optind;
    __sanitizer_set_death_callback(save_input);

    if (argc == 2 && access(argv[1], R_OK) == 0) {
        FILE *f = fopen(argv[1], "rb");

        target_now = find(argv[0]);
        if (f == NULL) {
            perror(argv[1]);
            return 2;
        }
        input_now.len = fread(input_now.data, 1, INPUT_MAX, f);
        fclose(f);
        run_input();
        return 0;
    }
    for (i = 0; i < (argc ? (size_t) argc : ntargets); i++)
        fuzz(argc ? find(argv[i]) : &targets[i], seed, inputs, seconds);
    return 0;
}
