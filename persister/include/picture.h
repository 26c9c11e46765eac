/* What MySQL says about lanes. */

#ifndef PERSISTER_PICTURE_H
#define PERSISTER_PICTURE_H

#include "work.h"

/*
 * Reads progress and skipped numbers of these lanes and takes them over: what
 * is held and stored meanwhile is dropped, what belongs to a past epoch is
 * sorted again.  A lane MySQL does not know gets epoch 0.
 */
enum db_result picture_read(struct worker *w, struct lane **lanes, size_t n);

/* a lane that is not here yet; *lane NULL: MySQL does not know it */
enum db_result picture_lane(struct worker *w, ticket_slice_t ticket,
    uint32_t number, struct lane **lane);

/* rereads every lane marked stale */
enum db_result picture_refresh(struct worker *w);

#endif
