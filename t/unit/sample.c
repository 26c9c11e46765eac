/*
 * For the schema's test: without arguments prints events as both programs make them, one a line; with -d reads one
 * event a line and prints "ok" or what the decoder says about it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

static const char *const packed[] = {
    "booked 0 \xf0\x9f\x8e\xab 1 1",
    "booked 253402300799999 \"\\/{}:@%41' 1000000 1000000",
    "cancelled 1 \xef\xbb\xbf 1 0 .a@b:63:1-9223372036854775807",
    "defined 1 0 1 1 paused - 0",
    "defined 1 0 1 1 closed 0 -",
};

static const char *const names[] = { "concert", "vip@concert", "...", "\xe7\xa5\xa8@\"\\", ".a@b", "-" };

static void
print(const ticket_event_t *ev)
{
    char buf[TICKET_EVENT_JSON_MAX];
    size_t n = ticket_event_encode(buf, sizeof(buf), ev);

    if (n == 0) {
        fprintf(stderr, "an event does not fit\n");
        exit(1);
    }
    printf("%.*s\n", (int) n, buf);
}

static void
print_unpacked(const char *name, const char *id, const char *value)
{
    static const ticket_slice_t format = ticket_slice(TICKET_EVENT_FORMAT);
    ticket_slice_t n = { name, strlen(name) }, i = { id, strlen(id) }, v = { value, strlen(value) };
    ticket_event_t ev;
    const char *error;

    if (ticket_event_unpack(n, 0, i, format, v, &ev, &error) == 0)
        print(&ev);
}

static int
decode(void)
{
    static char line[65536], storage[65536];
    ticket_event_t ev;
    const char *error;

    while (fgets(line, sizeof(line), stdin) != NULL) {
        int rc = ticket_event_decode(line, strcspn(line, "\n"), &ev, storage, &error);

        printf("%s\n", rc == 0 ? "ok" : error);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    size_t i, j;

    if (argc == 2 && strcmp(argv[1], "-d") == 0)
        return decode();
    for (i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        print(&examples[i].event);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (j = 0; j < sizeof(packed) / sizeof(packed[0]); j++)
            print_unpacked(names[i], j % 2 ? "1-1" : "9223372036854775807-9223372036854775807", packed[j]);
    }
    return 0;
}
