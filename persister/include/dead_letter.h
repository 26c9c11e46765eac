/*
 * Dead letters: bookings MySQL refuses for good.  Only an event
 * that leaves its user something can be one: it is what can be taken back.
 */

#ifndef PERSISTER_DEAD_LETTER_H
#define PERSISTER_DEAD_LETTER_H

#include "work.h"

/* what MySQL said about a single event */
struct refusal {
    unsigned error;
    char     sqlstate[6];
    char     message[256];              /* may quote data: not for the log */
};

/* a booked, or another event after which its user holds something */
bool dead_letter_possible(const struct record *record);

/* In the transaction that moves the lane past the event: its row of
 * dead_letters, 'pending', instead of one of purchases.  The user's row, if
 * there is one, goes with it: ticket.rejected would delete it, too, but Redis
 * may forget that, and a rebuild would give back what was taken. */
enum db_result dead_letter_write(struct worker *w, const struct lane *lane,
    const struct record *record, const struct refusal *refusal);

#endif
