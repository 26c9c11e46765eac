/* The pages for Prometheus and for whoever asks how it goes. */

#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "metrics.h"

#if MHD_VERSION >= 0x00097002
#define MHD_ANSWER enum MHD_Result
#else
#define MHD_ANSWER int
#endif

struct http {
    struct MHD_Daemon *daemon;
};

struct page {
    const char *path;
    const char *type;
    unsigned  (*render)(char **body, size_t *len);      /* the status */
};

static unsigned
render_metrics(char **body, size_t *len)
{
    *body = metrics_render(len);
    return MHD_HTTP_OK;
}

/* "name":"down" or "name":"<n> <what>" to the checks that failed */
static void
add_check(FILE *out, bool *up, const char *name, int64_t n, const char *what)
{
    if (n == 0)
        return;
    fprintf(out, "%s\"%s\":\"", *up ? "{\"status\":\"DOWN\",\"checks\":{" : ",",
        name);
    if (n > 0)
        fprintf(out, "%lld ", (long long) n);
    fprintf(out, "%s\"", what);
    *up = false;
}

static unsigned
render_health(char **body, size_t *len)
{
    FILE *out = open_memstream(body, len);
    bool up = true;

    if (out == NULL) {
        *body = NULL;
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    add_check(out, &up, "start", metric_get(M_RUNNING) != 0 ? 0 : -1,
        "waiting for the database");
    add_check(out, &up, "mysql", metric_get(M_MYSQL_DOWN) > 0 ? -1 : 0, "down");
    add_check(out, &up, "redis", metric_get(M_REDIS_DOWN) > 0 ? -1 : 0, "down");
    add_check(out, &up, "workers", metric_get(M_WORKERS_BACKING_OFF),
        "backing off");
    add_check(out, &up, "lanes", metric_get(M_LANES_STOPPED), "stopped");
    fputs(up ? "{\"status\":\"UP\"}\n" : "}}\n", out);
    if (fclose(out) != 0) {
        free(*body);
        *body = NULL;
    }
    return up ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static const struct page pages[] = {
    { "/metrics", "text/plain; version=0.0.4; charset=utf-8", render_metrics },
    { "/health", "application/json", render_health },
};

static MHD_ANSWER
answer(struct MHD_Connection *connection, unsigned status, const char *type,
    char *body, size_t len)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(len, body,
        MHD_RESPMEM_MUST_FREE);

    if (response == NULL) {
        free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    MHD_ANSWER queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static MHD_ANSWER
refuse(struct MHD_Connection *connection, unsigned status, const char *sentence)
{
    char *body = strdup(sentence);

    if (body == NULL)
        return MHD_NO;
    return answer(connection, status, "text/plain; charset=utf-8", body,
        strlen(body));
}

static MHD_ANSWER
on_request(void *data, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload,
    size_t *upload_size, void **seen)
{
    static int once;

    (void) data;
    (void) version;
    (void) upload;

    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(url, pages[i].path) != 0)
            continue;
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
            return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                "Only GET and HEAD are allowed here.\n");

        /* the first call is about the headers only; the answer to it would
         * close the connection */
        if (*seen == NULL) {
            *seen = &once;
            return MHD_YES;
        }
        if (*upload_size != 0) {
            *upload_size = 0;
            return MHD_YES;
        }
        char *body;
        size_t len;
        unsigned status = pages[i].render(&body, &len);
        return body != NULL
            ? answer(connection, status, pages[i].type, body, len) : MHD_NO;
    }
    return refuse(connection, MHD_HTTP_NOT_FOUND,
        "There is /metrics and /health.\n");
}

/* NULL: *why is a sentence.  Numeric addresses only: nothing is asked of DNS. */
static struct addrinfo *
resolve(const char *listen, const char **why)
{
    char host[256];
    const char *colon = strrchr(listen, ':');
    size_t len = colon != NULL ? (size_t) (colon - listen) : 0;

    *why = "must be address:port, such as 127.0.0.1:9090 or [::1]:9090";
    if (colon == NULL || len == 0 || len >= sizeof host
        || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1)
        || strlen(colon + 1) > 5 || atoi(colon + 1) > 65535)
    {
        return NULL;
    }
    if (listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    }
    memcpy(host, listen, len);
    host[len] = '\0';

    struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
        .ai_socktype = SOCK_STREAM
    };
    struct addrinfo *address;
    return getaddrinfo(host, colon + 1, &hints, &address) == 0 ? address : NULL;
}

bool
http_listen_valid(const char *value, const char **why)
{
    if (value[0] == '\0')
        return true;
    struct addrinfo *address = resolve(value, why);
    if (address == NULL)
        return false;
    freeaddrinfo(address);
    return true;
}

static int
open_socket(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0
        && listen(fd, 64) == 0)
    {
        return fd;
    }
    int failed = errno;
    close(fd);
    errno = failed;
    return -1;
}

struct http *
http_start(const char *listen, char *error, size_t size)
{
    const char *why;
    struct addrinfo *address = resolve(listen, &why);

    if (address == NULL) {
        snprintf(error, size, "%s", why);
        return NULL;
    }
    int fd = open_socket(address);
    int failed = errno;
    int family = address->ai_family;
    freeaddrinfo(address);
    if (fd < 0) {
        snprintf(error, size, "%s: %s", listen, strerror(failed));
        return NULL;
    }

    struct http *http = calloc(1, sizeof *http);
    if (http != NULL)
        http->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD
            | (family == AF_INET6 ? MHD_USE_IPv6 : 0u), 0, NULL, NULL,
            on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_CONNECTION_LIMIT, 64u,
            MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    if (http == NULL || http->daemon == NULL) {
        snprintf(error, size, "%s: the server could not be started", listen);
        close(fd);
        free(http);
        return NULL;
    }
    return http;
}

void
http_stop(struct http *http)
{
    if (http == NULL)
        return;
    MHD_stop_daemon(http->daemon);      /* closes the socket too */
    free(http);
}
