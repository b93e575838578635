/* Dot products with weights of 4 or 2 bits. */
#include "reds_bits.h"
#include "reds_dot.h"

/* Element by element, for what is not whole bytes. */
static int32_t dot_one(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t first,
                       int32_t sum) {
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, weights += runs->weight_step) {
    for (int32_t i = first; i < runs->count; i++) {
      sum += inputs[i] * reds_weight_at(weights, runs->element + i, runs->bits);
    }
  }
  return sum;
}

/* Four output channels at a time, over `bytes` bytes of weights of each run. */
static void dot_four_4_bits(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t bytes,
                            const int32_t *start, int32_t *sums) {
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, weights += runs->weight_step) {
    const uint8_t *a = weights, *b = a + runs->stride, *c = b + runs->stride, *d = c + runs->stride;
    const int8_t *value = inputs;
    for (const uint8_t *const end = a + bytes; a != end;) {
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

/* The dot product of four inputs with the weights of a byte. */
static inline int32_t dot_byte(const int8_t *value, uint32_t byte) {
  return value[0] * reds_field(byte, 0, 2) + value[1] * reds_field(byte, 2, 2) + value[2] * reds_field(byte, 4, 2) +
         value[3] * reds_field(byte, 6, 2);
}

static void dot_four_2_bits(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t bytes,
                            const int32_t *start, int32_t *sums) {
  int32_t sum_a = start[0], sum_b = start[1], sum_c = start[2], sum_d = start[3];
  for (int32_t rows = runs->rows; rows > 0; rows--, inputs += runs->input_step, weights += runs->weight_step) {
    const uint8_t *a = weights, *b = a + runs->stride, *c = b + runs->stride, *d = c + runs->stride;
    const int8_t *value = inputs;
    for (const uint8_t *const end = a + bytes; a != end; value += 4) {
      sum_a += dot_byte(value, *a++);
      sum_b += dot_byte(value, *b++);
      sum_c += dot_byte(value, *c++);
      sum_d += dot_byte(value, *d++);
    }
  }
  sums[0] = sum_a;
  sums[1] = sum_b;
  sums[2] = sum_c;
  sums[3] = sum_d;
}

void reds_dot_packed(const reds_runs *runs, const int8_t *inputs, const uint8_t *weights, int32_t outputs,
                     const int32_t *start, int32_t *sums) {
  const int32_t in_byte = runs->bits == 4 ? 2 : 4;
  if (runs->element % in_byte == 0) {
    const int32_t bytes = runs->count / in_byte, done = bytes * in_byte;
    const uint8_t *place = weights + runs->element / in_byte;
    for (; outputs >= 4; outputs -= 4, start += 4, sums += 4) {
      if (in_byte == 2) {
        dot_four_4_bits(runs, inputs, place, bytes, start, sums);
      } else {
        dot_four_2_bits(runs, inputs, place, bytes, start, sums);
      }
      for (int32_t k = 0; k < 4; k++, weights += runs->stride, place += runs->stride) {
        if (done < runs->count) sums[k] = dot_one(runs, inputs, weights, done, sums[k]);
      }
    }
  }
  for (; outputs > 0; outputs--, weights += runs->stride) *sums++ = dot_one(runs, inputs, weights, 0, *start++);
}
