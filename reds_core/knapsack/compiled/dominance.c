/* Dominance between labels: a label is dominated if another one of its state uses no more and is worth no less.

   Labels are sorted by state and by usage of the first resource, so that what dominates a label mostly comes before it.
   With one resource a label is kept if it is worth more than all before it. With two, the labels kept so far form a
   staircase of rising usage of the second resource and rising value. With more, each label is compared with some of
   those kept so far, and those that dominated others come first. Dropping too few labels is harmless. */

#include "dominance.h"

#include <stdlib.h>
#include <string.h>

/* Bits of one pass of the radix sort, for few and for many labels. */
#define SHORT 7
#define LONG 11
#define FEW 2048
#define SMALL 48
/* The most steps of a staircase. */
#define STEPS 4096
/* Labels that each label is compared with if there are three or more resources. */
#define RECENT 24
#define PROVEN 8

uint64_t rising(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static uint64_t from_signed(int64_t value)
{
    return (uint64_t)value ^ (uint64_t)1 << 63;
}

void sort_keyed(int64_t count, keyed *items, keyed *spare)
{
    if (count <= SMALL) {
        for (int64_t i = 1; i < count; i++) {
            keyed moved = items[i];
            int64_t j = i;
            for (; j > 0 && items[j - 1].key > moved.key; j--)
                items[j] = items[j - 1];
            items[j] = moved;
        }
        return;
    }
    uint64_t low = items[0].key, high = items[0].key;
    for (int64_t i = 1; i < count; i++) {
        low = items[i].key < low ? items[i].key : low;
        high = items[i].key > high ? items[i].key : high;
    }
    keyed *from = items, *to = spare;
    int digit = count < FEW ? SHORT : LONG;
    uint64_t mask = ((uint64_t)1 << digit) - 1;
    int64_t starts[(1 << LONG) + 1];
    for (int shift = 0; shift < 64 && (high - low) >> shift; shift += digit) {
        memset(starts, 0, (size_t)(mask + 2) * sizeof(int64_t));
        for (int64_t i = 0; i < count; i++)
            starts[((from[i].key - low) >> shift & mask) + 1]++;
        for (uint64_t d = 0; d <= mask; d++)
            starts[d + 1] += starts[d];
        for (int64_t i = 0; i < count; i++)
            to[starts[(from[i].key - low) >> shift & mask]++] = from[i];
        keyed *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != items)
        memcpy(items, from, (size_t)count * sizeof(keyed));
}

/* Sort by state and then by usage of the first resource, if there is one, and else by falling value. */
static void sort_labels(int64_t count, const int64_t *states, const int64_t *second, int64_t beside, int falling,
                        keyed *items, keyed *spare)
{
    uint64_t low = UINT64_MAX, high = 0, last = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t key = from_signed(second[i * beside]);
        key = falling ? ~key : key;
        low = key < low ? key : low;
        high = key > high ? key : high;
        last = (uint64_t)states[i] > last ? (uint64_t)states[i] : last;
        items[i].key = key;
        items[i].index = i;
    }
    uint64_t span = high - low + 1;
    if (span != 0 && last < UINT64_MAX / span - 1) {
        for (int64_t i = 0; i < count; i++)
            items[i].key = (uint64_t)states[i] * span + (items[i].key - low);
        sort_keyed(count, items, spare);
        return;
    }
    sort_keyed(count, items, spare);
    for (int64_t i = 0; i < count; i++)
        items[i].key = (uint64_t)states[items[i].index];
    sort_keyed(count, items, spare);
}

typedef struct {
    int64_t usage, value;
} stair;

/* Whether the staircase dominates a label; it becomes a step if not. */
static int under_stairs(stair *stairs, int64_t *steps, int64_t usage, int64_t value)
{
    int64_t low = 0, high = *steps; /* the steps before `low` use no more */
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (stairs[middle].usage <= usage)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0 && stairs[low - 1].value >= value)
        return 1;
    if (low > 0 && stairs[low - 1].usage == usage)
        low--;
    int64_t end = low;
    while (end < *steps && stairs[end].value <= value)
        end++;
    if (end == low) {
        if (*steps == STEPS)
            return 0;
        memmove(stairs + low + 1, stairs + low, (size_t)(*steps - low) * sizeof(stair));
        ++*steps;
    } else if (end > low + 1) {
        memmove(stairs + low + 1, stairs + end, (size_t)(*steps - end) * sizeof(stair));
        *steps -= end - low - 1;
    }
    stairs[low].usage = usage;
    stairs[low].value = value;
    return 0;
}

static int dominates(int64_t a, int64_t b, int64_t resources, const int64_t *values, const int64_t *usage,
                     int64_t along, int64_t beside)
{
    if (values[a] < values[b])
        return 0;
    for (int64_t r = resources - 1; r >= 0; r--)
        if (usage[r * along + a * beside] > usage[r * along + b * beside])
            return 0;
    return 1;
}

int64_t undominated(int64_t count, int64_t resources, const int64_t *states, const int64_t *values,
                    const int64_t *usage, int64_t along, int64_t beside, int64_t *kept)
{
    if (count == 0)
        return 0;
    keyed *items = malloc((size_t)count * 2 * sizeof(keyed));
    if (!items)
        return -1;
    sort_labels(count, states, resources ? usage : values, resources ? beside : 1, !resources, items, items + count);
    int64_t found = 0, begin = 0;
    stair stairs[STEPS];
    int64_t proven[PROVEN];
    while (begin < count) {
        int64_t state = states[items[begin].index], end = begin, first = found, steps = 0;
        for (int p = 0; p < PROVEN; p++)
            proven[p] = -1;
        for (; end < count && states[items[end].index] == state; end++) {
            int64_t at = items[end].index, value = values[at];
            if (resources == 0) {
                if (found > first)
                    continue;
            } else if (resources == 1) {
                if (found > first && values[kept[found - 1]] >= value)
                    continue;
                if (found > first && usage[kept[found - 1] * beside] == usage[at * beside])
                    found--;
            } else if (resources == 2) {
                if (under_stairs(stairs, &steps, usage[along + at * beside], value))
                    continue;
            } else {
                int dropped = 0;
                for (int p = 0; p < PROVEN && proven[p] >= 0 && !dropped; p++)
                    dropped = dominates(proven[p], at, resources, values, usage, along, beside);
                if (dropped)
                    continue;
                int64_t oldest = found - RECENT > first ? found - RECENT : first;
                for (int64_t i = found - 1; i >= oldest && !dropped; i--)
                    if (dominates(kept[i], at, resources, values, usage, along, beside)) {
                        dropped = 1;
                        memmove(proven + 1, proven, (PROVEN - 1) * sizeof(int64_t));
                        proven[0] = kept[i];
                    }
                if (dropped)
                    continue;
            }
            kept[found++] = at;
        }
        begin = end;
    }
    free(items);
    return found;
}

/* See undominated. usage: int64 (resources, count). */
EXPORT int64_t reds_undominated(int64_t count, int64_t resources, const int64_t *states, const int64_t *values,
                                const int64_t *usage, int64_t *kept)
{
    return undominated(count, resources, states, values, usage, count, 1, kept);
}
