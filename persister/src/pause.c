/* Points at which a test may stop a thread. */

#include "pause.h"

#ifdef TICKET_PAUSE_POINTS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void
pause_point(const char *name)
{
    const struct timespec while_ = { .tv_nsec = 10000000 };
    const char *all = getenv("TICKET_PAUSE");
    char file[1024], at[1030];
    size_t len = strlen(name);

    for (const char *p = all; p != NULL && *p != '\0'; ) {
        size_t n = strcspn(p, ",");
        if (n > len + 1 && n - len - 1 < sizeof file
            && strncmp(p, name, len) == 0 && p[len] == ':')
        {
            snprintf(file, sizeof file, "%.*s", (int) (n - len - 1),
                p + len + 1);
            snprintf(at, sizeof at, "%s.at", file);
            if (access(file, F_OK) == 0)
                fclose(fopen(at, "w"));
            while (access(file, F_OK) == 0)
                nanosleep(&while_, NULL);
        }
        p += n + (p[n] == ',');
    }
}

#endif
