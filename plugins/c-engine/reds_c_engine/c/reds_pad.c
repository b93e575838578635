/* Padding of an image with one value. */
#include "reds_engine.h"
#include <string.h>

void reds_pad(const void *settings, const int8_t *first, const int8_t *second, int8_t *output) {
  const reds_padding *const s = settings;
  const uint32_t line = (uint32_t)s->out_width * s->out_channels;
  (void)second;
  for (int32_t oy = 0; oy < s->out_height; oy++, output += line) {
    const int32_t iy = oy - s->pad_top;
    memset(output, s->value, line);
    if (iy < 0 || iy >= s->in_height) continue;
    int8_t *place = output + (uint32_t)s->pad_left * s->out_channels + s->channels_before;
    for (int32_t ix = 0; ix < s->in_width; ix++) {
      memcpy(place, first, s->channels);
      place += s->out_channels;
      first += s->channels;
    }
  }
}
