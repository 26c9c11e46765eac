/*
 * The parsers both programs share, the rules each of them keeps whatever it is given, and inputs to begin with.
 */

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ngx_http_ticket_accept.h"
#include "ngx_http_ticket_args.h"
#include "ngx_http_ticket_pass.h"

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

const target_t targets[] = {
    TARGET(decode), TARGET(unpack), TARGET(id), TARGET(name), TARGET(time), TARGET(json), TARGET(form), TARGET(value),
    TARGET(pass), TARGET(keys), TARGET(accept),
};

const size_t ntargets = COUNT(targets);
