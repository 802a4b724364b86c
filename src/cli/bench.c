/* bench.c — `tocsin bench`: how fast this machine does the work that attacks are made of, in the same cases and under
 * the same names as the PyTorch script it is laid beside.
 *
 *     grad       loss and its gradient by all parameters (training mode)
 *     gradmatch  one gradient-matching step: the gradient by all parameters, its cosine to a fixed one, and the
 *                gradient of that by the images (evaluation mode)
 *     hvp        gradient and Hessian-vector product
 *     train      one step of a training: loading, gradient, optimiser
 *
 * gflops counts the multiplications and additions of the direct algorithm, at 2 a multiply-accumulate, in units of
 * forward passes: 3 for a gradient, 7 for a matching step, 9 for a Hessian-vector product (docs/derivatives.md).
 * peak_fraction is that rate over the best direct convolution measured in the same run; Winograd's algorithm, which
 * multiplies less, can take it above 1. A GPU's peak is known from its maker and not measured: null there. */
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "compute/device.h"
#include "data/dataset.h"
#include "nn/pass.h"
#include "nn/weights.h"
#include "train/train.h"
#include "zoo/zoo.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_REPEATS = 1000, CLASSES = 10, PEAK_REPEATS = 7 };

static const tc_flag flags[] = {
    {"json", "FILE", "write the figures as a list of JSON objects; - for standard output"},
    {"repeat", "N", "measurements a figure; the median is shown [5]"},
    {"unrecorded", NULL, "call kernel by kernel what a GPU would replay as one: what recording brings"},
    TC_DEVICE_FLAGS,
    TC_COMMON_FLAGS,
    TC_FLAGS_END,
};

static const tc_usage usage = {
    .command = "bench",
    .operands = "[NAME]",
    .summary = "measure gradients, matching steps and Hessian-vector products",
    .details = "NAME: only the cases whose name contains it, e.g. lenet or resnet18-w16.\n",
    .most = 1,
    .flags = flags,
};

typedef enum operation { NOTHING, GRAD, GRADMATCH, HVP, TRAIN } operation;
enum { MOST_OPERATIONS = 3 };

static const struct {
    const char *name;
    double passes; /* of the whole network's forward convolutions */
    tc_mode mode;
    unsigned want;
} operations[] = {
    [GRAD] = {"grad", 3, TC_TRAIN, TC_WANT_GRAD_THETA},
    [GRADMATCH] = {"gradmatch", 7, TC_EVALUATE, TC_WANT_GRAD_THETA | TC_WANT_JVP_X},
    [HVP] = {"hvp", 9, TC_TRAIN, TC_WANT_GRAD_THETA | TC_WANT_JVP_THETA},
    [TRAIN] = {"train", 3, TC_TRAIN, TC_WANT_GRAD_THETA},
};

static const struct {
    const char *name, *model, *setting; /* setting: NULL for none */
    int side, channels, batch;
    operation operation[MOST_OPERATIONS];
    bool large; /* for a GPU: elsewhere only when it is asked for by its whole name */
} cases[] = {
    {"resnet18-w64", "resnet18", "width=64", 32, 3, 64, {GRAD, GRADMATCH}, false},
    {"resnet18-w16", "resnet18", "width=16", 32, 3, 128, {GRAD, GRADMATCH}, false},
    {"lenet-b16", "lenet", NULL, 28, 1, 16, {GRAD, HVP}, false},
    {"lenet-b1000", "lenet", NULL, 28, 1, 1000, {GRAD, HVP}, false},
    {"logreg-b1000", "logreg", NULL, 28, 1, 1000, {GRAD, HVP}, false},
    {"mlp-b1000", "mlp", NULL, 28, 1, 1000, {GRAD, HVP}, false},
    {"cnn-b1000", "cnn", NULL, 28, 1, 1000, {GRAD, HVP}, false},
    {"resnet50-w16", "resnet50", "width=16", 32, 3, 64, {GRAD, GRADMATCH}, false},
    {"mobilenetv2-w16", "mobilenetv2", "width=16", 32, 3, 64, {GRAD, GRADMATCH}, false},
    {"vit-b64", "vit", NULL, 32, 3, 64, {GRAD, GRADMATCH}, false},
    {"resnet18-w64-b128", "resnet18", "width=64", 32, 3, 128, {TRAIN, GRADMATCH, HVP}, true},
    {"resnet18-w64-b512", "resnet18", "width=64", 32, 3, 512, {TRAIN, GRADMATCH}, true},
    {"lenet-b128", "lenet", NULL, 28, 1, 128, {TRAIN, HVP}, true},
    {"mlp-b128", "mlp", NULL, 28, 1, 128, {TRAIN, HVP}, true},
};
enum { CASES = sizeof cases / sizeof *cases };

typedef struct figure {
    double ms, gflops, peak_fraction, mib;
} figure;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A device that works while the host goes on is waited for after so many calls, whose mean is taken: waiting after each
 * would measure the way there and back. */
static int at_once(const tc_device *device) {
    return device->k->health ? 10 : 1;
}

/* ---- the machine's convolution peak ---- */

static tc_status measure_convolution(tc_device *device, int channels, int side, double *gflops, tc_error *error) {
    const int block = device->channel_block;
    tc_shape s = tc_nhwc(32, side, side, channels);
    if (block && channels % block == 0) s.block = block;
    const tc_convolution geometry = {.in = s,
                                     .out = s,
                                     .kernel = 3,
                                     .stride = 1,
                                     .padding = 1,
                                     .groups = 1,
                                     .first = true,
                                     .forward_only = true,
                                     .direct = true};
    tc_conv_plan *plan = NULL;
    float *x = NULL, *z = NULL, *w = NULL;
    double best = INFINITY;
    tc_status status = TC_OK;
    TC_TRY(tc_device_reals(device, tc_shape_count(s), &x, error));
    TC_TRY(tc_device_reals(device, tc_shape_count(s), &z, error));
    TC_TRY(tc_device_reals(device, 9u * (size_t)channels * (size_t)channels, &w, error));
    TC_TRY(device->k->conv_create(device, &geometry, &plan, error));
    device->k->normal(device, tc_shape_count(s), tc_stream_make(1), 1, x);
    device->k->normal(device, 9u * (size_t)channels * (size_t)channels, tc_stream_make(2), 1, w);
    device->k->conv_pack(plan, TC_WEIGHTS, w);
    for (int i = 0; i < PEAK_REPEATS; i++) {
        const double start = now();
        device->k->conv_forward(plan, TC_WEIGHTS, x, NULL, z, false);
        best = fmin(best, now() - start);
    }
    *gflops = 2e-9 * 9 * channels * (double)tc_shape_count(s) / best;
done:
    if (plan) device->k->conv_destroy(device, plan);
    device->k->release(device, x);
    device->k->release(device, z);
    device->k->release(device, w);
    return status;
}

static tc_status measure_peak(tc_device *device, double *peak, tc_error *error) {
    static const int geometries[][2] = {{64, 32}, {128, 16}, {256, 8}, {512, 4}};
    tc_status status = TC_OK;
    *peak = 0;
    for (size_t i = 0; i < sizeof geometries / sizeof *geometries; i++) {
        double gflops = 0;
        TC_TRY(measure_convolution(device, geometries[i][0], geometries[i][1], &gflops, error));
        *peak = fmax(*peak, gflops);
    }
done:
    return status;
}

/* ---- one case ---- */

typedef struct bench {
    tc_device *device;
    tc_model *model;
    tc_pass *pass;
    operation operation;
    size_t parameters;
    double norm;                           /* ‖v‖ */
    void *theta, *state, *g, *v, *u, *out; /* out: ġ_x or ġ_θ */
    double *phi;                           /* device: Σ φ */
} bench;

static void close_bench(bench *b) {
    void *held[] = {b->theta, b->state, b->g, b->v, b->u, b->out, b->phi};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i]) b->device->k->release(b->device, held[i]);
    tc_pass_free(b->pass);
    tc_model_free(b->model);
}

static tc_status open_bench(bench *b, int which, tc_error *error) {
    const int n = cases[which].batch, side = cases[which].side, channels = cases[which].channels;
    const tc_pass_options options = {
        .batch = n, .mode = operations[b->operation].mode, .want = operations[b->operation].want};
    const size_t pixels = (size_t)n * (size_t)side * (size_t)side * (size_t)channels;
    tc_weights weights = {0};
    int32_t *labels = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_zoo_build(cases[which].model, tc_nhwc(1, side, side, channels), CLASSES, &cases[which].setting,
                        cases[which].setting ? 1 : 0, &b->model, error));
    b->parameters = tc_model_parameters(b->model);
    TC_TRY(tc_weights_create(b->model, &weights, error));
    tc_model_init(b->model, tc_stream_make(1), weights.theta, weights.state);
    TC_TRY(tc_device_reals(b->device, b->parameters, &b->theta, error));
    TC_TRY(tc_device_reals(b->device, tc_model_state(b->model), &b->state, error));
    TC_TRY(tc_device_reals(b->device, b->parameters, &b->g, error));
    TC_TRY(tc_device_reals(b->device, b->parameters, &b->v, error));
    TC_TRY(tc_device_reals(b->device, b->parameters, &b->u, error));
    TC_TRY(tc_device_bytes(b->device, sizeof *b->phi, &b->phi, error));
    TC_TRY(tc_device_reals(b->device, b->parameters > pixels ? b->parameters : pixels, &b->out, error));
    TC_TRY(tc_pass_create(b->device, b->model, &options, &b->pass, error));
    TC_TRY(tc_new(&labels, (size_t)n, sizeof *labels, error));
    for (int i = 0; i < n; i++) labels[i] = (int32_t)(tc_bits_at(tc_stream_make(2), (uint64_t)i) % CLASSES);
    b->device->k->upload_bytes(b->device, tc_pass_labels(b->pass), labels, (size_t)n * sizeof *labels);
    b->device->k->upload_float(b->device, b->theta, weights.theta, b->parameters);
    b->device->k->upload_float(b->device, b->state, weights.state, tc_model_state(b->model));
    b->device->k->normal(b->device, pixels, tc_stream_make(3), 1, tc_pass_input(b->pass));
    b->device->k->normal(b->device, b->parameters, tc_stream_make(4), 1, b->v);
    b->norm = sqrt(b->device->k->dot(b->device, b->parameters, b->v, b->v));
done:
    free(labels);
    tc_weights_free(&weights);
    return status;
}

/* As steps of training and crafting do: nobody waits for a number. */
static void run_once(bench *b) {
    tc_pass_grad_async(b->pass, b->theta, b->state, b->g, NULL);
    if (b->operation == HVP) tc_pass_grad_jvp(b->pass, b->v, NULL, b->out, NULL);
    if (b->operation != GRADMATCH) return;
    b->device->k->cosine(b->device, b->parameters, b->norm, b->v, b->g, b->u, b->phi);
    tc_pass_grad_jvp(b->pass, b->u, NULL, NULL, b->out);
}

static tc_status median_seconds(bench *b, int repeats, double *median, tc_error *error) {
    double seconds[MAX_REPEATS];
    const int runs = repeats > 1 ? at_once(b->device) : 1;
    tc_status status = TC_OK;
    run_once(b);
    for (int i = 0; i < repeats; i++) {
        TC_TRY(tc_device_health(b->device, error));
        const double start = now();
        for (int j = 0; j < runs; j++) run_once(b);
        TC_TRY(tc_device_health(b->device, error));
        seconds[i] = (now() - start) / runs;
    }
    qsort(seconds, (size_t)repeats, sizeof *seconds, ascending);
    *median = seconds[repeats / 2];
done:
    return status;
}

/* ---- trainings ---- */

static tc_status train(const bench *b, const tc_dataset *dataset, int batch, int epochs, tc_train_result *result,
                       tc_error *error) {
    tc_train_options options;
    tc_weights weights = {0};
    tc_view view = {0};
    tc_status status = TC_OK;
    tc_train_defaults(&options);
    options.batch = batch;
    options.epochs = epochs;
    options.rate = 0.001; /* nothing is to be learnt */
    TC_TRY(tc_weights_create(b->model, &weights, error));
    tc_model_init(b->model, tc_stream_make(1), weights.theta, weights.state);
    TC_TRY(tc_view_create(dataset, NULL, &view, error));
    TC_TRY(tc_train(b->device, b->model, &view, &options, tc_stream_make(5), NULL, &weights, result, error));
done:
    tc_view_free(&view);
    tc_weights_free(&weights);
    return status;
}

/* What an epoch takes, without what a training takes to begin: the difference between one of two epochs and one of
 * four, divided by its steps. */
static tc_status train_seconds(const bench *b, int which, int repeats, double *seconds, tc_error *error) {
    const int batch = cases[which].batch;
    const tc_dataset_options options = {.train_per_class = (int64_t)repeats * 2 * batch / CLASSES + 1,
                                        .test_per_class = 1};
    tc_train_result two, four;
    tc_dataset *dataset = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_dataset_open(cases[which].channels == 3 ? "shapes10" : "glyphs", &options, &dataset, error));
    TC_TRY(train(b, dataset, batch, 2, &two, error));
    TC_TRY(train(b, dataset, batch, 4, &four, error));
    *seconds = fmax(1e-9, four.seconds - two.seconds) / (double)(four.steps - two.steps);
done:
    tc_dataset_free(dataset);
    return status;
}

static tc_status measure(tc_device *device, int which, operation op, int repeats, double peak, figure *f,
                         tc_error *error) {
    bench b = {.device = device, .operation = op};
    double seconds = 0;
    tc_status status = TC_OK;
    TC_TRY(open_bench(&b, which, error));
    if (op == TRAIN)
        TC_TRY(train_seconds(&b, which, repeats, &seconds, error));
    else
        TC_TRY(median_seconds(&b, repeats, &seconds, error));
    const double flops = 2 * operations[op].passes * tc_model_macs(b.model) * cases[which].batch;
    *f = (figure){
        .ms = 1e3 * seconds, .gflops = 1e-9 * flops / seconds, .mib = (double)tc_pass_bytes(b.pass) / (1 << 20)};
    f->peak_fraction = f->gflops / peak;
done:
    close_bench(&b);
    return status;
}

/* ---- all of them ---- */

static tc_status record(json_t *list, int which, operation op, const figure *f, tc_error *error) {
    json_t *row =
        json_pack("{s:s, s:s, s:i, s:f, s:f, s:o, s:f}", "name", cases[which].name, "op", operations[op].name, "batch",
                  cases[which].batch, "ms", f->ms, "gflops", f->gflops, "peak_fraction",
                  isfinite(f->peak_fraction) ? json_real(f->peak_fraction) : json_null(), "workspace_mib", f->mib);
    if (!row || json_array_append_new(list, row) != 0) return tc_raise(error, TC_FAILED, "bench: out of memory");
    return TC_OK;
}

static tc_status write_json(const json_t *list, const char *path, tc_error *error) {
    char *text = json_dumps(list, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    if (!text) return tc_raise(error, TC_FAILED, "bench: out of memory");
    tc_status status = TC_OK;
    if (strcmp(path, "-") != 0)
        status = tc_file_write(path, text, strlen(text), error);
    else if (puts(text) < 0)
        status = tc_raise(error, TC_FAILED, "bench: standard output cannot be written");
    free(text);
    return status;
}

static bool chosen(const tc_device *device, int which, const char *only) {
    const bool named = only && !strcmp(cases[which].name, only);
    if (cases[which].large && strcmp(device->name, "cuda") != 0) return named;
    return !only || strstr(cases[which].name, only);
}

static void print_row(int which, operation op, const figure *f) {
    char peak[16] = "-";
    if (isfinite(f->peak_fraction)) snprintf(peak, sizeof peak, "%.0f%%", 100 * f->peak_fraction);
    printf("%-18s %-10s %6d %10.3f %9.1f %6s %10.1f\n", cases[which].name, operations[op].name, cases[which].batch,
           f->ms, f->gflops, peak, f->mib);
}

static tc_status measure_all(tc_device *device, const char *only, int repeats, bool table, json_t *list,
                             tc_error *error) {
    tc_status status = TC_OK;
    double peak = NAN;
    if (!device->k->health) TC_TRY(measure_peak(device, &peak, error));
    if (table && isfinite(peak)) printf("direct convolution peak %.0f GFLOP/s, %d threads\n", peak, device->threads);
    if (table)
        printf("%-18s %-10s %6s %10s %9s %6s %10s\n", "name", "op", "batch", "ms", "GFLOP/s", "peak", "pass MiB");
    for (int i = 0; i < CASES; i++) {
        if (!chosen(device, i, only)) continue;
        for (int j = 0; j < MOST_OPERATIONS && cases[i].operation[j] != NOTHING; j++) {
            const operation op = cases[i].operation[j];
            figure f = {0};
            TC_TRY(measure(device, i, op, repeats, peak, &f, error));
            TC_TRY(record(list, i, op, &f, error));
            if (table) print_row(i, op, &f);
            fflush(stdout);
        }
    }
    if (!json_array_size(list)) TC_RAISE(TC_INVALID, "bench: no case is called '%.64s'; see `tocsin bench`", only);
done:
    return status;
}

static tc_status run_bench(int argc, char **argv, tc_error *error) {
    tc_arguments a;
    tc_device *device = NULL;
    json_t *list = json_array();
    int64_t repeats = 5;
    tc_status status = TC_OK;
    TC_TRY(tc_arguments_parse(&usage, argc, argv, &a, error));
    TC_TRY(tc_arguments_int(&a, "repeat", 1, MAX_REPEATS, 5, &repeats, error));
    const char *json = tc_arguments_value(&a, "json", NULL), *only = a.count ? a.positional[0] : NULL;
    if (json && strcmp(json, "-")) TC_TRY(tc_cli_check_file("--json", json, error));
    TC_TRY(tc_cli_device(&a, "device", "cpu", &device, error));
    device->tracked = tc_arguments_has(&a, "unrecorded"); /* as if all were a part of something */
    TC_TRY(measure_all(device, only, (int)repeats, !json || strcmp(json, "-") != 0, list, error));
    if (json) TC_TRY(write_json(list, json, error));
done:
    json_decref(list);
    tc_device_close(device);
    return status;
}

int tc_cli_bench(int argc, char **argv) {
    tc_error error = {0};
    return tc_cli_finish(run_bench(argc, argv, &error), &error);
}
