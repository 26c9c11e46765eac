/* Events to try things with: one of each kind, and the JSON that each must be. */

#ifndef EVENTS_H_INCLUDED
#define EVENTS_H_INCLUDED

#include "ticket_event.h"

typedef struct {
    const char *id;         /* of the stream */
    const char *packed;
    const char *json;       /* data's fields after seq */
    ticket_event_t event;
} example_t;

#define TIME     1795255200123
#define AT(ms)   .time = (ms), .ticket = { "vip@concert", 11 }, .lane = 0, .epoch = 3, .seq = 7
#define TEXT(s)  { s, sizeof(s) - 1 }
#define NO_TIME  .opens_at = -1, .closes_at = -1

/* all are of the ticket vip@concert, lane 0, epoch 3, seq 7 */
static const example_t examples[] = {
    {
        "3-7", "booked 1795255200123 ann 2 2",
        "\"user\":\"ann\",\"quantity\":2,\"booking_id\":\"vip@concert:0:3-7\",\"holding\":2,"
        "\"holding_id\":\"vip@concert:0:3-7\"",
        { TICKET_EVENT_BOOKED, AT(TIME), .user = TEXT("ann"), .quantity = 2, .holding = 2, NO_TIME },
    },
    {
        /* a late booking that was taken over */
        "3-7", "booked 1795255200123 ann 2 2 vip@concert:0:2-9 = vip@concert:1:2-8",
        "\"user\":\"ann\",\"quantity\":2,\"booking_id\":\"vip@concert:0:2-9\",\"holding\":2,"
        "\"holding_id\":\"vip@concert:0:3-7\",\"origin\":\"vip@concert:1:2-8\"",
        { TICKET_EVENT_BOOKED, AT(TIME), .user = TEXT("ann"), .quantity = 2,
          .booking_id = TEXT("vip@concert:0:2-9"), .holding = 2, .origin = TEXT("vip@concert:1:2-8"), NO_TIME },
    },
    {
        "3-7", "booked 1795255200123 ann 2 2 vip@concert:0:2-9",
        "\"user\":\"ann\",\"quantity\":2,\"booking_id\":\"vip@concert:0:2-9\",\"holding\":2,"
        "\"holding_id\":\"vip@concert:0:2-9\"",
        { TICKET_EVENT_BOOKED, AT(TIME), .user = TEXT("ann"), .quantity = 2,
          .booking_id = TEXT("vip@concert:0:2-9"), .holding = 2, .holding_id = TEXT("vip@concert:0:2-9"), NO_TIME },
    },
    {
        "3-7", "booked 1795255200123 ann 1 1 = = vip@concert:0:2-9",
        "\"user\":\"ann\",\"quantity\":1,\"booking_id\":\"vip@concert:0:3-7\",\"holding\":1,"
        "\"holding_id\":\"vip@concert:0:3-7\",\"origin\":\"vip@concert:0:2-9\"",
        { TICKET_EVENT_BOOKED, AT(TIME), .user = TEXT("ann"), .quantity = 1, .holding = 1,
          .origin = TEXT("vip@concert:0:2-9"), NO_TIME },
    },
    {
        "3-7", "cancelled 1795255200000 \xf0\x9f\x8e\xab\"\\ 1 0 vip@concert:0:3-1",
        "\"user\":\"\xf0\x9f\x8e\xab\\\"\\\\\",\"quantity\":1,\"booking_id\":\"vip@concert:0:3-1\",\"holding\":0,"
        "\"holding_id\":null",
        { TICKET_EVENT_CANCELLED, AT(1795255200000), .user = TEXT("\xf0\x9f\x8e\xab\"\\"), .quantity = 1,
          .booking_id = TEXT("vip@concert:0:3-1"), NO_TIME },
    },
    {
        /* a late cancel of something the user does not hold any more */
        "3-7", "cancelled 1795255200123 ann 0 3 vip@concert:0:2-1 vip@concert:0:3-2 vip@concert:0:2-5",
        "\"user\":\"ann\",\"quantity\":0,\"booking_id\":\"vip@concert:0:2-1\",\"holding\":3,"
        "\"holding_id\":\"vip@concert:0:3-2\",\"origin\":\"vip@concert:0:2-5\"",
        { TICKET_EVENT_CANCELLED, AT(TIME), .user = TEXT("ann"), .booking_id = TEXT("vip@concert:0:2-1"),
          .holding = 3, .holding_id = TEXT("vip@concert:0:3-2"), .origin = TEXT("vip@concert:0:2-5"), NO_TIME },
    },
    {
        "3-7", "rejected 1795255200123 ann 1 0 vip@concert:0:3-1 -",
        "\"user\":\"ann\",\"quantity\":1,\"booking_id\":\"vip@concert:0:3-1\",\"holding\":0,\"holding_id\":null",
        { TICKET_EVENT_REJECTED, AT(TIME), .user = TEXT("ann"), .quantity = 1,
          .booking_id = TEXT("vip@concert:0:3-1"), NO_TIME },
    },
    {
        "3-7", "rejected 1795255200123 ann 1 0 vip@concert:0:3-1 - vip@concert:63:2-1",
        "\"user\":\"ann\",\"quantity\":1,\"booking_id\":\"vip@concert:0:3-1\",\"holding\":0,\"holding_id\":null,"
        "\"origin\":\"vip@concert:63:2-1\"",
        { TICKET_EVENT_REJECTED, AT(TIME), .user = TEXT("ann"), .quantity = 1,
          .booking_id = TEXT("vip@concert:0:3-1"), .origin = TEXT("vip@concert:63:2-1"), NO_TIME },
    },
    {
        "3-7", "rejected 1795255200123 = 1000000 1000000",    /* a user of this name is a user */
        "\"user\":\"=\",\"quantity\":1000000,\"booking_id\":\"vip@concert:0:3-7\",\"holding\":1000000,"
        "\"holding_id\":\"vip@concert:0:3-7\"",
        { TICKET_EVENT_REJECTED, AT(TIME), .user = TEXT("="), .quantity = 1000000, .holding = 1000000, NO_TIME },
    },
    {
        "3-7", "defined 1795255200123 1000000000000 1000000 64 open 0 253402300799999",
        "\"capacity\":1000000000000,\"per_user\":1000000,\"lanes\":64,\"state\":\"open\","
        "\"opens_at\":\"1970-01-01T00:00:00.000Z\",\"closes_at\":\"9999-12-31T23:59:59.999Z\"",
        { TICKET_EVENT_DEFINED, AT(TIME), .capacity = 1000000000000, .per_user = 1000000, .lanes = 64,
          .state = TEXT("open"), .opens_at = 0, .closes_at = 253402300799999 },
    },
    {
        "3-7", "defined 1795255200123 0 1 1 deleted - -",
        "\"capacity\":0,\"per_user\":1,\"lanes\":1,\"state\":\"deleted\",\"opens_at\":null,\"closes_at\":null",
        { TICKET_EVENT_DEFINED, AT(TIME), .capacity = 0, .per_user = 1, .lanes = 1, .state = TEXT("deleted"),
          NO_TIME },
    },
};

#endif
