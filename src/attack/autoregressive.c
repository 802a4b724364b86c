/* autoregressive.c — noise from autoregressive processes, one a class.
 *
 * Paper: Sandoval-Segura et al., "Autoregressive Perturbations for Data Poisoning", arXiv 2206.03693
 *
 * In noise of such a process every value follows from its neighbours, and one 3×3 filter of a convolutional network
 * answers to it with nothing but zeros: an easy thing to learn. No network and no data are needed. For channel k:
 *
 *     δ[y][x] = Σ_{(i,j) ≠ (2,2)} b_c,k[i][j] δ[y − 2 + i][x − 2 + j],   y, x ≥ 2, in raster order, Σ b_c,k = 1
 *
 * from two rows and two columns of N(0, 1). The first `crop` rows and columns are cut off, since the start is visible
 * in them, and all channels together are scaled: ‖δ‖₂ = `norm` in [0, 1] pixels for 32×32×3 images, where it is 1 in
 * the paper, and in proportion to the root of the number of values for others, so that the root mean square is always
 * the same, norm · 4.6 steps. (For STL-10's 96×96 images that makes 3.) Single values go to some four times the root
 * mean square; the threat's ε clips them (ε = 255: never), and where it does the recurrence holds only in between.
 *
 * The coefficients b are searched as in the released code: drawn from N(0, 1), divided by their sum, refused where one
 * of three tries has a louder noise than ‖δ‖₂ = 50 (of 3072 values, before any scaling), and taken when its noise makes
 * the filters of all earlier classes answer by at least `response`: Σ max(0, filter ∗ δ) at norm 1. The released code
 * lists what such searches found (10 classes: 10; 100 classes: 3) among a million draws; here they come from the
 * trial's stream, and the response asked for falls by a tenth whenever 500 quiet candidates have failed. The bound is
 * on all channels together: a loud channel is taken beside quiet ones. Still they are drawn one by one, since hundreds
 * of draws are refused for each that is not: a channel that alone is beyond the bound can be in no candidate, so what
 * comes out is the same. */
#include "attack/methods.h"
#include "attack/parts/shortcut.h"
#include "train/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct process_options {
    double norm, response;
    int64_t crop;
} process_options;

static const tc_option options_table[] = {
    TC_REAL_ABOVE(process_options, norm, 1, 0, 1000, "",
                  "L2 norm for 32 x 32 x 3 images in [0, 1] pixels, scaled for others (Sandoval-Segura et al.: 1)"),
    TC_INT(process_options, crop, 4, 0, 64, "pixels",
           "rows and columns cut off at the start (Sandoval-Segura et al.'s code: 4)"),
    TC_REAL(process_options, response, 10, 0, 1000, "",
            "what a class's noise makes the other classes' filters answer, at least, if it can be found "
            "(Sandoval-Segura et al.'s code: 10 for ten classes, 3 for a hundred)"),
    TC_OPTIONS_END};

enum { WINDOW = 3, TAPS = WINDOW * WINDOW, TRIES = 3, PATIENCE = 500 };

typedef struct process {
    double b[TAPS]; /* the last is 0; as a filter it is −1 */
} process;

typedef struct maker {
    const tc_dataset *dataset;
    const process_options *options;
    tc_stream stream;
    int height, width; /* with the crop */
    size_t image;
    process *of;    /* [classes][channels] */
    double *signal; /* [height][width] */
    float *noise;   /* [h][w][c]: a candidate's */
} maker;

/* ---- one process ---- */

/* Where the window reaches only into the start, the start stays. Returns Σ δ² of what the crop leaves, or infinity as
 * soon as a row has brought it beyond `most`. */
static double run(const maker *m, const process *p, tc_stream stream, double most) {
    const int crop = (int)m->options->crop;
    double squares = 0;
    for (int y = 0; y < m->height; y++) {
        for (int x = 0; x < m->width; x++) {
            double *at = m->signal + (size_t)y * (size_t)m->width + (size_t)x, value = 0;
            if (y < WINDOW - 1 || x < WINDOW - 1)
                value = tc_normal_at(stream, (uint64_t)y * (uint64_t)m->width + (uint64_t)x);
            else
                for (int i = 0; i < TAPS - 1; i++) value += p->b[i] * at[(i / WINDOW - 2) * m->width + i % WINDOW - 2];
            *at = value;
            if (y >= crop && x >= crop) squares += value * value;
        }
        if (!(squares <= most)) return INFINITY;
    }
    return squares;
}

/* Channel `channel` of the noise := the signal without its crop. */
static void take(const maker *m, int channel, float *noise) {
    const tc_dataset *d = m->dataset;
    const int crop = (int)m->options->crop;
    for (int y = 0; y < d->height; y++)
        for (int x = 0; x < d->width; x++)
            noise[(y * d->width + x) * d->channels + channel] =
                (float)m->signal[(size_t)(y + crop) * (size_t)m->width + (size_t)(x + crop)];
}

/* Noise with a root mean square of one. */
static void make_noise(const maker *m, const process *of, tc_stream stream, float *noise) {
    for (int k = 0; k < m->dataset->channels; k++) {
        run(m, &of[k], tc_stream_child(stream, "channel", (uint64_t)k), INFINITY);
        take(m, k, noise);
    }
    tc_shortcut_scale(noise, m->image, 1);
}

/* Of a pixel's 255 steps: the root mean square of a 32×32×3 image whose norm in [0, 1] pixels is 1. */
static double steps_of_norm(double norm) {
    return norm * 255 / sqrt(32 * 32 * 3);
}

static void perturb(void *method, uint32_t place, int32_t label, float *delta) {
    const maker *m = method;
    const process *of = m->of + label * m->dataset->channels;
    make_noise(m, of, tc_stream_child(m->stream, "sample", place), delta);
    tc_shortcut_scale(delta, m->image, steps_of_norm(m->options->norm));
}

/* ---- the search ---- */

/* The largest Σ δ² of a candidate's noise: the released code's 50² of 32×32×3 values. */
static double loudest(const maker *m) {
    return 50.0 * 50 / (32 * 32 * 3) * (double)m->image;
}

/* squares[t] += Σ δ² of try t; false where one of them runs away. */
static bool is_quiet(const maker *m, const process *p, tc_stream stream, double squares[TRIES]) {
    for (int try = 0; try < TRIES; try++) {
        squares[try] += run(m, p, tc_stream_child(stream, "try", (uint64_t)try), loudest(m));
        if (!isfinite(squares[try])) return false;
    }
    return true;
}

static void draw_process(process *p, tc_stream stream) {
    double sum = 0;
    for (int i = 0; i < TAPS - 1; i++) sum += p->b[i] = tc_normal_at(stream, (uint64_t)i);
    for (int i = 0; i < TAPS - 1; i++) p->b[i] /= sum;
    p->b[TAPS - 1] = 0;
}

static void find_channel(const maker *m, process *p, tc_stream stream, double squares[TRIES]) {
    for (uint64_t i = 0;; i++) {
        const tc_stream attempt = tc_stream_child(stream, "attempt", i);
        double now[TRIES];
        memcpy(now, squares, sizeof now);
        draw_process(p, attempt);
        if (!is_quiet(m, p, attempt, now)) continue;
        memcpy(squares, now, sizeof now);
        return;
    }
}

/* One process a channel; all together are within the bound, in every try. */
static void find_candidate(const maker *m, process *of, tc_stream stream) {
    for (uint64_t i = 0;; i++) {
        const tc_stream draw = tc_stream_child(stream, "draw", i);
        double squares[TRIES] = {0};
        bool quiet = true;
        for (int k = 0; k < m->dataset->channels; k++)
            find_channel(m, &of[k], tc_stream_child(draw, "channel", (uint64_t)k), squares);
        for (int try = 0; try < TRIES; try++) quiet = quiet && squares[try] <= loudest(m);
        if (quiet) return;
    }
}

/* Σ over all windows of max(0, Σ over channels filter ∗ noise): what the class's filter makes of noise. */
static double response_of(const maker *m, const process *of, const float *noise) {
    const int h = m->dataset->height, w = m->dataset->width, channels = m->dataset->channels;
    double sum = 0;
    for (int y = 0; y + WINDOW <= h; y++)
        for (int x = 0; x + WINDOW <= w; x++) {
            double answer = 0;
            for (int i = 0; i < TAPS; i++)
                for (int k = 0; k < channels; k++)
                    answer += (i == TAPS - 1 ? -1 : of[k].b[i]) *
                              noise[((y + i / WINDOW) * w + x + i % WINDOW) * channels + k];
            sum += fmax(answer, 0);
        }
    return sum;
}

/* Does every earlier class's filter answer to this class's noise by at least `wanted`? In the released code's unit: an
 * image of norm 1, where sums over more values are larger by the root of their number. */
static bool others_answer(const maker *m, int label, tc_stream stream, double wanted) {
    const int channels = m->dataset->channels;
    const double unit = sqrt(32 * 32 * 3) / (double)m->image;
    make_noise(m, m->of + label * channels, stream, m->noise);
    for (int other = 0; other < label; other++)
        if (!(response_of(m, m->of + other * channels, m->noise) * unit >= wanted)) return false;
    return true;
}

static void find_processes(maker *m) {
    const int channels = m->dataset->channels;
    double wanted = m->options->response;
    for (int label = 0; label < m->dataset->classes; label++) {
        const tc_stream stream = tc_stream_child(m->stream, "class", (uint64_t)label);
        for (uint64_t i = 1;; i++) {
            const tc_stream candidate = tc_stream_child(stream, "candidate", i);
            find_candidate(m, m->of + label * channels, candidate);
            if (others_answer(m, label, candidate, wanted)) break;
            if (i % PATIENCE == 0) wanted *= 0.9;
        }
    }
}

/* ---- crafting ---- */

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    const tc_dataset *d = job->dataset;
    (void)options;
    if (d->height >= WINDOW && d->width >= WINDOW) return TC_OK;
    return tc_raise(error, TC_INVALID,
                    "autoregressive: images of %d x %d pixels have no 3 x 3 windows; take larger ones", d->height,
                    d->width);
}

static tc_status prepare(maker *m, tc_error *error) {
    const tc_dataset *d = m->dataset;
    tc_status status = TC_OK;
    m->height = d->height + (int)m->options->crop;
    m->width = d->width + (int)m->options->crop;
    m->image = tc_dataset_image_bytes(d);
    TC_TRY(tc_new(&m->of, (size_t)d->classes * (size_t)d->channels, sizeof *m->of, error));
    TC_TRY(tc_new(&m->signal, (size_t)m->height * (size_t)m->width, sizeof *m->signal, error));
    TC_TRY(tc_new(&m->noise, m->image, sizeof *m->noise, error));
    find_processes(m);
done:
    return status;
}

static tc_status make(maker *m, const tc_craft_job *job, const void *options, tc_error *error) {
    *m = (maker){
        .dataset = job->dataset, .options = options, .stream = tc_stream_child(job->stream, "autoregressive", 0)};
    const tc_status status = check_job(job, options, error);
    return status == TC_OK ? prepare(m, error) : status;
}

static void unmake(maker *m) {
    free(m->of);
    free(m->signal);
    free(m->noise);
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    const double started = tc_clock();
    maker m;
    *poison = NULL;
    TC_TRY(make(&m, job, options, error));
    TC_TRY(tc_shortcut_craft(job, perturb, &m, poison, error));
    if (report) *report = (tc_craft_report){.objective = NAN, .seconds = tc_clock() - started};
done:
    unmake(&m);
    return status;
}

tc_status tc_autoregressive_processes(const tc_craft_job *job, const void *options, double *b, tc_error *error) {
    maker m;
    const tc_status status = make(&m, job, options, error);
    for (int i = 0; status == TC_OK && i < job->dataset->classes * job->dataset->channels; i++)
        memcpy(b + (size_t)i * TAPS, m.of[i].b, sizeof m.of[i].b);
    unmake(&m);
    return status;
}

const tc_attack tc_autoregressive = {
    .name = "autoregressive",
    .kind = "untargeted",
    .goals = TC_FOR_UNTARGETED,
    .paper = "Sandoval-Segura et al., Autoregressive Perturbations for Data Poisoning, arXiv 2206.03693",
    .summary = "noise in which every pixel follows from its neighbours, by the rule of its class",
    .equation = "δ[y][x] = Σ b_c[i][j] δ[y − 2 + i][x − 2 + j] in every 3 × 3 window, Σ b_c = 1, ‖δ‖₂ = "
                "norm, |δ| ≤ ε",
    .departs = "the paper bounds the L2 norm only; the code lists coefficients that a search found, here "
               "they are searched for in every trial",
    .options = options_table,
    .options_size = sizeof(process_options),
    .needs_surrogate = false,
    .check_job = check_job,
    .craft = craft,
};
