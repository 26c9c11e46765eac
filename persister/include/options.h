/* The table of options, and how one of them gets its value. */

#ifndef PERSISTER_OPTIONS_H
#define PERSISTER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include "conf.h"

enum option_type {
    TEXT,       /* min, max: its length in bytes */
    SECRET,     /* the same, never shown; may come from a file: <option>_file */
    NUMBER,     /* min, max: its value */
    SWITCH      /* yes or no */
};

enum option_reload { RESTART, RELOAD };

struct option_row {
    const char         *section;
    const char         *name;
    enum option_type    type;
    enum option_reload  reload;
    size_t              offset;         /* in struct conf */
    const char         *value;          /* the default */
    long                min, max;
    bool              (*valid)(const char *value, const char **why);
    const char         *help;
};

extern const struct option_row option_table[];
extern const size_t option_count;

#define OPTIONS_MAX 64      /* room for flags, one an option */

/* the row of an option; *from_file: it was named <option>_file */
const struct option_row *option_find(const char *section, const char *name,
    bool *from_file);
bool option_section(const char *section);       /* there is one */

/* false: `why` is what goes on after the option's name */
bool option_set(struct conf *conf, const struct option_row *option,
    const char *value, bool from_file, char *why, size_t size);
bool option_equal(const struct conf *a, const struct conf *b,
    const struct option_row *option);
void option_free(struct conf *conf, const struct option_row *option);

#endif
