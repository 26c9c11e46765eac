/*
 * A small coverage-guided fuzzer for the parsers both programs share, built with ASan and UBSan by t/unit/Makefile.
 *
 *   fuzz [-s SEED] [-n INPUTS | -t SECONDS] [TARGET...]     all targets when none is named
 *   fuzz TARGET FILE                                        one input again
 *
 * With -n a run is the same each time.  An input that breaks a rule, or that a sanitizer stops at, is written to
 * fuzz-TARGET.input and named.  Inputs are copied into memory of exactly their size before each call.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ngx_http_ticket_accept.h"
#include "ngx_http_ticket_args.h"
#include "ngx_http_ticket_pass.h"

#define INPUT_MAX   1024
#define CORPUS_MAX  2048
#define EDGES       65536       /* a power of two */
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

typedef struct {
    const char *name;
    void (*run)(const char *data, size_t len);
    const char *const *seeds;
    size_t nseeds;
} target_t;

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

static void
broken(const char *rule)
{
    fprintf(stderr, "%s: %s\n", target_now->name, rule);
    save_input();
    exit(1);
}

#define RULE(ok)  do { if (!(ok)) broken(#ok); } while (0)

static int
inside(ticket_slice_t s, const char *storage, size_t len)
{
    return s.len == 0 || (s.data >= storage && s.len <= len && (size_t) (s.data - storage) <= len - s.len);
}

/* an event that was read is written, read and written again to the same bytes */
static void
check_event(const ticket_event_t *ev)
{
    char first[TICKET_EVENT_JSON_MAX], second[TICKET_EVENT_JSON_MAX], storage[TICKET_EVENT_JSON_MAX];
    ticket_event_t again;
    const char *error = NULL;
    size_t n = ticket_event_encode(first, sizeof(first), ev), m;

    RULE(n > 0);
    RULE(ticket_json_clean(first, n));
    RULE(ticket_event_decode(first, n, &again, storage, &error) == 0);
    m = ticket_event_encode(second, sizeof(second), &again);
    RULE(m == n && memcmp(first, second, n) == 0);
}

static void
run_decode(const char *data, size_t len)
{
    char *storage = malloc(len ? len : 1);
    const char *error = "";
    ticket_event_t ev;
    int rc = ticket_event_decode(data, len, &ev, storage, &error);

    RULE((rc == 0) == (error == NULL));
    if (rc == 0) {
        RULE(inside(ev.ticket, storage, len) && inside(ev.user, storage, len) && inside(ev.booking_id, storage, len));
        check_event(&ev);
    }
    free(storage);
}

static void
run_unpack(const char *data, size_t len)
{
    static const ticket_slice_t ticket = ticket_slice("vip@concert"), id = ticket_slice("3-7"),
                                field = ticket_slice(TICKET_EVENT_FORMAT);
    ticket_slice_t value = { data, len };
    const char *error = "";
    ticket_event_t ev;
    int rc = ticket_event_unpack(ticket, 0, id, field, value, &ev, &error);

    RULE((rc == 0) == (error == NULL));
    if (rc == 0)
        check_event(&ev);
}

static void
run_id(const char *data, size_t len)
{
    ticket_slice_t id = { data, len }, ticket;
    char again[TICKET_EVENT_ID_MAX];
    uint32_t lane;
    uint64_t epoch, seq;

    if (ticket_event_id_parse(id, &ticket, &lane, &epoch, &seq) == 0) {
        RULE(lane < TICKET_LANES_MAX && epoch > 0 && seq > 0);
        RULE(ticket_event_id(again, sizeof(again), ticket, lane, epoch, seq) == len);
        RULE(memcmp(again, data, len) == 0);
    }
}

static void
run_name(const char *data, size_t len)
{
    ticket_slice_t name = { data, len };
    int user = ticket_user_valid(name);

    RULE(user || !ticket_name_valid(name));
    if (user) {
        RULE(len >= 1 && len <= TICKET_ID_MAX);
        RULE(memchr(data, '\\', len) || ticket_json_clean(data, len));
        RULE(!memchr(data, ' ', len) && !memchr(data, '\0', len));
    }
    (void) ticket_event_lane(name, TICKET_LANES_MAX);
}

static void
run_time(const char *data, size_t len)
{
    ticket_slice_t text = { data, len }, written;
    char buf[TICKET_TIME_LEN];
    int64_t ms, again;

    if (ticket_time_parse(text, &ms) == 0) {
        RULE(ms >= 0 && ms <= TICKET_TIME_MAX);
        ticket_time_format(buf, ms);
        written.data = buf;
        written.len = sizeof(buf);
        RULE(ticket_time_parse(written, &again) == 0 && again == ms);
    }
}

static void
check_args(const ticket_args_t *args, unsigned fields, ticket_args_code_t code, const char *detail, char *storage,
    size_t len)
{
    RULE((code == TICKET_ARGS_OK) == (detail == NULL));
    if (code != TICKET_ARGS_OK) {
        RULE(*ticket_args_code_name(code) != '\0');
        return;
    }
    RULE((args->given & ~fields) == 0);
    RULE(inside(args->ticket, storage, len) && inside(args->booking_id, storage, len)
         && inside(args->pass, storage, len) && inside(args->cursor, storage, len)
         && inside(args->state, storage, len) && inside(args->room_state, storage, len)
         && inside(args->tickets, storage, len));
    RULE(args->quantity <= TICKET_QUANTITY_MAX && args->per_user <= TICKET_QUANTITY_MAX
         && args->lanes <= TICKET_LANES_MAX && args->capacity <= TICKET_CAPACITY_MAX
         && args->limit <= TICKET_LIMIT_MAX);
    RULE(args->room_capacity <= TICKET_CAPACITY_MAX && args->rate <= TICKET_RATE_MAX && args->share <= 100
         && args->pass_ttl <= TICKET_PASS_TTL_MAX && args->max_lag <= TICKET_LAG_MAX && args->opening_draw <= 1);
    RULE(!(args->given & TICKET_ARG_ROOM_CAPACITY) || args->room_capacity > 0);
    RULE(!(args->given & TICKET_ARG_QUANTITY) || args->quantity > 0);
    RULE(!(args->given & TICKET_ARG_LANES) || args->lanes > 0);
    RULE(!(args->given & TICKET_ARG_BOOKING_ID) || args->booking_id.len > 0);
    RULE(args->pass.len <= TICKET_PASS_MAX && args->cursor.len <= 20);
}

#define EVERY  (TICKET_ARGS_BOOKING | TICKET_ARGS_DEFINITION | TICKET_ARGS_LIST)

static void
run_json(const char *data, size_t len)
{
    static const unsigned fields[] = { EVERY, TICKET_ARGS_BOOKING, TICKET_ARGS_DEFINITION, TICKET_ARGS_ROOM };
    ticket_slice_t text = { data, len };
    size_t i;

    for (i = 0; i < COUNT(fields); i++) {
        char *storage = malloc(len ? len : 1);
        const char *detail = NULL;
        ticket_args_t args;
        ticket_args_code_t code = ticket_args_json(&args, fields[i], text, storage, &detail);

        check_args(&args, fields[i], code, detail, storage, len);
        free(storage);
    }
}

static void
run_form(const char *data, size_t len)
{
    ticket_slice_t text = { data, len };
    char *storage = malloc(len ? len : 1), *other = malloc(len ? len : 1);
    const char *detail = NULL;
    ticket_args_t args, query;
    ticket_args_code_t code = ticket_args_form(&args, EVERY, text, storage, &detail);

    check_args(&args, EVERY, code, detail, storage, len);

    if (code == TICKET_ARGS_OK) {
        /* what a form may say a query may say, and both agree */
        RULE(ticket_args_query(&query, EVERY, text, other, &detail) == TICKET_ARGS_OK);
        RULE(query.given == args.given);
        RULE(ticket_args_merge(&args, &query, &detail) == TICKET_ARGS_OK);
    } else {
        detail = NULL;
        code = ticket_args_query(&query, TICKET_ARGS_BOOKING, text, other, &detail);
        check_args(&query, TICKET_ARGS_BOOKING, code, detail, other, len);
    }
    free(storage);
    free(other);
}

static void
run_value(const char *data, size_t len)
{
    ticket_slice_t text = { data, len }, value;
    char *storage = malloc(len ? len : 1);
    const char *detail = NULL;
    uint32_t quantity;

    if (ticket_args_unescape(text, storage, &value) == 0) {
        RULE(value.len <= len && value.data == storage);
        RULE(memchr(data, '%', len) || value.len == len);
    }
    if (ticket_args_quantity(text, &quantity, &detail) == TICKET_ARGS_OK)
        RULE(quantity >= 1 && quantity <= TICKET_QUANTITY_MAX && len <= 7);
    (void) ticket_args_media(text);
    free(storage);
}

#define PASS_KEYS "k1 0123456789abcdefghijklmnopqrstuv\n"

/* whatever is taken for a token is the one we would have made */
static void
run_pass(const char *data, size_t len)
{
    static const ticket_slice_t text = ticket_slice(PASS_KEYS), S = ticket_slice("concert"), user = ticket_slice("ann");
    ticket_slice_t token = { data, len };
    ticket_pass_keys_t keys;
    const char *error;
    unsigned line, kind;
    uint64_t a, b;
    char again[TICKET_PASS_TOKEN_MAX];

    RULE(ticket_pass_keys_parse(&keys, text, &line, &error) == 0);
    for (kind = TICKET_PASS_PASS; kind <= TICKET_PASS_PLACE; kind++) {
        if (ticket_pass_verify(&keys, kind, S, user, token, &a, &b) == TICKET_PASS_OK) {
            RULE(ticket_pass_sign(&keys, kind, S, user, a, b, again, sizeof(again)) == len);
            RULE(memcmp(again, data, len) == 0);
        }
    }
}

static void
run_keys(const char *data, size_t len)
{
    ticket_slice_t text = { data, len };
    ticket_pass_keys_t keys;
    const char *error = "";
    unsigned line, i, j;
    int rc = ticket_pass_keys_parse(&keys, text, &line, &error);

    RULE((rc == 0) == (error == NULL));
    RULE(line <= len);
    for (i = 0; rc == 0 && i < keys.n; i++) {
        RULE(inside(keys.keys[i].kid, data, len) && inside(keys.keys[i].secret, data, len));
        RULE(keys.keys[i].kid.len >= 1 && keys.keys[i].kid.len <= TICKET_PASS_KID_MAX);
        RULE(keys.keys[i].secret.len >= TICKET_PASS_SECRET_MIN && keys.keys[i].secret.len <= TICKET_PASS_SECRET_MAX);
        for (j = 0; j < i; j++)
            RULE(!ticket_slice_eq(keys.keys[j].kid, keys.keys[i].kid));
    }
    RULE(rc != 0 || (keys.n >= 1 && keys.n <= TICKET_PASS_KEYS_MAX));
}

/* what follows can only add to what is named already */
static void
run_accept(const char *data, size_t len)
{
    ticket_accept_t one, two;

    ticket_accept_init(&one);
    ticket_accept_add(&one, (ticket_slice_t) { data, len });
    two = one;
    ticket_accept_add(&two, (ticket_slice_t) { data, len });
    RULE(memcmp(&one, &two, sizeof(one)) == 0);
    RULE(one.html >= -1 && one.html <= 1000 && one.json >= -1 && one.json <= 1000);
    RULE(one.application >= -1 && one.application <= 1000 && one.any >= -1 && one.any <= 1000);
    RULE(!ticket_accept_page(&one) || (one.html > 0 && one.html > one.json));
}

#define EVENT(rest)                                                                                                   \
    "{\"specversion\":\"1.0\",\"id\":\"a@b:0:1-5\",\"source\":\"/ticket-office\",\"subject\":\"a@b\","                \
    "\"time\":\"2026-11-21T10:00:00.123Z\",\"datacontenttype\":\"application/json\"," rest

static const char *const seeds_decode[] = {
    EVENT("\"type\":\"ticket.booked\",\"data\":{\"ticket\":\"a@b\",\"lane\":0,\"epoch\":1,\"seq\":5,\"user\":\"ann\","
          "\"quantity\":1,\"booking_id\":\"a@b:0:1-5\",\"holding\":1,\"holding_id\":\"a@b:0:1-5\","
          "\"origin\":\"a@b:1:1-1\"}}"),
    EVENT("\"type\":\"ticket.cancelled\",\"data\":{\"ticket\":\"a@b\",\"lane\":0,\"epoch\":1,\"seq\":5,"
          "\"user\":\"\\ud83c\\udfab\",\"quantity\":1,\"booking_id\":\"a@b:0:1-4\",\"holding\":0,"
          "\"holding_id\":null}}"),
    EVENT("\"type\":\"ticket.defined\",\"data\":{\"ticket\":\"a@b\",\"lane\":0,\"epoch\":1,\"seq\":5,\"capacity\":9,"
          "\"per_user\":2,\"lanes\":4,\"state\":\"open\",\"opens_at\":\"2026-11-21T10:00:00Z\",\"closes_at\":null}}"),
};

static const char *const seeds_unpack[] = {
    "booked 1795255200123 ann 2 2",
    "booked 1795255200123 ann 2 2 = = vip@concert:1:2-8",
    "cancelled 1795255200123 ann 1 0 vip@concert:0:3-1 - vip@concert:1:2-8",
    "rejected 1795255200123 ann 1 3 vip@concert:0:3-1 vip@concert:0:3-2",
    "defined 1795255200123 1000 2 4 open 1795255200123 -",
};

static const char *const seeds_id[] = { "concert:0:1-1", "vip@concert:63:12-9223372036854775807" };

static const char *const seeds_name[] = { "ann", "vip@concert", "\xf0\x9f\x8e\xab", "\xe7\xa5\xa8\xc3\xa9", ".." };

static const char *const seeds_time[] = { "2026-11-21T10:00:00Z", "2026-02-28T23:59:59.123456789-23:59" };

static const char *const seeds_json[] = {
    "{\"ticket\":\"vip@concert\",\"quantity\":2,\"booking_id\":\"concert:0:1-1\",\"pass\":\"p\"}",
    "{\"capacity\":100,\"rate\":5,\"share\":null,\"pass_ttl\":60,\"state\":\"paused\",\"max_lag\":1000,"
    "\"tickets\":[\"a\",\"b@a\"],\"opening_draw\":true}",
    "{\"capacity\":100,\"per_user\":2,\"lanes\":4,\"state\":\"open\",\"opens_at\":\"2026-11-21T10:00:00Z\","
    "\"closes_at\":null}",
    "{\"limit\":10,\"cursor\":\"17\"}",
};

static const char *const seeds_form[] = {
    "ticket=vip%40concert&quantity=2&booking_id=concert%3A0%3A1-1&pass=p",
    "capacity=100&per_user=2&lanes=4&state=open&opens_at=2026-11-21T10:00:00%2B01:00&closes_at=",
    "limit=10&cursor=17",
};

static const char *const seeds_value[] = {
    "a+b%20c", "1000000", "application/json; charset=\"utf-8\"; x=\"\\\";\"", "application/x-www-form-urlencoded",
};

static const char *const seeds_pass[] = {
    "k1.1795255260123.1795255200123.Y29uY2VydA.YW5u.XpCqlcw_bGL567lDoTK4nqKrCwMcQlFjkK8uI5qa1wk",
    "k1.1795255200123001.1795255200123.Y29uY2VydA.YW5u.FwejB2nRBB8LczsTcP_XYjCM1lKzdPBE4KtGMQU5KX8",
};

static const char *const seeds_keys[] = {
    PASS_KEYS,
    "# new\n\n  B-_9\t0123456789abcdefghijklmnopqrstuv \r\nold another/secret+of=more:than#32,characters!",
};

static const char *const seeds_accept[] = {
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json ; x=1; Q=0.123, text/html;q=1.0",
};

#define TARGET(name)  { #name, run_ ## name, seeds_ ## name, COUNT(seeds_ ## name) }

static const target_t targets[] = {
    TARGET(decode), TARGET(unpack), TARGET(id), TARGET(name), TARGET(time), TARGET(json), TARGET(form), TARGET(value),
    TARGET(pass), TARGET(keys), TARGET(accept),
};

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

    for (i = 0; i < COUNT(targets); i++) {
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    }
    fprintf(stderr, "no target %s; there are:", name);
    for (i = 0; i < COUNT(targets); i++)
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
    for (i = 0; i < (argc ? (size_t) argc : COUNT(targets)); i++)
        fuzz(argc ? find(argv[i]) : &targets[i], seed, inputs, seconds);
    return 0;
}
