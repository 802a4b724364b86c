/* weights.c — a model's tensors by name, from and to safetensors files.
 *
 * A file fits a model when it holds exactly the model's tensors, by PyTorch's names and shapes, and nothing else but
 * the batch counters "….num_batches_tracked" that PyTorch's batch norms carry along and nobody needs. They are passed
 * over when reading and written as 0, so that load_state_dict(strict=True) takes what is written here. */
#include "nn/weights.h"

#include "base/option.h"
#include "nn/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char counter_suffix[] = ".num_batches_tracked";
static const char variance_suffix[] = ".running_var"; /* beside which a counter stands */

static bool ends_in(const char *name, const char *suffix) {
    const size_t length = strlen(name), tail = strlen(suffix);
    return length > tail && !strcmp(name + length - tail, suffix);
}

tc_status tc_weights_create(const tc_model *model, tc_weights *weights, tc_error *error) {
    *weights = (tc_weights){0};
    tc_status status = tc_new(&weights->theta, tc_model_parameters(model), sizeof *weights->theta, error);
    if (status == TC_OK) status = tc_new(&weights->state, tc_model_state(model), sizeof *weights->state, error);
    if (status != TC_OK) tc_weights_free(weights);
    return status;
}

void tc_weights_free(tc_weights *weights) {
    free(weights->theta);
    free(weights->state);
    *weights = (tc_weights){0};
}

/* ---- reading ---- */

/* One of a model's two vectors: its tensors, and where their values go. */
typedef struct vector {
    const tc_tensor *tensors;
    int count;
    double *values; /* NULL: may stand in the file, is not read */
} vector;

static const tc_tensor *find(const vector *v, const char *name) {
    for (int i = 0; i < v->count; i++)
        if (!strcmp(v->tensors[i].name, name)) return &v->tensors[i];
    return NULL;
}

/* Names the stored tensor whose name is nearest, where one is near. */
static tc_status refuse_missing(const tc_model *model, const tc_safetensors *file, const char *name, tc_error *error) {
    const tc_safetensor *stored;
    const size_t count = tc_safetensors_list(file, &stored);
    const char **names = NULL, *path = tc_safetensors_path(file);
    const tc_status status = tc_new(&names, count + 1, sizeof *names, error);
    if (status != TC_OK) return status;
    for (size_t i = 0; i < count; i++) names[i] = stored[i].name;
    const char *nearest = tc_nearest(name, names);
    free(names);
    if (nearest)
        return tc_raise(error, TC_INVALID, "%s: tensor '%s' of %s is missing; did you mean its '%.200s'?", path, name,
                        tc_model_name(model), nearest);
    return tc_raise(error, TC_INVALID, "%s: tensor '%s' of %s is missing; is it another network's file?", path, name,
                    tc_model_name(model));
}

static bool same_shape(const tc_tensor *a, const tc_safetensor *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->size[i] != b->size[i]) return false;
    return true;
}

static tc_status refuse_shape(const tc_safetensors *file, const tc_tensor *want, const tc_safetensor *have,
                              tc_error *error) {
    char wanted[TC_SHAPE_TEXT], stored[TC_SHAPE_TEXT];
    int64_t size[4];
    for (int i = 0; i < want->rank; i++) size[i] = want->size[i];
    return tc_raise(error, TC_INVALID, "%s: tensor '%s' is %s, not %s; set the network's options as for the file",
                    tc_safetensors_path(file), want->name, tc_shape_text(have->size, have->rank, stored),
                    tc_shape_text(size, want->rank, wanted));
}

static tc_status read_vector(const tc_model *model, tc_safetensors *file, const vector *v, tc_error *error) {
    tc_status status = TC_OK;
    for (int i = 0; v->values && status == TC_OK && i < v->count; i++) {
        const tc_tensor *want = &v->tensors[i];
        const tc_safetensor *have = tc_safetensors_find(file, want->name);
        if (!have)
            status = refuse_missing(model, file, want->name, error);
        else if (!same_shape(want, have))
            status = refuse_shape(file, want, have, error);
        else
            status = tc_safetensors_read(file, have, v->values + want->offset, error);
    }
    return status;
}

static tc_status check_superfluous(const tc_model *model, const tc_safetensors *file, const vector *theta,
                                   const vector *state, tc_error *error) {
    const tc_safetensor *stored;
    const size_t count = tc_safetensors_list(file, &stored);
    for (size_t i = 0; i < count; i++) {
        const char *name = stored[i].name;
        if (find(theta, name) || find(state, name) || ends_in(name, counter_suffix)) continue;
        return tc_raise(error, TC_INVALID, "%s: tensor '%.200s' is none of %s; is it another network's file?",
                        tc_safetensors_path(file), name, tc_model_name(model));
    }
    return TC_OK;
}

static tc_status read_all(const tc_model *model, tc_safetensors *file, double *theta, double *state, tc_error *error) {
    tc_status status = TC_OK;
    vector parameters = {.values = theta}, statistics = {.values = state};
    parameters.count = tc_model_tensors(model, &parameters.tensors);
    statistics.count = tc_model_state_tensors(model, &statistics.tensors);
    TC_TRY(read_vector(model, file, &parameters, error)); /* a missing name says more than a superfluous one: first */
    TC_TRY(read_vector(model, file, &statistics, error));
    TC_TRY(check_superfluous(model, file, &parameters, &statistics, error));
done:
    return status;
}

tc_status tc_weights_read(const tc_model *model, const char *path, double *theta, double *state, tc_error *error) {
    tc_safetensors *file = NULL;
    tc_status status = tc_safetensors_open(path, &file, error);
    if (status == TC_OK) status = read_all(model, file, theta, state, error);
    tc_safetensors_close(file);
    return status;
}

/* to := from, refused where a number is too large for single precision. */
static tc_status narrow(const char *path, const double *from, size_t count, float *to, tc_error *error) {
    for (size_t i = 0; i < count; i++) {
        to[i] = (float)from[i];
        if (!isfinite(to[i]))
            return tc_raise(error, TC_INVALID, "%s: holds %g, too large for single precision; train again", path,
                            from[i]);
    }
    return TC_OK;
}

static tc_status load(const tc_model *model, tc_safetensors *file, tc_weights *weights, tc_error *error) {
    tc_status status = TC_OK;
    const char *path = tc_safetensors_path(file);
    const size_t p = tc_model_parameters(model), s = tc_model_state(model);
    double *wide = NULL;
    tc_weights read = {0};
    TC_TRY(tc_new(&wide, p + s, sizeof *wide, error));
    TC_TRY(tc_weights_create(model, &read, error));
    TC_TRY(read_all(model, file, wide, wide + p, error));
    TC_TRY(narrow(path, wide, p, read.theta, error));
    TC_TRY(narrow(path, wide + p, s, read.state, error));
    memcpy(weights->theta, read.theta, p * sizeof *read.theta); /* only now: a refused file changes nothing */
    memcpy(weights->state, read.state, s * sizeof *read.state);
done:
    tc_weights_free(&read);
    free(wide);
    return status;
}

tc_status tc_weights_load(const tc_model *model, const char *path, tc_weights *weights, tc_error *error) {
    tc_safetensors *file = NULL;
    tc_status status = tc_safetensors_open(path, &file, error);
    if (status == TC_OK) status = load(model, file, weights, error);
    tc_safetensors_close(file);
    return status;
}

tc_status tc_weights_decode(const tc_model *model, const char *name, const uint8_t *bytes, size_t size,
                            tc_weights *weights, tc_error *error) {
    tc_safetensors *file = NULL;
    tc_status status = tc_safetensors_open_bytes(name, bytes, size, &file, error);
    if (status == TC_OK) status = load(model, file, weights, error);
    tc_safetensors_close(file);
    return status;
}

/* ---- writing ---- */

static tc_safetensor stored(const tc_tensor *tensor, const float *values) {
    tc_safetensor t = {.name = tensor->name, .dtype = TC_F32, .rank = tensor->rank, .data = values + tensor->offset};
    for (int i = 0; i < tensor->rank; i++) t.size[i] = tensor->size[i];
    return t;
}

/* The counter that PyTorch keeps beside a running variance; false where `tensor` is none. */
static bool counter(const tc_tensor *tensor, char name[TC_NAME_SIZE + sizeof counter_suffix]) {
    if (!ends_in(tensor->name, variance_suffix)) return false;
    const size_t stem = strlen(tensor->name) - strlen(variance_suffix);
    memcpy(name, tensor->name, stem);
    memcpy(name + stem, counter_suffix, sizeof counter_suffix);
    return true;
}

/* What a file holds; `names` and `out` are the caller's to free. */
typedef struct listing {
    tc_safetensor *out; /* [count], borrowing the weights */
    size_t count;
    char (*names)[TC_NAME_SIZE + sizeof counter_suffix]; /* of the counters */
} listing;

static tc_status list_tensors(const tc_model *model, const tc_weights *weights, listing *list, tc_error *error) {
    static const int64_t zero = 0;
    tc_status status = TC_OK;
    const tc_tensor *theta, *state;
    const int thetas = tc_model_tensors(model, &theta), states = tc_model_state_tensors(model, &state);
    TC_TRY(tc_new(&list->out, (size_t)thetas + 2 * (size_t)states, sizeof *list->out, error));
    TC_TRY(tc_new(&list->names, (size_t)states, sizeof *list->names, error));
    for (int i = 0; i < thetas; i++) list->out[list->count++] = stored(&theta[i], weights->theta);
    for (int i = 0; i < states; i++) {
        list->out[list->count++] = stored(&state[i], weights->state);
        if (counter(&state[i], list->names[i]))
            list->out[list->count++] =
                (tc_safetensor){.name = list->names[i], .dtype = TC_I64, .rank = 0, .data = &zero};
    }
done:
    return status;
}

static void free_listing(listing *list) {
    free(list->names);
    free(list->out);
}

tc_status tc_weights_save(const tc_model *model, const char *path, const tc_weights *weights, tc_error *error) {
    listing list = {0};
    tc_status status = list_tensors(model, weights, &list, error);
    if (status == TC_OK) status = tc_safetensors_write(path, list.out, list.count, error);
    free_listing(&list);
    return status;
}

tc_status tc_weights_encode(const tc_model *model, const tc_weights *weights, uint8_t **bytes, size_t *size,
                            tc_error *error) {
    listing list = {0};
    tc_status status = list_tensors(model, weights, &list, error);
    if (status == TC_OK) status = tc_safetensors_write_bytes(list.out, list.count, bytes, size, error);
    free_listing(&list);
    return status;
}
