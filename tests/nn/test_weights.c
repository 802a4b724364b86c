/* Weights as files: a round trip gives back every bit, PyTorch's other types are read, and whatever is wrong with a
 * file — cut short, damaged, another network's, hostile — is refused with its reason and changes nothing. */
#include "nn/weights.h"

#include "nn/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a small model and a folder ---- */

typedef struct bench {
    char folder[64], path[96];
    tc_model *model; /* conv, batch norm, linear: 4·1·3·3 + 4 + 4 + 3·64 + 3 parameters, 8 running statistics */
    tc_weights weights;
} bench;

static int set_up(void **context) {
    bench *b = calloc(1, sizeof *b);
    strcpy(b->folder, "/tmp/tocsin-weights-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/w.safetensors", b->folder);
    tc_graph *g = tc_graph_begin("small", 4, 4, 1, 3);
    tc_node x = tc_graph_conv(g, "conv1", tc_graph_input(g),
                              (tc_conv_options){.channels = 4, .kernel = 3, .padding = 1, .no_bias = true});
    x = tc_graph_relu(g, tc_graph_batch_norm(g, "bn1", x));
    x = tc_graph_linear(g, "linear", tc_graph_flatten(g, x), 3, true);
    assert_int_equal(tc_graph_finish(g, x, &b->model, NULL), TC_OK);
    assert_int_equal(tc_weights_create(b->model, &b->weights, NULL), TC_OK);
    tc_model_init(b->model, tc_stream_make(3), b->weights.theta, b->weights.state);
    for (size_t i = 0; i < tc_model_state(b->model); i++) b->weights.state[i] += 0.25F * (float)i;
    *context = b;
    return 0;
}

static int tear_down(void **context) {
    bench *b = *context;
    unlink(b->path);
    assert_int_equal(rmdir(b->folder), 0); /* also: no temporary file was left */
    tc_weights_free(&b->weights);
    tc_model_free(b->model);
    free(b);
    return 0;
}

static void put(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static unsigned char *get(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* A file of this header and `data` bytes of zeros. */
static void put_header(const char *path, const char *header, size_t data) {
    const uint64_t length = strlen(header);
    unsigned char *bytes = calloc(1, sizeof length + length + data);
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, header, length);
    put(path, bytes, sizeof length + length + data);
    free(bytes);
}

/* Loading is refused, says `part`, and leaves the weights as they were. */
static void refused(bench *b, const char *part) {
    tc_weights loaded;
    tc_error error = {0};
    assert_int_equal(tc_weights_create(b->model, &loaded, NULL), TC_OK);
    for (size_t i = 0; i < tc_model_parameters(b->model); i++) loaded.theta[i] = 7;
    assert_int_equal(tc_weights_load(b->model, b->path, &loaded, &error), TC_INVALID);
    if (!strstr(error.message, part)) fail_msg("'%s' does not say '%s'", error.message, part);
    assert_non_null(strstr(error.message, b->path));
    for (size_t i = 0; i < tc_model_parameters(b->model); i++) assert_true(loaded.theta[i] == 7);
    for (size_t i = 0; i < tc_model_state(b->model); i++) assert_true(loaded.state[i] == 0);
    tc_weights_free(&loaded);
}

/* ---- what must work ---- */

static void round_trip(void **context) {
    bench *b = *context;
    tc_weights loaded;
    assert_int_equal(tc_weights_create(b->model, &loaded, NULL), TC_OK);
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    assert_int_equal(tc_weights_load(b->model, b->path, &loaded, NULL), TC_OK);
    assert_memory_equal(loaded.theta, b->weights.theta, tc_model_parameters(b->model) * sizeof(float));
    assert_memory_equal(loaded.state, b->weights.state, tc_model_state(b->model) * sizeof(float));
    tc_weights_free(&loaded);
}

/* In memory as in the file. */
static void round_trip_in_memory(void **context) {
    bench *b = *context;
    tc_weights loaded;
    tc_error error = {0};
    size_t size, encoded_size;
    uint8_t *encoded;
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    unsigned char *bytes = get(b->path, &size);
    assert_int_equal(tc_weights_encode(b->model, &b->weights, &encoded, &encoded_size, NULL), TC_OK);
    assert_int_equal(encoded_size, size);
    assert_memory_equal(encoded, bytes, size);
    assert_int_equal(tc_weights_create(b->model, &loaded, NULL), TC_OK);
    assert_int_equal(tc_weights_decode(b->model, "memory", encoded, size, &loaded, NULL), TC_OK);
    assert_memory_equal(loaded.theta, b->weights.theta, tc_model_parameters(b->model) * sizeof(float));
    assert_memory_equal(loaded.state, b->weights.state, tc_model_state(b->model) * sizeof(float));
    assert_int_equal(tc_weights_decode(b->model, "memory", NULL, 0, &loaded, &error), TC_INVALID);
    assert_string_equal(error.message, "memory: is empty; the file is damaged or not safetensors; write it again");
    tc_weights_free(&loaded);
    free(encoded);
    free(bytes);
}

/* The names and types that PyTorch's strict loading expects, every element aligned. */
static void file_is_as_torch_wants_it(void **context) {
    bench *b = *context;
    tc_safetensors *file;
    const tc_safetensor *list;
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    assert_int_equal(tc_safetensors_open(b->path, &file, NULL), TC_OK);
    assert_int_equal(tc_safetensors_list(file, &list), 8);
    const tc_safetensor *counter = tc_safetensors_find(file, "bn1.num_batches_tracked");
    assert_non_null(counter);
    assert_int_equal(counter->dtype, TC_I64);
    assert_int_equal(counter->rank, 0);
    const tc_safetensor *conv = tc_safetensors_find(file, "conv1.weight");
    assert_int_equal(conv->dtype, TC_F32);
    assert_int_equal(conv->rank, 4);
    assert_int_equal(conv->size[0], 4);
    assert_int_equal(conv->size[1], 1);
    for (int i = 0; i < 8; i++) assert_int_equal(list[i].offset % (list[i].dtype == TC_I64 ? 8 : 4), 0);
    tc_safetensors_close(file);
}

/* Doubles keep their digits through tc_weights_read; a direction may lack or have running statistics. */
static void doubles_and_directions(void **context) {
    bench *b = *context;
    const tc_tensor *tensor;
    const int count = tc_model_tensors(b->model, &tensor);
    const size_t p = tc_model_parameters(b->model);
    double *theta = calloc(p, sizeof *theta), *back = calloc(p, sizeof *back), state[8];
    for (size_t i = 0; i < p; i++) theta[i] = 1.0 / (double)(i + 3);
    tc_safetensor out[8] = {{0}};
    for (int i = 0; i < count; i++) {
        out[i] = (tc_safetensor){
            .name = tensor[i].name, .dtype = TC_F64, .rank = tensor[i].rank, .data = theta + tensor[i].offset};
        for (int k = 0; k < tensor[i].rank; k++) out[i].size[k] = tensor[i].size[k];
    }
    assert_int_equal(tc_safetensors_write(b->path, out, (size_t)count, NULL), TC_OK);
    assert_int_equal(tc_weights_read(b->model, b->path, back, NULL, NULL), TC_OK);
    assert_memory_equal(theta, back, p * sizeof *theta);
    assert_int_equal(tc_weights_read(b->model, b->path, back, state, NULL), TC_INVALID);
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    assert_int_equal(tc_weights_read(b->model, b->path, back, NULL, NULL), TC_OK);
    theta[5] = 1e300; /* fits a double only */
    out[count] = (tc_safetensor){.name = "bn1.running_mean", .dtype = TC_F64, .rank = 1, .size = {4}, .data = back};
    out[count + 1] = (tc_safetensor){.name = "bn1.running_var", .dtype = TC_F64, .rank = 1, .size = {4}, .data = back};
    assert_int_equal(tc_safetensors_write(b->path, out, (size_t)count + 2, NULL), TC_OK);
    assert_int_equal(tc_weights_read(b->model, b->path, theta, state, NULL), TC_OK);
    refused(b, "too large for single precision");
    free(theta);
    free(back);
}

/* Half precision and bfloat16, bit patterns with known values. */
static void narrow_types(void **context) {
    bench *b = *context;
    static const uint16_t half[] = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x3555, 0x8000},
                          brain[] = {0x3F80, 0xC040, 0x0001, 0x7F7F};
    static const double half_values[] = {1, -2, 0x1p-24, 65504, 0x1.554p-2, 0};
    const double brain_values[] = {1, -3, 0x1p-133, 0x1.fep127};
    const tc_safetensor out[] = {{.name = "h", .dtype = TC_F16, .rank = 1, .size = {6}, .data = half},
                                 {.name = "b", .dtype = TC_BF16, .rank = 2, .size = {2, 2}, .data = brain},
                                 {.name = "none", .dtype = TC_F32, .rank = 2, .size = {3, 0}, .data = NULL}};
    tc_safetensors *file;
    double values[6];
    assert_int_equal(tc_safetensors_write(b->path, out, 3, NULL), TC_OK);
    assert_int_equal(tc_safetensors_open(b->path, &file, NULL), TC_OK);
    assert_int_equal(tc_safetensors_read(file, tc_safetensors_find(file, "h"), values, NULL), TC_OK);
    for (int i = 0; i < 6; i++) assert_true(values[i] == half_values[i]);
    assert_int_equal(tc_safetensors_read(file, tc_safetensors_find(file, "b"), values, NULL), TC_OK);
    for (int i = 0; i < 4; i++) assert_true(values[i] == brain_values[i]);
    assert_int_equal(tc_safetensors_find(file, "none")->count, 0);
    assert_int_equal(tc_safetensors_read(file, tc_safetensors_find(file, "none"), values, NULL), TC_OK);
    tc_safetensors_close(file);
    static const uint16_t bad[] = {0x7C00};
    const tc_safetensor infinite = {.name = "h", .dtype = TC_F16, .rank = 1, .size = {1}, .data = bad};
    assert_int_equal(tc_safetensors_write(b->path, &infinite, 1, NULL), TC_OK);
    assert_int_equal(tc_safetensors_open(b->path, &file, NULL), TC_OK);
    assert_int_equal(tc_safetensors_read(file, tc_safetensors_find(file, "h"), values, NULL), TC_INVALID);
    tc_safetensors_close(file);
}

/* ---- what is refused ---- */

static void other_networks(void **context) {
    bench *b = *context;
    static const struct {
        const char *module;
        int channels;
        const char *part;
    } cases[] = {
        {"conv2", 4, "tensor 'conv1.weight' of small is missing; did you mean its 'conv2.weight'?"},
        {"conv1", 5, "tensor 'conv1.weight' is [5, 1, 3, 3], not [4, 1, 3, 3]"},
    };
    for (int i = 0; i < 2; i++) {
        tc_model *other;
        tc_weights weights;
        tc_graph *g = tc_graph_begin("other", 4, 4, 1, 3);
        const tc_conv_options options = {.channels = cases[i].channels, .kernel = 3, .padding = 1, .no_bias = true};
        tc_node x = tc_graph_batch_norm(g, "bn1", tc_graph_conv(g, cases[i].module, tc_graph_input(g), options));
        x = tc_graph_linear(g, "linear", tc_graph_flatten(g, x), 3, true);
        assert_int_equal(tc_graph_finish(g, x, &other, NULL), TC_OK);
        assert_int_equal(tc_weights_create(other, &weights, NULL), TC_OK);
        assert_int_equal(tc_weights_save(other, b->path, &weights, NULL), TC_OK);
        refused(b, cases[i].part);
        tc_weights_free(&weights);
        tc_model_free(other);
    }
}

static void not_finite(void **context) {
    bench *b = *context;
    const float theta = b->weights.theta[17], state = b->weights.state[2];
    b->weights.theta[17] = NAN;
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    refused(b, "tensor 'conv1.weight' holds NaN or infinity");
    b->weights.theta[17] = theta;
    b->weights.state[2] = INFINITY;
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    refused(b, "tensor 'bn1.running_mean' holds NaN or infinity");
    b->weights.state[2] = state;
}

static void bad_paths(void **context) {
    bench *b = *context;
    refused(b, "cannot be opened");
    char path[96];
    tc_error error = {0};
    strcpy(path, b->path);
    strcpy(b->path, b->folder);
    refused(b, "no plain file");
    strcpy(b->path, path);
    assert_int_not_equal(tc_weights_save(b->model, "/nowhere/at/all/w.safetensors", &b->weights, &error), TC_OK);
    assert_non_null(strstr(error.message, "/nowhere/at/all"));
}

static void bad_headers(void **context) {
    bench *b = *context;
    static const struct {
        const char *header;
        size_t data;
        const char *part;
    } cases[] = {
        {"", 0, "not JSON"},
        {"{", 0, "not JSON"},
        {"[1, 2]", 0, "no JSON object"},
        {"{\"a\": 1}", 0, "tensor 'a'"},
        {"{\"a\": {\"dtype\": \"F31\", \"shape\": [1], \"data_offsets\": [0, 4]}}", 4, "type 'F31'"},
        {"{\"a\": {\"shape\": [1], \"data_offsets\": [0, 4]}}", 4, "type 'none'"},
        {"{\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 4]}}", 4, "shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}", 4, "impossible shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1.5], \"data_offsets\": [0, 4]}}", 4, "impossible shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,1], \"data_offsets\": [0, 4]}}", 4, "shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296], \"data_offsets\": [0, 4]}}", 4,
         "impossible"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [4611686018427387905], \"data_offsets\": [0, 4]}}", 4, "bytes"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}}", 4, "bytes that its shape needs"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 8]}}", 4, "outside"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 0]}}", 4, "outside"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [-4, 0]}}", 4, "outside"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0]}}", 4, "outside"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 99999999999999999999999]}}", 4,
         "not JSON"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}", 8, "follows a hole"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}", 8, "belong to no tensor"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
         " \"b\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
         4, "overlaps"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
         " \"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}",
         8, "duplicate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_header(b->path, cases[i].header, cases[i].data);
        refused(b, cases[i].part);
    }
}

/* A header that claims to be longer than the file, or than any header may be. */
static void huge_headers(void **context) {
    bench *b = *context;
    static const uint64_t claims[] = {9, 1000, 100000001, UINT64_MAX, UINT64_MAX - 7, 1ULL << 63};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        unsigned char bytes[16] = {0};
        memcpy(bytes, &claims[i], sizeof claims[i]);
        put(b->path, bytes, sizeof bytes);
        refused(b, "claims a header");
    }
    put(b->path, "short", 5);
    refused(b, "shorter");
}

static void whole_numbers_are_no_weights(void **context) {
    bench *b = *context;
    size_t size;
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    unsigned char *bytes = get(b->path, &size);
    for (size_t i = 8; i + 3 <= size; i++)
        if (!memcmp(bytes + i, "F32", 3)) bytes[i] = 'I';
    put(b->path, bytes, size);
    refused(b, "whole numbers");
    free(bytes);
}

/* ---- every cut and many mutations: an answer, never a crash ---- */

static tc_status load_bytes(bench *b, const unsigned char *bytes, size_t size) {
    tc_weights loaded;
    tc_error error = {0};
    put(b->path, bytes, size);
    assert_int_equal(tc_weights_create(b->model, &loaded, NULL), TC_OK);
    const tc_status status = tc_weights_load(b->model, b->path, &loaded, &error);
    if (status == TC_OK)
        for (size_t i = 0; i < tc_model_parameters(b->model); i++) assert_true(isfinite(loaded.theta[i]));
    else
        assert_true(strlen(error.message) > 0);
    assert_int_equal(tc_weights_decode(b->model, "memory", bytes, size, &loaded, NULL), status); /* of one mind */
    tc_weights_free(&loaded);
    return status;
}

static void every_cut(void **context) {
    bench *b = *context;
    size_t size;
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    unsigned char *bytes = get(b->path, &size);
    for (size_t cut = 0; cut < size; cut++) assert_int_equal(load_bytes(b, bytes, cut), TC_INVALID);
    assert_int_equal(load_bytes(b, bytes, size), TC_OK);
    free(bytes);
}

static void mutations(void **context) {
    bench *b = *context;
    size_t size, good = 0;
    tc_stream stream = tc_stream_make(11);
    assert_int_equal(tc_weights_save(b->model, b->path, &b->weights, NULL), TC_OK);
    unsigned char *bytes = get(b->path, &size), *copy = malloc(size);
    uint64_t header;
    memcpy(&header, bytes, sizeof header);
    for (int round = 0; round < 4000; round++) {
        memcpy(copy, bytes, size);
        for (uint64_t k = tc_draw_below(&stream, 4) + 1; k; k--) {
            const size_t at = tc_draw_below(&stream, sizeof header + header), from = tc_draw_below(&stream, size);
            if (tc_draw_below(&stream, 2))
                copy[at] ^= (unsigned char)(1U << tc_draw_below(&stream, 8));
            else
                copy[at] = bytes[from]; /* digits, brackets and quotes end up where they may mean something */
        }
        const tc_status status = load_bytes(b, copy, size);
        assert_true(status == TC_OK || status == TC_INVALID);
        good += status == TC_OK;
    }
    assert_true(good < 4000);
    free(copy);
    free(bytes);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(round_trip),
        CASE(round_trip_in_memory),
        CASE(file_is_as_torch_wants_it),
        CASE(doubles_and_directions),
        CASE(narrow_types),
        CASE(other_networks),
        CASE(not_finite),
        CASE(bad_paths),
        CASE(bad_headers),
        CASE(huge_headers),
        CASE(whole_numbers_are_no_weights),
        CASE(every_cut),
        CASE(mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
