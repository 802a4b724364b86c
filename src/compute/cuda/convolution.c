/* convolution.c — z = W ∗ a + b and its adjoints by cuDNN, on NHWC tensors.
 *
 * Parameters are OIHW in the flat vector; with NHWC goes (output, row, column, input), so conv_pack transposes into the
 * plan's own memory and the gradient is transposed back, unless both orders are one (1×1 windows, each channel alone).
 *
 * The precision decides what cuDNN gets (`ways`): floats that it multiplies in full or cuts to TF32, or bf16. Halves
 * (compute/shape.h) are bf16 already, read and written as they lie; floats are rounded just before the call, and
 * results that have to be floats come by way of bf16 where the library gives nothing else. Where it has no algorithm
 * for a geometry in bf16 the plan falls back on TF32, which is what bf16 permits and more.
 *
 * Where every channel goes alone kernels of our own do all of it.
 *
 * These are cuDNN 9's older calls (cudnnConvolution…); docs/dependencies.md says why. */
#include "compute/cuda/convolution.h"

#include "compute/cuda/kernels.h"

#include <stdlib.h>

enum { VECTOR_BYTES = 16 }; /* how cuDNN's kernels load and store at most */

struct tc_conv_plan {
    tc_device *device;
    tc_convolution g;
    int ins, taps; /* input channels of a group; places in a window */
    size_t weights;
    bool alone;            /* each channel: nothing below but `packed` is used */
    int in_type, out_type; /* how the activations lie in memory */
    int operands;          /* what is multiplied, the same in all directions */
    tc_cuda_way way[TC_CUDA_SENSES];
    tc_cuda_described described;
    tc_cuda_algorithm algorithm[TC_CUDA_SENSES];
    void *packed[2];                  /* W and Ẇ, as operands */
    tc_cuda_scratch *scratch;         /* shared with other plans; holds at … */
    size_t in_at, out_at, weights_at; /* … operands or results that are not as they come, … */
    size_t work_at; /* … and what an algorithm works in, where the device's workspace is too small */
    bool fused;     /* bias and ReLU are left to cuDNN, with … */
    cudnnActivationDescriptor_t relu;
    cudnnTensorDescriptor_t bias_shape;
    void *bias; /* [out.c] for one that lies unevenly */
};

static const size_t bytes_of[TC_CUDA_TYPES] = {[TC_CUDA_FLOAT] = sizeof(real), [TC_CUDA_BF16] = 2};

/* What is multiplied and how, for each precision, the best first. */
enum { MOST_WAYS = 2 };
static const struct {
    int operands;
    cudnnMathType_t math;
} ways[][MOST_WAYS] = {
    [TC_F32_MATHS] = {{TC_CUDA_FLOAT, CUDNN_FMA_MATH}},
    [TC_TF32_MATHS] = {{TC_CUDA_FLOAT, CUDNN_DEFAULT_MATH}},
    [TC_BF16_MATHS] = {{TC_CUDA_BF16, CUDNN_TENSOR_OP_MATH}, {TC_CUDA_FLOAT, CUDNN_DEFAULT_MATH}},
};
static const int way_count[] = {[TC_F32_MATHS] = 1, [TC_TF32_MATHS] = 1, [TC_BF16_MATHS] = 2};

/* ---- descriptions ---- */

/* A plan that cannot be made is no failure of the device, which goes on. */
static tc_status refuse(const tc_conv_plan *plan, const char *why, tc_error *error) {
    const tc_convolution *g = &plan->g;
    return tc_raise(error, TC_FAILED,
                    "device cuda:%d: cuDNN has no convolution of %dx%dx%dx%d to %d channels, window %d, stride %d, "
                    "padding %d, groups %d (%s); use --device cpu",
                    plan->device->options.index, g->in.n, g->in.h, g->in.w, g->in.c, g->out.c, g->kernel, g->stride,
                    g->padding, g->groups, why);
}

static tc_status check(const tc_conv_plan *plan, cudnnStatus_t status, tc_error *error) {
    return status == CUDNN_STATUS_SUCCESS ? TC_OK : refuse(plan, cudnnGetErrorString(status), error);
}

static tc_status describe_tensors(tc_conv_plan *plan, int type, tc_error *error) {
    const cudnnDataType_t data = type == TC_CUDA_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const tc_convolution *g = &plan->g;
    tc_cuda_described *d = &plan->described;
    tc_status status = TC_OK;
    TC_TRY(check(plan, cudnnCreateTensorDescriptor(&d->in[type]), error));
    TC_TRY(check(plan, cudnnCreateTensorDescriptor(&d->out[type]), error));
    TC_TRY(check(plan, cudnnCreateFilterDescriptor(&d->weights[type]), error));
    TC_TRY(check(plan,
                 cudnnSetTensor4dDescriptor(d->in[type], CUDNN_TENSOR_NHWC, data, g->in.n, g->in.c, g->in.h, g->in.w),
                 error));
    TC_TRY(check(
        plan, cudnnSetTensor4dDescriptor(d->out[type], CUDNN_TENSOR_NHWC, data, g->out.n, g->out.c, g->out.h, g->out.w),
        error));
    TC_TRY(check(plan,
                 cudnnSetFilter4dDescriptor(d->weights[type], data, CUDNN_TENSOR_NHWC, g->out.c, plan->ins, g->kernel,
                                            g->kernel),
                 error));
done:
    return status;
}

/* One for each direction, because the kind of arithmetic is part of it. */
static tc_status describe_senses(tc_conv_plan *plan, tc_error *error) {
    const tc_convolution *g = &plan->g;
    tc_status status = TC_OK;
    for (int sense = 0; sense < TC_CUDA_SENSES; sense++) {
        cudnnConvolutionDescriptor_t *d = &plan->described.sense[sense];
        TC_TRY(check(plan, cudnnCreateConvolutionDescriptor(d), error));
        TC_TRY(check(plan,
                     cudnnSetConvolution2dDescriptor(*d, g->padding, g->padding, g->stride, g->stride, 1, 1,
                                                     CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                     error));
        TC_TRY(check(plan, cudnnSetConvolutionGroupCount(*d, g->groups), error));
    }
done:
    return status;
}

static tc_status describe(tc_conv_plan *plan, tc_error *error) {
    tc_status status = TC_OK;
    TC_TRY(describe_tensors(plan, TC_CUDA_FLOAT, error));
    if (plan->device->options.precision == TC_BF16_MATHS) TC_TRY(describe_tensors(plan, TC_CUDA_BF16, error));
    TC_TRY(describe_senses(plan, error));
done:
    return status;
}

/* ---- choosing ---- */

static bool asked_for(const tc_convolution *g, int sense) {
    return sense == TC_CUDA_FORWARD || (!g->forward_only && !(sense == TC_CUDA_DATA && g->first));
}

/* What a direction's results are in the end. */
static int wanted_type(const tc_conv_plan *plan, int sense) {
    return sense == TC_CUDA_FORWARD ? plan->out_type : sense == TC_CUDA_DATA ? plan->in_type : TC_CUDA_FLOAT;
}

/* Results as they are wanted, else as cuDNN has them; floats never make bf16. */
static tc_status try_results(tc_conv_plan *plan, int sense, bool *able, tc_error *error) {
    const int wanted = wanted_type(plan, sense), results[] = {wanted, TC_CUDA_TYPES - 1 - wanted};
    tc_cuda_way *way = &plan->way[sense];
    tc_status status = TC_OK;
    *able = false;
    for (int i = 0; i < 2 && !*able; i++) {
        way->results = results[i];
        if (way->operands == TC_CUDA_FLOAT && way->results != TC_CUDA_FLOAT) continue;
        TC_TRY(tc_cuda_choose(plan->device, &plan->g, &plan->described, sense, *way, &plan->algorithm[sense], error));
        *able = plan->algorithm[sense].number >= 0;
    }
done:
    return status;
}

/* Whether all directions can go that way. */
static tc_status try_way(tc_conv_plan *plan, int operands, cudnnMathType_t math, bool *able, tc_error *error) {
    tc_status status = TC_OK;
    *able = true;
    plan->operands = operands;
    for (int sense = 0; sense < TC_CUDA_SENSES && *able; sense++) {
        if (!asked_for(&plan->g, sense)) continue;
        plan->way[sense] = (tc_cuda_way){.operands = operands, .math = math};
        TC_TRY(try_results(plan, sense, able, error));
    }
done:
    return status;
}

static tc_status choose_way(tc_conv_plan *plan, tc_error *error) {
    const int precision = plan->device->options.precision;
    bool able = false;
    tc_status status = TC_OK;
    for (int i = 0; i < way_count[precision] && !able; i++)
        TC_TRY(try_way(plan, ways[precision][i].operands, ways[precision][i].math, &able, error));
    if (!able) TC_TRY(refuse(plan, "no algorithm", error));
done:
    return status;
}

/* cuDNN's call with bias and ReLU, where there will be both. */
static tc_status plan_fusion(tc_conv_plan *plan, tc_error *error) {
    tc_status status = TC_OK;
    plan->fused = plan->g.relu && plan->g.bias && plan->operands == TC_CUDA_FLOAT && plan->in_type == TC_CUDA_FLOAT &&
                  plan->out_type == TC_CUDA_FLOAT;
    if (!plan->fused) goto done;
    TC_TRY(check(plan, cudnnCreateActivationDescriptor(&plan->relu), error));
    TC_TRY(check(plan, cudnnSetActivationDescriptor(plan->relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0), error));
    TC_TRY(check(plan, cudnnCreateTensorDescriptor(&plan->bias_shape), error));
    TC_TRY(check(
        plan, cudnnSetTensor4dDescriptor(plan->bias_shape, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, plan->g.out.c, 1, 1),
        error));
    TC_TRY(tc_device_reals(plan->device, (size_t)plan->g.out.c, &plan->bias, error));
done:
    return status;
}

/* ---- memory ---- */

static size_t stretch(size_t bytes, size_t *end) {
    const size_t at = *end;
    *end += (bytes + 255) / 256 * 256;
    return at;
}

/* For an activation that lies as one type, is multiplied as another or left as a third; 0: it is all one. */
static size_t in_between(const tc_conv_plan *plan, tc_shape shape, int type, int results) {
    const size_t read = plan->operands == type ? 0 : bytes_of[plan->operands];
    const size_t written = results == type ? 0 : bytes_of[results];
    return tc_shape_count(shape) * (read > written ? read : written);
}

/* What does not fit the device's workspace. */
static size_t own_workspace(const tc_conv_plan *plan) {
    size_t most = 0;
    for (int sense = 0; sense < TC_CUDA_SENSES; sense++)
        if (plan->algorithm[sense].workspace > most) most = plan->algorithm[sense].workspace;
    return most > TC_CUDA_WORKSPACE ? most : 0;
}

static tc_status plan_scratch(tc_conv_plan *plan, tc_error *error) {
    const tc_convolution *g = &plan->g;
    const int of_data = asked_for(g, TC_CUDA_DATA) ? plan->way[TC_CUDA_DATA].results : plan->in_type;
    size_t end = 0;
    tc_status status = TC_OK;
    plan->in_at = stretch(in_between(plan, g->in, plan->in_type, of_data), &end);
    plan->out_at = stretch(in_between(plan, g->out, plan->out_type, plan->way[TC_CUDA_FORWARD].results), &end);
    if (!g->forward_only)
        plan->weights_at = stretch(plan->weights * bytes_of[plan->way[TC_CUDA_GRADIENT].results], &end);
    plan->work_at = stretch(own_workspace(plan), &end);
    if (end) TC_TRY(tc_cuda_scratch_take(plan->device, end, &plan->scratch, error));
done:
    return status;
}

static void *scratch_at(const tc_conv_plan *plan, size_t offset) {
    return (char *)plan->scratch->memory + offset;
}

static void *workspace_for(const tc_conv_plan *plan, const tc_cuda_algorithm *a) {
    return a->workspace > TC_CUDA_WORKSPACE ? scratch_at(plan, plan->work_at)
                                            : tc_cuda_state_of(plan->device)->workspace;
}

/* All there is: with other factors or a ReLU behind it a call may need more than was said of the plain one. */
static size_t room_for(const tc_cuda_algorithm *a) {
    return a->workspace > TC_CUDA_WORKSPACE ? a->workspace : TC_CUDA_WORKSPACE;
}

/* ---- plans ---- */

tc_status tc_cuda_conv_create(tc_device *device, const tc_convolution *geometry, tc_conv_plan **plan, tc_error *error) {
    tc_conv_plan *made = NULL;
    tc_status status = TC_OK;
    *plan = NULL;
    TC_TRY(tc_convolution_check(geometry, error));
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->device = device;
    made->g = *geometry;
    made->ins = geometry->in.c / geometry->groups;
    made->taps = geometry->kernel * geometry->kernel;
    made->weights = (size_t)geometry->out.c * (size_t)made->ins * (size_t)made->taps;
    made->in_type = geometry->in.half ? TC_CUDA_BF16 : TC_CUDA_FLOAT;
    made->out_type = geometry->out.half ? TC_CUDA_BF16 : TC_CUDA_FLOAT;
    made->alone = tc_cuda_depthwise_fits(geometry);
    if (!made->alone) {
        TC_TRY(describe(made, error));
        TC_TRY(choose_way(made, error));
        TC_TRY(plan_fusion(made, error));
        TC_TRY(plan_scratch(made, error));
    }
    for (int which = 0; which < (geometry->tangents ? 2 : 1); which++)
        TC_TRY(tc_cuda_allocate(device, made->weights * bytes_of[made->operands], &made->packed[which], error));
    *plan = made;
    made = NULL;
done:
    tc_cuda_conv_destroy(device, made);
    return status;
}

void tc_cuda_conv_destroy(tc_device *device, tc_conv_plan *plan) {
    if (!plan) return;
    const tc_cuda_described *d = &plan->described;
    for (int type = 0; type < TC_CUDA_TYPES; type++) {
        if (d->in[type]) cudnnDestroyTensorDescriptor(d->in[type]);
        if (d->out[type]) cudnnDestroyTensorDescriptor(d->out[type]);
        if (d->weights[type]) cudnnDestroyFilterDescriptor(d->weights[type]);
    }
    for (int sense = 0; sense < TC_CUDA_SENSES; sense++)
        if (d->sense[sense]) cudnnDestroyConvolutionDescriptor(d->sense[sense]);
    if (plan->relu) cudnnDestroyActivationDescriptor(plan->relu);
    if (plan->bias_shape) cudnnDestroyTensorDescriptor(plan->bias_shape);
    tc_cuda_release(device, plan->bias);
    for (int which = 0; which < 2; which++) tc_cuda_release(device, plan->packed[which]);
    tc_cuda_scratch_return(device, plan->scratch);
    free(plan);
}

void tc_cuda_conv_pack(tc_conv_plan *plan, int which, const void *weights) {
    const int outs = plan->alone ? 1 : plan->g.out.c, ins = plan->alone ? plan->g.in.c : plan->ins;
    tc_cuda_weights_pack(plan->device, outs, ins, plan->taps, weights, plan->operands, plan->packed[which]);
}

/* ---- the three maps ---- */

static const float zero = 0, one = 1;

static bool even(const void *pointer) {
    return (uintptr_t)pointer % VECTOR_BYTES == 0;
}

/* An activation as cuDNN is to read it. */
static const void *operand(const tc_conv_plan *plan, tc_shape shape, int type, size_t offset, const void *x) {
    const tc_cuda_finish converted = {.count = tc_shape_count(shape),
                                      .from = x,
                                      .to = type == plan->operands ? NULL : scratch_at(plan, offset),
                                      .from_type = type,
                                      .to_type = plan->operands};
    if (!converted.to) return x;
    tc_cuda_conv_finish(plan->device, &converted);
    return converted.to;
}

/* z = max(0, W ∗ x + b) in one call; false where cuDNN does not do that, whatever it says why, and then never again. */
static bool forward_fused(tc_conv_plan *plan, const void *x, const void *bias, void *z) {
    const tc_cuda_state *state = tc_cuda_state_of(plan->device);
    const tc_cuda_described *d = &plan->described;
    const tc_cuda_algorithm *a = &plan->algorithm[TC_CUDA_FORWARD];
    if (!even(bias)) {
        tc_cuda_copy(plan->device, (size_t)plan->g.out.c, bias, plan->bias);
        bias = plan->bias;
    }
    const cudnnStatus_t status = cudnnConvolutionBiasActivationForward(
        state->dnn, &one, d->in[TC_CUDA_FLOAT], x, d->weights[TC_CUDA_FLOAT], plan->packed[TC_WEIGHTS],
        d->sense[TC_CUDA_FORWARD], (cudnnConvolutionFwdAlgo_t)a->number, workspace_for(plan, a), room_for(a), &zero,
        d->out[TC_CUDA_FLOAT], z, plan->bias_shape, bias, plan->relu, d->out[TC_CUDA_FLOAT], z);
    plan->fused = status == CUDNN_STATUS_SUCCESS;
    if (!plan->fused) cudaGetLastError(); /* what is wrong with more than this call the next one will say */
    return plan->fused;
}

/* The ReLU belongs to the value alone: tangents come with Ẇ or are accumulated, and are masked by whoever asked. */
void tc_cuda_conv_forward(tc_conv_plan *plan, int which, const void *x, const void *bias, void *z, bool accumulate) {
    const tc_cuda_state *state = tc_cuda_state_of(plan->device);
    const tc_cuda_described *d = &plan->described;
    const tc_cuda_algorithm *a = &plan->algorithm[TC_CUDA_FORWARD];
    const tc_shape out = plan->g.out;
    const bool relu = plan->g.relu && which == TC_WEIGHTS && !accumulate;
    const tc_cuda_way way = plan->way[TC_CUDA_FORWARD];
    const bool direct = way.results == plan->out_type;
    if (plan->alone) {
        tc_cuda_depthwise_forward(plan->device, &plan->g, plan->packed[which], x, bias, relu, accumulate, z);
        return;
    }
    if (plan->fused && relu && bias && forward_fused(plan, x, bias, z)) return;
    const void *from = operand(plan, plan->g.in, plan->in_type, plan->in_at, x);
    void *to = direct ? z : scratch_at(plan, plan->out_at);
    tc_cuda_dnn_went(plan->device,
                     cudnnConvolutionForward(state->dnn, &one, d->in[way.operands], from, d->weights[way.operands],
                                             plan->packed[which], d->sense[TC_CUDA_FORWARD],
                                             (cudnnConvolutionFwdAlgo_t)a->number, workspace_for(plan, a), room_for(a),
                                             direct && accumulate ? &one : &zero, d->out[way.results], to),
                     "convolution");
    if (direct && !bias && !relu) return;
    const tc_cuda_finish finish = {tc_shape_count(out),  out.c, to, z, way.results, plan->out_type, bias, relu,
                                   !direct && accumulate};
    tc_cuda_conv_finish(plan->device, &finish);
}

void tc_cuda_conv_backward_data(tc_conv_plan *plan, int which, const void *dz, void *dx) {
    if (plan->alone) {
        tc_cuda_depthwise_data(plan->device, &plan->g, plan->packed[which], dz, dx);
        return;
    }
    const tc_cuda_state *state = tc_cuda_state_of(plan->device);
    const tc_cuda_described *d = &plan->described;
    const tc_cuda_algorithm *a = &plan->algorithm[TC_CUDA_DATA];
    const tc_shape in = plan->g.in;
    const tc_cuda_way way = plan->way[TC_CUDA_DATA];
    const bool direct = way.results == plan->in_type;
    const void *from = operand(plan, plan->g.out, plan->out_type, plan->out_at, dz);
    void *to = direct ? dx : scratch_at(plan, plan->in_at);
    tc_cuda_dnn_went(plan->device,
                     cudnnConvolutionBackwardData(state->dnn, &one, d->weights[way.operands], plan->packed[which],
                                                  d->out[way.operands], from, d->sense[TC_CUDA_DATA],
                                                  (cudnnConvolutionBwdDataAlgo_t)a->number, workspace_for(plan, a),
                                                  room_for(a), &zero, d->in[way.results], to),
                     "convolution, data gradient");
    const tc_cuda_finish finish = {
        .count = tc_shape_count(in), .from = to, .to = dx, .from_type = way.results, .to_type = plan->in_type};
    if (!direct) tc_cuda_conv_finish(plan->device, &finish);
}

static void gradient(const tc_conv_plan *plan, const void *x, const void *dz, void *dw, bool accumulate) {
    const tc_cuda_state *state = tc_cuda_state_of(plan->device);
    const tc_cuda_described *d = &plan->described;
    const tc_cuda_algorithm *a = &plan->algorithm[TC_CUDA_GRADIENT];
    const tc_cuda_way way = plan->way[TC_CUDA_GRADIENT];
    const bool as_is = way.results == TC_CUDA_FLOAT && (plan->ins == 1 || plan->taps == 1) && even(dw);
    const void *from = operand(plan, plan->g.in, plan->in_type, plan->in_at, x);
    const void *cotangent = operand(plan, plan->g.out, plan->out_type, plan->out_at, dz);
    void *to = as_is ? dw : scratch_at(plan, plan->weights_at);
    tc_cuda_dnn_went(plan->device,
                     cudnnConvolutionBackwardFilter(
                         state->dnn, &one, d->in[way.operands], from, d->out[way.operands], cotangent,
                         d->sense[TC_CUDA_GRADIENT], (cudnnConvolutionBwdFilterAlgo_t)a->number, workspace_for(plan, a),
                         room_for(a), as_is && accumulate ? &one : &zero, d->weights[way.results], to),
                     "convolution, weight gradient");
    if (!as_is)
        tc_cuda_weights_unpack(plan->device, plan->g.out.c, plan->ins, plan->taps, way.results, to, dw, accumulate);
}

void tc_cuda_conv_backward_weights(tc_conv_plan *plan, const void *x, const void *dz, void *dw, void *db,
                                   bool accumulate) {
    if (plan->alone)
        tc_cuda_depthwise_gradient(plan->device, &plan->g, x, dz, dw, accumulate);
    else
        gradient(plan, x, dz, dw, accumulate);
    if (db) plan->device->k->channel_sums(plan->device, plan->g.out, dz, db, accumulate);
}
