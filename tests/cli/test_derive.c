/* `tocsin derive` as its users run it: what it writes is what a pass computes, under the promised names and shapes;
 * what it is wrongly asked for is refused with status 2 and nothing written. argv[1] is the program. */
#include "data/npy.h"
#include "nn/pass.h"
#include "nn/safetensors.h"
#include "nn/weights.h"
#include "zoo/zoo.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { N = 2, SIDE = 12, CHANNELS = 2, PIXELS = N * SIDE * SIDE * CHANNELS, CLASSES = 7, MOST_ARGUMENTS = 32 };

static const char *program;
static char folder[64];
static tc_model *model; /* lenet, width 3, 7 classes: neither is derive's default */
static tc_weights weights;
static float x[PIXELS], r[PIXELS];
static const int64_t y[N] = {6, 2};

/* ---- files ---- */

static const char *path(const char *name) {
    static char text[8][128];
    static int next;
    char *mine = text[next++ % 8];
    snprintf(mine, 128, "%s/%s", folder, name);
    return mine;
}

static void put_batch(const char *name, const int64_t *labels, size_t count) {
    tc_npz *npz;
    assert_int_equal(tc_new(&npz, 1, sizeof *npz, NULL), TC_OK);
    tc_npz_add(npz, "x", tc_npy_of(TC_NPY_F32, x, 4, (size_t[]){N, SIDE, SIDE, CHANNELS}));
    tc_npz_add(npz, "y", tc_npy_of(TC_NPY_I64, labels, 1, &count));
    assert_int_equal(tc_npz_write(path(name), npz, NULL), TC_OK);
    free(npz);
}

static int make_files(void **context) {
    (void)context;
    strcpy(folder, "/tmp/tocsin-derive-XXXXXX");
    assert_non_null(mkdtemp(folder));
    const char *setting = "width=3";
    assert_int_equal(tc_zoo_build("lenet", tc_nhwc(1, SIDE, SIDE, CHANNELS), CLASSES, &setting, 1, &model, NULL),
                     TC_OK);
    assert_int_equal(tc_weights_create(model, &weights, NULL), TC_OK);
    tc_model_init(model, tc_stream_make(4), weights.theta, weights.state);
    for (size_t i = 0; i < PIXELS; i++) {
        x[i] = (float)tc_normal_at(tc_stream_make(5), i);
        r[i] = (float)tc_normal_at(tc_stream_make(6), i);
    }
    assert_int_equal(tc_weights_save(model, path("W"), &weights, NULL), TC_OK);
    const tc_npy direction = tc_npy_of(TC_NPY_F32, r, 4, (size_t[]){N, SIDE, SIDE, CHANNELS});
    const tc_npy flat = tc_npy_of(TC_NPY_F32, r, 1, (size_t[]){PIXELS});
    assert_int_equal(tc_npy_write(path("R.npy"), &direction, NULL), TC_OK);
    assert_int_equal(tc_npy_write(path("flat.npy"), &flat, NULL), TC_OK);
    put_batch("B.npz", y, N);
    put_batch("label7.npz", (const int64_t[N]){6, 7}, N);
    put_batch("three.npz", (const int64_t[]){1, 2, 3}, 3);
    return 0;
}

static int remove_files(void **context) {
    (void)context;
    static const char *const names[] = {"W", "R.npy", "flat.npy", "B.npz", "label7.npz", "three.npz", "O", "err"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(path(names[i]));
    tc_weights_free(&weights);
    tc_model_free(model);
    return rmdir(folder); /* fails where something else was left */
}

/* ---- running ---- */

/* `tocsin derive ARGUMENTS…` (NULL-terminated); returns the exit status, `err` := standard error. */
static int run(const char *const *arguments, char err[1024]) {
    const char *argv[MOST_ARGUMENTS] = {program, "derive"};
    for (int i = 0; i < MOST_ARGUMENTS - 3 && arguments[i]; i++) argv[i + 2] = arguments[i];
    const char *err_path = path("err");
    const pid_t child = fork();
    if (child == 0) {
        const int file = open(err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(file, STDERR_FILENO);
        execv(program, (char **)(uintptr_t)argv);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    FILE *file = fopen(err_path, "r");
    err[fread(err, 1, 1023, file)] = 0;
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void refused(const char *const *arguments, const char *part) {
    char err[1024];
    unlink(path("O"));
    assert_int_equal(run(arguments, err), 2);
    if (strncmp(err, "tocsin: ", 8) != 0 || !strstr(err, part)) fail_msg("'%s' does not say '%s'", err, part);
    assert_int_not_equal(access(path("O"), F_OK), 0);
}

/* ---- what must come out ---- */

/* The same in this process, on the reference device: loss; g and j [p + pixels]. */
static double expected(double *g, double *j) {
    tc_device *device;
    tc_pass *pass;
    void *theta, *state, *direction, *v[4];
    const size_t p = tc_model_parameters(model), length[4] = {p, PIXELS, p, PIXELS};
    assert_int_equal(tc_device_open("reference", 1, &device, NULL), TC_OK);
    const tc_kernels *k = device->k;
    const tc_pass_options options = {.batch = N, .want = 31, .loss = TC_CROSS_ENTROPY};
    assert_int_equal(tc_pass_create(device, model, &options, &pass, NULL), TC_OK);
    assert_int_equal(tc_device_reals(device, p, &theta, NULL), TC_OK);
    assert_int_equal(tc_device_reals(device, 1, &state, NULL), TC_OK);
    assert_int_equal(tc_device_reals(device, PIXELS, &direction, NULL), TC_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(tc_device_reals(device, length[i], &v[i], NULL), TC_OK);
    k->upload_float(device, theta, weights.theta, p);
    k->upload_float(device, direction, r, PIXELS);
    k->upload_float(device, tc_pass_input(pass), x, PIXELS);
    k->upload_bytes(device, tc_pass_labels(pass), (int32_t[N]){6, 2}, N * sizeof(int32_t));
    const double loss = tc_pass_grad(pass, theta, state, v[0], v[1]);
    tc_pass_grad_jvp(pass, theta, direction, v[2], v[3]); /* θ̇ = θ: the file W serves as V */
    for (int i = 0; i < 4; i++) k->download_double(device, (i < 2 ? g : j) + (i % 2 ? p : 0), v[i], length[i]);
    for (int i = 0; i < 4; i++) k->release(device, v[i]);
    k->release(device, theta);
    k->release(device, state);
    k->release(device, direction);
    tc_pass_free(pass);
    tc_device_close(device);
    return loss;
}

static void same_tensor(tc_safetensors *file, const char *prefix, const char *name, const int *size, int rank,
                        const double *values) {
    char text[TC_NAME_SIZE + 8];
    snprintf(text, sizeof text, "%s.%s", prefix, name);
    const tc_safetensor *t = tc_safetensors_find(file, text);
    if (!t) fail_msg("no %s in the file", text);
    assert_int_equal(t->dtype, TC_F64);
    assert_int_equal(t->rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(t->size[i], size[i]);
    double *read = calloc(t->count, sizeof *read);
    assert_int_equal(tc_safetensors_read(file, t, read, NULL), TC_OK);
    assert_memory_equal(read, values, t->count * sizeof *read);
    free(read);
}

static void same_vector(tc_safetensors *file, const char *prefix, const double *values) {
    const tc_tensor *tensors;
    const int count = tc_model_tensors(model, &tensors);
    for (int i = 0; i < count; i++)
        same_tensor(file, prefix, tensors[i].name, tensors[i].size, tensors[i].rank, values + tensors[i].offset);
    same_tensor(file, prefix, "x", (int[]){N, SIDE, SIDE, CHANNELS}, 4, values + tc_model_parameters(model));
}

#define ASKED                                                                                                          \
    "--model", "lenet", "--set", "width=3", "--weights", path("W"), "--out", path("O"), "--backend", "reference",      \
        "--threads", "1"

static void answers(void **context) {
    (void)context;
    char err[1024];
    const size_t all = tc_model_parameters(model) + PIXELS;
    double *g = calloc(all, sizeof *g), *j = calloc(all, sizeof *j), loss;
    const double right = expected(g, j);
    const char *const both[] = {ASKED,     "--batch", path("B.npz"), "--theta-dot",
                                path("W"), "--x-dot", path("R.npy"), NULL};
    if (run(both, err) != 0) fail_msg("%s", err);
    tc_safetensors *file;
    const tc_safetensor *list;
    const tc_tensor *tensors;
    assert_int_equal(tc_safetensors_open(path("O"), &file, NULL), TC_OK);
    assert_int_equal(tc_safetensors_list(file, &list), 2 * (tc_model_tensors(model, &tensors) + 1) + 1);
    const tc_safetensor *stored = tc_safetensors_find(file, "loss");
    assert_int_equal(stored->rank, 0);
    assert_int_equal(tc_safetensors_read(file, stored, &loss, NULL), TC_OK);
    assert_true(loss == right);
    same_vector(file, "grad", g);
    same_vector(file, "jvp", j);
    tc_safetensors_close(file);
    free(g);
    free(j);
}

/* Without a direction there is nothing to differentiate along; on cpu the reals are single. */
static void gradient_alone(void **context) {
    (void)context;
    char err[1024];
    const char *const arguments[] = {ASKED, "--batch", path("B.npz"), "--backend", "cpu", "--mode", "train", NULL};
    if (run(arguments, err) != 0) fail_msg("%s", err);
    tc_safetensors *file;
    const tc_safetensor *list;
    const tc_tensor *tensors;
    assert_int_equal(tc_safetensors_open(path("O"), &file, NULL), TC_OK);
    assert_int_equal(tc_safetensors_list(file, &list), tc_model_tensors(model, &tensors) + 2);
    assert_int_equal(tc_safetensors_find(file, "grad.x")->dtype, TC_F32);
    assert_null(tc_safetensors_find(file, "jvp.x"));
    tc_safetensors_close(file);
}

static void refusals(void **context) {
    (void)context;
    refused((const char *[]){"--model", "lenet", NULL}, "derive: --weights is missing");
    refused((const char *[]){ASKED, "--batch", path("label7.npz"), NULL}, "label 7 of image 1; must be 0 … 6");
    refused((const char *[]){ASKED, "--batch", path("three.npz"), NULL}, "3 labels for 2 images");
    refused((const char *[]){ASKED, "--batch", path("W"), NULL}, "W");
    refused((const char *[]){ASKED, "--batch", path("B.npz"), "--x-dot", path("flat.npy"), NULL}, "shape of x");
    refused((const char *[]){ASKED, "--batch", path("B.npz"), "--theta-dot", path("B.npz"), NULL}, "B.npz");
    refused((const char *[]){ASKED, "--batch", path("B.npz"), "--mode", "test", NULL}, "must be train or eval");
    refused((const char *[]){ASKED, "--batch", path("B.npz"), "--backend", "gpu", NULL}, "cpu, reference or cuda");
    refused((const char *[]){ASKED, "--batch", path("B.npz"), "--set", "width=4", NULL},
            "is [3, 2, 5, 5], not [4, 2, 5, 5]");
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: test_derive PROGRAM\n"), 2;
    program = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(gradient_alone),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
