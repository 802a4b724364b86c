#include "attack/parts/matching.h"

#include <math.h>
#include <stdlib.h>

/* ---- pieces of a batch ---- */

typedef struct piece {
    size_t from;
    int n;
    double share; /* n / batch: the pass knows the mean over the piece, φ the mean over the batch */
    tc_pass *pass;
} piece;

static int pieces_of(const tc_matcher *m, const tc_match_batch *batch) {
    return (int)((batch->count + (size_t)m->piece - 1) / (size_t)m->piece);
}

static piece piece_at(const tc_matcher *m, const tc_match_batch *batch, int i) {
    const size_t done = (size_t)i * (size_t)m->piece, left = batch->count - done;
    const int n = left < (size_t)m->piece ? (int)left : m->piece;
    return (piece){batch->from + done, n, (double)n / (double)batch->count, tc_passes_find(m->passes, n)};
}

/* g := the piece's mean gradient; NULL where only what the pass keeps for grad_jvp is wanted. */
static void look(tc_matcher *m, const tc_match_batch *batch, const piece *part, void *g) {
    tc_lens_see(batch->lens, part->from, part->n, batch->pixels, tc_pass_input(part->pass));
    m->device->k->upload_bytes(m->device, tc_pass_labels(part->pass), batch->labels + part->from,
                               (size_t)part->n * sizeof *batch->labels);
    tc_pass_grad_async(part->pass, m->theta, m->state, g, NULL);
    m->gradients++;
}

/* ---- φ and u ---- */

/* g := g_p(x), over all pieces. */
static void poison_gradient(tc_matcher *m, const tc_match_batch *batch) {
    const int pieces = pieces_of(m, batch);
    for (int i = 0; i < pieces; i++) {
        const piece part = piece_at(m, batch, i);
        look(m, batch, &part, pieces > 1 ? m->u : m->g);
        if (pieces > 1) m->device->k->axpby(m->device, m->parameters, part.share, m->u, i > 0, m->g);
    }
}

void tc_matcher_aimed(tc_matcher *m) {
    m->target_norm = sqrt(m->device->k->dot(m->device, m->parameters, m->target, m->target));
}

void tc_match(tc_matcher *m, const tc_match_batch *batch, double weight, void *dpixels, double *phi) {
    const int pieces = pieces_of(m, batch);
    poison_gradient(m, batch);
    m->device->k->cosine(m->device, m->parameters, m->target_norm, m->target, m->g, dpixels ? m->u : NULL, phi);
    for (int i = 0; dpixels && i < pieces; i++) {
        const piece part = piece_at(m, batch, i);
        if (pieces > 1) look(m, batch, &part, NULL);
        tc_pass_grad_jvp(part.pass, m->u, NULL, NULL, m->dx);
        tc_lens_adjoint(batch->lens, part.from, part.n, weight * part.share, m->dx, dpixels);
        m->jvps++;
    }
}

/* ---- making ---- */

tc_status tc_matcher_create(tc_device *device, const tc_surrogate *surrogate, tc_passes *passes, int piece_size,
                            tc_matcher *m, tc_error *error) {
    tc_status status = TC_OK;
    const tc_kernels *k = device->k;
    const size_t p = tc_model_parameters(surrogate->model), statistics = tc_model_state(surrogate->model);
    *m = (tc_matcher){.device = device, .passes = passes, .piece = piece_size, .parameters = p};
    TC_TRY(tc_device_reals(device, p, &m->theta, error));
    TC_TRY(tc_device_reals(device, statistics + 1, &m->state, error)); /* never empty */
    TC_TRY(tc_device_reals(device, p, &m->target, error));
    TC_TRY(tc_device_reals(device, p, &m->g, error));
    TC_TRY(tc_device_reals(device, p, &m->u, error));
    TC_TRY(
        tc_device_reals(device, (size_t)piece_size * tc_shape_count(tc_model_input(surrogate->model)), &m->dx, error));
    k->upload_float(device, m->theta, surrogate->weights.theta, p);
    k->upload_float(device, m->state, surrogate->weights.state, statistics);
done:
    if (status != TC_OK) tc_matcher_free(m);
    return status;
}

void tc_matcher_free(tc_matcher *m) {
    void *const memory[] = {m->theta, m->state, m->target, m->g, m->u, m->dx};
    for (int i = 0; i < 6; i++)
        if (memory[i]) m->device->k->release(m->device, memory[i]);
    *m = (tc_matcher){0};
}
