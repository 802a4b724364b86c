/* random_noise.c — the control: noise of the same size in the same images, made without looking at any model.
 *
 * Whatever an attack achieves beyond this is its own doing and not that of having touched the data at all. `sign` puts
 * every pixel at +ε or −ε with equal chance and so spends the whole budget; `uniform` draws from [−ε, ε]. */
#include "attack/methods.h"
#include "attack/parts/perturbation.h"
#include "train/clock.h"

#include <math.h>
#include <stdlib.h>

typedef struct noise_options {
    int distribution;
} noise_options;

static const char *const distribution_names[] = {"sign", "uniform", NULL};

static const tc_option options_table[] = {
    TC_CHOICE(noise_options, distribution, "sign", distribution_names,
              "sign: every pixel by the whole of epsilon; uniform: by anything up to it"),
    TC_OPTIONS_END};

static double sign(tc_stream stream, uint64_t i, double epsilon) {
    return tc_bits_at(stream, i) >> 63 ? epsilon : -epsilon;
}

static double uniform(tc_stream stream, uint64_t i, double epsilon) {
    return epsilon * (2 * tc_uniform_at(stream, i) - 1);
}

/* In the order of distribution_names. */
static double (*const distributions[])(tc_stream stream, uint64_t i, double epsilon) = {sign, uniform};

static tc_status craft(const tc_craft_job *job, const void *options, tc_poison **poison, tc_craft_report *report,
                       tc_error *error) {
    tc_status status = TC_OK;
    const double started = tc_clock();
    const noise_options *chosen = options;
    const tc_threat *threat = job->threat;
    const tc_stream stream = tc_stream_child(job->stream, "noise", 0);
    const size_t values = threat->poisons * tc_dataset_image_bytes(job->dataset);
    uint8_t *images = NULL;
    *poison = NULL;
    TC_TRY(tc_new(&images, values, 1, error));
    tc_threat_base(job->dataset, threat, images);
    for (size_t i = 0; i < values; i++) {
        const double delta = distributions[chosen->distribution](stream, i, threat->epsilon);
        images[i] = tc_round_pixel(images[i], delta, threat->epsilon);
    }
    TC_TRY(tc_threat_poison(job->dataset, threat, images, poison, error));
    if (report) *report = (tc_craft_report){.objective = NAN, .seconds = tc_clock() - started};
    if (job->progress) job->progress(job->context, 1, NAN);
done:
    free(images);
    return status;
}

const tc_attack tc_random_noise = {
    .name = "random-noise",
    .kind = "control",
    .goals = TC_FOR_ANY,
    .paper = "none: the control that an attack has to beat",
    .summary = "noise of the same size in the same images",
    .equation = "δ = ± ε, or uniform in [−ε, ε]",
    .options = options_table,
    .options_size = sizeof(noise_options),
    .needs_surrogate = false,
    .craft = craft,
};
