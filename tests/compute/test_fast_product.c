/* Matrix products of a fast device against the oracle. */
#include "pairs.h"

static void check_product(tc_product g) {
    const size_t m = (size_t)g.m, n = (size_t)g.n, k = (size_t)g.k;
    const pair a = noise(m * k), b = noise(k * n), bias = noise(n), c = g.accumulate ? noise(m * n) : garbage(m * n);
    char what[100];
    BOTH(d) {
        tc_product_plan *plan = NULL;
        tc_error error = {0};
        if (ON(d, product_create, &g, &plan, &error) != TC_OK) fail_msg("%s", error.message);
        device[d]->k->product_run(plan, a.at[d], b.at[d], g.bias ? bias.at[d] : NULL, c.at[d]);
        ON(d, product_destroy, plan);
    }
    snprintf(what, sizeof what, "%dx%dx%d, ta %d tb %d bias %d relu %d accumulate %d", g.m, g.n, g.k, g.transpose_a,
             g.transpose_b, g.bias, g.relu, g.accumulate);
    same(c, what);
}

static void test_product(void **state) {
    (void)state;
    static const int sizes[][3] = {{1, 1, 1}, {2, 10, 5}, {5, 33, 400}, {128, 10, 64}, {17, 120, 400}, {84, 120, 16}};
    for (int s = 0; s < 6; s++)
        for (int flags = 0; flags < 32; flags++)
            check_product((tc_product){sizes[s][0], sizes[s][1], sizes[s][2], flags & 1, flags & 2, flags & 4,
                                       (flags & 8) && !(flags & 16), flags & 16});
}

/* Parameters begin anywhere in the flat vector. */
static void test_operands_anywhere(void **state) {
    (void)state;
    const tc_product g = {.m = 12, .n = 8, .k = 20, .transpose_b = true, .bias = true};
    const pair a = noise(12 * 20 + 4), b = noise(20 * 8 + 4), bias = noise(8 + 4);
    for (size_t shift = 0; shift < 16; shift++) {
        const pair c = garbage(12 * 8);
        BOTH(d) {
            tc_product_plan *plan = NULL;
            tc_error error = {0};
            if (ON(d, product_create, &g, &plan, &error) != TC_OK) fail_msg("%s", error.message);
            device[d]->k->product_run(plan, tc_at(device[d], a.at[d], shift & 3), tc_at(device[d], b.at[d], shift >> 2),
                                      tc_at(device[d], bias.at[d], (shift + 1) & 3), c.at[d]);
            ON(d, product_destroy, plan);
        }
        same(c, "product of operands that begin anywhere");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {PAIR_TEST(test_product), PAIR_TEST(test_operands_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
