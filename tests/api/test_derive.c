/* Derivatives from outside: against differences, against each other, and what is refused. */
#include "outside.h"

enum { BATCH = 4 };

typedef struct setup {
    tocsin_device *device;
    tocsin_dataset *data;
    tocsin_model *model;
    tocsin_derivatives *derivatives;
    size_t p;
    float x[BATCH * IMAGE];
    int32_t labels[BATCH];
} setup;

static void make_setup(setup *s, const char *device, const char *model, const char *const *network,
                       const tocsin_derive_options *options) {
    tocsin_error error;
    *s = (setup){.device = open_device(device), .data = bars_dataset(12, 3)};
    const tocsin_samples training = tocsin_dataset_samples(s->data, TOCSIN_TRAINING);
    s->model = new_model(model, s->data, network, 1);
    s->p = tocsin_model_size(s->model, TOCSIN_PARAMETERS);
    must(tocsin_derivatives_create(s->device, s->model, BATCH, options, &s->derivatives, &error));
    must(tocsin_dataset_normalise(s->data, training.images, BATCH, s->x, &error));
    memcpy(s->labels, training.labels, sizeof s->labels);
}

static void end_setup(setup *s) {
    tocsin_derivatives_free(s->derivatives);
    tocsin_model_free(s->model);
    tocsin_dataset_free(s->data);
    tocsin_device_close(s->device);
}

static float *direction(size_t count, size_t from) {
    float *v = malloc(count * sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < count; i++) v[i] = (float)(wobble(from + i) - 0.5);
    return v;
}

static float *room(size_t count) {
    return calloc(count, sizeof(float));
}

static double dot(const float *a, const float *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)a[i] * b[i];
    return sum;
}

static void assert_near(double a, double b, double relative) {
    if (!(fabs(a - b) <= relative * fmax(fabs(a), fabs(b)) + 1e-9)) fail_msg("%.9g is not %.9g", a, b);
}

/* θ := base + h v, then the loss at x + h r; v and r may be NULL. */
static double loss_at(setup *s, const float *base, const float *v, const float *r, double h) {
    tocsin_error error;
    double loss;
    float *theta = room(s->p), x[BATCH * IMAGE];
    for (size_t i = 0; i < s->p; i++) theta[i] = (float)(base[i] + (v ? h * v[i] : 0));
    for (size_t i = 0; i < BATCH * IMAGE; i++) x[i] = (float)(s->x[i] + (r ? h * r[i] : 0));
    must(tocsin_model_set(s->model, TOCSIN_PARAMETERS, theta, s->p, &error));
    must(tocsin_derive_loss(s->derivatives, x, s->labels, &loss, NULL, &error));
    must(tocsin_model_set(s->model, TOCSIN_PARAMETERS, base, s->p, &error));
    free(theta);
    return loss;
}

/* Logistic regression is smooth, so differences of the loss tell first and second derivatives. */
static void agree_with_differences(void **state) {
    (void)state;
    tocsin_error error;
    setup s;
    double loss;
    const double h = 0.05;
    make_setup(&s, "reference", "logreg", NULL, NULL);
    float *base = weights_of(s.model, TOCSIN_PARAMETERS), *v = direction(s.p, 0), *hv = room(s.p), *g = room(s.p);
    float *r = direction(BATCH * IMAGE, 500), *gx = room(BATCH * IMAGE), *jx = room(BATCH * IMAGE);
    must(tocsin_derive_grad(s.derivatives, s.x, s.labels, &loss, g, gx, &error));
    must(tocsin_derive_hvp(s.derivatives, s.x, s.labels, v, hv, &error));
    must(tocsin_derive_grad_jvp(s.derivatives, NULL, r, NULL, jx, &error));
    assert_near(loss, loss_at(&s, base, NULL, NULL, 0), 1e-12);
    const double up = loss_at(&s, base, v, NULL, h), down = loss_at(&s, base, v, NULL, -h);
    assert_near(dot(g, v, s.p), (up - down) / (2 * h), 1e-2);
    assert_near(dot(v, hv, s.p), (up - 2 * loss + down) / (h * h), 2e-2);
    const double right = loss_at(&s, base, NULL, r, h), left = loss_at(&s, base, NULL, r, -h);
    assert_near(dot(gx, r, BATCH * IMAGE), (right - left) / (2 * h), 1e-2);
    assert_near(dot(r, jx, BATCH * IMAGE), (right - 2 * loss + left) / (h * h), 2e-2);
    float *const all[] = {base, v, hv, g, r, gx, jx};
    for (int i = 0; i < 7; i++) free(all[i]);
    end_setup(&s);
}

/* ⟨u, Hv⟩ = ⟨v, Hu⟩ and ⟨ġ_x(θ̇ = u), r⟩ = ⟨ġ_θ(ẋ = r), u⟩ in both modes. */
static void are_symmetric(void **state) {
    (void)state;
    tocsin_error error;
    for (int mode = 0; mode < 2; mode++) {
        setup s;
        const tocsin_derive_options options = {.mode = (tocsin_mode)mode};
        make_setup(&s, "reference", "resnet18", (settings){"width=2", NULL}, &options);
        float *u = direction(s.p, 0), *v = direction(s.p, 7000), *hu = room(s.p), *hv = room(s.p), *jt = room(s.p);
        float *r = direction(BATCH * IMAGE, 9000), *jx = room(BATCH * IMAGE);
        must(tocsin_derive_hvp(s.derivatives, s.x, s.labels, u, hu, &error));
        must(tocsin_derive_hvp(s.derivatives, s.x, s.labels, v, hv, &error));
        must(tocsin_derive_grad_jvp(s.derivatives, u, NULL, NULL, jx, &error));
        must(tocsin_derive_grad_jvp(s.derivatives, NULL, r, jt, NULL, &error));
        assert_near(dot(u, hv, s.p), dot(v, hu, s.p), 1e-5);
        assert_near(dot(jx, r, BATCH * IMAGE), dot(jt, u, s.p), 1e-5);
        assert_true(fabs(dot(u, hv, s.p)) > 1e-6);
        float *const all[] = {u, v, hu, hv, jt, r, jx};
        for (int i = 0; i < 7; i++) free(all[i]);
        end_setup(&s);
    }
}

static void leave_the_model_alone(void **state) {
    (void)state;
    tocsin_error error;
    setup s;
    const tocsin_derive_options options = {.mode = TOCSIN_MODE_TRAIN};
    make_setup(&s, "cpu", "resnet18", (settings){"width=2", NULL}, &options);
    const size_t statistics = tocsin_model_size(s.model, TOCSIN_STATISTICS);
    float *before = weights_of(s.model, TOCSIN_STATISTICS), *theta = weights_of(s.model, TOCSIN_PARAMETERS);
    float *g = room(s.p), *again = room(s.p);
    double loss, same;
    must(tocsin_derive_grad(s.derivatives, s.x, s.labels, &loss, g, NULL, &error));
    must(tocsin_derive_grad(s.derivatives, s.x, s.labels, &same, again, NULL, &error));
    assert_true(loss == same);
    assert_memory_equal(g, again, s.p * sizeof *g);
    float *after = weights_of(s.model, TOCSIN_STATISTICS), *theta_after = weights_of(s.model, TOCSIN_PARAMETERS);
    assert_memory_equal(before, after, statistics * sizeof *before);
    assert_memory_equal(theta, theta_after, s.p * sizeof *theta);
    float *const all[] = {before, theta, g, again, after, theta_after};
    for (int i = 0; i < 6; i++) free(all[i]);
    end_setup(&s);
}

/* The weights of the moment of the call count, and all four losses are told apart. */
static void follow_model_and_loss(void **state) {
    (void)state;
    tocsin_error error;
    double seen[4];
    for (int kind = 0; kind < 4; kind++) {
        setup s;
        float logits[BATCH * CLASSES];
        const tocsin_derive_options options = {.loss = (tocsin_loss)kind, .kappa = 50};
        make_setup(&s, "cpu", "logreg", NULL, &options);
        must(tocsin_derive_loss(s.derivatives, s.x, s.labels, &seen[kind], logits, &error));
        double first = 0; /* Σ over the batch of the margin, from the logits */
        for (int i = 0; i < BATCH; i++) {
            double most = -INFINITY;
            for (int c = 0; c < CLASSES; c++)
                if (c != s.labels[i]) most = fmax(most, logits[i * CLASSES + c]);
            first += (most - logits[i * CLASSES + s.labels[i]]) / BATCH;
        }
        if (kind == TOCSIN_MARGIN) assert_near(seen[kind], first, 1e-5);
        must(tocsin_model_initialise(s.model, 2, &error));
        double other;
        must(tocsin_derive_loss(s.derivatives, s.x, s.labels, &other, NULL, &error));
        assert_true(other != seen[kind]);
        for (int earlier = 0; earlier < kind; earlier++) assert_true(seen[kind] != seen[earlier]);
        end_setup(&s);
    }
}

static void refuse_wrong_calls(void **state) {
    (void)state;
    tocsin_error error;
    setup s;
    make_setup(&s, "cpu", "logreg", NULL, NULL);
    float *v = direction(s.p, 0), *out = room(s.p + BATCH * IMAGE);
    tocsin_derivatives *d = s.derivatives;
    double loss;
    refused("first", tocsin_derive_grad_jvp(d, v, NULL, out, NULL, e));
    must(tocsin_derive_grad(d, s.x, s.labels, NULL, NULL, NULL, &error));
    refused("direction", tocsin_derive_grad_jvp(d, NULL, NULL, out, NULL, e));
    must(tocsin_derive_grad_jvp(d, v, NULL, out, NULL, &error));
    must(tocsin_derive_loss(d, s.x, s.labels, &loss, NULL, &error));
    refused("first", tocsin_derive_grad_jvp(d, v, NULL, out, NULL, e));
    refused("NULL", tocsin_derive_loss(d, NULL, s.labels, &loss, NULL, e));
    refused("NULL", tocsin_derive_grad(d, s.x, NULL, &loss, NULL, NULL, e));
    refused("NULL", tocsin_derive_grad(NULL, s.x, s.labels, &loss, NULL, NULL, e));
    refused("NULL", tocsin_derive_hvp(d, s.x, s.labels, NULL, out, e));
    s.labels[1] = CLASSES;
    refused("labels[1]", tocsin_derive_loss(d, s.x, s.labels, &loss, NULL, e));
    s.labels[1] = -1;
    refused("labels[1]", tocsin_derive_grad(d, s.x, s.labels, &loss, NULL, NULL, e));
    s.labels[1] = 0;
    s.x[7] = NAN;
    refused("x[7]", tocsin_derive_loss(d, s.x, s.labels, &loss, NULL, e));
    s.x[7] = 0;
    v[3] = INFINITY;
    refused("theta_dot", (tocsin_derive_grad(d, s.x, s.labels, NULL, NULL, NULL, NULL),
                          tocsin_derive_grad_jvp(d, v, NULL, out, NULL, e)));
    free(v);
    free(out);
    end_setup(&s);
}

static void refuse_wrong_options(void **state) {
    (void)state;
    tocsin_error error;
    setup s;
    make_setup(&s, "cpu", "logreg", NULL, NULL);
    tocsin_derivatives *d = NULL;
    refused("batch", tocsin_derivatives_create(s.device, s.model, 0, NULL, &d, e));
    refused("batch", tocsin_derivatives_create(s.device, s.model, INT32_MAX, NULL, &d, e));
    refused("NULL", tocsin_derivatives_create(NULL, s.model, 1, NULL, &d, e));
    refused("NULL", tocsin_derivatives_create(s.device, NULL, 1, NULL, &d, e));
    refused("NULL", tocsin_derivatives_create(s.device, s.model, 1, NULL, NULL, e));
    const tocsin_derive_options wrong[] = {{.mode = (tocsin_mode)2}, {.loss = (tocsin_loss)17}, {.kappa = -1}};
    refused("mode 2", tocsin_derivatives_create(s.device, s.model, 1, &wrong[0], &d, e));
    refused("loss 17", tocsin_derivatives_create(s.device, s.model, 1, &wrong[1], &d, e));
    refused("kappa", tocsin_derivatives_create(s.device, s.model, 1, &wrong[2], &d, e));
    assert_null(d);
    tocsin_derivatives_free(NULL);
    end_setup(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agree_with_differences), cmocka_unit_test(are_symmetric),
        cmocka_unit_test(leave_the_model_alone),  cmocka_unit_test(follow_model_and_loss),
        cmocka_unit_test(refuse_wrong_calls),     cmocka_unit_test(refuse_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
