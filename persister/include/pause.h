/*
 * Points at which a test may stop a thread: make -C persister PAUSE=1.
 * TICKET_PAUSE=name:file,...: the thread that comes to the point `name` while
 * `file` is there makes `file`.at and waits until `file` is gone.
 */

#ifndef PERSISTER_PAUSE_H
#define PERSISTER_PAUSE_H

#ifdef TICKET_PAUSE_POINTS
void pause_point(const char *name);
#else
#define pause_point(name) ((void) 0)
#endif

#endif
