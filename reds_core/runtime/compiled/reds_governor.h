/* Governors: which member of a family a device runs next, by feedback from its battery and its queue.
 *
 * The functions decide as the governors `threshold` and `pi` of reds do in Python, to the last bit. They use integers
 * only: energies in nanojoules, times in microseconds. Divisions round towards zero. Nothing is allocated; what a
 * governor remembers is a structure of at most 16 bytes, and its numbers are constants, which can lie in flash.
 *
 * `reds simulate` writes these constants for a family and a battery (reds_governor_config.h). */
#ifndef REDS_GOVERNOR_H
#define REDS_GOVERNOR_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REDS_SLEEP (-1) /* the answer if no request waits, or none can be answered */

/* What an inference of a member takes. */
typedef struct {
  int64_t energy_nJ;
  int64_t latency_us;
} reds_member_cost;

/* The members, those of the least energy first. */
typedef struct {
  const reds_member_cost *costs;
  const uint8_t *rungs;      /* the members that a governor wants, by index, from the least energy to the most */
  uint8_t count, rung_count;
} reds_choices;

/* What is observed at the beginning of a step. */
typedef struct {
  int64_t charge_nJ;         /* the charge of the battery */
  int64_t slack_us;          /* the time until the deadline of the first request that waits, less the time for which the
                                device is still busy; -1 if none waits */
  int32_t waiting;           /* the number of requests that wait */
} reds_observation;

/* The member to run if `largest` is the most that is wanted: the largest one up to it with which all requests that wait
 * are paid for and in time, or else the first one by which the first of them is, or else REDS_SLEEP. */
int reds_fitted(const reds_choices *choices, int largest, const reds_observation *observed);

/* The member follows the charge, with hysteresis. */
typedef struct {
  reds_choices choices;
  const int64_t *rising_nJ;  /* the charge from which each rung gives way to the next; one fewer than rungs */
  const int64_t *falling_nJ; /* the charge below which the next one gives way again */
} reds_threshold;

typedef struct {
  int32_t rung;              /* 0 in the beginning */
} reds_threshold_state;

int reds_threshold_decide(const reds_threshold *law, reds_threshold_state *state, const reds_observation *observed);

/* The energy of an inference follows the charge and its history. */
typedef struct {
  reds_choices choices;
  int64_t target_nJ;         /* the charge that is aimed at */
  uint8_t shift;             /* an excess of charge is spent over 2^shift requests */
} reds_pi;

typedef struct {
  int64_t integral;          /* in nJ * 2^(2 * shift + 2); 0 in the beginning */
  int64_t residue_nJ;        /* what smaller members saved so far; 0 in the beginning */
} reds_pi_state;

int reds_pi_decide(const reds_pi *law, reds_pi_state *state, const reds_observation *observed);

#ifdef __cplusplus
}
#endif
#endif
