/* checkpoint.c — layout: header, θ, running statistics, moments (all as the device holds them), training curve,
 * mask of the samples kept, checksum of all before.
 */
#include "train/checkpoint.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

typedef struct header {
    char magic[8];
    uint64_t fingerprint;
    uint64_t element, parameters, statistics, moments, epochs, samples;
    tc_train_place at;
} header;

static const char magic[8] = {'T', 'C', 'T', 'R', 'A', 'I', 'N', '3'};

/* ---- a fast 64-bit mixing sum; guards against mistakes, not against malice ---- */

static uint64_t mix(uint64_t sum, uint64_t word) {
    sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
    return sum ^ sum >> 29;
}

static uint64_t mix_bytes(uint64_t sum, const void *data, size_t bytes) {
    const unsigned char *at = data;
    uint64_t word;
    for (; bytes >= sizeof word; at += sizeof word, bytes -= sizeof word) {
        memcpy(&word, at, sizeof word);
        sum = mix(sum, word);
    }
    word = bytes;
    memcpy(&word, at, bytes);
    return mix(mix(sum, word), bytes);
}

static uint64_t mix_text(uint64_t sum, const char *text) {
    return mix_bytes(sum, text, strlen(text));
}

static uint64_t mix_options(uint64_t sum, const tc_train_options *options) {
    for (const tc_option *option = tc_train_table; option->name; option++) {
        char text[TC_TEXT_SIZE];
        if (option->offset == offsetof(tc_train_options, checkpoint_minutes)) continue; /* when to save, not what */
        if (option->offset == offsetof(tc_train_options, recipe)) continue; /* its settings are in the others */
        tc_option_format(option, options, text, sizeof text);
        sum = mix_text(sum, text);
    }
    return sum;
}

static uint64_t mix_view(uint64_t sum, const tc_view *view) {
    const size_t bytes = tc_dataset_image_bytes(view->dataset);
    for (size_t i = 0; i < view->count; i++)
        sum = mix(mix_bytes(sum, tc_view_image(view, i), bytes), (uint64_t)tc_view_label(view, i));
    sum = mix_bytes(sum, view->dataset->mean, sizeof view->dataset->mean);
    return mix_bytes(sum, view->dataset->std, sizeof view->dataset->std);
}

uint64_t tc_train_fingerprint(const tc_device *device, const tc_model *model, const tc_view *view,
                              const tc_train_options *options, tc_stream stream, const tc_weights *weights) {
    uint64_t sum = mix_text(1, device->name);
    sum = mix(sum, (uint64_t)device->options.precision << 1 | device->options.fastest);
    sum = mix_options(sum, options);
    sum = mix(sum, tc_model_fingerprint(model));
    sum = mix_view(sum, view);
    sum = mix(mix(sum, stream.key), stream.position);
    sum = mix_bytes(sum, weights->theta, tc_model_parameters(model) * sizeof *weights->theta);
    return mix_bytes(sum, weights->state, tc_model_state(model) * sizeof *weights->state);
}

/* ---- the vectors of a state, one after the other ---- */

enum { MOST_VECTORS = 2 + TC_MAX_MOMENTS };

typedef struct vectors {
    int count;
    void *at[MOST_VECTORS];
    size_t bytes[MOST_VECTORS];
    size_t total, curve; /* bytes of those on the device, and of the curve behind them */
} vectors;

static vectors vectors_of(const tc_train_state *state) {
    const size_t element = state->optimiser.device->element;
    vectors all = {2, {state->theta, state->state}, {state->parameters * element, state->statistics * element}, 0, 0};
    for (int i = 0; i < state->optimiser.moments; i++) {
        all.at[all.count] = state->optimiser.moment[i];
        all.bytes[all.count++] = state->parameters * element;
    }
    for (int i = 0; i < all.count; i++) all.total += all.bytes[i];
    all.curve = 2 * state->epochs * sizeof *state->curve;
    return all;
}

static header header_of(uint64_t fingerprint, const tc_train_state *state) {
    header made = {.fingerprint = fingerprint,
                   .element = state->optimiser.device->element,
                   .parameters = state->parameters,
                   .statistics = state->statistics,
                   .moments = (uint64_t)state->optimiser.moments,
                   .epochs = state->epochs,
                   .samples = state->samples,
                   .at = state->at};
    memcpy(made.magic, magic, sizeof magic);
    return made;
}

/* ---- writing and reading ---- */

tc_status tc_checkpoint_save(const char *path, uint64_t fingerprint, const tc_train_state *state, tc_error *error) {
    tc_status status = TC_OK;
    tc_device *device = state->optimiser.device;
    const vectors all = vectors_of(state);
    const header head = header_of(fingerprint, state);
    const size_t bytes = sizeof head + all.total + all.curve + state->samples;
    uint8_t *image = NULL;
    TC_TRY(tc_new(&image, bytes + sizeof(uint64_t), 1, error));
    memcpy(image, &head, sizeof head);
    uint8_t *at = image + sizeof head;
    for (int i = 0; i < all.count; at += all.bytes[i++]) device->k->download_bytes(device, at, all.at[i], all.bytes[i]);
    TC_TRY(tc_device_health(device, error)); /* nobody shall go on from what a failed device left */
    memcpy(at, state->curve, all.curve);
    if (state->samples) memcpy(at + all.curve, state->keep, state->samples);
    const uint64_t sum = mix_bytes(1, image, bytes);
    memcpy(image + bytes, &sum, sizeof sum);
    TC_TRY(tc_file_write(path, image, bytes + sizeof sum, error));
done:
    free(image);
    return status;
}

static tc_status check(const char *path, const uint8_t *image, size_t size, size_t bytes, uint64_t fingerprint,
                       header *head, const tc_train_state *state, tc_error *error) {
    uint64_t sum;
    if (size != bytes)
        return tc_raise(error, TC_INVALID,
                        "%s: %zu bytes where this run's checkpoint has %zu: damaged or of another run; remove it", path,
                        size, bytes);
    memcpy(head, image, sizeof *head);
    memcpy(&sum, image + bytes - sizeof sum, sizeof sum);
    const header expected = header_of(fingerprint, state);
    if (memcmp(head->magic, magic, sizeof magic) || sum != mix_bytes(1, image, bytes - sizeof sum))
        return tc_raise(error, TC_INVALID, "%s: a damaged checkpoint; remove it to start anew", path);
    if (memcmp(head, &expected, offsetof(header, at)))
        return tc_raise(error, TC_INVALID,
                        "%s: a checkpoint of another run (options, network, data, poison or seed differ); remove it or "
                        "name another file",
                        path);
    return TC_OK;
}

tc_status tc_checkpoint_load(const char *path, uint64_t fingerprint, tc_train_state *state, bool *found,
                             tc_error *error) {
    tc_status status = TC_OK;
    tc_device *device = state->optimiser.device;
    const vectors all = vectors_of(state);
    const size_t bytes = sizeof(header) + all.total + all.curve + state->samples + sizeof(uint64_t);
    uint8_t *image = NULL;
    size_t size = 0;
    header head;
    *found = tc_file_exists(path);
    if (!*found) goto done;
    TC_TRY(tc_file_read(path, bytes, &image, &size, error));
    TC_TRY(check(path, image, size, bytes, fingerprint, &head, state, error));
    const uint8_t *at = image + sizeof head;
    for (int i = 0; i < all.count; at += all.bytes[i++]) device->k->upload_bytes(device, all.at[i], at, all.bytes[i]);
    memcpy(state->curve, at, all.curve);
    if (state->samples) memcpy(state->keep, at + all.curve, state->samples);
    state->at = head.at;
done:
    free(image);
    return status;
}
