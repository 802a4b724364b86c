/* download.c — one file over HTTP, by libcurl, however often the line breaks.
 *
 * Every attempt asks for the bytes that are missing. A server that knows no ranges sends everything, and the file
 * begins anew. An attempt that gets further than all before it is always followed by another; after three that did
 * not, the transfer is given up, and what has come stays for the next call. */
#include "data/fetch/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 3, CONNECT_SECONDS = 20, SILENT_SECONDS = 30 };

/* Why an attempt ended early, where it was this side that ended it. */
typedef enum refusal { NONE, DISK, TOO_LONG, OTHER_RANGE, STOPPED } refusal;

typedef struct transfer {
    CURL *curl;
    const tc_remote_file *file;
    const tc_fetch_hooks *hooks;
    int part;
    uint64_t have;     /* bytes in the file */
    uint64_t range_at; /* where the answer's range begins, as the server says */
    bool answered;     /* the first bytes of this attempt's answer have come */
    bool *fresh;
    double start; /* of this attempt, seconds */
    uint64_t had; /* at its start */
    refusal refused;
    int why; /* errno */
} transfer;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- what curl calls ---- */

static size_t on_header(char *line, size_t size, size_t count, void *context) {
    transfer *t = context;
    const size_t length = size * count;
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1), line);
    unsigned long long at;
    if (!strncasecmp(text, "HTTP/", 5)) t->range_at = UINT64_MAX; /* a redirect's headers are forgotten */
    if (!strncasecmp(text, "Content-Range:", 14) && sscanf(text + 14, " bytes %llu-", &at) == 1) t->range_at = at;
    return length;
}

static bool refuse(transfer *t, refusal why) {
    t->refused = why;
    t->why = errno;
    return false;
}

/* Begins anew where the whole file comes although a part was asked for. */
static bool begin(transfer *t) {
    long code = 0;
    t->answered = true;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code == 206) return t->range_at == t->have || refuse(t, OTHER_RANGE);
    t->have = t->had = 0;
    *t->fresh = true;
    return (ftruncate(t->part, 0) == 0 && lseek(t->part, 0, SEEK_SET) == 0) || refuse(t, DISK);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    transfer *t = context;
    const size_t length = size * count;
    if (!t->answered && !begin(t)) return 0;
    if (length > t->file->size - t->have) return refuse(t, TOO_LONG);
    for (size_t done = 0; done < length;) {
        const ssize_t wrote = write(t->part, bytes + done, length - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return refuse(t, DISK);
        done += (size_t)wrote;
        t->have += (size_t)wrote;
    }
    return length;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    transfer *t = context;
    (void)a, (void)b, (void)c, (void)d;
    if (!t->hooks) return 0;
    const double seconds = now() - t->start;
    if (t->hooks->progress)
        t->hooks->progress(t->hooks->context, t->file->name, t->have, t->file->size,
                           seconds > 0 ? (double)(t->have - t->had) / seconds : 0);
    if (t->hooks->stop && t->hooks->stop(t->hooks->context)) return !refuse(t, STOPPED);
    return 0;
}

/* ---- one attempt ---- */

static void set_up(transfer *t, const char *url, char reason[CURL_ERROR_SIZE]) {
    CURL *curl = t->curl;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "tocsin/" TOCSIN_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

static CURLcode attempt(transfer *t) {
    char range[32];
    snprintf(range, sizeof range, "%llu-", (unsigned long long)t->have);
    curl_easy_setopt(t->curl, CURLOPT_RANGE, t->have ? range : NULL);
    t->answered = false;
    t->refused = NONE;
    t->range_at = UINT64_MAX;
    t->start = now();
    t->had = t->have;
    return curl_easy_perform(t->curl);
}

/* A range that the server does not have, or another than was asked for: the part is of no use to it. */
static tc_status forget(transfer *t, const char *path, tc_error *error) {
    t->have = 0;
    *t->fresh = true;
    if (ftruncate(t->part, 0) == 0 && lseek(t->part, 0, SEEK_SET) == 0) return TC_OK;
    return tc_raise(error, TC_FAILED, "%s: cannot be written: %s; choose another place with --out", path,
                    strerror(errno));
}

/* ---- what an ended attempt means ---- */

static bool is_transient(CURLcode code, long answer) {
    static const CURLcode broken[] = {CURLE_PARTIAL_FILE,      CURLE_RECV_ERROR, CURLE_SEND_ERROR,
                                      CURLE_GOT_NOTHING,       CURLE_HTTP2,      CURLE_HTTP2_STREAM,
                                      CURLE_OPERATION_TIMEDOUT};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        if (code == broken[i]) return true;
    return code == CURLE_HTTP_RETURNED_ERROR && answer >= 500;
}

static tc_status explain(const transfer *t, const char *url, const char *path, CURLcode code, long answer,
                         const char *reason, tc_error *error) {
    const unsigned long long have = t->have, size = t->file->size;
    if (t->refused == STOPPED)
        return tc_raise(error, TC_INTERRUPTED, "%s: interrupted at %llu of %llu bytes; run it again to go on", path,
                        have, size);
    if (t->refused == DISK)
        return tc_raise(error, TC_FAILED, "%s: cannot be written: %s; free space or choose another place with --out",
                        path, strerror(t->why));
    if (t->refused == TOO_LONG)
        return tc_raise(error, TC_FAILED,
                        "%s: more than the %llu bytes published; this is another file: give another place with --from",
                        url, size);
    if (t->refused == OTHER_RANGE)
        return tc_raise(error, TC_FAILED, "%s: sends other bytes than asked for; give another place with --from", url);
    if (code == CURLE_HTTP_RETURNED_ERROR)
        return tc_raise(error, TC_FAILED, "%s: the server answers %ld; give another place with --from", url, answer);
    if (is_transient(code, answer))
        return tc_raise(error, TC_FAILED, "%s: broken off at %llu of %llu bytes (%s); run it again to go on", url, have,
                        size, reason);
    return tc_raise(error, TC_FAILED, "%s: cannot be reached (%s); check the network or give another place with --from",
                    url, reason);
}

static void wait_for(double seconds) {
    const struct timespec pause = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&pause, NULL);
}

static tc_status transfer_all(transfer *t, const char *url, const char *path, const char *reason, tc_error *error) {
    uint64_t furthest = t->have;
    tc_status status = TC_OK;
    for (int fruitless = 0; t->have < t->file->size;) {
        long answer = 0;
        const CURLcode code = attempt(t);
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &answer);
        if (code == CURLE_OK && t->have < t->file->size)
            return tc_raise(error, TC_FAILED,
                            "%s: ends after %llu of %llu bytes; this is another file: give another place with --from",
                            url, (unsigned long long)t->have, (unsigned long long)t->file->size);
        if (code == CURLE_OK) break;
        const bool useless = answer == 416 || t->refused == OTHER_RANGE;
        if (useless && t->had) {
            if ((status = forget(t, path, error)) != TC_OK) return status;
            continue;
        }
        fruitless = t->have > furthest ? 0 : fruitless + 1;
        if (t->have > furthest) furthest = t->have;
        const char *text = reason[0] ? reason : curl_easy_strerror(code);
        if (t->refused != NONE || !is_transient(code, answer) || fruitless == PATIENCE)
            return explain(t, url, path, code, answer, text, error);
        wait_for((1 << 2 * fruitless) / 16.0); /* 1/16, 1/4, 1 s */
    }
    return TC_OK;
}

tc_status tc_download(const char *url, const tc_remote_file *file, int part, const char *path, bool *fresh,
                      const tc_fetch_hooks *hooks, tc_error *error) {
    char reason[CURL_ERROR_SIZE] = "";
    transfer t = {.file = file, .hooks = hooks, .part = part, .fresh = fresh};
    struct stat facts;
    if (fstat(part, &facts)) return tc_raise(error, TC_FAILED, "%s: cannot be read: %s", path, strerror(errno));
    t.have = (uint64_t)facts.st_size;
    *fresh = t.have == 0;
    if (t.have > file->size) {
        const tc_status status = forget(&t, path, error);
        if (status != TC_OK) return status;
    }
    lseek(part, 0, SEEK_END);
    t.curl = curl_easy_init();
    if (!t.curl) return tc_raise(error, TC_FAILED, "%s: libcurl cannot be started; free memory", url);
    set_up(&t, url, reason);
    const tc_status status = transfer_all(&t, url, path, reason, error);
    curl_easy_cleanup(t.curl);
    return status;
}
