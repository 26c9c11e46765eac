/* /metrics and /health (libmicrohttpd), served by a thread of its own. */

#ifndef PERSISTER_HTTP_H
#define PERSISTER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct http;

/* `listen` is address:port; NULL: a sentence in error */
struct http *http_start(const char *listen, char *error, size_t size);
void http_stop(struct http *http);

/* "" or address:port, the address numeric; *why is a sentence */
bool http_listen_valid(const char *value, const char **why);

#endif
