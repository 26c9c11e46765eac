/* redis://[[user]:password@]host[:port][/db] or unix:/path, taken apart. */

#ifndef PERSISTER_URI_H
#define PERSISTER_URI_H

#include <stddef.h>
#include <stdbool.h>

struct uri {
    char host[256];         /* "" with a path */
    int  port;
    char path[108];         /* of a unix socket, "" with a host */
    char user[256];         /* "" = Redis' default user */
    char password[512];     /* "" = no AUTH */
    int  db;
};

/* false: *why is a sentence that quotes nothing of the text */
bool uri_parse(const char *text, struct uri *uri, const char **why);

/* "host:port" or the path: what may be logged.  Returns buf. */
const char *uri_address(const struct uri *uri, char *buf, size_t size);

#endif
