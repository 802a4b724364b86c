/* Models from outside: what they are made of, their weights in memory and in files, and what is refused. */
#include "outside.h"

static const tocsin_shape shape = {32, 32, 3};

static tocsin_model *make(const char *name, const char *const *options) {
    tocsin_error error;
    tocsin_model *model = NULL;
    must(tocsin_model_create(name, shape, 10, options, &model, &error));
    return model;
}

static void says_what_it_is(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_model *model = make("resnet18", (settings){"width=4", NULL});
    assert_string_equal(tocsin_model_name(model), "resnet18");
    assert_int_equal(tocsin_model_classes(model), 10);
    assert_int_equal(tocsin_model_shape(model).channels, 3);
    for (int which = 0; which < 2; which++) {
        size_t next = 0;
        for (size_t i = 0; i < tocsin_model_tensors(model, (tocsin_vector)which); i++) {
            tocsin_tensor t;
            must(tocsin_model_tensor(model, (tocsin_vector)which, i, &t, &error));
            size_t count = 1;
            for (int s = 0; s < t.rank; s++) count *= (size_t)t.size[s];
            assert_int_equal(t.count, count);
            assert_int_equal(t.offset, next);
            next += count;
        }
        assert_int_equal(tocsin_model_size(model, (tocsin_vector)which), next);
        assert_true(next > 0);
    }
    tocsin_tensor first;
    must(tocsin_model_tensor(model, TOCSIN_PARAMETERS, 0, &first, &error));
    assert_string_equal(first.name, "conv1.weight");
    assert_int_equal(first.rank, 4);
    assert_memory_equal(first.size, ((const int[4]){4, 3, 3, 3}), sizeof first.size);
    refused("tensor 999", tocsin_model_tensor(model, TOCSIN_PARAMETERS, 999, &first, e));
    refused("NULL", tocsin_model_tensor(model, TOCSIN_PARAMETERS, 0, NULL, e));
    tocsin_model_free(model);
}

static void starts_from_the_seed(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_model *a = make("lenet", NULL), *b = make("lenet", NULL);
    float *zero = weights_of(a, TOCSIN_PARAMETERS);
    for (size_t i = 0; i < tocsin_model_size(a, TOCSIN_PARAMETERS); i++) assert_true(zero[i] == 0);
    must(tocsin_model_initialise(a, 5, &error));
    must(tocsin_model_initialise(b, 5, &error));
    assert_true(same_weights(a, b));
    must(tocsin_model_initialise(b, 6, &error));
    assert_false(same_weights(a, b));
    free(zero);
    tocsin_model_free(a);
    tocsin_model_free(b);
}

static void takes_and_gives_vectors(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_model *a = make("lenet", NULL), *b = make("lenet", NULL);
    const size_t size = tocsin_model_size(a, TOCSIN_PARAMETERS);
    must(tocsin_model_initialise(a, 1, &error));
    float *values = weights_of(a, TOCSIN_PARAMETERS);
    must(tocsin_model_set(b, TOCSIN_PARAMETERS, values, size, &error));
    assert_true(same_weights(a, b));
    refused("numbers", tocsin_model_set(b, TOCSIN_PARAMETERS, values, size - 1, e));
    refused("numbers", tocsin_model_get(b, TOCSIN_PARAMETERS, values, size + 1, e));
    refused("NULL", tocsin_model_set(b, TOCSIN_PARAMETERS, NULL, size, e));
    refused("vector", tocsin_model_get(b, (tocsin_vector)9, values, size, e));
    assert_int_equal(tocsin_model_size(b, TOCSIN_STATISTICS), 0); /* no batch normalisation */
    must(tocsin_model_get(b, TOCSIN_STATISTICS, NULL, 0, &error));
    values[size - 1] = NAN;
    refused("finite", tocsin_model_set(b, TOCSIN_PARAMETERS, values, size, e));
    assert_true(same_weights(a, b));
    free(values);
    tocsin_model_free(a);
    tocsin_model_free(b);
}

static void a_copy_is_its_own(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_model *a = make("convnet", (settings){"width=4", NULL}), *b = NULL, *c = NULL;
    must(tocsin_model_initialise(a, 1, &error));
    must(tocsin_model_copy(a, &b, &error));
    assert_true(same_weights(a, b));
    must(tocsin_model_initialise(b, 2, &error));
    assert_false(same_weights(a, b));
    tocsin_model_free(a); /* the others go on */
    must(tocsin_model_copy(b, &c, &error));
    tocsin_model_free(b);
    assert_int_equal(tocsin_model_classes(c), 10);
    must(tocsin_model_initialise(c, 3, &error));
    tocsin_model_free(c);
    refused("NULL", tocsin_model_copy(NULL, &c, e));
    assert_null(c);
}

static void comes_back_from_a_file(void **state) {
    (void)state;
    tocsin_error error;
    char folder[256], path[300];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    tocsin_model *a = make("convnet", (settings){"width=4", NULL}), *b = make("convnet", (settings){"width=4", NULL});
    tocsin_model *wider = make("convnet", (settings){"width=5", NULL});
    must(tocsin_model_initialise(a, 1, &error));
    must(tocsin_model_save(a, path, &error));
    must(tocsin_model_load(b, path, &error));
    assert_true(same_weights(a, b));
    refused("tensor", tocsin_model_load(wider, path, e));
    refused("NULL", tocsin_model_load(b, NULL, e));
    refused("nothing-there", tocsin_model_load(b, "/nowhere/nothing-there.safetensors", e));
    assert_int_equal(tocsin_model_save(a, "/nowhere/w.safetensors", NULL) == TOCSIN_OK, 0);
    assert_true(same_weights(a, b));
    tocsin_model_free(a);
    tocsin_model_free(b);
    tocsin_model_free(wider);
    remove_folder(folder);
}

static void refuses_what_does_not_exist(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_model *model = (tocsin_model *)&error;
    refused("resnet18", tocsin_model_create("resnet81", shape, 10, NULL, &model, e));
    assert_null(model);
    refused("NULL", tocsin_model_create(NULL, shape, 10, NULL, &model, e));
    refused("NULL", tocsin_model_create("resnet18", shape, 10, NULL, NULL, e));
    refused("width", tocsin_model_create("resnet18", shape, 10, (settings){"witdh=4", NULL}, &model, e));
    refused("width", tocsin_model_create("resnet18", shape, 10, (settings){"width=-4", NULL}, &model, e));
    refused("pixels", tocsin_model_create("resnet18", (tocsin_shape){-1, 32, 3}, 10, NULL, &model, e));
    refused("classes", tocsin_model_create("resnet18", shape, 0, NULL, &model, e));
    refused("NULL", tocsin_model_create_for("resnet18", NULL, NULL, &model, e));
    refused("NULL", tocsin_model_initialise(NULL, 1, e));
    tocsin_model_free(NULL);
    assert_int_equal(tocsin_model_size(NULL, TOCSIN_PARAMETERS), 0);
    assert_int_equal(tocsin_model_tensors(NULL, TOCSIN_PARAMETERS), 0);
    assert_null(tocsin_model_name(NULL));
}

static void devices(void **state) {
    (void)state;
    tocsin_error error;
    tocsin_device *device = NULL;
    must(tocsin_device_open("cpu", 2, &device, &error));
    assert_string_equal(tocsin_device_name(device), "cpu");
    assert_int_equal(tocsin_device_threads(device), 2);
    tocsin_device_close(device);
    must(tocsin_device_open("reference", 0, &device, &error));
    assert_true(tocsin_device_threads(device) > 0);
    tocsin_device_close(device);
    refused("abacus", tocsin_device_open("abacus", 1, &device, e));
    assert_null(device);
    const char *const two[] = {"threads=2", "precision=bf16", NULL}, *const wrong[] = {"precision=f16", NULL},
                      *const other[] = {"trials=3", NULL};
    must(tocsin_device_open_with("cpu", two, &device, &error));
    assert_int_equal(tocsin_device_threads(device), 2);
    tocsin_device_close(device);
    must(tocsin_device_open_with("cpu", NULL, &device, &error));
    tocsin_device_close(device);
    refused("f16", tocsin_device_open_with("cpu", wrong, &device, e));
    refused("trials=3", tocsin_device_open_with("cpu", other, &device, e));
    refused("abacus", tocsin_device_open_with("abacus", two, &device, e));
    refused("NULL", tocsin_device_open(NULL, 1, &device, e));
    refused("NULL", tocsin_device_open("cpu", 1, NULL, e));
    tocsin_device_close(NULL);
    assert_null(tocsin_device_name(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_it_is),
        cmocka_unit_test(starts_from_the_seed),
        cmocka_unit_test(takes_and_gives_vectors),
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(comes_back_from_a_file),
        cmocka_unit_test(refuses_what_does_not_exist),
        cmocka_unit_test(devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
