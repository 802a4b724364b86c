/* A fast device's sums over channels and its batch normalisation against the oracle's. */
#include "pairs.h"

#include "geometries.h"

/* ---- batch normalisation ---- */

typedef struct norm_arrays {
    pair z, residual, y, gamma, beta, running_mean, running_var, mean, inv_std, dy[3], q, dz, dgamma, dbeta;
    pair z_t, residual_t, y_t, gamma_t, beta_t, mean_t, ratio_t, dy_t[3], q_t, dz_t, dgamma_t, dbeta_t;
} norm_arrays;

static norm_arrays make_arrays(tc_shape shape, double centre, double spread) {
    const size_t n = tc_shape_count(shape), c = (size_t)shape.c;
    norm_arrays a = {
        .z = filled(n, centre, spread), .residual = noise(n), .y = garbage(n), .gamma = noise(c), .beta = noise(c)};
    a.running_mean = noise(c);
    a.running_var = filled(c, 2, 0.2);
    a.mean = garbage(c), a.inv_std = garbage(c);
    a.q = garbage(n), a.dz = garbage(n), a.dgamma = garbage(c), a.dbeta = garbage(c);
    a.z_t = noise(n), a.residual_t = noise(n), a.y_t = garbage(n), a.gamma_t = noise(c), a.beta_t = noise(c);
    a.mean_t = garbage(c), a.ratio_t = garbage(c);
    a.q_t = garbage(n), a.dz_t = garbage(n), a.dgamma_t = garbage(c), a.dbeta_t = garbage(c);
    for (int t = 0; t < 3; t++) {
        a.dy[t] = noise(n);
        a.dy_t[t] = noise(n);
    }
    return a;
}

enum { TRAINING = 1, RELU = 2, RESIDUAL = 4, TANGENT_Z = 8, TANGENT_THETA = 16, WITHOUT_SUMS = 32, NORM_FLAGS = 64 };

static tc_norm norm_on(int d, const norm_arrays *a, tc_shape shape, int flags, int terms) {
    const bool residual = flags & RESIDUAL, theta = flags & TANGENT_THETA, z = flags & TANGENT_Z;
    const bool q = terms > 1 || (flags & RELU);
    return (tc_norm){
        .shape = shape,
        .training = flags & TRAINING,
        .relu = flags & RELU,
        .epsilon = 1e-5,
        .momentum = 0.1,
        .z = a->z.at[d],
        .residual = residual ? a->residual.at[d] : NULL,
        .y = a->y.at[d],
        .gamma = a->gamma.at[d],
        .beta = a->beta.at[d],
        .running_mean = a->running_mean.at[d],
        .running_var = a->running_var.at[d],
        .mean = a->mean.at[d],
        .inv_std = a->inv_std.at[d],
        .dy = {terms, {a->dy[0].at[d], a->dy[1].at[d], a->dy[2].at[d]}},
        .q = q ? (terms == 2 ? a->dy[0].at[d] : a->q.at[d]) : NULL, /* two terms: q takes the first one's place */
        .dz = a->dz.at[d],
        .dgamma = a->dgamma.at[d],
        .dbeta = a->dbeta.at[d],
        .z_t = z ? a->z_t.at[d] : NULL,
        .residual_t = residual && z ? a->residual_t.at[d] : NULL,
        .y_t = a->y_t.at[d],
        .gamma_t = theta ? a->gamma_t.at[d] : NULL,
        .beta_t = theta ? a->beta_t.at[d] : NULL,
        .mean_t = a->mean_t.at[d],
        .ratio_t = a->ratio_t.at[d],
        .dy_t = {terms, {a->dy_t[0].at[d], a->dy_t[1].at[d], a->dy_t[2].at[d]}},
        .q_t = q ? (terms == 2 ? a->dy_t[0].at[d] : a->q_t.at[d]) : NULL,
        .dz_t = a->dz_t.at[d],
        .dgamma_t = a->dgamma_t.at[d],
        .dbeta_t = a->dbeta_t.at[d],
    };
}

static void check_norm_of(norm_arrays a, tc_shape shape, int flags, int terms) {
    BOTH(d) {
        tc_norm norm = norm_on(d, &a, shape, flags, terms);
        ON(d, norm_forward, &norm);
        ON(d, norm_forward_tangent, &norm);
        if (flags & WITHOUT_SUMS) { /* nobody asks for parameters' gradients: neither are they there, nor z */
            norm.dgamma = norm.dbeta = norm.dgamma_t = norm.dbeta_t = NULL;
            norm.z = norm.z_t = NULL;
        }
        ON(d, norm_backward, &norm);
        ON(d, norm_backward_tangent, &norm);
    }
    const struct {
        pair array;
        const char *name;
    } results[] = {{a.y, "y"},
                   {a.mean, "mean"},
                   {a.inv_std, "1/σ"},
                   {a.running_mean, "running mean"},
                   {a.running_var, "running variance"},
                   {a.dz, "dz"},
                   {a.y_t, "ẏ"},
                   {a.dz_t, "dż"},
                   {a.dgamma, "dγ"},
                   {a.dbeta, "dβ"},
                   {a.dgamma_t, "dγ̇"},
                   {a.dbeta_t, "dβ̇"}};
    const size_t asked = flags & WITHOUT_SUMS ? 8 : 12;
    char what[150];
    const bool q = terms > 1 || (flags & RELU);
    for (size_t i = 0; i < asked; i++) {
        snprintf(what, sizeof what, "norm %dx%dx%dx%d/%d, flags %d, %d terms: %s", shape.n, shape.h, shape.w, shape.c,
                 shape.block, flags, terms, results[i].name);
        same_to(results[i].array, 3e-5, what);
    }
    if (!q) return;
    same_to(terms == 2 ? a.dy[0] : a.q, 3e-5, "q");
    same_to(terms == 2 ? a.dy_t[0] : a.q_t, 3e-5, "q_t");
}

static void check_norm(tc_shape shape, int flags, int terms) {
    check_norm_of(make_arrays(shape, 0.5, 2), shape, flags, terms);
}

static void check_layouts(const int size[4], int flags, int terms) {
    const tc_shape plain = shape_of(size[0], size[1], size[2], size[3], 0),
                   panels = shape_of(size[0], size[1], size[2], size[3], device[FAST]->channel_block);
    check_norm(plain, flags, terms);
    if (panels.block != panels.c) check_norm(panels, flags, terms);
}

/* Each setting with one, two and three addends, on different shapes. */
static void test_norm(void **state) {
    static const int shapes[][4] = {{2, 5, 7, 3}, {5, 4, 4, 16}, {16, 1, 1, 6},  {3, 8, 8, 32},
                                    {2, 3, 3, 1}, {1, 9, 9, 48}, {4, 12, 12, 16}};
    const int count = strcmp(device[FAST]->name, "cuda") ? 7 : 3; /* which may be an emulated one */
    for (int s = 0; s < count; s++) {
        for (int flags = 0; flags < NORM_FLAGS; flags++) {
            if ((flags & WITHOUT_SUMS) && (flags & TRAINING)) continue;
            check_layouts(shapes[s], flags, 1 + (flags + s) % 3);
            tear_down(state); /* the arrays of this many cases are enough at a time */
            set_up(state);
        }
    }
}

/* One pixel an image, one image, more channels than a group of threads has, odd numbers of them, enough rows that their
 * sums are taken in parts, of which the last is shorter. */
static void test_norm_sizes(void **state) {
    (void)state;
    static const int shapes[][4] = {{12, 1, 1, 5},  {1, 3, 3, 2048}, {5, 1, 1, 130}, {3, 2, 2, 300},
                                    {2, 67, 63, 1}, {9, 31, 33, 4},  {5, 13, 17, 66}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        check_layouts(shapes[s],
                      s % 2 ? TRAINING | RELU | RESIDUAL | TANGENT_Z | TANGENT_THETA
                            : TRAINING | TANGENT_Z | TANGENT_THETA,
                      (int)s % 2 + 1);
}

/* A channel far from zero, and a first value far from all others: the variance is a small difference of large
 * numbers if it is taken carelessly. Tolerances are those of z's own last bits, 100 · 2⁻²⁴ deviations. */
static void test_norm_far_from_zero(void **state) {
    (void)state;
    const tc_shape shape = tc_nhwc(6, 9, 11, 20);
    norm_arrays a = make_arrays(shape, 100, 1);
    check_norm_of(a, shape, TRAINING | TANGENT_Z, 1);
    a = make_arrays(shape, 0, 1);
    BOTH(d) ON(d, fill, 20, 30, a.z.at[d]); /* the first pixel */
    check_norm_of(a, shape, TRAINING, 1);
}

/* The same bits again, whatever the memory held. */
static void test_norm_repeats(void **state) {
    (void)state;
    const tc_shape shape = tc_nhwc(9, 13, 17, 24);
    const size_t n = tc_shape_count(shape);
    float *result[2][3];
    for (int run = 0; run < 2; run++) {
        draws = 0;
        const norm_arrays a = make_arrays(shape, 0.5, 2);
        const tc_norm norm = norm_on(FAST, &a, shape, TRAINING | RELU | TANGENT_Z, 3);
        const void *const from[] = {a.y.at[FAST], a.dz.at[FAST], a.dz_t.at[FAST]};
        ON(FAST, norm_forward, &norm);
        ON(FAST, norm_backward, &norm);
        ON(FAST, norm_forward_tangent, &norm);
        ON(FAST, norm_backward_tangent, &norm);
        for (int i = 0; i < 3; i++) {
            result[run][i] = malloc(n * sizeof(float));
            assert_non_null(result[run][i]);
            ON(FAST, download_float, result[run][i], from[i], n);
        }
    }
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(result[0][i], result[1][i], n * sizeof(float));
        for (int run = 0; run < 2; run++) free(result[run][i]);
    }
}

/* ---- sums over channels, products with factors of channels ---- */

static void check_sums(int n, int h, int w, int c) {
    const tc_shape shape = tc_nhwc(n, h, w, c);
    const size_t count = tc_shape_count(shape), channels = (size_t)c, few = (size_t)n * channels;
    /* one real further than an allocation, as parameters lie in their vector */
    const pair x = filled(count + 1, 3, 1), dy = noise(count + 1), s = noise(few + 1), y = noise(count),
               sums = noise(channels), columns = garbage(channels), shifted = noise(count + 1), ds = garbage(few),
               twice = noise(few), scaled = garbage(count + 1);
    char what[100];
    BOTH(d) {
        const void *const later = tc_at(device[d], x.at[d], 1), *const factor = tc_at(device[d], s.at[d], 1);
        ON(d, channel_sums, shape, x.at[d], sums.at[d], true);
        ON(d, column_sums, n * h * w, c, later, columns.at[d], false);
        ON(d, channel_add, shape, factor, shifted.at[d]);
        ON(d, scale, shape, x.at[d], factor, y.at[d], true);
        ON(d, scale, shape, later, s.at[d], tc_at(device[d], scaled.at[d], 1), false);
        ON(d, fill, 1, 0, scaled.at[d]);
        ON(d, scale_reduce, shape, x.at[d], dy.at[d], ds.at[d], false);
        ON(d, scale_reduce, shape, later, dy.at[d], twice.at[d], true);
    }
    const struct {
        pair array;
        const char *name;
    } results[] = {{sums, "channel_sums"}, {columns, "column_sums"}, {shifted, "channel_add"},      {y, "scale, added"},
                   {scaled, "scale"},      {ds, "scale_reduce"},     {twice, "scale_reduce, added"}};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        snprintf(what, sizeof what, "%s of %dx%dx%dx%d", results[i].name, n, h, w, c);
        same(results[i].array, what);
    }
}

static void test_sums(void **state) {
    (void)state;
    static const int shapes[][4] = {{1, 1, 1, 1},    {3, 5, 7, 1},  {4, 1, 1, 10},  {2, 9, 9, 16}, {90, 23, 1, 24},
                                    {1, 1, 1, 2500}, {7, 36, 1, 1}, {3, 4, 4, 300}, {5, 8, 8, 65}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_sums(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_norm),         PAIR_TEST(test_norm_sizes), PAIR_TEST(test_norm_far_from_zero),
        PAIR_TEST(test_norm_repeats), PAIR_TEST(test_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
