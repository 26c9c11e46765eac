/*
 * The buyers of bench/rush: an open-loop client.
 *
 *     rush HOST PORT TICKET USERS SECONDS CONNECTIONS PATIENCE FILE
 *
 * Opens CONNECTIONS connections, over each of which GET /tickets/TICKET is answered once, prints a line with their
 * number, and waits for a line. Then user i of USERS, another one each time, sends POST /book at i * SECONDS / USERS
 * seconds, however long the others take: over the connection that rested longest, or, when none is free, over the
 * next one that is. Times count from the instant the request was due, so what waits here is not hidden. Who is
 * answered 429, 502, 503 or 504, or loses his connection, asks again after a second, as Retry-After says, and has
 * PATIENCE seconds from the start for all of it; a connection that was lost is not opened again.
 *
 * FILE gets a line a user: name, due, sent, answered (µs since the start; -1 for never), tries, and status and code
 * of the last answer. Prints one JSON object: see report(). Exit 0, also when somebody was not answered; 1 if it
 * could not be tried, or an answer is not HTTP/1.1 with a Content-Length; 2 usage.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AGAIN   1000000         /* µs before a request is sent again */
#define RESULTS      32
#define DIGITS        7         /* of a user's number */

struct result {
    int  status;
    char code[32];
    int  requests;              /* answers of this kind */
};

struct user {
    int64_t due, sent, done;    /* µs since the start */
    int     tries, result;      /* of `results`, -1: none yet */
};

struct conn {
    int  fd, user;              /* -1: nobody */
    int  have;
    char in[4096];
};

/* numbers of users or of connections, first in, first out; each is in it once at most */
struct fifo {
    int *items, size, head, count;
};

static struct result results[RESULTS];
static struct user  *users;
static struct conn  *conns;
static struct fifo   idle, ready, later;
static int64_t      *again_at;  /* of the users in `later` */
static int           nusers, nconns, nresults, answered, lost, again, waited, epoll = -1, digits_at;
static char          request[1024], prefix[64];
static size_t        request_len;
static int64_t       start;

static void
fail(const char *what)
{
    fprintf(stderr, "error: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static void *
reserve(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (p == NULL) {
        fail("no memory");
    }
    return p;
}

static void
put(struct fifo *f, int item)
{
    f->items[(f->head + f->count++) % f->size] = item;
}

static int
take(struct fifo *f)
{
    int item = f->items[f->head];

    f->head = (f->head + 1) % f->size;
    f->count--;
    return item;
}

/* µs of CLOCK_MONOTONIC since `start` */
static int64_t
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000 - start;
}

static int
result_of(int status, const char *code, size_t len)
{
    int i;

    len = len < sizeof(results[0].code) ? len : sizeof(results[0].code) - 1;
    for (i = 0; i < nresults; i++) {
        if (results[i].status == status && strlen(results[i].code) == len
            && memcmp(results[i].code, code, len) == 0)
        {
            return i;
        }
    }
    if (nresults == RESULTS) {
        errno = 0;
        fail("too many kinds of answers");
    }
    results[nresults].status = status;
    memcpy(results[nresults].code, code, len);
    return nresults++;
}

static void
ask_later(int u)
{
    again++;
    again_at[u] = now() + AGAIN;
    put(&later, u);
}

static void
drop(struct conn *c)
{
    close(c->fd);
    c->fd = -1;
    lost++;
    if (c->user >= 0) {
        ask_later(c->user);
        c->user = -1;
    }
}

static void
send_request(struct conn *c, int u)
{
    char digits[DIGITS + 1];

    snprintf(digits, sizeof(digits), "%0*d", DIGITS, u);
    memcpy(request + digits_at, digits, DIGITS);
    if (users[u].tries++ == 0) {
        users[u].sent = now();
    }
    c->user = u;
    /* a connection at rest has room for a request */
    if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t) request_len) {
        drop(c);
    }
}

/* the answer in c->in: its status, or 0 if it is not complete; *body is its end */
static int
parse(struct conn *c, char **body)
{
    char *length;

    c->in[c->have] = '\0';
    *body = strstr(c->in, "\r\n\r\n");
    if (*body == NULL) {
        return 0;
    }
    *body += 4;
    length = strcasestr(c->in, "\r\ncontent-length:");
    errno = 0;
    if (strncmp(c->in, "HTTP/1.1 ", 9) != 0 || length == NULL || length >= *body) {
        fail("not an answer this client understands");
    }
    long missing = *body + atol(length + 17) - (c->in + c->have);
    if (missing < 0) {
        fail("more than one answer");
    }
    return missing > 0 ? 0 : atoi(c->in + 9);
}

static void
settle(struct conn *c, int status, const char *body)
{
    const char  *code = strstr(body, "\"code\":\"");
    size_t       len;
    struct user *u = &users[c->user];

    if (code != NULL) {
        code += 8;
        len = strcspn(code, "\"");
    } else {
        code = status == 201 ? "booked" : status == 200 ? "replayed" : "-";
        len = strlen(code);
    }
    u->result = result_of(status, code, len);
    results[u->result].requests++;
    if (status == 429 || (status >= 502 && status <= 504)) {
        ask_later(c->user);
    } else {
        u->done = now();
        answered++;
    }
    c->user = -1;
}

static void
readable(struct conn *c)
{
    char   *body;
    int     status;
    ssize_t n = recv(c->fd, c->in + c->have, sizeof(c->in) - 1 - (size_t) c->have, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0 || c->user < 0) {
        drop(c);
        return;
    }
    c->have += (int) n;
    status = parse(c, &body);
    if (status == 0) {
        return;
    }
    settle(c, status, body);
    c->have = 0;
    put(&idle, (int) (c - conns));
}

/* a connection over which the ticket was looked at, so a worker of the server has it, too */
static void
open_conn(struct conn *c, const struct sockaddr_in *to, const char *ticket)
{
    char   look[512], *body;
    int    one = 1, len = snprintf(look, sizeof(look), "GET /tickets/%s HTTP/1.1\r\nHost: rush\r\n\r\n", ticket);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    struct timeval     patience = { .tv_sec = 20 };

    c->user = -1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0
        || setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0
        || connect(c->fd, (const struct sockaddr *) to, sizeof(*to)) != 0
        || send(c->fd, look, (size_t) len, MSG_NOSIGNAL) != len)
    {
        fail("no connection");
    }
    while (parse(c, &body) == 0) {
        ssize_t n = recv(c->fd, c->in + c->have, sizeof(c->in) - 1 - (size_t) c->have, 0);
        if (n <= 0) {
            fail("a connection was not answered");
        }
        c->have += (int) n;
    }
    c->have = 0;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        fail("epoll");
    }
    put(&idle, (int) (c - conns));
}

static void
sell(int64_t patience)
{
    static struct epoll_event events[512];
    int next = 0;

    while (answered < nusers) {
        int64_t t = now();

        while (next < nusers && users[next].due <= t) {
            waited += idle.count <= ready.count;
            put(&ready, next++);
        }
        while (later.count > 0 && again_at[later.items[later.head]] <= t) {
            put(&ready, take(&later));
        }
        while (ready.count > 0 && idle.count > 0) {
            struct conn *c = &conns[take(&idle)];
            if (c->fd >= 0) {
                send_request(c, take(&ready));
            }
        }
        if (t > patience || lost == nconns) {
            return;
        }
        int64_t wake = next < nusers ? users[next].due : t + 10000;
        if (later.count > 0 && again_at[later.items[later.head]] < wake) {
            wake = again_at[later.items[later.head]];
        }
        /* not for each request alone */
        wake = wake - t < 200 ? 200 : wake - t;
        struct timespec pause = { .tv_sec = wake / 1000000, .tv_nsec = wake % 1000000 * 1000 };
        int n = epoll_pwait2(epoll, events, 512, &pause, NULL);
        if (n < 0 && errno != EINTR) {
            fail("epoll");
        }
        for (int i = 0; i < n; i++) {
            readable(events[i].data.ptr);
        }
    }
}

static void
write_users(const char *path)
{
    FILE *f = fopen(path, "w");

    for (int u = 0; f != NULL && u < nusers; u++) {
        const struct result *r = users[u].result < 0 ? NULL : &results[users[u].result];
        fprintf(f, "%s%0*d %ld %ld %ld %d %d %s\n", prefix, DIGITS, u, (long) users[u].due, (long) users[u].sent,
            (long) users[u].done, users[u].tries, r ? r->status : 0, r ? r->code : "-");
    }
    if (f == NULL || fclose(f) != 0) {
        fail(path);
    }
}

/* `start` in seconds of CLOCK_MONOTONIC, and answers of each kind, those that were not the last word, too */
static void
report(void)
{
    printf("{\"start\": %.6f, \"lost\": %d, \"again\": %d, \"no_connection_free\": %d, \"answers\": {",
        (double) start / 1e6, lost, again, waited);
    for (int i = 0; i < nresults; i++) {
        printf("%s\"%d %s\": %d", i ? ", " : "", results[i].status, results[i].code, results[i].requests);
    }
    printf("}}\n");
}

static struct fifo
fifo(int size)
{
    return (struct fifo) { .items = reserve((size_t) size, sizeof(int)), .size = size };
}

int
main(int argc, char **argv)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    struct rlimit      files;
    char               body[512];

    if (argc != 9 || (nusers = atoi(argv[4])) < 1 || nusers > 9999999 || atof(argv[5]) <= 0
        || (nconns = atoi(argv[6])) < 1 || strlen(argv[3]) > 255 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
    {
        fprintf(stderr, "usage: rush HOST PORT TICKET USERS SECONDS CONNECTIONS PATIENCE FILE\n");
        return 2;
    }
    to.sin_port = htons((uint16_t) atoi(argv[2]));
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if ((rlim_t) nconns + 20 > files.rlim_max) {
        errno = 0;
        fail("more connections than files this process may open (ulimit -Hn)");
    }
    /* the buyers would not share the servers' machine: they go first where that is allowed */
    setpriority(PRIO_PROCESS, 0, -10);

    users = reserve((size_t) nusers, sizeof(*users));
    again_at = reserve((size_t) nusers, sizeof(*again_at));
    conns = reserve((size_t) nconns, sizeof(*conns));
    ready = fifo(nusers);
    later = fifo(nusers);
    idle = fifo(nconns);
    for (int u = 0; u < nusers; u++) {
        users[u] = (struct user) { .due = (int64_t) (atof(argv[5]) * 1e6 * u / nusers), .sent = -1, .done = -1,
            .result = -1 };
    }

    snprintf(prefix, sizeof(prefix), "rush-%lx%x-", (long) time(NULL) & 0xfffff, getpid() & 0xffff);
    int len = snprintf(body, sizeof(body), "{\"ticket\":\"%s\",\"quantity\":1}", argv[3]);
    digits_at = snprintf(request, sizeof(request), "POST /book HTTP/1.1\r\nHost: rush\r\nContent-Type: application/json"
        "\r\nContent-Length: %d\r\nX-User: %s", len, prefix);
    request_len = (size_t) digits_at + (size_t) snprintf(request + digits_at, sizeof(request) - (size_t) digits_at,
        "%0*d\r\n\r\n%s", DIGITS, 0, body);

    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < nconns; i++) {
        open_conn(&conns[i], &to, argv[3]);
    }
    printf("%d\n", nconns);
    fflush(stdout);
    if (fgets(body, sizeof(body), stdin) == NULL) {
        return 1;
    }
    start = now();
    sell((int64_t) (atof(argv[7]) * 1e6));
    write_users(argv[8]);
    report();
    return 0;
}
