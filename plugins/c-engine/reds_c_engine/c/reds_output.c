/* The last step of convolutions. */
#include "reds_output.h"
#include "reds_requantize.h"
#include "reds_simd.h"

#if !REDS_MVE
/* The outputs within limits. It is inlined, so that constants as limits cost less. */
static inline void write_within(const int32_t *sums, const int32_t *multiplier, const int8_t *shift, int32_t zero,
                                int32_t least, int32_t greatest, int32_t count, int8_t *output) {
  for (const int8_t *const end = output + count; output != end;) {
    const int32_t value = reds_rescale(*sums++, *multiplier++, *shift++) + zero;
    *output++ = (int8_t)reds_clamp(value, least, greatest);
  }
}
#endif

void reds_output(const reds_convolution *s, int32_t channel, int32_t count, const int32_t *sums, int8_t *output) {
  const int32_t *multiplier = s->multiplier + channel;
  const int8_t *shift = s->shift + channel;
  const int32_t zero = s->output_zero, least = s->least, greatest = s->greatest;
#if REDS_MVE
  for (; count > 0; count -= 4, sums += 4, multiplier += 4, shift += 4, output += 4) {
    const mve_pred16_t valid = vctp32q((uint32_t)count);
    const int32x4_t shifts = vldrbq_z_s32(shift, valid), none = vdupq_n_s32(0);
    int32x4_t value = vshlq_s32(vldrwq_z_s32(sums, valid), vmaxq_s32(shifts, none));
    value = vqrdmulhq_s32(value, vldrwq_z_s32(multiplier, valid)); /* reds_multiply_high */
    const int32x4_t right = vminq_s32(shifts, none);
    value = vaddq_s32(value, vshrq_n_s32(vandq_s32(value, right), 31)); /* halves away from zero */
    value = vaddq_n_s32(vrshlq_s32(value, right), zero);
    value = vminq_s32(vmaxq_s32(value, vdupq_n_s32(least)), vdupq_n_s32(greatest));
    vstrbq_p_s32(output, value, valid);
  }
#else
  if (least == INT8_MIN && greatest == INT8_MAX) {
    write_within(sums, multiplier, shift, zero, INT8_MIN, INT8_MAX, count, output);
  } else {
    write_within(sums, multiplier, shift, zero, least, greatest, count, output);
  }
#endif
}
