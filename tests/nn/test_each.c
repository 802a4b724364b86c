/* Gradients of single images: every layer that has parameters, on both backends. */
#include "each.h"
#include "networks.h"

static void test_each(void **state) {
    for (int i = 0; i < NETWORKS; i++) {
        tc_model *model = build_network(i);
        check_each(*state, model);
        tc_model_free(model);
    }
}

/* Two convolutions whose cotangent is the same memory; a position's product that is cheaper formed than told; panels
 * of 16 channels. */
static tc_node build_branches(tc_graph *g) {
    const tc_conv_options wide = {.channels = 32, .kernel = 3, .padding = 1};
    tc_node x = tc_graph_relu(g, stem(g, 32));
    x = tc_graph_add(g, tc_graph_conv(g, "a", x, wide), tc_graph_conv(g, "b", x, wide));
    return head(g, tc_graph_max_pool(g, tc_graph_relu(g, tc_graph_conv(g, "c", x, wide)), 2, 2, 0));
}

static void test_shared_cotangents(void **state) {
    tc_error error = {0};
    tc_model *model = NULL;
    tc_graph *g = tc_graph_begin("branches", 6, 6, 3, TEST_CLASSES);
    if (tc_graph_finish(g, build_branches(g), &model, &error) != TC_OK) fail_msg("%s", error.message);
    check_each(*state, model);
    tc_model_free(model);
}

/* Neither call allocates, and the same calls give the same bits. */
static void test_repeats(void **state) {
    const devices *d = *state;
    tc_model *model = build_network(0);
    lab l = open_each(d->cpu, model, TC_TRAIN, 5);
    double squares[2][5], weights[5] = {1, 2, 0, 0.5, 0.25};
    const uint64_t before = d->cpu->allocations;
    tc_pass_grad_each(l.pass, l.theta, 5, squares[0]);
    sum_each(&l, 5, weights);
    double *first = lab_copy(l.host[G], l.p);
    tc_pass_grad_each(l.pass, l.theta, 5, squares[1]);
    sum_each(&l, 5, weights);
    assert_true(d->cpu->allocations == before);
    assert_memory_equal(squares[0], squares[1], sizeof squares[0]);
    assert_memory_equal(first, l.host[G], l.p * sizeof *first);
    free(first);
    lab_close(&l);
    tc_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_shared_cotangents),
        cmocka_unit_test(test_repeats),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
