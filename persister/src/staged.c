/* Hashes that are staged. */

#include "staged.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "rds.h"

bool
staged_begin(struct staged *staged, const struct opening *o, const char *name)
{
    char suffix[64];

    staged->rds = o->rds;
    snprintf(suffix, sizeof suffix, "%s:new:%" PRIu64, name, o->epoch);
    staged->key_len = rds_key(staged->key, o->ticket, suffix);
    const char *unlink[] = { "UNLINK", staged->key };
    size_t lens[] = { 6, staged->key_len };
    return rds_done(rds_command(staged->rds, 2, unlink, lens), NULL);
}

bool
staged_page(struct staged *staged, MYSQL_RES *res, staged_value value,
    void *data)
{
    size_t n = (size_t) mysql_num_rows(res), argc = 2;
    char (*values)[STAGED_VALUE_MAX] = calloc(n + 1, sizeof *values);
    const char **argv = calloc(2 * n + 2, sizeof *argv);
    size_t *lens = calloc(2 * n + 2, sizeof *lens);
    bool good = values != NULL && argv != NULL && lens != NULL;
    MYSQL_ROW row;

    while (good && (row = mysql_fetch_row(res)) != NULL) {
        char *text = values[argc / 2 - 1];
        argv[argc] = row[0];
        lens[argc++] = mysql_fetch_lengths(res)[0];
        argv[argc] = text;
        lens[argc++] = (size_t) value(text, row, data);
    }
    if (good && n > 0) {
        argv[0] = "HSET";
        lens[0] = 4;
        argv[1] = staged->key;
        lens[1] = staged->key_len;
        good = rds_done(rds_command(staged->rds, (int) argc, argv, lens), NULL);
    }
    free(values);
    free(argv);
    free(lens);
    return good;
}
