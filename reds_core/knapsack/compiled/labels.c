/* Label setting over all buckets in one call. See program.h, and reds_dp/labels.py, which does the same with NumPy.

   Groups are taken in processing order. A label is a partial choice. Labels of one state, which have the same options in
   the groups that still matter, compete by exact value and usage. The slack of a label under a weight vector is how far
   its best completion lies above the threshold; a label is dropped as soon as one of its slacks is below 0. */

#include "dominance.h"
#include "labels.h"

#include <math.h>
#include <string.h>

/* Labels that are collected before dominated ones are dropped for the first time. */
#define COLLECTED (1 << 16)
#define STRATA 16

static int make_room(run *r, int64_t room)
{
    labels *m = &r->made;
    m->room = room;
    m->state = grown(m->state, room, sizeof(int64_t));
    m->value = grown(m->value, room, sizeof(int64_t));
    m->usage = grown(m->usage, room * r->resources, sizeof(int64_t));
    m->parent = grown(m->parent, room, sizeof(int64_t));
    m->at = grown(m->at, room, sizeof(int64_t));
    return m->state && m->value && m->usage && m->parent && m->at ? DONE : NO_MEMORY;
}

static void release(labels *made)
{
    free(made->state);
    free(made->value);
    free(made->usage);
    free(made->parent);
    free(made->at);
}

static int64_t label_bytes(const run *r)
{
    return (int64_t)sizeof(int64_t) * (5 + r->resources);
}

/* Drop the dominated labels among those that were made. */
static int thin(run *r)
{
    labels *m = &r->made;
    int64_t *kept = malloc((size_t)(m->count + 1) * sizeof(int64_t));
    if (!kept)
        return NO_MEMORY;
    int64_t count = undominated(m->count, r->resources, m->state, m->value, m->usage, 1, r->resources, kept);
    labels old = *m;
    if (count < 0) {
        free(kept);
        return NO_MEMORY;
    }
    memset(m, 0, sizeof *m);
    if (make_room(r, old.room) != DONE) {
        free(kept);
        release(&old);
        return NO_MEMORY;
    }
    for (int64_t c = 0; c < count; c++) {
        int64_t l = kept[c];
        m->state[c] = old.state[l];
        m->value[c] = old.value[l];
        for (int64_t u = 0; u < r->resources; u++)
            m->usage[c * r->resources + u] = old.usage[l * r->resources + u];
        m->parent[c] = old.parent[l];
        m->at[c] = old.at[l];
    }
    m->count = count;
    free(kept);
    release(&old);
    return DONE;
}

/* A number of at least 0 as a float that is no smaller. A label is then kept rather than lost. */
static inline float rounded_up(double slack)
{
    return (float)(slack * (1 + 0x1p-23) + 0x1p-126);
}

static inline int affords(int64_t k, const float *slack, const double *loss)
{
    int64_t at = 0;
    for (; at + 4 <= k; at += 4)
        if ((slack[at] < loss[at]) | (slack[at + 1] < loss[at + 1]) | (slack[at + 2] < loss[at + 2]) |
            (slack[at + 3] < loss[at + 3]))
            return 0;
    for (; at < k; at++)
        if (slack[at] < loss[at])
            return 0;
    return 1;
}

/* Extend every label by the options that its slacks allow. */
static int extend(run *r, int64_t i, int stays)
{
    const bucket *b = r->p.bucket + i;
    labels *m = &r->made;
    int64_t k = r->k, n = b->size, collected = COLLECTED;
    m->count = 0;
    for (int64_t l = 0; l < r->count; l++) {
        int32_t state = r->state[l];
        int64_t row = r->row_of[state], tried = r->row_start[row], end = r->row_start[row + 1];
        const float *slack = r->slack + l * k;
        if (m->count + (end - tried) > m->room && make_room(r, 2 * m->room + end - tried) != DONE)
            return NO_MEMORY;
        for (; tried < end; tried++) {
            const double *loss = r->loss + tried * k;
            if (slack[0] < loss[0])
                break;
            if (!affords(k, slack, loss))
                continue;
            int64_t j = r->option[tried];
            if (r->allowed && !r->allowed[state * n + j])
                continue;
            const int64_t *added = r->added + tried * r->rows;
            int64_t c = m->count++;
            m->state[c] = stays ? r->base_of[state] * n + j : r->base_of[state];
            m->value[c] = r->value[l] + added[0];
            for (int64_t u = 0; u < r->resources; u++)
                m->usage[c * r->resources + u] = r->usage[l * r->resources + u] + added[1 + u];
            m->parent[c] = l;
            m->at[c] = tried;
        }
        if (ask(r, end - r->row_start[row]))
            return STOPPED;
        if (m->count > collected) {
            if (r->bytes + 2 * m->room * label_bytes(r) > r->out->most_bytes)
                return LIMIT;
            int status = thin(r);
            if (status != DONE)
                return status;
            while (collected < 2 * m->count)
                collected *= 2;
        }
    }
    return thin(r);
}

/* Keep about `beam` labels of large slack, spread over the range of usage: each stratum keeps equally many. */
static int spread(run *r, float *slack)
{
    labels *m = &r->made;
    int64_t count = m->count, k = r->k, share = r->out->beam / STRATA;
    share = share > 1 ? share : 1;
    keyed *items = malloc((size_t)count * 2 * sizeof(keyed));
    uint8_t *stays = calloc((size_t)count, 1);
    if (!items || !stays) {
        free(items);
        free(stays);
        return NO_MEMORY;
    }
    for (int64_t c = 0; c < count; c++) {
        double priced = 0.0;
        for (int64_t u = 0; u < r->resources; u++)
            priced -= r->weights[1 + u] * (double)m->usage[c * r->resources + u];
        items[c].key = rising(priced);
        items[c].index = c;
    }
    sort_keyed(count, items, items + count);
    for (int64_t s = 0; s < STRATA; s++) {
        int64_t begin = (s * count + STRATA - 1) / STRATA, end = ((s + 1) * count + STRATA - 1) / STRATA;
        for (int64_t o = begin; o < end; o++) {
            double least = INFINITY;
            for (int64_t at = 0; at < k; at++)
                if (r->weights[at * r->rows] > 0 && slack[items[o].index * k + at] < least)
                    least = slack[items[o].index * k + at];
            items[o].key = ~rising(least);
        }
        sort_keyed(end - begin, items + begin, items + count);
        for (int64_t o = begin; o < end && o < begin + share; o++)
            stays[items[o].index] = 1;
    }
    int64_t left = 0;
    for (int64_t c = 0; c < count; c++)
        if (stays[c]) {
            m->state[left] = m->state[c];
            m->value[left] = m->value[c];
            memmove(m->usage + left * r->resources, m->usage + c * r->resources,
                    (size_t)r->resources * sizeof(int64_t));
            m->parent[left] = m->parent[c];
            m->at[left] = m->at[c];
            memmove(slack + left * k, slack + c * k, (size_t)k * sizeof(float));
            left++;
        }
    m->count = left;
    free(items);
    free(stays);
    return DONE;
}

/* Make the labels of this step the present ones, and number their states. */
static int advance(run *r, int64_t i, const int64_t *last)
{
    const bucket *b = r->p.bucket + i;
    labels *m = &r->made;
    int64_t k = r->k, n = b->size;
    int stays = last[i] > i;
    float *slack = malloc((size_t)(m->count * k + 1) * sizeof(float));
    if (!slack)
        return NO_MEMORY;
    for (int64_t c = 0; c < m->count; c++)
        for (int64_t at = 0; at < k; at++)
            slack[c * k + at] = rounded_up(r->slack[m->parent[c] * k + at] - r->loss[m->at[c] * k + at]);
    if (r->out->beam > 0 && m->count > r->out->beam) {
        int status = spread(r, slack);
        if (status != DONE) {
            free(slack);
            return status;
        }
        r->out->complete = 0;
    }
    free(r->slack);
    r->slack = slack;
    if (m->count > r->out->most_labels)
        return LIMIT;
    int64_t count = m->count;
    r->count = count;
    r->out->kept += count;
    r->steps[i].parent = malloc((size_t)(count + 1) * sizeof(int32_t));
    r->steps[i].option = malloc((size_t)(count + 1) * sizeof(int32_t));
    r->state = grown(r->state, count, sizeof(int32_t));
    r->value = grown(r->value, count, sizeof(int64_t));
    r->usage = grown(r->usage, count * r->resources, sizeof(int64_t));
    int64_t *sources = malloc((size_t)(count + 1) * sizeof(int64_t));
    int status = NO_MEMORY;
    if (!r->steps[i].parent || !r->steps[i].option || !r->state || !r->value || !r->usage || !sources)
        goto end;
    int64_t states = 0;
    for (int64_t c = 0; c < count; c++) {
        r->steps[i].parent[c] = (int32_t)m->parent[c];
        r->steps[i].option[c] = r->option[m->at[c]];
        r->value[c] = m->value[c];
        if (states == 0 || sources[states - 1] != m->state[c]) /* labels are sorted by state */
            sources[states++] = m->state[c];
        r->state[c] = (int32_t)(states - 1);
    }
    memcpy(r->usage, m->usage, (size_t)(count * r->resources) * sizeof(int64_t));
    for (int64_t g = 0; g <= i; g++) {
        int32_t *old = r->columns[g];
        if (last[g] <= i || (g < i && !old)) {
            free(old);
            r->columns[g] = NULL;
            continue;
        }
        int32_t *column = malloc((size_t)(states + 1) * sizeof(int32_t));
        if (!column)
            goto end;
        for (int64_t s = 0; s < states; s++)
            column[s] = g == i ? (int32_t)(sources[s] % n) : old[r->base_state[stays ? sources[s] / n : sources[s]]];
        free(old);
        r->columns[g] = column;
    }
    r->states = states;
    r->bytes += 2 * count * (int64_t)sizeof(int32_t);
    /* extending the labels takes about the same memory again */
    status = r->bytes + 2 * count * (label_bytes(r) + k * (int64_t)sizeof(float)) > r->out->most_bytes ? LIMIT : DONE;
end:
    free(sources);
    return status;
}

/* The best label within the room of every resource, traced back to a choice. */
static void trace(run *r, const int64_t *room, int64_t *choice)
{
    int64_t best = -1;
    for (int64_t l = 0; l < r->count; l++) {
        int fits = 1;
        for (int64_t u = 0; u < r->resources; u++)
            fits &= r->usage[l * r->resources + u] <= room[u];
        if (fits && (best < 0 || r->value[l] > r->value[best]))
            best = l;
    }
    r->out->found = best >= 0;
    for (int64_t i = r->p.count - 1; best >= 0 && i >= 0; i--) {
        choice[i] = r->steps[i].option[best];
        best = r->steps[i].parent[best];
    }
}

/* Search all choices whose slacks stay at least 0 under every weight vector.

   exact   for each term, the address of its table in integers, int64 (rows, options of its groups), or 0.
   last    for each bucket, the last step that refers to its group.
   peaks   for each bucket, see `permit`.
   slacks  of the empty choice, float64 (k,).
   room    of each resource, int64 (rows - 1,).
   choice  the best choice that was found, as positions in processing order. */
EXPORT int reds_labels(int64_t count, const int64_t *code, const int64_t *sizes, const int64_t *addresses, int64_t k,
                       int64_t rows, const double *weights, const double *messages, const int64_t *exact,
                       const int64_t *last, const int64_t *peaks, const double *slacks, const int64_t *room,
                       outcome *out, int64_t *choice, const stop_check *stop)
{
    run r = {.k = k, .rows = rows, .resources = rows - 1, .weights = weights, .messages = messages, .stop = stop,
             .out = out, .states = 1, .count = 1};
    int status = program_read(&r.p, count, code, sizes, addresses, exact);
    if (status != DONE)
        return status;
    status = NO_MEMORY;
    r.steps = calloc((size_t)count, sizeof(step));
    r.columns = calloc((size_t)count, sizeof(int32_t *));
    r.state = calloc(1, sizeof(int32_t));
    r.value = calloc(1, sizeof(int64_t));
    r.usage = calloc((size_t)rows, sizeof(int64_t));
    r.slack = malloc((size_t)k * sizeof(float));
    if (!r.steps || !r.columns || !r.state || !r.value || !r.usage || !r.slack)
        goto end;
    for (int64_t at = 0; at < k; at++)
        r.slack[at] = rounded_up(slacks[at]);
    for (int64_t i = 0; i < count; i++) {
        if ((status = tabulate(&r, i)) != DONE || (status = permit(&r, r.p.bucket[i].size, &peaks)) != DONE ||
            (status = number_states(&r, i, last)) != DONE || (status = extend(&r, i, last[i] > i)) != DONE ||
            (status = advance(&r, i, last)) != DONE)
            goto end;
        if (r.count == 0)
            goto end;
    }
    trace(&r, room, choice);
end:
    for (int64_t i = 0; i < count; i++) {
        if (r.columns)
            free(r.columns[i]);
        if (r.steps) {
            free(r.steps[i].parent);
            free(r.steps[i].option);
        }
    }
    free(r.steps);
    free(r.columns);
    free(r.state);
    free(r.value);
    free(r.usage);
    free(r.slack);
    release(&r.made);
    free(r.row_of);
    free(r.row_start);
    free(r.loss);
    free(r.added);
    free(r.option);
    free(r.base_of);
    free(r.base_state);
    free(r.allowed);
    program_free(&r.p);
    return status;
}
