/* Somebody else's bytes on a terminal. */

#ifndef PERSISTER_ESCAPE_H
#define PERSISTER_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* UTF-8 as it is; what is none, a backslash, and whatever would move a cursor
 * or turn the direction of writing as \\ \t \n \r \xNN \uNNNN */
void escape_put(FILE *out, const char *data, size_t len);

#endif
