/* Batch normalisation: forward against its definition, the other three maps against central differences, in training
 * and evaluation, with and without ReLU, residual sum and panels. */
#include "testing.h"

#include "geometries.h"

/* One point (z, γ, β, residual, dy as two addends) and one direction through it. */
typedef struct point {
    double *z, *residual, *gamma, *beta, *dy[2];
} point;

typedef struct setting {
    tc_shape shape;
    bool training, relu, residual;
    double *mean, *variance; /* running */
    point at, along;
} setting;

/* What all four maps leave. */
typedef struct results {
    tc_norm norm;
    double *y, *q, *dz, *dgamma, *dbeta;
    double *y_t, *q_t, *dz_t, *dgamma_t, *dbeta_t;
} results;

static point random_point(tc_shape shape) {
    const size_t n = tc_shape_count(shape), c = (size_t)shape.c;
    return (point){noise(n), noise(n), noise(c), noise(c), {noise(n), noise(n)}};
}

static point walk(const setting *s, double h) {
    const size_t n = tc_shape_count(s->shape), c = (size_t)s->shape.c;
    const point *p = &s->at, *v = &s->along;
    return (point){moved(n, p->z, h, v->z),
                   moved(n, p->residual, h, v->residual),
                   moved(c, p->gamma, h, v->gamma),
                   moved(c, p->beta, h, v->beta),
                   {moved(n, p->dy[0], h, v->dy[0]), moved(n, p->dy[1], h, v->dy[1])}};
}

static results run_at(const setting *s, point p) {
    const size_t n = tc_shape_count(s->shape), c = (size_t)s->shape.c;
    results r = {.y = garbage(n), .q = garbage(n), .dz = garbage(n), .dgamma = garbage(c), .dbeta = garbage(c)};
    r.y_t = garbage(n);
    r.q_t = garbage(n);
    r.dz_t = garbage(n);
    r.dgamma_t = garbage(c);
    r.dbeta_t = garbage(c);
    r.norm = (tc_norm){
        .shape = s->shape,
        .training = s->training,
        .relu = s->relu,
        .epsilon = 1e-5,
        .momentum = 0.1,
        .z = p.z,
        .residual = s->residual ? p.residual : NULL,
        .y = r.y,
        .gamma = p.gamma,
        .beta = p.beta,
        .running_mean = s->training ? NULL : s->mean,
        .running_var = s->training ? NULL : s->variance,
        .mean = garbage(c),
        .inv_std = garbage(c),
        .dy = {2, {p.dy[0], p.dy[1]}},
        .q = r.q,
        .dz = r.dz,
        .dgamma = r.dgamma,
        .dbeta = r.dbeta,
        .z_t = s->along.z,
        .residual_t = s->residual ? s->along.residual : NULL,
        .y_t = r.y_t,
        .gamma_t = s->along.gamma,
        .beta_t = s->along.beta,
        .mean_t = garbage(c),
        .ratio_t = garbage(c),
        .dy_t = {2, {s->along.dy[0], s->along.dy[1]}},
        .q_t = r.q_t,
        .dz_t = r.dz_t,
        .dgamma_t = r.dgamma_t,
        .dbeta_t = r.dbeta_t,
    };
    on.k->norm_forward(on.device, &r.norm);
    on.k->norm_backward(on.device, &r.norm);
    on.k->norm_forward_tangent(on.device, &r.norm);
    on.k->norm_backward_tangent(on.device, &r.norm);
    return r;
}

static setting make_setting(tc_shape shape, int flags) {
    setting s = {.shape = shape, .training = flags & 1, .relu = flags & 2, .residual = flags & 4};
    s.mean = noise((size_t)shape.c);
    s.variance = noise((size_t)shape.c);
    for (int c = 0; c < shape.c; c++) s.variance[c] = 0.5 + fabs(s.variance[c]);
    s.at = random_point(shape);
    s.along = random_point(shape);
    return s;
}

static const struct {
    int n, h, w, c, block;
} shapes[] = {{4, 3, 5, 3, 0}, {2, 4, 4, 16, 8}, {6, 1, 1, 5, 0}, {1, 5, 5, 2, 0}};
enum { SHAPES = 4, FLAGS = 8 };

/* ⟨backward, direction⟩ is the slope of ⟨dy, forward⟩; the tangents are the slopes of y, q, dz, dγ, dβ. */
static void test_derivatives(void **state) {
    (void)state;
    const double h = 1e-5;
    for (int i = 0; i < SHAPES * FLAGS; i++) {
        const tc_shape shape = shape_of(shapes[i / FLAGS].n, shapes[i / FLAGS].h, shapes[i / FLAGS].w,
                                        shapes[i / FLAGS].c, shapes[i / FLAGS].block);
        const size_t n = tc_shape_count(shape), c = (size_t)shape.c;
        const setting s = make_setting(shape, i % FLAGS);
        const results r = run_at(&s, s.at), high = run_at(&s, walk(&s, h)), low = run_at(&s, walk(&s, -h));
        const double *y_t = slope_between(n, high.y, low.y, h), *dy = moved(n, s.at.dy[0], 1, s.at.dy[1]);
        agree(n, r.y_t, y_t, 1e-6, "y_t");
        double slope = inner(n, r.dz, s.along.z) + inner(c, r.dgamma, s.along.gamma) + inner(c, r.dbeta, s.along.beta);
        if (s.residual) slope += inner(n, r.q, s.along.residual);
        numbers_agree(slope, inner(n, dy, y_t), 1e-6, "backward");
        agree(n, r.q_t, slope_between(n, high.q, low.q, h), 1e-6, "q_t");
        agree(n, r.dz_t, slope_between(n, high.dz, low.dz, h), 1e-6, "dz_t");
        agree(c, r.dgamma_t, slope_between(c, high.dgamma, low.dgamma, h), 1e-6, "dgamma_t");
        agree(c, r.dbeta_t, slope_between(c, high.dbeta, low.dbeta, h), 1e-6, "dbeta_t");
    }
}

static void test_forward(void **state) {
    (void)state;
    const tc_shape shape = shape_of(3, 4, 2, 16, 8);
    for (int flags = 0; flags < FLAGS; flags++) {
        const setting s = make_setting(shape, flags);
        const results r = run_at(&s, s.at);
        for (int c = 0; c < shape.c; c++) {
            double mean = 0, square = 0;
            for (int i = 0; i < 24; i++) mean += s.at.z[tc_shape_index(shape, i / 8, i / 2 % 4, i % 2, c)] / 24;
            for (int i = 0; i < 24; i++)
                square += pow(s.at.z[tc_shape_index(shape, i / 8, i / 2 % 4, i % 2, c)] - mean, 2) / 24;
            const double mu = s.training ? mean : s.mean[c], sigma = sqrt((s.training ? square : s.variance[c]) + 1e-5);
            for (int i = 0; i < 24; i++) {
                const size_t at = tc_shape_index(shape, i / 8, i / 2 % 4, i % 2, c);
                double y = s.at.gamma[c] * (s.at.z[at] - mu) / sigma + s.at.beta[c];
                if (s.residual) y += s.at.residual[at];
                numbers_agree(r.y[at], s.relu ? fmax(0, y) : y, 1e-12, "y");
            }
        }
    }
}

/* Unbiased variance, momentum as PyTorch: r ← 0.9 r + 0.1 batch. */
static void test_running(void **state) {
    (void)state;
    const tc_shape shape = tc_nhwc(2, 1, 2, 1);
    const double values[4] = {1, 2, 3, 6}, one = 1, zero = 0;
    double *z = reals(4), *y = reals(4), *mean = reals(1), *variance = reals(1), *mu = reals(1), *inv = reals(1);
    memcpy(z, values, sizeof values);
    *mean = 10;
    *variance = 2;
    tc_norm norm = {.shape = shape,
                    .training = true,
                    .epsilon = 0,
                    .momentum = 0.1,
                    .z = z,
                    .y = y,
                    .gamma = &one,
                    .beta = &zero,
                    .running_mean = mean,
                    .running_var = variance,
                    .mean = mu,
                    .inv_std = inv};
    on.k->norm_forward(on.device, &norm);
    numbers_agree(*mu, 3, 1e-14, "mean");
    numbers_agree(*inv, 1 / sqrt(3.5), 1e-14, "1/σ");
    numbers_agree(*mean, 9.3, 1e-14, "running mean");
    numbers_agree(*variance, 0.9 * 2 + 0.1 * 14 / 3, 1e-14, "running variance");
    norm.training = false;
    on.k->norm_forward(on.device, &norm);
    numbers_agree(*mean, 9.3, 1e-14, "left alone in evaluation");
}

/* Buffers that the caller may share or leave out do not change the results. */
static void test_sharing(void **state) {
    (void)state;
    const tc_shape shape = tc_nhwc(3, 2, 2, 4);
    const size_t n = tc_shape_count(shape);
    for (int training = 0; training < 2; training++) {
        const setting s = make_setting(shape, training);
        const results r = run_at(&s, s.at);
        tc_norm norm = r.norm; /* q in the place of dy's first term, q_t in that of dy_t's */
        norm.dy.term[0] = norm.q = copied(n, s.at.dy[0]);
        norm.dy_t.term[0] = norm.q_t = copied(n, s.along.dy[0]);
        norm.dz = garbage(n);
        norm.dz_t = garbage(n);
        on.k->norm_backward(on.device, &norm);
        on.k->norm_backward_tangent(on.device, &norm);
        agree(n, norm.dz, r.dz, 0, "dz with q in place");
        agree(n, norm.dz_t, r.dz_t, 0, "dz_t with q in place");
        norm.q = norm.q_t = NULL; /* one addend each and no ReLU */
        norm.dy = tc_one(r.q);
        norm.dy_t = tc_one(r.q_t);
        norm.dz = garbage(n);
        norm.dz_t = garbage(n);
        on.k->norm_backward(on.device, &norm);
        on.k->norm_backward_tangent(on.device, &norm);
        agree(n, norm.dz, r.dz, 1e-14, "dz without q");
        agree(n, norm.dz_t, r.dz_t, 1e-14, "dz_t without q");
    }
}

/* In evaluation the sums over a channel may be left out, and then z, which only they need, is not there to be read. */
static void test_without_sums(void **state) {
    (void)state;
    const tc_shape shape = tc_nhwc(3, 2, 2, 4);
    const size_t n = tc_shape_count(shape);
    for (int flags = 0; flags < FLAGS; flags += 2) {
        const setting s = make_setting(shape, flags);
        const results r = run_at(&s, s.at);
        tc_norm norm = r.norm;
        norm.dgamma = norm.dbeta = norm.dgamma_t = norm.dbeta_t = NULL;
        norm.z = norm.z_t = NULL;
        norm.dz = garbage(n);
        norm.dz_t = garbage(n);
        on.k->norm_backward(on.device, &norm);
        on.k->norm_backward_tangent(on.device, &norm);
        agree(n, norm.dz, r.dz, 0, "dz without sums");
        agree(n, norm.dz_t, r.dz_t, 0, "dz_t without sums");
    }
}

/* A direction that is left out is a direction of zeros. */
static void test_missing_tangents(void **state) {
    (void)state;
    const tc_shape shape = tc_nhwc(3, 2, 2, 4);
    const size_t n = tc_shape_count(shape), c = (size_t)shape.c;
    for (int flags = 0; flags < FLAGS; flags++) {
        setting s = make_setting(shape, flags);
        s.along.z = reals(n);
        s.along.residual = reals(n);
        s.along.gamma = reals(c);
        s.along.beta = reals(c);
        const results zeros = run_at(&s, s.at);
        s.along.z = s.along.residual = s.along.gamma = s.along.beta = NULL;
        const results none = run_at(&s, s.at);
        agree(n, none.y_t, zeros.y_t, 0, "y_t");
        agree(n, none.dz_t, zeros.dz_t, 0, "dz_t");
        agree(c, none.dgamma_t, zeros.dgamma_t, 0, "dgamma_t");
        agree(c, none.dbeta_t, zeros.dbeta_t, 0, "dbeta_t");
        tc_norm norm = none.norm; /* the first layer's data gradients are nobody's */
        norm.dz = norm.dz_t = NULL;
        on.k->norm_backward(on.device, &norm);
        on.k->norm_backward_tangent(on.device, &norm);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_TEST(test_derivatives), KERNEL_TEST(test_forward),          KERNEL_TEST(test_running),
        KERNEL_TEST(test_sharing),     KERNEL_TEST(test_missing_tangents), KERNEL_TEST(test_without_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
