/* Whose booking was taken back, for Redis to tell them. */

#ifndef PERSISTER_REJECTED_H
#define PERSISTER_REJECTED_H

#include "rebuild.h"

/* K:rejected:new:<epoch>, from dead letters and late events of users without
 * a row */
bool rejected_stage(struct opening *o);

#endif
