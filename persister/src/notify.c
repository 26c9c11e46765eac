/* sd_notify: one datagram to the socket in NOTIFY_SOCKET. */

#include "notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void
send_text(const char *text)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path != NULL ? strlen(path) : 0;

    if (len < 2 || len >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';             /* the abstract name space */
    else if (path[0] != '/')
        return;

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *) &address,
        (socklen_t) (sizeof address.sun_family + len));
    close(fd);
}

void
notify_ready(const char *status)
{
    char text[256];

    snprintf(text, sizeof text, "READY=1\nSTATUS=%s\n", status);
    send_text(text);
}

void
notify_status(const char *status)
{
    char text[256];

    snprintf(text, sizeof text, "STATUS=%s\n", status);
    send_text(text);
}

void
notify_reloading(void)
{
    struct timespec now;
    char text[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
        (long long) now.tv_sec * 1000000 + now.tv_nsec / 1000);
    send_text(text);
}

void
notify_stopping(void)
{
    send_text("STOPPING=1\n");
}
