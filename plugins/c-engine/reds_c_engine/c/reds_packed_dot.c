/* Dot products with weights of 4 or 2 bits, in plain C and with the instructions of Arm cores. */
#include "reds_bits.h"
#include "reds_dot.h"
#include "reds_pairs.h"

/* A part of a dot product: four output channels, over `bytes` bytes of weights of each run. */
typedef void dot_part(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t bytes,
                      const int32_t *start, int32_t *sums);

#if REDS_DSP
/* sum + 16 times the products of eight inputs with weights of 4 bits: in the upper half of a byte, a weight counts 16
 * times as much. */
static inline int32_t add_4_bits(reds_pairs p, reds_word word, int32_t sum) {
  const reds_word low = word << 4 & 0xF0F0F0F0u, high = word & 0xF0F0F0F0u;
  sum = reds_add_products(p.a, reds_even(low), sum);
  sum = reds_add_products(p.b, reds_even(high), sum);
  sum = reds_add_products(p.c, reds_odd(low), sum);
  sum = reds_add_products(p.d, reds_odd(high), sum);
  reds_barrier();
  return sum;
}

/* sum + 64 times the products of eight inputs with weights of 2 bits, those of bytes 0 and 2 of a word. */
static inline int32_t add_2_bits(reds_pairs p, reds_word word, int32_t sum) {
  sum = reds_add_products(p.a, reds_even(word << 6 & 0xC0C0C0C0u), sum);
  sum = reds_add_products(p.b, reds_even(word << 4 & 0xC0C0C0C0u), sum);
  sum = reds_add_products(p.c, reds_even(word << 2 & 0xC0C0C0C0u), sum);
  sum = reds_add_products(p.d, reds_even(word & 0xC0C0C0C0u), sum);
  reds_barrier();
  return sum;
}
#endif

#if REDS_MVE
/* sum + the products of 32 inputs with weights of 4 bits. */
static inline int32_t add_4_bits(int8x16x2_t inputs, const uint8_t *place, int32_t sum) {
  const int8x16_t weights = vldrbq_s8((const int8_t *)place);
  sum = vmladavaq_s8(sum, inputs.val[0], vshrq_n_s8(vshlq_n_s8(weights, 4), 4));
  return vmladavaq_s8(sum, inputs.val[1], vshrq_n_s8(weights, 4));
}

/* sum + the products of 64 inputs with weights of 2 bits. */
static inline int32_t add_2_bits(int8x16x4_t inputs, const uint8_t *place, int32_t sum) {
  const int8x16_t weights = vldrbq_s8((const int8_t *)place);
  sum = vmladavaq_s8(sum, inputs.val[0], vshrq_n_s8(vshlq_n_s8(weights, 6), 6));
  sum = vmladavaq_s8(sum, inputs.val[1], vshrq_n_s8(vshlq_n_s8(weights, 4), 6));
  sum = vmladavaq_s8(sum, inputs.val[2], vshrq_n_s8(vshlq_n_s8(weights, 2), 6));
  return vmladavaq_s8(sum, inputs.val[3], vshrq_n_s8(weights, 6));
}
#endif

static void dot_four_4_bits(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t bytes,
                            const int32_t *start, int32_t *sums) {
  const int32_t stride = runs->stride;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, weights += runs->weight_step) {
    const uint8_t *a = weights;
    const int8_t *value = inputs;
    int32_t left = bytes;
#if REDS_MVE
    for (; left >= 16; left -= 16, a += 16, value += 32) {
      const int8x16x2_t values = vld2q_s8(value);
      sum_a = add_4_bits(values, a, sum_a);
      sum_b = add_4_bits(values, a + stride, sum_b);
      sum_c = add_4_bits(values, a + 2 * stride, sum_c);
      sum_d = add_4_bits(values, a + 3 * stride, sum_d);
    }
#elif REDS_DSP
    int32_t part_a = 0, part_b = 0, part_c = 0, part_d = 0;
    const int32_t twice = 2 * stride, thrice = 3 * stride;
    for (const uint8_t *const end = a + (left & ~3); a != end; a += 4) {
      const reds_word first = reds_next(&value);
      const reds_pairs p = reds_paired(first, reds_next(&value));
      part_a = add_4_bits(p, reds_load(a), part_a);
      part_b = add_4_bits(p, reds_load(a + stride), part_b);
      part_c = add_4_bits(p, reds_load(a + twice), part_c);
      part_d = add_4_bits(p, reds_load(a + thrice), part_d);
    }
    sum_a += part_a >> 4;
    sum_b += part_b >> 4;
    sum_c += part_c >> 4;
    sum_d += part_d >> 4;
    left &= 3;
#endif
    const uint8_t *b = a + stride, *c = b + stride, *d = c + stride;
    for (; left > 0; left--) {
      const uint32_t byte_a = *a++, byte_b = *b++, byte_c = *c++, byte_d = *d++;
      const int32_t low = *value++, high = *value++;
      sum_a += low * reds_field(byte_a, 0, 4) + high * reds_field(byte_a, 4, 4);
      sum_b += low * reds_field(byte_b, 0, 4) + high * reds_field(byte_b, 4, 4);
      sum_c += low * reds_field(byte_c, 0, 4) + high * reds_field(byte_c, 4, 4);
      sum_d += low * reds_field(byte_d, 0, 4) + high * reds_field(byte_d, 4, 4);
    }
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

/* sum + the products of four inputs with the weights of a byte. */
static inline int32_t add_byte(const int8_t *value, uint32_t byte, int32_t sum) {
  sum += value[0] * reds_field(byte, 0, 2);
  sum += value[1] * reds_field(byte, 2, 2);
  sum += value[2] * reds_field(byte, 4, 2);
  return sum + value[3] * reds_field(byte, 6, 2);
}

static void dot_four_2_bits(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t bytes,
                            const int32_t *start, int32_t *sums) {
  const int32_t stride = runs->stride;
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, weights += runs->weight_step) {
    const uint8_t *a = weights;
    const int8_t *value = inputs;
    int32_t left = bytes;
#if REDS_MVE
    for (; left >= 16; left -= 16, a += 16, value += 64) {
      const int8x16x4_t values = vld4q_s8(value);
      sum_a = add_2_bits(values, a, sum_a);
      sum_b = add_2_bits(values, a + stride, sum_b);
      sum_c = add_2_bits(values, a + 2 * stride, sum_c);
      sum_d = add_2_bits(values, a + 3 * stride, sum_d);
    }
#elif REDS_DSP
    int32_t part_a = 0, part_b = 0, part_c = 0, part_d = 0;
    const int32_t twice = 2 * stride, thrice = 3 * stride;
    for (const uint8_t *const end = a + (left & ~3); a != end; a += 4, value += 16) {
      reds_pairs p = reds_paired(reds_load(value), reds_load(value + 8));
      part_a = add_2_bits(p, reds_load(a), part_a);
      part_b = add_2_bits(p, reds_load(a + stride), part_b);
      part_c = add_2_bits(p, reds_load(a + twice), part_c);
      part_d = add_2_bits(p, reds_load(a + thrice), part_d);
      p = reds_paired(reds_load(value + 4), reds_load(value + 12)); /* those of bytes 1 and 3 */
      part_a = add_2_bits(p, reds_load(a) >> 8, part_a);
      part_b = add_2_bits(p, reds_load(a + stride) >> 8, part_b);
      part_c = add_2_bits(p, reds_load(a + twice) >> 8, part_c);
      part_d = add_2_bits(p, reds_load(a + thrice) >> 8, part_d);
    }
    sum_a += part_a >> 6;
    sum_b += part_b >> 6;
    sum_c += part_c >> 6;
    sum_d += part_d >> 6;
    left &= 3;
#endif
    const uint8_t *b = a + stride, *c = b + stride, *d = c + stride;
    for (; left > 0; left--, value += 4) {
      sum_a = add_byte(value, *a++, sum_a);
      sum_b = add_byte(value, *b++, sum_b);
      sum_c = add_byte(value, *c++, sum_c);
      sum_d = add_byte(value, *d++, sum_d);
    }
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

/* The products of the inputs of each run from the one `first` on with weights from element `element` on. */
static int32_t dot_one(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t element,
                       int32_t first, int32_t sum) {
  const int32_t bits = runs->bits, in_byte = 8 / bits;
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, element += runs->weight_step) {
    int32_t i = first;
    for (; i < runs->count && (element + i) % in_byte != 0; i++) {
      sum += inputs[i] * reds_weight_at(weights, element + i, bits);
    }
    const uint8_t *byte = weights + (element + i) / in_byte;
    for (; i + in_byte <= runs->count; i += in_byte, byte++) {
      if (bits == 4) {
        sum += inputs[i] * reds_field(*byte, 0, 4) + inputs[i + 1] * reds_field(*byte, 4, 4);
      } else {
        sum = add_byte(inputs + i, *byte, sum);
      }
    }
    for (; i < runs->count; i++) sum += inputs[i] * reds_weight_at(weights, element + i, bits);
  }
  return sum;
}

void reds_dot_packed(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t outputs,
                     const int32_t *start, int32_t *sums) {
  dot_part *const four = runs->bits == 4 ? dot_four_4_bits : dot_four_2_bits;
  const int32_t in_byte = 8 / runs->bits, bytes = runs->count / in_byte, done = bytes * in_byte;
  int32_t element = runs->element;
  if ((element | runs->stride | runs->weight_step) % in_byte == 0) {
    reds_runs whole = *runs; /* with distances in bytes */
    whole.stride /= in_byte;
    whole.weight_step /= in_byte;
    for (; outputs >= 4; outputs -= 4, start += 4, sums += 4) {
      four(&whole, inputs, weights + element / in_byte, bytes, start, sums);
      for (int32_t k = 0; k < 4; k++, element += runs->stride) {
        if (done < runs->count) sums[k] = dot_one(runs, inputs, weights, element, done, sums[k]);
      }
    }
  }
  for (; outputs > 0; outputs--, element += runs->stride) {
    *sums++ = dot_one(runs, inputs, weights, element, 0, *start++);
  }
}
