/* separable.c — synthetic shortcuts: noise that a linear model can tell apart by class.
 *
 * Paper: Yu et al., "Availability Attacks Create Shortcuts", arXiv 2111.00898 (its Algorithm 1)
 *
 * Networks take the easiest way, and noise whose classes a hyperplane separates is easier than any image. No network is
 * needed to make it. An image has F = ⌈h/patch⌉ ⌈w/patch⌉ channels patches of one colour each; of sample i of class c
 *
 *     s_i = separation · v_c + A_c z_i ∈ R^F,   v_c ∈ {−1, 1}^F drawn, no two alike,  A_c ~ U(−1, 1)^{F×F},  z_i ~ N(0,
 * 1) δ_i = s_i painted onto the patches, scaled so that its root mean square is `radius`, clipped to ±ε
 *
 * which is what scikit-learn's make_classification gives where every feature is informative and a class has one
 * cluster; the released code calls that with class_sep = 10. It knows no ε: its images have an L2 ball with the norm of
 * ±6/255 in all pixels (`radius` 6), and single pixels go to about twice that. Here they are clipped to the threat's ε.
 * `patch` 0 is a quarter of the image's side: 8 of 32, as in the paper, and an F that does not grow with the image. */
#include "attack/methods.h"
#include "attack/parts/shortcut.h"
#include "train/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct separable_options {
    int64_t patch;
    double separation, radius;
} separable_options;

static const tc_option options_table[] = {
    TC_INT(separable_options, patch, 0, 0, 4096, "pixels",
           "side of a patch; 0: a quarter of the image's (Yu et al.: 8 of 32)"),
    TC_REAL_ABOVE(separable_options, separation, 10, 0, 1e6, "",
                  "distance of the classes' corners from the centre (Yu et al.'s code: 10)"),
    TC_REAL_ABOVE(separable_options, radius, 6, 0, 255, "1/255",
                  "root mean square of the noise before it is clipped to epsilon (Yu et al.: 6)"),
    TC_OPTIONS_END};

enum { MOST_FEATURES = 2048 };

typedef struct maker {
    const tc_dataset *dataset;
    const separable_options *options;
    tc_stream stream;
    int side, rows, columns; /* of a patch; how many there are */
    size_t features;
    int8_t *corner; /* [classes][features]: v */
    float *mix;     /* [classes][features][features]: A */
    double *normal; /* [features]: z */
    double *value;  /* [features]: s */
} maker;

/* ---- a sample ---- */

static void draw_values(const maker *m, uint32_t place, int32_t label) {
    const size_t f = m->features;
    const tc_stream stream = tc_stream_child(m->stream, "sample", place);
    const float *mix = m->mix + (size_t)label * f * f;
    for (size_t i = 0; i < f; i++) m->normal[i] = tc_normal_at(stream, i);
    for (size_t i = 0; i < f; i++) {
        m->value[i] = m->options->separation * m->corner[(size_t)label * f + i];
        for (size_t j = 0; j < f; j++) m->value[i] += (double)mix[i * f + j] * m->normal[j];
    }
}

static void paint(void *method, uint32_t place, int32_t label, float *delta) {
    const maker *m = method;
    const tc_dataset *d = m->dataset;
    const int channels = d->channels;
    draw_values(m, place, label);
    for (int y = 0; y < d->height; y++)
        for (int x = 0; x < d->width; x++)
            for (int c = 0; c < channels; c++) {
                const int patch = y / m->side * m->columns + x / m->side;
                delta[(y * d->width + x) * channels + c] = (float)m->value[patch * channels + c];
            }
    tc_shortcut_scale(delta, tc_dataset_image_bytes(d), m->options->radius);
}

/* ---- the classes ---- */

static bool is_new(const maker *m, int label) {
    for (int other = 0; other < label; other++)
        if (!memcmp(m->corner + (size_t)other * m->features, m->corner + (size_t)label * m->features, m->features))
            return false;
    return true;
}

static void draw_classes(maker *m) {
    const size_t f = m->features;
    for (int label = 0; label < m->dataset->classes; label++) {
        tc_stream corner = tc_stream_child(m->stream, "corner", (uint64_t)label);
        const tc_stream mix = tc_stream_child(m->stream, "mix", (uint64_t)label);
        do
            for (size_t i = 0; i < f; i++) m->corner[(size_t)label * f + i] = tc_draw_below(&corner, 2) ? 1 : -1;
        while (!is_new(m, label));
        for (size_t i = 0; i < f * f; i++) m->mix[(size_t)label * f * f + i] = (float)(2 * tc_uniform_at(mix, i) - 1);
    }
}

/* How an image is cut into patches: of the data and of one option alone. */
static void cut(maker *m) {
    const tc_dataset *d = m->dataset;
    const int shorter = d->height < d->width ? d->height : d->width;
    m->side = m->options->patch ? (int)m->options->patch : (shorter + 3) / 4;
    m->rows = (d->height + m->side - 1) / m->side;
    m->columns = (d->width + m->side - 1) / m->side;
    m->features = (size_t)m->rows * (size_t)m->columns * (size_t)d->channels;
}

static tc_status check_job(const tc_craft_job *job, const void *options, tc_error *error) {
    maker m = {.dataset = job->dataset, .options = options};
    cut(&m);
    if (m.features > MOST_FEATURES)
        return tc_raise(error, TC_INVALID,
                        "patch: %d pixels make %zu patches of an image; take larger ones, at most %d of them", m.side,
                        m.features, MOST_FEATURES);
    if (pow(2, (double)m.features) < 2.0 * job->dataset->classes)
        return tc_raise(error, TC_INVALID, "patch: %zu patches cannot tell %d classes apart; take smaller ones",
                        m.features, job->dataset->classes);
    return TC_OK;
}

static tc_status prepare(maker *m, tc_error *error) {
    const tc_dataset *d = m->dataset;
    tc_status status = TC_OK;
    cut(m);
    TC_TRY(tc_new(&m->corner, (size_t)d->classes, m->features, error));
    TC_TRY(tc_new(&m->mix, (size_t)d->classes * m->features * m->features, sizeof *m->mix, error));
    TC_TRY(tc_new(&m->normal, m->features, sizeof *m->normal, error));
    TC_TRY(tc_new(&m->value, m->features, sizeof *m->value, error));
    draw_classes(m);
done:
    return status;
}

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    const double started = tc_clock();
    maker m = {.dataset = job->dataset, .options = options, .stream = tc_stream_child(job->stream, "separable", 0)};
    *poison = NULL;
    TC_TRY(check_job(job, options, error));
    TC_TRY(prepare(&m, error));
    TC_TRY(tc_shortcut_craft(job, paint, &m, poison, error));
    if (report) *report = (tc_craft_report){.objective = NAN, .seconds = tc_clock() - started};
done:
    free(m.corner);
    free(m.mix);
    free(m.normal);
    free(m.value);
    return status;
}

const tc_attack tc_separable = {
    .name = "separable",
    .kind = "untargeted",
    .goals = TC_FOR_UNTARGETED,
    .paper = "Yu et al., Availability Attacks Create Shortcuts, arXiv 2111.00898",
    .summary = "patches of colour that a linear model can tell apart by class",
    .equation = "δ_i = separation · v_c + A_c z_i on patches of one colour, scaled to the radius, |δ_i| ≤ "
                "ε",
    .departs = "the paper bounds the L2 norm only; here the threat's ε clips as well",
    .options = options_table,
    .options_size = sizeof(separable_options),
    .needs_surrogate = false,
    .check_job = check_job,
    .craft = craft,
};
