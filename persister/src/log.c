/* Log lines to stderr: time, level, message, one write(2) each. */

#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = { "error", "warn", "info", "debug" };

static atomic_int current = LOG_LEVEL_INFO;

static int
level_of(const char *name)
{
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

bool
log_level_known(const char *name)
{
    return level_of(name) >= 0;
}

bool
log_set_level(const char *name)
{
    if (level_of(name) < 0)
        return false;
    atomic_store(&current, level_of(name));
    return true;
}

void
log_line(enum log_level level, const char *format, ...)
{
    if ((int) level > atomic_load_explicit(&current, memory_order_relaxed))
        return;

    char line[1200];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t len = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    len += (size_t) snprintf(line + len, sizeof line - len, ".%03ldZ %s: ",
        now.tv_nsec / 1000000, names[level]);

    size_t room = sizeof line - len - 1;
    size_t start = len;
    va_list args;
    va_start(args, format);
    int written = vsnprintf(line + len, room, format, args);
    va_end(args);
    if (written > 0)
        len += (size_t) written < room ? (size_t) written : room - 1;

    /* somebody else's text in a message must not look like a line of ours */
    for (size_t i = start; i < len; i++) {
        if ((unsigned char) line[i] < ' ' || line[i] == 127)
            line[i] = ' ';
    }
    line[len++] = '\n';

    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void) ignored;
}
