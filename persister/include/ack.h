/* Tells Redis what is stored. */

#ifndef PERSISTER_ACK_H
#define PERSISTER_ACK_H

#include "work.h"

/* not an error when it fails: the sweep repeats it */
void ack_lanes(struct worker *w, struct lane **lanes, size_t n);

#endif
