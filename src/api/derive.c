#include "api/api.h"

#include "nn/pass.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { MOST_IMAGES = 65536 };

static const tc_mode modes[] = {[TOCSIN_MODE_EVALUATE] = TC_EVALUATE, [TOCSIN_MODE_TRAIN] = TC_TRAIN};
static const tc_loss_kind losses[] = {[TOCSIN_CROSS_ENTROPY] = TC_CROSS_ENTROPY,
                                      [TOCSIN_SQUARED_ERROR] = TC_SQUARED_ERROR,
                                      [TOCSIN_HINGE] = TC_HINGE,
                                      [TOCSIN_MARGIN] = TC_MARGIN};
enum { MODES = sizeof modes / sizeof *modes, LOSSES = sizeof losses / sizeof *losses };

struct tocsin_derivatives {
    tc_device *device;
    const tocsin_model *model;
    tc_pass *pass;
    tc_stream stream; /* of dropout */
    int batch;
    size_t p, pixels;        /* lengths of the vectors over θ and over x */
    void *theta, *state;     /* device reals [p], [statistics] */
    void *theta_dot, *x_dot; /* device reals [p], [pixels]: directions */
    void *of_theta, *of_x;   /* the same: results, on their way to the caller */
    bool ready;              /* the pass holds what grad left */
};

/* ---- making ---- */

static tc_status check_options(const tocsin_derive_options *options, int batch, tc_error *error) {
    if (batch < 1 || batch > MOST_IMAGES)
        return tc_raise(error, TC_INVALID, "derive: a batch of %d images; give 1 … %d", batch, MOST_IMAGES);
    if ((unsigned)options->mode >= MODES || (unsigned)options->loss >= LOSSES)
        return tc_raise(error, TC_INVALID, "derive: there is no mode %d or no loss %d; give one of tocsin/derive.h",
                        (int)options->mode, (int)options->loss);
    if (!(options->kappa >= 0 && isfinite(options->kappa)))
        return tc_raise(error, TC_INVALID, "derive: kappa is %g; give 0 or more", options->kappa);
    return TC_OK;
}

static tc_status make_vectors(tocsin_derivatives *d, tc_error *error) {
    void **const of_theta[] = {&d->theta, &d->theta_dot, &d->of_theta}, **const of_x[] = {&d->x_dot, &d->of_x};
    tc_status status = TC_OK;
    for (int i = 0; i < 3; i++) TC_TRY(tc_device_reals(d->device, d->p, of_theta[i], error));
    for (int i = 0; i < 2; i++) TC_TRY(tc_device_reals(d->device, d->pixels, of_x[i], error));
    TC_TRY(
        tc_device_reals(d->device, tc_model_state(d->model->network->model) + 1, &d->state, error)); /* never empty */
done:
    return status;
}

tocsin_status tocsin_derivatives_create(tocsin_device *device, const tocsin_model *model, int batch,
                                        const tocsin_derive_options *options, tocsin_derivatives **derivatives,
                                        tocsin_error *error) {
    static const tocsin_derive_options usual = {0};
    TC_ENTER;
    TC_NEED(derivatives);
    *derivatives = NULL;
    TC_NEED(device);
    TC_NEED(model);
    if (!options) options = &usual;
    tocsin_derivatives *d = NULL;
    tc_status status = TC_OK;
    TC_TRY(check_options(options, batch, error));
    TC_TRY(tc_new(&d, 1, sizeof *d, error));
    d->device = tc_device_of(device);
    d->model = model;
    d->stream = tc_stream_child(tc_stream_make(options->seed), "derive", 0);
    d->batch = batch;
    d->p = tc_model_parameters(model->network->model);
    d->pixels = (size_t)batch * tc_shape_count(tc_model_input(model->network->model));
    const tc_pass_options asked = {.batch = batch,
                                   .mode = modes[options->mode],
                                   .loss = losses[options->loss],
                                   .kappa = options->kappa,
                                   .want = TC_WANT_GRAD_THETA | TC_WANT_GRAD_X | TC_WANT_JVP_THETA | TC_WANT_JVP_X |
                                           TC_WANT_X_DOT};
    TC_TRY(tc_pass_create(d->device, model->network->model, &asked, &d->pass, error));
    TC_TRY(make_vectors(d, error));
    *derivatives = d;
    d = NULL;
done:
    tocsin_derivatives_free(d);
    return status;
}

void tocsin_derivatives_free(tocsin_derivatives *d) {
    if (!d) return;
    void *const memory[] = {d->theta, d->state, d->theta_dot, d->x_dot, d->of_theta, d->of_x};
    tc_device_enter(d->device);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i]) d->device->k->release(d->device, memory[i]);
    tc_pass_free(d->pass);
    free(d);
}

/* ---- in and out ---- */

static tc_status check_finite(const char *name, const float *values, size_t count, tc_error *error) {
    for (size_t i = 0; values && i < count; i++)
        if (!isfinite(values[i]))
            return tc_raise(error, TC_INVALID, "derive: %s[%zu] is %g; give finite numbers", name, i,
                            (double)values[i]);
    return TC_OK;
}

/* The point at which derivatives are asked for: on the device, labels checked. */
static tc_status load(tocsin_derivatives *d, const float *x, const int32_t *labels, tc_error *error) {
    const tc_kernels *k = d->device->k;
    const tc_model *network = d->model->network->model;
    const int classes = tc_model_classes(network);
    tc_status status = check_finite("x", x, d->pixels, error);
    for (int i = 0; i < d->batch && status == TC_OK; i++)
        if (labels[i] < 0 || labels[i] >= classes)
            status = tc_raise(error, TC_INVALID, "derive: labels[%d] is %" PRId32 "; must be 0 … %d", i, labels[i],
                              classes - 1);
    if (status != TC_OK) return status;
    tc_device_enter(d->device);
    d->ready = false;
    k->upload_float(d->device, tc_pass_input(d->pass), x, d->pixels);
    k->upload_bytes(d->device, tc_pass_labels(d->pass), labels, (size_t)d->batch * sizeof *labels);
    k->upload_float(d->device, d->theta, d->model->weights.theta, d->p);
    k->upload_float(d->device, d->state, d->model->weights.state, tc_model_state(network));
    tc_pass_set_stream(d->pass, d->stream);
    return TC_OK;
}

/* to := from, where the caller wants it. */
static void deliver(const tocsin_derivatives *d, float *to, const void *from, size_t count) {
    if (to) d->device->k->download_float(d->device, to, from, count);
}

/* ---- the four calls ---- */

tocsin_status tocsin_derive_loss(tocsin_derivatives *derivatives, const float *x, const int32_t *labels, double *loss,
                                 float *logits, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(derivatives);
    TC_NEED(x);
    TC_NEED(labels);
    tocsin_derivatives *d = derivatives;
    const tc_status status = load(d, x, labels, error);
    if (status != TC_OK) return status;
    const double value = tc_pass_forward(d->pass, d->theta, d->state);
    if (loss) *loss = value;
    deliver(d, logits, tc_pass_logits(d->pass), (size_t)d->batch * (size_t)tocsin_model_classes(d->model));
    return tc_device_health(d->device, error);
}

tocsin_status tocsin_derive_grad(tocsin_derivatives *derivatives, const float *x, const int32_t *labels, double *loss,
                                 float *g_theta, float *g_x, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(derivatives);
    TC_NEED(x);
    TC_NEED(labels);
    tocsin_derivatives *d = derivatives;
    const tc_status status = load(d, x, labels, error);
    if (status != TC_OK) return status;
    const double value = tc_pass_grad(d->pass, d->theta, d->state, d->of_theta, d->of_x);
    d->ready = true;
    if (loss) *loss = value;
    deliver(d, g_theta, d->of_theta, d->p);
    deliver(d, g_x, d->of_x, d->pixels);
    return tc_device_health(d->device, error);
}

tocsin_status tocsin_derive_grad_jvp(tocsin_derivatives *derivatives, const float *theta_dot, const float *x_dot,
                                     float *gdot_theta, float *gdot_x, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(derivatives);
    tocsin_derivatives *d = derivatives;
    const tc_kernels *k = d->device->k;
    tc_status status = TC_OK;
    if (!d->ready) TC_RAISE(TC_INVALID, "derive: no gradient to take the derivative of; call tocsin_derive_grad first");
    if (!theta_dot && !x_dot) TC_RAISE(TC_INVALID, "derive: no direction; give theta_dot or x_dot");
    TC_TRY(check_finite("theta_dot", theta_dot, d->p, error));
    TC_TRY(check_finite("x_dot", x_dot, d->pixels, error));
    tc_device_enter(d->device);
    if (theta_dot) k->upload_float(d->device, d->theta_dot, theta_dot, d->p);
    if (x_dot) k->upload_float(d->device, d->x_dot, x_dot, d->pixels);
    tc_pass_grad_jvp(d->pass, theta_dot ? d->theta_dot : NULL, x_dot ? d->x_dot : NULL, gdot_theta ? d->of_theta : NULL,
                     gdot_x ? d->of_x : NULL);
    deliver(d, gdot_theta, d->of_theta, d->p);
    deliver(d, gdot_x, d->of_x, d->pixels);
    TC_TRY(tc_device_health(d->device, error));
done:
    return status;
}

tocsin_status tocsin_derive_hvp(tocsin_derivatives *derivatives, const float *x, const int32_t *labels, const float *v,
                                float *hv, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(v);
    TC_NEED(hv);
    const tc_status status = tocsin_derive_grad(derivatives, x, labels, NULL, NULL, NULL, error);
    return status == TC_OK ? tocsin_derive_grad_jvp(derivatives, v, NULL, hv, NULL, error) : status;
}
