/* Tells systemd how it goes (sd_notify), when it asked for it. */

#ifndef PERSISTER_NOTIFY_H
#define PERSISTER_NOTIFY_H

void notify_ready(const char *status);
void notify_status(const char *status);
void notify_reloading(void);
void notify_stopping(void);

#endif
