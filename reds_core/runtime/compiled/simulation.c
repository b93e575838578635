/* A battery, a harvester and a queue of requests, step by step, under the governors of reds_governor.c: the same steps
 * as `RunningPlant` in plant.py, in the same integers. */
#include <stdint.h>
#include "reds_governor.h"

enum law_kind { STATIC, THRESHOLD, PROPORTIONAL_INTEGRAL, TIMED_THRESHOLD };

/* Mirrored in library.py. */
typedef struct {
  int64_t steps, step_us, capacity_nJ, places, fastest_us;
  const int64_t *income_nJ, *leakage_nJ, *requests, *deadline_us; /* one entry for each step */
  const reds_member_cost *costs;                                 /* what members really take */
} plant;

typedef struct {
  int64_t kind, member;
  reds_threshold threshold;
  reds_pi pi;
  reds_choices choices;        /* of TIMED_THRESHOLD */
  int64_t length, blocks;      /* the steps of a block, and the number of blocks */
  const int64_t *timed_nJ;     /* for each block, rung_count - 1 charges */
} governor;

typedef struct {
  int64_t charge_nJ, busy_us, member, first, waiting; /* `first`: the place of the first request in the ring */
  int64_t *ring;                                      /* the deadlines of requests since the first step */
  reds_threshold_state threshold;
  reds_pi_state pi;
  int64_t step;                                        /* of TIMED_THRESHOLD */
} moment;

typedef struct {
  int64_t missed, used_nJ, spilled_nJ, leaked_nJ, switches;
  int64_t *answered;                                                       /* one entry for each member */
  int64_t *charge_course, *member_course, *answered_course, *missed_course; /* one entry for each step */
} tally;

static int timed(const governor *law, moment *now, const reds_observation *observed) {
  const int64_t block = now->step / law->length, last = (int64_t)law->choices.rung_count - 1;
  const int64_t *limits = law->timed_nJ + (block < law->blocks ? block : law->blocks - 1) * last;
  int64_t rung = 0;
  while (rung < last && observed->charge_nJ >= limits[rung]) rung++;
  now->step++;
  return reds_fitted(&law->choices, law->choices.rungs[rung], observed);
}

static int decide(const governor *law, moment *now, int64_t slack_us) {
  reds_observation observed;
  observed.charge_nJ = now->charge_nJ;
  observed.slack_us = slack_us;
  observed.waiting = (int32_t)now->waiting;
  if (law->kind == THRESHOLD) return reds_threshold_decide(&law->threshold, &now->threshold, &observed);
  if (law->kind == PROPORTIONAL_INTEGRAL) return reds_pi_decide(&law->pi, &now->pi, &observed);
  if (law->kind == TIMED_THRESHOLD) return timed(law, now, &observed);
  return (int)law->member;
}

static void drop_first(const plant *of, moment *now) {
  now->first = (now->first + 1) % of->places;
  now->waiting--;
}

static int64_t arrive(const plant *of, moment *now, int64_t step, int64_t time_us) {
  const int64_t earliest = now->busy_us + of->fastest_us;
  int64_t arriving = of->requests[step], place, in_time = 0, missed;
  for (place = 0; place < now->waiting; place++) {
    const int64_t until = now->ring[(now->first + place) % of->places];
    if (until - time_us >= earliest) now->ring[(now->first + in_time++) % of->places] = until;
  }
  missed = now->waiting - in_time;
  now->waiting = in_time;
  if (of->deadline_us[step] < earliest) return missed + arriving;
  for (; arriving > 0 && now->waiting < of->places; arriving--) {
    now->ring[(now->first + now->waiting) % of->places] = time_us + of->deadline_us[step];
    now->waiting++;
  }
  return missed + arriving;
}

static int64_t run(const plant *of, moment *now, int member, int64_t time_us, tally *all, int64_t *missed) {
  const reds_member_cost cost = of->costs[member];
  int64_t answered = 0;
  while (now->waiting > 0 && now->busy_us < of->step_us) {
    if (now->busy_us + cost.latency_us > now->ring[now->first] - time_us) {
      drop_first(of, now);
      (*missed)++;
    } else if (cost.energy_nJ <= now->charge_nJ) {
      drop_first(of, now);
      now->charge_nJ -= cost.energy_nJ;
      now->busy_us += cost.latency_us;
      answered++;
    } else {
      break;
    }
  }
  if (answered > 0) {
    all->answered[member] += answered;
    all->used_nJ += answered * cost.energy_nJ;
    all->switches += now->member != -1 && now->member != member;
    now->member = member;
  }
  return answered;
}

static void charge(const plant *of, moment *now, int64_t step, tally *all) {
  int64_t spilled = now->charge_nJ + of->income_nJ[step] - of->capacity_nJ;
  int64_t leaked = of->leakage_nJ[step];
  if (spilled < 0) spilled = 0;
  now->charge_nJ += of->income_nJ[step] - spilled;
  if (leaked > now->charge_nJ) leaked = now->charge_nJ;
  now->charge_nJ -= leaked;
  all->spilled_nJ += spilled;
  all->leaked_nJ += leaked;
}

__attribute__((visibility("default"))) void reds_simulate(const plant *of, const governor *law, moment *now, tally *all) {
  int64_t step;
  for (step = 0; step < of->steps; step++) {
    const int64_t time_us = step * of->step_us;
    int64_t missed = arrive(of, now, step, time_us), answered = 0;
    const int64_t slack_us = now->waiting > 0 ? now->ring[now->first] - time_us - now->busy_us : -1;
    int member;
    all->charge_course[step] = now->charge_nJ;
    member = decide(law, now, slack_us);
    if (member >= 0) answered = run(of, now, member, time_us, all, &missed);
    now->busy_us = now->busy_us > of->step_us ? now->busy_us - of->step_us : 0;
    charge(of, now, step, all);
    all->member_course[step] = member;
    all->answered_course[step] = answered;
    all->missed_course[step] = missed;
    all->missed += missed;
  }
}
