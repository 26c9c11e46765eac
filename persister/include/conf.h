/* Configuration: an ini file (inih), overridden by TICKET_<SECTION>_<OPTION>. */

#ifndef PERSISTER_CONF_H
#define PERSISTER_CONF_H

#include <stdbool.h>
#include <stddef.h>

struct conf {
    struct {
        char *host;
        int   port;
        char *socket;           /* "" = use host and port */
        char *user;
        char *password;         /* never logged */
        char *database;
        int   connect_timeout;  /* s */
        char *ssl_ca;           /* "" = no TLS demanded */
    } mysql;

    struct {
        char *uri;              /* never logged: may hold a password */
        int   timeout;          /* ms */
    } redis;

    struct {
        bool  enabled;
        char *brokers;
        char *topic;
        char *dlq_topic;        /* "" = dead letters stay in MySQL */
        char *group;
        char *property;         /* "name=value;name=value", never logged */
        int   max_event_bytes;
    } kafka;

    struct {
        int   threads;
        int   batch_events;     /* events in one transaction at most */
        int   batch_ms;         /* or after this long */
        int   held_max;         /* events held back per lane */
        int   gap_ms;           /* an open gap is filled from the outbox */
        int   tail_ms;          /* lanes that moved lately are checked */
        int   sweep_ms;         /* all lanes are checked */
        int   poll_ms;          /* without Kafka: every lane is looked at */
        int   open_ms;          /* tickets:recover is looked at */
    } persister;

    struct {
        char *listen;           /* address:port, "" = no page */
    } http;

    struct {
        char *level;            /* error warn info debug */
    } log;
};

/*
 * Reads `path` (NULL: defaults and environment only).  NULL on error, with
 * "file:line: sentence" in error.  Free with conf_free().
 */
struct conf *conf_read(const char *path, char *error, size_t size);
void conf_free(struct conf *conf);

/*
 * The options that differ, "section.option section.option", without their
 * values: those a running process takes over, or those that need a restart.
 * Returns how many.
 */
size_t conf_changed(const struct conf *old, const struct conf *fresh,
    bool at_run_time, char *names, size_t size);

#endif
