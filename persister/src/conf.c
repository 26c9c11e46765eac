/* Reading the configuration: a file, then the environment. */

#include "conf.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "options.h"

extern char **environ;

/* what is being read, and what was found wrong with it first */
struct reading {
    struct conf *conf;
    FILE        *file;
    const char  *path;
    unsigned     line;
    unsigned     failed_at;             /* line of the error, 0 = none */
    char        *error;
    size_t       size;
    bool         given[OPTIONS_MAX];        /* by what is being read now */
    char        *buffer;
    size_t       buffer_size;
};

static void __attribute__((format(printf, 2, 3)))
fail_at_line(struct reading *reading, const char *format, ...)
{
    va_list args;
    int len;

    if (reading->failed_at != 0)
        return;
    reading->failed_at = reading->line;
    len = snprintf(reading->error, reading->size, "%s:%u: ", reading->path,
        reading->line);
    if (len < 0 || (size_t) len >= reading->size)
        return;
    va_start(args, format);
    vsnprintf(reading->error + len, reading->size - (size_t) len, format, args);
    va_end(args);
}

/* inih's fgets: hands out whole lines only, and says what inih would cut */
static char *
read_line(char *line, int size, void *data)
{
    struct reading *reading = data;
    ssize_t got = getline(&reading->buffer, &reading->buffer_size,
        reading->file);

    if (got < 0 || reading->failed_at != 0)
        return NULL;
    reading->line++;

    size_t len = (size_t) got;
    while (len > 0 && (reading->buffer[len - 1] == '\n'
               || reading->buffer[len - 1] == '\r'))
    {
        len--;
    }
    /* a newer inih takes a full buffer for the beginning of a longer line */
    if (len > 198 || len + 2 > (size_t) size) {
        fail_at_line(reading, "the line is longer than 198 bytes");
        return NULL;
    }
    if (memchr(reading->buffer, '\0', len) != NULL) {
        fail_at_line(reading, "the line holds a NUL");
        return NULL;
    }
    /* inih takes an indented line for more of the value above it */
    size_t indent = strspn(reading->buffer, " \t");
    if (indent > 0 && indent < len && strchr(";#", reading->buffer[indent]) == NULL) {
        fail_at_line(reading, "the line must not begin with a blank");
        return NULL;
    }
    memcpy(line, reading->buffer, len);
    line[len] = '\0';
    return line;
}

static int
take_line(void *data, const char *section, const char *name,
    const char *value)
{
    struct reading *reading = data;
    char why[256];
    bool from_file;

    if (section[0] == '\0') {
        fail_at_line(reading, "%s stands before the first [section]", name);
        return 0;
    }
    if (!option_section(section)) {
        fail_at_line(reading, "there is no section [%s]", section);
        return 0;
    }
    const struct option_row *option = option_find(section, name, &from_file);
    if (option == NULL) {
        fail_at_line(reading, "there is no option %s in [%s]", name, section);
        return 0;
    }
    bool *given = &reading->given[option - option_table];
    if (*given) {
        fail_at_line(reading, "%s is given twice", option->name);
        return 0;
    }
    *given = true;

    if (!option_set(reading->conf, option, value, from_file, why, sizeof why)) {
        fail_at_line(reading, "%s %s", name, why);
        return 0;
    }
    return 1;
}

static bool
read_file(struct conf *conf, const char *path, char *error, size_t size)
{
    struct reading reading = {
        .conf = conf, .path = path, .error = error, .size = size
    };

    reading.file = fopen(path, "re");
    if (reading.file == NULL) {
        snprintf(error, size, "%s: cannot be read: %s", path, strerror(errno));
        return false;
    }
    errno = 0;
    int line = ini_parse_stream(read_line, &reading, take_line, &reading);
    int failed = ferror(reading.file) ? errno : 0;
    fclose(reading.file);
    if (reading.buffer != NULL)
        explicit_bzero(reading.buffer, reading.buffer_size);
    free(reading.buffer);

    if (failed != 0) {
        snprintf(error, size, "%s: cannot be read: %s", path,
            strerror(failed));
        return false;
    }
    /* inih numbers the first line it could not read at all */
    if (line > 0
        && (reading.failed_at == 0 || (unsigned) line < reading.failed_at))
    {
        snprintf(error, size, "%s:%d: is neither [section], "
            "option = value nor a comment", path, line);
        return false;
    }
    return line == 0 && reading.failed_at == 0;
}

/* section and name from <SECTION>_<OPTION>; false: not one of our sections */
static bool
split_variable(const char *variable, size_t len, char *section, char *name,
    size_t size)
{
    size_t i;

    if (len >= size)
        return false;
    for (i = 0; i < len && variable[i] != '_'; i++) {
        if (variable[i] < 'A' || variable[i] > 'Z')
            return false;
        section[i] = (char) (variable[i] - 'A' + 'a');
    }
    section[i] = '\0';
    if (i == len || !option_section(section))
        return false;

    char *to = name;
    for (i++; i < len; i++) {
        char c = variable[i];
        *to++ = c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
    }
    *to = '\0';
    return true;
}

static bool
read_variable(struct conf *conf, const char *variable, bool *given,
    char *error, size_t size)
{
    const char *equals = strchr(variable, '=');
    char section[64], name[64], why[256];
    bool from_file;

    if (equals == NULL || strncmp(variable, "TICKET_", 7) != 0
        || !split_variable(variable + 7, (size_t) (equals - variable) - 7,
               section, name, sizeof name))
    {
        return true;
    }

    int len = (int) (equals - variable);
    const struct option_row *option = option_find(section, name, &from_file);
    if (option == NULL) {
        snprintf(error, size, "environment:%.*s: there is no such option",
            len, variable);
        return false;
    }
    if (given[option - option_table]) {
        snprintf(error, size, "environment:%.*s: %s is given twice", len,
            variable, option->name);
        return false;
    }
    given[option - option_table] = true;

    if (!option_set(conf, option, equals + 1, from_file, why, sizeof why)) {
        snprintf(error, size, "environment:%.*s: %s %s", len, variable, name,
            why);
        return false;
    }
    return true;
}

static bool
read_environment(struct conf *conf, char *error, size_t size)
{
    bool given[OPTIONS_MAX] = { false };

    for (char **variable = environ; *variable != NULL; variable++) {
        if (!read_variable(conf, *variable, given, error, size))
            return false;
    }
    return true;
}

struct conf *
conf_read(const char *path, char *error, size_t size)
{
    struct conf *conf = calloc(1, sizeof *conf);

    snprintf(error, size, "no memory");
    if (conf == NULL)
        return NULL;

    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *option = &option_table[i];
        char why[256];
        if (!option_set(conf, option, option->value, false, why, sizeof why)) {
            snprintf(error, size, "%s.%s %s", option->section, option->name,
                why);
            conf_free(conf);
            return NULL;
        }
    }
    if ((path != NULL && !read_file(conf, path, error, size))
        || !read_environment(conf, error, size))
    {
        conf_free(conf);
        return NULL;
    }
    /* each dead letter would make another one */
    if (strcmp(conf->kafka.topic, conf->kafka.dlq_topic) == 0) {
        snprintf(error, size, "kafka.dlq_topic must not be kafka.topic");
        conf_free(conf);
        return NULL;
    }
    return conf;
}

void
conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    for (size_t i = 0; i < option_count; i++)
        option_free(conf, &option_table[i]);
    free(conf);
}

size_t
conf_changed(const struct conf *old, const struct conf *fresh,
    bool at_run_time, char *names, size_t size)
{
    size_t found = 0, len = 0;

    names[0] = '\0';
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *option = &option_table[i];
        if ((option->reload == RELOAD) != at_run_time
            || option_equal(old, fresh, option))
        {
            continue;
        }
        int written = snprintf(names + len, size - len, "%s%s.%s",
            found > 0 ? " " : "", option->section, option->name);
        if (written > 0 && (size_t) written < size - len)
            len += (size_t) written;
        found++;
    }
    return found;
}
