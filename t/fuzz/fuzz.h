/*
 * What is fuzzed, and what the fuzzer offers to it.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

typedef struct {
    const char *name;
    void (*run)(const char *data, size_t len);
    const char *const *seeds;
    size_t nseeds;
} target_t;

/* targets.c */
extern const target_t targets[];
extern const size_t ntargets;

/* fuzz.c: names what was broken, keeps the input and ends the program */
void broken(const char *rule) __attribute__((noreturn));

#define RULE(ok)  do { if (!(ok)) broken(#ok); } while (0)

#endif
