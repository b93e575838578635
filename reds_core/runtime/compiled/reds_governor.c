/* The governors `threshold` and `pi`; see reds_governor.h. */
#include "reds_governor.h"

int reds_fitted(const reds_choices *choices, int largest, const reds_observation *observed) {
  const reds_member_cost *costs = choices->costs;
  int index;
  if (observed->waiting <= 0) return REDS_SLEEP;
  for (index = largest; index >= 0; index--) {
    if (costs[index].latency_us * observed->waiting <= observed->slack_us &&
        costs[index].energy_nJ * observed->waiting <= observed->charge_nJ) {
      return index;
    }
  }
  for (index = 0; index < choices->count; index++) {
    if (costs[index].latency_us <= observed->slack_us && costs[index].energy_nJ <= observed->charge_nJ) return index;
  }
  return REDS_SLEEP;
}

int reds_threshold_decide(const reds_threshold *law, reds_threshold_state *state, const reds_observation *observed) {
  int32_t rung = state->rung;
  const int32_t last = (int32_t)law->choices.rung_count - 1;
  while (rung < last && observed->charge_nJ >= law->rising_nJ[rung]) rung++;
  while (rung > 0 && observed->charge_nJ < law->falling_nJ[rung - 1]) rung--;
  state->rung = rung;
  return reds_fitted(&law->choices, law->choices.rungs[rung], observed);
}

int reds_pi_decide(const reds_pi *law, reds_pi_state *state, const reds_observation *observed) {
  const reds_choices *choices = &law->choices;
  const int64_t horizon = (int64_t)1 << law->shift;
  const int64_t unit = (int64_t)1 << (2 * law->shift + 2);
  const int64_t largest = choices->costs[choices->rungs[choices->rung_count - 1]].energy_nJ;
  const int64_t error = observed->charge_nJ - law->target_nJ;
  int64_t wanted = error / horizon + state->integral / unit;
  int64_t integral = state->integral;
  int64_t below, step;
  int rung = 0;
  if (observed->waiting <= 0) return REDS_SLEEP;
  if (!((wanted >= largest && error > 0) || (wanted <= 0 && error < 0))) { /* no windup while the output is at a limit */
    integral += error * observed->waiting;
    if (integral < 0) integral = 0;
    if (integral > largest * unit) integral = largest * unit;
    wanted = error / horizon + integral / unit;
  }
  state->integral = integral;
  while (rung + 1 < choices->rung_count && choices->costs[choices->rungs[rung + 1]].energy_nJ <= wanted) rung++;
  below = choices->costs[choices->rungs[rung]].energy_nJ;
  if (wanted <= below || rung + 1 == choices->rung_count) {
    state->residue_nJ = 0;
  } else { /* between two members: the larger one runs as often as the energy that the smaller one saves allows */
    step = (choices->costs[choices->rungs[rung + 1]].energy_nJ - below) * observed->waiting;
    state->residue_nJ += (wanted - below) * observed->waiting;
    if (state->residue_nJ >= step) {
      state->residue_nJ -= step;
      if (state->residue_nJ > step) state->residue_nJ = step;
      rung++;
    }
  }
  return reds_fitted(choices, choices->rungs[rung], observed);
}
