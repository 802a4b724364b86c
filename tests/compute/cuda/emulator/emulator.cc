/* emulator.cc — the runtime: device memory, streams, graphs, and blocks of fibers.
 *
 * Threads may use it side by side, as they may CUDA: each has its own current GPU and last error, a stream is one
 * thread's at a time, and what there is once (memory, the processor that is the GPU) is under one lock. */
#undef _FORTIFY_SOURCE /* whose longjmp takes another stack for an error */
#include "cuda_runtime.h"
#include "library.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

typedef std::function<void()> work;

/* ---- device memory: one stretch of addresses, closed to the host but while the queue runs ---- */

namespace {

std::recursive_mutex machine;
typedef std::lock_guard<std::recursive_mutex> alone;

const size_t DEVICE_BYTES = (size_t)3 << 30, LINE = 256;

struct arena {
    char *base = nullptr;
    size_t top = 0;                      /* end of what was ever used */
    std::map<size_t, size_t> taken;      /* offset → bytes, rounded up */
    std::multimap<size_t, size_t> spare; /* bytes → offset */

    void make() {
        if (base) return;
        void *got = mmap(nullptr, DEVICE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (got == MAP_FAILED) abort();
        base = (char *)got;
    }
    void open(bool yes) {
        if (top) mprotect(base, top, yes ? PROT_READ | PROT_WRITE : PROT_NONE);
    }
    bool holds(const void *p) const {
        return base && (const char *)p >= base && (const char *)p < base + DEVICE_BYTES;
    }
} device;

std::map<char *, size_t> pinned;
thread_local cudaError_t last = cudaSuccess;
thread_local int chosen;   /* GPU */
std::atomic<bool> faulted; /* a kernel has failed: nothing works any more in this process */
std::atomic<pid_t> owner;  /* the process that came first: CUDA does not survive a fork */

cudaError_t fails(cudaError_t why) {
    return last = why;
}

bool is_pinned(const void *p) {
    auto after = pinned.upper_bound((char *)p);
    if (after == pinned.begin()) return false;
    --after;
    return (const char *)p < after->first + after->second;
}

/* What every call begins with. */
cudaError_t standing() {
    pid_t nobody = 0;
    owner.compare_exchange_strong(nobody, getpid());
    if (owner != getpid()) return last = cudaErrorInitializationError;
    return faulted ? last = cudaErrorLaunchFailure : cudaSuccess;
}

/* Whether this launch is the one that TOCSIN_EMULATED_FAULT=N[@GPU] asks to fail. */
bool shall_fail() {
    static const char *const said = getenv("TOCSIN_EMULATED_FAULT");
    static std::atomic<long> launches;
    if (!said) return false;
    char *end;
    const long which = strtol(said, &end, 10);
    return ++launches == which && (*end != '@' || atoi(end + 1) == chosen);
}

bool poolless() {
    return getenv("TOCSIN_EMULATED_POOLLESS");
}

} // namespace

struct tc_emulated_stream {
    const int gpu = chosen;
    std::vector<work> queue;
    bool capturing = false, broken = false;
    std::vector<work> captured;
    std::multimap<size_t, size_t> spare; /* bytes → offset: given back in this stream's order */
};

struct tc_emulated_graph {
    std::vector<work> steps;
};

struct tc_emulated_event {
    std::chrono::steady_clock::time_point at;
    cudaStream_t stream = nullptr;
};

static void put(cudaStream_t stream, work step) {
    (stream->capturing ? stream->captured : stream->queue).push_back(std::move(step));
}

void tc_emulator_queue(cudaStream_t stream, work step) {
    put(stream, std::move(step));
}

static void drain(cudaStream_t stream) {
    if (stream->queue.empty()) return;
    std::vector<work> steps;
    steps.swap(stream->queue);
    const alone here(machine);
    device.open(true);
    for (auto &step : steps)
        if (!faulted) step();
    device.open(false);
}

extern "C" {

cudaError_t cudaGetDeviceCount(int *count) {
    const char *said = getenv("TOCSIN_EMULATED_GPUS");
    *count = 0;
    if (standing() != cudaSuccess) return last;
    *count = said ? atoi(said) : 1;
    return *count > 0 ? cudaSuccess : fails(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int index) {
    int count;
    if (cudaGetDeviceCount(&count) == cudaSuccess) chosen = index;
    return index >= 0 && index < count ? cudaSuccess : fails(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int) {
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "emulated");
    properties->totalGlobalMem = DEVICE_BYTES;
    properties->major = 9;
    properties->multiProcessorCount = 1;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total) {
    const alone here(machine);
    *total = DEVICE_BYTES;
    *left = DEVICE_BYTES - device.top;
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
    const cudaError_t was = last;
    last = faulted ? cudaErrorLaunchFailure : cudaSuccess;
    return was;
}

const char *cudaGetErrorString(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorInvalidValue:
        return "invalid argument";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorInitializationError:
        return "initialization error";
    case cudaErrorInvalidResourceHandle:
        return "invalid resource handle";
    case cudaErrorLaunchFailure:
        return "unspecified launch failure";
    case cudaErrorInvalidConfiguration:
        return "invalid configuration argument";
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice:
        return "invalid device ordinal";
    case cudaErrorStreamCaptureUnsupported:
        return "operation not permitted when stream is capturing";
    default:
        return "unknown error";
    }
}

/* ---- streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
    *stream = new tc_emulated_stream;
    return standing();
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    drain(stream);
    const alone here(machine);
    device.spare.insert(stream->spare.begin(), stream->spare.end());
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    if (stream->capturing) {
        stream->broken = true;
        return fails(cudaErrorStreamCaptureUnsupported);
    }
    drain(stream);
    return standing();
}

/* ---- memory ---- */

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int) {
    if (attribute != cudaDevAttrMemoryPoolsSupported) return fails(cudaErrorInvalidValue);
    *value = !poolless();
    return cudaSuccess;
}

static size_t rounded(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

/* From what was given back there, if it is not much too large. */
static bool take_spare(std::multimap<size_t, size_t> &spare, size_t size, void **memory) {
    const auto found = spare.lower_bound(size);
    if (found == spare.end() || found->first >= 2 * size) return false;
    device.taken[found->second] = found->first;
    *memory = device.base + found->second;
    spare.erase(found);
    return true;
}

static cudaError_t take_new(size_t bytes, void **memory) {
    const size_t size = rounded(bytes);
    device.make();
    if (bytes > DEVICE_BYTES || device.top + size > DEVICE_BYTES) return fails(cudaErrorMemoryAllocation);
    device.taken[device.top] = size;
    *memory = device.base + device.top;
    device.top += size;
    return cudaSuccess;
}

static cudaError_t give_back(std::multimap<size_t, size_t> &spare, void *memory) {
    const auto found = device.taken.find((size_t)((char *)memory - device.base));
    if (!device.holds(memory) || found == device.taken.end()) return fails(cudaErrorInvalidValue);
    spare.emplace(found->second, found->first);
    device.taken.erase(found);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
    const alone here(machine);
    if (standing() != cudaSuccess) return last;
    return take_spare(device.spare, rounded(bytes), memory) ? cudaSuccess : take_new(bytes, memory);
}

cudaError_t cudaFree(void *memory) {
    const alone here(machine);
    return give_back(device.spare, memory);
}

cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t stream) {
    const alone here(machine);
    if (poolless()) return fails(cudaErrorInvalidValue);
    if (stream->capturing) return stream->broken = true, fails(cudaErrorStreamCaptureUnsupported);
    if (standing() != cudaSuccess) return last;
    const cudaError_t status =
        take_spare(stream->spare, rounded(bytes), memory) ? cudaSuccess : cudaMalloc(memory, bytes);
    return status != cudaSuccess || bytes > (1u << 20)
               ? status
               : cudaMemsetAsync(*memory, 0xff, bytes, stream); /* NaN, where that is cheap */
}

/* What this stream still has to do with it is behind nobody but this stream's next owner. */
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) {
    const alone here(machine);
    if (poolless()) return fails(cudaErrorInvalidValue);
    if (stream->capturing) return stream->broken = true, fails(cudaErrorStreamCaptureUnsupported);
    return give_back(stream->spare, memory);
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int) {
    if (poolless()) return fails(cudaErrorInvalidValue);
    *pool = nullptr;
    return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void *) {
    return attribute == cudaMemPoolAttrReleaseThreshold ? cudaSuccess : fails(cudaErrorInvalidValue);
}

cudaError_t cudaMallocHost(void **memory, size_t bytes) {
    const alone here(machine);
    *memory = malloc(bytes);
    if (!*memory) return fails(cudaErrorMemoryAllocation);
    pinned[(char *)*memory] = bytes;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory) {
    const alone here(machine);
    if (!pinned.erase((char *)memory)) return fails(cudaErrorInvalidValue);
    free(memory);
    return cudaSuccess;
}

/* Whole pages of zeros are pages given back: opening and closing the device's memory costs time for each page in use.
 */
static void set_bytes(char *memory, int value, size_t bytes) {
    const size_t page = 4096, before = (page - (size_t)memory % page) % page;
    if (value == 0 && bytes >= 16 * page) {
        const size_t whole = (bytes - before) / page * page;
        if (madvise(memory + before, whole, MADV_DONTNEED) == 0) {
            memset(memory, 0, before);
            memory += before + whole;
            bytes -= before + whole;
        }
    }
    memset(memory, value, bytes);
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream) {
    const alone here(machine);
    if (!device.holds(memory)) return fails(cudaErrorInvalidValue);
    put(stream, [=] { set_bytes((char *)memory, value, bytes); });
    return cudaSuccess;
}

static cudaError_t copy_up(void *to, const void *from, size_t bytes, cudaStream_t stream) {
    if (is_pinned(from)) {
        put(stream, [=] { memcpy(to, from, bytes); });
        return cudaSuccess;
    }
    if (stream->capturing) return stream->broken = true, fails(cudaErrorStreamCaptureUnsupported);
    const std::vector<char> kept((const char *)from, (const char *)from + bytes);
    put(stream, [=] { memcpy(to, kept.data(), bytes); });
    return cudaSuccess;
}

static cudaError_t copy_down(void *to, const void *from, size_t bytes, cudaStream_t stream) {
    if (stream->capturing && !is_pinned(to)) return stream->broken = true, fails(cudaErrorStreamCaptureUnsupported);
    put(stream, [=] { memcpy(to, from, bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    const alone here(machine);
    const bool up = device.holds(to), down = device.holds(from);
    if (standing() != cudaSuccess) return last;
    if (up != (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) ||
        down != (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice))
        return fails(cudaErrorInvalidValue);
    if (up && down) {
        put(stream, [=] { memmove(to, from, bytes); });
        return cudaSuccess;
    }
    return up ? copy_up(to, from, bytes, stream) : copy_down(to, from, bytes, stream);
}

/* ---- graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    if (stream->capturing) return fails(cudaErrorStreamCaptureUnsupported);
    stream->capturing = true;
    stream->broken = false;
    stream->captured.clear();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    *graph = nullptr;
    if (!stream->capturing) return fails(cudaErrorInvalidValue);
    stream->capturing = false;
    if (stream->broken) return fails(cudaErrorStreamCaptureUnsupported);
    *graph = new tc_emulated_graph{stream->captured};
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *ready, cudaGraph_t graph, unsigned long long) {
    *ready = new tc_emulated_graph(*graph);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t stream) {
    for (auto &step : ready->steps) put(stream, step);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t ready) {
    delete ready;
    return cudaSuccess;
}

/* ---- events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
    *event = new tc_emulated_event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    event->stream = stream;
    put(stream, [=] { event->at = std::chrono::steady_clock::now(); });
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    return event->stream ? cudaStreamSynchronize(event->stream) : cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to) {
    *milliseconds = std::chrono::duration<float, std::milli>(to->at - from->at).count();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}

} /* extern "C" */

/* ---- blocks of fibers ---- */

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

const size_t STACK = 64 << 10;
enum { WARP = 32, MOST_THREADS = 1024 };

struct fiber {
    ucontext_t at;
    jmp_buf here;
    void *known = nullptr; /* to the thread sanitizer */
    char *stack = nullptr;
    bool done = true, begun = false;
};

/* A place where `expected` threads meet; the last to come lets all go on. */
struct meeting {
    int arrived = 0;
    unsigned round = 0;
};

fiber fibers[MOST_THREADS], conductor;
const work *body;
int current, threads, alive, alive_in_warp[MOST_THREADS / WARP];
meeting of_block, of_warp[MOST_THREADS / WARP];
unsigned char exchanged[MOST_THREADS][8];
bool moved; /* somebody went on in this round of all fibers */

/* From one fiber to another. A jump where it can be: swapcontext asks the system for the signal mask each time, which
 * takes longer than most threads do. The sanitizers have to see the stacks change. */
void change(fiber &from, fiber &to) {
#if defined(__SANITIZE_ADDRESS__)
    swapcontext(&from.at, &to.at);
#elif defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(to.known, 0);
    swapcontext(&from.at, &to.at);
#else
    if (_setjmp(from.here)) return;
    from.begun = true;
    if (to.begun) _longjmp(to.here, 1);
    setcontext(&to.at);
#endif
}

void run_fiber() {
    for (;;) {
        (*body)();
        fibers[current].done = true;
        alive--;
        alive_in_warp[current / WARP]--;
        moved = true;
        change(fibers[current], conductor);
    }
}

void yield() {
    const int me = current;
    change(fibers[me], conductor);
}

void meet(meeting &place, const int &expected) {
    const unsigned round = place.round;
    place.arrived++;
    while (place.round == round) {
        if (place.arrived >= expected) {
            place.arrived = 0;
            place.round++;
            moved = true;
            return;
        }
        yield();
    }
    moved = true;
}

void start(int t) {
    fiber &f = fibers[t];
    f.done = false;
    if (f.stack) return; /* it waits behind its last body */
    f.stack = (char *)malloc(STACK);
#ifdef __SANITIZE_THREAD__
    f.known = __tsan_create_fiber(0);
#endif
    getcontext(&f.at);
    f.at.uc_stack.ss_sp = f.stack;
    f.at.uc_stack.ss_size = STACK;
    f.at.uc_link = nullptr;
    makecontext(&f.at, run_fiber, 0);
}

dim3 thread_of(int t) {
    const unsigned u = (unsigned)t;
    return dim3(u % blockDim.x, u / blockDim.x % blockDim.y, u / (blockDim.x * blockDim.y));
}

void run_block() {
    alive = threads;
    of_block = meeting();
    for (int w = 0; w * WARP < threads; w++) {
        alive_in_warp[w] = threads - w * WARP < WARP ? threads - w * WARP : WARP;
        of_warp[w] = meeting();
    }
    for (int t = 0; t < threads; t++) start(t);
    while (alive > 0) {
        moved = false;
        for (current = 0; current < threads; current++) {
            if (fibers[current].done) continue;
            threadIdx = thread_of(current);
            change(conductor, fibers[current]);
        }
        if (!moved) {
            fprintf(stderr, "emulator: a block's threads wait for each other at different barriers\n");
            abort();
        }
    }
}

void run_kernel(dim3 blocks, dim3 block, const work &kernel) {
#ifdef __SANITIZE_THREAD__
    conductor.known = __tsan_get_current_fiber();
#endif
    body = &kernel;
    gridDim = blocks;
    blockDim = block;
    threads = (int)(block.x * block.y * block.z);
    for (unsigned z = 0; z < blocks.z; z++)
        for (unsigned y = 0; y < blocks.y; y++)
            for (unsigned x = 0; x < blocks.x; x++) {
                blockIdx = dim3(x, y, z);
                run_block();
            }
}

} // namespace

void __syncthreads() {
    meet(of_block, alive);
}

void __syncwarp(unsigned) {
    meet(of_warp[current / WARP], alive_in_warp[current / WARP]);
}

void tc_emulator_exchange(void *mine, size_t size, int lane) {
    const int me = current;
    memcpy(exchanged[me], mine, size);
    __syncwarp();
    memcpy(mine, exchanged[me / WARP * WARP + lane], size);
    __syncwarp(); /* before anybody writes again */
}

void tc_emulator_launch(cudaStream_t stream, dim3 blocks, dim3 block, work kernel) {
    const size_t size = (size_t)block.x * block.y * block.z;
    if (size == 0 || size > MOST_THREADS || (size_t)blocks.x * blocks.y * blocks.z == 0) {
        fails(cudaErrorInvalidConfiguration);
        return;
    }
    if (stream->gpu != chosen) {
        fails(cudaErrorInvalidResourceHandle);
        return;
    }
    tc_emulator_count(tc_emulator_tally.kernels[chosen > 0]);
    if (shall_fail())
        put(stream, [] { faulted = true; });
    else
        put(stream, [=] { run_kernel(blocks, block, kernel); });
}
