/* look.c — which GPU is meant, whether it will do, and what results that come from it should say of it. */
#include "compute/cuda/cuda.h"

#include <stdio.h>
#include <string.h>

static tc_status check(const tc_device_options *options, int index, const struct cudaDeviceProp *properties,
                       tc_error *error) {
    const int capability = 10 * properties->major + properties->minor;
    if (capability < 75)
        return tc_raise(error, TC_INVALID, "device cuda:%d: %s has compute capability %d.%d; 7.5 or later is needed",
                        index, properties->name, properties->major, properties->minor);
    if (options->precision != TC_F32_MATHS && capability < 80)
        return tc_raise(error, TC_INVALID, "device cuda:%d: %s has neither tf32 nor bf16; take precision f32", index,
                        properties->name);
    return TC_OK;
}

tc_status tc_cuda_find(const tc_device_options *options, int *index, int *count, struct cudaDeviceProp *properties,
                       tc_error *error) {
    cudaError_t went = cudaGetDeviceCount(count);
    if (went != cudaSuccess || *count == 0)
        return tc_raise(error, TC_INVALID, "device cuda: no GPU can be used here (%s); use cpu",
                        went == cudaSuccess ? "none was found" : cudaGetErrorString(went));
    *index = options->index < 0 ? options->turn % *count : options->index;
    if (*index >= *count)
        return tc_raise(error, TC_INVALID, "device cuda:%d: this machine has %d; count from 0", *index, *count);
    went = cudaGetDeviceProperties(properties, *index);
    if (went != cudaSuccess)
        return tc_raise(error, TC_INVALID, "device cuda:%d: does not say what it is (%s); use another, or cpu", *index,
                        cudaGetErrorString(went));
    return check(options, *index, properties, error);
}

/* ---- what it is ---- */

/* "570.124.06", the word after "Module" in the driver's own file; "" where there is none. */
static void driver_release(char release[32]) {
    char line[256] = "";
    FILE *file = fopen("/proc/driver/nvidia/version", "r");
    release[0] = '\0';
    if (!file) return;
    const char *at = fgets(line, sizeof line, file) ? strstr(line, "Module") : NULL;
    fclose(file);
    if (at) at = strpbrk(at, "0123456789");
    if (at) snprintf(release, 32, "%.*s", (int)strspn(at, "0123456789."), at);
}

/* How many of the GPUs that may be taken are called like this one. */
static int namesakes(const tc_device_options *options, int count, const char *name) {
    struct cudaDeviceProp other;
    int same = 0;
    if (options->index >= 0) return 1;
    for (int i = 0; i < count; i++)
        same += cudaGetDeviceProperties(&other, i) == cudaSuccess && !strcmp(other.name, name);
    return same;
}

tc_status tc_cuda_look(const tc_device_options *options, tc_device_facts *facts, tc_error *error) {
    struct cudaDeviceProp properties = {0};
    int index, driver = 0, runtime = 0;
    char release[32], many[32] = "";
    const tc_status status = tc_cuda_find(options, &index, &facts->count, &properties, error);
    if (status != TC_OK) return status;
    const size_t dnn = cudnnGetVersion(), blas = cublasLtGetVersion();
    const int same = namesakes(options, facts->count, properties.name);
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    driver_release(release);
    if (same > 1) snprintf(many, sizeof many, "%d x ", same);
    /* what is too long is cut */
    const int length =
        snprintf(facts->description, sizeof facts->description,
                 "%s%.80s%s (compute capability %d.%d, %.0f GiB), driver %s%sfor CUDA %d.%d, runtime %d.%d, cuDNN "
                 "%zu.%zu.%zu, cuBLASLt %zu.%zu.%zu",
                 many, properties.name, options->index < 0 && same < facts->count ? " and others" : "",
                 properties.major, properties.minor, (double)properties.totalGlobalMem / 0x1p30, release,
                 *release ? " " : "", driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10,
                 dnn / 10000, dnn / 100 % 100, dnn % 100, blas / 10000, blas / 100 % 100, blas % 100);
    if (length < 0) facts->description[0] = '\0';
    return TC_OK;
}
